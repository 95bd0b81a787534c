/* Whole pipelines: every message of loading them, and what a good one becomes. */
#include "unit/controlplane/config/load.h"

#include <errno.h>
#include <sys/stat.h>

static void refuses(const char *text, const char *findings)
{
    struct loaded loaded = load_text(text);
    assert_int_equal(loaded.rc, -EINVAL);
    expect_findings(loaded.findings, findings);
    loaded_free(&loaded);
}

/* The same, and nothing else may be wrong with it. */
static void refuses_only(const char *text, const char *findings)
{
    struct loaded loaded = load_text(text);
    assert_int_equal(fly_diag_error_cnt(loaded.diags), 1);
    loaded_free(&loaded);
    refuses(text, findings);
}

#define P "pipeline: p\nnodes:\n  s: {type: gen}\n"
#define D "  d: {type: drop, inputs: [s]}\n"

static void test_not_a_map(void **state)
{
    (void)state;
    refuses_only("[a]", "/a.yaml:1:1: error: a pipeline file is a map with the keys 'pipeline' and "
                        "'nodes', not a list\n  [a]\n  ^\n  hint: see flyover new");
    refuses_only("", "not nothing");
}

static void test_pipeline_name(void **state)
{
    (void)state;
    refuses_only("nodes:\n  s: {type: gen}\n" D, "the pipeline needs 'pipeline'");
    refuses_only("pipeline: My Pipe\nnodes:\n  s: {type: gen}\n" D,
                 "'My Pipe' can't be the name of a pipeline");
    refuses_only("pipeline: ''\nnodes:\n  s: {type: gen}\n" D, "can't be the name of a pipeline");
    refuses("pipeline: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nnodes:\n"
            "  s: {type: gen}\n" D,
            "hint: names have a-z, 0-9, _ and -, and at most 63");
}

static void test_unknown_key_of_the_pipeline(void **state)
{
    (void)state;
    refuses_only("flsh: 5s\n" P D, "unknown key 'flsh' for the pipeline\n  flsh: 5s\n  ^~~~\n"
                                   "  hint: did you mean 'flush'?");
    refuses_only("inputs: [a]\n" P D, "hint: keys of a node stand below its name in 'nodes'");
}

static void test_no_nodes(void **state)
{
    (void)state;
    refuses_only("pipeline: p", "the pipeline has no 'nodes'\n");
    refuses_only("pipeline: p\nnodes: {}",
                 "'nodes' must be a map of nodes by name, not an empty one");
    refuses_only("pipeline: p\nnodes: [a]", "'nodes' must be a map of nodes by name, not a list");
    refuses_only("pipeline: p\nnodes:", "'nodes' must be a map of nodes by name, not nothing");
}

static void test_too_many_nodes(void **state)
{
    (void)state;
    char *text = malloc(20000);
    size_t bytes = (size_t)snprintf(text, 20000, "pipeline: p\nnodes:\n");
    for (int i = 0; i <= FLY_PLAN_NODES_MAX; i++)
        bytes += (size_t)snprintf(text + bytes, 20000 - bytes, "  n%d: {type: gen}\n", i);
    refuses_only(text, "a pipeline has at most 256 nodes, not 257");
    free(text);
}

static void test_node_names(void **state)
{
    (void)state;
    refuses("pipeline: p\nnodes:\n  a.b: {type: gen}\n", "'a.b' can't be the name of a node");
    refuses("pipeline: p\nnodes:\n  '': {type: gen}\n", "'' can't be the name of a node");
}

static void test_node_that_is_no_map(void **state)
{
    (void)state;
    refuses_only(P D "  x: gen\n", "node 'x' must be a map, not text");
}

static void test_node_without_type(void **state)
{
    (void)state;
    refuses_only(P D "  x: {inputs: [s]}\n", ":5:3: error: node 'x' needs a 'type'\n");
    refuses_only(P D "  x: {type: , inputs: [s]}\n", "node 'x' needs a 'type'\n");
}

static void test_unknown_type(void **state)
{
    (void)state;
    refuses_only(P D "  x: {type: pas, inputs: [s]}\n",
                 "there is no node type 'pas'\n    x: {type: pas, inputs: [s]}\n"
                 "              ^~~\n  hint: did you mean 'pass'?");
    refuses_only(P D "  x: {type: xyzzy, inputs: [s]}\n", "hint: flyover list shows all types");
}

