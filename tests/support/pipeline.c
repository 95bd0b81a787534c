#include "support/pipeline.h"

#include "base/err.h"
#include "support/unit.h"
#include "worker/emit.h"

#include <pthread.h>

enum { STEP_NS = 20000, CLOCK_HZ = 1000000000 };

#define AT(member) offsetof(struct pipe_plan, member)

static uint64_t or_preset(uint64_t value, uint64_t preset)
{
    return value ? value : preset;
}

/* --- The plan -------------------------------------------------------------------------------- */

static void plan_head(struct pipe_plan *plan, const struct pipe_spec *spec)
{
    plan->head = (struct fly_plan){
        .bytes = sizeof(*plan),
        .name = "test",
        .instance = "test",
        .idle = spec->idle,
        .restarted = spec->restarted,
        .flush_ns = 1000000,
        .frame_bytes = or_preset(spec->frame_bytes, FLY_PLAN_FRAME_BYTES_MIN),
        .idle_spin_ns = 1000,
        .node_cnt = spec->node_cnt,
        .slot_table_cnt = PIPE_WORKERS_MAX,
        .worker_cnt = (uint32_t)or_preset(spec->worker_cnt, 1),
        .nodes = AT(node),
        .ports = AT(port),
        .edges = AT(edge),
        .targets = AT(target),
        .slots = AT(slot),
        .tasks = AT(task),
        .workers = AT(worker),
        .plugins = AT(params),
    };
    for (uint32_t t = 0; t < PIPE_WORKERS_MAX; t++)
        for (uint32_t i = 0; i < FLY_SLOT_CNT; i++)
            plan->slot[t][i] = (uint16_t)(i % (t + 1));
}

static uint32_t ports_of(const struct pipe_spec *spec, uint32_t node)
{
    uint32_t cnt = spec->node[node].port_cnt;
    for (uint32_t e = 0; e < spec->edge_cnt; e++)
        if (spec->edge[e].from == node && spec->edge[e].port >= cnt)
            cnt = spec->edge[e].port + 1;
    return cnt;
}

static void plan_ports(struct pipe_plan *plan, const struct pipe_spec *spec, uint32_t idx)
{
    static const char *const name[PIPE_PORTS_MAX] = {"out", "second", "third"};
    struct fly_plan_node *node = &plan->node[idx];
    node->first_port = plan->head.port_cnt;
    node->port_cnt = ports_of(spec, idx);
    for (uint32_t p = 0; p < node->port_cnt; p++) {
        struct fly_plan_port *port = &plan->port[plan->head.port_cnt++];
        *port = (struct fly_plan_port){.node = idx};
        (void)snprintf(port->name, sizeof(port->name), "%s", name[p]);
        for (uint32_t e = spec->edge_cnt; e-- > 0;) {
            if (spec->edge[e].from != idx || spec->edge[e].port != p)
                continue;
            port->first_edge = e;
            port->edge_cnt++;
        }
    }
}

static bool owns_roots(const struct fly_node *type)
{
    return type->kind == FLY_SOURCE ||
           (type->kind == FLY_STAGE &&
            (type->tick || type->finish || type->watermark || type->holds));
}

static void plan_node(struct pipe_plan *plan, const struct pipe_spec *spec, uint32_t idx)
{
    const struct pipe_node *from = &spec->node[idx];
    const struct fly_node *type = from->type;
    struct fly_plan_node *node = &plan->node[idx];
    *node = (struct fly_plan_node){
        .kind = type->kind,
        .dead_edge = FLY_PLAN_NONE,
        .params_offset = AT(params),
        .params_bytes = 1,
        .retain_bytes = from->retain_bytes,
        .state_bytes = from->state_bytes,
        .owns_roots = owns_roots(type),
        .direct_depth = spec->node_cnt,
        .delivery = {or_preset(from->ack_timeout_ns, PIPE_FOREVER), from->backoff_ns,
                     from->backoff_ns, (uint32_t)or_preset(from->attempts, 3),
                     (uint32_t)or_preset(from->max_in_flight, 8)},
    };
    (void)snprintf(node->name, sizeof(node->name), "%s", type->name);
    (void)snprintf(node->type, sizeof(node->type), "%s", type->name);
    if (type->holds) {
        node->hold_messages = (uint32_t)or_preset(from->hold_messages, 16);
        node->hold_bytes = or_preset(from->hold_bytes, 65536);
    }
    plan_ports(plan, spec, idx);
}

