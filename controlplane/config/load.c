#include "config/bind.h"
#include "config/documents.h"
#include "config/loader.h"
#include "config/options.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>

/* What the caller gets, and what has to be given back with it. */
struct owned {
    struct fly_pipeline pipeline; /* first: the handed out pointer is the owned one */
    struct fly_arena *arena;
    struct fly_types types;
};

uint32_t fly_pipeline_find(const struct fly_pipeline *pipeline, const char *name)
{
    for (uint32_t i = 0; i < pipeline->node_cnt; i++) {
        if (strcmp(pipeline->node[i].name, name) == 0)
            return i;
    }
    return FLY_PIPELINE_NONE;
}

static void check_pipeline_name(struct fly_loader *loader)
{
    const struct fly_config_value *value = fly_values_find(&loader->keys, "pipeline");
    const char *name = value->string.text;
    size_t bytes = strlen(name);
    if (!value->given || (bytes > 0 && bytes < FLY_PLAN_NAME_MAX && bytes == value->string.bytes &&
                          strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == bytes))
        return;
    FLY_CONFIG_ERROR(&loader->config, value->at, NULL, "pipeline",
                     "names have a-z, 0-9, _ and -, and at most 63 of them",
                     "'%s' can't be the name of a pipeline", name);
}

static void read_pipeline_keys(struct fly_loader *loader)
{
    static const char *const OTHER_KEYS[] = {"nodes", NULL};
    struct fly_pipeline_options *options = &loader->pipeline->options;
    struct fly_values tables[] = {{.params = fly_option_pipeline()},
                                  {.params = fly_option_delivery()}};
    struct fly_values_scope scope = {
        .owner = "the pipeline",
        .at = loader->root.at,
        .other_keys = OTHER_KEYS,
        .all_hint = "keys of a node stand below its name in 'nodes'",
    };
    fly_values_read(&loader->config, &scope, tables, 2, &loader->root);
    loader->keys = tables[0];
    loader->delivery = tables[1];
    options->name = options->state = (struct fly_string){"", 0};
    fly_bind(loader->config.arena, tables[0].value, tables[0].cnt, options);
    fly_bind(loader->config.arena, tables[1].value, tables[1].cnt, &options->delivery);
    loader->pipeline->name = options->name.text;
    check_pipeline_name(loader);
}

static void keep_file_names(struct fly_loader *loader)
{
    struct fly_pipeline *pipeline = loader->pipeline;
    uint32_t cnt = loader->config.text_cnt;
    const char **file = fly_arena_array(loader->config.arena, cnt, sizeof(*file));
    for (uint32_t i = 0; i < cnt; i++)
        file[i] = loader->config.text[i].name;
    pipeline->file = file;
    pipeline->file_cnt = cnt;
}

/* 0; -EINVAL: there are errors; another negative errno: only that of a file. */
static int load(struct fly_loader *loader)
{
    const struct fly_diagnostics *diags = loader->config.diags;
    int rc = fly_documents_read(&loader->config, &loader->root);
    if (rc != 0)
        return rc;
    read_pipeline_keys(loader);
    fly_types_init(&loader->types, &loader->config);
    fly_types_load(&loader->types, &loader->config, fly_values_find(&loader->keys, "plugins"));
    fly_loader_nodes(loader);
    fly_loader_inputs(loader);
    fly_loader_graph(loader);
    bool good = fly_diag_error_cnt(diags) == 0;
    if (loader->config.request->level == FLY_CONFIG_FILES && loader->draft)
        rc = fly_loader_files(loader);
    keep_file_names(loader);
    return good ? rc : -EINVAL;
}

int fly_config_load(const struct fly_config_request *request, struct fly_pipeline **out,
                    struct fly_diagnostics *diags)
{
    struct fly_arena *arena = fly_arena_create();
    struct owned *owned = fly_arena_take(arena, sizeof(*owned));
    struct fly_loader loader = {
        .config = {.request = request, .arena = arena, .diags = diags},
        .pipeline = &owned->pipeline,
    };
    int rc = load(&loader);
    owned->arena = arena;
    owned->types = loader.types;
    *out = &owned->pipeline;
    if (rc != 0) {
        fly_pipeline_destroy(*out);
        *out = NULL;
    }
    return rc;
}

void fly_pipeline_destroy(struct fly_pipeline *pipeline)
{
    if (!pipeline)
        return;
    struct owned *owned = (struct owned *)pipeline;
    fly_types_fini(&owned->types);
    fly_arena_destroy(owned->arena);
}
