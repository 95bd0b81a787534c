/* window_table.h - sums by key and window in one fixed piece of memory, from which whole windows
 * are taken out again.
 *
 * Idea       A window's entries lie one behind the other in chunks of its own, in the order of
 *            their first use; one open-addressing index of {hash, where} finds them all. A window
 *            that is over gives its chunks back, and its entries leave the index one by one, others
 *            moving up: there are no tombstones and nothing is ever rebuilt.
 * Owner      One thread.
 * Memory     The caller's, zeroed: a quarter of it the index, the rest chunks.
 * Cost       A hit reads one line of the index and one of the entry; a new window is put into a
 *            sorted list.
 * When full  fly_window_add() returns NULL for a new key or window; known ones still count.
 * Caveat     A key is at most FLY_WINDOW_KEY_MAX bytes. A window takes at least one chunk.
 * See also   window.c, tests/unit/dataplane/stages/test_window_table.c
 */
#ifndef FLY_STAGES_WINDOW_TABLE_H
#define FLY_STAGES_WINDOW_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fly_window_entry {
    int64_t window; /* its start */
    uint64_t count;
    double value; /* of the aggregate; the first message sets it */
    uint32_t hash;
    uint32_t key_bytes; /* FLY_WINDOW_NO_KEY: none */
    uint8_t key[];
};

enum {
    FLY_WINDOW_CHUNK_BYTES = 4096,
    FLY_WINDOW_KEY_MAX = 4000,
    FLY_WINDOW_BYTES_MIN = 65536,
};
#define FLY_WINDOW_NO_KEY UINT32_MAX

struct fly_window_key {
    const void *key;
    uint32_t bytes; /* FLY_WINDOW_NO_KEY: none */
    uint32_t hash;  /* fly_window_hash() */
    int64_t window;
};

/* A window that has entries. */
struct fly_window {
    int64_t start;
    uint64_t entry_cnt;
    uint32_t first_chunk, last_chunk;
};

struct fly_window_slot {
    uint32_t hash;
    uint32_t entry; /* 0: empty; else its place in units of 8 bytes, from 1 on */
};

struct fly_window_table {
    struct fly_window_slot *index;
    uint64_t slot_cnt, used_cnt;
    uint8_t *chunks;
    uint32_t chunk_cnt, fresh_cnt; /* of them never used */
    uint32_t free_chunk;
    struct fly_window *window; /* in ascending order */
    uint32_t window_cnt;
};

/* Over zeroed memory, 8-byte aligned, FLY_WINDOW_BYTES_MIN at least. 0, or -1: too small. */
int fly_window_table_init(struct fly_window_table *table, void *memory, uint64_t bytes)
    __attribute__((warn_unused_result));

/* The entry of a key in a window; a new one has count 0. NULL: it is new and there is no room. */
struct fly_window_entry *fly_window_add(struct fly_window_table *table,
                                        const struct fly_window_key *key);

/* Steps through the entries of the earliest window: NULL gives the first; NULL at the end. */
struct fly_window_entry *fly_window_next(const struct fly_window_table *table,
                                         const struct fly_window_entry *entry);

/* Takes the earliest window out, with all its entries. */
void fly_window_remove(struct fly_window_table *table);

/* Mixes the key's hash with the window, so that one key's windows are spread. */
static inline uint32_t fly_window_hash(uint32_t key_hash, int64_t window)
{
    uint64_t bits = ((uint64_t)window ^ key_hash) * UINT64_C(0x9e3779b97f4a7c15);
    bits ^= bits >> 32;
    return (uint32_t)((bits * UINT64_C(0xd6e8feb86659fd93)) >> 32);
}

static inline uint64_t fly_window_slot_of(const struct fly_window_table *table, uint32_t hash)
{
    return (hash * table->slot_cnt) >> 32;
}

static inline void fly_window_prefetch(const struct fly_window_table *table, uint32_t hash)
{
    __builtin_prefetch(&table->index[fly_window_slot_of(table, hash)]);
}

#endif
