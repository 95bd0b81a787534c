#include "base/clock.h"
#include "base/err.h"
#include "supervise/runner.h"

#include <errno.h>
#include <flyover/plugin.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

void fly_runner_fail(struct fly_runner *runner, int exit_code)
{
    if (runner->exit_code == FLY_EXIT_OK)
        runner->exit_code = exit_code;
}

/* The exit code that fits an error of the system. */
static int exit_code_of(int rc)
{
    switch (rc) {
    case -EBUSY:
    case -ENOMEM:
    case -EAGAIN:
        return FLY_EXIT_LATER;
    case -EACCES:
    case -EPERM:
        return FLY_EXIT_PERMISSION;
    case -EINVAL:
    case -ESTALE:
        return FLY_EXIT_CONFIG;
    default:
        return FLY_EXIT_IO;
    }
}

static int take_instance(struct fly_runner *runner)
{
    const char *given = runner->options->opt_instance;
    char folder[FLY_PLAN_PATH_MAX];
    int rc = fly_instance_folder(folder, sizeof(folder));
    if (rc)
        return rc;
    uint32_t stale_cnt = fly_instance_clean(folder);
    if (stale_cnt)
        fly_log_line(&runner->log, FLY_LOG_DEBUG, "removed what %u ended runs had left", stale_cnt);
    rc = given ? fly_instance_take(&runner->instance, folder, given)
               : fly_instance_take_free(&runner->instance, folder, runner->pipeline->name);
    return rc ? rc : fly_instance_describe(&runner->instance, runner->pipeline->name);
}

static void look_at_nodes(struct fly_runner *runner)
{
    const struct fly_pipeline *pipeline = runner->pipeline;
    for (uint32_t i = 0; i < pipeline->node_cnt; i++) {
        runner->can_go_on[i] = pipeline->node[i].type->restore != NULL;
        runner->starts_over |= pipeline->node[i].type->keyed_state;
    }
}

static int make_plan(struct fly_runner *runner)
{
    struct fly_build_options options = {.cores = runner->options->cores,
                                        .instance = runner->instance.name};
    int rc = fly_plan_build(runner->pipeline, &options, &runner->built);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < runner->built->note_cnt; i++)
        fly_log_line(&runner->log, FLY_LOG_WARNING, "%s", runner->built->note[i]);
    return fly_layout_compute(runner->built->plan, &runner->layout);
}

static int make_tables(struct fly_runner *runner)
{
    const struct fly_plan *plan = runner->built->plan;
    int rc = fly_carry_create(&runner->begin, plan, runner->can_go_on);
    if (!rc)
        rc = fly_carry_create(&runner->carry, plan, runner->can_go_on);
    if (!rc)
        rc = fly_tally_create(&runner->base, plan);
    if (!rc)
        rc = fly_tally_create(&runner->now, plan);
    if (!rc)
        rc = fly_source_states_open(&runner->states, runner->pipeline, plan, &runner->begin);
    return rc ? rc : fly_carry_copy(&runner->carry, &runner->begin);
}

int fly_runner_init(struct fly_runner *runner)
{
    runner->begin_ns = fly_clock_ns();
    look_at_nodes(runner);
    int rc = fly_process_find(runner->dataplane_path, sizeof(runner->dataplane_path));
    if (rc) {
        runner->exit_code = FLY_EXIT_UNREACHABLE;
        return rc;
    }
    rc = take_instance(runner);
    if (!rc)
        rc = make_plan(runner);
    if (!rc)
        rc = make_tables(runner);
    if (rc)
        runner->exit_code = exit_code_of(rc);
    return rc;
}

void fly_runner_fini(struct fly_runner *runner)
{
    fly_workspace_close(&runner->workspace);
    fly_source_states_close(&runner->states);
    fly_tally_destroy(&runner->now);
    fly_tally_destroy(&runner->base);
    fly_carry_destroy(&runner->carry);
    fly_carry_destroy(&runner->begin);
    fly_layout_fini(&runner->layout);
    fly_built_destroy(runner->built);
    fly_instance_release(&runner->instance);
}

/* Fills a new workspace with the plan and what is carried over. */
static int fill_workspace(struct fly_runner *runner)
{
    struct fly_workspace *workspace = &runner->workspace;
    const struct fly_plan *plan = runner->built->plan;
    if (runner->options->huge_pages == FLY_HUGE_ALWAYS && !workspace->header->huge_pages) {
        int rc = FLY_ERR(ENOMEM, "there are not enough free huge pages for %llu bytes",
                         (unsigned long long)workspace->bytes);
        FLY_ERR_HINT("set vm.nr_hugepages to at least %llu more, or leave out --huge-pages",
                     (unsigned long long)(workspace->bytes >> 21) + 1);
        return rc;
    }
    workspace->header->incarnation = runner->incarnation;
    memcpy(workspace->plan, plan, plan->bytes);
    workspace->plan->restarted = fly_carry_has_position(&runner->carry);
    int rc = fly_layout_format(workspace, &runner->layout);
    if (rc)
        return rc;
    fly_carry_write(&runner->carry, workspace, &runner->layout);
    atomic_store_explicit(&workspace->header->command, (uint32_t)runner->command,
                          memory_order_relaxed);
    fly_workspace_publish(workspace);
    return 0;
}

/* There is not enough memory for what it has just begun on. */
static void end_unfilled(struct fly_process *process)
{
    char detail[64];
    kill(process->pid, SIGKILL);
    (void)fly_process_end(process, detail, sizeof(detail));
}

int fly_runner_launch(struct fly_runner *runner)
{
    bool huge_pages = runner->options->huge_pages != FLY_HUGE_NEVER;
    runner->launch_at_ns = 0;
    runner->incarnation++;
    int rc = fly_workspace_create(&runner->workspace, runner->layout.bytes, huge_pages);
    if (!rc)
        rc = fill_workspace(runner);
    if (!rc)
        rc = fly_process_start(&runner->process, runner->dataplane_path,
                               (struct fly_process_fds){runner->workspace.fd, runner->instance.fd});
    if (!rc) {
        rc = fly_workspace_fill(&runner->workspace);
        if (rc)
            end_unfilled(&runner->process);
    }
    if (rc) {
        fly_workspace_close(&runner->workspace);
        runner->exit_code = exit_code_of(rc);
    }
    return rc;
}

void fly_runner_look(struct fly_runner *runner)
{
    fly_tally_clear(&runner->now);
    fly_tally_add(&runner->now, &runner->base);
    if (runner->workspace.base)
        fly_tally_read(&runner->now, &runner->workspace, &runner->layout);
}

void fly_runner_command(struct fly_runner *runner, enum fly_command command)
{
    if (command <= runner->command)
        return;
    runner->command = command;
    if (runner->workspace.base)
        atomic_store_explicit(&runner->workspace.header->command, (uint32_t)command,
                              memory_order_release);
}
