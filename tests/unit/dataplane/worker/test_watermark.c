/* test_watermark.c - event time along the edges: who is waited for, what goes first, what is
 * combined. test_explorer.c has the schedules. */
#include "support/invariants.h"
#include "support/unit.h"

#include "worker/emit.h"

enum { LOG_MAX = 64, TURNS = 40 };

/* What a source does when it is polled next. */
struct order {
    uint32_t emits; /* messages, before it says anything */
    int64_t says;   /* 0: nothing */
    bool goes_idle, ends;
};

struct log {
    int64_t time[LOG_MAX]; /* watermarks; messages as their number below 0 */
    uint32_t cnt;
};

struct world {
    struct pipe pipe;
    struct order order[PIPE_WORKERS_MAX]; /* by worker */
    struct log log[PIPE_TASKS_MAX];
    int32_t emitted;
    int64_t stage_says; /* per message, of a stage that sets watermarks */
    bool emits_on_watermark;
};

static void note(struct fly_task *task, int64_t what)
{
    struct world *world = pipe_world(task);
    struct log *log = &world->log[fly_rt(task)->idx];
    assert_true(log->cnt < LOG_MAX);
    log->time[log->cnt++] = what;
}

static enum fly_polled source_poll(struct fly_task *task, void *self, uint32_t budget)
{
    struct world *world = pipe_world(task);
    struct order *order = &world->order[fly_task_place(task).worker];
    (void)self;
    for (; budget && order->emits; budget--, order->emits--) {
        int32_t number[16] = {++world->emitted};
        uint64_t id = (uint64_t)number[0];
        fly_emit_root(
            task, 0, id, id + 1,
            (struct fly_content){
                .key = number, .key_bytes = 4, .payload = number, .payload_bytes = sizeof(number)});
    }
    if (order->emits)
        return FLY_POLL_MORE;
    if (order->says)
        fly_watermark(task, order->says);
    if (order->goes_idle)
        fly_watermark_idle(task);
    order->says = 0;
    order->goes_idle = false;
    fly_wake_in(task, 1000);
    return order->ends ? FLY_POLL_DONE : FLY_POLL_IDLE;
}

static void pass(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    (void)self;
    for (uint32_t i = 0; i < batch->cnt; i++)
        fly_forward(task, 0, &batch->msg[i]);
}

static void pass_and_say(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    const struct world *world = pipe_world(task);
    pass(task, self, batch);
    fly_watermark(task, world->stage_says);
}

static void receive(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    (void)self;
    for (uint32_t i = 0; i < batch->cnt; i++) {
        int32_t number;
        memcpy(&number, batch->msg[i].payload, sizeof(number));
        note(task, -number);
    }
}

static void watermark(struct fly_task *task, void *self, int64_t time_ns)
{
    const struct world *world = pipe_world(task);
    int32_t number = 1000;
    (void)self;
    note(task, time_ns);
    if (world->emits_on_watermark && task->node->kind == FLY_STAGE)
        fly_emit(task, 0, NULL,
                 (struct fly_content){
                     .key = &number, .key_bytes = 4, .payload = &number, .payload_bytes = 4});
}

static const struct fly_node source = {
    .name = "source", .kind = FLY_SOURCE, .self_bytes = 8, .poll = source_poll};
static const struct fly_node stage = {
    .name = "stage", .kind = FLY_STAGE, .self_bytes = 8, .process = pass};
static const struct fly_node setter = {.name = "setter",
                                       .kind = FLY_STAGE,
                                       .sets_watermark = true,
                                       .self_bytes = 8,
                                       .process = pass_and_say};
static const struct fly_node impostor = {
    .name = "impostor", .kind = FLY_STAGE, .self_bytes = 8, .process = pass_and_say};
static const struct fly_node listener = {.name = "listener",
                                         .kind = FLY_STAGE,
                                         .self_bytes = 8,
                                         .process = pass,
                                         .watermark = watermark};
static const struct fly_node sink = {
    .name = "sink", .kind = FLY_SINK, .self_bytes = 8, .process = receive, .watermark = watermark};
