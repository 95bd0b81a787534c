/* args.h - from the words of a command line to a call with typed options.
 *
 * Idea       getopt_long() finds the options, config/convert.h makes their values, as for node
 *            parameters.
 */
#ifndef FLY_CLI_ARGS_H
#define FLY_CLI_ARGS_H

#include "cli/command.h"

enum fly_args_result {
    FLY_ARGS_OK,
    FLY_ARGS_HELP,  /* --help was asked for */
    FLY_ARGS_WRONG, /* said on call->cli->err */
};

/* Reads argv[1...] (argv[0] is the command's name) into the call, whose cli, command and arena are
 * set. The array may be reordered, and the call points into it. */
enum fly_args_result fly_args_read(struct fly_call *call, int argc, char **argv);

#endif
