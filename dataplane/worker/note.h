/* note.h - which roots a worker is processing at this moment.
 *
 * Idea       While a task's call runs, each run or root that it works on has a cell: the root and the XOR
 *            of what was emitted for it so far. The cell leaves as one update when the call is done, so it
 *            is the tree's guard, and after a crash the cells of the running task name the suspects.
 * Owner      The worker's thread; the control plane reads it after its death.
 * Memory     In the workspace, one per task.
 */
#ifndef FLY_WORKER_NOTE_H
#define FLY_WORKER_NOTE_H

#include "msg/root.h"

#include <stdatomic.h>

enum {
    FLY_BATCH_MAX = 128,  /* messages of one call */
    FLY_CELLS_MAX = 1024, /* of one fiber: a batch's, and those of messages taken from holds */
};
#define FLY_RUNNING_NONE UINT32_MAX

enum fly_cell_kind {
    FLY_CELL_RUN,  /* xor_ids starts with the run's or held message's own id */
    FLY_CELL_ROOT, /* the root is being emitted by this call */
    FLY_CELL_KEPT, /* goes on in a later call: not closed with the others */
};

/* The struct behind a message's anchor. */
struct fly_anchor {
    uint64_t root;
    uint64_t xor_ids;
    uint8_t kind;   /* enum fly_cell_kind */
    uint8_t failed; /* its attempt has been failed already */
    uint16_t holder; /* a taken message's task, among the worker's */
    uint32_t block;  /* its copy, freed with the cell; else FLY_BLOCK_NONE */
};

struct fly_note {
    _Atomic uint32_t cnt;
    uint32_t reserved[15];
    struct fly_anchor cell[FLY_CELLS_MAX];
};

#endif
