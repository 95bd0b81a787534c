#include "worker/worker.h"

#include "base/err.h"
#include "worker/api.h"
#include "worker/params.h"
#include "worker/restore.h"
#include "worker/roots.h"

#include <errno.h>
#include <stdlib.h>

enum { STACK_BYTES = 256 * 1024, STACK_BYTES_PER_CALL = 64 * 1024 };

static void *zeroed(uint64_t cnt, uint64_t bytes)
{
    return calloc(cnt ? cnt : 1, bytes);
}

static int out_of_memory(void)
{
    return FLY_ERR(ENOMEM, "no memory for a worker's tables");
}

/* --- Output ---------------------------------------------------------------------------------- */

static enum fly_pick pick_of(const struct fly_out_edge *edge, enum fly_grouping grouping,
                             uint32_t *only)
{
    uint32_t locals = 0;
    for (uint32_t i = edge->lane_cnt; i-- > 0;) {
        if (edge->lane[i].local) {
            locals++;
            *only = i;
        }
    }
    switch (grouping) {
    case FLY_GROUP_KEY:
        return FLY_PICK_KEY;
    case FLY_GROUP_BROADCAST:
        return FLY_PICK_ALL;
    case FLY_GROUP_GLOBAL:
        *only = 0;
        return FLY_PICK_ONE;
    case FLY_GROUP_LOCAL:
        if (locals == 1)
            return FLY_PICK_ONE;
        break;
    case FLY_GROUP_SHUFFLE:
        break;
    }
    *only = 0;
    return edge->lane_cnt == 1 ? FLY_PICK_ONE : FLY_PICK_RANDOM;
}

static int open_edge(struct fly_rt_task *task, uint32_t edge_idx, struct fly_out_edge *edge)
{
    struct fly_worker *worker = task->worker;
    const struct fly_plan *plan = worker->plan;
    const struct fly_plan_edge *plan_edge = &fly_plan_edges(plan)[edge_idx];
    const uint32_t *target = fly_plan_targets(plan) + plan_edge->first_target;
    uint32_t feed = worker->layout->edge_feed[edge_idx] + fly_plan_tasks(plan)[task->idx].idx;
    edge->feed = &worker->feed[feed];
    edge->lane_cnt = plan_edge->target_cnt;
    edge->lane = zeroed(edge->lane_cnt, sizeof(*edge->lane));
    edge->mark = zeroed(edge->lane_cnt, sizeof(*edge->mark));
    if (!edge->lane || !edge->mark)
        return out_of_memory();
    fly_mark_open_edge(task, edge);
    for (uint32_t i = 0; i < edge->lane_cnt; i++)
        edge->lane[i] = (struct fly_lane){.local = worker->by_plan[target[i]],
                                          .target = target[i],
                                          .worker = fly_plan_tasks(plan)[target[i]].worker,
                                          .feed = edge->feed};
    edge->pick = pick_of(edge, (enum fly_grouping)plan_edge->grouping, &edge->only);
    if (plan_edge->slots != FLY_PLAN_NONE)
        edge->slots = fly_plan_slots(plan, plan_edge->slots);
    return 0;
}

static int open_port(struct fly_rt_task *task, uint32_t idx, uint32_t first_edge, uint32_t edge_cnt)
{
    struct fly_out_port *port = &task->port[idx];
    struct fly_port *pub = &task->pub.port[idx];
    *port = (struct fly_out_port){.edge = zeroed(edge_cnt, sizeof(*port->edge)),
                                  .max_bytes = UINT32_MAX};
    pub->msg = zeroed(FLY_BATCH_MAX, sizeof(*pub->msg));
    pub->max = FLY_BATCH_MAX;
    if (!port->edge || !pub->msg)
        return out_of_memory();
    for (uint32_t i = 0; i < edge_cnt; i++) {
        uint32_t max = fly_plan_edges(task->worker->plan)[first_edge + i].max_message_bytes;
        port->max_bytes = max < port->max_bytes ? max : port->max_bytes;
        port->edge_cnt++;
        int rc = open_edge(task, first_edge + i, &port->edge[i]);
        if (rc)
            return rc;
    }
    return 0;
}

