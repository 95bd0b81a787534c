/* unit.h - cmocka with what it wants included first, and the few things that our tests share.
 *
 * Idea       A test reads its seed through test_seed, so that every run tries something new and
 *            every failure says how to repeat it; test_dies runs what must abort in a child.
 * Owner      The thread of the test.
 * Memory     None but the stack's.
 * Cost       test_dies forks.
 * When full  Does not apply.
 * Caveat     test_dies wants a single-threaded test.
 * See also   tests/unit
 */
#ifndef TEST_SUPPORT_UNIT_H
#define TEST_SUPPORT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* The seed in FLY_TEST_SEED, else a new one; printed, and shown by the test runner on failure. */
static inline uint64_t test_seed(void)
{
    const char *given = getenv("FLY_TEST_SEED");
    uint64_t seed =
        given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();
    print_message("FLY_TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* Runs fn(arg) in a child with its stderr in `out`; returns the child's wait status. */
static inline int test_run_child(void (*fn)(void *arg), void *arg, char *out, size_t out_bytes)
{
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        dup2(pipe_fds[1], STDERR_FILENO);
        close(pipe_fds[0]);
        close(pipe_fds[1]);
        fn(arg);
        _exit(0);
    }
    close(pipe_fds[1]);
    size_t used = 0;
    ssize_t got;
    char rest[256];
    while ((got = read(pipe_fds[0], rest, sizeof(rest))) > 0) {
        size_t keep = (size_t)got < out_bytes - 1 - used ? (size_t)got : out_bytes - 1 - used;
        memcpy(out + used, rest, keep);
        used += keep;
    }
    out[used] = '\0';
    close(pipe_fds[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* fn(arg) must not survive, and must have said `text` on stderr. */
static inline void test_dies(void (*fn)(void *arg), void *arg, const char *text)
{
    char out[4096];
    int status = test_run_child(fn, arg, out, sizeof(out));
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (!strstr(out, text))
        fail_msg("expected \"%s\" on stderr, got \"%s\"", text, out);
}

#endif
