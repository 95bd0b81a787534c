/* test_progress.c - numbers, rates, share and time left of the progress line. */
#include "supervise/progress.h"

#include <flyover/plugin.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

struct plan_bytes {
    struct fly_plan head;
    struct fly_plan_node node[2];
};

static struct plan_bytes plan = {
    .head = {.name = "p", .node_cnt = 2, .nodes = offsetof(struct plan_bytes, node)},
    .node = {{.kind = FLY_SOURCE, .owns_roots = 1}, {.kind = FLY_STAGE, .owns_roots = 1}},
};

static struct fly_tally tally;

static int open_tally(void **state)
{
    (void)state;
    return fly_tally_create(&tally, &plan.head);
}

static int close_tally(void **state)
{
    (void)state;
    fly_tally_destroy(&tally);
    return 0;
}

static const char *look(struct fly_progress_line *line, uint64_t now_ns, uint32_t columns)
{
    static char text[FLY_PROGRESS_BYTES];
    fly_progress_format(line, &plan.head, &tally, now_ns, text, sizeof(text), columns);
    return text;
}

static void test_numbers_have_three_digits(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0, "0"},           {999, "999"},      {999.6, "1.00 k"},   {1000, "1.00 k"},
                 {12345, "12.3 k"},  {999499, "999 k"}, {1234567, "1.23 M"}, {9.996e6, "10.0 M"},
                 {99.96e6, "100 M"}, {1e15, "1000 T"}};
    char text[32];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fly_progress_number(cases[i].value, text, sizeof(text));
        assert_string_equal(text, cases[i].text);
    }
}

static void test_rate_share_and_time_left(void **state)
{
    (void)state;
    struct fly_progress_line line = {0};
    struct fly_tally_roots *roots = tally.node[0].roots;
    fly_tally_clear(&tally);
    roots->total = 4000;
    look(&line, SECOND, 200);
    roots->in = 1000;
    roots->bytes = 2000000;
    roots->done = 1000;
    roots->retried = 3;
    tally.node[1].roots->in = 77777;
    assert_string_equal(look(&line, 2 * SECOND, 200),
                        "p  1.00 k messages/s  2.00 MB/s   25%  0:03 left  in flight 0  "
                        "retried 3  dead 0");
    assert_string_equal(look(&line, 3 * SECOND, 10), "p  750 mes");
}

static void test_no_share_without_an_end(void **state)
{
    (void)state;
    struct fly_progress_line line = {0};
    fly_tally_clear(&tally);
    look(&line, SECOND, 200);
    tally.node[0].roots->in = 10;
    assert_null(strchr(look(&line, 2 * SECOND, 200), '%'));
}

static void test_counts_that_fall_give_no_rate(void **state)
{
    (void)state;
    struct fly_progress_line line = {0};
    fly_tally_clear(&tally);
    tally.node[0].roots->in = 1000;
    look(&line, SECOND, 200);
    tally.node[0].roots->in = 10;
    assert_non_null(strstr(look(&line, 2 * SECOND, 200), "p  0 messages/s"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_have_three_digits),
        cmocka_unit_test(test_rate_share_and_time_left),
        cmocka_unit_test(test_no_share_without_an_end),
        cmocka_unit_test(test_counts_that_fall_give_no_rate),
    };
    return cmocka_run_group_tests(tests, open_tally, close_tally);
}
