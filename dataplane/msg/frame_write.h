/* frame_write.h - how a frame is filled with messages.
 *
 * Idea       A writer stands in an open frame and appends; the headers that sum up (of the run, of
 *            the frame) are written when the run or the frame ends, so that a caller can keep the
 *            writer in registers over a batch.
 * Owner      The sending worker. Nobody else looks at the frame before it is finished.
 * Memory     The frame's; the writer is the caller's.
 * Cost       About 3 ns per short message.
 * When full  fly_frame_need() says so before: the caller opens the next frame.
 * See also   frame.h, tests/unit/dataplane/msg/test_frame.c
 */
#ifndef FLY_MSG_FRAME_WRITE_H
#define FLY_MSG_FRAME_WRITE_H

#include "msg/frame.h"

/* An open frame being filled. What it says of itself is up to date once it is finished. */
struct fly_frame_writer {
    struct fly_frame *frame; /* NULL: none open */
    struct fly_run *run;     /* the open run; NULL before the first */
    uint64_t root;           /* its root; FLY_ROOT_NONE before the first */
    uint8_t *at, *end;
    uint32_t msg_cnt;  /* of the frame */
    uint32_t run_from; /* of these, before the open run */
};

/* Starts filling `frame` (capacity `bytes`). */
static inline void fly_frame_open(struct fly_frame_writer *writer, struct fly_frame *frame,
                                  uint64_t bytes, uint64_t seed, uint64_t ticks)
{
    frame->seed = seed;
    frame->open_ticks = ticks;
    frame->next = FLY_FRAME_NONE;
    frame->run_cnt = 0;
    frame->msg_cnt = 0;
    frame->used_bytes = 0;
    frame->chain_bytes = 0;
    *writer = (struct fly_frame_writer){
        .frame = frame, .root = FLY_ROOT_NONE, .at = frame->data, .end = frame->data + bytes};
}

static FLY_ALWAYS_INLINE void fly_frame_end_run(struct fly_frame_writer *writer)
{
    if (!writer->run)
        return;
    writer->run->msg_cnt = writer->msg_cnt - writer->run_from;
    writer->run->bytes = (uint32_t)(writer->at - (uint8_t *)(writer->run + 1));
}

/* Before the frame is handed on. */
static inline void fly_frame_finish(struct fly_frame_writer *writer)
{
    fly_frame_end_run(writer);
    writer->frame->msg_cnt = writer->msg_cnt;
    writer->frame->used_bytes = (uint32_t)(writer->at - writer->frame->data);
}

/* How a message is written. */
struct fly_shape {
    uint32_t form;
    uint32_t key_at;
    uint32_t bytes; /* headers and padding included */
};

static FLY_ALWAYS_INLINE struct fly_shape fly_shape_of(const struct fly_msg *msg)
{
    bool whole = msg->key == msg->payload && msg->key_bytes == msg->payload_bytes;
    struct fly_shape shape = {whole && msg->key ? FLY_FORM_KEY_IS_PAYLOAD : 0, FLY_KEY_NONE, 0};
    uint64_t content = msg->payload_bytes;
    if (FLY_UNLIKELY((msg->key && !whole) || msg->meta_bytes)) {
        shape.form = FLY_FORM_MORE;
        shape.key_at = fly_key_at(msg);
        content = sizeof(struct fly_wire_more) + fly_msg_content_bytes(msg, shape.key_at);
    }
    content = sizeof(struct fly_wire_msg) + content + FLY_FRAME_ALIGN - 1;
    /* What is too large for a frame is so whatever is lost here. */
    shape.bytes = content > UINT32_MAX / 2 ? UINT32_MAX / 2
                                           : (uint32_t)content & ~(uint32_t)(FLY_FRAME_ALIGN - 1);
    return shape;
}

/* Bytes that a message takes, a new run's header included. */
static FLY_ALWAYS_INLINE uint64_t fly_frame_need(struct fly_shape shape, bool new_run)
{
    return (new_run ? sizeof(struct fly_run) : 0) + shape.bytes;
}

static FLY_ALWAYS_INLINE void fly_copy_small(uint8_t *to, const void *from, uint32_t bytes)
{
    const uint8_t *src = from;
    if (FLY_LIKELY(bytes >= 8)) {
        memcpy(to, src, bytes);
        return;
    }
    if (bytes >= 4) {
        memcpy(to + bytes - 4, src + bytes - 4, 4);
        memcpy(to, src, 4);
    } else if (bytes) {
        to[0] = src[0];
        to[bytes / 2] = src[bytes / 2];
        to[bytes - 1] = src[bytes - 1];
    }
}

