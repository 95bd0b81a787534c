/* delay.c - passes every message on, so much later. */
#include "stages/held.h"
#include "stages/stages.h"

enum { DELAY_TICK_NS = 1000000 };

struct delay {
    uint64_t for_ns;

    struct fly_held_queue queue;
};

static int delay_setup(struct fly_task *task, void *self)
{
    struct delay *delay = self;
    if (fly_held_init(&delay->queue, task))
        return fly_task_refuse(task, "hold", "there is no room to hold messages");
    fly_tick_every(task, DELAY_TICK_NS);
    return 0;
}

static void delay_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    struct delay *delay = self;
    uint64_t now_ns = fly_now_ns(task);
    for (uint32_t i = 0; i < batch->cnt; i++)
        fly_held_push(&delay->queue, fly_hold(task, &batch->msg[i], FLY_HOLD_MESSAGE), now_ns);
}

static void delay_tick(struct fly_task *task, void *self)
{
    struct delay *delay = self;
    uint64_t now_ns = fly_now_ns(task);
    const struct fly_held_entry *entry;
    while ((entry = fly_held_first(&delay->queue)) && now_ns - entry->since_ns >= delay->for_ns) {
        const struct fly_msg *msg = fly_take(task, entry->held);
        if (!msg)
            return;
        fly_held_pop(&delay->queue);
        fly_forward(task, 0, msg);
    }
}

static const struct fly_param delay_params[] = {
    {.name = "for",
     .type = FLY_PARAM_DURATION,
     .at = offsetof(struct delay, for_ns),
     .required = true,
     .max = 3.6e12,
     .help = "How much later; to the millisecond."},
    {0},
};

const struct fly_node fly_delay_node = {
    .name = "delay",
    .kind = FLY_STAGE,
    .holds = true,
    .help = "Passes every message on after some time; when its hold pool is full, the input waits.",
    .example = "later: {type: delay, inputs: [lines], for: 50ms}",
    .params = delay_params,
    .self_bytes = sizeof(struct delay),
    .setup = delay_setup,
    .process = delay_process,
    .tick = delay_tick,
};
