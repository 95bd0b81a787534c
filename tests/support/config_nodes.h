/* config_nodes.h - node types for tests of pipeline files: every kind, every type of parameter.
 *
 * Idea       Descriptors only: nothing here runs. `test_config_nodes` is a table as built-in nodes
 *            have one.
 * Owner      Constants.
 * See also   tests/unit/controlplane/config
 */
#ifndef TEST_SUPPORT_CONFIG_NODES_H
#define TEST_SUPPORT_CONFIG_NODES_H

#include <flyover/plugin.h>
#include <stdio.h>

static const char *const test_choices[] = {"newline", "fixed", "whole_file", NULL};

struct test_rule {
    struct fly_string contains;
    uint64_t weight;
};

static const struct fly_param test_rule_params[] = {
    {.name = "contains",
     .type = FLY_PARAM_STRING,
     .at = offsetof(struct test_rule, contains),
     .required = true,
     .help = "What to look for."},
    {.name = "weight",
     .type = FLY_PARAM_UINT,
     .at = offsetof(struct test_rule, weight),
     .preset = "1",
     .help = "How much it counts."},
    {.name = NULL},
};

struct test_all {
    bool flag;
    int64_t number;
    uint64_t count, rate;
    double real;
    struct fly_string text, path;
    uint32_t framing;
    uint64_t every_ns, wait_ns, size_bytes;
    struct fly_list words, paths;
    struct fly_table rules;
    uint64_t kind_seed;
    struct fly_string kind_name;
};

static const struct fly_param test_all_params[] = {
    {.name = "flag", .type = FLY_PARAM_BOOL, .at = offsetof(struct test_all, flag), .help = "h"},
    {.name = "number",
     .type = FLY_PARAM_INT,
     .at = offsetof(struct test_all, number),
     .preset = "-3",
     .min = -10,
     .max = 10,
     .help = "h"},
    {.name = "count",
     .type = FLY_PARAM_UINT,
     .at = offsetof(struct test_all, count),
     .preset = "7",
     .min = 1,
     .max = 1e12,
     .help = "h"},
    {.name = "rate", .type = FLY_PARAM_UINT, .at = offsetof(struct test_all, rate), .help = "h"},
    {.name = "real",
     .type = FLY_PARAM_FLOAT,
     .at = offsetof(struct test_all, real),
     .preset = "0.5",
     .max = 1,
     .help = "h"},
    {.name = "text", .type = FLY_PARAM_STRING, .at = offsetof(struct test_all, text), .help = "h"},
    {.name = "path", .type = FLY_PARAM_PATH, .at = offsetof(struct test_all, path), .help = "h"},
    {.name = "framing",
     .type = FLY_PARAM_ENUM,
     .at = offsetof(struct test_all, framing),
     .preset = "fixed",
     .choices = test_choices,
     .help = "h"},
    {.name = "every",
     .type = FLY_PARAM_DURATION,
     .at = offsetof(struct test_all, every_ns),
     .preset = "5s",
     .help = "h"},
    {.name = "wait_ms",
     .type = FLY_PARAM_DURATION,
     .at = offsetof(struct test_all, wait_ns),
     .preset = "100",
     .max = 1e9,
     .help = "h"},
    {.name = "size",
     .type = FLY_PARAM_SIZE,
     .at = offsetof(struct test_all, size_bytes),
     .preset = "1KiB",
     .help = "h"},
    {.name = "words", .type = FLY_PARAM_LIST, .at = offsetof(struct test_all, words), .help = "h"},
    {.name = "paths", .type = FLY_PARAM_PATHS, .at = offsetof(struct test_all, paths), .help = "h"},
    {.name = "rules",
     .type = FLY_PARAM_TABLE,
     .at = offsetof(struct test_all, rules),
     .row = test_rule_params,
     .row_bytes = sizeof(struct test_rule),
     .help = "h"},
    {.name = "kind.seed",
     .type = FLY_PARAM_UINT,
     .at = offsetof(struct test_all, kind_seed),
     .preset = "1",
     .help = "h"},
    {.name = "kind.name",
     .type = FLY_PARAM_STRING,
     .at = offsetof(struct test_all, kind_name),
     .help = "h"},
    {.name = NULL},
};

