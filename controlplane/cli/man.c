#include "cli/help.h"

/* Text in which nothing means anything to troff. */
static void print_plain(FILE *file, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", file);
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\e", file);
        else if (*text == '-')
            fputs("\\-", file);
        else
            fputc(*text, file);
    }
}

static void print_example(FILE *file, const char *text)
{
    fputs(".PP\n.nf\n.RS\n", file);
    while (*text) {
        char line[160];
        size_t bytes = strcspn(text, "\n");
        snprintf(line, sizeof(line), "%.*s", (int)bytes, text);
        print_plain(file, line);
        fputc('\n', file);
        text += bytes + (text[bytes] == '\n');
    }
    fputs(".RE\n.fi\n", file);
}

static void print_command(struct fly_arena *arena, FILE *file, const struct fly_command *command)
{
    fprintf(file, ".SS flyover %s %s%s\n", command->name, command->options ? "[OPTION...] " : "",
            command->operands);
    print_plain(file, command->help);
    fputc('\n', file);
    if (command->text) {
        fputs(".PP\n", file);
        print_plain(file, command->text);
        fputc('\n', file);
    }
    for (const struct fly_cli_option *option = command->options; option && option->param.name;
         option++) {
        if (option->hidden)
            continue;
        fputs(".TP\n.B ", file);
        print_plain(file, fly_arena_print(arena, "--%s%s", option->param.name,
                                          fly_command_value(arena, option)));
        fputc('\n', file);
        print_plain(file, option->param.help);
        fputc('\n', file);
    }
    print_example(file, command->example);
}

void fly_help_man(struct fly_arena *arena, FILE *file)
{
    static const char *const CODES[][2] = {
        {"0", "Everything went well."},
        {"1", "A check failed: the ledger does not add up, or a node kept crashing."},
        {"64", "The command was called wrongly."},
        {"69", "A part of the program was not found."},
        {"74", "Reading or writing failed."},
        {"75", "Not now: no memory, the instance runs already, or messages were left behind."},
        {"77", "Not permitted."},
        {"78", "The pipeline is wrong."},
    };
    fputs(".TH FLYOVER 1\n.SH NAME\nflyover \\- run pipelines in which every message is tracked\n"
          ".SH SYNOPSIS\n.B flyover\n.I COMMAND\n[\\fIOPTION\\fR...] [\\fIOPERAND\\fR...]\n"
          ".SH COMMANDS\n",
          file);
    for (const struct fly_command *command = fly_commands(); command->name; command++)
        print_command(arena, file, command);
    fputs(".SH EXIT STATUS\n", file);
    for (size_t i = 0; i < sizeof(CODES) / sizeof(CODES[0]); i++)
        fprintf(file, ".TP\n.B %s\n%s\n", CODES[i][0], CODES[i][1]);
    fputs(".SH ENVIRONMENT\n.TP\n.B NO_COLOR\nNo colours, if it is set and not empty.\n"
          ".TP\n.B FLYOVER_DATAPLANE\nThe program that runs the workers, instead of the one that "
          "lies beside this one.\n.PP\nVariables of a pipeline's own may stand in its values as "
          "${NAME}.\n",
          file);
}
