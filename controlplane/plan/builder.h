/* builder.h - the plan while it is being made: tables of the largest size, filled from the front.
 *
 * Idea       place.c puts tasks on workers, edges.c connects them, build.c does the rest and copies
 *            everything into one block at the end.
 * Owner      fly_plan_build(), for its duration.
 * Memory     One allocation of some megabytes, of which only what is used is touched.
 */
#ifndef FLY_PLAN_BUILDER_H
#define FLY_PLAN_BUILDER_H

#include "plan/build.h"

struct fly_builder {
    const struct fly_pipeline *pipeline;
    const struct fly_build_options *options;
    struct fly_built *built;
    struct fly_plan head; /* the counts are those of the tables below */
    struct fly_plan_node node[FLY_PLAN_NODES_MAX];
    struct fly_plan_port port[FLY_PLAN_NODES_MAX * FLY_PLAN_PORTS_MAX];
    struct fly_plan_edge edge[FLY_PLAN_EDGES_MAX];
    struct fly_plan_worker worker[FLY_PLAN_WORKERS_MAX];
    struct fly_plan_task task[FLY_PLAN_TASKS_MAX];
    uint64_t runs_on[FLY_PLAN_NODES_MAX]; /* workers that have a task of the node, a bit each */
    uint32_t targets[FLY_PLAN_EDGES_MAX * FLY_PLAN_TARGETS_MAX];
    uint16_t slots[FLY_PLAN_EDGES_MAX][FLY_SLOT_CNT];
};

/* Adds a sentence for the reader of the plan; beyond FLY_BUILD_NOTES_MAX it is dropped. */
void fly_builder_note(struct fly_builder *builder, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Chooses the workers: one for each core. 0, or -EINVAL with a trace. */
int fly_place_workers(struct fly_builder *builder) __attribute__((warn_unused_result));

/* Puts tasks on workers and numbers them, deepest first; node depths must be known. 0, or
 * -EINVAL. */
int fly_place_tasks(struct fly_builder *builder) __attribute__((warn_unused_result));

/* Depths of all nodes, from the pipeline's inputs and dead letters. 0, or -EINVAL: a cycle. */
int fly_edges_depths(struct fly_builder *builder) __attribute__((warn_unused_result));

/* Makes ports, edges, targets and slots; tasks must be placed. 0, or -EINVAL with a trace. */
int fly_edges_connect(struct fly_builder *builder) __attribute__((warn_unused_result));

#endif
