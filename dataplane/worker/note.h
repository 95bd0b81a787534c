/* note.h - which roots a worker is processing at this moment.
 *
 * Idea       While a task's call runs, each run that it works on has a cell: the root and the XOR
 *            of what was emitted for it so far. The cell leaves as one update when the call is
 *            done, so it is the tree's guard. Roots that the call emits are listed beside. After a
 *            crash both name the suspects.
 * Fresh      A poll's roots are only here at first, without a name. They enter the tracker together
 *            as soon as something of one is to outlive the call: a frame, a hold, a failure. If
 *            nothing does they are done when the call returns, whatever their number.
 * Owner      The worker's thread; the control plane reads it after its death.
 * Memory     In the workspace, one per task.
 */
#ifndef FLY_WORKER_NOTE_H
#define FLY_WORKER_NOTE_H

#include "msg/root.h"

#include <flyover/task.h>
#include <stdatomic.h>

enum {
    FLY_BATCH_MAX = 128,  /* messages of one call */
    FLY_CELLS_MAX = 1024, /* of one call: a batch's, and those of messages taken from holds */
};
#define FLY_RUNNING_NONE UINT32_MAX

struct fly_note {
    _Atomic uint32_t cell_cnt, root_cnt;
    _Atomic uint32_t fresh_cnt;   /* handed on, and not in the tracker */
    _Atomic uint32_t entered_cnt; /* of the fresh: with a name, in the tracker */
    _Atomic uint64_t fresh_next;  /* the source's position after them */
    uint64_t reserved[5];
    struct fly_anchor cell[FLY_CELLS_MAX];
    uint32_t root[FLY_CELLS_MAX]; /* slots of the worker's tracker being emitted */
    struct fly_anchor fresh[FLY_BATCH_MAX];
    uint64_t fresh_id[FLY_BATCH_MAX];
};
_Static_assert(sizeof(struct fly_anchor) == FLY_ANCHOR_BYTES, "sources step through them");

/* How far a note was filled when a call began: it closes what is above. */
struct fly_note_mark {
    uint32_t cell, root;
};

static FLY_ALWAYS_INLINE struct fly_note_mark fly_note_mark(const struct fly_note *note)
{
    return (struct fly_note_mark){
        atomic_load_explicit(&note->cell_cnt, memory_order_relaxed),
        atomic_load_explicit(&note->root_cnt, memory_order_relaxed),
    };
}

#endif
