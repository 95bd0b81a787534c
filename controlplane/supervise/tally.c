#include "supervise/tally.h"

#include "base/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int fly_tally_create(struct fly_tally *tally, const struct fly_plan *plan)
{
    *tally = (struct fly_tally){.node_cnt = plan->node_cnt};
    tally->node = calloc(plan->node_cnt, sizeof(*tally->node));
    if (!tally->node)
        goto fail;
    for (uint32_t i = 0; i < plan->node_cnt; i++) {
        if (!fly_plan_nodes(plan)[i].owns_roots)
            continue;
        struct fly_tally_roots *roots = calloc(1, sizeof(*roots));
        tally->node[i].roots = roots;
        void *memory = roots ? malloc(fly_histogram_footprint()) : NULL;
        if (!memory)
            goto fail;
        roots->latency = fly_histogram_init(memory);
    }
    return 0;

fail:
    fly_tally_destroy(tally);
    return FLY_ERR(ENOMEM, "no memory to count");
}

void fly_tally_destroy(struct fly_tally *tally)
{
    if (!tally)
        return;
    for (uint32_t i = 0; tally->node && i < tally->node_cnt; i++) {
        if (tally->node[i].roots)
            free(tally->node[i].roots->latency);
        free(tally->node[i].roots);
    }
    free(tally->node);
    memset(tally, 0, sizeof(*tally));
}

void fly_tally_clear(struct fly_tally *tally)
{
    tally->corrupt = tally->late = 0;
    tally->worker_cnt = tally->ready_cnt = 0;
    for (uint32_t i = 0; i < tally->node_cnt; i++) {
        struct fly_tally_roots *roots = tally->node[i].roots;
        tally->node[i] = (struct fly_tally_node){.roots = roots};
        if (roots)
            *roots = (struct fly_tally_roots){.latency = fly_histogram_init(roots->latency)};
    }
}

static void read_task(struct fly_tally_node *node, const struct fly_task_stats *stats)
{
    node->in += fly_counted(&stats->in);
    node->out += fly_counted(&stats->out);
    node->bytes_in += fly_counted(&stats->bytes_in);
    node->bytes_out += fly_counted(&stats->bytes_out);
    node->errors += fly_counted(&stats->errors);
    if (fly_counted(&stats->io_errno))
        node->io_errno = (int)fly_counted(&stats->io_errno);
}

static void read_roots(struct fly_tally_roots *roots, const struct fly_source_stats *stats)
{
    roots->in += fly_counted(&stats->in);
    roots->acked += fly_counted(&stats->acked);
    roots->failed += fly_counted(&stats->failed);
    roots->dropped += fly_counted(&stats->dropped);
    roots->abandoned += fly_counted(&stats->abandoned);
    roots->in_flight += fly_counted(&stats->in_flight);
    roots->retried += fly_counted(&stats->retried);
    roots->timeouts += fly_counted(&stats->timeouts);
    roots->bytes += fly_counted(&stats->bytes);
    roots->done += fly_counted(&stats->done);
    roots->total += fly_counted(&stats->total);
    roots->ended_cnt += fly_counted(&stats->ended) != 0;
    for (uint32_t i = 0; i < FLY_REASONS_MAX; i++) {
        roots->dropped_by[i] += fly_counted(&stats->dropped_by[i]);
        roots->failed_by[i] += fly_counted(&stats->failed_by[i]);
    }
}

void fly_tally_read(struct fly_tally *tally, const struct fly_workspace *workspace,
                    const struct fly_layout *layout)
{
    const struct fly_plan *plan = workspace->plan;
    for (uint32_t i = 0; i < plan->task_cnt; i++) {
        struct fly_tally_node *node = &tally->node[fly_plan_tasks(plan)[i].node];
        const struct fly_source_stats *stats = fly_source_stats(workspace, layout, i);
        read_task(node, fly_task_stats(workspace, layout, i));
        if (!stats || !node->roots)
            continue;
        read_roots(node->roots, stats);
        fly_histogram_merge(node->roots->latency, fly_source_histogram(workspace, layout, i));
    }
    tally->worker_cnt = plan->worker_cnt;
    for (uint32_t i = 0; i < plan->worker_cnt; i++) {
        const struct fly_worker_stats *stats = fly_worker_stats(workspace, layout, i);
        tally->ready_cnt += fly_counted(&stats->ready) != 0;
        tally->corrupt += fly_counted(&stats->corrupt);
        tally->late += fly_counted(&stats->late);
    }
}

static void add_roots(struct fly_tally_roots *into, const struct fly_tally_roots *from)
{
    into->in += from->in;
    into->acked += from->acked;
    into->failed += from->failed;
    into->dropped += from->dropped;
    into->abandoned += from->abandoned;
    into->in_flight += from->in_flight;
    into->retried += from->retried;
    into->timeouts += from->timeouts;
    into->bytes += from->bytes;
    into->done += from->done;
    into->total += from->total;
    into->ended_cnt += from->ended_cnt;
    for (uint32_t i = 0; i < FLY_REASONS_MAX; i++) {
        into->dropped_by[i] += from->dropped_by[i];
        into->failed_by[i] += from->failed_by[i];
    }
    fly_histogram_merge(into->latency, from->latency);
}

void fly_tally_add(struct fly_tally *into, const struct fly_tally *from)
{
    for (uint32_t i = 0; i < into->node_cnt; i++) {
        struct fly_tally_node *node = &into->node[i];
        const struct fly_tally_node *more = &from->node[i];
        node->in += more->in;
        node->out += more->out;
        node->bytes_in += more->bytes_in;
        node->bytes_out += more->bytes_out;
        node->errors += more->errors;
        if (node->roots)
            add_roots(node->roots, more->roots);
    }
    into->corrupt += from->corrupt;
    into->late += from->late;
    into->worker_cnt += from->worker_cnt;
    into->ready_cnt += from->ready_cnt;
}

void fly_tally_settle(struct fly_tally_roots *roots, uint64_t abandoned_cnt)
{
    roots->abandoned += abandoned_cnt;
    roots->in_flight = 0;
    roots->in = roots->acked + roots->failed + roots->dropped + roots->abandoned;
    /* The next dataplane says how far it is; what was read twice would count twice. */
    roots->done = roots->total = 0;
    roots->ended_cnt = 0;
}

bool fly_tally_balances(const struct fly_tally_roots *roots)
{
    return roots->in ==
           roots->acked + roots->failed + roots->dropped + roots->abandoned + roots->in_flight;
}
