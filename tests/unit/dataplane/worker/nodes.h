/* nodes.h - the nodes that worker tests are made of, and what they remember.
 *
 * Idea       A source of numbered roots, a stage that does what the test says, a sink that
 *            remembers; all of them write into one struct per test.
 */
#ifndef TEST_WORKER_NODES_H
#define TEST_WORKER_NODES_H

#include "support/invariants.h"
#include "support/unit.h"
#include "worker/emit.h"

enum { ROOTS_MAX = 2048, HELD_MAX = 64, PAYLOAD_MAX = 8192 };

struct number {
    uint64_t id;
    uint32_t key;
    uint8_t rest[PAYLOAD_MAX - 12];
};

struct world {
    struct pipe pipe;
    /* Of the source. */
    uint32_t count, emitted, per_poll; /* per_poll 0: as many as the budget allows */
    uint32_t bytes, key_cnt;           /* presets 16 and 4 */
    bool key_apart;
    uint8_t acked[ROOTS_MAX], failed[ROOTS_MAX], replayed[ROOTS_MAX];
    uint32_t acked_cnt, failed_cnt, last_reason;
    /* Of the sink. */
    uint8_t got[ROOTS_MAX], got_at[ROOTS_MAX]; /* how often; on which workers, as bits */
    uint64_t got_ns[ROOTS_MAX];                /* when last */
    uint32_t got_cnt, dead_cnt;
    uint8_t fails[ROOTS_MAX]; /* how often the sink still fails it */
    char dead_meta[1024];     /* of the last dead letter: name=value; ... */
    uint32_t dead_bytes;
    /* Of the stage. */
    void (*each)(struct fly_task *task, struct world *world, const struct fly_msg *msg);
    void (*on_tick)(struct fly_task *task, struct world *world);
    void (*on_finish)(struct fly_task *task, struct world *world);
    struct fly_held held[HELD_MAX];
    uint32_t held_cnt, tick_cnt, finish_cnt, call_cnt;
};

extern const struct fly_node numbers, numbers_kept; /* sources: replays; the runtime keeps copies */
extern const struct fly_node stage;                 /* calls world->each, or forwards */
extern const struct fly_node explicit_stage;        /* the same, FLY_EXPLICIT */
extern const struct fly_node holder;                /* the same, holds and has tick and finish */
extern const struct fly_node sink, holding_sink;    /* remembers; holds all in world->held */

uint64_t id_of(const struct fly_msg *msg);
struct fly_content content_of(struct world *world, struct number *number, uint64_t id);

/* Opens, runs to the end, checks that nothing is left and that the ledger of node 0 adds up to
 * `count`. */
void run_all(struct world *world, const struct pipe_spec *spec);
void start(struct world *world, const struct pipe_spec *spec);
void finish(struct world *world);

#define SPEC(nodes, edges, ...)                                                                    \
    {                                                                                              \
        .node = nodes, .node_cnt = sizeof(nodes) / sizeof((nodes)[0]), .edge = edges,              \
        .edge_cnt = sizeof(edges) / sizeof((edges)[0]), __VA_ARGS__                                \
    }

#endif
