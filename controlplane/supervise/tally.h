/* tally.h - the counts of a run, added up over tasks and over dataplanes that died: the ledger.
 *
 * Idea       A live workspace is read as it is. Of a dead one only what had ended is kept: messages
 *            that were still open come again with the next dataplane and are counted there, or they
 *            are abandoned here. So the ledger balances without counting anything twice.
 * Owner      The control plane.
 * Memory     The heap: one entry per node.
 * See also   stats/counters.h, tests/unit/controlplane/supervise/test_tally.c
 */
#ifndef FLY_SUPERVISE_TALLY_H
#define FLY_SUPERVISE_TALLY_H

#include "stats/counters.h"
#include "stats/histogram.h"
#include "worker/layout.h"

#include <stdbool.h>
#include <stdint.h>

/* The ledger of one node's roots, and what goes with it. */
struct fly_tally_roots {
    uint64_t in, acked, failed, dropped, abandoned, in_flight;
    uint64_t retried, timeouts, bytes;
    uint64_t done, total; /* of its input, 0: no end in sight */
    uint32_t ended_cnt;   /* tasks that have ended */
    uint64_t dropped_by[FLY_REASONS_MAX], failed_by[FLY_REASONS_MAX];
    struct fly_histogram *latency; /* ns, from the source to the ack */
};

struct fly_tally_node {
    uint64_t in, out, bytes_in, bytes_out, errors;
    int io_errno;                  /* what the system refuses it, at the last look; 0: nothing */
    struct fly_tally_roots *roots; /* NULL unless it owns roots */
};

struct fly_tally {
    uint32_t node_cnt;
    struct fly_tally_node *node;
    uint64_t corrupt, late;         /* what workers ignored */
    uint32_t worker_cnt, ready_cnt; /* workers that are set up */
};

/* An empty tally for the plan. 0, or -ENOMEM with a trace and nothing left behind. */
int fly_tally_create(struct fly_tally *tally, const struct fly_plan *plan)
    __attribute__((warn_unused_result));
void fly_tally_destroy(struct fly_tally *tally);

/* Everything back to zero. */
void fly_tally_clear(struct fly_tally *tally);

/* Adds what a workspace counts at this moment. */
void fly_tally_read(struct fly_tally *tally, const struct fly_workspace *workspace,
                    const struct fly_layout *layout);

/* Adds `from` to `into`, term by term. */
void fly_tally_add(struct fly_tally *into, const struct fly_tally *from);

/* Turns the counts of a dead dataplane into what remains of them: `in` is what had ended, plus
 * `abandoned_cnt` that nobody will send again; nothing is in flight. */
void fly_tally_settle(struct fly_tally_roots *roots, uint64_t abandoned_cnt);

/* in = acked + failed + dropped + abandoned + in flight? */
bool fly_tally_balances(const struct fly_tally_roots *roots);

#endif
