/* watermark.h - how far event time is, along every edge, behind the data that it speaks of.
 *
 * Idea       A task says a time; each of its lanes carries the newest one to its receiver as soon
 *            as the one before is home and no open frame is in front of it. A receiver takes it
 *            when all frames that came before are worked off. A task's own watermark is the least
 *            of its inputs that are neither idle nor at their end, and goes on by itself.
 * Owner      The worker's thread. A mark frame is the sender's while it is home, the receiver's
 *            while it is away: both ways are ring descriptors, so a mark never waits for room.
 * Memory     One line per (edge, sender), one per receiver of it, in the workspace.
 * Cost       Nothing unless a node of the pipeline has a `watermark` callback: a branch per task
 *            and turn, and per frame that is worked off.
 * Caveat     What a task holds stays in front: a mark passes when all is gone that was held when it
 *            came.
 * See also   docs/design/0005-watermarks.md, tests/unit/dataplane/worker/test_watermark.c
 */
#ifndef FLY_WORKER_WATERMARK_H
#define FLY_WORKER_WATERMARK_H

#include "base/check.h"

#include <stdatomic.h>

struct fly_feed;
struct fly_input;
struct fly_out_edge;
struct fly_plan;
struct fly_rt_task;
struct fly_task;
struct fly_worker;

#define FLY_WATERMARK_NONE INT64_MIN

/* What somebody says about event time. */
struct fly_mark {
    int64_t time_ns;
    bool idle; /* nobody need wait for it */
};

/* A control frame: from a sender to one receiver of an edge. */
struct fly_mark_frame {
    _Alignas(FLY_CACHE_LINE) int64_t time_ns;
    uint32_t idle;
};

/* Of one (edge, sender). */
struct fly_feed_marks {
    /* The newest that was said: for a task that starts later, and at the end, which does not wait
     * for it. As an offset from FLY_WATERMARK_NONE, so that new memory says just that. */
    _Alignas(FLY_CACHE_LINE) _Atomic uint64_t newest;
    struct fly_mark_frame frame[]; /* by receiver */
};

static inline uint64_t fly_feed_marks_footprint(uint32_t target_cnt)
{
    return sizeof(struct fly_feed_marks) + (uint64_t)target_cnt * sizeof(struct fly_mark_frame);
}

/* The sender's side of a lane. */
struct fly_lane_mark {
    struct fly_mark said;
    uint64_t said_ticks;
    bool away;
    bool mute; /* no message ever goes this way */
};

enum fly_mark_waits { FLY_MARK_NOTHING, FLY_MARK_TIME, FLY_MARK_END };

/* The receiver's side: of one input. */
struct fly_input_mark {
    struct fly_mark now;
    struct fly_mark next;      /* FLY_MARK_TIME: in effect when `after` is worked off */
    enum fly_mark_waits waits; /* for frame `after`, or to be taken */
    uint32_t after;            /* FLY_FRAME_NONE: nothing is in front any more */
    uint32_t lane;             /* this task among the edge's receivers */
    bool ends, ended;          /* EOS came; and everything before it is worked off */
    bool mute;
    struct fly_mark_frame *frame; /* NULL: from this worker */
};

/* Of a task. */
struct fly_task_mark {
    struct fly_mark in;  /* of all inputs */
    struct fly_mark out; /* follows all that was emitted so far */
    struct fly_mark held;
    uint32_t ready_cnt; /* inputs with something to take */
    bool due;           /* not every lane has carried `out` */
    bool behind_held;   /* `held` goes out when everything is gone that was held before it */
    bool keeps_busy;    /* no direct calls until there was a turn for it */
};

/* At the start: what each input and lane begins with. Behind the ports' and the inputs' opening. */
void fly_mark_open_input(struct fly_rt_task *task, struct fly_input *input);
void fly_mark_open_edge(struct fly_rt_task *task, struct fly_out_edge *edge);
void fly_mark_open_task(struct fly_rt_task *task);

/* fly_watermark() and fly_watermark_idle(). */
void fly_mark_say(struct fly_task *task, int64_t time_ns);
void fly_mark_say_idle(struct fly_task *task);

/* From the rings; nonsense is counted. */
void fly_mark_arrived(struct fly_worker *worker, uint32_t task_idx, uint32_t feed_idx);
void fly_mark_home(struct fly_worker *worker, uint32_t feed_idx, uint32_t lane);

/* The end of an input came. */
void fly_mark_end(struct fly_rt_task *task, struct fly_input *input);

/* The frame that an input's mark waited for is worked off. */
void fly_mark_reached(struct fly_rt_task *task, struct fly_input *input);

/* Takes what is ready, calls the node if its watermark rose; returns the work done. */
uint32_t fly_mark_step(struct fly_rt_task *task);

/* The call of the node, on the task's fiber. */
void fly_mark_act(struct fly_rt_task *task);

/* Sends marks: all that are home, or those with no open frame in front, or for longer than
 * flush_ticks. Returns how many. */
uint32_t fly_marks_flush(struct fly_worker *worker, bool all);

/* Descriptors of the return ring: a frame's index, or a mark that goes home. */
#define FLY_HOME_MARK (UINT64_C(1) << 63)
static inline uint64_t fly_home_mark(uint32_t feed, uint32_t lane)
{
    return FLY_HOME_MARK | (uint64_t)lane << 32 | feed;
}

#endif
