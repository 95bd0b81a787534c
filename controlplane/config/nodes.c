#include "config/bind.h"
#include "config/cores.h"
#include "config/loader.h"
#include "config/options.h"
#include "config/suggest.h"

#include "base/err.h"

#include <stdlib.h>

enum { TABLES_MAX = 16 };

/* A node while its keys are read. */
struct reading {
    struct fly_loader *loader;
    const struct fly_yaml_entry *entry;
    struct fly_pipeline_node *node;
    struct fly_values table[TABLES_MAX]; /* the type's own parameters, then option groups */
    const struct fly_option_group *group[TABLES_MAX];
    uint32_t table_cnt;
};

static bool is_name(const char *name)
{
    size_t bytes = strlen(name);
    return bytes > 0 && bytes < FLY_PLAN_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
               bytes;
}

static void check_name(struct fly_loader *loader, const struct fly_yaml_entry *entry)
{
    if (!is_name(entry->key.text))
        FLY_CONFIG_ERROR(&loader->config, entry->key_at, entry->key.text, NULL,
                         "names have letters, digits, _ and -, and at most 63 of them",
                         "'%s' can't be the name of a node", entry->key.text);
}

static const char *suggest_type(struct fly_loader *loader, const char *wanted)
{
    struct fly_suggest suggest = {.wanted = wanted};
    for (uint32_t i = 0; i < loader->types.cnt; i++)
        fly_suggest_offer(&suggest, loader->types.type[i].node->name);
    if (!suggest.best)
        return "flyover list shows all types";
    return fly_arena_print(loader->config.arena, "did you mean '%s'?", suggest.best);
}

static const struct fly_node *find_type(struct fly_loader *loader,
                                        const struct fly_yaml_entry *entry, bool dead_letters)
{
    const char *name = entry->key.text;
    const struct fly_yaml_entry *type = fly_yaml_find(&entry->value, "type");
    if (entry->value.kind != FLY_YAML_MAP) {
        FLY_CONFIG_ERROR(&loader->config, entry->value.at, name, NULL,
                         "for example {type: generate, count: 1000}",
                         "node '%s' must be a map, not %s", name,
                         fly_yaml_kind_text(&entry->value));
        return NULL;
    }
    if (!type || type->value.kind != FLY_YAML_SCALAR || fly_yaml_is_null(&type->value)) {
        FLY_CONFIG_ERROR(&loader->config, type ? type->value.at : entry->key_at, name, "type",
                         "flyover list shows all types", "node '%s' needs a 'type'", name);
        return NULL;
    }
    bool is_source = !fly_yaml_find(&entry->value, "inputs") && !dead_letters;
    const struct fly_node *found = fly_types_find(&loader->types, type->value.text.text, is_source);
    if (!found)
        FLY_CONFIG_ERROR(&loader->config, type->value.at, name, "type",
                         suggest_type(loader, type->value.text.text), "there is no node type '%s'",
                         type->value.text.text);
    return found;
}

static bool has_key(const struct fly_param *params, const char *key)
{
    size_t bytes = strlen(key);
    for (; params && params->name; params++) {
        if (strncmp(params->name, key, bytes) == 0 &&
            (params->name[bytes] == '\0' || params->name[bytes] == '.'))
            return true;
    }
    return false;
}

/* Why a key is unknown here although it exists elsewhere. */
static const char *explain_key(const void *arg, const char *key)
{
    const struct reading *reading = arg;
    struct fly_loader *loader = reading->loader;
    const struct fly_node *type = reading->node->type;
    for (const struct fly_option_group *group = fly_option_groups(); group->title; group++) {
        if (has_key(group->params, key))
            return fly_arena_print(loader->config.arena, "'%s' is an option of %s", key,
                                   group->whose);
    }
    const struct fly_node *other =
        fly_types_find(&loader->types, type->name, type->kind != FLY_SOURCE);
    if (other == type || !has_key(other->params, key))
        return NULL;
    return fly_arena_print(loader->config.arena, "that is a key of the %s %s, which has %s",
                           other->name, fly_values_kind_text(other->kind),
                           other->kind == FLY_SOURCE ? "no 'inputs'" : "'inputs'");
}

static void choose_tables(struct reading *reading)
{
    const struct fly_node *type = reading->node->type;
    reading->table[0].params = type->params;
    reading->table_cnt = 1;
    for (const struct fly_option_group *group = fly_option_groups(); group->title; group++) {
        if (!group->applies(type))
            continue;
        reading->group[reading->table_cnt] = group;
        reading->table[reading->table_cnt++].params = group->params;
    }
}

static struct fly_config_value *find_option(struct reading *reading, const char *name)
{
    for (uint32_t t = 1; t < reading->table_cnt; t++) {
        struct fly_config_value *value = fly_values_find(&reading->table[t], name);
        if (value)
            return value;
    }
    return NULL;
}

