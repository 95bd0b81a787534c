/* test_build.c - the plan follows its rules: tasks, edges, budgets, and what each node gets. */
#include "base/err.h"
#include "base/mix.h"
#include "plan/build.h"
#include "plan/params.h"
#include "plan/print.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NODES_MAX = 64, INPUTS_MAX = 16 };

static void tick(struct fly_task *task, void *self)
{
    (void)task;
    (void)self;
}

static void replay(struct fly_task *task, void *self, uint64_t id, struct fly_attempt attempt)
{
    (void)task;
    (void)self;
    (void)id;
    (void)attempt;
}

static const struct fly_node source_type = {.name = "lines", .kind = FLY_SOURCE, .replay = replay};
static const struct fly_node single_type = {.name = "one", .kind = FLY_SOURCE, .tasks_preset = 1};
static const struct fly_node stage_type = {.name = "pass", .kind = FLY_STAGE};
static const struct fly_node keyed_type = {
    .name = "count", .kind = FLY_STAGE, .keyed_state = true, .tick = tick};
static const struct fly_node holding_type = {.name = "batch", .kind = FLY_STAGE, .holds = true};
static const struct fly_node sink_type = {
    .name = "file", .kind = FLY_SINK, .tasks_preset = 1, .tasks_max = 1};
static const struct fly_node wide_sink_type = {.name = "drop", .kind = FLY_SINK};

static const char *const out_port[] = {"out", "errors"};

/* A pipeline under construction. */
struct model {
    struct fly_pipeline pipeline;
    struct fly_pipeline_node node[NODES_MAX];
    struct fly_pipeline_input input[NODES_MAX][INPUTS_MAX];
    char name[NODES_MAX][16];
};

static void model_start(struct model *model)
{
    memset(model, 0, sizeof(*model));
    model->pipeline.name = "example";
    model->pipeline.node = model->node;
}

static struct fly_pipeline_node *model_add(struct model *model, const struct fly_node *type)
{
    uint32_t idx = model->pipeline.node_cnt++;
    struct fly_pipeline_node *node = &model->node[idx];
    snprintf(model->name[idx], sizeof(model->name[idx]), "n%u", idx);
    node->name = model->name[idx];
    node->type = type;
    node->port = out_port;
    node->port_cnt = type->kind == FLY_SINK ? 0 : 2;
    node->input = model->input[idx];
    node->dead_letters = FLY_PIPELINE_NONE;
    return node;
}

static struct fly_pipeline_input *model_link(struct model *model, uint32_t from, uint32_t to,
                                             enum fly_grouping grouping)
{
    struct fly_pipeline_node *node = &model->node[to];
    struct fly_pipeline_input *input = &node->input[node->input_cnt++];
    *input = (struct fly_pipeline_input){.from_node = from, .grouping = grouping};
    return input;
}

static uint32_t usable_core_cnt(void)
{
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
    return (uint32_t)CPU_COUNT(&set);
}

static struct fly_built *build(const struct model *model)
{
    struct fly_build_options options = {.instance = NULL};
    struct fly_built *built;
    int rc = fly_plan_build(&model->pipeline, &options, &built);
    if (rc)
        fail_msg("%s", fly_err_text());
    return built;
}

static void refuse(const struct model *model, const char *word)
{
    struct fly_build_options options = {.instance = NULL};
    struct fly_built *built;
    assert_int_equal(fly_plan_build(&model->pipeline, &options, &built), -EINVAL);
    assert_null(built);
    if (!strstr(fly_err_text(), word))
        fail_msg("'%s' is not in: %s", word, fly_err_text());
}

static void test_refuses_cores_that_are_not_there(void **state)
{
    (void)state;
    struct model model;
    struct fly_build_options options = {.instance = NULL};
    struct fly_built *built;
    model_start(&model);
    model_add(&model, &source_type);
    model_add(&model, &wide_sink_type);
    model_link(&model, 0, 1, FLY_GROUP_LOCAL);
    options.cores.bits[FLY_CORES_MAX / 64 - 1] = 1;
    assert_int_equal(fly_plan_build(&model.pipeline, &options, &built), -EINVAL);
    assert_non_null(strstr(fly_err_text(), "core 960"));
    assert_non_null(fly_err_hint());
    struct fly_string far = {"1000", 4};
    model.node[1].options.cores = (struct fly_list){&far, 1};
    refuse(&model, "cores 1000");
}

static void test_refuses_cycles_and_empty_pipelines(void **state)
{
    (void)state;
    struct model model;
    model_start(&model);
    refuse(&model, "0 nodes");
    model_add(&model, &source_type);
    model_add(&model, &stage_type);
    model_add(&model, &stage_type);
    model_link(&model, 0, 1, FLY_GROUP_LOCAL);
    model_link(&model, 1, 2, FLY_GROUP_LOCAL);
    model_link(&model, 2, 1, FLY_GROUP_LOCAL);
    refuse(&model, "cycle");
}

