#include "plan/build.h"

#include "base/check.h"
#include "base/err.h"
#include "plan/builder.h"
#include "plan/params.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fly_builder_note(struct fly_builder *builder, const char *fmt, ...)
{
    struct fly_built *built = builder->built;
    va_list args;
    if (built->note_cnt == FLY_BUILD_NOTES_MAX)
        return;
    va_start(args, fmt);
    vsnprintf(built->note[built->note_cnt++], FLY_BUILD_NOTE_BYTES, fmt, args);
    va_end(args);
}

static uint64_t or_preset(uint64_t value, uint64_t preset)
{
    return value ? value : preset;
}

static int start_head(struct fly_builder *builder)
{
    const struct fly_pipeline_options *options = &builder->pipeline->options;
    struct fly_plan *head = &builder->head;
    const char *instance = builder->options->instance;
    snprintf(head->name, sizeof(head->name), "%s", builder->pipeline->name);
    snprintf(head->instance, sizeof(head->instance), "%s",
             instance ? instance : builder->pipeline->name);
    head->idle = options->idle;
    head->flush_ns = or_preset(options->flush_ns, FLY_BUILD_FLUSH_NS);
    head->drain_timeout_ns = or_preset(options->drain_timeout_ns, FLY_BUILD_DRAIN_TIMEOUT_NS);
    head->idle_spin_ns = FLY_BUILD_IDLE_SPIN_NS;
    head->frame_bytes = fly_align_up(or_preset(options->frame_bytes, FLY_BUILD_FRAME_BYTES), 64);
    if (head->frame_bytes < FLY_PLAN_FRAME_BYTES_MIN ||
        head->frame_bytes > FLY_PLAN_FRAME_BYTES_MAX)
        return FLY_ERR(EINVAL, "frame_bytes is %llu, it must be from %d to %d",
                       (unsigned long long)head->frame_bytes, FLY_PLAN_FRAME_BYTES_MIN,
                       FLY_PLAN_FRAME_BYTES_MAX);
    if (builder->pipeline->node_cnt == 0 || builder->pipeline->node_cnt > FLY_PLAN_NODES_MAX)
        return FLY_ERR(EINVAL, "the pipeline has %u nodes, it can have 1 to %d",
                       builder->pipeline->node_cnt, FLY_PLAN_NODES_MAX);
    return 0;
}

static int set_delivery(struct fly_plan_node *node, const struct fly_pipeline_node *from)
{
    const struct fly_delivery_options *options = &from->options.delivery;
    struct fly_plan_delivery *delivery = &node->delivery;
    uint64_t roots =
        or_preset(options->max_in_flight, node->kind == FLY_SOURCE ? FLY_BUILD_IN_FLIGHT_SOURCE
                                                                   : FLY_BUILD_IN_FLIGHT_STAGE);
    if (roots > FLY_PLAN_IN_FLIGHT_MAX)
        return FLY_ERR(EINVAL, "node '%s': max_in_flight is at most %d", from->name,
                       FLY_PLAN_IN_FLIGHT_MAX);
    delivery->max_in_flight = (uint32_t)fly_pow2_ceil(roots);
    delivery->attempts = (uint32_t)or_preset(options->attempts, FLY_BUILD_ATTEMPTS);
    delivery->ack_timeout_ns = or_preset(options->ack_timeout_ns, FLY_BUILD_ACK_TIMEOUT_NS);
    delivery->backoff_ns = or_preset(options->backoff_ns, FLY_BUILD_BACKOFF_NS);
    delivery->backoff_max_ns = or_preset(options->backoff_max_ns, FLY_BUILD_BACKOFF_MAX_NS);
    return 0;
}

