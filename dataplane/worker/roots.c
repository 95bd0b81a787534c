#include "worker/roots.h"

#include "worker/call.h"
#include "worker/dead_letter.h"
#include "worker/emit.h"
#include "worker/restore.h"

#include <string.h>

/* --- What a call works on -------------------------------------------------------------------- */

struct fly_anchor *fly_cell_push(struct fly_rt_task *base, struct fly_root root, uint64_t xor_ids)
{
    struct fly_note *note = base->note;
    uint32_t idx = atomic_load_explicit(&note->cell_cnt, memory_order_relaxed);
    FLY_CHECK(idx < FLY_CELLS_MAX, "too many messages in one call");
    struct fly_anchor *cell = &note->cell[idx];
    atomic_store_explicit(&cell->root, root.bits, memory_order_relaxed);
    cell->xor_ids = xor_ids;
    cell->kind = FLY_ANCHOR_RUN;
    cell->failed = 0;
    cell->holder = 0;
    cell->block = FLY_BLOCK_NONE;
    /* Release: after a crash whoever reads the count finds the cells. */
    atomic_store_explicit(&note->cell_cnt, idx + 1, memory_order_release);
    return cell;
}

static FLY_ALWAYS_INLINE struct fly_rt_task *owner_of(struct fly_worker *worker,
                                                      const struct fly_root_entry *entry)
{
    return &worker->task[entry->anchor.holder];
}

void fly_root_record_latency(struct fly_rt_task *task)
{
    if (!task->latency_cnt)
        return;
    uint64_t ticks = fly_ticks() - task->latency_birth;
    fly_histogram_record(task->histogram, fly_ticks_to_ns(&task->worker->clock, ticks),
                         task->latency_cnt);
    task->latency_cnt = 0;
}

/* `cnt` roots that began at `birth_ticks` were acked. */
static FLY_ALWAYS_INLINE void note_latency(struct fly_rt_task *task, uint64_t birth_ticks,
                                           uint32_t cnt)
{
    if (FLY_UNLIKELY(task->latency_birth != birth_ticks)) {
        fly_root_record_latency(task);
        task->latency_birth = birth_ticks;
    }
    task->latency_cnt += cnt;
}

static void root_done(struct fly_worker *worker, struct fly_root_entry *entry);
static void root_failed(struct fly_worker *worker, struct fly_root_entry *entry, uint32_t reason,
                        uint32_t node);

static void cells_close(struct fly_worker *worker, struct fly_note *note, uint32_t mark,
                        uint32_t cnt)
{
    for (uint32_t i = mark; i < cnt; i++) {
        const struct fly_anchor *cell = &note->cell[i];
        if (FLY_LIKELY(cell->kind != FLY_ANCHOR_KEPT && !cell->failed))
            fly_root_update(worker, fly_anchor_root(cell), cell->xor_ids);
        if (FLY_UNLIKELY(cell->block != FLY_BLOCK_NONE))
            fly_blocks_free(worker->task[cell->holder].hold_blocks, cell->block);
    }
    atomic_store_explicit(&note->cell_cnt, mark, memory_order_release);
}

static FLY_NOINLINE void root_close(struct fly_worker *worker, struct fly_root_entry *entry)
{
    bool done = fly_tracker_close(entry);
    if (entry->anchor.failed)
        root_failed(worker, entry, entry->reason, entry->node);
    else if (done)
        root_done(worker, entry);
}

static void roots_close(struct fly_worker *worker, struct fly_note *note, uint32_t mark,
                        uint32_t cnt)
{
    for (uint32_t i = mark; i < cnt; i++)
        root_close(worker, &worker->tracker->entry[note->root[i]]);
    atomic_store_explicit(&note->root_cnt, mark, memory_order_release);
}

void fly_note_close(struct fly_rt_task *base, struct fly_note_mark mark)
{
    struct fly_worker *worker = base->worker;
    struct fly_note_mark top = fly_note_mark(base->note);
    if (top.cell > mark.cell)
        cells_close(worker, base->note, mark.cell, top.cell);
    if (top.root > mark.root)
        roots_close(worker, base->note, mark.root, top.root);
    fly_count(&worker->stats->progress, top.cell - mark.cell + top.root - mark.root);
}

