/* cli.h - the command line: one table of commands drives parsing, help, man page and completion.
 *
 * Idea       A command is a row: what it is called, its options as typed parameters (the same kind
 *            of table as nodes have), an example, and the function that does it.
 * Output     Results go to `out`, everything else to `err`. Nothing is coloured but findings on a
 *            terminal.
 * Exit codes 0 ok, 1 a check failed, 64 wrong usage, 69 something is not there to talk to, 74 I/O,
 *            75 try later, 77 not permitted, 78 a bad pipeline.
 * See also   commands.c (the table), docs/reference/cli.md (made from it)
 */
#ifndef FLY_CLI_CLI_H
#define FLY_CLI_CLI_H

#include "config/arena.h"

#include <flyover/plugin.h>
#include <stdio.h>

enum fly_exit_code {
    FLY_CLI_OK = 0,
    FLY_CLI_FAILED = 1,
    FLY_CLI_USAGE = 64,
    FLY_CLI_IO = 74,
    FLY_CLI_LATER = 75,
    FLY_CLI_PERMISSION = 77,
    FLY_CLI_CONFIG = 78,
};

struct fly_cli {
    const struct fly_node *const *builtin; /* ends with NULL */
    FILE *out;
    FILE *err;
};

/* Runs the command that `argv` says. Returns the exit code. */
int fly_cli_main(const struct fly_cli *cli, int argc, char **argv);

#endif
