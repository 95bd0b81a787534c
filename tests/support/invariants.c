#include "support/invariants.h"

#include "support/unit.h"
#include "worker/emit.h"

/* Block stores begin with a free list of their own. */
struct fly_block_link {
    uint32_t next;
};

struct walk {
    const struct pipe *pipe;
    uint8_t *seen; /* per frame: how often */
};

#define HOLDS(cond, ...)                                                                           \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            pipe_dump(pipe);                                                                       \
            fail_msg(__VA_ARGS__);                                                                 \
        }                                                                                          \
    } while (0)

/* --- Frames ---------------------------------------------------------------------------------- */

static void see(struct walk *walk, uint32_t frame, const char *where)
{
    const struct pipe *pipe = walk->pipe;
    HOLDS(frame < pipe->layout.frame_cnt, "no frame %u (%s)", frame, where);
    HOLDS(walk->seen[frame]++ == 0, "frame %u is in two places, one is %s", frame, where);
}

/* A frame, or all those of a chain. */
static uint32_t see_chain(struct walk *walk, const struct fly_worker *worker, uint32_t frame,
                          const char *where)
{
    uint32_t cnt = 0;
    for (; frame != FLY_FRAME_NONE; frame = worker->frame[frame]->next, cnt++)
        see(walk, frame, where);
    return cnt;
}

/* What lies in a ring, staged ones included. */
static void see_ring(struct walk *walk, const struct fly_worker *to, const struct fly_ring_tx *tx,
                     const struct fly_ring_rx *rx, bool data)
{
    for (uint64_t at = rx->head; at != tx->tail; at++) {
        uint64_t elem;
        memcpy(&elem, tx->ring->slot + (at & tx->mask) * sizeof(elem), sizeof(elem));
        if (!data && elem & FLY_HOME_MARK)
            continue;
        if (!data)
            see(walk, (uint32_t)elem, "going home");
        else if (elem >> 56 == FLY_DATA_FRAME)
            see_chain(walk, to, (uint32_t)elem, "in a data ring");
    }
}

static void see_task(struct walk *walk, const struct fly_rt_task *task)
{
    const struct pipe *pipe = walk->pipe;
    const struct fly_worker *worker = task->worker;
    uint32_t queued = 0, local = 0;
    for (uint32_t i = 0; i < task->input_cnt; i++) {
        const struct fly_input *input = &task->input[i];
        for (uint32_t f = input->head; f != FLY_FRAME_NONE; f = worker->frame[f]->queue_next) {
            see_chain(walk, worker, f, "queued");
            queued++;
            local += input->local;
        }
    }
    HOLDS(queued == task->queued_cnt, "%s has %u frames queued, it says %u", task->plan->name,
          queued, task->queued_cnt);
    if (task->current.frame_idx != FLY_FRAME_NONE) {
        see_chain(walk, worker, task->current.frame_idx, "being worked off");
        local += task->current.input->local;
    }
    for (uint32_t i = 0; i < worker->open_cnt; i++) {
        HOLDS(worker->open[i]->open_idx == i, "a lane is not where it says");
        local += worker->open[i]->local == task;
    }
    HOLDS(task->busy == local + task->occupied + task->mark_of.keeps_busy,
          "%s: busy %u, but %u frames wait, occupied is %d, and a watermark waits: %d",
          task->plan->name, task->busy, local, task->occupied, task->mark_of.keeps_busy);
}

static void see_worker(struct walk *walk, const struct fly_worker *worker)
{
    const struct pipe *pipe = walk->pipe;
    uint32_t suspended = 0;
    for (uint32_t f = 0; f < pipe->layout.feed_cnt; f++)
        for (uint32_t i = 0; worker->feed[f].free && i < worker->feed[f].free_cnt; i++)
            see(walk, worker->feed[f].free[i], "free");
    for (uint32_t i = 0; i < worker->open_cnt; i++)
        see(walk, worker->open[i]->frame_idx, "open");
    for (uint32_t t = 0; t < worker->task_cnt; t++) {
        see_task(walk, &worker->task[t]);
        suspended += worker->task[t].wait != FLY_WAIT_NOTHING;
    }
    HOLDS(suspended == worker->suspended_cnt, "%u fibers are suspended, worker %u says %u",
          suspended, worker->idx, worker->suspended_cnt);
    for (uint32_t p = 0; p < pipe->plan.head.worker_cnt; p++) {
        if (p == worker->idx)
            continue;
        const struct fly_worker *other = pipe->worker[p];
        see_ring(walk, other, &worker->peer[p].data_out.side,
                 &other->peer[worker->idx].data_in.side, true);
        see_ring(walk, other, &worker->peer[p].back_out.side,
                 &other->peer[worker->idx].back_in.side, false);
    }
}

static void check_frames(const struct pipe *pipe)
{
    struct walk walk = {pipe, calloc(pipe->layout.frame_cnt + 1, 1)};
    assert_non_null(walk.seen);
    for (uint32_t w = 0; w < pipe->plan.head.worker_cnt; w++)
        see_worker(&walk, pipe->worker[w]);
    for (uint32_t f = 0; f < pipe->layout.frame_cnt; f++)
        HOLDS(walk.seen[f] == 1, "frame %u is nowhere", f);
    free(walk.seen);
}

/* --- Roots ----------------------------------------------------------------------------------- */

