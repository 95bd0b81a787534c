/* source_state.h - the state files of all sources that have `state:`.
 *
 * Idea       Before the start each is opened, checked against the source's input, and read into the
 *            carry; while the run goes on, and at its end, the carry is written back.
 * Where      `state: PATH` names a folder (it exists, or ends in a slash: PIPELINE-NODE in it) or a
 *            file.
 * Owner      The control plane.
 * Memory     The heap.
 * See also   state_file.h, identity.h, carry.h
 */
#ifndef FLY_SUPERVISE_SOURCE_STATE_H
#define FLY_SUPERVISE_SOURCE_STATE_H

#include "config/pipeline.h"
#include "supervise/carry.h"
#include "supervise/state_file.h"

struct fly_source_state {
    uint32_t node;
    bool found; /* there was a record at the start */
    char *identity;
    struct fly_state_file file;
};

struct fly_source_states {
    const struct fly_pipeline *pipeline;
    const struct fly_plan *plan;
    uint32_t cnt;
    struct fly_source_state *source;
};

/* Opens them all and fills the carry. 0; -EBUSY: in use by another run; -EINVAL: a source that
 * cannot go
 * on, another number of tasks; -EBADMSG, -ESTALE: see state_file.h and identity.h; or another
 * negative errno. With a trace; nothing stays open. */
int fly_source_states_open(struct fly_source_states *states, const struct fly_pipeline *pipeline,
                           const struct fly_plan *plan, struct fly_carry *carry)
    __attribute__((warn_unused_result));

/* Writes what has changed. 0, or the first negative errno with a trace; the others are written. */
int fly_source_states_write(struct fly_source_states *states, const struct fly_carry *carry)
    __attribute__((warn_unused_result));

/* NULL and a zeroed struct are fine. */
void fly_source_states_close(struct fly_source_states *states);

#endif
