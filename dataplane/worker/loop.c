#include "worker/loop.h"

#include "worker/call.h"
#include "worker/dead_letter.h"
#include "worker/emit.h"
#include "worker/roots.h"

enum {
    BURST = 256,           /* descriptors and acks taken at once */
    INPUT_BATCHES = 8,     /* of one task in one turn */
    STARVED_TURNS = 16,    /* a source is polled at least that often */
    HOUSEKEEPING_US = 500, /* to twice that, randomised: workers don't march in step */
    SWEEP_PARTS = 128,     /* of the tracker, one looked at each time */
    CLOCK_STEP_MS = 16,    /* the timeout clock's longest step in one turn */
    SLEEP_MAX_MS = 20,     /* commands are heard that late at most */
    SLEEP_WHEEL_MS = 8,
};

/* --- Time ------------------------------------------------------------------------------------ */

static void read_clock(struct fly_worker *worker)
{
    worker->now_ticks = fly_hook_ticks(worker->hooks);
    worker->now_ns = worker->clock_mono_base +
                     fly_ticks_to_ns(&worker->clock, worker->now_ticks - worker->clock_ticks_base);
}

/* The timeout clock stands still while the machine does: it never advances by more than one
 * step. */
static void advance_timeouts(struct fly_worker *worker, uint64_t passed_ns, uint64_t step_ms)
{
    uint64_t ns = worker->clock_ns_rest + passed_ns;
    uint64_t ms = ns / 1000000;
    worker->clock_ns_rest = ns % 1000000;
    worker->clock_ms += (uint32_t)(ms < step_ms ? ms : step_ms);
}

/* --- Receiving ------------------------------------------------------------------------------- */

static uint32_t receive_io(struct fly_worker *worker)
{
    struct fly_uring_done done[32];
    if (!worker->uring.in_flight && !worker->uring.event_armed)
        return 0;
    uint32_t cnt = fly_uring_poll(&worker->uring, done, 32);
    for (uint32_t i = 0; i < cnt; i++) {
        struct fly_rt_task *task = &worker->task[done[i].task];
        task->io_done[(task->io_done_at + task->io_done_cnt++) % FLY_URING_MAX] = done[i];
    }
    return cnt;
}

static uint32_t receive_acks(struct fly_worker *worker)
{
    struct fly_ring_pair record[BURST];
    uint32_t work = 0;
    for (uint32_t p = 0; p < worker->plan->worker_cnt; p++) {
        if (p == worker->idx)
            continue;
        fly_hook_at(worker->hooks, worker, FLY_HOOK_POP_ACKS);
        uint32_t cnt = fly_ring16_pop_burst(&worker->peer[p].ack_in, record, BURST);
        fly_ack_arrived(worker, record, cnt);
        work += cnt;
    }
    return work;
}

static uint32_t receive_frames_home(struct fly_worker *worker)
{
    uint64_t frame[BURST];
    uint32_t work = 0;
    for (uint32_t p = 0; p < worker->plan->worker_cnt; p++) {
        if (p == worker->idx)
            continue;
        fly_hook_at(worker->hooks, worker, FLY_HOOK_POP_HOME);
        uint32_t cnt = fly_ring8_pop_burst(&worker->peer[p].back_in, frame, BURST);
        for (uint32_t i = 0; i < cnt; i++) {
            if (FLY_UNLIKELY(frame[i] & FLY_HOME_MARK))
                fly_mark_home(worker, (uint32_t)frame[i], (uint32_t)(frame[i] >> 32) & 0xffff);
            else
                fly_frame_home(worker, (uint32_t)frame[i]);
        }
        work += cnt;
    }
    return work;
}

static void receive_descriptor(struct fly_worker *worker, uint64_t data)
{
    uint32_t task = (uint32_t)(data >> 32) & 0xffffff, arg = (uint32_t)data;
    if (FLY_LIKELY(data >> 56 == FLY_DATA_FRAME))
        fly_frame_arrived(worker, task, arg);
    else if (data >> 56 == FLY_DATA_EOS)
        fly_eos_arrived(worker, task, arg);
    else if (data >> 56 == FLY_DATA_WATERMARK)
        fly_mark_arrived(worker, task, arg);
    else
        fly_count(&worker->stats->corrupt, 1);
}

