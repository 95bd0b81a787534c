#include "worker/layout.h"

#include "ack/outbox.h"
#include "ack/tracker.h"
#include "base/err.h"
#include "msg/blocks.h"
#include "msg/frame.h"
#include "worker/hold.h"
#include "worker/note.h"
#include "worker/restore.h"
#include "worker/watermark.h"

#include <errno.h>
#include <flyover/plugin.h>
#include <stdlib.h>

enum { PAGE = 4096, ACK_RING_SLOTS = 4096, SCRATCH_SPARE_BYTES = 65536 };

struct walk {
    const struct fly_plan *plan;
    struct fly_layout *layout;
};

/* Sets aside `bytes` for a part and returns where they are. */
static uint64_t take(struct fly_layout *layout, enum fly_part part, uint64_t bytes)
{
    uint64_t at = layout->bytes, size = fly_align_up(bytes, FLY_CACHE_LINE_PAIR);
    layout->bytes += size;
    layout->part_bytes[part] += size;
    return at;
}

/* The largest message on any edge out of (or into) a node. */
static uint64_t largest_message(const struct fly_plan *plan, uint32_t node)
{
    const struct fly_plan_edge *edge = fly_plan_edges(plan);
    uint64_t largest = 0;
    for (uint32_t i = 0; i < plan->edge_cnt; i++)
        if (edge[i].from_node == node && edge[i].max_message_bytes > largest)
            largest = edge[i].max_message_bytes;
    return largest;
}

static uint64_t largest_input(const struct fly_plan *plan, uint32_t task)
{
    const struct fly_plan_edge *edge = fly_plan_edges(plan);
    const uint32_t *target = fly_plan_targets(plan);
    uint64_t largest = 0;
    for (uint32_t i = 0; i < plan->edge_cnt; i++)
        for (uint32_t k = 0; k < edge[i].target_cnt; k++)
            if (target[edge[i].first_target + k] == task && edge[i].max_message_bytes > largest)
                largest = edge[i].max_message_bytes;
    return largest;
}

static void place_feeds(struct walk *walk)
{
    const struct fly_plan *plan = walk->plan;
    struct fly_layout *layout = walk->layout;
    uint32_t idx = 0;
    for (uint32_t e = 0; e < plan->edge_cnt; e++) {
        const struct fly_plan_edge *edge = &fly_plan_edges(plan)[e];
        const struct fly_plan_node *node = &fly_plan_nodes(plan)[edge->from_node];
        layout->edge_feed[e] = idx;
        for (uint32_t t = 0; t < node->task_cnt; t++) {
            layout->feed[idx++] = (struct fly_feed_place){
                .edge = e,
                .task = fly_plan_task_of(plan, edge->from_node, t),
                .first_frame = layout->frame_cnt,
                .frame_cnt = edge->frame_cnt,
                .stats = take(layout, FLY_PART_STATS, sizeof(struct fly_edge_stats)),
                .frames = take(layout, FLY_PART_FRAMES, edge->frame_cnt * layout->frame_stride),
                .marks = take(layout, FLY_PART_RINGS, fly_feed_marks_footprint(edge->target_cnt)),
            };
            layout->frame_cnt += edge->frame_cnt;
        }
    }
}

static void place_roots(struct walk *walk, const struct fly_plan_node *node,
                        struct fly_task_place *place)
{
    struct fly_layout *layout = walk->layout;
    place->source = take(layout, FLY_PART_STATS, sizeof(struct fly_source_stats));
    place->histogram = take(layout, FLY_PART_STATS, fly_histogram_footprint());
    if (node->retain_bytes)
        place->retain = take(layout, FLY_PART_RETAIN, fly_blocks_footprint(node->retain_bytes));
    if (node->kind == FLY_SOURCE)
        place->restore =
            take(layout, FLY_PART_TRACKERS, fly_restore_footprint(node->delivery.max_in_flight));
}

