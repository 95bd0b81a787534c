#include "plan/builder.h"

#include "base/check.h"
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "0-3,6" into `text`; cut when it does not fit. */
static const char *describe_cores(const struct fly_cores *cores, char *text, size_t bytes)
{
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t first = 0; first < FLY_CORES_MAX; first++) {
        if (!fly_cores_has(cores, first))
            continue;
        uint32_t last = first;
        while (last + 1 < FLY_CORES_MAX && fly_cores_has(cores, last + 1))
            last++;
        char range[32];
        snprintf(range, sizeof(range), first == last ? "%s%u" : "%s%u-%u", used ? "," : "", first,
                 last);
        size_t range_bytes = strlen(range);
        if (used + range_bytes >= bytes)
            break;
        memcpy(text + used, range, range_bytes + 1);
        used += range_bytes;
        first = last;
    }
    return text;
}

int fly_place_workers(struct fly_builder *builder)
{
    const struct fly_cores *wanted = &builder->options->cores;
    struct fly_cores usable = {{0}};
    char text[128];
    int rc = fly_cores_add_usable(&usable);
    if (rc)
        return FLY_ERR_NOTE("cannot tell which cores there are");
    bool all = fly_cores_cnt(wanted) == 0;
    for (uint32_t core = 0; core < FLY_CORES_MAX; core++) {
        if (all ? !fly_cores_has(&usable, core) : !fly_cores_has(wanted, core))
            continue;
        if (!fly_cores_has(&usable, core)) {
            rc = FLY_ERR(EINVAL, "core %u is not there or not for this process", core);
            FLY_ERR_HINT("it may use %s", describe_cores(&usable, text, sizeof(text)));
            return rc;
        }
        if (builder->head.worker_cnt == FLY_PLAN_WORKERS_MAX) {
            if (all) {
                fly_builder_note(builder, "only the first %d cores are used", FLY_PLAN_WORKERS_MAX);
                return 0;
            }
            return FLY_ERR(EINVAL, "%u cores were asked for, at most %d can be used",
                           fly_cores_cnt(wanted), FLY_PLAN_WORKERS_MAX);
        }
        builder->worker[builder->head.worker_cnt++].core = core;
    }
    return 0;
}

/* The workers that a node may run on, a bit each; 0 with a trace if there are none. */
static uint64_t workers_of(const struct fly_builder *builder, const struct fly_pipeline_node *node)
{
    struct fly_cores cores = {{0}};
    uint64_t workers = 0;
    uint32_t found_cnt = 0;
    for (uint32_t i = 0; i < node->options.cores.cnt; i++) {
        if (fly_cores_add(&cores, node->options.cores.item[i].text)) {
            (void)FLY_ERR_NOTE("node '%s': cores", node->name);
            return 0;
        }
    }
    bool all = fly_cores_cnt(&cores) == 0;
    for (uint32_t i = 0; i < builder->head.worker_cnt; i++) {
        if (all || fly_cores_has(&cores, builder->worker[i].core)) {
            workers |= UINT64_C(1) << i;
            found_cnt++;
        }
    }
    if (!all && found_cnt != fly_cores_cnt(&cores)) {
        char text[128];
        (void)FLY_ERR(EINVAL, "node '%s': not all of cores %s run this pipeline", node->name,
                      describe_cores(&cores, text, sizeof(text)));
        FLY_ERR_HINT("take cores out of the node's 'cores', or add them to --cores");
        return 0;
    }
    return workers;
}

/* How many tasks the node gets on at most `room_cnt` workers; says so when it was asked for
 * more. */
static uint32_t task_cnt_of(struct fly_builder *builder, const struct fly_pipeline_node *node,
                            uint32_t room_cnt)
{
    const struct fly_node *type = node->type;
    uint64_t cnt = node->options.tasks ? node->options.tasks : type->tasks_preset;
    if (cnt == 0)
        cnt = room_cnt;
    if (type->tasks_max && cnt > type->tasks_max) {
        if (node->options.tasks)
            fly_builder_note(builder, "node '%s': %u tasks instead of %llu: its type has no more",
                             node->name, type->tasks_max, (unsigned long long)cnt);
        cnt = type->tasks_max;
    }
    if (cnt > room_cnt) {
        fly_builder_note(builder, "node '%s': %u tasks instead of %llu: one for each core",
                         node->name, room_cnt, (unsigned long long)cnt);
        cnt = room_cnt;
    }
    return (uint32_t)cnt;
}

