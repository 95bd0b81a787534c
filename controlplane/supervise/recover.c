#include "base/clock.h"
#include "base/err.h"
#include "supervise/runner.h"

#include "worker/restore.h"

#include <flyover/plugin.h>
#include <inttypes.h>

#define BACKOFF_NS UINT64_C(100000000)
#define BACKOFF_MAX_NS UINT64_C(5000000000)

static uint64_t acked_sum(const struct fly_tally *tally)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < tally->node_cnt; i++)
        sum += tally->node[i].roots ? tally->node[i].roots->acked : 0;
    return sum;
}

/* Counts the crashes in a row: a message acked for the first time breaks it. */
static void count_crash(struct fly_runner *runner)
{
    uint64_t acked = acked_sum(&runner->now);
    if (acked > runner->acked_high) {
        runner->acked_high = acked;
        runner->crash_cnt = 0;
    }
    runner->crash_cnt++;
}

static bool is_hopeless(struct fly_runner *runner, enum fly_ending ending, const char *detail)
{
    uint32_t limit = runner->options->restart_limit ? runner->options->restart_limit
                                                    : (uint32_t)FLY_RUN_CRASHES_MAX;
    if (!runner->ready_ns && ending == FLY_ENDED_CRASHED && limit > FLY_RUN_CRASHES_AT_START_MAX)
        limit = FLY_RUN_CRASHES_AT_START_MAX;
    if (runner->crash_cnt < limit)
        return false;
    fly_log_line(&runner->log, FLY_LOG_ERROR,
                 "the dataplane died %u times in a row %s (last of %s): given up",
                 runner->crash_cnt,
                 runner->ready_ns ? "without finishing a message" : "before it was set up", detail);
    return true;
}

/* Sources that can go on do so from where this run began; the others have lost what they sent. */
static int start_over(struct fly_runner *runner)
{
    const struct fly_plan *plan = runner->built->plan;
    for (uint32_t i = 0; i < plan->node_cnt; i++) {
        if (fly_plan_nodes(plan)[i].kind == FLY_SOURCE && !runner->can_go_on[i])
            fly_log_line(&runner->log, FLY_LOG_WARNING,
                         "source '%s' cannot begin again: what it sent before is not in the state "
                         "of the nodes that start over",
                         fly_plan_nodes(plan)[i].name);
    }
    fly_tally_clear(&runner->base);
    return fly_carry_copy(&runner->carry, &runner->begin);
}

static void settle(struct fly_runner *runner)
{
    const struct fly_plan *plan = runner->built->plan;
    struct fly_tally *base = &runner->base;
    fly_tally_read(base, &runner->workspace, &runner->layout);
    base->worker_cnt = base->ready_cnt = 0;
    for (uint32_t i = 0; i < plan->node_cnt; i++) {
        if (!base->node[i].roots)
            continue;
        uint64_t lost = fly_carry_abandoned(&runner->carry, &runner->workspace, &runner->layout, i);
        fly_tally_settle(base->node[i].roots, lost);
        if (lost)
            fly_log_line(&runner->log, FLY_LOG_WARNING,
                         "%" PRIu64 " messages of '%s' were lost with the dataplane", lost,
                         fly_plan_nodes(plan)[i].name);
    }
}

static uint64_t backoff_ns(uint32_t crash_cnt)
{
    if (crash_cnt <= 1)
        return 0;
    uint32_t doublings = crash_cnt - 2;
    uint64_t wait_ns = doublings < 16 ? BACKOFF_NS << doublings : BACKOFF_MAX_NS;
    return wait_ns < BACKOFF_MAX_NS ? wait_ns : BACKOFF_MAX_NS;
}

static uint32_t count_suspects(const struct fly_carry *carry, uint32_t *open_cnt)
{
    uint32_t cnt = 0;
    *open_cnt = 0;
    for (uint32_t i = 0; i < carry->task_cnt; i++) {
        *open_cnt += carry->task[i].root_cnt;
        for (uint32_t k = 0; k < carry->task[i].root_cnt; k++)
            cnt += (carry->task[i].root[k].flags & FLY_RESTORE_SUSPECT) != 0;
    }
    return cnt;
}

int fly_runner_recover(struct fly_runner *runner, enum fly_ending ending, const char *detail)
{
    count_crash(runner);
    if (is_hopeless(runner, ending, detail)) {
        fly_runner_fail(runner, FLY_EXIT_FAILED);
        return -1;
    }
    int rc = runner->starts_over
                 ? start_over(runner)
                 : fly_carry_dead(&runner->carry, &runner->workspace, &runner->layout);
    if (!rc && !runner->starts_over) {
        settle(runner);
        rc = fly_source_states_write(&runner->states, &runner->carry);
    }
    if (rc) {
        fly_log_trace(&runner->log);
        fly_runner_fail(runner, FLY_EXIT_IO);
        return -1;
    }
    fly_workspace_close(&runner->workspace);
    uint32_t open_cnt, suspect_cnt = count_suspects(&runner->carry, &open_cnt);
    uint64_t wait_ns = backoff_ns(runner->crash_cnt);
    runner->restart_cnt++;
    runner->launch_at_ns = fly_clock_ns() + wait_ns;
    fly_log_line(&runner->log, FLY_LOG_WARNING,
                 "the dataplane died of %s; it starts again in %" PRIu64
                 " ms%s, %u messages to be sent again, %u of them under suspicion",
                 detail, wait_ns / 1000000, runner->starts_over ? " from the beginning" : "",
                 open_cnt, suspect_cnt);
    return 0;
}
