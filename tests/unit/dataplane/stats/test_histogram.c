#include "stats/histogram.h"

#include "base/mix.h"
#include "support/unit.h"

#define VALUE_CNT 100000

static struct fly_histogram *new_histogram(void)
{
    void *memory = malloc(fly_histogram_footprint());
    assert_non_null(memory);
    memset(memory, 0xff, fly_histogram_footprint());
    return fly_histogram_init(memory);
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void test_layout(void **state)
{
    (void)state;
    assert_int_equal(fly_histogram_footprint(), 8 * 1217);
    assert_int_equal(offsetof(struct fly_histogram, bucket), 8);
}

static void test_an_empty_one(void **state)
{
    (void)state;
    struct fly_histogram *histogram = new_histogram();
    assert_int_equal(fly_histogram_count(histogram), 0);
    assert_int_equal(fly_histogram_max(histogram), 0);
    assert_int_equal(fly_histogram_percentile(histogram, 0.5), 0);
    assert_true(fly_histogram_mean(histogram) == 0);
    free(histogram);
}

static void test_every_value_has_its_bucket(void **state)
{
    (void)state;
    uint32_t last = 0;
    for (uint64_t value = 0; value < 100000; value++) {
        uint32_t bucket = fly_histogram_bucket(value);
        assert_true(bucket == last || bucket == last + 1);
        last = bucket;
    }
    uint64_t limit = UINT64_C(1) << FLY_HISTOGRAM_VALUE_BITS;
    assert_int_equal(fly_histogram_bucket(limit - 1), FLY_HISTOGRAM_BUCKET_CNT - 1);
    assert_int_equal(fly_histogram_bucket(limit), FLY_HISTOGRAM_BUCKET_CNT - 1);
    assert_int_equal(fly_histogram_bucket(UINT64_MAX), FLY_HISTOGRAM_BUCKET_CNT - 1);
    assert_int_equal(fly_histogram_bucket(limit - limit / 64 - 1), FLY_HISTOGRAM_BUCKET_CNT - 2);
}

static void test_values_above_the_range(void **state)
{
    (void)state;
    struct fly_histogram *histogram = new_histogram();
    fly_histogram_record(histogram, 5, 1);
    fly_histogram_record(histogram, UINT64_MAX, 2);
    assert_int_equal(fly_histogram_max(histogram), UINT64_MAX);
    assert_int_equal(fly_histogram_percentile(histogram, 0.33), 5);
    assert_int_equal(fly_histogram_percentile(histogram, 0.99), UINT64_MAX);
    assert_int_equal(fly_histogram_count(histogram), 3);
    free(histogram);
}

static void test_shares_at_and_beyond_the_ends(void **state)
{
    (void)state;
    struct fly_histogram *histogram = new_histogram();
    for (uint64_t value = 1; value <= 10; value++)
        fly_histogram_record(histogram, value, 1);
    assert_int_equal(fly_histogram_percentile(histogram, -1), 1);
    assert_int_equal(fly_histogram_percentile(histogram, 0), 1);
    assert_int_equal(fly_histogram_percentile(histogram, 0.1), 1);
    assert_int_equal(fly_histogram_percentile(histogram, 0.5), 5);
    assert_int_equal(fly_histogram_percentile(histogram, 0.51), 6);
    assert_int_equal(fly_histogram_percentile(histogram, 1), 10);
    assert_int_equal(fly_histogram_percentile(histogram, 7), 10);
    assert_true(fly_histogram_mean(histogram) == 5.5);
    /* 1001 shares its bucket with 992 to 1007. */
    fly_histogram_record(histogram, 1001, 1);
    assert_int_equal(fly_histogram_percentile(histogram, 0.999), 1001);
    fly_histogram_record(histogram, 2000, 1);
    assert_int_equal(fly_histogram_percentile(histogram, 0.9), 1007);
    free(histogram);
}

static void check_percentiles(const struct fly_histogram *histogram, uint64_t *values, uint64_t cnt)
{
    static const double shares[] = {0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};
    qsort(values, cnt, sizeof(values[0]), compare);
    double sum = 0;
    for (uint64_t i = 0; i < cnt; i++)
        sum += (double)values[i];
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        uint64_t rank = (uint64_t)(shares[i] * (double)cnt);
        rank += (double)rank < shares[i] * (double)cnt;
        uint64_t exact = values[rank - 1];
        uint64_t got = fly_histogram_percentile(histogram, shares[i]);
        if (got < exact || got - exact > exact / 32)
            fail_msg("share %g: %llu instead of %llu", shares[i], (unsigned long long)got,
                     (unsigned long long)exact);
    }
    assert_int_equal(fly_histogram_max(histogram), values[cnt - 1]);
    assert_int_equal(fly_histogram_count(histogram), cnt);
    double mean = fly_histogram_mean(histogram);
    double exact_mean = sum / (double)cnt;
    assert_true(mean > exact_mean * 0.984 && mean < exact_mean * 1.016);
}

static void test_random_values_against_sorted_ones(void **state)
{
    (void)state;
    struct fly_rng rng;
    fly_rng_init(&rng, test_seed());
    uint64_t *values = calloc(VALUE_CNT, sizeof(values[0]));
    assert_non_null(values);
    for (uint64_t spread = 8; spread <= 40; spread += 8) {
        struct fly_histogram *all = new_histogram();
        struct fly_histogram *half[2] = {new_histogram(), new_histogram()};
        for (uint64_t i = 0; i < VALUE_CNT;) {
            uint64_t value = 1 + (fly_rng_next(&rng) >> (63 - fly_rng_below(&rng, spread)));
            uint64_t cnt = 1 + fly_rng_below(&rng, 4);
            cnt = cnt < VALUE_CNT - i ? cnt : VALUE_CNT - i;
            fly_histogram_record(all, value, cnt);
            fly_histogram_record(half[i % 2], value, cnt);
            while (cnt--)
                values[i++] = value;
        }
        check_percentiles(all, values, VALUE_CNT);
        fly_histogram_merge(half[0], half[1]);
        assert_memory_equal(half[0], all, fly_histogram_footprint());
        free(half[0]);
        free(half[1]);
        free(all);
    }
    free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_an_empty_one),
        cmocka_unit_test(test_every_value_has_its_bucket),
        cmocka_unit_test(test_values_above_the_range),
        cmocka_unit_test(test_shares_at_and_beyond_the_ends),
        cmocka_unit_test(test_random_values_against_sorted_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
