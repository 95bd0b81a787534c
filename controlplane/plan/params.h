/* params.h - a node's checked parameters as they travel to the dataplane: one msgpack array.
 *
 * Idea       One entry per row of the node's parameter table, in the table's order, so that no
 *            names travel and both sides read the same table.
 * Format     BOOL bool; INT, UINT, DURATION (ns) and SIZE (bytes) integer; FLOAT float64; STRING
 *            and PATH str (any bytes); ENUM unsigned index; LIST and PATHS array of str; TABLE
 *            array of
 *            [name, [values in the order of the row's table]].
 * Memory     The heap; running out of it is an error.
 * See also   dataplane/worker/params.h (reads it), tests/unit/controlplane/plan/test_params.c
 */
#ifndef FLY_PLAN_PARAMS_H
#define FLY_PLAN_PARAMS_H

#include "config/pipeline.h"

#include <stdint.h>

struct fly_params {
    void *bytes; /* free() it */
    uint64_t bytes_cnt;
};

/* Encodes `cnt` values. 0, or -ENOMEM; *out is empty then. */
int fly_params_encode(struct fly_params *out, const struct fly_config_value *values, uint32_t cnt)
    __attribute__((warn_unused_result));

#endif