/* --- The end of an attempt ------------------------------------------------------------------- */

/* Parents of a joined root: each gets its id, or fails. */
static void end_parents(struct fly_rt_task *task, const struct fly_root_entry *entry, bool done)
{
    uint32_t idx = entry->parents;
    while (idx != UINT32_MAX) {
        struct fly_held_entry *held = &task->held->entry[idx];
        uint32_t next = held->next;
        if (done)
            fly_root_update(task->worker, (struct fly_root){held->root}, held->id);
        else
            fly_root_fail(task->worker, (struct fly_root){held->root}, entry->reason, entry->node);
        fly_hold_release(task->held, held);
        idx = next;
    }
}

/* The root is over: its slot is free, whatever was kept for it too. */
static FLY_ALWAYS_INLINE void root_end(struct fly_rt_task *task, struct fly_root_entry *entry)
{
    struct fly_worker *worker = task->worker;
    if (FLY_UNLIKELY(fly_root_flags(entry) & FLY_ROOT_SUSPECT))
        atomic_fetch_sub_explicit(&worker->workspace->header->quarantined, 1, memory_order_acq_rel);
    if (FLY_UNLIKELY(entry->anchor.block != FLY_BLOCK_NONE)) {
        fly_blocks_free(task->retain, entry->anchor.block);
        entry->anchor.block = FLY_BLOCK_NONE;
    }
    fly_count(&task->source->in_flight, UINT64_MAX);
    fly_tracker_free(worker->tracker, &task->range, entry);
}

static void tell_failed(struct fly_rt_task *task, const struct fly_root_entry *entry)
{
    if (!task->node->failed || task->node->kind != FLY_SOURCE)
        return;
    uint64_t id = atomic_load_explicit(&entry->id, memory_order_relaxed);
    task->failed[task->failed_cnt++] = (struct fly_failed_id){id, entry->reason};
}

/* Counts a reason of the node where it happened; nodes' own reasons share the upper half. */
static void count_reason(fly_counter_word *by, uint32_t reason)
{
    fly_count(&by[reason < FLY_REASONS_MAX ? reason : FLY_REASON_FAILED], 1);
}

static void root_dropped(struct fly_rt_task *task, struct fly_root_entry *entry)
{
    fly_count(&task->source->dropped, 1);
    count_reason(task->source->dropped_by, entry->reason);
    tell_failed(task, entry);
    if (fly_root_flags(entry) & FLY_ROOT_JOINED)
        end_parents(task, entry, false);
    root_end(task, entry);
}

static FLY_NOINLINE void root_done_dead(struct fly_rt_task *task, struct fly_root_entry *entry)
{
    fly_count(&task->source->failed, 1);
    count_reason(task->source->failed_by, entry->reason);
    tell_failed(task, entry);
    root_end(task, entry);
}

static void root_done(struct fly_worker *worker, struct fly_root_entry *entry)
{
    struct fly_rt_task *task = owner_of(worker, entry);
    uint8_t flags = fly_root_flags(entry);
    fly_hook_ends(worker->hooks, worker, entry, FLY_ATTEMPT_ACKED);
    if (FLY_UNLIKELY(flags & FLY_ROOT_DEAD)) {
        root_done_dead(task, entry);
        return;
    }
    fly_count(&task->source->acked, 1);
    note_latency(task, entry->birth_ticks, 1);
    if (FLY_UNLIKELY(flags & FLY_ROOT_JOINED))
        end_parents(task, entry, true);
    if (task->acked)
        task->acked[task->acked_cnt++] = atomic_load_explicit(&entry->id, memory_order_relaxed);
    root_end(task, entry);
}

/* --- Failing and trying again ---------------------------------------------------------------- */

/* Suspects stand before all others, in the order of their turns: nothing else moves until they are
 * done. */
