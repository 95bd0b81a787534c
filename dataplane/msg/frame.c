#include "msg/frame.h"

void fly_frame_reader_init(struct fly_frame_reader *reader, const struct fly_frame *frame,
                           uint64_t frame_bytes)
{
    uint64_t used = frame->used_bytes;
    *reader = (struct fly_frame_reader){.frame = frame, .at = frame->data, .seed = frame->seed};
    if (used > frame_bytes) {
        reader->corrupt = true;
        used = 0;
    }
    reader->end = reader->at + used;
}

bool fly_frame_next_run(struct fly_frame_reader *reader, struct fly_root *root, uint64_t *id)
{
    if (reader->corrupt || reader->at == reader->end)
        return false;
    struct fly_run run;
    uint64_t left = (uint64_t)(reader->end - reader->at);
    if (left < sizeof(run)) {
        reader->corrupt = true;
        return false;
    }
    memcpy(&run, reader->at, sizeof(run));
    reader->at += sizeof(run);
    if (run.bytes > left - sizeof(run) || run.msg_cnt == 0 ||
        run.msg_cnt > run.bytes / sizeof(struct fly_wire_msg)) {
        reader->corrupt = true;
        return false;
    }
    reader->run_left = run.msg_cnt;
    reader->run_end = reader->at + run.bytes;
    root->bits = run.root;
    *id = fly_run_id(reader->seed, reader->run_idx++);
    return true;
}

/* The rest of a message whose header says more; `left` bytes follow at `at`. Returns what it takes
 * of them, or UINT64_MAX: it lies. */
static uint64_t read_more(const struct fly_wire_msg *wire, const uint8_t *at, uint64_t left,
                          struct fly_msg *msg)
{
    struct fly_wire_more more;
    if (left < sizeof(more))
        return UINT64_MAX;
    memcpy(&more, at, sizeof(more));
    bool apart = more.key_at == FLY_KEY_APART, none = more.key_at == FLY_KEY_NONE;
    if (!apart && !none && (uint32_t)more.key_at + more.key_bytes > wire->payload_bytes)
        return UINT64_MAX;
    msg->payload = at + sizeof(more);
    msg->meta_bytes = more.meta_bytes;
    msg->key_bytes = none ? 0 : more.key_bytes;
    msg->key = none    ? NULL
               : apart ? msg->payload + wire->payload_bytes + more.meta_bytes
                       : msg->payload + more.key_at;
    return sizeof(more) + (uint64_t)wire->payload_bytes + more.meta_bytes +
           (apart ? more.key_bytes : 0);
}

/* One message at reader->at; false: it does not fit into its run. */
static FLY_ALWAYS_INLINE bool read_one(struct fly_frame_reader *reader, struct fly_msg *msg)
{
    struct fly_wire_msg wire;
    uint64_t left = (uint64_t)(reader->run_end - reader->at);
    if (left < sizeof(wire))
        return false;
    memcpy(&wire, reader->at, sizeof(wire));
    bool whole = wire.form & FLY_FORM_KEY_IS_PAYLOAD;
    uint64_t content = wire.payload_bytes;
    msg->payload = reader->at + sizeof(wire);
    msg->key = whole ? msg->payload : NULL;
    msg->payload_bytes = wire.payload_bytes;
    msg->key_bytes = whole ? wire.payload_bytes : 0;
    msg->meta_bytes = 0;
    msg->key_hash = wire.key_hash;
    msg->flags = wire.flags;
    msg->reserved = 0;
    if (FLY_UNLIKELY(wire.form & FLY_FORM_MORE))
        content = read_more(&wire, msg->payload, left - sizeof(wire), msg);
    left -= sizeof(wire);
    if (content > left || fly_align_up(content, FLY_FRAME_ALIGN) > left)
        return false;
    reader->at += sizeof(wire) + fly_align_up(content, FLY_FRAME_ALIGN);
    return true;
}

uint32_t fly_frame_read(struct fly_frame_reader *reader, struct fly_msg *msg, uint32_t max)
{
    uint32_t cnt = max < reader->run_left ? max : reader->run_left;
    for (uint32_t i = 0; i < cnt; i++) {
        if (FLY_UNLIKELY(!read_one(reader, &msg[i]))) {
            reader->corrupt = true;
            reader->run_left = 0;
            return i;
        }
    }
    reader->run_left -= cnt;
    if (reader->run_left == 0 && reader->at != reader->run_end)
        reader->corrupt = true;
    return cnt;
}

/* A cursor over the bytes of a chain. */
struct chain {
    struct fly_frame *const *table;
    const uint32_t *indices;
    uint32_t idx;
    uint64_t frame_bytes;
};

