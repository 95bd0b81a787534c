/* worker.h - one worker: its tasks, its way to other workers, and the turn it runs over and over.
 *
 * Idea       A worker owns everything in here and shares nothing but rings, counters and its
 *            tracker in the workspace. Each task's calls run on the task's own fiber, so an emit
 *            that has to wait suspends just that task.
 * Owner      The worker's thread, but for fly_worker_open and fly_worker_close (before and after it
 *            runs).
 * Memory     Heap at start; nothing is allocated once it runs.
 * See also   docs/architecture.md; emit.h, call.h, roots.h, loop.h for what is done with it
 */
#ifndef FLY_WORKER_WORKER_H
#define FLY_WORKER_WORKER_H

#include "ack/outbox.h"
#include "ack/wheel.h"
#include "base/clock.h"
#include "worker/hooks.h"
#include "worker/task.h"

/* Another worker. */
struct fly_peer {
    struct fly_ring8_tx data_out, back_out;
    struct fly_ring8_rx data_in, back_in;
    struct fly_ring16_tx ack_out;
    struct fly_ring16_rx ack_in;
    struct fly_outbox outbox;
    _Atomic uint32_t *asleep;
    int event_fd;
    bool published;  /* something went out in this turn */
    bool back_waits; /* frames wait for the acks before them */
};

struct fly_worker {
    struct fly_workspace *workspace;
    const struct fly_layout *layout;
    const struct fly_plan *plan;
    const struct fly_hooks *hooks; /* NULL but in tests */
    uint32_t idx;
    void *thread; /* its thread pointer: cheaper to compare than pthread_self() */

    struct fly_rt_task *task; /* in the order in which they run: deepest first */
    uint32_t task_cnt;
    struct fly_rt_task **by_plan; /* every task of the plan; NULL: not on this worker */
    struct fly_peer *peer;        /* by worker; the own entry is unused */
    struct fly_feed *feed;        /* by feed; free is NULL where this worker does not send */
    struct fly_frame **frame;     /* by frame index */
    uint16_t *frame_feed;
    struct fly_input **input_of; /* [task of the plan * feed_cnt + feed] */

    struct fly_lane **open; /* lanes with an open frame */
    uint32_t open_cnt;
    struct fly_rt_task *fiber_task; /* whose fiber runs; NULL: the loop itself */
    uint32_t suspended_cnt, ended_cnt;

    struct fly_tracker *tracker;
    struct fly_wheel wheel;
    uint32_t sweep_at;
    const struct fly_node *const *nodes; /* by node of the plan */

    struct fly_uring uring;
    uint64_t frame_seed, frame_seed_cnt;
    struct fly_rng rng;
    struct fly_clock_rate clock;
    uint64_t now_ticks, now_ns, clock_mono_base, clock_wall_base, clock_ticks_base;
    uint64_t clock_ns_rest; /* of the timeout clock, below 1 ms */
    uint32_t clock_ms;
    uint64_t flush_ticks;

    struct fly_worker_stats *stats;
    _Atomic uint32_t *asleep;
    _Atomic uint32_t *running;
    uint64_t regime_since, idle_since, housekeeping_at, housekeeping_last;
    uint32_t turns_unpolled;
    bool stop, drain;
    bool event_time; /* a node of the pipeline wants watermarks */
    bool marks_due;  /* some lane has not carried its task's */
};

struct fly_worker_config {
    struct fly_workspace *workspace;
    const struct fly_layout *layout;
    uint32_t idx;
    struct fly_clock_rate clock;
    const struct fly_node *const *nodes; /* by node of the plan */
    const struct fly_hooks *opt_hooks;
};

/* Builds a worker and sets up its tasks. 0; -EINVAL: a node refused (trace: which, why), or another
 * negative errno; nothing is left behind. Call on the thread that will not run it, before any
 * runs. */
FLY_MUST_CHECK int fly_worker_open(struct fly_worker *worker,
                                   const struct fly_worker_config *config);

/* Tears its tasks down; it must have stopped. NULL is fine. */
void fly_worker_close(struct fly_worker *worker);

/* Connects the wake-ups of all workers of this process. */
void fly_worker_connect(struct fly_worker *const *workers, uint32_t cnt);

/* The input of a task through which a feed comes in; NULL: none on this worker, whoever says so. */
static inline struct fly_input *fly_input_of(const struct fly_worker *worker, uint32_t task_idx,
                                             uint32_t feed_idx)
{
    uint32_t feed_cnt = worker->layout->feed_cnt;
    if (task_idx >= worker->plan->task_cnt || feed_idx >= feed_cnt || !worker->by_plan[task_idx])
        return NULL;
    return worker->input_of[(uint64_t)task_idx * feed_cnt + feed_idx];
}

/* Between fly_reserve and fly_commit, on a foreign thread, outside of a callback: says so and ends
 * the process with FLY_EXIT_MISUSE. */
_Noreturn void fly_misuse(const struct fly_rt_task *task, const char *call, const char *what)
    __attribute__((cold));
enum { FLY_EXIT_MISUSE = 70 };

/* What every call checks first. */
static FLY_ALWAYS_INLINE void fly_check_call(struct fly_rt_task *task, const char *call)
{
    struct fly_worker *worker = task->worker;
    if (FLY_UNLIKELY(worker->thread != __builtin_thread_pointer()))
        fly_misuse(task, call, "called from a thread that is not the task's worker");
    if (FLY_UNLIKELY(!worker->fiber_task || worker->fiber_task->inner != task))
        fly_misuse(task, call, "called outside of a callback of this task");
    if (FLY_UNLIKELY(task->reserved != NULL))
        fly_misuse(task, call, "called between fly_reserve and fly_commit");
}

#endif