static void test_unknown_key_of_a_node(void **state)
{
    (void)state;
    refuses("pipeline: p\nnodes:\n  s: {type: file, pth: x}\n" D,
            "/a.yaml:3:19: error: unknown key 'pth' for a file source\n"
            "    s: {type: file, pth: x}\n"
            "                    ^~~\n"
            "  hint: did you mean 'path'?\n");
    refuses_only(P D "  x: {type: all, zzzzz: 1}\n", "hint: flyover describe all lists all keys");
}

static void test_key_of_another_kind_of_node(void **state)
{
    (void)state;
    refuses_only(P "  d: {type: drop, inputs: [s], hold: {messages: 5}}\n",
                 "unknown key 'hold' for a drop sink\n");
    refuses_only(P "  d: {type: drop, inputs: [s], hold: {messages: 5}}\n",
                 "hint: 'hold' is an option of nodes that hold messages");
    refuses_only(P "  d: {type: drop, inputs: [s], ack_timeout: 5s}\n",
                 "hint: 'ack_timeout' is an option of sources and stages");
    refuses_only(P D "  x: {type: file, path: a, codec: raw}\n",
                 "hint: that is a key of the file sink, which has 'inputs'");
}

static void test_missing_parameter(void **state)
{
    (void)state;
    refuses_only("pipeline: p\nnodes:\n  s: {type: file}\n" D,
                 "/a.yaml:3:3: error: a file source needs 'path'\n");
}

static void test_wrong_options(void **state)
{
    (void)state;
    refuses_only("pipeline: p\nnodes:\n  s: {type: gen, tasks: 65}\n" D,
                 "'tasks' is out of range: it must be 1 to 64, not 65");
    refuses_only("pipeline: p\nnodes:\n  s: {type: gen, cores: [0, 2-1]}\n" D,
                 "'2-1' is not a list of cores");
    refuses_only("pipeline: p\nnodes:\n  s: {type: gen, retry: {attempts: 0}}\n" D,
                 "'retry.attempts' is out of range");
    refuses_only("pipeline: p\nnodes:\n  s: {type: gen, retry: {backoff: 2s, backoff_max: 1s}}\n" D,
                 "'retry.backoff' is longer than 'retry.backoff_max'");
    refuses_only("idle: spinn\n" P D, "'idle' must be one of adaptive, spin, not 'spinn'");
}

static void test_node_without_inputs(void **state)
{
    (void)state;
    refuses_only(P D "  x: {type: pass}\n", ":5:3: error: the stage 'x' has no inputs\n");
    refuses_only(P D "  x: {type: drop, inputs: []}\n", "the sink 'x' has no inputs\n");
    refuses_only(P D "  x: {type: drop, inputs: }\n", "the sink 'x' has no inputs\n");
}

static void test_source_with_inputs(void **state)
{
    (void)state;
    refuses_only(P D "  x: {type: gen, inputs: [s]}\n",
                 "a gen source has no inputs: it makes messages");
}

static void test_unknown_input(void **state)
{
    (void)state;
    refuses_only(P "  lines: {type: pass, inputs: [s]}\n  d: {type: drop, inputs: [line]}\n",
                 ":5:28: error: there is no node 'line'\n"
                 "    d: {type: drop, inputs: [line]}\n"
                 "                             ^~~~\n"
                 "  hint: did you mean 'lines'?");
}

static void test_unknown_port(void **state)
{
    (void)state;
    refuses_only(P "  b: {type: both, inputs: [s]}\n  d: {type: drop, inputs: [b.yess]}\n",
                 "'b' has no port 'yess'\n");
    refuses_only(P "  b: {type: both, inputs: [s]}\n  d: {type: drop, inputs: [b.yess]}\n",
                 "hint: did you mean 'b.yes'?");
    refuses_only(P "  b: {type: both, inputs: [s]}\n  d: {type: drop, inputs: [b.maybe]}\n",
                 "hint: it has b.yes, b.no");
    refuses_only(P "  b: {type: both, inputs: [s]}\n  d: {type: drop, inputs: [b]}\n",
                 "'b' has several outputs: choose one of b.yes, b.no");
    refuses_only(P D "  x: {type: drop, inputs: [d]}\n", "'d' is a sink without outputs");
}