static void suspect_push(struct fly_rt_task *task, struct fly_root_entry *entry)
{
    struct fly_tracker *tracker = task->worker->tracker;
    uint32_t *link = &task->replay_head;
    while (*link != FLY_SLOT_NONE) {
        struct fly_root_entry *other = &tracker->entry[*link];
        if (!(fly_root_flags(other) & FLY_ROOT_SUSPECT) || other->port < entry->port)
            break;
        link = &other->next;
    }
    entry->next = *link;
    *link = (uint32_t)(entry - tracker->entry);
    if (entry->next == FLY_SLOT_NONE)
        task->replay_tail = *link;
}

static void replay_push(struct fly_rt_task *task, struct fly_root_entry *entry)
{
    struct fly_tracker *tracker = task->worker->tracker;
    uint32_t slot = (uint32_t)(entry - tracker->entry);
    fly_root_set(entry, FLY_ROOT_REPLAY);
    task->replay_cnt++;
    if (FLY_UNLIKELY(fly_root_flags(entry) & FLY_ROOT_SUSPECT)) {
        suspect_push(task, entry);
        return;
    }
    entry->next = FLY_SLOT_NONE;
    if (task->replay_head == FLY_SLOT_NONE)
        task->replay_head = slot;
    else
        tracker->entry[task->replay_tail].next = slot;
    task->replay_tail = slot;
}

/* Exponential, with up to half of it as jitter, so that retries of one moment spread. */
static uint32_t backoff_ms(struct fly_rt_task *task, uint32_t attempts)
{
    const struct fly_plan_delivery *delivery = &task->plan->delivery;
    uint32_t doublings = attempts > 1 ? attempts - 1 : 0;
    uint64_t ns = delivery->backoff_max_ns;
    if (doublings < 32 && delivery->backoff_ns <= delivery->backoff_max_ns >> doublings)
        ns = delivery->backoff_ns << doublings;
    ns -= fly_rng_below(&task->rng, ns / 2 + 1);
    return (uint32_t)(ns / 1000000);
}

static void retry_later(struct fly_rt_task *task, struct fly_root_entry *entry)
{
    struct fly_worker *worker = task->worker;
    uint32_t attempts = atomic_load_explicit(&entry->attempts, memory_order_relaxed);
    entry->clock_ms = worker->clock_ms + backoff_ms(task, attempts);
    fly_root_set(entry, FLY_ROOT_WAITING);
    fly_wheel_arm(&worker->wheel, entry);
}

static void set_flag(struct fly_root_entry *entry, uint8_t flag)
{
    atomic_store_explicit(&entry->flags, (uint8_t)(fly_root_flags(entry) | flag),
                          memory_order_relaxed);
}

/* The last attempt failed: along the dead-letter edge, or dropped. */
static void give_up(struct fly_rt_task *task, struct fly_root_entry *entry)
{
    if (task->dead_port == FLY_PLAN_NONE) {
        root_dropped(task, entry);
        return;
    }
    set_flag(entry, FLY_ROOT_DEAD);
    replay_push(task, entry);
}

static bool may_retry(const struct fly_rt_task *task, const struct fly_root_entry *entry)
{
    uint32_t attempts = atomic_load_explicit(&entry->attempts, memory_order_relaxed);
    uint32_t limit = task->plan->delivery.attempts;
    if (fly_root_flags(entry) & FLY_ROOT_DEAD)
        limit *= 2; /* the way to the dead letters is tried as often again */
    /* A message does not get smaller by trying. */
    bool final = fly_root_flags(entry) & FLY_ROOT_FINAL;
    return attempts < limit && !final && entry->reason != FLY_REASON_TOO_LARGE;
}

