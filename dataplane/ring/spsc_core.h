/* spsc_core.h - layout and workings of the ring; users include ring/spsc.h.
 *
 * Idea       One implementation for all element sizes: elem_bytes is a constant wherever these
 *            functions are used, so the compiler makes one of each.
 * Owner      As ring/spsc.h says: tx by one producing thread, rx by one consuming thread.
 * Memory     struct fly_ring is the caller's shared memory; the sides' handles are local.
 * Cost       As ring/spsc.h says.
 * When full  The room is what it is; the callers cut their bursts.
 * Caveat     Nothing that the peer writes takes an access out of the ring: offsets are masked by
 *            the handle's own copy, and impossible distances are counted and ignored.
 * See also   docs/design/0001-spsc-ring.md
 */
#ifndef FLY_RING_SPSC_CORE_H
#define FLY_RING_SPSC_CORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"

#define FLY_RING_ALIGN FLY_CACHE_LINE_PAIR
/* Counts fit 32 bits with room for sums. */
#define FLY_RING_SLOT_MAX (UINT64_C(1) << 30)

/* The shared part. Indices count elements since the start of time and never wrap in practice (tests
 * do start near 2^64, where they would). */
struct fly_ring {
    _Atomic uint64_t magic; /* written last by init */
    uint64_t slot_cnt;
    uint64_t elem_bytes;
    /* A: the producer's release store publishes slots to the consumer's acquire load. */
    FLY_ALIGNED(FLY_RING_ALIGN) _Atomic uint64_t tail;
    /* B: the consumer's release store gives slots back to the producer's acquire load. */
    FLY_ALIGNED(FLY_RING_ALIGN) _Atomic uint64_t head;
    FLY_ALIGNED(FLY_RING_ALIGN) unsigned char slot[];
};

_Static_assert(offsetof(struct fly_ring, tail) == 128, "producer on its own pair of lines");
_Static_assert(offsetof(struct fly_ring, head) == 256, "consumer on its own pair of lines");
_Static_assert(offsetof(struct fly_ring, slot) == 384, "slots away from both");

/* The producer's handle. Fields are for spsc.h, but corrupt_cnt. */
struct fly_ring_tx {
    struct fly_ring *ring;
    uint64_t mask;
    uint64_t tail;      /* next slot to fill; at or past the published one */
    uint64_t published; /* as in ring->tail */
    uint64_t head_seen;
    uint64_t corrupt_cnt;
};

/* The consumer's handle. */
struct fly_ring_rx {
    struct fly_ring *ring;
    uint64_t mask;
    uint64_t head; /* as in ring->head */
    uint64_t tail_seen;
    uint64_t corrupt_cnt;
};

/* Elements in the ring as published, 0 to slot_cnt: an estimate for statistics, from any thread or
 * process. `ring` must have been attached to by the caller once (its constants are believed). */
static inline uint64_t fly_ring_count(const struct fly_ring *ring)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    uint64_t cnt = tail - head;
    /* The two are not read at once; a head that overtook reads as a huge distance: empty. */
    if (cnt > UINT64_MAX / 2)
        return 0;
    return cnt < ring->slot_cnt ? cnt : ring->slot_cnt;
}

/* Slots that the producer may fill, at least `want` if there are that many; looks at the head if
 * the copy says less. */
static FLY_ALWAYS_INLINE uint64_t fly_ring_tx_room(struct fly_ring_tx *tx, uint64_t want)
{
    uint64_t room = tx->mask + 1 - (tx->tail - tx->head_seen);
    if (FLY_LIKELY(room >= want))
        return room;
    uint64_t head = atomic_load_explicit(&tx->ring->head, memory_order_acquire); /* pairs with B */
    if (FLY_UNLIKELY(tx->tail - head > tx->mask + 1)) {
        tx->corrupt_cnt++;
        return room;
    }
    tx->head_seen = head;
    return tx->mask + 1 - (tx->tail - head);
}

/* Elements that the consumer may take; looks at the tail only if the copy says none. */
static FLY_ALWAYS_INLINE uint64_t fly_ring_rx_ready(struct fly_ring_rx *rx)
{
    uint64_t ready = rx->tail_seen - rx->head;
    if (ready)
        return ready;
    uint64_t tail = atomic_load_explicit(&rx->ring->tail, memory_order_acquire); /* pairs with A */
    if (FLY_UNLIKELY(tail - rx->head > rx->mask + 1)) {
        rx->corrupt_cnt++;
        return 0;
    }
    rx->tail_seen = tail;
    return tail - rx->head;
}