/* Longest paths; a node for dead letters comes after all that may send it one. */
static void plan_depths(struct pipe_plan *plan, const struct pipe_spec *spec)
{
    for (uint32_t round = 0; round < spec->node_cnt; round++) {
        for (uint32_t e = 0; e < spec->edge_cnt; e++) {
            const struct pipe_edge *edge = &spec->edge[e];
            if (plan->node[edge->to].depth <= plan->node[edge->from].depth)
                plan->node[edge->to].depth = plan->node[edge->from].depth + 1;
        }
        for (uint32_t n = 0; n < spec->node_cnt; n++) {
            uint32_t dead = spec->node[n].dead_letters;
            if (dead && plan->node[dead - 1].depth <= plan->node[n].depth)
                plan->node[dead - 1].depth = plan->node[n].depth + 1;
        }
    }
}

static void plan_task(struct pipe_plan *plan, uint32_t node, uint32_t worker)
{
    struct fly_plan_node *of = &plan->node[node];
    struct fly_plan_worker *on = &plan->worker[worker];
    if (!of->task_cnt)
        of->first_task = plan->head.task_cnt;
    plan->task[plan->head.task_cnt++] =
        (struct fly_plan_task){node, worker, of->task_cnt++, on->root_cnt};
    on->task_cnt++;
    if (of->owns_roots)
        on->root_cnt += of->delivery.max_in_flight;
}

static void plan_tasks(struct pipe_plan *plan, const struct pipe_spec *spec)
{
    for (uint32_t w = 0; w < plan->head.worker_cnt; w++) {
        plan->worker[w] = (struct fly_plan_worker){.core = w, .first_task = plan->head.task_cnt};
        for (uint32_t depth = spec->node_cnt + 1; depth-- > 0;)
            for (uint32_t n = 0; n < spec->node_cnt; n++)
                if (plan->node[n].depth == depth &&
                    (!spec->node[n].workers || spec->node[n].workers >> w & 1))
                    plan_task(plan, n, w);
    }
}

static void plan_edge(struct pipe_plan *plan, const struct pipe_edge *from)
{
    struct fly_plan_edge *edge = &plan->edge[plan->head.edge_cnt++];
    *edge = (struct fly_plan_edge){
        .from_node = from->from,
        .from_port = from->port,
        .grouping = from->grouping,
        .first_target = plan->head.target_cnt,
        .target_cnt = plan->node[from->to].task_cnt,
        .max_message_bytes = (uint32_t)or_preset(from->max_message_bytes, 256),
        .slots = FLY_PLAN_NONE,
    };
    for (uint32_t i = 0; i < edge->target_cnt; i++)
        plan->target[plan->head.target_cnt++] = fly_plan_task_of(&plan->head, from->to, i);
    if (from->grouping == FLY_GROUP_KEY)
        edge->slots = edge->target_cnt - 1;
    edge->frame_cnt = (uint32_t)or_preset(from->frames, fly_plan_frames_min(&plan->head, edge));
}

static void plan_edges(struct pipe_plan *plan, const struct pipe_spec *spec)
{
    for (uint32_t e = 0; e < spec->edge_cnt; e++)
        plan_edge(plan, &spec->edge[e]);
    for (uint32_t n = 0; n < spec->node_cnt; n++) {
        if (!spec->node[n].dead_letters)
            continue;
        plan->node[n].dead_edge = plan->head.edge_cnt;
        plan_edge(plan, &(struct pipe_edge){.from = n,
                                            .to = spec->node[n].dead_letters - 1,
                                            .grouping = FLY_GROUP_LOCAL,
                                            .port = FLY_PLAN_NONE,
                                            .max_message_bytes = 4096});
    }
}

static void make_plan(struct pipe_plan *plan, const struct pipe_spec *spec)
{
    memset(plan, 0, sizeof(*plan));
    plan_head(plan, spec);
    plan->params[0] = 0x90; /* no parameters, in msgpack */
    for (uint32_t n = 0; n < spec->node_cnt; n++)
        plan_node(plan, spec, n);
    plan_depths(plan, spec);
    plan_tasks(plan, spec);
    plan_edges(plan, spec);
}

/* --- Opening --------------------------------------------------------------------------------- */

static uint64_t fake_ticks(void *context)
{
    return ((const struct pipe *)context)->now_ns;
}

/* New memory costs more than the rest of a small test. */
static void borrow_workspace(struct pipe *pipe, struct fly_workspace *spare)
{
    if (spare->base && spare->bytes >= pipe->layout.bytes) {
        struct fly_workspace_header header = {.version = spare->header->version,
                                              .bytes = spare->header->bytes,
                                              .seed = spare->header->seed};
        memset(spare->base, 0, pipe->layout.bytes);
        *spare->header = header;
    } else {
        fly_workspace_close(spare);
        if (fly_workspace_create(spare, pipe->layout.bytes, false))
            fail_msg("%s", fly_err_text());
    }
    pipe->workspace = *spare;
    pipe->borrowed = true;
}

