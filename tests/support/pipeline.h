/* pipeline.h - a whole engine in one process, for tests: workers without threads, DPDK or files.
 *
 * Idea       A test lists nodes (with callbacks of its own) and edges; this makes the plan and the
 *            workspace from it and opens the workers, whose turns the test then calls in any order
 *            it likes. Time is the test's, too: each turn takes pipe->step_ns.
 * Owner      The thread of the test; with pipe_run_threads one thread per worker.
 * Memory     pipe_open makes it, pipe_close gives it back.
 * See also   tests/support/invariants.h, tests/unit/dataplane/worker
 */
#ifndef TEST_SUPPORT_PIPELINE_H
#define TEST_SUPPORT_PIPELINE_H

#include "base/mix.h"
#include "worker/loop.h"

enum {
    PIPE_WORKERS_MAX = 3,
    PIPE_NODES_MAX = 8,
    PIPE_EDGES_MAX = 12,
    PIPE_TASKS_MAX = PIPE_WORKERS_MAX * PIPE_NODES_MAX,
    PIPE_TARGETS_MAX = PIPE_WORKERS_MAX * PIPE_EDGES_MAX,
    PIPE_PORTS_MAX = 3,
    PIPE_ALL_WORKERS = 0, /* of workers: a task on each */
};
#define PIPE_FOREVER UINT64_C(1000000000000000)

struct pipe_node {
    const struct fly_node *type;
    uint32_t workers;        /* bit w: a task on worker w */
    uint32_t port_cnt;       /* 0: one if edges start here */
    uint32_t attempts;       /* 0: 3 */
    uint32_t max_in_flight;  /* 0: 8 */
    uint64_t ack_timeout_ns; /* 0: never */
    uint64_t backoff_ns;     /* 0: at once, that is with the next bucket of the wheel */
    uint32_t hold_messages;  /* 0 and type->holds: 16 */
    uint64_t hold_bytes;     /* 0 and type->holds: 64 KiB */
    uint64_t retain_bytes;
    uint64_t state_bytes;
    uint32_t dead_letters; /* 1 + index of the node; 0: none */
};

struct pipe_edge {
    uint32_t from, to; /* nodes; edges of one port stand together, nodes in ascending order */
    enum fly_grouping grouping;
    uint32_t port;
    uint32_t frames;            /* budget of each sender; 0: the smallest that a plan may have */
    uint32_t max_message_bytes; /* 0: 256 */
};

struct pipe_spec {
    uint32_t worker_cnt;  /* 0: 1 */
    uint32_t frame_bytes; /* 0: 512 */
    enum fly_idle idle;
    uint64_t seed;                 /* 0: of the run */
    const struct fly_hooks *hooks; /* all but context and ticks, which are the pipe's */
    const struct pipe_node *node;
    const struct pipe_edge *edge;
    uint32_t node_cnt, edge_cnt;
    bool restarted;
    bool real_time;                  /* for pipe_run_threads */
    struct fly_workspace *opt_spare; /* the test's, zeroed at first: used again by later pipes */
};

/* The plan, as it is copied into the workspace. */
struct pipe_plan {
    struct fly_plan head;
    struct fly_plan_node node[PIPE_NODES_MAX];
    struct fly_plan_port port[PIPE_NODES_MAX * PIPE_PORTS_MAX];
    struct fly_plan_edge edge[PIPE_EDGES_MAX + PIPE_NODES_MAX];
    _Alignas(8) uint32_t target[PIPE_TARGETS_MAX + PIPE_TASKS_MAX];
    _Alignas(8) uint16_t slot[PIPE_WORKERS_MAX][FLY_SLOT_CNT]; /* by number of targets */
    _Alignas(8) struct fly_plan_task task[PIPE_TASKS_MAX];
    _Alignas(8) struct fly_plan_worker worker[PIPE_WORKERS_MAX];
    _Alignas(8) uint8_t params[8];
};

struct pipe {
    struct fly_workspace workspace;
    bool borrowed; /* the workspace is the test's */
    struct fly_layout layout;
    struct pipe_plan plan;
    const struct fly_node *type[PIPE_NODES_MAX];
    struct fly_worker *worker[PIPE_WORKERS_MAX];
    struct fly_hooks hooks;
    uint64_t now_ns, step_ns;
    uint64_t turn_cnt;
    void *world; /* the test's own */
};

/* Plans, formats, opens. `world` is what pipe_world returns to the nodes. `adopt` (may be NULL) may
 * change the plan and the formatted workspace before the workers are opened. Returns a refusal. */
int pipe_try_open(struct pipe *pipe, const struct pipe_spec *spec, void *world,
                  void (*adopt)(struct pipe *pipe));

/* The same, but a refusal fails the test. */
void pipe_open(struct pipe *pipe, const struct pipe_spec *spec, void *world);
void pipe_close(struct pipe *pipe);

/* One turn of one worker; the clock moves by step_ns before. Returns its work. */
uint32_t pipe_turn(struct pipe *pipe, uint32_t worker);

/* Turns of all workers, one after the other, until all have ended; fails the test after max_turns
 * rounds. */
void pipe_run(struct pipe *pipe, uint32_t max_turns);

/* `turns` rounds. */
void pipe_rounds(struct pipe *pipe, uint32_t turns);

bool pipe_ended(const struct pipe *pipe);

/* What everybody waits for, to stderr. */
void pipe_dump(const struct pipe *pipe);

/* One thread per worker, real time, until all have ended. */
void pipe_run_threads(struct pipe *pipe);

/* What nodes need to know. */
struct pipe *pipe_of(struct fly_task *task);
void *pipe_world(struct fly_task *task);

/* The task of a node on a worker; there must be one. */
struct fly_rt_task *pipe_task(const struct pipe *pipe, uint32_t node, uint32_t worker);

/* Sums over the tasks of a node. */
struct pipe_ledger {
    uint64_t in, acked, failed, dropped, abandoned, in_flight, retried, timeouts;
};
struct pipe_ledger pipe_ledger(const struct pipe *pipe, uint32_t node);

#endif
