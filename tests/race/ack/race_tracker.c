#include "ack/tracker.h"

#include <pthread.h>

#include "base/mix.h"
#include "support/unit.h"

#define SLOT_CNT 4
#define ROOT_CNT 400000

/* The owner works while another process (here a thread) looks at its roots. */
struct run {
    struct fly_tracker *tracker;
    struct fly_root_range range;
    uint64_t seed;
    _Atomic bool done;
};

/* A root's id tells its slot and which root of the slot it is; so does, apart, its name. */
static uint64_t id_of(struct fly_root root)
{
    return fly_mix64(root.bits);
}

/* Begins, closes and ends roots in random order. */
static void *owner(void *arg)
{
    struct run *run = arg;
    struct fly_root_entry *open[SLOT_CNT];
    uint32_t open_cnt = 0;
    struct fly_rng rng;
    fly_rng_init(&rng, run->seed);
    for (uint32_t begun = 0; begun < ROOT_CNT;) {
        if (open_cnt < SLOT_CNT && fly_rng_below(&rng, 2)) {
            struct fly_root_entry *entry = &run->tracker->entry[run->range.free_head];
            uint64_t id = id_of(fly_root_name(entry));
            open[open_cnt++] = fly_tracker_begin(run->tracker, &run->range, id, 0, 0);
            begun++;
        } else if (open_cnt) {
            uint32_t idx = (uint32_t)fly_rng_below(&rng, open_cnt);
            fly_tracker_close(open[idx]);
            fly_tracker_free(run->tracker, &run->range, open[idx]);
            open[idx] = open[--open_cnt];
        }
    }
    atomic_store_explicit(&run->done, true, memory_order_release);
    return NULL;
}

static void test_a_scan_sees_no_mixture_of_two_roots(void **state)
{
    (void)state;
    struct run run = {.seed = test_seed()};
    struct fly_open_root out[SLOT_CNT];
    uint64_t seen = 0;
    pthread_t thread;
    run.tracker = aligned_alloc(FLY_CACHE_LINE, fly_tracker_footprint(SLOT_CNT));
    assert_non_null(run.tracker);
    fly_tracker_init(run.tracker, 3, 4, SLOT_CNT);
    fly_tracker_range(run.tracker, &run.range, 0, SLOT_CNT, 0);
    assert_int_equal(pthread_create(&thread, NULL, owner, &run), 0);
    while (!atomic_load_explicit(&run.done, memory_order_acquire)) {
        uint32_t cnt = fly_tracker_scan(run.tracker, 0, SLOT_CNT, out, SLOT_CNT);
        for (uint32_t i = 0; i < cnt; i++, seen++) {
            assert_int_equal(out[i].id, id_of((struct fly_root){out[i].root}));
            assert_int_equal(out[i].attempts, 1);
        }
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(seen > 0);
    free(run.tracker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_scan_sees_no_mixture_of_two_roots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
