/* ring.c - the SPSC ring against rte_ring, element by element.
 *
 * Two pinned threads, then one thread alone; bursts of 1, 8 and 32 elements of 8 bytes; 1,024
 * slots. Rounds of the two are interleaved, and each round lies between two probes of the way
 * between the cores: on virtual machines it changes by a factor of five within a second, so rounds
 * are told apart as near, far, or neither. Prints medians in nanoseconds per element and the ratio.
 *
 *   ring [rounds [cpu cpu]]
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "base/clock.h"
#include "base/err.h"
#include "ring/spsc.h"

#define SLOT_CNT 1024
#define ITEM_CNT 1000000
#define BURST_MAX 32
#define ROUND_MAX 99
#define NEAR_NS 200 /* round trips below are near, */
#define FAR_NS 300  /* above are far */
#define PROBE_TURN UINT64_C(2000)

enum kind { OWN, RTE, KIND_CNT };
enum place { NEAR, FAR, NEITHER, PLACE_CNT };

struct bench {
    int cpu[2];
    unsigned round_cnt;
    struct fly_clock_rate rate;
    void *own;
    size_t own_bytes;
    struct rte_ring *rte;
};

/* What the consumer reads, away from what the producer writes. */
struct task {
    FLY_ALIGNED(FLY_CACHE_LINE_PAIR) struct bench *bench;
    uint32_t burst;
    _Atomic bool ready;
    uint64_t sum;
};

struct samples {
    double ns[ROUND_MAX];
    unsigned cnt;
};

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    int rc = pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
    FLY_CHECK(rc == 0, "cannot run on cpu %d", cpu);
}

struct probe {
    FLY_ALIGNED(FLY_CACHE_LINE_PAIR) _Atomic uint64_t turn;
    int cpu;
};

static void *answer_probe(void *arg)
{
    struct probe *probe = arg;
    pin(probe->cpu);
    for (uint64_t turn = 1; turn < 2 * PROBE_TURN; turn += 2) {
        while (atomic_load_explicit(&probe->turn, memory_order_acquire) != turn)
            ;
        atomic_store_explicit(&probe->turn, turn + 1, memory_order_release);
    }
    return NULL;
}

/* Round trip of a cache line between the two cores: the best of slices of 100. */
static double probe_ns(struct bench *bench)
{
    struct probe probe = {.cpu = bench->cpu[1]};
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, answer_probe, &probe);
    FLY_CHECK(rc == 0, "no thread");
    uint64_t best_ticks = UINT64_MAX;
    uint64_t begin = fly_ticks();
    for (uint64_t turn = 1; turn < 2 * PROBE_TURN; turn += 2) {
        atomic_store_explicit(&probe.turn, turn, memory_order_release);
        while (atomic_load_explicit(&probe.turn, memory_order_acquire) != turn + 1)
            ;
        if (turn % 200 != 199)
            continue;
        uint64_t now = fly_ticks();
        best_ticks = now - begin < best_ticks ? now - begin : best_ticks;
        begin = now;
    }
    pthread_join(thread, NULL);
    return (double)fly_ticks_to_ns(&bench->rate, best_ticks) / 100;
}

static enum place place_of(double before_ns, double after_ns)
{
    if (before_ns < NEAR_NS && after_ns < NEAR_NS)
        return NEAR;
    return before_ns > FAR_NS && after_ns > FAR_NS ? FAR : NEITHER;
}

static void format_rings(struct bench *bench)
{
    int rc = fly_ring8_init(bench->own, SLOT_CNT);
    FLY_CHECK(rc == 0, "%s", fly_err_text());
    rc = rte_ring_init(bench->rte, "bench", SLOT_CNT, RING_F_SP_ENQ | RING_F_SC_DEQ);
    FLY_CHECK(rc == 0, "rte_ring_init: %d", rc);
}

/* One loop for both: `kind` is a constant wherever these are used. */
static FLY_ALWAYS_INLINE uint32_t push(enum kind kind, struct bench *bench, struct fly_ring8_tx *tx,
                                       const uint64_t *items, uint32_t cnt)
{
    if (kind == OWN)
        return cnt == 1 ? fly_ring8_push(tx, *items) : fly_ring8_push_burst(tx, items, cnt);
    return cnt == 1 ? rte_ring_sp_enqueue_burst_elem(bench->rte, items, 8, 1, NULL)
                    : rte_ring_sp_enqueue_burst_elem(bench->rte, items, 8, cnt, NULL);
}

