/* Two threads and a ring each way, a message a cache line: one thread makes messages and drops what
 * comes back, the other passes each on. With acks an XOR tracker hears of each message three times,
 * as an engine's does: when it is made, by the other thread through a ring of its own for input and
 * output together, and when it is dropped. */
#include "bench/loop.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mix.h"
#include "bench/lane.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { SLOT_CNT = 4096, SLOT_MASK = SLOT_CNT - 1, WINDOW = 16384, BATCH = 64 };
enum { UPDATES_PER_MESSAGE = 3 };

struct message {
    FLY_ALIGNED(FLY_CACHE_LINE) uint64_t root;
    uint64_t edge; /* its part of the root's XOR */
    uint8_t payload[FLY_LOOP_MESSAGE_BYTES - 2 * sizeof(uint64_t)];
};
_Static_assert(sizeof(struct message) == FLY_LOOP_MESSAGE_BYTES, "a message is a cache line");

struct update {
    uint64_t root;
    uint64_t ids;
};

/* What the source knows of an open message. */
struct entry {
    uint64_t ids;
    uint32_t update_cnt;
};

struct rings {
    struct fly_lane out, back, acks;
    struct message out_slot[SLOT_CNT], back_slot[SLOT_CNT];
    struct update ack_slot[SLOT_CNT];
    struct entry entry[WINDOW];
    FLY_ALIGNED(FLY_CACHE_LINE_PAIR) uint64_t message_cnt;
    uint32_t other_core;
    _Atomic int other_rc; /* 1: not up yet; else 0 or a negative errno */
};

/* Ids of edges: as good as random, cheaper than a whole mix. */
static FLY_ALWAYS_INLINE uint64_t next_id(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return (*state ^ *state >> 32) * UINT64_C(0xd6e8feb86659fd93) | 1;
}

