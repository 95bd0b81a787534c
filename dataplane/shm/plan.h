/* plan.h - the plan of one run as it lies in the workspace: nodes, edges, tasks, sizes.
 *
 * Idea       The control plane works out everything before the start and writes it down here as
 *            plain tables of fixed-size records; every process reads the same tables.
 * Owner      The control plane writes it once, before any other process maps the workspace;
 *            afterwards it is read-only.
 * Memory     One struct fly_plan followed by its tables; offsets are bytes from the plan's own
 *            start.
 * Trust      Whoever attaches checks it with fly_plan_check(): indices in range, tables inside.
 * See also   controlplane/plan/ (makes it), dataplane/worker/layout.h (where each part of memory
 *            lies)
 */
#ifndef FLY_SHM_PLAN_H
#define FLY_SHM_PLAN_H

#include <stddef.h>
#include <stdint.h>

enum {
    FLY_PLAN_WORKERS_MAX = 64,
    FLY_PLAN_NODES_MAX = 256,
    FLY_PLAN_EDGES_MAX = 1024,
    FLY_PLAN_TASKS_MAX = 4096,
    FLY_PLAN_PORTS_MAX = 64,    /* output ports of one node */
    FLY_PLAN_TARGETS_MAX = 256, /* receiving tasks of one edge */
    FLY_PLAN_NAME_MAX = 64,     /* with the NUL */
    FLY_SLOT_CNT = 1024,        /* hash ranges of a keyed edge */
    FLY_PLAN_FRAME_BYTES_MIN = 512,
    FLY_PLAN_FRAME_BYTES_MAX = 32768, /* lengths inside a frame fit 16 bits */
    FLY_PLAN_FRAMES_MAX = 1 << 20,    /* budget of one (edge, sender) */
    FLY_PLAN_IN_FLIGHT_MAX = 1 << 20, /* roots of one task, and of one worker */
    FLY_PLAN_MESSAGE_OVERHEAD = 64,   /* bound of the headers before a message in its frames */
};

#define FLY_PLAN_NONE UINT32_MAX

enum fly_grouping {
    FLY_GROUP_LOCAL,     /* the receiver on the own worker; where there is none, as shuffle */
    FLY_GROUP_SHUFFLE,   /* a random receiver */
    FLY_GROUP_KEY,       /* by hash of the key: slot -> target */
    FLY_GROUP_BROADCAST, /* every receiver a copy */
    FLY_GROUP_GLOBAL,    /* the first receiver */
};

enum fly_idle { FLY_IDLE_ADAPTIVE, FLY_IDLE_SPIN };

/* How a source's (or stage-owned) root is tried. */
struct fly_plan_delivery {
    uint64_t ack_timeout_ns;
    uint64_t backoff_ns; /* before the second try; doubles each time */
    uint64_t backoff_max_ns;
    uint32_t attempts;      /* tries in all, at least 1 */
    uint32_t max_in_flight; /* roots per task; a power of two */
};

struct fly_plan_node {
    char name[FLY_PLAN_NAME_MAX];
    char type[FLY_PLAN_NAME_MAX];
    uint32_t kind;                        /* enum fly_kind */
    uint32_t first_task, task_cnt;        /* its task 0; the others: fly_plan_task_of() */
    uint32_t first_port, port_cnt;        /* in the table of ports */
    uint32_t dead_edge;                   /* edge to the dead-letter node, or FLY_PLAN_NONE */
    uint64_t params_offset, params_bytes; /* msgpack, see controlplane/plan/params.h */
    struct fly_plan_delivery delivery;    /* of the roots that its tasks own */
    uint64_t retain_bytes;                /* copies for retries, per task; 0: it replays itself */
    uint32_t hold_messages;               /* per task; 0: it holds nothing */
    uint32_t depth;                       /* longest path from a source: deepest tasks run first */
    uint64_t hold_bytes;
    uint64_t state_bytes;  /* per task */
    uint32_t owns_roots;   /* 1: it has a range of the tracker */
    uint32_t direct_depth; /* longest chain of calls below it, for its stack */
};

struct fly_plan_port {
    char name[FLY_PLAN_NAME_MAX];
    uint32_t node;
    uint32_t first_edge, edge_cnt; /* the edges of one port stand together */
    uint32_t reserved;
};

struct fly_plan_edge {
    uint32_t from_node;
    uint32_t from_port; /* index among the node's ports; FLY_PLAN_NONE: its dead letters */
    uint32_t grouping;  /* enum fly_grouping */
    uint32_t frame_cnt; /* budget of each sending worker */
    uint32_t first_target, target_cnt; /* in the table of targets */
    uint32_t max_message_bytes;
    uint32_t slots; /* index of its slot table; FLY_PLAN_NONE unless grouping is key */
};