static void root_failed(struct fly_worker *worker, struct fly_root_entry *entry, uint32_t reason,
                        uint32_t node)
{
    struct fly_rt_task *task = owner_of(worker, entry);
    uint8_t flags = fly_root_flags(entry);
    if (!(flags & FLY_ROOT_DEAD)) {
        entry->reason = (uint16_t)reason;
        entry->node = (uint16_t)node;
    }
    /* Still being emitted: messages are anchored to this very entry. The call's end fails it. */
    entry->anchor.failed = fly_root_state(entry) == FLY_ROOT_OPEN;
    if (entry->anchor.failed)
        return;
    fly_hook_ends(worker->hooks, worker, entry, FLY_ATTEMPT_FAILED);
    fly_tracker_rename(entry);
    if (flags & (FLY_ROOT_JOINED | FLY_ROOT_DETACHED)) {
        root_dropped(task, entry);
    } else if (may_retry(task, entry)) {
        retry_later(task, entry);
    } else if (flags & FLY_ROOT_DEAD) {
        entry->reason = FLY_REASON_UNSENT;
        root_dropped(task, entry);
    } else {
        give_up(task, entry);
    }
}

/* --- Updates --------------------------------------------------------------------------------- */

static void count_late(struct fly_worker *worker)
{
    fly_count(&worker->stats->late, 1);
}

static FLY_ALWAYS_INLINE void apply_own(struct fly_worker *worker, struct fly_root root,
                                        uint64_t xor_ids)
{
    struct fly_root_entry *entry = fly_tracker_find(worker->tracker, root);
    if (FLY_UNLIKELY(!entry))
        count_late(worker);
    else if (fly_tracker_apply(entry, xor_ids))
        root_done(worker, entry);
}

static void fail_own(struct fly_worker *worker, struct fly_root root, uint32_t reason,
                     uint32_t node)
{
    struct fly_root_entry *entry = fly_tracker_find(worker->tracker, root);
    if (FLY_UNLIKELY(!entry))
        count_late(worker);
    else
        root_failed(worker, entry, reason, node);
}

void fly_root_update(struct fly_worker *worker, struct fly_root root, uint64_t xor_ids)
{
    uint32_t owner = fly_root_worker(root);
    if (owner == worker->idx)
        apply_own(worker, root, xor_ids);
    else if (FLY_LIKELY(owner < worker->plan->worker_cnt))
        fly_outbox_add(&worker->peer[owner].outbox, fly_ack_xor(root, xor_ids));
    else
        fly_count(&worker->stats->corrupt, 1);
}

void fly_root_fail(struct fly_worker *worker, struct fly_root root, uint32_t reason, uint32_t node)
{
    uint32_t owner = fly_root_worker(root);
    if (owner == worker->idx)
        fail_own(worker, root, reason, node);
    else if (owner < worker->plan->worker_cnt)
        fly_outbox_add(&worker->peer[owner].outbox, fly_ack_fail(root, reason, node));
    else
        fly_count(&worker->stats->corrupt, 1);
}

void fly_ack_arrived(struct fly_worker *worker, const struct fly_ring_pair *record, uint32_t cnt)
{
    uint64_t owner = (uint64_t)worker->idx << 56;
    for (uint32_t i = 0; i < cnt; i++) {
        struct fly_root root = {(record[i].a << 8 >> 8) | owner};
        if (FLY_LIKELY(record[i].a >> 56 == FLY_ACK_XOR))
            apply_own(worker, root, record[i].b);
        else if (record[i].a >> 56 == FLY_ACK_FAIL)
            fail_own(worker, root, record[i].b & 0xffff, (record[i].b >> 16) & 0xffff);
        else
            fly_count(&worker->stats->corrupt, 1);
    }
}

void fly_anchor_fail(struct fly_rt_task *task, struct fly_anchor *anchor, uint32_t reason)
{
    fly_count(&task->stats->errors, 1);
    if (anchor->failed)
        return;
    anchor->failed = 1; /* of a root being emitted: root_failed() says so, too */
    fly_root_fail(task->worker, fly_anchor_name(task->worker, anchor), reason, task->node_idx);
}

/* --- New attempts ---------------------------------------------------------------------------- */

/* Sends what this task's call gathered and lets go of the roots it emitted, so that they can
 * end. */
static void let_go(struct fly_rt_task *task)
{
    struct fly_rt_task *base = task->worker->fiber_task;
    fly_task_flush(task);
    fly_roots_count_polled(task); /* before any of them ends */
    struct fly_note_mark mark = {fly_note_mark(base->note).cell, task->mark.root};
    fly_note_close(base, mark);
}

