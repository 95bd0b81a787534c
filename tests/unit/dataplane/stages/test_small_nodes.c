/* The stages that need few words: identity, drop, map, batch, throttle, delay, inject_fault. */
#include "stages/stages.h"

#include "support/fake_task.h"
#include "support/unit.h"

#include <signal.h>

static struct fly_string text(const char *text)
{
    return (struct fly_string){text, (uint32_t)strlen(text)};
}

/* A task whose own struct begins with the parameters. */
static struct fake_task *task_of(const struct fly_node *node, const void *params, size_t bytes)
{
    uint8_t *self = calloc(1, node->self_bytes + bytes + 1);
    memcpy(self, params, bytes);
    struct fake_task *fake = fake_task_create(node, self);
    free(self);
    return fake;
}

static void identity_passes_on_and_drop_does_not(void **state)
{
    (void)state;
    struct fake_task *fake = fake_task_create(&fly_identity_node, NULL);
    assert_int_equal(fake_setup(fake), 0);
    fake_send_keyed(fake, "k", "payload");
    fake_expect(fake, 0, 0, "payload");
    assert_memory_equal(fake->out[0].msg.key, "k", 1);
    fake_task_destroy(fake);
    fake = fake_task_create(&fly_drop_node, NULL);
    assert_int_equal(fake_setup(fake), 0);
    assert_true(fake_is_done(fake, fake_send(fake, "payload")));
    fake_task_destroy(fake);
}

struct map_params {
    struct fly_string prefix, suffix, replace, with;
    uint32_t letters;
};

static void expect_mapped(struct map_params params, const char *from, const char *to)
{
    struct fake_task *fake = task_of(&fly_map_node, &params, sizeof(params));
    assert_int_equal(fake_setup(fake), 0);
    fake_send_keyed(fake, "key", from);
    fake_expect(fake, 0, 0, to);
    assert_memory_equal(fake->out[0].msg.key, "key", 3);
    fake_task_destroy(fake);
}

static void map_replaces_then_changes_case_then_puts_around(void **state)
{
    enum { KEEP, UPPER, LOWER };
    (void)state;
    expect_mapped((struct map_params){.prefix = text("<"), .suffix = text(">")}, "a", "<a>");
    expect_mapped((struct map_params){.prefix = text("a"), .letters = UPPER}, "az{`\xe4",
                  "aAZ{`\xe4");
    expect_mapped((struct map_params){.letters = LOWER}, "AZ@[", "az@[");
    expect_mapped((struct map_params){.replace = text("aa"), .with = text("b")}, "aaaxaa", "baxb");
    expect_mapped((struct map_params){.replace = text("a"), .with = text("aa")}, "aa", "aaaa");
    expect_mapped((struct map_params){.replace = text("a"), .letters = UPPER}, "banana", "BNN");
    expect_mapped((struct map_params){.replace = text("a")}, "aaa", "");
}

static void map_refuses_with_alone_and_fails_what_grows_too_large(void **state)
{
    struct map_params params = {.with = text("b")};
    (void)state;
    struct fake_task *fake = task_of(&fly_map_node, &params, sizeof(params));
    assert_int_equal(fake_setup(fake), -1);
    assert_string_equal(fake->refused_param, "with");
    fake_task_destroy(fake);
    params = (struct map_params){.replace = text("a"), .with = text("aaaaaaaaaa")};
    fake = task_of(&fly_map_node, &params, sizeof(params));
    fake->max_message_bytes = 30;
    assert_int_equal(fake_setup(fake), 0);
    uint64_t input = fake_send(fake, "aaaa");
    assert_int_equal(fake->input[input].reason, FLY_REASON_TOO_LARGE);
    fake_task_destroy(fake);
}

struct batch_params {
    uint64_t limit, wait_ms;
    struct fly_string separator;
};

static struct fake_task *batch_of(uint64_t limit)
{
    struct batch_params params = {.limit = limit, .wait_ms = 100, .separator = text(", ")};
    return task_of(&fly_batch_node, &params, sizeof(params));
}

