#include "msg/root.h"

#include "support/unit.h"

#define ATTEMPT_MAX UINT32_C(0x0fffffff)

static void test_layout(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct fly_root), 8);
    struct fly_root root = fly_root_make(1, 2, 3, 4);
    assert_int_equal(root.bits, UINT64_C(1) << 56 | UINT64_C(2) << 36 | UINT64_C(3) << 28 | 4);
}

static void test_parts_come_back_at_their_limits(void **state)
{
    (void)state;
    struct fly_root root =
        fly_root_make(FLY_ROOT_WORKER_MAX - 1, FLY_ROOT_SLOT_MAX - 1, 0xff, ATTEMPT_MAX);
    assert_int_equal(root.bits, UINT64_MAX);
    assert_int_equal(fly_root_worker(root), FLY_ROOT_WORKER_MAX - 1);
    assert_int_equal(fly_root_slot(root), FLY_ROOT_SLOT_MAX - 1);
    assert_int_equal(fly_root_attempt(root), ATTEMPT_MAX);
    root = fly_root_make(0, FLY_ROOT_SLOT_MAX - 1, 0, 1);
    assert_int_equal(fly_root_worker(root), 0);
    assert_int_equal(fly_root_slot(root), FLY_ROOT_SLOT_MAX - 1);
    assert_int_equal(fly_root_attempt(root), 1);
}

static void test_only_the_low_bits_of_an_incarnation_count(void **state)
{
    (void)state;
    assert_int_equal(fly_root_make(1, 2, 0x103, 4).bits, fly_root_make(1, 2, 3, 4).bits);
}

static void test_the_next_attempt_differs_in_the_attempt_only(void **state)
{
    (void)state;
    struct fly_root root = fly_root_make(9, 77, 5, 1);
    assert_int_equal(fly_root_next(root).bits, root.bits + 1);
}

static void test_attempts_wrap_past_0_within_their_incarnation(void **state)
{
    (void)state;
    struct fly_root last = fly_root_make(9, 77, 5, ATTEMPT_MAX);
    assert_int_equal(fly_root_next(last).bits, fly_root_make(9, 77, 5, 1).bits);
    last = fly_root_make(255, FLY_ROOT_SLOT_MAX - 1, 255, ATTEMPT_MAX);
    assert_int_equal(fly_root_next(last).bits,
                     fly_root_make(255, FLY_ROOT_SLOT_MAX - 1, 255, 1).bits);
}

static void test_no_attempt_is_called_none(void **state)
{
    (void)state;
    struct fly_root root = fly_root_make(0, 0, 0, ATTEMPT_MAX - 3);
    for (int i = 0; i < 8; i++, root = fly_root_next(root))
        assert_int_not_equal(root.bits, FLY_ROOT_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_parts_come_back_at_their_limits),
        cmocka_unit_test(test_only_the_low_bits_of_an_incarnation_count),
        cmocka_unit_test(test_the_next_attempt_differs_in_the_attempt_only),
        cmocka_unit_test(test_attempts_wrap_past_0_within_their_incarnation),
        cmocka_unit_test(test_no_attempt_is_called_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
