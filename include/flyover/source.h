/* source.h - calls for sources: emit roots, say where to go on, send again.
 *
 * Idea       A source emits roots under ids of its own (an offset, a sequence number) and hears of
 *            each exactly once: acked, or failed for good. Retries come through `replay` in
 *            between.
 * Ids        Unique among the task's roots in flight, and on the scale of positions: a root's id is
 *            below its `next`, and `next` never falls. A restart polls from the last `next`, and
 *            replays the roots below it that were not acked.
 * When full  poll gets a budget of roots that there is room for; it must not emit more.
 */
#ifndef FLYOVER_SOURCE_H
#define FLYOVER_SOURCE_H

#include <flyover/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Emits root `id`. Within poll only, at most `budget` times in one call. `next` is the position
 * after it: where restore() goes on when this root and all before it need not be polled again (they
 * come through replay if they were not acked). It never goes back. */
static inline void fly_emit_root(struct fly_task *task, uint32_t port, uint64_t id, uint64_t next,
                                 struct fly_content content)
{
    struct fly_port *out = &task->port[port];
    if (task->root_cnt < task->root_max && out->cnt < out->max && !content.meta &&
        (content.flags & FLY_MSG_STABLE)) {
        struct fly_msg *msg = &out->msg[out->cnt++];
        msg->payload = (const uint8_t *)content.payload;
        msg->key = (const uint8_t *)content.key;
        msg->payload_bytes = content.payload_bytes;
        msg->key_bytes = content.key ? content.key_bytes : 0;
        msg->meta_bytes = 0;
        msg->key_hash = 0;
        msg->flags = content.flags & ~(uint32_t)FLY_MSG_STABLE;
        msg->reserved = 0;
        uint32_t root = task->root_cnt++;
        msg->anchor = (struct fly_anchor *)(void *)&task->root_anchor[root * FLY_ANCHOR_BYTES];
        task->root_id[root] = id;
        task->root_bytes += content.payload_bytes;
        task->next = next;
        return;
    }
    /* A copy, so that `content` itself can stay in registers. */
    struct fly_content again = {content.key,       content.payload,       content.meta,
                                content.key_bytes, content.payload_bytes, content.meta_bytes,
                                content.flags};
    task->calls->emit_root(task, port, id, next, &again);
}

/* Within poll: a root that can't be sent at all (over the limit, not decodable): it goes to dead
 * letters at once with `reason`; `content` is as much of it as there is, `total_bytes` its true
 * length. */
static inline void fly_emit_dead(struct fly_task *task, uint64_t id, uint64_t next, uint32_t reason,
                                 uint64_t total_bytes, struct fly_content content)
{
    task->calls->emit_dead(task, id, next, reason, total_bytes, &content);
}

/* Sends a root again for a replay. Within any callback of the source. */
static inline void fly_emit_again(struct fly_task *task, uint32_t port, struct fly_attempt attempt,
                                  struct fly_content content)
{
    task->calls->emit_again(task, port, attempt, &content);
}

/* The root of a replay is gone for good: dropped with FLY_REASON_LOST. */
static inline void fly_attempt_lost(struct fly_task *task, struct fly_attempt attempt)
{
    task->calls->attempt_lost(task, attempt);
}

/* For the progress line: done of total (total 0: without an end), in any unit. */
static inline void fly_source_progress(struct fly_task *task, uint64_t done, uint64_t total)
{
    task->calls->progress(task, done, total);
}

#ifdef __cplusplus
}
#endif
#endif