static void test_wrong_inputs(void **state)
{
    (void)state;
    refuses_only(P "  d: {type: drop, inputs: [[s]]}\n",
                 "an input of 'd' must be a name or a map, not a list\n");
    refuses_only(P "  d: {type: drop, inputs: [{grouping: key}]}\n",
                 "an input of 'd' needs 'from'\n");
    refuses_only(P "  d: {type: drop, inputs: [{from: s, grupping: key}]}\n",
                 "hint: did you mean 'grouping'?");
    refuses_only(P "  d: {type: drop, inputs: [s, s]}\n", "'d' has the same input twice");
}

static void test_keyed_state_needs_a_grouping_by_key(void **state)
{
    (void)state;
    refuses_only(P "  c: {type: count, inputs: [s]}\n  d: {type: drop, inputs: [c]}\n",
                 ":4:29: error: 'c' keeps state per key: its inputs must be grouped by key\n"
                 "    c: {type: count, inputs: [s]}\n"
                 "                              ^\n"
                 "  hint: write {from: s, grouping: key}\n");
    struct loaded loaded = load_good(P "  c: {type: count, inputs: [{from: s, grouping: global}]}\n"
                                       "  d: {type: drop, inputs: [c]}\n");
    loaded_free(&loaded);
}

static void test_cycles_are_named(void **state)
{
    (void)state;
    refuses_only(P D "  a: {type: pass, inputs: [s, b]}\n  b: {type: pass, inputs: [a]}\n",
                 "the nodes form a cycle: a -> b -> a\n");
    refuses_only(P D "  a: {type: pass, inputs: [a]}\n", "the nodes form a cycle: a -> a\n");
}

static void test_no_source(void **state)
{
    (void)state;
    refuses("pipeline: p\nnodes:\n  d: {type: drop, inputs: [x]}\n",
            "the pipeline has no source\n");
}

static void test_dead_letters_that_can_not_go_there(void **state)
{
    (void)state;
    refuses_only("dead_letters: dea\n" P D "  dead: {type: drop, inputs: [s]}\n",
                 ":1:15: error: there is no node 'dea'\n");
    refuses_only("dead_letters: s\n" P D,
                 "dead letters can't go to 's': a source gets no messages");
    refuses("dead_letters: c\n" P D "  c: {type: count}\n",
            "dead letters can't go to 'c': it keeps state per key");
    refuses_only(P D "  a: {type: pass, inputs: [s]}\n"
                     "  b: {type: pass, inputs: [a], dead_letters: a}\n"
                     "  e: {type: drop, inputs: [b]}\n",
                 "dead letters of 'b' would come back to it through 'a'");
}

static void test_groups_that_differ(void **state)
{
    (void)state;
    refuses_only(P "  a: {type: drop, inputs: [{from: s, group: g}]}\n"
                   "  b: {type: drop, inputs: [{from: s, group: g, grouping: shuffle}]}\n",
                 "'a' and 'b' share group 'g' and need the same grouping");
}

static void test_ports_by_name(void **state)
{
    (void)state;
    refuses_only(P "  r: {type: route, inputs: [s], rules: {rest: {contains: x}}}\n"
                   "  d: {type: drop, inputs: [r.rest]}\n",
                 "node 'r' has a port 'rest' already");
    refuses_only(P "  r: {type: route, inputs: [s], rules: {'a b': {contains: x}}}\n"
                   "  d: {type: drop, inputs: [r.rest]}\n",
                 "'a b' can't be the name of a port");
    struct loaded loaded =
        load_good(P "  r: {type: route, inputs: [s], rules: {err: {contains: x}}}\n"
                    "  d: {type: drop, inputs: [r.rest, r.err]}\n");
    const struct fly_pipeline_node *route = &loaded.pipeline->node[1];
    assert_int_equal(route->port_cnt, 2);
    assert_string_equal(route->port[0], "rest");
    assert_string_equal(route->port[1], "err");
    assert_int_equal(loaded.pipeline->node[2].input[1].from_port, 1);
    loaded_free(&loaded);
}

static void test_unread_outputs_are_a_warning(void **state)
{
    (void)state;
    struct loaded loaded = load_text(P);
    assert_int_equal(loaded.rc, 0);
    expect_findings(
        loaded.findings,
        "/a.yaml:3:3: warning: nobody reads what 's' sends: its messages are dropped\n");
    loaded_free(&loaded);
}