static const struct fly_node deaf_sink = {
    .name = "deaf sink", .kind = FLY_SINK, .self_bytes = 8, .process = receive};

#define EDGE(a, b, how)                                                                            \
    {                                                                                              \
        .from = (a), .to = (b), .grouping = FLY_GROUP_##how                                        \
    }
#define SPEC(nodes, edges, workers)                                                                \
    {                                                                                              \
        .node = nodes, .node_cnt = sizeof(nodes) / sizeof((nodes)[0]), .edge = edges,              \
        .edge_cnt = sizeof(edges) / sizeof((edges)[0]), .worker_cnt = (workers)                    \
    }

static struct world *start(const struct pipe_spec *spec)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    pipe_open(&world->pipe, spec, world);
    return world;
}

static void go(struct world *world)
{
    for (uint32_t i = 0; i < TURNS; i++) {
        pipe_rounds(&world->pipe, 1);
        invariants_check(&world->pipe);
    }
}

/* While the test has a hand in its frames. */
static void go_unchecked(struct world *world)
{
    pipe_rounds(&world->pipe, TURNS);
}

static void end(struct world *world)
{
    for (uint32_t w = 0; w < PIPE_WORKERS_MAX; w++)
        world->order[w].ends = true;
    pipe_run(&world->pipe, 1000);
    invariants_ended(&world->pipe);
    pipe_close(&world->pipe);
    free(world);
}

static const struct log *log_of(const struct world *world, uint32_t node, uint32_t worker)
{
    return &world->log[pipe_task(&world->pipe, node, worker)->idx];
}

