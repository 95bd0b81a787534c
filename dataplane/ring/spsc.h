/* spsc.h - a queue between one producer and one consumer, in shared memory.
 *
 * Idea       The mapping holds a head, a tail and slots, no pointer. Each side attaches to it and
 *            works through a handle of its own (tx, rx) that keeps its index, a copy of the
 *            constants and the peer's index as last seen; shared lines are touched only to
 *            publish, and to look again when the copy says full or empty. The producer may stage
 *            many elements and publish them with one store.
 * Owner      tx: one producing thread, rx: one consuming thread; anyone may read fly_ring_count.
 * Memory     The caller's, sized by fly_ring8_footprint() or fly_ring16_footprint(), aligned to
 *            FLY_RING_ALIGN. Handles are local to a process and end with it; the next owner of a
 *            side attaches again.
 * Cost       In bursts of 32, 1 to 3 ns per element between near cores, 6 to 12 between far ones.
 *            Handles of different threads belong on different cache lines.
 * When full  push and stage take what fits and say how many; nothing is overwritten or dropped.
 * Caveat     Elements are of 8 bytes (fly_ring8_*) or of 16 (fly_ring16_*, struct fly_ring_pair).
 *            The peer is not trusted: whatever it writes, no access leaves the ring. An index that
 *            cannot be (a distance above the slot count) reads as empty to rx, as full to tx, and
 *            each look at it adds one to side.corrupt_cnt; the elements themselves are for the
 *            caller to validate.
 * See also   docs/design/0001-spsc-ring.md, tests/unit/dataplane/ring/test_spsc.c, tests/race/ring
 */
#ifndef FLY_RING_SPSC_H
#define FLY_RING_SPSC_H

#include "ring/spsc_core.h"

/* Element of a fly_ring16. */
struct fly_ring_pair {
    uint64_t a;
    uint64_t b;
};

/* A handle knows its element: mixing them up does not compile. */
struct fly_ring8_tx {
    struct fly_ring_tx side;
};
struct fly_ring8_rx {
    struct fly_ring_rx side;
};
struct fly_ring16_tx {
    struct fly_ring_tx side;
};
struct fly_ring16_rx {
    struct fly_ring_rx side;
};

/* Bytes for a ring of slot_cnt elements, a multiple of FLY_RING_ALIGN; 0 unless slot_cnt is a power
 * of two up to FLY_RING_SLOT_MAX. */
size_t fly_ring8_footprint(uint64_t slot_cnt);
size_t fly_ring16_footprint(uint64_t slot_cnt);

/* Formats an empty ring. 0, or -EINVAL for a bad slot_cnt or alignment, and `mem` is untouched.
 * Nobody may be attached. */
FLY_MUST_CHECK int fly_ring8_init(void *mem, uint64_t slot_cnt);
FLY_MUST_CHECK int fly_ring16_init(void *mem, uint64_t slot_cnt);

/* The same with indices that start at start_idx: for tests of the wrap-around at 2^64. */
FLY_MUST_CHECK int fly_ring8_init_at(void *mem, uint64_t slot_cnt, uint64_t start_idx);
FLY_MUST_CHECK int fly_ring16_init_at(void *mem, uint64_t slot_cnt, uint64_t start_idx);

/* Attaches one side to a ring within mem_bytes; a later owner goes on where the published indices
 * stand (what was staged only is gone). 0, -EINVAL for a misaligned or too small memory, -EPROTO if
 * this is no such ring or its indices cannot be. */
FLY_MUST_CHECK int fly_ring8_attach_tx(struct fly_ring8_tx *tx, void *mem, size_t mem_bytes);
FLY_MUST_CHECK int fly_ring8_attach_rx(struct fly_ring8_rx *rx, void *mem, size_t mem_bytes);
FLY_MUST_CHECK int fly_ring16_attach_tx(struct fly_ring16_tx *tx, void *mem, size_t mem_bytes);
FLY_MUST_CHECK int fly_ring16_attach_rx(struct fly_ring16_rx *rx, void *mem, size_t mem_bytes);

/* ---- Elements of 8 bytes ---- */

/* Writes up to cnt elements behind the last one, invisible until published; returns how many
 * fit. */
static FLY_ALWAYS_INLINE uint32_t fly_ring8_stage_burst(struct fly_ring8_tx *tx,
                                                        const uint64_t *elems, uint32_t cnt)
{
    return fly_ring_stage(&tx->side, elems, cnt, sizeof(uint64_t));
}

/* Stages one; false if the ring is full. */
static FLY_ALWAYS_INLINE bool fly_ring8_stage(struct fly_ring8_tx *tx, uint64_t elem)
{
    return fly_ring_stage_one(&tx->side, &elem, sizeof(uint64_t));
}

