/* command.h - what a command is, and what it gets when it runs.
 *
 * Owner      Tables are constants; a call and all that it points to live until the command returns.
 */
#ifndef FLY_CLI_COMMAND_H
#define FLY_CLI_COMMAND_H

#include "cli/cli.h"

#include <stdbool.h>

/* The options of all commands; each command has its part of them. Empty and 0: not given. */
struct fly_cli_options {
    struct fly_list set;
    struct fly_list plugins;
    struct fly_string cores;
    struct fly_string instance;
    struct fly_string idle;
    struct fly_string drain_timeout;
    uint64_t duration_ns;
    uint64_t seconds;
    uint32_t format; /* index of the choice; 0 is always the one for people */
    uint32_t level;
    uint32_t progress;
    uint32_t log_format;
    uint32_t log_level;
    uint32_t huge_pages;
    bool man;
    struct fly_string reference;
};

struct fly_cli_option {
    struct fly_param param; /* its name is the long option's; LIST: may be given several times */
    const char *value;      /* how help calls it: "DURATION"; NULL: choices, or none for a BOOL */
    bool hidden;            /* not in help */
};

struct fly_call {
    const struct fly_cli *cli;
    const struct fly_command *command;
    struct fly_arena *arena;
    struct fly_cli_options options;
    char **operand;
    uint32_t operand_cnt;
};

struct fly_command {
    const char *name;
    const char *operands;                 /* "FILE..."; empty: none */
    const char *help;                     /* one sentence */
    const char *text;                     /* what else there is to know; may be NULL */
    const char *example;                  /* lines as one would type them */
    const struct fly_cli_option *options; /* ends with an entry without a name; NULL: none */
    uint32_t operand_min, operand_max;
    int (*run)(const struct fly_call *call);
};

/* All commands, in the order of help; ends with an entry without a name. */
const struct fly_command *fly_commands(void);

/* The command called `name`, or NULL. */
const struct fly_command *fly_command_find(const char *name);

/* What stands after an option's name in help: " DURATION", " text|json" or "". */
const char *fly_command_value(struct fly_arena *arena, const struct fly_cli_option *option);

/* Says what is wrong with how the command was called; returns FLY_CLI_USAGE. `hint` may be NULL. */
int fly_command_misused(const struct fly_call *call, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The commands. */
int fly_cli_run(const struct fly_call *call);
int fly_cli_validate(const struct fly_call *call);
int fly_cli_plan(const struct fly_call *call);
int fly_cli_graph(const struct fly_call *call);
int fly_cli_bench(const struct fly_call *call);
int fly_cli_list(const struct fly_call *call);
int fly_cli_describe(const struct fly_call *call);
int fly_cli_schema(const struct fly_call *call);
int fly_cli_new(const struct fly_call *call);
int fly_cli_completion(const struct fly_call *call);
int fly_cli_version(const struct fly_call *call);
int fly_cli_help(const struct fly_call *call);

#endif
