#include "bench/report.h"

#include "base/err.h"
#include "supervise/progress.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* How the workloads are called, and what their ceiling is. */
static const struct {
    const char *name, *title, *unit, *ceiling;
} workloads[FLY_BENCH_WORKLOADS] = {
    [FLY_BENCH_ONE] = {"identity_one_core", "identity, one core", "messages",
                       "one thread without an engine"},
    [FLY_BENCH_ALL] = {"identity_all_cores", "identity, all cores", "messages",
                       "as many threads without an engine"},
    [FLY_BENCH_ACROSS] = {"identity_across_cores", "identity, across cores", "messages",
                          "two threads with bare rings and acks"},
    [FLY_BENCH_WORDS] = {"word_count", "word count, all cores", "words",
                         "one thread without an engine"},
};

void fly_series_add(struct fly_series *series, double value)
{
    if (series->cnt < FLY_BENCH_ROUNDS_MAX)
        series->value[series->cnt++] = value;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double fly_series_median(const struct fly_series *series)
{
    double sorted[FLY_BENCH_ROUNDS_MAX];
    if (series->cnt == 0)
        return 0;
    memcpy(sorted, series->value, series->cnt * sizeof(*sorted));
    qsort(sorted, series->cnt, sizeof(*sorted), compare);
    return (sorted[(series->cnt - 1) / 2] + sorted[series->cnt / 2]) / 2;
}

double fly_series_min(const struct fly_series *series)
{
    double least = series->cnt ? series->value[0] : 0;
    for (uint32_t i = 1; i < series->cnt; i++)
        least = series->value[i] < least ? series->value[i] : least;
    return least;
}

double fly_series_max(const struct fly_series *series)
{
    double most = series->cnt ? series->value[0] : 0;
    for (uint32_t i = 1; i < series->cnt; i++)
        most = series->value[i] > most ? series->value[i] : most;
    return most;
}

void fly_bench_report_add(struct fly_bench_report *report, enum fly_bench_workload workload,
                          double ours, double ceiling)
{
    struct fly_bench_rates *rates = &report->rates[workload];
    fly_series_add(&rates->ours, ours);
    fly_series_add(&rates->ceiling, ceiling);
    fly_series_add(&rates->share, ceiling > 0 ? ours / ceiling : 0);
}

static void print_machine(const struct fly_bench_report *report, FILE *file)
{
    const struct fly_series *clock = &report->clock_ghz, *trip = &report->round_trip_ns;
    char text[32];
    fprintf(file, "the machine                   median  (least to most)\n");
    fprintf(file, "  clock                  %7.2f GHz  (%.2f to %.2f)\n", fly_series_median(clock),
            fly_series_min(clock), fly_series_max(clock));
    if (trip->cnt)
        fprintf(file,
                "  cache line and back    %7.0f ns   (%.0f to %.0f) between cores %u and %u\n",
                fly_series_median(trip), fly_series_min(trip), fly_series_max(trip),
                report->core[0], report->core[1]);
    fly_progress_number(fly_series_median(&report->copy_rate), text, sizeof(text));
    fprintf(file, "  memory copied          %9sB/s\n", text);
}

static void print_rates(const struct fly_bench_report *report, FILE *file)
{
    char ours[32], ceiling[32];
    fprintf(file, "\n%-26s %12s %12s   %s\n", "every message tracked", "per second", "the ceiling",
            "share  (least to most)");
    for (int i = 0; i < FLY_BENCH_WORKLOADS; i++) {
        const struct fly_bench_rates *rates = &report->rates[i];
        if (!rates->ours.cnt)
            continue;
        fly_progress_number(fly_series_median(&rates->ours), ours, sizeof(ours));
        fly_progress_number(fly_series_median(&rates->ceiling), ceiling, sizeof(ceiling));
        fprintf(file, "  %-24s %12s %12s   %5.2f  (%.2f to %.2f)\n", workloads[i].title, ours,
                ceiling, fly_series_median(&rates->share), fly_series_min(&rates->share),
                fly_series_max(&rates->share));
    }
    fputs("  the ceiling: the same by hand, without an engine, on as many cores; across cores two\n"
          "  bare rings with acks; for words one thread\n",
          file);
}

static void print_latency(const struct fly_bench_report *report, FILE *file)
{
    char rate[32];
    if (!report->p50_ns.cnt)
        return;
    fly_progress_number(report->latency_rate, rate, sizeof(rate));
    fprintf(file, "\nto another core, back and acked, at %s messages/s\n", rate);
    fprintf(file, "  half within            %7.0f ns   (the cache line alone: %.0f ns)\n",
            fly_series_median(&report->p50_ns), fly_series_median(&report->round_trip_ns));
    fprintf(file, "  99 %% within            %7.0f ns\n", fly_series_median(&report->p99_ns));
}

void fly_bench_report_print(const struct fly_bench_report *report, FILE *file)
{
    const struct fly_bench_rates *one = &report->rates[FLY_BENCH_ONE];
    char rate[32];
    fprintf(file, "%u %s, %u %s in %.0f s\n\n", report->core_cnt,
            report->core_cnt == 1 ? "core" : "cores", report->round_cnt,
            report->round_cnt == 1 ? "round" : "rounds", report->seconds);
    print_machine(report, file);
    print_rates(report, file);
    print_latency(report, file);
    fly_progress_number(fly_series_median(&one->ours), rate, sizeof(rate));
    fprintf(file,
            "\n%s messages/s on a core, %.2f of the loop without an engine. All were acked, and "
            "the\nwords counted as by hand.\n",
            rate, fly_series_median(&one->share));
}

static json_t *series_json(const struct fly_series *series)
{
    return json_pack("{s:f, s:f, s:f}", "median", fly_series_median(series), "min",
                     fly_series_min(series), "max", fly_series_max(series));
}

static json_t *rates_json(const struct fly_bench_report *report)
{
    json_t *object = json_object();
    for (int i = 0; i < FLY_BENCH_WORKLOADS; i++) {
        const struct fly_bench_rates *rates = &report->rates[i];
        if (rates->ours.cnt)
            json_object_set_new(object, workloads[i].name,
                                json_pack("{s:s, s:o, s:o, s:o, s:s}", "unit", workloads[i].unit,
                                          "per_second", series_json(&rates->ours),
                                          "ceiling_per_second", series_json(&rates->ceiling),
                                          "share", series_json(&rates->share), "ceiling",
                                          workloads[i].ceiling));
    }
    return object;
}

/* What takes two cores is null on one. */
static json_t *machine_json(const struct fly_bench_report *report)
{
    json_t *trip = report->round_trip_ns.cnt ? series_json(&report->round_trip_ns) : json_null();
    return json_pack("{s:o, s:o, s:o}", "clock_ghz", series_json(&report->clock_ghz),
                     "cache_line_round_trip_ns", trip, "copy_bytes_per_second",
                     series_json(&report->copy_rate));
}

static json_t *latency_json(const struct fly_bench_report *report)
{
    if (!report->p50_ns.cnt)
        return json_null();
    return json_pack("{s:f, s:o, s:o, s:o}", "per_second", report->latency_rate, "p50_ns",
                     series_json(&report->p50_ns), "p99_ns", series_json(&report->p99_ns),
                     "p999_ns", series_json(&report->p999_ns));
}

int fly_bench_report_print_json(const struct fly_bench_report *report, FILE *file)
{
    json_t *cores = json_array();
    for (uint32_t i = 0; i < report->core_cnt; i++)
        json_array_append_new(cores, json_integer(report->core[i]));
    json_t *object = json_pack("{s:o, s:I, s:f, s:b, s:o, s:o, s:o}", "cores", cores, "rounds",
                               (json_int_t)report->round_cnt, "seconds", report->seconds,
                               "verified", true, "machine", machine_json(report), "workloads",
                               rates_json(report), "latency", latency_json(report));
    if (!object)
        return FLY_ERR(ENOMEM, "no memory for the report");
    json_dumpf(object, file, JSON_COMPACT | JSON_REAL_PRECISION(9));
    fputc('\n', file);
    json_decref(object);
    return 0;
}