/* The workers of `from` with the fewest tasks; those with lower numbers first. */
static uint64_t least_busy(const struct fly_builder *builder, uint64_t from, uint32_t cnt)
{
    uint64_t chosen = 0;
    for (; cnt > 0; cnt--) {
        uint32_t best = FLY_PLAN_NONE;
        for (uint32_t i = 0; i < builder->head.worker_cnt; i++) {
            if (!((from & ~chosen) >> i & 1))
                continue;
            if (best == FLY_PLAN_NONE ||
                builder->worker[i].task_cnt < builder->worker[best].task_cnt)
                best = i;
        }
        FLY_CHECK(best != FLY_PLAN_NONE, "fewer than %u workers to choose from", cnt);
        chosen |= UINT64_C(1) << best;
    }
    return chosen;
}

static void put_on(struct fly_builder *builder, uint32_t idx, uint64_t workers)
{
    builder->runs_on[idx] = workers;
    builder->node[idx].task_cnt = (uint32_t)__builtin_popcountll(workers);
    for (uint32_t i = 0; i < builder->head.worker_cnt; i++)
        builder->worker[i].task_cnt += (uint32_t)(workers >> i & 1);
}

/* First the nodes that run everywhere, then the others where the fewest tasks are. */
static int choose_workers(struct fly_builder *builder)
{
    const struct fly_pipeline *pipeline = builder->pipeline;
    uint64_t may_run_on[FLY_PLAN_NODES_MAX];
    uint32_t task_cnt[FLY_PLAN_NODES_MAX];
    uint64_t total_cnt = 0;
    for (uint32_t i = 0; i < pipeline->node_cnt; i++) {
        may_run_on[i] = workers_of(builder, &pipeline->node[i]);
        if (!may_run_on[i])
            return fly_err_code();
        uint32_t room_cnt = (uint32_t)__builtin_popcountll(may_run_on[i]);
        task_cnt[i] = task_cnt_of(builder, &pipeline->node[i], room_cnt);
        total_cnt += task_cnt[i];
        if (task_cnt[i] == room_cnt)
            put_on(builder, i, may_run_on[i]);
    }
    if (total_cnt > FLY_PLAN_TASKS_MAX) {
        int rc = FLY_ERR(EINVAL, "the pipeline has %llu tasks, at most %d are possible",
                         (unsigned long long)total_cnt, FLY_PLAN_TASKS_MAX);
        FLY_ERR_HINT("give it fewer cores, or its nodes fewer 'tasks'");
        return rc;
    }
    for (uint32_t i = 0; i < pipeline->node_cnt; i++) {
        if (!builder->runs_on[i])
            put_on(builder, i, least_busy(builder, may_run_on[i], task_cnt[i]));
    }
    return 0;
}

/* The node after `prev` among those of the worker: deeper first, then in the order of the file. */
static uint32_t next_node(const struct fly_builder *builder, uint32_t worker, uint32_t prev)
{
    uint32_t best = FLY_PLAN_NONE;
    for (uint32_t i = 0; i < builder->pipeline->node_cnt; i++) {
        uint32_t depth = builder->node[i].depth;
        if (!(builder->runs_on[i] >> worker & 1))
            continue;
        if (prev != FLY_PLAN_NONE && (depth > builder->node[prev].depth ||
                                      (depth == builder->node[prev].depth && i <= prev)))
            continue;
        if (best == FLY_PLAN_NONE || depth > builder->node[best].depth)
            best = i;
    }
    return best;
}

static int number_tasks_of(struct fly_builder *builder, uint32_t worker_idx)
{
    struct fly_plan_worker *worker = &builder->worker[worker_idx];
    worker->first_task = builder->head.task_cnt;
    for (uint32_t i = next_node(builder, worker_idx, FLY_PLAN_NONE); i != FLY_PLAN_NONE;
         i = next_node(builder, worker_idx, i)) {
        struct fly_plan_node *node = &builder->node[i];
        uint64_t before = builder->runs_on[i] & ((UINT64_C(1) << worker_idx) - 1);
        struct fly_plan_task task = {
            .node = i, .worker = worker_idx, .idx = (uint32_t)__builtin_popcountll(before)};
        if (node->owns_roots) {
            task.first_root = worker->root_cnt;
            worker->root_cnt += node->delivery.max_in_flight;
        }
        if (task.idx == 0)
            node->first_task = builder->head.task_cnt;
        builder->task[builder->head.task_cnt++] = task;
    }
    if (worker->root_cnt <= FLY_PLAN_IN_FLIGHT_MAX)
        return 0;
    int rc = FLY_ERR(EINVAL, "core %u would have %u messages in flight, at most %d are possible",
                     worker->core, worker->root_cnt, FLY_PLAN_IN_FLIGHT_MAX);
    FLY_ERR_HINT("lower max_in_flight");
    return rc;
}

int fly_place_tasks(struct fly_builder *builder)
{
    int rc = choose_workers(builder);
    for (uint32_t i = 0; !rc && i < builder->head.worker_cnt; i++)
        rc = number_tasks_of(builder, i);
    return rc;
}
