/* throttle.c - lets so many messages a second pass; the others wait, and so does what sends
 * them. */
#include "stages/held.h"
#include "stages/stages.h"

enum {
    THROTTLE_TICK_NS = 1000000,
    THROTTLE_BURST_NS = 10000000, /* unused time is kept for so long */
};

struct throttle {
    double rate;

    struct fly_held_queue queue;
    double credit;       /* messages that may pass now */
    uint64_t counted_ns; /* up to when credit was given; 0: never */
};

static int throttle_setup(struct fly_task *task, void *self)
{
    struct throttle *throttle = self;
    if (fly_held_init(&throttle->queue, task))
        return fly_task_refuse(task, "hold", "there is no room to hold messages");
    throttle->rate /= fly_task_place(task).task_cnt;
    fly_tick_every(task, THROTTLE_TICK_NS);
    return 0;
}

static void give_credit(struct fly_task *task, struct throttle *throttle)
{
    uint64_t now_ns = fly_now_ns(task);
    uint64_t passed_ns = throttle->counted_ns ? now_ns - throttle->counted_ns : 0;
    double most = throttle->rate * THROTTLE_BURST_NS * 1e-9;
    throttle->counted_ns = now_ns;
    throttle->credit += throttle->rate * (double)passed_ns * 1e-9;
    if (throttle->queue.cnt == 0 && throttle->credit > (most > 1 ? most : 1))
        throttle->credit = most > 1 ? most : 1;
}

static void release(struct fly_task *task, struct throttle *throttle)
{
    while (throttle->queue.cnt > 0 && throttle->credit >= 1) {
        const struct fly_msg *msg = fly_take(task, fly_held_first(&throttle->queue)->held);
        if (!msg)
            return;
        fly_held_pop(&throttle->queue);
        throttle->credit -= 1;
        fly_forward(task, 0, msg);
    }
}

static void throttle_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    struct throttle *throttle = self;
    give_credit(task, throttle);
    release(task, throttle);
    for (uint32_t i = 0; i < batch->cnt; i++) {
        const struct fly_msg *msg = &batch->msg[i];
        if (throttle->queue.cnt == 0 && throttle->credit >= 1) {
            throttle->credit -= 1;
            fly_forward(task, 0, msg);
        } else {
            fly_held_push(&throttle->queue, fly_hold(task, msg, FLY_HOLD_MESSAGE), 0);
        }
    }
}

static void throttle_tick(struct fly_task *task, void *self)
{
    struct throttle *throttle = self;
    give_credit(task, throttle);
    release(task, throttle);
}

static const struct fly_param throttle_params[] = {
    {.name = "rate",
     .type = FLY_PARAM_FLOAT,
     .at = offsetof(struct throttle, rate),
     .required = true,
     .min = 1e-3,
     .max = 1e9,
     .help = "Messages per second; several tasks have equal shares of it."},
    {0},
};

const struct fly_node fly_throttle_node = {
    .name = "throttle",
    .kind = FLY_STAGE,
    .holds = true,
    .tasks_preset = 1, /* several share the rate, also where one of them gets all messages */
    .help = "Passes so many messages a second on; when its hold pool is full, the input waits.",
    .example = "slowly: {type: throttle, inputs: [lines], rate: 1000}",
    .params = throttle_params,
    .self_bytes = sizeof(struct throttle),
    .setup = throttle_setup,
    .process = throttle_process,
    .tick = throttle_tick,
};
