/* test_delivery.c - the life of roots: acked when all is done, tried again, given up, taken up
 * after a death. */
#include "unit/dataplane/worker/nodes.h"

#include "worker/restore.h"
#include "worker/roots.h"

#define LOCAL(a, b, ...)                                                                           \
    {                                                                                              \
        .from = (a), .to = (b), .grouping = FLY_GROUP_LOCAL, __VA_ARGS__                           \
    }
#define EDGE(a, b, how, ...)                                                                       \
    {                                                                                              \
        .from = (a), .to = (b), .grouping = FLY_GROUP_##how, __VA_ARGS__                           \
    }
#define MS UINT64_C(1000000)

static struct world *new_world(uint32_t count)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world->count = count;
    return world;
}

static void release_all(struct fly_task *task, struct world *world)
{
    /* Handles belong to the task that made them. */
    uint32_t kept = 0;
    for (uint32_t i = 0; i < world->held_cnt; i++) {
        if (fly_hold_find(fly_rt(task)->held, world->held[i]))
            fly_ack_held(task, world->held[i]);
        else
            world->held[kept++] = world->held[i];
    }
    world->held_cnt = kept;
}

/* --- Four bugs that cannot happen here ------------------------------------------------------- */

static const struct pipe_node to_holders[] = {{.type = &numbers, .workers = 1},
                                              {.type = &holding_sink}};

/* Copies that carry one and the same id cancel each other out: acked as soon as they are sent. */
static void test_a_broadcast_is_not_acked_before_its_last_copy(void **state)
{
    static const struct pipe_edge edge[] = {EDGE(0, 1, BROADCAST, .port = 0)};
    const struct pipe_spec spec = SPEC(to_holders, edge, .worker_cnt = 3);
    struct world *world = new_world(1);
    (void)state;
    start(world, &spec);
    pipe_rounds(&world->pipe, 100);
    assert_int_equal(world->got[0], 3);
    assert_int_equal(world->acked_cnt, 0);
    assert_int_equal(world->held_cnt, 3);
    /* One after the other is let go; only the third one's end is the root's. */
    for (uint32_t w = 0; w < 3; w++) {
        assert_int_equal(world->acked_cnt, 0);
        fly_root_update(world->pipe.worker[w],
                        (struct fly_root){pipe_task(&world->pipe, 1, w)->held->entry[0].root},
                        pipe_task(&world->pipe, 1, w)->held->entry[0].id);
        fly_hold_release(pipe_task(&world->pipe, 1, w)->held,
                         &pipe_task(&world->pipe, 1, w)->held->entry[0]);
        fly_blocks_free(pipe_task(&world->pipe, 1, w)->hold_blocks,
                        pipe_task(&world->pipe, 1, w)->held->entry[0].block);
        pipe_rounds(&world->pipe, 100);
    }
    assert_int_equal(world->acked_cnt, 1);
    finish(world);
    free(world);
}

static void forward_and_ack(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    (void)world;
    fly_forward(task, 0, msg);
    fly_ack(task, msg);
}

/* Acking the very message that was passed on must not ack what was passed on. */
static void test_a_forwarded_message_is_not_acked_with_its_original(void **state)
{
    static const struct pipe_node node[] = {
        {.type = &numbers}, {.type = &explicit_stage}, {.type = &holding_sink}};
    static const struct pipe_edge local[] = {LOCAL(0, 1, .port = 0), LOCAL(1, 2, .port = 0)};
    static const struct pipe_edge keyed[] = {EDGE(0, 1, KEY, .port = 0),
                                             EDGE(1, 2, KEY, .port = 0)};
    (void)state;
    for (uint32_t workers = 1; workers <= 3; workers++) {
        struct pipe_spec spec = SPEC(node, keyed, .worker_cnt = workers);
        if (workers == 1)
            spec.edge = local;
        struct world *world = new_world(4);
        world->each = forward_and_ack;
        start(world, &spec);
        pipe_rounds(&world->pipe, 200);
        assert_int_equal(world->got_cnt, 4);
        assert_int_equal(world->acked_cnt, 0);
        invariants_check(&world->pipe);
        world->on_tick = release_all;
        finish(world);
        assert_int_equal(world->acked_cnt, 4);
        free(world);
    }
}