static void make_workspace(struct pipe *pipe, const struct pipe_spec *spec)
{
    make_plan(&pipe->plan, spec);
    bool tight = false; /* some tests try what no plan may have */
    for (uint32_t e = 0; e < spec->edge_cnt; e++)
        tight |= spec->edge[e].frames != 0;
    if (!tight && fly_plan_check(&pipe->plan.head, sizeof(pipe->plan)))
        fail_msg("%s", fly_err_text());
    assert_int_equal(fly_layout_compute(&pipe->plan.head, &pipe->layout), 0);
    if (spec->opt_spare)
        borrow_workspace(pipe, spec->opt_spare);
    else if (fly_workspace_create(&pipe->workspace, pipe->layout.bytes, false))
        fail_msg("%s", fly_err_text());
    pipe->workspace.header->incarnation = 1;
    if (spec->seed)
        pipe->workspace.header->seed = spec->seed;
    memcpy(pipe->workspace.plan, &pipe->plan, sizeof(pipe->plan));
    assert_int_equal(fly_layout_format(&pipe->workspace, &pipe->layout), 0);
    fly_workspace_publish(&pipe->workspace);
}

static int open_worker(struct pipe *pipe, uint32_t idx, struct fly_clock_rate clock)
{
    struct fly_worker_config config = {&pipe->workspace, &pipe->layout, idx, clock,
                                       pipe->type,       &pipe->hooks};
    struct fly_worker *worker =
        aligned_alloc(FLY_CACHE_LINE_PAIR, fly_align_up(sizeof(*worker), FLY_CACHE_LINE_PAIR));
    assert_non_null(worker);
    int rc = fly_worker_open(worker, &config);
    if (rc) {
        free(worker);
        return rc;
    }
    pipe->worker[idx] = worker;
    fly_worker_begin(worker);
    return 0;
}

int pipe_try_open(struct pipe *pipe, const struct pipe_spec *spec, void *world,
                  void (*adopt)(struct pipe *pipe))
{
    memset(pipe, 0, sizeof(*pipe));
    pipe->world = world;
    pipe->now_ns = 1000000000;
    pipe->step_ns = STEP_NS;
    if (spec->hooks)
        pipe->hooks = *spec->hooks;
    pipe->hooks.context = pipe;
    pipe->hooks.ticks = spec->real_time ? NULL : fake_ticks;
    for (uint32_t n = 0; n < spec->node_cnt; n++)
        pipe->type[n] = spec->node[n].type;
    make_workspace(pipe, spec);
    if (adopt)
        adopt(pipe);
    struct fly_clock_rate clock =
        spec->real_time ? fly_clock_calibrate() : fly_clock_rate_of(CLOCK_HZ);
    uint32_t cnt = pipe->plan.head.worker_cnt;
    for (uint32_t w = 0; w < cnt; w++) {
        int rc = open_worker(pipe, w, clock);
        if (rc) {
            pipe_close(pipe);
            return rc;
        }
    }
    fly_worker_connect(pipe->worker, cnt);
    return 0;
}

void pipe_open(struct pipe *pipe, const struct pipe_spec *spec, void *world)
{
    if (pipe_try_open(pipe, spec, world, NULL))
        fail_msg("%s", fly_err_text());
}

void pipe_close(struct pipe *pipe)
{
    for (uint32_t w = 0; w < PIPE_WORKERS_MAX; w++) {
        fly_worker_close(pipe->worker[w]);
        free(pipe->worker[w]);
        pipe->worker[w] = NULL;
    }
    fly_layout_fini(&pipe->layout);
    if (!pipe->borrowed)
        fly_workspace_close(&pipe->workspace);
}

/* --- Running --------------------------------------------------------------------------------- */

uint32_t pipe_turn(struct pipe *pipe, uint32_t worker)
{
    pipe->now_ns += pipe->step_ns;
    pipe->turn_cnt++;
    return fly_worker_turn(pipe->worker[worker]);
}

void pipe_rounds(struct pipe *pipe, uint32_t turns)
{
    for (uint32_t i = 0; i < turns; i++)
        for (uint32_t w = 0; w < pipe->plan.head.worker_cnt; w++)
            pipe_turn(pipe, w);
}

bool pipe_ended(const struct pipe *pipe)
{
    for (uint32_t w = 0; w < pipe->plan.head.worker_cnt; w++)
        if (!pipe->worker[w]->stop)
            return false;
    return true;
}

