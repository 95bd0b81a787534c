/* machine.h - what the machine itself allows, whatever runs on it.
 *
 * Idea       Three figures that explain most of the others: how fast a core counts, how long a
 *            cache line takes from one core to another and back, how fast memory is copied.
 * Owner      The calling thread, which is moved to a core and put back.
 * Caveat     In a virtual machine all three change from second to second with the neighbours and
 *            with where the cores are: measure them beside what they are compared with.
 * See also   tests/unit/controlplane/bench/test_loops.c
 */
#ifndef FLY_BENCH_MACHINE_H
#define FLY_BENCH_MACHINE_H

#include <sched.h>
#include <stddef.h>
#include <stdint.h>

/* Moves the calling thread to a core; `before` is for fly_machine_unpin(). 0, or a negative errno
 * with a trace, and nothing has changed. */
int fly_machine_pin(uint32_t core, cpu_set_t *before) __attribute__((warn_unused_result));
void fly_machine_unpin(const cpu_set_t *before);

/* Cycles per nanosecond of the core that this runs on, from additions that wait for each other. */
double fly_machine_clock_ghz(void);

/* The way of a cache line from core[0] to core[1] and back: the best of many short runs. 0, or a
 * negative errno with a trace. */
int fly_machine_round_trip_ns(const uint32_t core[2], double *ns)
    __attribute__((warn_unused_result));

/* Bytes per second that memcpy copies from one piece of memory to another, both larger than most
 * caches; 0 if there is no memory for that. */
double fly_machine_copy_rate(void);

#endif
