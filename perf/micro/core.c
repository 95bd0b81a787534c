/* core.c - what the small steps of every message cost: frames, trackers, outboxes, the wheel,
 * copies.
 *
 * One thread; each step is repeated about a million times per round. Prints the best and the
 * median of the rounds in nanoseconds per step.
 *
 *   core [rounds]
 */
#include <stdio.h>
#include <stdlib.h>

#include "ack/outbox.h"
#include "ack/tracker.h"
#include "ack/wheel.h"
#include "base/clock.h"
#include "msg/blocks.h"
#include "msg/frame_write.h"

enum { ROUND_MAX = 99, SLOT_CNT = 4096, FRAME_BYTES = 8192, BATCH = 32, STEP_CNT = 1 << 20 };
enum { RING_SLOTS = 4096, BLOCK_CNT = 4096, PAYLOAD_MAX = 1024 };

struct bench {
    struct fly_frame *frame;
    struct fly_tracker *tracker;
    struct fly_root_range range;
    struct fly_wheel wheel;
    struct fly_outbox box;
    struct fly_ring16_tx tx;
    struct fly_ring16_rx rx;
    struct fly_blocks *blocks;
    uint8_t payload[PAYLOAD_MAX];
    uint64_t sum; /* so that nothing is left out for nobody asks for it */
};

/* Fills a frame again and again; a new run every run_msgs messages. Returns how many messages. */
static FLY_ALWAYS_INLINE uint64_t encode(struct bench *bench, uint32_t payload_bytes,
                                         uint32_t run_msgs)
{
    struct fly_msg msg = {.payload = bench->payload, .payload_bytes = payload_bytes};
    struct fly_frame_writer writer;
    uint64_t cnt = 0;
    while (cnt < STEP_CNT) {
        fly_frame_open(&writer, bench->frame, FRAME_BYTES, cnt, 0);
        for (uint32_t i = 0;; i++, cnt++) {
            bool new_run = i % run_msgs == 0;
            struct fly_shape shape = fly_shape_of(&msg);
            if (fly_frame_need(shape, new_run) > (uint64_t)(writer.end - writer.at))
                break;
            bench->sum += fly_frame_append(&writer, cnt + 1, &msg, shape, new_run);
        }
        fly_frame_finish(&writer);
    }
    return cnt;
}

static uint64_t encode_single(struct bench *bench)
{
    return encode(bench, 64, 1);
}

static uint64_t encode_runs(struct bench *bench)
{
    return encode(bench, 64, 16);
}

static uint64_t encode_words(struct bench *bench)
{
    return encode(bench, 6, 16);
}

/* Reads the frame that the step before left. */
static uint64_t decode(struct bench *bench)
{
    struct fly_frame_reader reader;
    struct fly_msg msg[BATCH];
    struct fly_root root;
    uint64_t cnt = 0, id;
    while (cnt < STEP_CNT) {
        fly_frame_reader_init(&reader, bench->frame, FRAME_BYTES);
        while (fly_frame_next_run(&reader, &root, &id)) {
            bench->sum += id;
            while (fly_frame_in_run(&reader)) {
                uint32_t got = fly_frame_read(&reader, msg, BATCH);
                bench->sum += msg[got - 1].payload_bytes;
                cnt += got;
            }
        }
    }
    return cnt;
}

/* The life of a root that one message elsewhere completes, 32 at a time. */
static uint64_t track(struct bench *bench)
{
    struct fly_root root[BATCH];
    for (uint64_t i = 0; i < STEP_CNT; i += BATCH) {
        for (uint32_t j = 0; j < BATCH; j++) {
            struct fly_root_entry *entry =
                fly_tracker_begin(bench->tracker, &bench->range, i + j, i, 0);
            root[j] = fly_root_name(entry);
            entry->anchor.xor_ids ^= i + j + 1;
            bench->sum += fly_tracker_close(entry);
        }
        for (uint32_t j = 0; j < BATCH; j++) {
            struct fly_root_entry *entry = fly_tracker_find(bench->tracker, root[j]);
            if (entry && fly_tracker_apply(entry, i + j + 1))
                fly_tracker_free(bench->tracker, &bench->range, entry);
        }
    }
    return STEP_CNT;
}

/* Updates of 4,096 live roots, here and there. */
static uint64_t apply_spread(struct bench *bench)
{
    for (uint64_t i = 0; i < STEP_CNT; i++) {
        struct fly_root root =
            fly_root_make(0, (uint32_t)(i * 2654435761) % SLOT_CNT, 1, 0x0fffffff);
        struct fly_root_entry *entry = fly_tracker_find(bench->tracker, root);
        bench->sum += entry != NULL;
    }
    return STEP_CNT;
}

static FLY_ALWAYS_INLINE uint64_t send_updates(struct bench *bench, uint32_t per_root)
{
    struct fly_ring_pair got[BATCH];
    for (uint32_t i = 0; i < STEP_CNT; i += BATCH) {
        for (uint32_t j = 0; j < BATCH; j++)
            fly_outbox_add(&bench->box,
                           fly_ack_xor(fly_root_make(0, (i + j) / per_root % SLOT_CNT, 1, 1), i));
        fly_outbox_flush(&bench->box, &bench->tx);
        fly_ring16_publish(&bench->tx);
        bench->sum += fly_ring16_pop_burst(&bench->rx, got, BATCH);
    }
    return STEP_CNT;
}

static uint64_t send_single(struct bench *bench)
{
    return send_updates(bench, 1);
}

static uint64_t send_runs(struct bench *bench)
{
    return send_updates(bench, 16);
}

