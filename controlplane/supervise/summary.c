#include "supervise/summary.h"

#include "base/err.h"
#include "stats/reason.h"
#include "supervise/progress.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

/* The latencies that are shown. */
static const struct {
    const char *name;
    double share;
} percentiles[] = {
    {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}, {"p9999", 0.9999},
};
enum { PERCENTILE_CNT = sizeof(percentiles) / sizeof(percentiles[0]) };

const char *fly_summary_reason(uint32_t reason, char *text, size_t bytes)
{
    const char *name = fly_reason_name(reason);
    if (name)
        snprintf(text, bytes, "%s", name);
    else if (reason >= FLY_REASON_NODE)
        snprintf(text, bytes, "node-%u", reason - FLY_REASON_NODE);
    else
        snprintf(text, bytes, "reason-%u", reason);
    return text;
}

/* A node's own reason is named by the first type in the pipeline that has it. */
static const char *reason_name(const struct fly_summary *summary, uint32_t reason, char *text,
                               size_t bytes)
{
    const struct fly_pipeline *pipeline = summary->pipeline;
    const char *own = NULL;
    for (uint32_t n = 0; reason >= FLY_REASON_NODE && !own && n < pipeline->node_cnt; n++)
        own = fly_reason_of_node(pipeline->node[n].type, reason);
    return own ? own : fly_summary_reason(reason, text, bytes);
}

static double rate(const struct fly_summary *summary, uint64_t cnt)
{
    return summary->seconds > 0 ? (double)cnt / summary->seconds : 0;
}

/* Nanoseconds as people read them. */
static const char *format_ns(uint64_t ns, char *text, size_t bytes)
{
    if (ns < 1000)
        snprintf(text, bytes, "%" PRIu64 " ns", ns);
    else if (ns < 1000000)
        snprintf(text, bytes, "%.1f us", (double)ns / 1e3);
    else if (ns < 1000000000)
        snprintf(text, bytes, "%.1f ms", (double)ns / 1e6);
    else
        snprintf(text, bytes, "%.2f s", (double)ns / 1e9);
    return text;
}

/* Is this node's ledger worth a line? Sources always, stages if they made messages of their own. */
static bool has_ledger(const struct fly_summary *summary, uint32_t idx, bool sources)
{
    const struct fly_tally_roots *roots = summary->tally->node[idx].roots;
    bool is_source = fly_plan_nodes(summary->plan)[idx].kind == FLY_SOURCE;
    return roots && is_source == sources && (sources || roots->in > 0);
}

static void print_reasons(const struct fly_summary *summary, const char *what, const uint64_t *by,
                          FILE *file)
{
    char name[32];
    const char *before = what;
    for (uint32_t i = 0; i < FLY_REASONS_MAX; i++) {
        if (!by[i])
            continue;
        fprintf(file, "%s %" PRIu64 " %s", before, by[i],
                reason_name(summary, i, name, sizeof(name)));
        before = ",";
    }
    if (before != what)
        fputc('\n', file);
}

static void print_ledger(const struct fly_summary *summary, FILE *file)
{
    fprintf(file, "\n%-16s %12s %12s %9s %9s %9s %9s %9s\n", "messages from", "in", "acked",
            "failed", "dropped", "abandoned", "in flight", "retried");
    for (int sources = 1; sources >= 0; sources--) {
        for (uint32_t i = 0; i < summary->plan->node_cnt; i++) {
            const char *name = fly_plan_nodes(summary->plan)[i].name;
            const struct fly_tally_roots *roots = summary->tally->node[i].roots;
            if (!has_ledger(summary, i, sources))
                continue;
            fprintf(file,
                    "%-16s %12" PRIu64 " %12" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64
                    " %9" PRIu64 " %9" PRIu64 "\n",
                    name, roots->in, roots->acked, roots->failed, roots->dropped, roots->abandoned,
                    roots->in_flight, roots->retried);
            print_reasons(summary, "  to dead letters:", roots->failed_by, file);
            print_reasons(summary, "  dropped:", roots->dropped_by, file);
        }
    }
}

static void print_latencies(const struct fly_summary *summary, FILE *file)
{
    char text[32];
    fprintf(file, "\n%-16s %12s %12s", "source to ack", "messages/s", "bytes/s");
    for (uint32_t i = 0; i < PERCENTILE_CNT; i++)
        fprintf(file, " %9s", percentiles[i].name);
    fprintf(file, " %9s\n", "max");
    for (uint32_t n = 0; n < summary->plan->node_cnt; n++) {
        const struct fly_tally_roots *roots = summary->tally->node[n].roots;
        if (!has_ledger(summary, n, true))
            continue;
        fly_progress_number(rate(summary, roots->acked), text, sizeof(text));
        fprintf(file, "%-16s %12s", fly_plan_nodes(summary->plan)[n].name, text);
        fly_progress_number(rate(summary, roots->bytes), text, sizeof(text));
        fprintf(file, " %12s", text);
        for (uint32_t i = 0; i < PERCENTILE_CNT; i++) {
            uint64_t ns = fly_histogram_percentile(roots->latency, percentiles[i].share);
            fprintf(file, " %9s", format_ns(ns, text, sizeof(text)));
        }
        fprintf(file, " %9s\n", format_ns(fly_histogram_max(roots->latency), text, sizeof(text)));
    }
}

