/* worker.h - one worker: its tasks, its way to other workers, and the turn it runs over and over.
 *
 * Idea       A worker owns everything in here and shares nothing but rings, counters and its tracker in the
 *            workspace. Each task's calls run on the task's own fiber, so an emit that has to wait suspends
 *            just that task.
 * Owner      The worker's thread, but for fly_worker_open and fly_worker_close (before and after it runs).
 * Memory     Heap at start; nothing is allocated once it runs.
 * See also   docs/architecture.md; emit.h, call.h, roots.h, loop.h for what is done with it
 */
#ifndef FLY_WORKER_WORKER_H
#define FLY_WORKER_WORKER_H

#include "ack/outbox.h"
#include "ack/tracker.h"
#include "ack/wheel.h"
#include "base/clock.h"
#include "base/fiber.h"
#include "base/mix.h"
#include "io/uring.h"
#include "msg/blocks.h"
#include "msg/frame.h"
#include "worker/hold.h"
#include "worker/hooks.h"
#include "worker/layout.h"
#include "worker/note.h"

#include <flyover/source.h>
#include <flyover/stage.h>

struct fly_worker;
struct fly_rt_task;

/* A way from one sender to one receiving task of an edge. */
struct fly_lane {
    struct fly_frame_writer writer;
    struct fly_rt_task *local; /* receiver on this worker; NULL: elsewhere */
    uint64_t run_root;         /* root of the open run */
    uint32_t target, worker;
    uint32_t frame_idx; /* of the open frame */
    uint32_t open_idx;  /* place in the worker's list of lanes with an open frame */
    struct fly_feed *feed;
};

/* A feed that this worker sends on: its free frames. */
struct fly_feed {
    uint32_t *free; /* LIFO */
    uint32_t free_cnt, frame_cnt;
    uint32_t idx;
    uint32_t edge;
    struct fly_edge_stats *stats;
};

enum fly_pick { FLY_PICK_ONE, FLY_PICK_ALL, FLY_PICK_KEY, FLY_PICK_RANDOM };

struct fly_out_edge {
    struct fly_feed *feed;
    struct fly_lane *lane;
    uint32_t lane_cnt;
    uint32_t only; /* FLY_PICK_ONE */
    enum fly_pick pick;
    const uint16_t *slots;
};

/* The runtime's side of an output port; the messages are in the task's fly_port of the same index. */
struct fly_out_port {
    struct fly_out_edge *edge;
    uint32_t edge_cnt;
    uint32_t max_bytes; /* the smallest of its edges' limits */
};

/* Frames of one feed that wait for one task. */
struct fly_input {
    uint32_t head, tail; /* linked through the frames */
    uint32_t feed;
    bool eos;
    bool local; /* from this worker: a loopback */
};

/* The frame being worked off. It stays between calls when its batch was cut short. */
struct fly_current {
    uint32_t frame_idx; /* FLY_FRAME_NONE: none */
    struct fly_input *input;
    struct fly_frame_reader reader;
    struct fly_root run_root; /* of the run that is half read, between batches */
    uint64_t run_ids;
    bool run_failed;
    uint32_t cell_idx; /* within a batch: the cell of the last run */
    bool in_run;
    bool large; /* a chain, gathered into the task's buffer already */
    struct fly_msg large_msg;
};

/* Why a fiber is suspended. */
enum fly_wait { FLY_WAIT_NOTHING, FLY_WAIT_FRAMES, FLY_WAIT_ROOT, FLY_WAIT_RETAIN };

enum fly_action {
    FLY_ACT_NONE,
    FLY_ACT_POLL,
    FLY_ACT_INPUT,
    FLY_ACT_REPLAY,
    FLY_ACT_TELL,
    FLY_ACT_IO,
    FLY_ACT_TICK,
    FLY_ACT_FINISH,
};

struct fly_failed_id {
    uint64_t id;
    uint32_t reason;
};

struct fly_rt_task {
    struct fly_task pub; /* first: nodes hold a pointer to it */
    struct fly_worker *worker;
    const struct fly_node *node;
    const struct fly_plan_node *plan;
    void *self;
    uint32_t idx; /* in the plan */
    uint32_t node_idx;
    const char *refusal; /* of setup */
    char refusal_text[320];

