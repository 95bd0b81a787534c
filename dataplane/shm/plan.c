#include "shm/plan.h"

#include "base/check.h"
#include "base/err.h"

#include <errno.h>
#include <flyover/plugin.h>
#include <stdbool.h>
#include <string.h>

/* A table of the plan: where it says it is, how much there is of it, and how much there may be. */
struct table {
    const char *what;
    uint64_t offset;
    uint32_t cnt, max_cnt;
    uint32_t entry_bytes;
};

static bool ends_in(const char *text, size_t bytes)
{
    return memchr(text, '\0', bytes) != NULL;
}

/* first + cnt <= limit, without overflow. */
static bool within(uint32_t first, uint32_t cnt, uint32_t limit)
{
    return cnt <= limit && first <= limit - cnt;
}

static int check_table(const struct fly_plan *plan, const struct table *table)
{
    if (table->cnt > table->max_cnt)
        return FLY_ERR(EINVAL, "the plan has %u %s, %u at most are possible", table->cnt,
                       table->what, table->max_cnt);
    uint64_t bytes = (uint64_t)table->cnt * table->entry_bytes;
    if (table->offset % 8 != 0 || table->offset < sizeof(*plan) || table->offset > plan->bytes ||
        bytes > plan->bytes - table->offset)
        return FLY_ERR(EINVAL, "the plan's %s lie outside of it", table->what);
    return 0;
}

static int check_tables(const struct fly_plan *plan)
{
    const struct table tables[] = {
        {"nodes", plan->nodes, plan->node_cnt, FLY_PLAN_NODES_MAX, sizeof(struct fly_plan_node)},
        {"ports", plan->ports, plan->port_cnt, FLY_PLAN_NODES_MAX * FLY_PLAN_PORTS_MAX,
         sizeof(struct fly_plan_port)},
        {"edges", plan->edges, plan->edge_cnt, FLY_PLAN_EDGES_MAX, sizeof(struct fly_plan_edge)},
        {"targets", plan->targets, plan->target_cnt, FLY_PLAN_EDGES_MAX * FLY_PLAN_TARGETS_MAX,
         sizeof(uint32_t)},
        {"slot tables", plan->slots, plan->slot_table_cnt, FLY_PLAN_EDGES_MAX,
         FLY_SLOT_CNT * sizeof(uint16_t)},
        {"tasks", plan->tasks, plan->task_cnt, FLY_PLAN_TASKS_MAX, sizeof(struct fly_plan_task)},
        {"workers", plan->workers, plan->worker_cnt, FLY_PLAN_WORKERS_MAX,
         sizeof(struct fly_plan_worker)},
        {"plugins", plan->plugins, plan->plugin_cnt, FLY_PLAN_NODES_MAX, FLY_PLAN_PATH_MAX},
    };
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        int rc = check_table(plan, &tables[i]);
        if (rc)
            return rc;
    }
    return 0;
}

static int check_head(const struct fly_plan *plan, uint64_t bytes)
{
    if (bytes < sizeof(*plan) || plan->bytes < sizeof(*plan) || plan->bytes > bytes)
        return FLY_ERR(EINVAL, "the plan says that it has %llu bytes, there are %llu",
                       (unsigned long long)plan->bytes, (unsigned long long)bytes);
    if (!ends_in(plan->name, sizeof(plan->name)) ||
        !ends_in(plan->instance, sizeof(plan->instance)))
        return FLY_ERR(EINVAL, "the plan's names do not end");
    if (plan->idle > FLY_IDLE_SPIN)
        return FLY_ERR(EINVAL, "the plan has idle policy %u", plan->idle);
    if (plan->frame_bytes < FLY_PLAN_FRAME_BYTES_MIN ||
        plan->frame_bytes > FLY_PLAN_FRAME_BYTES_MAX)
        return FLY_ERR(EINVAL, "the plan has frames of %llu bytes",
                       (unsigned long long)plan->frame_bytes);
    if (plan->node_cnt == 0 || plan->task_cnt == 0 || plan->worker_cnt == 0)
        return FLY_ERR(EINVAL, "the plan is empty");
    return 0;
}

