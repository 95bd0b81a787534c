/* race_worker.c - workers on threads of their own: frames, acks and wake-ups cross between them all
 * the time.
 *
 * Sources pause now and then, so that workers fall asleep and must be woken. In the end nothing may
 * be lost, every ledger must add up, and contents must be whole. Meant for ThreadSanitizer. */
#include "support/invariants.h"
#include "support/unit.h"

#include "base/clock.h"
#include "worker/emit.h"

enum { ROOT_CNT = 30000, KEY_CNT = 16, BYTES_MAX = 1500 };

struct world {
    struct pipe pipe;
    uint32_t count; /* of each source */
    uint32_t pause_every;
    uint32_t fail_every, large_every;
    _Atomic uint64_t acked, failed, received, wrong;
    _Atomic uint8_t got[3 * ROOT_CNT];
};

struct number {
    uint32_t id, key;
    uint8_t rest[BYTES_MAX - 8];
};

struct self {
    uint32_t sent, seen;
    struct number number;
};

static void emit_number(struct fly_task *task, struct self *self, uint32_t id,
                        const struct fly_attempt *attempt)
{
    const struct world *world = pipe_world(task);
    bool large = world->large_every && id % world->large_every == 0;
    uint32_t bytes = large ? BYTES_MAX : 8 + id % 50;
    self->number.id = id;
    self->number.key = id % KEY_CNT;
    memset(self->number.rest, (int)(id & 0xff), bytes - 8);
    struct fly_content content = {
        .payload = &self->number, .payload_bytes = bytes, .key = &self->number.key, .key_bytes = 4};
    if (attempt)
        fly_emit_again(task, 0, *attempt, content);
    else
        fly_emit_root(task, 0, id, id + 1, content);
}

static enum fly_polled poll_numbers(struct fly_task *task, void *arg, uint32_t budget)
{
    const struct world *world = pipe_world(task);
    struct self *self = arg;
    uint32_t first = fly_task_place(task).task_idx * ROOT_CNT;
    for (; budget && self->sent < world->count; budget--) {
        emit_number(task, self, first + self->sent++, NULL);
        if (world->pause_every && self->sent % world->pause_every == 0) {
            fly_wake_in(task, 3000000);
            return FLY_POLL_IDLE;
        }
    }
    return self->sent < world->count ? FLY_POLL_MORE : FLY_POLL_DONE;
}

static void acked(struct fly_task *task, void *self, const uint64_t *ids, uint32_t cnt)
{
    struct world *world = pipe_world(task);
    (void)self;
    (void)ids;
    atomic_fetch_add(&world->acked, cnt);
}

static void failed(struct fly_task *task, void *self, uint64_t id, uint32_t reason)
{
    struct world *world = pipe_world(task);
    (void)self;
    (void)id;
    (void)reason;
    atomic_fetch_add(&world->failed, 1);
}

static void replay(struct fly_task *task, void *self, uint64_t id, struct fly_attempt attempt)
{
    emit_number(task, self, (uint32_t)id, &attempt);
}

static void forward(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    (void)self;
    for (uint32_t i = 0; i < batch->cnt; i++)
        fly_forward(task, 0, &batch->msg[i]);
}

static void receive(struct fly_task *task, void *arg, const struct fly_batch *batch)
{
    struct world *world = pipe_world(task);
    struct self *self = arg;
    for (uint32_t i = 0; i < batch->cnt; i++) {
        const struct fly_msg *msg = &batch->msg[i];
        uint32_t id;
        memcpy(&id, msg->payload, sizeof(id));
        for (uint32_t k = 8; k < msg->payload_bytes; k++)
            if (msg->payload[k] != (uint8_t)id)
                atomic_fetch_add(&world->wrong, 1);
        atomic_store(&world->got[id], 1);
        if (world->fail_every && ++self->seen % world->fail_every == 0)
            fly_fail(task, msg, FLY_REASON_FAILED);
    }
    atomic_fetch_add(&world->received, batch->cnt);
}

static const struct fly_node source = {.name = "source",
                                       .kind = FLY_SOURCE,
                                       .self_bytes = sizeof(struct self),
                                       .poll = poll_numbers,
                                       .acked = acked,
                                       .failed = failed,
                                       .replay = replay};
