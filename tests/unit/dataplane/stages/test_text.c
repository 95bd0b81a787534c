/* Text and JSON written into memory of a fixed size. */
#include "stages/text.h"

#include "support/unit.h"

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *seed >> 33;
}

static void what_does_not_fit_is_counted(void **state)
{
    uint8_t memory[4] = {0};
    struct fly_text text = {.at = memory, .max_bytes = 3};
    (void)state;
    fly_text_literal(&text, "ab");
    assert_true(fly_text_fits(&text));
    fly_text_literal(&text, "cd");
    assert_false(fly_text_fits(&text));
    fly_text_byte(&text, 'e');
    assert_int_equal(text.bytes, 5);
    assert_memory_equal(memory, "ab\0\0", 4);
}

static void measures_without_memory(void **state)
{
    struct fly_text text = {0};
    (void)state;
    fly_text_json_string(&text, "a\nb", 3);
    fly_text_number(&text, UINT64_MAX);
    assert_int_equal(text.bytes, 6 + 20);
}

static void expect_member(const void *data, size_t bytes, const char *expected)
{
    uint8_t memory[200];
    struct fly_text text = {.at = memory, .max_bytes = sizeof(memory)};
    fly_text_json_member(&text, "key", data, bytes);
    assert_int_equal(text.bytes, strlen(expected));
    assert_memory_equal(memory, expected, text.bytes);
}

static void json_members_are_escaped_or_in_base64(void **state)
{
    (void)state;
    expect_member("", 0, "\"key\":\"\"");
    expect_member("a\"b\\c\b\f\n\r\t\x01\0z", 13,
                  "\"key\":\"a\\\"b\\\\c\\b\\f\\n\\r\\t\\u0001\\u0000z\"");
    expect_member("gr\xc3\xbc\xc3\x9f", 6, "\"key\":\"gr\xc3\xbc\xc3\x9f\"");
    expect_member("\xff\xfe", 2, "\"key_base64\":\"//4=\"");
}

static void utf8_is_told_from_other_bytes(void **state)
{
    static const char *const bad[] = {
        "\x80",
        "\xc0\xaf",
        "\xc1\xbf",
        "\xc3",
        "\xe0\x80\xaf",
        "\xed\xa0\x80",
        "\xf0\x80\x80\xaf",
        "\xf4\x90\x80\x80",
        "\xf8\x88\x80\x80\x80",
        "\xe2\x82",
        "12345678\xff",
    };
    static const char *const good[] = {
        "",
        "plain",
        "\xc2\x80",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
        "long enough for eight at a time \xe2\x82\xac",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(fly_text_is_utf8(bad[i], strlen(bad[i])));
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(fly_text_is_utf8(good[i], strlen(good[i])));
}

static void base64_goes_there_and_back(void **state)
{
    uint64_t seed = test_seed();
    (void)state;
    for (int round = 0; round < 20000; round++) {
        uint8_t data[40], memory[64], back[48];
        size_t bytes = next_random(&seed) % sizeof(data);
        for (size_t i = 0; i < bytes; i++)
            data[i] = (uint8_t)next_random(&seed);
        struct fly_text text = {.at = memory, .max_bytes = sizeof(memory)};
        fly_text_base64(&text, data, bytes);
        assert_int_equal(text.bytes, (bytes + 2) / 3 * 4);
        assert_int_equal(fly_text_from_base64((char *)memory, text.bytes, back), bytes);
        assert_memory_equal(back, data, bytes);
    }
}

static void base64_of_others_is_refused(void **state)
{
    static const char *const bad[] = {
        "a", "abc", "ab=c", "a===", "====", "ab c", "abc\xff", "=abc", "ab==abcd"};
    uint8_t out[16];
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(fly_text_from_base64(bad[i], strlen(bad[i]), out), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_fit_is_counted),
        cmocka_unit_test(measures_without_memory),
        cmocka_unit_test(json_members_are_escaped_or_in_base64),
        cmocka_unit_test(utf8_is_told_from_other_bytes),
        cmocka_unit_test(base64_goes_there_and_back),
        cmocka_unit_test(base64_of_others_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
