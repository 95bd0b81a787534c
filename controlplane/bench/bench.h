/* bench.h - how fast this machine is, and how much of that a pipeline gets: in one minute.
 *
 * Idea       Rounds of short steps until the time is over; each round measures the machine, the
 *            loops by hand and the pipelines that do the same, one after the other. All of it is in
 *            this program and in memory: an installed flyover needs nothing else.
 * Owner      The calling process, which should do nothing else.
 * Results    Checked: every message acked, every word counted as by hand; else there is no report.
 * See also   report.h, loop.h, docs/reference/cli.md, tests/e2e/test_bench.py
 */
#ifndef FLY_BENCH_BENCH_H
#define FLY_BENCH_BENCH_H

#include "config/cores.h"

#include <flyover/plugin.h>
#include <stdbool.h>
#include <stdio.h>

enum { FLY_BENCH_SECONDS_MIN = 1, FLY_BENCH_SECONDS_MAX = 3600 };

struct fly_bench_options {
    const struct fly_node *const *builtin; /* ends with NULL */
    struct fly_cores cores;                /* empty: all that the process may use */
    uint64_t seconds;                      /* about how long in all; one round at least */
    bool json;
    bool progress; /* a line on stderr that says what is being measured */
    FILE *out;
};

/* Returns an exit code of supervise/run.h; what went wrong is on stderr. */
int fly_bench(const struct fly_bench_options *options);

#endif
