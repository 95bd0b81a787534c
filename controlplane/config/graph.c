#include "config/loader.h"

/* A walk against the direction of the messages. */
struct walk {
    struct fly_loader *loader;
    uint8_t seen[FLY_PLAN_NODES_MAX]; /* 1: on the path, 2: done */
    uint32_t path[FLY_PLAN_NODES_MAX];
    uint32_t path_cnt;
};

/* "a -> b -> a": the path from its last node back to `first`, in the direction of the messages. */
static void refuse_cycle(struct walk *walk, uint32_t first, struct fly_position at)
{
    struct fly_loader *loader = walk->loader;
    const struct fly_pipeline_node *node = loader->pipeline->node;
    const char *text = node[first].name;
    for (uint32_t i = walk->path_cnt; i-- > 0;) {
        text = fly_arena_print(loader->config.arena, "%s -> %s", text, node[walk->path[i]].name);
        if (walk->path[i] == first)
            break;
    }
    FLY_CONFIG_ERROR(&loader->config, at, node[walk->path[walk->path_cnt - 1]].name, "inputs",
                     "messages can only go forward: take one of these inputs away",
                     "the nodes form a cycle: %s", text);
}

static bool find_cycles(struct walk *walk, uint32_t idx)
{
    const struct fly_pipeline_node *node = &walk->loader->pipeline->node[idx];
    bool good = true;
    walk->seen[idx] = 1;
    walk->path[walk->path_cnt++] = idx;
    for (uint32_t i = 0; i < node->input_cnt; i++) {
        uint32_t from = node->input[i].from_node;
        if (walk->seen[from] == 1) {
            refuse_cycle(walk, from, node->input[i].at);
            good = false;
        } else if (walk->seen[from] == 0) {
            good &= find_cycles(walk, from);
        }
    }
    walk->path_cnt--;
    walk->seen[idx] = 2;
    return good;
}

static bool check_cycles(struct fly_loader *loader)
{
    struct walk walk = {.loader = loader};
    bool good = true;
    for (uint32_t i = 0; i < loader->pipeline->node_cnt; i++) {
        if (walk.seen[i] == 0)
            good &= find_cycles(&walk, i);
    }
    return good;
}

/* Do messages or dead letters of `first` get to `last`? */
static bool reaches(struct walk *walk, uint32_t first, uint32_t last)
{
    const struct fly_pipeline *pipeline = walk->loader->pipeline;
    const struct fly_pipeline_node *node = &pipeline->node[last];
    if (first == last)
        return true;
    if (walk->seen[last])
        return false;
    walk->seen[last] = 1;
    for (uint32_t i = 0; i < node->input_cnt; i++) {
        if (reaches(walk, first, node->input[i].from_node))
            return true;
    }
    for (uint32_t i = 0; node->gets_dead_letters && i < pipeline->node_cnt; i++) {
        if (pipeline->node[i].dead_letters == last && reaches(walk, first, i))
            return true;
    }
    return false;
}

/* Sends dead letters of node `idx` to `target`, if they can't come back to it. */
static bool set_dead_letters(struct fly_loader *loader, uint32_t idx, uint32_t target)
{
    struct walk walk = {.loader = loader};
    struct fly_pipeline *pipeline = loader->pipeline;
    if (reaches(&walk, target, idx))
        return false;
    pipeline->node[idx].dead_letters = target;
    pipeline->node[target].gets_dead_letters = true;
    return true;
}

/* The node that a value of `dead_letters` names, or FLY_PIPELINE_NONE. */
static uint32_t find_target(struct fly_loader *loader, const struct fly_config_value *value,
                            const char *owner)
{
    uint32_t target = fly_loader_find(loader, value->string, value->at, owner, "dead_letters");
    const struct fly_node *type =
        target == FLY_PIPELINE_NONE ? NULL : loader->pipeline->node[target].type;
    if (!type)
        return FLY_PIPELINE_NONE;
    const char *why = NULL;
    if (type->kind == FLY_SOURCE)
        why = "a source gets no messages";
    else if (type->keyed_state)
        why = "it keeps state per key, and dead letters are not grouped by key";
    if (!why)
        return target;
    FLY_CONFIG_ERROR(&loader->config, value->at, owner, "dead_letters", NULL,
                     "dead letters can't go to '%s': %s", value->string.text, why);
    return FLY_PIPELINE_NONE;
}

