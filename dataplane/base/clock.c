#include "base/clock.h"

#include <time.h>

#define NS_PER_S UINT64_C(1000000000)

static uint64_t read_clock(clockid_t id)
{
    struct timespec now;
    int rc = clock_gettime(id, &now);
    FLY_CHECK(rc == 0, "clock %d cannot be read", (int)id);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t fly_clock_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t fly_clock_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

struct fly_clock_rate fly_clock_rate_of(uint64_t ticks_hz)
{
    FLY_CHECK(ticks_hz >= 1000000 && ticks_hz <= 100 * NS_PER_S, "tick rate of %llu Hz",
              (unsigned long long)ticks_hz);
    return (struct fly_clock_rate){
        .ticks_hz = ticks_hz,
        .ns_per_tick_q32 = (uint64_t)(((fly_u128)NS_PER_S << 32) / ticks_hz),
        .tick_per_ns_q32 = (uint64_t)(((fly_u128)ticks_hz << 32) / NS_PER_S),
    };
}

#if defined(__aarch64__)

struct fly_clock_rate fly_clock_calibrate(void)
{
    uint64_t ticks_hz;
    __asm__ __volatile__("mrs %0, cntfrq_el0" : "=r"(ticks_hz));
    return fly_clock_rate_of(ticks_hz);
}

#else

struct instant {
    uint64_t ticks;
    uint64_t ns;
};

/* The same instant on both clocks. Of several tries the tightest counts: an interruption between
 * the two readings of the counter would shift it. */
static struct instant read_both(void)
{
    struct instant best = {0, 0};
    uint64_t best_width_ticks = UINT64_MAX;
    for (int i = 0; i < 10; i++) {
        uint64_t before_ticks = fly_ticks();
        uint64_t ns = fly_clock_ns();
        uint64_t width_ticks = fly_ticks() - before_ticks;
        if (width_ticks < best_width_ticks) {
            best_width_ticks = width_ticks;
            best = (struct instant){.ticks = before_ticks + width_ticks / 2, .ns = ns};
        }
    }
    return best;
}

struct fly_clock_rate fly_clock_calibrate(void)
{
    struct instant first = read_both();
    while (fly_clock_ns() - first.ns < 1500000)
        fly_pause();
    struct instant last = read_both();
    uint64_t ns = last.ns - first.ns;
    return fly_clock_rate_of((uint64_t)((fly_u128)(last.ticks - first.ticks) * NS_PER_S / ns));
}

#endif
