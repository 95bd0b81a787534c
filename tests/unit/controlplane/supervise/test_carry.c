/* test_carry.c - what a dead dataplane leaves: counts that balance, and open roots for the next
 * one. */
#include "ack/tracker.h"
#include "base/mix.h"
#include "supervise/carry.h"
#include "supervise/summary.h"
#include "supervise/tally.h"
#include "worker/note.h"
#include "worker/restore.h"

#include <flyover/plugin.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROOTS = 64, TASKS = 3, SOURCE_A = 0, SOURCE_B = 1, STAGE = 2 };

/* One worker with two sources (the second cannot go on) and a stage that owns roots. */
struct world {
    struct fly_plan *plan;
    struct fly_layout layout;
    struct fly_workspace workspace;
    struct fly_root_range range[TASKS];
    struct fly_carry carry;
    struct fly_tally tally;
};

struct plan_bytes {
    struct fly_plan head;
    struct fly_plan_node node[TASKS];
    _Alignas(8) struct fly_plan_task task[TASKS];
    _Alignas(8) struct fly_plan_worker worker[1];
};

static void fill_plan(struct plan_bytes *plan)
{
    static const char *const names[] = {"a", "b", "stage"};
    plan->head = (struct fly_plan){.bytes = sizeof(*plan),
                                   .name = "p",
                                   .instance = "p",
                                   .frame_bytes = 8192,
                                   .node_cnt = TASKS,
                                   .task_cnt = TASKS,
                                   .worker_cnt = 1,
                                   .nodes = offsetof(struct plan_bytes, node),
                                   .ports = sizeof(*plan),
                                   .edges = sizeof(*plan),
                                   .targets = sizeof(*plan),
                                   .slots = sizeof(*plan),
                                   .tasks = offsetof(struct plan_bytes, task),
                                   .workers = offsetof(struct plan_bytes, worker),
                                   .plugins = sizeof(*plan)};
    for (uint32_t i = 0; i < TASKS; i++) {
        plan->node[i] = (struct fly_plan_node){.type = "t",
                                               .kind = i == STAGE ? FLY_STAGE : FLY_SOURCE,
                                               .first_task = i,
                                               .task_cnt = 1,
                                               .dead_edge = FLY_PLAN_NONE,
                                               .delivery = {.attempts = 3, .max_in_flight = ROOTS},
                                               .owns_roots = 1};
        snprintf(plan->node[i].name, sizeof(plan->node[i].name), "%s", names[i]);
        plan->task[i] = (struct fly_plan_task){.node = i, .first_root = i * ROOTS};
    }
    plan->worker[0] = (struct fly_plan_worker){.task_cnt = TASKS, .root_cnt = TASKS * ROOTS};
}

static void open_workspace(struct world *world)
{
    struct fly_workspace *workspace = &world->workspace;
    assert_int_equal(fly_workspace_create(workspace, world->layout.bytes, false), 0);
    memcpy(workspace->plan, world->plan, world->plan->bytes);
    workspace->header->incarnation = 1;
    assert_int_equal(fly_layout_format(workspace, &world->layout), 0);
    struct fly_tracker *tracker = fly_place(workspace, world->layout.worker[0].tracker);
    for (uint32_t i = 0; i < TASKS; i++)
        fly_tracker_range(tracker, &world->range[i], i * ROOTS, ROOTS, (uint16_t)i);
}

static int open_world(void **state)
{
    static const bool can_go_on[TASKS] = {true, false, true};
    struct world *world = calloc(1, sizeof(*world));
    struct plan_bytes *plan = calloc(1, sizeof(*plan));
    assert_non_null(world);
    assert_non_null(plan);
    fill_plan(plan);
    world->plan = &plan->head;
    assert_int_equal(fly_plan_check(world->plan, sizeof(*plan)), 0);
    assert_int_equal(fly_layout_compute(world->plan, &world->layout), 0);
    assert_int_equal(fly_carry_create(&world->carry, world->plan, can_go_on), 0);
    assert_int_equal(fly_tally_create(&world->tally, world->plan), 0);
    open_workspace(world);
    *state = world;
    return 0;
}

