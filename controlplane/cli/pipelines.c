#include "cli/pipelines.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

int fly_pipelines_exit_code(int rc)
{
    switch (-rc) {
    case 0:
        return FLY_CLI_OK;
    case EINVAL:
        return FLY_CLI_CONFIG;
    case EACCES:
    case EPERM:
        return FLY_CLI_PERMISSION;
    case ENOMEM:
    case EAGAIN:
        return FLY_CLI_LATER;
    default:
        return FLY_CLI_IO;
    }
}

static bool wants_color(FILE *file)
{
    const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return !(no_color && *no_color) && terminal && strcmp(terminal, "dumb") != 0 &&
           isatty(fileno(file));
}

void fly_pipelines_print(const struct fly_call *call, struct fly_diagnostics *diags)
{
    fly_diag_print(diags, call->cli->err, wants_color(call->cli->err));
}

/* Options that stand for a key of the pipeline are one more --set. */
static uint32_t add_set(const struct fly_call *call, const char **set, uint32_t cnt,
                        const char *path, struct fly_string value)
{
    if (value.bytes == 0)
        return cnt;
    set[cnt] = fly_arena_print(call->arena, "%s=%s", path, value.text);
    return cnt + 1;
}

int fly_pipelines_check(const struct fly_call *call, enum fly_config_level level,
                        struct fly_pipeline **out, struct fly_diagnostics *diags)
{
    const struct fly_cli_options *options = &call->options;
    const char **set = fly_arena_array(call->arena, options->set.cnt + 2, sizeof(*set));
    uint32_t set_cnt = 0;
    for (uint32_t i = 0; i < options->set.cnt; i++)
        set[set_cnt++] = options->set.item[i].text;
    set_cnt = add_set(call, set, set_cnt, "idle", options->idle);
    set_cnt = add_set(call, set, set_cnt, "drain_timeout", options->drain_timeout);
    struct fly_config_request request = {
        .file = (const char *const *)call->operand,
        .file_cnt = call->operand_cnt,
        .set = set,
        .set_cnt = set_cnt,
        .builtin = call->cli->builtin,
        .level = level,
    };
    return fly_pipelines_exit_code(fly_config_load(&request, out, diags));
}

int fly_pipelines_load(const struct fly_call *call, enum fly_config_level level,
                       struct fly_pipeline **out)
{
    struct fly_diagnostics *diags = fly_diag_create();
    int code = fly_pipelines_check(call, level, out, diags);
    fly_pipelines_print(call, diags);
    fly_diag_destroy(diags);
    return code;
}