static uint32_t receive_data(struct fly_worker *worker)
{
    uint64_t data[BURST];
    uint32_t work = 0;
    for (uint32_t p = 0; p < worker->plan->worker_cnt; p++) {
        if (p == worker->idx)
            continue;
        fly_hook_at(worker->hooks, worker, FLY_HOOK_POP_DATA);
        uint32_t cnt = fly_ring8_pop_burst(&worker->peer[p].data_in, data, BURST);
        for (uint32_t i = 0; i < cnt; i++)
            receive_descriptor(worker, data[i]);
        work += cnt;
    }
    return work;
}

/* --- Tasks ----------------------------------------------------------------------------------- */

/* Has the task nothing left to do, ever? Calls finish on the way there. */
static bool try_end(struct fly_rt_task *task)
{
    bool source = task->node->kind == FLY_SOURCE;
    if (source ? !(task->polled_done || task->worker->drain)
               : task->eos_cnt < task->input_cnt || fly_task_has_input(task) ||
                     task->mark_of.ready_cnt)
        return false;
    /* A sink still writes what it holds. What a stage holds now is of attempts that have ended. */
    if (task->node->kind == FLY_SINK && task->held && task->held->free_cnt < task->held->total)
        return false;
    if (!source && task->node->finish && !task->finish_called) {
        fly_task_act(task, FLY_ACT_FINISH);
        return false;
    }
    return !task->occupied && task->range.free_cnt == task->range.cnt &&
           (source || !task->io_in_flight) && !task->io_done_cnt && !fly_roots_may_tell(task);
}

static uint32_t end_task(struct fly_rt_task *task)
{
    if (!try_end(task))
        return 0;
    task->ended = true;
    task->worker->ended_cnt++;
    if (task->source)
        fly_gauge(&task->source->ended, 1);
    fly_task_send_eos(task);
    return 1;
}

static uint32_t run_task(struct fly_rt_task *task)
{
    uint32_t work = 0;
    if (fly_roots_may_tell(task)) {
        fly_task_act(task, FLY_ACT_TELL);
        work++;
    }
    if (!task->occupied && task->io_done_cnt) {
        fly_task_act(task, FLY_ACT_IO);
        work++;
    }
    if (!task->occupied && task->worker->now_ticks >= task->tick_next) {
        fly_task_act(task, FLY_ACT_TICK);
        work++;
    }
    for (uint32_t i = 0; i < INPUT_BATCHES && !task->occupied && fly_task_has_input(task); i++) {
        fly_task_act(task, FLY_ACT_INPUT);
        work++;
    }
    if (!task->occupied && fly_roots_may_replay(task)) {
        fly_task_act(task, FLY_ACT_REPLAY);
        work++;
    }
    return work;
}

static uint32_t run_tasks(struct fly_worker *worker)
{
    uint32_t work = 0;
    for (uint32_t t = 0; t < worker->task_cnt; t++) {
        struct fly_rt_task *task = &worker->task[t];
        if (FLY_UNLIKELY(task->ended))
            continue;
        if (FLY_UNLIKELY(task->mark_of.ready_cnt || task->mark_of.behind_held))
            work += fly_mark_step(task);
        if (FLY_UNLIKELY(task->wait != FLY_WAIT_NOTHING))
            work += fly_task_resume(task);
        if (!task->occupied)
            work += run_task(task);
        if (!task->occupied && (task->polled_done || worker->drain || task->eos_cnt))
            work += end_task(task);
    }
    return work;
}

/* --- Sources --------------------------------------------------------------------------------- */

static bool has_frames(const struct fly_rt_task *task)
{
    for (uint32_t p = 0; p < task->port_cnt; p++)
        for (uint32_t e = 0; e < task->port[p].edge_cnt; e++)
            if (!task->port[p].edge[e].feed->free_cnt)
                return false;
    return true;
}

