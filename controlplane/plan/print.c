#include "plan/print.h"

#include "base/err.h"
#include "shm/memory.h"
#include "worker/layout.h"

#include <errno.h>
#include <flyover/plugin.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { HUGE_PAGE_BYTES = 1 << 21 };

/* What is printed, gathered once for both forms. */
struct view {
    const struct fly_built *built;
    const struct fly_plan *plan;
    struct fly_layout layout;
    uint64_t huge_pages_needed, huge_pages_free;
};

static const char *grouping_name(uint32_t grouping)
{
    static const char *const name[] = {"local", "shuffle", "key", "broadcast", "global"};
    return name[grouping];
}

static const char *kind_name(uint32_t kind)
{
    static const char *const name[] = {"source", "stage", "sink"};
    return name[kind];
}

static const char *port_name(const struct fly_plan *plan, const struct fly_plan_edge *edge)
{
    if (edge->from_port == FLY_PLAN_NONE)
        return "dead letters";
    const struct fly_plan_node *node = &fly_plan_nodes(plan)[edge->from_node];
    return fly_plan_ports(plan)[node->first_port + edge->from_port].name;
}

static uint32_t core_of(const struct fly_plan *plan, uint32_t node, uint32_t idx)
{
    const struct fly_plan_task *task = &fly_plan_tasks(plan)[fly_plan_task_of(plan, node, idx)];
    return fly_plan_workers(plan)[task->worker].core;
}

/* The receiver that target `i` belongs to, if it is the first of that node's; else
 * FLY_PLAN_NONE. */
static uint32_t new_receiver(const struct fly_plan *plan, const struct fly_plan_edge *edge,
                             uint32_t i)
{
    const uint32_t *target = fly_plan_targets(plan) + edge->first_target;
    const struct fly_plan_task *tasks = fly_plan_tasks(plan);
    if (i > 0 && tasks[target[i]].node == tasks[target[i - 1]].node)
        return FLY_PLAN_NONE;
    return tasks[target[i]].node;
}

static void print_head(const struct view *view, FILE *file)
{
    const struct fly_plan *plan = view->plan;
    fprintf(file, "pipeline %s, instance %s\n\nworkers\n", plan->name, plan->instance);
    for (uint32_t i = 0; i < plan->worker_cnt; i++) {
        const struct fly_plan_worker *worker = &fly_plan_workers(plan)[i];
        fprintf(file, "  %-3u core %-4u %3u tasks, up to %u messages in flight\n", i, worker->core,
                worker->task_cnt, worker->root_cnt);
    }
    fprintf(file, "  idle %s, frames leave after %" PRIu64 " us at the latest\n",
            plan->idle == FLY_IDLE_SPIN ? "spin" : "adaptive", plan->flush_ns / 1000);
}

static void print_nodes(const struct view *view, FILE *file)
{
    const struct fly_plan *plan = view->plan;
    fprintf(file, "\nnodes\n  %-20s %-16s %-7s %s\n", "name", "type", "kind", "tasks on cores");
    for (uint32_t n = 0; n < plan->node_cnt; n++) {
        const struct fly_plan_node *node = &fly_plan_nodes(plan)[n];
        fprintf(file, "  %-20s %-16s %-7s %u on", node->name, node->type, kind_name(node->kind),
                node->task_cnt);
        for (uint32_t i = 0; i < node->task_cnt; i++)
            fprintf(file, "%s%u", i ? "," : " ", core_of(plan, n, i));
        if (node->owns_roots)
            fprintf(file, "; %u in flight each, %u attempts", node->delivery.max_in_flight,
                    node->delivery.attempts);
        if (node->retain_bytes)
            fprintf(file, ", retains %" PRIu64 " bytes", node->retain_bytes);
        if (node->hold_messages)
            fprintf(file, "; holds %u messages, %" PRIu64 " bytes", node->hold_messages,
                    node->hold_bytes);
        if (node->state_bytes)
            fprintf(file, "; state %" PRIu64 " bytes", node->state_bytes);
        fputc('\n', file);
    }
}