struct fly_plan_task {
    uint32_t node;
    uint32_t worker;
    uint32_t idx;        /* among the node's tasks */
    uint32_t first_root; /* its range of the worker's tracker; max_in_flight slots */
};

struct fly_plan_worker {
    uint32_t core;
    uint32_t first_task, task_cnt; /* numbered worker by worker, deepest nodes first */
    uint32_t root_cnt;             /* tracker slots in all */
};

struct fly_plan {
    uint64_t bytes; /* with all tables and parameters */
    char name[FLY_PLAN_NAME_MAX];
    char instance[FLY_PLAN_NAME_MAX];
    uint32_t idle;      /* enum fly_idle */
    uint32_t restarted; /* this run goes on from restored positions */
    uint64_t flush_ns;  /* an open frame leaves at this age at the latest */
    uint64_t drain_timeout_ns;
    uint64_t frame_bytes;  /* payload of a frame */
    uint64_t idle_spin_ns; /* adaptive: so long without work before sleeping */

    uint32_t node_cnt, port_cnt, edge_cnt, target_cnt;
    uint32_t slot_table_cnt, task_cnt, worker_cnt, plugin_cnt;
    /* Offsets of the tables. */
    uint64_t nodes, ports, edges, targets, slots, tasks, workers, plugins;
};

/* Tables. `targets`: uint32_t task indices. `slots`: uint16_t[FLY_SLOT_CNT] per table, an index
 * into the edge's targets. `plugins`: char[FLY_PLAN_PATH_MAX] per plugin. */
enum { FLY_PLAN_PATH_MAX = 4096 };

static inline struct fly_plan_node *fly_plan_nodes(const struct fly_plan *plan)
{
    return (struct fly_plan_node *)(uintptr_t)((uintptr_t)plan + plan->nodes);
}
static inline struct fly_plan_port *fly_plan_ports(const struct fly_plan *plan)
{
    return (struct fly_plan_port *)(uintptr_t)((uintptr_t)plan + plan->ports);
}
static inline struct fly_plan_edge *fly_plan_edges(const struct fly_plan *plan)
{
    return (struct fly_plan_edge *)(uintptr_t)((uintptr_t)plan + plan->edges);
}
static inline uint32_t *fly_plan_targets(const struct fly_plan *plan)
{
    return (uint32_t *)(uintptr_t)((uintptr_t)plan + plan->targets);
}
static inline uint16_t *fly_plan_slots(const struct fly_plan *plan, uint32_t table)
{
    return (uint16_t *)(uintptr_t)((uintptr_t)plan + plan->slots) + (size_t)table * FLY_SLOT_CNT;
}
static inline struct fly_plan_task *fly_plan_tasks(const struct fly_plan *plan)
{
    return (struct fly_plan_task *)(uintptr_t)((uintptr_t)plan + plan->tasks);
}
static inline struct fly_plan_worker *fly_plan_workers(const struct fly_plan *plan)
{
    return (struct fly_plan_worker *)(uintptr_t)((uintptr_t)plan + plan->workers);
}
static inline char *fly_plan_plugin(const struct fly_plan *plan, uint32_t i)
{
    return (char *)((uintptr_t)plan + plan->plugins) + (size_t)i * FLY_PLAN_PATH_MAX;
}

/* The task that is number `idx` of the tasks of `node`; FLY_PLAN_NONE: there is none. Start-up
 * only. */
static inline uint32_t fly_plan_task_of(const struct fly_plan *plan, uint32_t node, uint32_t idx)
{
    for (uint32_t i = 0; i < plan->task_cnt; i++) {
        const struct fly_plan_task *task = &fly_plan_tasks(plan)[i];
        if (task->node == node && task->idx == idx)
            return i;
    }
    return FLY_PLAN_NONE;
}

/* How many frames the largest message of an edge takes. */
static inline uint64_t fly_plan_chain_frames(uint64_t frame_bytes, uint64_t max_message_bytes)
{
    return (max_message_bytes + FLY_PLAN_MESSAGE_OVERHEAD + frame_bytes - 1) / frame_bytes;
}

/* The smallest budget without deadlock: a frame for each target, a chain, and one more. */
static inline uint64_t fly_plan_frames_min(const struct fly_plan *plan,
                                           const struct fly_plan_edge *edge)
{
    return edge->target_cnt + 1 + fly_plan_chain_frames(plan->frame_bytes, edge->max_message_bytes);
}

/* Are all counts, offsets and indices consistent within `bytes` of memory? 0, or -EINVAL with a
 * trace. */
int fly_plan_check(const struct fly_plan *plan, uint64_t bytes) __attribute__((warn_unused_result));

#endif