/* What the node does not say itself is the pipeline's. */
static void inherit(struct reading *reading)
{
    const struct fly_values *delivery = &reading->loader->delivery;
    for (uint32_t t = 1; t < reading->table_cnt; t++) {
        struct fly_values *table = &reading->table[t];
        for (uint32_t i = 0; table->params == delivery->params && i < table->cnt; i++) {
            if (!table->value[i].given)
                table->value[i] = delivery->value[i];
        }
    }
}

static void check_backoff(struct reading *reading)
{
    struct fly_config_value *first = find_option(reading, "retry.backoff");
    struct fly_config_value *most = find_option(reading, "retry.backoff_max");
    if (!first || first->count <= most->count)
        return;
    if (most->given)
        FLY_CONFIG_ERROR(&reading->loader->config, first->at, reading->node->name, "retry.backoff",
                         NULL, "'retry.backoff' is longer than 'retry.backoff_max'");
    most->count = first->count;
}

static void check_cores(struct reading *reading)
{
    const struct fly_config_value *value = find_option(reading, "cores");
    struct fly_cores cores = {{0}};
    reading->node->cores_at = value->at;
    for (uint32_t i = 0; i < value->list.cnt; i++) {
        if (fly_cores_add(&cores, value->list.item[i].text) == 0)
            continue;
        FLY_CONFIG_ERROR(&reading->loader->config, value->at, reading->node->name, "cores",
                         fly_err_hint(), "%s", fly_err_text());
        fly_err_reset();
    }
}

static void bind_options(struct reading *reading)
{
    struct fly_pipeline_node *node = reading->node;
    struct fly_loader *loader = reading->loader;
    struct fly_arena *arena = loader->config.arena;
    node->options.state = node->options.delivery.dead_letters = (struct fly_string){"", 0};
    for (uint32_t t = 1; t < reading->table_cnt; t++)
        fly_bind(arena, reading->table[t].value, reading->table[t].cnt,
                 (char *)&node->options + reading->group[t]->at);
    const struct fly_config_value *retain = find_option(reading, "retain_bytes");
    node->options.retain_given = retain && retain->given;
    struct fly_string folder = loader->pipeline->options.state;
    if (node->type->kind == FLY_SOURCE && node->options.state.bytes == 0 && folder.bytes > 0) {
        const char *path = fly_arena_print(arena, "%s/%s.state", folder.text, node->name);
        node->options.state = (struct fly_string){path, (uint32_t)strlen(path)};
    }
}

/* The node's own check of its parameters against each other. */
static void check_params(struct reading *reading)
{
    const struct fly_pipeline_node *node = reading->node;
    struct fly_config *config = &reading->loader->config;
    struct fly_refusal refusal = {.param = ""};
    void *self = fly_arena_take(config->arena, node->type->self_bytes);
    fly_bind(config->arena, node->param, node->param_cnt, self);
    if (!node->type->check || node->type->check(self, &refusal) == 0)
        return;
    struct fly_position at = node->at;
    refusal.param[sizeof(refusal.param) - 1] = '\0';
    refusal.why[sizeof(refusal.why) - 1] = '\0';
    refusal.hint[sizeof(refusal.hint) - 1] = '\0';
    for (uint32_t i = 0; i < node->param_cnt; i++) {
        if (strcmp(node->param[i].param->name, refusal.param) == 0)
            at = node->param[i].at;
    }
    FLY_CONFIG_ERROR(config, at, node->name, refusal.param, refusal.hint, "%s",
                     refusal.why[0] ? refusal.why : "the node refuses its parameters");
}

static const char *const OUT[] = {"out", NULL};

static void add_port(struct reading *reading, const char **port, struct fly_string name,
                     struct fly_position at)
{
    struct fly_config *config = &reading->loader->config;
    struct fly_pipeline_node *node = reading->node;
    for (uint32_t i = 0; i < node->port_cnt; i++) {
        if (strcmp(port[i], name.text) == 0)
            FLY_CONFIG_ERROR(config, at, node->name, NULL, NULL,
                             "node '%s' has a port '%s' already", node->name, name.text);
    }
    if (!is_name(name.text))
        FLY_CONFIG_ERROR(config, at, node->name, NULL,
                         "names have letters, digits, _ and -, and at most 63 of them",
                         "'%s' can't be the name of a port", name.text);
    if (node->port_cnt == FLY_PLAN_PORTS_MAX)
        FLY_CONFIG_ERROR(config, at, node->name, NULL, NULL, "node '%s' has more than %d ports",
                         node->name, FLY_PLAN_PORTS_MAX);
    else
        port[node->port_cnt++] = name.text;
}

