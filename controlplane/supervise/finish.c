#include "base/clock.h"
#include "base/err.h"
#include "supervise/runner.h"
#include "supervise/summary.h"

#include <errno.h>
#include <flyover/plugin.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Positions and open messages as they are now, into the state files. */
static void keep_states(struct fly_runner *runner)
{
    if (!runner->states.cnt || (runner->starts_over && runner->exit_code != FLY_EXIT_OK))
        return;
    int rc = runner->workspace.base
                 ? fly_carry_live(&runner->carry, &runner->workspace, &runner->layout)
                 : 0;
    if (!rc)
        rc = fly_source_states_write(&runner->states, &runner->carry);
    if (rc) {
        fly_log_trace(&runner->log);
        fly_runner_fail(runner, FLY_EXIT_IO);
    }
}

/* The path that a node reads or writes; "" if it has none. */
static const char *path_of(const struct fly_pipeline_node *node)
{
    for (uint32_t i = 0; i < node->param_cnt; i++) {
        if (node->param[i].param->type == FLY_PARAM_PATH && node->param[i].string.bytes)
            return node->param[i].string.text;
    }
    return "";
}

void fly_runner_tell_trouble(struct fly_runner *runner)
{
    for (uint32_t i = 0; i < runner->built->plan->node_cnt; i++) {
        const struct fly_pipeline_node *node = &runner->pipeline->node[i];
        int error = runner->now.node[i].io_errno;
        const char *path = path_of(node);
        if (error && error != runner->told_errno[i])
            fly_log_line(&runner->log, FLY_LOG_ERROR, "node '%s' (%s) cannot %s%s%s: %s",
                         node->name, node->type->name,
                         node->type->kind == FLY_SOURCE ? "read" : "write", path[0] ? " " : "",
                         path, strerror(error));
        runner->told_errno[i] = error;
    }
}

/* I/O that failed to the end, and messages that were lost by it. */
static void check_io(struct fly_runner *runner)
{
    const struct fly_plan *plan = runner->built->plan;
    fly_runner_tell_trouble(runner);
    for (uint32_t i = 0; i < plan->node_cnt; i++) {
        const struct fly_tally_roots *roots = runner->now.node[i].roots;
        if (runner->now.node[i].io_errno)
            fly_runner_fail(runner, FLY_EXIT_IO);
        if (!roots || !roots->dropped_by[FLY_REASON_IO])
            continue;
        (void)FLY_ERR(EIO, "%" PRIu64 " messages of '%s' were dropped: they could not be written",
                      roots->dropped_by[FLY_REASON_IO], fly_plan_nodes(plan)[i].name);
        FLY_ERR_HINT("make room or repair the sink; with 'dead_letters' they are kept");
        fly_log_trace(&runner->log);
        fly_runner_fail(runner, FLY_EXIT_IO);
    }
}

static void check_ledger(struct fly_runner *runner)
{
    const struct fly_plan *plan = runner->built->plan;
    for (uint32_t i = 0; i < plan->node_cnt; i++) {
        const struct fly_tally_roots *roots = runner->now.node[i].roots;
        const char *name = fly_plan_nodes(plan)[i].name;
        if (!roots)
            continue;
        if (!fly_tally_balances(roots)) {
            fly_log_line(&runner->log, FLY_LOG_ERROR,
                         "the ledger of '%s' is wrong: in %" PRIu64 " is not acked %" PRIu64
                         " + failed %" PRIu64 " + dropped %" PRIu64 " + abandoned %" PRIu64
                         " + in flight %" PRIu64,
                         name, roots->in, roots->acked, roots->failed, roots->dropped,
                         roots->abandoned, roots->in_flight);
            fly_runner_fail(runner, FLY_EXIT_FAILED);
        }
        if (roots->in_flight == 0)
            continue;
        bool cut_off = runner->command == FLY_COMMAND_STOP || runner->exit_code != FLY_EXIT_OK;
        fly_log_line(&runner->log, cut_off ? FLY_LOG_WARNING : FLY_LOG_ERROR,
                     "%" PRIu64 " messages of '%s' were left unfinished%s", roots->in_flight, name,
                     runner->can_go_on[i] ? "" : ", and it cannot send them again");
        fly_runner_fail(runner, cut_off ? FLY_EXIT_LATER : FLY_EXIT_FAILED);
    }
}

/* Says so where a source had nothing to do because an earlier run had done it. */
static void tell_idle_sources(struct fly_runner *runner)
{
    for (uint32_t i = 0; i < runner->states.cnt; i++) {
        const struct fly_source_state *source = &runner->states.source[i];
        if (source->found && runner->now.node[source->node].roots->in == 0)
            fly_log_line(&runner->log, FLY_LOG_INFO,
                         "source '%s' had nothing new: an earlier run had got to its end (remove "
                         "%s.0 and %s.1 to start over)",
                         fly_plan_nodes(runner->built->plan)[source->node].name, source->file.path,
                         source->file.path);
    }
}

static const char *outcome_of(const struct fly_runner *runner)
{
    if (runner->exit_code != FLY_EXIT_OK && runner->exit_code != FLY_EXIT_LATER)
        return "failed";
    if (runner->command == FLY_COMMAND_STOP)
        return "stopped";
    return runner->command == FLY_COMMAND_DRAIN ? "drained" : "ended";
}

static void print_summary(struct fly_runner *runner, const struct fly_summary *summary)
{
    const struct fly_run_options *options = runner->options;
    bool wanted = isatty(STDERR_FILENO) ? options->progress != FLY_PROGRESS_NEVER
                                        : options->progress == FLY_PROGRESS_ALWAYS;
    FILE *file = options->opt_summary ? options->opt_summary : stdout;
    if (options->json && fly_summary_print_json(summary, file)) {
        fly_log_trace(&runner->log);
        fly_runner_fail(runner, FLY_EXIT_IO);
    }
    if (!options->json && wanted)
        fly_summary_print(summary, stderr);
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

void fly_runner_finish(struct fly_runner *runner)
{
    uint64_t ready_ns = runner->ready_ns ? runner->ready_ns : runner->end_ns;
    fly_runner_look(runner);
    keep_states(runner);
    check_io(runner);
    check_ledger(runner);
    tell_idle_sources(runner);
    struct rusage used;
    getrusage(RUSAGE_CHILDREN, &used);
    struct fly_summary summary = {
        .pipeline = runner->pipeline,
        .plan = runner->built->plan,
        .tally = &runner->now,
        .outcome = outcome_of(runner),
        .seconds = (double)(runner->end_ns - ready_ns) / 1e9,
        .start_seconds = (double)(ready_ns - runner->begin_ns) / 1e9,
        .cpu_seconds = seconds_of(used.ru_utime) + seconds_of(used.ru_stime),
        .rss_bytes = (uint64_t)used.ru_maxrss * 1024,
        .restart_cnt = runner->restart_cnt,
    };
    print_summary(runner, &summary);
    if (fflush(stdout)) {
        fly_log_line(&runner->log, FLY_LOG_ERROR, "cannot write the summary");
        fly_runner_fail(runner, FLY_EXIT_IO);
    }
}
