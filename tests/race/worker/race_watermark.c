/* race_watermark.c - watermarks between threads: each follows its data, and the last one arrives.
 *
 * Every worker has a source, a stage and a sink; all edges are by key, so that all lanes cross all
 * the time. Meant for ThreadSanitizer. */
#include "support/invariants.h"
#include "support/unit.h"

#include "worker/emit.h"

enum { COUNT = 20000, KEY_CNT = 16, SAY_EVERY = 7 };

struct world {
    struct pipe pipe;
    _Atomic uint32_t last_cnt; /* sinks that have the last watermark */
    _Atomic uint64_t wrong, received;
};

struct number {
    uint32_t key;
    int32_t time;
};

struct self {
    int32_t sent;
    int64_t mark;
    struct number number;
};

static int setup(struct fly_task *task, void *arg)
{
    struct self *self = arg;
    (void)task;
    self->mark = INT64_MIN;
    return 0;
}

static enum fly_polled poll_numbers(struct fly_task *task, void *arg, uint32_t budget)
{
    const struct world *world = pipe_world(task);
    struct self *self = arg;
    for (; budget && self->sent < COUNT; budget--) {
        self->number = (struct number){(uint32_t)fly_random(task) % KEY_CNT, ++self->sent};
        fly_emit_root(task, 0, (uint64_t)self->sent, (uint64_t)self->sent + 1,
                      (struct fly_content){.payload = &self->number,
                                           .payload_bytes = sizeof(self->number),
                                           .key = &self->number.key,
                                           .key_bytes = 4});
        if (self->sent % SAY_EVERY == 0)
            fly_watermark(task, self->sent + 1);
    }
    if (self->sent < COUNT)
        return FLY_POLL_MORE;
    fly_watermark(task, COUNT + 1);
    fly_wake_in(task, 100000);
    return atomic_load(&world->last_cnt) == world->pipe.plan.head.worker_cnt ? FLY_POLL_DONE
                                                                             : FLY_POLL_IDLE;
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
    const struct self *self = arg;
    for (uint32_t i = 0; i < batch->cnt; i++) {
        struct number number;
        memcpy(&number, batch->msg[i].payload, sizeof(number));
        if (number.time < self->mark)
            atomic_fetch_add(&world->wrong, 1);
    }
    atomic_fetch_add(&world->received, batch->cnt);
}

static void watermark(struct fly_task *task, void *arg, int64_t time_ns)
{
    struct world *world = pipe_world(task);
    struct self *self = arg;
    if (time_ns <= self->mark)
        atomic_fetch_add(&world->wrong, 1);
    self->mark = time_ns;
    if (time_ns == COUNT + 1)
        atomic_fetch_add(&world->last_cnt, 1);
}

static const struct fly_node source = {
    .name = "source", .kind = FLY_SOURCE, .self_bytes = sizeof(struct self), .poll = poll_numbers};
static const struct fly_node stage = {
    .name = "stage", .kind = FLY_STAGE, .self_bytes = 8, .process = forward};
static const struct fly_node sink = {.name = "sink",
                                     .kind = FLY_SINK,
                                     .self_bytes = sizeof(struct self),
                                     .setup = setup,
                                     .process = receive,
                                     .watermark = watermark};

static void run(uint32_t worker_cnt, enum fly_idle idle)
{
    const struct pipe_node node[] = {
        {.type = &source, .max_in_flight = 256}, {.type = &stage}, {.type = &sink}};
    const struct pipe_edge edge[] = {{.from = 0, .to = 1, .grouping = FLY_GROUP_KEY},
                                     {.from = 1, .to = 2, .grouping = FLY_GROUP_KEY}};
    const struct pipe_spec spec = {.worker_cnt = worker_cnt,
                                   .real_time = true,
                                   .idle = idle,
                                   .node = node,
                                   .node_cnt = 3,
                                   .edge = edge,
                                   .edge_cnt = 2};
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    pipe_open(&world->pipe, &spec, world);
    pipe_run_threads(&world->pipe);
    assert_int_equal(atomic_load(&world->wrong), 0);
    assert_int_equal(atomic_load(&world->received), worker_cnt * COUNT);
    assert_int_equal(atomic_load(&world->last_cnt), worker_cnt);
    pipe_close(&world->pipe);
    free(world);
}

static void test_watermarks_cross_between_threads(void **state)
{
    (void)state;
    run(2, FLY_IDLE_ADAPTIVE);
    run(3, FLY_IDLE_ADAPTIVE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_watermarks_cross_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