static void place_task(struct walk *walk, uint32_t task)
{
    const struct fly_plan *plan = walk->plan;
    struct fly_layout *layout = walk->layout;
    uint32_t node_idx = fly_plan_tasks(plan)[task].node;
    const struct fly_plan_node *node = &fly_plan_nodes(plan)[node_idx];
    struct fly_task_place *place = &layout->task[task];
    uint64_t input = largest_input(plan, task), output = largest_message(plan, node_idx);
    place->stats = take(layout, FLY_PART_STATS, sizeof(struct fly_task_stats));
    place->note = take(layout, FLY_PART_SCRATCH, sizeof(struct fly_note));
    if (node->owns_roots)
        place_roots(walk, node, place);
    place->largest_bytes = input > output ? input : output;
    /* One message being written, one being read back, and room for many small ones; where copies
     * are kept, a retry may come in between. */
    place->scratch_bytes =
        SCRATCH_SPARE_BYTES + (node->retain_bytes ? 3 : 2) * place->largest_bytes;
    place->scratch = take(layout, FLY_PART_SCRATCH, place->scratch_bytes);
    if (input > plan->frame_bytes / 2) {
        place->large_bytes = input;
        place->large = take(layout, FLY_PART_SCRATCH, input);
    }
    if (node->hold_messages) {
        place->peek = take(layout, FLY_PART_SCRATCH, input);
        place->held = take(layout, FLY_PART_HOLD, fly_hold_footprint(node->hold_messages));
        place->hold_blocks = take(layout, FLY_PART_HOLD, fly_blocks_footprint(node->hold_bytes));
    }
    if (node->state_bytes) {
        layout->bytes = fly_align_up(layout->bytes, PAGE);
        place->state = take(layout, FLY_PART_STATE, node->state_bytes);
    }
}

static bool edge_reaches(const struct fly_plan *plan, const struct fly_plan_edge *edge,
                         uint32_t worker)
{
    const uint32_t *target = fly_plan_targets(plan) + edge->first_target;
    for (uint32_t i = 0; i < edge->target_cnt; i++)
        if (fly_plan_tasks(plan)[target[i]].worker == worker)
            return true;
    return false;
}

/* Frames of `from` that can be at `to`, and marks (or ends), in *control. */
static uint64_t frames_between(const struct walk *walk, uint32_t from, uint32_t to,
                               uint64_t *control)
{
    const struct fly_plan *plan = walk->plan;
    uint64_t frames = 0;
    *control = 0;
    for (uint32_t i = 0; i < walk->layout->feed_cnt; i++) {
        const struct fly_feed_place *feed = &walk->layout->feed[i];
        const struct fly_plan_edge *edge = &fly_plan_edges(plan)[feed->edge];
        if (fly_plan_tasks(plan)[feed->task].worker != from || !edge_reaches(plan, edge, to))
            continue;
        frames += feed->frame_cnt;
        *control += edge->target_cnt;
    }
    return frames;
}

static void place_pair(struct walk *walk, uint32_t from, uint32_t to)
{
    struct fly_layout *layout = walk->layout;
    struct fly_pair_place *pair = &layout->pair[from * walk->plan->worker_cnt + to];
    uint64_t control, sent = frames_between(walk, from, to, &control);
    /* A mark and the end behind it. */
    pair->data_slots = fly_pow2_ceil(sent + 2 * control + 1);
    pair->data = take(layout, FLY_PART_RINGS, fly_ring8_footprint(pair->data_slots));
    sent = frames_between(walk, to, from, &control);
    pair->back_slots = fly_pow2_ceil(sent + control + 1);
    pair->back = take(layout, FLY_PART_RINGS, fly_ring8_footprint(pair->back_slots));
    pair->ack_slots = ACK_RING_SLOTS;
    pair->ack = take(layout, FLY_PART_RINGS, fly_ring16_footprint(pair->ack_slots));
    pair->outbox = take(layout, FLY_PART_TRACKERS,
                        fly_outbox_footprint(fly_plan_workers(walk->plan)[to].root_cnt));
}

static void place_workers(struct walk *walk)
{
    const struct fly_plan *plan = walk->plan;
    struct fly_layout *layout = walk->layout;
    for (uint32_t w = 0; w < plan->worker_cnt; w++) {
        struct fly_worker_place *place = &layout->worker[w];
        place->stats = take(layout, FLY_PART_STATS, sizeof(struct fly_worker_stats));
        place->asleep = take(layout, FLY_PART_RINGS, sizeof(_Atomic uint32_t));
        place->running = take(layout, FLY_PART_RINGS, sizeof(_Atomic uint32_t));
        place->tracker = take(layout, FLY_PART_TRACKERS,
                              fly_tracker_footprint(fly_plan_workers(plan)[w].root_cnt));
        for (uint32_t other = 0; other < plan->worker_cnt; other++)
            if (other != w)
                place_pair(walk, w, other);
    }
}