static FLY_ALWAYS_INLINE uint32_t pop(enum kind kind, struct bench *bench, struct fly_ring8_rx *rx,
                                      uint64_t *items, uint32_t cnt)
{
    return kind == OWN ? fly_ring8_pop_burst(rx, items, cnt)
                       : rte_ring_sc_dequeue_burst_elem(bench->rte, items, 8, cnt, NULL);
}

static FLY_ALWAYS_INLINE void *consume(enum kind kind, struct task *task)
{
    struct fly_ring8_rx rx;
    int rc = fly_ring8_attach_rx(&rx, task->bench->own, task->bench->own_bytes);
    FLY_CHECK(rc == 0, "%s", fly_err_text());
    pin(task->bench->cpu[1]);
    atomic_store(&task->ready, true);
    uint64_t items[BURST_MAX];
    uint64_t sum = 0;
    for (uint64_t done = 0; done < ITEM_CNT;) {
        uint32_t got = pop(kind, task->bench, &rx, items, task->burst);
        for (uint32_t i = 0; i < got; i++)
            sum += items[i];
        done += got;
        if (!got)
            fly_pause();
    }
    task->sum = sum;
    return NULL;
}

static void *consume_own(void *arg)
{
    return consume(OWN, arg);
}

static void *consume_rte(void *arg)
{
    return consume(RTE, arg);
}

static FLY_ALWAYS_INLINE void produce(enum kind kind, struct task *task, struct fly_ring8_tx *tx)
{
    uint64_t items[BURST_MAX];
    for (uint64_t next = 0; next < ITEM_CNT;) {
        uint32_t cnt = ITEM_CNT - next < task->burst ? (uint32_t)(ITEM_CNT - next) : task->burst;
        for (uint32_t i = 0; i < cnt; i++)
            items[i] = next + i;
        for (uint32_t done = 0; done < cnt;) {
            uint32_t fit = push(kind, task->bench, tx, items + done, cnt - done);
            done += fit;
            if (!fit)
                fly_pause();
        }
        next += cnt;
    }
}

static void check_sum(uint64_t sum)
{
    uint64_t expected = (uint64_t)ITEM_CNT * (ITEM_CNT - 1) / 2;
    FLY_CHECK(sum == expected, "elements were lost or changed");
}

/* Nanoseconds per element from one thread to the other. */
static double run_two(struct bench *bench, enum kind kind, uint32_t burst)
{
    format_rings(bench);
    struct task task = {.bench = bench, .burst = burst};
    FLY_ALIGNED(FLY_CACHE_LINE_PAIR) struct fly_ring8_tx tx;
    int rc = fly_ring8_attach_tx(&tx, bench->own, bench->own_bytes);
    FLY_CHECK(rc == 0, "%s", fly_err_text());
    pthread_t thread;
    rc = pthread_create(&thread, NULL, kind == OWN ? consume_own : consume_rte, &task);
    FLY_CHECK(rc == 0, "no thread");
    while (!atomic_load(&task.ready))
        fly_pause();
    uint64_t begin = fly_ticks();
    if (kind == OWN)
        produce(OWN, &task, &tx);
    else
        produce(RTE, &task, &tx);
    pthread_join(thread, NULL);
    uint64_t ticks = fly_ticks() - begin;
    check_sum(task.sum);
    return (double)fly_ticks_to_ns(&bench->rate, ticks) / ITEM_CNT;
}

static FLY_ALWAYS_INLINE uint64_t turn_around(enum kind kind, struct bench *bench, uint32_t burst)
{
    struct fly_ring8_tx tx;
    struct fly_ring8_rx rx;
    int rc = fly_ring8_attach_tx(&tx, bench->own, bench->own_bytes);
    rc = rc ? rc : fly_ring8_attach_rx(&rx, bench->own, bench->own_bytes);
    FLY_CHECK(rc == 0, "%s", fly_err_text());
    uint64_t items[BURST_MAX];
    uint64_t sum = 0;
    for (uint64_t next = 0; next < ITEM_CNT; next += burst) {
        uint32_t cnt = ITEM_CNT - next < burst ? (uint32_t)(ITEM_CNT - next) : burst;
        for (uint32_t i = 0; i < cnt; i++)
            items[i] = next + i;
        push(kind, bench, &tx, items, cnt);
        cnt = pop(kind, bench, &rx, items, cnt);
        for (uint32_t i = 0; i < cnt; i++)
            sum += items[i];
    }
    return sum;
}

