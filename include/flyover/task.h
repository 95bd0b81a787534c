/* task.h - what every callback may do with its task: ports, time, memory, I/O.
 *
 * Idea       The runtime is behind one table of functions, so a plugin has no symbols to resolve
 *            and loads anywhere; the calls below are thin wrappers around it.
 * Threads    Only from within a callback of the same task: every call checks it and aborts with the
 *            call's name otherwise.
 * See also   flyover/stage.h, flyover/source.h
 */
#ifndef FLYOVER_TASK_H
#define FLYOVER_TASK_H

#include <flyover/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A message that a task holds beyond its call. Single use; 0 is never one. */
struct fly_held {
    uint32_t handle;
};

enum fly_hold_what {
    FLY_HOLD_MESSAGE, /* a copy in the hold pool */
    FLY_HOLD_TOKEN,   /* only the duty to finish it: the node has its own copy of what it needs.
                       * Consecutive messages of one root share a token: the same handle again. */
};

enum fly_io_op { FLY_IO_READ, FLY_IO_WRITE, FLY_IO_SYNC };

struct fly_io {
    enum fly_io_op op;
    int fd;
    void *buffer; /* stays the task's; untouched by it until io_done */
    uint32_t bytes;
    uint64_t offset; /* UINT64_MAX: the file's own position (pipes, terminals) */
    uint64_t tag;    /* comes back in io_done */
};

struct fly_place {
    uint32_t task_idx; /* 0 .. task_cnt - 1 among the tasks of this node */
    uint32_t task_cnt;
    uint32_t worker;
    bool restarted; /* this run goes on from restored positions: adopt what an earlier one left */
};

/* Behind the calls; never used directly. */
struct fly_calls {
    uint32_t bytes; /* sizeof(struct fly_calls) */
    int (*port)(struct fly_task *task, const char *name, uint32_t *port);
    int (*refuse)(struct fly_task *task, const char *param, const char *why);
    void (*place)(struct fly_task *task, struct fly_place *place);
    const char *(*node_name)(struct fly_task *task);
    void *(*state_memory)(struct fly_task *task, uint64_t *bytes);
    void *(*alloc)(struct fly_task *task, uint64_t bytes);
    uint64_t (*now_ns)(struct fly_task *task);
    uint64_t (*wall_ns)(struct fly_task *task);
    uint64_t (*random)(struct fly_task *task);
    uint32_t (*key_hash)(const void *key, uint32_t bytes);
    void (*tick_every)(struct fly_task *task, uint64_t ns);
    void (*wake_in)(struct fly_task *task, uint64_t ns);
    void (*count_error)(struct fly_task *task, uint64_t cnt);
    int (*io_submit)(struct fly_task *task, const struct fly_io *io);
    void (*io_trouble)(struct fly_task *task, int error);
    uint32_t (*max_message_bytes)(struct fly_task *task);
    bool (*port_connected)(struct fly_task *task, uint32_t port);
    void (*watermark)(struct fly_task *task, int64_t time_ns);
    void (*watermark_idle)(struct fly_task *task);

    void (*emit)(struct fly_task *task, uint32_t port, const struct fly_msg *parent,
                 const struct fly_content *content);
    void *(*reserve)(struct fly_task *task, uint32_t bytes);
    void (*commit)(struct fly_task *task, uint32_t port, const struct fly_msg *parent,
                   const struct fly_content *content);
    void (*emit_detached)(struct fly_task *task, uint32_t port, const struct fly_content *content);
    void (*emit_joined)(struct fly_task *task, uint32_t port, const struct fly_held *parents,
                        uint32_t cnt, const struct fly_content *content);
    void (*fail)(struct fly_task *task, const struct fly_msg *msg, uint32_t reason);
    void (*ack)(struct fly_task *task, const struct fly_msg *msg);
    struct fly_held (*hold)(struct fly_task *task, const struct fly_msg *msg,
                            enum fly_hold_what what);
    const struct fly_msg *(*peek)(struct fly_task *task, struct fly_held held);
    const struct fly_msg *(*take)(struct fly_task *task, struct fly_held held);
    void (*ack_held)(struct fly_task *task, struct fly_held held);
    void (*fail_held)(struct fly_task *task, struct fly_held held, uint32_t reason);
    uint32_t (*hold_room)(struct fly_task *task, uint64_t *bytes);

    void (*emit_root)(struct fly_task *task, uint32_t port, uint64_t id, uint64_t next,
                      const struct fly_content *content);
    void (*emit_dead)(struct fly_task *task, uint64_t id, uint64_t next, uint32_t reason,
                      uint64_t total_bytes, const struct fly_content *content);
    void (*emit_again)(struct fly_task *task, uint32_t port, struct fly_attempt attempt,
                       const struct fly_content *content);
    void (*attempt_lost)(struct fly_task *task, struct fly_attempt attempt);
    void (*progress)(struct fly_task *task, uint64_t done, uint64_t total);
};