static void test_refuses_budgets_that_could_deadlock(void **state)
{
    (void)state;
    struct model model;
    model_start(&model);
    model_add(&model, &single_type);
    model_add(&model, &sink_type);
    struct fly_pipeline_input *input = model_link(&model, 0, 1, FLY_GROUP_LOCAL);
    input->max_message_bytes = 65536;
    input->frames = 1 + 9 + 1 - 1;
    refuse(&model, "frames are too few");
    input->frames++;
    struct fly_built *built = build(&model);
    assert_int_equal(fly_plan_edges(built->plan)[0].frame_cnt, 11);
    fly_built_destroy(built);
    input->max_message_bytes = UINT64_C(1) << 31;
    refuse(&model, "max_message_bytes");
    input->max_message_bytes = 0;
    model.pipeline.options.frame_bytes = 1 << 20;
    refuse(&model, "frame_bytes");
    model.pipeline.options.frame_bytes = 0;
    model.node[0].options.delivery.max_in_flight = FLY_PLAN_IN_FLIGHT_MAX + 1;
    refuse(&model, "max_in_flight");
}

static void test_one_task_on_each_worker_unless_told_otherwise(void **state)
{
    (void)state;
    struct model model;
    uint32_t core_cnt = usable_core_cnt();
    model_start(&model);
    model_add(&model, &single_type);
    model_add(&model, &stage_type);
    model_add(&model, &sink_type);
    model_link(&model, 0, 1, FLY_GROUP_SHUFFLE);
    model_link(&model, 1, 2, FLY_GROUP_LOCAL);
    struct fly_built *built = build(&model);
    const struct fly_plan_node *nodes = fly_plan_nodes(built->plan);
    assert_int_equal(built->plan->worker_cnt, core_cnt);
    assert_int_equal(nodes[0].task_cnt, 1);
    assert_int_equal(nodes[1].task_cnt, core_cnt);
    assert_int_equal(nodes[2].task_cnt, 1);
    uint32_t source = fly_plan_tasks(built->plan)[nodes[0].first_task].worker;
    uint32_t sink = fly_plan_tasks(built->plan)[nodes[2].first_task].worker;
    assert_int_equal(source, 0);
    assert_int_equal(sink, core_cnt > 1 ? 1 : 0);
    assert_int_equal(built->note_cnt, 0);
    fly_built_destroy(built);
}

static void test_too_many_tasks_are_capped_with_a_note(void **state)
{
    (void)state;
    struct model model;
    model_start(&model);
    model_add(&model, &single_type);
    model_add(&model, &stage_type)->options.tasks = 1000;
    model_add(&model, &sink_type)->options.tasks = 2;
    model_link(&model, 0, 1, FLY_GROUP_SHUFFLE);
    model_link(&model, 1, 2, FLY_GROUP_LOCAL);
    struct fly_built *built = build(&model);
    assert_int_equal(fly_plan_nodes(built->plan)[1].task_cnt, usable_core_cnt());
    assert_int_equal(fly_plan_nodes(built->plan)[2].task_cnt, 1);
    assert_int_equal(built->note_cnt, 2);
    assert_non_null(strstr(built->note[0], "n1"));
    fly_built_destroy(built);
}

static void test_slots_are_even_blocks(void **state)
{
    (void)state;
    struct model model;
    model_start(&model);
    model_add(&model, &single_type);
    model_add(&model, &keyed_type);
    model_link(&model, 0, 1, FLY_GROUP_KEY);
    struct fly_built *built = build(&model);
    const struct fly_plan_edge *edge = &fly_plan_edges(built->plan)[0];
    uint32_t cnt[FLY_PLAN_TARGETS_MAX] = {0};
    assert_int_equal(edge->slots, 0);
    for (uint32_t i = 0; i < FLY_SLOT_CNT; i++) {
        uint16_t target = fly_plan_slots(built->plan, 0)[i];
        assert_true(i == 0 || target >= fly_plan_slots(built->plan, 0)[i - 1]);
        cnt[target]++;
    }
    for (uint32_t i = 0; i < edge->target_cnt; i++)
        assert_in_range(cnt[i], FLY_SLOT_CNT / edge->target_cnt,
                        FLY_SLOT_CNT / edge->target_cnt + 1);
    fly_built_destroy(built);
}