static uint32_t own_room(const struct fly_rt_task *task, enum fly_wait wait)
{
    return wait == FLY_WAIT_ROOT ? task->range.free_cnt : fly_blocks_room(task->retain);
}

/* Suspends the call until its task has room for one more root. Since the task is occupied
 * meanwhile, and it may be roots to be sent again that keep the room, those are sent from here. */
static void wait_own(struct fly_rt_task *task, enum fly_wait wait, uint32_t cnt)
{
    struct fly_worker *worker = task->worker;
    let_go(task);
    while (own_room(task, wait) < cnt) {
        worker->fiber_task->wait_cnt = cnt;
        fly_fiber_wait(worker, wait);
        if (own_room(task, wait) >= cnt)
            break;
        task->scratch_low = task->scratch_floor; /* what was behind has been flushed */
        fly_roots_replay(task);
        let_go(task);
    }
}

void fly_root_make_room(struct fly_rt_task *task)
{
    wait_own(task, FLY_WAIT_ROOT, 1);
}

/* --- Roots of a poll ------------------------------------------------------------------------- */

static void publish_position(struct fly_rt_task *task)
{
    /* Behind the roots' entries or ends: what a restart does not poll again was seen to. */
    atomic_store_explicit(&task->source->position, task->pub.next, memory_order_release);
}

void fly_roots_enter(struct fly_rt_task *task)
{
    struct fly_worker *worker = task->worker;
    struct fly_note *note = task->note;
    uint32_t entered = atomic_load_explicit(&note->entered_cnt, memory_order_relaxed);
    if (entered == task->pub.root_cnt)
        return;
    for (uint32_t i = entered; i < task->pub.root_cnt; i++) {
        struct fly_root_entry *entry = fly_tracker_begin(
            worker->tracker, &task->range, note->fresh_id[i], task->poll_ticks, worker->clock_ms);
        fly_hook_begins(worker->hooks, worker, entry);
        atomic_store_explicit(&note->fresh[i].root, fly_root_name(entry).bits,
                              memory_order_relaxed);
    }
    /* Release: after a crash whoever reads the count finds the names. From here on they are in the
     * tracker. */
    atomic_store_explicit(&note->entered_cnt, task->pub.root_cnt, memory_order_release);
    publish_position(task);
    atomic_store_explicit(&note->fresh_cnt, 0, memory_order_release);
}

void fly_roots_hand_on(struct fly_rt_task *task)
{
    struct fly_note *note = task->note;
    if (FLY_UNLIKELY(atomic_load_explicit(&note->entered_cnt, memory_order_relaxed) > 0)) {
        fly_roots_enter(task);
        return;
    }
    atomic_store_explicit(&note->fresh_next, task->pub.next, memory_order_relaxed);
    /* Release: after a crash whoever reads the count finds the ids and the position. */
    atomic_store_explicit(&note->fresh_cnt, task->pub.root_cnt, memory_order_release);
}

/* What the call emitted for each root goes to its line of the tracker, where it may end. */
static void close_entered(struct fly_rt_task *task, uint32_t cnt)
{
    struct fly_worker *worker = task->worker;
    for (uint32_t i = 0; i < cnt; i++) {
        struct fly_anchor *anchor = &task->note->fresh[i];
        uint32_t slot = fly_root_slot(fly_anchor_root(anchor));
        struct fly_root_entry *entry = &worker->tracker->entry[slot];
        entry->anchor.xor_ids ^= anchor->xor_ids;
        root_close(worker, entry);
        anchor->xor_ids = 0;
        anchor->failed = 0;
        atomic_store_explicit(&anchor->root, 0, memory_order_relaxed);
    }
    atomic_store_explicit(&task->note->entered_cnt, 0, memory_order_release);
}

