/* Frames written and read, copies kept. */
#include "micro.h"

#include "msg/blocks.h"
#include "msg/frame_write.h"

enum { FRAME_BYTES = 8192, BATCH = 32, BLOCK_CNT = 4096, PAYLOAD_MAX = 1024, RUN_MSGS = 16 };

struct messages {
    struct fly_frame *written;       /* by the steps */
    struct fly_frame *run, *singles; /* full of 64 B messages, 16 per run and one per run */
    struct fly_blocks *blocks;
    uint8_t payload[PAYLOAD_MAX];
};

/* Fills a frame with messages, a new run every run_msgs. Returns how many. */
static FLY_ALWAYS_INLINE uint64_t fill(struct fly_frame *frame, const struct fly_msg *msg,
                                       uint64_t seed, uint32_t run_msgs)
{
    struct fly_frame_writer writer;
    fly_frame_open(&writer, frame, FRAME_BYTES, seed, 0);
    uint32_t cnt = 0;
    for (;; cnt++) {
        bool new_run = cnt % run_msgs == 0;
        struct fly_shape shape = fly_shape_of(msg);
        if (fly_frame_need(shape, new_run) > (uint64_t)(writer.end - writer.at))
            break;
        micro_use(fly_frame_append(&writer, seed + cnt, msg, shape, new_run));
    }
    fly_frame_finish(&writer);
    return cnt;
}

static FLY_ALWAYS_INLINE struct micro_sample encode(struct messages *messages,
                                                    uint32_t payload_bytes, uint32_t run_msgs)
{
    struct fly_msg msg = {.payload = messages->payload, .payload_bytes = payload_bytes};
    uint64_t cnt = 0;
    while (cnt < MICRO_STEP_CNT)
        cnt += fill(messages->written, &msg, cnt + 1, run_msgs);
    return micro_steps(cnt);
}

static struct micro_sample encode_words(void *self)
{
    return encode(self, 6, RUN_MSGS);
}

static struct micro_sample encode_runs(void *self)
{
    return encode(self, 64, RUN_MSGS);
}

static struct micro_sample encode_singles(void *self)
{
    return encode(self, 64, 1);
}

static FLY_ALWAYS_INLINE struct micro_sample decode(const struct fly_frame *frame)
{
    struct fly_frame_reader reader;
    struct fly_msg msg[BATCH];
    struct fly_root root;
    uint64_t cnt = 0, id;
    while (cnt < MICRO_STEP_CNT) {
        fly_frame_reader_init(&reader, frame, FRAME_BYTES);
        while (fly_frame_next_run(&reader, &root, &id)) {
            micro_use(id);
            while (fly_frame_in_run(&reader)) {
                uint32_t got = fly_frame_read(&reader, msg, BATCH);
                micro_use(msg[got - 1].payload_bytes);
                cnt += got;
            }
        }
    }
    return micro_steps(cnt);
}

static struct micro_sample decode_runs(void *self)
{
    return decode(((struct messages *)self)->run);
}

static struct micro_sample decode_singles(void *self)
{
    return decode(((struct messages *)self)->singles);
}

static FLY_ALWAYS_INLINE struct micro_sample keep(struct messages *messages, uint32_t payload_bytes)
{
    struct fly_msg msg = {.payload = messages->payload, .payload_bytes = payload_bytes}, got;
    uint8_t buffer[PAYLOAD_MAX];
    for (uint32_t i = 0; i < MICRO_STEP_CNT; i++) {
        uint32_t handle = fly_blocks_put(messages->blocks, &msg);
        fly_blocks_get(messages->blocks, handle, buffer, &got);
        micro_use(got.payload[i % payload_bytes]);
        fly_blocks_free(messages->blocks, handle);
    }
    return micro_steps(MICRO_STEP_CNT);
}

static struct micro_sample keep_short(void *self)
{
    return keep(self, 64);
}

static struct micro_sample keep_long(void *self)
{
    return keep(self, 1000);
}

static void *open_messages(const struct micro_config *config)
{
    struct messages *messages = micro_memory(sizeof(*messages));
    struct fly_msg msg = {.payload = messages->payload, .payload_bytes = 64};
    (void)config;
    messages->written = micro_memory(fly_frame_stride(FRAME_BYTES));
    messages->run = micro_memory(fly_frame_stride(FRAME_BYTES));
    messages->singles = micro_memory(fly_frame_stride(FRAME_BYTES));
    messages->blocks = micro_memory(fly_blocks_footprint((uint64_t)BLOCK_CNT * FLY_BLOCK_BYTES));
    fly_blocks_init(messages->blocks, (uint64_t)BLOCK_CNT * FLY_BLOCK_BYTES);
    fill(messages->run, &msg, 1, RUN_MSGS);
    fill(messages->singles, &msg, 1, 1);
    return messages;
}

static void close_messages(void *self)
{
    struct messages *messages = self;
    free(messages->written);
    free(messages->run);
    free(messages->singles);
    free(messages->blocks);
    free(messages);
}

static const struct micro_step steps[] = {
    {"frame-append-6", "append a message of 6 B to a frame, 16 per run", encode_words},
    {"frame-append-64", "append a message of 64 B, 16 per run", encode_runs},
    {"frame-append-64-single", "append a message of 64 B, a run each", encode_singles},
    {"frame-read-64", "read a message of 64 B, 16 per run", decode_runs},
    {"frame-read-64-single", "read a message of 64 B, a run each", decode_singles},
    {"blocks-64", "keep a copy of 64 B, get it back, free it", keep_short},
    {"blocks-1000", "keep a copy of 1,000 B, get it back, free it", keep_long},
    {0},
};

const struct micro_group micro_messages = {open_messages, close_messages, steps};
