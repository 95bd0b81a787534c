#include "worker/restore.h"

#include "ack/tracker.h"
#include "worker/note.h"

uint32_t fly_restore_suspects(const struct fly_workspace *workspace,
                              const struct fly_layout *layout, uint32_t worker,
                              struct fly_root *out, uint32_t max)
{
    const _Atomic uint32_t *running = fly_place(workspace, layout->worker[worker].running);
    uint32_t task = atomic_load_explicit(running, memory_order_acquire), cnt = 0;
    if (task >= workspace->plan->task_cnt)
        return 0;
    const struct fly_note *note = fly_place(workspace, layout->task[task].note);
    const struct fly_tracker *tracker = fly_place(workspace, layout->worker[worker].tracker);
    uint32_t cells = atomic_load_explicit(&note->cell_cnt, memory_order_acquire);
    uint32_t roots = atomic_load_explicit(&note->root_cnt, memory_order_acquire);
    for (uint32_t i = 0; i < cells && i < FLY_CELLS_MAX && cnt < max; i++)
        out[cnt++] = fly_anchor_root(&note->cell[i]);
    for (uint32_t i = 0; i < roots && i < FLY_CELLS_MAX && cnt < max; i++)
        if (note->root[i] < tracker->cnt)
            out[cnt++] = fly_anchor_root(&tracker->entry[note->root[i]].anchor);
    uint32_t entered = atomic_load_explicit(&note->entered_cnt, memory_order_acquire);
    for (uint32_t i = 0; i < entered && i < FLY_BATCH_MAX && cnt < max; i++)
        out[cnt++] = fly_anchor_root(&note->fresh[i]);
    return cnt;
}

uint32_t fly_restore_fresh(const struct fly_workspace *workspace, const struct fly_layout *layout,
                           uint32_t task, struct fly_restore_fresh *out)
{
    uint32_t worker = fly_plan_tasks(workspace->plan)[task].worker;
    const _Atomic uint32_t *running = fly_place(workspace, layout->worker[worker].running);
    const struct fly_note *note = fly_place(workspace, layout->task[task].note);
    uint32_t cnt = atomic_load_explicit(&note->fresh_cnt, memory_order_acquire);
    if (atomic_load_explicit(&note->entered_cnt, memory_order_acquire))
        return 0; /* it died while they entered: they are in the tracker */
    out->id = note->fresh_id;
    out->next = atomic_load_explicit(&note->fresh_next, memory_order_relaxed);
    out->running = atomic_load_explicit(running, memory_order_acquire) == task;
    return cnt < FLY_BATCH_MAX ? cnt : FLY_BATCH_MAX;
}

uint32_t fly_restore_open_roots(const struct fly_workspace *workspace,
                                const struct fly_layout *layout, uint32_t task,
                                struct fly_open_root *out, uint32_t max)
{
    const struct fly_plan *plan = workspace->plan;
    const struct fly_plan_task *plan_task = &fly_plan_tasks(plan)[task];
    const struct fly_plan_node *node = &fly_plan_nodes(plan)[plan_task->node];
    const struct fly_tracker *tracker =
        fly_place(workspace, layout->worker[plan_task->worker].tracker);
    if (!node->owns_roots)
        return 0;
    return fly_tracker_scan(tracker, plan_task->first_root, node->delivery.max_in_flight, out, max);
}