static void test_all_errors_at_once_sorted(void **state)
{
    (void)state;
    struct loaded loaded = load_text("flsh: 1s\npipeline: P\nnodes:\n"
                                     "  s: {type: file, pth: x, tasks: 0}\n"
                                     "  d: {type: drop, inputs: [q], inputs: [s]}\n"
                                     "  e: {type: dropp}\n");
    assert_int_equal(loaded.rc, -EINVAL);
    static const char *const EXPECTED[] = {":1:1: error: unknown key 'flsh'",
                                           ":2:11: error: 'P' can't be",
                                           ":4:3: error: a file source needs 'path'",
                                           ":4:19: error: unknown key 'pth'",
                                           ":4:34: error: 'tasks' is out of range",
                                           ":5:28: error: there is no node 'q'",
                                           ":5:32: error: the key 'inputs' is here twice",
                                           ":6:13: error: there is no node type 'dropp'"};
    const char *at = loaded.findings;
    for (size_t i = 0; i < sizeof(EXPECTED) / sizeof(EXPECTED[0]); i++) {
        const char *found = strstr(at, EXPECTED[i]);
        if (!found)
            fail_msg("expected %s in order in\n%s", EXPECTED[i], loaded.findings);
        at = found;
    }
    loaded_free(&loaded);
}

static void test_variables(void **state)
{
    (void)state;
    setenv("FLY_TEST_SET", "hello", 1);
    setenv("FLY_TEST_EMPTY", "", 1);
    unsetenv("FLY_TEST_UNSET");
    struct loaded loaded =
        load_good("pipeline: p\nnodes:\n"
                  "  s: {type: all, text: 'a${FLY_TEST_SET}b$$c$d${FLY_TEST_UNSET:-e: "
                  "[f]}${FLY_TEST_EMPTY}', "
                  "count: \"${FLY_TEST_UNSET:-12}\", words: [\"${FLY_TEST_EMPTY:-g}\"]}\n" D);
    const struct fly_config_value *value = loaded.pipeline->node[0].param;
    assert_int_equal(value[2].count, 12);
    assert_string_equal(value[5].string.text, "ahellob$c$de: [f]");
    assert_string_equal(value[11].list.item[0].text, "g");
    loaded_free(&loaded);
}

static void test_variables_that_are_wrong(void **state)
{
    (void)state;
    unsetenv("FLY_TEST_UNSET");
    refuses_only("pipeline: p\nnodes:\n  s: {type: all, count: \"${FLY_TEST_UNSET}\"}\n" D,
                 "there is no environment variable 'FLY_TEST_UNSET'\n");
    refuses_only(
        "pipeline: p\nnodes:\n  s: {type: all, text: '${FLY_TEST_UNSET:?give me one}'}\n" D,
        "FLY_TEST_UNSET: give me one\n");
    refuses_only("pipeline: p\nnodes:\n  s: {type: all, text: '${secret:db}'}\n" D,
                 "secrets are not available: 'secret:db'\n");
    refuses_only("pipeline: p\nnodes:\n  s: {type: all, text: '${1x}'}\n" D,
                 "not a variable: '1x'\n");
    refuses_only("pipeline: p\nnodes:\n  s: {type: all, text: 'a ${b'}\n" D,
                 "there is no } after ${ in 'a ${b'\n");
}

static void test_set(void **state)
{
    (void)state;
    static const char *const SET[] = {"nodes.s.kind.seed=5", "nodes.s.paths.1=z",
                                      "idle=spin",           "nodes.s.words=[a, b]",
                                      "nodes.s.path=-",      "nodes.t.type=gen"};
    static const char TEXT[] = "pipeline: p\nnodes:\n  s: {type: all, paths: [x, y]}\n"
                               "  d: {type: drop, inputs: [s, t]}\n";
    const char *text = TEXT;
    struct loaded loaded =
        load_texts((struct fly_config_request){.set = SET, .set_cnt = 6}, &text, 1);
    if (loaded.rc)
        fail_msg("%s", loaded.findings);
    const struct fly_config_value *value = loaded.pipeline->node[0].param;
    char cwd[256], expected[300];
    snprintf(expected, sizeof(expected), "%s/z", getcwd(cwd, sizeof(cwd)));
    assert_int_equal(value[14].count, 5);
    assert_string_equal(value[12].list.item[1].text, expected);
    assert_int_equal(value[11].list.cnt, 2);
    assert_string_equal(value[6].string.text, "-");
    assert_int_equal(loaded.pipeline->options.idle, FLY_IDLE_SPIN);
    assert_int_equal(loaded.pipeline->node_cnt, 3);
    loaded_free(&loaded);
}

