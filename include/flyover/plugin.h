/* plugin.h - what a plugin exports: one descriptor with a table of nodes.
 *
 * Idea       A node is a constant: names, parameters, ports, and the callbacks that it has. The
 *            runtime keeps one zeroed struct of `self_bytes` per task and hands it to every
 *            callback.
 * Threads    All callbacks of a task run on its worker's thread and never overlap.
 * Versions   A descriptor of another ABI version or other struct sizes is refused with a clear
 *            message.
 * See also   flyover/stage.h and flyover/source.h for what callbacks may call; examples/plugins/
 */
#ifndef FLYOVER_PLUGIN_H
#define FLYOVER_PLUGIN_H

#include <flyover/message.h>
#include <flyover/params.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FLY_ABI_VERSION 1u

/* The symbol that the runtime looks up in a shared object. */
#define FLY_PLUGIN_SYMBOL "fly_plugin"

struct fly_task;

enum fly_kind { FLY_SOURCE, FLY_STAGE, FLY_SINK };

enum fly_runs {
    FLY_RUNS_WORKER,    /* never blocks, allocates or starts threads after setup */
    FLY_RUNS_CONNECTOR, /* may: it gets a process of its own */
};

enum fly_completes {
    FLY_ON_RETURN, /* a message is done when process returns, unless it was held or failed */
    FLY_EXPLICIT,  /* every message must be held, acked or failed before process returns */
};

/* What poll says when it returns. */
enum fly_polled {
    FLY_POLL_MORE, /* call again soon */
    FLY_POLL_IDLE, /* nothing now: call when an I/O of this task ended or fly_wake_in() ran out */
    FLY_POLL_DONE, /* nothing ever again, but for replays */
};

/* A root of a source that is to be sent again; single use. */
struct fly_attempt {
    uint64_t bits;
};

struct fly_node {
    const char *name; /* `type:` in a pipeline file */
    enum fly_kind kind;
    enum fly_runs runs;
    enum fly_completes completes;
    bool keyed_state; /* keeps state per key: every input must be grouped by `key` or `global` */
    bool state;       /* wants `state_bytes` without keeping anything by key, such as for a table */
    bool holds;       /* holds messages beyond their call: it gets a hold pool */
    bool sets_watermark;   /* a stage that says fly_watermark() itself: its inputs' end at it */
    uint32_t tasks_preset; /* how many tasks without `tasks:`; 0: one per worker */
    uint32_t tasks_max;    /* 0: any number up to one per worker */
    const char *help;      /* one sentence */
    const char *example;   /* a node of a pipeline file, as `describe` prints it */
    const struct fly_param *params; /* ends with an entry without a name; NULL: none */
    const char *const *ports; /* output ports; ends with NULL; NULL: just `out` (none for a sink) */
    const char *ports_from;   /* a FLY_PARAM_TABLE whose rows' names are output ports too */
    const char *const *reasons; /* texts of FLY_REASON_NODE + i; ends with NULL */
    uint32_t self_bytes;

    /* Parameters against each other, where a table can't say it: 0, or -1 with *refusal filled.
     * Called without a task, also at validation: it may allocate but must free, and open
     * nothing. */
    int (*check)(const void *self, struct fly_refusal *refusal);

    /* Before the first message; may block and allocate. 0, or -1 after fly_task_refuse(). */
    int (*setup)(struct fly_task *task, void *self);
    void (*teardown)(struct fly_task *task, void *self);

    /* Stages and sinks. */
    void (*process)(struct fly_task *task, void *self, const struct fly_batch *batch);
    void (*tick)(struct fly_task *task, void *self); /* after fly_tick_every() */
    /* Every input has ended, and every message that came is done: the place to emit final results.
     * What a stage still holds is of attempts that timed out. */
    void (*finish)(struct fly_task *task, void *self);

    /* The watermark of all inputs rose to `time_ns`: everything before it that comes in time has
     * come. What is emitted here is as in tick, and goes out before the watermark does. */
    void (*watermark)(struct fly_task *task, void *self, int64_t time_ns);

    /* Sources. poll emits at most `budget` roots. */
    enum fly_polled (*poll)(struct fly_task *task, void *self, uint32_t budget);
    void (*acked)(struct fly_task *task, void *self, const uint64_t *ids, uint32_t cnt);
    void (*failed)(struct fly_task *task, void *self, uint64_t id, uint32_t reason); /* for good */
    /* Send root `id` again: fly_emit_again(task, ..., attempt, ...), now or later, or
     * fly_attempt_lost(). NULL: the runtime keeps copies where retries or dead letters need
     * them. */
    void (*replay)(struct fly_task *task, void *self, uint64_t id, struct fly_attempt attempt);
    /* A restart: go on from `position`, the `next` of the last root. Roots below it
     * that were not acked come through replay. Called between setup and the first poll. */
    int (*restore)(struct fly_task *task, void *self, uint64_t position);

    /* An I/O request ended: `result` is the bytes moved or a negative errno. */
    void (*io_done)(struct fly_task *task, void *self, uint64_t tag, int32_t result);
};

struct fly_plugin {
    uint32_t abi_version;  /* FLY_ABI_VERSION */
    uint32_t plugin_bytes; /* sizeof(struct fly_plugin) */
    uint32_t node_bytes;   /* sizeof(struct fly_node) */
    uint32_t param_bytes;  /* sizeof(struct fly_param) */
    uint32_t msg_bytes;    /* sizeof(struct fly_msg) */
    const char *name;
    const char *version;
    const struct fly_node *const *nodes; /* ends with NULL */
};

/* The first five fields of every descriptor. */
#define FLY_PLUGIN_ABI                                                                             \
    FLY_ABI_VERSION, (uint32_t)sizeof(struct fly_plugin), (uint32_t)sizeof(struct fly_node),       \
        (uint32_t)sizeof(struct fly_param), (uint32_t)sizeof(struct fly_msg)

/* Why a message failed. */
enum fly_reason {
    FLY_REASON_NONE,
    FLY_REASON_FAILED,    /* the node said so, without a reason of its own */
    FLY_REASON_TIMEOUT,   /* not done within ack_timeout */
    FLY_REASON_TOO_LARGE, /* over max_message_bytes */
    FLY_REASON_CRASH,     /* it was being processed whenever the process died */
    FLY_REASON_STATE_FULL,
    FLY_REASON_BAD_INPUT, /* not what the node or codec expects */
    FLY_REASON_IO,        /* a sink could not write it */
    FLY_REASON_LOST,      /* its source can't send it again */
    FLY_REASON_CORRUPT,   /* a frame that does not parse */
    FLY_REASON_UNSENT,    /* its dead-letter node failed it too */
    FLY_REASON_NODE = 64, /* a node's own reasons start here */
};

#ifdef __cplusplus
}
#endif
#endif
