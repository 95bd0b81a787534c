/* identity.c - passes every message on as it is. */
#include "stages/stages.h"

#include <flyover/stage.h>

static void identity_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    (void)self;
    fly_forward_batch(task, 0, batch);
}

const struct fly_node fly_identity_node = {
    .name = "identity",
    .kind = FLY_STAGE,
    .help = "Passes every message on as it is.",
    .example = "same: {type: identity, inputs: [lines]}",
    .process = identity_process,
};