static void refuses_set(const char *set, const char *findings)
{
    const char *text = P D;
    struct loaded loaded =
        load_texts((struct fly_config_request){.set = &set, .set_cnt = 1}, &text, 1);
    assert_int_equal(loaded.rc, -EINVAL);
    expect_findings(loaded.findings, findings);
    loaded_free(&loaded);
}

static void test_set_that_is_wrong(void **state)
{
    (void)state;
    refuses_set("nodes.d", "--set nodes.d: error: there is no = and no value\n");
    refuses_set("nodes.d.inputs.5=x",
                "--set nodes.d.inputs.5: error: '5' is not a position in the list");
    refuses_set("pipeline.x=y", "--set pipeline.x: error: 'x' can't be set");
    refuses_set("nodes..x=y", "'' is an empty part of the path");
    refuses_set("nodes.s.task=1", "--set nodes.s.task: error: unknown key 'task' for a gen source\n"
                                  "  hint: did you mean 'tasks'?\n");
    refuses_set("nodes.s.tasks=[", "--set nodes.s.tasks: error: not valid YAML: ");
}

static void test_several_files_are_united(void **state)
{
    (void)state;
    const char *good[] = {P, "pipeline: p\nnodes:\n" D};
    struct loaded loaded = load_texts((struct fly_config_request){.set = NULL}, good, 2);
    assert_int_equal(loaded.rc, 0);
    assert_int_equal(loaded.pipeline->node_cnt, 2);
    assert_int_equal(loaded.pipeline->node[1].at.file, 1);
    loaded_free(&loaded);
    const char *twice[] = {P D, "nodes:\n  x: {type: gen}\n  d: {type: drop, inputs: [x]}\n"};
    loaded = load_texts((struct fly_config_request){.set = NULL}, twice, 2);
    assert_int_equal(loaded.rc, -EINVAL);
    expect_findings(loaded.findings,
                    "/b.yaml:3:3: error: the node 'd' is defined twice: first in ");
    expect_findings(loaded.findings, "/a.yaml:4:3\n");
    loaded_free(&loaded);
    const char *differ[] = {"idle: spin\n" P D, "idle: adaptive\n"};
    loaded = load_texts((struct fly_config_request){.set = NULL}, differ, 2);
    assert_int_equal(loaded.rc, -EINVAL);
    expect_findings(loaded.findings,
                    "/b.yaml:1:1: error: 'idle' differs from the one in /a.yaml:1:1\n");
    loaded_free(&loaded);
}

static void test_files_that_can_not_be_read(void **state)
{
    (void)state;
    static const char *const FILES[] = {"/nonexistent/p.yaml", "/tmp"};
    static const int CODES[] = {-ENOENT, -EISDIR};
    static const char *const TEXTS[] = {"/nonexistent/p.yaml: error: cannot read it: No such file",
                                        "/tmp: error: cannot read it: Is a directory"};
    for (int i = 0; i < 2; i++) {
        struct fly_config_request request = {
            .file = &FILES[i], .file_cnt = 1, .builtin = test_config_nodes};
        struct loaded loaded = {.diags = fly_diag_create()};
        assert_int_equal(fly_config_load(&request, &loaded.pipeline, loaded.diags), CODES[i]);
        FILE *memory = open_memstream(&loaded.findings, &loaded.findings_bytes);
        fly_diag_print(loaded.diags, memory, false);
        fclose(memory);
        expect_findings(loaded.findings, TEXTS[i]);
        loaded_free(&loaded);
    }
}

static void checks_files(const char *text, int rc, const char *findings)
{
    struct loaded loaded =
        load_texts((struct fly_config_request){.level = FLY_CONFIG_FILES}, &text, 1);
    assert_int_equal(loaded.rc, rc);
    expect_findings(loaded.findings, findings);
    loaded_free(&loaded);
}

