/* tracker.h - the ack trees of the roots that one worker owns.
 *
 * Idea       A root's attempt is one line of an array: the XOR of the edge ids of its tree. Every
 *            id enters twice, when a run is made and when it is done; the tree is done when the
 *            XOR is zero and the call that emits the root has returned. (The algorithm of Storm's
 *            ackers, with the emission guarded and attempts named apart.)
 * Owner      The worker's thread. After its death the control plane reads it (fly_tracker_scan).
 * Memory     In the workspace, sized by fly_tracker_footprint().
 * Cost       One cache line per root; an update needs no hashing and no search.
 * When full  Cannot fill: a source is polled for as many roots as its range has free slots.
 * Open       While the emitting call runs, messages are anchored to the entry itself: a slot is
 *            neither renamed nor freed before the call has returned.
 * Rule       Every update names the attempt it means and is ignored when the slot holds another:
 *            late, repeated and foreign updates do nothing but count.
 * See also   worker/roots.h (what happens at the end of an attempt), wheel.h, outbox.h
 */
#ifndef FLY_ACK_TRACKER_H
#define FLY_ACK_TRACKER_H

#include "base/check.h"
#include "msg/root.h"

#include <stdatomic.h>

#define FLY_SLOT_NONE UINT32_MAX

enum fly_root_state {
    FLY_ROOT_FREE,
    FLY_ROOT_OPEN,    /* the call that emits this attempt has not returned */
    FLY_ROOT_LIVE,    /* emitted; its tree is being worked on */
    FLY_ROOT_WAITING, /* failed; the next attempt waits for its time in the wheel */
    FLY_ROOT_REPLAY,  /* the next attempt is to be emitted */
};

enum {
    FLY_ROOT_DEAD = 1 << 0,      /* the last attempt, along the dead-letter edge */
    FLY_ROOT_SUSPECT = 1 << 1,   /* was being processed when a process died: tried alone */
    FLY_ROOT_DETACHED = 1 << 2,  /* nobody retries it */
    FLY_ROOT_JOINED = 1 << 3,    /* its end is its parents' end */
    FLY_ROOT_FINAL = 1 << 4,     /* if this attempt fails there is no other */
    FLY_ROOT_UNDER_WAY = 1 << 8, /* only in fly_open_root: the last of its attempts has not ended */
};

/* All fields are read by another process only after the owner's death, or through
 * fly_tracker_scan. In a free slot xor_ids and flags are 0 and attempts is 1, so that the next root
 * need not write them. */
struct fly_root_entry {
    struct fly_anchor anchor; /* root: name of the current attempt; block: copy kept for retries */
    _Atomic uint64_t id;      /* the source's */
    uint64_t birth_ticks;     /* of the first attempt */
    uint32_t clock_ms;        /* timeout clock: when the attempt began, or when the next is due */
    uint32_t next;            /* free list, wheel bucket or replay queue */
    uint32_t parents;         /* FLY_ROOT_JOINED: first held message of the chain */
    uint32_t port;            /* of a stage-owned root; a suspect's turn */
    uint16_t reason;          /* of the last failure */
    uint16_t node;            /* where it failed */
    _Atomic uint8_t state;
    _Atomic uint8_t flags;
    _Atomic uint16_t attempts; /* tries begun */
};
_Static_assert(sizeof(struct fly_root_entry) == FLY_CACHE_LINE, "one line per root");

struct fly_tracker {
    uint32_t worker, incarnation, cnt;
    uint32_t reserved[13];
    struct fly_root_entry entry[];
};

/* The slots of one task: a LIFO, so that few lines are in use when few roots are in flight. */
struct fly_root_range {
    uint32_t first, cnt;
    uint32_t free_head, free_cnt;
};

static inline uint64_t fly_tracker_footprint(uint32_t cnt)
{
    return sizeof(struct fly_tracker) + (uint64_t)cnt * sizeof(struct fly_root_entry);
}

/* Formats `cnt` free slots (at most FLY_ROOT_SLOT_MAX). */
void fly_tracker_init(struct fly_tracker *tracker, uint32_t worker, uint32_t incarnation,
                      uint32_t cnt);

/* Links the slots [first, first + cnt) into the range's free list and gives them to `task`. */
void fly_tracker_range(struct fly_tracker *tracker, struct fly_root_range *range, uint32_t first,
                       uint32_t cnt, uint16_t task);

