/* Counting by key: at the end, every so often, at each change, and only the most frequent. */
#include "stages/stages.h"

#include "support/fake_task.h"
#include "support/unit.h"

/* The beginning of the node's own struct: its parameters. */
struct params {
    uint32_t emit;
    uint64_t every_ns;
    uint64_t top_cnt;
};

enum { AT_END, EVERY, EACH_CHANGE };

static struct fake_task *task_of(struct params params)
{
    union {
        struct params params;
        uint8_t bytes[512];
    } self = {.params = params};
    assert_true(fly_count_node.self_bytes <= sizeof(self));
    return fake_task_create(&fly_count_node, &self);
}

static void top_does_not_go_with_each_change(void **state)
{
    (void)state;
    struct fake_task *fake = task_of((struct params){.emit = EACH_CHANGE, .top_cnt = 3});
    assert_int_equal(fake_setup(fake), -1);
    assert_string_equal(fake->refused_param, "top");
    fake_task_destroy(fake);
}

static void refuses_too_little_state(void **state)
{
    (void)state;
    struct fake_task *fake = task_of((struct params){0});
    fake->state_bytes = 100;
    assert_int_equal(fake_setup(fake), -1);
    assert_string_equal(fake->refused_param, "state_bytes");
    fake_task_destroy(fake);
}

static void counts_come_at_the_end(void **state)
{
    (void)state;
    struct fake_task *fake = task_of((struct params){.emit = AT_END});
    assert_int_equal(fake_setup(fake), 0);
    fake_send_keyed(fake, "b", "-");
    fake_send_keyed(fake, "a", "-");
    uint64_t third = fake_send_keyed(fake, "b", "-");
    assert_true(fake_is_done(fake, third));
    assert_int_equal(fake->out_cnt, 0);
    fake_finish(fake);
    assert_int_equal(fake->out_cnt, 2);
    fake_expect(fake, 0, 0, "{\"key\":\"b\",\"count\":2}");
    fake_expect(fake, 1, 0, "{\"key\":\"a\",\"count\":1}");
    assert_int_equal(fake->out[0].kind, FAKE_OWN);
    assert_int_equal(fake->out[0].msg.flags, FLY_MSG_JSON);
    assert_int_equal(fake->out[0].msg.key_bytes, 1);
    fake_task_destroy(fake);
}

static void message_without_key_counts_by_payload(void **state)
{
    (void)state;
    struct fake_task *fake = task_of((struct params){.emit = AT_END});
    assert_int_equal(fake_setup(fake), 0);
    fake_send(fake, "a");
    fake_send_keyed(fake, "a", "-");
    fake_finish(fake);
    fake_expect(fake, 0, 0, "{\"key\":\"a\",\"count\":2}");
    fake_task_destroy(fake);
}

static void every_interval_sends_what_changed(void **state)
{
    (void)state;
    struct fake_task *fake = task_of((struct params){.emit = EVERY, .every_ns = 1000000000});
    assert_int_equal(fake_setup(fake), 0);
    assert_int_equal(fake->tick_every_ns, 1000000000);
    fake_send_keyed(fake, "a", "-");
    fake_send_keyed(fake, "b", "-");
    fake_tick(fake);
    assert_int_equal(fake->out_cnt, 2);
    fake_tick(fake);
    assert_int_equal(fake->out_cnt, 2);
    fake_send_keyed(fake, "b", "-");
    fake_finish(fake);
    assert_int_equal(fake->out_cnt, 3);
    fake_expect(fake, 2, 0, "{\"key\":\"b\",\"count\":2}");
    fake_task_destroy(fake);
}

static void each_change_is_a_child_of_its_message(void **state)
{
    (void)state;
    struct fake_task *fake = task_of((struct params){.emit = EACH_CHANGE});
    assert_int_equal(fake_setup(fake), 0);
    fake_send_keyed(fake, "a", "-");
    uint64_t second = fake_send_keyed(fake, "a", "-");
    fake_finish(fake);
    assert_int_equal(fake->out_cnt, 2);
    fake_expect(fake, 1, 0, "{\"key\":\"a\",\"count\":2}");
    assert_int_equal(fake->out[1].kind, FAKE_CHILD);
    assert_int_equal(fake->out[1].input, second);
    fake_task_destroy(fake);
}

static void top_sends_the_most_frequent_in_order(void **state)
{
    char key[8], expected[64];
    (void)state;
    struct fake_task *fake = task_of((struct params){.emit = AT_END, .top_cnt = 5});
    assert_int_equal(fake_setup(fake), 0);
    for (int i = 0; i < 40; i++) {
        snprintf(key, sizeof(key), "k%02d", (i * 17) % 40);
        for (int n = 0; n <= (i * 17) % 40 / 2; n++)
            fake_send_keyed(fake, key, "-");
    }
    fake_finish(fake);
    assert_int_equal(fake->out_cnt, 5);
    static const int order[] = {38, 39, 36, 37, 34}; /* equal counts: by key */
    for (uint64_t i = 0; i < 5; i++) {
        snprintf(expected, sizeof(expected), "{\"key\":\"k%02d\",\"count\":%d}", order[i],
                 order[i] / 2 + 1);
        fake_expect(fake, i, 0, expected);
    }
    fake_task_destroy(fake);
}

static void key_that_is_not_text_is_sent_in_base64(void **state)
{
    (void)state;
    struct fake_task *fake = task_of((struct params){.emit = AT_END});
    assert_int_equal(fake_setup(fake), 0);
    fake_send_keyed(fake, "\xff\xfe", "-");
    fake_finish(fake);
    fake_expect(fake, 0, 0, "{\"key_base64\":\"//4=\",\"count\":1}");
    fake_task_destroy(fake);
}

static void full_state_fails_new_keys_only(void **state)
{
    char key[24];
    uint64_t failed = 0;
    (void)state;
    struct fake_task *fake = task_of((struct params){.emit = AT_END});
    fake->state_bytes = 8192;
    assert_int_equal(fake_setup(fake), 0);
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "key-%d", i);
        uint64_t input = fake_send_keyed(fake, key, "-");
        failed += fake->input[input].failed;
        if (fake->input[input].failed)
            assert_int_equal(fake->input[input].reason, FLY_REASON_STATE_FULL);
    }
    assert_true(failed > 0 && failed < 1000);
    assert_true(fake_is_done(fake, fake_send_keyed(fake, "key-0", "-")));
    fake_finish(fake);
    assert_int_equal(fake->out_cnt, 1000 - failed);
    fake_task_destroy(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(top_does_not_go_with_each_change),
        cmocka_unit_test(refuses_too_little_state),
        cmocka_unit_test(counts_come_at_the_end),
        cmocka_unit_test(message_without_key_counts_by_payload),
        cmocka_unit_test(every_interval_sends_what_changed),
        cmocka_unit_test(each_change_is_a_child_of_its_message),
        cmocka_unit_test(top_sends_the_most_frequent_in_order),
        cmocka_unit_test(key_that_is_not_text_is_sent_in_base64),
        cmocka_unit_test(full_state_fails_new_keys_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
