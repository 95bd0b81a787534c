/* loop.h - the turn that a worker runs over and over, and how it sleeps.
 *
 * Idea       An ordered list of small stages, each of which says how much it did. A turn without
 *            work sends what is still open; many of them in a row put the worker to sleep.
 * Owner      The worker's thread.
 * Sleeping   Flag, seq_cst fence, look at every input again, block. Publishing: push, seq_cst
 *            fence, exchange the flags of those one pushed to, wake the ones that were set. Each
 *            fence pairs with the other.
 */
#ifndef FLY_WORKER_LOOP_H
#define FLY_WORKER_LOOP_H

#include "worker/worker.h"

/* Before the first turn, on the thread that will run it. */
void fly_worker_begin(struct fly_worker *worker);

/* One turn; returns the work done. */
uint32_t fly_worker_turn(struct fly_worker *worker);

/* Turns until every task of every worker has ended, or a stop is commanded. */
void fly_worker_run(struct fly_worker *worker);

#endif