static void set_own_dead_letters(struct fly_loader *loader)
{
    struct fly_pipeline *pipeline = loader->pipeline;
    for (uint32_t i = 0; i < pipeline->node_cnt; i++) {
        const struct fly_config_value *value = loader->draft[i].opt_dead_letters;
        uint32_t target =
            value ? find_target(loader, value, pipeline->node[i].name) : FLY_PIPELINE_NONE;
        if (target == FLY_PIPELINE_NONE || set_dead_letters(loader, i, target))
            continue;
        FLY_CONFIG_ERROR(&loader->config, value->at, pipeline->node[i].name, "dead_letters", NULL,
                         "dead letters of '%s' would come back to it through '%s'",
                         pipeline->node[i].name, value->string.text);
    }
}

/* Nodes behind the one that gets dead letters can't send it theirs: those are dropped and
 * counted. */
static void set_common_dead_letters(struct fly_loader *loader)
{
    const struct fly_config_value *value = fly_values_find(&loader->delivery, "dead_letters");
    struct fly_pipeline *pipeline = loader->pipeline;
    uint32_t target = value->given ? find_target(loader, value, NULL) : FLY_PIPELINE_NONE;
    if (target == FLY_PIPELINE_NONE)
        return;
    for (uint32_t i = 0; i < pipeline->node_cnt; i++) {
        const struct fly_node *type = pipeline->node[i].type;
        if (type && type->kind != FLY_SINK && !loader->draft[i].opt_dead_letters &&
            !set_dead_letters(loader, i, target))
            pipeline->node[i].dead_letters = FLY_PIPELINE_NONE;
    }
}

/* Inputs of one output with the same group are one stream: its messages can be dealt in one way
 * only. */
static void check_group(struct fly_loader *loader, const struct fly_pipeline_node *owner,
                        const struct fly_pipeline_input *input)
{
    const struct fly_pipeline *pipeline = loader->pipeline;
    for (uint32_t i = 0; i < pipeline->node_cnt && input->group.bytes; i++) {
        const struct fly_pipeline_node *node = &pipeline->node[i];
        if (node == owner)
            return;
        for (uint32_t j = 0; j < node->input_cnt; j++) {
            const struct fly_pipeline_input *other = &node->input[j];
            if (other->from_node != input->from_node || other->from_port != input->from_port ||
                strcmp(other->group.text, input->group.text) != 0 ||
                other->grouping == input->grouping)
                continue;
            FLY_CONFIG_ERROR(&loader->config, input->at, owner->name, "group", NULL,
                             "'%s' and '%s' share group '%s' and need the same grouping",
                             node->name, owner->name, input->group.text);
            return;
        }
    }
}

static bool is_read(const struct fly_pipeline *pipeline, uint32_t idx)
{
    for (uint32_t i = 0; i < pipeline->node_cnt; i++) {
        for (uint32_t j = 0; j < pipeline->node[i].input_cnt; j++) {
            if (pipeline->node[i].input[j].from_node == idx)
                return true;
        }
    }
    return false;
}

static void warn_unread(struct fly_loader *loader)
{
    const struct fly_pipeline *pipeline = loader->pipeline;
    for (uint32_t i = 0; i < pipeline->node_cnt; i++) {
        const struct fly_pipeline_node *node = &pipeline->node[i];
        if (!node->type || node->type->kind == FLY_SINK || is_read(pipeline, i))
            continue;
        FLY_CONFIG_WARNING(&loader->config, node->at, node->name, NULL,
                           "give it to a node as an input, or to a sink of type drop",
                           "nobody reads what '%s' sends: its messages are dropped", node->name);
    }
}

static void check_sources(struct fly_loader *loader)
{
    const struct fly_pipeline *pipeline = loader->pipeline;
    for (uint32_t i = 0; i < pipeline->node_cnt; i++) {
        if (!pipeline->node[i].type || pipeline->node[i].type->kind == FLY_SOURCE)
            return;
    }
    if (pipeline->node_cnt)
        FLY_CONFIG_ERROR(&loader->config, pipeline->node[0].at, NULL, "nodes",
                         "flyover list shows the sources", "the pipeline has no source");
}

void fly_loader_graph(struct fly_loader *loader)
{
    struct fly_pipeline *pipeline = loader->pipeline;
    check_sources(loader);
    for (uint32_t i = 0; i < pipeline->node_cnt; i++) {
        for (uint32_t j = 0; j < pipeline->node[i].input_cnt; j++)
            check_group(loader, &pipeline->node[i], &pipeline->node[i].input[j]);
    }
    if (check_cycles(loader)) {
        set_own_dead_letters(loader);
        set_common_dead_letters(loader);
    }
    if (fly_diag_error_cnt(loader->config.diags) == 0)
        warn_unread(loader);
}
