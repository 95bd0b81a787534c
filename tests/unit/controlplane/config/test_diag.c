#include "config/diag.h"

#include "support/unit.h"

#include <jansson.h>

static const char TEXT[] = "first: 1\n\tkey: välue\r\nlast: 3";

struct printed {
    struct fly_diagnostics *diags;
    char *text;
    size_t bytes;
};

static struct printed make(void)
{
    struct printed printed = {.diags = fly_diag_create()};
    assert_int_equal(fly_diag_text(printed.diags, "a.yaml", TEXT, strlen(TEXT)), 0);
    return printed;
}

static const char *print(struct printed *printed, bool json, bool color)
{
    free(printed->text);
    FILE *file = open_memstream(&printed->text, &printed->bytes);
    if (json)
        fly_diag_print_json(printed->diags, file);
    else
        fly_diag_print(printed->diags, file, color);
    fclose(file);
    return printed->text;
}

static void drop(struct printed *printed)
{
    fly_diag_destroy(printed->diags);
    free(printed->text);
}

static void test_nothing_is_wrong(void **state)
{
    (void)state;
    struct printed printed = make();
    assert_string_equal(print(&printed, false, false), "");
    assert_int_equal(fly_diag_error_cnt(printed.diags), 0);
    fly_diag_destroy(NULL);
    drop(&printed);
}

static void test_sorted_with_carets_and_hints(void **state)
{
    (void)state;
    struct printed printed = make();
    fly_diag_add(printed.diags, FLY_DIAG_WARNING, (struct fly_position){0, 3, 7, 1}, NULL, "late");
    fly_diag_add(printed.diags, FLY_DIAG_ERROR, (struct fly_position){0, 2, 7, 5},
                 &(struct fly_diag_about){.hint = "do %s"}, "bad %d", 5);
    fly_diag_add(printed.diags, FLY_DIAG_ERROR, (struct fly_position){.file = 0}, NULL, "whole");
    assert_string_equal(print(&printed, false, false), "a.yaml: error: whole\n"
                                                       "a.yaml:2:7: error: bad 5\n"
                                                       "  \tkey: välue\n"
                                                       "  \t     ^~~~~\n"
                                                       "  hint: do %s\n"
                                                       "a.yaml:3:7: warning: late\n"
                                                       "  last: 3\n"
                                                       "        ^\n");
    assert_int_equal(fly_diag_error_cnt(printed.diags), 2);
    assert_int_equal(fly_diag_warning_cnt(printed.diags), 1);
    drop(&printed);
}

static void test_places_that_are_not_there(void **state)
{
    (void)state;
    struct printed printed = make();
    fly_diag_add(printed.diags, FLY_DIAG_ERROR, (struct fly_position){0, 99, 7, 1}, NULL, "a");
    fly_diag_add(printed.diags, FLY_DIAG_ERROR, (struct fly_position){7, 1, 1, 1}, NULL, "b");
    fly_diag_add(printed.diags, FLY_DIAG_ERROR, (struct fly_position){0, 1, 500, 500}, NULL, "c");
    assert_string_equal(print(&printed, false, false), "a.yaml:1:500: error: c\n"
                                                       "  first: 1\n"
                                                       "          ^\n"
                                                       "a.yaml:99:7: error: a\n"
                                                       "error: b\n");
    assert_string_equal(fly_diag_text_name(printed.diags, 7), "?");
    drop(&printed);
}

static void test_long_lines_are_cut_around_the_place(void **state)
{
    (void)state;
    struct printed printed = {.diags = fly_diag_create()};
    char line[2001], control[] = "a: \x1b[31mred";
    memset(line, 'x', 2000);
    line[2000] = '\0';
    fly_diag_text(printed.diags, "l", line, 2000);
    fly_diag_text(printed.diags, "c", control, strlen(control));
    fly_diag_add(printed.diags, FLY_DIAG_ERROR, (struct fly_position){0, 1, 1000, 900}, NULL, "m");
    fly_diag_add(printed.diags, FLY_DIAG_ERROR, (struct fly_position){1, 1, 1, 1}, NULL, "n");
    print(&printed, false, false);
    assert_true(printed.bytes < 600);
    assert_null(strchr(printed.text, '\x1b'));
    drop(&printed);
}

static void test_colors_only_if_asked_for(void **state)
{
    (void)state;
    struct printed printed = make();
    fly_diag_add(printed.diags, FLY_DIAG_ERROR, (struct fly_position){0, 1, 1, 5}, NULL, "m");
    assert_null(strchr(print(&printed, false, false), '\x1b'));
    assert_non_null(strstr(print(&printed, false, true), "\x1b[31merror:"));
    drop(&printed);
}

static void test_more_than_can_be_kept_are_counted(void **state)
{
    (void)state;
    struct printed printed = make();
    for (uint32_t i = 0; i < FLY_DIAG_MAX + 5; i++)
        fly_diag_add(printed.diags, FLY_DIAG_ERROR, (struct fly_position){0, 1, 1, 1}, NULL, "m");
    assert_int_equal(fly_diag_error_cnt(printed.diags), FLY_DIAG_MAX + 5);
    assert_non_null(strstr(print(&printed, false, false), "and 5 more\n"));
    drop(&printed);
}

static void test_json(void **state)
{
    (void)state;
    struct printed printed = make();
    fly_diag_add(printed.diags, FLY_DIAG_ERROR, (struct fly_position){0, 2, 7, 5},
                 &(struct fly_diag_about){.hint = "h", .node = "n", .key = "k"}, "not \"%s\"",
                 "\xff");
    fly_diag_add(printed.diags, FLY_DIAG_WARNING, (struct fly_position){0, 1, 1, 1}, NULL, "w");
    json_t *root = json_loads(print(&printed, true, false), 0, NULL);
    assert_non_null(root);
    const char *file, *severity, *hint, *node, *key;
    int ok, line, column;
    assert_int_equal(json_unpack(root, "{s:b, s:[{s:s, s:i, s:i, s:s, s:s, s:s, s:s}]}", "ok", &ok,
                                 "errors", "file", &file, "line", &line, "column", &column,
                                 "severity", &severity, "hint", &hint, "node", &node, "key", &key),
                     0);
    assert_int_equal(ok, 0);
    assert_string_equal(file, "a.yaml");
    assert_int_equal(line, 2);
    assert_int_equal(column, 7);
    assert_string_equal(severity, "error");
    assert_string_equal(hint, "h");
    assert_string_equal(node, "n");
    assert_string_equal(key, "k");
    assert_int_equal(json_array_size(json_object_get(root, "warnings")), 1);
    json_decref(root);
    drop(&printed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_wrong),
        cmocka_unit_test(test_sorted_with_carets_and_hints),
        cmocka_unit_test(test_places_that_are_not_there),
        cmocka_unit_test(test_long_lines_are_cut_around_the_place),
        cmocka_unit_test(test_colors_only_if_asked_for),
        cmocka_unit_test(test_more_than_can_be_kept_are_counted),
        cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
