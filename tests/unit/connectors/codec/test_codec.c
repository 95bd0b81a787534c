/* Messages as records, and dead letters there and back. */
#include "connectors/codec/codec.h"
#include "connectors/codec/dead_letter.h"

#include "support/unit.h"

#include <errno.h>
#include <jansson.h>
#include <msgpack.h>

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *seed >> 33;
}

static struct fly_string text_of(const char *text)
{
    return (struct fly_string){text, (uint32_t)strlen(text)};
}

/* The record of a message; static memory. */
static const char *record_of(enum fly_codec codec, const struct fly_msg *msg, size_t *bytes)
{
    static uint8_t memory[65536];
    struct fly_text text = {.at = memory, .max_bytes = sizeof(memory) - 1};
    fly_codec_encode(codec, msg, &text);
    assert_true(fly_text_fits(&text));
    memory[text.bytes] = '\0';
    *bytes = text.bytes;
    return (const char *)memory;
}

static void expect(enum fly_codec codec, struct fly_msg msg, const char *expected)
{
    size_t bytes;
    const char *record = record_of(codec, &msg, &bytes);
    assert_string_equal(record, expected);
    assert_int_equal(bytes, strlen(expected));
}

static struct fly_msg message(const char *key, const char *payload, uint32_t flags)
{
    return (struct fly_msg){.payload = (const uint8_t *)payload,
                            .payload_bytes = (uint32_t)strlen(payload),
                            .key = (const uint8_t *)key,
                            .key_bytes = key ? (uint32_t)strlen(key) : 0,
                            .flags = flags};
}

static void raw_is_the_payload_and_a_newline(void **state)
{
    (void)state;
    expect(FLY_CODEC_RAW, message("k", "payload", FLY_MSG_JSON), "payload\n");
    expect(FLY_CODEC_RAW, message(NULL, "", 0), "\n");
}

static void json_is_one_line_per_message(void **state)
{
    (void)state;
    expect(FLY_CODEC_JSON, message("k", "a\"b", 0), "{\"key\":\"k\",\"payload\":\"a\\\"b\"}\n");
    expect(FLY_CODEC_JSON, message(NULL, "\xff", 0), "{\"payload_base64\":\"/w==\"}\n");
    expect(FLY_CODEC_JSON, message("k", "{\"a\":\n1}", FLY_MSG_JSON), "{\"a\": 1}\n");
}

/* A dead letter's message: payload, then metadata. */
static struct fly_msg dead_letter(uint8_t *memory, uint32_t max_bytes, const void *payload,
                                  uint32_t payload_bytes, const char *id)
{
    struct fly_msg msg = {.payload = memory,
                          .payload_bytes = payload_bytes,
                          .flags = FLY_MSG_DEAD_LETTER | FLY_MSG_JSON};
    memcpy(memory, payload, payload_bytes);
    uint8_t *block = memory + payload_bytes;
    const char *const meta[][2] = {{FLY_META_REASON, "too_large"},
                                   {FLY_META_NODE, "lines"},
                                   {FLY_META_SOURCE, "lines"},
                                   {FLY_META_ATTEMPTS, "3"},
                                   {FLY_META_TIME, "2026-11-23T19:00:00.000Z"},
                                   {FLY_META_ID, id},
                                   {FLY_META_BYTES, "99"}};
    for (size_t i = 0; i < sizeof(meta) / sizeof(meta[0]); i++)
        assert_int_equal(fly_meta_add(block, max_bytes - payload_bytes, &msg.meta_bytes,
                                      text_of(meta[i][0]), text_of(meta[i][1])),
                         0);
    return msg;
}

static void dead_letter_says_why_and_has_the_bytes(void **state)
{
    uint8_t memory[512];
    (void)state;
    struct fly_msg msg = dead_letter(memory, sizeof(memory), "line", 4, "12");
    expect(FLY_CODEC_JSON, msg,
           "{\"reason\":\"too_large\",\"node\":\"lines\",\"source\":\"lines\",\"attempts\":3,"
           "\"time\":\"2026-11-23T19:00:00.000Z\",\"id\":12,\"bytes\":99,\"payload\":\"line\"}\n");
}

static void dead_letter_goes_there_and_back(void **state)
{
    uint64_t seed = test_seed();
    (void)state;
    for (int round = 0; round < 10000; round++) {
        static const char *const ids[] = {"0", "12", "9223372036854775807", "9999999999999999999",
                                          "18446744073709551615"};
        uint8_t memory[512], payload[100], key[10];
        struct fly_dead_letter letter;
        uint32_t bytes = (uint32_t)next_random(&seed) % 100;
        size_t record_bytes;
        for (uint32_t i = 0; i < bytes; i++)
            payload[i] = (uint8_t)(round % 2 ? next_random(&seed) : next_random(&seed) % 128);
        memcpy(key, payload, 10);
        struct fly_msg msg = dead_letter(memory, sizeof(memory), payload, bytes, ids[round % 5]);
        msg.key = round % 3 ? key : NULL;
        msg.key_bytes = round % 3 && bytes >= 10 ? 10 : 0;
        const char *record = record_of(FLY_CODEC_JSON, &msg, &record_bytes);
        assert_int_equal(fly_dead_letter_read(&letter, record, record_bytes), 0);
        assert_int_equal(letter.payload_bytes, bytes);
        assert_memory_equal(letter.payload, payload, bytes);
        assert_int_equal(letter.key != NULL, msg.key != NULL);
        assert_int_equal(letter.key_bytes, msg.key_bytes);
        if (msg.key)
            assert_memory_equal(letter.key, key, letter.key_bytes);
        assert_string_equal(letter.reason, "too_large");
        assert_int_equal(letter.attempts, 3);
        assert_int_equal(letter.id, strtoull(ids[round % 5], NULL, 10));
        assert_int_equal(letter.total_bytes, 99);
        fly_dead_letter_free(&letter);
    }
}