static const struct fly_node stage = {
    .name = "stage", .kind = FLY_STAGE, .self_bytes = sizeof(struct self), .process = forward};
static const struct fly_node sink = {
    .name = "sink", .kind = FLY_SINK, .self_bytes = sizeof(struct self), .process = receive};

struct habits {
    uint32_t worker_cnt, count, pause_every, fail_every, large_every, frames;
    enum fly_grouping grouping;
};

static void check_end(struct world *world, uint32_t total)
{
    struct pipe_ledger ledger = pipe_ledger(&world->pipe, 0);
    assert_int_equal(ledger.in, total);
    assert_int_equal(ledger.in_flight, 0);
    assert_int_equal(ledger.in, ledger.acked + ledger.failed + ledger.dropped);
    assert_int_equal(atomic_load(&world->acked), ledger.acked);
    assert_int_equal(atomic_load(&world->failed), ledger.dropped);
    assert_int_equal(atomic_load(&world->wrong), 0);
    for (uint32_t w = 0; w < world->pipe.plan.head.worker_cnt; w++)
        for (uint32_t i = 0; i < world->count; i++)
            assert_int_equal(atomic_load(&world->got[w * ROOT_CNT + i]), 1);
}

static uint64_t run(struct habits habits)
{
    const struct pipe_node node[] = {{.type = &source, .max_in_flight = 256, .attempts = 1000},
                                     {.type = &stage},
                                     {.type = &sink}};
    const struct pipe_edge edge[] = {{.from = 0,
                                      .to = 1,
                                      .grouping = habits.grouping,
                                      .frames = habits.frames,
                                      .max_message_bytes = 2048},
                                     {.from = 1,
                                      .to = 2,
                                      .grouping = habits.grouping,
                                      .frames = habits.frames,
                                      .max_message_bytes = 2048}};
    const struct pipe_spec spec = {.worker_cnt = habits.worker_cnt,
                                   .real_time = true,
                                   .node = node,
                                   .node_cnt = 3,
                                   .edge = edge,
                                   .edge_cnt = 2};
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world->count = habits.count;
    world->pause_every = habits.pause_every;
    world->fail_every = habits.fail_every;
    world->large_every = habits.large_every;
    pipe_open(&world->pipe, &spec, world);
    pipe_run_threads(&world->pipe);
    check_end(world, habits.worker_cnt * habits.count);
    uint64_t sleeps = 0;
    for (uint32_t w = 0; w < habits.worker_cnt; w++)
        sleeps += fly_counted(&world->pipe.worker[w]->stats->sleeps);
    pipe_close(&world->pipe);
    free(world);
    return sleeps;
}

static void test_keyed_messages_cross_both_ways(void **state)
{
    (void)state;
    for (uint32_t workers = 2; workers <= 3; workers++)
        run((struct habits){
            .worker_cnt = workers, .count = 20000 / workers, .grouping = FLY_GROUP_KEY});
}

static void test_sleepers_are_woken(void **state)
{
    (void)state;
    uint64_t start_ns = fly_clock_ns();
    uint64_t sleeps = run((struct habits){
        .worker_cnt = 3, .count = 3000, .pause_every = 50, .grouping = FLY_GROUP_KEY});
    assert_true(sleeps > 20);
    /* A lost wake-up would cost a sleep's whole length each time. */
    assert_true(fly_clock_ns() - start_ns < UINT64_C(20000000000));
}

static void test_broadcasts_with_small_budgets(void **state)
{
    (void)state;
    run((struct habits){
        .worker_cnt = 3, .count = 2000, .frames = 5, .grouping = FLY_GROUP_BROADCAST});
    run((struct habits){
        .worker_cnt = 2, .count = 5000, .frames = 4, .grouping = FLY_GROUP_SHUFFLE});
}

static void test_failures_are_retried_across_workers(void **state)
{
    (void)state;
    run((struct habits){.worker_cnt = 3,
                        .count = 3000,
                        .fail_every = 10,
                        .large_every = 30,
                        .grouping = FLY_GROUP_KEY});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keyed_messages_cross_both_ways),
        cmocka_unit_test(test_sleepers_are_woken),
        cmocka_unit_test(test_broadcasts_with_small_budgets),
        cmocka_unit_test(test_failures_are_retried_across_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
