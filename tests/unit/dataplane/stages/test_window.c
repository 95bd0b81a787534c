/* Counts and sums in windows of event time: when they come, what is late, what fails. */
#include "stages/event_time.h"
#include "stages/stages.h"

#include "support/fake_task.h"
#include "support/unit.h"

#define S INT64_C(1000000000)
#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

/* The beginning of the node's own struct: its parameters. */
struct params {
    struct fly_time_params time;
    uint64_t every_ns, allowed_lateness_ns;
    uint32_t aggregate;
    struct fly_string field;
};

enum { COUNT, SUM, MIN, MAX };

/* Times are seconds: the payload, or `t` in it. */
static const struct fly_time_params plain = {.from = FLY_TIME_PAYLOAD, .format = FLY_TIME_UNIX_S};
static const struct fly_time_params json = {.time = TEXT("t"), .format = FLY_TIME_UNIX_S};

static struct fake_task *task_of(struct params params)
{
    union {
        struct params params;
        uint8_t bytes[8192];
    } self = {.params = params};
    assert_true(fly_window_node.self_bytes <= sizeof(self));
    return fake_task_create(&fly_window_node, &self);
}

static struct fake_task *started(struct params params)
{
    struct fake_task *fake = task_of(params);
    assert_int_equal(fake_setup(fake), 0);
    return fake;
}

static void a_window_is_sent_when_the_watermark_is_at_its_end(void **state)
{
    (void)state;
    struct fake_task *fake = started((struct params){.time = plain, .every_ns = 10 * S});
    fake_send_keyed(fake, "a", "5");
    fake_send_keyed(fake, "b", "9.999");
    fake_send_keyed(fake, "a", "0");
    uint64_t last = fake_send_keyed(fake, "a", "10");
    assert_true(fake_is_done(fake, last));
    fake_watermark(fake, 10 * S - 1);
    assert_int_equal(fake->out_cnt, 0);
    fake_watermark(fake, 10 * S);
    assert_int_equal(fake->out_cnt, 2);
    fake_expect(fake, 0, 0, "{\"key\":\"a\",\"window_start\":0,\"window_end\":10,\"count\":2}");
    fake_expect(fake, 1, 0, "{\"key\":\"b\",\"window_start\":0,\"window_end\":10,\"count\":1}");
    assert_int_equal(fake->out[0].kind, FAKE_OWN);
    assert_int_equal(fake->out[0].msg.flags, FLY_MSG_JSON);
    assert_memory_equal(fake->out[0].msg.key, "a", 1);
    fake_watermark(fake, 50 * S);
    assert_int_equal(fake->out_cnt, 3);
    fake_expect(fake, 2, 0, "{\"key\":\"a\",\"window_start\":10,\"window_end\":20,\"count\":1}");
    fake_task_destroy(fake);
}

static void at_the_end_all_open_windows_are_sent(void **state)
{
    (void)state;
    struct fake_task *fake = started((struct params){.time = plain, .every_ns = 10 * S});
    fake_send_keyed(fake, "a", "25");
    fake_send_keyed(fake, "a", "-1");
    fake_finish(fake);
    fake_expect(fake, 0, 0, "{\"key\":\"a\",\"window_start\":-10,\"window_end\":0,\"count\":1}");
    fake_expect(fake, 1, 0, "{\"key\":\"a\",\"window_start\":20,\"window_end\":30,\"count\":1}");
    fake_task_destroy(fake);
}

static void late_messages_go_to_their_port(void **state)
{
    (void)state;
    struct fake_task *fake = started((struct params){.time = plain, .every_ns = 10 * S});
    fake_watermark(fake, 12 * S);
    fake_send_keyed(fake, "a", "11"); /* before the watermark, but its window is open */
    uint64_t late = fake_send_keyed(fake, "a", "9");
    assert_true(fake_is_done(fake, late));
    assert_int_equal(fake->out_cnt, 1);
    fake_expect(fake, 0, fake_port(fake, "late"), "9");
    assert_int_equal(fake->out[0].input, late);
    assert_int_equal(fake->errors, 0);
    fake_task_destroy(fake);
}

static void late_messages_that_nobody_wants_are_counted(void **state)
{
    (void)state;
    struct fake_task *fake = task_of((struct params){.time = plain, .every_ns = 10 * S});
    fake->unconnected = 1U << fake_port(fake, "late");
    assert_int_equal(fake_setup(fake), 0);
    fake_watermark(fake, 12 * S);
    uint64_t late = fake_send_keyed(fake, "a", "9");
    assert_true(fake_is_done(fake, late));
    assert_int_equal(fake->out_cnt, 0);
    assert_int_equal(fake->errors, 1);
    fake_task_destroy(fake);
}

static void allowed_lateness_keeps_windows_open(void **state)
{
    (void)state;
    struct fake_task *fake =
        started((struct params){.time = plain, .every_ns = 10 * S, .allowed_lateness_ns = 5 * S});
    fake_send_keyed(fake, "a", "1");
    fake_watermark(fake, 15 * S - 1);
    fake_send_keyed(fake, "a", "2");
    assert_int_equal(fake->out_cnt, 0);
    fake_watermark(fake, 15 * S);
    fake_expect(fake, 0, 0, "{\"key\":\"a\",\"window_start\":0,\"window_end\":10,\"count\":2}");
    fake_send_keyed(fake, "a", "3");
    fake_expect(fake, 1, fake_port(fake, "late"), "3");
    fake_task_destroy(fake);
}

