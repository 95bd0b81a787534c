/* check.h - broken invariants of our own, and the few words that every module shares.
 *
 * Idea       A process whose own invariant is broken stops at once, with one line that says where
 *            and why.
 * Owner      Any thread.
 * Memory     None.
 * Cost       FLY_CHECK is one predicted branch; FLY_DCHECK costs nothing unless FLY_TEST_HOOKS is
 *            1.
 * When full  Does not apply.
 * Caveat     Data from a file, the wire, a plugin's caller or another process is never an
 *            invariant: validate and count it instead.
 * See also   tests/unit/dataplane/base/test_check.c
 */
#ifndef FLY_BASE_CHECK_H
#define FLY_BASE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one coherence miss moves on x86-64 and aarch64 servers. */
#define FLY_CACHE_LINE 64
/* Neighbouring lines are fetched in pairs: fields of different writers are kept this far apart. */
#define FLY_CACHE_LINE_PAIR 128

#define FLY_LIKELY(cond) __builtin_expect(!!(cond), 1)
#define FLY_UNLIKELY(cond) __builtin_expect(!!(cond), 0)
#define FLY_ALIGNED(bytes) __attribute__((aligned(bytes)))
#define FLY_ALWAYS_INLINE inline __attribute__((always_inline))
#define FLY_NOINLINE __attribute__((noinline))
#define FLY_MUST_CHECK __attribute__((warn_unused_result))

/* 1 in builds with AddressSanitizer or ThreadSanitizer, gcc's or clang's. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FLY_SANITIZED 1
#elif defined(__has_feature)
#define FLY_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define FLY_SANITIZED 0
#endif

/* Aborts with file, line, condition and the formatted reason. Always on. */
#define FLY_CHECK(cond, ...)                                                                       \
    (FLY_LIKELY(cond) ? (void)0 : fly_check_failed(__FILE__, __LINE__, #cond, __VA_ARGS__))

/* The same in builds with FLY_TEST_HOOKS; elsewhere the condition is compiled, but not evaluated.
 */
#if defined(FLY_TEST_HOOKS) && FLY_TEST_HOOKS
#define FLY_DCHECK(cond, ...) FLY_CHECK(cond, __VA_ARGS__)
#else
#define FLY_DCHECK(cond, ...) ((void)sizeof((cond) ? 1 : 0))
#endif

/* Behind FLY_CHECK: one line to stderr, then abort(). */
void fly_check_failed(const char *file, int line, const char *cond, const char *fmt, ...)
    __attribute__((format(printf, 4, 5), noreturn, cold));

/* True for 1, 2, 4, ...; false for 0. */
static inline bool fly_is_pow2(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

/* `value` rounded up to a multiple of `align`, a power of two. `value` is at most 2^64 - align. */
static inline uint64_t fly_align_up(uint64_t value, uint64_t align)
{
    return (value + align - 1) & ~(align - 1);
}

/* Smallest power of two >= value; 1 for 0, and 0 above 2^63, where there is none. */
static inline uint64_t fly_pow2_ceil(uint64_t value)
{
    if (value <= 1)
        return 1;
    unsigned bits = 64U - (unsigned)__builtin_clzll(value - 1);
    return bits < 64 ? UINT64_C(1) << bits : 0;
}

#endif