static int open_ports(struct fly_rt_task *task)
{
    const struct fly_plan_port *ports = fly_plan_ports(task->worker->plan) + task->plan->first_port;
    bool dead = task->plan->dead_edge != FLY_PLAN_NONE;
    task->port_cnt = task->plan->port_cnt + dead;
    task->dead_port = dead ? task->plan->port_cnt : FLY_PLAN_NONE;
    task->port = zeroed(task->port_cnt, sizeof(*task->port));
    task->pub.port = zeroed(task->port_cnt, sizeof(*task->pub.port));
    if (!task->port || !task->pub.port)
        return out_of_memory();
    for (uint32_t i = 0; i < task->plan->port_cnt; i++) {
        int rc = open_port(task, i, ports[i].first_edge, ports[i].edge_cnt);
        if (rc)
            return rc;
    }
    return dead ? open_port(task, task->dead_port, task->plan->dead_edge, 1) : 0;
}

static void close_edge(struct fly_out_edge *edge)
{
    free(edge->lane);
    free(edge->mark);
}

static void close_ports(struct fly_rt_task *task)
{
    for (uint32_t p = 0; task->port && p < task->port_cnt; p++) {
        for (uint32_t e = 0; task->port[p].edge && e < task->port[p].edge_cnt; e++)
            close_edge(&task->port[p].edge[e]);
        free(task->port[p].edge);
        if (task->pub.port)
            free(task->pub.port[p].msg);
    }
    free(task->port);
    free(task->pub.port);
}

/* --- Input ----------------------------------------------------------------------------------- */

static bool edge_targets(const struct fly_plan *plan, uint32_t edge, uint32_t task)
{
    const struct fly_plan_edge *plan_edge = &fly_plan_edges(plan)[edge];
    const uint32_t *target = fly_plan_targets(plan) + plan_edge->first_target;
    for (uint32_t i = 0; i < plan_edge->target_cnt; i++)
        if (target[i] == task)
            return true;
    return false;
}

static int open_inputs(struct fly_rt_task *task)
{
    struct fly_worker *worker = task->worker;
    const struct fly_layout *layout = worker->layout;
    task->input = zeroed(layout->feed_cnt, sizeof(*task->input));
    if (!task->input)
        return out_of_memory();
    for (uint32_t f = 0; f < layout->feed_cnt; f++) {
        if (!edge_targets(worker->plan, layout->feed[f].edge, task->idx))
            continue;
        struct fly_input *input = &task->input[task->input_cnt++];
        uint32_t sender = fly_plan_tasks(worker->plan)[layout->feed[f].task].worker;
        *input = (struct fly_input){.head = FLY_FRAME_NONE,
                                    .tail = FLY_FRAME_NONE,
                                    .feed = f,
                                    .local = sender == worker->idx};
        fly_mark_open_input(task, input);
        worker->input_of[(uint64_t)task->idx * layout->feed_cnt + f] = input;
    }
    return 0;
}

/* --- A task ---------------------------------------------------------------------------------- */

static int open_memory(struct fly_rt_task *task)
{
    struct fly_worker *worker = task->worker;
    const struct fly_task_place *place = &worker->layout->task[task->idx];
    struct fly_workspace *workspace = worker->workspace;
    task->note = fly_place(workspace, place->note);
    task->scratch = fly_place(workspace, place->scratch);
    task->scratch_bytes = task->scratch_high = place->scratch_bytes;
    task->largest_bytes = place->largest_bytes;
    task->large = place->large ? fly_place(workspace, place->large) : NULL;
    task->large_bytes = place->large_bytes;
    task->peek_at = place->peek ? fly_place(workspace, place->peek) : NULL;
    task->held = place->held ? fly_place(workspace, place->held) : NULL;
    task->hold_blocks = place->held ? fly_place(workspace, place->hold_blocks) : NULL;
    task->retain = place->retain ? fly_place(workspace, place->retain) : NULL;
    task->restore = fly_restore_of(workspace, worker->layout, task->idx);
    task->stats = fly_task_stats(workspace, worker->layout, task->idx);
    task->source = fly_source_stats(workspace, worker->layout, task->idx);
    task->histogram = fly_source_histogram(workspace, worker->layout, task->idx);
    task->batch = zeroed(FLY_BATCH_MAX, sizeof(*task->batch));
    task->local = zeroed(FLY_BATCH_MAX, sizeof(*task->local));
    task->pick = zeroed(FLY_BATCH_MAX, sizeof(*task->pick));
    task->io_done = zeroed(FLY_URING_MAX, sizeof(*task->io_done));
    task->self = zeroed(1, task->node->self_bytes);
    task->pub.root_id = task->note->fresh_id;
    task->pub.root_anchor = (uint8_t *)task->note->fresh;
    bool enough = task->batch && task->local && task->pick && task->io_done && task->self;
    return enough ? 0 : out_of_memory();
}

