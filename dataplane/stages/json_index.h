/* json_index.h - where in a JSON text a byte stands that a string cannot simply run over.
 *
 * Idea       Looks at 64 bytes at a time with vector instructions and marks quotes, backslashes,
 *            control characters and bytes of characters beyond ASCII, a bit each. Who then scans
 *            the text goes from mark to mark; strings are never walked byte by byte.
 * Owner      No state.
 * Memory     The caller's array.
 * Cost       About 4 ns for 64 bytes with AVX2, which is used where the processor has it, twice
 *            that with SSE2. Other processors take 8 bytes at a time.
 * When full  A window is as long as the array has bits.
 * See also   json_scan.c, tests/unit/dataplane/stages/test_json_index.c, perf/micro/json.c
 */
#ifndef FLY_STAGES_JSON_INDEX_H
#define FLY_STAGES_JSON_INDEX_H

#include <stddef.h>
#include <stdint.h>

enum {
    FLY_JSON_WINDOW_BYTES = 4096, /* large enough for most messages, small enough for a stack */
    FLY_JSON_MARKS_CNT = FLY_JSON_WINDOW_BYTES / 64 + 1,
};

/* Ways to make marks; all give the same. */
enum fly_json_index_way { FLY_JSON_INDEX_AVX2, FLY_JSON_INDEX_SSE2, FLY_JSON_INDEX_PORTABLE };

/* Bit i of marks[b] is about byte b * 64 + i: of the next FLY_JSON_WINDOW_BYTES, or of those that
 * are left. The entry behind the last has all bits set, so that a search ends there. */
void fly_json_index(const uint8_t *at, size_t bytes, uint64_t marks[FLY_JSON_MARKS_CNT]);

/* The same in a certain way, for tests and measurements. 0, or -1: not on this processor. */
int fly_json_index_by(enum fly_json_index_way way, const uint8_t *at, size_t bytes,
                      uint64_t marks[FLY_JSON_MARKS_CNT]) __attribute__((warn_unused_result));

#endif
