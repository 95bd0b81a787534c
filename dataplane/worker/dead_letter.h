/* dead_letter.h - the last attempt of a root that failed for good: along the dead-letter edge.
 *
 * Idea       The original bytes go out of the task's dead-letter port with metadata that says why,
 *            where, how often and when; the root stays open until the receiving sink is done with
 *            it.
 * Owner      The owning task's worker, on its fiber.
 */
#ifndef FLY_WORKER_DEAD_LETTER_H
#define FLY_WORKER_DEAD_LETTER_H

#include "worker/worker.h"

#define FLY_NODE_NONE UINT16_MAX /* failed nowhere in particular: a timeout, a crash */

/* Emits attempt `root` again: out of `port`, or as a dead letter if that is what it has become. */
void fly_emit_attempt(struct fly_rt_task *task, uint32_t port, struct fly_root root,
                      const struct fly_content *content);

/* Emits the dead letter of an open root; total_bytes is the original length. What the edge cannot
 * carry is cut to its beginning. */
void fly_emit_dead_letter(struct fly_rt_task *task, struct fly_root_entry *entry,
                          const struct fly_content *content, uint64_t total_bytes);

/* Records what piled up for the latency histogram. */
void fly_root_record_latency(struct fly_rt_task *task);

#endif