static void reader_refuses_what_is_no_dead_letter(void **state)
{
    static const char *const bad[] = {
        "",
        "nothing",
        "[]",
        "\"payload\"",
        "{}",
        "{\"reason\":\"x\"}",
        "{\"payload\":1}",
        "{\"payload\":\"a\",\"payload_base64\":\"YQ==\"}",
        "{\"payload_base64\":\"?\"}",
        "{\"payload_base64\":7}",
        "{\"payload\":\"a\",\"id\":-1}",
        "{\"payload\":\"a\",\"id\":1.5}",
        "{\"payload\":\"a\",\"id\":\"x\"}",
        "{\"payload\":\"a\",\"id\":\"99999999999999999999\"}",
        "{\"payload\":\"a\",\"reason\":4}",
        "{\"payload\":\"a\",\"payload\":\"b\"}",
        "{\"payload\":\"a\",\"key\":[]}",
    };
    struct fly_dead_letter letter;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (fly_dead_letter_read(&letter, bad[i], strlen(bad[i])) != -EINVAL)
            fail_msg("'%s' is no dead letter", bad[i]);
}

static void reader_takes_the_least_and_ignores_more(void **state)
{
    static const char least[] = "{\"payload\":\"\\u0000a\",\"later\":{}}";
    struct fly_dead_letter letter;
    (void)state;
    assert_int_equal(fly_dead_letter_read(&letter, least, sizeof(least) - 1), 0);
    assert_int_equal(letter.payload_bytes, 2);
    assert_int_equal(letter.total_bytes, 2);
    assert_memory_equal(letter.payload, "\0a", 2);
    assert_null(letter.reason);
    fly_dead_letter_free(&letter);
}

static void msgpack_is_a_map_of_the_same_names(void **state)
{
    uint8_t memory[512];
    msgpack_unpacked record;
    size_t bytes, at = 0;
    (void)state;
    struct fly_msg msg = dead_letter(memory, sizeof(memory), "\xffx", 2, "12");
    const char *data = record_of(FLY_CODEC_MSGPACK, &msg, &bytes);
    msgpack_unpacked_init(&record);
    assert_int_equal(msgpack_unpack_next(&record, data, bytes, &at), MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(at, bytes);
    const msgpack_object_map *map = &record.data.via.map;
    assert_int_equal(map->size, 8);
    assert_memory_equal(map->ptr[0].key.via.str.ptr, "reason", 6);
    assert_int_equal(map->ptr[3].val.via.u64, 3);
    assert_int_equal(map->ptr[7].val.type, MSGPACK_OBJECT_BIN);
    assert_int_equal(map->ptr[7].val.via.bin.size, 2);
    assert_memory_equal(map->ptr[7].val.via.bin.ptr, "\xffx", 2);
    msgpack_unpacked_destroy(&record);
}

static void whole_records_end_where_the_torn_one_begins(void **state)
{
    uint8_t stream[512];
    size_t bytes, end = 0, whole = 0;
    (void)state;
    assert_int_equal(fly_codec_whole(FLY_CODEC_RAW, (const uint8_t *)"", 0), 0);
    assert_int_equal(fly_codec_whole(FLY_CODEC_RAW, (const uint8_t *)"a\nb\n", 4), 4);
    assert_int_equal(fly_codec_whole(FLY_CODEC_JSON, (const uint8_t *)"a\nbc", 4), 2);
    assert_int_equal(fly_codec_whole(FLY_CODEC_JSON, (const uint8_t *)"abc", 3), 0);
    for (int i = 0; i < 3; i++) {
        struct fly_msg msg = message("key", "payload", 0);
        const char *record = record_of(FLY_CODEC_MSGPACK, &msg, &bytes);
        memcpy(stream + end, record, bytes);
        end += bytes;
    }
    for (size_t cut = 0; cut <= end; cut++) {
        whole = cut / bytes * bytes;
        assert_int_equal(fly_codec_whole(FLY_CODEC_MSGPACK, stream, cut), whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_is_the_payload_and_a_newline),
        cmocka_unit_test(json_is_one_line_per_message),
        cmocka_unit_test(dead_letter_says_why_and_has_the_bytes),
        cmocka_unit_test(dead_letter_goes_there_and_back),
        cmocka_unit_test(reader_refuses_what_is_no_dead_letter),
        cmocka_unit_test(reader_takes_the_least_and_ignores_more),
        cmocka_unit_test(msgpack_is_a_map_of_the_same_names),
        cmocka_unit_test(whole_records_end_where_the_torn_one_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