static void print_edges(const struct view *view, FILE *file)
{
    const struct fly_plan *plan = view->plan;
    fprintf(file, "\nedges\n");
    for (uint32_t e = 0; e < plan->edge_cnt; e++) {
        const struct fly_plan_edge *edge = &fly_plan_edges(plan)[e];
        const struct fly_plan_node *from = &fly_plan_nodes(plan)[edge->from_node];
        fprintf(file, "  %s.%s ->", from->name, port_name(plan, edge));
        for (uint32_t i = 0; i < edge->target_cnt; i++) {
            uint32_t to = new_receiver(plan, edge, i);
            if (to != FLY_PLAN_NONE)
                fprintf(file, "%s%s", i ? ", " : " ", fly_plan_nodes(plan)[to].name);
        }
        fprintf(file,
                "  %s, %u senders with %u frames each, %u receivers, messages up to %u bytes\n",
                grouping_name(edge->grouping), from->task_cnt, edge->frame_cnt, edge->target_cnt,
                edge->max_message_bytes);
    }
}

static uint32_t ring_cnt(const struct view *view)
{
    uint32_t cnt = 0;
    for (uint32_t i = 0; i < view->plan->worker_cnt * view->plan->worker_cnt; i++)
        cnt += view->layout.pair[i].data ? 3 : 0;
    return cnt;
}

static void print_memory(const struct view *view, FILE *file)
{
    const struct fly_layout *layout = &view->layout;
    uint64_t sum_bytes = 0;
    fprintf(file, "\nmemory in bytes\n");
    for (uint32_t i = 0; i < FLY_PART_CNT; i++) {
        fprintf(file, "  %-10s %14" PRIu64, fly_part_name((enum fly_part)i), layout->part_bytes[i]);
        sum_bytes += layout->part_bytes[i];
        if (i == FLY_PART_RINGS)
            fprintf(file, "  %u rings", ring_cnt(view));
        if (i == FLY_PART_FRAMES)
            fprintf(file, "  %u frames of %" PRIu64, layout->frame_cnt, layout->frame_stride);
        fputc('\n', file);
    }
    fprintf(file, "  %-10s %14" PRIu64 "\n", "padding", layout->bytes - sum_bytes);
    fprintf(file, "  %-10s %14" PRIu64 "  %.1f MiB\n", "total", layout->bytes,
            (double)layout->bytes / (1 << 20));
    fprintf(file, "  huge pages %14" PRIu64 "  of 2 MiB would hold it, %" PRIu64 " are free: %s\n",
            view->huge_pages_needed, view->huge_pages_free,
            view->huge_pages_free >= view->huge_pages_needed ? "used" : "plain pages are used");
}

static void print_text(const struct view *view, FILE *file)
{
    print_head(view, file);
    print_nodes(view, file);
    print_edges(view, file);
    print_memory(view, file);
    for (uint32_t i = 0; i < view->built->note_cnt; i++)
        fprintf(file, "%snote: %s\n", i ? "" : "\n", view->built->note[i]);
}

static json_t *workers_json(const struct fly_plan *plan)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < plan->worker_cnt; i++) {
        const struct fly_plan_worker *worker = &fly_plan_workers(plan)[i];
        json_array_append_new(array, json_pack("{s:I, s:I, s:I}", "core", (json_int_t)worker->core,
                                               "tasks", (json_int_t)worker->task_cnt, "in_flight",
                                               (json_int_t)worker->root_cnt));
    }
    return array;
}

static json_t *node_json(const struct fly_plan *plan, uint32_t n)
{
    const struct fly_plan_node *node = &fly_plan_nodes(plan)[n];
    json_t *cores = json_array();
    for (uint32_t i = 0; i < node->task_cnt; i++)
        json_array_append_new(cores, json_integer(core_of(plan, n, i)));
    json_t *object = json_pack("{s:s, s:s, s:I, s:o, s:I}", "type", node->type, "kind",
                               kind_name(node->kind), "tasks", (json_int_t)node->task_cnt, "cores",
                               cores, "depth", (json_int_t)node->depth);
    if (node->owns_roots)
        json_object_set_new(object, "delivery",
                            json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "max_in_flight",
                                      (json_int_t)node->delivery.max_in_flight, "attempts",
                                      (json_int_t)node->delivery.attempts, "ack_timeout_ns",
                                      (json_int_t)node->delivery.ack_timeout_ns, "backoff_ns",
                                      (json_int_t)node->delivery.backoff_ns, "backoff_max_ns",
                                      (json_int_t)node->delivery.backoff_max_ns, "retain_bytes",
                                      (json_int_t)node->retain_bytes));
    if (node->hold_messages)
        json_object_set_new(object, "hold",
                            json_pack("{s:I, s:I}", "messages", (json_int_t)node->hold_messages,
                                      "bytes", (json_int_t)node->hold_bytes));
    if (node->state_bytes)
        json_object_set_new(object, "state_bytes", json_integer((json_int_t)node->state_bytes));
    return object;
}

