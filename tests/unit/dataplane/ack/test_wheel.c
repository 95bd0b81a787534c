#include "ack/wheel.h"

#include "base/mix.h"
#include "support/unit.h"

#define SLOT_CNT 512
#define OP_CNT 100000
#define BUCKET_MS (1U << FLY_WHEEL_SHIFT)
#define TURN_MS (BUCKET_MS * FLY_WHEEL_BUCKETS)

struct fixture {
    struct fly_tracker *tracker;
    struct fly_wheel wheel;
    uint32_t clock_ms;
    bool armed[SLOT_CNT];
    uint32_t due_ms[SLOT_CNT]; /* the deadline, or when it was armed, if that was later */
    uint32_t armed_cnt;
};

static void open_wheel(struct fixture *fix, uint32_t clock_ms)
{
    *fix = (struct fixture){
        .tracker = aligned_alloc(FLY_CACHE_LINE, fly_tracker_footprint(SLOT_CNT)),
        .clock_ms = clock_ms,
    };
    assert_non_null(fix->tracker);
    fly_tracker_init(fix->tracker, 0, 1, SLOT_CNT);
    fly_wheel_init(&fix->wheel, fix->tracker, clock_ms);
}

static void arm(struct fixture *fix, uint32_t slot, uint32_t deadline_ms)
{
    assert_false(fix->armed[slot]);
    fix->tracker->entry[slot].clock_ms = deadline_ms;
    fly_wheel_arm(&fix->wheel, &fix->tracker->entry[slot]);
    fix->armed[slot] = true;
    fix->due_ms[slot] = (int32_t)(fix->clock_ms - deadline_ms) > 0 ? fix->clock_ms : deadline_ms;
    fix->armed_cnt++;
}

/* Advances, and checks of every entry that it came in its time; returns how many were due. */
static uint32_t advance(struct fixture *fix, uint32_t clock_ms)
{
    uint32_t cnt = 0;
    fix->clock_ms = clock_ms;
    for (uint32_t slot = fly_wheel_advance(&fix->wheel, clock_ms); slot != FLY_SLOT_NONE;
         slot = fix->tracker->entry[slot].next, cnt++) {
        assert_true(slot < SLOT_CNT && fix->armed[slot]);
        assert_true((int32_t)(clock_ms - fix->tracker->entry[slot].clock_ms) >= 0);
        fix->armed[slot] = false;
        fix->armed_cnt--;
    }
    for (uint32_t slot = 0; slot < SLOT_CNT; slot++) {
        int32_t late_ms = (int32_t)(clock_ms - fix->due_ms[slot]);
        assert_false(fix->armed[slot] && late_ms >= (int32_t)BUCKET_MS);
    }
    assert_int_equal(fix->wheel.armed_cnt, fix->armed_cnt);
    return cnt;
}

static void close_wheel(struct fixture *fix)
{
    free(fix->tracker);
}

static void test_an_empty_wheel_has_nothing_due(void **state)
{
    (void)state;
    struct fixture fix;
    open_wheel(&fix, 1000);
    assert_int_equal(fly_wheel_advance(&fix.wheel, 1000), FLY_SLOT_NONE);
    assert_int_equal(fly_wheel_advance(&fix.wheel, 1000000), FLY_SLOT_NONE);
    close_wheel(&fix);
}

/* Every deadline within a bucket, from every place within a bucket, at every step. */
static void test_never_early_and_one_bucket_late_at_most(void **state)
{
    (void)state;
    struct fixture fix;
    static const uint32_t starts[] = {0, 5, 1000, UINT32_MAX - 20, UINT32_MAX / 2 - 3};
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
        for (uint32_t wait = 0; wait < 3 * BUCKET_MS; wait++) {
            open_wheel(&fix, starts[i]);
            arm(&fix, 3, starts[i] + wait);
            uint32_t due = 0;
            for (uint32_t ms = 0; ms <= wait + BUCKET_MS; ms++)
                due += advance(&fix, starts[i] + ms);
            assert_int_equal(due, 1);
            close_wheel(&fix);
        }
}