/* One output port: messages gather here by reference until the runtime sends them on. */
struct fly_port {
    struct fly_msg *msg;
    uint32_t cnt, max;
};

/* The part of a task that inline calls read and write; the runtime's own part follows it. */
struct fly_task {
    const struct fly_calls *calls;
    struct fly_port *port;
    const struct fly_node *node;
    /* The roots that the running poll has emitted, in their order: */
    uint64_t *root_id;
    uint8_t *root_anchor; /* of FLY_ANCHOR_BYTES each */
    uint32_t root_cnt, root_max;
    uint64_t root_bytes; /* of their payloads */
    uint64_t next;       /* position after the last of them */
};
enum { FLY_ANCHOR_BYTES = 24 };

/* The index of output port `name` in *port. 0, or -1: the node has no such port. Setup only. */
static inline int fly_task_port(struct fly_task *task, const char *name, uint32_t *port)
{
    return task->calls->port(task, name, port);
}

/* Setup only: refuses to start; `param` may be NULL. Returns -1, to be returned by setup. */
static inline int fly_task_refuse(struct fly_task *task, const char *param, const char *why)
{
    return task->calls->refuse(task, param, why);
}

static inline struct fly_place fly_task_place(struct fly_task *task)
{
    struct fly_place place;
    task->calls->place(task, &place);
    return place;
}

/* The node's name in the pipeline file. */
static inline const char *fly_task_name(struct fly_task *task)
{
    return task->calls->node_name(task);
}

/* Zeroed memory of `state_bytes` (a setting of nodes with state), for the task's life. */
static inline void *fly_task_state(struct fly_task *task, uint64_t *bytes)
{
    return task->calls->state_memory(task, bytes);
}

/* Setup only: zeroed memory for the task's life, 64-byte aligned; NULL when there is none. */
static inline void *fly_task_alloc(struct fly_task *task, uint64_t bytes)
{
    return task->calls->alloc(task, bytes);
}

/* Monotonic time, read once per burst of work. */
static inline uint64_t fly_now_ns(struct fly_task *task)
{
    return task->calls->now_ns(task);
}

/* Time since 1970, UTC. */
static inline uint64_t fly_wall_ns(struct fly_task *task)
{
    return task->calls->wall_ns(task);
}

/* A random number; the sequence differs from task to task and from run to run. */
static inline uint64_t fly_random(struct fly_task *task)
{
    return task->calls->random(task);
}

/* The hash that `key` edges put into fly_msg.key_hash: the same in every process and release. */
static inline uint32_t fly_key_hash(struct fly_task *task, const void *key, uint32_t bytes)
{
    return task->calls->key_hash(key, bytes);
}

/* Calls `tick` about every `ns` from now on; 0 stops it. */
static inline void fly_tick_every(struct fly_task *task, uint64_t ns)
{
    task->calls->tick_every(task, ns);
}

/* Sources: poll again after `ns` at the latest, although the last poll said FLY_POLL_IDLE. */
static inline void fly_wake_in(struct fly_task *task, uint64_t ns)
{
    task->calls->wake_in(task, ns);
}

/* Adds to the node's `errors` counter; fly_fail counts by itself. */
static inline void fly_count_error(struct fly_task *task, uint64_t cnt)
{
    task->calls->count_error(task, cnt);
}

/* Starts a request on the worker's io_uring. 0, or -EBUSY: too many at once, try after an
 * io_done. */
static inline int fly_io_submit(struct fly_task *task, const struct fly_io *io)
{
    return task->calls->io_submit(task, io);
}

/* The system refuses what the node lives from: `error` is the errno, 0: it works again. The user is
 * told once; trouble that lasts to the end of the run makes it a failed one. */
static inline void fly_io_trouble(struct fly_task *task, int error)
{
    task->calls->io_trouble(task, error);
}

/* Does anybody receive what goes out of this port? */
static inline bool fly_port_connected(struct fly_task *task, uint32_t port)
{
    return task->calls->port_connected(task, port);
}

/* Sources, and stages that declare `sets_watermark`: of what this task emits from now on, nothing
 * has an event time before `time_ns` (ns since 1970) but what is late. Follows all that was emitted
 * until now; may be combined with later ones. A time that is not above the last one says only that
 * the task is not idle. */
static inline void fly_watermark(struct fly_task *task, int64_t time_ns)
{
    task->calls->watermark(task, time_ns);
}

/* The same callers: nothing comes for a while, so that others need not wait for this task; its next
 * fly_watermark() ends it. */
static inline void fly_watermark_idle(struct fly_task *task)
{
    task->calls->watermark_idle(task);
}

/* The largest message (payload + key + metadata) that the node's output edges carry, in bytes. */
static inline uint32_t fly_max_message_bytes(struct fly_task *task)
{
    return task->calls->max_message_bytes(task);
}

#ifdef __cplusplus
}
#endif
#endif
