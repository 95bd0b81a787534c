#include "route/route.h"

#include "support/unit.h"

#define CNT 100000
#define TARGET_CNT 7

static struct fly_msg keyed(const char *key)
{
    return (struct fly_msg){.key = (const uint8_t *)key, .key_bytes = (uint32_t)strlen(key)};
}

/* Snapshots depend on these: they may never change. */
static void test_a_key_has_the_same_slot_for_ever(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        uint32_t hash, slot;
    } pinned[] = {
        {"", 0x1a47da8c, 105},
        {"the", 0xa7606612, 669},
        {"Flyover", 0x72aedae4, 458},
        {"a key that is longer than sixteen bytes", 0xbcfa44b3, 755},
    };
    for (size_t i = 0; i < sizeof(pinned) / sizeof(pinned[0]); i++) {
        struct fly_msg msg = keyed(pinned[i].key);
        assert_int_equal(fly_route_hash(&msg), pinned[i].hash);
        assert_int_equal(fly_route_slot(pinned[i].hash), pinned[i].slot);
    }
}

static void test_no_key_is_the_empty_key(void **state)
{
    (void)state;
    struct fly_msg none = {0}, empty = keyed("");
    assert_int_equal(fly_route_hash(&none), fly_route_hash(&empty));
}

static void test_slots_are_the_whole_table(void **state)
{
    (void)state;
    assert_int_equal(fly_route_slot(0), 0);
    assert_int_equal(fly_route_slot(UINT32_MAX), FLY_SLOT_CNT - 1);
    assert_int_equal(fly_route_slot(1U << 22), 1);
    assert_int_equal(fly_route_slot((1U << 22) - 1), 0);
}

static void test_a_key_goes_where_the_table_says(void **state)
{
    (void)state;
    static uint16_t slots[FLY_SLOT_CNT];
    struct fly_msg msg[26];
    uint16_t target[26];
    char key[26][2] = {{0}};
    for (int i = 0; i < FLY_SLOT_CNT; i++)
        slots[i] = (uint16_t)(UINT16_MAX - i);
    for (int i = 0; i < 26; i++) {
        key[i][0] = (char)('a' + i);
        msg[i] = keyed(key[i]);
    }
    fly_route_by_key(msg, 26, slots, target);
    for (int i = 0; i < 26; i++) {
        assert_int_equal(msg[i].key_hash, fly_route_hash(&msg[i]));
        assert_int_equal(target[i], UINT16_MAX - fly_route_slot(msg[i].key_hash));
    }
    fly_route_by_key(msg, 0, slots, target);
}

static void test_keys_spread_over_all_slots(void **state)
{
    (void)state;
    static uint32_t hits[FLY_SLOT_CNT];
    char key[32];
    for (int i = 0; i < CNT; i++) {
        snprintf(key, sizeof(key), "user-%d", i);
        struct fly_msg msg = keyed(key);
        hits[fly_route_slot(fly_route_hash(&msg))]++;
    }
    for (int i = 0; i < FLY_SLOT_CNT; i++) /* 98 expected, 6 standard deviations */
        assert_in_range(hits[i], 38, 158);
}

static void test_shuffling_is_fair_and_in_range(void **state)
{
    (void)state;
    struct fly_rng rng;
    static uint16_t target[CNT];
    uint32_t hits[TARGET_CNT] = {0};
    fly_rng_init(&rng, test_seed());
    fly_route_random(&rng, CNT, TARGET_CNT, target);
    for (int i = 0; i < CNT; i++) {
        assert_true(target[i] < TARGET_CNT);
        hits[target[i]]++;
    }
    for (int i = 0; i < TARGET_CNT; i++) /* 14286 expected, 111 is a standard deviation */
        assert_in_range(hits[i], 13500, 15072);
    fly_route_random(&rng, 100, 1, target);
    for (int i = 0; i < 100; i++)
        assert_int_equal(target[i], 0);
}

static void test_a_mask_names_the_messages_of_a_target(void **state)
{
    (void)state;
    uint16_t target[FLY_ROUTE_MAX];
    uint64_t mask[FLY_ROUTE_MASKS];
    struct fly_rng rng;
    fly_rng_init(&rng, test_seed());
    for (int round = 0; round < 2000; round++) {
        uint32_t cnt = (uint32_t)fly_rng_below(&rng, FLY_ROUTE_MAX + 1);
        for (uint32_t i = 0; i < FLY_ROUTE_MAX; i++)
            target[i] = (uint16_t)(fly_rng_below(&rng, 4) * 0x5555);
        for (uint32_t wanted = 0; wanted <= UINT16_MAX; wanted += 0x5555) {
            fly_route_mask(target, cnt, (uint16_t)wanted, mask);
            for (uint32_t i = 0; i < FLY_ROUTE_MAX; i++)
                assert_int_equal(mask[i / 64] >> i % 64 & 1, i < cnt && target[i] == wanted);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_mask_names_the_messages_of_a_target),
        cmocka_unit_test(test_a_key_has_the_same_slot_for_ever),
        cmocka_unit_test(test_no_key_is_the_empty_key),
        cmocka_unit_test(test_slots_are_the_whole_table),
        cmocka_unit_test(test_a_key_goes_where_the_table_says),
        cmocka_unit_test(test_keys_spread_over_all_slots),
        cmocka_unit_test(test_shuffling_is_fair_and_in_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
