#include "bench/bench.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "bench/loop.h"
#include "bench/machine.h"
#include "bench/pipeline_run.h"
#include "bench/report.h"
#include "bench/text.h"
#include "supervise/run.h"

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    STEPS_PER_TIME = 60, /* a step takes this part of the time: five or six rounds fit */
    YAML_BYTES = 1024,
    PATH_BYTES = 256,
    GUESS_MESSAGES = 1000000, /* of the loops' first run, which is not counted */
};
#define STEP_NS_MIN UINT64_C(50000000)
#define STEP_NS_MAX UINT64_C(2000000000)
#define TEXT_BYTES_PER_S 2.5e8 /* about what is counted of it */
#define TEXT_BYTES_MAX ((size_t)192 << 20)
#define LATENCY_RATE 1e6
#define GUESS_SHARE 0.1 /* of the loop's rate, before a pipeline has run */

struct bench {
    const struct fly_bench_options *options;
    struct fly_cores cores; /* all of them; the first; the first two */
    struct fly_cores first, pair;
    double step_s;
    struct fly_bench_text text;
    char folder[PATH_BYTES]; /* for the counts of the words; "": none yet */
    struct fly_bench_report report;
    double loop_rate, rings_rate, words_rate; /* of the loops in this round */
    double rate[FLY_BENCH_WORKLOADS];         /* of the pipelines, as last seen */
    uint64_t word_checksum, word_cnt;         /* by hand */
    bool interrupted;
};

static uint64_t count_for(const struct bench *bench, double rate)
{
    double cnt = rate * bench->step_s;
    return cnt < 1000 ? 1000 : (uint64_t)cnt;
}

static double rate_of(struct fly_loop_result result)
{
    return (double)result.item_cnt * 1e9 / (double)(result.ns ? result.ns : 1);
}

/* Errors below have a trace; they end the bench. */
static int failed(void)
{
    fly_err_print(stderr);
    return FLY_EXIT_IO;
}

static int measure_machine(struct bench *bench)
{
    struct fly_bench_report *report = &bench->report;
    cpu_set_t before;
    double ns;
    if (fly_machine_pin(report->core[0], &before))
        return failed();
    fly_series_add(&report->clock_ghz, fly_machine_clock_ghz());
    fly_series_add(&report->copy_rate, fly_machine_copy_rate());
    fly_machine_unpin(&before);
    if (report->core_cnt < 2)
        return 0;
    if (fly_machine_round_trip_ns(report->core, &ns))
        return failed();
    fly_series_add(&report->round_trip_ns, ns);
    return 0;
}

static int loop_identity(struct bench *bench)
{
    cpu_set_t before;
    if (fly_machine_pin(bench->report.core[0], &before))
        return failed();
    if (bench->loop_rate == 0)
        bench->loop_rate = rate_of(fly_loop_identity(GUESS_MESSAGES));
    bench->loop_rate = rate_of(fly_loop_identity(count_for(bench, bench->loop_rate)));
    fly_machine_unpin(&before);
    return 0;
}

static int loop_rings(struct bench *bench)
{
    struct fly_loop_rings rings = {.message_cnt = GUESS_MESSAGES,
                                   .core = {bench->report.core[0], bench->report.core[1]},
                                   .acks = true};
    struct fly_loop_result result;
    int rc = bench->rings_rate == 0 ? fly_loop_rings(&rings, &result) : 0;
    if (rc == 0 && bench->rings_rate == 0)
        bench->rings_rate = rate_of(result);
    rings.message_cnt = count_for(bench, bench->rings_rate);
    rc = rc ? rc : fly_loop_rings(&rings, &result);
    if (rc)
        return failed();
    bench->rings_rate = rate_of(result);
    return 0;
}

static int loop_words(struct bench *bench)
{
    struct fly_word_counts *counts = fly_word_counts_create();
    cpu_set_t before;
    if (!counts || fly_machine_pin(bench->report.core[0], &before)) {
        fly_word_counts_destroy(counts);
        return failed();
    }
    uint64_t begin_ns = fly_clock_ns();
    bench->word_cnt = fly_loop_words(counts, bench->text.at, bench->text.bytes);
    uint64_t ns = fly_clock_ns() - begin_ns;
    fly_machine_unpin(&before);
    bench->words_rate = rate_of((struct fly_loop_result){bench->word_cnt, ns, 0});
    bench->word_checksum = fly_word_counts_checksum(counts);
    fly_word_counts_destroy(counts);
    return 0;
}

