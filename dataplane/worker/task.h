/* task.h - a task as the runtime sees it: its ways out, its queues, its running call, its roots.
 *
 * Idea       The node's callbacks get the first member, struct fly_task; everything behind it is
 *            the runtime's. A task has a fiber of its own, so a call of it can be suspended
 *            half-way.
 * Owner      The task's worker, on its thread.
 * Memory     Heap at start, and the places that the layout gives it in the workspace.
 * See also   worker.h, call.h, emit.h, roots.h
 */
#ifndef FLY_WORKER_TASK_H
#define FLY_WORKER_TASK_H

#include "ack/tracker.h"
#include "base/fiber.h"
#include "base/mix.h"
#include "io/uring.h"
#include "msg/blocks.h"
#include "msg/frame_write.h"
#include "worker/hold.h"
#include "worker/layout.h"
#include "worker/note.h"
#include "worker/watermark.h"

#include <flyover/source.h>
#include <flyover/stage.h>

struct fly_worker;
struct fly_rt_task;

/* A way from one sender to one receiving task of an edge. */
struct fly_lane {
    struct fly_frame_writer writer;
    struct fly_rt_task *local; /* receiver on this worker; NULL: elsewhere */
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
    struct fly_out_edge *out;
};

enum fly_pick { FLY_PICK_ONE, FLY_PICK_ALL, FLY_PICK_KEY, FLY_PICK_RANDOM };

struct fly_out_edge {
    struct fly_feed *feed;
    struct fly_lane *lane;
    struct fly_lane_mark *mark; /* one per lane */
    uint32_t lane_cnt;
    uint32_t only; /* FLY_PICK_ONE */
    enum fly_pick pick;
    const uint16_t *slots;
};

/* The runtime's side of an output port; the messages are in the task's fly_port of the same
 * index. */
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
    struct fly_input_mark mark;
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
    FLY_ACT_WATERMARK,
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
    uint32_t busy; /* 0: may be called directly. Occupied, each pending loopback frame, and
                    * mark_of.keeps_busy count one */
    bool occupied;
    enum fly_wait wait;
    uint32_t wait_cnt;
    struct fly_feed *wait_feed;
    enum fly_action action;
    struct fly_fiber fiber;
    void *stack;
    size_t stack_bytes;
    struct fly_rt_task *inner; /* innermost task whose callback runs on this fiber */
    struct fly_note *note;
    struct fly_note_mark mark;    /* where the running call of this task began in the note */
    struct fly_msg *batch;        /* FLY_BATCH_MAX messages read from a frame */
    uint32_t batch_at, batch_cnt; /* given to process, and read */
    uint16_t *pick;               /* lane of each message of a batch being routed */
    struct fly_msg *local;        /* the part of it for a task of this worker */

    /* Output. The last port is the one for dead letters, where the node has them. */
    struct fly_out_port *port;
    uint32_t port_cnt;
    uint32_t dead_port; /* FLY_PLAN_NONE: none */
    uint8_t *scratch;
    uint64_t scratch_low, scratch_high, scratch_bytes; /* emits grow up, takes grow down */
    uint64_t scratch_floor; /* below it is a content that an emit is about to send */
    uint64_t largest_bytes; /* of the messages that come in or go out */
    uint8_t *peek_at;       /* fly_peek gathers there */
    uint8_t *reserved;      /* open fly_reserve */
    uint32_t reserved_bytes;

    /* Input. */
    struct fly_input *input;
    uint32_t input_cnt, next_input, queued_cnt, eos_cnt;
    struct fly_current current;
    struct fly_task_mark mark_of; /* event time */
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
    uint32_t poll_budget;  /* roots that the running poll may emit, but for those with a copy */
    uint32_t polled_cnt;   /* emitted by it with a copy, and not yet counted */
    uint32_t root_counted; /* of the others, how many are counted */
    uint64_t polled_bytes;
    uint64_t poll_ticks; /* when it began */
    uint64_t *acked;
    struct fly_failed_id *failed;
    uint32_t acked_cnt, failed_cnt;
    uint64_t latency_birth, latency_cnt;
    struct fly_restore *restore;
    bool polled_done, idle;
    uint64_t wake_ticks; /* UINT64_MAX: none */

    /* Time, I/O, end. */
    uint64_t tick_ticks, tick_next; /* tick_next UINT64_MAX: none */
    uint32_t io_in_flight;
    struct fly_uring_done
        *io_done; /* a ring of FLY_URING_MAX: those in flight are counted until told */
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

/* What the payloads of some messages sum up to. */
static inline uint64_t fly_payload_bytes(const struct fly_msg *msg, uint32_t cnt)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < cnt; i++)
        bytes += msg[i].payload_bytes;
    return bytes;
}

static inline struct fly_rt_task *fly_rt(struct fly_task *task)
{
    return (struct fly_rt_task *)task;
}

#endif