static void numbers_are_aggregated(void **state)
{
    (void)state;
    static const struct {
        uint32_t aggregate;
        const char *result;
    } cases[] = {{SUM, "\"sum\":6.25"}, {MIN, "\"min\":-1"}, {MAX, "\"max\":7.15"}};
    for (size_t i = 0; i < 3; i++) {
        char expected[128];
        struct fake_task *fake = started((struct params){.time = json,
                                                         .every_ns = 10 * S,
                                                         .aggregate = cases[i].aggregate,
                                                         .field = TEXT("order.sum")});
        fake_send_keyed(fake, "a", "{\"t\":1,\"order\":{\"sum\":0.1}}");
        fake_send_keyed(fake, "a", "{\"t\":1,\"order\":{\"sum\":-1}}");
        fake_send_keyed(fake, "a", "{\"order\":{\"sum\":7.15},\"t\":2}");
        fake_finish(fake);
        (void)snprintf(expected, sizeof(expected),
                       "{\"key\":\"a\",\"window_start\":0,\"window_end\":10,\"count\":3,%s}",
                       cases[i].result);
        fake_expect(fake, 0, 0, expected);
        fake_task_destroy(fake);
    }
}

static void bad_messages_fail_with_a_reason(void **state)
{
    (void)state;
    struct fake_task *fake = started(
        (struct params){.time = json, .every_ns = 10 * S, .aggregate = SUM, .field = TEXT("n")});
    static const struct {
        const char *text;
        uint32_t reason;
    } bad[] = {{"{", FLY_REASON_BAD_INPUT},
               {"{\"n\":1}", FLY_REASON_NODE},
               {"{\"n\":1,\"t\":\"x\"}", FLY_REASON_NODE + 1},
               {"{\"n\":1,\"t\":9223372036.8}", FLY_REASON_NODE + 1}, /* no end of it */
               {"{\"t\":1}", FLY_REASON_NODE + 2},
               {"{\"t\":1,\"n\":\"5\"}", FLY_REASON_NODE + 2},
               {"{\"t\":1,\"n\":1e999}", FLY_REASON_NODE + 2}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t input = fake_send_keyed(fake, "a", bad[i].text);
        assert_true(fake->input[input].failed);
        assert_int_equal(fake->input[input].reason, bad[i].reason);
    }
    static char key[4100];
    memset(key, 'k', sizeof(key) - 1);
    uint64_t input = fake_send_keyed(fake, key, "{\"t\":1,\"n\":1}");
    assert_int_equal(fake->input[input].reason, FLY_REASON_TOO_LARGE);
    fake_finish(fake);
    assert_int_equal(fake->out_cnt, 0);
    fake_task_destroy(fake);
}

static void messages_without_a_key_count_together(void **state)
{
    (void)state;
    struct fake_task *fake = started((struct params){.time = plain, .every_ns = 10 * S});
    fake_send(fake, "1");
    fake_send(fake, "2");
    fake_send_keyed(fake, "", "2");
    fake_send_keyed(fake, "\xff", "2");
    fake_finish(fake);
    fake_expect(fake, 0, 0, "{\"key\":null,\"window_start\":0,\"window_end\":10,\"count\":2}");
    fake_expect(fake, 1, 0, "{\"key\":\"\",\"window_start\":0,\"window_end\":10,\"count\":1}");
    fake_expect(fake, 2, 0,
                "{\"key_base64\":\"/w==\",\"window_start\":0,\"window_end\":10,\"count\":1}");
    assert_null(fake->out[0].msg.key);
    fake_task_destroy(fake);
}

static void full_state_fails_new_keys(void **state)
{
    (void)state;
    struct fake_task *fake = task_of((struct params){.time = plain, .every_ns = 10 * S});
    fake->state_bytes = 65536;
    assert_int_equal(fake_setup(fake), 0);
    uint64_t input = 0;
    uint32_t cnt = 0;
    for (; cnt < 5000; cnt++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "key%u", cnt);
        input = fake_send_keyed(fake, key, "1");
        if (fake->input[input].failed)
            break;
    }
    assert_in_range(cnt, 500, 2000);
    assert_int_equal(fake->input[input].reason, FLY_REASON_STATE_FULL);
    assert_true(fake_is_done(fake, fake_send_keyed(fake, "key0", "1")));
    fake_watermark(fake, 10 * S); /* which makes room */
    assert_int_equal(fake->out_cnt, cnt);
    assert_true(fake_is_done(fake, fake_send_keyed(fake, "new", "11")));
    fake_task_destroy(fake);
}

static void what_does_not_go_together_is_refused(void **state)
{
    (void)state;
    struct fake_task *fake =
        task_of((struct params){.time = json, .every_ns = S, .field = TEXT("n")});
    assert_int_equal(fake_setup(fake), -1);
    assert_string_equal(fake->refused_param, "field");
    fake_task_destroy(fake);
    fake = task_of((struct params){.time = json, .every_ns = S, .aggregate = SUM});
    assert_int_equal(fake_setup(fake), -1);
    assert_string_equal(fake->refused_param, "field");
    fake_task_destroy(fake);
    fake = task_of((struct params){.time = json, .every_ns = S});
    fake->state_bytes = 1000;
    assert_int_equal(fake_setup(fake), -1);
    assert_string_equal(fake->refused_param, "state_bytes");
    fake_task_destroy(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_is_sent_when_the_watermark_is_at_its_end),
        cmocka_unit_test(at_the_end_all_open_windows_are_sent),
        cmocka_unit_test(late_messages_go_to_their_port),
        cmocka_unit_test(late_messages_that_nobody_wants_are_counted),
        cmocka_unit_test(allowed_lateness_keeps_windows_open),
        cmocka_unit_test(numbers_are_aggregated),
        cmocka_unit_test(bad_messages_fail_with_a_reason),
        cmocka_unit_test(messages_without_a_key_count_together),
        cmocka_unit_test(full_state_fails_new_keys),
        cmocka_unit_test(what_does_not_go_together_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
