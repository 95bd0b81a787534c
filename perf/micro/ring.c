/* The SPSC ring against rte_ring, element by element: bursts of 1, 8 and 32 elements of 8 bytes,
 * 1,024 slots, between two pinned threads and in one. Each run of two threads lies between two
 * probes of the way between the cores. */
#include "micro.h"

#include "base/err.h"
#include "ring/spsc.h"

#include <pthread.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <sched.h>

#define SLOT_CNT 1024
#define ITEM_CNT (MICRO_STEP_CNT)
#define BURST_MAX 32
#define NEAR_NS 200 /* round trips below are near, */
#define FAR_NS 300  /* above are far */
#define PROBE_TURN UINT64_C(2000)

enum kind { OWN, RTE };

struct bench {
    uint32_t cpu[2];
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

static void pin(uint32_t cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    int rc = pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
    FLY_CHECK(rc == 0, "cannot run on cpu %u", cpu);
}

struct probe {
    FLY_ALIGNED(FLY_CACHE_LINE_PAIR) _Atomic uint64_t turn;
    uint32_t cpu;
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

static enum micro_place place_of(double before_ns, double after_ns)
{
    if (before_ns < NEAR_NS && after_ns < NEAR_NS)
        return MICRO_NEAR;
    return before_ns > FAR_NS && after_ns > FAR_NS ? MICRO_FAR : MICRO_CHANGING;
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

/* From one thread to the other. */
static FLY_ALWAYS_INLINE struct micro_sample run_two(struct bench *bench, enum kind kind,
                                                     uint32_t burst)
{
    double before_ns = probe_ns(bench);
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
    return (struct micro_sample){ITEM_CNT, ticks, place_of(before_ns, probe_ns(bench))};
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

/* In and out, on one core. */
static FLY_ALWAYS_INLINE struct micro_sample run_one(struct bench *bench, enum kind kind,
                                                     uint32_t burst)
{
    format_rings(bench);
    uint64_t begin = fly_ticks();
    uint64_t sum = kind == OWN ? turn_around(OWN, bench, burst) : turn_around(RTE, bench, burst);
    uint64_t ticks = fly_ticks() - begin;
    check_sum(sum);
    return (struct micro_sample){ITEM_CNT, ticks, MICRO_ONE};
}

#define STEP(name_, run_, kind_, burst_)                                                           \
    static struct micro_sample name_(void *self)                                                   \
    {                                                                                              \
        return run_(self, kind_, burst_);                                                          \
    }

STEP(own_two_1, run_two, OWN, 1)
STEP(own_two_8, run_two, OWN, 8)
STEP(own_two_32, run_two, OWN, 32)
STEP(rte_two_1, run_two, RTE, 1)
STEP(rte_two_8, run_two, RTE, 8)
STEP(rte_two_32, run_two, RTE, 32)
STEP(own_one_1, run_one, OWN, 1)
STEP(own_one_8, run_one, OWN, 8)
STEP(own_one_32, run_one, OWN, 32)
STEP(rte_one_32, run_one, RTE, 32)

static void *open_ring(const struct micro_config *config)
{
    struct bench *bench = micro_memory(sizeof(*bench));
    *bench = (struct bench){.cpu = {config->core[0], config->core[1]}, .rate = config->rate};
    bench->own_bytes = fly_ring8_footprint(SLOT_CNT);
    bench->own = micro_memory(bench->own_bytes);
    bench->rte = micro_memory((uint64_t)rte_ring_get_memsize(SLOT_CNT));
    return bench;
}

static void close_ring(void *self)
{
    struct bench *bench = self;
    free(bench->own);
    free(bench->rte);
    free(bench);
}

static const struct micro_step steps[] = {
    {"ring-two-1", "an element from one thread to another, one at a time", own_two_1},
    {"ring-two-8", "the same in bursts of 8", own_two_8},
    {"ring-two-32", "the same in bursts of 32", own_two_32},
    {"rte-ring-two-1", "the same through DPDK's ring, one at a time", rte_two_1},
    {"rte-ring-two-8", "DPDK's, in bursts of 8", rte_two_8},
    {"rte-ring-two-32", "DPDK's, in bursts of 32", rte_two_32},
    {"ring-one-1", "an element in and out on one core, one at a time", own_one_1},
    {"ring-one-8", "the same in bursts of 8", own_one_8},
    {"ring-one-32", "the same in bursts of 32", own_one_32},
    {"rte-ring-one-32", "DPDK's in bursts of 32", rte_one_32},
    {0},
};

const struct micro_group micro_ring = {open_ring, close_ring, steps};
