#include "ack/outbox.h"

#include <string.h>

enum { OUTBOX_MIN = 1024, SLOT_SHIFT = 36 };

static uint32_t record_max(uint32_t slot_cnt)
{
    return slot_cnt < OUTBOX_MIN ? 2 * OUTBOX_MIN : 2 * slot_cnt;
}

uint64_t fly_outbox_footprint(uint32_t slot_cnt)
{
    return fly_align_up((uint64_t)record_max(slot_cnt) * sizeof(struct fly_ring_pair) +
                            (uint64_t)slot_cnt * sizeof(uint32_t),
                        FLY_CACHE_LINE);
}

void fly_outbox_init(struct fly_outbox *outbox, void *memory, uint32_t slot_cnt)
{
    outbox->record = memory;
    outbox->cnt = 0;
    outbox->max = record_max(slot_cnt);
    outbox->last = (uint32_t *)(outbox->record + outbox->max);
    outbox->slot_cnt = slot_cnt;
}

static uint32_t slot_of(struct fly_ring_pair record)
{
    return (uint32_t)(record.a >> SLOT_SHIFT) & (FLY_ROOT_SLOT_MAX - 1);
}

/* The attempt of `record` against that of `kept`: below 0 older, 0 the same, above 0 newer. Both
 * incarnations and, within one, attempts wrap: their differences count as signed numbers. */
static int32_t newer(struct fly_ring_pair record, struct fly_ring_pair kept)
{
    int8_t incarnations =
        (int8_t)((record.a >> FLY_ROOT_ATTEMPT_BITS) - (kept.a >> FLY_ROOT_ATTEMPT_BITS));
    uint32_t attempts = (uint32_t)record.a - (uint32_t)kept.a;
    return incarnations ? incarnations : (int32_t)(attempts << (32 - FLY_ROOT_ATTEMPT_BITS));
}

static void merge_into(struct fly_ring_pair *kept, struct fly_ring_pair record)
{
    int32_t order = newer(record, *kept);
    bool fails = record.a >> 56 == FLY_ACK_FAIL, failed = kept->a >> 56 == FLY_ACK_FAIL;
    if (order > 0 || (order == 0 && fails && !failed))
        *kept = record;
    else if (order == 0 && !fails && !failed)
        kept->b ^= record.b;
}

void fly_outbox_merge(struct fly_outbox *outbox)
{
    uint32_t cnt = 0;
    memset(outbox->last, 0xff, outbox->slot_cnt * sizeof(uint32_t));
    for (uint32_t i = 0; i < outbox->cnt; i++) {
        uint32_t slot = slot_of(outbox->record[i]);
        if (slot >= outbox->slot_cnt)
            continue; /* names no slot of the owner: it would be ignored there */
        if (outbox->last[slot] != UINT32_MAX) {
            merge_into(&outbox->record[outbox->last[slot]], outbox->record[i]);
            continue;
        }
        outbox->last[slot] = cnt;
        outbox->record[cnt++] = outbox->record[i];
    }
    outbox->cnt = cnt;
}

uint32_t fly_outbox_flush(struct fly_outbox *outbox, struct fly_ring16_tx *ring)
{
    uint32_t sent = fly_ring16_stage_burst(ring, outbox->record, outbox->cnt);
    if (FLY_UNLIKELY(sent < outbox->cnt))
        memmove(outbox->record, outbox->record + sent,
                (outbox->cnt - sent) * sizeof(struct fly_ring_pair));
    outbox->cnt -= sent;
    return sent;
}
