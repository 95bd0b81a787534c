#include "cli/help.h"

#include "cli/param_text.h"
#include "config/options.h"
#include "config/values.h"

static const char MADE[] =
    "<!-- Made by `flyover help --reference %s`; a test compares them. -->\n";

/* Text for a cell of a table. */
static void print_cell(const char *text, FILE *file)
{
    for (; *text; text++) {
        if (*text == '|')
            fputc('\\', file);
        fputc(*text, file);
    }
}

static void print_params(struct fly_arena *arena, const struct fly_param *params,
                         const char *prefix, FILE *file)
{
    for (const struct fly_param *param = params; param && param->name; param++) {
        const char *allowed = fly_param_allowed_text(arena, param);
        const char *name = fly_arena_print(arena, "%s%s", prefix, param->name);
        fprintf(file, "| `%s` | %s%s%s | %s%s%s | ", name, fly_param_type_text(param->type),
                *allowed ? ": " : "", allowed, param->preset && *param->preset ? "`" : "",
                fly_param_default_text(param), param->preset && *param->preset ? "`" : "");
        print_cell(param->help ? param->help : "", file);
        fputs(" |\n", file);
        print_params(arena, param->row, fly_arena_print(arena, "%s.NAME.", name), file);
    }
}

static void print_param_table(struct fly_arena *arena, const struct fly_param *params, FILE *file)
{
    fputs("\n| key | value | default | |\n|---|---|---|---|\n", file);
    print_params(arena, params, "", file);
}

static void print_cli(const struct fly_call *call, FILE *file)
{
    fputs("\n# The command line\n", file);
    for (const struct fly_command *command = fly_commands(); command->name; command++) {
        fprintf(file, "\n## flyover %s %s%s\n\n%s\n", command->name,
                command->options ? "[OPTION...] " : "", command->operands, command->help);
        if (command->text)
            fprintf(file, "\n%s\n", command->text);
        for (const struct fly_cli_option *option = command->options; option && option->param.name;
             option++) {
            if (option == command->options)
                fputs("\n| option | |\n|---|---|\n", file);
            if (option->hidden)
                continue;
            fprintf(file, "| `--%s", option->param.name);
            print_cell(fly_command_value(call->arena, option), file);
            fputs("` | ", file);
            print_cell(option->param.help, file);
            if (option->param.preset)
                fprintf(file, " Default: %s.", option->param.preset);
            fputs(" |\n", file);
        }
        fprintf(file, "\n```sh\n%s\n```\n", command->example);
    }
}

static void print_ports(const struct fly_node *type, FILE *file)
{
    if (type->kind == FLY_SINK && !type->ports)
        return;
    fputs("\nPorts:", file);
    if (!type->ports && !type->ports_from)
        fputs(" `out`", file);
    for (const char *const *port = type->ports; port && *port; port++)
        fprintf(file, "%s `%s`", port == type->ports ? "" : ",", *port);
    if (type->ports_from)
        fprintf(file, "%s one for each name in `%s`", type->ports ? "," : "", type->ports_from);
    fputs(".\n", file);
}

static void print_node(struct fly_arena *arena, const struct fly_node *type, FILE *file)
{
    const char *replay = fly_node_replay_text(type);
    fprintf(file, "\n## %s (%s)\n\n%s\n", type->name, fly_values_kind_text(type->kind), type->help);
    if (type->example)
        fprintf(file, "\n```yaml\n%s\n```\n", type->example);
    if (type->params)
        print_param_table(arena, type->params, file);
    print_ports(type, file);
    fprintf(file, "\nTasks: %s. Delivery: %s%s%s.\n", fly_node_tasks_text(arena, type),
            fly_node_done_text(type), replay ? "; " : "", replay ? replay : "");
    if (type->keyed_state)
        fputs("\nKeeps state per key: its inputs must be grouped by `key` (or `global`).\n", file);
}

static void print_nodes(const struct fly_call *call, FILE *file)
{
    static const char *const TITLES[] = {"Sources", "Stages", "Sinks"};
    fputs("\n# Node types\n\nKeys that all nodes have are in [pipeline.md](pipeline.md).\n", file);
    for (uint32_t kind = FLY_SOURCE; kind <= FLY_SINK; kind++) {
        fprintf(file, "\n# %s\n", TITLES[kind]);
        for (const struct fly_node *const *type = call->cli->builtin; *type; type++) {
            if ((uint32_t)(*type)->kind == kind)
                print_node(call->arena, *type, file);
        }
    }
}

static const char PIPELINE_TEXT[] =
    "\n# The pipeline file\n\n"
    "```yaml\n"
    "pipeline: wordcount\n"
    "nodes:\n"
    "  lines:  {type: file, path: book.txt}\n"
    "  words:  {type: split, inputs: [lines], lowercase: true}\n"
    "  counts: {type: count, inputs: [{from: words, grouping: key}], tasks: 2}\n"
    "  out:    {type: file, inputs: [counts], path: counts.jsonl, codec: json}\n"
    "```\n\n"
    "`nodes` is a map of nodes by name. Each has a `type` (see [nodes.md](nodes.md)); stages and "
    "sinks "
    "have `inputs`: a node, `NODE.PORT`, a map, or a list of these. A node that gets dead letters "
    "needs "
    "none. A key with a dot below, as `retry.attempts`, is a key in a map: `retry: {attempts: "
    "5}`.\n\n"
    "Several files given together make one pipeline: their nodes and plugins are united.\n\n"
    "Values:\n\n"
    "- durations are `250ms` or `1.5h`: ns, us, ms, s, m, h, d; sizes `64MiB` or `1kB`: B, kB, MB, "
    "GB, "
    "TB of 1000, KiB, MiB, GiB, TiB of 1024; whole numbers may end in k, M or G, and rates in "
    "`/s`. A "
    "bare number takes the unit in the key's name (`wait_ms`); sizes are then bytes; other "
    "durations "
    "need a unit\n"
    "- `${NAME}` is an environment variable, `${NAME:-default}` has a default, `${NAME:?message}` "
    "an "
    "error message, and `$$` is a dollar sign; only in values, and after parsing, so a variable "
    "never "
    "changes the structure\n"
    "- relative paths start at the folder of the pipeline file, those of `--set` at the current "
    "one\n";

static void print_pipeline(const struct fly_call *call, FILE *file)
{
    fputs(PIPELINE_TEXT, file);
    fputs("\n## Keys beside `nodes`\n", file);
    print_param_table(call->arena, fly_option_pipeline(), file);
    fputs("\nThese are for all sources and stages that do not say it themselves:\n", file);
    print_param_table(call->arena, fly_option_delivery(), file);
    fputs("\n## Inputs\n", file);
    print_param_table(call->arena, fly_option_input(), file);
    for (const struct fly_option_group *group = fly_option_groups(); group->title; group++) {
        fprintf(file, "\n## Options of nodes: %s\n\nFor %s.\n", group->title, group->whose);
        print_param_table(call->arena, group->params, file);
    }
}

bool fly_help_reference(const struct fly_call *call, const char *page)
{
    static const struct {
        const char *name;
        void (*print)(const struct fly_call *call, FILE *file);
    } PAGES[] = {{"cli", print_cli}, {"nodes", print_nodes}, {"pipeline", print_pipeline}};
    for (size_t i = 0; i < sizeof(PAGES) / sizeof(PAGES[0]); i++) {
        if (strcmp(PAGES[i].name, page) != 0)
            continue;
        fprintf(call->cli->out, MADE, page);
        PAGES[i].print(call, call->cli->out);
        return true;
    }
    return false;
}
