#include "base/fiber.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mix.h"
#include "support/unit.h"

#define STACK_BYTES ((size_t)32768)

struct job {
    struct fly_fiber fiber;
    void *stack;
    int yields;
    int steps;
};

static void nothing(void *arg)
{
    (void)arg;
}

static void count_steps(void *arg)
{
    struct job *job = arg;
    for (int i = 0; i < job->yields; i++) {
        job->steps++;
        fly_fiber_yield(&job->fiber);
    }
    job->steps++;
}

static void start(struct job *job, void (*fn)(void *), int yields)
{
    *job = (struct job){.yields = yields};
    assert_int_equal(fly_fiber_stack_map(STACK_BYTES, &job->stack), 0);
    assert_int_equal(fly_fiber_init(&job->fiber, job->stack, STACK_BYTES, fn, job), 0);
}

static void stop(struct job *job)
{
    fly_fiber_fini(&job->fiber);
    fly_fiber_stack_unmap(job->stack, STACK_BYTES);
}

static void test_bad_stacks_are_refused(void **state)
{
    (void)state;
    static FLY_ALIGNED(16) char memory[FLY_FIBER_STACK_BYTES_MIN + 16];
    struct fly_fiber fiber;
    size_t min = FLY_FIBER_STACK_BYTES_MIN;
    assert_int_equal(fly_fiber_init(&fiber, memory, min - 16, nothing, NULL), -EINVAL);
    assert_non_null(strstr(fly_err_text(), "8176 bytes"));
    assert_int_equal(fly_fiber_init(&fiber, memory + 8, min, nothing, NULL), -EINVAL);
    assert_int_equal(fly_fiber_init(&fiber, memory, min + 8, nothing, NULL), -EINVAL);
    void *stack = memory;
    assert_int_equal(fly_fiber_stack_map(min - 1, &stack), -EINVAL);
    assert_null(stack);
    assert_int_equal(fly_fiber_stack_map(SIZE_MAX, &stack), -ENOMEM);
    assert_int_equal(fly_fiber_stack_map(SIZE_MAX / 4, &stack), -ENOMEM);
    fly_fiber_fini(NULL);
    fly_fiber_stack_unmap(NULL, min);
}

static void resume_done(void *arg)
{
    (void)arg;
    struct job job;
    start(&job, nothing, 0);
    fly_fiber_resume(&job.fiber);
    fly_fiber_resume(&job.fiber);
}

static void resume_itself(void *arg)
{
    struct job *job = arg;
    fly_fiber_resume(&job->fiber);
}

static void resume_running(void *arg)
{
    (void)arg;
    struct job job;
    start(&job, resume_itself, 0);
    fly_fiber_resume(&job.fiber);
}

static void rearm_suspended(void *arg)
{
    (void)arg;
    struct job job;
    start(&job, count_steps, 1);
    fly_fiber_resume(&job.fiber);
    fly_fiber_rearm(&job.fiber, nothing, NULL);
}

static void yield_outside(void *arg)
{
    (void)arg;
    struct job job;
    start(&job, nothing, 0);
    fly_fiber_yield(&job.fiber);
}

static void test_misuse_dies(void **state)
{
    (void)state;
    test_dies(resume_done, NULL, "running or done was resumed");
    test_dies(resume_running, NULL, "running or done was resumed");
    test_dies(rearm_suspended, NULL, "has not returned was armed again");
    test_dies(yield_outside, NULL, "not running yielded");
}

static FLY_NOINLINE int deeper(int depth)
{
    char room[512];
    memset(room, depth, sizeof(room));
    /* The address leaves, so the room is really used. */
    __asm__ __volatile__("" : : "r"(room) : "memory");
    return depth ? deeper(depth - 1) + room[depth % 512] : 0;
}

static void overflow(void *arg)
{
    (void)arg;
    deeper((int)(STACK_BYTES / 256));
}