static uint32_t count_feeds(const struct fly_plan *plan)
{
    uint32_t cnt = 0;
    for (uint32_t e = 0; e < plan->edge_cnt; e++)
        cnt += fly_plan_nodes(plan)[fly_plan_edges(plan)[e].from_node].task_cnt;
    return cnt;
}

int fly_layout_compute(const struct fly_plan *plan, struct fly_layout *layout)
{
    size_t workers = plan->worker_cnt;
    *layout = (struct fly_layout){.feed_cnt = count_feeds(plan),
                                  .frame_stride = fly_frame_stride(plan->frame_bytes)};
    layout->edge_feed = calloc(plan->edge_cnt + 1, sizeof(*layout->edge_feed));
    layout->feed = calloc(layout->feed_cnt + 1, sizeof(*layout->feed));
    layout->task = calloc(plan->task_cnt + 1, sizeof(*layout->task));
    layout->pair = calloc(workers * workers, sizeof(*layout->pair));
    layout->worker = calloc(workers, sizeof(*layout->worker));
    if (!layout->edge_feed || !layout->feed || !layout->task || !layout->pair || !layout->worker) {
        fly_layout_fini(layout);
        return FLY_ERR(ENOMEM, "no memory for the layout");
    }
    struct walk walk = {plan, layout};
    take(layout, FLY_PART_PLAN, FLY_WORKSPACE_PLAN_AT + plan->bytes);
    place_feeds(&walk);
    for (uint32_t i = 0; i < plan->task_cnt; i++)
        place_task(&walk, i);
    place_workers(&walk);
    layout->bytes = fly_align_up(layout->bytes, PAGE);
    return 0;
}

void fly_layout_fini(struct fly_layout *layout)
{
    if (!layout)
        return;
    free(layout->edge_feed);
    free(layout->feed);
    free(layout->task);
    free(layout->pair);
    free(layout->worker);
    *layout = (struct fly_layout){0};
}

static int format_pair(struct fly_workspace *workspace, const struct fly_pair_place *pair)
{
    int rc = fly_ring8_init(fly_place(workspace, pair->data), pair->data_slots);
    if (!rc)
        rc = fly_ring8_init(fly_place(workspace, pair->back), pair->back_slots);
    if (!rc)
        rc = fly_ring16_init(fly_place(workspace, pair->ack), pair->ack_slots);
    return rc;
}

static void format_task(struct fly_workspace *workspace, const struct fly_layout *layout,
                        uint32_t task)
{
    const struct fly_task_place *place = &layout->task[task];
    const struct fly_plan *plan = workspace->plan;
    const struct fly_plan_node *node = &fly_plan_nodes(plan)[fly_plan_tasks(plan)[task].node];
    if (place->histogram)
        (void)fly_histogram_init(fly_place(workspace, place->histogram));
    if (place->retain)
        fly_blocks_init(fly_place(workspace, place->retain), node->retain_bytes);
    if (place->held) {
        fly_hold_init(fly_place(workspace, place->held), node->hold_messages);
        fly_blocks_init(fly_place(workspace, place->hold_blocks), node->hold_bytes);
    }
}

int fly_layout_format(struct fly_workspace *workspace, const struct fly_layout *layout)
{
    const struct fly_plan *plan = workspace->plan;
    for (uint32_t i = 0; i < plan->task_cnt; i++)
        format_task(workspace, layout, i);
    for (uint32_t w = 0; w < plan->worker_cnt; w++) {
        fly_tracker_init(fly_place(workspace, layout->worker[w].tracker), w,
                         workspace->header->incarnation, fly_plan_workers(plan)[w].root_cnt);
        atomic_init((_Atomic uint32_t *)fly_place(workspace, layout->worker[w].running),
                    FLY_RUNNING_NONE);
    }
    for (uint32_t i = 0; i < plan->worker_cnt * plan->worker_cnt; i++) {
        int rc = layout->pair[i].data ? format_pair(workspace, &layout->pair[i]) : 0;
        if (rc)
            return FLY_ERR(rc, "cannot format the rings of pair %u", i);
    }
    return 0;
}

const char *fly_part_name(enum fly_part part)
{
    static const char *const name[FLY_PART_CNT] = {
        "plan", "counters", "rings", "frames", "ack trees", "scratch", "hold", "retain", "state",
    };
    return name[part];
}
