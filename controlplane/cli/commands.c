#include "cli/command.h"

#include "bench/bench.h"

#include <stddef.h>

/* FORMATS[0] is what people read. */
static const char *const TEXT_OR_JSON[] = {"text", "json", NULL};
static const char *const GRAPH_FORMATS[] = {"dot", "mermaid", NULL};
static const char *const LEVELS[] = {"files", "static", NULL};
static const char *const WHEN[] = {"auto", "always", "never", NULL};
static const char *const LOG_LEVELS[] = {"error", "warning", "info", "debug", NULL};

#define AT(member) offsetof(struct fly_cli_options, member)

/* Options that several commands have, to be named in their tables. */
#define FORMAT(preset_, choices_, help_)                                                           \
    {                                                                                              \
        .param = {                                                                                 \
            .name = "format",                                                                      \
            .type = FLY_PARAM_ENUM,                                                                \
            .at = AT(format),                                                                      \
            .preset = (preset_),                                                                   \
            .choices = (choices_),                                                                 \
            .help = (help_)                                                                        \
        }                                                                                          \
    }
#define SET                                                                                        \
    {                                                                                              \
        .param = {.name = "set",                                                                   \
                  .type = FLY_PARAM_LIST,                                                          \
                  .at = AT(set),                                                                   \
                  .help =                                                                          \
                      "Put a value into the pipeline, like nodes.counts.tasks=2. May be given "    \
                      "several times."},                                                           \
        .value = "PATH=VALUE"                                                                      \
    }
#define CORES                                                                                      \
    {                                                                                              \
        .param = {.name = "cores",                                                                 \
                  .type = FLY_PARAM_STRING,                                                        \
                  .at = AT(cores),                                                                 \
                  .help = "Run on these cores, like 0-1 or 0,2. Not given: all that the process "  \
                          "may use."},                                                             \
        .value = "LIST"                                                                            \
    }
#define PLUGIN                                                                                     \
    {                                                                                              \
        .param = {.name = "plugin",                                                                \
                  .type = FLY_PARAM_PATHS,                                                         \
                  .at = AT(plugins),                                                               \
                  .help = "Look at the nodes of this plugin, too. May be given several times."},   \
        .value = "FILE.so"                                                                         \
    }
#define END                                                                                        \
    {                                                                                              \
        .param = {.name = NULL }                                                                   \
    }

static const struct fly_cli_option RUN_OPTIONS[] = {
    CORES,
    SET,
    {.param = {.name = "duration",
               .type = FLY_PARAM_DURATION,
               .at = AT(duration_ns),
               .min = 1e6,
               .max = 8640000e9,
               .help = "Stop the sources after this time and end when all messages are done."},
     .value = "DURATION"},
    {.param = {.name = "drain-timeout",
               .type = FLY_PARAM_STRING,
               .at = AT(drain_timeout),
               .help = "How long a stop waits for messages under way; instead of the pipeline's."},
     .value = "DURATION"},
    {.param = {.name = "instance",
               .type = FLY_PARAM_STRING,
               .at = AT(instance),
               .help =
                   "The name of this run. Not given: the pipeline's name, with a number behind it "
                   "if that one is running."},
     .value = "NAME"},
    FORMAT("text", TEXT_OR_JSON,
           "The summary at the end: text on a terminal's standard error, or one JSON object on "
           "standard output."),
    {.param = {.name = "progress",
               .type = FLY_PARAM_ENUM,
               .at = AT(progress),
               .preset = "auto",
               .choices = WHEN,
               .help = "Show a line with the progress; auto: on a terminal."}},
    {.param = {.name = "log-format",
               .type = FLY_PARAM_ENUM,
               .at = AT(log_format),
               .preset = "text",
               .choices = TEXT_OR_JSON,
               .help = "How messages are written to standard error."}},
    {.param = {.name = "log-level",
               .type = FLY_PARAM_ENUM,
               .at = AT(log_level),
               .preset = "info",
               .choices = LOG_LEVELS,
               .help = "The least important messages to write."}},
    {.param = {.name = "huge-pages",
               .type = FLY_PARAM_ENUM,
               .at = AT(huge_pages),
               .preset = "auto",
               .choices = WHEN,
               .help = "Take huge pages for the workspace; auto: if there are enough."}},
    {.param = {.name = "idle",
               .type = FLY_PARAM_STRING,
               .at = AT(idle),
               .help =
                   "What workers without work do, adaptive or spin; instead of the pipeline's."},
     .value = "POLICY"},
    END,
};