static int open_roots(struct fly_rt_task *task)
{
    struct fly_worker *worker = task->worker;
    uint32_t cnt = task->plan->delivery.max_in_flight;
    task->replay_head = FLY_SLOT_NONE;
    if (!task->plan->owns_roots)
        return 0;
    fly_tracker_range(worker->tracker, &task->range,
                      fly_plan_tasks(worker->plan)[task->idx].first_root, cnt,
                      (uint16_t)(task - worker->task));
    if (task->node->kind != FLY_SOURCE)
        return 0;
    if (task->node->acked && !(task->acked = zeroed(cnt, sizeof(*task->acked))))
        return out_of_memory();
    if (task->node->failed && !(task->failed = zeroed(cnt, sizeof(*task->failed))))
        return out_of_memory();
    return 0;
}

static void unused(void *arg)
{
    (void)arg;
}

static int open_fiber(struct fly_rt_task *task)
{
    task->stack_bytes = STACK_BYTES + (size_t)task->plan->direct_depth * STACK_BYTES_PER_CALL;
    int rc = fly_fiber_stack_map(task->stack_bytes, &task->stack);
    return rc ? rc : fly_fiber_init(&task->fiber, task->stack, task->stack_bytes, unused, NULL);
}

static int setup(struct fly_rt_task *task)
{
    const struct fly_plan *plan = task->worker->plan;
    int rc = fly_params_bind(task->node->params, (const char *)plan + task->plan->params_offset,
                             task->plan->params_bytes, task->self, &task->params);
    if (rc)
        return FLY_ERR_NOTE("node '%s'", task->plan->name);
    rc = task->node->setup ? task->node->setup(&task->pub, task->self) : 0;
    task->set_up = rc == 0;
    if (rc == 0)
        rc = fly_roots_restore(task);
    if (rc == 0)
        return 0;
    return FLY_ERR(EINVAL, "node '%s': %s", task->plan->name,
                   task->refusal ? task->refusal : "its setup failed without a reason");
}

static int open_task(struct fly_rt_task *task)
{
    int rc = open_memory(task);
    if (!rc)
        rc = open_roots(task);
    if (!rc)
        rc = open_ports(task);
    if (!rc)
        rc = open_inputs(task);
    if (rc)
        return rc;
    fly_mark_open_task(task);
    return open_fiber(task);
}

static void close_task(struct fly_rt_task *task)
{
    if (task->set_up && task->node->teardown)
        task->node->teardown(&task->pub, task->self);
    fly_params_free(task->params);
    while (task->allocated) {
        void **memory = task->allocated;
        task->allocated = *memory;
        free(memory);
    }
    if (task->stack) {
        fly_fiber_fini(&task->fiber);
        fly_fiber_stack_unmap(task->stack, task->stack_bytes);
    }
    close_ports(task);
    free(task->input);
    free(task->acked);
    free(task->failed);
    free(task->batch);
    free(task->local);
    free(task->pick);
    free(task->io_done);
    free(task->self);
}

/* --- The worker ------------------------------------------------------------------------------ */

static int open_frames(struct fly_worker *worker)
{
    const struct fly_layout *layout = worker->layout;
    worker->frame = zeroed(layout->frame_cnt, sizeof(*worker->frame));
    worker->frame_feed = zeroed(layout->frame_cnt, sizeof(*worker->frame_feed));
    worker->feed = zeroed(layout->feed_cnt, sizeof(*worker->feed));
    worker->input_of =
        zeroed((uint64_t)worker->plan->task_cnt * layout->feed_cnt, sizeof(*worker->input_of));
    if (!worker->frame || !worker->frame_feed || !worker->feed || !worker->input_of)
        return out_of_memory();
    for (uint32_t f = 0; f < layout->feed_cnt; f++) {
        const struct fly_feed_place *place = &layout->feed[f];
        struct fly_feed *feed = &worker->feed[f];
        char *frames = fly_place(worker->workspace, place->frames);
        *feed = (struct fly_feed){.idx = f,
                                  .edge = place->edge,
                                  .frame_cnt = place->frame_cnt,
                                  .stats = fly_feed_stats(worker->workspace, layout, f)};
        for (uint32_t i = 0; i < place->frame_cnt; i++) {
            worker->frame[place->first_frame + i] =
                (struct fly_frame *)(void *)(frames + i * layout->frame_stride);
            worker->frame_feed[place->first_frame + i] = (uint16_t)f;
        }
        if (fly_plan_tasks(worker->plan)[place->task].worker != worker->idx)
            continue;
        feed->free = zeroed(place->frame_cnt, sizeof(*feed->free));
        if (!feed->free)
            return out_of_memory();
        for (uint32_t i = 0; i < place->frame_cnt; i++)
            feed->free[feed->free_cnt++] = place->first_frame + place->frame_cnt - 1 - i;
    }
    return 0;
}