static void test_a_group_shares_one_edge_others_get_a_copy(void **state)
{
    (void)state;
    struct model model;
    model_start(&model);
    model_add(&model, &single_type);
    for (int i = 0; i < 4; i++)
        model_add(&model, &sink_type);
    model_link(&model, 0, 1, FLY_GROUP_SHUFFLE)->group = (struct fly_string){"g", 1};
    model_link(&model, 0, 2, FLY_GROUP_LOCAL);
    model_link(&model, 0, 3, FLY_GROUP_SHUFFLE)->group = (struct fly_string){"g", 1};
    model_link(&model, 0, 4, FLY_GROUP_SHUFFLE)->from_port = 1;
    struct fly_built *built = build(&model);
    const struct fly_plan *plan = built->plan;
    const struct fly_plan_port *port = fly_plan_ports(plan);
    const struct fly_plan_edge *edge = fly_plan_edges(plan);
    assert_int_equal(plan->edge_cnt, 3);
    assert_int_equal(port[0].edge_cnt, 2);
    assert_int_equal(port[1].first_edge, 2);
    assert_int_equal(port[1].edge_cnt, 1);
    assert_string_equal(port[1].name, "errors");
    assert_int_equal(edge[0].target_cnt, 2);
    const uint32_t *target = fly_plan_targets(plan) + edge[0].first_target;
    assert_int_equal(fly_plan_tasks(plan)[target[0]].node, 1);
    assert_int_equal(fly_plan_tasks(plan)[target[1]].node, 3);
    assert_int_equal(edge[1].target_cnt, 1);
    assert_int_equal(edge[1].slots, FLY_PLAN_NONE);
    fly_built_destroy(built);
}

static void test_delivery_presets_and_rounding(void **state)
{
    (void)state;
    struct model model;
    model_start(&model);
    model_add(&model, &source_type);
    model_add(&model, &single_type)->options.delivery.max_in_flight = 1000;
    model_add(&model, &keyed_type);
    model_add(&model, &holding_type);
    model_add(&model, &single_type)->options.delivery.attempts = 1;
    for (uint32_t i = 0; i < 5; i++)
        if (i != 2 && i != 3)
            model_link(&model, i, 2, FLY_GROUP_KEY);
    model_link(&model, 2, 3, FLY_GROUP_LOCAL);
    struct fly_built *built = build(&model);
    const struct fly_plan_node *node = fly_plan_nodes(built->plan);
    assert_int_equal(node[0].delivery.attempts, 3);
    assert_int_equal(node[0].delivery.max_in_flight, 16384);
    assert_true(node[0].delivery.ack_timeout_ns == UINT64_C(30000000000));
    assert_int_equal(node[0].delivery.backoff_ns, 100000000);
    assert_int_equal(node[0].retain_bytes, 0);
    assert_int_equal(node[1].delivery.max_in_flight, 1024);
    assert_int_equal(node[1].retain_bytes, 64 << 20);
    assert_int_equal(node[2].delivery.max_in_flight, 1024);
    assert_int_equal(node[2].retain_bytes, 8 << 20);
    assert_int_equal(node[2].state_bytes, 64 << 20);
    assert_int_equal(node[2].hold_messages, 0);
    assert_int_equal(node[3].hold_messages, 4096);
    assert_int_equal(node[3].hold_bytes, 4 << 20);
    assert_int_equal(node[4].retain_bytes, 0);
    assert_int_equal(node[0].owns_roots + node[1].owns_roots + node[2].owns_roots, 3);
    fly_built_destroy(built);
}

static void test_dead_letters_have_an_edge_that_makes_no_cycle(void **state)
{
    (void)state;
    struct model model;
    model_start(&model);
    model_add(&model, &single_type)->dead_letters = 2;
    model_add(&model, &keyed_type)->dead_letters = 2;
    model_add(&model, &holding_type)->dead_letters = 2;
    model_add(&model, &keyed_type)->dead_letters = 2;
    model_link(&model, 0, 1, FLY_GROUP_KEY);
    model_link(&model, 2, 3, FLY_GROUP_KEY);
    struct fly_built *built = build(&model);
    const struct fly_plan_node *node = fly_plan_nodes(built->plan);
    const struct fly_plan_edge *edge = fly_plan_edges(built->plan);
    assert_int_not_equal(node[0].dead_edge, FLY_PLAN_NONE);
    assert_int_not_equal(node[1].dead_edge, FLY_PLAN_NONE);
    assert_int_equal(node[2].dead_edge, FLY_PLAN_NONE);
    assert_int_equal(node[3].dead_edge, FLY_PLAN_NONE);
    assert_int_equal(edge[node[0].dead_edge].from_port, FLY_PLAN_NONE);
    assert_int_equal(edge[node[0].dead_edge].max_message_bytes,
                     FLY_BUILD_MESSAGE_BYTES + FLY_BUILD_DEAD_LETTER_EXTRA);
    assert_int_equal(node[0].depth, 0);
    assert_int_equal(node[1].depth, 1);
    assert_int_equal(node[2].depth, 2);
    assert_int_equal(node[3].depth, 3);
    assert_int_equal(node[0].direct_depth, 3);
    assert_int_equal(node[3].direct_depth, 0);
    fly_built_destroy(built);
}

