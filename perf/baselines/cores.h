/* cores.h - which two cores the programs of two threads run on.
 *
 * Idea       As the user says, or the first two that the process may use.
 */
#ifndef FLY_PERF_CORES_H
#define FLY_PERF_CORES_H

#include <pthread.h>
#include <sched.h>

#include "baseline.h"

/* Reads "A,B" (NULL: choose) into core[2]; ends the program if that is not possible. */
static inline void baseline_cores(const struct baseline *baseline, const char *text,
                                  uint32_t core[2])
{
    cpu_set_t usable;
    uint32_t cnt = 0;
    unsigned a = 0, b = 0;
    char rest;
    CPU_ZERO(&usable);
    int rc = sched_getaffinity(0, sizeof(usable), &usable);
    FLY_CHECK(rc == 0, "cannot ask for the usable cores");
    for (uint32_t i = 0; i < CPU_SETSIZE && cnt < 2; i++) {
        if (CPU_ISSET(i, &usable))
            core[cnt++] = i;
    }
    if (text && sscanf(text, "%u,%u%c", &a, &b, &rest) == 2) {
        core[0] = a;
        core[1] = b;
        cnt = 2;
    }
    if (cnt < 2 || core[0] == core[1]) {
        fprintf(stderr, "baseline_%s: two different cores are needed\n", baseline->name);
        exit(64);
    }
}

static inline void baseline_pin(uint32_t core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    int rc = pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
    FLY_CHECK(rc == 0, "cannot run on core %u: %s", core, strerror(rc));
}

#endif