static int attach_pair(struct fly_worker *worker, uint32_t other)
{
    const struct fly_layout *layout = worker->layout;
    uint32_t cnt = worker->plan->worker_cnt;
    const struct fly_pair_place *out = &layout->pair[worker->idx * cnt + other];
    const struct fly_pair_place *in = &layout->pair[other * cnt + worker->idx];
    struct fly_workspace *workspace = worker->workspace;
    struct fly_peer *peer = &worker->peer[other];
    peer->asleep = fly_place(workspace, layout->worker[other].asleep);
    fly_outbox_init(&peer->outbox, fly_place(workspace, out->outbox),
                    fly_plan_workers(worker->plan)[other].root_cnt);
    int rc = fly_ring8_attach_tx(&peer->data_out, fly_place(workspace, out->data),
                                 fly_ring8_footprint(out->data_slots));
    if (!rc)
        rc = fly_ring8_attach_rx(&peer->data_in, fly_place(workspace, in->data),
                                 fly_ring8_footprint(in->data_slots));
    if (!rc)
        rc = fly_ring8_attach_tx(&peer->back_out, fly_place(workspace, out->back),
                                 fly_ring8_footprint(out->back_slots));
    if (!rc)
        rc = fly_ring8_attach_rx(&peer->back_in, fly_place(workspace, in->back),
                                 fly_ring8_footprint(in->back_slots));
    if (!rc)
        rc = fly_ring16_attach_tx(&peer->ack_out, fly_place(workspace, out->ack),
                                  fly_ring16_footprint(out->ack_slots));
    if (!rc)
        rc = fly_ring16_attach_rx(&peer->ack_in, fly_place(workspace, in->ack),
                                  fly_ring16_footprint(in->ack_slots));
    return rc;
}

static int open_peers(struct fly_worker *worker)
{
    worker->peer = zeroed(worker->plan->worker_cnt, sizeof(*worker->peer));
    if (!worker->peer)
        return out_of_memory();
    for (uint32_t other = 0; other < worker->plan->worker_cnt; other++) {
        int rc = other == worker->idx ? 0 : attach_pair(worker, other);
        if (rc)
            return rc;
    }
    return 0;
}

/* The worker's tasks, deepest first, so that one turn carries a message through all its stages'
 * queues in as few turns as possible and room is made before it is asked for. */
static int list_tasks(struct fly_worker *worker, const struct fly_node *const *nodes)
{
    const struct fly_plan *plan = worker->plan;
    uint32_t total = fly_plan_workers(plan)[worker->idx].task_cnt;
    worker->task = zeroed(total, sizeof(*worker->task));
    worker->by_plan = zeroed(plan->task_cnt, sizeof(*worker->by_plan));
    if (!worker->task || !worker->by_plan)
        return out_of_memory();
    for (uint32_t depth = plan->node_cnt + 1; depth-- > 0;) {
        for (uint32_t t = 0; t < plan->task_cnt; t++) {
            const struct fly_plan_task *plan_task = &fly_plan_tasks(plan)[t];
            const struct fly_plan_node *node = &fly_plan_nodes(plan)[plan_task->node];
            if (plan_task->worker != worker->idx || node->depth != depth ||
                worker->task_cnt == total)
                continue;
            struct fly_rt_task *task = &worker->task[worker->task_cnt++];
            task->pub.calls = fly_api_calls();
            task->pub.node = task->node = nodes[plan_task->node];
            task->worker = worker;
            task->plan = node;
            task->idx = t;
            task->node_idx = plan_task->node;
            task->current.frame_idx = FLY_FRAME_NONE;
            task->tick_next = task->wake_ticks = UINT64_MAX;
            fly_rng_init(&task->rng,
                         worker->workspace->header->seed ^ (UINT64_C(0x7a5b) << 32 | t));
            worker->by_plan[t] = task;
        }
    }
    FLY_CHECK(worker->task_cnt == total, "a task of the plan has no place in the order");
    return 0;
}

