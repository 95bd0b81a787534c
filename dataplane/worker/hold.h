/* hold.h - messages that a task keeps beyond their call.
 *
 * Idea       A hold is an id entered into the message's tree and an entry here, with a copy of the
 *            message unless only the duty to finish it is kept. Whoever uses up the handle sends
 *            the id.
 * Owner      The task's worker.
 * Memory     Entries and copies in the workspace, sized by the plan's hold_messages and hold_bytes.
 * When full  Never within a call: process gets only as many messages as there is room for.
 */
#ifndef FLY_WORKER_HOLD_H
#define FLY_WORKER_HOLD_H

#include "msg/blocks.h"
#include "msg/root.h"

#include <flyover/task.h>

enum { FLY_HOLD_MESSAGES_MAX = 1 << 20 };

enum fly_held_state { FLY_HELD_FREE, FLY_HELD_KEPT, FLY_HELD_PARENT };

struct fly_held_entry {
    uint64_t root, id;
    uint32_t block; /* FLY_BLOCK_NONE: a token */
    uint32_t next;  /* free list, or the next parent */
    uint16_t use;   /* tells handles of one entry apart */
    uint8_t state;
    uint8_t half;
};

struct fly_hold_pool {
    uint32_t free_head, free_cnt, total;
    uint32_t half;        /* of what is held from now on */
    uint32_t kept_cnt[2]; /* held messages of each half, without those that have become parents */
    uint32_t reserved[10];
    struct fly_held_entry entry[];
};

static inline uint64_t fly_hold_footprint(uint32_t messages)
{
    return fly_align_up(sizeof(struct fly_hold_pool) +
                            (uint64_t)messages * sizeof(struct fly_held_entry),
                        FLY_CACHE_LINE);
}

void fly_hold_init(struct fly_hold_pool *pool, uint32_t messages);

/* Takes a free entry; there must be one. */
struct fly_held fly_hold_add(struct fly_hold_pool *pool, uint64_t root, uint64_t id,
                             uint32_t block);

/* The entry of a handle in use; NULL: never given out, or used up. */
struct fly_held_entry *fly_hold_find(struct fly_hold_pool *pool, struct fly_held held);

/* A held message becomes a parent: what was made of it is on its way, its entry stays. */
void fly_hold_join(struct fly_hold_pool *pool, struct fly_held_entry *entry);

/* From here on: what is held now, and what will be. False: nothing is held. The split before must
 * be over. */
bool fly_hold_split(struct fly_hold_pool *pool);

/* How many messages are still held from before the split. */
static inline uint32_t fly_hold_before_split(const struct fly_hold_pool *pool)
{
    return pool->kept_cnt[pool->half ^ 1];
}

/* Gives an entry back; its handle is used up. */
void fly_hold_release(struct fly_hold_pool *pool, struct fly_held_entry *entry);

#endif
