#include "worker/hold.h"

/* Handles: use << 20 | index, use never 0. */
enum { INDEX_BITS = 20, USE_MAX = 0xfff };

void fly_hold_init(struct fly_hold_pool *pool, uint32_t messages)
{
    *pool = (struct fly_hold_pool){
        .free_head = messages ? 0 : UINT32_MAX, .free_cnt = messages, .total = messages};
    for (uint32_t i = 0; i < messages; i++)
        pool->entry[i] = (struct fly_held_entry){
            .next = i + 1 < messages ? i + 1 : UINT32_MAX, .use = 1, .block = FLY_BLOCK_NONE};
}

struct fly_held fly_hold_add(struct fly_hold_pool *pool, uint64_t root, uint64_t id, uint32_t block)
{
    FLY_CHECK(pool->free_cnt, "a task held more messages than it was given room for");
    uint32_t idx = pool->free_head;
    struct fly_held_entry *entry = &pool->entry[idx];
    pool->free_head = entry->next;
    pool->free_cnt--;
    entry->root = root;
    entry->id = id;
    entry->block = block;
    entry->state = FLY_HELD_KEPT;
    entry->half = (uint8_t)pool->half;
    pool->kept_cnt[pool->half]++;
    return (struct fly_held){(uint32_t)entry->use << INDEX_BITS | idx};
}

struct fly_held_entry *fly_hold_find(struct fly_hold_pool *pool, struct fly_held held)
{
    uint32_t idx = held.handle & ((1U << INDEX_BITS) - 1);
    if (idx >= pool->total)
        return NULL;
    struct fly_held_entry *entry = &pool->entry[idx];
    bool in_use = entry->state == FLY_HELD_KEPT && entry->use == held.handle >> INDEX_BITS;
    return in_use ? entry : NULL;
}

void fly_hold_join(struct fly_hold_pool *pool, struct fly_held_entry *entry)
{
    entry->state = FLY_HELD_PARENT;
    pool->kept_cnt[entry->half]--;
}

bool fly_hold_split(struct fly_hold_pool *pool)
{
    FLY_CHECK(!fly_hold_before_split(pool), "a hold pool was split twice");
    pool->half ^= 1;
    return fly_hold_before_split(pool) != 0;
}

void fly_hold_release(struct fly_hold_pool *pool, struct fly_held_entry *entry)
{
    pool->kept_cnt[entry->half] -= entry->state == FLY_HELD_KEPT;
    entry->state = FLY_HELD_FREE;
    entry->use = entry->use == USE_MAX ? 1 : (uint16_t)(entry->use + 1);
    entry->next = pool->free_head;
    pool->free_head = (uint32_t)(entry - pool->entry);
    pool->free_cnt++;
}