static void init_clock(struct fly_worker *worker, struct fly_clock_rate rate)
{
    worker->clock = rate;
    worker->now_ticks = worker->clock_ticks_base = fly_hook_ticks(worker->hooks);
    worker->now_ns = worker->clock_mono_base = fly_clock_ns();
    worker->clock_wall_base = fly_clock_wall_ns();
    worker->flush_ticks = fly_ns_to_ticks(&rate, worker->plan->flush_ns);
}

static uint32_t count_lanes(const struct fly_worker *worker)
{
    uint32_t cnt = 0;
    for (uint32_t t = 0; t < worker->task_cnt; t++)
        for (uint32_t p = 0; p < worker->task[t].port_cnt; p++)
            for (uint32_t e = 0; e < worker->task[t].port[p].edge_cnt; e++)
                cnt += worker->task[t].port[p].edge[e].lane_cnt;
    return cnt;
}

static int open_all(struct fly_worker *worker, const struct fly_worker_config *config)
{
    struct fly_workspace *workspace = worker->workspace;
    const struct fly_worker_place *place = &worker->layout->worker[worker->idx];
    worker->stats = fly_place(workspace, place->stats);
    worker->asleep = fly_place(workspace, place->asleep);
    worker->running = fly_place(workspace, place->running);
    worker->tracker = fly_place(workspace, place->tracker);
    worker->frame_seed = fly_mix64(workspace->header->seed ^
                                   ((uint64_t)workspace->header->incarnation << 32 | worker->idx));
    fly_rng_init(&worker->rng, worker->frame_seed);
    fly_wheel_init(&worker->wheel, worker->tracker, 0);
    init_clock(worker, config->clock);
    for (uint32_t n = 0; n < worker->plan->node_cnt; n++)
        worker->event_time |= config->nodes[n]->watermark != NULL;
    int rc = open_frames(worker);
    if (!rc)
        rc = open_peers(worker);
    if (!rc)
        rc = list_tasks(worker, config->nodes);
    for (uint32_t t = 0; !rc && t < worker->task_cnt; t++)
        rc = open_task(&worker->task[t]);
    if (!rc && !(worker->open = zeroed(count_lanes(worker), sizeof(struct fly_lane *))))
        rc = out_of_memory();
    for (uint32_t t = 0; !rc && t < worker->task_cnt; t++)
        rc = setup(&worker->task[t]);
    return rc;
}

int fly_worker_open(struct fly_worker *worker, const struct fly_worker_config *config)
{
    *worker = (struct fly_worker){.workspace = config->workspace,
                                  .layout = config->layout,
                                  .plan = config->workspace->plan,
                                  .nodes = config->nodes,
                                  .hooks = config->opt_hooks,
                                  .idx = config->idx};
    worker->uring.event_fd = -1;
    int rc = FLY_HOOK(worker->hooks, no_io) ? 0 : fly_uring_open(&worker->uring);
    if (rc)
        return rc;
    rc = open_all(worker, config);
    if (rc)
        fly_worker_close(worker);
    return rc;
}

void fly_worker_close(struct fly_worker *worker)
{
    if (!worker || !worker->workspace)
        return;
    /* Requests may still write into buffers of the tasks: the ring goes first. */
    fly_uring_close(&worker->uring);
    for (uint32_t t = 0; worker->task && t < worker->task_cnt; t++)
        close_task(&worker->task[t]);
    for (uint32_t f = 0; worker->feed && f < worker->layout->feed_cnt; f++)
        free(worker->feed[f].free);
    free(worker->task);
    free(worker->by_plan);
    free(worker->peer);
    free(worker->feed);
    free(worker->frame);
    free(worker->frame_feed);
    free(worker->input_of);
    free(worker->open);
    *worker = (struct fly_worker){0};
}

void fly_worker_connect(struct fly_worker *const *workers, uint32_t cnt)
{
    for (uint32_t i = 0; i < cnt; i++)
        for (uint32_t k = 0; k < cnt; k++)
            if (i != k)
                workers[i]->peer[k].event_fd = workers[k]->uring.event_fd;
}
