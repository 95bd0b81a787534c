/* loader.h - the stages of loading a pipeline, in their order, and what they hand on.
 *
 * Idea       documents -> pipeline keys and plugins -> nodes -> inputs -> dead letters -> graph ->
 *            files. A node that is not usable is skipped by the stages after, so that one mistake
 *            is told once.
 * Owner      fly_config_load().
 * See also   documents.h, types.h, load.c
 */
#ifndef FLY_CONFIG_LOADER_H
#define FLY_CONFIG_LOADER_H

#include "config/context.h"
#include "config/types.h"
#include "config/values.h"
#include "config/yaml.h"

/* What is known of a node beside the model. */
struct fly_draft {
    const struct fly_yaml_entry *entry; /* in the tree */
    bool gets_dead_letters;             /* somebody says so, whether or not that holds */
    const struct fly_config_value *opt_dead_letters; /* its own; NULL: the pipeline's */
};

struct fly_loader {
    struct fly_config config;
    struct fly_yaml root;
    struct fly_types types;
    struct fly_values keys;     /* beside `nodes` */
    struct fly_values delivery; /* beside `nodes`, for all of them */
    struct fly_draft *draft;    /* by node */
    struct fly_pipeline *pipeline;
};

/* nodes.c: names, types, parameters, options, ports. A node whose type is not known has type
 * NULL. */
void fly_loader_nodes(struct fly_loader *loader);

/* inputs.c: who reads what. An input that can't be resolved is left out. */
void fly_loader_inputs(struct fly_loader *loader);

/* graph.c: no cycles; who gets dead letters; what is grouped how; outputs that nobody reads. */
void fly_loader_graph(struct fly_loader *loader);

/* files.c: whether files and folders that nodes name are there. 0, or the negative errno of the
 * first that is not usable; all of them are findings. */
int fly_loader_files(struct fly_loader *loader);

/* Index of the node called `name`. FLY_PIPELINE_NONE: there is none, which is a finding at `at`. */
uint32_t fly_loader_find(struct fly_loader *loader, struct fly_string name, struct fly_position at,
                         const char *node, const char *key);

#endif
