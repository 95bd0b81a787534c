/* frame.h - the fixed-size buffer that carries messages across an edge, and how it is read.
 *
 * Idea       A frame holds runs: consecutive messages of one attempt share a run header, so
 *            tracking costs per run. A run's edge id is mix(the frame's seed, run index): never
 *            stored, known to both ends.
 * Owner      One worker at a time: the sender while it fills, the receiver until it sends it home.
 * Memory     In the workspace; a stride is an odd number of cache lines, else headers alias in the
 *            cache.
 * Trust      The reader believes nothing: lengths and counts are checked against the frame's end,
 *            and a frame that does not parse yields what was whole before the bad place.
 * Large      A message that needs more than one frame travels in a chain, a frame's `next` naming
 *            the following one; its first frame starts with a run of one message, as always.
 * See also   frame_write.h; tests/unit/dataplane/msg/test_frame.c, tests/fuzz/fuzz_frame.c
 */
#ifndef FLY_MSG_FRAME_H
#define FLY_MSG_FRAME_H

#include "base/check.h"
#include "base/mix.h"
#include "msg/root.h"

#include <flyover/message.h>
#include <string.h>

#define FLY_FRAME_NONE UINT32_MAX
enum {
    FLY_FRAME_BYTES_MIN = 512,
    FLY_FRAME_BYTES_MAX = 32768, /* lengths inside a frame fit 16 bits */
    FLY_FRAME_ALIGN = 8,         /* of runs and messages, so that headers are read in place */
};

struct fly_frame {
    uint64_t seed;       /* new at every filling, unique per worker and incarnation */
    uint64_t open_ticks; /* when its first message came */
    uint32_t next;       /* in a chain the following frame; else FLY_FRAME_NONE */
    uint32_t queue_next; /* link of the receiver's queue */
    uint32_t feed;       /* (edge, sender): where it goes home to */
    uint32_t target;     /* receiving task */
    uint32_t run_cnt;
    uint32_t msg_cnt;
    uint32_t used_bytes;  /* of data */
    uint32_t chain_bytes; /* first frame of a chain: bytes of the whole message; else 0 */
    uint32_t reserved[4];
    uint8_t data[]; /* 64-byte aligned */
};
_Static_assert(sizeof(struct fly_frame) == FLY_CACHE_LINE, "the header is one line");

struct fly_run {
    uint64_t root;
    uint32_t msg_cnt;
    uint32_t bytes; /* of its messages, headers and padding included */
};

/* Where a message's key is. */
enum { FLY_KEY_NONE = 0xffff, FLY_KEY_APART = 0xfffe }; /* else its offset in the payload */

struct fly_wire_msg {
    uint32_t key_hash;
    uint16_t payload_bytes;
    uint8_t form;
    uint8_t flags; /* of the message */
    /* fly_wire_more if the form says so; payload, metadata, key when apart; padded to
     * FLY_FRAME_ALIGN */
};

/* Most messages have no key or are their own key, and no metadata. */
enum {
    FLY_FORM_KEY_IS_PAYLOAD = 1 << 0,
    FLY_FORM_MORE = 1 << 1,
};

struct fly_wire_more {
    uint16_t key_bytes;
    uint16_t key_at;
    uint16_t meta_bytes;
    uint16_t reserved;
};

/* The header of a message that takes a chain; its bytes follow through the frames. */
struct fly_wire_large {
    uint32_t payload_bytes, key_bytes, key_at, meta_bytes;
    uint32_t flags, key_hash;
};

/* Bytes from one frame to the next. */
static inline uint64_t fly_frame_stride(uint64_t frame_bytes)
{
    uint64_t lines = (sizeof(struct fly_frame) + frame_bytes + FLY_CACHE_LINE - 1) / FLY_CACHE_LINE;
    return (lines | 1) * FLY_CACHE_LINE;
}