static void batch_joins_up_to_its_limit_or_its_time(void **state)
{
    (void)state;
    struct fake_task *fake = batch_of(3);
    assert_int_equal(fake_setup(fake), 0);
    uint64_t first = fake_send(fake, "one");
    fake_send(fake, "two");
    assert_int_equal(fake->out_cnt, 0);
    assert_false(fake_is_done(fake, first));
    fake_send(fake, "three");
    fake_send(fake, "four");
    assert_int_equal(fake->out_cnt, 1);
    fake_expect(fake, 0, 0, "one, two, three");
    assert_int_equal(fake->out[0].kind, FAKE_JOINED);
    assert_int_equal(fake->out[0].parent_cnt, 3);
    fake_tick(fake);
    assert_int_equal(fake->out_cnt, 1);
    fake->now_ns += 100000000;
    fake_tick(fake);
    fake_expect(fake, 1, 0, "four");
    fake_finish(fake);
    fake_task_destroy(fake);
}

static void batch_never_outgrows_a_message_or_the_pool(void **state)
{
    struct fly_msg one_root[2] = {fake_msg("aaaa", 4), fake_msg("bbbb", 4)};
    (void)state;
    struct fake_task *fake = batch_of(1000);
    fake->max_message_bytes = 20;
    fake->hold_max = 2;
    assert_int_equal(fake_setup(fake), 0);
    fake_send(fake, "0123456789");
    fake_send(fake, "0123456789");
    fake_expect(fake, 0, 0, "0123456789");
    uint64_t large = fake_send(fake, "a message of over twenty bytes");
    assert_int_equal(fake->input[large].reason, FLY_REASON_TOO_LARGE);
    fake_expect(fake, 1, 0, "0123456789");
    one_root[0].reserved = one_root[1].reserved = 5;
    fake_process(fake, one_root, 2); /* one handle for both */
    fake_send(fake, "cc");
    fake_expect(fake, 2, 0, "aaaa, bbbb, cc");
    assert_int_equal(fake->out[2].parent_cnt, 2);
    fake_finish(fake);
    fake_task_destroy(fake);
}

static void throttle_keeps_its_rate(void **state)
{
    double rate = 100;
    (void)state;
    struct fake_task *fake = task_of(&fly_throttle_node, &rate, sizeof(rate));
    assert_int_equal(fake_setup(fake), 0);
    for (int i = 0; i < 300; i++)
        fake_send(fake, "m");
    assert_in_range(fake->out_cnt, 0, 2);
    for (int ms = 0; ms < 2000; ms++) {
        fake->now_ns += 1000000;
        fake_tick(fake);
    }
    assert_in_range(fake->out_cnt, 198, 203);
    fake->now_ns += 2000000000;
    fake->take_max = 7; /* the runtime gives back no more in one call */
    for (int i = 0; i < 20; i++)
        fake_tick(fake);
    assert_int_equal(fake->out_cnt, 300);
    fake_finish(fake);
    fake_task_destroy(fake);
}

static void delay_passes_on_later_in_order(void **state)
{
    uint64_t for_ns = 50000000;
    (void)state;
    struct fake_task *fake = task_of(&fly_delay_node, &for_ns, sizeof(for_ns));
    assert_int_equal(fake_setup(fake), 0);
    uint64_t first = fake_send(fake, "one");
    fake->now_ns += 20000000;
    fake_send(fake, "two");
    fake->now_ns += 29000000;
    fake_tick(fake);
    assert_int_equal(fake->out_cnt, 0);
    fake->now_ns += 1000000;
    fake_tick(fake);
    assert_int_equal(fake->out_cnt, 1);
    fake_expect(fake, 0, 0, "one");
    assert_int_equal(fake->out[0].input, first);
    fake->now_ns += 20000000;
    fake_tick(fake);
    fake_expect(fake, 1, 0, "two");
    fake_finish(fake);
    fake_task_destroy(fake);
}

struct fault_params {
    uint32_t mode;
    double probability;
    uint64_t every_nth;
    struct fly_string contains;
    uint64_t times, duration_ns, seed;
};

enum { FAIL, DROP_ACK, CRASH, HANG, SLOW };

