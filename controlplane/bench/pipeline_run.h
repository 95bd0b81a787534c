/* pipeline_run.h - one pipeline run to its end, and what came of it, checked.
 *
 * Idea       A text of YAML, run by the same code as `flyover run`; the figures are those of its
 *            summary. A run in which a message was not acked is an error, not a figure.
 * Owner      The caller.
 */
#ifndef FLY_BENCH_PIPELINE_RUN_H
#define FLY_BENCH_PIPELINE_RUN_H

#include "config/cores.h"

#include <flyover/plugin.h>
#include <stdbool.h>
#include <stdint.h>

struct fly_pipeline_job {
    const struct fly_node *const *builtin;
    struct fly_cores cores;
    const char *yaml;
    const char *source, *counted; /* nodes of it */
};

struct fly_pipeline_figures {
    bool ended;          /* by itself: else a signal drained it, and the rest says little */
    double seconds;      /* from ready to the end */
    uint64_t acked;      /* roots of `source` */
    uint64_t counted_in; /* messages that came into `counted` */
    uint64_t p50_ns, p99_ns, p999_ns; /* source to ack */
};

/* Runs it. 0, or an exit code of supervise/run.h, said why on stderr. */
int fly_pipeline_run(const struct fly_pipeline_job *job, struct fly_pipeline_figures *figures)
    __attribute__((warn_unused_result));

#endif
