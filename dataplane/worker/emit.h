/* emit.h - the way out of a task: from its ports to frames or to a direct call.
 *
 * Idea       Emits gather in the port by reference. A flush routes the whole batch: what stays on
 *            the worker is handed to the receiver in a direct call, what leaves is written into the
 *            open frame of its lane, each run's id entered into its cell.
 * Owner      The worker's thread, on the emitting task's fiber.
 * When full  No free frame: the fiber is suspended until frames came home (fly_wait_*).
 * See also   msg/frame.h, call.h
 */
#ifndef FLY_WORKER_EMIT_H
#define FLY_WORKER_EMIT_H

#include "worker/worker.h"

/* Sends on what gathered in one port, or in all ports of a task. */
void fly_port_flush(struct fly_rt_task *task, uint32_t port);
void fly_task_flush(struct fly_rt_task *task);

/* Adds a message to a port whose content outlives the port's flush. */
void fly_port_add(struct fly_rt_task *task, uint32_t port, const struct fly_msg *msg);

/* Copies contents into the task's scratch so that they outlive the flush; flushes when there is no
 * room. */
void fly_port_copy(struct fly_rt_task *task, uint32_t port, struct fly_anchor *anchor,
                   const struct fly_content *content);

/* Room for `bytes` in the scratch; NULL: messages taken in this call leave too little. `spare` more
 * bytes are free behind it, so that the next take surely does not start over and overwrite it. */
uint8_t *fly_scratch_take(struct fly_rt_task *task, uint64_t bytes, uint64_t spare);

/* Sends a lane's open frame, if there is one. */
void fly_lane_send(struct fly_worker *worker, struct fly_lane *lane);

/* Sends open frames: all, or those older than flush_ticks. Returns how many. */
uint32_t fly_lanes_flush(struct fly_worker *worker, bool all);

/* Tells every receiver of every port that this task will send nothing more. */
void fly_task_send_eos(struct fly_rt_task *task);

/* A frame has been worked off: it goes home, with the chain behind it. */
void fly_frame_return(struct fly_worker *worker, uint32_t frame_idx);

/* A frame of this worker came home. Nonsense is counted. */
void fly_frame_home(struct fly_worker *worker, uint32_t frame_idx);

/* A frame for a task of this worker came in: puts it into its queue. Nonsense is counted. */
void fly_frame_arrived(struct fly_worker *worker, uint32_t task_idx, uint32_t frame_idx);
void fly_eos_arrived(struct fly_worker *worker, uint32_t task_idx, uint32_t feed_idx);

/* Descriptors of the data ring. */
enum fly_data_kind { FLY_DATA_FRAME = 1, FLY_DATA_EOS = 2, FLY_DATA_WATERMARK = 3 };
static inline uint64_t fly_data_make(enum fly_data_kind kind, uint32_t task, uint32_t arg)
{
    return (uint64_t)kind << 56 | (uint64_t)(task & 0xffffff) << 32 | arg;
}

/* Suspends the running fiber until the feed has `cnt` free frames. */
void fly_wait_frames(struct fly_rt_task *task, struct fly_feed *feed, uint32_t cnt);

#endif
