#include "worker/emit.h"

#include "route/route.h"
#include "worker/call.h"
#include "worker/roots.h"

#include <string.h>

_Static_assert((int)FLY_ROUTE_MAX == (int)FLY_BATCH_MAX, "a batch is routed at once");

/* --- Frames ---------------------------------------------------------------------------------- */

void fly_wait_frames(struct fly_rt_task *task, struct fly_feed *feed, uint32_t cnt)
{
    if (FLY_LIKELY(feed->free_cnt >= cnt))
        return;
    struct fly_rt_task *base = task->worker->fiber_task;
    fly_count(&feed->stats->blocked, 1);
    uint64_t since = task->worker->now_ticks;
    base->wait_feed = feed;
    base->wait_cnt = cnt;
    fly_fiber_wait(task->worker, FLY_WAIT_FRAMES);
    fly_count(&feed->stats->blocked_ticks, task->worker->now_ticks - since);
}

/* Takes a free frame of the feed, which must have one. */
static uint32_t frame_take(struct fly_worker *worker, struct fly_feed *feed, uint32_t target,
                           struct fly_frame **frame)
{
    uint32_t idx = feed->free[--feed->free_cnt];
    *frame = worker->frame[idx];
    (*frame)->feed = feed->idx;
    (*frame)->target = target;
    fly_gauge(&feed->stats->in_use, feed->frame_cnt - feed->free_cnt);
    return idx;
}

static uint64_t next_seed(struct fly_worker *worker)
{
    return fly_mix64(worker->frame_seed + ++worker->frame_seed_cnt);
}

static FLY_NOINLINE void lane_open(struct fly_rt_task *task, struct fly_lane *lane)
{
    struct fly_worker *worker = task->worker;
    struct fly_frame *frame;
    fly_wait_frames(task, lane->feed, 1);
    lane->frame_idx = frame_take(worker, lane->feed, lane->target, &frame);
    fly_frame_open(&lane->writer, frame, worker->plan->frame_bytes, next_seed(worker),
                   worker->now_ticks);
    lane->open_idx = worker->open_cnt;
    worker->open[worker->open_cnt++] = lane;
    if (lane->local)
        lane->local->busy++;
}

static void lane_forget(struct fly_worker *worker, struct fly_lane *lane)
{
    struct fly_lane *last = worker->open[--worker->open_cnt];
    worker->open[lane->open_idx] = last;
    last->open_idx = lane->open_idx;
    lane->writer = (struct fly_frame_writer){.root = FLY_ROOT_NONE};
}

/* Hands a filled frame to its receiver. */
static void frame_send(struct fly_worker *worker, struct fly_lane *lane, uint32_t frame_idx)
{
    fly_count(&lane->feed->stats->frames, 1);
    if (lane->local) {
        fly_frame_arrived(worker, lane->target, frame_idx);
        return;
    }
    struct fly_peer *peer = &worker->peer[lane->worker];
    bool staged =
        fly_ring8_stage(&peer->data_out, fly_data_make(FLY_DATA_FRAME, lane->target, frame_idx));
    FLY_CHECK(staged, "a data ring is smaller than the budgets that use it");
    peer->published = true;
}

void fly_lane_send(struct fly_worker *worker, struct fly_lane *lane)
{
    if (!lane->writer.frame)
        return;
    uint32_t idx = lane->frame_idx;
    fly_frame_finish(&lane->writer);
    lane_forget(worker, lane);
    frame_send(worker, lane, idx);
}

uint32_t fly_lanes_flush(struct fly_worker *worker, bool all)
{
    uint32_t sent = 0;
    for (uint32_t i = worker->open_cnt; i-- > 0;) {
        struct fly_lane *lane = worker->open[i];
        if (all || worker->now_ticks - lane->writer.frame->open_ticks >= worker->flush_ticks) {
            fly_lane_send(worker, lane);
            sent++;
        }
    }
    return sent;
}

void fly_frame_home(struct fly_worker *worker, uint32_t frame_idx)
{
    struct fly_feed *feed =
        frame_idx < worker->layout->frame_cnt ? &worker->feed[worker->frame_feed[frame_idx]] : NULL;
    if (FLY_UNLIKELY(!feed || !feed->free || feed->free_cnt == feed->frame_cnt)) {
        fly_count(&worker->stats->corrupt, 1);
        return;
    }
    feed->free[feed->free_cnt++] = frame_idx;
    fly_gauge(&feed->stats->in_use, feed->frame_cnt - feed->free_cnt);
}

