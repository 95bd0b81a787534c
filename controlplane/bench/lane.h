/* lane.h - the indices of a bare ring between two threads: nothing but what the hardware needs.
 *
 * Idea       The slots are an array of the user's own type; a lane says which of them may be filled
 *            and which may be read. Each side keeps a copy of the other's index and looks again
 *            only when the copy says stop.
 * Owner      One producing and one consuming thread.
 * Memory     The caller's, zeroed: two pairs of cache lines, and a side for each thread.
 * When full  fly_lane_room() is short; nothing is overwritten.
 * Caveat     The peer is trusted and nothing is checked: for loops by hand only. The engine's ring
 *            is ring/spsc.h.
 */
#ifndef FLY_BENCH_LANE_H
#define FLY_BENCH_LANE_H

#include "base/check.h"

#include <stdatomic.h>
#include <stdint.h>

struct fly_lane {
    /* A: the producer's release store pairs with the consumer's acquire load. */
    FLY_ALIGNED(FLY_CACHE_LINE_PAIR) _Atomic uint64_t tail;
    /* B: the consumer's release store pairs with the producer's acquire load. */
    FLY_ALIGNED(FLY_CACHE_LINE_PAIR) _Atomic uint64_t head;
};

/* One thread's view: its own index, and the other's as last seen. */
struct fly_lane_side {
    uint64_t own;
    uint64_t seen;
};

/* Of slot_cnt slots those that may be filled; exact if less than `want`. */
static FLY_ALWAYS_INLINE uint64_t fly_lane_room(const struct fly_lane *lane,
                                                struct fly_lane_side *side, uint64_t slot_cnt,
                                                uint64_t want)
{
    uint64_t room = slot_cnt - (side->own - side->seen);
    if (FLY_LIKELY(room >= want))
        return room;
    side->seen = atomic_load_explicit(&lane->head, memory_order_acquire); /* B */
    return slot_cnt - (side->own - side->seen);
}

/* Shows the next cnt slots to the consumer. */
static FLY_ALWAYS_INLINE void fly_lane_publish(struct fly_lane *lane, struct fly_lane_side *side,
                                               uint64_t cnt)
{
    side->own += cnt;
    atomic_store_explicit(&lane->tail, side->own, memory_order_release); /* A */
}

/* Slots that may be read; 0 only if there is none. */
static FLY_ALWAYS_INLINE uint64_t fly_lane_ready(const struct fly_lane *lane,
                                                 struct fly_lane_side *side)
{
    if (side->seen == side->own)
        side->seen = atomic_load_explicit(&lane->tail, memory_order_acquire); /* A */
    return side->seen - side->own;
}

/* Gives the next cnt slots back to the producer. */
static FLY_ALWAYS_INLINE void fly_lane_release(struct fly_lane *lane, struct fly_lane_side *side,
                                               uint64_t cnt)
{
    side->own += cnt;
    atomic_store_explicit(&lane->head, side->own, memory_order_release); /* B */
}

#endif
