#include "worker/call.h"

#include "worker/emit.h"
#include "worker/roots.h"

/* --- Who is running -------------------------------------------------------------------------- */

static void note_running(struct fly_worker *worker, const struct fly_rt_task *base)
{
    atomic_store_explicit(worker->running, base ? base->idx : FLY_RUNNING_NONE,
                          memory_order_release);
    worker->fiber_task = (struct fly_rt_task *)(uintptr_t)base;
}

void fly_fiber_wait(struct fly_worker *worker, enum fly_wait wait)
{
    struct fly_rt_task *base = worker->fiber_task;
    base->wait = wait;
    worker->suspended_cnt++;
    fly_fiber_yield(&base->fiber);
    worker->suspended_cnt--;
    base->wait = FLY_WAIT_NOTHING;
}

/* --- Room for holding ------------------------------------------------------------------------ */

/* How many of these messages may be given to a task that holds. */
static uint32_t hold_room(const struct fly_rt_task *task, const struct fly_msg *msg, uint32_t cnt)
{
    if (FLY_LIKELY(!task->held))
        return cnt;
    uint32_t room = task->held->free_cnt < cnt ? task->held->free_cnt : cnt;
    uint32_t blocks = fly_blocks_room(task->hold_blocks);
    for (uint32_t i = 0; i < room; i++) {
        uint64_t bytes = (uint64_t)msg[i].payload_bytes + msg[i].meta_bytes + msg[i].key_bytes;
        uint32_t need = fly_blocks_for(bytes);
        /* What can never fit is let through: holding it fails it. */
        if (need > blocks && need <= task->hold_blocks->total)
            return i;
        blocks -= need <= blocks ? need : 0;
    }
    return room;
}

/* --- Calls ----------------------------------------------------------------------------------- */

static FLY_ALWAYS_INLINE void call_process(struct fly_rt_task *task, const struct fly_msg *msg,
                                           uint32_t cnt, uint64_t bytes)
{
    struct fly_batch batch = {msg, cnt};
    fly_count(&task->stats->in, cnt);
    fly_count(&task->stats->bytes_in, bytes);
    fly_count(&task->stats->calls, 1);
    task->explicit_left = cnt;
    task->last_token = (struct fly_held){0};
    task->node->process(&task->pub, task->self, &batch);
    if (FLY_UNLIKELY(task->reserved != NULL))
        fly_misuse(task, "process", "returned between fly_reserve and fly_commit");
    if (FLY_UNLIKELY(task->node->completes == FLY_EXPLICIT && task->explicit_left))
        fly_misuse(task, "process",
                   "returned with messages that were neither held, acked nor failed");
    fly_task_flush(task);
    task->scratch_low = 0;
}

/* In tests nothing is left of what a call was given: who still needs it has a copy. */
static FLY_ALWAYS_INLINE void spoil(const struct fly_msg *msg, uint32_t cnt)
{
#if FLY_TEST_HOOKS
    for (uint32_t i = 0; i < cnt; i++)
        memset((uint8_t *)(uintptr_t)msg[i].payload, 0xdd, msg[i].payload_bytes);
#endif
    (void)msg;
    (void)cnt;
}

bool fly_call_direct(struct fly_rt_task *task, struct fly_msg *msg, uint32_t cnt, uint64_t bytes)
{
    struct fly_worker *worker = task->worker;
    struct fly_rt_task *base = worker->fiber_task, *caller = base->inner;
    if (task->busy || hold_room(task, msg, cnt) < cnt)
        return false;
    struct fly_note_mark mark = fly_note_mark(base->note);
    if (FLY_UNLIKELY(mark.root > FLY_CELLS_MAX / 2))
        return false; /* what it emits would find no place in the note */
    task->mark = mark;
    task->busy++;
    task->occupied = true;
    base->inner = task;
    call_process(task, msg, cnt, bytes);
    struct fly_note_mark top = fly_note_mark(base->note);
    if (FLY_UNLIKELY(top.cell != task->mark.cell || top.root != task->mark.root))
        fly_note_close(base, task->mark);
    task->scratch_high = task->scratch_bytes;
    base->inner = caller;
    task->occupied = false;
    task->busy--;
    return true;
}

/* --- Working off a frame --------------------------------------------------------------------- */

static struct fly_frame *chain_lookup(void *context, uint32_t feed, uint32_t index)
{
    const struct fly_worker *worker = context;
    bool own = index < worker->layout->frame_cnt && worker->frame_feed[index] == feed;
    return own ? worker->frame[index] : NULL;
}

