/* parse_json.c - passes on what is JSON, marked as such; the rest fails. */
#include "stages/json_scan.h"
#include "stages/stages.h"

#include <flyover/stage.h>

static void parse_one(struct fly_task *task, const struct fly_msg *msg)
{
    if (!fly_json_scan(msg->payload, msg->payload_bytes, NULL, 0, NULL)) {
        fly_fail(task, msg, FLY_REASON_BAD_INPUT);
        return;
    }
    fly_emit(
        task, 0, msg,
        (struct fly_content){.key = msg->key,
                             .key_bytes = msg->key_bytes,
                             .payload = msg->payload,
                             .payload_bytes = msg->payload_bytes,
                             .meta = msg->meta_bytes ? msg->payload + msg->payload_bytes : NULL,
                             .meta_bytes = msg->meta_bytes,
                             .flags = msg->flags | FLY_MSG_JSON});
}

static void parse_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    (void)self;
    for (uint32_t i = 0; i < batch->cnt; i++)
        parse_one(task, &batch->msg[i]);
}

const struct fly_node fly_parse_json_node = {
    .name = "parse_json",
    .kind = FLY_STAGE,
    .help = "Passes messages on that are JSON, so that sinks write them as they are; others fail.",
    .example = "events: {type: parse_json, inputs: [lines]}",
    .process = parse_process,
};
