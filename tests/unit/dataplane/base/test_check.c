#include "base/check.h"

#include "base/mix.h"
#include "support/unit.h"

static void break_it(void *arg)
{
    int have = *(int *)arg;
    FLY_CHECK(have == 3, "have %d frames", have);
}

static void test_a_broken_check_says_where_and_why(void **state)
{
    (void)state;
    int have = 4;
    test_dies(break_it, &have, "flyover: broken invariant at test_check.c:");
    test_dies(break_it, &have, "have 4 frames (have == 3)");
}

static void test_a_kept_check_is_evaluated_once(void **state)
{
    (void)state;
    int cnt = 0;
    FLY_CHECK(++cnt == 1, "counted %d times", cnt);
    assert_int_equal(cnt, 1);
}

static void break_dcheck(void *arg)
{
    int *cnt = arg;
    FLY_DCHECK(++*cnt == 0, "test builds only");
}

static void test_dcheck_is_for_test_builds(void **state)
{
    (void)state;
    int cnt = 0;
#if defined(FLY_TEST_HOOKS) && FLY_TEST_HOOKS
    test_dies(break_dcheck, &cnt, "test builds only");
#else
    break_dcheck(&cnt);
    assert_int_equal(cnt, 0);
#endif
}

static void test_powers_of_two(void **state)
{
    (void)state;
    assert_false(fly_is_pow2(0));
    assert_true(fly_is_pow2(1));
    assert_true(fly_is_pow2(UINT64_C(1) << 63));
    assert_false(fly_is_pow2(UINT64_MAX));
    assert_int_equal(fly_pow2_ceil(0), 1);
    assert_int_equal(fly_pow2_ceil(1), 1);
    assert_int_equal(fly_pow2_ceil(UINT64_C(1) << 63), UINT64_C(1) << 63);
    assert_int_equal(fly_pow2_ceil((UINT64_C(1) << 63) + 1), 0);
    assert_int_equal(fly_pow2_ceil(UINT64_MAX), 0);
    for (uint64_t value = 1, ceil = 1; value < 5000; value++) {
        while (ceil < value)
            ceil *= 2;
        assert_int_equal(fly_pow2_ceil(value), ceil);
        assert_int_equal(fly_is_pow2(value), ceil == value);
    }
}

static void test_align_up(void **state)
{
    (void)state;
    assert_int_equal(fly_align_up(0, 64), 0);
    assert_int_equal(fly_align_up(UINT64_MAX - 64, 64), UINT64_MAX - 63);
    struct fly_rng rng;
    fly_rng_init(&rng, test_seed());
    for (int i = 0; i < 100000; i++) {
        uint64_t align = UINT64_C(1) << fly_rng_below(&rng, 32);
        uint64_t value = fly_rng_next(&rng) >> 1;
        uint64_t up = fly_align_up(value, align);
        assert_true(up >= value && up - value < align && up % align == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_broken_check_says_where_and_why),
        cmocka_unit_test(test_a_kept_check_is_evaluated_once),
        cmocka_unit_test(test_dcheck_is_for_test_builds),
        cmocka_unit_test(test_powers_of_two),
        cmocka_unit_test(test_align_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
