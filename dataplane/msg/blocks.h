/* blocks.h - a bounded store for copies of messages: fixed blocks, linked into chains.
 *
 * Idea       Blocks of 256 bytes on a LIFO free list. A copy takes exactly as many as it needs, so
 *            room is known before the copy is made, and no order of freeing can fragment it.
 * Owner      One worker thread.
 * Memory     The caller's (the workspace), sized by fly_blocks_footprint().
 * Cost       O(blocks of the message).
 * When full  put returns FLY_BLOCK_NONE and changes nothing; ask fly_blocks_room() before.
 * See also   tests/unit/dataplane/msg/test_blocks.c
 */
#ifndef FLY_MSG_BLOCKS_H
#define FLY_MSG_BLOCKS_H

#include "base/check.h"

#include <flyover/message.h>

#define FLY_BLOCK_NONE UINT32_MAX
enum { FLY_BLOCK_BYTES = 256, FLY_BLOCK_DATA = FLY_BLOCK_BYTES - 8 };

struct fly_blocks {
    uint32_t free_head, free_cnt, total;
    uint32_t reserved[13];
    /* blocks follow */
};

/* Lengths of a stored message, in front of its bytes. */
struct fly_stored {
    uint32_t payload_bytes, key_bytes, key_at, meta_bytes;
    uint32_t flags, key_hash;
};

/* Bytes for a store of `bytes` (rounded up to whole blocks). */
uint64_t fly_blocks_footprint(uint64_t bytes);

/* Formats the store. `bytes` as for the footprint. */
void fly_blocks_init(struct fly_blocks *blocks, uint64_t bytes);

/* Blocks that a message with so many bytes of payload, metadata and key (if apart) takes. */
static inline uint32_t fly_blocks_for(uint64_t content_bytes)
{
    return (uint32_t)((content_bytes + sizeof(struct fly_stored) + FLY_BLOCK_DATA - 1) /
                      FLY_BLOCK_DATA);
}

static inline uint32_t fly_blocks_room(const struct fly_blocks *blocks)
{
    return blocks->free_cnt;
}

/* Copies a message; the handle of the copy, or FLY_BLOCK_NONE: no room. */
uint32_t fly_blocks_put(struct fly_blocks *blocks, const struct fly_msg *msg);

/* Bytes that fly_blocks_get writes to its buffer. */
uint64_t fly_blocks_bytes(const struct fly_blocks *blocks, uint32_t handle);

/* Gathers a copy into `buffer` and describes it in *msg (anchor NULL). Pointers of *msg point into
 * buffer, or straight into the block when the message lies in one (then buffer is unused). */
void fly_blocks_get(const struct fly_blocks *blocks, uint32_t handle, uint8_t *buffer,
                    struct fly_msg *msg);

/* Frees a copy. FLY_BLOCK_NONE is fine. */
void fly_blocks_free(struct fly_blocks *blocks, uint32_t handle);

#endif
