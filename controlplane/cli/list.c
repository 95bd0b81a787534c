#include "cli/catalog.h"
#include "config/values.h"

#include <jansson.h>

static void print_text(const struct fly_catalog *catalog, FILE *file)
{
    static const char *const TITLES[] = {"sources", "stages", "sinks"};
    for (uint32_t kind = FLY_SOURCE; kind <= FLY_SINK; kind++) {
        fprintf(file, "%s%s\n", kind ? "\n" : "", TITLES[kind]);
        for (uint32_t i = 0; i < catalog->types.cnt; i++) {
            const struct fly_node *type = catalog->types.type[i].node;
            if ((uint32_t)type->kind == kind)
                fprintf(file, "  %-14s %s\n", type->name, type->help);
        }
    }
    fputs("\nflyover describe TYPE explains one of them.\n", file);
}

static void print_json(const struct fly_catalog *catalog, FILE *file)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < catalog->types.cnt; i++) {
        const struct fly_node *type = catalog->types.type[i].node;
        const char *plugin = catalog->types.type[i].opt_plugin;
        json_t *object = json_object();
        json_object_set_new(object, "type", json_string(type->name));
        json_object_set_new(object, "kind", json_string(fly_values_kind_text(type->kind)));
        json_object_set_new(object, "help", json_string(type->help));
        json_object_set_new(object, "plugin", plugin ? json_string(plugin) : json_null());
        json_array_append_new(list, object);
    }
    json_dumpf(list, file, JSON_INDENT(2));
    fputc('\n', file);
    json_decref(list);
}

int fly_cli_list(const struct fly_call *call)
{
    struct fly_catalog catalog;
    int rc = fly_catalog_open(&catalog, call);
    if (rc != 0)
        return rc;
    if (call->options.format)
        print_json(&catalog, call->cli->out);
    else
        print_text(&catalog, call->cli->out);
    fly_catalog_close(&catalog);
    return FLY_CLI_OK;
}

int fly_cli_version(const struct fly_call *call)
{
    fprintf(call->cli->out, "flyover %s (node ABI %u)\n", FLY_VERSION, FLY_ABI_VERSION);
    return FLY_CLI_OK;
}
