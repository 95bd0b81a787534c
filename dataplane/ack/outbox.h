/* outbox.h - updates on their way to the worker that owns a root.
 *
 * Idea       Consecutive updates of one root become one record. What the ack ring has no room for
 *            stays here; when the box fills, records are merged by the owner's slot, so it can
 *            never hold more than two per slot and adding never fails or waits.
 * Owner      The sending worker's thread.
 * Memory     The caller's, sized by fly_outbox_footprint() for the owner's number of slots.
 * Cost       A 16-byte record per root and batch.
 * See also   tests/unit/dataplane/ack/test_outbox.c
 */
#ifndef FLY_ACK_OUTBOX_H
#define FLY_ACK_OUTBOX_H

#include "msg/root.h"
#include "ring/spsc.h"

/* Record: a = the root with its worker byte replaced by the kind; b = ids, or node and reason. */
enum fly_ack_kind { FLY_ACK_XOR, FLY_ACK_FAIL };

static FLY_ALWAYS_INLINE struct fly_ring_pair fly_ack_xor(struct fly_root root, uint64_t xor_ids)
{
    return (struct fly_ring_pair){(root.bits << 8 >> 8) | (uint64_t)FLY_ACK_XOR << 56, xor_ids};
}
static inline struct fly_ring_pair fly_ack_fail(struct fly_root root, uint32_t reason,
                                                uint32_t node)
{
    return (struct fly_ring_pair){(root.bits << 8 >> 8) | (uint64_t)FLY_ACK_FAIL << 56,
                                  (uint64_t)(node & 0xffff) << 16 | (reason & 0xffff)};
}

struct fly_outbox {
    struct fly_ring_pair *record;
    uint32_t *last; /* per slot of the owner: index of its record while merging */
    uint32_t cnt, max, slot_cnt;
};

uint64_t fly_outbox_footprint(uint32_t slot_cnt);
void fly_outbox_init(struct fly_outbox *outbox, void *memory, uint32_t slot_cnt);

/* Merges records of the same slot: a newer attempt replaces an older one, a fail replaces ids. */
void fly_outbox_merge(struct fly_outbox *outbox);

static FLY_ALWAYS_INLINE void fly_outbox_add(struct fly_outbox *outbox, struct fly_ring_pair record)
{
    if (outbox->cnt) {
        struct fly_ring_pair *last = &outbox->record[outbox->cnt - 1];
        if (last->a == record.a && record.a >> 56 == FLY_ACK_XOR) {
            last->b ^= record.b;
            return;
        }
        if (FLY_UNLIKELY(outbox->cnt == outbox->max))
            fly_outbox_merge(outbox);
    }
    outbox->record[outbox->cnt++] = record;
}

/* Stages as much as fits into the ring (unpublished); returns how many records went. */
uint32_t fly_outbox_flush(struct fly_outbox *outbox, struct fly_ring16_tx *ring);

#endif
