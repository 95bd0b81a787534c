/* message.h - what nodes see of a message, and what they give to emit one.
 *
 * Idea       A message is a few lengths and pointers into memory that the runtime owns; it is
 *            immutable once emitted and travels by reference while it stays on its worker.
 * Owner      Messages of a batch belong to the runtime and live until the call that got them
 *            returns. Contents given to an emit belong to the caller and may be reused when the
 *            emit returns.
 * Layout     [payload][metadata]: the metadata follows the payload directly. The key is its own
 *            range, often inside the payload.
 * See also   flyover/stage.h, flyover/source.h
 */
#ifndef FLYOVER_MESSAGE_H
#define FLYOVER_MESSAGE_H

#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bits of fly_msg.flags and fly_content.flags. */
enum {
    FLY_MSG_JSON = 1u << 0,   /* the payload is one JSON value: sinks write it as it is */
    FLY_MSG_STABLE = 1u << 2, /* contents only: the bytes stay as they are until the task's next
                                    * callback (so not on this one's stack), and need no copy until
                                    * then */
    FLY_MSG_DEAD_LETTER =
        1u << 1, /* set by the runtime only: the metadata says why: names in FLY_META_* */
};

/* What the message's tree is tracked by. Opaque to nodes: only ever copied. */
struct fly_anchor;

struct fly_msg {
    const uint8_t *payload;
    const uint8_t *key; /* NULL when the message has no key */
    struct fly_anchor *anchor;
    uint32_t payload_bytes;
    uint32_t key_bytes;
    uint32_t meta_bytes; /* metadata at payload + payload_bytes; 0 = none */
    uint32_t key_hash;   /* set on `key` edges; else 0 */
    uint32_t flags;
    uint32_t reserved;
};

struct fly_batch {
    const struct fly_msg *msg;
    uint32_t cnt; /* at least 1 */
};

/* What an emit sends. Pointers into the parent's payload are passed on without a copy. */
struct fly_content {
    const void *key; /* NULL: no key */
    const void *payload;
    const void *meta; /* a block made with fly_meta_add(), or the parent's; NULL: none */
    uint32_t key_bytes;
    uint32_t payload_bytes;
    uint32_t meta_bytes;
    uint32_t flags;
};

struct fly_string {
    const char *text; /* never NULL once bound; ends in a NUL that `bytes` does not count */
    uint32_t bytes;
};

/* --- Metadata: a sequence of entries {u16 name bytes, u16 reserved, u32 value bytes, name, value}.
 * --- */

/* Names that the runtime gives to a dead letter: text values, numbers in decimal. */
#define FLY_META_REASON "reason"
#define FLY_META_NODE "node"         /* where the last attempt failed */
#define FLY_META_SOURCE "source"     /* the source node's name */
#define FLY_META_ATTEMPTS "attempts" /* how often it was tried */
#define FLY_META_TIME "time"         /* when it was given up: RFC 3339, UTC, milliseconds */
#define FLY_META_ID "id"             /* the source's id of it: an offset, a sequence number */
#define FLY_META_BYTES "bytes"       /* original length, where the payload is only its beginning */

struct fly_meta {
    struct fly_string name;
    struct fly_string value;
};

/* Appends one entry to `block` (capacity `max_bytes`, `*bytes` used). 0, or -1 when it does not
 * fit. */
static inline int fly_meta_add(void *block, uint32_t max_bytes, uint32_t *bytes,
                               struct fly_string name, struct fly_string value)
{
    uint8_t *at = (uint8_t *)block + *bytes;
    uint16_t name_bytes = (uint16_t)name.bytes;
    uint32_t need = 8 + name.bytes;
    if (name.bytes > UINT16_MAX || value.bytes > max_bytes || max_bytes - *bytes < need ||
        max_bytes - *bytes - need < value.bytes)
        return -1;
    memset(at, 0, 8);
    memcpy(at, &name_bytes, 2);
    memcpy(at + 4, &value.bytes, 4);
    memcpy(at + 8, name.text, name.bytes);
    if (value.bytes)
        memcpy(at + need, value.text, value.bytes);
    *bytes += need + value.bytes;
    return 0;
}

/* Steps through a block: *at starts at 0. 1 with an entry, 0 at the end, -1 on a malformed block.
 * Names and values are ranges of the block, not NUL-terminated. */
static inline int fly_meta_next(const void *block, uint32_t bytes, uint32_t *at,
                                struct fly_meta *meta)
{
    const char *text = (const char *)block + *at;
    uint16_t name_bytes;
    uint32_t left = bytes - *at, value_bytes;
    if (left == 0)
        return 0;
    if (left < 8)
        return -1;
    memcpy(&name_bytes, text, 2);
    memcpy(&value_bytes, text + 4, 4);
    if (left - 8 < name_bytes || left - 8 - name_bytes < value_bytes)
        return -1;
    meta->name.text = text + 8;
    meta->name.bytes = name_bytes;
    meta->value.text = text + 8 + name_bytes;
    meta->value.bytes = value_bytes;
    *at += 8 + (uint32_t)name_bytes + value_bytes;
    return 1;
}

#ifdef __cplusplus
}
#endif
#endif
