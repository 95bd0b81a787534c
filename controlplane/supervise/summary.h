/* summary.h - what a run came to: the ledger of every source, rates, latencies, counts of every
 * node.
 *
 * Idea       One object, printed as aligned text or as JSON.
 * See also   tally.h, docs/reference/cli.md
 */
#ifndef FLY_SUPERVISE_SUMMARY_H
#define FLY_SUPERVISE_SUMMARY_H

#include "config/pipeline.h"
#include "supervise/tally.h"

#include <stdio.h>

struct fly_summary {
    const struct fly_pipeline *pipeline;
    const struct fly_plan *plan;
    const struct fly_tally *tally;
    const char *outcome;  /* "ended", "drained", "stopped", "failed" */
    double seconds;       /* from the moment that all was set up */
    double start_seconds; /* before that */
    double cpu_seconds;   /* processor time of the dataplanes */
    uint64_t rss_bytes;   /* the largest resident set of one of them */
    uint32_t restart_cnt;
};

void fly_summary_print(const struct fly_summary *summary, FILE *file);

/* One object and a newline. 0, or -ENOMEM with a trace. */
int fly_summary_print_json(const struct fly_summary *summary, FILE *file)
    __attribute__((warn_unused_result));

/* A reason's name: "timeout"; "node-3" for a node's own reason 3. */
const char *fly_summary_reason(uint32_t reason, char *text, size_t bytes);

#endif