static void hold_each(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    world->held[world->held_cnt++] = fly_hold(task, msg, FLY_HOLD_MESSAGE);
}

static void ack_then_fail_the_attempt(struct fly_task *task, struct world *world)
{
    for (uint32_t i = 0; i < world->held_cnt; i++) {
        struct fly_held_entry *entry = fly_hold_find(fly_rt(task)->held, world->held[i]);
        if (!entry)
            continue;
        struct fly_root root = {entry->root};
        fly_ack_held(task, world->held[i]);
        fly_root_fail(fly_rt(task)->worker, root, FLY_REASON_FAILED, 1);
    }
}

/* A fail that comes after the last ack must neither fail the root nor leave anything behind. */
static void test_a_fail_after_the_ack_changes_nothing(void **state)
{
    static const struct pipe_node node[] = {
        {.type = &numbers, .workers = 1}, {.type = &holder, .workers = 1}, {.type = &sink}};
    static const struct pipe_edge edge[] = {LOCAL(0, 1, .port = 0), LOCAL(1, 2, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 1);
    struct world *world = new_world(5);
    (void)state;
    world->each = hold_each;
    world->on_tick = ack_then_fail_the_attempt;
    start(world, &spec);
    pipe_run(&world->pipe, 10000);
    assert_int_equal(fly_counted(&world->pipe.worker[0]->stats->late), 5);
    finish(world);
    assert_int_equal(world->acked_cnt, 5);
    free(world);
}

struct race {
    struct world world; /* first: nodes look for it */
    bool nested;
    uint32_t overtaken;
};

/* The stage's worker has sent the child, but not its own ack: the child runs to its end first. */
static void overtake(void *context, struct fly_worker *worker, enum fly_hook_point point)
{
    struct pipe *pipe = context;
    struct race *race = pipe->world;
    if (worker->idx != 1 || point != FLY_HOOK_PUSH_ACKS || race->nested)
        return;
    race->nested = true;
    for (uint32_t i = 0; i < 4; i++) {
        pipe_turn(pipe, 0);
        pipe_turn(pipe, 2);
    }
    if (race->world.got_cnt > race->world.acked_cnt)
        race->overtaken++;
    race->nested = false;
}

static void test_an_ack_that_overtakes_its_registration_ends_nothing(void **state)
{
    static const struct pipe_node node[] = {{.type = &numbers, .workers = 4},
                                            {.type = &stage, .workers = 2},
                                            {.type = &sink, .workers = 1}};
    static const struct pipe_edge edge[] = {LOCAL(0, 1, .port = 0), LOCAL(1, 2, .port = 0)};
    static const struct fly_hooks hooks = {.point = overtake};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 3, .hooks = &hooks);
    struct race *race = calloc(1, sizeof(*race));
    (void)state;
    race->world.count = 100;
    race->world.per_poll = 1;
    run_all(&race->world, &spec);
    assert_true(race->overtaken > 0);
    assert_int_equal(race->world.acked_cnt, 100);
    free(race);
}

enum { CHILD_CNT = 300 };

static void fan_out(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    uint64_t id = id_of(msg);
    const struct fly_content child = {.payload = &id, .payload_bytes = sizeof(id)};
    if (fly_rt(task)->node_idx != 1) {
        fly_forward(task, 0, msg);
        return;
    }
    (void)world;
    for (uint32_t i = 0; i < CHILD_CNT; i++)
        fly_emit(task, 0, msg, child);
}

static bool suspend_often(void *context, struct fly_worker *worker)
{
    const struct pipe *pipe = context;
    return worker->idx == 1 && pipe->turn_cnt % 2 == 0;
}

static void expect_all(void *context, struct fly_worker *worker, const struct fly_root_entry *entry,
                       enum fly_attempt_end end)
{
    const struct world *world = ((struct pipe *)context)->world;
    (void)worker;
    assert_int_equal(end, FLY_ATTEMPT_ACKED);
    assert_int_equal(world->got[atomic_load(&entry->id)], CHILD_CNT % 256);
}