void fly_frame_return(struct fly_worker *worker, uint32_t frame_idx)
{
    uint32_t feed_idx = worker->frame_feed[frame_idx];
    struct fly_feed *feed = &worker->feed[feed_idx];
    uint32_t owner = fly_plan_tasks(worker->plan)[worker->layout->feed[feed_idx].task].worker;
    /* `next` may be another process's nonsense: no more frames than the feed has, and only its
     * own. */
    for (uint32_t left = worker->layout->feed[feed_idx].frame_cnt; left; left--) {
        uint32_t next = worker->frame[frame_idx]->next;
        if (feed->free) {
            fly_frame_home(worker, frame_idx);
        } else {
            bool staged = fly_ring8_stage(&worker->peer[owner].back_out, frame_idx);
            FLY_CHECK(staged, "a return ring is smaller than the budget it returns to");
            worker->peer[owner].back_waits = true;
        }
        if (next >= worker->layout->frame_cnt || worker->frame_feed[next] != feed_idx)
            break;
        frame_idx = next;
    }
}

void fly_frame_arrived(struct fly_worker *worker, uint32_t task_idx, uint32_t frame_idx)
{
    struct fly_input *input = NULL;
    if (FLY_LIKELY(frame_idx < worker->layout->frame_cnt))
        input = fly_input_of(worker, task_idx, worker->frame_feed[frame_idx]);
    if (FLY_UNLIKELY(!input)) {
        fly_count(&worker->stats->corrupt, 1);
        return;
    }
    struct fly_frame *frame = worker->frame[frame_idx];
    frame->queue_next = FLY_FRAME_NONE;
    if (input->head == FLY_FRAME_NONE)
        input->head = frame_idx;
    else
        worker->frame[input->tail]->queue_next = frame_idx;
    input->tail = frame_idx;
    worker->by_plan[task_idx]->queued_cnt++;
}

void fly_eos_arrived(struct fly_worker *worker, uint32_t task_idx, uint32_t feed_idx)
{
    struct fly_input *input = fly_input_of(worker, task_idx, feed_idx);
    if (!input) {
        fly_count(&worker->stats->corrupt, 1);
        return;
    }
    if (input->eos)
        return;
    struct fly_rt_task *task = worker->by_plan[task_idx];
    task->eos_cnt++;
    input->eos = true;
    fly_mark_end(task, input);
}

static void edge_send_eos(struct fly_worker *worker, struct fly_out_edge *edge)
{
    for (uint32_t i = 0; i < edge->lane_cnt; i++) {
        struct fly_lane *lane = &edge->lane[i];
        fly_lane_send(worker, lane);
        if (lane->local) {
            fly_eos_arrived(worker, lane->target, edge->feed->idx);
            continue;
        }
        struct fly_peer *peer = &worker->peer[lane->worker];
        bool staged = fly_ring8_stage(&peer->data_out,
                                      fly_data_make(FLY_DATA_EOS, lane->target, edge->feed->idx));
        FLY_CHECK(staged, "a data ring has no room for the end of a stream");
        peer->published = true;
    }
}

void fly_task_send_eos(struct fly_rt_task *task)
{
    for (uint32_t p = 0; p < task->port_cnt; p++)
        for (uint32_t e = 0; e < task->port[p].edge_cnt; e++)
            edge_send_eos(task->worker, &task->port[p].edge[e]);
}

/* Where a schedule of a test suspends an emit that has room. */
static void suspend(struct fly_rt_task *task, struct fly_feed *feed)
{
    struct fly_rt_task *base = task->worker->fiber_task;
    base->wait_feed = feed;
    base->wait_cnt = 0;
    fly_fiber_wait(task->worker, FLY_WAIT_FRAMES);
}

/* --- Writing into lanes ---------------------------------------------------------------------- */

