/* values.h - typed values from a map of the tree, by tables of parameters.
 *
 * Idea       A scope names who owns the keys; its tables say which there are. Unknown keys, wrong
 *            types and missing values are findings; whatever is not given takes its preset.
 * Errors     fly_values_read() says how many it added; values that failed hold zero.
 * See also   convert.h, bind.h, <flyover/params.h>
 */
#ifndef FLY_CONFIG_VALUES_H
#define FLY_CONFIG_VALUES_H

#include "config/context.h"
#include "config/yaml.h"

/* One table and what was read by it. */
struct fly_values {
    const struct fly_param *params; /* ends with an entry without a name; NULL: none */
    struct fly_config_value *value; /* cnt, in the order of the table */
    uint32_t cnt;
};

struct fly_values_scope {
    const char *owner;             /* for messages: "a file source", "the pipeline" */
    const char *node;              /* may be NULL */
    struct fly_position at;        /* where what is missing is reported */
    const char *const *other_keys; /* keys that the caller sees to; ends with NULL; may be NULL */
    const char *all_hint;          /* for unknown keys that are like no other; may be NULL */
    /* Why a key is not known here, as a hint, or NULL; may be NULL itself. */
    const char *(*explain)(const void *arg, const char *key);
    const void *explain_arg;
};

/* Reads `map` by `tables`. The values are made here. Returns the number of errors. */
uint32_t fly_values_read(struct fly_config *config, const struct fly_values_scope *scope,
                         struct fly_values *tables, uint32_t table_cnt, const struct fly_yaml *map);

/* How many parameters a table has; NULL has none. */
uint32_t fly_values_param_cnt(const struct fly_param *params);

/* The value called `name` in a table that has it. */
struct fly_config_value *fly_values_find(const struct fly_values *values, const char *name);

/* "a file source", "an identity stage". */
const char *fly_values_node_text(struct fly_arena *arena, const struct fly_node *type);

/* "source", "stage", "sink". */
const char *fly_values_kind_text(enum fly_kind kind);

#endif
