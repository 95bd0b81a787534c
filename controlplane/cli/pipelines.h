/* pipelines.h - the pipeline that a command was given, read and checked.
 *
 * Idea       All commands with FILE... load alike and tell findings alike.
 */
#ifndef FLY_CLI_PIPELINES_H
#define FLY_CLI_PIPELINES_H

#include "cli/command.h"
#include "config/pipeline.h"

/* Reads the operands as one pipeline; warnings and errors go to call->cli->err. 0 with a pipeline,
 * or the exit code and *out NULL. */
int fly_pipelines_load(const struct fly_call *call, enum fly_config_level level,
                       struct fly_pipeline **out) __attribute__((warn_unused_result));

/* The same, but findings go to `diags` and are not printed. */
int fly_pipelines_check(const struct fly_call *call, enum fly_config_level level,
                        struct fly_pipeline **out, struct fly_diagnostics *diags)
    __attribute__((warn_unused_result));

/* Prints findings to call->cli->err. */
void fly_pipelines_print(const struct fly_call *call, struct fly_diagnostics *diags);

/* The exit code for a negative errno. */
int fly_pipelines_exit_code(int rc);

#endif