/* A message that does not fit one frame: flushes what is open, then takes a chain. */
static FLY_NOINLINE void lane_put_large(struct fly_rt_task *task, struct fly_lane *lane,
                                        const struct fly_msg *msg)
{
    struct fly_worker *worker = task->worker;
    uint64_t frame_bytes = worker->plan->frame_bytes;
    uint32_t cnt = fly_chain_length(fly_msg_content_bytes(msg, fly_key_at(msg)), frame_bytes);
    for (uint32_t p = 0; p < task->port_cnt; p++)
        for (uint32_t e = 0; e < task->port[p].edge_cnt; e++)
            if (task->port[p].edge[e].feed == lane->feed)
                for (uint32_t l = 0; l < task->port[p].edge[e].lane_cnt; l++)
                    fly_lane_send(worker, &task->port[p].edge[e].lane[l]);
    fly_wait_frames(task, lane->feed, cnt);
    FLY_CHECK(cnt <= lane->feed->frame_cnt, "a budget is smaller than the largest message");
    /* The free list's top holds the indices; the frames are taken from there in order. */
    uint32_t *index = &lane->feed->free[lane->feed->free_cnt - cnt];
    for (uint32_t i = 0; i < cnt; i++) {
        struct fly_frame_writer unused;
        struct fly_frame *frame = worker->frame[index[i]];
        fly_frame_open(&unused, frame, frame_bytes, next_seed(worker), worker->now_ticks);
        frame->feed = lane->feed->idx;
        frame->target = lane->target;
    }
    msg->anchor->xor_ids ^= fly_chain_write(worker->frame, index, cnt, frame_bytes,
                                            fly_anchor_name(worker, msg->anchor).bits, msg);
    lane->feed->free_cnt -= cnt;
    fly_gauge(&lane->feed->stats->in_use, lane->feed->frame_cnt - lane->feed->free_cnt);
    if (lane->local)
        lane->local->busy++;
    frame_send(worker, lane, index[0]);
}

/* For a message that does not fit: opens the next frame. False: it was sent in a chain. */
static FLY_NOINLINE bool lane_next(struct fly_rt_task *task, struct fly_lane *lane,
                                   const struct fly_msg *msg, struct fly_shape shape)
{
    if (fly_frame_need(shape, true) > task->worker->plan->frame_bytes) {
        lane_put_large(task, lane, msg);
        return false;
    }
    fly_lane_send(task->worker, lane);
    lane_open(task, lane);
    return true;
}

/* The whole way, for every message. */
static FLY_NOINLINE void lane_put(struct fly_rt_task *task, struct fly_lane *lane,
                                  const struct fly_msg *msg)
{
    struct fly_frame_writer *writer = &lane->writer;
    uint64_t root = fly_anchor_name(task->worker, msg->anchor).bits;
    bool new_run = writer->root != root;
    struct fly_shape shape = fly_shape_of(msg);
    if (FLY_UNLIKELY(fly_frame_need(shape, new_run) > (uint64_t)(writer->end - writer->at))) {
        if (!lane_next(task, lane, msg, shape))
            return;
        new_run = true;
    }
    fly_prefetch_write(writer->at + FLY_FRAME_AHEAD);
    uint64_t id = fly_frame_append(writer, root, msg, shape, new_run);
    if (new_run)
        msg->anchor->xor_ids ^= id;
}

/* The short way, for a message that has it and whose root has a name. */
static FLY_ALWAYS_INLINE bool put_short(struct fly_frame_writer *writer, const struct fly_msg *msg)
{
    uint64_t root = fly_anchor_root(msg->anchor).bits;
    if (FLY_UNLIKELY(writer->end - writer->at < FLY_SHORT_NEED || root == FLY_ROOT_NONE ||
                     !fly_frame_is_short(msg)))
        return false;
    fly_prefetch_write(writer->at + FLY_FRAME_AHEAD);
    if (writer->root != root)
        msg->anchor->xor_ids ^= fly_frame_begin_run(writer, root);
    fly_frame_append_short(writer, msg);
    return true;
}

/* Puts the messages whose bits are set into a lane; the writer is kept in registers meanwhile. */
static void lane_put_masked(struct fly_rt_task *task, struct fly_lane *lane,
                            const struct fly_msg *msg, const uint64_t *mask)
{
    struct fly_frame_writer writer = lane->writer;
    for (uint32_t word = 0; word < FLY_ROUTE_MASKS; word++, msg += 64) {
        for (uint64_t bits = mask[word]; bits; bits &= bits - 1) {
            const struct fly_msg *one = &msg[__builtin_ctzll(bits)];
            bool suspends = fly_hook_suspends(task->worker->hooks, task->worker);
            if (FLY_LIKELY(!suspends && put_short(&writer, one)))
                continue;
            lane->writer = writer;
            if (suspends)
                suspend(task, lane->feed);
            lane_put(task, lane, one);
            writer = lane->writer;
        }
    }
    lane->writer = writer;
}

