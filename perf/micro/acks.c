/* The life of a root, updates for other workers' roots, retries that wait. */
#include "micro.h"

#include "ack/outbox.h"
#include "ack/tracker.h"
#include "ack/wheel.h"

enum { SLOT_CNT = 4096, BATCH = 32, RING_SLOTS = 4096 };

struct acks {
    struct fly_tracker *tracker;
    struct fly_root_range range;
    struct fly_wheel wheel;
    struct fly_outbox box;
    struct fly_ring16_tx tx;
    struct fly_ring16_rx rx;
    void *ring, *entries;
};

/* The life of a root that one message elsewhere completes, 32 at a time. */
static struct micro_sample track(void *self)
{
    struct acks *acks = self;
    struct fly_root root[BATCH];
    for (uint64_t i = 0; i < MICRO_STEP_CNT; i += BATCH) {
        for (uint32_t j = 0; j < BATCH; j++) {
            struct fly_root_entry *entry =
                fly_tracker_begin(acks->tracker, &acks->range, i + j, i, 0);
            root[j] = fly_root_name(entry);
            entry->anchor.xor_ids ^= i + j + 1;
            micro_use(fly_tracker_close(entry));
        }
        for (uint32_t j = 0; j < BATCH; j++) {
            struct fly_root_entry *entry = fly_tracker_find(acks->tracker, root[j]);
            if (entry && fly_tracker_apply(entry, i + j + 1))
                fly_tracker_free(acks->tracker, &acks->range, entry);
        }
    }
    return micro_steps(MICRO_STEP_CNT);
}

static struct micro_sample find_late(void *self)
{
    struct acks *acks = self;
    for (uint64_t i = 0; i < MICRO_STEP_CNT; i++) {
        struct fly_root root =
            fly_root_make(0, (uint32_t)(i * 2654435761) % SLOT_CNT, 1, 0x0fffffff);
        micro_use(fly_tracker_find(acks->tracker, root) != NULL);
    }
    return micro_steps(MICRO_STEP_CNT);
}

static FLY_ALWAYS_INLINE struct micro_sample send_updates(struct acks *acks, uint32_t per_root)
{
    struct fly_ring_pair got[BATCH];
    for (uint32_t i = 0; i < MICRO_STEP_CNT; i += BATCH) {
        for (uint32_t j = 0; j < BATCH; j++)
            fly_outbox_add(&acks->box,
                           fly_ack_xor(fly_root_make(0, (i + j) / per_root % SLOT_CNT, 1, 1), i));
        fly_outbox_flush(&acks->box, &acks->tx);
        fly_ring16_publish(&acks->tx);
        micro_use(fly_ring16_pop_burst(&acks->rx, got, BATCH));
    }
    return micro_steps(MICRO_STEP_CNT);
}

static struct micro_sample send_singles(void *self)
{
    return send_updates(self, 1);
}

static struct micro_sample send_runs(void *self)
{
    return send_updates(self, 16);
}

/* Adds to a box whose ring is full, so that it merges again and again. */
static struct micro_sample merge(void *self)
{
    struct acks *acks = self;
    for (uint32_t i = 0; i < MICRO_STEP_CNT; i++)
        fly_outbox_add(&acks->box, fly_ack_xor(fly_root_make(0, i % SLOT_CNT, 1, 1), i));
    micro_use(acks->box.cnt);
    acks->box.cnt = 0;
    return micro_steps(MICRO_STEP_CNT);
}

/* Retries that wait 50 to 177 ms, a millisecond passing for every 16. */
static struct micro_sample wait_in_wheel(void *self)
{
    struct acks *acks = self;
    uint32_t clock_ms = 0;
    for (uint32_t i = 0; i < MICRO_STEP_CNT; i++) {
        struct fly_root_entry *entry = &acks->tracker->entry[i % SLOT_CNT];
        entry->clock_ms = clock_ms + 50 + i % 128;
        fly_wheel_arm(&acks->wheel, entry);
        if (i % 16 == 15)
            micro_use(fly_wheel_advance(&acks->wheel, ++clock_ms));
    }
    fly_wheel_advance(&acks->wheel, clock_ms + 1000);
    fly_wheel_init(&acks->wheel, acks->tracker, 0);
    /* It borrowed the entries' links. */
    fly_tracker_range(acks->tracker, &acks->range, 0, SLOT_CNT, 0);
    return micro_steps(MICRO_STEP_CNT);
}

static void *open_acks(const struct micro_config *config)
{
    struct acks *acks = micro_memory(sizeof(*acks));
    uint64_t ring_bytes = fly_ring16_footprint(RING_SLOTS);
    (void)config;
    acks->ring = micro_memory(ring_bytes);
    acks->entries = micro_memory(fly_outbox_footprint(SLOT_CNT));
    acks->tracker = micro_memory(fly_tracker_footprint(SLOT_CNT));
    fly_tracker_init(acks->tracker, 0, 1, SLOT_CNT);
    fly_tracker_range(acks->tracker, &acks->range, 0, SLOT_CNT, 0);
    fly_wheel_init(&acks->wheel, acks->tracker, 0);
    fly_outbox_init(&acks->box, acks->entries, SLOT_CNT);
    int rc = fly_ring16_init(acks->ring, RING_SLOTS);
    rc = rc ? rc : fly_ring16_attach_tx(&acks->tx, acks->ring, ring_bytes);
    rc = rc ? rc : fly_ring16_attach_rx(&acks->rx, acks->ring, ring_bytes);
    FLY_CHECK(rc == 0, "no ring");
    return acks;
}

static void close_acks(void *self)
{
    struct acks *acks = self;
    free(acks->ring);
    free(acks->entries);
    free(acks->tracker);
    free(acks);
}

static const struct micro_step steps[] = {
    {"tracker-life", "begin a root, close, find, apply, free it", track},
    {"tracker-late", "find no root for an ack that is late, any of 4,096", find_late},
    {"outbox-single", "send an update through the ack ring, a root each", send_singles},
    {"outbox-run", "the same, 16 per root", send_runs},
    {"outbox-merge", "add to a box whose ring is full", merge},
    {"wheel", "arm a retry, and have it come due", wait_in_wheel},
    {0},
};

const struct micro_group micro_acks = {open_acks, close_acks, steps};
