#include "cli/args.h"

#include "config/convert.h"
#include "config/suggest.h"
#include "config/values.h"
#include "shm/plugin_load.h"

#include <getopt.h>
#include <stdarg.h>

enum { OPTIONS_MAX = 32, HELP = 1, FIRST_OPTION = 256 };

struct parse {
    struct fly_call *call;
    struct fly_config config; /* for conversions */
    struct option longs[OPTIONS_MAX + 2];
    uint32_t cnt;
};

int fly_command_misused(const struct fly_call *call, const char *hint, const char *fmt, ...)
{
    va_list args;
    fprintf(call->cli->err, "flyover %s: ", call->command->name);
    va_start(args, fmt);
    vfprintf(call->cli->err, fmt, args);
    va_end(args);
    fputc('\n', call->cli->err);
    if (hint)
        fprintf(call->cli->err, "  hint: %s\n", hint);
    else
        fprintf(call->cli->err, "  hint: flyover %s --help\n", call->command->name);
    return FLY_CLI_USAGE;
}

static void make_longs(struct parse *parse)
{
    const struct fly_cli_option *option = parse->call->command->options;
    for (; option && option->param.name && parse->cnt < OPTIONS_MAX; option++, parse->cnt++) {
        bool is_flag = option->param.type == FLY_PARAM_BOOL;
        parse->longs[parse->cnt] =
            (struct option){.name = option->param.name,
                            .has_arg = is_flag ? no_argument : required_argument,
                            .val = FIRST_OPTION + (int)parse->cnt};
    }
    parse->longs[parse->cnt] = (struct option){.name = "help", .val = HELP};
}

static bool refuse_unknown(const struct parse *parse, const char *word)
{
    struct fly_arena *arena = parse->call->arena;
    struct fly_suggest suggest = {.wanted = word};
    if (strncmp(word, "--", 2) == 0)
        suggest.wanted = fly_arena_text(arena, word + 2, strcspn(word + 2, "=")).text;
    for (uint32_t i = 0; i <= parse->cnt; i++)
        fly_suggest_offer(&suggest, parse->longs[i].name);
    const char *hint =
        suggest.best ? fly_arena_print(arena, "did you mean --%s?", suggest.best) : NULL;
    fly_command_misused(parse->call, hint, "unknown option '%s'", word);
    return false;
}

/* A further value of an option that may be given several times. */
static void append(struct fly_call *call, struct fly_list *list, const struct fly_config_list *more)
{
    struct fly_string *item =
        fly_arena_grow(call->arena, list->item, list->cnt, more->cnt, sizeof(*item));
    for (uint32_t i = 0; i < more->cnt; i++)
        item[list->cnt + i] = more->item[i];
    *list = (struct fly_list){item, list->cnt + more->cnt};
}

static bool store(struct parse *parse, const struct fly_param *param, const char *text)
{
    char *into = (char *)&parse->call->options + param->at;
    struct fly_config_value value;
    struct fly_yaml from = {.text = {text, (uint32_t)strlen(text)}};
    const char *key = fly_arena_print(parse->call->arena, "--%s", param->name);
    if (!fly_convert(&parse->config, param, key, NULL, &from, &value))
        return false;
    if (param->type == FLY_PARAM_LIST || param->type == FLY_PARAM_PATHS) {
        struct fly_list list;
        memcpy(&list, into, sizeof(list));
        append(parse->call, &list, &value.list);
        memcpy(into, &list, sizeof(list));
    } else {
        const char *typed = (const char *)&value + offsetof(struct fly_config_value, flag);
        memcpy(into, typed, fly_plugin_param_bytes(param->type));
    }
    return true;
}

static bool store_presets(struct parse *parse)
{
    const struct fly_cli_option *option = parse->call->command->options;
    for (; option && option->param.name; option++) {
        if (option->param.preset && !store(parse, &option->param, option->param.preset))
            return false;
    }
    return true;
}

static enum fly_args_result read_words(struct parse *parse, int argc, char **argv)
{
    const struct fly_cli_option *options = parse->call->command->options;
    for (;;) {
        int word = optind ? optind : 1; /* where getopt is before it takes the option */
        int found = getopt_long(argc, argv, ":h", parse->longs, NULL);
        if (found == -1)
            return FLY_ARGS_OK;
        if (found == HELP || found == 'h')
            return FLY_ARGS_HELP;
        if (found == ':') {
            fly_command_misused(parse->call, NULL, "option '%s' needs a value", argv[optind - 1]);
            return FLY_ARGS_WRONG;
        }
        if (found < FIRST_OPTION) {
            refuse_unknown(parse, argv[optind - 1 >= word ? optind - 1 : word]);
            return FLY_ARGS_WRONG;
        }
        const struct fly_cli_option *option = &options[found - FIRST_OPTION];
        if (!store(parse, &option->param, optarg ? optarg : "true"))
            return FLY_ARGS_WRONG;
    }
}

static enum fly_args_result check_operands(const struct fly_call *call)
{
    const struct fly_command *command = call->command;
    if (call->operand_cnt < command->operand_min)
        fly_command_misused(call, NULL, "%s is missing", command->operands);
    else if (call->operand_cnt > command->operand_max)
        fly_command_misused(call, NULL, "'%s' is too much", call->operand[command->operand_max]);
    else
        return FLY_ARGS_OK;
    return FLY_ARGS_WRONG;
}

enum fly_args_result fly_args_read(struct fly_call *call, int argc, char **argv)
{
    struct fly_config_request request = {.no_environment = true};
    struct parse parse = {.call = call};
    parse.config =
        (struct fly_config){.request = &request, .arena = call->arena, .diags = fly_diag_create()};
    fly_config_add_text(&parse.config,
                        fly_arena_print(call->arena, "flyover %s", call->command->name), ".", NULL,
                        0);
    call->options.cores = call->options.instance = call->options.idle =
        call->options.drain_timeout = call->options.reference = (struct fly_string){"", 0};
    make_longs(&parse);
    optind = 0; /* glibc: start anew */
    opterr = 0;
    enum fly_args_result result =
        store_presets(&parse) ? read_words(&parse, argc, argv) : FLY_ARGS_WRONG;
    fly_diag_print(parse.config.diags, call->cli->err, false);
    fly_diag_destroy(parse.config.diags);
    call->operand = argv + optind;
    call->operand_cnt = (uint32_t)(argc - optind);
    return result == FLY_ARGS_OK ? check_operands(call) : result;
}
