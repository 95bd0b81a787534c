/* The loops by hand do the work that they say, and the machine's figures are figures. */
#include "base/err.h"
#include "bench/loop.h"
#include "bench/machine.h"
#include "bench/text.h"

#include "support/unit.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

static void identity_rounds_up_to_batches(void **state)
{
    (void)state;
    struct fly_loop_result none = fly_loop_identity(0), one = fly_loop_identity(1);
    assert_int_equal(none.item_cnt, 0);
    assert_int_equal(one.item_cnt, 32);
    /* Lengths, and the low bytes of the numbers. */
    assert_int_equal(one.checksum, 32 * 64 + 31 * 32 / 2);
    assert_int_equal(fly_loop_identity(100000).item_cnt, 100000);
}

/* The first two cores that this process may use; false: there is one only. */
static bool two_cores(uint32_t core[2])
{
    cpu_set_t set;
    uint32_t cnt = 0;
    assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
    for (uint32_t i = 0; i < CPU_SETSIZE && cnt < 2; i++) {
        if (CPU_ISSET(i, &set))
            core[cnt++] = i;
    }
    return cnt == 2;
}

static void rings_pass_everything_on(void **state)
{
    struct fly_loop_rings rings = {.message_cnt = 100000};
    struct fly_loop_result result;
    cpu_set_t before, after;
    (void)state;
    if (!two_cores(rings.core))
        skip();
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    for (int acks = 0; acks < 2; acks++) {
        rings.acks = acks;
        assert_int_equal(fly_loop_rings(&rings, &result), 0);
        assert_in_range(result.item_cnt, 100000, 100063);
        uint64_t cnt = result.item_cnt;
        assert_int_equal(result.checksum, cnt * (cnt - 1) / 2 + cnt * 'x');
    }
    assert_int_equal(sched_getaffinity(0, sizeof(after), &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
}

static void rings_refuse_a_core_that_is_not_there(void **state)
{
    struct fly_loop_rings rings = {.message_cnt = 1};
    struct fly_loop_result result;
    (void)state;
    if (!two_cores(rings.core))
        skip();
    rings.core[1] = CPU_SETSIZE - 1;
    assert_int_equal(fly_loop_rings(&rings, &result), -EINVAL);
    assert_non_null(strstr(fly_err_text(), "core 1023"));
    rings.core[0] = CPU_SETSIZE - 1;
    assert_int_equal(fly_loop_rings(&rings, &result), -EINVAL);
}

/* What a walk finds, as text: "word=count " in the order of the alphabet. */
struct found {
    char word[64][64];
    uint64_t cnt[64];
    uint32_t word_cnt;
};

static void find(void *arg, const uint8_t *word, size_t bytes, uint64_t cnt)
{
    struct found *found = arg;
    assert_true(bytes < sizeof(found->word[0]) && found->word_cnt < 64);
    memcpy(found->word[found->word_cnt], word, bytes);
    found->cnt[found->word_cnt++] = cnt;
}

static uint64_t count_of(const struct found *found, const char *word)
{
    for (uint32_t i = 0; i < found->word_cnt; i++) {
        if (strcmp(found->word[i], word) == 0)
            return found->cnt[i];
    }
    return 0;
}

static void words_of_all_lengths_are_counted(void **state)
{
    static const char text[256] = "a a  b\nsixteen-letters! seventeen-letters\t\r\n"
                                  "seventeen-letters a-word-of-more-than-thirty-two-letters a";
    struct fly_word_counts *counts = fly_word_counts_create();
    struct found found = {0};
    (void)state;
    assert_int_equal(fly_loop_words(counts, (const uint8_t *)text, strlen(text)), 8);
    fly_word_counts_walk(counts, find, &found);
    assert_int_equal(fly_word_counts_distinct(counts), 5);
    assert_int_equal(count_of(&found, "a"), 3);
    assert_int_equal(count_of(&found, "b"), 1);
    assert_int_equal(count_of(&found, "sixteen-letters!"), 1);
    assert_int_equal(count_of(&found, "seventeen-letters"), 2);
    assert_int_equal(count_of(&found, "a-word-of-more-than-thirty-two-letters"), 1);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < found.word_cnt; i++)
        sum +=
            fly_word_checksum((const uint8_t *)found.word[i], strlen(found.word[i]), found.cnt[i]);
    assert_int_equal(fly_word_counts_checksum(counts), sum);
    fly_word_counts_destroy(counts);
    fly_word_counts_destroy(NULL);
}

/* Words lie across every border of 64 bytes and of the chunks of 16 KiB. */
static void a_text_is_lines_of_seven_words(void **state)
{
    struct fly_bench_text text;
    struct fly_word_counts *counts = fly_word_counts_create();
    (void)state;
    assert_int_equal(fly_bench_text_open(&text, 100000), 0);
    uint64_t lines = 0, words = 0;
    for (size_t i = 0; i < text.bytes; i++) {
        lines += text.at[i] == '\n';
        words += text.at[i] <= ' ';
    }
    assert_int_equal(words, 7 * lines);
    assert_in_range(text.bytes, 100000 - 77, 100000);
    for (size_t i = text.bytes; i < text.mapped_bytes; i++)
        assert_int_equal(text.at[i], 0);
    assert_int_equal(fly_loop_words(counts, text.at, text.bytes), words);
    assert_in_range(fly_word_counts_distinct(counts), 900, 1000);
    fly_word_counts_destroy(counts);
    fly_bench_text_close(&text);
}

/* As a dataplane, another process, reads it. */
static void a_text_is_a_file(void **state)
{
    struct fly_bench_text text;
    char path[64];
    static uint8_t got[8192];
    (void)state;
    assert_int_equal(fly_bench_text_open(&text, 0), 0);
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), text.fd);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, got, sizeof(got)), text.bytes);
    assert_memory_equal(got, text.at, text.bytes);
    close(fd);
    fly_bench_text_close(&text);
}

static void the_machine_has_figures(void **state)
{
    uint32_t core[2];
    double ns = 0;
    (void)state;
    double ghz = fly_machine_clock_ghz();
    assert_true(ghz > 0.05 && ghz < 10);
    assert_true(fly_machine_copy_rate() > 1e7);
    if (!two_cores(core))
        return;
    assert_int_equal(fly_machine_round_trip_ns(core, &ns), 0);
    assert_true(ns > 5);
    core[1] = CPU_SETSIZE - 1;
    assert_int_equal(fly_machine_round_trip_ns(core, &ns), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_rounds_up_to_batches),
        cmocka_unit_test(rings_pass_everything_on),
        cmocka_unit_test(rings_refuse_a_core_that_is_not_there),
        cmocka_unit_test(words_of_all_lengths_are_counted),
        cmocka_unit_test(a_text_is_lines_of_seven_words),
        cmocka_unit_test(a_text_is_a_file),
        cmocka_unit_test(the_machine_has_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
