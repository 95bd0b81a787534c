/* call.h - calls of a task: on its own fiber, or directly from another task's.
 *
 * Idea       The loop starts one action at a time on a task's fiber (a poll, a batch of a frame, a
 *            tick ...). If it suspends, the loop looks at its condition each turn and resumes it.
 * Rule       Callbacks of one task never overlap: while it is occupied, others queue up.
 * See also   emit.h
 */
#ifndef FLY_WORKER_CALL_H
#define FLY_WORKER_CALL_H

#include "worker/worker.h"

/* Calls `task` over a batch on the running fiber; false: it must be queued instead. Messages are
 * done when it returns. `bytes` is the sum of their payloads. */
bool fly_call_direct(struct fly_rt_task *task, struct fly_msg *msg, uint32_t cnt, uint64_t bytes);

/* Suspends the running fiber until its condition (set by the caller in the base task) holds. */
void fly_fiber_wait(struct fly_worker *worker, enum fly_wait wait);

/* Runs one action of a task that is not occupied. */
void fly_task_act(struct fly_rt_task *task, enum fly_action action);

/* Resumes a suspended task if its condition holds; true if it ran. */
bool fly_task_resume(struct fly_rt_task *task);

/* Has the task frames to work on, and room to hold what they need? */
bool fly_task_has_input(struct fly_rt_task *task);

#endif