static const struct fly_cli_option VALIDATE_OPTIONS[] = {
    FORMAT("text", TEXT_OR_JSON, "How the findings are written; json: to standard output."),
    {.param = {.name = "level",
               .type = FLY_PARAM_ENUM,
               .at = AT(level),
               .preset = "files",
               .choices = LEVELS,
               .help =
                   "How far to look; static: not whether the files that nodes name are there."}},
    SET,
    END,
};

static const struct fly_cli_option PLAN_OPTIONS[] = {
    CORES,
    SET,
    FORMAT("text", TEXT_OR_JSON, "How the plan is written."),
    END,
};

static const struct fly_cli_option GRAPH_OPTIONS[] = {
    FORMAT("dot", GRAPH_FORMATS, "The language of the drawing: Graphviz or Mermaid."),
    SET,
    END,
};

static const struct fly_cli_option BENCH_OPTIONS[] = {
    CORES,
    {.param = {.name = "seconds",
               .type = FLY_PARAM_UINT,
               .at = AT(seconds),
               .preset = "60",
               .min = FLY_BENCH_SECONDS_MIN,
               .max = FLY_BENCH_SECONDS_MAX,
               .help = "About how long it may take; one round at least, some 2 s."},
     .value = "NUMBER"},
    FORMAT("text", TEXT_OR_JSON, "How the report is written."),
    {.param = {.name = "progress",
               .type = FLY_PARAM_ENUM,
               .at = AT(progress),
               .preset = "auto",
               .choices = WHEN,
               .help = "Show a line with what is being measured; auto: on a terminal."}},
    END,
};

static const struct fly_cli_option LIST_OPTIONS[] = {
    FORMAT("text", TEXT_OR_JSON, "How the list is written."),
    PLUGIN,
    END,
};

static const struct fly_cli_option DESCRIBE_OPTIONS[] = {
    FORMAT("text", TEXT_OR_JSON, "How the description is written."),
    PLUGIN,
    END,
};

static const struct fly_cli_option SCHEMA_OPTIONS[] = {PLUGIN, END};

static const struct fly_cli_option HELP_OPTIONS[] = {
    {.param = {.name = "man",
               .type = FLY_PARAM_BOOL,
               .at = AT(man),
               .help = "Write the manual page, for man -l."}},
    {.param = {.name = "reference",
               .type = FLY_PARAM_STRING,
               .at = AT(reference),
               .help = "Write a page of docs/reference: cli, nodes or pipeline."},
     .value = "PAGE",
     .hidden = true},
    END,
};

#define ANY_CNT UINT32_MAX

