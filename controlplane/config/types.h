/* types.h - the node types that a pipeline can use: the built-in ones and those of its plugins.
 *
 * Idea       One list. A source and a stage or sink may share a name (`file`): whether a node has
 *            inputs tells which one is meant.
 * Owner      The pipeline's loader; plugins stay loaded until fly_types_fini().
 * See also   shm/plugin_load.h
 */
#ifndef FLY_CONFIG_TYPES_H
#define FLY_CONFIG_TYPES_H

#include "config/context.h"
#include "shm/plugin_load.h"

struct fly_type {
    const struct fly_node *node;
    const char *opt_plugin; /* the plugin's name; NULL: built in */
};

struct fly_types {
    struct fly_type *type;
    uint32_t cnt;
    struct fly_loaded_plugin *plugin;
    uint32_t plugin_cnt;
};

/* Takes the built-in types of the request. */
void fly_types_init(struct fly_types *types, struct fly_config *config);

/* Loads plugins; `paths` is the value of the key `plugins`. What is wrong is added as findings. */
void fly_types_load(struct fly_types *types, struct fly_config *config,
                    const struct fly_config_value *paths);

/* Unloads the plugins. */
void fly_types_fini(struct fly_types *types);

/* The type called `name`: a source if `is_source`, else a stage or sink; where there is none of
 * that kind, the other. NULL: there is no such type. */
const struct fly_node *fly_types_find(const struct fly_types *types, const char *name,
                                      bool is_source);

#endif