/* The edge id of run `idx`; never 0. */
static FLY_ALWAYS_INLINE uint64_t fly_run_id(uint64_t seed, uint32_t idx)
{
    uint64_t id = fly_mix64(seed + (uint64_t)(idx + 1) * UINT64_C(0x9e3779b97f4a7c15));
    return FLY_LIKELY(id) ? id : 1;
}

/* Is the key within the payload? Its offset, or FLY_KEY_APART; FLY_KEY_NONE without a key. */
static FLY_ALWAYS_INLINE uint32_t fly_key_at(const struct fly_msg *msg)
{
    if (!msg->key)
        return FLY_KEY_NONE;
    uintptr_t offset = (uintptr_t)msg->key - (uintptr_t)msg->payload;
    bool inside = offset < FLY_KEY_APART && offset <= msg->payload_bytes &&
                  msg->key_bytes <= msg->payload_bytes - offset;
    return inside ? (uint32_t)offset : FLY_KEY_APART;
}

/* Bytes of content that travel for a message. */
static FLY_ALWAYS_INLINE uint64_t fly_msg_content_bytes(const struct fly_msg *msg, uint32_t key_at)
{
    return (uint64_t)msg->payload_bytes + msg->meta_bytes +
           (key_at == FLY_KEY_APART ? msg->key_bytes : 0);
}

/* Reading a frame, a batch at a time. The copies of used_bytes and run_cnt are taken once: the
 * sender may be another process. */
struct fly_frame_reader {
    const struct fly_frame *frame;
    const uint8_t *at, *end;
    uint32_t run_idx;
    uint32_t run_left; /* messages of the current run not yet read */
    const uint8_t *run_end;
    uint64_t seed;
    bool corrupt;
};

void fly_frame_reader_init(struct fly_frame_reader *reader, const struct fly_frame *frame,
                           uint64_t frame_bytes);

/* The next run: its root and edge id. False at the end or at a bad place (reader->corrupt). The
 * current run must have been read to its end. */
bool fly_frame_next_run(struct fly_frame_reader *reader, struct fly_root *root, uint64_t *id);

/* Decodes up to `max` messages of the current run into `msg` (anchor left untouched); returns how
 * many. Less than max means that the run ended, or a bad place. */
uint32_t fly_frame_read(struct fly_frame_reader *reader, struct fly_msg *msg, uint32_t max);

/* Has the current run more messages? */
static inline bool fly_frame_in_run(const struct fly_frame_reader *reader)
{
    return reader->run_left != 0;
}

/* --- Messages that take a chain of frames --- */

/* How many frames a message of `content` bytes needs. */
static inline uint32_t fly_chain_length(uint64_t content_bytes, uint64_t frame_bytes)
{
    uint64_t first = frame_bytes - sizeof(struct fly_run) - sizeof(struct fly_wire_large);
    return content_bytes <= first
               ? 1
               : (uint32_t)(1 + (content_bytes - first + frame_bytes - 1) / frame_bytes);
}

/* Writes a large message into the frames table[indices[0..cnt)], all opened with fly_frame_open,
 * and links them by next. Returns the edge id of its run. */
uint64_t fly_chain_write(struct fly_frame *const *table, const uint32_t *indices, uint32_t cnt,
                         uint64_t frame_bytes, uint64_t root, const struct fly_msg *msg);

/* Resolves an index of another process to a frame of the same feed; NULL: not one. */
typedef struct fly_frame *fly_frame_lookup(void *context, uint32_t feed, uint32_t index);

/* Gathers a chain into `buffer` (capacity max_bytes) and describes it in *msg (no anchor), root and
 * id. 0, or -1: malformed or too large, nothing usable. */
int fly_chain_read(const struct fly_frame *first, uint64_t frame_bytes, fly_frame_lookup *lookup,
                   void *context, uint8_t *buffer, uint64_t max_bytes, struct fly_msg *msg,
                   struct fly_root *root, uint64_t *id);

#endif
