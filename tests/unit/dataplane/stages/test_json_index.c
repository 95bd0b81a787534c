/* Marks in a JSON text: the same from all ways to make them; nothing is read on another page. */
#include "stages/json_index.h"

#include "support/unit.h"

#include <sys/mman.h>
#include <unistd.h>

enum { TEXT_BYTES = FLY_JSON_WINDOW_BYTES + 200 };

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *seed >> 33;
}

static bool is_marked(uint8_t byte)
{
    return byte == '"' || byte == '\\' || byte < 0x20 || byte >= 0x80;
}

static void expect_marks(const uint8_t *text, size_t bytes, const uint64_t *marks)
{
    size_t cnt = bytes < FLY_JSON_WINDOW_BYTES ? bytes : FLY_JSON_WINDOW_BYTES;
    size_t blocks = (cnt + 63) / 64;
    for (size_t i = 0; i < blocks * 64; i++) {
        bool expected = i < cnt && is_marked(text[i]);
        if ((marks[i / 64] >> i % 64 & 1) != expected)
            fail_msg("byte %zu of %zu: %d expected", i, bytes, expected);
    }
    assert_true(marks[blocks] == UINT64_MAX);
}

static void check_all_ways(const uint8_t *text, size_t bytes)
{
    uint64_t marks[FLY_JSON_MARKS_CNT + 1];
    for (int way = FLY_JSON_INDEX_AVX2; way <= FLY_JSON_INDEX_PORTABLE; way++) {
        marks[FLY_JSON_MARKS_CNT] = 77; /* behind the array */
        if (fly_json_index_by((enum fly_json_index_way)way, text, bytes, marks))
            continue;
        expect_marks(text, bytes, marks);
        assert_true(marks[FLY_JSON_MARKS_CNT] == 77);
    }
    fly_json_index(text, bytes, marks);
    expect_marks(text, bytes, marks);
}

static void every_byte_is_marked_or_not(void **state)
{
    uint8_t text[256];
    (void)state;
    for (int i = 0; i < 256; i++)
        text[i] = (uint8_t)i;
    check_all_ways(text, sizeof(text));
}

static void all_ways_give_the_same(void **state)
{
    static uint8_t text[TEXT_BYTES];
    uint64_t seed = test_seed();
    (void)state;
    for (size_t bytes = 0; bytes <= TEXT_BYTES; bytes += bytes < 300 ? 1 : 97) {
        for (size_t i = 0; i < bytes; i++) {
            uint64_t random = next_random(&seed);
            text[i] = random % 4 ? (uint8_t)('a' + random % 20) : (uint8_t)(random >> 8);
        }
        check_all_ways(text, bytes);
    }
}

static void nothing_is_read_on_the_next_page(void **state)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    (void)state;
    uint8_t *at = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(at, MAP_FAILED);
    assert_int_equal(mprotect(at + page, page, PROT_NONE), 0);
    memset(at, '"', page);
    for (size_t bytes = 0; bytes < 200; bytes++)
        check_all_ways(at + page - bytes, bytes);
    munmap(at, 2 * page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_marked_or_not),
        cmocka_unit_test(all_ways_give_the_same),
        cmocka_unit_test(nothing_is_read_on_the_next_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
