/* The command line with the built-in nodes: what each command says, and what is wrong with a call.
 * */
#include "cli/cli.h"

#include "cli/command.h"
#include "connectors/builtin.h"
#include "support/unit.h"

#include <jansson.h>

enum { WORDS_MAX = 12 };

struct said {
    int code;
    char *out, *err;
    size_t out_bytes, err_bytes;
};

/* Calls `flyover` with the words of `line`. */
static struct said call(const char *line)
{
    struct said said = {.code = -1};
    char text[512], *argv[WORDS_MAX + 1] = {NULL}, *rest = NULL;
    int argc = 0;
    snprintf(text, sizeof(text), "flyover %s", line);
    for (char *word = strtok_r(text, " ", &rest); word && argc < WORDS_MAX;
         word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    struct fly_cli cli = {.builtin = fly_builtin_nodes()};
    cli.out = open_memstream(&said.out, &said.out_bytes);
    cli.err = open_memstream(&said.err, &said.err_bytes);
    said.code = fly_cli_main(&cli, argc, argv);
    fclose(cli.out);
    fclose(cli.err);
    return said;
}

static void drop(struct said *said)
{
    free(said->out);
    free(said->err);
}

static void says(const char *line, int code, const char *out, const char *err)
{
    struct said said = call(line);
    if (said.code != code || !strstr(said.out, out) || !strstr(said.err, err))
        fail_msg("flyover %s: expected %d, '%s' and '%s', got %d:\n%s\n%s", line, code, out, err,
                 said.code, said.out, said.err);
    drop(&said);
}

static void test_no_command(void **state)
{
    (void)state;
    says("", 64, "", "usage: flyover COMMAND");
}

static void test_unknown_command(void **state)
{
    (void)state;
    says("rum", 64, "", "flyover: unknown command 'rum'\n  hint: did you mean 'run'?");
    says("xyzzy", 64, "", "hint: flyover help lists the commands");
}

static void test_unknown_option(void **state)
{
    (void)state;
    says("run --corse 1 x", 64, "",
         "flyover run: unknown option '--corse'\n  hint: did you mean --cores?");
    says("run x --corse=1", 64, "", "unknown option '--corse=1'\n  hint: did you mean --cores?");
    says("run -z x", 64, "", "unknown option '-z'\n  hint: flyover run --help");
}

static void test_option_without_value(void **state)
{
    (void)state;
    says("run --cores", 64, "", "flyover run: option '--cores' needs a value");
}

static void test_option_with_a_wrong_value(void **state)
{
    (void)state;
    says("run --duration 5 x", 64, "", "flyover run: error: '--duration' needs a unit: 5 of what?");
    says("validate --format xml x", 64, "", "'--format' must be one of text, json, not 'xml'");
    says("run --cores 3-1 x", 64, "", "flyover run: --cores: '3-1' is not a list of cores");
}

static void test_missing_and_surplus_operands(void **state)
{
    (void)state;
    says("run", 64, "", "flyover run: FILE... is missing");
    says("describe", 64, "", "flyover describe: TYPE is missing");
    says("version now", 64, "", "flyover version: 'now' is too much");
}

static void test_help_on_every_command(void **state)
{
    (void)state;
    for (const struct fly_command *command = fly_commands(); command->name; command++) {
        char line[64], usage[64];
        snprintf(line, sizeof(line), "%s --help", command->name);
        snprintf(usage, sizeof(usage), "usage: flyover %s", command->name);
        says(line, 0, usage, "");
        says(line, 0, "\nexample:\n  ", "");
        snprintf(line, sizeof(line), "help %s", command->name);
        says(line, 0, usage, "");
        for (const struct fly_cli_option *option = command->options; option && option->param.name;
             option++)
            assert_true(strlen(option->param.help) > 10);
    }
    says("--help", 0, "usage: flyover COMMAND", "");
    says("help rum", 64, "", "there is no command 'rum'");
    says("help --reference x", 64, "", "there is no page 'x'");
}

static void test_help_stays_within_80_columns(void **state)
{
    (void)state;
    for (const struct fly_command *command = fly_commands(); command->name; command++) {
        char line[64];
        snprintf(line, sizeof(line), "%s --help", command->name);
        struct said said = call(line);
        char *examples = strstr(said.out, "\nexample:");
        *examples = '\0';
        for (const char *at = said.out; *at;) {
            size_t bytes = strcspn(at, "\n");
            if (bytes > 80)
                fail_msg("%zu columns: %s", bytes, at);
            at += bytes + (at[bytes] == '\n');
        }
        drop(&said);
    }
}

static void test_version(void **state)
{
    (void)state;
    says("version", 0, "flyover 0.", "");
    says("--version", 0, "(node ABI 1)", "");
}

static void test_list(void **state)
{
    (void)state;
    says("list", 0, "sources\n  file ", "");
    struct said said = call("list --format json");
    json_t *list = json_loads(said.out, 0, NULL);
    uint32_t cnt = 0;
    for (const struct fly_node *const *type = fly_builtin_nodes(); *type; type++)
        cnt++;
    assert_int_equal(json_array_size(list), cnt);
    json_decref(list);
    drop(&said);
}

static void test_describe_every_type(void **state)
{
    (void)state;
    for (const struct fly_node *const *type = fly_builtin_nodes(); *type; type++) {
        char line[64];
        snprintf(line, sizeof(line), "describe %s", (*type)->name);
        says(line, 0, (*type)->example, "");
        for (const struct fly_param *param = (*type)->params; param && param->name; param++)
            says(line, 0, param->name, "");
        snprintf(line, sizeof(line), "describe --format json %s", (*type)->name);
        struct said said = call(line);
        json_t *list = json_loads(said.out, 0, NULL);
        assert_true(json_array_size(list) >= 1);
        json_decref(list);
        drop(&said);
    }
    says("describe counts", 64, "",
         "flyover describe: there is no node type 'counts'\n  hint: did you mean 'count'?");
}

static void test_schema_has_every_type(void **state)
{
    (void)state;
    struct said said = call("schema");
    json_t *schema = json_loads(said.out, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(schema);
    for (const struct fly_node *const *type = fly_builtin_nodes(); *type; type++) {
        static const char *const KINDS[] = {"source", "stage", "sink"};
        char name[64];
        snprintf(name, sizeof(name), "%s_%s", (*type)->name, KINDS[(*type)->kind]);
        json_t *node = json_object_get(json_object_get(schema, "$defs"), name);
        assert_non_null(json_object_get(json_object_get(node, "properties"), "type"));
    }
    json_decref(schema);
    drop(&said);
}

static void test_new_makes_a_valid_pipeline(void **state)
{
    (void)state;
    static const char *const CHAINS[] = {"generate/stdout", "file/split/count/file",
                                         "stdin/filter/batch/drop", "generate/route/drop"};
    for (size_t i = 0; i < sizeof(CHAINS) / sizeof(CHAINS[0]); i++) {
        char line[128], path[] = "/tmp/flyover-new-XXXXXX";
        int fd = mkstemp(path);
        snprintf(line, sizeof(line), "new %s", CHAINS[i]);
        struct said said = call(line);
        assert_int_equal(said.code, 0);
        assert_int_equal(write(fd, said.out, said.out_bytes), said.out_bytes);
        drop(&said);
        close(fd);
        /* The ports of a route are named by its rules: the chain can't know them. */
        snprintf(line, sizeof(line), "validate --level static %s", path);
        if (!strstr(CHAINS[i], "route"))
            says(line, 0, ": ok (", "");
        unlink(path);
    }
}

static void test_new_refuses_what_is_no_chain(void **state)
{
    (void)state;
    says("new file", 64, "", "a chain is SOURCE/STAGE/.../SINK");
    says("new generate/generate/drop", 64, "", "'generate' belongs first");
    says("new generate/drop/drop", 64, "", "'drop' belongs last");
    says("new generate/split", 64, "", "'split' belongs between a source and a sink");
    says("new generat/drop", 64, "", "there is no node type 'generat'\n  hint: did you mean");
}

/* Writes a pipeline, calls `command` with it, and takes it away again. */
static struct said call_with(const char *command, const char *pipeline)
{
    char line[128], path[] = "/tmp/flyover-cli-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, pipeline, strlen(pipeline)), strlen(pipeline));
    close(fd);
    snprintf(line, sizeof(line), "%s %s", command, path);
    struct said said = call(line);
    unlink(path);
    return said;
}

static const char DRAWN[] = "pipeline: drawn\ndead_letters: dead\nnodes:\n"
                            "  s: {type: generate}\n"
                            "  f: {type: filter, inputs: [s], contains: x}\n"
                            "  c: {type: count, inputs: [{from: f.rest, grouping: key}]}\n"
                            "  d: {type: drop, inputs: [c, f.out]}\n"
                            "  dead: {type: drop}\n";

static void test_graph(void **state)
{
    (void)state;
    struct said said = call_with("graph", DRAWN);
    assert_non_null(strstr(said.out, "digraph \"drawn\""));
    assert_non_null(strstr(said.out, "\"f\" -> \"c\" [label=\"rest, key\"]"));
    assert_non_null(strstr(said.out, "\"s\" -> \"dead\" [label=\"dead letters\", style=dashed]"));
    drop(&said);
    said = call_with("graph --format mermaid", DRAWN);
    assert_non_null(strstr(said.out, "flowchart LR\n"));
    assert_non_null(strstr(said.out, "n1 -->|rest, key| n2\n"));
    assert_non_null(strstr(said.out, "n0 -.->|dead letters| n4\n"));
    drop(&said);
}

static void test_validate(void **state)
{
    (void)state;
    struct said said = call_with("validate", DRAWN);
    assert_int_equal(said.code, 0);
    assert_string_equal(said.out, "drawn: ok (5 nodes, 4 edges)\n");
    drop(&said);
    said = call_with("validate", "pipeline: p\nnodes:\n  s: {type: generate, cont: 5}\n");
    assert_int_equal(said.code, 78);
    assert_non_null(strstr(said.err, "unknown key 'cont' for a generate source\n"));
    assert_non_null(strstr(said.err, "  hint: did you mean 'count'?\n1 error\n"));
    drop(&said);
    said = call_with("validate --format json", "pipeline: p\nnodes: {s: {type: generate}}\n");
    json_t *root = json_loads(said.out, 0, NULL);
    assert_true(json_is_true(json_object_get(root, "ok")));
    assert_int_equal(json_array_size(json_object_get(root, "warnings")), 1);
    json_decref(root);
    drop(&said);
    says("validate /nonexistent", 74, "", "/nonexistent: error: cannot read it: No such file");
}

static void test_options_that_stand_for_keys(void **state)
{
    (void)state;
    struct said said = call_with("run --idle sometimes --drain-timeout 5", DRAWN);
    assert_int_equal(said.code, 78);
    assert_non_null(strstr(said.err, "'idle' must be one of adaptive, spin, not 'sometimes'"));
    assert_non_null(strstr(said.err, "'drain_timeout' needs a unit: 5 of what?"));
    drop(&said);
}

static void test_completion(void **state)
{
    (void)state;
    says("completion bash", 0, "complete -o filenames -F _flyover flyover\n", "");
    says("completion zsh", 0, "#compdef flyover\n", "");
    says("completion fish", 64, "",
         "no completion for 'fish'\n  hint: the shells are bash and zsh");
    for (const struct fly_command *command = fly_commands(); command->name; command++) {
        says("completion bash", 0, command->name, "");
        says("completion zsh", 0, command->name, "");
    }
}

static void test_manual_page(void **state)
{
    (void)state;
    says("help --man", 0, ".TH FLYOVER 1\n", "");
    for (const struct fly_command *command = fly_commands(); command->name; command++) {
        char heading[64];
        snprintf(heading, sizeof(heading), ".SS flyover %s", command->name);
        says("help --man", 0, heading, "");
    }
}

/* docs/reference is what the tables say: after a change, make the pages again. */
static void test_reference_pages_are_up_to_date(void **state)
{
    (void)state;
    static const char *const PAGES[] = {"cli", "nodes", "pipeline"};
    for (int i = 0; i < 3; i++) {
        char line[64], path[512];
        snprintf(line, sizeof(line), "help --reference %s", PAGES[i]);
        snprintf(path, sizeof(path), "%s/docs/reference/%s.md", FLY_TEST_SOURCE_ROOT, PAGES[i]);
        struct said said = call(line);
        char *page = calloc(1, said.out_bytes + 2);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        size_t bytes = fread(page, 1, said.out_bytes + 1, file);
        fclose(file);
        if (bytes != said.out_bytes || memcmp(page, said.out, bytes) != 0)
            fail_msg(
                "docs/reference/%s.md is old: flyover help --reference %s >docs/reference/%s.md",
                PAGES[i], PAGES[i], PAGES[i]);
        free(page);
        drop(&said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_command),
        cmocka_unit_test(test_unknown_command),
        cmocka_unit_test(test_unknown_option),
        cmocka_unit_test(test_option_without_value),
        cmocka_unit_test(test_option_with_a_wrong_value),
        cmocka_unit_test(test_missing_and_surplus_operands),
        cmocka_unit_test(test_help_on_every_command),
        cmocka_unit_test(test_help_stays_within_80_columns),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_describe_every_type),
        cmocka_unit_test(test_schema_has_every_type),
        cmocka_unit_test(test_new_makes_a_valid_pipeline),
        cmocka_unit_test(test_new_refuses_what_is_no_chain),
        cmocka_unit_test(test_graph),
        cmocka_unit_test(test_validate),
        cmocka_unit_test(test_options_that_stand_for_keys),
        cmocka_unit_test(test_completion),
        cmocka_unit_test(test_manual_page),
        cmocka_unit_test(test_reference_pages_are_up_to_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
