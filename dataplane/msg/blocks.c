#include "msg/blocks.h"

#include "msg/frame.h"

struct block {
    uint32_t next;
    uint32_t used; /* of data */
    uint8_t data[FLY_BLOCK_DATA];
};
_Static_assert(sizeof(struct block) == FLY_BLOCK_BYTES, "blocks are packed");
_Static_assert(sizeof(struct fly_blocks) == FLY_CACHE_LINE, "blocks start on a line");

static struct block *block_at(const struct fly_blocks *blocks, uint32_t idx)
{
    return (struct block *)(uintptr_t)(blocks + 1) + idx;
}

static uint32_t block_cnt(uint64_t bytes)
{
    return (uint32_t)((bytes + FLY_BLOCK_BYTES - 1) / FLY_BLOCK_BYTES);
}

uint64_t fly_blocks_footprint(uint64_t bytes)
{
    return sizeof(struct fly_blocks) + (uint64_t)block_cnt(bytes) * FLY_BLOCK_BYTES;
}

void fly_blocks_init(struct fly_blocks *blocks, uint64_t bytes)
{
    uint32_t cnt = block_cnt(bytes);
    *blocks = (struct fly_blocks){cnt ? 0 : FLY_BLOCK_NONE, cnt, cnt, {0}};
    for (uint32_t i = 0; i < cnt; i++)
        block_at(blocks, i)->next = i + 1 < cnt ? i + 1 : FLY_BLOCK_NONE;
}

/* Appends bytes to the chain whose last block is `at`, which the caller took in advance. */
static struct block *append(struct fly_blocks *blocks, struct block *at, const void *from,
                            uint64_t bytes)
{
    const uint8_t *src = from;
    while (bytes) {
        if (at->used == FLY_BLOCK_DATA) {
            at = block_at(blocks, at->next);
            at->used = 0;
        }
        uint64_t room = FLY_BLOCK_DATA - at->used;
        uint64_t part = bytes < room ? bytes : room;
        memcpy(at->data + at->used, src, part);
        at->used += (uint32_t)part;
        src += part;
        bytes -= part;
    }
    return at;
}

uint32_t fly_blocks_put(struct fly_blocks *blocks, const struct fly_msg *msg)
{
    uint32_t key_at = fly_key_at(msg);
    uint32_t need = fly_blocks_for(fly_msg_content_bytes(msg, key_at));
    if (need > blocks->free_cnt)
        return FLY_BLOCK_NONE;
    uint32_t head = blocks->free_head;
    struct fly_stored stored = {msg->payload_bytes, msg->key_bytes, key_at,
                                msg->meta_bytes,    msg->flags,     msg->key_hash};
    struct block *at = block_at(blocks, head);
    at->used = 0;
    at = append(blocks, at, &stored, sizeof(stored));
    at = append(blocks, at, msg->payload, (uint64_t)msg->payload_bytes + msg->meta_bytes);
    if (key_at == FLY_KEY_APART)
        at = append(blocks, at, msg->key, msg->key_bytes);
    blocks->free_head = at->next;
    blocks->free_cnt -= need;
    at->next = FLY_BLOCK_NONE;
    return head;
}

static uint64_t content_bytes(const struct fly_stored *stored)
{
    return (uint64_t)stored->payload_bytes + stored->meta_bytes +
           (stored->key_at == FLY_KEY_APART ? stored->key_bytes : 0);
}

static struct fly_stored stored_of(const struct block *block)
{
    struct fly_stored stored;
    memcpy(&stored, block->data, sizeof(stored));
    return stored;
}

uint64_t fly_blocks_bytes(const struct fly_blocks *blocks, uint32_t handle)
{
    struct fly_stored stored = stored_of(block_at(blocks, handle));
    return content_bytes(&stored);
}

void fly_blocks_get(const struct fly_blocks *blocks, uint32_t handle, uint8_t *buffer,
                    struct fly_msg *msg)
{
    const struct block *block = block_at(blocks, handle);
    struct fly_stored stored = stored_of(block);
    const uint8_t *payload = block->data + sizeof(stored);
    if (block->next != FLY_BLOCK_NONE) {
        uint8_t *to = buffer;
        uint32_t skip = sizeof(stored);
        for (;; block = block_at(blocks, block->next), skip = 0) {
            memcpy(to, block->data + skip, block->used - skip);
            to += block->used - skip;
            if (block->next == FLY_BLOCK_NONE)
                break;
        }
        payload = buffer;
    }
    uint64_t apart = (uint64_t)stored.payload_bytes + stored.meta_bytes;
    *msg = (struct fly_msg){
        .payload = payload,
        .key = stored.key_at == FLY_KEY_NONE    ? NULL
               : stored.key_at == FLY_KEY_APART ? payload + apart
                                                : payload + stored.key_at,
        .payload_bytes = stored.payload_bytes,
        .key_bytes = stored.key_at == FLY_KEY_NONE ? 0 : stored.key_bytes,
        .meta_bytes = stored.meta_bytes,
        .key_hash = stored.key_hash,
        .flags = stored.flags,
    };
}

void fly_blocks_free(struct fly_blocks *blocks, uint32_t handle)
{
    if (handle == FLY_BLOCK_NONE)
        return;
    uint32_t cnt = 1;
    struct block *last = block_at(blocks, handle);
    for (; last->next != FLY_BLOCK_NONE; cnt++)
        last = block_at(blocks, last->next);
    last->next = blocks->free_head;
    blocks->free_head = handle;
    blocks->free_cnt += cnt;
}