/* Nothing of these outlived the call: all are done. */
static void end_fresh(struct fly_rt_task *task)
{
    uint32_t cnt = task->pub.root_cnt;
    fly_count(&task->source->acked, cnt);
    fly_count(&task->source->in_flight, -(uint64_t)cnt);
    note_latency(task, task->poll_ticks, cnt);
    if (task->acked) {
        memcpy(&task->acked[task->acked_cnt], task->note->fresh_id, cnt * sizeof(*task->acked));
        task->acked_cnt += cnt;
    }
    publish_position(task);
    atomic_store_explicit(&task->note->fresh_cnt, 0, memory_order_release);
}

void fly_roots_close_polled(struct fly_rt_task *task)
{
    uint32_t entered = atomic_load_explicit(&task->note->entered_cnt, memory_order_relaxed);
    if (entered)
        close_entered(task, entered);
    else if (task->pub.root_cnt)
        end_fresh(task);
    fly_count(&task->worker->stats->progress, task->pub.root_cnt);
    task->pub.root_cnt = 0;
    task->root_counted = 0;
}

void fly_root_count(struct fly_rt_task *task, uint64_t cnt)
{
    fly_count(&task->source->in, cnt);
    fly_count(&task->source->in_flight, cnt);
}

void fly_roots_count_polled(struct fly_rt_task *task)
{
    uint64_t cnt = task->polled_cnt + task->pub.root_cnt - task->root_counted;
    uint64_t bytes = task->polled_bytes + task->pub.root_bytes;
    if (!cnt)
        return;
    fly_root_count(task, cnt);
    fly_count(&task->stats->in, cnt);
    fly_count(&task->stats->bytes_in, bytes);
    fly_count(&task->source->bytes, bytes);
    task->polled_cnt = 0;
    task->polled_bytes = task->pub.root_bytes = 0;
    task->root_counted = task->pub.root_cnt;
}

static uint32_t blocks_for(const struct fly_content *content)
{
    return fly_blocks_for((uint64_t)content->payload_bytes + content->key_bytes);
}

void fly_root_wait_room(struct fly_rt_task *task, const struct fly_content *content)
{
    uint32_t need = blocks_for(content);
    if (FLY_LIKELY(need <= fly_blocks_room(task->retain)) || need > task->retain->total)
        return;
    wait_own(task, FLY_WAIT_RETAIN, need);
}

void fly_root_keep(struct fly_rt_task *task, struct fly_root_entry *entry,
                   const struct fly_content *content, uint32_t port)
{
    struct fly_msg msg = {.payload = content->payload,
                          .key = content->key,
                          .payload_bytes = content->payload_bytes,
                          .key_bytes = content->key ? content->key_bytes : 0,
                          .flags = content->flags & (uint32_t)FLY_MSG_JSON};
    entry->anchor.block = fly_blocks_put(task->retain, &msg); /* NONE if it could never fit */
    entry->port = port;
}

bool fly_root_dead(struct fly_rt_task *task, struct fly_root_entry *entry, uint32_t reason)
{
    entry->reason = (uint16_t)reason;
    entry->node = (uint16_t)task->node_idx;
    bool edge = task->dead_port != FLY_PLAN_NONE;
    set_flag(entry, edge ? FLY_ROOT_DEAD : FLY_ROOT_FINAL);
    entry->anchor.failed = !edge; /* nowhere to go: its end is the end of this call */
    return edge;
}

static struct fly_root_entry *replay_entry(struct fly_rt_task *task, struct fly_root root)
{
    struct fly_worker *worker = task->worker;
    uint32_t slot = fly_root_slot(root);
    if (fly_root_worker(root) != worker->idx || slot >= worker->tracker->cnt)
        return NULL;
    struct fly_root_entry *entry = &worker->tracker->entry[slot];
    bool waits = fly_root_name(entry).bits == root.bits &&
                 fly_root_state(entry) == FLY_ROOT_REPLAY && owner_of(worker, entry) == task;
    return waits ? entry : NULL;
}

