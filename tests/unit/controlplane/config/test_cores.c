#include "config/cores.h"

#include "base/err.h"
#include "support/unit.h"

#include <errno.h>

static void test_refusals(void **state)
{
    (void)state;
    static const char *const BAD[] = {"",    ",",    "a",    "1-",    "-1",
                                      "3-2", "1,,2", "1, 2", "1-2-3", "0x1"};
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        struct fly_cores cores = {{0}};
        assert_int_equal(fly_cores_add(&cores, BAD[i]), -EINVAL);
        assert_non_null(strstr(fly_err_text(), "is not a list of cores"));
        assert_non_null(strstr(fly_err_hint(), "0,2-3"));
    }
    struct fly_cores cores = {{0}};
    assert_int_equal(fly_cores_add(&cores, "1024"), -EINVAL);
    assert_non_null(strstr(fly_err_text(), "core 1024 is out of range"));
    assert_int_equal(fly_cores_add(&cores, "0-99999999999999999999"), -EINVAL);
}

static void test_lists_and_ranges(void **state)
{
    (void)state;
    struct fly_cores cores = {{0}};
    assert_int_equal(fly_cores_add(&cores, "0-1,64,70-72"), 0);
    assert_int_equal(fly_cores_cnt(&cores), 6);
    assert_true(fly_cores_has(&cores, 0) && fly_cores_has(&cores, 1) && fly_cores_has(&cores, 64));
    assert_true(fly_cores_has(&cores, 71) && !fly_cores_has(&cores, 2));
    assert_false(fly_cores_has(&cores, FLY_CORES_MAX));
    assert_int_equal(fly_cores_add(&cores, "1023"), 0);
    assert_int_equal(fly_cores_add(&cores, "1"), 0);
    assert_int_equal(fly_cores_cnt(&cores), 7);
}

static void test_usable_cores(void **state)
{
    (void)state;
    struct fly_cores cores = {{0}};
    assert_int_equal(fly_cores_add_usable(&cores), 0);
    assert_true(fly_cores_cnt(&cores) >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_lists_and_ranges),
        cmocka_unit_test(test_usable_cores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