static void run_over(void *arg)
{
    (void)arg;
    struct job job;
    start(&job, overflow, 0);
    fly_fiber_resume(&job.fiber);
}

static void test_an_overflow_hits_the_guard_page(void **state)
{
    (void)state;
    test_dies(run_over, NULL, "");
}

static void test_the_guard_page_is_below_the_stack(void **state)
{
    (void)state;
    void *stack;
    assert_int_equal(fly_fiber_stack_map(STACK_BYTES, &stack), 0);
    memset(stack, 1, STACK_BYTES);
    /* msync fails where nothing is mapped; a page without access is mapped. */
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    assert_int_equal(msync((char *)stack - page, page, MS_ASYNC), 0);
    assert_int_equal(madvise((char *)stack - page, page, MADV_POPULATE_READ), -1);
    fly_fiber_stack_unmap(stack, STACK_BYTES);
    assert_int_equal(msync((char *)stack - page, page, MS_ASYNC), -1);
}

static void test_states(void **state)
{
    (void)state;
    struct job job;
    start(&job, count_steps, 2);
    assert_int_equal(fly_fiber_state(&job.fiber), FLY_FIBER_NEW);
    assert_int_equal(job.steps, 0);
    assert_int_equal(fly_fiber_resume(&job.fiber), FLY_FIBER_SUSPENDED);
    assert_int_equal(job.steps, 1);
    assert_int_equal(fly_fiber_resume(&job.fiber), FLY_FIBER_SUSPENDED);
    assert_int_equal(fly_fiber_resume(&job.fiber), FLY_FIBER_DONE);
    assert_int_equal(job.steps, 3);
    assert_int_equal(fly_fiber_state(&job.fiber), FLY_FIBER_DONE);
    stop(&job);
}

static void test_a_done_or_new_fiber_is_armed_again(void **state)
{
    (void)state;
    struct job job;
    start(&job, nothing, 1);
    fly_fiber_rearm(&job.fiber, count_steps, &job);
    for (int round = 0; round < 1000; round++) {
        assert_int_equal(fly_fiber_resume(&job.fiber), FLY_FIBER_SUSPENDED);
        assert_int_equal(fly_fiber_resume(&job.fiber), FLY_FIBER_DONE);
        fly_fiber_rearm(&job.fiber, count_steps, &job);
    }
    assert_int_equal(job.steps, 2000);
    stop(&job);
}

/* More live values than there are registers, of both kinds, across each yield. */
static void keep_values(void *arg)
{
    struct job *job = arg;
    uint64_t a = 1, b = 2, c = 3, d = 5, e = 7, f = 11, g = 13, h = 17;
    double p = 1.5, q = 2.5, r = 3.5, s = 4.5;
    for (int i = 0; i < job->yields; i++) {
        a += b, b ^= c, c += d, d ^= e, e += f, f ^= g, g += h, h ^= a;
        p += q / 2, q += r / 4, r += s / 8, s += 1;
        job->steps += (int)((a ^ b ^ c ^ d ^ e ^ f ^ g ^ h) & 0xff) + (int)(p + q + r + s);
        fly_fiber_yield(&job->fiber);
    }
}

/* The same without yields. */
static int expect_values(int rounds)
{
    uint64_t a = 1, b = 2, c = 3, d = 5, e = 7, f = 11, g = 13, h = 17;
    double p = 1.5, q = 2.5, r = 3.5, s = 4.5;
    int steps = 0;
    for (int i = 0; i < rounds; i++) {
        a += b, b ^= c, c += d, d ^= e, e += f, f ^= g, g += h, h ^= a;
        p += q / 2, q += r / 4, r += s / 8, s += 1;
        steps += (int)((a ^ b ^ c ^ d ^ e ^ f ^ g ^ h) & 0xff) + (int)(p + q + r + s);
    }
    return steps;
}