static void check_ledger(const struct pipe *pipe, const struct fly_rt_task *task, uint32_t in_use)
{
    const struct fly_source_stats *stats = task->source;
    uint64_t ends = fly_counted(&stats->acked) + fly_counted(&stats->failed) +
                    fly_counted(&stats->dropped) + fly_counted(&stats->abandoned);
    HOLDS(fly_counted(&stats->in) == ends + fly_counted(&stats->in_flight),
          "%s: the ledger does not add up", task->plan->name);
    /* A poll that is suspended has not told how many it emitted. */
    bool polls = task->occupied && task->action == FLY_ACT_POLL;
    HOLDS(polls || fly_counted(&stats->in_flight) == in_use,
          "%s: %llu roots in flight, %u slots in use", task->plan->name,
          (unsigned long long)fly_counted(&stats->in_flight), in_use);
}

static void check_roots(const struct pipe *pipe, const struct fly_rt_task *task, uint32_t *waiting)
{
    const struct fly_tracker *tracker = task->worker->tracker;
    uint32_t in_use = 0, free_cnt = 0, queued = 0;
    for (uint32_t i = task->range.first; i < task->range.first + task->range.cnt; i++) {
        const struct fly_root_entry *entry = &tracker->entry[i];
        in_use += fly_root_state(entry) != FLY_ROOT_FREE;
        *waiting += fly_root_state(entry) == FLY_ROOT_WAITING;
        HOLDS(fly_root_state(entry) != FLY_ROOT_LIVE || entry->anchor.xor_ids != 0,
              "%s: a root is live, but nothing of its tree is", task->plan->name);
    }
    for (uint32_t i = task->range.free_head; free_cnt < task->range.free_cnt; free_cnt++) {
        HOLDS(i < tracker->cnt && fly_root_state(&tracker->entry[i]) == FLY_ROOT_FREE,
              "%s: a free slot is in use", task->plan->name);
        i = tracker->entry[i].next;
    }
    HOLDS(in_use + free_cnt == task->range.cnt, "%s: %u slots in use, %u free, of %u",
          task->plan->name, in_use, free_cnt, task->range.cnt);
    for (uint32_t i = task->replay_head; i != FLY_SLOT_NONE; i = tracker->entry[i].next, queued++)
        HOLDS(fly_root_state(&tracker->entry[i]) == FLY_ROOT_REPLAY,
              "%s: a root that is not to be replayed is queued", task->plan->name);
    HOLDS(queued == task->replay_cnt, "%s: %u replays queued, it says %u", task->plan->name, queued,
          task->replay_cnt);
    check_ledger(pipe, task, in_use);
}

/* --- Pools ----------------------------------------------------------------------------------- */

static void check_blocks(const struct pipe *pipe, const struct fly_blocks *blocks)
{
    uint32_t cnt = 0;
    for (uint32_t i = blocks->free_head; i != FLY_BLOCK_NONE && cnt <= blocks->total; cnt++) {
        const char *at = (const char *)(blocks + 1) + (uint64_t)i * FLY_BLOCK_BYTES;
        i = ((const struct fly_block_link *)(const void *)at)->next;
    }
    HOLDS(cnt == blocks->free_cnt, "%u blocks are free, their store says %u", cnt,
          blocks->free_cnt);
}

static void check_pools(const struct pipe *pipe, const struct fly_rt_task *task)
{
    if (task->retain)
        check_blocks(pipe, task->retain);
    if (!task->held)
        return;
    check_blocks(pipe, task->hold_blocks);
    uint32_t free_cnt = 0;
    for (uint32_t i = 0; i < task->held->total; i++)
        free_cnt += task->held->entry[i].state == FLY_HELD_FREE;
    HOLDS(free_cnt == task->held->free_cnt, "%s: %u handles are free, it says %u", task->plan->name,
          free_cnt, task->held->free_cnt);
}

void invariants_check(const struct pipe *pipe)
{
    check_frames(pipe);
    for (uint32_t w = 0; w < pipe->plan.head.worker_cnt; w++) {
        const struct fly_worker *worker = pipe->worker[w];
        uint32_t waiting = 0;
        for (uint32_t t = 0; t < worker->task_cnt; t++) {
            if (worker->task[t].source)
                check_roots(pipe, &worker->task[t], &waiting);
            check_pools(pipe, &worker->task[t]);
        }
        HOLDS(waiting == worker->wheel.armed_cnt, "%u roots wait for their time, the wheel has %u",
              waiting, worker->wheel.armed_cnt);
        HOLDS(fly_counted(&worker->stats->corrupt) == 0, "worker %u met nonsense", w);
    }
}

void invariants_ended(const struct pipe *pipe)
{
    invariants_check(pipe);
    for (uint32_t w = 0; w < pipe->plan.head.worker_cnt; w++) {
        const struct fly_worker *worker = pipe->worker[w];
        for (uint32_t f = 0; f < pipe->layout.feed_cnt; f++)
            HOLDS(!worker->feed[f].free || worker->feed[f].free_cnt == worker->feed[f].frame_cnt,
                  "frames of feed %u did not come home", f);
        for (uint32_t t = 0; t < worker->task_cnt; t++) {
            const struct fly_rt_task *task = &worker->task[t];
            const struct fly_note_mark mark = fly_note_mark(task->note);
            HOLDS(task->ended && task->range.free_cnt == task->range.cnt, "%s has open roots",
                  task->plan->name);
            HOLDS(!task->held || (task->held->free_cnt == task->held->total &&
                                  task->hold_blocks->free_cnt == task->hold_blocks->total),
                  "%s holds messages", task->plan->name);
            HOLDS(!task->retain || task->retain->free_cnt == task->retain->total, "%s keeps copies",
                  task->plan->name);
            HOLDS(mark.cell == 0 && mark.root == 0, "%s is noted as working", task->plan->name);
        }
        for (uint32_t p = 0; p < pipe->plan.head.worker_cnt; p++)
            HOLDS(worker->peer[p].outbox.cnt == 0, "updates for worker %u were not sent", p);
    }
}