static bool may_poll(struct fly_rt_task *task)
{
    struct fly_worker *worker = task->worker;
    if (task->node->kind != FLY_SOURCE || task->occupied || task->polled_done || worker->drain ||
        !task->range.free_cnt)
        return false;
    if (task->idle && worker->now_ticks < task->wake_ticks)
        return false;
    if (FLY_UNLIKELY(
            atomic_load_explicit(&worker->workspace->header->quarantined, memory_order_relaxed)))
        return false; /* suspects of a crash are tried alone */
    return has_frames(task);
}

static uint32_t poll_sources(struct fly_worker *worker)
{
    uint32_t work = 0;
    for (uint32_t t = 0; t < worker->task_cnt; t++) {
        struct fly_rt_task *task = &worker->task[t];
        if (!may_poll(task))
            continue;
        /* There is room to note each root's end once: those that ended go first. */
        if (fly_roots_may_tell(task)) {
            fly_task_act(task, FLY_ACT_TELL);
            work++;
            if (task->occupied)
                continue;
        }
        task->wake_ticks = UINT64_MAX;
        uint64_t before = fly_counted(&task->source->in);
        worker->now_ticks = fly_hook_ticks(worker->hooks);
        fly_task_act(task, FLY_ACT_POLL);
        work += !task->idle || fly_counted(&task->source->in) != before;
    }
    return work;
}

/* --- Sending --------------------------------------------------------------------------------- */

/* Orders what was stored before against what is loaded after, whatever words they are. */
static FLY_ALWAYS_INLINE void full_fence(void)
{
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan" /* it does not know fences; no data depends on these */
#endif
    atomic_thread_fence(memory_order_seq_cst);
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
}

static void wake(struct fly_worker *worker)
{
    /* Pairs with the fence in fly_worker_sleep: either it sees what we pushed, or we see its
     * flag. */
    full_fence();
    for (uint32_t p = 0; p < worker->plan->worker_cnt; p++) {
        struct fly_peer *peer = &worker->peer[p];
        if (p == worker->idx || !peer->published)
            continue;
        peer->published = false;
        if (atomic_load_explicit(peer->asleep, memory_order_relaxed) &&
            atomic_exchange_explicit(peer->asleep, 0, memory_order_acq_rel)) {
            fly_uring_wake(peer->event_fd);
            fly_count(&worker->stats->wakes_sent, 1);
        }
    }
}

static void publish_data(struct fly_worker *worker)
{
    for (uint32_t p = 0; p < worker->plan->worker_cnt; p++) {
        if (p == worker->idx)
            continue;
        fly_hook_at(worker->hooks, worker, FLY_HOOK_PUSH_DATA);
        fly_ring8_publish(&worker->peer[p].data_out);
    }
}

/* True: all of them fit. */
static bool publish_acks(struct fly_worker *worker)
{
    bool all = true;
    for (uint32_t p = 0; p < worker->plan->worker_cnt; p++) {
        struct fly_peer *peer = &worker->peer[p];
        if (p == worker->idx || !peer->outbox.cnt)
            continue;
        fly_outbox_flush(&peer->outbox, &peer->ack_out);
        fly_hook_at(worker->hooks, worker, FLY_HOOK_PUSH_ACKS);
        peer->published |= fly_ring16_publish(&peer->ack_out) > 0;
        all &= peer->outbox.cnt == 0;
    }
    return all;
}

static void publish_home(struct fly_worker *worker)
{
    for (uint32_t p = 0; p < worker->plan->worker_cnt; p++) {
        struct fly_peer *peer = &worker->peer[p];
        if (p == worker->idx || !peer->back_waits)
            continue;
        fly_hook_at(worker->hooks, worker, FLY_HOOK_PUSH_HOME);
        fly_ring8_publish(&peer->back_out);
        peer->back_waits = false;
        peer->published = true;
    }
}

/* Children first, to everybody, then acks, then the frames: what a frame's end means must be known
 * before it is home. */
static void publish(struct fly_worker *worker)
{
    publish_data(worker);
    if (publish_acks(worker))
        publish_home(worker);
    for (uint32_t p = 0; p < worker->plan->worker_cnt; p++) {
        if (p != worker->idx && worker->peer[p].published) {
            wake(worker);
            return;
        }
    }
}

/* --- Housekeeping ---------------------------------------------------------------------------- */