static int run_pipeline(struct bench *bench, const struct fly_pipeline_job *job,
                        struct fly_pipeline_figures *figures)
{
    int code = fly_pipeline_run(job, figures);
    bench->interrupted |= code == FLY_EXIT_OK && !figures->ended;
    return code == FLY_EXIT_OK && !figures->ended ? FLY_EXIT_LATER : code;
}

/* Runs a pipeline of a source `messages` and a sink `nowhere`, and adds the round's figures. */
static int run_chain(struct bench *bench, enum fly_bench_workload workload,
                     const struct fly_cores *cores, const char *yaml, double ceiling)
{
    struct fly_pipeline_figures figures;
    const struct fly_pipeline_job job = {
        .builtin = bench->options->builtin,
        .cores = *cores,
        .yaml = yaml,
        .source = "messages",
        .counted = "nowhere",
    };
    int code = run_pipeline(bench, &job, &figures);
    if (code)
        return code;
    if (figures.counted_in != figures.acked || figures.seconds <= 0) {
        fprintf(stderr, "error: not every message came to its end: this result is void\n");
        return FLY_EXIT_FAILED;
    }
    bench->rate[workload] = (double)figures.acked / figures.seconds;
    fly_bench_report_add(&bench->report, workload, bench->rate[workload], ceiling);
    return 0;
}

static int run_fused(struct bench *bench, enum fly_bench_workload workload,
                     const struct fly_cores *cores, uint32_t core_cnt)
{
    char yaml[YAML_BYTES];
    double ceiling = bench->loop_rate * core_cnt, seen = bench->rate[workload];
    uint64_t cnt = count_for(bench, seen > 0 ? seen : ceiling * GUESS_SHARE);
    snprintf(yaml, sizeof(yaml),
             "pipeline: bench\n"
             "nodes:\n"
             "  messages: {type: generate, count: %llu, size: 64}\n"
             "  same:     {type: identity, inputs: [messages]}\n"
             "  nowhere:  {type: drop, inputs: [same]}\n",
             (unsigned long long)cnt);
    return run_chain(bench, workload, cores, yaml, ceiling);
}

static int run_one(struct bench *bench)
{
    return run_fused(bench, FLY_BENCH_ONE, &bench->first, 1);
}

static int run_all(struct bench *bench)
{
    return run_fused(bench, FLY_BENCH_ALL, &bench->cores, bench->report.core_cnt);
}

/* A source and a sink on one core, the stage between them on the other. */
static void across_yaml(const struct bench *bench, uint64_t cnt, double rate, char *yaml)
{
    const uint32_t *core = bench->report.core;
    snprintf(yaml, YAML_BYTES,
             "pipeline: bench\n"
             "nodes:\n"
             "  messages: {type: generate, count: %llu, rate: %.0f, size: 64, cores: [%u]}\n"
             "  same:     {type: identity, inputs: [messages], cores: [%u]}\n"
             "  nowhere:  {type: drop, inputs: [same], cores: [%u]}\n",
             (unsigned long long)cnt, rate, core[0], core[1], core[0]);
}

static int run_across(struct bench *bench)
{
    char yaml[YAML_BYTES];
    double seen = bench->rate[FLY_BENCH_ACROSS];
    across_yaml(bench, count_for(bench, seen > 0 ? seen : bench->rings_rate * GUESS_SHARE), 0,
                yaml);
    return run_chain(bench, FLY_BENCH_ACROSS, &bench->pair, yaml, bench->rings_rate);
}

