#include "stages/window_table.h"

#include <string.h>

struct chunk {
    uint32_t next; /* of the window, or free: index + 1; 0: none */
    uint32_t used_bytes;
    uint8_t data[];
};

enum { CHUNK_DATA = FLY_WINDOW_CHUNK_BYTES - sizeof(struct chunk) };
_Static_assert(sizeof(struct fly_window_entry) + FLY_WINDOW_KEY_MAX <= CHUNK_DATA,
               "the longest key fits a chunk");

static struct chunk *chunk_at(const struct fly_window_table *table, uint32_t idx)
{
    return (struct chunk *)(void *)(table->chunks + (uint64_t)idx * FLY_WINDOW_CHUNK_BYTES);
}

static struct fly_window_entry *entry_at(const struct fly_window_table *table, uint32_t place)
{
    return (struct fly_window_entry *)(void *)(table->chunks + ((uint64_t)place - 1) * 8);
}

static uint32_t place_of(const struct fly_window_table *table, const struct fly_window_entry *entry)
{
    return (uint32_t)(((uint64_t)((const uint8_t *)entry - table->chunks)) / 8) + 1;
}

static uint32_t entry_bytes(uint32_t key_bytes)
{
    uint32_t bytes = key_bytes == FLY_WINDOW_NO_KEY ? 0 : key_bytes;
    return ((uint32_t)offsetof(struct fly_window_entry, key) + bytes + 7) & ~7U;
}

int fly_window_table_init(struct fly_window_table *table, void *memory, uint64_t bytes)
{
    const uint64_t most = (UINT64_C(1) << 35) - FLY_WINDOW_CHUNK_BYTES; /* places have 32 bits */
    if (bytes < FLY_WINDOW_BYTES_MIN)
        return -1;
    uint64_t slot_cnt = bytes / 4 / sizeof(struct fly_window_slot);
    uint64_t left = bytes - slot_cnt * sizeof(struct fly_window_slot);
    left = left < most ? left : most;
    uint64_t chunk_cnt = left / (FLY_WINDOW_CHUNK_BYTES + sizeof(struct fly_window));
    *table = (struct fly_window_table){
        .index = memory,
        .slot_cnt = slot_cnt < UINT32_MAX ? slot_cnt : UINT32_MAX,
        .chunk_cnt = (uint32_t)chunk_cnt,
        .fresh_cnt = (uint32_t)chunk_cnt,
    };
    table->window = (struct fly_window *)(void *)(table->index + slot_cnt);
    table->chunks = (uint8_t *)(table->window + chunk_cnt);
    return 0;
}

/* --- Chunks ---------------------------------------------------------------------------------- */

/* Index + 1; 0: none is free. */
static uint32_t chunk_take(struct fly_window_table *table)
{
    uint32_t taken = table->free_chunk;
    if (taken)
        table->free_chunk = chunk_at(table, taken - 1)->next;
    else if (table->fresh_cnt)
        taken = table->chunk_cnt - --table->fresh_cnt;
    if (taken)
        *chunk_at(table, taken - 1) = (struct chunk){0};
    return taken;
}

