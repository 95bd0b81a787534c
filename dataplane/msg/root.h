/* root.h - the name of one attempt of one root, as every message of its tree carries it.
 *
 * Idea       {worker, slot, generation} in one word. A generation is used once, ever: its high
 *            bits are the owner's incarnation, its low bits count the slot's attempts.
 * Layout     63..56 worker, 55..36 slot of the worker's tracker, 35..28 incarnation, 27..0
 *            attempt.
 * Caveat     A slot's attempts wrap after 2^28: at 3,000 attempts of one slot per second after a
 *            day, far beyond any late ack.
 */
#ifndef FLY_MSG_ROOT_H
#define FLY_MSG_ROOT_H

#include "base/check.h"

#include <stdatomic.h>

enum { FLY_ROOT_SLOT_MAX = 1 << 20, FLY_ROOT_WORKER_MAX = 256, FLY_ROOT_ATTEMPT_BITS = 28 };
#define FLY_ROOT_NONE UINT64_C(0) /* attempt 0 is never given out */

struct fly_root {
    uint64_t bits;
};

static inline struct fly_root fly_root_make(uint32_t worker, uint32_t slot, uint32_t incarnation,
                                            uint32_t attempt)
{
    return (struct fly_root){(uint64_t)worker << 56 | (uint64_t)slot << 36 |
                             (uint64_t)(incarnation & 0xff) << 28 | (attempt & 0x0fffffff)};
}
static inline uint32_t fly_root_worker(struct fly_root root)
{
    return (uint32_t)(root.bits >> 56);
}
static inline uint32_t fly_root_slot(struct fly_root root)
{
    return (uint32_t)(root.bits >> 36) & (FLY_ROOT_SLOT_MAX - 1);
}
static inline uint32_t fly_root_attempt(struct fly_root root)
{
    return (uint32_t)root.bits & 0x0fffffff;
}

/* The name of the slot's next attempt. */
static inline struct fly_root fly_root_next(struct fly_root root)
{
    if (FLY_LIKELY(fly_root_attempt(root) != 0x0fffffff))
        return (struct fly_root){root.bits + 1};
    return (struct fly_root){(root.bits & ~UINT64_C(0x0fffffff)) | 1};
}

/* What messages are anchored to while a call works on them: the attempt, and the XOR of the edge
 * ids of what was emitted for it so far. A root being emitted is anchored to its own line of the
 * tracker or, when a poll emitted it, to a line of the running call that has no name at first; what
 * came in a frame or from a hold to a cell of that call (worker/note.h). */
struct fly_anchor {
    _Atomic uint64_t root;
    uint64_t xor_ids;
    uint8_t kind;    /* enum fly_anchor_kind */
    uint8_t failed;  /* its attempt has been failed already */
    uint16_t holder; /* the task, among the worker's, that owns the root or held the message */
    uint32_t block;  /* copy that is freed with it, or UINT32_MAX */
};

enum fly_anchor_kind {
    FLY_ANCHOR_ROOT,  /* in the tracker */
    FLY_ANCHOR_RUN,   /* xor_ids starts with the run's own id */
    FLY_ANCHOR_TAKEN, /* a held message, beside those that the call was given */
    FLY_ANCHOR_KEPT,  /* a run that goes on in a later call: not closed with the others */
};

static FLY_ALWAYS_INLINE struct fly_root fly_anchor_root(const struct fly_anchor *anchor)
{
    return (struct fly_root){atomic_load_explicit(&anchor->root, memory_order_relaxed)};
}

#endif
