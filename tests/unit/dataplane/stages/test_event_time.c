/* Times as text, and the stage that reads them: timestamps. */
#include "base/mix.h"
#include "stages/event_time.h"
#include "stages/stages.h"

#include "support/fake_task.h"
#include "support/unit.h"

#include <time.h>

#define S INT64_C(1000000000)

static int64_t parsed(enum fly_time_format format, const char *text)
{
    int64_t ns;
    if (!fly_time_parse(format, (const uint8_t *)text, (uint32_t)strlen(text), &ns))
        fail_msg("\"%s\" is not a time", text);
    return ns;
}

static void expect_bad(enum fly_time_format format, const char *text)
{
    int64_t ns;
    if (fly_time_parse(format, (const uint8_t *)text, (uint32_t)strlen(text), &ns))
        fail_msg("\"%s\" is a time", text);
}

static void expect_text(enum fly_time_format format, int64_t ns, const char *expected)
{
    uint8_t buffer[64];
    struct fly_text text = {.at = buffer, .max_bytes = sizeof(buffer)};
    fly_time_write(&text, format, ns);
    buffer[text.bytes] = 0;
    assert_string_equal((const char *)buffer, expected);
}

static void numbers_are_read_in_their_unit(void **state)
{
    (void)state;
    assert_int_equal(parsed(FLY_TIME_UNIX_S, "1700000000"), 1700000000 * S);
    assert_int_equal(parsed(FLY_TIME_UNIX_S, "1700000000.123456789"), 1700000000 * S + 123456789);
    assert_int_equal(parsed(FLY_TIME_UNIX_S, "1.7e9"), 1700000000 * S);
    assert_int_equal(parsed(FLY_TIME_UNIX_S, "-1.5"), -1500000000);
    assert_int_equal(parsed(FLY_TIME_UNIX_MS, "1700000000123"), 1700000000 * S + 123000000);
    assert_int_equal(parsed(FLY_TIME_UNIX_MS, "0.5"), 500000);
    assert_int_equal(parsed(FLY_TIME_UNIX_US, "1700000000123456"), 1700000000 * S + 123456000);
    assert_int_equal(parsed(FLY_TIME_UNIX_NS, "1700000000123456789"), 1700000000 * S + 123456789);
    assert_int_equal(parsed(FLY_TIME_UNIX_NS, "5.99"), 5);
    assert_int_equal(parsed(FLY_TIME_UNIX_NS, "9223372036854775807"), INT64_MAX);
    static const char *const bad[] = {"",    "-",     ".5",  "5.",   "1e",
                                      "1e+", "12x",   " 1",  "+1",   "0x1",
                                      "--1", "1.2.3", "nan", "1e30", "9999999999999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_bad(FLY_TIME_UNIX_S, bad[i]);
    expect_bad(FLY_TIME_UNIX_NS, "9223372036854775808");
}

static void dates_are_read(void **state)
{
    (void)state;
    assert_int_equal(parsed(FLY_TIME_RFC3339, "1970-01-01T00:00:00Z"), 0);
    assert_int_equal(parsed(FLY_TIME_RFC3339, "2023-11-14T22:13:20.5Z"), 1700000000 * S + S / 2);
    assert_int_equal(parsed(FLY_TIME_RFC3339, "2023-11-14t23:43:20+01:30"), 1700000000 * S);
    assert_int_equal(parsed(FLY_TIME_RFC3339, "2023-11-14 21:13:20-01:00"), 1700000000 * S);
    assert_int_equal(parsed(FLY_TIME_RFC3339, "1969-12-31T23:59:59.25Z"), -S + S / 4);
    assert_int_equal(parsed(FLY_TIME_RFC3339, "2024-02-29T00:00:00Z"), 1709164800 * S);
    static const char *const bad[] = {"",
                                      "2023-11-14",
                                      "2023-11-14T22:13:20",
                                      "2023-11-14T22:13:20.Z",
                                      "2023-11-14T22:13:20Zx",
                                      "2023-11-14X22:13:20Z",
                                      "2023-02-29T00:00:00Z",
                                      "2023-13-01T00:00:00Z",
                                      "2023-00-01T00:00:00Z",
                                      "2023-01-01T24:00:00Z",
                                      "2023-01-01T00:60:00Z",
                                      "2023-01-01T00:00:61Z",
                                      "2023-01-01T00:00:00+24:00",
                                      "2023-01-01T00:00:00+0100",
                                      "20a3-01-01T00:00:00Z",
                                      "0001-01-01T00:00:00Z",
                                      "9999-01-01T00:00:00Z"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_bad(FLY_TIME_RFC3339, bad[i]);
}

static void times_are_written(void **state)
{
    (void)state;
    expect_text(FLY_TIME_RFC3339, 1700000000 * S, "\"2023-11-14T22:13:20Z\"");
    expect_text(FLY_TIME_RFC3339, 1700000000 * S + 50000000, "\"2023-11-14T22:13:20.05Z\"");
    expect_text(FLY_TIME_RFC3339, -1, "\"1969-12-31T23:59:59.999999999Z\"");
    expect_text(FLY_TIME_UNIX_S, 1700000000 * S, "1700000000");
    expect_text(FLY_TIME_UNIX_S, 1700000000 * S + S / 10, "1700000000.1");
    expect_text(FLY_TIME_UNIX_MS, -1500000, "-1.5");
    expect_text(FLY_TIME_UNIX_NS, INT64_MIN, "-9223372036854775808");
}

/* What is written is read again as the same, and the library agrees about dates. */
static void random_times_come_back(void **state)
{
    struct fly_rng rng;
    (void)state;
    fly_rng_init(&rng, test_seed());
    for (int i = 0; i < 100000; i++) {
        uint8_t buffer[64];
        int64_t again, ns = (int64_t)fly_rng_next(&rng) / 2;
        enum fly_time_format format = (enum fly_time_format)(i % 5);
        struct fly_text text = {.at = buffer, .max_bytes = sizeof(buffer)};
        fly_time_write(&text, format, ns);
        bool quoted = format == FLY_TIME_RFC3339;
        assert_true(
            fly_time_parse(format, buffer + quoted, (uint32_t)text.bytes - 2 * quoted, &again));
        assert_int_equal(again, ns);
        if (!quoted)
            continue;
        char date[40];
        time_t seconds = (time_t)(ns / S - (ns % S < 0));
        struct tm tm;
        assert_non_null(gmtime_r(&seconds, &tm));
        strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
        assert_memory_equal(buffer + 1, date, 19);
    }
}

/* --- The stage ------------------------------------------------------------------------------- */

/* The beginning of the node's own struct: its parameters. */
struct params {
    struct fly_time_params time;
    uint64_t late_by_ns, idle_after_ns;
};

static struct fake_task *task_of(struct params params)
{
    union {
        struct params params;
        uint8_t bytes[8192];
    } self = {.params = params};
    assert_true(fly_timestamps_node.self_bytes <= sizeof(self));
    return fake_task_create(&fly_timestamps_node, &self);
}

#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static void the_watermark_stays_behind_the_greatest_time(void **state)
{
    (void)state;
    struct fake_task *fake = task_of((struct params){
        .time = {.time = TEXT("at.ms"), .format = FLY_TIME_UNIX_MS}, .late_by_ns = 100000000});
    assert_int_equal(fake_setup(fake), 0);
    fake_send(fake, "{\"at\":{\"ms\":5000}}");
    assert_int_equal(fake->watermark_ns, 4900000000);
    fake_send(fake, "{\"at\":{\"ms\":\"7000\"}}");
    assert_int_equal(fake->watermark_ns, 6900000000);
    fake_send(fake, "{\"at\":{\"ms\":6000}}");
    assert_int_equal(fake->watermark_ns, 6900000000);
    assert_int_equal(fake->out_cnt, 3);
    fake_expect(fake, 1, 0, "{\"at\":{\"ms\":\"7000\"}}");
    fake_task_destroy(fake);
}

static void a_message_without_a_time_fails(void **state)
{
    (void)state;
    struct fake_task *fake = task_of((struct params){.time = {.time = TEXT("at")}});
    assert_int_equal(fake_setup(fake), 0);
    static const struct {
        const char *text;
        uint32_t reason;
    } bad[] = {{"{\"at\"", FLY_REASON_BAD_INPUT},
               {"{\"to\":1}", FLY_REASON_NODE},
               {"{\"at\":\"noon\"}", FLY_REASON_NODE + 1},
               {"{\"at\":[1]}", FLY_REASON_NODE + 1},
               {"{\"at\":null}", FLY_REASON_NODE + 1}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t input = fake_send(fake, bad[i].text);
        assert_true(fake->input[input].failed);
        assert_int_equal(fake->input[input].reason, bad[i].reason);
    }
    assert_int_equal(fake->out_cnt, 0);
    assert_string_equal(fly_timestamps_node.reasons[0], "no_time");
    assert_string_equal(fly_timestamps_node.reasons[1], "bad_time");
    fake_task_destroy(fake);
}

static void times_come_from_payload_or_metadata(void **state)
{
    (void)state;
    struct fake_task *fake =
        task_of((struct params){.time = {.from = FLY_TIME_PAYLOAD, .format = FLY_TIME_UNIX_S}});
    assert_int_equal(fake_setup(fake), 0);
    fake_send(fake, "12");
    assert_int_equal(fake->watermark_ns, 12 * S);
    fake_task_destroy(fake);

    uint8_t message[64] = "hi";
    uint32_t bytes = 0;
    assert_int_equal(fly_meta_add(message + 2, 62, &bytes, (struct fly_string)TEXT("x"),
                                  (struct fly_string)TEXT("5")),
                     0);
    assert_int_equal(fly_meta_add(message + 2, 62, &bytes, (struct fly_string)TEXT("when"),
                                  (struct fly_string)TEXT("13")),
                     0);
    fake = task_of((struct params){
        .time = {.time = TEXT("when"), .from = FLY_TIME_METADATA, .format = FLY_TIME_UNIX_S}});
    assert_int_equal(fake_setup(fake), 0);
    struct fly_msg msg = fake_msg(message, 2);
    msg.meta_bytes = bytes;
    fake_process(fake, &msg, 1);
    assert_int_equal(fake->watermark_ns, 13 * S);
    assert_int_equal(fake->out[0].msg.meta_bytes, bytes);
    fake_task_destroy(fake);
}

static void a_task_without_messages_says_that_it_is_idle(void **state)
{
    (void)state;
    struct fake_task *fake = task_of((struct params){
        .time = {.from = FLY_TIME_PAYLOAD, .format = FLY_TIME_UNIX_S}, .idle_after_ns = 4 * S});
    assert_int_equal(fake_setup(fake), 0);
    assert_int_equal(fake->tick_every_ns, S);
    for (int round = 0; round < 2; round++) {
        fake_send(fake, "12");
        assert_false(fake->idle);
        for (int i = 0; i < 4; i++)
            fake_tick(fake);
        assert_false(fake->idle);
        fake_tick(fake);
        assert_true(fake->idle);
    }
    fake_task_destroy(fake);
}

static void what_does_not_go_together_is_refused(void **state)
{
    (void)state;
    static const struct fly_time_params bad[] = {
        {.from = FLY_TIME_JSON},
        {.from = FLY_TIME_METADATA},
        {.time = TEXT("a..b"), .from = FLY_TIME_JSON},
        {.time = TEXT("a"), .from = FLY_TIME_PAYLOAD},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct fake_task *fake = task_of((struct params){.time = bad[i]});
        assert_int_equal(fake_setup(fake), -1);
        assert_string_equal(fake->refused_param, "time");
        fake_task_destroy(fake);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_in_their_unit),
        cmocka_unit_test(dates_are_read),
        cmocka_unit_test(times_are_written),
        cmocka_unit_test(random_times_come_back),
        cmocka_unit_test(the_watermark_stays_behind_the_greatest_time),
        cmocka_unit_test(a_message_without_a_time_fails),
        cmocka_unit_test(times_come_from_payload_or_metadata),
        cmocka_unit_test(a_task_without_messages_says_that_it_is_idle),
        cmocka_unit_test(what_does_not_go_together_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
