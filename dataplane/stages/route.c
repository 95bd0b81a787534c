/* route.c - a port for each condition; the first that a message meets takes it. */
#include "stages/match.h"
#include "stages/stages.h"

#include <flyover/stage.h>
#include <stdlib.h>

struct route {
    struct fly_table ports; /* of struct fly_match_params */

    struct fly_match *match; /* one for each row */
    struct fly_json_fields fields;
    uint32_t *port;
    uint32_t otherwise;
};

static const struct fly_match_params *row_of(const struct route *route, uint32_t i)
{
    return (const struct fly_match_params *)route->ports.row + i;
}

/* How many fields its conditions look at; the same one counts each time. */
static uint32_t field_cnt(const struct route *route)
{
    uint32_t cnt = 0;
    for (uint32_t i = 0; i < route->ports.cnt; i++)
        cnt += row_of(route, i)->field.bytes > 0;
    return cnt;
}

static int route_check(const void *self, struct fly_refusal *refusal)
{
    const struct route *route = self;
    if (route->ports.cnt == 0) {
        *refusal = (struct fly_refusal){"ports", "no port is named",
                                        "for example ports: {errors: {contains: ERROR}}"};
        return -1;
    }
    if (field_cnt(route) > FLY_JSON_PATHS_MAX) {
        *refusal = (struct fly_refusal){"ports", "at most 16 conditions can have a `field`", ""};
        return -1;
    }
    for (uint32_t i = 0; i < route->ports.cnt; i++) {
        char param[64] = "ports.";
        strncat(param, route->ports.name[i].text, 40);
        if (strcmp(route->ports.name[i].text, "otherwise") == 0) {
            *refusal =
                (struct fly_refusal){"ports.otherwise", "`otherwise` is the port of the rest", ""};
            return -1;
        }
        if (fly_match_check(row_of(route, i), param, refusal))
            return -1;
    }
    return 0;
}

static int route_setup(struct fly_task *task, void *self)
{
    struct route *route = self;
    uint32_t cnt = route->ports.cnt;
    route->port = fly_task_alloc(task, cnt * sizeof(*route->port));
    route->match = fly_task_alloc(task, cnt * sizeof(*route->match));
    if (!route->port || !route->match)
        return fly_task_refuse(task, "ports", "there is no memory for so many ports");
    if (fly_json_fields_open(&route->fields, task, field_cnt(route)))
        return -1;
    for (uint32_t i = 0; i < cnt; i++) {
        if (fly_match_open(&route->match[i], row_of(route, i), task, &route->fields))
            return fly_task_refuse(task, "ports", "there is no memory for its conditions");
        if (fly_task_port(task, route->ports.name[i].text, &route->port[i]))
            return -1;
    }
    return fly_task_port(task, "otherwise", &route->otherwise);
}

static void route_teardown(struct fly_task *task, void *self)
{
    struct route *route = self;
    (void)task;
    for (uint32_t i = 0; route->match && i < route->ports.cnt; i++)
        fly_match_close(&route->match[i]);
}

static void route_one(struct fly_task *task, struct route *route, const struct fly_msg *msg)
{
    if (route->fields.cnt && !fly_json_fields_scan(&route->fields, msg)) {
        fly_fail(task, msg, FLY_REASON_BAD_INPUT);
        return;
    }
    for (uint32_t i = 0; i < route->ports.cnt; i++) {
        enum fly_matched matched = fly_match_run(&route->match[i], &route->fields, msg);
        if (matched == FLY_MATCH_NO)
            continue;
        if (matched == FLY_MATCH_YES)
            fly_forward(task, route->port[i], msg);
        else
            fly_fail(task, msg, FLY_REASON_BAD_INPUT);
        return;
    }
    fly_forward(task, route->otherwise, msg);
}

static void route_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    for (uint32_t i = 0; i < batch->cnt; i++)
        route_one(task, self, &batch->msg[i]);
}

static const char *const route_ports[] = {"otherwise", NULL};

static const struct fly_param route_rows[] = {FLY_MATCH_ROWS("", 0), {0}};

static const struct fly_param route_params[] = {
    {.name = "ports",
     .type = FLY_PARAM_TABLE,
     .at = offsetof(struct route, ports),
     .required = true,
     .row = route_rows,
     .row_bytes = sizeof(struct fly_match_params),
     .help = "A condition for each port; the first that is met takes the message."},
    {0},
};

const struct fly_node fly_route_node = {
    .name = "route",
    .kind = FLY_STAGE,
    .help = "Sends each message out of the port whose condition it meets first, or of `otherwise`. "
            "Where a condition has a `field`, a message that is not JSON fails.",
    .example = "kinds: {type: route, inputs: [lines], ports: {errors: {contains: ERROR}, "
               "slow: {matches: 'took [0-9]{4,}'}}}",
    .params = route_params,
    .ports = route_ports,
    .ports_from = "ports",
    .self_bytes = sizeof(struct route),
    .check = route_check,
    .setup = route_setup,
    .teardown = route_teardown,
    .process = route_process,
};
