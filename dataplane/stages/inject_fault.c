/* inject_fault.c - passes messages on, but for some it does what goes wrong in real life.
 *
 * A message is hit when it meets all conditions that are given. For tests and demonstrations.
 */
#include "stages/held.h"
#include "stages/stages.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum fault_mode { FAULT_FAIL, FAULT_DROP_ACK, FAULT_CRASH, FAULT_HANG, FAULT_SLOW };

enum { FAULT_TICK_NS = 10000000 };

struct fault {
    uint32_t mode; /* enum fault_mode */
    double probability;
    uint64_t every_nth;
    struct fly_string contains;
    uint64_t times;
    uint64_t duration_ns;
    uint64_t seed;

    uint64_t seen_cnt, hit_cnt;
    uint64_t random;             /* state of a splitmix64 generator */
    struct fly_held_queue queue; /* of messages whose ack is dropped */
    uint32_t last_handle;        /* the newest in it */
};

static int fault_setup(struct fly_task *task, void *self)
{
    struct fault *fault = self;
    fault->random = fault->seed + fly_task_place(task).task_idx;
    if (fault->mode != FAULT_DROP_ACK)
        return 0;
    if (fly_held_init(&fault->queue, task))
        return fly_task_refuse(task, "hold", "there is no room to hold messages");
    fly_tick_every(task, FAULT_TICK_NS);
    return 0;
}

static double next_random(struct fault *fault)
{
    uint64_t bits = fault->random += UINT64_C(0x9e3779b97f4a7c15);
    bits = (bits ^ (bits >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((bits ^ (bits >> 31)) >> 11) * 0x1p-53;
}

static bool is_hit(struct fault *fault, const struct fly_msg *msg)
{
    bool hit = fault->probability >= 1 || next_random(fault) < fault->probability;
    fault->seen_cnt++;
    if (fault->every_nth && fault->seen_cnt % fault->every_nth != 0)
        return false;
    if (fault->contains.bytes &&
        !memmem(msg->payload, msg->payload_bytes, fault->contains.text, fault->contains.bytes))
        return false;
    if (!hit || (fault->times && fault->hit_cnt >= fault->times))
        return false;
    fault->hit_cnt++;
    return true;
}

static void sleep_ns(uint64_t ns)
{
    struct timespec left = {.tv_sec = (time_t)(ns / 1000000000),
                            .tv_nsec = (long)(ns % 1000000000)};
    while (nanosleep(&left, &left)) {
    }
}

/* Consecutive messages of one root share a handle. */
static void drop_ack(struct fly_task *task, struct fault *fault, const struct fly_msg *msg)
{
    struct fly_held held = fly_hold(task, msg, FLY_HOLD_TOKEN);
    if (held.handle != fault->last_handle || fault->queue.cnt == 0)
        fly_held_push(&fault->queue, held, fly_now_ns(task));
    fault->last_handle = held.handle;
}

static void inject(struct fly_task *task, struct fault *fault, const struct fly_msg *msg)
{
    switch ((enum fault_mode)fault->mode) {
    case FAULT_DROP_ACK:
        drop_ack(task, fault, msg);
        break;
    case FAULT_CRASH:
        abort();
    case FAULT_HANG:
        for (;;)
            pause();
    case FAULT_SLOW:
        sleep_ns(fault->duration_ns);
        fly_forward(task, 0, msg);
        break;
    case FAULT_FAIL:
    default:
        fly_fail(task, msg, FLY_REASON_NODE);
    }
}

static void fault_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    struct fault *fault = self;
    for (uint32_t i = 0; i < batch->cnt; i++) {
        if (is_hit(fault, &batch->msg[i]))
            inject(task, fault, &batch->msg[i]);
        else
            fly_forward(task, 0, &batch->msg[i]);
    }
}

/* A dropped ack still comes in the end, late, so that the pool does not fill up for good. */
static void fault_tick(struct fly_task *task, void *self)
{
    struct fault *fault = self;
    const struct fly_held_entry *entry;
    while ((entry = fly_held_first(&fault->queue)) &&
           fly_now_ns(task) - entry->since_ns >= fault->duration_ns) {
        fly_ack_held(task, entry->held);
        fly_held_pop(&fault->queue);
    }
}

static const char *const fault_modes[] = {"fail", "drop_ack", "crash", "hang", "slow", NULL};
static const char *const fault_reasons[] = {"injected_fault", NULL};

#define FAULT_AT(field) .at = offsetof(struct fault, field)

static const struct fly_param fault_params[] = {
    {.name = "mode",
     .type = FLY_PARAM_ENUM,
     FAULT_AT(mode),
     .preset = "fail",
     .choices = fault_modes,
     .help = "Fail the message, never finish it, abort the process, hang for ever, or take long."},
    {.name = "probability",
     .type = FLY_PARAM_FLOAT,
     FAULT_AT(probability),
     .preset = "1",
     .max = 1,
     .help = "Of a message to be hit."},
    {.name = "every_nth",
     .type = FLY_PARAM_UINT,
     FAULT_AT(every_nth),
     .preset = "0",
     .help = "Hit only each n-th message; 0: any."},
    {.name = "contains",
     .type = FLY_PARAM_STRING,
     FAULT_AT(contains),
     .help = "Hit only messages whose payload has this text."},
    {.name = "times",
     .type = FLY_PARAM_UINT,
     FAULT_AT(times),
     .preset = "0",
     .help = "Hit so many messages at most, counted by each task from its start; 0: any number."},
    {.name = "duration",
     .type = FLY_PARAM_DURATION,
     FAULT_AT(duration_ns),
     .preset = "60s",
     .max = 1e14,
     .help = "With slow: how long; with drop_ack: after which time the ack comes all the same, too "
             "late "
             "if this is longer than ack_timeout."},
    {.name = "seed",
     .type = FLY_PARAM_UINT,
     FAULT_AT(seed),
     .preset = "1",
     .help = "Of the random choices."},
    {0},
};

const struct fly_node fly_inject_fault_node = {
    .name = "inject_fault",
    .kind = FLY_STAGE,
    .holds = true,
    .help = "Passes messages on, but makes some of them fail, crash, hang or be slow: for tests.",
    .example = "faults: {type: inject_fault, inputs: [lines], mode: fail, probability: 0.01}",
    .params = fault_params,
    .reasons = fault_reasons,
    .self_bytes = sizeof(struct fault),
    .setup = fault_setup,
    .process = fault_process,
    .tick = fault_tick,
};