void pipe_run(struct pipe *pipe, uint32_t max_turns)
{
    for (uint32_t i = 0; i < max_turns && !pipe_ended(pipe); i++)
        pipe_rounds(pipe, 1);
    if (!pipe_ended(pipe)) {
        pipe_dump(pipe);
        fail_msg("it did not end in %u rounds", max_turns);
    }
    pipe_rounds(pipe, 2); /* the last frames come home */
}

static void *run_worker(void *arg)
{
    fly_worker_run(arg);
    return NULL;
}

void pipe_run_threads(struct pipe *pipe)
{
    pthread_t thread[PIPE_WORKERS_MAX];
    uint32_t cnt = pipe->plan.head.worker_cnt;
    for (uint32_t w = 0; w < cnt; w++)
        assert_int_equal(pthread_create(&thread[w], NULL, run_worker, pipe->worker[w]), 0);
    for (uint32_t w = 0; w < cnt; w++)
        assert_int_equal(pthread_join(thread[w], NULL), 0);
}

/* --- Looking --------------------------------------------------------------------------------- */

struct pipe *pipe_of(struct fly_task *task)
{
    return fly_rt(task)->worker->hooks->context;
}

void *pipe_world(struct fly_task *task)
{
    return pipe_of(task)->world;
}

struct fly_rt_task *pipe_task(const struct pipe *pipe, uint32_t node, uint32_t worker)
{
    struct fly_worker *on = pipe->worker[worker];
    for (uint32_t t = 0; t < on->task_cnt; t++)
        if (on->task[t].node_idx == node)
            return &on->task[t];
    fail_msg("node %u has no task on worker %u", node, worker);
    return NULL;
}

struct pipe_ledger pipe_ledger(const struct pipe *pipe, uint32_t node)
{
    struct pipe_ledger sum = {0};
    for (uint32_t t = 0; t < pipe->plan.head.task_cnt; t++) {
        const struct fly_source_stats *stats = fly_source_stats(&pipe->workspace, &pipe->layout, t);
        if (pipe->plan.task[t].node != node || !stats)
            continue;
        sum.in += fly_counted(&stats->in);
        sum.acked += fly_counted(&stats->acked);
        sum.failed += fly_counted(&stats->failed);
        sum.dropped += fly_counted(&stats->dropped);
        sum.abandoned += fly_counted(&stats->abandoned);
        sum.in_flight += fly_counted(&stats->in_flight);
        sum.retried += fly_counted(&stats->retried);
        sum.timeouts += fly_counted(&stats->timeouts);
    }
    return sum;
}

static void dump_task(const struct pipe *pipe, const struct fly_rt_task *task)
{
    (void)fprintf(
        stderr,
        "  %s: busy %u occupied %d wait %d for %u action %d inner %s queued %u current %d "
        "batch %u/%u eos %u/%u roots free %u/%u replays %u held free %d ended %d\n",
        task->plan->name, task->busy, task->occupied, (int)task->wait, task->wait_cnt,
        (int)task->action, task->inner ? task->inner->plan->name : "-", task->queued_cnt,
        (int)task->current.frame_idx, task->batch_at, task->batch_cnt, task->eos_cnt,
        task->input_cnt, task->range.free_cnt, task->range.cnt, task->replay_cnt,
        task->held ? (int)task->held->free_cnt : -1, task->ended);
    for (uint32_t i = task->range.first; i < task->range.first + task->range.cnt; i++) {
        const struct fly_root_entry *entry = &task->worker->tracker->entry[i];
        if (fly_root_state(entry) != FLY_ROOT_FREE)
            (void)fprintf(stderr, "    root %llu state %d flags %u attempts %u xor %llx\n",
                          (unsigned long long)atomic_load(&entry->id), (int)fly_root_state(entry),
                          fly_root_flags(entry), atomic_load(&entry->attempts),
                          (unsigned long long)entry->anchor.xor_ids);
    }
    (void)pipe;
}

void pipe_dump(const struct pipe *pipe)
{
    for (uint32_t w = 0; w < pipe->plan.head.worker_cnt; w++) {
        const struct fly_worker *worker = pipe->worker[w];
        (void)fprintf(stderr, "worker %u: ended %u of %u, open frames %u, stop %d\n", w,
                      worker->ended_cnt, worker->task_cnt, worker->open_cnt, worker->stop);
        for (uint32_t t = 0; t < worker->task_cnt; t++)
            dump_task(pipe, &worker->task[t]);
        for (uint32_t f = 0; f < pipe->layout.feed_cnt; f++)
            if (worker->feed[f].free && worker->feed[f].free_cnt != worker->feed[f].frame_cnt)
                (void)fprintf(stderr, "  feed %u of edge %u: %u of %u frames free\n", f,
                              worker->feed[f].edge, worker->feed[f].free_cnt,
                              worker->feed[f].frame_cnt);
    }
}
