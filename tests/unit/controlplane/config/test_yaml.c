#include "config/yaml.h"

#include "support/unit.h"

#include <errno.h>

struct read {
    struct fly_arena *arena;
    struct fly_diagnostics *diags;
    struct fly_yaml tree;
    int rc;
    char *findings;
    size_t findings_bytes;
};

static struct read read_bytes(const char *text, size_t bytes)
{
    struct read read = {.arena = fly_arena_create(), .diags = fly_diag_create()};
    uint32_t file = fly_diag_text(read.diags, "a", text, bytes > FLY_YAML_BYTES_MAX ? 0 : bytes);
    read.rc = fly_yaml_read(read.arena, read.diags, file, text, bytes, &read.tree);
    FILE *memory = open_memstream(&read.findings, &read.findings_bytes);
    fly_diag_print(read.diags, memory, false);
    fclose(memory);
    return read;
}

static void drop(struct read *read)
{
    fly_arena_destroy(read->arena);
    fly_diag_destroy(read->diags);
    free(read->findings);
}

static void expect(const char *text, int rc, const char *findings)
{
    struct read read = read_bytes(text, strlen(text));
    assert_int_equal(read.rc, rc);
    if (!strstr(read.findings, findings) || (*read.findings && !*findings))
        fail_msg("for:\n%s\nexpected:\n%s\ngot:\n%s", text, findings, read.findings);
    drop(&read);
}

static void test_anchors_are_refused(void **state)
{
    (void)state;
    expect("a: &x 1\nb: 2", 0, "a:1:4: error: anchors (&name) are not supported\n");
    expect("a: &x 1\nb: 2", 0, "hint: write the value out where it is used");
    expect("a: &x {b: 1}", 0, "anchors (&name) are not supported");
    expect("a: &x [1]", 0, "anchors (&name) are not supported");
}

static void test_aliases_are_refused(void **state)
{
    (void)state;
    expect("a: &x 1\nb: *x", 0, "a:2:4: error: aliases (*name) are not supported");
}

static void test_tags_are_refused(void **state)
{
    (void)state;
    expect("a: !!str 1", 0, "a:1:4: error: tags (!name) are not supported");
}

static void test_duplicate_keys_name_both_places(void **state)
{
    (void)state;
    expect("a: 1\nb:\n  c: 1\n  d: 1\n  c: 2\n", 0,
           "a:5:3: error: the key 'c' is here twice: first in line 3, column 3");
}

static void test_keys_that_are_not_text(void **state)
{
    (void)state;
    expect("? [a]\n: b", -EINVAL, "a:1:3: error: a key must be plain text");
    expect("\"a\\0b\": 1", -EINVAL, "a key must not contain a NUL");
}

static void test_several_documents_are_refused(void **state)
{
    (void)state;
    expect("a: 1\n---\nb: 2", -EINVAL, "a:2:1: error: there is more than one document");
}

static void test_depth_is_limited(void **state)
{
    (void)state;
    char text[70];
    memset(text, '[', 64);
    text[64] = '\0';
    expect(text, -EINVAL, "not valid YAML");
    memset(text, '[', 65);
    text[65] = '\0';
    expect(text, -EINVAL, "a:1:65: error: maps and lists are nested more than 64 deep");
}

static void test_values_are_limited(void **state)
{
    (void)state;
    size_t bytes = 2 * FLY_YAML_VALUES_MAX + 10;
    char *text = malloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        text[i] = i == 0 ? '[' : i % 2 ? 'x' : ',';
    struct read read = read_bytes(text, bytes);
    assert_int_equal(read.rc, -EINVAL);
    assert_non_null(strstr(read.findings, "there are more than 262144 values"));
    drop(&read);
    free(text);
}

static void test_size_is_limited(void **state)
{
    (void)state;
    static const char text[1] = "a";
    struct read read = read_bytes(text, (size_t)FLY_YAML_BYTES_MAX + 1);
    assert_int_equal(read.rc, -EINVAL);
    assert_non_null(strstr(read.findings, "a pipeline file has at most 16 MiB"));
    drop(&read);
}

static void test_syntax_errors_have_place_and_hint(void **state)
{
    (void)state;
    expect("a:\n\tb: 1", -EINVAL, "a:2:1: error: not valid YAML");
    expect("a:\n\tb: 1", -EINVAL, "hint: tabs can't indent");
    expect("a: b: c", -EINVAL, "mapping values are not allowed");
    expect("a: {b: ${c}}", -EINVAL, "hint: is a bracket or a comma missing? A ${VARIABLE}");
    expect("a: 'b", -EINVAL, "a:1:");
    expect("a: b\n\xff\xfe: 1", -EINVAL, "a:2:1: error: not valid YAML");
    expect("a: \x01", -EINVAL, "control characters are not allowed");
}

static void test_nothing_at_all(void **state)
{
    (void)state;
    struct read read = read_bytes("", 0);
    assert_int_equal(read.rc, 0);
    assert_true(fly_yaml_is_null(&read.tree));
    assert_string_equal(fly_yaml_kind_text(&read.tree), "nothing");
    drop(&read);
}

static void test_places_count_characters(void **state)
{
    (void)state;
    static const char TEXT[] = "ä: {ö: [ü, \"x y\"]}\nz:\n  - |\n    long\n";
    struct read read = read_bytes(TEXT, strlen(TEXT));
    assert_int_equal(read.rc, 0);
    const struct fly_yaml_entry *first = fly_yaml_find(&read.tree, "ä");
    assert_non_null(first);
    const struct fly_yaml_entry *second = fly_yaml_find(&first->value, "ö");
    assert_int_equal(second->key_at.column, 5);
    assert_int_equal(second->value.cnt, 2);
    const struct fly_yaml *text = &second->value.entry[1].value;
    assert_int_equal(text->at.line, 1);
    assert_int_equal(text->at.column, 12);
    assert_int_equal(text->at.width, 5);
    assert_false(text->plain);
    assert_string_equal(text->text.text, "x y");
    const struct fly_yaml_entry *last = fly_yaml_find(&read.tree, "z");
    assert_int_equal(last->value.entry[0].value.at.line, 3);
    assert_string_equal(last->value.entry[0].value.text.text, "long\n");
    assert_null(fly_yaml_find(&read.tree, "y"));
    assert_null(fly_yaml_find(text, "y"));
    drop(&read);
}

static void test_what_is_nothing(void **state)
{
    (void)state;
    static const char TEXT[] = "a:\nb: ~\nc: null\nd: ''\ne: nil";
    struct read read = read_bytes(TEXT, strlen(TEXT));
    static const bool NOTHING[] = {true, true, true, false, false};
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(fly_yaml_is_null(&read.tree.entry[i].value), NOTHING[i]);
    drop(&read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_anchors_are_refused),
        cmocka_unit_test(test_aliases_are_refused),
        cmocka_unit_test(test_tags_are_refused),
        cmocka_unit_test(test_duplicate_keys_name_both_places),
        cmocka_unit_test(test_keys_that_are_not_text),
        cmocka_unit_test(test_several_documents_are_refused),
        cmocka_unit_test(test_depth_is_limited),
        cmocka_unit_test(test_values_are_limited),
        cmocka_unit_test(test_size_is_limited),
        cmocka_unit_test(test_syntax_errors_have_place_and_hint),
        cmocka_unit_test(test_nothing_at_all),
        cmocka_unit_test(test_places_count_characters),
        cmocka_unit_test(test_what_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
