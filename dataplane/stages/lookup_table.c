#include "stages/lookup_table.h"

#include <string.h>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
#define TABLE_MAY_READ_ON /* within a page; sanitizers would call it an error */
#endif

enum { STEP = 16, PAGE_BYTES = 4096 };

__extension__ typedef unsigned __int128 u128;

struct sixteen {
    uint64_t low, high;
};

/* 16 bytes, of which those from `bytes` on are zero. */
static inline struct sixteen load_up_to_16(const uint8_t *at, uint32_t bytes)
{
    static const uint64_t keep[4] = {UINT64_MAX, UINT64_MAX, 0, 0};
    struct sixteen got = {0, 0}, mask;
#ifdef TABLE_MAY_READ_ON
    if (((uintptr_t)at & (PAGE_BYTES - 1)) <= PAGE_BYTES - STEP) {
        memcpy(&got, at, STEP);
        memcpy(&mask, (const uint8_t *)keep + STEP - bytes, STEP);
        return (struct sixteen){got.low & mask.low, got.high & mask.high};
    }
#endif
    (void)keep;
    (void)mask;
    memcpy(&got, at, bytes);
    return got;
}

static inline uint64_t fold(uint64_t left, uint64_t right)
{
    u128 product = (u128)left * right;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t fly_lookup_hash(const void *key, uint32_t bytes)
{
    const uint8_t *at = key;
    uint64_t hash = bytes ^ UINT64_C(0x9e3779b97f4a7c15);
    for (; bytes > STEP; bytes -= STEP, at += STEP) {
        struct sixteen part;
        memcpy(&part, at, STEP);
        hash = fold(part.low ^ hash, part.high ^ UINT64_C(0xe7037ed1a0b428db));
    }
    struct sixteen part = load_up_to_16(at, bytes);
    hash = fold(part.low ^ hash, part.high ^ UINT64_C(0xe7037ed1a0b428db));
    return fold(hash, UINT64_C(0x8ebc6af09c88c6e3));
}

/* `filled` has zeros behind it, up to the next 16. */
static inline bool same_key(const uint8_t *filled, const uint8_t *key, uint32_t bytes)
{
    struct sixteen there, part;
    uint64_t differ = 0;
    for (; bytes > STEP; bytes -= STEP, key += STEP, filled += STEP) {
        memcpy(&there, filled, STEP);
        memcpy(&part, key, STEP);
        differ |= (there.low ^ part.low) | (there.high ^ part.high);
    }
    memcpy(&there, filled, STEP);
    part = load_up_to_16(key, bytes);
    return (differ | (there.low ^ part.low) | (there.high ^ part.high)) == 0;
}

static uint64_t round_up(uint64_t bytes)
{
    return (bytes + STEP - 1) / STEP * STEP;
}

int fly_lookup_table_init(struct fly_lookup_table *table, void *memory, uint64_t bytes,
                          uint64_t row_max, uint32_t value_cnt)
{
    uint64_t slot_cnt = 16;
    while (slot_cnt < row_max * 2)
        slot_cnt *= 2;
    if (slot_cnt * sizeof(struct fly_lookup_slot) >= bytes)
        return -1;
    *table = (struct fly_lookup_table){
        .index = memory,
        .base = memory,
        .mask = slot_cnt - 1,
        .used_bytes = slot_cnt * sizeof(struct fly_lookup_slot),
        .max_bytes = bytes,
        .value_cnt = value_cnt,
        .key_at = (uint32_t)round_up(sizeof(struct fly_lookup_entry) +
                                     value_cnt * sizeof(struct fly_lookup_value)),
    };
    return 0;
}

static const struct fly_lookup_entry *entry_at(const struct fly_lookup_table *table,
                                               const struct fly_lookup_slot *slot)
{
    return (const struct fly_lookup_entry *)(const void *)(table->base +
                                                           (uint64_t)slot->entry * STEP);
}

/* The slot of this key, or the empty one where it would be. */
static inline struct fly_lookup_slot *slot_of(const struct fly_lookup_table *table, const void *key,
                                              uint32_t bytes, uint64_t hash)
{
    for (uint64_t i = hash & table->mask;; i = (i + 1) & table->mask) {
        struct fly_lookup_slot *slot = &table->index[i];
        if (slot->entry == 0)
            return slot;
        if (slot->hash != (uint32_t)(hash >> 32))
            continue;
        const struct fly_lookup_entry *entry = entry_at(table, slot);
        if (entry->key_bytes == bytes &&
            same_key((const uint8_t *)entry + table->key_at, key, bytes))
            return slot;
    }
}

const struct fly_lookup_entry *fly_lookup_table_find(const struct fly_lookup_table *table,
                                                     const void *key, uint32_t bytes, uint64_t hash)
{
    const struct fly_lookup_slot *slot = slot_of(table, key, bytes, hash);
    return slot->entry ? entry_at(table, slot) : NULL;
}

static void fill_entry(const struct fly_lookup_table *table, struct fly_lookup_entry *entry,
                       const struct fly_lookup_row *row)
{
    uint64_t at = table->key_at + round_up(row->key_bytes ? row->key_bytes : 1);
    entry->key_bytes = row->key_bytes;
    entry->line = row->line;
    entry->json = row->json;
    memcpy((uint8_t *)entry + table->key_at, row->key, row->key_bytes);
    for (uint32_t i = 0; i < table->value_cnt; i++) {
        entry->value[i] = (struct fly_lookup_value){(uint32_t)at, row->value_bytes[i]};
        memcpy((uint8_t *)entry + at, row->value[i], row->value_bytes[i]);
        at += row->value_bytes[i];
    }
}

const struct fly_lookup_entry *fly_lookup_table_add(struct fly_lookup_table *table,
                                                    const struct fly_lookup_row *row)
{
    uint64_t hash = fly_lookup_hash(row->key, row->key_bytes);
    struct fly_lookup_slot *slot = slot_of(table, row->key, row->key_bytes, hash);
    uint64_t bytes = table->key_at + round_up(row->key_bytes ? row->key_bytes : 1);
    if (slot->entry)
        return entry_at(table, slot);
    for (uint32_t i = 0; i < table->value_cnt; i++)
        bytes += row->value_bytes[i];
    bytes = round_up(bytes);
    if (bytes > UINT32_MAX || bytes > table->max_bytes - table->used_bytes)
        return NULL;
    if (table->used_bytes / STEP > UINT32_MAX)
        return NULL;
    *slot = (struct fly_lookup_slot){(uint32_t)(hash >> 32), (uint32_t)(table->used_bytes / STEP)};
    table->used_bytes += bytes;
    fill_entry(table,
               (struct fly_lookup_entry *)(void *)(table->base + (uint64_t)slot->entry * STEP),
               row);
    return entry_at(table, slot);
}