static void test_values_survive_a_switch(void **state)
{
    (void)state;
    struct job one, other;
    start(&one, keep_values, 100);
    start(&other, keep_values, 100);
    double mine = 0.25;
    for (int i = 0; i < 100; i++) {
        fly_fiber_resume(&one.fiber);
        mine *= 1.001;
        fly_fiber_resume(&other.fiber);
    }
    assert_int_equal(one.steps, expect_values(100));
    assert_int_equal(other.steps, expect_values(100));
    assert_true(mine > 0.2762 && mine < 0.2763);
    assert_int_equal(fly_fiber_resume(&one.fiber), FLY_FIBER_DONE);
    stop(&one);
    stop(&other);
}

static void use_libc(void *arg)
{
    struct job *job = arg;
    FLY_ALIGNED(16) char text[64];
    job->steps = (uintptr_t)text % 16 == 0 && snprintf(text, sizeof(text), "%.3f", 1.5) == 5;
}

static void test_the_stack_is_aligned_as_libc_wants(void **state)
{
    (void)state;
    struct job job;
    start(&job, use_libc, 0);
    fly_fiber_resume(&job.fiber);
    assert_int_equal(job.steps, 1);
    stop(&job);
}

static void resume_inner(void *arg)
{
    struct job *outer = arg;
    struct job inner;
    start(&inner, count_steps, 2);
    while (fly_fiber_resume(&inner.fiber) != FLY_FIBER_DONE) {
        outer->steps += 10;
        fly_fiber_yield(&outer->fiber);
    }
    outer->steps += inner.steps;
    stop(&inner);
}

static void test_a_fiber_may_resume_another(void **state)
{
    (void)state;
    struct job outer;
    start(&outer, resume_inner, 0);
    int resumes = 1;
    while (fly_fiber_resume(&outer.fiber) != FLY_FIBER_DONE)
        resumes++;
    assert_int_equal(resumes, 3);
    assert_int_equal(outer.steps, 23);
    stop(&outer);
}

static void test_random_schedules_against_counters(void **state)
{
    (void)state;
    enum { JOBS = 20 };
    struct fly_rng rng;
    fly_rng_init(&rng, test_seed());
    struct job jobs[JOBS];
    int steps[JOBS] = {0};
    for (int i = 0; i < JOBS; i++)
        start(&jobs[i], count_steps, (int)fly_rng_below(&rng, 10));
    for (int op = 0; op < 100000; op++) {
        int i = (int)fly_rng_below(&rng, JOBS);
        enum fly_fiber_state expected =
            ++steps[i] <= jobs[i].yields ? FLY_FIBER_SUSPENDED : FLY_FIBER_DONE;
        assert_int_equal(fly_fiber_resume(&jobs[i].fiber), expected);
        assert_int_equal(jobs[i].steps, steps[i]);
        if (expected == FLY_FIBER_SUSPENDED)
            continue;
        if (fly_rng_below(&rng, 50) == 0) {
            stop(&jobs[i]);
            start(&jobs[i], count_steps, 0);
        }
        jobs[i].yields = (int)fly_rng_below(&rng, 10);
        jobs[i].steps = steps[i] = 0;
        fly_fiber_rearm(&jobs[i].fiber, count_steps, &jobs[i]);
    }
    /* Some are suspended here: fini takes them too. */
    for (int i = 0; i < JOBS; i++)
        stop(&jobs[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_stacks_are_refused),
        cmocka_unit_test(test_misuse_dies),
        cmocka_unit_test(test_an_overflow_hits_the_guard_page),
        cmocka_unit_test(test_the_guard_page_is_below_the_stack),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_a_done_or_new_fiber_is_armed_again),
        cmocka_unit_test(test_values_survive_a_switch),
        cmocka_unit_test(test_the_stack_is_aligned_as_libc_wants),
        cmocka_unit_test(test_a_fiber_may_resume_another),
        cmocka_unit_test(test_random_schedules_against_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
