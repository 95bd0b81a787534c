/* Generated messages: how many, when, with which keys, and the same ones again. */
#include "stages/stages.h"

#include "stages/zipf.h"
#include "support/fake_task.h"
#include "support/unit.h"

/* The beginning of the node's own struct: its parameters. */
struct params {
    uint64_t count;
    double rate;
    uint64_t size_bytes;
    struct fly_string payload;
    uint32_t keys;
    uint64_t distinct;
    double exponent;
    uint64_t seed;
};

enum { NONE, SEQUENTIAL, UNIFORM, ZIPF };

static struct fake_task *task_of(struct params params)
{
    union {
        struct params params;
        uint8_t bytes[2048];
    } self = {.params = params};
    assert_true(fly_generate_node.self_bytes <= sizeof(self));
    return fake_task_create(&fly_generate_node, &self);
}

static struct fly_string text(const char *text)
{
    return (struct fly_string){text, (uint32_t)strlen(text)};
}

static void refuses(struct params params, const char *param)
{
    struct fake_task *fake = task_of(params);
    fake->max_message_bytes = 1000;
    assert_int_equal(fake_setup(fake), -1);
    assert_string_equal(fake->refused_param, param);
    fake_task_destroy(fake);
}

static void refuses_what_cannot_be_made(void **state)
{
    (void)state;
    refuses((struct params){.size_bytes = 1001}, "size");
    refuses((struct params){.payload = text("of {key}")}, "payload");
    refuses((struct params){.keys = ZIPF, .distinct = 1ull << 30}, "keys.distinct");
    refuses(
        (struct params){.payload = text("{seq}{seq}{seq}{seq}{seq}{seq}{seq}{seq}{seq}{seq}{seq}"
                                        "{seq}{seq}{seq}{seq}{seq}{seq}{seq}{seq}{seq}{seq}{seq}"
                                        "{seq}{seq}{seq}{seq}{seq}{seq}{seq}{seq}{seq}{seq}")},
        "payload");
}

static void makes_as_many_as_wanted(void **state)
{
    (void)state;
    struct fake_task *fake = task_of((struct params){.count = 25});
    assert_int_equal(fake_setup(fake), 0);
    fake_drain_source(fake, 10, 0);
    assert_int_equal(fake->out_cnt, 25);
    for (uint64_t i = 0; i < 25; i++) {
        assert_int_equal(fake->out[i].id, i);
        assert_int_equal(fake->out[i].next, i + 1);
        assert_int_equal(fake->out[i].msg.payload_bytes, 100);
    }
    assert_int_equal(fake->done, 25);
    assert_int_equal(fake->total, 25);
    fake_task_destroy(fake);
}

static void template_is_filled_in_and_padded(void **state)
{
    (void)state;
    struct fake_task *fake = task_of((struct params){.count = 12,
                                                     .size_bytes = 12,
                                                     .payload = text("m{seq} of {key}{"),
                                                     .keys = SEQUENTIAL,
                                                     .distinct = 5,
                                                     .seed = 1});
    assert_int_equal(fake_setup(fake), 0);
    fake_drain_source(fake, 100, 0);
    fake_expect(fake, 0, 0, "m0 of k0{xxx");
    fake_expect(fake, 11, 0, "m11 of k1{xx");
    assert_memory_equal(fake->out[11].msg.key, "k1", 2);
    fake_task_destroy(fake);
}

static void tasks_share_the_numbers(void **state)
{
    uint8_t seen[100] = {0};
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        struct fake_task *fake = task_of((struct params){.count = 100, .payload = text("{seq}")});
        fake->place = (struct fly_place){.task_idx = i, .task_cnt = 3};
        assert_int_equal(fake_setup(fake), 0);
        fake_drain_source(fake, 7, 0);
        assert_int_equal(fake->done, fake->total);
        for (uint64_t k = 0; k < fake->out_cnt; k++) {
            assert_int_equal(fake->out[k].id % 3, i);
            seen[fake->out[k].id]++;
        }
        fake_task_destroy(fake);
    }
    for (int i = 0; i < 100; i++)
        assert_int_equal(seen[i], 1);
}

static void rate_is_kept_however_late_polls_are(void **state)
{
    (void)state;
    struct fake_task *fake = task_of((struct params){.count = 1000, .rate = 1000});
    assert_int_equal(fake_setup(fake), 0);
    assert_int_equal(fake_poll(fake, 100), FLY_POLL_IDLE);
    assert_int_equal(fake->out_cnt, 1); /* the first is due at once */
    assert_in_range(fake->wake_in_ns, 999000, 1000001);
    fake->now_ns += 50000000;
    assert_int_equal(fake_poll(fake, 10), FLY_POLL_MORE);
    assert_int_equal(fake_poll(fake, 100), FLY_POLL_IDLE);
    assert_int_equal(fake->out_cnt, 51);
    fake->now_ns += 2000000000;
    assert_int_equal(fake_poll(fake, 10000), FLY_POLL_DONE);
    assert_int_equal(fake->out_cnt, 1000);
    fake_task_destroy(fake);
}