static FLY_ALWAYS_INLINE enum fly_root_state fly_root_state(const struct fly_root_entry *entry)
{
    return (enum fly_root_state)atomic_load_explicit(&entry->state, memory_order_relaxed);
}
static FLY_ALWAYS_INLINE void fly_root_set(struct fly_root_entry *entry, enum fly_root_state state)
{
    atomic_store_explicit(&entry->state, (uint8_t)state, memory_order_release);
}
static FLY_ALWAYS_INLINE uint8_t fly_root_flags(const struct fly_root_entry *entry)
{
    return atomic_load_explicit(&entry->flags, memory_order_relaxed);
}
static FLY_ALWAYS_INLINE struct fly_root fly_root_name(const struct fly_root_entry *entry)
{
    return fly_anchor_root(&entry->anchor);
}

/* Opens the first attempt of a new root; the range must have a free slot. Returns its entry. */
static FLY_ALWAYS_INLINE struct fly_root_entry *fly_tracker_begin(struct fly_tracker *tracker,
                                                                  struct fly_root_range *range,
                                                                  uint64_t id, uint64_t ticks,
                                                                  uint32_t clock_ms)
{
    FLY_DCHECK(range->free_cnt, "no free slot");
    struct fly_root_entry *entry = &tracker->entry[range->free_head];
    range->free_head = entry->next;
    range->free_cnt--;
    entry->birth_ticks = ticks;
    entry->clock_ms = clock_ms;
    /* Releases: who sees one of these sees the new name, too. Partner: look() in tracker.c. */
    atomic_store_explicit(&entry->id, id, memory_order_release);
    fly_root_set(entry, FLY_ROOT_OPEN);
    return entry;
}

/* Gives the slot's next attempt a new name, so that what is still under way for the old one is
 * late. */
static FLY_ALWAYS_INLINE void fly_tracker_rename(struct fly_root_entry *entry)
{
    struct fly_root next = fly_root_next(fly_root_name(entry));
    /* Release: who sees the new name sees that the old root ended. Partner: look() in tracker.c. */
    atomic_store_explicit(&entry->anchor.root, next.bits, memory_order_release);
}

/* Frees a slot whose root has ended and whose emitting call has returned. */
static FLY_ALWAYS_INLINE void fly_tracker_free(struct fly_tracker *tracker,
                                               struct fly_root_range *range,
                                               struct fly_root_entry *entry)
{
    fly_root_set(entry, FLY_ROOT_FREE);
    fly_tracker_rename(entry);
    entry->next = range->free_head;
    range->free_head = (uint32_t)(entry - tracker->entry);
    range->free_cnt++;
    /* As new for the next root. Releases: who sees one of these sees the new name, too. */
    entry->anchor.xor_ids = 0;
    atomic_store_explicit(&entry->flags, 0, memory_order_release);
    atomic_store_explicit(&entry->attempts, 1, memory_order_release);
}

/* The entry that holds exactly this attempt, emitted or being emitted; NULL: late or foreign. */
static FLY_ALWAYS_INLINE struct fly_root_entry *fly_tracker_find(struct fly_tracker *tracker,
                                                                 struct fly_root root)
{
    uint32_t slot = fly_root_slot(root);
    if (FLY_UNLIKELY(slot >= tracker->cnt))
        return NULL;
    struct fly_root_entry *entry = &tracker->entry[slot];
    enum fly_root_state state = fly_root_state(entry);
    bool in_work = state == FLY_ROOT_LIVE || state == FLY_ROOT_OPEN;
    return FLY_LIKELY(fly_root_name(entry).bits == root.bits && in_work) ? entry : NULL;
}

/* Enters ids; true: the tree is done. */
static FLY_ALWAYS_INLINE bool fly_tracker_apply(struct fly_root_entry *entry, uint64_t xor_ids)
{
    entry->anchor.xor_ids ^= xor_ids;
    return entry->anchor.xor_ids == 0 && fly_root_state(entry) == FLY_ROOT_LIVE;
}

/* The emitting call has returned; true: the tree is done already. */
static FLY_ALWAYS_INLINE bool fly_tracker_close(struct fly_root_entry *entry)
{
    fly_root_set(entry, FLY_ROOT_LIVE);
    return entry->anchor.xor_ids == 0;
}

/* One unfinished root, as another process sees it. */
struct fly_open_root {
    uint64_t id;
    uint64_t root;
    uint32_t attempts;
    uint32_t flags;
};

/* Copies the unfinished roots of slots [first, first + cnt) to out[0..max); returns how many. Safe
 * while the owner runs: a slot whose root ends meanwhile is left out or seen as its next root,
 * never as a mixture of both. */
uint32_t fly_tracker_scan(const struct fly_tracker *tracker, uint32_t first, uint32_t cnt,
                          struct fly_open_root *out, uint32_t max);

#endif
