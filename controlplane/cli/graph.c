#include "cli/pipelines.h"

static const char *const GROUPINGS[] = {"", "shuffle", "key", "broadcast", "global"};

/* What stands at an edge: the port, unless it is `out`, and the grouping, unless it is `local`. */
static const char *edge_label(struct fly_arena *arena, const struct fly_pipeline *pipeline,
                              const struct fly_pipeline_input *input)
{
    const char *port = pipeline->node[input->from_node].port[input->from_port];
    const char *grouping = GROUPINGS[input->grouping];
    if (strcmp(port, "out") == 0)
        port = "";
    return fly_arena_print(arena, "%s%s%s", port, *port && *grouping ? ", " : "", grouping);
}

static void print_dot(struct fly_arena *arena, const struct fly_pipeline *pipeline, FILE *file)
{
    static const char *const SHAPES[] = {"cds", "box", "house"};
    fprintf(file, "digraph \"%s\" {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n",
            pipeline->name);
    for (uint32_t i = 0; i < pipeline->node_cnt; i++) {
        const struct fly_pipeline_node *node = &pipeline->node[i];
        fprintf(file, "  \"%s\" [label=\"%s\\n%s\", shape=%s];\n", node->name, node->name,
                node->type->name, SHAPES[node->type->kind]);
    }
    for (uint32_t i = 0; i < pipeline->node_cnt; i++) {
        const struct fly_pipeline_node *node = &pipeline->node[i];
        for (uint32_t j = 0; j < node->input_cnt; j++)
            fprintf(file, "  \"%s\" -> \"%s\" [label=\"%s\"];\n",
                    pipeline->node[node->input[j].from_node].name, node->name,
                    edge_label(arena, pipeline, &node->input[j]));
        if (node->dead_letters != FLY_PIPELINE_NONE)
            fprintf(file, "  \"%s\" -> \"%s\" [label=\"dead letters\", style=dashed];\n",
                    node->name, pipeline->node[node->dead_letters].name);
    }
    fputs("}\n", file);
}

static void print_mermaid(struct fly_arena *arena, const struct fly_pipeline *pipeline, FILE *file)
{
    static const char *const SHAPES[][2] = {{"([", "])"}, {"[", "]"}, {"[/", "/]"}};
    fputs("flowchart LR\n", file);
    for (uint32_t i = 0; i < pipeline->node_cnt; i++) {
        const struct fly_pipeline_node *node = &pipeline->node[i];
        const char *const *shape = SHAPES[node->type->kind];
        fprintf(file, "  n%u%s\"%s<br>%s\"%s\n", i, shape[0], node->name, node->type->name,
                shape[1]);
    }
    for (uint32_t i = 0; i < pipeline->node_cnt; i++) {
        const struct fly_pipeline_node *node = &pipeline->node[i];
        for (uint32_t j = 0; j < node->input_cnt; j++) {
            const char *label = edge_label(arena, pipeline, &node->input[j]);
            fprintf(file, "  n%u -->%s%s%s n%u\n", node->input[j].from_node, *label ? "|" : "",
                    label, *label ? "|" : "", i);
        }
        if (node->dead_letters != FLY_PIPELINE_NONE)
            fprintf(file, "  n%u -.->|dead letters| n%u\n", i, node->dead_letters);
    }
}

int fly_cli_graph(const struct fly_call *call)
{
    struct fly_pipeline *pipeline;
    int code = fly_pipelines_load(call, FLY_CONFIG_STATIC, &pipeline);
    if (code != 0)
        return code;
    if (call->options.format)
        print_mermaid(call->arena, pipeline, call->cli->out);
    else
        print_dot(call->arena, pipeline, call->cli->out);
    fly_pipeline_destroy(pipeline);
    return FLY_CLI_OK;
}
