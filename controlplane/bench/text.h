/* text.h - a text to count the words of: lines of 7 words out of 1,000, always the same.
 *
 * Idea       It lies in memory behind a descriptor, so that a dataplane can read it as a file
 *            (through /proc) and this process as an array, and nothing is left on a disk.
 * Owner      The caller.
 * Memory     As many bytes as asked for, until close.
 * See also   tests/unit/controlplane/bench/test_loops.c
 */
#ifndef FLY_BENCH_TEXT_H
#define FLY_BENCH_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct fly_bench_text {
    int fd;
    const uint8_t *at;   /* zeros follow behind the text, FLY_LOOP_TEXT_PAD at least */
    size_t bytes;        /* whole lines */
    size_t mapped_bytes; /* zeros included */
};

/* About so many bytes, 4 KiB at least. 0, or a negative errno with a trace, and nothing is left. */
int fly_bench_text_open(struct fly_bench_text *text, size_t about_bytes)
    __attribute__((warn_unused_result));
void fly_bench_text_close(struct fly_bench_text *text);

#endif