/* Refuses the text "bad" and the number 9. */
static int test_all_check(const void *self, struct fly_refusal *refusal)
{
    const struct test_all *all = (const struct test_all *)self;
    if (all->text.bytes == 3 && strcmp(all->text.text, "bad") == 0) {
        snprintf(refusal->param, sizeof(refusal->param), "text");
        snprintf(refusal->why, sizeof(refusal->why), "'text' must not be bad");
        snprintf(refusal->hint, sizeof(refusal->hint), "be good");
        return -1;
    }
    if (all->number == 9)
        snprintf(refusal->why, sizeof(refusal->why), "nine is too much");
    return all->number == 9 ? -1 : 0;
}

static enum fly_polled test_poll(struct fly_task *task, void *self, uint32_t budget)
{
    (void)task, (void)self, (void)budget;
    return FLY_POLL_DONE;
}

static void test_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    (void)task, (void)self, (void)batch;
}

struct test_file {
    struct fly_string path;
};

static const struct fly_param test_source_params[] = {
    {.name = "path",
     .type = FLY_PARAM_PATH,
     .at = offsetof(struct test_file, path),
     .required = true,
     .help = "The file to read."},
    {.name = NULL},
};

struct test_sink {
    struct fly_string path;
    struct fly_string codec;
};

static const struct fly_param test_sink_params[] = {
    {.name = "path",
     .type = FLY_PARAM_PATH,
     .at = offsetof(struct test_sink, path),
     .required = true,
     .help = "The file to write."},
    {.name = "codec",
     .type = FLY_PARAM_STRING,
     .at = offsetof(struct test_sink, codec),
     .help = "How."},
    {.name = NULL},
};

static const char *const test_both_ports[] = {"yes", "no", NULL};
static const char *const test_rest_ports[] = {"rest", NULL};

static const struct fly_node test_gen_node = {.name = "gen",
                                              .kind = FLY_SOURCE,
                                              .help = "Makes.",
                                              .poll = test_poll,
                                              .example = "made: {type: gen}"};
static const struct fly_node test_all_node = {.name = "all",
                                              .kind = FLY_SOURCE,
                                              .help = "Has every type.",
                                              .params = test_all_params,
                                              .self_bytes = sizeof(struct test_all),
                                              .check = test_all_check,
                                              .poll = test_poll};
static const struct fly_node test_file_source_node = {.name = "file",
                                                      .kind = FLY_SOURCE,
                                                      .help = "Reads.",
                                                      .params = test_source_params,
                                                      .self_bytes = sizeof(struct test_file),
                                                      .poll = test_poll,
                                                      .example =
                                                          "lines: {type: file, path: book.txt}"};
static const struct fly_node test_pass_node = {.name = "pass",
                                               .kind = FLY_STAGE,
                                               .help = "Passes on.",
                                               .process = test_process,
                                               .example = "passed: {type: pass, inputs: [lines]}"};
static const struct fly_node test_both_node = {.name = "both",
                                               .kind = FLY_STAGE,
                                               .help = "Has two ports.",
                                               .ports = test_both_ports,
                                               .process = test_process};
static const struct fly_node test_route_node = {.name = "route",
                                                .kind = FLY_STAGE,
                                                .help = "Has ports by name.",
                                                .params = test_all_params,
                                                .self_bytes = sizeof(struct test_all),
                                                .ports = test_rest_ports,
                                                .ports_from = "rules",
                                                .process = test_process};
static const struct fly_node test_hold_node = {
    .name = "hold", .kind = FLY_STAGE, .help = "Holds.", .holds = true, .process = test_process};
static const struct fly_node test_count_node = {.name = "count",
                                                .kind = FLY_STAGE,
                                                .help = "Counts by key.",
                                                .keyed_state = true,
                                                .process = test_process,
                                                .example =
                                                    "counts: {type: count, inputs: [words]}"};
static const struct fly_node test_drop_node = {.name = "drop",
                                               .kind = FLY_SINK,
                                               .help = "Takes all.",
                                               .process = test_process,
                                               .example = "gone: {type: drop, inputs: [lines]}"};
static const struct fly_node test_file_sink_node = {
    .name = "file",
    .kind = FLY_SINK,
    .help = "Writes.",
    .params = test_sink_params,
    .self_bytes = sizeof(struct test_sink),
    .process = test_process,
    .example = "out: {type: file, inputs: [lines], path: 'out''s.txt', codec: raw}"};

static const struct fly_node *const test_config_nodes[] = {
    &test_gen_node,
    &test_all_node,
    &test_file_source_node,
    &test_pass_node,
    &test_both_node,
    &test_route_node,
    &test_hold_node,
    &test_count_node,
    &test_drop_node,
    &test_file_sink_node,
    NULL,
};

#endif