static json_t *nodes_json(const struct fly_plan *plan)
{
    json_t *nodes = json_object();
    for (uint32_t n = 0; n < plan->node_cnt; n++)
        json_object_set_new(nodes, fly_plan_nodes(plan)[n].name, node_json(plan, n));
    return nodes;
}

static json_t *edges_json(const struct fly_plan *plan)
{
    json_t *edges = json_array();
    for (uint32_t e = 0; e < plan->edge_cnt; e++) {
        const struct fly_plan_edge *edge = &fly_plan_edges(plan)[e];
        const struct fly_plan_node *from = &fly_plan_nodes(plan)[edge->from_node];
        json_t *receivers = json_array();
        for (uint32_t i = 0; i < edge->target_cnt; i++) {
            uint32_t to = new_receiver(plan, edge, i);
            if (to != FLY_PLAN_NONE)
                json_array_append_new(receivers, json_string(fly_plan_nodes(plan)[to].name));
        }
        json_array_append_new(edges, json_pack("{s:s, s:s, s:o, s:s, s:I, s:I, s:I, s:I}", "from",
                                               from->name, "port", port_name(plan, edge), "to",
                                               receivers, "grouping", grouping_name(edge->grouping),
                                               "senders", (json_int_t)from->task_cnt, "frames",
                                               (json_int_t)edge->frame_cnt, "receiving_tasks",
                                               (json_int_t)edge->target_cnt, "max_message_bytes",
                                               (json_int_t)edge->max_message_bytes));
    }
    return edges;
}

static json_t *memory_json(const struct view *view)
{
    json_t *parts = json_object();
    uint64_t sum_bytes = 0;
    for (uint32_t i = 0; i < FLY_PART_CNT; i++) {
        sum_bytes += view->layout.part_bytes[i];
        json_object_set_new(parts, fly_part_name((enum fly_part)i),
                            json_integer((json_int_t)view->layout.part_bytes[i]));
    }
    json_object_set_new(parts, "padding",
                        json_integer((json_int_t)(view->layout.bytes - sum_bytes)));
    return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "parts", parts, "total_bytes",
                     (json_int_t)view->layout.bytes, "rings", (json_int_t)ring_cnt(view), "frames",
                     (json_int_t)view->layout.frame_cnt, "frame_bytes",
                     (json_int_t)view->layout.frame_stride, "huge_pages_needed",
                     (json_int_t)view->huge_pages_needed, "huge_pages_free",
                     (json_int_t)view->huge_pages_free);
}

static int print_json(const struct view *view, FILE *file)
{
    const struct fly_plan *plan = view->plan;
    json_t *notes = json_array();
    for (uint32_t i = 0; i < view->built->note_cnt; i++)
        json_array_append_new(notes, json_string(view->built->note[i]));
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "pipeline", plan->name, "instance",
        plan->instance, "idle", plan->idle == FLY_IDLE_SPIN ? "spin" : "adaptive", "flush_ns",
        (json_int_t)plan->flush_ns, "workers", workers_json(plan), "nodes", nodes_json(plan),
        "edges", edges_json(plan), "memory", memory_json(view), "notes", notes);
    if (!object)
        return FLY_ERR(ENOMEM, "no memory to print the plan");
    json_dumpf(object, file, JSON_INDENT(2));
    fputc('\n', file);
    json_decref(object);
    return 0;
}

int fly_plan_print(const struct fly_pipeline *pipeline, const struct fly_build_options *options,
                   bool json, FILE *file)
{
    struct fly_built *built;
    int rc = fly_plan_build(pipeline, options, &built);
    if (rc)
        return rc;
    struct view view = {.built = built, .plan = built->plan};
    rc = fly_layout_compute(built->plan, &view.layout);
    if (!rc) {
        view.huge_pages_needed = (view.layout.bytes + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES;
        view.huge_pages_free = fly_memory_huge_free("") / HUGE_PAGE_BYTES;
        if (json)
            rc = print_json(&view, file);
        else
            print_text(&view, file);
        fly_layout_fini(&view.layout);
    }
    fly_built_destroy(built);
    return rc;
}