/* Where a sink wrote to: its first path. */
static const char *written_to(const struct fly_pipeline_node *node)
{
    for (uint32_t i = 0; node->type->kind == FLY_SINK && i < node->param_cnt; i++) {
        if (node->param[i].param->type == FLY_PARAM_PATH && node->param[i].string.bytes)
            return node->param[i].string.text;
    }
    return NULL;
}

static void print_nodes(const struct fly_summary *summary, FILE *file)
{
    fprintf(file, "\n%-16s %-12s %12s %12s %15s %15s %9s\n", "node", "type", "in", "out",
            "bytes in", "bytes out", "errors");
    for (uint32_t i = 0; i < summary->plan->node_cnt; i++) {
        const struct fly_plan_node *plan = &fly_plan_nodes(summary->plan)[i];
        const struct fly_tally_node *node = &summary->tally->node[i];
        const char *path = written_to(&summary->pipeline->node[i]);
        fprintf(file,
                "%-16s %-12s %12" PRIu64 " %12" PRIu64 " %15" PRIu64 " %15" PRIu64 " %9" PRIu64
                "%s%s\n",
                plan->name, plan->type, node->in, node->out, node->bytes_in, node->bytes_out,
                node->errors, path ? "  " : "", path ? path : "");
    }
}

void fly_summary_print(const struct fly_summary *summary, FILE *file)
{
    fprintf(file, "%s: %s after %.2f s on %u cores", summary->plan->name, summary->outcome,
            summary->seconds, summary->plan->worker_cnt);
    if (summary->restart_cnt)
        fprintf(file, ", started again %u times", summary->restart_cnt);
    fputc('\n', file);
    print_ledger(summary, file);
    print_latencies(summary, file);
    print_nodes(summary, file);
}

static json_t *reasons_json(const struct fly_summary *summary, const uint64_t *by)
{
    json_t *object = json_object();
    char name[32];
    for (uint32_t i = 0; i < FLY_REASONS_MAX; i++) {
        if (by[i])
            json_object_set_new(object, reason_name(summary, i, name, sizeof(name)),
                                json_integer((json_int_t)by[i]));
    }
    return object;
}

static json_t *latency_json(const struct fly_histogram *latency)
{
    json_t *object = json_object();
    for (uint32_t i = 0; i < PERCENTILE_CNT; i++) {
        uint64_t ns = fly_histogram_percentile(latency, percentiles[i].share);
        json_object_set_new(object, percentiles[i].name, json_integer((json_int_t)ns));
    }
    json_object_set_new(object, "max", json_integer((json_int_t)fly_histogram_max(latency)));
    return object;
}

static json_t *ledger_json(const struct fly_summary *summary, const struct fly_tally_roots *roots)
{
    const struct {
        const char *name;
        uint64_t value;
    } terms[] = {{"in", roots->in},
                 {"acked", roots->acked},
                 {"failed", roots->failed},
                 {"dropped", roots->dropped},
                 {"abandoned", roots->abandoned},
                 {"in_flight", roots->in_flight},
                 {"retried", roots->retried},
                 {"timeouts", roots->timeouts},
                 {"dead_letters", roots->failed},
                 {"bytes", roots->bytes}};
    json_t *object = json_object();
    for (size_t i = 0; i < sizeof(terms) / sizeof(terms[0]); i++)
        json_object_set_new(object, terms[i].name, json_integer((json_int_t)terms[i].value));
    json_object_set_new(object, "failed_by", reasons_json(summary, roots->failed_by));
    json_object_set_new(object, "dropped_by", reasons_json(summary, roots->dropped_by));
    json_object_set_new(object, "per_second", json_real(rate(summary, roots->acked)));
    json_object_set_new(object, "latency_ns", latency_json(roots->latency));
    return object;
}

static json_t *ledgers_json(const struct fly_summary *summary, bool sources)
{
    json_t *object = json_object();
    for (uint32_t i = 0; i < summary->plan->node_cnt; i++) {
        if (has_ledger(summary, i, sources))
            json_object_set_new(object, fly_plan_nodes(summary->plan)[i].name,
                                ledger_json(summary, summary->tally->node[i].roots));
    }
    return object;
}

static json_t *nodes_json(const struct fly_summary *summary)
{
    json_t *object = json_object();
    for (uint32_t i = 0; i < summary->plan->node_cnt; i++) {
        const struct fly_tally_node *node = &summary->tally->node[i];
        json_object_set_new(
            object, fly_plan_nodes(summary->plan)[i].name,
            json_pack("{s:I, s:I, s:I, s:I, s:I}", "in", (json_int_t)node->in, "out",
                      (json_int_t)node->out, "bytes_in", (json_int_t)node->bytes_in, "bytes_out",
                      (json_int_t)node->bytes_out, "errors", (json_int_t)node->errors));
    }
    return object;
}

int fly_summary_print_json(const struct fly_summary *summary, FILE *file)
{
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:f, s:f, s:f, s:I, s:I, s:o, s:o, s:o}", "pipeline", summary->plan->name,
        "instance", summary->plan->instance, "outcome", summary->outcome, "seconds",
        summary->seconds, "start_seconds", summary->start_seconds, "cpu_seconds",
        summary->cpu_seconds, "rss_bytes", (json_int_t)summary->rss_bytes, "restarts",
        (json_int_t)summary->restart_cnt, "sources", ledgers_json(summary, true), "stages",
        ledgers_json(summary, false), "nodes", nodes_json(summary));
    if (!object)
        return FLY_ERR(ENOMEM, "no memory for the summary");
    json_dumpf(object, file, JSON_COMPACT);
    fputc('\n', file);
    json_decref(object);
    return 0;
}