/* Copies are kept where somebody may need them: a retry, or the dead letters. */
static uint64_t retain_bytes_of(const struct fly_plan_node *node,
                                const struct fly_pipeline_node *from)
{
    if (from->type->replay)
        return 0;
    if (from->options.retain_given)
        return from->options.retain_bytes;
    if (node->delivery.attempts == 1 && from->dead_letters == FLY_PIPELINE_NONE)
        return 0;
    return or_preset(from->options.retain_bytes, node->kind == FLY_SOURCE
                                                     ? FLY_BUILD_RETAIN_BYTES_SOURCE
                                                     : FLY_BUILD_RETAIN_BYTES_STAGE);
}

static int add_node(struct fly_builder *builder, uint32_t idx)
{
    const struct fly_pipeline_node *from = &builder->pipeline->node[idx];
    const struct fly_node *type = from->type;
    struct fly_plan_node *node = &builder->node[idx];
    if (from->port_cnt > FLY_PLAN_PORTS_MAX)
        return FLY_ERR(EINVAL, "node '%s': %u ports, at most %d are possible", from->name,
                       from->port_cnt, FLY_PLAN_PORTS_MAX);
    snprintf(node->name, sizeof(node->name), "%s", from->name);
    snprintf(node->type, sizeof(node->type), "%s", type->name);
    node->kind = type->kind;
    node->dead_edge = FLY_PLAN_NONE;
    node->owns_roots =
        type->kind == FLY_SOURCE ||
        (type->kind == FLY_STAGE && (type->tick || type->finish || type->watermark || type->holds));
    if (type->keyed_state || type->state || from->options.state_bytes)
        node->state_bytes = or_preset(from->options.state_bytes, FLY_BUILD_STATE_BYTES);
    if (type->holds) {
        uint64_t messages = or_preset(from->options.hold_messages, FLY_BUILD_HOLD_MESSAGES);
        if (messages > FLY_PLAN_IN_FLIGHT_MAX)
            return FLY_ERR(EINVAL, "node '%s': hold.messages is at most %d", from->name,
                           FLY_PLAN_IN_FLIGHT_MAX);
        node->hold_messages = (uint32_t)messages;
        node->hold_bytes = or_preset(from->options.hold_bytes, FLY_BUILD_HOLD_BYTES);
    }
    if (!node->owns_roots)
        return 0;
    int rc = set_delivery(node, from);
    node->retain_bytes = retain_bytes_of(node, from);
    return rc;
}

/* A table on its way into the block. */
struct part {
    uint64_t *offset;
    const void *from;
    uint64_t bytes;
};

static uint64_t reserve(uint64_t *used_bytes, uint64_t bytes)
{
    uint64_t offset = *used_bytes;
    *used_bytes = fly_align_up(offset + bytes, 64);
    return offset;
}

/* Copies head, tables, plugin paths and parameters into one block. */
static struct fly_plan *assemble(struct fly_builder *builder, const struct fly_params *params)
{
    struct fly_plan *head = &builder->head;
    const struct part parts[] = {
        {&head->nodes, builder->node, head->node_cnt * sizeof(builder->node[0])},
        {&head->ports, builder->port, head->port_cnt * sizeof(builder->port[0])},
        {&head->edges, builder->edge, head->edge_cnt * sizeof(builder->edge[0])},
        {&head->targets, builder->targets, head->target_cnt * sizeof(builder->targets[0])},
        {&head->slots, builder->slots, head->slot_table_cnt * sizeof(builder->slots[0])},
        {&head->tasks, builder->task, head->task_cnt * sizeof(builder->task[0])},
        {&head->workers, builder->worker, head->worker_cnt * sizeof(builder->worker[0])},
    };
    const size_t part_cnt = sizeof(parts) / sizeof(parts[0]);
    const struct fly_list *plugins = &builder->pipeline->options.plugins;
    uint64_t used_bytes = fly_align_up(sizeof(*head), 64);
    for (size_t i = 0; i < part_cnt; i++)
        *parts[i].offset = reserve(&used_bytes, parts[i].bytes);
    head->plugins = reserve(&used_bytes, (uint64_t)head->plugin_cnt * FLY_PLAN_PATH_MAX);
    for (uint32_t i = 0; i < head->node_cnt; i++) {
        builder->node[i].params_bytes = params[i].bytes_cnt;
        builder->node[i].params_offset = reserve(&used_bytes, params[i].bytes_cnt);
    }
    head->bytes = used_bytes;
    struct fly_plan *plan = calloc(1, used_bytes);
    if (!plan)
        return NULL;
    *plan = *head;
    for (size_t i = 0; i < part_cnt; i++)
        memcpy((uint8_t *)plan + *parts[i].offset, parts[i].from, parts[i].bytes);
    for (uint32_t i = 0; i < head->plugin_cnt; i++)
        snprintf(fly_plan_plugin(plan, i), FLY_PLAN_PATH_MAX, "%s", plugins->item[i].text);
    for (uint32_t i = 0; i < head->node_cnt; i++)
        memcpy((uint8_t *)plan + builder->node[i].params_offset, params[i].bytes,
               params[i].bytes_cnt);
    return plan;
}