static void lane_put_all(struct fly_rt_task *task, struct fly_lane *lane, const struct fly_msg *msg,
                         uint32_t cnt)
{
    static const uint16_t same[FLY_ROUTE_MAX];
    uint64_t mask[FLY_ROUTE_MASKS];
    fly_route_mask(same, cnt, 0, mask);
    lane_put_masked(task, lane, msg, mask);
}

/* --- Routing a batch ------------------------------------------------------------------------- */

static void lane_deliver(struct fly_rt_task *task, struct fly_lane *lane, struct fly_msg *msg,
                         uint32_t cnt, uint64_t bytes)
{
    if (fly_hook_suspends(task->worker->hooks, task->worker))
        suspend(task, lane->feed);
    if (lane->local && fly_call_direct(lane->local, msg, cnt, bytes)) {
        fly_count(&lane->feed->stats->direct, cnt);
        return;
    }
    lane_put_all(task, lane, msg, cnt);
}

/* Messages that leave go first, so that others can begin on them while this worker does its own. */
static void deliver_picked(struct fly_rt_task *task, struct fly_out_edge *edge, struct fly_msg *msg,
                           uint32_t cnt)
{
    uint64_t mask[FLY_ROUTE_MASKS];
    for (uint32_t l = 0; l < edge->lane_cnt; l++) {
        if (edge->lane[l].local)
            continue;
        fly_route_mask(task->pick, cnt, (uint16_t)l, mask);
        lane_put_masked(task, &edge->lane[l], msg, mask);
    }
    for (uint32_t l = 0; l < edge->lane_cnt; l++) {
        if (!edge->lane[l].local)
            continue;
        uint32_t local_cnt = 0;
        uint64_t bytes = 0;
        fly_route_mask(task->pick, cnt, (uint16_t)l, mask);
        for (uint32_t i = 0; i < FLY_BATCH_MAX; i += 64) {
            for (uint64_t bits = mask[i / 64]; bits; bits &= bits - 1) {
                task->local[local_cnt] = msg[i + (uint32_t)__builtin_ctzll(bits)];
                bytes += task->local[local_cnt++].payload_bytes;
            }
        }
        if (local_cnt)
            lane_deliver(task, &edge->lane[l], task->local, local_cnt, bytes);
    }
}

static void edge_deliver(struct fly_rt_task *task, struct fly_out_edge *edge, struct fly_msg *msg,
                         uint32_t cnt, uint64_t bytes)
{
    switch (edge->pick) {
    case FLY_PICK_ONE:
        lane_deliver(task, &edge->lane[edge->only], msg, cnt, bytes);
        break;
    case FLY_PICK_ALL:
        for (uint32_t i = 0; i < edge->lane_cnt; i++)
            lane_deliver(task, &edge->lane[i], msg, cnt, bytes);
        break;
    case FLY_PICK_KEY:
        fly_route_by_key(msg, cnt, edge->slots, task->pick);
        if (edge->lane_cnt == 1)
            lane_deliver(task, &edge->lane[0], msg, cnt, bytes);
        else
            deliver_picked(task, edge, msg, cnt);
        break;
    case FLY_PICK_RANDOM:
        fly_route_random(&task->rng, cnt, edge->lane_cnt, task->pick);
        deliver_picked(task, edge, msg, cnt);
        break;
    }
}

/* Fails the messages that are over the port's limit, if there are any, and closes the gaps; returns
 * how many are left. */
static FLY_NOINLINE uint32_t drop_too_large(struct fly_rt_task *task, struct fly_out_port *port,
                                            struct fly_msg *msg, uint32_t cnt)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        uint64_t bytes = (uint64_t)msg[i].payload_bytes + msg[i].key_bytes + msg[i].meta_bytes;
        if (bytes > port->max_bytes)
            fly_anchor_fail(task, msg[i].anchor, FLY_REASON_TOO_LARGE);
        else
            msg[kept++] = msg[i];
    }
    return kept;
}

