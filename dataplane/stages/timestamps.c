/* timestamps.c - what time messages speak of, and how far it is: watermarks.
 *
 * The watermark is the greatest time so far, less what messages may come late by. It is said once
 * for each call, after its messages.
 */
#include "stages/event_time.h"
#include "stages/stages.h"

#include <flyover/stage.h>

enum { TIMESTAMPS_NO_TIME = FLY_REASON_NODE, TIMESTAMPS_BAD_TIME };

enum { TIMESTAMPS_IDLE_TICKS = 4 }; /* in a row, without a message: parts of idle_after */

struct timestamps {
    struct fly_time_params time;
    uint64_t late_by_ns, idle_after_ns;

    struct fly_time_reader reader;
    int64_t newest_ns;
    uint32_t quiet_ticks;
};

static uint32_t reason_of(enum fly_time_read read)
{
    return read == FLY_TIME_NO_JSON   ? (uint32_t)FLY_REASON_BAD_INPUT
           : read == FLY_TIME_MISSING ? (uint32_t)TIMESTAMPS_NO_TIME
                                      : (uint32_t)TIMESTAMPS_BAD_TIME;
}

static void timestamps_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    struct timestamps *stamps = self;
    int64_t watermark_ns;
    stamps->quiet_ticks = 0;
    for (uint32_t i = 0; i < batch->cnt; i++) {
        int64_t time_ns;
        enum fly_time_read read = fly_time_of(&stamps->reader, &batch->msg[i], &time_ns, NULL);
        if (read != FLY_TIME_READ) {
            fly_fail(task, &batch->msg[i], reason_of(read));
            continue;
        }
        if (time_ns > stamps->newest_ns)
            stamps->newest_ns = time_ns;
        fly_forward(task, 0, &batch->msg[i]);
    }
    if (!__builtin_sub_overflow(stamps->newest_ns, (int64_t)stamps->late_by_ns, &watermark_ns))
        fly_watermark(task, watermark_ns);
}

/* Ticks, not time, are counted: while the task is held up by those after it, it has none. */
static void timestamps_tick(struct fly_task *task, void *self)
{
    struct timestamps *stamps = self;
    if (++stamps->quiet_ticks > TIMESTAMPS_IDLE_TICKS)
        fly_watermark_idle(task);
}

static int timestamps_check(const void *self, struct fly_refusal *refusal)
{
    return fly_time_check(&((const struct timestamps *)self)->time, refusal);
}

static int timestamps_setup(struct fly_task *task, void *self)
{
    struct timestamps *stamps = self;
    stamps->newest_ns = INT64_MIN;
    if (fly_time_open(&stamps->reader, &stamps->time, NULL))
        return fly_task_refuse(task, "time", "not a path");
    if (stamps->idle_after_ns)
        fly_tick_every(task, stamps->idle_after_ns / TIMESTAMPS_IDLE_TICKS);
    return 0;
}

static const char *const timestamps_reasons[] = {"no_time", "bad_time", NULL};

static const struct fly_param timestamps_params[] = {
    FLY_TIME_ROWS(offsetof(struct timestamps, time)),
    {.name = "late_by",
     .type = FLY_PARAM_DURATION,
     .at = offsetof(struct timestamps, late_by_ns),
     .preset = "1s",
     .max = 1e18,
     .help = "How much out of order messages may come: the watermark stays so far behind the "
             "greatest time."},
    {.name = "idle_after",
     .type = FLY_PARAM_DURATION,
     .at = offsetof(struct timestamps, idle_after_ns),
     .preset = "0s",
     .max = 1e18,
     .help = "After so long without a message this task is not waited for until one comes, which "
             "may then be late; 0s: it is always waited for."},
    {0},
};

const struct fly_node fly_timestamps_node = {
    .name = "timestamps",
    .kind = FLY_STAGE,
    .sets_watermark = true,
    .help = "Reads each message's time and tells the stages after it, as a watermark, how far time "
            "is; a message without a time fails.",
    .example = "timed: {type: timestamps, inputs: [events], time: event.at, late_by: 100ms}",
    .params = timestamps_params,
    .reasons = timestamps_reasons,
    .self_bytes = sizeof(struct timestamps),
    .check = timestamps_check,
    .setup = timestamps_setup,
    .process = timestamps_process,
    .tick = timestamps_tick,
};
