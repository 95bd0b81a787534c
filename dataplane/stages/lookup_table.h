/* lookup_table.h - values by key in one fixed piece of memory, filled once and then only read.
 *
 * Idea       An open-addressing index of {hash, where}, at most half full, then the entries one
 *            behind the other. Keys are filled up with zeros to steps of 16 bytes and compared and
 *            hashed by 16 at a time, so that nothing branches on the length of a short one.
 * Owner      One thread.
 * Memory     The caller's, zeroed; nothing else is used.
 * Cost       A look-up reads one line of the index and one entry: 5 ns when they are near.
 * When full  fly_lookup_table_add() says so.
 * See also   lookup.c, lookup_file.h, tests/unit/dataplane/stages/test_lookup.c
 */
#ifndef FLY_STAGES_LOOKUP_TABLE_H
#define FLY_STAGES_LOOKUP_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FLY_LOOKUP_VALUES_MAX = 8 };

/* A value of an entry. */
struct fly_lookup_value {
    uint32_t at; /* from the entry's beginning */
    uint32_t bytes;
};

struct fly_lookup_entry {
    uint32_t key_bytes;
    uint32_t line;                   /* of the file; whatever the caller gave */
    uint64_t json;                   /* bit i: value i is JSON, not text */
    struct fly_lookup_value value[]; /* then the key, from the next multiple of 16 on; the values */
};

struct fly_lookup_slot {
    uint32_t hash;
    uint32_t entry; /* 0: empty; else its place in units of 16 bytes */
};

struct fly_lookup_table {
    struct fly_lookup_slot *index;
    uint8_t *base;
    uint64_t mask;
    uint64_t used_bytes, max_bytes;
    uint32_t value_cnt;
    uint32_t key_at; /* from an entry's beginning */
};

/* What is added. */
struct fly_lookup_row {
    const void *key;
    const void *value[FLY_LOOKUP_VALUES_MAX];
    uint32_t key_bytes;
    uint32_t value_bytes[FLY_LOOKUP_VALUES_MAX];
    uint64_t json;
    uint32_t line;
};

/* For at most `row_max` rows of `value_cnt` values each, over zeroed memory that is 16-byte
 * aligned. 0, or -1: not even the index fits. */
int fly_lookup_table_init(struct fly_lookup_table *table, void *memory, uint64_t bytes,
                          uint64_t row_max, uint32_t value_cnt) __attribute__((warn_unused_result));

/* NULL: there is no room. An entry of another line: the key was there before. */
const struct fly_lookup_entry *fly_lookup_table_add(struct fly_lookup_table *table,
                                                    const struct fly_lookup_row *row);

uint64_t fly_lookup_hash(const void *key, uint32_t bytes);

/* NULL: it is not there. */
const struct fly_lookup_entry *fly_lookup_table_find(const struct fly_lookup_table *table,
                                                     const void *key, uint32_t bytes,
                                                     uint64_t hash);

static inline void fly_lookup_table_prefetch(const struct fly_lookup_table *table, uint64_t hash)
{
    __builtin_prefetch(&table->index[hash & table->mask]);
}

static inline const uint8_t *fly_lookup_value_of(const struct fly_lookup_entry *entry, uint32_t i)
{
    return (const uint8_t *)entry + entry->value[i].at;
}

#endif