static void hear_commands(struct fly_worker *worker)
{
    uint32_t command =
        atomic_load_explicit(&worker->workspace->header->command, memory_order_acquire);
    worker->drain |= command >= FLY_COMMAND_DRAIN;
    worker->stop |= command >= FLY_COMMAND_STOP;
}

static bool all_ended(const struct fly_worker *worker)
{
    for (uint32_t w = 0; w < worker->plan->worker_cnt; w++)
        if (fly_counted(&fly_worker_stats(worker->workspace, worker->layout, w)->ready) < 2)
            return false;
    return true;
}

static void publish_to_all(struct fly_worker *worker)
{
    for (uint32_t p = 0; p < worker->plan->worker_cnt; p++)
        if (p != worker->idx)
            worker->peer[p].published = true;
    wake(worker);
}

/* The last worker to end must not have to wait for the others to wake up by themselves. */
static void tell_ended(struct fly_worker *worker)
{
    fly_gauge(&worker->stats->ready, 2);
    publish_to_all(worker);
}

/* How many slots to look at for timeouts: all of them within SWEEP_PARTS periods, however rarely a
 * sleeping worker comes by here. */
static uint32_t slots_to_sweep(struct fly_worker *worker)
{
    uint64_t passed_ns =
        fly_ticks_to_ns(&worker->clock, worker->now_ticks - worker->housekeeping_last);
    uint64_t parts = passed_ns / (HOUSEKEEPING_US * 1000) + 1;
    worker->housekeeping_last = worker->now_ticks;
    uint32_t cnt = worker->tracker->cnt;
    return parts < SWEEP_PARTS ? (uint32_t)(cnt / SWEEP_PARTS * parts) + 1 : cnt;
}

static uint32_t housekeeping(struct fly_worker *worker)
{
    uint64_t period_us = HOUSEKEEPING_US + fly_rng_below(&worker->rng, HOUSEKEEPING_US);
    worker->housekeeping_at = worker->now_ticks + fly_ns_to_ticks(&worker->clock, period_us * 1000);
    hear_commands(worker);
    uint32_t work = fly_roots_due(worker);
    work += fly_roots_sweep(worker, slots_to_sweep(worker));
    fly_gauge(&worker->stats->heartbeat, worker->now_ticks);
    if (worker->ended_cnt == worker->task_cnt) {
        if (fly_counted(&worker->stats->ready) < 2)
            tell_ended(worker);
        worker->stop |= all_ended(worker);
    }
    return work;
}

/* What was acked just now took until now: a root must not wait in its burst's count until another
 * one ends. */
static void record_latencies(struct fly_worker *worker)
{
    for (uint32_t t = 0; t < worker->task_cnt; t++)
        if (worker->task[t].histogram)
            fly_root_record_latency(&worker->task[t]);
}

/* Everything up to now belongs to `regime`. */
static void account(struct fly_worker *worker, enum fly_regime regime, uint64_t now_ticks)
{
    fly_count(&worker->stats->regime_ticks[regime], now_ticks - worker->regime_since);
    worker->regime_since = now_ticks;
}

/* --- Sleeping -------------------------------------------------------------------------------- */

static bool anything_pending(const struct fly_worker *worker)
{
    for (uint32_t p = 0; p < worker->plan->worker_cnt; p++) {
        const struct fly_peer *peer = &worker->peer[p];
        if (p != worker->idx &&
            (fly_ring8_pending(&peer->data_in) || fly_ring8_pending(&peer->back_in) ||
             fly_ring16_pending(&peer->ack_in) || peer->outbox.cnt || peer->back_waits))
            return true;
    }
    /* Others may have told their end before this one was marked as asleep. */
    return worker->ended_cnt == worker->task_cnt && all_ended(worker);
}