/* Gathers a chain; the frames can go home at once, its run goes on in the cell. */
static void current_open_large(struct fly_rt_task *task, uint32_t frame_idx)
{
    struct fly_worker *worker = task->worker;
    struct fly_current *current = &task->current;
    struct fly_root root;
    uint64_t id;
    int rc =
        fly_chain_read(worker->frame[frame_idx], worker->plan->frame_bytes, chain_lookup, worker,
                       task->large, task->large_bytes, &current->large_msg, &root, &id);
    if (rc) {
        fly_count(&worker->stats->corrupt, 1);
        return;
    }
    current->large = true;
    current->in_run = true;
    current->run_root = root;
    current->run_ids = id;
    current->run_failed = false;
}

/* Takes the oldest frame of the next queue that has one. */
static bool current_open(struct fly_rt_task *task)
{
    struct fly_worker *worker = task->worker;
    struct fly_current *current = &task->current;
    for (uint32_t i = 0; i < task->input_cnt; i++) {
        struct fly_input *input = &task->input[task->next_input];
        task->next_input = task->next_input + 1 < task->input_cnt ? task->next_input + 1 : 0;
        if (input->head == FLY_FRAME_NONE)
            continue;
        struct fly_frame *frame = worker->frame[input->head];
        *current = (struct fly_current){.frame_idx = input->head, .input = input};
        input->head = frame->queue_next;
        task->queued_cnt--;
        if (frame->chain_bytes)
            current_open_large(task, current->frame_idx);
        else
            fly_frame_reader_init(&current->reader, frame, worker->plan->frame_bytes);
        return true;
    }
    return false;
}

static void current_close(struct fly_rt_task *task)
{
    struct fly_current *current = &task->current;
    fly_count(&task->worker->stats->corrupt, current->reader.corrupt);
    fly_frame_return(task->worker, current->frame_idx);
    if (current->input->local)
        task->busy--;
    if (FLY_UNLIKELY(current->input->mark.after == current->frame_idx))
        fly_mark_reached(task, current->input);
    current->frame_idx = FLY_FRAME_NONE;
}

/* Reads up to a batch from the current frame, each run with its cell. */
static uint32_t current_read(struct fly_rt_task *task, struct fly_msg *msg)
{
    struct fly_current *current = &task->current;
    struct fly_anchor *cell = NULL;
    uint32_t cnt = 0;
    if (current->in_run) {
        cell = fly_cell_push(task, current->run_root, current->run_ids);
        cell->failed = current->run_failed;
    }
    if (current->large) {
        msg[0] = current->large_msg;
        msg[0].anchor = cell;
        return current->in_run;
    }
    while (cnt < FLY_BATCH_MAX) {
        if (!fly_frame_in_run(&current->reader)) {
            struct fly_root root;
            uint64_t id;
            if (!fly_frame_next_run(&current->reader, &root, &id))
                break;
            cell = fly_cell_push(task, root, id);
        }
        uint32_t got = fly_frame_read(&current->reader, &msg[cnt], FLY_BATCH_MAX - cnt);
        for (uint32_t i = 0; i < got; i++)
            msg[cnt + i].anchor = cell;
        cnt += got;
    }
    current->cell_idx = fly_note_mark(task->note).cell - 1;
    return cnt;
}

/* The batch was given: the cell of a run that goes on in the next batch stays, the others leave. */
static void current_end_batch(struct fly_rt_task *task)
{
    struct fly_current *current = &task->current;
    current->in_run = !current->large && fly_frame_in_run(&current->reader);
    if (current->in_run) {
        struct fly_anchor *cell = &task->note->cell[current->cell_idx];
        current->run_root = fly_anchor_root(cell);
        current->run_ids = cell->xor_ids;
        current->run_failed = cell->failed;
        cell->kind = FLY_ANCHOR_KEPT;
    }
    fly_note_close(task, (struct fly_note_mark){0, 0});
    bool at_end = current->large || current->reader.corrupt ||
                  (!current->in_run && current->reader.at == current->reader.end);
    if (at_end)
        current_close(task);
}

/* Gives the next part of a batch to process: all of it, but for what there is no room to hold. */
static void act_input(struct fly_rt_task *task)
{
    if (task->batch_at == task->batch_cnt) {
        if (task->current.frame_idx == FLY_FRAME_NONE && !current_open(task))
            return;
        task->batch_at = 0;
        task->batch_cnt = current_read(task, task->batch);
    }
    uint32_t left = task->batch_cnt - task->batch_at;
    uint32_t cnt = hold_room(task, &task->batch[task->batch_at], left);
    if (cnt) {
        uint32_t at = task->batch_at;
        struct fly_note_mark mark = fly_note_mark(task->note);
        task->batch_at += cnt;
        call_process(task, &task->batch[at], cnt, fly_payload_bytes(&task->batch[at], cnt));
        spoil(&task->batch[at], cnt);
        /* What the call took or emitted by itself is done; it may be what keeps the pool full. */
        if (task->batch_at < task->batch_cnt)
            fly_note_close(task, mark);
    }
    if (task->batch_at == task->batch_cnt)
        current_end_batch(task);
}