/* Copies a multiple of 8 bytes by vectors, without the call that a memcpy of unknown size is: twice
 * as fast for bursts of 32 as element by element. */
static FLY_ALWAYS_INLINE void fly_ring_copy(unsigned char *to, const unsigned char *from,
                                            uint64_t bytes)
{
    for (; bytes >= 64; bytes -= 64, to += 64, from += 64)
        memcpy(to, from, 64);
    if (bytes & 32) {
        memcpy(to, from, 32);
        to += 32;
        from += 32;
    }
    if (bytes & 16) {
        memcpy(to, from, 16);
        to += 16;
        from += 16;
    }
    if (bytes & 8)
        memcpy(to, from, 8);
}

/* The same as stage for one element: no loop, no wrap-around. */
static FLY_ALWAYS_INLINE bool fly_ring_stage_one(struct fly_ring_tx *tx, const void *elem,
                                                 size_t elem_bytes)
{
    if (FLY_UNLIKELY(!fly_ring_tx_room(tx, 1)))
        return false;
    memcpy(tx->ring->slot + (tx->tail & tx->mask) * elem_bytes, elem, elem_bytes);
    tx->tail++;
    return true;
}

static FLY_ALWAYS_INLINE uint32_t fly_ring_stage(struct fly_ring_tx *tx, const void *elems,
                                                 uint32_t cnt, size_t elem_bytes)
{
    uint64_t room = fly_ring_tx_room(tx, cnt);
    uint64_t take = room < cnt ? room : cnt;
    unsigned char *slots = tx->ring->slot;
    const unsigned char *from = elems;
    uint64_t first = tx->tail & tx->mask;
    uint64_t to_end = tx->mask + 1 - first;
    uint64_t ahead = take < to_end ? take : to_end;
    fly_ring_copy(slots + first * elem_bytes, from, ahead * elem_bytes);
    if (FLY_UNLIKELY(ahead < take))
        fly_ring_copy(slots, from + ahead * elem_bytes, (take - ahead) * elem_bytes);
    tx->tail += take;
    return (uint32_t)take;
}

static FLY_ALWAYS_INLINE uint32_t fly_ring_publish(struct fly_ring_tx *tx)
{
    uint64_t cnt = tx->tail - tx->published;
    if (cnt) {
        tx->published = tx->tail;
        atomic_store_explicit(&tx->ring->tail, tx->tail, memory_order_release); /* A */
    }
    return (uint32_t)cnt;
}

/* Copies up to cnt elements out; the caller decides whether they are taken. */
static FLY_ALWAYS_INLINE uint32_t fly_ring_copy_out(struct fly_ring_rx *rx, void *elems,
                                                    uint32_t cnt, size_t elem_bytes)
{
    uint64_t ready = fly_ring_rx_ready(rx);
    uint64_t take = ready < cnt ? ready : cnt;
    const unsigned char *slots = rx->ring->slot;
    unsigned char *to = elems;
    uint64_t first = rx->head & rx->mask;
    uint64_t to_end = rx->mask + 1 - first;
    uint64_t ahead = take < to_end ? take : to_end;
    fly_ring_copy(to, slots + first * elem_bytes, ahead * elem_bytes);
    if (FLY_UNLIKELY(ahead < take))
        fly_ring_copy(to + ahead * elem_bytes, slots, (take - ahead) * elem_bytes);
    return (uint32_t)take;
}

static FLY_ALWAYS_INLINE uint32_t fly_ring_pop(struct fly_ring_rx *rx, void *elems, uint32_t cnt,
                                               size_t elem_bytes)
{
    uint32_t take = fly_ring_copy_out(rx, elems, cnt, elem_bytes);
    if (take) {
        rx->head += take;
        atomic_store_explicit(&rx->ring->head, rx->head, memory_order_release); /* B */
    }
    return take;
}

/* True if the consumer would get something, from a fresh look at the tail. */
static FLY_ALWAYS_INLINE bool fly_ring_pending(const struct fly_ring_rx *rx)
{
    uint64_t tail = atomic_load_explicit(&rx->ring->tail, memory_order_acquire); /* pairs with A */
    return tail - rx->head - 1 <= rx->mask; /* a distance of 1 to slot_cnt */
}

#endif