/* A run of many messages is read in several batches; its guard leaves with the last of them. */
static void test_a_long_run_is_done_with_its_last_message(void **state)
{
    static const struct pipe_node node[] = {{.type = &numbers, .workers = 1},
                                            {.type = &stage, .workers = 1},
                                            {.type = &stage, .workers = 2},
                                            {.type = &sink, .workers = 1}};
    static const struct pipe_edge edge[] = {LOCAL(0, 1, .port = 0), LOCAL(1, 2, .port = 0),
                                            LOCAL(2, 3, .port = 0)};
    static const struct fly_hooks hooks = {.suspends = suspend_often, .ends = expect_all};
    const struct pipe_spec spec =
        SPEC(node, edge, .worker_cnt = 2, .frame_bytes = 16384, .hooks = &hooks);
    struct world *world = new_world(20);
    (void)state;
    world->each = fan_out;
    run_all(world, &spec);
    assert_int_equal(world->got_cnt, 20 * CHILD_CNT);
    free(world);
}

/* --- Retries --------------------------------------------------------------------------------- */

static void test_a_failed_root_is_tried_again(void **state)
{
    static const struct pipe_node node[] = {{.type = &numbers}, {.type = &stage}, {.type = &sink}};
    static const struct pipe_edge local[] = {LOCAL(0, 1, .port = 0), LOCAL(1, 2, .port = 0)};
    static const struct pipe_edge keyed[] = {EDGE(0, 1, KEY, .port = 0),
                                             EDGE(1, 2, KEY, .port = 0)};
    (void)state;
    for (uint32_t workers = 1; workers <= 3; workers++) {
        struct pipe_spec spec = SPEC(node, keyed, .worker_cnt = workers);
        if (workers == 1)
            spec.edge = local;
        struct world *world = new_world(200);
        for (uint32_t i = 0; i < 200; i++)
            world->fails[i] = (uint8_t)(i % 3);
        run_all(world, &spec);
        for (uint32_t i = 0; i < 200; i++) {
            assert_int_equal(world->acked[i], 1);
            assert_int_equal(world->replayed[i], i % 3);
            assert_true(world->got[i] >= 1 + i % 3);
        }
        free(world);
    }
}