static void test_what_is_overdue_when_armed_comes_next(void **state)
{
    (void)state;
    struct fixture fix;
    open_wheel(&fix, 5000);
    arm(&fix, 0, 4000);
    arm(&fix, 1, 5000);
    arm(&fix, 2, 5000 - TURN_MS);
    assert_int_equal(fly_wheel_advance(&fix.wheel, 5000), FLY_SLOT_NONE);
    assert_int_equal(advance(&fix, 5000 + BUCKET_MS), 3);
    close_wheel(&fix);
}

static void test_a_later_turn_of_the_wheel_stays(void **state)
{
    (void)state;
    struct fixture fix;
    open_wheel(&fix, 0);
    arm(&fix, 0, 100);
    arm(&fix, 1, 100 + TURN_MS);
    arm(&fix, 2, 100 + 5 * TURN_MS);
    assert_int_equal(advance(&fix, 108), 1);
    assert_int_equal(advance(&fix, 99 + TURN_MS), 0);
    assert_int_equal(advance(&fix, 108 + TURN_MS), 1);
    for (uint32_t ms = 108 + TURN_MS; ms < 100 + 5 * TURN_MS; ms += 50)
        assert_int_equal(advance(&fix, ms), 0);
    assert_int_equal(advance(&fix, 108 + 5 * TURN_MS), 1);
    close_wheel(&fix);
}

static void test_a_jump_over_the_whole_wheel_finds_everything(void **state)
{
    (void)state;
    static const uint32_t jumps[] = {TURN_MS - BUCKET_MS, TURN_MS, TURN_MS + BUCKET_MS,
                                     10 * TURN_MS, 1U << 30};
    for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
        struct fixture fix;
        open_wheel(&fix, UINT32_MAX - 100);
        for (uint32_t slot = 0; slot < SLOT_CNT; slot++)
            arm(&fix, slot, UINT32_MAX - 100 + slot * (TURN_MS / SLOT_CNT));
        uint32_t due = advance(&fix, UINT32_MAX - 100 + jumps[i]);
        assert_true(due >= SLOT_CNT - 4 && (i == 0 || due == SLOT_CNT));
        close_wheel(&fix);
    }
}

static void test_the_longest_waits(void **state)
{
    (void)state;
    struct fixture fix;
    open_wheel(&fix, 1U << 31);
    arm(&fix, 0, (1U << 31) + (1U << 30)); /* 12 days */
    arm(&fix, 1, (1U << 31) + (1U << 30) - 1);
    for (uint32_t ms = 0; ms < 1U << 30; ms += 1U << 20)
        assert_int_equal(advance(&fix, (1U << 31) + ms), 0);
    assert_int_equal(advance(&fix, (1U << 31) + (1U << 30) + BUCKET_MS), 2);
    close_wheel(&fix);
}

static void test_random_operations_against_a_list(void **state)
{
    (void)state;
    struct fly_rng rng;
    struct fixture fix;
    fly_rng_init(&rng, test_seed());
    uint32_t clock = UINT32_MAX - (uint32_t)fly_rng_below(&rng, 200000);
    open_wheel(&fix, clock);
    uint64_t total = 0;
    for (int op = 0; op < OP_CNT; op++) {
        uint32_t slot = (uint32_t)fly_rng_below(&rng, SLOT_CNT);
        if (fly_rng_below(&rng, 4)) {
            uint32_t most = fly_rng_below(&rng, 4) ? 300 : 3 * TURN_MS;
            if (!fix.armed[slot])
                arm(&fix, slot, clock + (uint32_t)fly_rng_below(&rng, most) - 20);
        } else {
            clock += (uint32_t)fly_rng_below(&rng, fly_rng_below(&rng, 200) ? 12 : 2 * TURN_MS);
            total += advance(&fix, clock);
        }
    }
    total += advance(&fix, clock + 4 * TURN_MS);
    assert_int_equal(fix.armed_cnt, 0);
    assert_true(total > 5000);
    close_wheel(&fix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_wheel_has_nothing_due),
        cmocka_unit_test(test_never_early_and_one_bucket_late_at_most),
        cmocka_unit_test(test_what_is_overdue_when_armed_comes_next),
        cmocka_unit_test(test_a_later_turn_of_the_wheel_stays),
        cmocka_unit_test(test_a_jump_over_the_whole_wheel_finds_everything),
        cmocka_unit_test(test_the_longest_waits),
        cmocka_unit_test(test_random_operations_against_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