struct fly_root_entry *fly_root_again(struct fly_rt_task *task, struct fly_root root)
{
    struct fly_worker *worker = task->worker;
    if (FLY_UNLIKELY(fly_note_mark(worker->fiber_task->note).root == FLY_CELLS_MAX))
        let_go(task);
    struct fly_root_entry *entry = replay_entry(task, root);
    if (!entry) {
        count_late(worker);
        return NULL;
    }
    uint16_t attempts = atomic_load_explicit(&entry->attempts, memory_order_relaxed);
    atomic_store_explicit(&entry->attempts, (uint16_t)(attempts + 1), memory_order_relaxed);
    entry->anchor.xor_ids = 0;
    entry->clock_ms = worker->clock_ms;
    fly_root_set(entry, FLY_ROOT_OPEN);
    fly_hook_begins(worker->hooks, worker, entry);
    fly_count(&task->source->retried, !(fly_root_flags(entry) & FLY_ROOT_DEAD));
    fly_root_push(worker->fiber_task->note, fly_root_slot(root));
    return entry;
}

void fly_root_lost(struct fly_rt_task *task, struct fly_root root, uint32_t reason)
{
    struct fly_root_entry *entry = replay_entry(task, root);
    if (!entry)
        return;
    entry->reason = (uint16_t)reason;
    root_dropped(task, entry);
}

/* --- Replays --------------------------------------------------------------------------------- */

/* A suspect's turn is kept in entry->port, which sources do not use. */
static bool may_replay(const struct fly_worker *worker, const struct fly_root_entry *entry)
{
    uint32_t left =
        atomic_load_explicit(&worker->workspace->header->quarantined, memory_order_acquire);
    if (FLY_LIKELY(left == 0))
        return true;
    return (fly_root_flags(entry) & FLY_ROOT_SUSPECT) && entry->port == left;
}

bool fly_roots_may_replay(const struct fly_rt_task *task)
{
    return task->replay_head != FLY_SLOT_NONE &&
           may_replay(task->worker, &task->worker->tracker->entry[task->replay_head]);
}

/* For the metadata of a dead letter behind a copy that was read back. */
enum { DEAD_LETTER_SPARE = 4096 };

/* Has it crashed a process as often as it may? It gives way at its turn, not before: turns are
 * counted. */
static bool is_spent_suspect(const struct fly_rt_task *task, const struct fly_root_entry *entry)
{
    uint32_t attempts = atomic_load_explicit(&entry->attempts, memory_order_relaxed);
    uint8_t flags = fly_root_flags(entry);
    return (flags & FLY_ROOT_SUSPECT) && !(flags & FLY_ROOT_DEAD) &&
           attempts >= task->plan->delivery.attempts;
}

static void replay_one(struct fly_rt_task *task, struct fly_root_entry *entry)
{
    struct fly_root root = fly_root_name(entry);
    uint64_t id = atomic_load_explicit(&entry->id, memory_order_relaxed);
    if (FLY_UNLIKELY(is_spent_suspect(task, entry))) {
        give_up(task, entry);
        return;
    }
    if (entry->anchor.block != FLY_BLOCK_NONE) {
        struct fly_msg msg;
        uint64_t bytes = fly_blocks_bytes(task->retain, entry->anchor.block);
        uint8_t *buffer = fly_scratch_take(task, bytes + 1, bytes + DEAD_LETTER_SPARE);
        FLY_CHECK(buffer, "a copy is larger than any message may be");
        fly_blocks_get(task->retain, entry->anchor.block, buffer, &msg);
        struct fly_content content = {msg.key,           msg.payload, NULL,     msg.key_bytes,
                                      msg.payload_bytes, 0,           msg.flags};
        fly_emit_attempt(task, entry->port, root, &content);
    } else if (task->node->replay) {
        task->node->replay(&task->pub, task->self, id, (struct fly_attempt){root.bits});
    } else {
        fly_root_lost(task, root, FLY_REASON_LOST);
    }
}

void fly_roots_replay(struct fly_rt_task *task)
{
    struct fly_tracker *tracker = task->worker->tracker;
    for (uint32_t i = 0; i < FLY_BATCH_MAX && fly_roots_may_replay(task); i++) {
        struct fly_root_entry *entry = &tracker->entry[task->replay_head];
        task->replay_head = entry->next;
        task->replay_cnt--;
        replay_one(task, entry);
    }
}

