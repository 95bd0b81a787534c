/* Medians, shares, and both forms of the report. */
#include "bench/report.h"

#include "support/unit.h"

#include <jansson.h>
#include <stdlib.h>

static void series_have_a_middle(void **state)
{
    struct fly_series series = {.cnt = 0};
    (void)state;
    assert_true(fly_series_median(&series) == 0 && fly_series_max(&series) == 0);
    fly_series_add(&series, 3);
    assert_true(fly_series_median(&series) == 3);
    fly_series_add(&series, 1);
    assert_true(fly_series_median(&series) == 2);
    fly_series_add(&series, 9);
    assert_true(fly_series_median(&series) == 3);
    assert_true(fly_series_min(&series) == 1 && fly_series_max(&series) == 9);
    for (int i = 0; i < 2 * FLY_BENCH_ROUNDS_MAX; i++)
        fly_series_add(&series, 5);
    assert_int_equal(series.cnt, FLY_BENCH_ROUNDS_MAX);
}

/* A report of two rounds; the shares differ from the ratio of the medians. */
static struct fly_bench_report *report_of(uint32_t core_cnt)
{
    static uint32_t core[] = {2, 5};
    struct fly_bench_report *report = calloc(1, sizeof(*report));
    report->core = core;
    report->core_cnt = core_cnt;
    report->round_cnt = 2;
    report->seconds = 7.5;
    fly_series_add(&report->clock_ghz, 3.2);
    fly_series_add(&report->copy_rate, 15.2e9);
    fly_bench_report_add(report, FLY_BENCH_ONE, 50e6, 100e6);
    fly_bench_report_add(report, FLY_BENCH_ONE, 60e6, 80e6);
    if (core_cnt == 2) {
        fly_series_add(&report->round_trip_ns, 97);
        fly_bench_report_add(report, FLY_BENCH_ACROSS, 40e6, 0);
        report->latency_rate = 1e6;
        fly_series_add(&report->p50_ns, 310);
    }
    return report;
}

static char *print(const struct fly_bench_report *report, bool json)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    if (json)
        assert_int_equal(fly_bench_report_print_json(report, file), 0);
    else
        fly_bench_report_print(report, file);
    fclose(file);
    return text;
}

static void the_text_says_where_it_stands(void **state)
{
    struct fly_bench_report *report = report_of(2);
    char *text = print(report, false);
    (void)state;
    assert_non_null(strstr(text, "2 cores, 2 rounds in 8 s"));
    assert_non_null(strstr(text, "97 ns   (97 to 97) between cores 2 and 5"));
    assert_non_null(strstr(text, "55.0 M       90.0 M    0.62  (0.50 to 0.75)"));
    assert_non_null(strstr(text, "55.0 M messages/s on a core, 0.62 of the loop"));
    assert_null(strstr(text, "word count, all cores"));
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 100);
    free(text);
    free(report);
}

static void one_core_has_no_way_to_another(void **state)
{
    struct fly_bench_report *report = report_of(1);
    char *text = print(report, false);
    (void)state;
    assert_null(strstr(text, "cache line"));
    assert_null(strstr(text, "to another core"));
    free(text);
    text = print(report, true);
    json_t *object = json_loads(text, 0, NULL);
    assert_non_null(object);
    assert_true(json_is_null(json_object_get(object, "latency")));
    assert_true(json_is_null(
        json_object_get(json_object_get(object, "machine"), "cache_line_round_trip_ns")));
    json_decref(object);
    free(text);
    free(report);
}

static void json_has_series(void **state)
{
    struct fly_bench_report *report = report_of(2);
    char *text = print(report, true);
    json_t *object = json_loads(text, 0, NULL);
    (void)state;
    assert_non_null(object);
    json_t *one = json_object_get(json_object_get(object, "workloads"), "identity_one_core");
    json_t *share = json_object_get(one, "share");
    assert_true(json_real_value(json_object_get(share, "median")) == 0.625);
    assert_true(json_real_value(json_object_get(share, "min")) == 0.5);
    assert_true(json_real_value(json_object_get(share, "max")) == 0.75);
    assert_int_equal(json_array_size(json_object_get(object, "cores")), 2);
    assert_int_equal(json_integer_value(json_object_get(object, "rounds")), 2);
    assert_int_equal(text[strlen(text) - 1], '\n');
    json_decref(object);
    free(text);
    free(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(series_have_a_middle),
        cmocka_unit_test(the_text_says_where_it_stands),
        cmocka_unit_test(one_core_has_no_way_to_another),
        cmocka_unit_test(json_has_series),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
