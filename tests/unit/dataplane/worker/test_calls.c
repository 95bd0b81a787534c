/* test_calls.c - what nodes may call: holding, joining, own roots; and what they may not. */
#include "unit/dataplane/worker/nodes.h"

#include <pthread.h>

#define LOCAL(a, b, ...)                                                                           \
    {                                                                                              \
        .from = (a), .to = (b), .grouping = FLY_GROUP_LOCAL, __VA_ARGS__                           \
    }
#define EDGE(a, b, how, ...)                                                                       \
    {                                                                                              \
        .from = (a), .to = (b), .grouping = FLY_GROUP_##how, __VA_ARGS__                           \
    }

static struct world *new_world(uint32_t count)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world->count = count;
    return world;
}

static const struct pipe_node gather[] = {
    {.type = &numbers, .workers = 1, .max_in_flight = 64},
    {.type = &holder, .workers = 1, .hold_messages = 16, .retain_bytes = 4096},
    {.type = &sink}};
static const struct pipe_edge keyed[] = {EDGE(0, 1, KEY, .port = 0), EDGE(1, 2, KEY, .port = 0)};

static void hold_it(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    world->held[world->held_cnt++] = fly_hold(task, msg, FLY_HOLD_MESSAGE);
}

static struct fly_held pop(struct world *world)
{
    struct fly_held held = world->held[0];
    memmove(world->held, world->held + 1, --world->held_cnt * sizeof(held));
    return held;
}

/* --- Holding --------------------------------------------------------------------------------- */

static void peek_take_end(struct fly_task *task, struct world *world)
{
    while (world->held_cnt) {
        struct fly_held held = pop(world);
        const struct fly_msg *peeked = fly_peek(task, held);
        uint64_t id = id_of(peeked);
        if (id % 3 == 0) {
            fly_ack_held(task, held);
        } else if (id % 3 == 1 && world->replayed[id] < 2) {
            fly_fail_held(task, held, FLY_REASON_BAD_INPUT);
        } else {
            const struct fly_msg *msg = fly_take(task, held);
            assert_non_null(msg);
            assert_int_equal(id_of(msg), id);
            fly_forward(task, 0, msg);
        }
    }
}

static void test_held_messages_are_acked_failed_and_sent_on(void **state)
{
    (void)state;
    for (uint32_t workers = 1; workers <= 2; workers++) {
        const struct pipe_spec spec = SPEC(gather, keyed, .worker_cnt = workers);
        struct world *world = new_world(300);
        world->each = hold_it;
        world->on_tick = peek_take_end;
        run_all(world, &spec);
        assert_int_equal(world->acked_cnt, 300);
        for (uint32_t i = 0; i < 300; i++) {
            assert_int_equal(world->got[i], i % 3 != 0);
            assert_int_equal(world->replayed[i], i % 3 == 1 ? 2 : 0);
        }
        free(world);
    }
}

static void test_a_full_pool_blocks_its_input_only(void **state)
{
    const struct pipe_spec spec = SPEC(gather, keyed, .worker_cnt = 1);
    struct world *world = new_world(60);
    (void)state;
    world->each = hold_it;
    start(world, &spec);
    pipe_rounds(&world->pipe, 200);
    assert_int_equal(world->held_cnt, 16);
    assert_int_equal(pipe_task(&world->pipe, 1, 0)->held->free_cnt, 0);
    assert_false(pipe_task(&world->pipe, 1, 0)->occupied);
    assert_true(world->tick_cnt > 10);
    invariants_check(&world->pipe);
    world->on_tick = peek_take_end;
    finish(world);
    free(world);
}

static void hold_token(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    struct fly_held held = fly_hold(task, msg, FLY_HOLD_TOKEN);
    bool same = world->held_cnt && world->held[world->held_cnt - 1].handle == held.handle;
    if (!same)
        world->held[world->held_cnt++] = held;
    world->dead_bytes += same;
}