uint32_t fly_roots_due(struct fly_worker *worker)
{
    uint32_t slot = fly_wheel_advance(&worker->wheel, worker->clock_ms), cnt = 0;
    while (slot != FLY_SLOT_NONE) {
        struct fly_root_entry *entry = &worker->tracker->entry[slot];
        slot = entry->next;
        replay_push(owner_of(worker, entry), entry);
        cnt++;
    }
    return cnt;
}

uint32_t fly_roots_sweep(struct fly_worker *worker, uint32_t slots)
{
    struct fly_tracker *tracker = worker->tracker;
    uint32_t failed = 0;
    for (uint32_t i = 0; i < slots && tracker->cnt; i++) {
        struct fly_root_entry *entry = &tracker->entry[worker->sweep_at];
        worker->sweep_at = worker->sweep_at + 1 < tracker->cnt ? worker->sweep_at + 1 : 0;
        enum fly_root_state state = fly_root_state(entry);
        if ((state != FLY_ROOT_LIVE && state != FLY_ROOT_OPEN) || entry->anchor.failed)
            continue;
        struct fly_rt_task *task = owner_of(worker, entry);
        uint64_t timeout_ms = task->plan->delivery.ack_timeout_ns / 1000000;
        if (worker->clock_ms - entry->clock_ms <= timeout_ms)
            continue;
        fly_count(&task->source->timeouts, 1);
        root_failed(worker, entry, FLY_REASON_TIMEOUT, FLY_NODE_NONE);
        failed++;
    }
    return failed;
}

/* --- Callbacks ------------------------------------------------------------------------------- */

void fly_roots_tell(struct fly_rt_task *task)
{
    uint32_t acked = task->acked_cnt, failed = task->failed_cnt;
    if (acked)
        task->node->acked(&task->pub, task->self, task->acked, acked);
    for (uint32_t i = 0; i < failed; i++)
        task->node->failed(&task->pub, task->self, task->failed[i].id, task->failed[i].reason);
    /* A callback may send a root again and be suspended: more may have piled up behind. */
    task->acked_cnt -= acked;
    task->failed_cnt -= failed;
    if (task->acked_cnt)
        memmove(task->acked, task->acked + acked, task->acked_cnt * sizeof(*task->acked));
    if (task->failed_cnt)
        memmove(task->failed, task->failed + failed, task->failed_cnt * sizeof(*task->failed));
}

/* --- After a restart ------------------------------------------------------------------------- */

static void restore_root(struct fly_rt_task *task, const struct fly_restore_root *root)
{
    struct fly_worker *worker = task->worker;
    struct fly_root_entry *entry = fly_tracker_begin(worker->tracker, &task->range, root->id,
                                                     worker->now_ticks, worker->clock_ms);
    fly_root_count(task, 1);
    /* The replay counts one up: tries that a crash did not end do not count. */
    atomic_store_explicit(&entry->attempts, (uint16_t)root->attempts, memory_order_relaxed);
    entry->node = FLY_NODE_NONE;
    entry->reason = FLY_REASON_CRASH;
    if (root->flags & FLY_RESTORE_DEAD)
        set_flag(entry, FLY_ROOT_DEAD);
    if (root->flags & FLY_RESTORE_SUSPECT) {
        set_flag(entry, FLY_ROOT_SUSPECT);
        entry->port = root->turn;
    }
    replay_push(task, entry);
}

int fly_roots_restore(struct fly_rt_task *task)
{
    const struct fly_restore *restore = task->restore;
    if (!restore || !task->worker->plan->restarted)
        return 0;
    if (restore->has_position && task->node->restore &&
        task->node->restore(&task->pub, task->self, restore->position))
        return -1;
    for (uint32_t i = 0; i < restore->cnt && i < task->range.cnt; i++)
        restore_root(task, &restore->root[i]);
    fly_gauge(&task->source->position, restore->position);
    fly_gauge(&task->source->has_position, restore->has_position);
    return 0;
}
