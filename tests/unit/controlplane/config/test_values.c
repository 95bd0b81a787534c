/* Typed values: what each type takes and refuses, presets, paths, tables, binding. */
#include "config/bind.h"
#include "config/convert.h"
#include "unit/controlplane/config/load.h"

/* A pipeline with a source of type `all` that has these keys. */
static struct loaded load_all(const char *keys)
{
    char text[1024];
    snprintf(text, sizeof(text),
             "pipeline: p\nnodes:\n  a: {type: all, %s}\n  d: {type: drop, inputs: [a]}\n", keys);
    return load_text(text);
}

static void refuses(const char *keys, const char *findings)
{
    struct loaded loaded = load_all(keys);
    assert_int_equal(loaded.rc, -22);
    expect_findings(loaded.findings, findings);
    loaded_free(&loaded);
}

static const struct fly_config_value *value_of(const struct loaded *loaded, const char *name)
{
    if (loaded->rc)
        fail_msg("%s", loaded->findings);
    const struct fly_pipeline_node *node = &loaded->pipeline->node[0];
    for (uint32_t i = 0; i < node->param_cnt; i++) {
        if (strcmp(node->param[i].param->name, name) == 0)
            return &node->param[i];
    }
    fail_msg("no value %s", name);
    return NULL;
}

static void test_wrong_bool(void **state)
{
    (void)state;
    refuses("flag: yes", "'flag' must be true or false, not 'yes'");
    refuses("flag: [true]", "'flag' must be true or false, not a list");
}

static void test_wrong_number(void **state)
{
    (void)state;
    refuses("number: many", "'number' must be a whole number, not 'many'");
    refuses("number: 1.5", "'number' must come out as a whole number: 1.5 does not");
    refuses("number: 11", "'number' is out of range: it must be -10 to 10, not 11");
    refuses("number: {a: 1}", "'number' must be a whole number, not a map");
}

static void test_wrong_count(void **state)
{
    (void)state;
    refuses("count: 0", "'count' is out of range: it must be 1 to 1000000000000, not 0");
    refuses("count: -1", "'count' can't be negative: -1");
    refuses("count: 5/s", "'count' must be a whole number, not '5/s'\n");
    refuses("count: 5/s", "hint: 10k, 10M and 10G are fine, too");
    refuses("count: 99999999999999999999", "'count' is too large: 99999999999999999999");
}

static void test_wrong_real(void **state)
{
    (void)state;
    refuses("real: half", "'real' must be a number, not 'half'");
    refuses("real: 1.5", "'real' is out of range: it must be 0 to 1, not 1.5");
}

static void test_wrong_choice(void **state)
{
    (void)state;
    refuses("framing: newlin", "a.yaml:3:27: error: 'framing' must be one of newline, fixed, "
                               "whole_file, not 'newlin'\n"
                               "    a: {type: all, framing: newlin}\n"
                               "                            ^~~~~~\n"
                               "  hint: did you mean 'newline'?\n");
}

static void test_wrong_duration(void **state)
{
    (void)state;
    refuses("every: 5", "'every' needs a unit: 5 of what?\n");
    refuses("every: 5", "hint: units are ns, us, ms, s, m, h and d, like 250ms");
    refuses("every: 5sec", "'every' has an unknown unit: '5sec'");
    refuses("every: soon", "'every' must be a duration, not 'soon'");
    refuses("every: -5s", "'every' can't be negative: -5s");
    refuses("wait_ms: 2000", "'wait_ms' is out of range: it must be at most 1s, not 2000");
}

static void test_wrong_size(void **state)
{
    (void)state;
    refuses("size: 5KB", "'size' has an unknown unit: '5KB'\n");
    refuses("size: 5KB", "hint: units are B, kB, MB, GB, TB (of 1000) and KiB");
    refuses("size: 20000000TiB", "'size' is too large: 20000000TiB");
}

static void test_nothing_where_a_value_should_be(void **state)
{
    (void)state;
    refuses("text: ", "'text' has no value\n");
    refuses("words: ~", "'words' has no value\n");
    refuses("text: ", "hint: leave the key out to get the default");
}

