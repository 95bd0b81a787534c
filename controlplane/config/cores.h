/* cores.h - lists of cores as people write them: "0-1", "0,2", "4".
 *
 * Idea       A set of core numbers, filled from text.
 * Memory     The caller's, fixed.
 * See also   tests/unit/controlplane/config/test_cores.c
 */
#ifndef FLY_CONFIG_CORES_H
#define FLY_CONFIG_CORES_H

#include <stdbool.h>
#include <stdint.h>

enum { FLY_CORES_MAX = 1024 }; /* core numbers below this; the kernel's own limit is 8192 */

struct fly_cores {
    uint64_t bits[FLY_CORES_MAX / 64];
};

/* Adds the cores of `text` to the set. 0, or -EINVAL with a trace: an empty or malformed list, a
 * range that falls, a number over the limit. The set may then hold part of it. */
int fly_cores_add(struct fly_cores *cores, const char *text) __attribute__((warn_unused_result));

/* Adds the cores that this process may use. 0 or a negative errno. */
int fly_cores_add_usable(struct fly_cores *cores) __attribute__((warn_unused_result));

uint32_t fly_cores_cnt(const struct fly_cores *cores);

static inline bool fly_cores_has(const struct fly_cores *cores, uint32_t core)
{
    return core < FLY_CORES_MAX && (cores->bits[core / 64] >> (core % 64) & 1);
}

#endif
