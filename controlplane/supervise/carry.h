/* carry.h - what is carried from a dead dataplane (or a state file) to the next one.
 *
 * Idea       Per task of a source that can go on: its position, and the roots below it that had not
 *            ended. Those that were being processed when it died are suspects: they count the
 *            attempt and are tried alone; all others are tried again without a count.
 * Owner      The control plane, between two dataplanes; fly_carry_live also while one runs.
 * Memory     The heap.
 * See also   worker/restore.h, state_file.h, tests/unit/controlplane/supervise/test_carry.c
 */
#ifndef FLY_SUPERVISE_CARRY_H
#define FLY_SUPERVISE_CARRY_H

#include "supervise/state_file.h"
#include "worker/layout.h"

#include <stdbool.h>
#include <stdint.h>

/* One entry per task of the plan; only sources have something. Flags are those of
 * worker/restore.h. */
struct fly_carry {
    uint32_t task_cnt;
    struct fly_state_task *task;
    bool *can_go_on; /* per task: its source has a `restore` */
};

/* `can_go_on` has one entry per node. 0, or -ENOMEM with a trace and nothing left behind. */
int fly_carry_create(struct fly_carry *carry, const struct fly_plan *plan, const bool *can_go_on)
    __attribute__((warn_unused_result));
void fly_carry_destroy(struct fly_carry *carry);

/* Copies. 0 or -ENOMEM with a trace. */
int fly_carry_copy(struct fly_carry *into, const struct fly_carry *from)
    __attribute__((warn_unused_result));

/* Takes positions and open roots of a running dataplane, for a state file: every root that is not
 * acked at the end of the call is in it, or above its position. 0 or -ENOMEM. */
int fly_carry_live(struct fly_carry *carry, const struct fly_workspace *workspace,
                   const struct fly_layout *layout) __attribute__((warn_unused_result));

/* The same from a dead dataplane, with its suspects marked. 0 or -ENOMEM. */
int fly_carry_dead(struct fly_carry *carry, const struct fly_workspace *workspace,
                   const struct fly_layout *layout) __attribute__((warn_unused_result));

/* Writes it into a formatted workspace that is not published yet, and numbers the suspects. */
void fly_carry_write(const struct fly_carry *carry, struct fly_workspace *workspace,
                     const struct fly_layout *layout);

/* Unfinished roots of a dead dataplane's `node` that nobody will send again. */
uint64_t fly_carry_abandoned(const struct fly_carry *carry, const struct fly_workspace *workspace,
                             const struct fly_layout *layout, uint32_t node);

/* Has any task a position? */
bool fly_carry_has_position(const struct fly_carry *carry);

#endif