/* Nanoseconds per element in and out, on one core. */
static double run_one(struct bench *bench, enum kind kind, uint32_t burst)
{
    format_rings(bench);
    uint64_t begin = fly_ticks();
    uint64_t sum = kind == OWN ? turn_around(OWN, bench, burst) : turn_around(RTE, bench, burst);
    uint64_t ticks = fly_ticks() - begin;
    check_sum(sum);
    return (double)fly_ticks_to_ns(&bench->rate, ticks) / ITEM_CNT;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

static double quantile(struct samples *samples, double q)
{
    if (!samples->cnt)
        return 0;
    qsort(samples->ns, samples->cnt, sizeof(samples->ns[0]), compare);
    return samples->ns[(unsigned)(q * (samples->cnt - 1) + 0.5)];
}

static void print_row(const char *what, uint32_t burst, struct samples samples[KIND_CNT])
{
    if (!samples[OWN].cnt)
        return;
    double own = quantile(&samples[OWN], 0.5);
    double rte = quantile(&samples[RTE], 0.5);
    printf("%-22s burst %2u   own %6.2f [%6.2f %6.2f]   rte_ring %6.2f [%6.2f %6.2f]   own/rte "
           "%.2f   n=%u\n",
           what, burst, own, quantile(&samples[OWN], 0), quantile(&samples[OWN], 1), rte,
           quantile(&samples[RTE], 0), quantile(&samples[RTE], 1), own / rte, samples[OWN].cnt);
}

static void bench_two(struct bench *bench, uint32_t burst)
{
    static const char *const names[PLACE_CNT] = {"two threads, near", "two threads, far",
                                                 "two threads, changing"};
    struct samples samples[PLACE_CNT][KIND_CNT] = {0};
    for (unsigned round = 0; round < bench->round_cnt; round++) {
        double before_ns = probe_ns(bench);
        double own = run_two(bench, OWN, burst);
        double rte = run_two(bench, RTE, burst);
        struct samples *here = samples[place_of(before_ns, probe_ns(bench))];
        here[OWN].ns[here[OWN].cnt++] = own;
        here[RTE].ns[here[RTE].cnt++] = rte;
    }
    for (int place = 0; place < PLACE_CNT; place++)
        print_row(names[place], burst, samples[place]);
}

static void bench_one(struct bench *bench, uint32_t burst)
{
    struct samples samples[KIND_CNT] = {0};
    for (unsigned round = 0; round < bench->round_cnt; round++) {
        for (enum kind kind = OWN; kind < KIND_CNT; kind++)
            samples[kind].ns[samples[kind].cnt++] = run_one(bench, kind, burst);
    }
    print_row("one thread, in and out", burst, samples);
}

int main(int argc, char **argv)
{
    static const uint32_t bursts[] = {1, 8, 32};
    struct bench bench = {.cpu = {0, 1}, .round_cnt = 15, .rate = fly_clock_calibrate()};
    if (argc > 1)
        bench.round_cnt = (unsigned)strtoul(argv[1], NULL, 10);
    if (argc > 3)
        for (int i = 0; i < 2; i++)
            bench.cpu[i] = (int)strtoul(argv[2 + i], NULL, 10);
    if (bench.round_cnt < 1 || bench.round_cnt > ROUND_MAX) {
        fprintf(stderr, "ring: 1 to %d rounds\n", ROUND_MAX);
        return 64;
    }
    bench.own_bytes = fly_ring8_footprint(SLOT_CNT);
    bench.own = aligned_alloc(FLY_RING_ALIGN, bench.own_bytes);
    bench.rte = aligned_alloc(FLY_RING_ALIGN, (size_t)rte_ring_get_memsize(SLOT_CNT));
    FLY_CHECK(bench.own && bench.rte, "no memory");
    pin(bench.cpu[0]);
    printf("ns per element: median [min max]\n");
    for (size_t i = 0; i < sizeof(bursts) / sizeof(bursts[0]); i++)
        bench_two(&bench, bursts[i]);
    for (size_t i = 0; i < sizeof(bursts) / sizeof(bursts[0]); i++)
        bench_one(&bench, bursts[i]);
    free(bench.own);
    free(bench.rte);
    return 0;
}
