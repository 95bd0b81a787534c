/* Words, lines and parts, against a naive splitter. */
#include "stages/stages.h"

#include "support/fake_task.h"
#include "support/unit.h"

/* The beginning of the node's own struct: its parameters. */
struct params {
    uint32_t on;
    bool lowercase;
    struct fly_string separator;
};

enum { WHITESPACE, LINES };

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *seed >> 33;
}

static struct fake_task *task_of(struct params params)
{
    return fake_task_create(&fly_split_node, &params);
}

static void words_are_key_and_payload(void **state)
{
    (void)state;
    struct fake_task *fake = task_of((struct params){.on = WHITESPACE});
    assert_int_equal(fake_setup(fake), 0);
    uint64_t input = fake_send(fake, "  In the\tbeginning\r\n");
    assert_int_equal(fake->out_cnt, 3);
    fake_expect(fake, 0, 0, "In");
    fake_expect(fake, 1, 0, "the");
    fake_expect(fake, 2, 0, "beginning");
    assert_int_equal(fake->out[2].msg.key_bytes, 9);
    assert_memory_equal(fake->out[2].msg.key, "beginning", 9);
    assert_int_equal(fake->out[2].input, input);
    assert_true(fake_is_done(fake, input));
    fake_task_destroy(fake);
}

static void lowercase_changes_a_to_z_only(void **state)
{
    (void)state;
    struct fake_task *fake = task_of((struct params){.on = WHITESPACE, .lowercase = true});
    assert_int_equal(fake_setup(fake), 0);
    fake_send(fake, "GOD @[`{ said\xc3\x84 AZaz");
    fake_expect(fake, 0, 0, "god");
    fake_expect(fake, 1, 0, "@[`{");
    fake_expect(fake, 2, 0, "said\xc3\x84");
    fake_expect(fake, 3, 0, "azaz");
    assert_memory_equal(fake->out[0].msg.key, "god", 3);
    fake_task_destroy(fake);
}

static void lines_and_separators(void **state)
{
    (void)state;
    struct fake_task *fake = task_of((struct params){.on = LINES});
    assert_int_equal(fake_setup(fake), 0);
    fake_send(fake, "one two\n\nthree");
    assert_int_equal(fake->out_cnt, 2);
    fake_expect(fake, 0, 0, "one two");
    fake_expect(fake, 1, 0, "three");
    fake_task_destroy(fake);
    fake = task_of((struct params){.separator = {", ", 2}, .lowercase = true});
    assert_int_equal(fake_setup(fake), 0);
    fake_send(fake, ", One, two,three, ");
    assert_int_equal(fake->out_cnt, 2);
    fake_expect(fake, 0, 0, "one");
    fake_expect(fake, 1, 0, "two,three");
    fake_task_destroy(fake);
}

static void empty_and_blank_payloads_have_no_words(void **state)
{
    (void)state;
    struct fake_task *fake = task_of((struct params){.on = WHITESPACE});
    assert_int_equal(fake_setup(fake), 0);
    fake_send(fake, "");
    fake_send(fake, "                                                                          ");
    assert_int_equal(fake->out_cnt, 0);
    fake_task_destroy(fake);
}

/* The naive splitter. */
static void check_words(const struct fake_task *fake, const uint8_t *text, size_t bytes)
{
    uint64_t i = 0;
    for (size_t at = 0; at < bytes; at++) {
        size_t start = at;
        while (at < bytes && text[at] > 0x20)
            at++;
        if (at == start)
            continue;
        assert_true(i < fake->out_cnt);
        const struct fly_msg *msg = &fake->out[i++].msg;
        assert_int_equal(msg->payload_bytes, at - start);
        for (size_t k = 0; k < at - start; k++) {
            uint8_t byte = text[start + k];
            assert_int_equal(msg->payload[k], byte >= 'A' && byte <= 'Z' ? byte + 32 : byte);
        }
        assert_memory_equal(msg->key, msg->payload, msg->payload_bytes);
    }
    assert_int_equal(i, fake->out_cnt);
}

static void random_text_against_a_naive_splitter(void **state)
{
    uint64_t seed = test_seed();
    (void)state;
    struct fake_task *fake = task_of((struct params){.on = WHITESPACE, .lowercase = true});
    assert_int_equal(fake_setup(fake), 0);
    for (int round = 0; round < 10000; round++) {
        uint8_t text[300];
        size_t bytes = next_random(&seed) % (round % 2 ? 300 : 70);
        uint64_t blanks = 1 + next_random(&seed) % 70;
        for (size_t i = 0; i < bytes; i++) {
            text[i] = (uint8_t)next_random(&seed);
            if (next_random(&seed) % blanks == 0)
                text[i] &= 0x3f;
            else if (round % 3)
                text[i] = (uint8_t)('A' + next_random(&seed) % 58);
        }
        struct fly_msg msg = fake_msg(text, bytes);
        fake_process(fake, &msg, 1);
        check_words(fake, text, bytes);
        fake_forget(fake);
    }
    fake_task_destroy(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_key_and_payload),
        cmocka_unit_test(lowercase_changes_a_to_z_only),
        cmocka_unit_test(lines_and_separators),
        cmocka_unit_test(empty_and_blank_payloads_have_no_words),
        cmocka_unit_test(random_text_against_a_naive_splitter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