static void test_retries_wait_longer_each_time(void **state)
{
    static const struct pipe_node node[] = {
        {.type = &numbers, .attempts = 3, .backoff_ns = 100 * MS}, {.type = &sink}};
    static const struct pipe_edge edge[] = {LOCAL(0, 1, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 1);
    struct world *world = new_world(1);
    uint64_t at[3];
    (void)state;
    world->fails[0] = 2;
    start(world, &spec);
    world->pipe.plan.node[0].delivery.backoff_max_ns = 0;
    fly_plan_nodes(world->pipe.workspace.plan)[0].delivery.backoff_max_ns = 10000 * MS;
    world->pipe.step_ns = MS;
    for (uint32_t i = 0; i < 3; i++) {
        while (world->got[0] == i)
            pipe_turn(&world->pipe, 0);
        at[i] = world->got_ns[0];
    }
    /* 100 ms and 200 ms, half of it jitter, and a bucket of the wheel late at most. */
    assert_in_range(at[1] - at[0], 50 * MS, 115 * MS);
    assert_in_range(at[2] - at[1], 100 * MS, 215 * MS);
    finish(world);
    assert_int_equal(world->acked[0], 1);
    free(world);
}

static void test_a_root_given_up_is_a_dead_letter(void **state)
{
    static const struct pipe_node node[] = {
        {.type = &numbers, .dead_letters = 4}, {.type = &stage}, {.type = &sink}, {.type = &sink}};
    static const struct pipe_edge edge[] = {EDGE(0, 1, KEY, .port = 0), EDGE(1, 2, KEY, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 2);
    struct world *world = new_world(50);
    (void)state;
    world->fails[7] = 100;
    run_all(world, &spec);
    assert_int_equal(world->acked_cnt, 49);
    assert_int_equal(world->failed[7], 1);
    assert_int_equal(world->last_reason, FLY_REASON_BAD_INPUT);
    assert_int_equal(world->dead_cnt, 1);
    assert_int_equal(world->dead_bytes, 16);
    assert_non_null(strstr(world->dead_meta, "reason=bad_input;node=sink;source=numbers;"
                                             "attempts=3;id=7;time="));
    free(world);
}

static void test_a_root_given_up_without_dead_letters_is_dropped(void **state)
{
    static const struct pipe_node node[] = {{.type = &numbers, .attempts = 2}, {.type = &sink}};
    static const struct pipe_edge edge[] = {EDGE(0, 1, KEY, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 2);
    struct world *world = new_world(50);
    (void)state;
    world->fails[7] = 100;
    start(world, &spec);
    pipe_run(&world->pipe, 10000);
    assert_int_equal(pipe_ledger(&world->pipe, 0).dropped, 1);
    finish(world);
    assert_int_equal(world->got[7], 2);
    free(world);
}

static void test_copies_are_kept_for_sources_that_cannot_replay(void **state)
{
    static const struct pipe_node node[] = {
        {.type = &numbers_kept, .dead_letters = 3, .retain_bytes = 8192, .max_in_flight = 64},
        {.type = &sink},
        {.type = &sink}};
    static const struct pipe_edge edge[] = {EDGE(0, 1, KEY, .max_message_bytes = 2048)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 2);
    (void)state;
    for (uint32_t bytes = 16; bytes < 2000; bytes += 500) {
        struct world *world = new_world(100);
        world->bytes = bytes;
        for (uint32_t i = 0; i < 100; i++)
            world->fails[i] = i % 10 == 9 ? 100 : (uint8_t)(i % 3);
        run_all(world, &spec);
        assert_int_equal(world->acked_cnt, 90);
        assert_int_equal(world->dead_cnt, 10);
        assert_int_equal(world->dead_bytes, bytes);
        free(world);
    }
}

/* The source waits for room for a copy while all that keep the room wait to be sent again. */
static void test_retries_run_while_their_source_waits_for_room(void **state)
{
    static const struct pipe_node node[] = {
        {.type = &numbers_kept, .retain_bytes = 1024, .max_in_flight = 64}, {.type = &sink}};
    static const struct pipe_edge edge[] = {LOCAL(0, 1, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 1);
    struct world *world = new_world(64);
    (void)state;
    memset(world->fails, 2, sizeof(world->fails));
    run_all(world, &spec);
    assert_int_equal(world->acked_cnt, 64);
    free(world);
}

static void test_a_root_that_takes_too_long_is_tried_again(void **state)
{
    static const struct pipe_node node[] = {
        {.type = &numbers, .workers = 1, .attempts = 2, .ack_timeout_ns = 50 * MS},
        {.type = &holding_sink, .workers = 2}};
    static const struct pipe_edge edge[] = {EDGE(0, 1, KEY, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 2);
    struct world *world = new_world(3);
    (void)state;
    start(world, &spec);
    world->pipe.step_ns = MS;
    pipe_rounds(&world->pipe, 20);
    assert_int_equal(world->got_cnt, 3);
    while (world->failed_cnt < 3)
        pipe_rounds(&world->pipe, 1);
    assert_int_equal(world->got_cnt, 6);
    assert_int_equal(world->last_reason, FLY_REASON_TIMEOUT);
    assert_int_equal(pipe_ledger(&world->pipe, 0).timeouts, 6);
    world->on_tick = release_all; /* late: nobody waits for them any more */
    finish(world);
    free(world);
}

static void test_a_stopped_machine_expires_nothing(void **state)
{
    static const struct pipe_node node[] = {
        {.type = &numbers, .workers = 1, .ack_timeout_ns = 50 * MS},
        {.type = &holding_sink, .workers = 2}};
    static const struct pipe_edge edge[] = {EDGE(0, 1, KEY, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 2);
    struct world *world = new_world(3);
    (void)state;
    start(world, &spec);
    pipe_rounds(&world->pipe, 20);
    world->pipe.now_ns += 3600000 * MS;
    pipe_rounds(&world->pipe, 200);
    assert_int_equal(pipe_ledger(&world->pipe, 0).timeouts, 0);
    world->on_tick = release_all;
    finish(world);
    assert_int_equal(world->acked_cnt, 3);
    free(world);
}

static void fail_at_first(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    uint64_t id = id_of(msg);
    fly_forward(task, 0, msg);
    if (world->replayed[id] < id % 5)
        fly_fail(task, msg, FLY_REASON_FAILED);
}

/* The call that fails is nested in the one that emits the root, which goes on for a while. */
static void test_a_fail_inside_the_emitting_call(void **state)
{
    static const struct pipe_node node[] = {
        {.type = &numbers, .max_in_flight = 4}, {.type = &stage}, {.type = &sink}};
    static const struct pipe_edge edge[] = {LOCAL(0, 1, .port = 0), EDGE(1, 2, KEY, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 2);
    struct world *world = new_world(100);
    (void)state;
    world->each = fail_at_first;
    run_all(world, &spec);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(world->acked[i], i % 5 < 3); /* the others more often than they may */
    free(world);
}

/* --- Bounds ---------------------------------------------------------------------------------- */

static void test_no_more_roots_than_max_in_flight(void **state)
{
    static const struct pipe_edge edge[] = {EDGE(0, 1, KEY, .port = 0)};
    const struct pipe_spec spec = SPEC(to_holders, edge, .worker_cnt = 1);
    struct world *world = new_world(20);
    (void)state;
    start(world, &spec);
    pipe_rounds(&world->pipe, 100);
    assert_int_equal(world->emitted, 8);
    assert_int_equal(pipe_ledger(&world->pipe, 0).in_flight, 8);
    invariants_check(&world->pipe);
    world->on_tick = release_all;
    finish(world);
    free(world);
}

static void again_from_acked(struct fly_task *task, void *self, const uint64_t *ids, uint32_t cnt);

/* Emits again only when it hears of the next ack: as a source may that has to read first. */
struct late_source {
    struct fly_attempt waits[16];
    uint64_t id[16];
    uint32_t cnt;
};

static void late_replay(struct fly_task *task, void *arg, uint64_t id, struct fly_attempt attempt)
{
    struct late_source *self = arg;
    self->waits[self->cnt] = attempt;
    self->id[self->cnt++] = id;
    if (self->cnt == 3)
        again_from_acked(task, arg, NULL, 0);
}

static void again_from_acked(struct fly_task *task, void *arg, const uint64_t *ids, uint32_t cnt)
{
    struct late_source *self = arg;
    struct world *world = pipe_world(task);
    struct number number;
    numbers.acked(task, NULL, ids, cnt);
    for (; self->cnt; self->cnt--) {
        uint64_t id = self->id[self->cnt - 1];
        world->replayed[id]++;
        fly_emit_again(task, 0, self->waits[self->cnt - 1], content_of(world, &number, id));
    }
}

static void test_a_root_may_be_sent_again_from_acked(void **state)
{
    struct fly_node late = numbers;
    late.self_bytes = sizeof(struct late_source);
    late.acked = again_from_acked;
    late.replay = late_replay;
    const struct pipe_node node[] = {{.type = &late, .workers = 1}, {.type = &sink, .workers = 2}};
    const struct pipe_edge edge[] = {EDGE(0, 1, KEY, .frames = 1)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 2);
    struct world *world = new_world(100);
    (void)state;
    world->bytes = 200;
    for (uint32_t i = 0; i < 90; i += 3)
        world->fails[i] = 1;
    run_all(world, &spec);
    assert_int_equal(world->acked_cnt, 100);
    free(world);
}

/* Retries and new roots of one turn may all be acked in it: the table of ids must take them. */
static void test_more_acks_in_a_turn_than_roots_in_flight(void **state)
{
    static const struct pipe_node node[] = {{.type = &numbers, .max_in_flight = 4},
                                            {.type = &sink}};
    static const struct pipe_edge edge[] = {LOCAL(0, 1, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 1);
    struct world *world = new_world(400);
    (void)state;
    for (uint32_t i = 0; i < 400; i++)
        world->fails[i] = i % 8 < 4;
    start(world, &spec);
    while (!pipe_ended(&world->pipe)) {
        pipe_turn(&world->pipe, 0);
        assert_true(pipe_task(&world->pipe, 0, 0)->acked_cnt <= 4);
    }
    finish(world);
    free(world);
}

/* --- After a death --------------------------------------------------------------------------- */

static void restore_roots(struct pipe *pipe)
{
    struct fly_restore *restore =
        fly_restore_of(&pipe->workspace, &pipe->layout, pipe->plan.node[0].first_task);
    restore->position = 10;
    restore->has_position = 1;
    restore->cnt = 5;
    restore->root[0] = (struct fly_restore_root){.id = 2};
    restore->root[1] =
        (struct fly_restore_root){.id = 4, .attempts = 1, .flags = FLY_RESTORE_SUSPECT, .turn = 1};
    restore->root[2] =
        (struct fly_restore_root){.id = 5, .attempts = 9, .flags = FLY_RESTORE_SUSPECT, .turn = 2};
    restore->root[3] =
        (struct fly_restore_root){.id = 6, .attempts = 1, .flags = FLY_RESTORE_SUSPECT, .turn = 3};
    restore->root[4] = (struct fly_restore_root){.id = 7, .attempts = 1};
    atomic_store(&pipe->workspace.header->quarantined, 3);
}

static int go_on(struct fly_task *task, void *self, uint64_t position)
{
    struct world *world = pipe_world(task);
    (void)self;
    world->emitted = (uint32_t)position;
    return 0;
}

/* In the order in which the stage saw them. */
static void record(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    uint64_t id = id_of(msg);
    world->held[world->held_cnt++].handle = (uint32_t)id;
    fly_forward(task, 0, msg);
    if (world->fails[id]) {
        world->fails[id]--;
        fly_fail(task, msg, FLY_REASON_FAILED);
    }
}

static void run_restored(uint32_t dead_letters, uint8_t first_fails)
{
    struct fly_node restorable = numbers;
    restorable.restore = go_on;
    const struct pipe_node node[] = {{.type = &restorable, .dead_letters = dead_letters},
                                     {.type = &stage},
                                     {.type = &sink},
                                     {.type = &sink}};
    const struct pipe_edge edge[] = {LOCAL(0, 1, .port = 0), LOCAL(1, 2, .port = 0)};
    struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 1, .restarted = true);
    spec.node_cnt -= !dead_letters;
    struct world *world = new_world(15);
    world->each = record;
    world->fails[6] = first_fails;
    assert_int_equal(pipe_try_open(&world->pipe, &spec, world, restore_roots), 0);
    pipe_run(&world->pipe, 10000);
    invariants_ended(&world->pipe);
    struct pipe_ledger ledger = pipe_ledger(&world->pipe, 0);
    assert_int_equal(ledger.in, 10); /* five open ones and five new ones */
    assert_int_equal(ledger.acked, 9);
    assert_int_equal(world->failed[5], 1);
    assert_int_equal(world->last_reason, FLY_REASON_CRASH);
    assert_int_equal(world->dead_cnt, dead_letters ? 1 : 0);
    assert_int_equal(atomic_load(&world->pipe.workspace.header->quarantined), 0);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(world->acked[10 + i], 1);
    /* Suspects come first, one at a time; the second has had its tries. */
    uint32_t at = 0;
    for (; at <= first_fails; at++)
        assert_int_equal(world->held[at].handle, 6);
    assert_int_equal(world->held[at].handle, 4);
    pipe_close(&world->pipe);
    free(world);
}

static void test_suspects_of_a_crash_are_tried_alone(void **state)
{
    (void)state;
    for (uint32_t dead_letters = 0; dead_letters <= 4; dead_letters += 4)
        for (uint8_t fails = 0; fails < 2; fails++)
            run_restored(dead_letters, fails);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_broadcast_is_not_acked_before_its_last_copy),
        cmocka_unit_test(test_a_forwarded_message_is_not_acked_with_its_original),
        cmocka_unit_test(test_a_fail_after_the_ack_changes_nothing),
        cmocka_unit_test(test_an_ack_that_overtakes_its_registration_ends_nothing),
        cmocka_unit_test(test_a_long_run_is_done_with_its_last_message),
        cmocka_unit_test(test_a_failed_root_is_tried_again),
        cmocka_unit_test(test_retries_wait_longer_each_time),
        cmocka_unit_test(test_a_root_given_up_is_a_dead_letter),
        cmocka_unit_test(test_a_root_given_up_without_dead_letters_is_dropped),
        cmocka_unit_test(test_copies_are_kept_for_sources_that_cannot_replay),
        cmocka_unit_test(test_retries_run_while_their_source_waits_for_room),
        cmocka_unit_test(test_a_root_that_takes_too_long_is_tried_again),
        cmocka_unit_test(test_a_stopped_machine_expires_nothing),
        cmocka_unit_test(test_a_fail_inside_the_emitting_call),
        cmocka_unit_test(test_no_more_roots_than_max_in_flight),
        cmocka_unit_test(test_a_root_may_be_sent_again_from_acked),
        cmocka_unit_test(test_more_acks_in_a_turn_than_roots_in_flight),
        cmocka_unit_test(test_suspects_of_a_crash_are_tried_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