static int close_world(void **state)
{
    struct world *world = *state;
    fly_workspace_close(&world->workspace);
    fly_tally_destroy(&world->tally);
    fly_carry_destroy(&world->carry);
    fly_layout_fini(&world->layout);
    free(world->plan);
    free(world);
    return 0;
}

/* Opens a root as a source's emit does, and counts it. */
static struct fly_root_entry *emit(struct world *world, uint32_t task, uint64_t id)
{
    struct fly_tracker *tracker = fly_place(&world->workspace, world->layout.worker[0].tracker);
    struct fly_source_stats *stats = fly_source_stats(&world->workspace, &world->layout, task);
    struct fly_root_entry *entry = fly_tracker_begin(tracker, &world->range[task], id, 0, 0);
    fly_count(&stats->in, 1);
    fly_count(&stats->in_flight, 1);
    fly_gauge(&stats->position, id + 1);
    fly_gauge(&stats->has_position, 1);
    return entry;
}

static void ack(struct world *world, uint32_t task, struct fly_root_entry *entry)
{
    struct fly_tracker *tracker = fly_place(&world->workspace, world->layout.worker[0].tracker);
    struct fly_source_stats *stats = fly_source_stats(&world->workspace, &world->layout, task);
    fly_tracker_free(tracker, &world->range[task], entry);
    fly_count(&stats->acked, 1);
    fly_gauge(&stats->in_flight, fly_counted(&stats->in_flight) - 1);
    fly_histogram_record(fly_source_histogram(&world->workspace, &world->layout, task), 1000, 1);
}

/* Notes that the worker is processing `entry` for the stage. */
static void note(struct world *world, const struct fly_root_entry *entry)
{
    const struct fly_worker_place *worker = &world->layout.worker[0];
    const struct fly_tracker *tracker = fly_place(&world->workspace, worker->tracker);
    _Atomic uint32_t *running = fly_place(&world->workspace, worker->running);
    struct fly_note *cells = fly_place(&world->workspace, world->layout.task[STAGE].note);
    uint32_t cnt = atomic_load(&cells->root_cnt);
    cells->root[cnt] = (uint32_t)(entry - tracker->entry);
    atomic_store(&cells->root_cnt, cnt + 1);
    atomic_store(running, STAGE);
}

static void test_without_a_position_the_carry_stays(void **state)
{
    struct world *world = *state;
    world->carry.task[SOURCE_A].position = 500;
    world->carry.task[SOURCE_A].has_position = 1;
    assert_int_equal(fly_carry_live(&world->carry, &world->workspace, &world->layout), 0);
    assert_int_equal(world->carry.task[SOURCE_A].position, 500);
    assert_true(fly_carry_has_position(&world->carry));
}

static void test_open_roots_below_the_position_are_carried(void **state)
{
    struct world *world = *state;
    struct fly_root_entry *acked = emit(world, SOURCE_A, 10);
    struct fly_root_entry *open = emit(world, SOURCE_A, 20);
    struct fly_root_entry *above = emit(world, SOURCE_A, 30);
    fly_root_set(open, FLY_ROOT_LIVE);
    fly_root_set(above, FLY_ROOT_LIVE);
    ack(world, SOURCE_A, acked);
    fly_gauge(&fly_source_stats(&world->workspace, &world->layout, SOURCE_A)->position, 25);
    assert_int_equal(fly_carry_live(&world->carry, &world->workspace, &world->layout), 0);
    const struct fly_state_task *task = &world->carry.task[SOURCE_A];
    assert_int_equal(task->position, 25);
    assert_int_equal(task->root_cnt, 1);
    assert_int_equal(task->root[0].id, 20);
    assert_int_equal(task->root[0].attempts, 0);
}

