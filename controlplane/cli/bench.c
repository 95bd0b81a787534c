#include "bench/bench.h"

#include "base/err.h"
#include "cli/command.h"

#include <unistd.h>

enum { PROGRESS_AUTO, PROGRESS_ALWAYS };

int fly_cli_bench(const struct fly_call *call)
{
    const struct fly_cli_options *given = &call->options;
    struct fly_bench_options options = {
        .builtin = call->cli->builtin,
        .seconds = given->seconds,
        .json = given->format != 0,
        .progress = given->progress == PROGRESS_ALWAYS ||
                    (given->progress == PROGRESS_AUTO && isatty(STDERR_FILENO)),
        .out = call->cli->out,
    };
    if (given->cores.bytes && fly_cores_add(&options.cores, given->cores.text))
        return fly_command_misused(call, fly_err_hint(), "--cores: %s", fly_err_text());
    return fly_bench(&options);
}