bool fly_task_has_input(struct fly_rt_task *task)
{
    if (task->batch_at < task->batch_cnt)
        return hold_room(task, &task->batch[task->batch_at], 1) > 0;
    return task->current.frame_idx != FLY_FRAME_NONE || task->queued_cnt > 0;
}

/* --- Actions --------------------------------------------------------------------------------- */

static void act_poll(struct fly_rt_task *task)
{
    uint32_t free_cnt = task->range.free_cnt;
    uint32_t budget = free_cnt < FLY_BATCH_MAX ? free_cnt : FLY_BATCH_MAX;
    fly_roots_allow(task, budget);
    task->poll_ticks = task->worker->now_ticks;
    fly_gauge(&task->source->has_position, 1);
    fly_count(&task->stats->calls, 1);
    enum fly_polled polled = task->node->poll(&task->pub, task->self, budget);
    fly_roots_count_polled(task);
    fly_roots_allow(task, 0);
    task->idle = polled == FLY_POLL_IDLE;
    task->polled_done |= polled == FLY_POLL_DONE;
}

static void act_io(struct fly_rt_task *task)
{
    while (task->io_done_cnt) {
        struct fly_uring_done done = task->io_done[task->io_done_at];
        task->io_done_at = (task->io_done_at + 1) % FLY_URING_MAX;
        task->io_done_cnt--;
        task->io_in_flight--;
        task->node->io_done(&task->pub, task->self, done.tag, done.result);
    }
    task->idle = false;
}

static void act_tick(struct fly_rt_task *task)
{
    task->tick_next = task->tick_ticks ? task->worker->now_ticks + task->tick_ticks : UINT64_MAX;
    task->node->tick(&task->pub, task->self);
}

static void act(void *arg)
{
    struct fly_rt_task *task = arg;
    task->mark = fly_note_mark(task->note);
    switch (task->action) {
    case FLY_ACT_NONE:
        break;
    case FLY_ACT_POLL:
        act_poll(task);
        break;
    case FLY_ACT_INPUT:
        act_input(task);
        return; /* closes its cells itself: some may stay */
    case FLY_ACT_REPLAY:
        fly_roots_replay(task);
        break;
    case FLY_ACT_TELL:
        fly_roots_tell(task);
        break;
    case FLY_ACT_IO:
        act_io(task);
        break;
    case FLY_ACT_TICK:
        act_tick(task);
        break;
    case FLY_ACT_WATERMARK:
        fly_mark_act(task);
        break;
    case FLY_ACT_FINISH:
        task->finish_called = true;
        task->node->finish(&task->pub, task->self);
        break;
    }
    if (FLY_UNLIKELY(task->reserved != NULL))
        fly_misuse(task, "a callback", "returned between fly_reserve and fly_commit");
    fly_task_flush(task);
    task->scratch_low = 0;
    fly_note_close(task, task->mark);
    if (task->action == FLY_ACT_POLL)
        fly_roots_close_polled(task);
}

static void run(struct fly_rt_task *task)
{
    note_running(task->worker, task);
    enum fly_fiber_state state = fly_fiber_resume(&task->fiber);
    note_running(task->worker, NULL);
    if (state == FLY_FIBER_SUSPENDED)
        return;
    task->scratch_high = task->scratch_bytes;
    task->occupied = false;
    task->busy--;
}

void fly_task_act(struct fly_rt_task *task, enum fly_action action)
{
    task->action = action;
    task->inner = task;
    task->occupied = true;
    task->busy++;
    fly_fiber_rearm(&task->fiber, act, task);
    run(task);
}

bool fly_task_resume(struct fly_rt_task *task)
{
    bool ready = false;
    switch (task->wait) {
    case FLY_WAIT_NOTHING:
        return false;
    case FLY_WAIT_FRAMES:
        ready = task->wait_feed->free_cnt >= task->wait_cnt;
        break;
    case FLY_WAIT_ROOT:
        ready = task->inner->range.free_cnt >= task->wait_cnt || fly_roots_may_replay(task->inner);
        break;
    case FLY_WAIT_RETAIN:
        ready = fly_blocks_room(task->inner->retain) >= task->wait_cnt ||
                fly_roots_may_replay(task->inner);
        break;
    }
    if (ready)
        run(task);
    return ready;
}
