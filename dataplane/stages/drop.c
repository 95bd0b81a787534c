/* drop.c - takes every message and does nothing with it: it is done at once. */
#include "stages/stages.h"

#include <flyover/stage.h>

static void drop_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    (void)task;
    (void)self;
    (void)batch;
}

const struct fly_node fly_drop_node = {
    .name = "drop",
    .kind = FLY_SINK,
    .help = "Takes every message and does nothing with it.",
    .example = "nowhere: {type: drop, inputs: [lines]}",
    .process = drop_process,
};