#define FILE_SOURCE(path_) "pipeline: p\nnodes:\n  s: {type: file, path: '" path_ "'}\n"

static void test_files_that_nodes_name(void **state)
{
    (void)state;
    checks_files(FILE_SOURCE("nope") D, -ENOENT, ":3:25: error: cannot read /nope: No such file");
    checks_files(FILE_SOURCE("nope/*.txt") D, -ENOENT, "no file matches /nope/*.txt");
    checks_files(FILE_SOURCE("/tmp") D, -EISDIR, "cannot read /tmp: Is a directory");
    checks_files(FILE_SOURCE("-") D, 0, "");
    checks_files(FILE_SOURCE("/etc/*passwd") D, 0, "");
    checks_files(FILE_SOURCE("/etc/passwd") "  d: {type: file, inputs: [s], path: /nope/x}\n",
                 -ENOENT, "cannot write into the folder /nope: No such file");
    checks_files(FILE_SOURCE("/etc/passwd") "  d: {type: file, inputs: [s], path: /tmp}\n", -EISDIR,
                 "cannot write /tmp: Is a directory");
    checks_files(FILE_SOURCE("/etc/passwd") "  d: {type: file, inputs: [s], path: /etc/passwd/x}\n",
                 -ENOTDIR, "cannot write into /etc/passwd: Not a directory");
    checks_files("flsh: 1\n" FILE_SOURCE("nope") D, -EINVAL, "cannot read /nope");
}

static void test_a_good_pipeline(void **state)
{
    (void)state;
    struct loaded loaded =
        load_good("pipeline: p\nack_timeout: 7s\nretry: {attempts: 5, backoff: "
                  "20s}\nmax_message_bytes: 2MiB\n"
                  "dead_letters: dead\nstate: pos\nnodes:\n"
                  "  s: {type: gen, max_message_bytes: 4MiB, frames: 99, retain_bytes: 0}\n"
                  "  h: {type: hold, inputs: s, hold: {messages: 10}, ack_timeout: 1s, cores: 0-1, "
                  "tasks: 2}\n"
                  "  c: {type: count, inputs: [{from: h, grouping: key}, {from: s, grouping: key, "
                  "frames: 5}]}\n"
                  "  d: {type: drop, inputs: [{from: c.out, grouping: broadcast, group: g}]}\n"
                  "  dead: {type: drop}\n");
    const struct fly_pipeline_node *node = loaded.pipeline->node;
    assert_string_equal(loaded.pipeline->name, "p");
    assert_int_equal(node[0].options.delivery.ack_timeout_ns, 7000000000);
    assert_int_equal(node[1].options.delivery.ack_timeout_ns, 1000000000);
    assert_int_equal(node[1].options.delivery.attempts, 5);
    assert_true(node[1].options.delivery.backoff_max_ns == 20000000000);
    assert_true(node[0].options.retain_given && !node[1].options.retain_given);
    assert_int_equal(node[1].options.hold_messages, 10);
    assert_string_equal(node[1].options.cores.item[0].text, "0-1");
    assert_int_equal(node[2].input_cnt, 2);
    assert_int_equal(node[2].input[0].max_message_bytes, 2 << 20);
    assert_int_equal(node[2].input[1].max_message_bytes, 4 << 20);
    assert_int_equal(node[2].input[1].frames, 5);
    assert_int_equal(node[1].input[0].frames, 99);
    assert_int_equal(node[3].input[0].grouping, FLY_GROUP_BROADCAST);
    assert_string_equal(node[3].input[0].group.text, "g");
    assert_int_equal(node[0].dead_letters, 4);
    assert_int_equal(node[2].dead_letters, 4);
    assert_int_equal(node[3].dead_letters, FLY_PIPELINE_NONE);
    assert_true(node[4].gets_dead_letters);
    char expected[128];
    snprintf(expected, sizeof(expected), "%s/pos/s.state", loaded.folder);
    assert_string_equal(node[0].options.state.text, expected);
    assert_int_equal(fly_pipeline_find(loaded.pipeline, "dead"), 4);
    assert_int_equal(fly_pipeline_find(loaded.pipeline, "nope"), FLY_PIPELINE_NONE);
    loaded_free(&loaded);
}

