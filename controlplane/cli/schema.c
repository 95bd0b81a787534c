#include "cli/catalog.h"
#include "config/options.h"
#include "config/values.h"

#include <jansson.h>
#include <math.h>

static json_t *typed(const char *type)
{
    return json_pack("{s:s}", "type", type);
}

static json_t *pattern(const char *regex)
{
    return json_pack("{s:s, s:s}", "type", "string", "pattern", regex);
}

/* Either of two; takes both. */
static json_t *either(json_t *one, json_t *other)
{
    return json_pack("{s:[o, o]}", "anyOf", one, other);
}

static json_t *bounded(const char *type, const struct fly_param *param)
{
    json_t *schema = typed(type);
    bool has_range = param->min != 0 || param->max != 0;
    if (has_range || param->type == FLY_PARAM_UINT)
        json_object_set_new(schema, "minimum", json_integer((json_int_t)ceil(param->min)));
    if (param->max > param->min)
        json_object_set_new(schema, "maximum", json_integer((json_int_t)floor(param->max)));
    return schema;
}

static json_t *choices(const struct fly_param *param)
{
    json_t *list = json_array();
    for (const char *const *choice = param->choices; *choice; choice++)
        json_array_append_new(list, json_string(*choice));
    return json_pack("{s:o}", "enum", list);
}

static json_t *strings(void)
{
    json_t *item = json_pack("{s:[s, s, s]}", "type", "string", "number", "boolean");
    json_t *list = json_pack("{s:s, s:o}", "type", "array", "items", item);
    return either(typed("string"), either(typed("number"), list));
}

static json_t *table_schema(const struct fly_param *params);

static json_t *value_schema(const struct fly_param *param)
{
    static const char DURATION[] = "^[0-9.]+ *(ns|us|ms|s|m|h|d)?$";
    static const char SIZE[] = "^[0-9.]+ *(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)?$";
    switch (param->type) {
    case FLY_PARAM_BOOL:
        return typed("boolean");
    case FLY_PARAM_INT:
        return bounded("integer", param);
    case FLY_PARAM_UINT:
        return either(bounded("integer", param), pattern("^[0-9.]+[kMG]?(/s)?$"));
    case FLY_PARAM_FLOAT:
        return typed("number");
    case FLY_PARAM_STRING:
    case FLY_PARAM_PATH:
        return json_pack("{s:[s, s, s]}", "type", "string", "number", "boolean");
    case FLY_PARAM_ENUM:
        return choices(param);
    case FLY_PARAM_DURATION:
        return either(typed("number"), pattern(DURATION));
    case FLY_PARAM_SIZE:
        return either(typed("number"), pattern(SIZE));
    case FLY_PARAM_LIST:
    case FLY_PARAM_PATHS:
        return strings();
    case FLY_PARAM_TABLE:
        break;
    }
    return json_pack("{s:s, s:o}", "type", "object", "additionalProperties",
                     table_schema(param->row));
}

static json_t *param_schema(const struct fly_param *param)
{
    json_t *variable = json_pack("{s:s}", "$ref", "#/$defs/variable");
    json_t *schema = param->type == FLY_PARAM_TABLE || param->type == FLY_PARAM_STRING
                         ? value_schema(param)
                         : either(value_schema(param), variable);
    if (param->type == FLY_PARAM_TABLE || param->type == FLY_PARAM_STRING)
        json_decref(variable);
    if (param->help)
        json_object_set_new(schema, "description", json_string(param->help));
    if (param->preset)
        json_object_set_new(schema, "default", json_string(param->preset));
    return schema;
}

/* An object with nothing in it yet. */
static json_t *empty_object(void)
{
    return json_pack("{s:s, s:b, s:{}, s:[]}", "type", "object", "additionalProperties", 0,
                     "properties", "required");
}

/* Adds `name` to an object's properties; a dot leads into an inner object. Takes `schema`. */
static void add_property(json_t *object, const char *name, bool required, json_t *schema)
{
    const char *dot;
    while ((dot = strchr(name, '.'))) {
        char outer[FLY_PLAN_NAME_MAX];
        snprintf(outer, sizeof(outer), "%.*s", (int)(dot - name), name);
        json_t *properties = json_object_get(object, "properties");
        json_t *inner = json_object_get(properties, outer);
        if (!inner) {
            inner = empty_object();
            json_object_set_new(properties, outer, inner);
        }
        object = inner;
        name = dot + 1;
    }
    json_object_set_new(json_object_get(object, "properties"), name, schema);
    if (required)
        json_array_append_new(json_object_get(object, "required"), json_string(name));
}