/* Shows all staged elements to the consumer; returns how many there were, 0 if none. */
static FLY_ALWAYS_INLINE uint32_t fly_ring8_publish(struct fly_ring8_tx *tx)
{
    return fly_ring_publish(&tx->side);
}

/* Stages and publishes up to cnt elements (and what was staged before); returns how many fit. */
static FLY_ALWAYS_INLINE uint32_t fly_ring8_push_burst(struct fly_ring8_tx *tx,
                                                       const uint64_t *elems, uint32_t cnt)
{
    uint32_t done = fly_ring8_stage_burst(tx, elems, cnt);
    fly_ring8_publish(tx);
    return done;
}

/* Stages and publishes one; false if the ring is full. */
static FLY_ALWAYS_INLINE bool fly_ring8_push(struct fly_ring8_tx *tx, uint64_t elem)
{
    bool done = fly_ring8_stage(tx, elem);
    fly_ring8_publish(tx);
    return done;
}

/* Slots left, staged ones taken off; exact for the producer, who may find more the next time. */
static FLY_ALWAYS_INLINE uint64_t fly_ring8_free(struct fly_ring8_tx *tx)
{
    return fly_ring_tx_room(&tx->side, tx->side.mask + 1);
}

/* Takes up to cnt elements, oldest first; 0 only if the ring was empty (or its index corrupt). It
 * may return less than there are: go on until 0. */
static FLY_ALWAYS_INLINE uint32_t fly_ring8_pop_burst(struct fly_ring8_rx *rx, uint64_t *elems,
                                                      uint32_t cnt)
{
    return fly_ring_pop(&rx->side, elems, cnt, sizeof(uint64_t));
}

/* As pop_burst, but leaves them in the ring. */
static FLY_ALWAYS_INLINE uint32_t fly_ring8_peek_burst(struct fly_ring8_rx *rx, uint64_t *elems,
                                                       uint32_t cnt)
{
    return fly_ring_copy_out(&rx->side, elems, cnt, sizeof(uint64_t));
}

/* True if a pop would get something, from a fresh look at the shared index: for the check before
 * sleeping, after its fence. */
static FLY_ALWAYS_INLINE bool fly_ring8_pending(const struct fly_ring8_rx *rx)
{
    return fly_ring_pending(&rx->side);
}

/* ---- Elements of 16 bytes: the same, word for word ---- */

static FLY_ALWAYS_INLINE uint32_t fly_ring16_stage_burst(struct fly_ring16_tx *tx,
                                                         const struct fly_ring_pair *elems,
                                                         uint32_t cnt)
{
    return fly_ring_stage(&tx->side, elems, cnt, sizeof(struct fly_ring_pair));
}

static FLY_ALWAYS_INLINE bool fly_ring16_stage(struct fly_ring16_tx *tx, struct fly_ring_pair elem)
{
    return fly_ring_stage_one(&tx->side, &elem, sizeof(struct fly_ring_pair));
}

static FLY_ALWAYS_INLINE uint32_t fly_ring16_publish(struct fly_ring16_tx *tx)
{
    return fly_ring_publish(&tx->side);
}

static FLY_ALWAYS_INLINE uint32_t fly_ring16_push_burst(struct fly_ring16_tx *tx,
                                                        const struct fly_ring_pair *elems,
                                                        uint32_t cnt)
{
    uint32_t done = fly_ring16_stage_burst(tx, elems, cnt);
    fly_ring16_publish(tx);
    return done;
}

static FLY_ALWAYS_INLINE bool fly_ring16_push(struct fly_ring16_tx *tx, struct fly_ring_pair elem)
{
    bool done = fly_ring16_stage(tx, elem);
    fly_ring16_publish(tx);
    return done;
}

static FLY_ALWAYS_INLINE uint64_t fly_ring16_free(struct fly_ring16_tx *tx)
{
    return fly_ring_tx_room(&tx->side, tx->side.mask + 1);
}

static FLY_ALWAYS_INLINE uint32_t fly_ring16_pop_burst(struct fly_ring16_rx *rx,
                                                       struct fly_ring_pair *elems, uint32_t cnt)
{
    return fly_ring_pop(&rx->side, elems, cnt, sizeof(struct fly_ring_pair));
}

static FLY_ALWAYS_INLINE uint32_t fly_ring16_peek_burst(struct fly_ring16_rx *rx,
                                                        struct fly_ring_pair *elems, uint32_t cnt)
{
    return fly_ring_copy_out(&rx->side, elems, cnt, sizeof(struct fly_ring_pair));
}

static FLY_ALWAYS_INLINE bool fly_ring16_pending(const struct fly_ring16_rx *rx)
{
    return fly_ring_pending(&rx->side);
}

#endif