static void test_wrong_paths(void **state)
{
    (void)state;
    refuses("path: ''", "'path' is an empty path");
    refuses("path: \"a\\0b\"", "'path' has a NUL character in it");
    refuses("path: [a]", "'path' must be a path, not a list");
    refuses("paths: {a: b}", "'paths' must be a list, not a map");
    refuses("paths: [a, [b]]", "'paths' must be a path, not a list");
}

static void test_wrong_tables(void **state)
{
    (void)state;
    refuses("rules: [a]", "'rules' must be a map of names, not a list");
    refuses("rules: {x: {}}", "'x' in 'rules' of an all source needs 'contains'");
    refuses("rules: {x: {contain: a}}",
            "unknown key 'contain' for 'x' in 'rules' of an all source");
    refuses("rules: {x: y}", "'x' in 'rules' of an all source must be a map, not text");
}

static void test_wrong_inner_maps(void **state)
{
    (void)state;
    refuses("kind: 5", "'kind' must be a map, not text");
    refuses("kind: {sed: 5}", "unknown key 'kind.sed' for an all source\n");
    refuses("kind: {sed: 5}", "hint: did you mean 'seed'?");
    refuses("kind.seed: 5", "unknown key 'kind.seed' for an all source");
}

static void test_the_nodes_own_check(void **state)
{
    (void)state;
    refuses("text: bad", "a.yaml:3:24: error: 'text' must not be bad\n");
    refuses("text: bad", "hint: be good");
    refuses("number: 9", "a.yaml:3:3: error: nine is too much");
}

static void test_presets(void **state)
{
    (void)state;
    struct loaded loaded = load_all("");
    assert_false(value_of(&loaded, "flag")->flag);
    assert_int_equal(value_of(&loaded, "number")->number, -3);
    assert_int_equal(value_of(&loaded, "count")->count, 7);
    assert_true(value_of(&loaded, "real")->real == 0.5);
    assert_string_equal(value_of(&loaded, "text")->string.text, "");
    assert_int_equal(value_of(&loaded, "framing")->choice, 1);
    assert_int_equal(value_of(&loaded, "every")->count, 5000000000);
    assert_int_equal(value_of(&loaded, "wait_ms")->count, 100000000);
    assert_int_equal(value_of(&loaded, "words")->list.cnt, 0);
    assert_false(value_of(&loaded, "count")->given);
    assert_int_equal(value_of(&loaded, "count")->at.line, 3);
    loaded_free(&loaded);
}

static void test_the_ends_of_a_range_belong_to_it(void **state)
{
    (void)state;
    static const char *const GOOD[] = {"number: 10", "number: -10",   "real: 1",
                                       "real: 0",    "wait_ms: 1000", "count: 1"};
    for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++) {
        struct loaded loaded = load_all(GOOD[i]);
        if (loaded.rc)
            fail_msg("%s", loaded.findings);
        loaded_free(&loaded);
    }
}

static void test_all_types(void **state)
{
    (void)state;
    struct loaded loaded = load_all(
        "flag: true, number: -5, count: 10k, rate: 1M/s, real: 0.25, text: 5, path: ../x/./y, "
        "framing: whole_file, every: 1.5s, wait_ms: 3, size: 2MiB, words: one, paths: [a, /b//c, "
        "-],"
        "rules: {x: {contains: p}, y: {contains: q, weight: 3}}, kind: {seed: 4, name: z}");
    assert_true(value_of(&loaded, "flag")->flag);
    assert_int_equal(value_of(&loaded, "number")->number, -5);
    assert_int_equal(value_of(&loaded, "count")->count, 10000);
    assert_int_equal(value_of(&loaded, "rate")->count, 1000000);
    assert_string_equal(value_of(&loaded, "text")->string.text, "5");
    assert_string_equal(value_of(&loaded, "path")->string.text, "/tmp/x/y");
    assert_int_equal(value_of(&loaded, "framing")->choice, 2);
    assert_int_equal(value_of(&loaded, "every")->count, 1500000000);
    assert_int_equal(value_of(&loaded, "wait_ms")->count, 3000000);
    assert_int_equal(value_of(&loaded, "size")->count, 2 << 20);
    assert_int_equal(value_of(&loaded, "words")->list.cnt, 1);
    const struct fly_config_list *paths = &value_of(&loaded, "paths")->list;
    char expected[128];
    snprintf(expected, sizeof(expected), "%s/a", loaded.folder);
    assert_string_equal(paths->item[0].text, expected);
    assert_string_equal(paths->item[1].text, "/b/c");
    assert_string_equal(paths->item[2].text, "-");
    const struct fly_config_table *rules = &value_of(&loaded, "rules")->table;
    assert_int_equal(rules->cnt, 2);
    assert_string_equal(rules->row[1].name.text, "y");
    assert_string_equal(rules->row[1].value[0].string.text, "q");
    assert_int_equal(rules->row[0].value[1].count, 1);
    assert_int_equal(value_of(&loaded, "kind.seed")->count, 4);
    assert_true(value_of(&loaded, "kind.seed")->given);
    loaded_free(&loaded);
}