static void test_tasks_are_deepest_first_and_ranges_do_not_overlap(void **state)
{
    (void)state;
    struct model model;
    model_start(&model);
    model_add(&model, &source_type);
    model_add(&model, &keyed_type);
    model_add(&model, &source_type);
    model_link(&model, 0, 1, FLY_GROUP_KEY);
    model_link(&model, 2, 1, FLY_GROUP_KEY);
    struct fly_built *built = build(&model);
    const struct fly_plan_task *task = fly_plan_tasks(built->plan);
    assert_int_equal(task[0].node, 1);
    assert_int_equal(task[1].node, 0);
    assert_int_equal(task[2].node, 2);
    assert_int_equal(task[0].first_root, 0);
    assert_int_equal(task[1].first_root, 1024);
    assert_int_equal(task[2].first_root, 1024 + 16384);
    assert_int_equal(fly_plan_workers(built->plan)[0].root_cnt, 1024 + 2 * 16384);
    fly_built_destroy(built);
}

/* Random graphs: every one is planned, and what comes out is what fly_plan_check() accepts. The
 * naive model counts edges and targets by looking at each input by itself. */
static void test_random_pipelines(void **state)
{
    (void)state;
    const struct fly_node *types[] = {&source_type, &single_type,  &stage_type,
                                      &keyed_type,  &holding_type, &wide_sink_type};
    uint64_t seed = 20251123;
    struct fly_rng rng;
    struct model *model = malloc(sizeof(*model));
    assert_non_null(model);
    print_message("seed %llu\n", (unsigned long long)seed);
    fly_rng_init(&rng, seed);
    for (int round = 0; round < 200; round++) {
        uint32_t node_cnt = 2 + (uint32_t)fly_rng_below(&rng, 20), input_cnt = 0;
        model_start(model);
        for (uint32_t i = 0; i < node_cnt; i++) {
            const struct fly_node *type = i == 0 ? &source_type : types[fly_rng_below(&rng, 6)];
            struct fly_pipeline_node *node = model_add(model, type);
            node->options.tasks = fly_rng_below(&rng, 4);
            for (uint32_t k = 0; type->kind != FLY_SOURCE && k < 3; k++) {
                uint32_t from = (uint32_t)fly_rng_below(&rng, i);
                if (model->node[from].port_cnt == 0)
                    continue;
                model_link(model, from, i, (enum fly_grouping)fly_rng_below(&rng, 5))->from_port =
                    (uint32_t)fly_rng_below(&rng, 2);
                input_cnt++;
            }
        }
        struct fly_built *built = build(model);
        assert_int_equal(built->plan->edge_cnt, input_cnt);
        uint32_t target_cnt = 0;
        for (uint32_t i = 0; i < node_cnt; i++)
            target_cnt += fly_plan_nodes(built->plan)[i].task_cnt * model->node[i].input_cnt;
        assert_int_equal(built->plan->target_cnt, target_cnt);
        assert_int_equal(fly_plan_check(built->plan, built->plan->bytes), 0);
        fly_built_destroy(built);
    }
    free(model);
}

static void test_the_plan_is_printed_with_its_total(void **state)
{
    (void)state;
    struct model model;
    struct fly_build_options options = {.instance = "mine"};
    char *text = NULL;
    size_t bytes;
    model_start(&model);
    model_add(&model, &single_type);
    model_add(&model, &keyed_type);
    model_link(&model, 0, 1, FLY_GROUP_KEY);
    for (int json = 0; json < 2; json++) {
        FILE *file = open_memstream(&text, &bytes);
        assert_int_equal(fly_plan_print(&model.pipeline, &options, json, file), 0);
        fclose(file);
        assert_non_null(strstr(text, "mine"));
        assert_non_null(strstr(text, "total"));
        assert_non_null(strstr(text, "key"));
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_cores_that_are_not_there),
        cmocka_unit_test(test_refuses_cycles_and_empty_pipelines),
        cmocka_unit_test(test_refuses_budgets_that_could_deadlock),
        cmocka_unit_test(test_one_task_on_each_worker_unless_told_otherwise),
        cmocka_unit_test(test_too_many_tasks_are_capped_with_a_note),
        cmocka_unit_test(test_slots_are_even_blocks),
        cmocka_unit_test(test_a_group_shares_one_edge_others_get_a_copy),
        cmocka_unit_test(test_delivery_presets_and_rounding),
        cmocka_unit_test(test_dead_letters_have_an_edge_that_makes_no_cycle),
        cmocka_unit_test(test_tasks_are_deepest_first_and_ranges_do_not_overlap),
        cmocka_unit_test(test_random_pipelines),
        cmocka_unit_test(test_the_plan_is_printed_with_its_total),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
