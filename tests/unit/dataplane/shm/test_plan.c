/* test_plan.c - a plan that lies is refused, whatever it lies about; an honest one is not. */
#include "base/err.h"
#include "base/mix.h"
#include "shm/plan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NODES = 2, TASKS = 4, WORKERS = 2, PARAM_BYTES = 16 };

/* A source and a keyed sink, a task of each on two workers. */
struct example {
    struct fly_plan head;
    struct fly_plan_node node[NODES];
    struct fly_plan_port port[1];
    struct fly_plan_edge edge[1];
    _Alignas(8) uint32_t target[2];
    _Alignas(8) uint16_t slot[FLY_SLOT_CNT];
    _Alignas(8) struct fly_plan_task task[TASKS];
    _Alignas(8) struct fly_plan_worker worker[WORKERS];
    _Alignas(8) char plugin[1][FLY_PLAN_PATH_MAX];
    uint8_t param[PARAM_BYTES];
};

#define AT(member) offsetof(struct example, member)

static void fill_head(struct fly_plan *head)
{
    *head = (struct fly_plan){
        .bytes = sizeof(struct example),
        .name = "example",
        .instance = "example-1",
        .frame_bytes = 8192,
        .node_cnt = NODES,
        .port_cnt = 1,
        .edge_cnt = 1,
        .target_cnt = 2,
        .slot_table_cnt = 1,
        .task_cnt = TASKS,
        .worker_cnt = WORKERS,
        .plugin_cnt = 1,
        .nodes = AT(node),
        .ports = AT(port),
        .edges = AT(edge),
        .targets = AT(target),
        .slots = AT(slot),
        .tasks = AT(task),
        .workers = AT(worker),
        .plugins = AT(plugin),
    };
}

static void fill(struct example *example)
{
    memset(example, 0, sizeof(*example));
    fill_head(&example->head);
    example->node[0] = (struct fly_plan_node){.name = "in",
                                              .type = "generate",
                                              .task_cnt = 2,
                                              .port_cnt = 1,
                                              .dead_edge = FLY_PLAN_NONE,
                                              .params_offset = AT(param),
                                              .params_bytes = PARAM_BYTES,
                                              .delivery = {.attempts = 3, .max_in_flight = 64},
                                              .owns_roots = 1};
    example->node[1] = (struct fly_plan_node){.name = "out",
                                              .type = "drop",
                                              .kind = 2,
                                              .first_task = 1,
                                              .task_cnt = 2,
                                              .dead_edge = FLY_PLAN_NONE,
                                              .params_offset = AT(param),
                                              .depth = 1};
    example->port[0] = (struct fly_plan_port){.name = "out", .edge_cnt = 1};
    example->edge[0] = (struct fly_plan_edge){
        .grouping = FLY_GROUP_KEY, .frame_cnt = 32, .target_cnt = 2, .max_message_bytes = 65536};
    example->target[0] = 1;
    example->target[1] = 3;
    for (uint32_t i = 0; i < FLY_SLOT_CNT; i++)
        example->slot[i] = i % 2;
    for (uint32_t i = 0; i < TASKS; i++)
        example->task[i] = (struct fly_plan_task){.node = i % 2, .worker = i / 2, .idx = i / 2};
    for (uint32_t i = 0; i < WORKERS; i++)
        example->worker[i] =
            (struct fly_plan_worker){.core = i, .first_task = i * 2, .task_cnt = 2, .root_cnt = 64};
    memcpy(example->plugin[0], "/lib/x.so", sizeof("/lib/x.so"));
}

/* One lie: a field and its value. */
struct lie {
    const char *name;
    size_t at, bytes;
    uint64_t value;
};

#define LIE(field, wrong)                                                                          \
    {                                                                                              \
#field " = " #wrong, AT(field), sizeof(((struct example *)0)->field), (uint64_t)(wrong)    \
    }

