/* The table of counts against a naive one; what happens when it is full. */
#include "stages/count_table.h"

#include "support/unit.h"

#include <stdalign.h>

static struct fly_count_entry *add(struct fly_count_table *table, const void *key, uint32_t bytes,
                                   uint32_t hash)
{
    return fly_count_table_add(table, fly_count_table_probe(table, hash), key, bytes, hash);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *seed >> 33;
}

static uint32_t hash_of(const char *key, size_t bytes)
{
    uint32_t hash = 2166136261;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ (uint8_t)key[i]) * 16777619;
    return hash;
}

static void refuses_too_little_memory(void **state)
{
    struct fly_count_table table;
    alignas(8) uint8_t memory[FLY_COUNT_BYTES_MIN] = {0};
    (void)state;
    assert_int_equal(fly_count_table_init(&table, memory, sizeof(memory) - 1), -1);
    assert_int_equal(fly_count_table_init(&table, memory, sizeof(memory)), 0);
}

static void keys_that_share_a_hash_are_told_apart(void **state)
{
    alignas(8) uint8_t memory[FLY_COUNT_BYTES_MIN] = {0};
    struct fly_count_table table;
    (void)state;
    assert_int_equal(fly_count_table_init(&table, memory, sizeof(memory)), 0);
    static const char *const keys[] = {"",
                                       "a",
                                       "ab",
                                       "abc",
                                       "abcd",
                                       "abce",
                                       "abcdefgh",
                                       "abcdefgi",
                                       "abcdefghijklmnopq",
                                       "abcdefghijklmnopr",
                                       "Xbcdefghijklmnopq"};
    for (int round = 1; round <= 3; round++)
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
            assert_int_equal(add(&table, keys[i], (uint32_t)strlen(keys[i]), 77)->count, round);
    assert_int_equal(table.key_cnt, sizeof(keys) / sizeof(keys[0]));
}

static void key_that_begins_another_is_told_apart(void **state)
{
    alignas(8) uint8_t memory[FLY_COUNT_BYTES_MIN] = {0};
    struct fly_count_table table;
    (void)state;
    assert_int_equal(fly_count_table_init(&table, memory, sizeof(memory)), 0);
    for (uint32_t bytes = 20; bytes > 0; bytes--)
        assert_int_equal(add(&table, "abcdefghijklmnopqrst", bytes, 77)->count, 1);
    assert_int_equal(table.key_cnt, 20);
}

static void entries_come_in_the_order_of_their_first_use(void **state)
{
    alignas(8) uint8_t memory[65536] = {0};
    struct fly_count_table table;
    char key[16];
    (void)state;
    assert_int_equal(fly_count_table_init(&table, memory, sizeof(memory)), 0);
    assert_null(fly_count_table_next(&table, NULL));
    for (int i = 0; i < 500; i++) { /* segments split on the way */
        int bytes = snprintf(key, sizeof(key), "key%d", i);
        assert_non_null(add(&table, key, (uint32_t)bytes, hash_of(key, (size_t)bytes)));
    }
    assert_true(table.segment_cnt > 1);
    const struct fly_count_entry *entry = NULL;
    for (int i = 0; i < 500; i++) {
        int bytes = snprintf(key, sizeof(key), "key%d", i);
        entry = fly_count_table_next(&table, entry);
        assert_non_null(entry);
        assert_int_equal(entry->key_bytes, bytes);
        assert_memory_equal(entry->key, key, (size_t)bytes);
    }
    assert_null(fly_count_table_next(&table, entry));
    uint64_t used_cnt = 0; /* a split loses nothing and leaves nothing behind */
    for (uint32_t i = 0; i < table.segment_cnt; i++) {
        const uint8_t *at = table.top - (i + 1) * (uint64_t)table.segment_bytes;
        const struct fly_count_bucket *bucket = (const void *)at;
        for (uint32_t slot = 0; slot < (table.bucket_mask + 1) * FLY_COUNT_SLOTS; slot++)
            used_cnt += bucket[slot / FLY_COUNT_SLOTS].hash[slot % FLY_COUNT_SLOTS] != 0;
    }
    assert_int_equal(used_cnt, 500);
}

