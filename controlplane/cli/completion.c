#include "cli/command.h"

/* The choices of an option as words with spaces between them; NULL: it has none. */
static const char *choices(struct fly_arena *arena, const struct fly_param *param)
{
    const char *all = NULL;
    for (uint32_t i = 0; param->type == FLY_PARAM_ENUM && param->choices[i]; i++)
        all = fly_arena_print(arena, "%s%s%s", all ? all : "", all ? " " : "", param->choices[i]);
    return all;
}

static const char *option_names(struct fly_arena *arena, const struct fly_command *command)
{
    const char *all = "--help";
    for (const struct fly_cli_option *option = command->options; option && option->param.name;
         option++) {
        if (!option->hidden)
            all = fly_arena_print(arena, "%s --%s", all, option->param.name);
    }
    return all;
}

/* What an operand can be, as words; NULL: a file. */
static const char *operand_words(const struct fly_call *call, const struct fly_command *command)
{
    const char *all = "";
    if (strcmp(command->operands, "FILE...") == 0)
        return NULL;
    if (strcmp(command->operands, "SHELL") == 0)
        return "bash zsh";
    for (const struct fly_command *other = fly_commands();
         strcmp(command->operands, "[COMMAND]") == 0 && other->name; other++)
        all = fly_arena_print(call->arena, "%s%s%s", all, *all ? " " : "", other->name);
    for (const struct fly_node *const *type = call->cli->builtin;
         strcmp(command->operands, "TYPE") == 0 && *type; type++)
        all = fly_arena_print(call->arena, "%s%s%s", all, *all ? " " : "", (*type)->name);
    return all;
}

static const char *command_names(struct fly_arena *arena)
{
    const char *all = "";
    for (const struct fly_command *command = fly_commands(); command->name; command++)
        all = fly_arena_print(arena, "%s%s%s", all, *all ? " " : "", command->name);
    return all;
}

static void print_bash_command(const struct fly_call *call, const struct fly_command *command)
{
    FILE *file = call->cli->out;
    const char *words = operand_words(call, command);
    fprintf(file, "    %s)\n        case $previous in\n", command->name);
    for (const struct fly_cli_option *option = command->options; option && option->param.name;
         option++) {
        const char *all = choices(call->arena, &option->param);
        if (all)
            fprintf(file, "        --%s) words='%s' ;;\n", option->param.name, all);
    }
    fprintf(file, "        *) words='%s%s%s'%s ;;\n        esac\n        ;;\n",
            option_names(call->arena, command), words ? " " : "", words ? words : "",
            words ? "" : " files=1");
}

static void print_bash(const struct fly_call *call)
{
    FILE *file = call->cli->out;
    fprintf(file,
            "# bash completion of flyover: source <(flyover completion bash)\n"
            "_flyover() {\n"
            "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
            "    local words='%s' files=\n"
            "    COMPREPLY=()\n"
            "    [[ $COMP_CWORD -gt 1 ]] && case ${COMP_WORDS[1]} in\n",
            command_names(call->arena));
    for (const struct fly_command *command = fly_commands(); command->name; command++)
        print_bash_command(call, command);
    fputs("    esac\n"
          "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
          "    [[ -z $files || $current == -* ]] ||\n"
          "        mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
          "}\n"
          "complete -o filenames -F _flyover flyover\n",
          file);
}

/* Text for zsh between single quotes and brackets. */
static void print_zsh_text(const char *text, FILE *file)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", file);
        else if (strchr("[]:\\", *text))
            fprintf(file, "\\%c", *text);
        else
            fputc(*text, file);
    }
}

static void print_zsh_command(const struct fly_call *call, const struct fly_command *command)
{
    FILE *file = call->cli->out;
    const char *words = operand_words(call, command);
    fprintf(file, "    %s) _arguments", command->name);
    for (const struct fly_cli_option *option = command->options; option && option->param.name;
         option++) {
        const char *all = choices(call->arena, &option->param);
        bool is_repeated =
            option->param.type == FLY_PARAM_LIST || option->param.type == FLY_PARAM_PATHS;
        if (option->hidden)
            continue;
        fprintf(file, " \\\n        '%s--%s%s[", is_repeated ? "*" : "", option->param.name,
                option->param.type == FLY_PARAM_BOOL ? "" : "=");
        print_zsh_text(option->param.help, file);
        fputc(']', file);
        if (all)
            fprintf(file, ":choice:(%s)", all);
        else if (option->value)
            fprintf(file, ":%s:", option->value);
        fputc('\'', file);
    }
    if (words && *words)
        fprintf(file, " \\\n        '1:%s:(%s)'", command->operands, words);
    else if (!words)
        fputs(" \\\n        '*:file:_files'", file);
    fputs(" ;;\n", file);
}

static void print_zsh(const struct fly_call *call)
{
    FILE *file = call->cli->out;
    fputs("#compdef flyover\n# zsh completion of flyover: source <(flyover completion zsh)\n"
          "_flyover() {\n    local -a commands=(\n",
          file);
    for (const struct fly_command *command = fly_commands(); command->name; command++) {
        fprintf(file, "        '%s:", command->name);
        print_zsh_text(command->help, file);
        fputs("'\n", file);
    }
    fputs("    )\n    if ((CURRENT == 2)); then\n        _describe command commands\n"
          "        return\n    fi\n    local command=$words[2]\n    shift words\n"
          "    ((CURRENT--))\n    case $command in\n",
          file);
    for (const struct fly_command *command = fly_commands(); command->name; command++)
        print_zsh_command(call, command);
    fputs("    esac\n}\ncompdef _flyover flyover\n", file);
}

int fly_cli_completion(const struct fly_call *call)
{
    if (strcmp(call->operand[0], "bash") == 0)
        print_bash(call);
    else if (strcmp(call->operand[0], "zsh") == 0)
        print_zsh(call);
    else
        return fly_command_misused(call, "the shells are bash and zsh", "no completion for '%s'",
                                   call->operand[0]);
    return FLY_CLI_OK;
}
