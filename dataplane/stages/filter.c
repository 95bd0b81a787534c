/* filter.c - two ports: messages that meet a condition, and the rest. */
#include "stages/match.h"
#include "stages/stages.h"

#include <flyover/stage.h>

struct filter {
    struct fly_match_params params;
    bool negate;

    struct fly_match match;
    struct fly_json_fields fields;
    uint32_t out, rest; /* ports */
};

static int filter_check(const void *self, struct fly_refusal *refusal)
{
    const struct filter *filter = self;
    return fly_match_check(&filter->params, "", refusal);
}

static int filter_setup(struct fly_task *task, void *self)
{
    struct filter *filter = self;
    if (fly_json_fields_open(&filter->fields, task, 1))
        return -1;
    if (fly_match_open(&filter->match, &filter->params, task, &filter->fields))
        return fly_task_refuse(task, NULL, "there is no memory for its condition");
    if (fly_task_port(task, "out", &filter->out))
        return -1;
    return fly_task_port(task, "rest", &filter->rest);
}

static void filter_teardown(struct fly_task *task, void *self)
{
    struct filter *filter = self;
    (void)task;
    fly_match_close(&filter->match);
}

static void filter_one(struct fly_task *task, struct filter *filter, const struct fly_msg *msg)
{
    if (filter->fields.cnt && !fly_json_fields_scan(&filter->fields, msg)) {
        fly_fail(task, msg, FLY_REASON_BAD_INPUT);
        return;
    }
    enum fly_matched matched = fly_match_run(&filter->match, &filter->fields, msg);
    if (matched == FLY_MATCH_ERROR)
        fly_fail(task, msg, FLY_REASON_BAD_INPUT);
    else
        fly_forward(task, (matched == FLY_MATCH_YES) != filter->negate ? filter->out : filter->rest,
                    msg);
}

static void filter_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    for (uint32_t i = 0; i < batch->cnt; i++)
        filter_one(task, self, &batch->msg[i]);
}

static const char *const filter_ports[] = {"out", "rest", NULL};

static const struct fly_param filter_params[] = {
    FLY_MATCH_ROWS("", offsetof(struct filter, params)),
    {.name = "negate",
     .type = FLY_PARAM_BOOL,
     .at = offsetof(struct filter, negate),
     .preset = "false",
     .help = "Pass on what does not meet the condition."},
    {0},
};

const struct fly_node fly_filter_node = {
    .name = "filter",
    .kind = FLY_STAGE,
    .help = "Passes messages on whose payload, or a field of it, meets a condition; the others "
            "leave by port `rest`. With `field`, a message that is not JSON fails.",
    .example = "errors: {type: filter, inputs: [lines], contains: ERROR}",
    .params = filter_params,
    .ports = filter_ports,
    .self_bytes = sizeof(struct filter),
    .check = filter_check,
    .setup = filter_setup,
    .teardown = filter_teardown,
    .process = filter_process,
};