static void three_copies(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    if (strcmp(fly_task_name(task), "holder") == 0) {
        hold_token(task, world, msg);
        return;
    }
    for (uint32_t i = 0; i < 3; i++)
        fly_forward(task, 0, msg);
}

static void ack_tokens(struct fly_task *task, struct world *world)
{
    while (world->held_cnt)
        fly_ack_held(task, pop(world));
}

static void test_messages_of_a_root_share_a_token(void **state)
{
    static const struct pipe_node node[] = {{.type = &numbers, .workers = 1},
                                            {.type = &stage, .workers = 1},
                                            {.type = &holder, .workers = 2},
                                            {.type = &sink, .workers = 2}};
    static const struct pipe_edge edge[] = {LOCAL(0, 1, .port = 0), LOCAL(1, 2, .port = 0),
                                            LOCAL(2, 3, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 2);
    struct world *world = new_world(100);
    (void)state;
    world->each = three_copies;
    world->on_tick = ack_tokens;
    run_all(world, &spec);
    assert_int_equal(world->acked_cnt, 100);
    /* Two of three get the handle of the first, unless their calls were apart. */
    assert_in_range(world->dead_bytes, 150, 200);
    free(world);
}

static void hold_ack_hold(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    (void)world;
    fly_ack_held(task, fly_hold(task, msg, FLY_HOLD_TOKEN));
    struct fly_held again = fly_hold(task, msg, FLY_HOLD_TOKEN);
    fly_ack_held(task, again);
}

static void test_a_token_that_was_used_up_is_not_given_again(void **state)
{
    const struct pipe_spec spec = SPEC(gather, keyed, .worker_cnt = 2);
    struct world *world = new_world(50);
    (void)state;
    world->each = hold_ack_hold;
    run_all(world, &spec);
    assert_int_equal(world->acked_cnt, 50);
    free(world);
}

/* Many taken messages must leave room for what is written for them. */
static void take_and_write(struct fly_task *task, struct world *world)
{
    struct number number;
    while (world->held_cnt) {
        const struct fly_msg *msg = fly_take(task, world->held[0]);
        if (!msg)
            return; /* the next tick comes at once */
        (void)pop(world);
        struct fly_content content = content_of(world, &number, id_of(msg));
        void *at = fly_reserve(task, content.payload_bytes);
        memcpy(at, content.payload, content.payload_bytes);
        content.key = NULL;
        fly_commit(task, 0, msg, content);
    }
}

static void test_what_is_taken_leaves_room_to_write(void **state)
{
    static const struct pipe_node node[] = {
        {.type = &numbers, .max_in_flight = 64},
        {.type = &holder, .hold_messages = 64, .hold_bytes = 1 << 20},
        {.type = &sink}};
    static const struct pipe_edge edge[] = {LOCAL(0, 1, .max_message_bytes = 4096),
                                            LOCAL(1, 2, .max_message_bytes = 4096)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 1);
    struct world *world = new_world(200);
    (void)state;
    world->bytes = 4000;
    world->each = hold_it;
    world->on_tick = take_and_write;
    run_all(world, &spec);
    assert_int_equal(world->acked_cnt, 200);
    assert_int_equal(world->got_cnt, 200);
    free(world);
}

static void peek_and_copy(struct fly_task *task, struct world *world)
{
    while (world->held_cnt) {
        struct fly_held held = pop(world);
        const struct fly_msg *msg = fly_peek(task, held);
        fly_emit_detached(
            task, 0,
            (struct fly_content){.payload = msg->payload, .payload_bytes = msg->payload_bytes});
        fly_ack_held(task, held);
    }
}

static void test_what_is_looked_at_stays_whole_while_it_is_copied(void **state)
{
    static const struct pipe_node node[] = {
        {.type = &numbers, .max_in_flight = 64},
        {.type = &holder, .hold_messages = 64, .hold_bytes = 1 << 20, .max_in_flight = 256},
        {.type = &sink}};
    static const struct pipe_edge edge[] = {LOCAL(0, 1, .max_message_bytes = 4096),
                                            LOCAL(1, 2, .max_message_bytes = 4096)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 1);
    (void)state;
    for (uint32_t bytes = 3000; bytes < 4090; bytes += 97) {
        struct world *world = new_world(200);
        world->bytes = bytes;
        world->each = hold_it;
        world->on_tick = peek_and_copy;
        run_all(world, &spec);
        assert_int_equal(world->got_cnt, 200);
        free(world);
    }
}

/* --- Joining and own roots ------------------------------------------------------------------- */

static void join_eight(struct fly_task *task, struct world *world)
{
    struct number number;
    while (world->held_cnt) {
        uint32_t cnt = world->held_cnt < 8 ? world->held_cnt : 8;
        uint64_t id = id_of(fly_peek(task, world->held[0]));
        fly_emit_joined(task, 0, world->held, cnt, content_of(world, &number, id));
        world->held_cnt -= cnt;
        memmove(world->held, world->held + cnt, world->held_cnt * sizeof(world->held[0]));
    }
}

/* As soon as eight are there, within process: its batch may be far longer than the pool. */
static void join_at_eight(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    hold_it(task, world, msg);
    if (world->held_cnt == 8)
        join_eight(task, world);
}

static void test_a_joined_message_ends_all_its_parents(void **state)
{
    (void)state;
    for (uint32_t workers = 1; workers <= 2; workers++) {
        for (uint32_t at_once = 0; at_once < 2; at_once++) {
            const struct pipe_spec spec = SPEC(gather, keyed, .worker_cnt = workers);
            struct world *world = new_world(400);
            world->each = at_once ? join_at_eight : hold_it;
            world->on_tick = join_eight;
            for (uint32_t i = 0; i < 400; i++)
                world->fails[i] = i % 5 == 0; /* some of the joined ones: all parents again */
            start(world, &spec);
            pipe_run(&world->pipe, 20000);
            assert_true(pipe_ledger(&world->pipe, 1).dropped > 0);
            finish(world);
            assert_int_equal(world->acked_cnt, 400);
            assert_true(world->got_cnt < 250);
            free(world);
        }
    }
}

/* With a pool of two and room for one root, the batch goes on only when the joined one is done. */
static void join_each(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    struct number number;
    uint64_t id = id_of(msg);
    struct fly_held held = fly_hold(task, msg, FLY_HOLD_MESSAGE);
    fly_emit_joined(task, 0, &held, 1, content_of(world, &number, id));
}

static void test_joining_goes_on_when_all_room_is_taken(void **state)
{
    static const struct pipe_node node[] = {
        {.type = &numbers, .max_in_flight = 64},
        {.type = &holder, .hold_messages = 2, .max_in_flight = 1},
        {.type = &sink}};
    static const struct pipe_edge local[] = {LOCAL(0, 1, .port = 0), LOCAL(1, 2, .port = 0)};
    (void)state;
    for (uint32_t workers = 1; workers <= 2; workers++) {
        struct pipe_spec spec = SPEC(node, local, .worker_cnt = workers);
        if (workers == 2)
            spec.edge = keyed;
        struct world *world = new_world(300);
        world->each = join_each;
        run_all(world, &spec);
        assert_int_equal(world->acked_cnt, 300);
        assert_int_equal(world->got_cnt, 300);
        free(world);
    }
}

static void detach(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    struct number number;
    fly_emit_detached(task, 0, content_of(world, &number, 1000 + id_of(msg)));
}

static void test_a_detached_root_is_retried_by_nobody(void **state)
{
    const struct pipe_spec spec = SPEC(gather, keyed, .worker_cnt = 2);
    struct world *world = new_world(100);
    (void)state;
    world->each = detach;
    for (uint32_t i = 0; i < 50; i++)
        world->fails[1000 + i] = 1;
    start(world, &spec);
    pipe_run(&world->pipe, 20000);
    struct pipe_ledger ledger = pipe_ledger(&world->pipe, 1);
    assert_int_equal(ledger.in, 100);
    assert_int_equal(ledger.acked, 50);
    assert_int_equal(ledger.dropped, 50);
    finish(world);
    assert_int_equal(world->acked_cnt, 100);
    assert_int_equal(world->got_cnt, 100);
    free(world);
}

/* A finish that emits far more roots than may be in flight, every one of which fails at first. */
static void emit_many(struct fly_task *task, struct world *world)
{
    struct number number;
    for (uint32_t i = 0; i < 1500; i++)
        fly_emit(task, 0, NULL, content_of(world, &number, 500 + i));
}

static void run_own_roots(uint32_t max_in_flight, uint64_t retain_bytes, uint32_t bytes)
{
    const struct pipe_node node[] = {{.type = &numbers, .workers = 1},
                                     {.type = &holder,
                                      .workers = 1,
                                      .max_in_flight = max_in_flight,
                                      .retain_bytes = retain_bytes},
                                     {.type = &sink}};
    const struct pipe_edge edge[] = {LOCAL(0, 1, .port = 0),
                                     EDGE(1, 2, KEY, .max_message_bytes = 2048)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 2);
    struct world *world = new_world(1);
    world->bytes = bytes;
    world->on_finish = emit_many;
    memset(world->fails + 500, 1, 1500);
    start(world, &spec);
    world->pipe.step_ns = 1000000;
    pipe_run(&world->pipe, 100000);
    struct pipe_ledger ledger = pipe_ledger(&world->pipe, 1);
    assert_int_equal(ledger.in, 1500);
    assert_int_equal(ledger.acked, 1500);
    assert_int_equal(ledger.retried, 1500);
    finish(world);
    free(world);
}

static void test_roots_of_a_stage_are_retried_while_it_emits(void **state)
{
    (void)state;
    run_own_roots(1, 4096, 16);
    run_own_roots(8, 4096, 1000);
    run_own_roots(256, 2048, 600);
    run_own_roots(2048, 1 << 20, 100);
}

/* A call below a call that has emitted as many roots as a note takes emits its own. */
static void join_below(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    if (fly_rt(task)->node_idx == 1) {
        fly_forward(task, 0, msg);
        return;
    }
    join_each(task, world, msg);
}

static void emit_many_at_first(struct fly_task *task, struct world *world)
{
    if (fly_rt(task)->node_idx == 1)
        emit_many(task, world);
}

static void test_a_note_has_room_for_calls_within_calls(void **state)
{
    static const struct pipe_node node[] = {
        {.type = &numbers},
        {.type = &holder, .max_in_flight = 2048, .retain_bytes = 1 << 20},
        {.type = &holder, .max_in_flight = 2048, .hold_messages = 1024, .hold_bytes = 1 << 20},
        {.type = &sink}};
    static const struct pipe_edge edge[] = {LOCAL(0, 1, .port = 0), LOCAL(1, 2, .port = 0),
                                            LOCAL(2, 3, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 1);
    struct world *world = new_world(10);
    (void)state;
    world->each = join_below;
    world->on_finish = emit_many_at_first;
    run_all(world, &spec);
    assert_int_equal(world->got_cnt, 1510);
    free(world);
}

/* --- I/O ------------------------------------------------------------------------------------- */

enum { READ_CNT = 3000 };

/* Keeps as many requests going as it may, also while an emit of it is suspended. */
struct reader {
    uint32_t submitted, done, refused;
    uint8_t byte[FLY_URING_MAX * 4];
};

static void submit_all(struct fly_task *task, struct reader *reader)
{
    struct fly_io io = {.op = FLY_IO_READ, .fd = pipe_of(task)->workspace.fd, .bytes = 1};
    while (reader->submitted < READ_CNT) {
        io.buffer = &reader->byte[reader->submitted % sizeof(reader->byte)];
        if (fly_io_submit(task, &io)) {
            reader->refused++;
            return;
        }
        reader->submitted++;
        assert_true(reader->submitted - reader->done <= FLY_URING_MAX);
    }
}

static enum fly_polled read_poll(struct fly_task *task, void *arg, uint32_t budget)
{
    struct reader *reader = arg;
    (void)budget;
    submit_all(task, reader);
    return reader->done < READ_CNT ? FLY_POLL_IDLE : numbers.poll(task, NULL, budget);
}

static void read_done(struct fly_task *task, void *arg, uint64_t tag, int32_t result)
{
    struct reader *reader = arg;
    (void)tag;
    assert_int_equal(result, 1);
    reader->done++;
    submit_all(task, reader);
}

static void test_io_of_a_task_is_bounded(void **state)
{
    struct fly_node reads = numbers;
    reads.self_bytes = sizeof(struct reader);
    reads.poll = read_poll;
    reads.io_done = read_done;
    const struct pipe_node node[] = {{.type = &reads}, {.type = &sink}};
    const struct pipe_edge edge[] = {LOCAL(0, 1, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 1);
    struct world *world = new_world(100);
    (void)state;
    start(world, &spec);
    const struct reader *reader = pipe_task(&world->pipe, 0, 0)->self;
    pipe_run(&world->pipe, 1000000);
    assert_int_equal(reader->done, READ_CNT);
    assert_true(reader->refused > 0);
    finish(world);
    free(world);
}

/* --- FLY_EXPLICIT ---------------------------------------------------------------------------- */

static void end_explicitly(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    uint64_t id = id_of(msg);
    if (id % 3 == 0) {
        fly_ack(task, msg);
    } else if (id % 3 == 1) {
        hold_it(task, world, msg);
    } else if (world->replayed[id]) {
        fly_forward(task, 0, msg);
        fly_ack(task, msg);
    } else {
        fly_fail(task, msg, FLY_REASON_FAILED);
    }
}

static void fail_what_was_taken(struct fly_task *task, struct world *world)
{
    while (world->held_cnt) {
        const struct fly_msg *msg = fly_take(task, pop(world));
        if (world->replayed[id_of(msg)] < 2)
            fly_fail(task, msg, FLY_REASON_FAILED);
        else
            fly_ack(task, msg);
    }
}

static void test_explicit_nodes_end_each_message(void **state)
{
    static const struct pipe_node node[] = {
        {.type = &numbers}, {.type = &explicit_stage}, {.type = &sink}};
    const struct pipe_spec spec = SPEC(node, keyed, .worker_cnt = 1);
    struct world *world = new_world(90);
    (void)state;
    world->each = end_explicitly;
    world->on_tick = fail_what_was_taken;
    run_all(world, &spec);
    assert_int_equal(world->acked_cnt, 90);
    assert_int_equal(world->got_cnt, 30);
    free(world);
}

/* --- Misuse ---------------------------------------------------------------------------------- */

static const struct fly_content nothing = {.payload = "12345678", .payload_bytes = 8};

static void emit_while_reserved(struct fly_task *task, struct world *world,
                                const struct fly_msg *msg)
{
    (void)world;
    (void)fly_reserve(task, 10);
    fly_emit(task, 0, msg, nothing);
}
static void emit_a_part_while_reserved(struct fly_task *task, struct world *world,
                                       const struct fly_msg *msg)
{
    (void)world;
    (void)fly_reserve(task, 10);
    fly_emit(task, 0, msg, (struct fly_content){.payload = msg->payload, .payload_bytes = 4});
}
static void forward_while_reserved(struct fly_task *task, struct world *world,
                                   const struct fly_msg *msg)
{
    (void)world;
    (void)fly_reserve(task, 10);
    fly_forward(task, 0, msg);
}
static void fail_while_reserved(struct fly_task *task, struct world *world,
                                const struct fly_msg *msg)
{
    (void)world;
    (void)fly_reserve(task, 10);
    fly_fail(task, msg, FLY_REASON_FAILED);
}
static void hold_while_reserved(struct fly_task *task, struct world *world,
                                const struct fly_msg *msg)
{
    (void)fly_reserve(task, 10);
    hold_it(task, world, msg);
}
static void reserve_twice(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    (void)world;
    (void)msg;
    (void)fly_reserve(task, 10);
    (void)fly_reserve(task, 10);
}
static void reserve_and_return(struct fly_task *task, struct world *world,
                               const struct fly_msg *msg)
{
    (void)world;
    (void)msg;
    (void)fly_reserve(task, 10);
}
static void reserve_too_much(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    (void)world;
    (void)msg;
    (void)fly_reserve(task, 1 << 20);
}
static void commit_nothing(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    (void)world;
    fly_commit(task, 0, msg, nothing);
}
static void commit_too_much(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    (void)world;
    (void)fly_reserve(task, 4);
    fly_commit(task, 0, msg, nothing);
}
static void emit_nowhere(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    (void)world;
    task->calls->emit(task, 9, msg, &nothing);
}
static void ack_twice(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    hold_it(task, world, msg);
    struct fly_held held = pop(world);
    fly_ack_held(task, held);
    fly_ack_held(task, held);
}
static void fail_after_ack_held(struct fly_task *task, struct world *world,
                                const struct fly_msg *msg)
{
    hold_it(task, world, msg);
    struct fly_held held = pop(world);
    fly_ack_held(task, held);
    fly_fail_held(task, held, FLY_REASON_FAILED);
}
static void take_unknown(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    (void)world;
    (void)msg;
    (void)fly_take(task, (struct fly_held){12345678});
}
static void join_nobody(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    (void)world;
    (void)msg;
    fly_emit_joined(task, 0, NULL, 0, nothing);
}
static void join_twice(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    hold_it(task, world, msg);
    struct fly_held both[2] = {world->held[0], world->held[0]};
    fly_emit_joined(task, 0, both, 2, nothing);
}
static void hold_without_end(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    (void)world;
    for (;;)
        (void)fly_hold(task, msg, FLY_HOLD_MESSAGE);
}
static void emit_root_from_a_stage(struct fly_task *task, struct world *world,
                                   const struct fly_msg *msg)
{
    (void)world;
    (void)msg;
    fly_emit_root(task, 0, 1, 2, nothing);
}
static void *emit_elsewhere(void *arg)
{
    struct fly_task *task = arg;
    task->calls->emit(task, 0, NULL, &nothing);
    return NULL;
}
static void emit_on_a_thread(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    pthread_t thread;
    (void)world;
    (void)msg;
    (void)pthread_create(&thread, NULL, emit_elsewhere, task);
    (void)pthread_join(thread, NULL);
}
static void call_another_task(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    (void)task;
    struct fly_task *other = &pipe_task(&world->pipe, 2, 0)->pub;
    (other->calls->fail)(other, msg, FLY_REASON_FAILED); /* a macro of cmocka has this name */
}
static void leave_it(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    (void)task;
    (void)world;
    (void)msg;
}
static void ack_it_twice(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    (void)world;
    fly_ack(task, msg);
    fly_ack(task, msg);
}
static void fail_after_ack(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    (void)world;
    fly_ack(task, msg);
    fly_fail(task, msg, FLY_REASON_FAILED);
}

struct misuse {
    const struct fly_node *type;
    void (*each)(struct fly_task *task, struct world *world, const struct fly_msg *msg);
    const char *text;
};

static void misuse(void *arg)
{
    const struct misuse *misuse = arg;
    const struct pipe_node node[] = {{.type = &numbers}, {.type = misuse->type}, {.type = &sink}};
    const struct pipe_edge edge[] = {LOCAL(0, 1, .port = 0), LOCAL(1, 2, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 1);
    struct world *world = new_world(1);
    world->each = misuse->each;
    start(world, &spec);
    pipe_rounds(&world->pipe, 10);
}

static void test_misuse_is_named_and_ends_the_process(void **state)
{
    static const struct misuse misuses[] = {
        {&holder, emit_while_reserved, "fly_emit: called between fly_reserve and fly_commit"},
        {&stage, emit_a_part_while_reserved, "fly_emit: called between fly_reserve and fly_commit"},
        {&stage, forward_while_reserved, "fly_emit: called between fly_reserve and fly_commit"},
        {&holder, fail_while_reserved, "fly_fail: called between fly_reserve and fly_commit"},
        {&holder, hold_while_reserved, "fly_hold: called between fly_reserve and fly_commit"},
        {&holder, reserve_twice, "fly_reserve: called between fly_reserve and fly_commit"},
        {&stage, reserve_and_return, "process: returned between fly_reserve and fly_commit"},
        {&stage, reserve_too_much, "fly_reserve: more than fly_max_message_bytes"},
        {&stage, commit_nothing, "fly_commit: nothing was reserved"},
        {&stage, commit_too_much, "fly_commit: more bytes than were reserved"},
        {&stage, emit_nowhere, "fly_emit: no such port"},
        {&stage, hold_it, "fly_hold: the node does not declare that it holds"},
        {&holder, ack_twice, "fly_ack_held: a handle that is not held"},
        {&holder, fail_after_ack_held, "fly_fail_held: a handle that is not held"},
        {&holder, take_unknown, "fly_take: a handle that is not held"},
        {&holder, join_nobody, "fly_emit_joined: no parents"},
        {&holder, join_twice, "fly_emit_joined: a handle that is not held"},
        {&holder, hold_without_end, "fly_hold: more messages are held than"},
        {&stage, emit_root_from_a_stage, "fly_emit_root: outside of poll"},
        {&stage, detach, "fly_emit_detached: this node owns no roots"},
        {&stage, emit_on_a_thread, "fly_emit: called from a thread that is not the task's worker"},
        {&stage, call_another_task, "fly_fail: called outside of a callback of this task"},
        {&explicit_stage, leave_it, "process: returned with messages that were neither held"},
        {&explicit_stage, ack_it_twice, "fly_ack: more messages ended than the call was given"},
        {&explicit_stage, fail_after_ack, "fly_fail: more messages ended than the call was given"},
    };
    char out[4096];
    (void)state;
    for (uint32_t i = 0; i < sizeof(misuses) / sizeof(misuses[0]); i++) {
        struct misuse one = misuses[i];
        int status = test_run_child(misuse, &one, out, sizeof(out));
        if (!strstr(out, one.text))
            fail_msg("expected \"%s\", got \"%s\"", one.text, out);
        assert_non_null(strstr(out, "node '"));
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), FLY_EXIT_MISUSE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_messages_are_acked_failed_and_sent_on),
        cmocka_unit_test(test_a_full_pool_blocks_its_input_only),
        cmocka_unit_test(test_messages_of_a_root_share_a_token),
        cmocka_unit_test(test_a_token_that_was_used_up_is_not_given_again),
        cmocka_unit_test(test_what_is_taken_leaves_room_to_write),
        cmocka_unit_test(test_what_is_looked_at_stays_whole_while_it_is_copied),
        cmocka_unit_test(test_a_joined_message_ends_all_its_parents),
        cmocka_unit_test(test_joining_goes_on_when_all_room_is_taken),
        cmocka_unit_test(test_a_detached_root_is_retried_by_nobody),
        cmocka_unit_test(test_roots_of_a_stage_are_retried_while_it_emits),
        cmocka_unit_test(test_a_note_has_room_for_calls_within_calls),
        cmocka_unit_test(test_io_of_a_task_is_bounded),
        cmocka_unit_test(test_explicit_nodes_end_each_message),
        cmocka_unit_test(test_misuse_is_named_and_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
