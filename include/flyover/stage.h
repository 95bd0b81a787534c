/* stage.h - calls for stages and sinks: emit children, fail, hold, join.
 *
 * Idea       A batch's messages are done when process returns, together with all that was emitted
 *            for them; whoever needs longer holds a message and finishes it later.
 * Acks       Children are anchored to their parent: its root is acked when the whole tree is done.
 * When full  Emitting never fails: the runtime suspends the call until there is room. Holding needs
 *            room that the runtime has made sure of before it calls process.
 * Misuse     Ends the process with exit code 70, naming the node and the call: any call between
 *            between fly_reserve and fly_commit, a second use of a handle, a call outside of a
 *            callback or from another thread (which the inline part of fly_emit and fly_forward
 *            does not see).
 */
#ifndef FLYOVER_STAGE_H
#define FLYOVER_STAGE_H

#include <flyover/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Is [at, at + bytes) a part of the parent's payload or key? Then no copy is needed. */
static inline bool fly_is_part(const struct fly_msg *parent, const void *at, uint32_t bytes)
{
    uintptr_t offset = (uintptr_t)at - (uintptr_t)parent->payload;
    uintptr_t key_offset = (uintptr_t)at - (uintptr_t)parent->key;
    return (offset <= parent->payload_bytes && bytes <= parent->payload_bytes - offset) ||
           (parent->key && key_offset <= parent->key_bytes &&
            bytes <= parent->key_bytes - key_offset);
}

/* Sends a child of `parent` (a message of this call) out of `port`. `parent` NULL: in tick and
 * finish, a new root owned by this stage, with a copy that is retried like a source's. Over
 * max_message_bytes the parent's attempt fails with FLY_REASON_TOO_LARGE. */
static inline void fly_emit(struct fly_task *task, uint32_t port, const struct fly_msg *parent,
                            struct fly_content content)
{
    struct fly_port *out = &task->port[port];
    if (parent && !content.meta && out->cnt < out->max &&
        fly_is_part(parent, content.payload, content.payload_bytes) &&
        (!content.key || fly_is_part(parent, content.key, content.key_bytes))) {
        struct fly_msg *msg = &out->msg[out->cnt++];
        msg->payload = (const uint8_t *)content.payload;
        msg->key = (const uint8_t *)content.key;
        msg->anchor = parent->anchor;
        msg->payload_bytes = content.payload_bytes;
        msg->key_bytes = content.key ? content.key_bytes : 0;
        msg->meta_bytes = 0;
        msg->key_hash = 0;
        msg->flags = content.flags;
        msg->reserved = 0;
        return;
    }
    /* A copy, so that `content` itself can stay in registers. */
    struct fly_content again = {content.key,       content.payload,       content.meta,
                                content.key_bytes, content.payload_bytes, content.meta_bytes,
                                content.flags};
    task->calls->emit(task, port, parent, &again);
}

/* Passes `msg` on as it is: payload, key, metadata, flags. */
static inline void fly_forward(struct fly_task *task, uint32_t port, const struct fly_msg *msg)
{
    struct fly_port *out = &task->port[port];
    if (out->cnt < out->max) {
        out->msg[out->cnt++] = *msg;
        return;
    }
    struct fly_content content = {
        msg->key,       msg->payload,       msg->payload + msg->payload_bytes,
        msg->key_bytes, msg->payload_bytes, msg->meta_bytes,
        msg->flags};
    task->calls->emit(task, port, msg, &content);
}

/* Passes a whole batch on as it is. */
static inline void fly_forward_batch(struct fly_task *task, uint32_t port,
                                     const struct fly_batch *batch)
{
    struct fly_port *out = &task->port[port];
    if (out->cnt + batch->cnt <= out->max) {
        memcpy(&out->msg[out->cnt], batch->msg, batch->cnt * sizeof(*batch->msg));
        out->cnt += batch->cnt;
        return;
    }
    for (uint32_t i = 0; i < batch->cnt; i++)
        fly_forward(task, port, &batch->msg[i]);
}

/* Room for a payload of up to `bytes` (at most fly_max_message_bytes) to write in place, until
 * fly_commit. */
static inline void *fly_reserve(struct fly_task *task, uint32_t bytes)
{
    return task->calls->reserve(task, bytes);
}

/* Sends what was written at fly_reserve's place; content.payload is ignored, its length counts.
 * content.key may point into it. */
static inline void fly_commit(struct fly_task *task, uint32_t port, const struct fly_msg *parent,
                              struct fly_content content)
{
    task->calls->commit(task, port, parent, &content);
}

/* A root of its own, anchored to nothing: tracked and in the ledger, retried by nobody. */
static inline void fly_emit_detached(struct fly_task *task, uint32_t port,
                                     struct fly_content content)
{
    task->calls->emit_detached(task, port, &content);
}

/* One message with many parents, all held by this task: its end acks or fails them. Uses up the
 * handles. */
static inline void fly_emit_joined(struct fly_task *task, uint32_t port,
                                   const struct fly_held *parents, uint32_t cnt,
                                   struct fly_content content)
{
    task->calls->emit_joined(task, port, parents, cnt, &content);
}

/* Fails the attempt that `msg` belongs to; `reason` is a fly_reason or FLY_REASON_NODE + i. */
static inline void fly_fail(struct fly_task *task, const struct fly_msg *msg, uint32_t reason)
{
    task->calls->fail(task, msg, reason);
}

/* FLY_EXPLICIT nodes: `msg` is done now. */
static inline void fly_ack(struct fly_task *task, const struct fly_msg *msg)
{
    task->calls->ack(task, msg);
}

/* Keeps `msg` (of this call) beyond it. The node must declare `holds`. */
static inline struct fly_held fly_hold(struct fly_task *task, const struct fly_msg *msg,
                                       enum fly_hold_what what)
{
    return task->calls->hold(task, msg, what);
}

/* Reads a held message without ending the hold. Valid until the next peek and within this call. */
static inline const struct fly_msg *fly_peek(struct fly_task *task, struct fly_held held)
{
    return task->calls->peek(task, held);
}

/* Uses up the handle and makes the message one of this call: emit children for it, fail it, or just
 * return, which acks it. NULL: too many taken in this call; go on in the next (tick comes at
 * once). */
static inline const struct fly_msg *fly_take(struct fly_task *task, struct fly_held held)
{
    return task->calls->take(task, held);
}

/* Uses up the handle: the held message is done. */
static inline void fly_ack_held(struct fly_task *task, struct fly_held held)
{
    task->calls->ack_held(task, held);
}

/* Uses up the handle: the attempt that the held message belongs to fails. */
static inline void fly_fail_held(struct fly_task *task, struct fly_held held, uint32_t reason)
{
    task->calls->fail_held(task, held, reason);
}

/* How many more messages this task can hold; *bytes (may be NULL) is the room for their
 * contents. */
static inline uint32_t fly_hold_room(struct fly_task *task, uint64_t *bytes)
{
    return task->calls->hold_room(task, bytes);
}

#ifdef __cplusplus
}
#endif
#endif