static int pin(uint32_t core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    return -pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

/* Passes a burst on. Returns how many messages that was. */
static FLY_ALWAYS_INLINE uint64_t pass_on(struct rings *rings, struct fly_lane_side side[3],
                                          uint64_t *ids, bool acks)
{
    struct fly_lane_side *in = &side[0], *out = &side[1], *ack = &side[2];
    if (fly_lane_room(&rings->back, out, SLOT_CNT, BATCH) < BATCH)
        return 0;
    if (acks && fly_lane_room(&rings->acks, ack, SLOT_CNT, BATCH) < BATCH)
        return 0;
    uint64_t ready = fly_lane_ready(&rings->out, in), cnt = ready < BATCH ? ready : BATCH;
    if (!cnt)
        return 0;
    for (uint64_t i = 0; i < cnt; i++) {
        const struct message *from = &rings->out_slot[(in->own + i) & SLOT_MASK];
        struct message *to = &rings->back_slot[(out->own + i) & SLOT_MASK];
        *to = *from;
        if (!acks)
            continue;
        uint64_t id = next_id(ids);
        to->edge = id;
        rings->ack_slot[(ack->own + i) & SLOT_MASK] = (struct update){from->root, from->edge ^ id};
    }
    fly_lane_release(&rings->out, in, cnt);
    fly_lane_publish(&rings->back, out, cnt);
    if (acks)
        fly_lane_publish(&rings->acks, ack, cnt);
    return cnt;
}

static FLY_ALWAYS_INLINE void pass_all(struct rings *rings, bool acks)
{
    struct fly_lane_side side[3] = {{0, 0}};
    uint64_t ids = 1;
    for (uint64_t done = 0; done < rings->message_cnt;) {
        uint64_t cnt = pass_on(rings, side, &ids, acks);
        done += cnt;
        if (!cnt)
            fly_pause();
    }
}

static void *other_with_acks(void *arg)
{
    struct rings *rings = arg;
    int rc = pin(rings->other_core);
    atomic_store(&rings->other_rc, rc);
    if (rc == 0)
        pass_all(rings, true);
    return NULL;
}

static void *other_without(void *arg)
{
    struct rings *rings = arg;
    int rc = pin(rings->other_core);
    atomic_store(&rings->other_rc, rc);
    if (rc == 0)
        pass_all(rings, false);
    return NULL;
}

/* How far this thread is. */
struct progress {
    uint64_t made, dropped, acked;
    uint64_t ids;
    uint64_t sum;
};

static FLY_ALWAYS_INLINE void make(struct rings *rings, struct fly_lane_side *side,
                                   struct progress *progress, bool acks)
{
    uint64_t open = progress->made - (acks ? progress->acked : progress->dropped);
    if (progress->made == rings->message_cnt || open > WINDOW - 2 * BATCH ||
        fly_lane_room(&rings->out, side, SLOT_CNT, BATCH) < BATCH)
        return;
    for (uint64_t i = 0; i < BATCH; i++) {
        struct message *message = &rings->out_slot[(side->own + i) & SLOT_MASK];
        message->root = progress->made + i;
        memset(message->payload, 'x', sizeof(message->payload));
        if (!acks)
            continue;
        message->edge = next_id(&progress->ids);
        rings->entry[message->root % WINDOW] = (struct entry){message->edge, 1};
    }
    progress->made += BATCH;
    fly_lane_publish(&rings->out, side, BATCH);
}

static FLY_ALWAYS_INLINE uint64_t update(struct rings *rings, uint64_t root, uint64_t ids)
{
    struct entry *entry = &rings->entry[root % WINDOW];
    entry->ids ^= ids;
    entry->update_cnt++;
    return entry->ids == 0 && entry->update_cnt == UPDATES_PER_MESSAGE;
}

static FLY_ALWAYS_INLINE void drop(struct rings *rings, struct fly_lane_side *side,
                                   struct progress *progress, bool acks)
{
    uint64_t ready = fly_lane_ready(&rings->back, side), cnt = ready < BATCH ? ready : BATCH;
    for (uint64_t i = 0; i < cnt; i++) {
        const struct message *message = &rings->back_slot[(side->own + i) & SLOT_MASK];
        progress->sum += message->root + message->payload[0];
        if (acks)
            progress->acked += update(rings, message->root, message->edge);
    }
    progress->dropped += cnt;
    if (cnt)
        fly_lane_release(&rings->back, side, cnt);
}

static FLY_ALWAYS_INLINE void hear_acks(struct rings *rings, struct fly_lane_side *side,
                                        struct progress *progress)
{
    uint64_t ready = fly_lane_ready(&rings->acks, side), cnt = ready < BATCH ? ready : BATCH;
    for (uint64_t i = 0; i < cnt; i++) {
        const struct update *got = &rings->ack_slot[(side->own + i) & SLOT_MASK];
        progress->acked += update(rings, got->root, got->ids);
    }
    if (cnt)
        fly_lane_release(&rings->acks, side, cnt);
}

static FLY_ALWAYS_INLINE uint64_t make_and_drop(struct rings *rings, bool acks)
{
    struct fly_lane_side side[3] = {{0, 0}};
    struct progress progress = {.ids = 99};
    while ((acks ? progress.acked : progress.dropped) < rings->message_cnt) {
        make(rings, &side[0], &progress, acks);
        drop(rings, &side[1], &progress, acks);
        if (acks)
            hear_acks(rings, &side[2], &progress);
    }
    return progress.sum;
}

static FLY_NOINLINE uint64_t this_with_acks(struct rings *rings)
{
    return make_and_drop(rings, true);
}

static FLY_NOINLINE uint64_t this_without(struct rings *rings)
{
    return make_and_drop(rings, false);
}

/* With the caller on its core and the rings ready. */
static int run(struct rings *rings, bool acks, struct fly_loop_result *result)
{
    pthread_t other;
    int rc = -pthread_create(&other, NULL, acks ? other_with_acks : other_without, rings);
    if (rc)
        return FLY_ERR(rc, "cannot start a thread: %s", strerror(-rc));
    while ((rc = atomic_load(&rings->other_rc)) > 0)
        sched_yield();
    if (rc) {
        pthread_join(other, NULL);
        return FLY_ERR(rc, "cannot run on core %u: %s", rings->other_core, strerror(-rc));
    }
    uint64_t begin_ns = fly_clock_ns(), cnt = rings->message_cnt;
    uint64_t sum = acks ? this_with_acks(rings) : this_without(rings);
    uint64_t ns = fly_clock_ns() - begin_ns;
    pthread_join(other, NULL);
    FLY_CHECK(sum == cnt * (cnt - 1) / 2 + cnt * 'x', "messages were lost or changed");
    *result = (struct fly_loop_result){cnt, ns, sum};
    return 0;
}

int fly_loop_rings(const struct fly_loop_rings *config, struct fly_loop_result *result)
{
    cpu_set_t before;
    struct rings *rings = aligned_alloc(FLY_CACHE_LINE_PAIR, sizeof(*rings));
    if (!rings)
        return FLY_ERR(ENOMEM, "no memory for rings");
    memset(rings, 0, sizeof(*rings));
    rings->message_cnt = (config->message_cnt + BATCH - 1) / BATCH * BATCH;
    rings->other_core = config->core[1];
    atomic_store(&rings->other_rc, 1);
    int rc = -pthread_getaffinity_np(pthread_self(), sizeof(before), &before);
    rc = rc ? rc : pin(config->core[0]);
    if (rc)
        rc = FLY_ERR(rc, "cannot run on core %u: %s", config->core[0], strerror(-rc));
    else
        rc = run(rings, config->acks, result);
    (void)pthread_setaffinity_np(pthread_self(), sizeof(before), &before);
    free(rings);
    return rc;
}