static void restored_task_goes_on_and_replays_the_same(void **state)
{
    (void)state;
    struct params params = {.count = 2000,
                            .payload = text("{seq} {key} {random}"),
                            .keys = UNIFORM,
                            .distinct = 50,
                            .seed = 9};
    struct fake_task *first = task_of(params), *second = task_of(params);
    assert_int_equal(fake_setup(first), 0);
    fake_drain_source(first, 500, 0);
    assert_int_equal(fake_setup(second), 0);
    assert_int_equal(fake_restore(second, 1500), 0);
    fake_drain_source(second, 500, 0);
    assert_int_equal(second->out_cnt, 500);
    for (uint64_t id = 0; id < 1500; id += 100)
        fake_replay(second, id, id);
    for (uint64_t i = 0; i < second->out_cnt; i++) {
        const struct fake_out *again = &second->out[i], *once = &first->out[again->id];
        assert_int_equal(again->msg.payload_bytes, once->msg.payload_bytes);
        assert_memory_equal(again->msg.payload, once->msg.payload, once->msg.payload_bytes);
        assert_memory_equal(again->msg.key, once->msg.key, once->msg.key_bytes);
    }
    fake_task_destroy(first);
    fake_task_destroy(second);
}

static void messages_without_an_end_fill_the_slab_and_go_on(void **state)
{
    (void)state;
    struct fake_task *fake =
        task_of((struct params){.size_bytes = 100000, .payload = text("{seq}")});
    assert_int_equal(fake_setup(fake), 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(fake_poll(fake, 100), FLY_POLL_MORE);
    assert_true(fake->out_cnt >= 10 && fake->out_cnt < 100);
    assert_int_equal(fake->total, 0);
    fake_task_destroy(fake);
}

/* Shares of the ranks, by drawing at evenly spaced points: no chance in it. */
static void zipf_ranks_have_their_shares(void **state)
{
    enum { RANKS = 100, DRAWS = 1 << 20 };
    static uint32_t drawn[RANKS];
    struct fly_zipf zipf;
    double sum = 0, power = 0;
    void *memory = malloc(fly_zipf_footprint(RANKS));
    (void)state;
    assert_int_equal(fly_zipf_init(&zipf, memory, RANKS, 1.0), 0);
    for (uint64_t i = 0; i < DRAWS; i++)
        drawn[fly_zipf_draw(&zipf, i * UINT64_C(0x9e3779b97f4a7c15))]++;
    for (int i = 1; i <= RANKS; i++)
        sum += 1.0 / i;
    for (int i = 0; i < RANKS; i++) {
        double expected = DRAWS / sum / (i + 1);
        power += (drawn[i] - expected) * (drawn[i] - expected) / expected;
    }
    assert_true(power <
                300); /* chi-squared with 99 degrees of freedom: 150 would be one in a thousand */
    assert_true(drawn[0] > drawn[1] && drawn[1] > drawn[5] && drawn[5] > drawn[50]);
    free(memory);
}

static void zipf_without_skew_or_with_one_rank(void **state)
{
    struct fly_zipf_column memory[10];
    struct fly_zipf zipf;
    (void)state;
    assert_int_equal(fly_zipf_init(&zipf, memory, 1, 1.0), 0);
    assert_int_equal(fly_zipf_draw(&zipf, UINT64_MAX), 0);
    assert_int_equal(fly_zipf_draw(&zipf, 0), 0);
    assert_int_equal(fly_zipf_init(&zipf, memory, 10, 0.0), 0);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(fly_zipf_draw(&zipf, (i << 32) * 429496730 | 77), i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_cannot_be_made),
        cmocka_unit_test(makes_as_many_as_wanted),
        cmocka_unit_test(template_is_filled_in_and_padded),
        cmocka_unit_test(tasks_share_the_numbers),
        cmocka_unit_test(rate_is_kept_however_late_polls_are),
        cmocka_unit_test(restored_task_goes_on_and_replays_the_same),
        cmocka_unit_test(messages_without_an_end_fill_the_slab_and_go_on),
        cmocka_unit_test(zipf_ranks_have_their_shares),
        cmocka_unit_test(zipf_without_skew_or_with_one_rank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
