/* The table of windows: against lists of its own, until it is full, and empty again. */
#include "base/mix.h"
#include "stages/window_table.h"

#include "support/unit.h"

enum { BYTES = 1 << 20, KEYS = 40, WINDOWS = 8, STEPS = 100000 };

static void *memory_of(uint64_t bytes)
{
    void *memory = calloc(1, bytes);
    assert_non_null(memory);
    return memory;
}

static struct fly_window_entry *add(struct fly_window_table *table, int64_t window, uint32_t key,
                                    uint32_t key_bytes)
{
    char text[64];
    memset(text, 'x', sizeof(text));
    (void)snprintf(text, sizeof(text), "%u", key);
    uint32_t hash = fly_window_hash(key * UINT32_C(0x9e3779b1), window);
    return fly_window_add(table, &(struct fly_window_key){text, key_bytes, hash, window});
}

static void refuses_too_little_memory(void **state)
{
    struct fly_window_table table;
    void *memory = memory_of(FLY_WINDOW_BYTES_MIN);
    (void)state;
    assert_int_equal(fly_window_table_init(&table, memory, FLY_WINDOW_BYTES_MIN - 1), -1);
    assert_int_equal(fly_window_table_init(&table, memory, FLY_WINDOW_BYTES_MIN), 0);
    free(memory);
}

static void keys_and_windows_are_told_apart(void **state)
{
    struct fly_window_table table;
    void *memory = memory_of(BYTES);
    (void)state;
    assert_int_equal(fly_window_table_init(&table, memory, BYTES), 0);
    struct fly_window_key keys[] = {{"a", 1, 7, 0},  {"b", 1, 7, 0},
                                    {"a", 1, 7, 10}, {"ab", 2, 7, 0},
                                    {"", 0, 7, 0},   {NULL, FLY_WINDOW_NO_KEY, 7, 0}};
    for (uint32_t i = 0; i < 6; i++)
        fly_window_add(&table, &keys[i])->count = i + 1;
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(fly_window_add(&table, &keys[i])->count, i + 1);
    assert_int_equal(table.window_cnt, 2);
    assert_int_equal(table.used_cnt, 6);
    free(memory);
}

static void windows_leave_in_order_with_all_their_entries(void **state)
{
    struct fly_window_table table;
    void *memory = memory_of(BYTES);
    (void)state;
    assert_int_equal(fly_window_table_init(&table, memory, BYTES), 0);
    static const int64_t start[] = {50, -30, 10, 20};
    for (uint32_t w = 0; w < 4; w++)
        for (uint32_t k = 0; k < 500; k++) /* several chunks */
            add(&table, start[w], k, 20)->count = k + 1;
    static const int64_t order[] = {-30, 10, 20, 50};
    for (uint32_t w = 0; w < 4; w++) {
        uint64_t cnt = 0;
        for (struct fly_window_entry *entry = fly_window_next(&table, NULL); entry;
             entry = fly_window_next(&table, entry)) {
            assert_int_equal(entry->window, order[w]);
            assert_int_equal(entry->count, ++cnt);
        }
        assert_int_equal(cnt, 500);
        assert_int_equal(table.window[0].entry_cnt, 500);
        fly_window_remove(&table);
    }
    assert_null(fly_window_next(&table, NULL));
    assert_int_equal(table.used_cnt, 0);
    free(memory);
}

/* Fills it and empties it again and again: nothing gets lost of its room. */
static void full_it_refuses_and_emptied_it_has_all_its_room(void **state)
{
    struct fly_window_table table;
    void *memory = memory_of(BYTES);
    uint32_t first = 0;
    (void)state;
    assert_int_equal(fly_window_table_init(&table, memory, BYTES), 0);
    for (uint32_t round = 0; round < 5; round++) {
        uint32_t cnt = 0;
        while (add(&table, cnt % 3, cnt, 30))
            cnt++;
        assert_non_null(add(&table, 0, 0, 30)); /* a known key still counts */
        assert_true(cnt > BYTES / 4 * 3 / 64 * 9 / 10);
        assert_true(round == 0 || cnt == first);
        first = cnt;
        while (table.window_cnt)
            fly_window_remove(&table);
    }
    uint32_t windows = 0;
    while (add(&table, windows, 1, 3)) /* each takes a chunk */
        windows++;
    assert_int_equal(windows, table.chunk_cnt);
    free(memory);
}

static void random_operations_agree_with_lists(void **state)
{
    static uint64_t count[WINDOWS][KEYS];
    struct fly_window_table table;
    struct fly_rng rng;
    void *memory = memory_of(FLY_WINDOW_BYTES_MIN);
    int64_t first = 0; /* windows [first, first + WINDOWS) are open */
    (void)state;
    fly_rng_init(&rng, test_seed());
    assert_int_equal(fly_window_table_init(&table, memory, FLY_WINDOW_BYTES_MIN), 0);
    table.slot_cnt = 400; /* long chains that go around the end */
    for (uint32_t i = 0; i < STEPS; i++) {
        int64_t window = first + (int64_t)fly_rng_below(&rng, WINDOWS);
        uint32_t key = (uint32_t)fly_rng_below(&rng, KEYS);
        struct fly_window_entry *entry = add(&table, window, key, 8 + key % 9);
        assert_non_null(entry);
        assert_int_equal(entry->count, count[window % WINDOWS][key]);
        entry->count = ++count[window % WINDOWS][key];
        if (fly_rng_below(&rng, 200))
            continue;
        uint64_t sum = 0, expected = 0;
        bool open = table.window[0].start == first;
        for (entry = open ? fly_window_next(&table, NULL) : NULL; entry;
             entry = fly_window_next(&table, entry))
            sum += entry->count;
        for (uint32_t k = 0; k < KEYS; k++)
            expected += count[first % WINDOWS][k];
        assert_int_equal(sum, expected);
        if (open)
            fly_window_remove(&table);
        memset(count[first % WINDOWS], 0, sizeof(count[0]));
        first++;
    }
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_too_little_memory),
        cmocka_unit_test(keys_and_windows_are_told_apart),
        cmocka_unit_test(windows_leave_in_order_with_all_their_entries),
        cmocka_unit_test(full_it_refuses_and_emptied_it_has_all_its_room),
        cmocka_unit_test(random_operations_agree_with_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