static int encode_and_assemble(struct fly_builder *builder)
{
    const struct fly_pipeline *pipeline = builder->pipeline;
    const struct fly_list *plugins = &pipeline->options.plugins;
    struct fly_params params[FLY_PLAN_NODES_MAX] = {{NULL, 0}};
    int rc = 0;
    if (plugins->cnt > FLY_PLAN_NODES_MAX)
        return FLY_ERR(EINVAL, "%u plugins, at most %d are possible", plugins->cnt,
                       FLY_PLAN_NODES_MAX);
    for (uint32_t i = 0; i < plugins->cnt; i++) {
        if (plugins->item[i].bytes >= FLY_PLAN_PATH_MAX)
            return FLY_ERR(ENAMETOOLONG, "the path of plugin %u is too long", i + 1);
    }
    builder->head.plugin_cnt = plugins->cnt;
    for (uint32_t i = 0; !rc && i < pipeline->node_cnt; i++)
        rc = fly_params_encode(&params[i], pipeline->node[i].param, pipeline->node[i].param_cnt);
    if (!rc) {
        builder->built->plan = assemble(builder, params);
        if (!builder->built->plan)
            rc = FLY_ERR(ENOMEM, "no memory for the plan");
    }
    for (uint32_t i = 0; i < pipeline->node_cnt; i++)
        free(params[i].bytes);
    return rc;
}

static int build(struct fly_builder *builder)
{
    int rc = start_head(builder);
    builder->head.node_cnt = rc ? 0 : builder->pipeline->node_cnt;
    for (uint32_t i = 0; !rc && i < builder->head.node_cnt; i++)
        rc = add_node(builder, i);
    if (!rc)
        rc = fly_edges_depths(builder);
    if (!rc)
        rc = fly_place_workers(builder);
    if (!rc)
        rc = fly_place_tasks(builder);
    if (!rc)
        rc = fly_edges_connect(builder);
    if (!rc)
        rc = encode_and_assemble(builder);
    return rc ? rc : fly_plan_check(builder->built->plan, builder->built->plan->bytes);
}

int fly_plan_build(const struct fly_pipeline *pipeline, const struct fly_build_options *options,
                   struct fly_built **out)
{
    struct fly_builder *builder = calloc(1, sizeof(*builder));
    struct fly_built *built = calloc(1, sizeof(*built));
    int rc;
    *out = NULL;
    if (!builder || !built) {
        rc = FLY_ERR(ENOMEM, "no memory to plan");
    } else {
        builder->pipeline = pipeline;
        builder->options = options;
        builder->built = built;
        rc = build(builder);
    }
    free(builder);
    if (rc) {
        fly_built_destroy(built);
        return FLY_ERR_NOTE("cannot plan pipeline '%s'", pipeline->name);
    }
    *out = built;
    return 0;
}

void fly_built_destroy(struct fly_built *built)
{
    if (built)
        free(built->plan);
    free(built);
}