static int run_latency(struct bench *bench)
{
    char yaml[YAML_BYTES];
    struct fly_pipeline_figures figures;
    struct fly_pipeline_job job = {
        .builtin = bench->options->builtin,
        .cores = bench->pair,
        .yaml = yaml,
        .source = "messages",
        .counted = "nowhere",
    };
    across_yaml(bench, count_for(bench, LATENCY_RATE), LATENCY_RATE, yaml);
    int code = run_pipeline(bench, &job, &figures);
    if (code)
        return code;
    fly_series_add(&bench->report.p50_ns, (double)figures.p50_ns);
    fly_series_add(&bench->report.p99_ns, (double)figures.p99_ns);
    fly_series_add(&bench->report.p999_ns, (double)figures.p999_ns);
    return 0;
}

/* The counts that the pipeline wrote, as fly_word_counts_checksum() sums them up; 0 if they cannot
 * be read. */
static uint64_t checksum_of(const char *path)
{
    FILE *file = fopen(path, "re");
    uint64_t sum = 0;
    json_t *line;
    while (file && (line = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL))) {
        const json_t *key = json_object_get(line, "key");
        sum += fly_word_checksum((const uint8_t *)json_string_value(key), json_string_length(key),
                                 (uint64_t)json_integer_value(json_object_get(line, "count")));
        json_decref(line);
    }
    if (file)
        fclose(file);
    return sum;
}

static int run_words(struct bench *bench)
{
    char yaml[YAML_BYTES], path[PATH_BYTES + 16];
    struct fly_pipeline_figures figures;
    const struct fly_pipeline_job job = {
        .builtin = bench->options->builtin,
        .cores = bench->cores,
        .yaml = yaml,
        .source = "lines",
        .counted = "counts",
    };
    snprintf(path, sizeof(path), "%s/counts.jsonl", bench->folder);
    snprintf(yaml, sizeof(yaml),
             "pipeline: bench\n"
             "nodes:\n"
             "  lines:  {type: file, path: /proc/%d/fd/%d, tasks: %u}\n"
             "  words:  {type: split, inputs: [lines]}\n"
             "  counts: {type: count, inputs: [{from: words, grouping: key}]}\n"
             "  out:    {type: file, inputs: [counts], path: '%s', codec: json}\n",
             (int)getpid(), bench->text.fd, bench->report.core_cnt, path);
    int code = run_pipeline(bench, &job, &figures);
    uint64_t checksum = code ? 0 : checksum_of(path);
    unlink(path);
    if (code)
        return code;
    if (figures.counted_in != bench->word_cnt || checksum != bench->word_checksum) {
        fprintf(stderr, "error: the words were not counted as by hand: this result is void\n");
        return FLY_EXIT_FAILED;
    }
    fly_bench_report_add(&bench->report, FLY_BENCH_WORDS,
                         (double)figures.counted_in / figures.seconds, bench->words_rate);
    return 0;
}

/* A round, in this order: each pipeline next to its loop by hand. */
static const struct {
    const char *what;
    int (*run)(struct bench *bench);
    uint32_t core_cnt; /* that it takes */
} steps[] = {
    {"the machine", measure_machine, 1},        {"a loop by hand", loop_identity, 1},
    {"identity on one core", run_one, 1},       {"identity on all cores", run_all, 2},
    {"two rings by hand", loop_rings, 2},       {"identity across cores", run_across, 2},
    {"words by hand", loop_words, 1},           {"word count", run_words, 1},
    {"latencies across cores", run_latency, 2},
};
enum { STEP_CNT = sizeof(steps) / sizeof(steps[0]) };

/* Signals wait until a step is over. */
static bool is_interrupted(void)
{
    sigset_t waiting;
    return sigpending(&waiting) == 0 &&
           (sigismember(&waiting, SIGINT) == 1 || sigismember(&waiting, SIGTERM) == 1 ||
            sigismember(&waiting, SIGHUP) == 1);
}

static int run_round(struct bench *bench, double share_done)
{
    for (int i = 0; i < STEP_CNT; i++) {
        if (bench->report.core_cnt < steps[i].core_cnt)
            continue;
        if (bench->options->progress)
            fprintf(stderr, "\r%3.0f %%  round %u: %s\033[K", 100 * share_done,
                    bench->report.round_cnt + 1, steps[i].what);
        bench->interrupted |= is_interrupted();
        int code = bench->interrupted ? FLY_EXIT_LATER : steps[i].run(bench);
        if (code)
            return code;
    }
    bench->report.round_cnt++;
    return 0;
}