/* Adds to a box whose ring is full, so that it merges again and again. */
static uint64_t merge(struct bench *bench)
{
    for (uint32_t i = 0; i < STEP_CNT; i++)
        fly_outbox_add(&bench->box, fly_ack_xor(fly_root_make(0, i % SLOT_CNT, 1, 1), i));
    bench->sum += bench->box.cnt;
    bench->box.cnt = 0;
    return STEP_CNT;
}

/* Retries that wait 50 to 177 ms, a millisecond passing for every 16. */
static uint64_t wait_in_wheel(struct bench *bench)
{
    uint32_t clock_ms = 0;
    for (uint32_t i = 0; i < STEP_CNT; i++) {
        struct fly_root_entry *entry = &bench->tracker->entry[i % SLOT_CNT];
        entry->clock_ms = clock_ms + 50 + i % 128;
        fly_wheel_arm(&bench->wheel, entry);
        if (i % 16 == 15)
            bench->sum += fly_wheel_advance(&bench->wheel, ++clock_ms);
    }
    fly_wheel_advance(&bench->wheel, clock_ms + 1000);
    fly_wheel_init(&bench->wheel, bench->tracker, 0);
    return STEP_CNT;
}

static FLY_ALWAYS_INLINE uint64_t keep(struct bench *bench, uint32_t payload_bytes)
{
    struct fly_msg msg = {.payload = bench->payload, .payload_bytes = payload_bytes}, got;
    uint8_t buffer[PAYLOAD_MAX];
    for (uint32_t i = 0; i < STEP_CNT; i++) {
        uint32_t handle = fly_blocks_put(bench->blocks, &msg);
        fly_blocks_get(bench->blocks, handle, buffer, &got);
        bench->sum += got.payload[i % payload_bytes];
        fly_blocks_free(bench->blocks, handle);
    }
    return STEP_CNT;
}

static uint64_t keep_short(struct bench *bench)
{
    return keep(bench, 64);
}

static uint64_t keep_long(struct bench *bench)
{
    return keep(bench, 1000);
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void measure(struct bench *bench, const char *what, uint64_t (*step)(struct bench *),
                    const struct fly_clock_rate *rate, unsigned round_cnt)
{
    double ns[ROUND_MAX];
    for (unsigned round = 0; round < round_cnt; round++) {
        uint64_t begin = fly_ticks();
        uint64_t cnt = step(bench);
        ns[round] = (double)fly_ticks_to_ns(rate, fly_ticks() - begin) / (double)cnt;
    }
    qsort(ns, round_cnt, sizeof(ns[0]), compare);
    printf("%-50s %8.2f %8.2f\n", what, ns[0], ns[round_cnt / 2]);
}

static void *memory(uint64_t bytes)
{
    bytes = fly_align_up(bytes, FLY_CACHE_LINE_PAIR);
    void *got = aligned_alloc(FLY_CACHE_LINE_PAIR, bytes);
    FLY_CHECK(got, "no memory");
    memset(got, 0, bytes);
    return got;
}

static void open_bench(struct bench *bench)
{
    uint64_t ring_bytes = fly_ring16_footprint(RING_SLOTS);
    void *ring = memory(ring_bytes);
    *bench = (struct bench){
        .frame = memory(fly_frame_stride(FRAME_BYTES)),
        .tracker = memory(fly_tracker_footprint(SLOT_CNT)),
        .blocks = memory(fly_blocks_footprint((uint64_t)BLOCK_CNT * FLY_BLOCK_BYTES)),
    };
    fly_tracker_init(bench->tracker, 0, 1, SLOT_CNT);
    fly_tracker_range(bench->tracker, &bench->range, 0, SLOT_CNT, 0);
    fly_wheel_init(&bench->wheel, bench->tracker, 0);
    fly_outbox_init(&bench->box, memory(fly_outbox_footprint(SLOT_CNT)), SLOT_CNT);
    fly_blocks_init(bench->blocks, (uint64_t)BLOCK_CNT * FLY_BLOCK_BYTES);
    int rc = fly_ring16_init(ring, RING_SLOTS);
    rc = rc ? rc : fly_ring16_attach_tx(&bench->tx, ring, ring_bytes);
    rc = rc ? rc : fly_ring16_attach_rx(&bench->rx, ring, ring_bytes);
    FLY_CHECK(rc == 0, "no ring");
}

static const struct {
    const char *what;
    uint64_t (*step)(struct bench *bench);
} steps[] = {
    {"frame: append 6 B, runs of 16", encode_words},
    {"frame: append 64 B, runs of 16", encode_runs},
    {"frame: read 64 B, runs of 16", decode},
    {"frame: append 64 B, a run each", encode_single},
    {"frame: read 64 B, a run each", decode},
    {"tracker: begin, close, find, apply, free", track},
    {"tracker: find, late, any of 4,096", apply_spread},
    {"outbox: add, send, receive, a root each", send_single},
    {"outbox: add, send, receive, 16 per root", send_runs},
    {"outbox: add, merged as it overflows", merge},
    {"wheel: arm, and come due", wait_in_wheel},
    {"blocks: put, get, free, 64 B", keep_short},
    {"blocks: put, get, free, 1,000 B", keep_long},
};

int main(int argc, char **argv)
{
    static struct bench bench;
    struct fly_clock_rate rate = fly_clock_calibrate();
    unsigned round_cnt = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 9;
    if (round_cnt < 1 || round_cnt > ROUND_MAX) {
        fprintf(stderr, "core: 1 to %d rounds\n", ROUND_MAX);
        return 64;
    }
    open_bench(&bench);
    printf("%-50s %8s %8s\n", "ns per step", "best", "median");
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        measure(&bench, steps[i].what, steps[i].step, &rate, round_cnt);
    printf("(%llu)\n", (unsigned long long)bench.sum);
    return 0;
}
