/* loop.h - the work of small pipelines as loops by hand: the ceiling that a run is held against.
 *
 * Idea       Each loop does what a pipeline does, without an engine, as fast as we can make it, and
 *            checks its own result. The programs in perf/baselines are made of the same loops.
 * Owner      Any thread, but fly_loop_rings, which pins its caller for as long as it takes.
 * Memory     A few KiB of stack; the rings and word counts are on the heap.
 * Errors     A wrong result is a broken invariant: the process aborts.
 * See also   tests/unit/controlplane/bench/test_loops.c
 */
#ifndef FLY_BENCH_LOOP_H
#define FLY_BENCH_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A message of the loops is a cache line. */
enum { FLY_LOOP_MESSAGE_BYTES = 64 };

struct fly_loop_result {
    uint64_t item_cnt;
    uint64_t ns;
    uint64_t checksum; /* of what arrived; the loop has compared it with what it must be */
};

/* Makes, passes on and drops message_cnt messages of 64 bytes (rounded up to whole batches) in one
 * thread: the work of generate -> identity -> drop on one core. */
struct fly_loop_result fly_loop_identity(uint64_t message_cnt);

struct fly_loop_rings {
    uint64_t message_cnt; /* rounded up to whole batches */
    uint32_t core[2];     /* of the caller's thread, and of the other one */
    bool acks;            /* an XOR tracker is told of every message, as an engine's is */
};

/* The same with the passing on done by another core, over a ring each way. 0, or a negative errno
 * with a trace: no memory, no thread, a core that may not be used. */
int fly_loop_rings(const struct fly_loop_rings *rings, struct fly_loop_result *result)
    __attribute__((warn_unused_result));

struct fly_word_counts;

/* No words yet. NULL: no memory. */
struct fly_word_counts *fly_word_counts_create(void);

/* NULL is fine. */
void fly_word_counts_destroy(struct fly_word_counts *counts);

/* Counts the words of a text: what lies between bytes up to 0x20. Behind the text at least
 * FLY_LOOP_TEXT_PAD zeros must be readable. The text must stay for as long as the counts: words
 * over 16 bytes are kept by reference. Returns how many words there were. */
enum { FLY_LOOP_TEXT_PAD = 128 };
uint64_t fly_loop_words(struct fly_word_counts *counts, const uint8_t *text, size_t bytes);

/* How many different words. */
uint64_t fly_word_counts_distinct(const struct fly_word_counts *counts);

/* Calls `each` for every word, in no order. */
void fly_word_counts_walk(const struct fly_word_counts *counts,
                          void (*each)(void *arg, const uint8_t *word, size_t bytes, uint64_t cnt),
                          void *arg);

/* A sum over all words and their counts, the same in whatever order they came. */
uint64_t fly_word_counts_checksum(const struct fly_word_counts *counts);

/* What one word and its count add to that sum. */
uint64_t fly_word_checksum(const uint8_t *word, size_t bytes, uint64_t cnt);

#endif