static void add_params(json_t *object, const struct fly_param *params)
{
    for (const struct fly_param *param = params; param && param->name; param++)
        add_property(object, param->name, param->required, param_schema(param));
}

static json_t *table_schema(const struct fly_param *params)
{
    json_t *object = empty_object();
    add_params(object, params);
    return object;
}

static json_t *inputs_schema(void)
{
    json_t *one = either(typed("string"), table_schema(fly_option_input()));
    json_t *list = json_pack("{s:s, s:O, s:i}", "type", "array", "items", one, "minItems", 1);
    json_t *schema = either(one, list);
    json_object_set_new(schema, "description",
                        json_string("The nodes, or NODE.PORT, whose messages come in."));
    return schema;
}

static json_t *node_schema(const struct fly_node *type)
{
    json_t *object = empty_object();
    json_object_set_new(object, "description", json_string(type->help));
    add_property(object, "type", true, json_pack("{s:s}", "const", type->name));
    if (type->kind != FLY_SOURCE)
        add_property(object, "inputs", false, json_pack("{s:s}", "$ref", "#/$defs/inputs"));
    add_params(object, type->params);
    for (const struct fly_option_group *group = fly_option_groups(); group->title; group++) {
        if (group->applies(type))
            add_params(object, group->params);
    }
    return object;
}

static const char *definition_name(struct fly_arena *arena, const struct fly_node *type)
{
    return fly_arena_print(arena, "%s_%s", type->name, fly_values_kind_text(type->kind));
}

/* If `type` has this name, then the node is like one of the types that have it. */
static json_t *name_rule(struct fly_arena *arena, const struct fly_types *types, const char *name)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < types->cnt; i++) {
        if (strcmp(types->type[i].node->name, name) != 0)
            continue;
        const char *target =
            fly_arena_print(arena, "#/$defs/%s", definition_name(arena, types->type[i].node));
        json_array_append_new(list, json_pack("{s:s}", "$ref", target));
    }
    return json_pack("{s:{s:{s:{s:s}}, s:[s]}, s:{s:o}}", "if", "properties", "type", "const", name,
                     "required", "type", "then", "anyOf", list);
}

static json_t *nodes_schema(struct fly_arena *arena, const struct fly_types *types)
{
    json_t *rules = json_array(), *names = json_array();
    for (uint32_t i = 0; i < types->cnt; i++) {
        bool is_first = true;
        for (uint32_t j = 0; j < i; j++)
            is_first &= strcmp(types->type[i].node->name, types->type[j].node->name) != 0;
        if (!is_first)
            continue;
        json_array_append_new(names, json_string(types->type[i].node->name));
        json_array_append_new(rules, name_rule(arena, types, types->type[i].node->name));
    }
    json_t *node = json_pack("{s:s, s:{s:{s:o}}, s:[s], s:o}", "type", "object", "properties",
                             "type", "enum", names, "required", "type", "allOf", rules);
    return json_pack("{s:s, s:i, s:i, s:{s:s}, s:o}", "type", "object", "minProperties", 1,
                     "maxProperties", FLY_PLAN_NODES_MAX, "propertyNames", "pattern",
                     "^[A-Za-z0-9_-]{1,63}$", "additionalProperties", node);
}

static json_t *make_schema(struct fly_arena *arena, const struct fly_types *types)
{
    json_t *root = empty_object(), *definitions = json_object();
    json_object_set_new(root, "$schema",
                        json_string("https://json-schema.org/draft/2020-12/schema"));
    json_object_set_new(root, "title", json_string("Flyover pipeline"));
    add_params(root, fly_option_pipeline());
    add_params(root, fly_option_delivery());
    add_property(root, "nodes", true, nodes_schema(arena, types));
    json_object_set_new(definitions, "variable", pattern("\\$"));
    json_object_set_new(definitions, "inputs", inputs_schema());
    for (uint32_t i = 0; i < types->cnt; i++)
        json_object_set_new(definitions, definition_name(arena, types->type[i].node),
                            node_schema(types->type[i].node));
    json_object_set_new(root, "$defs", definitions);
    return root;
}

int fly_cli_schema(const struct fly_call *call)
{
    struct fly_catalog catalog;
    int rc = fly_catalog_open(&catalog, call);
    if (rc != 0)
        return rc;
    json_t *schema = make_schema(call->arena, &catalog.types);
    json_dumpf(schema, call->cli->out, JSON_INDENT(2));
    fputc('\n', call->cli->out);
    json_decref(schema);
    fly_catalog_close(&catalog);
    return FLY_CLI_OK;
}
