#include "ring/spsc.h"

#include <errno.h>
#include <inttypes.h>

#include "base/err.h"

/* "FLYRING" and the layout's version in the low byte. */
#define RING_MAGIC UINT64_C(0x464c5952494e4701)

static size_t footprint(uint64_t slot_cnt, size_t elem_bytes)
{
    if (!fly_is_pow2(slot_cnt) || slot_cnt > FLY_RING_SLOT_MAX)
        return 0;
    return fly_align_up(sizeof(struct fly_ring) + slot_cnt * elem_bytes, FLY_RING_ALIGN);
}

static int init(void *mem, uint64_t slot_cnt, size_t elem_bytes, uint64_t start_idx)
{
    if (!footprint(slot_cnt, elem_bytes))
        return FLY_ERR(EINVAL, "a ring of %" PRIu64 " slots: not a power of two up to %" PRIu64,
                       slot_cnt, FLY_RING_SLOT_MAX);
    if ((uintptr_t)mem % FLY_RING_ALIGN)
        return FLY_ERR(EINVAL, "a ring's memory is not aligned to %d bytes", FLY_RING_ALIGN);
    struct fly_ring *ring = mem;
    /* The old magic goes first, so that nobody attaches to a ring half made. */
    atomic_store_explicit(&ring->magic, 0, memory_order_seq_cst);
    ring->slot_cnt = slot_cnt;
    ring->elem_bytes = elem_bytes;
    memset(ring->slot, 0, slot_cnt * elem_bytes);
    atomic_store_explicit(&ring->tail, start_idx, memory_order_relaxed);
    atomic_store_explicit(&ring->head, start_idx, memory_order_relaxed);
    atomic_store_explicit(&ring->magic, RING_MAGIC, memory_order_release); /* C */
    return 0;
}

struct view {
    struct fly_ring *ring;
    uint64_t mask;
    uint64_t head;
    uint64_t tail;
};

static int attach(struct view *view, void *mem, size_t mem_bytes, size_t elem_bytes)
{
    if ((uintptr_t)mem % FLY_RING_ALIGN || mem_bytes < sizeof(struct fly_ring))
        return FLY_ERR(EINVAL, "a ring's memory is misaligned or too small (%zu bytes)", mem_bytes);
    struct fly_ring *ring = mem;
    if (atomic_load_explicit(&ring->magic, memory_order_acquire) != RING_MAGIC) /* pairs with C */
        return FLY_ERR(EPROTO, "this memory is not a ring of this version");
    uint64_t slot_cnt = ring->slot_cnt;
    if (ring->elem_bytes != elem_bytes)
        return FLY_ERR(EPROTO, "the ring's elements have %" PRIu64 " bytes, not %zu",
                       ring->elem_bytes, elem_bytes);
    size_t need_bytes = footprint(slot_cnt, elem_bytes);
    if (!need_bytes)
        return FLY_ERR(EPROTO, "a ring of %" PRIu64 " slots cannot be", slot_cnt);
    if (need_bytes > mem_bytes)
        return FLY_ERR(EINVAL, "a ring of %zu bytes in a memory of %zu", need_bytes, mem_bytes);
    /* The peer may be at work. With the head read first, either side sees a true distance: its own
     * index stands still, and the peer's only moves as far as the ring allows. */
    view->head = atomic_load_explicit(&ring->head, memory_order_acquire); /* pairs with B */
    view->tail = atomic_load_explicit(&ring->tail, memory_order_acquire); /* pairs with A */
    if (view->tail - view->head > slot_cnt)
        return FLY_ERR(EPROTO, "the ring's indices are %" PRIu64 " apart", view->tail - view->head);
    view->ring = ring;
    view->mask = slot_cnt - 1;
    return 0;
}

static int attach_tx(struct fly_ring_tx *tx, void *mem, size_t mem_bytes, size_t elem_bytes)
{
    struct view view;
    int rc = attach(&view, mem, mem_bytes, elem_bytes);
    if (rc)
        return rc;
    *tx = (struct fly_ring_tx){.ring = view.ring,
                               .mask = view.mask,
                               .tail = view.tail,
                               .published = view.tail,
                               .head_seen = view.head};
    return 0;
}

static int attach_rx(struct fly_ring_rx *rx, void *mem, size_t mem_bytes, size_t elem_bytes)
{
    struct view view;
    int rc = attach(&view, mem, mem_bytes, elem_bytes);
    if (rc)
        return rc;
    *rx = (struct fly_ring_rx){
        .ring = view.ring, .mask = view.mask, .head = view.head, .tail_seen = view.tail};
    return 0;
}

size_t fly_ring8_footprint(uint64_t slot_cnt)
{
    return footprint(slot_cnt, sizeof(uint64_t));
}

size_t fly_ring16_footprint(uint64_t slot_cnt)
{
    return footprint(slot_cnt, sizeof(struct fly_ring_pair));
}

int fly_ring8_init(void *mem, uint64_t slot_cnt)
{
    return init(mem, slot_cnt, sizeof(uint64_t), 0);
}

int fly_ring16_init(void *mem, uint64_t slot_cnt)
{
    return init(mem, slot_cnt, sizeof(struct fly_ring_pair), 0);
}

int fly_ring8_init_at(void *mem, uint64_t slot_cnt, uint64_t start_idx)
{
    return init(mem, slot_cnt, sizeof(uint64_t), start_idx);
}

int fly_ring16_init_at(void *mem, uint64_t slot_cnt, uint64_t start_idx)
{
    return init(mem, slot_cnt, sizeof(struct fly_ring_pair), start_idx);
}

int fly_ring8_attach_tx(struct fly_ring8_tx *tx, void *mem, size_t mem_bytes)
{
    return attach_tx(&tx->side, mem, mem_bytes, sizeof(uint64_t));
}

int fly_ring8_attach_rx(struct fly_ring8_rx *rx, void *mem, size_t mem_bytes)
{
    return attach_rx(&rx->side, mem, mem_bytes, sizeof(uint64_t));
}

int fly_ring16_attach_tx(struct fly_ring16_tx *tx, void *mem, size_t mem_bytes)
{
    return attach_tx(&tx->side, mem, mem_bytes, sizeof(struct fly_ring_pair));
}

int fly_ring16_attach_rx(struct fly_ring16_rx *rx, void *mem, size_t mem_bytes)
{
    return attach_rx(&rx->side, mem, mem_bytes, sizeof(struct fly_ring_pair));
}