static void chain_put(struct chain *chain, const void *from, uint64_t bytes)
{
    const uint8_t *src = from;
    while (bytes) {
        struct fly_frame *frame = chain->table[chain->indices[chain->idx]];
        uint64_t room = chain->frame_bytes - frame->used_bytes;
        uint64_t part = bytes < room ? bytes : room;
        memcpy(frame->data + frame->used_bytes, src, part);
        frame->used_bytes += (uint32_t)part;
        src += part;
        bytes -= part;
        if (bytes)
            chain->idx++;
    }
}

uint64_t fly_chain_write(struct fly_frame *const *table, const uint32_t *indices, uint32_t cnt,
                         uint64_t frame_bytes, uint64_t root, const struct fly_msg *msg)
{
    struct fly_frame *first = table[indices[0]];
    uint32_t key_at = fly_key_at(msg);
    uint64_t content = fly_msg_content_bytes(msg, key_at);
    struct fly_run run = {root, 1, (uint32_t)(sizeof(struct fly_wire_large) + content)};
    struct fly_wire_large wire = {msg->payload_bytes, msg->key_bytes, key_at,
                                  msg->meta_bytes,    msg->flags,     msg->key_hash};
    for (uint32_t i = 0; i < cnt; i++)
        table[indices[i]]->next = i + 1 < cnt ? indices[i + 1] : FLY_FRAME_NONE;
    first->run_cnt = 1;
    first->msg_cnt = 1;
    first->chain_bytes = run.bytes;
    struct chain chain = {table, indices, 0, frame_bytes};
    chain_put(&chain, &run, sizeof(run));
    chain_put(&chain, &wire, sizeof(wire));
    chain_put(&chain, msg->payload, (uint64_t)msg->payload_bytes + msg->meta_bytes);
    if (key_at == FLY_KEY_APART)
        chain_put(&chain, msg->key, msg->key_bytes);
    return fly_run_id(first->seed, 0);
}

/* Copies the bytes of a chain behind the first frame's headers; false: it is shorter or longer. */
static bool gather(const struct fly_frame *frame, uint64_t frame_bytes, fly_frame_lookup *lookup,
                   void *context, uint8_t *to, uint64_t bytes)
{
    uint32_t feed = frame->feed;
    uint64_t skip = sizeof(struct fly_run) + sizeof(struct fly_wire_large);
    for (;; skip = 0) {
        uint64_t used = frame->used_bytes;
        if (used > frame_bytes || used < skip || used - skip > bytes)
            return false;
        uint64_t part = used - skip;
        memcpy(to, frame->data + skip, part);
        to += part;
        bytes -= part;
        if (!bytes)
            return frame->next == FLY_FRAME_NONE;
        /* An empty frame ends it, so that no circle of them is followed. */
        if (!part || !(frame = lookup(context, feed, frame->next)))
            return false;
    }
}

int fly_chain_read(const struct fly_frame *first, uint64_t frame_bytes, fly_frame_lookup *lookup,
                   void *context, uint8_t *buffer, uint64_t max_bytes, struct fly_msg *msg,
                   struct fly_root *root, uint64_t *id)
{
    struct fly_run run;
    struct fly_wire_large wire;
    if (first->used_bytes < sizeof(run) + sizeof(wire) || first->used_bytes > frame_bytes)
        return -1;
    memcpy(&run, first->data, sizeof(run));
    memcpy(&wire, first->data + sizeof(run), sizeof(wire));
    bool apart = wire.key_at == FLY_KEY_APART, none = wire.key_at == FLY_KEY_NONE;
    uint64_t content =
        (uint64_t)wire.payload_bytes + wire.meta_bytes + (apart ? wire.key_bytes : 0);
    if (content > max_bytes || run.msg_cnt != 1 || run.bytes != sizeof(wire) + content ||
        (!apart && !none && (uint64_t)wire.key_at + wire.key_bytes > wire.payload_bytes) ||
        !gather(first, frame_bytes, lookup, context, buffer, content))
        return -1;
    *msg = (struct fly_msg){
        .payload = buffer,
        .key = none    ? NULL
               : apart ? buffer + wire.payload_bytes + wire.meta_bytes
                       : buffer + wire.key_at,
        .payload_bytes = wire.payload_bytes,
        .key_bytes = none ? 0 : wire.key_bytes,
        .meta_bytes = wire.meta_bytes,
        .key_hash = wire.key_hash,
        .flags = wire.flags,
    };
    root->bits = run.root;
    *id = fly_run_id(first->seed, 0);
    return 0;
}