static void full_table_still_counts_what_it_knows(void **state)
{
    alignas(8) uint8_t memory[FLY_COUNT_BYTES_MIN + 64] = {0};
    struct fly_count_table table;
    uint64_t cnt = 0;
    (void)state;
    memset(memory + FLY_COUNT_BYTES_MIN, 0xaa, 64); /* nothing is written beyond */
    assert_int_equal(fly_count_table_init(&table, memory, FLY_COUNT_BYTES_MIN), 0);
    for (uint32_t key = 0; add(&table, &key, 4, key * 2654435761u); key++)
        cnt++;
    assert_true(cnt > 50);
    for (uint32_t key = 0; key < cnt; key++)
        assert_int_equal(add(&table, &key, 4, key * 2654435761u)->count, 2);
    for (int i = 0; i < 64; i++)
        assert_int_equal(memory[FLY_COUNT_BYTES_MIN + i], 0xaa);
}

/* Hashes that only one segment can have: it fills, the others go on. */
static void one_hash_for_too_many_keys_fills_its_segment_only(void **state)
{
    enum { BYTES = 1 << 20 };
    uint8_t *memory = aligned_alloc(64, BYTES);
    struct fly_count_table table;
    uint32_t cnt = 0;
    (void)state;
    memset(memory, 0, BYTES);
    assert_int_equal(fly_count_table_init(&table, memory, BYTES), 0);
    for (uint32_t key = 0; add(&table, &key, 4, 0); key++)
        cnt++;
    assert_int_equal(cnt, 1792);
    uint32_t other = 7;
    assert_non_null(add(&table, &other, 4, UINT32_C(0x80000001)));
    for (uint32_t key = 0; key < cnt; key++)
        assert_int_equal(add(&table, &key, 4, 0)->count, 2);
    free(memory);
}

/* Many keys: every split keeps what it finds. */
static void growing_to_a_million_keys_keeps_all(void **state)
{
    enum { KEYS = 1000000, BYTES = 96 << 20 };
    uint8_t *memory = calloc(1, BYTES);
    struct fly_count_table table;
    (void)state;
    assert_int_equal(fly_count_table_init(&table, memory, BYTES), 0);
    for (uint64_t key = 0; key < KEYS; key++) {
        uint32_t hash = (uint32_t)((key + 1) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
        assert_non_null(add(&table, &key, 8, hash));
    }
    for (uint64_t key = 0; key < KEYS; key++) {
        uint32_t hash = (uint32_t)((key + 1) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
        assert_int_equal(add(&table, &key, 8, hash)->count, 2);
    }
    assert_int_equal(table.key_cnt, KEYS);
    free(memory);
}

static void random_keys_against_a_naive_count(void **state)
{
    enum { KEYS = 5000, BYTES = 1 << 20 };
    uint64_t seed = test_seed();
    uint64_t *count = calloc(KEYS, sizeof(*count));
    uint8_t *memory = calloc(1, BYTES);
    struct fly_count_table table;
    char key[40];
    (void)state;
    assert_int_equal(fly_count_table_init(&table, memory, BYTES), 0);
    for (int i = 0; i < 100000; i++) {
        uint64_t number = next_random(&seed) % KEYS;
        if (number > 100)
            number = next_random(&seed) % (number + 1);
        int bytes = snprintf(key, sizeof(key), "%.*s%llu", (int)(number % 20),
                             "xxxxxxxxxxxxxxxxxxxx", (unsigned long long)number);
        uint32_t hash = hash_of(key, (size_t)bytes) & (number % 3 ? UINT32_MAX : 0xff);
        const struct fly_count_entry *entry = add(&table, key, (uint32_t)bytes, hash);
        assert_non_null(entry);
        assert_int_equal(entry->count, ++count[number]);
    }
    uint64_t sum = 0;
    for (const struct fly_count_entry *entry = fly_count_table_next(&table, NULL); entry;
         entry = fly_count_table_next(&table, entry))
        sum += entry->count;
    assert_int_equal(sum, 100000);
    free(count);
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_too_little_memory),
        cmocka_unit_test(keys_that_share_a_hash_are_told_apart),
        cmocka_unit_test(key_that_begins_another_is_told_apart),
        cmocka_unit_test(entries_come_in_the_order_of_their_first_use),
        cmocka_unit_test(full_table_still_counts_what_it_knows),
        cmocka_unit_test(one_hash_for_too_many_keys_fills_its_segment_only),
        cmocka_unit_test(growing_to_a_million_keys_keeps_all),
        cmocka_unit_test(random_keys_against_a_naive_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
