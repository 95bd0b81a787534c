#include "cli/help.h"

enum { TEXT_COLUMNS = 80, HELP_COLUMN = 28 };

const char *fly_command_value(struct fly_arena *arena, const struct fly_cli_option *option)
{
    const char *all = " ";
    if (option->value)
        return fly_arena_print(arena, " %s", option->value);
    if (!option->param.choices)
        return "";
    for (uint32_t i = 0; option->param.choices[i]; i++)
        all = fly_arena_print(arena, "%s%s%s", all, i ? "|" : "", option->param.choices[i]);
    return all;
}

void fly_help_wrap(FILE *file, const char *text, size_t indent, size_t column)
{
    while (*text) {
        size_t bytes = strcspn(text, " ");
        if (column > indent && column + bytes > TEXT_COLUMNS) {
            fprintf(file, "\n%*s", (int)indent, "");
            column = indent;
        }
        fprintf(file, "%.*s", (int)bytes, text);
        text += bytes;
        text += *text == ' ';
        column += bytes + 1;
        if (*text && column + strcspn(text, " ") <= TEXT_COLUMNS)
            fputc(' ', file);
    }
    fputc('\n', file);
}

void fly_help_overview(FILE *file)
{
    fputs("Flyover runs pipelines of sources, stages and sinks, and tracks every message.\n\n"
          "usage: flyover COMMAND [OPTION...] [OPERAND...]\n\n",
          file);
    for (const struct fly_command *command = fly_commands(); command->name; command++) {
        fprintf(file, "  %-12s", command->name);
        fly_help_wrap(file, command->help, 14, 14);
    }
    fputs("\nflyover COMMAND --help explains a command. To begin with:\n"
          "  flyover new generate/stdout >my.yaml\n  flyover run my.yaml\n",
          file);
}

static void print_option(const struct fly_call *call, const struct fly_cli_option *option)
{
    FILE *file = call->cli->out;
    int column =
        fprintf(file, "  --%s%s", option->param.name, fly_command_value(call->arena, option));
    if (column >= HELP_COLUMN)
        column = fprintf(file, "\n") - 1;
    fprintf(file, "%*s", HELP_COLUMN - column, "");
    fly_help_wrap(file, option->param.help, HELP_COLUMN, HELP_COLUMN);
}

/* Each line of the text, indented. */
static void print_lines(FILE *file, const char *text)
{
    while (*text) {
        size_t bytes = strcspn(text, "\n");
        fprintf(file, "  %.*s\n", (int)bytes, text);
        text += bytes + (text[bytes] == '\n');
    }
}

int fly_help_command(const struct fly_call *call, const struct fly_command *command)
{
    FILE *file = call->cli->out;
    fprintf(file, "usage: flyover %s%s%s%s\n\n", command->name,
            command->options ? " [OPTION...]" : "", *command->operands ? " " : "",
            command->operands);
    fly_help_wrap(file, command->help, 0, 0);
    if (command->text) {
        fputc('\n', file);
        fly_help_wrap(file, command->text, 0, 0);
    }
    for (const struct fly_cli_option *option = command->options; option && option->param.name;
         option++) {
        if (option == command->options)
            fputs("\noptions:\n", file);
        if (!option->hidden)
            print_option(call, option);
    }
    fputs("\nexample:\n", file);
    print_lines(file, command->example);
    return FLY_CLI_OK;
}

int fly_cli_help(const struct fly_call *call)
{
    if (call->options.man) {
        fly_help_man(call->arena, call->cli->out);
        return FLY_CLI_OK;
    }
    if (call->options.reference.bytes)
        return fly_help_reference(call, call->options.reference.text)
                   ? FLY_CLI_OK
                   : fly_command_misused(call, "the pages are cli, nodes and pipeline",
                                         "there is no page '%s'", call->options.reference.text);
    if (call->operand_cnt == 0) {
        fly_help_overview(call->cli->out);
        return FLY_CLI_OK;
    }
    const struct fly_command *command = fly_command_find(call->operand[0]);
    if (!command)
        return fly_command_misused(call, "flyover help lists the commands",
                                   "there is no command '%s'", call->operand[0]);
    return fly_help_command(call, command);
}