void fly_port_flush(struct fly_rt_task *task, uint32_t idx)
{
    struct fly_port *pub = &task->pub.port[idx];
    struct fly_out_port *port = &task->port[idx];
    uint32_t cnt = pub->cnt;
    uint64_t bytes = 0;
    uint32_t bits = 0; /* no length is above it */
    if (!cnt)
        return;
    if (task->pub.root_cnt)
        fly_roots_hand_on(task);
    for (uint32_t i = 0; i < cnt; i++) {
        const struct fly_msg *msg = &pub->msg[i];
        bytes += msg->payload_bytes;
        bits |= msg->payload_bytes | msg->key_bytes | msg->meta_bytes;
    }
    fly_count(&task->stats->out, cnt);
    fly_count(&task->stats->bytes_out, bytes);
    if (FLY_UNLIKELY(3 * (uint64_t)bits > port->max_bytes) && port->edge_cnt) {
        cnt = drop_too_large(task, port, pub->msg, cnt);
        bytes = fly_payload_bytes(pub->msg, cnt);
    }
    for (uint32_t e = 0; e < port->edge_cnt && cnt; e++) {
        fly_count(&port->edge[e].feed->stats->messages, cnt);
        fly_count(&port->edge[e].feed->stats->bytes, bytes);
        edge_deliver(task, &port->edge[e], pub->msg, cnt, bytes);
    }
    pub->cnt = 0;
}

void fly_task_flush(struct fly_rt_task *task)
{
    for (uint32_t p = 0; p < task->port_cnt; p++)
        fly_port_flush(task, p);
}

/* --- Contents -------------------------------------------------------------------------------- */

uint8_t *fly_scratch_take(struct fly_rt_task *task, uint64_t bytes, uint64_t spare)
{
    uint64_t need = fly_align_up(bytes, 8);
    if (FLY_UNLIKELY(need + spare > task->scratch_high - task->scratch_low)) {
        fly_task_flush(task);
        task->scratch_low = task->scratch_floor;
        if (need + spare > task->scratch_high - task->scratch_low)
            return NULL;
    }
    uint8_t *at = task->scratch + task->scratch_low;
    task->scratch_low += need;
    return at;
}

void fly_port_add(struct fly_rt_task *task, uint32_t idx, const struct fly_msg *msg)
{
    struct fly_port *pub = &task->pub.port[idx];
    pub->msg[pub->cnt++] = *msg;
    if (FLY_UNLIKELY(pub->cnt == pub->max))
        fly_port_flush(task, idx);
}

void fly_port_copy(struct fly_rt_task *task, uint32_t idx, struct fly_anchor *anchor,
                   const struct fly_content *content)
{
    uint64_t bytes = (uint64_t)content->payload_bytes + content->meta_bytes + content->key_bytes;
    if (task->pub.port[idx].cnt == task->pub.port[idx].max)
        fly_port_flush(task, idx);
    uint8_t *to = fly_scratch_take(task, bytes, 0);
    if (FLY_UNLIKELY(!to)) {
        fly_anchor_fail(task, anchor, FLY_REASON_TOO_LARGE);
        return;
    }
    uint64_t key_offset = (uintptr_t)content->key - (uintptr_t)content->payload;
    bool inside = content->key && key_offset <= content->payload_bytes &&
                  content->key_bytes <= content->payload_bytes - key_offset;
    struct fly_msg msg = {.payload = to,
                          .anchor = anchor,
                          .payload_bytes = content->payload_bytes,
                          .key_bytes = content->key ? content->key_bytes : 0,
                          .meta_bytes = content->meta ? content->meta_bytes : 0,
                          .flags = content->flags & ~(uint32_t)FLY_MSG_STABLE};
    fly_copy_small(to, content->payload, content->payload_bytes);
    to += content->payload_bytes;
    if (msg.meta_bytes)
        memcpy(to, content->meta, msg.meta_bytes);
    to += msg.meta_bytes;
    if (inside) {
        msg.key = msg.payload + key_offset;
    } else if (content->key) {
        fly_copy_small(to, content->key, content->key_bytes);
        msg.key = to;
    }
    fly_port_add(task, idx, &msg);
}
