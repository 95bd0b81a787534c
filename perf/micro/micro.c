/* micro.c - what the small steps of every message cost, in nanoseconds.
 *
 *   micro [--rounds N] [--cores A,B] [--format text|json] [--list] [NAME...]
 *
 * NAME is a step, or how several begin. Prints the median, the least and the most of the rounds;
 * steps between two threads once for each placement of their cores that was seen. */
#include "micro.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>

enum { ROUND_MAX = 999, ROUNDS = 9, STEP_MAX = 64 };

static const struct micro_group *const groups[] = {&micro_ring, &micro_messages, &micro_acks,
                                                   &micro_tables};
enum { GROUP_CNT = sizeof(groups) / sizeof(groups[0]) };

struct options {
    struct micro_config config;
    unsigned round_cnt;
    bool json;
    char **name; /* ends with NULL; none: all */
};

struct samples {
    double ns[MICRO_PLACE_CNT][ROUND_MAX];
    unsigned cnt[MICRO_PLACE_CNT];
};

static bool is_wanted(const struct options *options, const char *name)
{
    if (!options->name[0])
        return true;
    for (char **wanted = options->name; *wanted; wanted++) {
        if (strncmp(name, *wanted, strlen(*wanted)) == 0)
            return true;
    }
    return false;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void print(const struct options *options, const struct micro_step *step,
                  struct samples *samples)
{
    static const char *const places[] = {"one core", "near", "far", "changing"};
    for (int place = 0; place < MICRO_PLACE_CNT; place++) {
        unsigned cnt = samples->cnt[place];
        double *ns = samples->ns[place];
        if (!cnt)
            continue;
        qsort(ns, cnt, sizeof(*ns), compare);
        if (options->json)
            printf("{\"name\": \"%s\", \"place\": \"%s\", \"ns\": %.3f, \"ns_min\": %.3f, "
                   "\"ns_max\": %.3f, \"rounds\": %u}\n",
                   step->name, places[place], ns[cnt / 2], ns[0], ns[cnt - 1], cnt);
        else
            printf("%-24s %-8s %8.2f %8.2f %8.2f %4u  %s\n", step->name, places[place], ns[cnt / 2],
                   ns[0], ns[cnt - 1], cnt, step->help);
    }
    fflush(stdout);
}

static void measure(const struct options *options, const struct micro_step *step, void *self,
                    struct samples *samples)
{
    uint64_t begin = fly_ticks();
    struct micro_sample sample = step->run(self);
    uint64_t ticks = sample.ticks ? sample.ticks : fly_ticks() - begin;
    samples->ns[sample.place][samples->cnt[sample.place]++] =
        (double)fly_ticks_to_ns(&options->config.rate, ticks) / (double)sample.cnt;
}

static void run_group(const struct options *options, const struct micro_group *group)
{
    const struct micro_step *chosen[STEP_MAX];
    unsigned cnt = 0;
    for (const struct micro_step *step = group->steps; step->name; step++) {
        if (is_wanted(options, step->name))
            chosen[cnt++] = step;
    }
    if (!cnt)
        return;
    struct samples *samples = micro_memory(cnt * sizeof(*samples));
    void *self = group->open(&options->config);
    for (unsigned round = 0; round < options->round_cnt; round++) {
        for (unsigned i = 0; i < cnt; i++)
            measure(options, chosen[i], self, &samples[i]);
    }
    for (unsigned i = 0; i < cnt; i++)
        print(options, chosen[i], &samples[i]);
    group->close(self);
    free(samples);
}

static int list(void)
{
    for (size_t i = 0; i < GROUP_CNT; i++) {
        for (const struct micro_step *step = groups[i]->steps; step->name; step++)
            printf("%-24s %s\n", step->name, step->help);
    }
    return 0;
}

static int misused(const char *why)
{
    fprintf(stderr,
            "micro: %s\nusage: micro [--rounds N] [--cores A,B] [--format text|json] [--list] "
            "[NAME...]\n",
            why);
    return 64;
}

/* Names that no step begins with are mistakes. */
static const char *unknown_name(const struct options *options)
{
    for (char **name = options->name; *name; name++) {
        struct options one = {.name = (char *[]){*name, NULL}};
        bool found = false;
        for (size_t i = 0; i < GROUP_CNT; i++) {
            for (const struct micro_step *step = groups[i]->steps; step->name; step++)
                found |= is_wanted(&one, step->name);
        }
        if (!found)
            return *name;
    }
    return NULL;
}

/* 0, -1 to list, or the exit code. */
static int read_options(struct options *options, int argc, char **argv)
{
    static const struct option longs[] = {{"rounds", required_argument, NULL, 'r'},
                                          {"cores", required_argument, NULL, 'c'},
                                          {"format", required_argument, NULL, 'f'},
                                          {"list", no_argument, NULL, 'l'},
                                          {0}};
    char rest;
    for (int found; (found = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (found == 'l')
            return -1;
        if (found == 'r' && (sscanf(optarg, "%u%c", &options->round_cnt, &rest) != 1 ||
                             !options->round_cnt || options->round_cnt > ROUND_MAX))
            return misused("--rounds takes 1 to 999");
        if (found == 'c' && sscanf(optarg, "%u,%u%c", &options->config.core[0],
                                   &options->config.core[1], &rest) != 2)
            return misused("--cores takes two numbers, like 0,1");
        if (found == 'f' && strcmp(optarg, "json") != 0 && strcmp(optarg, "text") != 0)
            return misused("--format takes text or json");
        if (found == 'f')
            options->json = strcmp(optarg, "json") == 0;
        if (found == '?')
            return misused("wrong option");
    }
    options->name = argv + optind;
    return unknown_name(options) ? misused("there is no such step; --list names them") : 0;
}

static void stay_on(uint32_t core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    int rc = sched_setaffinity(0, sizeof(set), &set);
    FLY_CHECK(rc == 0, "cannot run on core %u: %s", core, strerror(errno));
}

int main(int argc, char **argv)
{
    struct options options = {.config = {.core = {0, 1}}, .round_cnt = ROUNDS};
    int code = read_options(&options, argc, argv);
    if (code)
        return code < 0 ? list() : code;
    stay_on(options.config.core[0]);
    options.config.rate = fly_clock_calibrate();
    if (!options.json)
        printf("%-24s %-8s %8s %8s %8s %4s\n", "ns per step", "", "median", "least", "most", "n");
    for (size_t i = 0; i < GROUP_CNT; i++)
        run_group(&options, groups[i]);
    return 0;
}