/* What a poll had handed on when the process died, and what had no name yet. */
static void hand_on(struct world *world, uint32_t task, uint32_t running)
{
    struct fly_note *lines = fly_place(&world->workspace, world->layout.task[task].note);
    struct fly_source_stats *stats = fly_source_stats(&world->workspace, &world->layout, task);
    fly_gauge(&stats->position, 40);
    fly_gauge(&stats->has_position, 1);
    lines->fresh_id[0] = 40;
    lines->fresh_id[1] = 50;
    atomic_store(&lines->fresh_next, 60);
    atomic_store(&lines->fresh_cnt, 2);
    atomic_store((_Atomic uint32_t *)fly_place(&world->workspace, world->layout.worker[0].running),
                 running);
}

static void test_roots_without_a_name_are_suspects_of_a_dead_poll(void **state)
{
    struct world *world = *state;
    hand_on(world, SOURCE_A, SOURCE_A);
    assert_int_equal(fly_carry_dead(&world->carry, &world->workspace, &world->layout), 0);
    const struct fly_state_task *task = &world->carry.task[SOURCE_A];
    assert_int_equal(task->position, 60);
    assert_int_equal(task->root_cnt, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(task->root[i].id, 40 + 10 * i);
        assert_int_equal(task->root[i].attempts, 1);
        assert_int_equal(task->root[i].flags, FLY_RESTORE_SUSPECT);
    }
}

static void test_roots_without_a_name_of_a_suspended_poll_are_not_blamed(void **state)
{
    struct world *world = *state;
    hand_on(world, SOURCE_A, STAGE);
    assert_int_equal(fly_carry_dead(&world->carry, &world->workspace, &world->layout), 0);
    const struct fly_state_task *task = &world->carry.task[SOURCE_A];
    assert_int_equal(task->position, 60);
    assert_int_equal(task->root_cnt, 2);
    assert_int_equal(task->root[0].attempts, 0);
    assert_int_equal(task->root[0].flags, 0);
}

/* The position that is saved while it runs is below them: they would be polled again. */
static void test_a_running_polls_roots_are_above_the_position(void **state)
{
    struct world *world = *state;
    hand_on(world, SOURCE_A, SOURCE_A);
    assert_int_equal(fly_carry_live(&world->carry, &world->workspace, &world->layout), 0);
    assert_int_equal(world->carry.task[SOURCE_A].position, 40);
    assert_int_equal(world->carry.task[SOURCE_A].root_cnt, 0);
}

static void test_only_roots_in_work_count_the_attempt(void **state)
{
    struct world *world = *state;
    struct fly_root_entry *guilty = emit(world, SOURCE_A, 1), *other = emit(world, SOURCE_A, 2);
    struct fly_root_entry *waiting = emit(world, SOURCE_A, 3), *last = emit(world, SOURCE_A, 4);
    fly_root_set(guilty, FLY_ROOT_LIVE);
    fly_root_set(other, FLY_ROOT_LIVE);
    fly_root_set(waiting, FLY_ROOT_WAITING);
    fly_root_set(last, FLY_ROOT_LIVE);
    atomic_store(&last->flags, FLY_ROOT_DEAD);
    note(world, guilty);
    assert_int_equal(fly_carry_dead(&world->carry, &world->workspace, &world->layout), 0);
    const struct fly_state_task *task = &world->carry.task[SOURCE_A];
    const struct {
        uint32_t attempts, flags;
    } expected[] = {{1, FLY_RESTORE_SUSPECT}, {0, 0}, {1, 0}, {0, FLY_RESTORE_DEAD}};
    assert_int_equal(task->root_cnt, 4);
    for (uint32_t i = 0; i < 4; i++) {
        uint64_t which = task->root[i].id - 1;
        assert_int_equal(task->root[i].attempts, expected[which].attempts);
        assert_int_equal(task->root[i].flags, expected[which].flags);
    }
}