/* The first window that starts at `start` or later. */
static uint32_t window_find(const struct fly_window_table *table, int64_t start)
{
    uint32_t low = 0, high = table->window_cnt;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (table->window[middle].start < start)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Each window has a chunk, so the list has room for one more. */
static struct fly_window *window_open(struct fly_window_table *table, int64_t start)
{
    uint32_t at = window_find(table, start);
    struct fly_window *window = &table->window[at];
    if (at < table->window_cnt && window->start == start)
        return window;
    uint32_t chunk = chunk_take(table);
    if (!chunk)
        return NULL;
    memmove(window + 1, window, (table->window_cnt - at) * sizeof(*window));
    table->window_cnt++;
    *window = (struct fly_window){.start = start, .first_chunk = chunk, .last_chunk = chunk};
    return window;
}

/* Room for an entry at the window's end; NULL: none. */
static struct fly_window_entry *entry_take(struct fly_window_table *table, int64_t start,
                                           uint32_t bytes)
{
    struct fly_window *window = window_open(table, start);
    if (!window)
        return NULL;
    struct chunk *chunk = chunk_at(table, window->last_chunk - 1);
    if (bytes > CHUNK_DATA - chunk->used_bytes) {
        uint32_t next = chunk_take(table);
        if (!next)
            return NULL;
        chunk->next = window->last_chunk = next;
        chunk = chunk_at(table, next - 1);
    }
    struct fly_window_entry *entry =
        (struct fly_window_entry *)(void *)(chunk->data + chunk->used_bytes);
    chunk->used_bytes += bytes;
    window->entry_cnt++;
    return entry;
}

/* --- Entries --------------------------------------------------------------------------------- */

static inline bool same_bytes(const uint8_t *left, const uint8_t *right, uint32_t bytes)
{
    uint64_t l8, r8;
    if (bytes < 8 || bytes > 16)
        return memcmp(left, right, bytes) == 0;
    memcpy(&l8, left, 8);
    memcpy(&r8, right, 8);
    if (l8 != r8)
        return false;
    memcpy(&l8, left + bytes - 8, 8);
    memcpy(&r8, right + bytes - 8, 8);
    return l8 == r8;
}

static inline bool is_of(const struct fly_window_entry *entry, const struct fly_window_key *key)
{
    return entry->window == key->window && entry->key_bytes == key->bytes &&
           (key->bytes == FLY_WINDOW_NO_KEY || same_bytes(entry->key, key->key, key->bytes));
}

static struct fly_window_entry *insert(struct fly_window_table *table, uint64_t at,
                                       const struct fly_window_key *key)
{
    if (table->used_cnt >= table->slot_cnt / 8 * 7)
        return NULL;
    struct fly_window_entry *entry = entry_take(table, key->window, entry_bytes(key->bytes));
    if (!entry)
        return NULL;
    *entry = (struct fly_window_entry){
        .window = key->window, .hash = key->hash, .key_bytes = key->bytes};
    if (key->bytes && key->bytes != FLY_WINDOW_NO_KEY)
        memcpy(entry->key, key->key, key->bytes);
    table->index[at] = (struct fly_window_slot){key->hash, place_of(table, entry)};
    table->used_cnt++;
    return entry;
}

struct fly_window_entry *fly_window_add(struct fly_window_table *table,
                                        const struct fly_window_key *key)
{
    uint64_t at = fly_window_slot_of(table, key->hash);
    while (table->index[at].entry) {
        if (table->index[at].hash == key->hash) {
            struct fly_window_entry *entry = entry_at(table, table->index[at].entry);
            if (is_of(entry, key))
                return entry;
        }
        at = at + 1 < table->slot_cnt ? at + 1 : 0;
    }
    return insert(table, at, key);
}

struct fly_window_entry *fly_window_next(const struct fly_window_table *table,
                                         const struct fly_window_entry *entry)
{
    uint32_t idx, at = 0;
    if (!table->window_cnt)
        return NULL;
    if (!entry) {
        idx = table->window[0].first_chunk - 1;
    } else {
        uint64_t offset = (uint64_t)((const uint8_t *)entry - table->chunks);
        idx = (uint32_t)(offset / FLY_WINDOW_CHUNK_BYTES);
        at = (uint32_t)(offset % FLY_WINDOW_CHUNK_BYTES - sizeof(struct chunk)) +
             entry_bytes(entry->key_bytes);
    }
    struct chunk *chunk = chunk_at(table, idx);
    if (at == chunk->used_bytes) {
        if (!chunk->next)
            return NULL;
        chunk = chunk_at(table, chunk->next - 1);
        at = 0;
    }
    return at < chunk->used_bytes ? (struct fly_window_entry *)(void *)(chunk->data + at) : NULL;
}

/* --- Removing -------------------------------------------------------------------------------- */

/* Empties the entry's slot; those behind it that would not be found any more move up. */
static void unlink_entry(struct fly_window_table *table, const struct fly_window_entry *entry)
{
    uint32_t place = place_of(table, entry);
    uint64_t cnt = table->slot_cnt, hole = fly_window_slot_of(table, entry->hash);
    while (table->index[hole].entry != place)
        hole = hole + 1 < cnt ? hole + 1 : 0;
    uint64_t at = hole;
    for (;;) {
        at = at + 1 < cnt ? at + 1 : 0;
        if (!table->index[at].entry)
            break;
        uint64_t home = fly_window_slot_of(table, table->index[at].hash);
        uint64_t from_home = at >= home ? at - home : at + cnt - home;
        uint64_t from_hole = at >= hole ? at - hole : at + cnt - hole;
        if (from_home < from_hole)
            continue; /* its home is behind the hole */
        table->index[hole] = table->index[at];
        hole = at;
    }
    table->index[hole] = (struct fly_window_slot){0, 0};
    table->used_cnt--;
}

void fly_window_remove(struct fly_window_table *table)
{
    const struct fly_window *window = &table->window[0];
    for (struct fly_window_entry *entry = fly_window_next(table, NULL); entry;
         entry = fly_window_next(table, entry))
        unlink_entry(table, entry);
    chunk_at(table, window->last_chunk - 1)->next = table->free_chunk;
    table->free_chunk = window->first_chunk;
    table->window_cnt--;
    memmove(table->window, table->window + 1, table->window_cnt * sizeof(*table->window));
}
