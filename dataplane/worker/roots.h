/* roots.h - the life of a root on the worker that owns it: begun, done, failed, tried again, given
 * up.
 *
 * Idea       One place for what follows from the end of an attempt: ledger, latency, retry, dead
 *            letter, parents, callbacks. Everybody else only sends updates.
 * Owner      The worker's thread.
 * Ledger     in is counted at begin; exactly one of acked, failed, dropped at the end of the root.
 * See also   ack/tracker.h, DESIGN of delivery in docs/architecture.md
 */
#ifndef FLY_WORKER_ROOTS_H
#define FLY_WORKER_ROOTS_H

#include "worker/worker.h"

/* Enters ids for a root of any worker. */
void fly_root_update(struct fly_worker *worker, struct fly_root root, uint64_t xor_ids);

/* Fails the attempt `root` of any worker. */
void fly_root_fail(struct fly_worker *worker, struct fly_root root, uint32_t reason, uint32_t node);

/* Fails the attempt of a cell, once. `task` is where it failed. */
void fly_anchor_fail(struct fly_rt_task *task, struct fly_anchor *anchor, uint32_t reason);

/* Lists a root as being emitted by the running call. */
static FLY_ALWAYS_INLINE void fly_root_push(struct fly_note *note, uint32_t slot)
{
    uint32_t idx = atomic_load_explicit(&note->root_cnt, memory_order_relaxed);
    FLY_DCHECK(idx < FLY_CELLS_MAX, "too many roots in one call");
    note->root[idx] = slot;
    /* Release: after a crash whoever reads the count finds the slots. */
    atomic_store_explicit(&note->root_cnt, idx + 1, memory_order_release);
}

/* The slow side of fly_root_begin: lets go of what this call emitted, suspends until a slot is
 * free. */
void fly_root_make_room(struct fly_rt_task *task);

/* Opens a new root of this task; suspends the fiber until there is a free slot. */
static FLY_ALWAYS_INLINE struct fly_root_entry *fly_root_begin(struct fly_rt_task *task,
                                                               uint64_t id)
{
    struct fly_worker *worker = task->worker;
    struct fly_note *note = worker->fiber_task->note;
    if (FLY_UNLIKELY(!task->range.free_cnt || fly_note_mark(note).root == FLY_CELLS_MAX))
        fly_root_make_room(task);
    struct fly_root_entry *entry =
        fly_tracker_begin(worker->tracker, &task->range, id, worker->now_ticks, worker->clock_ms);
    fly_root_push(note, (uint32_t)(entry - worker->tracker->entry));
    fly_hook_begins(worker->hooks, worker, entry);
    return entry;
}

/* How many roots the running poll may emit. Those that need no copy go by the inline way. */
static inline void fly_roots_allow(struct fly_rt_task *task, uint32_t cnt)
{
    task->poll_budget = cnt;
    task->pub.root_max = task->retain ? 0 : cnt;
}

/* Before roots that the running poll of `task` emitted are handed on: a crash finds them. */
void fly_roots_hand_on(struct fly_rt_task *task);

/* Enters them into the tracker, with names. */
void fly_roots_enter(struct fly_rt_task *task);

/* The poll's call is done: they may end. */
void fly_roots_close_polled(struct fly_rt_task *task);

/* The name of what a message is anchored to; a poll's roots get theirs when it is first asked
 * for. */
static FLY_ALWAYS_INLINE struct fly_root fly_anchor_name(struct fly_worker *worker,
                                                         const struct fly_anchor *anchor)
{
    if (FLY_UNLIKELY(fly_anchor_root(anchor).bits == FLY_ROOT_NONE))
        fly_roots_enter(worker->fiber_task);
    return fly_anchor_root(anchor);
}

/* Enters new roots into the ledger. */
void fly_root_count(struct fly_rt_task *task, uint64_t cnt);

/* The same for those that the running poll has emitted since the last time. */
void fly_roots_count_polled(struct fly_rt_task *task);

/* Suspends the fiber until there is room to keep a copy of this content; before the root is
 * opened. */
void fly_root_wait_room(struct fly_rt_task *task, const struct fly_content *content);

/* Keeps the copy for the retries of an open root. */
void fly_root_keep(struct fly_rt_task *task, struct fly_root_entry *entry,
                   const struct fly_content *content, uint32_t port);

/* An open root becomes a dead letter at once; false: there is no such edge, it will be dropped. */
bool fly_root_dead(struct fly_rt_task *task, struct fly_root_entry *entry, uint32_t reason);

/* Opens the next attempt of a root that waits for it; NULL: no such attempt waits. */
struct fly_root_entry *fly_root_again(struct fly_rt_task *task, struct fly_root root);

/* A root that will never be emitted again ends. */
void fly_root_lost(struct fly_rt_task *task, struct fly_root root, uint32_t reason);

/* The call that filled the note above `mark` is done: guards leave, its roots may end. */
void fly_note_close(struct fly_rt_task *base, struct fly_note_mark mark);

/* Adds a cell for a run or a taken message to the running call's note; there must be room. */
struct fly_anchor *fly_cell_push(struct fly_rt_task *base, struct fly_root root, uint64_t xor_ids);

/* Records of another worker's outbox. Nonsense is counted as late. */
void fly_ack_arrived(struct fly_worker *worker, const struct fly_ring_pair *record, uint32_t cnt);

/* Time: the sliced sweep for timeouts, and the retries that are due. Returns the work done. */
uint32_t fly_roots_sweep(struct fly_worker *worker, uint32_t slots);
uint32_t fly_roots_due(struct fly_worker *worker);

/* Emits the replays that wait at a task (on its fiber). */
void fly_roots_replay(struct fly_rt_task *task);

/* Is there a replay that may be emitted now? Suspects go one at a time, before all others. */
bool fly_roots_may_replay(const struct fly_rt_task *task);

/* Callbacks that piled up: acked and failed ids (on its fiber). */
void fly_roots_tell(struct fly_rt_task *task);

/* Is there anything to tell? */
static inline bool fly_roots_may_tell(const struct fly_rt_task *task)
{
    return task->acked_cnt || task->failed_cnt;
}

/* Opens the roots of the restore list again. Before the first turn. */
int fly_roots_restore(struct fly_rt_task *task) __attribute__((warn_unused_result));

#endif
