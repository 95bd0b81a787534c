/* probe.c - where the cores are and how fast they run, at this moment: the measure around each run.
 *
 * Virtual machines are moved: the cores they get share a cache in one second and not in the next,
 * and clocks are throttled. Both change what a program reaches by factors. A run counts only if
 * this program says the same before and after it.
 *
 *   probe [-c CORE,CORE] [-w]
 *
 * Prints one JSON object: `round_trip_ns` of a cache line between the two cores, and `tick_ns`, how
 * long one step of a chain of dependent instructions takes on each. With -w also `wake_ns`, p50 and
 * p90 of what passes from waking a thread that sleeps in a futex on the other core until it runs.
 * All are the best of several rounds but for the last, and take some 3 ms (100 ms with -w). */
#include <errno.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"

enum {
    ROUNDS = 8,
    TICK_ROUNDS = 24,
    TRIPS = 500,
    STEPS = 20000,
    WAKES = 41,
    SLEEP_NS = 2000000, /* until a thread is asleep, its core too */
};

/* What the two threads share. */
struct table {
    FLY_ALIGNED(FLY_CACHE_LINE_PAIR) _Atomic uint64_t ball; /* odd: the partner's turn */
    FLY_ALIGNED(FLY_CACHE_LINE_PAIR) _Atomic uint32_t bell; /* a futex; rung once per wake */
    _Atomic uint32_t awake;                                 /* the bells that were heard */
    _Atomic uint64_t awake_ns;
    int core[2];
};

static void pin(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    FLY_CHECK(sched_setaffinity(0, sizeof(set), &set) == 0, "core %d: %s", core, strerror(errno));
}

static double tick_ns(int core)
{
    double best_ns = 1e9;
    pin(core);
    for (int round = 0; round < TICK_ROUNDS; round++) {
        uint64_t begin_ns = fly_clock_ns(), chain = (uint64_t)round;
        for (int i = 0; i < STEPS; i++) {
            chain = chain * 3 + 1;
            __asm__ __volatile__("" : "+r"(chain));
        }
        double ns = (double)(fly_clock_ns() - begin_ns) / STEPS;
        best_ns = ns < best_ns ? ns : best_ns;
    }
    return best_ns;
}

/* Gives back every odd ball; the one of UINT64_MAX ends it. */
static void *partner(void *arg)
{
    struct table *table = arg;
    pin(table->core[1]);
    for (uint64_t ball = 0; ball != UINT64_MAX;) {
        ball = atomic_load_explicit(&table->ball, memory_order_acquire);
        if ((ball & 1) && ball != UINT64_MAX)
            atomic_store_explicit(&table->ball, ball + 1, memory_order_release);
        else if (!(ball & 1))
            fly_pause();
    }
    return NULL;
}

static void play(struct table *table, uint64_t ball)
{
    atomic_store_explicit(&table->ball, ball, memory_order_release);
    while (atomic_load_explicit(&table->ball, memory_order_acquire) != ball + 1)
        ;
}

static double round_trip_ns(struct table *table)
{
    pthread_t thread;
    double best_ns = 1e9;
    uint64_t ball = 1;
    pin(table->core[0]);
    FLY_CHECK(pthread_create(&thread, NULL, partner, table) == 0, "no thread");
    play(table, ball);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t begin_ns = fly_clock_ns();
        for (int i = 0; i < TRIPS; i++)
            play(table, ball += 2);
        double ns = (double)(fly_clock_ns() - begin_ns) / TRIPS;
        best_ns = ns < best_ns ? ns : best_ns;
    }
    atomic_store_explicit(&table->ball, UINT64_MAX, memory_order_release);
    pthread_join(thread, NULL);
    return best_ns;
}

static void *sleeper(void *arg)
{
    struct table *table = arg;
    pin(table->core[1]);
    for (uint32_t heard = 0; heard < WAKES; heard++) {
        while (atomic_load_explicit(&table->bell, memory_order_acquire) == heard)
            (void)syscall(SYS_futex, &table->bell, FUTEX_WAIT_PRIVATE, heard, NULL, NULL, 0);
        atomic_store_explicit(&table->awake_ns, fly_clock_ns(), memory_order_relaxed);
        atomic_store_explicit(&table->awake, heard + 1, memory_order_release);
    }
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* Fills wake_ns, in rising order. */
static void measure_wakes(struct table *table, uint64_t wake_ns[WAKES])
{
    struct timespec pause = {.tv_nsec = SLEEP_NS};
    pthread_t thread;
    pin(table->core[0]);
    FLY_CHECK(pthread_create(&thread, NULL, sleeper, table) == 0, "no thread");
    for (uint32_t i = 0; i < WAKES; i++) {
        nanosleep(&pause, NULL);
        uint64_t begin_ns = fly_clock_ns();
        atomic_store_explicit(&table->bell, i + 1, memory_order_release);
        (void)syscall(SYS_futex, &table->bell, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
        while (atomic_load_explicit(&table->awake, memory_order_acquire) != i + 1)
            fly_pause();
        wake_ns[i] = atomic_load_explicit(&table->awake_ns, memory_order_relaxed) - begin_ns;
    }
    pthread_join(thread, NULL);
    qsort(wake_ns, WAKES, sizeof(wake_ns[0]), by_size);
}

/* "0,1"; false if it is not that. */
static bool parse_cores(const char *text, int core[2])
{
    char *end;
    core[0] = (int)strtol(text, &end, 10);
    if (end == text || *end != ',')
        return false;
    text = end + 1;
    core[1] = (int)strtol(text, &end, 10);
    return end != text && *end == '\0' && core[0] >= 0 && core[1] >= 0;
}

int main(int argc, char **argv)
{
    struct table *table = aligned_alloc(FLY_CACHE_LINE_PAIR, sizeof(*table));
    bool wakes = false;
    FLY_CHECK(table, "no memory");
    *table = (struct table){.core = {0, 1}};
    for (int option; (option = getopt(argc, argv, "c:w")) != -1;) {
        if (option == 'w')
            wakes = true;
        else if (option != 'c' || !parse_cores(optarg, table->core))
            return 64;
    }
    bool two = table->core[0] != table->core[1];
    double first_ns = tick_ns(table->core[0]);
    double second_ns = two ? tick_ns(table->core[1]) : first_ns;
    printf("{\"cores\": [%d, %d], \"tick_ns\": [%.4f, %.4f]", table->core[0], table->core[1],
           first_ns, second_ns);
    if (two)
        printf(", \"round_trip_ns\": %.1f", round_trip_ns(table));
    if (two && wakes) {
        uint64_t wake_ns[WAKES];
        measure_wakes(table, wake_ns);
        printf(", \"wake_ns\": {\"p50\": %" PRIu64 ", \"p90\": %" PRIu64 "}", wake_ns[WAKES / 2],
               wake_ns[WAKES * 9 / 10]);
    }
    printf("}\n");
    free(table);
    return 0;
}
