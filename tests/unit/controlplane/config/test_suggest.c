#include "config/suggest.h"

#include "support/unit.h"

static const char *best(const char *wanted, const char *const *candidates)
{
    struct fly_suggest suggest = {.wanted = wanted};
    for (; *candidates; candidates++)
        fly_suggest_offer(&suggest, *candidates);
    return suggest.best;
}

static void test_distances(void **state)
{
    (void)state;
    assert_int_equal(fly_suggest_distance("", ""), 0);
    assert_int_equal(fly_suggest_distance("", "abc"), 3);
    assert_int_equal(fly_suggest_distance("path", "pth"), 1);
    assert_int_equal(fly_suggest_distance("path", "paht"), 1);
    assert_int_equal(fly_suggest_distance("kitten", "sitting"), 3);
}

static void test_long_names_are_never_near(void **state)
{
    (void)state;
    char name[FLY_SUGGEST_BYTES + 2];
    memset(name, 'a', sizeof(name));
    name[FLY_SUGGEST_BYTES] = '\0';
    assert_int_equal(fly_suggest_distance(name, name), 0);
    name[FLY_SUGGEST_BYTES] = 'a';
    name[FLY_SUGGEST_BYTES + 1] = '\0';
    assert_int_equal(fly_suggest_distance(name, name), UINT32_MAX);
}

static void test_the_nearest_within_a_third(void **state)
{
    (void)state;
    const char *const names[] = {"path", "framing", "grouping", "id", NULL};
    assert_string_equal(best("pth", names), "path");
    assert_string_equal(best("framng", names), "framing");
    assert_null(best("xyz", names));
    assert_null(best("ix", names));
    assert_null(best("", names));
}

/* The textbook recursion, slow and plain. */
static uint32_t naive(const char *one, size_t rows, const char *other, size_t columns)
{
    if (rows == 0 || columns == 0)
        return (uint32_t)(rows + columns);
    uint32_t least =
        naive(one, rows - 1, other, columns - 1) + (one[rows - 1] != other[columns - 1]);
    uint32_t next = naive(one, rows - 1, other, columns) + 1;
    least = next < least ? next : least;
    next = naive(one, rows, other, columns - 1) + 1;
    least = next < least ? next : least;
    if (rows > 1 && columns > 1 && one[rows - 1] == other[columns - 2] &&
        one[rows - 2] == other[columns - 1]) {
        next = naive(one, rows - 2, other, columns - 2) + 1;
        least = next < least ? next : least;
    }
    return least;
}

static void test_random_names_against_a_naive_distance(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (int i = 0; i < 3000; i++) {
        char name[2][8] = {{0}};
        for (int j = 0; j < 2; j++) {
            for (size_t k = 0; k < 5; k++) {
                seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
                name[j][k] = (char)("abc"[(seed >> 33) % 4]);
            }
        }
        assert_int_equal(fly_suggest_distance(name[0], name[1]),
                         naive(name[0], strlen(name[0]), name[1], strlen(name[1])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distances),
        cmocka_unit_test(test_long_names_are_never_near),
        cmocka_unit_test(test_the_nearest_within_a_third),
        cmocka_unit_test(test_random_names_against_a_naive_distance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
