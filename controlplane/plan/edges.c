#include "plan/builder.h"

#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Does `to` read what `from` sends, on its inputs or as dead letters? */
static bool reads_from(const struct fly_builder *builder, uint32_t to, uint32_t from)
{
    const struct fly_pipeline_node *node = &builder->pipeline->node[to];
    for (uint32_t i = 0; i < node->input_cnt; i++) {
        if (node->input[i].from_node == from)
            return true;
    }
    return false;
}

/* Marks all that can be reached from `idx`, itself included. */
static void mark_below(const struct fly_builder *builder, uint32_t idx, bool *marked)
{
    uint32_t queue[FLY_PLAN_NODES_MAX], cnt = 0;
    marked[idx] = true;
    queue[cnt++] = idx;
    while (cnt > 0) {
        uint32_t from = queue[--cnt];
        for (uint32_t to = 0; to < builder->pipeline->node_cnt; to++) {
            if (!marked[to] && reads_from(builder, to, from)) {
                marked[to] = true;
                queue[cnt++] = to;
            }
        }
    }
}

/* Where the dead letters of the roots that node `idx` owns go; none from the dead letters' own
 * path. */
static uint32_t dead_letters_of(const struct fly_builder *builder, uint32_t idx)
{
    uint32_t to = builder->pipeline->node[idx].dead_letters;
    bool below[FLY_PLAN_NODES_MAX] = {false};
    if (to == FLY_PIPELINE_NONE || !builder->node[idx].owns_roots)
        return FLY_PIPELINE_NONE;
    mark_below(builder, to, below);
    return below[idx] ? FLY_PIPELINE_NONE : to;
}

/* Raises the depth below node `from` by one round; true if anything changed. */
static bool push_depth(struct fly_builder *builder, uint32_t from, uint32_t dead_letters)
{
    bool changed = false;
    for (uint32_t to = 0; to < builder->pipeline->node_cnt; to++) {
        if (!reads_from(builder, to, from) && to != dead_letters)
            continue;
        struct fly_plan_node *upper = &builder->node[from], *lower = &builder->node[to];
        if (lower->depth <= upper->depth) {
            lower->depth = upper->depth + 1;
            changed = true;
        }
        if (upper->direct_depth <= lower->direct_depth) {
            upper->direct_depth = lower->direct_depth + 1;
            changed = true;
        }
    }
    return changed;
}

int fly_edges_depths(struct fly_builder *builder)
{
    uint32_t dead_letters[FLY_PLAN_NODES_MAX];
    uint32_t node_cnt = builder->pipeline->node_cnt;
    for (uint32_t i = 0; i < node_cnt; i++)
        dead_letters[i] = dead_letters_of(builder, i);
    /* The longest path has fewer edges than there are nodes: more rounds mean a cycle. */
    for (uint32_t round = 0; round <= node_cnt; round++) {
        bool changed = false;
        for (uint32_t i = 0; i < node_cnt; i++)
            changed |= push_depth(builder, i, dead_letters[i]);
        if (!changed)
            return 0;
    }
    int rc = FLY_ERR(EINVAL, "the nodes form a cycle, dead letters included");
    FLY_ERR_HINT("'flyover graph' shows it");
    return rc;
}

/* One edge while it is being made. */
struct draft {
    uint32_t from_node, from_port;
    enum fly_grouping grouping;
    uint64_t max_message_bytes, frames;
    bool receiver[FLY_PLAN_NODES_MAX];
};

static int add_targets(struct fly_builder *builder, struct fly_plan_edge *edge,
                       const struct draft *draft)
{
    const char *name = builder->pipeline->node[draft->from_node].name;
    edge->first_target = builder->head.target_cnt;
    for (uint32_t to = 0; to < builder->pipeline->node_cnt; to++) {
        uint32_t task_cnt = draft->receiver[to] ? builder->node[to].task_cnt : 0;
        if (edge->target_cnt + task_cnt > FLY_PLAN_TARGETS_MAX)
            return FLY_ERR(EINVAL, "node '%s': more than %d tasks read one port", name,
                           FLY_PLAN_TARGETS_MAX);
        for (uint32_t i = 0; task_cnt && i < builder->head.task_cnt; i++) {
            const struct fly_plan_task *task = &builder->task[i];
            if (task->node == to)
                builder->targets[edge->first_target + edge->target_cnt++] = i;
        }
    }
    builder->head.target_cnt += edge->target_cnt;
    return 0;
}