/* Until when may it sleep, at most SLEEP_MAX_MS? 0: not at all. */
static uint64_t sleep_ns(const struct fly_worker *worker)
{
    uint64_t now = fly_hook_ticks(worker->hooks), next = UINT64_MAX;
    for (uint32_t t = 0; t < worker->task_cnt; t++) {
        const struct fly_rt_task *task = &worker->task[t];
        if (task->ended)
            continue;
        next = task->tick_next < next ? task->tick_next : next;
        next = task->wake_ticks < next ? task->wake_ticks : next;
        if (task->io_done_cnt || fly_roots_may_tell(task) || fly_roots_may_replay(task))
            return 0;
    }
    uint64_t limit_ms = worker->wheel.armed_cnt ? SLEEP_WHEEL_MS : SLEEP_MAX_MS;
    uint64_t ns = limit_ms * 1000000;
    if (next <= now)
        return 0;
    uint64_t until = fly_ticks_to_ns(&worker->clock, next - now);
    return next != UINT64_MAX && until < ns ? until : ns;
}

static void worker_sleep(struct fly_worker *worker)
{
    uint64_t ns = sleep_ns(worker);
    if (!ns)
        return;
    atomic_store_explicit(worker->asleep, 1, memory_order_relaxed);
    /* Pairs with the fence in wake(). */
    full_fence();
    if (!anything_pending(worker)) {
        uint64_t before = worker->now_ns;
        fly_count(&worker->stats->sleeps, 1);
        fly_uring_sleep(&worker->uring, ns);
        read_clock(worker);
        uint64_t slept = worker->now_ns - before;
        advance_timeouts(worker, slept < ns ? slept : ns, SLEEP_MAX_MS);
        worker->housekeeping_at = 0;
    }
    atomic_store_explicit(worker->asleep, 0, memory_order_relaxed);
}

static void idle(struct fly_worker *worker)
{
    const struct fly_plan *plan = worker->plan;
    if (!worker->idle_since)
        worker->idle_since = worker->now_ticks;
    uint64_t idle_ns = fly_ticks_to_ns(&worker->clock, worker->now_ticks - worker->idle_since);
    /* What has ended is told at once: others may wait for it, and the run does. */
    if (worker->ended_cnt == worker->task_cnt && fly_counted(&worker->stats->ready) < 2)
        worker->housekeeping_at = 0;
    else if (plan->idle == FLY_IDLE_SPIN || idle_ns < plan->idle_spin_ns)
        fly_pause();
    else
        worker_sleep(worker);
}

/* --- The turn -------------------------------------------------------------------------------- */

void fly_worker_begin(struct fly_worker *worker)
{
    worker->thread = __builtin_thread_pointer();
    read_clock(worker);
    worker->regime_since = worker->now_ticks;
    fly_gauge(&worker->stats->ready, 1);
}

uint32_t fly_worker_turn(struct fly_worker *worker)
{
    uint64_t before_ns = worker->now_ns;
    read_clock(worker);
    advance_timeouts(worker, worker->now_ns - before_ns, CLOCK_STEP_MS);
    uint32_t work = receive_io(worker);
    work += receive_acks(worker);
    work += receive_frames_home(worker);
    uint32_t input = receive_data(worker);
    work += input + run_tasks(worker);
    record_latencies(worker);
    fly_lanes_flush(worker, work == 0);
    publish(worker);
    if (input < BURST || ++worker->turns_unpolled >= STARVED_TURNS) {
        worker->turns_unpolled = 0;
        work += poll_sources(worker);
        record_latencies(worker);
    }
    if (!work)
        fly_lanes_flush(worker, true);
    if (FLY_UNLIKELY(worker->marks_due))
        work += fly_marks_flush(worker, work == 0);
    publish(worker);
    fly_count(&worker->stats->turns, 1);
    account(worker,
            work                    ? FLY_REGIME_BUSY
            : worker->suspended_cnt ? FLY_REGIME_BLOCKED
                                    : FLY_REGIME_IDLE,
            fly_hook_ticks(worker->hooks));
    if (worker->now_ticks >= worker->housekeeping_at) {
        work += housekeeping(worker);
        account(worker, FLY_REGIME_HOUSEKEEPING, fly_hook_ticks(worker->hooks));
    }
    return work;
}

void fly_worker_run(struct fly_worker *worker)
{
    fly_worker_begin(worker);
    while (!worker->stop) {
        if (fly_worker_turn(worker))
            worker->idle_since = 0;
        else
            idle(worker);
    }
    fly_gauge(&worker->stats->ready, 3);
    publish_to_all(worker);
}
