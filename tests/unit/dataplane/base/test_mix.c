#include "base/mix.h"

#include "support/unit.h"

/* Published outputs of splitmix64 for seed 1234567. */
static void test_mix64_is_splitmix64(void **state)
{
    (void)state;
    static const uint64_t expected[] = {
        UINT64_C(6457827717110365317), UINT64_C(3203168211198807973), UINT64_C(9817491932198370423),
        UINT64_C(4593380528125082431), UINT64_C(16408922859458223821)};
    uint64_t seed = 1234567;
    for (size_t i = 0; i < 5; i++) {
        seed += UINT64_C(0x9e3779b97f4a7c15);
        assert_int_equal(fly_mix64(seed), expected[i]);
    }
    assert_int_equal(fly_mix64(0), 0);
}

/* These may never change: slots of keys, and so snapshots, depend on them. */
static void test_hash32_is_pinned(void **state)
{
    (void)state;
    char text[300];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i % 26);
    static const struct {
        size_t bytes;
        uint64_t seed;
        uint32_t hash;
    } pins[] = {
        {0, 0, 0x15d514c7},   {1, 0, 0xf8507ca9},   {3, 0, 0xf18066c4},  {8, 0, 0x2decc3eb},
        {16, 0, 0x92281261},  {16, 7, 0xc38ff6d4},  {17, 0, 0x1538ffbe}, {129, 0, 0x8de560c1},
        {300, 0, 0x0c6e9a57}, {300, 7, 0x856ac2e5},
    };
    for (size_t i = 0; i < sizeof(pins) / sizeof(pins[0]); i++) {
        uint32_t hash = fly_hash32(text, pins[i].bytes, pins[i].seed);
        if (hash != pins[i].hash)
            fail_msg("%zu bytes, seed %llu: 0x%08x", pins[i].bytes,
                     (unsigned long long)pins[i].seed, hash);
    }
    assert_int_equal(fly_hash32(NULL, 0, 0), 0x15d514c7);
}

static void test_hash_key_is_pinned(void **state)
{
    (void)state;
    assert_int_equal(fly_hash_key(NULL, 0), 0x1a47da8c);
    assert_int_equal(fly_hash_key("the", 3), 0xa7606612);
    assert_int_equal(fly_hash_key("sixteen bytes it", 16), 0x772b1338);
    assert_int_equal(fly_hash_key("seventeen bytes i", 17), fly_hash32("seventeen bytes i", 17, 0));
}

/* Reading on behind a short key, where the page allows it, must not change its hash. */
static void test_hash_key_sees_the_key_only(void **state)
{
    (void)state;
    uint8_t page[2 * 4096 + 16];
    struct fly_rng rng;
    fly_rng_init(&rng, test_seed());
    for (int i = 0; i < 20000; i++) {
        for (size_t b = 0; b < sizeof(page); b += 977)
            page[b] = (uint8_t)fly_rng_next(&rng);
        size_t bytes = fly_rng_below(&rng, 17), at = fly_rng_below(&rng, 2 * 4096);
        for (size_t b = at; b < at + 16; b++)
            page[b] = (uint8_t)fly_rng_next(&rng);
        struct fly_words all = fly_load16(page + at, bytes);
        struct fly_words padded = fly_load_padded(page + at, bytes);
        assert_true(all.low == padded.low && all.high == padded.high);
    }
}

/* Chi square over the 1,024 slots of numbered keys: within six deviations. */
static void test_hash_key_spreads_numbered_keys(void **state)
{
    (void)state;
    static uint32_t slot[1024];
    double chi = 0, expected = 200000.0 / 1024;
    for (int i = 0; i < 200000; i++) {
        char key[24];
        int bytes = snprintf(key, sizeof(key), "k%d", i);
        slot[fly_hash_key(key, (size_t)bytes) >> 22]++;
    }
    for (int i = 0; i < 1024; i++)
        chi += (slot[i] - expected) * (slot[i] - expected) / expected;
    assert_true(chi > 1023 - 6 * 45.2 && chi < 1023 + 6 * 45.2);
}

/* Published outputs of xoshiro256** for the state 1, 2, 3, 4. */
static void test_rng_is_xoshiro(void **state)
{
    (void)state;
    struct fly_rng rng = {{1, 2, 3, 4}};
    static const uint64_t expected[] = {11520, 0, 1509978240, UINT64_C(1215971899390074240)};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(fly_rng_next(&rng), expected[i]);
}

static void test_seeds_give_different_streams(void **state)
{
    (void)state;
    struct fly_rng zero, again, one;
    fly_rng_init(&zero, 0);
    fly_rng_init(&again, 0);
    fly_rng_init(&one, 1);
    for (int i = 0; i < 100; i++) {
        uint64_t value = fly_rng_next(&zero);
        assert_int_equal(value, fly_rng_next(&again));
        assert_int_not_equal(value, fly_rng_next(&one));
    }
}

static void test_below_is_uniform(void **state)
{
    (void)state;
    struct fly_rng rng;
    fly_rng_init(&rng, test_seed());
    uint32_t cnt[10] = {0};
    for (int i = 0; i < 100000; i++)
        cnt[fly_rng_below(&rng, 10)]++;
    /* Ten standard deviations. */
    for (int i = 0; i < 10; i++)
        assert_in_range(cnt[i], 9050, 10950);
    assert_int_equal(fly_rng_below(&rng, 1), 0);
}

static void test_unit_stays_below_one(void **state)
{
    (void)state;
    struct fly_rng rng;
    fly_rng_init(&rng, test_seed());
    double sum = 0;
    for (int i = 0; i < 100000; i++) {
        double value = fly_rng_unit(&rng);
        assert_true(value >= 0 && value < 1);
        sum += value;
    }
    assert_true(sum > 49000 && sum < 51000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mix64_is_splitmix64),
        cmocka_unit_test(test_hash32_is_pinned),
        cmocka_unit_test(test_hash_key_is_pinned),
        cmocka_unit_test(test_hash_key_sees_the_key_only),
        cmocka_unit_test(test_hash_key_spreads_numbered_keys),
        cmocka_unit_test(test_rng_is_xoshiro),
        cmocka_unit_test(test_seeds_give_different_streams),
        cmocka_unit_test(test_below_is_uniform),
        cmocka_unit_test(test_unit_stays_below_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
