/* count_table.h - counts by key in one fixed piece of memory.
 *
 * Idea       Entries lie one behind the other from the bottom, in the order of their first use; an
 *            open-addressing index of {hash, where} lies at the top and doubles downwards, rebuilt
 *            from the entries.
 * Owner      One thread.
 * Memory     The caller's, zeroed; nothing else is used.
 * Cost       A hit reads one index line and one entry. A doubling walks all entries: about 10 ns
 *            each.
 * When full  fly_count_table_add() returns NULL for a new key; known keys still count.
 * Caveat     Nothing is ever removed.
 * See also   count.c, tests/unit/dataplane/stages/test_count_table.c
 */
#ifndef FLY_STAGES_COUNT_TABLE_H
#define FLY_STAGES_COUNT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fly_count_entry {
    uint64_t count;
    uint32_t hash;
    uint32_t key_bytes;
    bool changed; /* since somebody cleared it */
    uint8_t key[];
};

struct fly_count_slot {
    uint32_t hash;
    uint32_t entry; /* 0: empty; else its place in units of 8 bytes, from 1 on */
};

struct fly_count_table {
    uint8_t *base;
    struct fly_count_slot *index;
    uint64_t bytes;
    uint64_t used_bytes; /* by entries */
    uint64_t key_cnt;
    uint32_t index_bits;
};

enum {
    FLY_COUNT_INDEX_BITS = 8, /* at the start */
    FLY_COUNT_INDEX_BITS_MAX = 31,
    FLY_COUNT_BYTES_MIN = 4096,
};

/* Over zeroed memory, 8-byte aligned, FLY_COUNT_BYTES_MIN at least. 0, or -1: too small. */
int fly_count_table_init(struct fly_count_table *table, void *memory, uint64_t bytes)
    __attribute__((warn_unused_result));

/* Adds one to the count of a key. NULL: it is new and there is no room. */
struct fly_count_entry *fly_count_table_add(struct fly_count_table *table, const void *key,
                                            uint32_t key_bytes, uint32_t hash);

/* Steps through the entries: NULL gives the first; NULL is returned at the end. */
struct fly_count_entry *fly_count_table_next(const struct fly_count_table *table,
                                             const struct fly_count_entry *entry);

/* The index is a power of two: multiplying spreads keys that share the bits that chose this
 * task. */
static inline uint32_t fly_count_table_slot(const struct fly_count_table *table, uint32_t hash)
{
    return hash * UINT32_C(0x9e3779b1) >> (32 - table->index_bits);
}

static inline void fly_count_table_prefetch(const struct fly_count_table *table, uint32_t hash)
{
    __builtin_prefetch(&table->index[fly_count_table_slot(table, hash)]);
}

#endif
