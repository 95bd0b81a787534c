#include "base/clock.h"

#include "base/mix.h"
#include "support/unit.h"

static void take_rate(void *ticks_hz)
{
    fly_clock_rate_of(*(uint64_t *)ticks_hz);
}

static void test_absurd_rates_are_refused(void **state)
{
    (void)state;
    test_dies(take_rate, &(uint64_t){0}, "tick rate of 0 Hz");
    test_dies(take_rate, &(uint64_t){999999}, "tick rate");
    test_dies(take_rate, &(uint64_t){UINT64_C(100000000001)}, "tick rate");
}

static void test_a_rate_of_one_to_one(void **state)
{
    (void)state;
    struct fly_clock_rate rate = fly_clock_rate_of(1000000000);
    assert_int_equal(fly_ticks_to_ns(&rate, 12345), 12345);
    assert_int_equal(fly_ns_to_ticks(&rate, INT64_MAX), INT64_MAX);
}

/* `got` may miss `exact` by one and by the fixed point's step, 2^-32 of `factor`. */
static void assert_near(uint64_t got, long double exact, long double factor)
{
    long double slack = 1 + exact / (factor * 4294967296.0L);
    long double miss = exact - (long double)got;
    if (miss < -1 || miss > slack)
        fail_msg("%llu is %Lg off", (unsigned long long)got, miss);
}

static void test_conversions_against_long_double(void **state)
{
    (void)state;
    struct fly_rng rng;
    fly_rng_init(&rng, test_seed());
    for (int i = 0; i < 100000; i++) {
        uint64_t hz = 1000000 + fly_rng_below(&rng, UINT64_C(10000000000));
        struct fly_clock_rate rate = fly_clock_rate_of(hz);
        long double ticks_per_ns = (long double)hz / 1e9L;
        /* Up to 2^53: at 1 MHz that is 2^63 ns when read as ticks. */
        uint64_t ns = fly_rng_next(&rng) >> (11 + fly_rng_below(&rng, 53));
        long double ticks = (long double)ns * ticks_per_ns;
        assert_near(fly_ns_to_ticks(&rate, ns), ticks, ticks_per_ns);
        assert_near(fly_ticks_to_ns(&rate, ns), (long double)ns / ticks_per_ns, 1 / ticks_per_ns);
    }
}

static void test_calibration_agrees_with_itself(void **state)
{
    (void)state;
    struct fly_clock_rate first = fly_clock_calibrate();
    struct fly_clock_rate second = fly_clock_calibrate();
    double ratio = (double)first.ticks_hz / (double)second.ticks_hz;
    assert_true(ratio > 0.99 && ratio < 1.01);
    uint64_t ticks = fly_ticks();
    uint64_t ns = fly_clock_ns();
    while (fly_clock_ns() - ns < 1000000)
        fly_pause();
    assert_true(fly_ticks_to_ns(&first, fly_ticks() - ticks) > 950000);
}

static void test_clocks_go_on(void **state)
{
    (void)state;
    uint64_t ns = fly_clock_ns();
    uint64_t ticks = fly_ticks();
    for (int i = 0; i < 1000; i++) {
        uint64_t next_ns = fly_clock_ns();
        uint64_t next_ticks = fly_ticks();
        assert_true(next_ns >= ns && next_ticks >= ticks);
        ns = next_ns;
        ticks = next_ticks;
    }
    assert_true(fly_clock_wall_ns() > UINT64_C(1700000000) * 1000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absurd_rates_are_refused),
        cmocka_unit_test(test_a_rate_of_one_to_one),
        cmocka_unit_test(test_conversions_against_long_double),
        cmocka_unit_test(test_calibration_agrees_with_itself),
        cmocka_unit_test(test_clocks_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
