/* layout.h - where each part of a workspace lies, worked out from the plan alone.
 *
 * Idea       Every process computes the same places from the same plan; none are stored.
 * Owner      The struct is the caller's; its tables are on the heap (start-up only).
 * Cost       O(tasks + edges + workers^2), once.
 * See also   shm/plan.h, docs/architecture.md
 */
#ifndef FLY_WORKER_LAYOUT_H
#define FLY_WORKER_LAYOUT_H

#include "shm/workspace.h"
#include "stats/counters.h"
#include "stats/histogram.h"

/* What memory is for, as `flyover plan` lists it. */
enum fly_part {
    FLY_PART_PLAN,  /* header and plan */
    FLY_PART_STATS, /* counters and histograms */
    FLY_PART_RINGS,
    FLY_PART_FRAMES,
    FLY_PART_TRACKERS, /* ack trees, and updates on their way to another worker's */
    FLY_PART_SCRATCH,  /* contents being emitted, large messages being gathered, batches in work */
    FLY_PART_HOLD,
    FLY_PART_RETAIN,
    FLY_PART_STATE,
    FLY_PART_CNT,
};

/* A sender of an edge and its frames. */
struct fly_feed_place {
    uint32_t edge, task; /* the sending task */
    uint32_t first_frame, frame_cnt;
    uint64_t stats, frames;
    uint64_t marks; /* see worker/watermark.h */
};

struct fly_task_place {
    uint64_t stats;
    uint64_t source, histogram; /* 0 unless it owns roots */
    uint64_t note;              /* the roots being processed, see worker/note.h */
    uint64_t scratch, scratch_bytes;
    uint64_t largest_bytes;      /* of the messages that come in or go out */
    uint64_t large, large_bytes; /* 0 unless an input edge takes chains */
    uint64_t peek;               /* 0 unless it holds: a held message being looked at */
    uint64_t held, hold_blocks;  /* 0 unless it holds */
    uint64_t retain;
    uint64_t state;
    uint64_t restore; /* see worker/restore.h; 0 unless it is a source */
};

/* An ordered pair of workers. */
struct fly_pair_place {
    uint64_t data, data_slots; /* 0: no edge crosses */
    uint64_t back, back_slots; /* frames of `to` going home from `from` */
    uint64_t ack, ack_slots;
    uint64_t outbox; /* updates of `from` for roots of `to` */
};

struct fly_worker_place {
    uint64_t stats, asleep, running;
    uint64_t tracker;
};

struct fly_layout {
    uint64_t bytes;
    uint64_t part_bytes[FLY_PART_CNT];
    uint32_t feed_cnt, frame_cnt;
    uint64_t frame_stride;
    uint32_t *edge_feed; /* first feed of each edge; its senders follow in task order */
    struct fly_feed_place *feed;
    struct fly_task_place *task;
    struct fly_pair_place *pair; /* [from * worker_cnt + to] */
    struct fly_worker_place *worker;
};

/* 0, or -ENOMEM; on failure nothing is left behind. */
int fly_layout_compute(const struct fly_plan *plan, struct fly_layout *layout)
    __attribute__((warn_unused_result));
void fly_layout_fini(struct fly_layout *layout);

/* Formats every part of a fresh, zeroed workspace. 0 or a negative errno. */
int fly_layout_format(struct fly_workspace *workspace, const struct fly_layout *layout)
    __attribute__((warn_unused_result));

static inline void *fly_place(const struct fly_workspace *workspace, uint64_t offset)
{
    return (char *)workspace->base + offset;
}
static inline struct fly_task_stats *fly_task_stats(const struct fly_workspace *workspace,
                                                    const struct fly_layout *layout, uint32_t task)
{
    return fly_place(workspace, layout->task[task].stats);
}
/* NULL unless the task owns roots. */
static inline struct fly_source_stats *fly_source_stats(const struct fly_workspace *workspace,
                                                        const struct fly_layout *layout,
                                                        uint32_t task)
{
    uint64_t at = layout->task[task].source;
    return at ? fly_place(workspace, at) : NULL;
}
static inline struct fly_histogram *fly_source_histogram(const struct fly_workspace *workspace,
                                                         const struct fly_layout *layout,
                                                         uint32_t task)
{
    uint64_t at = layout->task[task].histogram;
    return at ? fly_place(workspace, at) : NULL;
}
static inline struct fly_edge_stats *fly_feed_stats(const struct fly_workspace *workspace,
                                                    const struct fly_layout *layout, uint32_t feed)
{
    return fly_place(workspace, layout->feed[feed].stats);
}
static inline struct fly_worker_stats *fly_worker_stats(const struct fly_workspace *workspace,
                                                        const struct fly_layout *layout,
                                                        uint32_t worker)
{
    return fly_place(workspace, layout->worker[worker].stats);
}

/* A part's name in `flyover plan`. */
const char *fly_part_name(enum fly_part part);

#endif
