/* The table of counts against a naive one; what happens when it is full. */
#include "stages/count_table.h"

#include "support/unit.h"

#include <stdalign.h>

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
            assert_int_equal(
                fly_count_table_add(&table, keys[i], (uint32_t)strlen(keys[i]), 77)->count, round);
    assert_int_equal(table.key_cnt, sizeof(keys) / sizeof(keys[0]));
}

static void key_that_begins_another_is_told_apart(void **state)
{
    alignas(8) uint8_t memory[FLY_COUNT_BYTES_MIN] = {0};
    struct fly_count_table table;
    (void)state;
    assert_int_equal(fly_count_table_init(&table, memory, sizeof(memory)), 0);
    for (uint32_t bytes = 20; bytes > 0; bytes--)
        assert_int_equal(fly_count_table_add(&table, "abcdefghijklmnopqrst", bytes, 77)->count, 1);
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
    for (int i = 0; i < 500; i++) { /* the index doubles on the way */
        int bytes = snprintf(key, sizeof(key), "key%d", i);
        assert_non_null(
            fly_count_table_add(&table, key, (uint32_t)bytes, hash_of(key, (size_t)bytes)));
    }
    assert_true(table.index_bits > FLY_COUNT_INDEX_BITS);
    const struct fly_count_entry *entry = NULL;
    for (int i = 0; i < 500; i++) {
        int bytes = snprintf(key, sizeof(key), "key%d", i);
        entry = fly_count_table_next(&table, entry);
        assert_non_null(entry);
        assert_int_equal(entry->key_bytes, bytes);
        assert_memory_equal(entry->key, key, (size_t)bytes);
    }
    assert_null(fly_count_table_next(&table, entry));
    uint64_t used_cnt = 0; /* each doubling begins with an empty index */
    for (uint64_t i = 0; i < UINT64_C(1) << table.index_bits; i++)
        used_cnt += table.index[i].entry != 0;
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
    for (uint32_t key = 0; fly_count_table_add(&table, &key, 4, key * 2654435761u); key++)
        cnt++;
    assert_true(cnt > 50);
    for (uint32_t key = 0; key < cnt; key++)
        assert_int_equal(fly_count_table_add(&table, &key, 4, key * 2654435761u)->count, 2);
    for (int i = 0; i < 64; i++)
        assert_int_equal(memory[FLY_COUNT_BYTES_MIN + i], 0xaa);
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
        const struct fly_count_entry *entry =
            fly_count_table_add(&table, key, (uint32_t)bytes, hash);
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
        cmocka_unit_test(random_keys_against_a_naive_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