static const struct fly_command COMMANDS[] = {
    {.name = "run",
     .operands = "FILE...",
     .help = "Run a pipeline until its sources end or a signal stops it.",
     .text = "Several files make one pipeline. SIGINT or SIGTERM stops the sources and waits until "
             "all messages are done; a second one stops at once. At the end a summary says what "
             "became of every message.",
     .example = "flyover run examples/wordcount.yaml\n"
                "flyover run --cores 0-1 --set nodes.counts.tasks=2 examples/wordcount.yaml",
     .options = RUN_OPTIONS,
     .operand_min = 1,
     .operand_max = ANY_CNT,
     .run = fly_cli_run},
    {.name = "validate",
     .operands = "FILE...",
     .help = "Check a pipeline and say all that is wrong, without starting anything.",
     .text =
         "Exits with 0 when it could run, with 78 when the pipeline is wrong, and with 74 or 77 "
         "when only files that it names are missing or not permitted.",
     .example = "flyover validate examples/wordcount.yaml\n"
                "flyover validate --format json --level static examples/wordcount.yaml",
     .options = VALIDATE_OPTIONS,
     .operand_min = 1,
     .operand_max = ANY_CNT,
     .run = fly_cli_validate},
    {.name = "plan",
     .operands = "FILE...",
     .help = "Show what a run would take: cores, workers, tasks, edges, and memory to the byte.",
     .example = "flyover plan --cores 0-1 examples/wordcount.yaml",
     .options = PLAN_OPTIONS,
     .operand_min = 1,
     .operand_max = ANY_CNT,
     .run = fly_cli_plan},
    {.name = "graph",
     .operands = "FILE...",
     .help = "Draw a pipeline.",
     .example = "flyover graph examples/wordcount.yaml | dot -Tsvg >wordcount.svg\n"
                "flyover graph --format mermaid examples/wordcount.yaml",
     .options = GRAPH_OPTIONS,
     .operand_min = 1,
     .operand_max = ANY_CNT,
     .run = fly_cli_graph},
    {.name = "bench",
     .operands = "",
     .help = "Measure this machine, and how much of what it can do pipelines get.",
     .text =
         "In rounds: the clock, the way of a cache line between two cores, the speed of memory; "
         "loops by hand that do without an engine; and the pipelines that do the same work with "
         "every message tracked. The share is what a pipeline reaches of its loop in the same "
         "round; the best loop is the ceiling of this machine. Results are checked: all "
         "messages are acked, and words are counted as by hand. The machine should have "
         "nothing else to do meanwhile.",
     .example = "flyover bench\n"
                "flyover bench --cores 0-1 --seconds 20 --format json",
     .options = BENCH_OPTIONS,
     .run = fly_cli_bench},
    {.name = "list",
     .operands = "",
     .help = "List the node types.",
     .example = "flyover list\n"
                "flyover list --format json",
     .options = LIST_OPTIONS,
     .run = fly_cli_list},
    {.name = "describe",
     .operands = "TYPE",
     .help = "Explain a node type: its parameters, ports and guarantees, with an example.",
     .example = "flyover describe count",
     .options = DESCRIBE_OPTIONS,
     .operand_min = 1,
     .operand_max = 1,
     .run = fly_cli_describe},
    {.name = "schema",
     .operands = "",
     .help = "Write the JSON Schema of pipeline files, for editors.",
     .text =
         "Editors with a YAML language server then complete and check pipeline files that begin "
         "with the line: # yaml-language-server: $schema=flyover.schema.json",
     .example = "flyover schema >flyover.schema.json",
     .options = SCHEMA_OPTIONS,
     .run = fly_cli_schema},
    {.name = "new",
     .operands = "TYPE/TYPE/...",
     .help = "Write a pipeline to begin with: a chain of nodes of these types.",
     .example = "flyover new file/split/count/file >my.yaml",
     .operand_min = 1,
     .operand_max = 1,
     .run = fly_cli_new},
    {.name = "completion",
     .operands = "SHELL",
     .help = "Write the completion script for bash or zsh.",
     .example = "source <(flyover completion bash)",
     .operand_min = 1,
     .operand_max = 1,
     .run = fly_cli_completion},
    {.name = "version",
     .operands = "",
     .help = "Say which version this is.",
     .example = "flyover version",
     .run = fly_cli_version},
    {.name = "help",
     .operands = "[COMMAND]",
     .help = "Explain a command.",
     .example = "flyover help run\n"
                "flyover help --man | man -l -",
     .options = HELP_OPTIONS,
     .operand_max = 1,
     .run = fly_cli_help},
    {.name = NULL},
};

const struct fly_command *fly_commands(void)
{
    return COMMANDS;
}