/* Short contents of random length cost a mispredicted branch or two each when they are copied
 * exactly; so where a page cannot end in between 16 bytes are moved whatever the length. */
enum { FLY_COPY_WIDE = 16 };

#if defined(__x86_64__) && !FLY_SANITIZED
#define FLY_COPIES_WIDE true
typedef long long fly_wide __attribute__((vector_size(FLY_COPY_WIDE), aligned(1), may_alias));
static FLY_ALWAYS_INLINE void fly_copy_wide(uint8_t *to, const uint8_t *from)
{
    *(fly_wide *)(void *)to = *(const fly_wide *)(const void *)from;
}
#else
#define FLY_COPIES_WIDE false
static inline void fly_copy_wide(uint8_t *to, const uint8_t *from)
{
    memcpy(to, from, FLY_COPY_WIDE);
}
#endif

/* Starts a run behind what was written; returns its edge id. There must be room. */
static FLY_ALWAYS_INLINE uint64_t fly_frame_begin_run(struct fly_frame_writer *writer,
                                                      uint64_t root)
{
    fly_frame_end_run(writer);
    writer->run = (struct fly_run *)(void *)writer->at;
    writer->run->root = writer->root = root;
    writer->run_from = writer->msg_cnt;
    writer->at += sizeof(struct fly_run);
    return fly_run_id(writer->frame->seed, writer->frame->run_cnt++);
}

/* Appends a message of this shape to the open run, or to a new one when `new_run`; there must be
 * room (fly_frame_need). Returns the new run's edge id, which the caller must register, or 0. */
static FLY_ALWAYS_INLINE uint64_t fly_frame_append(struct fly_frame_writer *writer, uint64_t root,
                                                   const struct fly_msg *msg,
                                                   struct fly_shape shape, bool new_run)
{
    uint64_t id = 0;
    if (new_run)
        id = fly_frame_begin_run(writer, root);
    struct fly_wire_msg *wire = (struct fly_wire_msg *)(void *)writer->at;
    *wire = (struct fly_wire_msg){msg->key_hash, (uint16_t)msg->payload_bytes, (uint8_t)shape.form,
                                  (uint8_t)msg->flags};
    uint8_t *data = (uint8_t *)(wire + 1);
    if (FLY_UNLIKELY(shape.form & FLY_FORM_MORE)) {
        struct fly_wire_more more = {(uint16_t)msg->key_bytes, (uint16_t)shape.key_at,
                                     (uint16_t)msg->meta_bytes, 0};
        memcpy(data, &more, sizeof(more));
        data += sizeof(more);
    }
    fly_copy_small(data, msg->payload, msg->payload_bytes + msg->meta_bytes);
    if (FLY_UNLIKELY(shape.key_at == FLY_KEY_APART))
        fly_copy_small(data + msg->payload_bytes + msg->meta_bytes, msg->key, msg->key_bytes);
    writer->at += shape.bytes;
    writer->msg_cnt++;
    return id;
}

/* The short way: a message of up to 16 bytes without metadata, that has no key or is its own. */
enum {
    FLY_SHORT_NEED = sizeof(struct fly_run) + sizeof(struct fly_wire_msg) + FLY_COPY_WIDE,
};

/* May it go the short way, into FLY_SHORT_NEED bytes? */
static FLY_ALWAYS_INLINE bool fly_frame_is_short(const struct fly_msg *msg)
{
    bool whole = msg->key == msg->payload && msg->key_bytes == msg->payload_bytes;
    return FLY_COPIES_WIDE && msg->payload_bytes <= FLY_COPY_WIDE && !msg->meta_bytes &&
           (whole || !msg->key) && ((uintptr_t)msg->payload & 4095) <= 4096 - FLY_COPY_WIDE;
}

/* Appends such a message to the open run. */
static FLY_ALWAYS_INLINE void fly_frame_append_short(struct fly_frame_writer *writer,
                                                     const struct fly_msg *msg)
{
    struct fly_wire_msg *wire = (struct fly_wire_msg *)(void *)writer->at;
    *wire = (struct fly_wire_msg){msg->key_hash, (uint16_t)msg->payload_bytes,
                                  msg->key ? FLY_FORM_KEY_IS_PAYLOAD : 0, (uint8_t)msg->flags};
    fly_copy_wide((uint8_t *)(wire + 1), msg->payload);
    writer->at += sizeof(*wire) +
                  ((msg->payload_bytes + FLY_FRAME_ALIGN - 1) & ~(uint32_t)(FLY_FRAME_ALIGN - 1));
    writer->msg_cnt++;
}

#endif