static const struct lie lies[] = {
    LIE(head.bytes, sizeof(struct example) + 8),
    LIE(head.bytes, 8),
    LIE(head.node_cnt, 0),
    LIE(head.node_cnt, FLY_PLAN_NODES_MAX + 1),
    LIE(head.node_cnt, 200),
    LIE(head.task_cnt, 3),
    LIE(head.task_cnt, 5),
    LIE(head.worker_cnt, 1),
    LIE(head.worker_cnt, FLY_PLAN_WORKERS_MAX + 1),
    LIE(head.edge_cnt, 0),
    LIE(head.slot_table_cnt, 0),
    LIE(head.target_cnt, 1),
    LIE(head.plugin_cnt, 200),
    LIE(head.nodes, UINT64_MAX - 7),
    LIE(head.tasks, AT(task) + 1),
    LIE(head.edges, 0),
    LIE(head.plugins, sizeof(struct example)),
    LIE(head.idle, 2),
    LIE(head.frame_bytes, 0),
    LIE(head.frame_bytes, 1 << 21),
    LIE(node[0].kind, 3),
    LIE(node[0].first_task, 1),
    LIE(node[0].first_task, UINT32_MAX),
    LIE(node[0].task_cnt, 0),
    LIE(node[0].task_cnt, 3),
    LIE(node[0].port_cnt, 2),
    LIE(node[0].port_cnt, UINT32_MAX),
    LIE(node[0].dead_edge, 0),
    LIE(node[0].dead_edge, 7),
    LIE(node[0].params_offset, UINT64_MAX),
    LIE(node[0].params_bytes, UINT64_MAX),
    LIE(node[0].delivery.attempts, 0),
    LIE(node[0].delivery.max_in_flight, 48),
    LIE(node[0].delivery.max_in_flight, 128),
    LIE(node[0].delivery.max_in_flight, 1u << 31),
    LIE(node[0].depth, 1),
    LIE(port[0].node, 1),
    LIE(port[0].first_edge, 1),
    LIE(port[0].edge_cnt, UINT32_MAX),
    LIE(edge[0].from_node, 1),
    LIE(edge[0].from_node, 2),
    LIE(edge[0].from_port, 1),
    LIE(edge[0].from_port, FLY_PLAN_NONE),
    LIE(edge[0].grouping, 5),
    LIE(edge[0].grouping, FLY_GROUP_LOCAL),
    LIE(edge[0].frame_cnt, 3 + 8),
    LIE(edge[0].frame_cnt, UINT32_MAX),
    LIE(edge[0].target_cnt, 0),
    LIE(edge[0].target_cnt, 3),
    LIE(edge[0].first_target, 1),
    LIE(edge[0].max_message_bytes, 0),
    LIE(edge[0].slots, 1),
    LIE(target[0], 4),
    LIE(target[1], 0),
    LIE(slot[1023], 2),
    LIE(task[0].node, 2),
    LIE(task[0].worker, 1),
    LIE(task[0].idx, 1),
    LIE(task[0].idx, UINT32_MAX),
    LIE(task[0].first_root, 1),
    LIE(task[0].first_root, UINT32_MAX),
    LIE(worker[1].first_task, 1),
    LIE(worker[1].task_cnt, UINT32_MAX),
    LIE(worker[0].root_cnt, 63),
    LIE(worker[0].root_cnt, FLY_PLAN_IN_FLIGHT_MAX + 1),
};

static void test_refuses_every_lie(void **state)
{
    (void)state;
    static struct example example;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        fill(&example);
        memcpy((uint8_t *)&example + lies[i].at, &lies[i].value, lies[i].bytes);
        if (fly_plan_check(&example.head, sizeof(example)) != -EINVAL)
            fail_msg("not refused: %s", lies[i].name);
        assert_true(fly_err_text()[0]);
    }
}

static void test_refuses_texts_that_do_not_end(void **state)
{
    (void)state;
    static struct example example;
    char *texts[] = {example.head.name,    example.head.instance, example.node[1].name,
                     example.node[1].type, example.port[0].name,  example.plugin[0]};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        fill(&example);
        memset(texts[i], 'x', i == 5 ? FLY_PLAN_PATH_MAX : FLY_PLAN_NAME_MAX);
        assert_int_equal(fly_plan_check(&example.head, sizeof(example)), -EINVAL);
    }
}

static void test_refuses_a_cut_plan(void **state)
{
    (void)state;
    static struct example example;
    fill(&example);
    assert_int_equal(fly_plan_check(&example.head, 0), -EINVAL);
    assert_int_equal(fly_plan_check(&example.head, sizeof(example) - 1), -EINVAL);
}

static void test_accepts_an_honest_plan(void **state)
{
    (void)state;
    static struct example example;
    fill(&example);
    int rc = fly_plan_check(&example.head, sizeof(example));
    assert_string_equal(rc ? fly_err_text() : "", "");
    assert_int_equal(fly_plan_check(&example.head, sizeof(example) + 4096), 0);
    assert_string_equal(fly_plan_plugin(&example.head, 0), "/lib/x.so");
    assert_int_equal(fly_plan_slots(&example.head, 0)[3], 1);
}

/* Random bytes anywhere: refused or accepted, but never read outside (the sanitizers watch). */
static void test_survives_random_damage(void **state)
{
    (void)state;
    uint64_t seed = 20240917;
    struct fly_rng rng;
    fly_rng_init(&rng, seed);
    struct example *example = malloc(sizeof(*example));
    assert_non_null(example);
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < 20000; round++) {
        fill(example);
        for (uint64_t i = 0; i <= fly_rng_below(&rng, 3); i++) {
            size_t range = fly_rng_below(&rng, 2) ? AT(slot) : sizeof(*example);
            ((uint8_t *)example)[fly_rng_below(&rng, range)] = (uint8_t)fly_rng_next(&rng);
        }
        int rc = fly_plan_check(&example->head, sizeof(*example));
        assert_true(rc == 0 || rc == -EINVAL);
    }
    free(example);
}

static void test_smallest_budget_holds_a_chain(void **state)
{
    (void)state;
    static struct example example;
    fill(&example);
    assert_int_equal(fly_plan_chain_frames(8192, 8192 - FLY_PLAN_MESSAGE_OVERHEAD), 1);
    assert_int_equal(fly_plan_chain_frames(8192, 8192), 2);
    assert_int_equal(fly_plan_frames_min(&example.head, &example.edge[0]), 2 + 1 + 9);
    example.edge[0].frame_cnt = 12;
    assert_int_equal(fly_plan_check(&example.head, sizeof(example)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_every_lie),
        cmocka_unit_test(test_refuses_texts_that_do_not_end),
        cmocka_unit_test(test_refuses_a_cut_plan),
        cmocka_unit_test(test_accepts_an_honest_plan),
        cmocka_unit_test(test_survives_random_damage),
        cmocka_unit_test(test_smallest_budget_holds_a_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
