#include "config/units.h"

#include "support/unit.h"

static struct fly_string string(const char *text)
{
    return (struct fly_string){text, (uint32_t)strlen(text)};
}

static void expect_duration(const char *text, uint64_t bare_ns, uint64_t expected)
{
    uint64_t ns = 0;
    assert_int_equal(fly_units_duration(string(text), bare_ns, &ns), FLY_UNITS_OK);
    assert_int_equal(ns, expected);
}

static void test_refusals(void **state)
{
    (void)state;
    uint64_t value;
    int64_t number;
    double real;
    assert_int_equal(fly_units_duration(string(""), 0, &value), FLY_UNITS_NOT_A_NUMBER);
    assert_int_equal(fly_units_duration(string("abc"), 0, &value), FLY_UNITS_NOT_A_NUMBER);
    assert_int_equal(fly_units_duration(string("5"), 0, &value), FLY_UNITS_NO_UNIT);
    assert_int_equal(fly_units_duration(string("5sec"), 0, &value), FLY_UNITS_UNKNOWN_UNIT);
    assert_int_equal(fly_units_duration(string("-5s"), 0, &value), FLY_UNITS_NEGATIVE);
    assert_int_equal(fly_units_duration(string("0.5ns"), 0, &value), FLY_UNITS_FRACTION);
    assert_int_equal(fly_units_duration(string("300000d"), 0, &value), FLY_UNITS_TOO_LARGE);
    assert_int_equal(fly_units_size(string("1KB"), &value), FLY_UNITS_UNKNOWN_UNIT);
    assert_int_equal(fly_units_size(string("1.5B"), &value), FLY_UNITS_FRACTION);
    assert_int_equal(fly_units_size(string("16777216TiB"), &value), FLY_UNITS_TOO_LARGE);
    assert_int_equal(fly_units_count(string("5x"), false, &value), FLY_UNITS_NOT_A_NUMBER);
    assert_int_equal(fly_units_count(string("5/s"), false, &value), FLY_UNITS_NOT_A_NUMBER);
    assert_int_equal(fly_units_count(string("18446744073709551616"), false, &value),
                     FLY_UNITS_TOO_LARGE);
    assert_int_equal(fly_units_number(string("5.5"), &number), FLY_UNITS_FRACTION);
    assert_int_equal(fly_units_number(string("-"), &number), FLY_UNITS_NOT_A_NUMBER);
    assert_int_equal(fly_units_number(string("--5"), &number), FLY_UNITS_NOT_A_NUMBER);
    assert_int_equal(fly_units_number(string("-+5"), &number), FLY_UNITS_NOT_A_NUMBER);
    assert_int_equal(fly_units_number(string("9223372036854775808"), &number), FLY_UNITS_TOO_LARGE);
    assert_int_equal(fly_units_real(string("inf"), &real), FLY_UNITS_NOT_A_NUMBER);
    assert_int_equal(fly_units_real(string("0x10"), &real), FLY_UNITS_NOT_A_NUMBER);
    assert_int_equal(fly_units_real(string("1e999"), &real), FLY_UNITS_TOO_LARGE);
    assert_int_equal(fly_units_real(string("1.5.2"), &real), FLY_UNITS_NOT_A_NUMBER);
}

static void test_durations(void **state)
{
    (void)state;
    expect_duration("7ns", 0, 7);
    expect_duration("7us", 0, 7000);
    expect_duration("250ms", 0, 250000000);
    expect_duration("1.5s", 0, 1500000000);
    expect_duration("5 s", 0, 5000000000);
    expect_duration("2m", 0, UINT64_C(120000000000));
    expect_duration("1h", 0, UINT64_C(3600000000000));
    expect_duration("0.000000001d", 0, 86400);
    expect_duration("0", 0, 0);
    expect_duration("100", 1000000, 100000000);
    expect_duration("1s", 1000000, 1000000000);
    assert_int_equal(fly_units_of_name("wait_ms"), 1000000);
    assert_int_equal(fly_units_of_name("flush_ns"), 1);
    assert_int_equal(fly_units_of_name("ack_timeout"), 0);
}

static void test_sizes_counts_and_numbers(void **state)
{
    (void)state;
    uint64_t value;
    int64_t number;
    double real;
    assert_int_equal(fly_units_size(string("64MiB"), &value), FLY_UNITS_OK);
    assert_int_equal(value, 64 << 20);
    assert_int_equal(fly_units_size(string("1.5kB"), &value), FLY_UNITS_OK);
    assert_int_equal(value, 1500);
    assert_int_equal(fly_units_size(string("4096"), &value), FLY_UNITS_OK);
    assert_int_equal(value, 4096);
    assert_int_equal(fly_units_count(string("2.5k"), false, &value), FLY_UNITS_OK);
    assert_int_equal(value, 2500);
    assert_int_equal(fly_units_count(string("1M/s"), true, &value), FLY_UNITS_OK);
    assert_int_equal(value, 1000000);
    assert_int_equal(fly_units_count(string("18446744073709551615"), false, &value), FLY_UNITS_OK);
    assert_true(value == UINT64_MAX);
    assert_int_equal(fly_units_number(string("-9223372036854775808"), &number), FLY_UNITS_OK);
    assert_true(number == INT64_MIN);
    assert_int_equal(fly_units_real(string("-1.5e3"), &real), FLY_UNITS_OK);
    assert_true(real == -1500.0);
}

static void test_printing_picks_the_largest_whole_unit(void **state)
{
    (void)state;
    char text[32];
    assert_string_equal(fly_units_print_duration(1500000000, text, sizeof(text)), "1500ms");
    assert_string_equal(fly_units_print_duration(30000000000, text, sizeof(text)), "30s");
    assert_string_equal(fly_units_print_duration(0, text, sizeof(text)), "0s");
    assert_string_equal(fly_units_print_size(64 << 20, text, sizeof(text)), "64MiB");
    assert_string_equal(fly_units_print_size(1500, text, sizeof(text)), "1500B");
    assert_string_equal(fly_units_print_size(2000000, text, sizeof(text)), "2MB");
}

/* What is printed is read back to the same number, for 10^5 numbers of all sizes. */
static void test_random_numbers_survive(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (int i = 0; i < 100000; i++) {
        char text[32];
        uint64_t back = 0;
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint64_t value = seed >> (seed % 64);
        fly_units_print_duration(value, text, sizeof(text));
        if (value)
            expect_duration(text, 0, value);
        fly_units_print_size(value, text, sizeof(text));
        assert_int_equal(fly_units_size(string(text), &back), FLY_UNITS_OK);
        assert_true(back == value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_sizes_counts_and_numbers),
        cmocka_unit_test(test_printing_picks_the_largest_whole_unit),
        cmocka_unit_test(test_random_numbers_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