static void read_ports(struct reading *reading)
{
    struct fly_pipeline_node *node = reading->node;
    const char **port =
        fly_arena_array(reading->loader->config.arena, FLY_PLAN_PORTS_MAX + 1, sizeof(*port));
    const char *const *fixed = node->type->ports;
    if (!fixed && node->type->kind != FLY_SINK && !node->type->ports_from)
        fixed = OUT;
    for (; fixed && *fixed; fixed++)
        port[node->port_cnt++] = *fixed;
    node->port = port;
    if (!node->type->ports_from)
        return;
    const struct fly_config_value *value =
        fly_values_find(&reading->table[0], node->type->ports_from);
    for (uint32_t i = 0; i < value->table.cnt; i++)
        add_port(reading, port, value->table.row[i].name, value->table.row[i].at);
}

static void read_node(struct fly_loader *loader, uint32_t idx)
{
    static const char *const OTHER_KEYS[] = {"type", "inputs", NULL};
    struct fly_arena *arena = loader->config.arena;
    struct fly_draft *draft = &loader->draft[idx];
    struct reading reading = {
        .loader = loader, .entry = draft->entry, .node = &loader->pipeline->node[idx]};
    struct fly_pipeline_node *node = reading.node;
    node->type = find_type(loader, draft->entry, draft->gets_dead_letters);
    if (!node->type)
        return;
    struct fly_values_scope scope = {
        .owner = fly_values_node_text(arena, node->type),
        .node = node->name,
        .at = node->at,
        .other_keys = OTHER_KEYS,
        .all_hint = fly_arena_print(arena, "flyover describe %s lists all keys", node->type->name),
        .explain = explain_key,
        .explain_arg = &reading,
    };
    choose_tables(&reading);
    uint32_t errors = fly_values_read(&loader->config, &scope, reading.table, reading.table_cnt,
                                      &draft->entry->value);
    node->param = reading.table[0].value;
    node->param_cnt = reading.table[0].cnt;
    const struct fly_config_value *dead_letters = find_option(&reading, "dead_letters");
    draft->opt_dead_letters = dead_letters && dead_letters->given ? dead_letters : NULL;
    inherit(&reading);
    check_backoff(&reading);
    check_cores(&reading);
    bind_options(&reading);
    if (errors == 0)
        check_params(&reading);
    read_ports(&reading);
}

/* Marks the node called `name`, given as the value of a key `dead_letters`. */
static void mark_dead_letters(struct fly_loader *loader, const struct fly_yaml *map)
{
    const struct fly_yaml_entry *entry = fly_yaml_find(map, "dead_letters");
    for (uint32_t i = 0; entry && i < loader->pipeline->node_cnt; i++) {
        if (entry->value.kind == FLY_YAML_SCALAR &&
            strcmp(entry->value.text.text, loader->pipeline->node[i].name) == 0)
            loader->draft[i].gets_dead_letters = true;
    }
}

static const struct fly_yaml *find_nodes(struct fly_loader *loader)
{
    const struct fly_yaml_entry *nodes = fly_yaml_find(&loader->root, "nodes");
    struct fly_config *config = &loader->config;
    if (!nodes)
        FLY_CONFIG_ERROR(config, loader->root.at, NULL, "nodes",
                         "flyover new file/count/file writes a pipeline to begin with",
                         "the pipeline has no 'nodes'");
    else if (nodes->value.kind != FLY_YAML_MAP || nodes->value.cnt == 0)
        FLY_CONFIG_ERROR(config, nodes->key_at, NULL, "nodes", NULL,
                         "'nodes' must be a map of nodes by name, not %s",
                         nodes->value.kind == FLY_YAML_MAP ? "an empty one"
                                                           : fly_yaml_kind_text(&nodes->value));
    else if (nodes->value.cnt > FLY_PLAN_NODES_MAX)
        FLY_CONFIG_ERROR(config, nodes->key_at, NULL, "nodes", NULL,
                         "a pipeline has at most %d nodes, not %u", FLY_PLAN_NODES_MAX,
                         nodes->value.cnt);
    else
        return &nodes->value;
    return NULL;
}

void fly_loader_nodes(struct fly_loader *loader)
{
    struct fly_pipeline *pipeline = loader->pipeline;
    const struct fly_yaml *nodes = find_nodes(loader);
    if (!nodes)
        return;
    pipeline->node_cnt = nodes->cnt;
    pipeline->node = fly_arena_array(loader->config.arena, nodes->cnt, sizeof(*pipeline->node));
    loader->draft = fly_arena_array(loader->config.arena, nodes->cnt, sizeof(*loader->draft));
    for (uint32_t i = 0; i < nodes->cnt; i++) {
        loader->draft[i].entry = &nodes->entry[i];
        pipeline->node[i] = (struct fly_pipeline_node){.name = nodes->entry[i].key.text,
                                                       .at = nodes->entry[i].key_at,
                                                       .dead_letters = FLY_PIPELINE_NONE};
        check_name(loader, &nodes->entry[i]);
    }
    mark_dead_letters(loader, &loader->root);
    for (uint32_t i = 0; i < nodes->cnt; i++)
        mark_dead_letters(loader, &nodes->entry[i].value);
    for (uint32_t i = 0; i < nodes->cnt; i++)
        read_node(loader, i);
}
