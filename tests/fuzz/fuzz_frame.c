/* fuzz_frame.c - frames that another process wrote: the readers believe nothing and stay inside.
 *
 * Input: a byte of frames (1 to 8), a byte of messages per read, then per frame its used_bytes (16
 * bits), next (8 bits) and content, 512 bytes or what is left. Every other input is read as a
 * chain. */
#include "fuzz/fuzz.h"

#include <stdlib.h>

#include "base/check.h"
#include "msg/frame.h"

enum { FRAME_BYTES = 512, FRAME_MAX = 8, BATCH_MAX = 16, FEED = 1, MESSAGE_MAX = 2500 };

struct input {
    const uint8_t *at, *end;
};

static uint32_t take(struct input *input, uint32_t bytes)
{
    uint32_t value = 0;
    for (; bytes && input->at < input->end; bytes--)
        value = value << 8 | *input->at++;
    return value;
}

/* Each frame in memory of its own, so that AddressSanitizer sees a step outside. */
static void make_frames(struct input *input, struct fly_frame **frame, uint32_t cnt)
{
    for (uint32_t i = 0; i < cnt; i++) {
        frame[i] = aligned_alloc(FLY_CACHE_LINE, sizeof(struct fly_frame) + FRAME_BYTES);
        FLY_CHECK(frame[i], "no memory");
        memset(frame[i], 0, sizeof(struct fly_frame) + FRAME_BYTES);
        frame[i]->feed = FEED;
        frame[i]->used_bytes = take(input, 2);
        uint32_t next = take(input, 1);
        frame[i]->next = next == 0xff ? FLY_FRAME_NONE : next;
        size_t left = (size_t)(input->end - input->at);
        size_t bytes = left < FRAME_BYTES ? left : FRAME_BYTES;
        memcpy(frame[i]->data, input->at, bytes);
        input->at += bytes;
    }
}

struct table {
    struct fly_frame *const *frame;
    uint32_t cnt;
};

static struct fly_frame *look_up(void *context, uint32_t feed, uint32_t index)
{
    const struct table *table = context;
    return feed == FEED && index < table->cnt ? table->frame[index] : NULL;
}

/* Reads every byte of a message, which must lie in [start, end). */
static uint64_t use(const struct fly_msg *msg, const uint8_t *start, const uint8_t *end)
{
    uint64_t sum = 0;
    uint64_t room = (uint64_t)(end - start), bytes = (uint64_t)msg->payload_bytes + msg->meta_bytes;
    FLY_CHECK(msg->payload >= start && bytes <= room - (uint64_t)(msg->payload - start),
              "payload outside");
    for (uint64_t i = 0; i < bytes; i++)
        sum += msg->payload[i];
    FLY_CHECK(msg->key || !msg->key_bytes, "length of a key that is not there");
    FLY_CHECK(!msg->key || (msg->key >= start && msg->key + msg->key_bytes <= end), "key outside");
    for (uint32_t i = 0; i < msg->key_bytes; i++)
        sum += msg->key[i];
    struct fly_meta meta;
    for (uint32_t at = 0;
         fly_meta_next(msg->payload + msg->payload_bytes, msg->meta_bytes, &at, &meta) > 0;)
        FLY_CHECK(at <= msg->meta_bytes, "metadata outside");
    return sum;
}

static uint64_t read_frame(const struct fly_frame *frame, uint32_t batch)
{
    struct fly_frame_reader reader;
    struct fly_msg msg[BATCH_MAX];
    struct fly_root root;
    uint64_t id, sum = 0, cnt = 0;
    fly_frame_reader_init(&reader, frame, FRAME_BYTES);
    while (fly_frame_next_run(&reader, &root, &id)) {
        while (fly_frame_in_run(&reader)) {
            uint32_t got = fly_frame_read(&reader, msg, batch);
            FLY_CHECK(got <= batch, "more than asked for");
            for (uint32_t i = 0; i < got; i++)
                sum += use(&msg[i], frame->data, frame->data + FRAME_BYTES);
            cnt += got;
        }
    }
    FLY_CHECK(cnt <= FRAME_BYTES / sizeof(struct fly_wire_msg), "more than fit");
    return sum;
}

static uint64_t read_chain(struct fly_frame *const *frame, uint32_t cnt)
{
    struct table table = {frame, cnt};
    struct fly_msg msg;
    struct fly_root root;
    uint64_t id, sum = 0;
    uint8_t *buffer = malloc(MESSAGE_MAX);
    FLY_CHECK(buffer, "no memory");
    if (fly_chain_read(frame[0], FRAME_BYTES, look_up, &table, buffer, MESSAGE_MAX, &msg, &root,
                       &id) == 0)
        sum = use(&msg, buffer, buffer + MESSAGE_MAX);
    free(buffer);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input input = {data, data + bytes};
    struct fly_frame *frame[FRAME_MAX];
    uint32_t head = take(&input, 1), cnt = 1 + head / 2 % FRAME_MAX;
    uint32_t batch = 1 + take(&input, 1) % BATCH_MAX;
    make_frames(&input, frame, cnt);
    if (head % 2)
        read_chain(frame, cnt);
    else
        for (uint32_t i = 0; i < cnt; i++)
            read_frame(frame[i], batch);
    for (uint32_t i = 0; i < cnt; i++)
        free(frame[i]);
    return 0;
}
