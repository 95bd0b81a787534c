#include "config/bind.h"
#include "config/loader.h"
#include "config/options.h"
#include "config/suggest.h"

/* One entry of `inputs` on its way. */
struct reading {
    struct fly_loader *loader;
    uint32_t node; /* whose input it is */
    const struct fly_yaml *from;
};

uint32_t fly_loader_find(struct fly_loader *loader, struct fly_string name, struct fly_position at,
                         const char *node, const char *key)
{
    uint32_t found = fly_pipeline_find(loader->pipeline, name.text);
    if (found != FLY_PIPELINE_NONE)
        return found;
    struct fly_suggest suggest = {.wanted = name.text};
    for (uint32_t i = 0; i < loader->pipeline->node_cnt; i++)
        fly_suggest_offer(&suggest, loader->pipeline->node[i].name);
    const char *hint = NULL;
    if (suggest.best)
        hint = fly_arena_print(loader->config.arena, "did you mean '%s'?", suggest.best);
    FLY_CONFIG_ERROR(&loader->config, at, node, key, hint, "there is no node '%s'", name.text);
    return FLY_PIPELINE_NONE;
}

#define REFUSE(reading, hint, ...)                                                                 \
    (FLY_CONFIG_ERROR(&(reading)->loader->config, (reading)->from->at,                             \
                      (reading)->loader->pipeline->node[(reading)->node].name, "inputs", (hint),   \
                      __VA_ARGS__),                                                                \
     false)

static const char *list_ports(struct fly_arena *arena, const struct fly_pipeline_node *node)
{
    const char *all = "";
    for (uint32_t i = 0; i < node->port_cnt; i++)
        all = fly_arena_print(arena, "%s%s%s.%s", all, i ? ", " : "", node->name, node->port[i]);
    return all;
}

/* The port of `sender` called `name`; without a name, `out` or the only one. */
static bool find_port(const struct reading *reading, const struct fly_pipeline_node *sender,
                      const char *name, uint32_t *port)
{
    struct fly_arena *arena = reading->loader->config.arena;
    struct fly_suggest suggest = {.wanted = name ? name : "out"};
    for (*port = 0; *port < sender->port_cnt; (*port)++) {
        if (strcmp(sender->port[*port], suggest.wanted) == 0)
            return true;
        fly_suggest_offer(&suggest, sender->port[*port]);
    }
    *port = 0;
    if (!name && sender->port_cnt == 1)
        return true;
    if (sender->port_cnt == 0)
        return REFUSE(reading, NULL, "'%s' is a %s without outputs", sender->name,
                      fly_values_kind_text(sender->type->kind));
    const char *all = list_ports(arena, sender);
    if (!name)
        return REFUSE(reading, NULL, "'%s' has several outputs: choose one of %s", sender->name,
                      all);
    if (suggest.best)
        return REFUSE(reading,
                      fly_arena_print(arena, "did you mean '%s.%s'?", sender->name, suggest.best),
                      "'%s' has no port '%s'", sender->name, name);
    return REFUSE(reading, fly_arena_print(arena, "it has %s", all), "'%s' has no port '%s'",
                  sender->name, name);
}

static bool find_sender(const struct reading *reading, struct fly_string from,
                        struct fly_pipeline_input *input)
{
    struct fly_loader *loader = reading->loader;
    size_t name_bytes = strcspn(from.text, ".");
    struct fly_string name = fly_arena_text(loader->config.arena, from.text, name_bytes);
    const char *port = from.text[name_bytes] ? from.text + name_bytes + 1 : NULL;
    input->from_node = fly_loader_find(loader, name, input->at,
                                       loader->pipeline->node[reading->node].name, "inputs");
    if (input->from_node == FLY_PIPELINE_NONE)
        return false;
    const struct fly_pipeline_node *sender = &loader->pipeline->node[input->from_node];
    return sender->type && find_port(reading, sender, port, &input->from_port);
}

static bool read_options(const struct reading *reading, struct fly_input_options *options)
{
    struct fly_loader *loader = reading->loader;
    const char *node = loader->pipeline->node[reading->node].name;
    struct fly_values values = {.params = fly_option_input()};
    struct fly_values_scope scope = {
        .owner = fly_arena_print(loader->config.arena, "an input of '%s'", node),
        .node = node,
        .at = reading->from->at,
    };
    *options = (struct fly_input_options){.from = {"", 0}, .group = {"", 0}};
    if (reading->from->kind == FLY_YAML_SCALAR && !fly_yaml_is_null(reading->from)) {
        options->from = reading->from->text;
        return true;
    }
    if (reading->from->kind != FLY_YAML_MAP)
        return REFUSE(reading, "for example [lines] or [{from: lines, grouping: key}]",
                      "an input of '%s' must be a name or a map, not %s", node,
                      fly_yaml_kind_text(reading->from));
    if (fly_values_read(&loader->config, &scope, &values, 1, reading->from) > 0)
        return false;
    fly_bind(loader->config.arena, values.value, values.cnt, options);
    return true;
}

