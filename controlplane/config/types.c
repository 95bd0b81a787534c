#include "config/types.h"

#include "base/err.h"
#include "config/options.h"
#include "config/values.h"

static void add_type(struct fly_types *types, struct fly_config *config,
                     const struct fly_node *node, const char *plugin)
{
    types->type = fly_arena_grow(config->arena, types->type, types->cnt, 1, sizeof(*types->type));
    types->type[types->cnt++] = (struct fly_type){node, plugin};
}

void fly_types_init(struct fly_types *types, struct fly_config *config)
{
    *types = (struct fly_types){.type = NULL};
    for (const struct fly_node *const *type = config->request->builtin; *type; type++)
        add_type(types, config, *type, NULL);
}

/* The first key of a dotted name is what would clash in a pipeline file. */
static bool same_key(const char *one, const char *other)
{
    size_t bytes = strcspn(one, ".");
    return bytes == strcspn(other, ".") && memcmp(one, other, bytes) == 0;
}

/* The option that all such nodes have and that a parameter of `type` would hide; NULL if none. */
static const char *hidden_option(const struct fly_node *type)
{
    for (const struct fly_param *param = type->params; param && param->name; param++) {
        if (same_key(param->name, "type") || same_key(param->name, "inputs"))
            return param->name;
        for (const struct fly_option_group *group = fly_option_groups(); group->title; group++) {
            for (const struct fly_param *option = group->params; option->name; option++) {
                if (same_key(option->name, param->name))
                    return param->name;
            }
        }
    }
    return NULL;
}

static const char *owner_of(const struct fly_types *types, const struct fly_node *type)
{
    for (uint32_t i = 0; i < types->cnt; i++) {
        const struct fly_type *other = &types->type[i];
        bool is_same_kind = (other->node->kind == FLY_SOURCE) == (type->kind == FLY_SOURCE);
        if (is_same_kind && strcmp(other->node->name, type->name) == 0)
            return other->opt_plugin ? other->opt_plugin : "Flyover itself";
    }
    return NULL;
}

static void add_plugin_type(struct fly_types *types, struct fly_config *config,
                            const struct fly_node *type, const char *plugin, struct fly_position at)
{
    const char *owner = owner_of(types, type), *hidden = hidden_option(type);
    if (owner)
        FLY_CONFIG_ERROR(config, at, NULL, "plugins", NULL,
                         "the %s '%s' of plugin '%s' has a name that %s uses already",
                         fly_values_kind_text(type->kind), type->name, plugin, owner);
    if (hidden)
        FLY_CONFIG_ERROR(config, at, NULL, "plugins", NULL,
                         "node '%s' of plugin '%s' has a parameter '%s': all nodes have a key of "
                         "that name",
                         type->name, plugin, hidden);
    add_type(types, config, type, plugin);
}

void fly_types_load(struct fly_types *types, struct fly_config *config,
                    const struct fly_config_value *paths)
{
    types->plugin =
        fly_arena_array(config->arena, paths->list.cnt, sizeof(struct fly_loaded_plugin));
    for (uint32_t i = 0; i < paths->list.cnt; i++) {
        struct fly_loaded_plugin *loaded = &types->plugin[types->plugin_cnt];
        if (fly_plugin_open(loaded, paths->list.item[i].text) != 0) {
            FLY_CONFIG_ERROR(config, paths->at, NULL, "plugins", fly_err_hint(), "%s",
                             fly_err_text());
            fly_err_reset();
            continue;
        }
        types->plugin_cnt++;
        for (const struct fly_node *const *type = loaded->plugin->nodes; *type; type++)
            add_plugin_type(types, config, *type, loaded->plugin->name, paths->at);
    }
}

void fly_types_fini(struct fly_types *types)
{
    for (uint32_t i = 0; i < types->plugin_cnt; i++)
        fly_plugin_close(&types->plugin[i]);
    types->plugin_cnt = 0;
}

const struct fly_node *fly_types_find(const struct fly_types *types, const char *name,
                                      bool is_source)
{
    const struct fly_node *other = NULL;
    for (uint32_t i = 0; i < types->cnt; i++) {
        if (strcmp(types->type[i].node->name, name) != 0)
            continue;
        if ((types->type[i].node->kind == FLY_SOURCE) == is_source)
            return types->type[i].node;
        other = types->type[i].node;
    }
    return other;
}
