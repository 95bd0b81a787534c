/* counters.h - what the workspace counts, per task, per source, per sender of an edge and per
 * worker.
 *
 * Idea       Plain 64-bit words in shared memory; whoever looks adds them up. Nothing is derived
 *            that could be counted.
 * Owner      One writer: the worker's thread (the control plane for fields marked so). Readers
 *            anywhere.
 * Cost       A relaxed load and store per batch; they are monotonic but for gauges.
 */
#ifndef FLY_STATS_COUNTERS_H
#define FLY_STATS_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint64_t fly_counter_word;

/* Adds to a counter that this thread owns. */
static inline void fly_count(fly_counter_word *word, uint64_t cnt)
{
    atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed) + cnt,
                          memory_order_relaxed);
}
static inline void fly_gauge(fly_counter_word *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}
static inline uint64_t fly_counted(const fly_counter_word *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

enum { FLY_REASONS_MAX = 128 }; /* fly_reason values and a node's own, see flyover/plugin.h */

/* Every task. */
struct fly_task_stats {
    _Alignas(128) fly_counter_word in; /* messages given to process, or roots emitted by a source */
    fly_counter_word out;              /* messages emitted, before copies for several receivers */
    fly_counter_word bytes_in, bytes_out; /* payload bytes */
    fly_counter_word errors;              /* messages failed here + fly_count_error() */
    fly_counter_word calls;
    fly_counter_word busy_ticks;       /* in callbacks, without nested direct calls */
    fly_counter_word held;             /* gauge */
    fly_counter_word state_used_bytes; /* gauge */
    fly_counter_word io_errno;         /* gauge: what the system refuses it, 0: nothing */
};

/* Every task that owns roots: the ledger. in = acked + failed + dropped + abandoned + in_flight. */
struct fly_source_stats {
    _Alignas(128) fly_counter_word in;
    fly_counter_word acked;
    fly_counter_word failed;    /* given up, delivered to dead letters */
    fly_counter_word dropped;   /* given up without; by reason below */
    fly_counter_word abandoned; /* lost with a process: written by the control plane only */
    fly_counter_word in_flight; /* gauge: counted up and down, never derived */
    fly_counter_word retried;   /* attempts after the first */
    fly_counter_word timeouts;  /* attempts that ran into ack_timeout */
    fly_counter_word bytes;     /* payload of roots */
    fly_counter_word ended;     /* 1: sent EOS */
    fly_counter_word position;  /* the `next` of the last root; valid where has_position is 1 */
    fly_counter_word has_position;
    fly_counter_word done, total; /* fly_source_progress() */
    fly_counter_word dropped_by[FLY_REASONS_MAX];
    fly_counter_word failed_by[FLY_REASONS_MAX];
};

/* Every (edge, sending worker). */
struct fly_edge_stats {
    _Alignas(128) fly_counter_word messages, bytes; /* all that the sender routed */
    fly_counter_word direct;                        /* of these, handed over by a direct call */
    fly_counter_word frames;                        /* frames sent */
    fly_counter_word blocked;                       /* times an emit had to wait for a frame */
    fly_counter_word blocked_ticks;
    fly_counter_word in_use; /* gauge: frames of the budget that are not free */
};

enum fly_regime {
    FLY_REGIME_BUSY,
    FLY_REGIME_IDLE,
    FLY_REGIME_BLOCKED,
    FLY_REGIME_HOUSEKEEPING,
    FLY_REGIME_CNT
};

struct fly_worker_stats {
    _Alignas(128) fly_counter_word regime_ticks[FLY_REGIME_CNT]; /* every tick in exactly one */
    fly_counter_word turns;
    fly_counter_word sleeps;
    fly_counter_word wakes_sent;
    fly_counter_word late;      /* acks and fails of attempts that had ended */
    fly_counter_word corrupt;   /* frames or descriptors that did not parse */
    fly_counter_word heartbeat; /* ticks at the last turn */
    fly_counter_word progress;  /* rises with every batch, ack and returned frame */
    fly_counter_word ready;     /* 1: set up, 2: every task ended, 3: stopped */
};

#endif
