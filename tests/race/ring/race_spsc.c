#include "ring/spsc.h"

#include <pthread.h>
#include <sched.h>

#include "base/clock.h"
#include "base/mix.h"
#include "support/unit.h"

#define ITEM_CNT 1000000
#define BURST_MAX 40

/* How the producer hands over: at once, or staged over several bursts with one publication. */
enum style { PUSH, STAGE };

struct run {
    bool wide;
    enum style style;
    uint64_t slot_cnt;
    uint64_t item_cnt;
    uint64_t seed;
    void *ring;
    size_t bytes;
    uint64_t wrong_cnt;
    uint64_t got_cnt;
    uint64_t corrupt_cnt;
};

/* The other thread may share this core, so let it go on. */
static void wait_a_little(uint32_t *idle_cnt)
{
    fly_pause();
    if (++*idle_cnt % 16 == 0)
        sched_yield();
}

static uint32_t produce(struct run *run, struct fly_ring8_tx *tx8, struct fly_ring16_tx *tx16,
                        uint64_t first, uint32_t cnt)
{
    uint64_t values[BURST_MAX];
    struct fly_ring_pair pairs[BURST_MAX];
    for (uint32_t i = 0; i < cnt; i++) {
        values[i] = fly_mix64(first + i);
        pairs[i] = (struct fly_ring_pair){.a = values[i], .b = first + i};
    }
    if (run->style == STAGE)
        return run->wide ? fly_ring16_stage_burst(tx16, pairs, cnt)
                         : fly_ring8_stage_burst(tx8, values, cnt);
    return run->wide ? fly_ring16_push_burst(tx16, pairs, cnt)
                     : fly_ring8_push_burst(tx8, values, cnt);
}

static void *producer(void *arg)
{
    struct run *run = arg;
    struct fly_ring8_tx tx8 = {0};
    struct fly_ring16_tx tx16 = {0};
    int rc = run->wide ? fly_ring16_attach_tx(&tx16, run->ring, run->bytes)
                       : fly_ring8_attach_tx(&tx8, run->ring, run->bytes);
    FLY_CHECK(rc == 0, "no ring");
    struct fly_rng rng;
    fly_rng_init(&rng, run->seed);
    uint32_t idle_cnt = 0;
    for (uint64_t next = 0; next < run->item_cnt;) {
        uint64_t left = run->item_cnt - next;
        uint32_t cnt = 1 + (uint32_t)fly_rng_below(&rng, BURST_MAX);
        uint32_t done = produce(run, &tx8, &tx16, next, left < cnt ? (uint32_t)left : cnt);
        next += done;
        if (!done)
            wait_a_little(&idle_cnt);
        if (!done || next == run->item_cnt || fly_rng_below(&rng, 3) == 0)
            (void)(run->wide ? fly_ring16_publish(&tx16) : fly_ring8_publish(&tx8));
    }
    run->corrupt_cnt += tx8.side.corrupt_cnt + tx16.side.corrupt_cnt;
    return NULL;
}

static void consume(struct run *run)
{
    struct fly_ring8_rx rx8 = {0};
    struct fly_ring16_rx rx16 = {0};
    int rc = run->wide ? fly_ring16_attach_rx(&rx16, run->ring, run->bytes)
                       : fly_ring8_attach_rx(&rx8, run->ring, run->bytes);
    FLY_CHECK(rc == 0, "no ring");
    struct fly_rng rng;
    fly_rng_init(&rng, ~run->seed);
    uint32_t idle_cnt = 0;
    uint64_t values[BURST_MAX] = {0};
    struct fly_ring_pair pairs[BURST_MAX] = {{0}};
    while (run->got_cnt < run->item_cnt) {
        uint32_t cnt = 1 + (uint32_t)fly_rng_below(&rng, BURST_MAX);
        uint32_t got = run->wide ? fly_ring16_pop_burst(&rx16, pairs, cnt)
                                 : fly_ring8_pop_burst(&rx8, values, cnt);
        for (uint32_t i = 0; i < got; i++) {
            uint64_t value = run->wide ? pairs[i].a : values[i];
            run->wrong_cnt += value != fly_mix64(run->got_cnt + i);
            run->wrong_cnt += run->wide && pairs[i].b != run->got_cnt + i;
        }
        run->got_cnt += got;
        if (!got)
            wait_a_little(&idle_cnt);
        else if (fly_ring_count(run->ring) > run->slot_cnt)
            run->wrong_cnt++;
    }
    run->wrong_cnt += run->wide ? fly_ring16_pending(&rx16) : fly_ring8_pending(&rx8);
    run->wrong_cnt += rx8.side.corrupt_cnt + rx16.side.corrupt_cnt;
}

static void run_both(struct run run)
{
    run.bytes = run.wide ? fly_ring16_footprint(run.slot_cnt) : fly_ring8_footprint(run.slot_cnt);
    run.ring = aligned_alloc(FLY_RING_ALIGN, run.bytes);
    assert_non_null(run.ring);
    /* The indices wrap around on the way. */
    uint64_t start_idx = UINT64_MAX - run.item_cnt / 2;
    assert_int_equal(run.wide ? fly_ring16_init_at(run.ring, run.slot_cnt, start_idx)
                              : fly_ring8_init_at(run.ring, run.slot_cnt, start_idx),
                     0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, producer, &run), 0);
    consume(&run);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(run.got_cnt, run.item_cnt);
    assert_int_equal(run.wrong_cnt, 0);
    assert_int_equal(run.corrupt_cnt, 0);
    free(run.ring);
}

static void run_styles(bool wide, uint64_t slot_cnt)
{
    uint64_t seed = test_seed();
    uint64_t item_cnt = ITEM_CNT / 4;
    struct run run = {.wide = wide, .slot_cnt = slot_cnt, .item_cnt = item_cnt, .seed = seed};
    run.style = PUSH;
    run_both(run);
    run.style = STAGE;
    run_both(run);
}

static void test_one_slot(void **state)
{
    (void)state;
    run_styles(false, 1);
    run_styles(true, 1);
}

static void test_two_slots(void **state)
{
    (void)state;
    run_styles(false, 2);
    run_styles(true, 2);
}

static void test_64_slots(void **state)
{
    (void)state;
    run_styles(false, 64);
    run_styles(true, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_slot),
        cmocka_unit_test(test_two_slots),
        cmocka_unit_test(test_64_slots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