/* Rounds until there is no time for another one. */
static int run_rounds(struct bench *bench)
{
    uint64_t begin_ns = fly_clock_ns(), time_ns = bench->options->seconds * 1000000000;
    uint64_t round_ns, done_ns = 0;
    do {
        int code = run_round(bench, (double)done_ns / (double)time_ns);
        if (code)
            return code;
        round_ns = fly_clock_ns() - begin_ns - done_ns;
        done_ns += round_ns;
    } while (done_ns + round_ns <= time_ns && bench->report.round_cnt < FLY_BENCH_ROUNDS_MAX);
    bench->report.seconds = (double)done_ns / 1e9;
    return 0;
}

static int choose_cores(struct bench *bench)
{
    struct fly_bench_report *report = &bench->report;
    bench->cores = bench->options->cores;
    int rc = fly_cores_cnt(&bench->cores) ? 0 : fly_cores_add_usable(&bench->cores);
    report->core = calloc(FLY_CORES_MAX, sizeof(*report->core));
    if (rc || !report->core)
        return rc ? failed() : FLY_EXIT_LATER;
    for (uint32_t core = 0; core < FLY_CORES_MAX; core++) {
        if (!fly_cores_has(&bench->cores, core))
            continue;
        uint64_t bit = UINT64_C(1) << core % 64;
        if (report->core_cnt == 0)
            bench->first.bits[core / 64] |= bit;
        if (report->core_cnt < 2)
            bench->pair.bits[core / 64] |= bit;
        report->core[report->core_cnt++] = core;
    }
    return 0;
}

static int make_folder(struct bench *bench)
{
    const char *parent = getenv("TMPDIR");
    int length = snprintf(bench->folder, sizeof(bench->folder), "%s/flyover-bench-XXXXXX",
                          parent && *parent ? parent : "/tmp");
    if (length < (int)sizeof(bench->folder) && mkdtemp(bench->folder))
        return 0;
    fprintf(stderr, "error: cannot make a folder in %s: %s\n", parent ? parent : "/tmp",
            strerror(errno));
    bench->folder[0] = '\0';
    return FLY_EXIT_IO;
}

static int print_report(const struct bench *bench)
{
    FILE *out = bench->options->out;
    if (!bench->options->json)
        fly_bench_report_print(&bench->report, out);
    else if (fly_bench_report_print_json(&bench->report, out))
        return failed();
    return 0;
}

static int run(struct bench *bench)
{
    uint64_t step_ns = bench->options->seconds * 1000000000 / STEPS_PER_TIME;
    step_ns = step_ns < STEP_NS_MIN ? STEP_NS_MIN : step_ns;
    bench->step_s = (double)(step_ns < STEP_NS_MAX ? step_ns : STEP_NS_MAX) / 1e9;
    bench->report.latency_rate = LATENCY_RATE;
    double text_bytes = bench->step_s * TEXT_BYTES_PER_S;
    int code = choose_cores(bench);
    code = code ? code : make_folder(bench);
    if (code)
        return code;
    if (fly_bench_text_open(&bench->text, text_bytes < (double)TEXT_BYTES_MAX ? (size_t)text_bytes
                                                                              : TEXT_BYTES_MAX))
        return failed();
    code = run_rounds(bench);
    fly_bench_text_close(&bench->text);
    if (bench->options->progress)
        fputs("\r\033[K", stderr);
    if (bench->interrupted)
        fputs("interrupted: no report\n", stderr);
    return code ? code : print_report(bench);
}

int fly_bench(const struct fly_bench_options *options)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    sigset_t signals, before;
    if (!bench) {
        fprintf(stderr, "error: no memory\n");
        return FLY_EXIT_LATER;
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, &before);
    bench->options = options;
    int code = run(bench);
    if (bench->folder[0])
        rmdir(bench->folder);
    free(bench->report.core);
    free(bench);
    /* One that came meanwhile has done its work. */
    while (sigtimedwait(&signals, NULL, &(struct timespec){0, 0}) > 0)
        ;
    sigprocmask(SIG_SETMASK, &before, NULL);
    return code;
}
