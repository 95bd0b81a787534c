#include "cli/pipelines.h"

#include "base/err.h"
#include "config/cores.h"
#include "plan/print.h"
#include "supervise/run.h"

static enum fly_config_level level_of(const struct fly_call *call)
{
    return call->options.level ? FLY_CONFIG_STATIC : FLY_CONFIG_FILES;
}

static void print_verdict(const struct fly_call *call, const struct fly_pipeline *pipeline,
                          const struct fly_diagnostics *diags)
{
    uint32_t error_cnt = fly_diag_error_cnt(diags), warning_cnt = fly_diag_warning_cnt(diags);
    if (!pipeline) {
        fprintf(call->cli->err, "%u %s\n", error_cnt, error_cnt == 1 ? "error" : "errors");
        return;
    }
    uint32_t edge_cnt = 0;
    for (uint32_t i = 0; i < pipeline->node_cnt; i++)
        edge_cnt += pipeline->node[i].input_cnt;
    fprintf(call->cli->out, "%s: ok (%u %s, %u %s%s)\n", pipeline->name, pipeline->node_cnt,
            pipeline->node_cnt == 1 ? "node" : "nodes", edge_cnt, edge_cnt == 1 ? "edge" : "edges",
            warning_cnt ? ", with warnings" : "");
}

int fly_cli_validate(const struct fly_call *call)
{
    struct fly_pipeline *pipeline;
    struct fly_diagnostics *diags = fly_diag_create();
    int code = fly_pipelines_check(call, level_of(call), &pipeline, diags);
    if (call->options.format) {
        fly_diag_print_json(diags, call->cli->out);
    } else {
        fly_pipelines_print(call, diags);
        print_verdict(call, pipeline, diags);
    }
    fly_diag_destroy(diags);
    fly_pipeline_destroy(pipeline);
    return code;
}

/* The value of --cores; 0, or the exit code. */
static int read_cores(const struct fly_call *call, struct fly_cores *cores)
{
    *cores = (struct fly_cores){.bits = {0}};
    if (call->options.cores.bytes == 0 || fly_cores_add(cores, call->options.cores.text) == 0)
        return 0;
    return fly_command_misused(call, fly_err_hint(), "--cores: %s", fly_err_text());
}

int fly_cli_plan(const struct fly_call *call)
{
    struct fly_build_options options = {.instance = NULL};
    struct fly_pipeline *pipeline;
    int code = read_cores(call, &options.cores);
    if (code == 0)
        code = fly_pipelines_load(call, FLY_CONFIG_STATIC, &pipeline);
    if (code != 0)
        return code;
    int rc = fly_plan_print(pipeline, &options, call->options.format != 0, call->cli->out);
    if (rc != 0)
        fly_err_print(call->cli->err);
    fly_pipeline_destroy(pipeline);
    return fly_pipelines_exit_code(rc);
}

int fly_cli_run(const struct fly_call *call)
{
    const struct fly_cli_options *given = &call->options;
    struct fly_run_options options = {
        .opt_instance = given->instance.bytes ? given->instance.text : NULL,
        .duration_ns = given->duration_ns,
        .json = given->format != 0,
        .json_log = given->log_format != 0,
        .progress = (enum fly_progress)given->progress,
        .huge_pages = (enum fly_huge_pages)given->huge_pages,
        .log_level = (enum fly_log_level)given->log_level,
    };
    struct fly_pipeline *pipeline;
    int code = read_cores(call, &options.cores);
    if (code == 0)
        code = fly_pipelines_load(call, FLY_CONFIG_FILES, &pipeline);
    if (code != 0)
        return code;
    code = fly_run_pipeline(pipeline, &options);
    fly_pipeline_destroy(pipeline);
    return code;
}
