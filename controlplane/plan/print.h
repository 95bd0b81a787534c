/* print.h - what a run will take, before it starts: `flyover plan`.
 *
 * Idea       Builds the plan and the layout of its memory exactly as a run does, and prints them:
 *            cores, workers, tasks, edges, and every part of the memory to the byte.
 * Memory     The heap, for the call.
 * See also   build.h, worker/layout.h
 */
#ifndef FLY_PLAN_PRINT_H
#define FLY_PLAN_PRINT_H

#include "plan/build.h"

#include <stdbool.h>
#include <stdio.h>

/* Prints as text or as one JSON object. 0, or a negative errno with a trace and nothing printed. */
int fly_plan_print(const struct fly_pipeline *pipeline, const struct fly_build_options *options,
                   bool json, FILE *file) __attribute__((warn_unused_result));

#endif
