/* micro.h - the small steps that every message is made of, measured one by one.
 *
 * Idea       A group has what its steps work on; a step does its work some hundred thousand times
 *            and says how often. Rounds go over all steps in turn, so that a noisy minute hits all.
 * Owner      One thread; steps between two threads make the other one themselves.
 * See also   micro.c (the table of groups)
 */
#ifndef FLY_MICRO_MICRO_H
#define FLY_MICRO_MICRO_H

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum { MICRO_STEP_CNT = 1 << 19 }; /* about as often as a step is done in a round */

/* Where the two cores of a step were, as far as a message between them can tell. On virtual
 * machines that changes by a factor of five within a second. */
enum micro_place { MICRO_ONE, MICRO_NEAR, MICRO_FAR, MICRO_CHANGING, MICRO_PLACE_CNT };

struct micro_sample {
    uint64_t cnt;   /* of steps */
    uint64_t ticks; /* that they took; 0: the whole call */
    enum micro_place place;
};

struct micro_step {
    const char *name; /* "ring-two-32" */
    const char *help; /* what one step is */
    struct micro_sample (*run)(void *self);
};

struct micro_config {
    uint32_t core[2];
    struct fly_clock_rate rate;
};

struct micro_group {
    void *(*open)(const struct micro_config *config);
    void (*close)(void *self);
    const struct micro_step *steps; /* ends with an entry without a name */
};

extern const struct micro_group micro_ring, micro_messages, micro_acks, micro_tables;

static inline struct micro_sample micro_steps(uint64_t cnt)
{
    return (struct micro_sample){.cnt = cnt};
}

/* The compiler must take it that somebody reads the value. */
static FLY_ALWAYS_INLINE void micro_use(uint64_t value)
{
    __asm__ __volatile__("" ::"r"(value));
}

/* Zeroed, on lines of its own. */
static inline void *micro_memory(uint64_t bytes)
{
    bytes = fly_align_up(bytes, FLY_CACHE_LINE_PAIR);
    void *memory = aligned_alloc(FLY_CACHE_LINE_PAIR, bytes);
    FLY_CHECK(memory, "no memory");
    memset(memory, 0, bytes);
    return memory;
}

#endif