static void test_suspects_take_turns_in_the_next_workspace(void **state)
{
    struct world *world = *state;
    for (uint64_t id = 0; id < 10; id++) {
        struct fly_root_entry *entry = emit(world, SOURCE_A, id);
        fly_root_set(entry, FLY_ROOT_LIVE);
        if (id % 2)
            note(world, entry);
    }
    assert_int_equal(fly_carry_dead(&world->carry, &world->workspace, &world->layout), 0);
    fly_workspace_close(&world->workspace);
    open_workspace(world);
    fly_carry_write(&world->carry, &world->workspace, &world->layout);
    const struct fly_restore *restore = fly_restore_of(&world->workspace, &world->layout, SOURCE_A);
    uint32_t turn = 5;
    assert_int_equal(atomic_load(&world->workspace.header->quarantined), 5);
    assert_int_equal(restore->has_position, 1);
    assert_int_equal(restore->position, 10);
    assert_int_equal(restore->cnt, 10);
    for (uint32_t i = 0; i < restore->cnt; i++) {
        if (restore->root[i].flags & FLY_RESTORE_SUSPECT)
            assert_int_equal(restore->root[i].turn, turn--);
    }
    assert_int_equal(turn, 0);
}

static void test_what_nobody_sends_again_is_abandoned(void **state)
{
    struct world *world = *state;
    ack(world, SOURCE_B, emit(world, SOURCE_B, 1));
    emit(world, SOURCE_B, 2);
    emit(world, STAGE, 3);
    emit(world, STAGE, 4);
    emit(world, SOURCE_A, 5);
    const uint64_t expected[TASKS] = {0, 1, 2};
    fly_tally_read(&world->tally, &world->workspace, &world->layout);
    for (uint32_t i = 0; i < TASKS; i++) {
        uint64_t lost = fly_carry_abandoned(&world->carry, &world->workspace, &world->layout, i);
        assert_int_equal(lost, expected[i]);
        fly_tally_settle(world->tally.node[i].roots, lost);
        assert_true(fly_tally_balances(world->tally.node[i].roots));
    }
    assert_int_equal(world->tally.node[SOURCE_B].roots->in, 2);
    assert_int_equal(world->tally.node[SOURCE_A].roots->in, 0);
}

/* Lives of random length, each ended by a crash at a random moment, the open roots restored in the
 * next: in the end every id has been acked and the ledger counts each of them once. */
static void test_random_lives_balance(void **state)
{
    enum { IDS = 5000 };
    struct world *world = *state;
    uint64_t seed = 77, next = 0;
    struct fly_rng rng;
    struct fly_root_entry *open[ROOTS];
    uint32_t open_cnt = 0;
    print_message("seed %llu\n", (unsigned long long)seed);
    fly_rng_init(&rng, seed);
    while (next < IDS || open_cnt) {
        if (next < IDS && open_cnt < ROOTS && fly_rng_below(&rng, 2)) {
            open[open_cnt] = emit(world, SOURCE_A, next++);
            fly_root_set(open[open_cnt++], FLY_ROOT_LIVE);
        } else if (open_cnt) {
            uint64_t pick = fly_rng_below(&rng, open_cnt);
            ack(world, SOURCE_A, open[pick]);
            open[pick] = open[--open_cnt];
        }
        if (fly_rng_below(&rng, 500))
            continue;
        assert_int_equal(fly_carry_dead(&world->carry, &world->workspace, &world->layout), 0);
        assert_int_equal(world->carry.task[SOURCE_A].root_cnt, open_cnt);
        fly_tally_read(&world->tally, &world->workspace, &world->layout);
        fly_tally_settle(world->tally.node[SOURCE_A].roots, 0);
        fly_workspace_close(&world->workspace);
        open_workspace(world);
        open_cnt = 0;
        for (uint32_t i = 0; i < world->carry.task[SOURCE_A].root_cnt; i++) {
            open[open_cnt] = emit(world, SOURCE_A, world->carry.task[SOURCE_A].root[i].id);
            fly_root_set(open[open_cnt++], FLY_ROOT_LIVE);
        }
        fly_gauge(&fly_source_stats(&world->workspace, &world->layout, SOURCE_A)->position, next);
        fly_gauge(&fly_source_stats(&world->workspace, &world->layout, SOURCE_A)->has_position, 1);
    }
    fly_tally_read(&world->tally, &world->workspace, &world->layout);
    const struct fly_tally_roots *roots = world->tally.node[SOURCE_A].roots;
    assert_int_equal(roots->in, IDS);
    assert_int_equal(roots->acked, IDS);
    assert_int_equal(roots->in_flight, 0);
    assert_true(fly_tally_balances(roots));
    assert_int_equal(fly_histogram_count(roots->latency), IDS);
}

