/* pipeline.h - the checked model of a pipeline: every value typed, with the place it was written
 * at.
 *
 * Idea       fly_config_load() reads YAML files, checks everything that can be known without
 *            starting, and hands out a model without holes: names are resolved to indices,
 *            defaults are filled in.
 * Owner      The caller, until fly_pipeline_destroy(); read-only.
 * Memory     The heap. Node types of plugins stay loaded as long as the pipeline.
 * Order      Nodes in the order of the files; parameters in the order of the node's table.
 * See also   diag.h, load.h, controlplane/plan/build.h, docs/reference/pipeline.md
 */
#ifndef FLY_CONFIG_PIPELINE_H
#define FLY_CONFIG_PIPELINE_H

#include "config/diag.h"
#include "shm/plan.h"

#include <flyover/plugin.h>
#include <stdbool.h>
#include <stdint.h>

#define FLY_PIPELINE_NONE UINT32_MAX

struct fly_config_row;

struct fly_config_list {
    struct fly_string *item;
    uint32_t cnt;
};

struct fly_config_table {
    struct fly_config_row *row;
    uint32_t cnt;
};

/* A typed value; `param->type` says which member counts. */
struct fly_config_value {
    const struct fly_param *param;
    struct fly_position at; /* of the value; of the node when it was not given */
    bool given;             /* written by the user, not the preset */
    union {
        bool flag;                     /* BOOL */
        int64_t number;                /* INT */
        uint64_t count;                /* UINT, DURATION (ns), SIZE (bytes) */
        double real;                   /* FLOAT */
        struct fly_string string;      /* STRING, PATH (absolute, or "-") */
        uint32_t choice;               /* ENUM: index into the choices */
        struct fly_config_list list;   /* LIST, PATHS */
        struct fly_config_table table; /* TABLE */
    };
};

struct fly_config_row {
    struct fly_string name;
    struct fly_position at;
    struct fly_config_value *value; /* in the order of param->row */
};

/* How roots are tried. Given beside `nodes:` for all sources and stages, or on one of them. */
struct fly_delivery_options {
    uint64_t ack_timeout_ns;
    uint64_t attempts; /* tries in all */
    uint64_t backoff_ns;
    uint64_t backoff_max_ns;
    uint64_t max_in_flight; /* roots per task; 0: the plan chooses */
    struct fly_string dead_letters;
};

/* Options that nodes have in common. 0 and empty: the plan chooses. */
struct fly_node_options {
    uint64_t tasks;
    struct fly_list cores; /* numbers and ranges: "0", "2-3"; see config/cores.h */
    struct fly_delivery_options delivery;
    uint64_t retain_bytes;
    bool retain_given; /* 0 was asked for, not left open */
    uint64_t hold_messages;
    uint64_t hold_bytes;
    uint64_t state_bytes;
    struct fly_string state;    /* sources: where the position is kept; absolute */
    uint64_t max_message_bytes; /* of the edges that leave it */
    uint64_t frames;            /* of the edges that leave it, per sending worker */
};

struct fly_pipeline_input {
    struct fly_position at;
    uint32_t from_node;
    uint32_t from_port; /* index among its ports */
    enum fly_grouping grouping;
    struct fly_string
        group; /* inputs of one (node, port) with the same group share it; empty: a copy */
    uint64_t max_message_bytes; /* final: its own, else the sender's, else the pipeline's */
    uint64_t frames;            /* its own, else the sender's; 0: the plan chooses */
};

struct fly_pipeline_node {
    const char *name;
    struct fly_position at; /* of its name */
    const struct fly_node *type;
    struct fly_config_value *param; /* param_cnt values in the order of type->params */
    uint32_t param_cnt;
    const char *const *port; /* port_cnt output ports: the type's own, then those of ports_from */
    uint32_t port_cnt;
    struct fly_pipeline_input *input;
    uint32_t input_cnt;
    struct fly_node_options options; /* what it does not say itself is the pipeline's */
    struct fly_position cores_at;
    uint32_t dead_letters;  /* index of the node that gets its dead letters, or FLY_PIPELINE_NONE */
    bool gets_dead_letters; /* somebody's dead letters come here */
};

struct fly_pipeline_options {
    struct fly_string name;
    struct fly_list plugins; /* absolute paths */
    struct fly_delivery_options delivery;
    uint32_t idle; /* enum fly_idle */
    uint64_t flush_ns;
    uint64_t drain_timeout_ns;
    uint64_t frame_bytes;
    uint64_t max_message_bytes;
    struct fly_string state; /* directory; already applied to the sources */
};

struct fly_pipeline {
    const char *name;
    const char *const *file; /* the texts that positions refer to */
    uint32_t file_cnt;
    struct fly_pipeline_options options;
    struct fly_pipeline_node *node;
    uint32_t node_cnt;
};

/* How far to look. */
enum fly_config_level {
    FLY_CONFIG_STATIC, /* the pipeline files and plugins only */
    FLY_CONFIG_FILES,  /* and whether the files and folders that it names are there */
};

struct fly_config_request {
    const char *const *file; /* paths; "-" is standard input */
    uint32_t file_cnt;
    const char *const *set; /* PATH=VALUE, applied in order */
    uint32_t set_cnt;
    const struct fly_node *const *builtin; /* ends with NULL */
    enum fly_config_level level;
    bool no_environment; /* ${VAR} counts as not set */
};

/* Reads and checks. 0: *out is the pipeline (there may be warnings). -EINVAL: all that is wrong is
 * in `diags`, *out is NULL. Another negative errno (-ENOENT, -EACCES, -EIO...): a file could not
 * be read; that is in `diags`, too. */
int fly_config_load(const struct fly_config_request *request, struct fly_pipeline **out,
                    struct fly_diagnostics *diags) __attribute__((warn_unused_result));

/* NULL is fine. */
void fly_pipeline_destroy(struct fly_pipeline *pipeline);

/* Index of the node called `name`, or FLY_PIPELINE_NONE. */
uint32_t fly_pipeline_find(const struct fly_pipeline *pipeline, const char *name);

#endif