static struct fake_task *fault_of(struct fault_params params)
{
    struct fake_task *fake = task_of(&fly_inject_fault_node, &params, sizeof(params));
    assert_int_equal(fake_setup(fake), 0);
    return fake;
}

static void fault_hits_what_meets_all_conditions(void **state)
{
    (void)state;
    struct fake_task *fake = fault_of(
        (struct fault_params){.probability = 1, .every_nth = 2, .contains = text("x"), .times = 2});
    static const char *const payloads[] = {"x", "x", "x", "y", "x", "x", "x", "x"};
    static const bool hit[] = {false, true, false, false, false, true, false, false};
    for (uint64_t i = 0; i < 8; i++) {
        assert_int_equal(fake->input_cnt, i);
        fake_send(fake, payloads[i]);
        assert_int_equal(fake->input[i].failed, hit[i]);
    }
    assert_int_equal(fake->out_cnt, 6);
    assert_int_equal(fake->input[1].reason, FLY_REASON_NODE);
    assert_string_equal(fly_inject_fault_node.reasons[0], "injected_fault");
    fake_task_destroy(fake);
}

static uint64_t failures_of_seed(uint64_t seed)
{
    uint64_t failed = 0, bits = 0;
    struct fake_task *fake = fault_of((struct fault_params){.probability = 0.25, .seed = seed});
    for (uint64_t i = 0; i < 10000; i++) {
        fake_send(fake, "m");
        failed += fake->input[i].failed;
        bits = bits * 31 + fake->input[i].failed;
    }
    assert_in_range(failed, 2300, 2700);
    fake_task_destroy(fake);
    return bits;
}

static void fault_by_probability_repeats_with_its_seed(void **state)
{
    (void)state;
    assert_true(failures_of_seed(1) == failures_of_seed(1));
    assert_true(failures_of_seed(1) != failures_of_seed(2));
}

static void dropped_ack_comes_late(void **state)
{
    (void)state;
    struct fly_msg one_root[2] = {fake_msg("a", 1), fake_msg("b", 1)};
    struct fake_task *fake = fault_of(
        (struct fault_params){.mode = DROP_ACK, .probability = 1, .duration_ns = 1000000000});
    one_root[0].reserved = one_root[1].reserved = 5;
    uint64_t input = fake_process(fake, one_root, 2);
    fake_tick(fake);
    assert_int_equal(fake->out_cnt, 0);
    assert_false(fake_is_done(fake, input));
    fake->now_ns += 1000000000;
    fake_tick(fake);
    assert_true(fake_is_done(fake, input));
    assert_true(fake_is_done(fake, input + 1));
    fake_finish(fake);
    fake_task_destroy(fake);
}

static void crash(void *arg)
{
    (void)arg;
    fake_send(fault_of((struct fault_params){.mode = CRASH, .probability = 1}), "m");
}

static void crash_aborts_and_slow_is_slow(void **state)
{
    char out[256];
    struct timespec before, after;
    (void)state;
    int status = test_run_child(crash, NULL, out, sizeof(out));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    struct fake_task *fake =
        fault_of((struct fault_params){.mode = SLOW, .probability = 1, .duration_ns = 20000000});
    clock_gettime(CLOCK_MONOTONIC, &before);
    fake_send(fake, "m");
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec >=
                20000000);
    assert_int_equal(fake->out_cnt, 1);
    fake_task_destroy(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_passes_on_and_drop_does_not),
        cmocka_unit_test(map_replaces_then_changes_case_then_puts_around),
        cmocka_unit_test(map_refuses_with_alone_and_fails_what_grows_too_large),
        cmocka_unit_test(batch_joins_up_to_its_limit_or_its_time),
        cmocka_unit_test(batch_never_outgrows_a_message_or_the_pool),
        cmocka_unit_test(throttle_keeps_its_rate),
        cmocka_unit_test(delay_passes_on_later_in_order),
        cmocka_unit_test(fault_hits_what_meets_all_conditions),
        cmocka_unit_test(fault_by_probability_repeats_with_its_seed),
        cmocka_unit_test(dropped_ack_comes_late),
        cmocka_unit_test(crash_aborts_and_slow_is_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
