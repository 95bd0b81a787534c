/* restore.h - what a source goes on from after a death: its position and the roots that were open.
 *
 * Idea       The control plane copies both out of the dead workspace (or a state file) into the new
 *            one before the dataplane starts; the source's task opens those roots again, then polls
 *            on.
 * Suspects   Roots that were being processed when a process died are tried alone, one at a time in
 *            the order of their turns, before anything else runs; only they count an attempt.
 * Owner      The control plane writes before publishing; the task's worker reads once.
 */
#ifndef FLY_WORKER_RESTORE_H
#define FLY_WORKER_RESTORE_H

#include "msg/root.h"
#include "worker/layout.h"

enum { FLY_RESTORE_SUSPECT = 1 << 0, FLY_RESTORE_DEAD = 1 << 1 };

struct fly_restore_root {
    uint64_t id;
    uint32_t attempts; /* tries that count */
    uint32_t flags;
    uint32_t
        turn; /* suspects: tried when header->quarantined equals it; the first has the highest */
    uint32_t reserved;
};

struct fly_restore {
    uint64_t position;
    uint32_t has_position;
    uint32_t cnt; /* at most the task's max_in_flight */
    struct fly_restore_root root[];
};

static inline uint64_t fly_restore_footprint(uint32_t max_in_flight)
{
    return sizeof(struct fly_restore) + (uint64_t)max_in_flight * sizeof(struct fly_restore_root);
}

/* NULL unless the task is a source. */
static inline struct fly_restore *fly_restore_of(const struct fly_workspace *workspace,
                                                 const struct fly_layout *layout, uint32_t task)
{
    uint64_t at = layout->task[task].restore;
    return at ? fly_place(workspace, at) : NULL;
}

/* Roots that worker `worker` of a dead dataplane was processing; returns how many (at most max).
 * Look each up in its owner's tracker: fly_root_worker() of `bits`. */
uint32_t fly_restore_suspects(const struct fly_workspace *workspace,
                              const struct fly_layout *layout, uint32_t worker,
                              struct fly_root *out, uint32_t max);

/* Roots of a dead poll that had not entered the tracker. */
struct fly_restore_fresh {
    const uint64_t *id; /* in the workspace */
    uint64_t next;      /* the source's position after them */
    bool running;       /* the worker was working on them */
};

/* Those of a task; returns how many. */
uint32_t fly_restore_fresh(const struct fly_workspace *workspace, const struct fly_layout *layout,
                           uint32_t task, struct fly_restore_fresh *out);

struct fly_open_root;

/* Unfinished roots of a task, from its worker's tracker; see fly_tracker_scan(). */
uint32_t fly_restore_open_roots(const struct fly_workspace *workspace,
                                const struct fly_layout *layout, uint32_t task,
                                struct fly_open_root *out, uint32_t max);

#endif