/* Blocks of neighbouring slots, as equal as they can be. */
static void add_slots(struct fly_builder *builder, struct fly_plan_edge *edge)
{
    edge->slots = FLY_PLAN_NONE;
    if (edge->grouping != FLY_GROUP_KEY)
        return;
    edge->slots = builder->head.slot_table_cnt++;
    for (uint32_t i = 0; i < FLY_SLOT_CNT; i++)
        builder->slots[edge->slots][i] = (uint16_t)(i * edge->target_cnt / FLY_SLOT_CNT);
}

static int add_budget(struct fly_builder *builder, struct fly_plan_edge *edge,
                      const struct draft *draft)
{
    const char *name = builder->pipeline->node[draft->from_node].name;
    uint64_t least_cnt = fly_plan_frames_min(&builder->head, edge);
    uint64_t cnt = draft->frames;
    if (cnt == 0)
        cnt = least_cnt > FLY_BUILD_FRAMES_MIN ? least_cnt : FLY_BUILD_FRAMES_MIN;
    if (cnt < least_cnt) {
        int rc = FLY_ERR(EINVAL, "node '%s': %llu frames are too few, it needs %llu", name,
                         (unsigned long long)cnt, (unsigned long long)least_cnt);
        FLY_ERR_HINT("one for each of %u receiving tasks, %llu for the largest message, and one "
                     "more; or lower max_message_bytes",
                     edge->target_cnt, (unsigned long long)(least_cnt - edge->target_cnt - 1));
        return rc;
    }
    if (cnt > FLY_PLAN_FRAMES_MAX)
        return FLY_ERR(EINVAL, "node '%s': %llu frames, at most %d are possible", name,
                       (unsigned long long)cnt, FLY_PLAN_FRAMES_MAX);
    edge->frame_cnt = (uint32_t)cnt;
    return 0;
}

static int add_edge(struct fly_builder *builder, const struct draft *draft)
{
    const char *name = builder->pipeline->node[draft->from_node].name;
    if (builder->head.edge_cnt == FLY_PLAN_EDGES_MAX)
        return FLY_ERR(EINVAL, "more than %d edges between nodes", FLY_PLAN_EDGES_MAX);
    if (draft->max_message_bytes > FLY_BUILD_MESSAGE_BYTES_MAX)
        return FLY_ERR(EINVAL, "node '%s': max_message_bytes is at most %d MiB", name,
                       FLY_BUILD_MESSAGE_BYTES_MAX >> 20);
    struct fly_plan_edge *edge = &builder->edge[builder->head.edge_cnt];
    *edge = (struct fly_plan_edge){.from_node = draft->from_node,
                                   .from_port = draft->from_port,
                                   .grouping = draft->grouping,
                                   .max_message_bytes = (uint32_t)draft->max_message_bytes};
    int rc = add_targets(builder, edge, draft);
    if (!rc)
        rc = add_budget(builder, edge, draft);
    if (rc)
        return rc;
    add_slots(builder, edge);
    builder->head.edge_cnt++;
    return 0;
}

static bool same_string(const struct fly_string *a, const struct fly_string *b)
{
    return a->bytes == b->bytes && (a->bytes == 0 || memcmp(a->text, b->text, a->bytes) == 0);
}

/* Lets node `to` read the edge by `input`: the larger limit and budget count. */
static void join_draft(struct draft *draft, const struct fly_pipeline_input *input, uint32_t to)
{
    draft->receiver[to] = true;
    if (input->max_message_bytes > draft->max_message_bytes)
        draft->max_message_bytes = input->max_message_bytes;
    if (input->frames > draft->frames)
        draft->frames = input->frames;
}