static int check_worker(const struct fly_plan *plan, uint32_t idx, uint32_t first_task)
{
    const struct fly_plan_worker *worker = &fly_plan_workers(plan)[idx];
    if (worker->first_task != first_task || !within(first_task, worker->task_cnt, plan->task_cnt))
        return FLY_ERR(EINVAL, "worker %u: its tasks do not follow those before", idx);
    if (worker->root_cnt > FLY_PLAN_IN_FLIGHT_MAX)
        return FLY_ERR(EINVAL, "worker %u: %u roots", idx, worker->root_cnt);
    for (uint32_t i = 0; i < worker->task_cnt; i++) {
        const struct fly_plan_task *task = &fly_plan_tasks(plan)[first_task + i];
        if (task->worker != idx || task->node >= plan->node_cnt)
            return FLY_ERR(EINVAL, "task %u: not of worker %u or of no node", first_task + i, idx);
        const struct fly_plan_node *node = &fly_plan_nodes(plan)[task->node];
        if (task->idx >= node->task_cnt)
            return FLY_ERR(EINVAL, "task %u: no %u of %u", first_task + i, task->idx,
                           node->task_cnt);
        if (node->owns_roots &&
            !within(task->first_root, node->delivery.max_in_flight, worker->root_cnt))
            return FLY_ERR(EINVAL, "task %u: its roots are not in its worker's tracker",
                           first_task + i);
    }
    return 0;
}

static int check_workers(const struct fly_plan *plan)
{
    uint32_t task_cnt = 0;
    for (uint32_t i = 0; i < plan->worker_cnt; i++) {
        int rc = check_worker(plan, i, task_cnt);
        if (rc)
            return rc;
        task_cnt += fly_plan_workers(plan)[i].task_cnt;
    }
    if (task_cnt != plan->task_cnt)
        return FLY_ERR(EINVAL, "the plan has %u tasks, its workers have %u", plan->task_cnt,
                       task_cnt);
    return 0;
}

/* Each index 0 .. task_cnt - 1 of a node is there once. */
static int check_tasks_of(const struct fly_plan *plan, uint32_t idx)
{
    const struct fly_plan_node *node = &fly_plan_nodes(plan)[idx];
    const struct fly_plan_task *tasks = fly_plan_tasks(plan);
    uint8_t seen[FLY_PLAN_TASKS_MAX] = {0};
    uint32_t cnt = 0;
    if (node->task_cnt == 0 || node->first_task >= plan->task_cnt ||
        tasks[node->first_task].node != idx || tasks[node->first_task].idx != 0)
        return FLY_ERR(EINVAL, "node '%s': its first task is not its own", node->name);
    for (uint32_t i = 0; i < plan->task_cnt; i++) {
        if (tasks[i].node != idx)
            continue;
        if (seen[tasks[i].idx])
            return FLY_ERR(EINVAL, "node '%s': task %u is there twice", node->name, tasks[i].idx);
        seen[tasks[i].idx] = 1;
        cnt++;
    }
    return cnt == node->task_cnt ? 0
                                 : FLY_ERR(EINVAL, "node '%s': %u tasks of %u are there",
                                           node->name, cnt, node->task_cnt);
}

static int check_port(const struct fly_plan *plan, uint32_t node_idx, uint32_t port_idx)
{
    const struct fly_plan_node *node = &fly_plan_nodes(plan)[node_idx];
    const struct fly_plan_port *port = &fly_plan_ports(plan)[node->first_port + port_idx];
    if (!ends_in(port->name, sizeof(port->name)) || port->node != node_idx ||
        !within(port->first_edge, port->edge_cnt, plan->edge_cnt))
        return FLY_ERR(EINVAL, "node '%s': port %u is not its own", node->name, port_idx);
    for (uint32_t i = 0; i < port->edge_cnt; i++) {
        const struct fly_plan_edge *edge = &fly_plan_edges(plan)[port->first_edge + i];
        if (edge->from_node != node_idx || edge->from_port != port_idx)
            return FLY_ERR(EINVAL, "node '%s': an edge of port '%s' starts elsewhere", node->name,
                           port->name);
    }
    return 0;
}

static int check_node_delivery(const struct fly_plan_node *node)
{
    const struct fly_plan_delivery *delivery = &node->delivery;
    if (!node->owns_roots)
        return 0;
    if (delivery->attempts == 0 || !fly_is_pow2(delivery->max_in_flight) ||
        delivery->max_in_flight > FLY_PLAN_IN_FLIGHT_MAX)
        return FLY_ERR(EINVAL, "node '%s': %u attempts, %u roots in flight", node->name,
                       delivery->attempts, delivery->max_in_flight);
    return 0;
}

static int check_node(const struct fly_plan *plan, uint32_t idx)
{
    const struct fly_plan_node *node = &fly_plan_nodes(plan)[idx];
    if (!ends_in(node->name, sizeof(node->name)) || !ends_in(node->type, sizeof(node->type)) ||
        node->kind > FLY_SINK)
        return FLY_ERR(EINVAL, "node %u has no proper name, type or kind", idx);
    if (node->params_offset > plan->bytes || node->params_bytes > plan->bytes - node->params_offset)
        return FLY_ERR(EINVAL, "node '%s': its parameters lie outside of the plan", node->name);
    if (node->port_cnt > FLY_PLAN_PORTS_MAX ||
        !within(node->first_port, node->port_cnt, plan->port_cnt))
        return FLY_ERR(EINVAL, "node '%s': its ports lie outside of the plan", node->name);
    for (uint32_t i = 0; i < node->port_cnt; i++) {
        int rc = check_port(plan, idx, i);
        if (rc)
            return rc;
    }
    if (node->dead_edge != FLY_PLAN_NONE &&
        (node->dead_edge >= plan->edge_cnt ||
         fly_plan_edges(plan)[node->dead_edge].from_node != idx ||
         fly_plan_edges(plan)[node->dead_edge].from_port != FLY_PLAN_NONE))
        return FLY_ERR(EINVAL, "node '%s': its edge for dead letters is not its own", node->name);
    int rc = check_node_delivery(node);
    return rc ? rc : check_tasks_of(plan, idx);
}

