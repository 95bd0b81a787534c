/* fuzz.h - what a fuzz target is: one function that takes bytes of any kind and survives.
 *
 * Idea       Every target defines the function below. libFuzzer calls it with what it makes up
 *            (builds with -Dfuzz=true), replay.c with the files of its corpus (every build).
 * Caveat     A finding is an abort, a sanitizer's report, or a hang.
 * See also   tests/fuzz/meson.build, tests/fuzz/corpus
 */
#ifndef TEST_FUZZ_FUZZ_H
#define TEST_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* The name that libFuzzer calls. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#endif
