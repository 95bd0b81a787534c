/* run.h - runs a pipeline in the foreground: plan, memory, dataplane, watching, restarts, summary.
 *
 * Idea       One loop over descriptors: the dataplane's death (pidfd), signals (signalfd) and a
 *            timer; everything else is read from the workspace.
 * Owner      The calling process, which should do nothing else: SIGINT, SIGTERM, SIGHUP and SIGCHLD
 *            are taken by signalfd until it returns.
 * Signals    The first SIGINT or SIGTERM drains: sources stop, trees finish, until the drain
 *            timeout. The second stops at once.
 * Left       Nothing, also when this process is killed: the dataplane dies with it, the memory has
 *            no name, and a stale instance file is removed by the next start.
 * See also   instance.h, ledger.h, state_file.h, summary.h
 */
#ifndef FLY_SUPERVISE_RUN_H
#define FLY_SUPERVISE_RUN_H

#include "config/cores.h"
#include "config/pipeline.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Exit codes of sysexits.h that a run can have. */
enum {
    FLY_EXIT_OK = 0,
    FLY_EXIT_FAILED = 1, /* a node misused the API, it kept crashing, or the ledger is wrong */
    FLY_EXIT_UNREACHABLE = 69, /* flyover-dataplane was not found */
    FLY_EXIT_IO = 74,          /* the operating system refused something; state can't be written */
    FLY_EXIT_LATER = 75, /* the instance runs already, no memory, or messages were left behind */
    FLY_EXIT_PERMISSION = 77,
    FLY_EXIT_CONFIG = 78, /* the plan or a node's setup refused */
};

enum fly_progress { FLY_PROGRESS_AUTO, FLY_PROGRESS_ALWAYS, FLY_PROGRESS_NEVER };
enum fly_huge_pages { FLY_HUGE_AUTO, FLY_HUGE_ALWAYS, FLY_HUGE_NEVER };
enum fly_log_level { FLY_LOG_ERROR, FLY_LOG_WARNING, FLY_LOG_INFO, FLY_LOG_DEBUG };

/* A zeroed struct means all defaults but the log level. */
struct fly_run_options {
    struct fly_cores cores;   /* empty: all that the process may use */
    const char *opt_instance; /* NULL: the pipeline's name, with -2, -3... if that one runs */
    uint64_t duration_ns;     /* 0: until the sources end */
    bool json;                /* the summary as JSON on stdout; else as text on stderr, if that is
                                * a terminal or progress is asked for */
    FILE *opt_summary;        /* where the JSON goes instead of stdout */
    bool json_log;
    enum fly_progress progress;
    enum fly_huge_pages huge_pages;
    enum fly_log_level log_level;
    uint32_t restart_limit; /* crashes without a newly acked message in between; 0: 20 */
};

/* Runs it to its end and prints the summary. Returns the exit code; what went wrong is on
 * stderr. */
int fly_run_pipeline(const struct fly_pipeline *pipeline, const struct fly_run_options *options);

#endif
