/* clock.h - the processor's tick counter, and its rate in nanoseconds.
 *
 * Idea       Hot paths read the tick counter once per batch; ticks become nanoseconds by one
 *            multiplication.
 * Owner      Any thread. A fly_clock_rate is measured once and may be copied to other processes.
 * Memory     None.
 * Cost       fly_ticks about 10 ns in a virtual machine, conversions about 1 ns, fly_clock_ns
 *            about 30 ns, fly_clock_calibrate at most 2 ms, once.
 * When full  Ticks do not wrap for over a century; conversions hold for intervals up to 2^63 ns.
 * Caveat     The rate is good to about 100 parts per million: fit for latencies and timeouts, not
 *            for dates. The tick counter must be invariant and the same on all cores, as on
 *            servers of this century.
 * See also   tests/unit/dataplane/base/test_clock.c
 */
#ifndef FLY_BASE_CLOCK_H
#define FLY_BASE_CLOCK_H

#include <stdint.h>

#include "base/check.h"

struct fly_clock_rate {
    uint64_t ticks_hz;
    uint64_t ns_per_tick_q32; /* fixed point, 32 bits below the point */
    uint64_t tick_per_ns_q32;
};

__extension__ typedef unsigned __int128 fly_u128;

/* The processor's counter; not ordered against memory accesses around it. */
static FLY_ALWAYS_INLINE uint64_t fly_ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ __volatile__("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
#error "clock.h: x86-64 and aarch64 only"
#endif
}

/* Tells the core that this is a spin loop: it saves power and helps a sibling hyper-thread. */
static FLY_ALWAYS_INLINE void fly_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    __asm__ __volatile__("isb");
#endif
}

/* Fetches the line at `at` to write it: it need not be valid memory. The compiler's own only reads
 * where not every processor of the build's baseline can do more; this is a no-op on those. */
static FLY_ALWAYS_INLINE void fly_prefetch_write(const void *at)
{
#if defined(__x86_64__)
    __asm__ __volatile__("prefetchw (%0)" : : "r"(at));
#else
    __builtin_prefetch(at, 1);
#endif
}

static FLY_ALWAYS_INLINE uint64_t fly_ticks_to_ns(const struct fly_clock_rate *rate, uint64_t ticks)
{
    return (uint64_t)(((fly_u128)ticks * rate->ns_per_tick_q32) >> 32);
}

static FLY_ALWAYS_INLINE uint64_t fly_ns_to_ticks(const struct fly_clock_rate *rate, uint64_t ns)
{
    return (uint64_t)(((fly_u128)ns * rate->tick_per_ns_q32) >> 32);
}

/* CLOCK_MONOTONIC, comparable between processes of one machine. */
uint64_t fly_clock_ns(void);

/* CLOCK_REALTIME since 1970: for people and for records, never for intervals. */
uint64_t fly_clock_wall_ns(void);

/* The rate for a known frequency, 1 MHz to 100 GHz. */
struct fly_clock_rate fly_clock_rate_of(uint64_t ticks_hz);

/* Finds the frequency: from the processor where it tells (aarch64), else by comparing with the
 * kernel's clock for 1.5 ms. Any thread, at start. */
struct fly_clock_rate fly_clock_calibrate(void);

#endif