static void test_a_missing_term_unbalances(void **state)
{
    (void)state;
    struct fly_tally_roots roots = {
        .in = 15, .acked = 1, .failed = 2, .dropped = 3, .abandoned = 4, .in_flight = 5};
    assert_true(fly_tally_balances(&roots));
    uint64_t *const terms[] = {&roots.in,      &roots.acked,     &roots.failed,
                               &roots.dropped, &roots.abandoned, &roots.in_flight};
    for (size_t i = 0; i < sizeof(terms) / sizeof(terms[0]); i++) {
        (*terms[i])++;
        assert_false(fly_tally_balances(&roots));
        (*terms[i])--;
    }
}

static void test_the_summary_has_every_term(void **state)
{
    struct world *world = *state;
    char *text;
    size_t bytes;
    ack(world, SOURCE_A, emit(world, SOURCE_A, 1));
    emit(world, SOURCE_A, 2);
    struct fly_source_stats *stats = fly_source_stats(&world->workspace, &world->layout, SOURCE_A);
    fly_count(&stats->dropped_by[FLY_REASON_TIMEOUT], 4);
    fly_tally_read(&world->tally, &world->workspace, &world->layout);
    struct fly_summary summary = {
        .plan = world->plan, .tally = &world->tally, .outcome = "ended", .seconds = 2};
    FILE *file = open_memstream(&text, &bytes);
    assert_int_equal(fly_summary_print_json(&summary, file), 0);
    fclose(file);
    json_t *root = json_loads(text, 0, NULL);
    assert_non_null(root);
    json_t *source = json_object_get(json_object_get(root, "sources"), "a");
    static const char *const terms[] = {"in",        "acked",     "failed",  "dropped",
                                        "abandoned", "in_flight", "retried", "dead_letters"};
    static const int values[] = {2, 1, 0, 0, 0, 1, 0, 0};
    for (size_t i = 0; i < sizeof(terms) / sizeof(terms[0]); i++)
        assert_int_equal(json_integer_value(json_object_get(source, terms[i])), values[i]);
    assert_true(json_is_integer(json_object_get(source, "in")));
    assert_true(json_real_value(json_object_get(source, "per_second")) == 0.5);
    json_t *latency = json_object_get(source, "latency_ns");
    assert_int_equal(json_integer_value(json_object_get(latency, "max")), 1000);
    assert_true(json_is_integer(json_object_get(latency, "p9999")));
    json_t *dropped = json_object_get(source, "dropped_by");
    assert_int_equal(json_integer_value(json_object_get(dropped, "timeout")), 4);
    assert_non_null(json_object_get(json_object_get(root, "nodes"), "stage"));
    assert_string_equal(json_string_value(json_object_get(root, "pipeline")), "p");
    assert_true(json_number_value(json_object_get(root, "seconds")) == 2);
    json_decref(root);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_without_a_position_the_carry_stays, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(test_open_roots_below_the_position_are_carried, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(test_roots_without_a_name_are_suspects_of_a_dead_poll,
                                        open_world, close_world),
        cmocka_unit_test_setup_teardown(
            test_roots_without_a_name_of_a_suspended_poll_are_not_blamed, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_a_running_polls_roots_are_above_the_position,
                                        open_world, close_world),
        cmocka_unit_test_setup_teardown(test_only_roots_in_work_count_the_attempt, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(test_suspects_take_turns_in_the_next_workspace, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(test_what_nobody_sends_again_is_abandoned, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(test_random_lives_balance, open_world, close_world),
        cmocka_unit_test(test_a_missing_term_unbalances),
        cmocka_unit_test_setup_teardown(test_the_summary_has_every_term, open_world, close_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
