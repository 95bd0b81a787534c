#include "bench/machine.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    ADDS_PER_TURN = 8,
    TURNS = 20000,
    CLOCK_SLICES = 8,
    ROUND_TRIPS = 200, /* of a slice */
    TRIP_SLICES = 20,
    TURN_MAX = 2 * ROUND_TRIPS * TRIP_SLICES,
};
#define COPY_BYTES ((size_t)64 << 20)
#define COPY_PAGE_BYTES ((size_t)2 << 20)

int fly_machine_pin(uint32_t core, cpu_set_t *before)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    int rc = -pthread_getaffinity_np(pthread_self(), sizeof(*before), before);
    rc = rc ? rc : -pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
    return rc ? FLY_ERR(rc, "cannot run on core %u: %s", core, strerror(-rc)) : 0;
}

void fly_machine_unpin(const cpu_set_t *before)
{
    (void)pthread_setaffinity_np(pthread_self(), sizeof(*before), before);
}

/* Nanoseconds of additions, each of which needs the result of the one before. */
static uint64_t add_up(void)
{
    uint64_t begin_ns = fly_clock_ns(), sum = 0;
    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < ADDS_PER_TURN; i++) {
            __asm__ __volatile__("" : "+r"(sum)); /* one addition each, not all at once */
            sum += 1;
        }
    }
    __asm__ __volatile__("" ::"r"(sum));
    return fly_clock_ns() - begin_ns;
}

double fly_machine_clock_ghz(void)
{
    uint64_t best_ns = UINT64_MAX;
    for (int i = 0; i < CLOCK_SLICES; i++) {
        uint64_t ns = add_up();
        best_ns = ns < best_ns ? ns : best_ns;
    }
    return (double)TURNS * ADDS_PER_TURN / (double)best_ns;
}

struct ping_pong {
    FLY_ALIGNED(FLY_CACHE_LINE_PAIR) _Atomic uint64_t turn; /* odd: the other thread's */
    FLY_ALIGNED(FLY_CACHE_LINE_PAIR) uint32_t core;
    _Atomic int rc; /* 1: not up yet; else 0 or a negative errno */
};

static void *answer(void *arg)
{
    struct ping_pong *game = arg;
    cpu_set_t before;
    int rc = fly_machine_pin(game->core, &before);
    atomic_store(&game->rc, rc);
    for (uint64_t turn = 1; rc == 0 && turn < TURN_MAX; turn += 2) {
        while (atomic_load_explicit(&game->turn, memory_order_acquire) != turn)
            ;
        atomic_store_explicit(&game->turn, turn + 1, memory_order_release);
    }
    return NULL;
}

static double play(struct ping_pong *game)
{
    uint64_t best_ns = UINT64_MAX, turn = 1;
    for (int slice = 0; slice < TRIP_SLICES; slice++) {
        uint64_t begin_ns = fly_clock_ns();
        for (int i = 0; i < ROUND_TRIPS; i++, turn += 2) {
            atomic_store_explicit(&game->turn, turn, memory_order_release);
            while (atomic_load_explicit(&game->turn, memory_order_acquire) != turn + 1)
                ;
        }
        uint64_t ns = fly_clock_ns() - begin_ns;
        best_ns = ns < best_ns ? ns : best_ns;
    }
    return (double)best_ns / ROUND_TRIPS;
}

int fly_machine_round_trip_ns(const uint32_t core[2], double *ns)
{
    struct ping_pong game = {.core = core[1], .rc = 1};
    cpu_set_t before;
    pthread_t other;
    int rc = fly_machine_pin(core[0], &before);
    if (rc)
        return rc;
    rc = -pthread_create(&other, NULL, answer, &game);
    if (rc) {
        fly_machine_unpin(&before);
        return FLY_ERR(rc, "cannot start a thread: %s", strerror(-rc));
    }
    while ((rc = atomic_load(&game.rc)) > 0)
        sched_yield();
    if (rc == 0)
        *ns = play(&game);
    pthread_join(other, NULL);
    fly_machine_unpin(&before);
    return rc ? FLY_ERR(rc, "cannot run on core %u: %s", core[1], strerror(-rc)) : 0;
}

double fly_machine_copy_rate(void)
{
    uint8_t *memory = aligned_alloc(COPY_PAGE_BYTES, 2 * COPY_BYTES);
    uint64_t best_ns = UINT64_MAX;
    if (!memory)
        return 0;
    madvise(memory, 2 * COPY_BYTES, MADV_HUGEPAGE);
    memset(memory, 1, 2 * COPY_BYTES);
    for (int i = 0; i < 4; i++) {
        uint64_t begin_ns = fly_clock_ns();
        memcpy(memory + COPY_BYTES, memory, COPY_BYTES);
        __asm__ __volatile__("" ::"r"(memory) : "memory");
        uint64_t ns = fly_clock_ns() - begin_ns;
        best_ns = ns < best_ns ? ns : best_ns;
    }
    free(memory);
    return (double)COPY_BYTES * 1e9 / (double)best_ns;
}