static void test_binding_writes_each_value_to_its_offset(void **state)
{
    (void)state;
    struct loaded loaded = load_all("flag: true, text: hello, words: [a, b], framing: newline, "
                                    "rules: {x: {contains: p}, y: {contains: q, weight: 3}}");
    const struct fly_pipeline_node *node = &loaded.pipeline->node[0];
    struct fly_arena *arena = fly_arena_create();
    struct test_all all;
    memset(&all, 0xa5, sizeof(all));
    fly_bind(arena, node->param, node->param_cnt, &all);
    assert_true(all.flag);
    assert_int_equal(all.number, -3);
    assert_int_equal(all.count, 7);
    assert_string_equal(all.text.text, "hello");
    assert_int_equal(all.text.bytes, 5);
    assert_string_equal(all.path.text, "");
    assert_int_equal(all.framing, 0);
    assert_int_equal(all.words.cnt, 2);
    assert_string_equal(all.words.item[1].text, "b");
    assert_int_equal(all.paths.cnt, 0);
    assert_int_equal(all.rules.cnt, 2);
    const struct test_rule *rules = all.rules.row;
    assert_string_equal(all.rules.name[1].text, "y");
    assert_string_equal(rules[1].contains.text, "q");
    assert_int_equal(rules[1].weight, 3);
    assert_int_equal(rules[0].weight, 1);
    assert_int_equal(all.kind_seed, 1);
    fly_arena_destroy(arena);
    loaded_free(&loaded);
}

static const char *resolve(struct fly_arena *arena, const char *folder, const char *path)
{
    return fly_convert_path(arena, folder, (struct fly_string){path, (uint32_t)strlen(path)}).text;
}

static void test_relative_paths(void **state)
{
    (void)state;
    struct fly_arena *arena = fly_arena_create();
    assert_string_equal(resolve(arena, "/a/b", "c"), "/a/b/c");
    assert_string_equal(resolve(arena, "/a/b", "./c//d/."), "/a/b/c/d");
    assert_string_equal(resolve(arena, "/a/b", "../../../c"), "/c");
    assert_string_equal(resolve(arena, "/a/b", ".."), "/a");
    assert_string_equal(resolve(arena, "/a", ".."), "/");
    assert_string_equal(resolve(arena, "/", "c"), "/c");
    assert_string_equal(resolve(arena, "/a/b", "link/../c"), "/a/b/link/../c");
    assert_string_equal(resolve(arena, "/a/b", "/x/../y"), "/x/../y");
    assert_string_equal(resolve(arena, "/a/b", "-"), "-");
    assert_string_equal(resolve(arena, "/a/b", "/dev/stdin"), "/dev/stdin");
    assert_string_equal(resolve(arena, "/a/b", "logs/*.txt"), "/a/b/logs/*.txt");
    fly_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_bool),
        cmocka_unit_test(test_wrong_number),
        cmocka_unit_test(test_wrong_count),
        cmocka_unit_test(test_wrong_real),
        cmocka_unit_test(test_wrong_choice),
        cmocka_unit_test(test_wrong_duration),
        cmocka_unit_test(test_wrong_size),
        cmocka_unit_test(test_nothing_where_a_value_should_be),
        cmocka_unit_test(test_wrong_paths),
        cmocka_unit_test(test_wrong_tables),
        cmocka_unit_test(test_wrong_inner_maps),
        cmocka_unit_test(test_the_nodes_own_check),
        cmocka_unit_test(test_presets),
        cmocka_unit_test(test_the_ends_of_a_range_belong_to_it),
        cmocka_unit_test(test_all_types),
        cmocka_unit_test(test_binding_writes_each_value_to_its_offset),
        cmocka_unit_test(test_relative_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
