/* runner.h - one run of a pipeline, from its instance file to its summary.
 *
 * Idea       start.c makes everything and launches the dataplane, recover.c goes on after its
 *            death, run.c watches, finish.c tells how it was.
 * Owner      fly_run_pipeline(), for its duration.
 */
#ifndef FLY_SUPERVISE_RUNNER_H
#define FLY_SUPERVISE_RUNNER_H

#include "plan/build.h"
#include "supervise/carry.h"
#include "supervise/instance.h"
#include "supervise/log.h"
#include "supervise/process.h"
#include "supervise/progress.h"
#include "supervise/run.h"
#include "supervise/source_state.h"
#include "supervise/tally.h"

enum {
    FLY_RUN_CRASHES_MAX = 20,         /* without a newly acked message in between */
    FLY_RUN_CRASHES_AT_START_MAX = 3, /* before anything was set up: it will not get better */
};

struct fly_runner {
    const struct fly_pipeline *pipeline;
    const struct fly_run_options *options;
    struct fly_log log;
    struct fly_instance instance;
    struct fly_built *built;
    struct fly_layout layout;
    char dataplane_path[FLY_PLAN_PATH_MAX];
    bool can_go_on[FLY_PLAN_NODES_MAX]; /* per node: a source with `restore` */
    bool starts_over;                   /* keeps state by key: after a death it begins again */
    struct fly_source_states states;
    struct fly_carry begin, carry; /* what this run began with; what the next dataplane gets */
    struct fly_tally base;         /* what dead dataplanes have ended */
    struct fly_tally now;          /* base and the live workspace, at the last look */

    struct fly_workspace workspace;
    struct fly_process process;
    uint32_t incarnation;
    enum fly_command command;

    uint64_t begin_ns;
    uint64_t ready_ns; /* 0: the dataplane has never been set up */
    uint64_t end_ns;
    uint64_t launch_at_ns; /* when the next dataplane is due; 0: there is one */
    uint64_t drain_until_ns, kill_at_ns;
    uint32_t restart_cnt, crash_cnt; /* in all; in a row */
    uint64_t acked_high;
    int told_errno[FLY_PLAN_NODES_MAX]; /* per node: the trouble that was said */

    struct fly_progress_line progress;
    bool show_progress;
    uint32_t columns; /* of the terminal */
    uint64_t tick_cnt;
    int exit_code; /* FLY_EXIT_OK until something goes wrong */
};

/* Takes the instance, plans, reads states. 0, or a negative errno with a trace; runner->exit_code
 * is set.
 * In both cases fly_runner_fini() frees all. */
int fly_runner_init(struct fly_runner *runner) __attribute__((warn_unused_result));
void fly_runner_fini(struct fly_runner *runner);

/* Makes a workspace and starts a dataplane on it. 0 or a negative errno with a trace, exit_code
 * set. */
int fly_runner_launch(struct fly_runner *runner) __attribute__((warn_unused_result));

/* Adds up base and the live workspace in runner->now. */
void fly_runner_look(struct fly_runner *runner);

/* The dataplane has died, of `detail`. 0: another one is due at launch_at_ns; -1: it is given up,
 * said why, exit_code set. */
int fly_runner_recover(struct fly_runner *runner, enum fly_ending ending, const char *detail)
    __attribute__((warn_unused_result));

/* Sets the exit code if there is none yet. */
void fly_runner_fail(struct fly_runner *runner, int exit_code);

/* Asks the dataplane for `command`, if that is more than it was asked for already. */
void fly_runner_command(struct fly_runner *runner, enum fly_command command);

/* Says which nodes the system has begun to refuse I/O. */
void fly_runner_tell_trouble(struct fly_runner *runner);

/* After the end: states, checks of the ledger, summary. */
void fly_runner_finish(struct fly_runner *runner);

#endif
