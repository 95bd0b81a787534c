/* The control plane's program: `flyover`. */
#include "cli/cli.h"
#include "connectors/builtin.h"

#include <unistd.h>

int main(int argc, char **argv)
{
    const struct fly_cli cli = {.builtin = fly_builtin_nodes(), .out = stdout, .err = stderr};
    int code = fly_cli_main(&cli, argc, argv);
    /* A full disk or a closed pipe must not look like success. */
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == FLY_CLI_OK) {
        fputs("flyover: cannot write to standard output\n", stderr);
        code = FLY_CLI_IO;
    }
    return code;
}