/* Exactly these, watermarks and messages. */
static void expect(const struct world *world, uint32_t node, uint32_t worker, const int64_t *time,
                   uint32_t cnt)
{
    const struct log *log = log_of(world, node, worker);
    for (uint32_t i = 0; i < cnt && i < log->cnt; i++)
        assert_int_equal(log->time[i], time[i]);
    assert_int_equal(log->cnt, cnt);
}
#define EXPECT(world, node, worker, ...)                                                           \
    expect(world, node, worker, (const int64_t[]){__VA_ARGS__},                                    \
           sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

/* Two sources, a stage that does nothing, a sink on worker 0. */
static const struct pipe_node two_ways[] = {
    {.type = &source}, {.type = &stage}, {.type = &sink, .workers = 1}};
static const struct pipe_edge key_then_global[] = {EDGE(0, 1, LOCAL), EDGE(1, 2, KEY)};

static void test_the_slowest_input_counts(void **state)
{
    (void)state;
    const struct pipe_spec spec = SPEC(two_ways, key_then_global, 2);
    struct world *world = start(&spec);
    world->order[0].says = 100;
    go(world);
    assert_int_equal(log_of(world, 2, 0)->cnt, 0);
    world->order[1].says = 30;
    go(world);
    EXPECT(world, 2, 0, 30);
    world->order[1].says = 70;
    go(world);
    world->order[1].says = 200;
    go(world);
    EXPECT(world, 2, 0, 30, 70, 100);
    end(world);
}

static void test_an_ended_input_is_not_waited_for(void **state)
{
    (void)state;
    const struct pipe_spec spec = SPEC(two_ways, key_then_global, 2);
    struct world *world = start(&spec);
    world->order[0].says = 100;
    go(world);
    world->order[1] = (struct order){.says = 30, .ends = true};
    go(world);
    EXPECT(world, 2, 0, 30, 100);
    end(world);
}

static void test_an_idle_input_is_not_waited_for(void **state)
{
    (void)state;
    const struct pipe_spec spec = SPEC(two_ways, key_then_global, 2);
    struct world *world = start(&spec);
    world->order[0].says = 100;
    world->order[1].goes_idle = true;
    go(world);
    EXPECT(world, 2, 0, 100);
    world->order[1].says = 50; /* it is back, and waited for, but time does not go back */
    go(world);
    world->order[0].says = 200;
    go(world);
    EXPECT(world, 2, 0, 100);
    world->order[1].says = 150;
    go(world);
    EXPECT(world, 2, 0, 100, 150);
    /* All idle: as if the slowest had become so first. */
    world->order[0].goes_idle = true;
    go(world);
    world->order[1].goes_idle = true;
    go(world);
    EXPECT(world, 2, 0, 100, 150, 200);
    end(world);
}

/* The last watermark counts, also where the end came instead of it: others are idle. */
static void test_an_ended_input_has_said_its_last(void **state)
{
    (void)state;
    const struct pipe_node node[] = {{.type = &source}, {.type = &sink, .workers = 1}};
    const struct pipe_edge edge[] = {EDGE(0, 1, KEY)};
    const struct pipe_spec spec = SPEC(node, edge, 2);
    struct world *world = start(&spec);
    world->order[0].goes_idle = true;
    go(world);
    world->order[1].says = 10;
    for (int i = 0; i < 6; i++) /* it is under way, and not taken */
        pipe_turn(&world->pipe, 1);
    world->order[1] = (struct order){.says = 30, .ends = true};
    for (int i = 0; i < 6; i++)
        pipe_turn(&world->pipe, 1);
    go(world);
    EXPECT(world, 1, 0, 10, 30);
    end(world);
}

static void test_who_gets_nothing_is_not_waited_for(void **state)
{
    (void)state;
    /* The source is on worker 0 only: the stage of worker 1 gets nothing, ever. */
    const struct pipe_node node[] = {
        {.type = &source, .workers = 1}, {.type = &setter}, {.type = &stage}, {.type = &sink}};
    const struct pipe_edge edge[] = {EDGE(0, 1, LOCAL), EDGE(1, 2, LOCAL), EDGE(2, 3, KEY)};
    const struct pipe_spec spec = SPEC(node, edge, 2);
    struct world *world = start(&spec);
    world->stage_says = 77;
    world->order[0].emits = 1;
    go(world);
    const struct log *first = log_of(world, 3, 0), *second = log_of(world, 3, 1);
    assert_int_equal(first->cnt + second->cnt, 3); /* one message, to one of them */
    assert_int_equal(first->time[first->cnt - 1], 77);
    assert_int_equal(second->time[second->cnt - 1], 77);
    end(world);
}

/* One of two sources ends; its stage, which says watermarks itself, goes on without input. */
static void test_who_gets_nothing_any_more_is_not_waited_for(void **state)
{
    (void)state;
    const struct pipe_node node[] = {
        {.type = &source}, {.type = &setter}, {.type = &sink, .workers = 1}};
    const struct pipe_edge edge[] = {EDGE(0, 1, LOCAL), EDGE(1, 2, KEY)};
    const struct pipe_spec spec = SPEC(node, edge, 2);
    struct world *world = start(&spec);
    world->stage_says = 50;
    world->order[0].emits = world->order[1].emits = 1;
    go(world);
    assert_int_equal(log_of(world, 2, 0)->time[2], 50);
    world->order[1].ends = true;
    go(world);
    world->stage_says = 80;
    world->order[0].emits = 1;
    go(world);
    assert_int_equal(log_of(world, 2, 0)->cnt, 5);
    assert_int_equal(log_of(world, 2, 0)->time[4], 80);
    end(world);
}

static void test_a_watermark_follows_its_data(void **state)
{
    (void)state;
    for (uint32_t grouping = 0; grouping < 2; grouping++) {
        const struct pipe_edge edge[] = {
            EDGE(0, 1, LOCAL),
            {.from = 1, .to = 2, .grouping = grouping ? FLY_GROUP_LOCAL : FLY_GROUP_KEY}};
        const struct pipe_node node[] = {{.type = &source, .workers = 1, .max_in_flight = 32},
                                         {.type = &stage, .workers = 1},
                                         {.type = &sink, .workers = grouping ? 1 : 2}};
        const struct pipe_spec spec = SPEC(node, edge, 2);
        struct world *world = start(&spec);
        world->order[0] = (struct order){.emits = 20, .says = 5};
        go(world);
        const struct log *log = log_of(world, 2, grouping ? 0 : 1);
        assert_int_equal(log->cnt, 21);
        for (int i = 0; i < 20; i++)
            assert_int_equal(log->time[i], -1 - i);
        assert_int_equal(log->time[20], 5);
        end(world);
    }
}

static void test_a_watermark_waits_for_a_suspended_receiver(void **state)
{
    (void)state;
    const struct pipe_node node[] = {{.type = &source, .workers = 1, .max_in_flight = 32},
                                     {.type = &listener, .workers = 2},
                                     {.type = &sink, .workers = 1}};
    const struct pipe_edge edge[] = {EDGE(0, 1, KEY), EDGE(1, 2, KEY)};
    const struct pipe_spec spec = SPEC(node, edge, 2);
    struct world *world = start(&spec);
    world->order[0] = (struct order){.emits = 32, .says = 5};
    const struct fly_rt_task *task = pipe_task(&world->pipe, 1, 1);
    struct fly_feed *feed = task->port[0].edge[0].feed;
    uint32_t free_cnt = feed->free_cnt;
    feed->free_cnt = 0; /* its frames are out, somewhere */
    go_unchecked(world);
    assert_int_equal(task->wait, FLY_WAIT_FRAMES);
    assert_int_equal(log_of(world, 1, 1)->cnt, 0);
    feed->free_cnt = free_cnt;
    go(world);
    EXPECT(world, 1, 1, 5);
    assert_int_equal(log_of(world, 2, 0)->cnt, 33);
    assert_int_equal(log_of(world, 2, 0)->time[32], 5);
    end(world);
}

/* Each of a hundred is said; the receiver, which looks only now and then, hears of a few, the last
 * of them for sure. */
static void test_watermarks_are_combined_while_one_is_under_way(void **state)
{
    (void)state;
    const struct pipe_node node[] = {{.type = &source, .workers = 1},
                                     {.type = &sink, .workers = 2}};
    const struct pipe_edge edge[] = {EDGE(0, 1, KEY)};
    const struct pipe_spec spec = SPEC(node, edge, 2);
    struct world *world = start(&spec);
    for (int i = 1; i <= 100; i++) {
        world->order[0].says = i;
        pipe_turn(&world->pipe, 0);
        pipe_turn(&world->pipe, 0);
        if (i % 30 == 0)
            pipe_turn(&world->pipe, 1);
    }
    go(world);
    const struct log *log = log_of(world, 1, 1);
    assert_in_range(log->cnt, 3, 10);
    assert_int_equal(log->time[log->cnt - 1], 100);
    for (uint32_t i = 1; i < log->cnt; i++)
        assert_true(log->time[i] > log->time[i - 1]);
    end(world);
}

static void test_time_never_goes_back(void **state)
{
    (void)state;
    const struct pipe_spec spec = SPEC(two_ways, key_then_global, 1);
    struct world *world = start(&spec);
    static const int64_t says[] = {50, 40, 50, 60, -5};
    for (int i = 0; i < 5; i++) {
        world->order[0].says = says[i];
        go(world);
    }
    EXPECT(world, 2, 0, 50, 60);
    end(world);
}

static void test_times_before_1970_are_times(void **state)
{
    (void)state;
    const struct pipe_spec spec = SPEC(two_ways, key_then_global, 2);
    struct world *world = start(&spec);
    world->order[0].says = -2000;
    world->order[1].says = -1000;
    go(world);
    EXPECT(world, 2, 0, -2000);
    end(world);
}

static void test_a_stage_may_say_its_own(void **state)
{
    (void)state;
    const struct pipe_node node[] = {{.type = &source}, {.type = &setter}, {.type = &sink}};
    const struct pipe_edge edge[] = {EDGE(0, 1, LOCAL), EDGE(1, 2, LOCAL)};
    const struct pipe_spec spec = SPEC(node, edge, 1);
    struct world *world = start(&spec);
    world->stage_says = 7;
    world->order[0].says = 1000; /* ends at the stage */
    go(world);
    assert_int_equal(log_of(world, 2, 0)->cnt, 0);
    world->order[0].emits = 1;
    go(world);
    EXPECT(world, 2, 0, -1, 7);
    end(world);
}

static void test_what_a_stage_emits_for_a_watermark_goes_before_it(void **state)
{
    (void)state;
    const struct pipe_node node[] = {
        {.type = &source, .workers = 1}, {.type = &listener}, {.type = &sink, .workers = 1}};
    const struct pipe_edge edge[] = {EDGE(0, 1, BROADCAST), EDGE(1, 2, KEY)};
    const struct pipe_spec spec = SPEC(node, edge, 2);
    struct world *world = start(&spec);
    world->emits_on_watermark = true;
    world->order[0].says = 5;
    go(world);
    EXPECT(world, 2, 0, -1000, -1000, 5); /* a root of each task's own */
    assert_int_equal(pipe_ledger(&world->pipe, 1).acked, 2);
    end(world);
}

/* A lane whose frame is always open does not hold a watermark back. */
static void test_a_busy_lane_carries_watermarks(void **state)
{
    (void)state;
    const struct pipe_node node[] = {{.type = &source, .workers = 1, .max_in_flight = 64},
                                     {.type = &deaf_sink, .workers = 2},
                                     {.type = &sink, .workers = 2}};
    const struct pipe_edge edge[] = {EDGE(0, 1, KEY), EDGE(0, 2, KEY)};
    struct pipe_spec spec = SPEC(node, edge, 2);
    spec.frame_bytes = 4096;
    struct world *world = start(&spec);
    world->order[0].says = 1; /* a first one, so that the next has to wait */
    for (int i = 0; i < 10; i++)
        pipe_turn(&world->pipe, 0);
    uint32_t turns = 0;
    world->order[0].says = 2;
    for (; turns < 200 && log_of(world, 2, 1)->cnt < 2; turns++) {
        world->order[0].emits = 1;
        pipe_turn(&world->pipe, 0);
        pipe_turn(&world->pipe, 1);
        world->log[pipe_task(&world->pipe, 1, 1)->idx].cnt = 0;
        struct log *log = &world->log[pipe_task(&world->pipe, 2, 1)->idx];
        for (uint32_t k = 0; k < log->cnt; k++) /* only watermarks */
            if (log->time[k] < 0)
                log->time[k--] = log->time[--log->cnt];
    }
    assert_true(turns < 200);
    end(world);
}

static void early_newest(struct pipe *pipe)
{
    for (uint32_t f = 0; f < pipe->layout.feed_cnt; f++) {
        struct fly_feed_marks *marks = fly_place(&pipe->workspace, pipe->layout.feed[f].marks);
        atomic_store(&marks->newest, (uint64_t)500 - (uint64_t)INT64_MIN);
    }
}

static void test_a_task_begins_with_the_newest_watermark(void **state)
{
    (void)state;
    const struct pipe_spec spec = SPEC(two_ways, key_then_global, 2);
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    assert_int_equal(pipe_try_open(&world->pipe, &spec, world, early_newest), 0);
    world->order[0].says = 600; /* the other source says nothing: it has said 500 before */
    go(world);
    EXPECT(world, 2, 0, 500);
    end(world);
}

static void test_the_newest_watermark_is_there_for_later_tasks(void **state)
{
    (void)state;
    const struct pipe_spec spec = SPEC(two_ways, key_then_global, 1);
    struct world *world = start(&spec);
    world->order[0].says = 42;
    go(world);
    for (uint32_t f = 0; f < world->pipe.layout.feed_cnt; f++) {
        const struct fly_feed_marks *marks =
            fly_place(&world->pipe.workspace, world->pipe.layout.feed[f].marks);
        assert_int_equal((int64_t)(atomic_load(&marks->newest) + (uint64_t)INT64_MIN), 42);
    }
    end(world);
}

static void test_without_listeners_nothing_is_sent(void **state)
{
    (void)state;
    const struct pipe_node node[] = {{.type = &source}, {.type = &stage}, {.type = &deaf_sink}};
    const struct pipe_edge edge[] = {EDGE(0, 1, LOCAL), EDGE(1, 2, KEY)};
    const struct pipe_spec spec = SPEC(node, edge, 2);
    struct world *world = start(&spec);
    for (uint32_t i = 0; i < 10; i++) {
        world->order[0].says = world->order[1].says = 1 + i;
        pipe_rounds(&world->pipe, 2);
        assert_false(world->pipe.worker[0]->marks_due);
        assert_int_equal(pipe_task(&world->pipe, 0, 0)->mark_of.out.time_ns, INT64_MIN);
    }
    end(world);
}

static void say_without_leave(void *arg)
{
    const struct pipe_node node[] = {{.type = &source}, {.type = &impostor}, {.type = &sink}};
    const struct pipe_edge edge[] = {EDGE(0, 1, LOCAL), EDGE(1, 2, LOCAL)};
    const struct pipe_spec spec = SPEC(node, edge, 1);
    (void)arg;
    struct world *world = start(&spec);
    world->order[0].emits = 1;
    pipe_rounds(&world->pipe, 10);
}

static void test_only_nodes_that_declare_it_say_watermarks(void **state)
{
    char out[512];
    (void)state;
    int status = test_run_child(say_without_leave, NULL, out, sizeof(out));
    assert_non_null(strstr(out, "node 'impostor'"));
    assert_non_null(
        strstr(out, "fly_watermark: the node does not declare that it sets watermarks"));
    assert_int_equal(WEXITSTATUS(status), FLY_EXIT_MISUSE);
}

static void test_nonsense_from_a_ring_is_counted(void **state)
{
    (void)state;
    const struct pipe_spec spec = SPEC(two_ways, key_then_global, 2);
    struct world *world = start(&spec);
    struct fly_worker *worker = world->pipe.worker[0];
    fly_mark_arrived(worker, 4000, 0);
    fly_mark_arrived(worker, pipe_task(&world->pipe, 2, 0)->idx, 4000);
    fly_mark_arrived(worker, pipe_task(&world->pipe, 0, 0)->idx, 0);
    fly_mark_home(worker, 4000, 0);
    fly_mark_home(worker, 0, 9);
    fly_mark_home(worker, 0, 0); /* it is not away */
    assert_int_equal(fly_counted(&worker->stats->corrupt), 6);
    fly_gauge(&worker->stats->corrupt, 0);
    end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_slowest_input_counts),
        cmocka_unit_test(test_an_ended_input_is_not_waited_for),
        cmocka_unit_test(test_an_idle_input_is_not_waited_for),
        cmocka_unit_test(test_an_ended_input_has_said_its_last),
        cmocka_unit_test(test_who_gets_nothing_is_not_waited_for),
        cmocka_unit_test(test_who_gets_nothing_any_more_is_not_waited_for),
        cmocka_unit_test(test_a_watermark_follows_its_data),
        cmocka_unit_test(test_a_watermark_waits_for_a_suspended_receiver),
        cmocka_unit_test(test_watermarks_are_combined_while_one_is_under_way),
        cmocka_unit_test(test_time_never_goes_back),
        cmocka_unit_test(test_times_before_1970_are_times),
        cmocka_unit_test(test_a_stage_may_say_its_own),
        cmocka_unit_test(test_what_a_stage_emits_for_a_watermark_goes_before_it),
        cmocka_unit_test(test_a_busy_lane_carries_watermarks),
        cmocka_unit_test(test_a_task_begins_with_the_newest_watermark),
        cmocka_unit_test(test_the_newest_watermark_is_there_for_later_tasks),
        cmocka_unit_test(test_without_listeners_nothing_is_sent),
        cmocka_unit_test(test_only_nodes_that_declare_it_say_watermarks),
        cmocka_unit_test(test_nonsense_from_a_ring_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
