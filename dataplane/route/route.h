/* route.h - which receiver of an edge gets a message.
 *
 * Idea       A key's 32-bit hash picks one of 1024 slots, the edge's table says whose it is. The
 *            hash and the slot of a key are the same in every process and release.
 * Owner      Tables: written by the plan; read by every sender.
 * Cost       About 2 ns per short key.
 */
#ifndef FLY_ROUTE_ROUTE_H
#define FLY_ROUTE_ROUTE_H

#include "base/mix.h"
#include "shm/plan.h"

#include <flyover/message.h>

/* The hash of a message's key; a message without a key is keyed by the empty key. */
static FLY_ALWAYS_INLINE uint32_t fly_route_hash(const struct fly_msg *msg)
{
    return fly_hash_key(msg->key, msg->key ? msg->key_bytes : 0);
}

static FLY_ALWAYS_INLINE uint32_t fly_route_slot(uint32_t hash)
{
    return hash >> 22; /* the top 10 bits: a table in the receiver uses the low ones */
}
_Static_assert(FLY_SLOT_CNT == 1 << 10, "the slot is the top ten bits");

/* Hashes the keys of a batch into the messages and looks up each one's target. */
void fly_route_by_key(struct fly_msg *msg, uint32_t cnt, const uint16_t *slots, uint16_t *target);

/* Sets the bits in `mask` (FLY_ROUTE_MASKS words) of those of `cnt` messages whose target is
 * `target`. All FLY_ROUTE_MAX targets are read. */
enum { FLY_ROUTE_MAX = 128, FLY_ROUTE_MASKS = FLY_ROUTE_MAX / 64 };
void fly_route_mask(const uint16_t *targets, uint32_t cnt, uint16_t target, uint64_t *mask);

/* A random target for each message. */
void fly_route_random(struct fly_rng *rng, uint32_t cnt, uint32_t target_cnt, uint16_t *target);

#endif
