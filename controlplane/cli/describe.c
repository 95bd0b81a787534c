#include "cli/catalog.h"
#include "cli/help.h"
#include "cli/param_text.h"
#include "config/options.h"
#include "config/suggest.h"
#include "config/values.h"

#include <jansson.h>

enum { NAME_COLUMNS = 20 };

static void print_param(struct fly_arena *arena, const struct fly_param *param, const char *prefix,
                        FILE *file)
{
    const char *allowed = fly_param_allowed_text(arena, param);
    const char *name = fly_arena_print(arena, "%s%s", prefix, param->name);
    fprintf(file, "  %-*s %s; %s%s%s\n", NAME_COLUMNS, name, fly_param_type_text(param->type),
            param->required || !param->preset ? "" : "default ", fly_param_default_text(param),
            *allowed ? fly_arena_print(arena, "; %s", allowed) : "");
    if (param->help) {
        fprintf(file, "  %-*s ", NAME_COLUMNS, "");
        fly_help_wrap(file, param->help, NAME_COLUMNS + 3, NAME_COLUMNS + 3);
    }
    for (const struct fly_param *row = param->row; row && row->name; row++)
        print_param(arena, row, fly_arena_print(arena, "%s.NAME.", name), file);
}

static void print_ports(const struct fly_node *type, FILE *file)
{
    const char *const *port = type->ports;
    if (type->kind == FLY_SINK && !port)
        return;
    fputs("\nports\n", file);
    if (!port && !type->ports_from)
        fputs("  out\n", file);
    for (; port && *port; port++)
        fprintf(file, "  %s\n", *port);
    if (type->ports_from)
        fprintf(file, "  and one for each name in '%s'\n", type->ports_from);
}

static void print_guarantees(struct fly_arena *arena, const struct fly_node *type, FILE *file)
{
    const char *replay = fly_node_replay_text(type);
    fprintf(file, "\nhow it works\n  %s\n  %s\n", fly_node_done_text(type),
            fly_node_tasks_text(arena, type));
    if (replay)
        fprintf(file, "  %s\n", replay);
    if (type->keyed_state)
        fputs("  keeps state per key: its inputs must be grouped by key (or global)\n", file);
    if (type->holds)
        fputs("  holds messages beyond their call: see 'hold'\n", file);
}

static void print_options(struct fly_arena *arena, const struct fly_node *type, FILE *file)
{
    fputs("\noptions that other nodes have, too\n", file);
    for (const struct fly_option_group *group = fly_option_groups(); group->title; group++) {
        for (const struct fly_param *param = group->params; group->applies(type) && param->name;
             param++)
            print_param(arena, param, "", file);
    }
}

static void print_text(struct fly_arena *arena, const struct fly_node *type, FILE *file)
{
    fprintf(file, "%s (%s)\n", type->name, fly_values_kind_text(type->kind));
    fly_help_wrap(file, type->help, 0, 0);
    if (type->example)
        fprintf(file, "\nexample\n  %s\n", type->example);
    if (type->params)
        fputs("\nparameters\n", file);
    for (const struct fly_param *param = type->params; param && param->name; param++)
        print_param(arena, param, "", file);
    print_ports(type, file);
    print_guarantees(arena, type, file);
    print_options(arena, type, file);
}

static json_t *text_or_null(const char *text)
{
    return text && *text ? json_string(text) : json_null();
}

static json_t *params_json(struct fly_arena *arena, const struct fly_param *params)
{
    json_t *list = json_array();
    for (const struct fly_param *param = params; param && param->name; param++) {
        json_t *object = json_object();
        json_object_set_new(object, "name", json_string(param->name));
        json_object_set_new(object, "type", json_string(fly_param_type_text(param->type)));
        json_object_set_new(object, "required", json_boolean(param->required));
        json_object_set_new(object, "default", text_or_null(param->preset));
        json_object_set_new(object, "allowed", text_or_null(fly_param_allowed_text(arena, param)));
        json_object_set_new(object, "help", text_or_null(param->help));
        if (param->row)
            json_object_set_new(object, "row", params_json(arena, param->row));
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *ports_json(const struct fly_node *type)
{
    json_t *list = json_array();
    for (const char *const *port = type->ports; port && *port; port++)
        json_array_append_new(list, json_string(*port));
    if (!type->ports && !type->ports_from && type->kind != FLY_SINK)
        json_array_append_new(list, json_string("out"));
    return list;
}

static json_t *type_json(struct fly_arena *arena, const struct fly_node *type)
{
    json_t *object = json_object(), *options = json_array();
    for (const struct fly_option_group *group = fly_option_groups(); group->title; group++) {
        if (!group->applies(type))
            continue;
        json_t *params = params_json(arena, group->params);
        json_array_extend(options, params);
        json_decref(params);
    }
    json_object_set_new(object, "type", json_string(type->name));
    json_object_set_new(object, "kind", json_string(fly_values_kind_text(type->kind)));
    json_object_set_new(object, "help", json_string(type->help));
    json_object_set_new(object, "example", text_or_null(type->example));
    json_object_set_new(object, "done", json_string(fly_node_done_text(type)));
    json_object_set_new(object, "keyed_state", json_boolean(type->keyed_state));
    json_object_set_new(object, "ports", ports_json(type));
    json_object_set_new(object, "ports_from", text_or_null(type->ports_from));
    json_object_set_new(object, "parameters", params_json(arena, type->params));
    json_object_set_new(object, "options", options);
    return object;
}

/* Says that there is no such type. */
static int refuse_type(const struct fly_call *call, const struct fly_catalog *catalog)
{
    struct fly_suggest suggest = {.wanted = call->operand[0]};
    for (uint32_t i = 0; i < catalog->types.cnt; i++)
        fly_suggest_offer(&suggest, catalog->types.type[i].node->name);
    const char *hint = "flyover list shows all types";
    if (suggest.best)
        hint = fly_arena_print(call->arena, "did you mean '%s'?", suggest.best);
    return fly_command_misused(call, hint, "there is no node type '%s'", call->operand[0]);
}

int fly_cli_describe(const struct fly_call *call)
{
    struct fly_catalog catalog;
    json_t *found = json_array();
    uint32_t cnt = 0;
    int rc = fly_catalog_open(&catalog, call);
    if (rc != 0)
        goto done;
    for (uint32_t i = 0; i < catalog.types.cnt; i++) {
        const struct fly_node *type = catalog.types.type[i].node;
        if (strcmp(type->name, call->operand[0]) != 0)
            continue;
        if (call->options.format) {
            json_array_append_new(found, type_json(call->arena, type));
        } else {
            fputs(cnt ? "\n\n" : "", call->cli->out);
            print_text(call->arena, type, call->cli->out);
        }
        cnt++;
    }
    if (cnt == 0)
        rc = refuse_type(call, &catalog);
    else if (call->options.format) {
        json_dumpf(found, call->cli->out, JSON_INDENT(2));
        fputc('\n', call->cli->out);
    }
    fly_catalog_close(&catalog);
done:
    json_decref(found);
    return rc;
}