static int check_edge_targets(const struct fly_plan *plan, uint32_t idx)
{
    const struct fly_plan_edge *edge = &fly_plan_edges(plan)[idx];
    const uint32_t *targets = fly_plan_targets(plan) + edge->first_target;
    for (uint32_t i = 0; i < edge->target_cnt; i++) {
        if (targets[i] >= plan->task_cnt)
            return FLY_ERR(EINVAL, "edge %u: there is no task %u", idx, targets[i]);
        const struct fly_plan_node *nodes = fly_plan_nodes(plan);
        /* Depths that rise along every edge also prove that there is no cycle. */
        if (nodes[fly_plan_tasks(plan)[targets[i]].node].depth <= nodes[edge->from_node].depth)
            return FLY_ERR(EINVAL, "edge %u: it does not lead to a deeper node", idx);
    }
    return 0;
}

static int check_edge_slots(const struct fly_plan *plan, uint32_t idx)
{
    const struct fly_plan_edge *edge = &fly_plan_edges(plan)[idx];
    if (edge->grouping != FLY_GROUP_KEY)
        return edge->slots == FLY_PLAN_NONE
                   ? 0
                   : FLY_ERR(EINVAL, "edge %u: slots without grouping by key", idx);
    if (edge->slots >= plan->slot_table_cnt)
        return FLY_ERR(EINVAL, "edge %u: there is no slot table %u", idx, edge->slots);
    const uint16_t *slots = fly_plan_slots(plan, edge->slots);
    for (uint32_t i = 0; i < FLY_SLOT_CNT; i++) {
        if (slots[i] >= edge->target_cnt)
            return FLY_ERR(EINVAL, "edge %u: slot %u goes to target %u of %u", idx, i, slots[i],
                           edge->target_cnt);
    }
    return 0;
}

static int check_edge(const struct fly_plan *plan, uint32_t idx)
{
    const struct fly_plan_edge *edge = &fly_plan_edges(plan)[idx];
    if (edge->from_node >= plan->node_cnt || edge->grouping > FLY_GROUP_GLOBAL)
        return FLY_ERR(EINVAL, "edge %u: it comes from nowhere or has no grouping", idx);
    const struct fly_plan_node *from = &fly_plan_nodes(plan)[edge->from_node];
    if (edge->from_port == FLY_PLAN_NONE ? from->dead_edge != idx
                                         : edge->from_port >= from->port_cnt)
        return FLY_ERR(EINVAL, "edge %u: node '%s' has no such port", idx, from->name);
    if (edge->target_cnt == 0 || edge->target_cnt > FLY_PLAN_TARGETS_MAX ||
        !within(edge->first_target, edge->target_cnt, plan->target_cnt))
        return FLY_ERR(EINVAL, "edge %u: %u targets", idx, edge->target_cnt);
    if (edge->max_message_bytes == 0 || edge->frame_cnt > FLY_PLAN_FRAMES_MAX ||
        edge->frame_cnt < fly_plan_frames_min(plan, edge))
        return FLY_ERR(EINVAL, "edge %u: %u frames for messages of %u bytes", idx, edge->frame_cnt,
                       edge->max_message_bytes);
    int rc = check_edge_targets(plan, idx);
    return rc ? rc : check_edge_slots(plan, idx);
}

int fly_plan_check(const struct fly_plan *plan, uint64_t bytes)
{
    int rc = check_head(plan, bytes);
    if (!rc)
        rc = check_tables(plan);
    if (!rc)
        rc = check_workers(plan);
    for (uint32_t i = 0; !rc && i < plan->node_cnt; i++)
        rc = check_node(plan, i);
    for (uint32_t i = 0; !rc && i < plan->edge_cnt; i++)
        rc = check_edge(plan, i);
    for (uint32_t i = 0; !rc && i < plan->plugin_cnt; i++)
        rc = ends_in(fly_plan_plugin(plan, i), FLY_PLAN_PATH_MAX)
                 ? 0
                 : FLY_ERR(EINVAL, "plugin %u: its path does not end", i);
    return rc ? FLY_ERR_NOTE("the plan is not consistent") : 0;
}
