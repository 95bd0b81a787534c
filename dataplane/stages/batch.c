/* batch.c - many messages as one: their payloads one behind the other, a separator in between.
 *
 * Payloads are copied into a buffer as they come, so only the duty to finish each message is held.
 * The joined message's parents are all of them: its end acks or fails each.
 */
#include "stages/stages.h"

#include <flyover/stage.h>

struct batcher {
    uint64_t limit;
    uint64_t wait_ms;
    struct fly_string separator;

    uint8_t *data;
    uint32_t bytes, max_bytes;
    uint32_t cnt;      /* messages in it */
    uint64_t since_ns; /* the first of them came */
    struct fly_held *held;
    uint32_t held_cnt, held_max;
};

static int batch_setup(struct fly_task *task, void *self)
{
    struct batcher *batcher = self;
    batcher->held_max = fly_hold_room(task, NULL);
    batcher->max_bytes = fly_max_message_bytes(task);
    batcher->data = fly_task_alloc(task, batcher->max_bytes);
    batcher->held = fly_task_alloc(task, batcher->held_max * sizeof(*batcher->held));
    if (!batcher->data || !batcher->held || batcher->held_max == 0)
        return fly_task_refuse(task, NULL, "there is no memory to gather messages in");
    uint64_t tick_ns = batcher->wait_ms * 1000000 / 4;
    fly_tick_every(task, tick_ns < 1000000 ? 1000000 : tick_ns);
    return 0;
}

static void hand_over(struct fly_task *task, struct batcher *batcher)
{
    struct fly_content content = {.payload = batcher->data, .payload_bytes = batcher->bytes};
    fly_emit_joined(task, 0, batcher->held, batcher->held_cnt, content);
    batcher->cnt = 0;
    batcher->bytes = 0;
    batcher->held_cnt = 0;
}

static void add_message(struct fly_task *task, struct batcher *batcher, const struct fly_msg *msg)
{
    if (batcher->cnt == 0)
        batcher->since_ns = fly_now_ns(task);
    if (batcher->cnt++ > 0) {
        memcpy(batcher->data + batcher->bytes, batcher->separator.text, batcher->separator.bytes);
        batcher->bytes += batcher->separator.bytes;
    }
    memcpy(batcher->data + batcher->bytes, msg->payload, msg->payload_bytes);
    batcher->bytes += msg->payload_bytes;
    /* Consecutive messages of one root share a handle. */
    struct fly_held held = fly_hold(task, msg, FLY_HOLD_TOKEN);
    if (batcher->held_cnt == 0 || batcher->held[batcher->held_cnt - 1].handle != held.handle)
        batcher->held[batcher->held_cnt++] = held;
}

static void batch_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    struct batcher *batcher = self;
    for (uint32_t i = 0; i < batch->cnt; i++) {
        const struct fly_msg *msg = &batch->msg[i];
        uint64_t need = (uint64_t)msg->payload_bytes + batcher->separator.bytes;
        if (batcher->cnt > 0 &&
            (batcher->bytes + need > batcher->max_bytes || batcher->held_cnt == batcher->held_max))
            hand_over(task, batcher);
        if (msg->payload_bytes > batcher->max_bytes)
            fly_fail(task, msg, FLY_REASON_TOO_LARGE);
        else
            add_message(task, batcher, msg);
        if (batcher->cnt >= batcher->limit)
            hand_over(task, batcher);
    }
    if (batcher->cnt > 0 && fly_hold_room(task, NULL) == 0)
        hand_over(task, batcher);
}

static void batch_tick(struct fly_task *task, void *self)
{
    struct batcher *batcher = self;
    if (batcher->cnt > 0 && fly_now_ns(task) - batcher->since_ns >= batcher->wait_ms * 1000000)
        hand_over(task, batcher);
}

static const struct fly_param batch_params[] = {
    {.name = "limit",
     .type = FLY_PARAM_UINT,
     .at = offsetof(struct batcher, limit),
     .preset = "100",
     .min = 1,
     .max = 1e9,
     .help = "How many messages are joined at most; max_message_bytes and the hold pool are limits "
             "too."},
    {.name = "wait_ms",
     .type = FLY_PARAM_UINT,
     .at = offsetof(struct batcher, wait_ms),
     .preset = "100",
     .max = 3600000,
     .help = "How long the first of them waits for others, in milliseconds."},
    {.name = "separator",
     .type = FLY_PARAM_STRING,
     .at = offsetof(struct batcher, separator),
     .preset = "\n",
     .help = "What stands between them."},
    {0},
};

const struct fly_node fly_batch_node = {
    .name = "batch",
    .kind = FLY_STAGE,
    .completes = FLY_EXPLICIT,
    .holds = true,
    .help = "Joins messages to one; when that one is done or fails, all of them are.",
    .example = "pages: {type: batch, inputs: [lines], limit: 50, wait_ms: 20}",
    .params = batch_params,
    .self_bytes = sizeof(struct batcher),
    .setup = batch_setup,
    .process = batch_process,
    .tick = batch_tick,
};