static void test_a_shared_group(void **state)
{
    (void)state;
    struct loaded loaded = load_good(P "  a: {type: drop, inputs: [{from: s, group: g}]}\n"
                                       "  b: {type: drop, inputs: [{from: s, group: g}]}\n");
    assert_string_equal(loaded.pipeline->node[2].input[0].group.text, "g");
    loaded_free(&loaded);
}

/* Dead letters are edges as well: a way back may lead over several of them. */
static void test_dead_letters_in_a_circle(void **state)
{
    (void)state;
    refuses_only(P "  a: {type: pass, inputs: [s], dead_letters: fix}\n"
                   "  fix: {type: pass, dead_letters: again}\n"
                   "  again: {type: pass}\n"
                   "  after: {type: pass, inputs: [again], dead_letters: a}\n"
                   "  d: {type: drop, inputs: [a, fix, after]}\n",
                 "dead letters of 'after' would come back to it through 'a'");
}

static void test_own_dead_letters_go_before_the_common_ones(void **state)
{
    (void)state;
    struct loaded loaded = load_good("dead_letters: all\npipeline: p\nnodes:\n"
                                     "  s: {type: gen, dead_letters: mine}\n"
                                     "  t: {type: gen}\n"
                                     "  d: {type: drop, inputs: [s, t]}\n"
                                     "  all: {type: drop}\n  mine: {type: drop}\n");
    assert_int_equal(loaded.pipeline->node[0].dead_letters, 4);
    assert_int_equal(loaded.pipeline->node[1].dead_letters, 3);
    loaded_free(&loaded);
}

/* Where the node with the dead letters sends on, those behind it have none of their own. */
static void test_dead_letters_never_come_back(void **state)
{
    (void)state;
    struct loaded loaded = load_good("dead_letters: fix\n" P D "  fix: {type: pass}\n"
                                     "  after: {type: pass, inputs: [fix]}\n"
                                     "  e: {type: drop, inputs: [after]}\n");
    const struct fly_pipeline_node *node = loaded.pipeline->node;
    assert_int_equal(node[0].dead_letters, 2);
    assert_int_equal(node[2].dead_letters, FLY_PIPELINE_NONE);
    assert_int_equal(node[3].dead_letters, FLY_PIPELINE_NONE);
    loaded_free(&loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_a_map),
        cmocka_unit_test(test_pipeline_name),
        cmocka_unit_test(test_unknown_key_of_the_pipeline),
        cmocka_unit_test(test_no_nodes),
        cmocka_unit_test(test_too_many_nodes),
        cmocka_unit_test(test_node_names),
        cmocka_unit_test(test_node_that_is_no_map),
        cmocka_unit_test(test_node_without_type),
        cmocka_unit_test(test_unknown_type),
        cmocka_unit_test(test_unknown_key_of_a_node),
        cmocka_unit_test(test_key_of_another_kind_of_node),
        cmocka_unit_test(test_missing_parameter),
        cmocka_unit_test(test_wrong_options),
        cmocka_unit_test(test_node_without_inputs),
        cmocka_unit_test(test_source_with_inputs),
        cmocka_unit_test(test_unknown_input),
        cmocka_unit_test(test_unknown_port),
        cmocka_unit_test(test_wrong_inputs),
        cmocka_unit_test(test_keyed_state_needs_a_grouping_by_key),
        cmocka_unit_test(test_cycles_are_named),
        cmocka_unit_test(test_no_source),
        cmocka_unit_test(test_dead_letters_that_can_not_go_there),
        cmocka_unit_test(test_groups_that_differ),
        cmocka_unit_test(test_ports_by_name),
        cmocka_unit_test(test_unread_outputs_are_a_warning),
        cmocka_unit_test(test_all_errors_at_once_sorted),
        cmocka_unit_test(test_variables),
        cmocka_unit_test(test_variables_that_are_wrong),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_set_that_is_wrong),
        cmocka_unit_test(test_several_files_are_united),
        cmocka_unit_test(test_files_that_can_not_be_read),
        cmocka_unit_test(test_files_that_nodes_name),
        cmocka_unit_test(test_a_good_pipeline),
        cmocka_unit_test(test_a_shared_group),
        cmocka_unit_test(test_dead_letters_in_a_circle),
        cmocka_unit_test(test_own_dead_letters_go_before_the_common_ones),
        cmocka_unit_test(test_dead_letters_never_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
