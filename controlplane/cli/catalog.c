#include "cli/catalog.h"

int fly_catalog_open(struct fly_catalog *catalog, const struct fly_call *call)
{
    const struct fly_list *plugins = &call->options.plugins;
    struct fly_config_value paths = {.list.cnt = plugins->cnt};
    paths.list.item =
        fly_arena_grow(call->arena, plugins->item, plugins->cnt, 0, sizeof(struct fly_string));
    catalog->request = (struct fly_config_request){.builtin = call->cli->builtin};
    catalog->config = (struct fly_config){
        .request = &catalog->request, .arena = call->arena, .diags = fly_diag_create()};
    fly_config_add_text(&catalog->config, "--plugin", ".", NULL, 0);
    fly_types_init(&catalog->types, &catalog->config);
    fly_types_load(&catalog->types, &catalog->config, &paths);
    bool good = fly_diag_error_cnt(catalog->config.diags) == 0;
    fly_diag_print(catalog->config.diags, call->cli->err, false);
    if (!good)
        fly_catalog_close(catalog);
    return good ? 0 : FLY_CLI_CONFIG;
}

void fly_catalog_close(struct fly_catalog *catalog)
{
    fly_types_fini(&catalog->types);
    fly_diag_destroy(catalog->config.diags);
    catalog->config.diags = NULL;
}