static bool check_keyed(const struct reading *reading, const struct fly_input_options *options)
{
    const struct fly_pipeline_node *node = &reading->loader->pipeline->node[reading->node];
    if (!node->type->keyed_state || options->grouping == FLY_GROUP_KEY ||
        options->grouping == FLY_GROUP_GLOBAL)
        return true;
    const char *hint = fly_arena_print(reading->loader->config.arena,
                                       "write {from: %s, grouping: key}", options->from.text);
    return REFUSE(reading, hint, "'%s' keeps state per key: its inputs must be grouped by key",
                  node->name);
}

static bool check_repeated(const struct reading *reading, const struct fly_pipeline_input *input)
{
    const struct fly_pipeline_node *node = &reading->loader->pipeline->node[reading->node];
    for (uint32_t i = 0; i < node->input_cnt; i++) {
        if (node->input[i].from_node == input->from_node &&
            node->input[i].from_port == input->from_port)
            return REFUSE(reading, NULL, "'%s' has the same input twice", node->name);
    }
    return true;
}

static uint64_t first_set(uint64_t one, uint64_t other, uint64_t last)
{
    return one ? one : other ? other : last;
}

static void read_input(const struct reading *reading)
{
    struct fly_pipeline *pipeline = reading->loader->pipeline;
    struct fly_pipeline_node *node = &pipeline->node[reading->node];
    struct fly_input_options options;
    struct fly_pipeline_input input = {.at = reading->from->at};
    if (!read_options(reading, &options))
        return;
    check_keyed(reading, &options);
    if (!find_sender(reading, options.from, &input) || !check_repeated(reading, &input))
        return;
    const struct fly_node_options *sender = &pipeline->node[input.from_node].options;
    input.grouping = (enum fly_grouping)options.grouping;
    input.group = options.group;
    input.frames = first_set(options.frames, sender->frames, 0);
    input.max_message_bytes = first_set(options.max_message_bytes, sender->max_message_bytes,
                                        pipeline->options.max_message_bytes);
    node->input[node->input_cnt++] = input;
}

static void refuse_missing(struct fly_loader *loader, const struct fly_pipeline_node *node)
{
    FLY_CONFIG_ERROR(&loader->config, node->at, node->name, "inputs",
                     "name the nodes whose messages it gets: inputs: [NODE]",
                     "the %s '%s' has no inputs", fly_values_kind_text(node->type->kind),
                     node->name);
}

static void read_inputs(struct fly_loader *loader, uint32_t idx)
{
    struct fly_pipeline_node *node = &loader->pipeline->node[idx];
    const struct fly_yaml_entry *entry = fly_yaml_find(&loader->draft[idx].entry->value, "inputs");
    if (!node->type || (!entry && loader->draft[idx].gets_dead_letters))
        return;
    if (entry && node->type->kind == FLY_SOURCE) {
        FLY_CONFIG_ERROR(&loader->config, entry->key_at, node->name, "inputs", NULL,
                         "%s has no inputs: it makes messages",
                         fly_values_node_text(loader->config.arena, node->type));
        return;
    }
    bool empty = !entry || fly_yaml_is_null(&entry->value) ||
                 (entry->value.kind == FLY_YAML_LIST && entry->value.cnt == 0);
    if (empty) {
        if (node->type->kind != FLY_SOURCE)
            refuse_missing(loader, node);
        return;
    }
    bool is_list = entry->value.kind == FLY_YAML_LIST;
    uint32_t cnt = is_list ? entry->value.cnt : 1;
    node->input = fly_arena_array(loader->config.arena, cnt, sizeof(*node->input));
    for (uint32_t i = 0; i < cnt; i++) {
        struct reading reading = {loader, idx,
                                  is_list ? &entry->value.entry[i].value : &entry->value};
        read_input(&reading);
    }
}

void fly_loader_inputs(struct fly_loader *loader)
{
    uint32_t edge_cnt = 0;
    for (uint32_t i = 0; i < loader->pipeline->node_cnt; i++) {
        read_inputs(loader, i);
        edge_cnt += loader->pipeline->node[i].input_cnt;
    }
    if (edge_cnt > FLY_PLAN_EDGES_MAX)
        FLY_CONFIG_ERROR(&loader->config, loader->root.at, NULL, NULL, NULL,
                         "a pipeline has at most %d inputs in all, not %u", FLY_PLAN_EDGES_MAX,
                         edge_cnt);
}
