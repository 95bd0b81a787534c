/* options.h - the keys of a pipeline file that belong to no node type, as tables.
 *
 * Idea       The same typed tables as nodes have, so checking, describe, the schema and the
 *            reference pages come from one place. Groups of node options say which nodes have them.
 * See also   pipeline.h (the structs they are bound into), docs/reference/pipeline.md
 */
#ifndef FLY_CONFIG_OPTIONS_H
#define FLY_CONFIG_OPTIONS_H

#include "config/pipeline.h"

/* Options that some nodes have. */
struct fly_option_group {
    const char *title; /* "delivery" */
    const char *whose; /* "sources and stages" */
    const struct fly_param *params;
    size_t at; /* in struct fly_node_options, of the struct that they are bound into */
    bool (*applies)(const struct fly_node *type);
};

/* All groups; ends with an entry without a title. */
const struct fly_option_group *fly_option_groups(void);

/* Keys beside `nodes`, bound into struct fly_pipeline_options. */
const struct fly_param *fly_option_pipeline(void);

/* Keys for nodes that may stand beside `nodes`, too, for all of them; struct
 * fly_delivery_options. */
const struct fly_param *fly_option_delivery(void);

/* Keys of an entry of `inputs` that is a map. */
struct fly_input_options {
    struct fly_string from;
    uint32_t grouping; /* enum fly_grouping */
    struct fly_string group;
    uint64_t max_message_bytes;
    uint64_t frames;
};

const struct fly_param *fly_option_input(void);

#endif