    /* Calls. */
    uint32_t busy; /* 0: may be called directly. Occupied and each pending loopback frame count one */
    bool occupied;
    enum fly_wait wait;
    uint32_t wait_cnt;
    struct fly_feed *wait_feed;
    uint64_t wait_since;
    enum fly_action action;
    struct fly_fiber fiber;
    void *stack;
    size_t stack_bytes;
    struct fly_rt_task *inner; /* innermost task whose callback runs on this fiber */
    struct fly_note *note;
    struct fly_note_mark mark; /* where the running call of this task began in the note */
    struct fly_msg *batch; /* FLY_BATCH_MAX messages read from a frame */
    uint32_t batch_at, batch_cnt; /* given to process, and read */
    uint16_t *pick;        /* lane of each message of a batch being routed */
    uint16_t *order;       /* the batch's messages, lane by lane */
    struct fly_msg *local; /* the part of it for a task of this worker */

    /* Output. The last port is the one for dead letters, where the node has them. */
    struct fly_out_port *port;
    uint32_t port_cnt;
    uint32_t dead_port; /* FLY_PLAN_NONE: none */
    uint8_t *scratch;
    uint64_t scratch_low, scratch_high, scratch_bytes; /* emits grow up, takes grow down */
    uint64_t scratch_floor; /* below it is a content that an emit is about to send */
    uint64_t largest_bytes; /* of the messages that come in or go out */
    uint8_t *reserved;                                 /* open fly_reserve */
    uint32_t reserved_bytes;

    /* Input. */
    struct fly_input *input;
    uint32_t input_cnt, next_input, queued_cnt, eos_cnt;
    struct fly_current current;
    uint8_t *large;
    uint64_t large_bytes;

    /* Holding. */
    struct fly_hold_pool *held;
    struct fly_blocks *hold_blocks;
    struct fly_held last_token;
    uint64_t last_token_root;
    uint32_t explicit_left; /* FLY_EXPLICIT: messages of this call not yet accounted for */

    /* Roots. */
    struct fly_root_range range;
    struct fly_blocks *retain;
    uint32_t replay_head, replay_tail, replay_cnt;
    uint32_t poll_budget; /* roots that the running poll may still emit */
    uint32_t polled_cnt;  /* emitted by it, and not yet counted */
    uint64_t polled_bytes;
    uint64_t *acked;
    struct fly_failed_id *failed;
    uint32_t acked_cnt, failed_cnt, acked_max;
    uint64_t latency_birth, latency_cnt;
    struct fly_restore *restore;
    uint32_t restore_next;
    bool polled_done, idle;
    uint64_t wake_ticks; /* UINT64_MAX: none */

    /* Time, I/O, end. */
    uint64_t tick_ticks, tick_next; /* tick_next UINT64_MAX: none */
    uint32_t io_in_flight;
    struct fly_uring_done *io_done; /* a ring of FLY_URING_MAX: those in flight are counted until told */
    uint32_t io_done_cnt, io_done_at;
    bool finish_called, ended;
    bool set_up;           /* its setup succeeded: teardown is due */
    void *params;          /* what bound parameters point to */
    void *allocated;       /* fly_task_alloc's, linked */
    struct fly_msg peeked; /* fly_peek's answer */
    uint64_t own_id;       /* of roots that a stage owns */

    struct fly_task_stats *stats;
    struct fly_source_stats *source;
    struct fly_histogram *histogram;
    struct fly_rng rng;
};

/* Another worker. */
struct fly_peer {
    struct fly_ring8_tx data_out, back_out;
    struct fly_ring8_rx data_in, back_in;
    struct fly_ring16_tx ack_out;
    struct fly_ring16_rx ack_in;
    struct fly_outbox outbox;
    _Atomic uint32_t *asleep;
    int event_fd;
    bool published; /* something went out in this turn */
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
    struct fly_rt_task *poller;     /* the same, while it is a source's poll; else NULL */
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
    uint64_t regime_since, idle_since, housekeeping_at;
    uint32_t turns_unpolled;
    bool stop, drain, own_published;
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
 * negative errno; nothing is left behind. Call on the thread that will not run it, before any runs. */
FLY_MUST_CHECK int fly_worker_open(struct fly_worker *worker, const struct fly_worker_config *config);

/* Tears its tasks down; it must have stopped. NULL is fine. */
void fly_worker_close(struct fly_worker *worker);

/* Connects the wake-ups of all workers of this process. */
void fly_worker_connect(struct fly_worker *const *workers, uint32_t cnt);

static inline struct fly_rt_task *fly_rt(struct fly_task *task)
{
    return (struct fly_rt_task *)task;
}

/* Between fly_reserve and fly_commit, on a foreign thread, outside of a callback: says so and ends the
 * process with FLY_EXIT_MISUSE. */
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