/* Where an input stands among all inputs: node by node. */
struct place {
    uint32_t node, input;
};

/* The draft of the edge that the input at `at` is the first of; false if an earlier one is. */
static bool make_draft(const struct fly_builder *builder, struct place at, struct draft *draft)
{
    const struct fly_pipeline *pipeline = builder->pipeline;
    const struct fly_pipeline_input *first = &pipeline->node[at.node].input[at.input];
    *draft = (struct draft){
        .from_node = first->from_node, .from_port = first->from_port, .grouping = first->grouping};
    join_draft(draft, first, at.node);
    if (first->group.bytes == 0)
        return true;
    for (uint32_t to = 0; to < pipeline->node_cnt; to++) {
        for (uint32_t i = 0; i < pipeline->node[to].input_cnt; i++) {
            const struct fly_pipeline_input *input = &pipeline->node[to].input[i];
            if (input->from_node != first->from_node || input->from_port != first->from_port ||
                !same_string(&input->group, &first->group))
                continue;
            if (to < at.node || (to == at.node && i < at.input))
                return false;
            join_draft(draft, input, to);
        }
    }
    return true;
}

static int connect_port(struct fly_builder *builder, uint32_t from, uint32_t port_idx)
{
    const struct fly_pipeline *pipeline = builder->pipeline;
    struct fly_plan_port *port = &builder->port[builder->head.port_cnt++];
    struct draft draft;
    snprintf(port->name, sizeof(port->name), "%s", pipeline->node[from].port[port_idx]);
    port->node = from;
    port->first_edge = builder->head.edge_cnt;
    for (uint32_t to = 0; to < pipeline->node_cnt; to++) {
        for (uint32_t i = 0; i < pipeline->node[to].input_cnt; i++) {
            const struct fly_pipeline_input *input = &pipeline->node[to].input[i];
            if (input->from_node != from || input->from_port != port_idx ||
                !make_draft(builder, (struct place){to, i}, &draft))
                continue;
            if (draft.max_message_bytes == 0)
                draft.max_message_bytes = FLY_BUILD_MESSAGE_BYTES;
            int rc = add_edge(builder, &draft);
            if (rc)
                return rc;
        }
    }
    port->edge_cnt = builder->head.edge_cnt - port->first_edge;
    return 0;
}

/* Dead letters are the node's own messages with some metadata more. */
static int connect_dead_letters(struct fly_builder *builder, uint32_t from)
{
    uint32_t to = dead_letters_of(builder, from);
    uint64_t largest_bytes = 0;
    builder->node[from].dead_edge = FLY_PLAN_NONE;
    if (to == FLY_PIPELINE_NONE)
        return 0;
    for (uint32_t i = 0; i < builder->head.edge_cnt; i++) {
        const struct fly_plan_edge *edge = &builder->edge[i];
        if (edge->from_node == from && edge->max_message_bytes > largest_bytes)
            largest_bytes = edge->max_message_bytes;
    }
    if (largest_bytes == 0)
        largest_bytes = FLY_BUILD_MESSAGE_BYTES;
    struct draft draft = {.from_node = from,
                          .from_port = FLY_PLAN_NONE,
                          .grouping = FLY_GROUP_LOCAL,
                          .max_message_bytes = largest_bytes + FLY_BUILD_DEAD_LETTER_EXTRA};
    draft.receiver[to] = true;
    builder->node[from].dead_edge = builder->head.edge_cnt;
    return add_edge(builder, &draft);
}

int fly_edges_connect(struct fly_builder *builder)
{
    int rc = 0;
    for (uint32_t from = 0; !rc && from < builder->pipeline->node_cnt; from++) {
        struct fly_plan_node *node = &builder->node[from];
        node->first_port = builder->head.port_cnt;
        node->port_cnt = builder->pipeline->node[from].port_cnt;
        for (uint32_t i = 0; !rc && i < node->port_cnt; i++)
            rc = connect_port(builder, from, i);
        if (!rc)
            rc = connect_dead_letters(builder, from);
    }
    return rc;
}
