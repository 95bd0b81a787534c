#include "cli/cli.h"

#include "cli/args.h"
#include "cli/command.h"
#include "cli/help.h"
#include "config/suggest.h"

const struct fly_command *fly_command_find(const char *name)
{
    for (const struct fly_command *command = fly_commands(); command->name; command++) {
        if (strcmp(command->name, name) == 0)
            return command;
    }
    return NULL;
}

static int refuse_command(const struct fly_cli *cli, const char *name)
{
    struct fly_suggest suggest = {.wanted = name};
    for (const struct fly_command *command = fly_commands(); command->name; command++)
        fly_suggest_offer(&suggest, command->name);
    fprintf(cli->err, "flyover: unknown command '%s'\n", name);
    if (suggest.best)
        fprintf(cli->err, "  hint: did you mean '%s'?\n", suggest.best);
    else
        fputs("  hint: flyover help lists the commands\n", cli->err);
    return FLY_CLI_USAGE;
}

static int call_command(const struct fly_cli *cli, const struct fly_command *command, int argc,
                        char **argv)
{
    struct fly_call call = {.cli = cli, .command = command, .arena = fly_arena_create()};
    enum fly_args_result result = fly_args_read(&call, argc, argv);
    int code = FLY_CLI_USAGE;
    if (result == FLY_ARGS_OK)
        code = command->run(&call);
    else if (result == FLY_ARGS_HELP)
        code = fly_help_command(&call, command);
    fly_arena_destroy(call.arena);
    return code;
}

int fly_cli_main(const struct fly_cli *cli, int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    if (!name) {
        fly_help_overview(cli->err);
        return FLY_CLI_USAGE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    const struct fly_command *command = fly_command_find(name);
    return command ? call_command(cli, command, argc - 1, argv + 1) : refuse_command(cli, name);
}
