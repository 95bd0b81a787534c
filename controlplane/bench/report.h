/* report.h - what a bench has measured, and how it is told.
 *
 * Idea       Every figure is a series, one value per round; told are the median, the least and the
 *            most. Shares are taken within a round, so that a slow second slows both.
 * Owner      The caller; fixed size, but large: not for a stack.
 * See also   tests/unit/controlplane/bench/test_report.c
 */
#ifndef FLY_BENCH_REPORT_H
#define FLY_BENCH_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { FLY_BENCH_ROUNDS_MAX = 64 };

struct fly_series {
    double value[FLY_BENCH_ROUNDS_MAX];
    uint32_t cnt;
};

/* A further value; those above FLY_BENCH_ROUNDS_MAX are left out. */
void fly_series_add(struct fly_series *series, double value);

/* 0 if there are none. */
double fly_series_median(const struct fly_series *series);
double fly_series_min(const struct fly_series *series);
double fly_series_max(const struct fly_series *series);

enum fly_bench_workload {
    FLY_BENCH_ONE,    /* identity chain on one core */
    FLY_BENCH_ALL,    /* on every core */
    FLY_BENCH_ACROSS, /* to another core and back */
    FLY_BENCH_WORDS,
    FLY_BENCH_WORKLOADS,
};

/* What came through per second, and what the loop by hand does. */
struct fly_bench_rates {
    struct fly_series ours, ceiling, share;
};

struct fly_bench_report {
    uint32_t *core;
    uint32_t core_cnt;
    uint32_t round_cnt;
    double seconds;
    struct fly_series clock_ghz, round_trip_ns, copy_rate;
    struct fly_bench_rates rates[FLY_BENCH_WORKLOADS];
    double latency_rate; /* messages per second at which latencies were taken */
    struct fly_series p50_ns, p99_ns, p999_ns;
};

/* Adds a round's two rates of a workload, and their share. */
void fly_bench_report_add(struct fly_bench_report *report, enum fly_bench_workload workload,
                          double ours, double ceiling);

void fly_bench_report_print(const struct fly_bench_report *report, FILE *file);

/* One object and a newline. 0, or -ENOMEM with a trace. */
int fly_bench_report_print_json(const struct fly_bench_report *report, FILE *file)
    __attribute__((warn_unused_result));

#endif
