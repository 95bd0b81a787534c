/* ticker.c - a source: one message every so often, with the time of day in it.
 *
 * Shows what a source does: emit roots under ids of its own, sleep until there is something to do,
 * go on after a restart, and send a message again when something downstream failed it.
 */
#include <flyover/source.h>
#include <stdio.h>

struct ticker {
    uint64_t count;
    uint64_t every_ns;

    uint64_t next;   /* number of the next message */
    uint64_t due_ns; /* when it is to be sent */
};

static struct fly_content make(uint64_t number, char *text, size_t max_bytes)
{
    int bytes = snprintf(text, max_bytes, "tick %llu", (unsigned long long)number);
    return (struct fly_content){.payload = text, .payload_bytes = (uint32_t)bytes};
}

static enum fly_polled ticker_poll(struct fly_task *task, void *self, uint32_t budget)
{
    struct ticker *ticker = self;
    uint64_t now_ns = fly_now_ns(task);
    char text[32];
    for (; budget > 0 && ticker->next < ticker->count && now_ns >= ticker->due_ns; budget--) {
        fly_emit_root(task, 0, ticker->next, ticker->next + 1,
                      make(ticker->next, text, sizeof(text)));
        ticker->next++;
        ticker->due_ns = now_ns + ticker->every_ns;
    }
    fly_source_progress(task, ticker->next, ticker->count);
    if (ticker->next == ticker->count)
        return FLY_POLL_DONE;
    if (now_ns >= ticker->due_ns)
        return FLY_POLL_MORE;
    fly_wake_in(task, ticker->due_ns - now_ns);
    return FLY_POLL_IDLE;
}

/* The message is a function of its number, so nothing has to be kept for a retry. */
static void ticker_replay(struct fly_task *task, void *self, uint64_t id,
                          struct fly_attempt attempt)
{
    char text[32];
    (void)self;
    fly_emit_again(task, 0, attempt, make(id, text, sizeof(text)));
}

static int ticker_restore(struct fly_task *task, void *self, uint64_t position)
{
    struct ticker *ticker = self;
    (void)task;
    ticker->next = position;
    return 0;
}

static const struct fly_param ticker_params[] = {
    {.name = "count",
     .type = FLY_PARAM_UINT,
     .at = offsetof(struct ticker, count),
     .preset = "10",
     .help = "How many messages."},
    {.name = "every",
     .type = FLY_PARAM_DURATION,
     .at = offsetof(struct ticker, every_ns),
     .preset = "1ms",
     .help = "How long to wait between two of them."},
    {0},
};

static const struct fly_node ticker_node = {
    .name = "ticker",
    .kind = FLY_SOURCE,
    .tasks_preset = 1,
    .tasks_max = 1,
    .help = "A message every so often.",
    .example = "ticks: {type: ticker, count: 10, every: 1ms}",
    .params = ticker_params,
    .self_bytes = sizeof(struct ticker),
    .poll = ticker_poll,
    .replay = ticker_replay,
    .restore = ticker_restore,
};

static const struct fly_node *const nodes[] = {&ticker_node, NULL};

const struct fly_plugin fly_plugin = {FLY_PLUGIN_ABI, "ticker", "1.0", nodes};
