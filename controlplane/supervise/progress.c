#include "supervise/progress.h"

#include <flyover/plugin.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

/* Sums over all sources. */
struct sums {
    uint64_t ended, bytes, done, total, in_flight, retried, dead;
    bool has_end; /* of every source */
};

static struct sums sum_up(const struct fly_plan *plan, const struct fly_tally *tally)
{
    struct sums sums = {.has_end = true};
    for (uint32_t i = 0; i < tally->node_cnt; i++) {
        const struct fly_tally_roots *roots = tally->node[i].roots;
        if (!roots || fly_plan_nodes(plan)[i].kind != FLY_SOURCE)
            continue;
        /* Counted one by one while they change: never below 0. */
        sums.ended += roots->in > roots->in_flight ? roots->in - roots->in_flight : 0;
        sums.bytes += roots->bytes;
        sums.done += roots->done;
        sums.total += roots->total;
        sums.in_flight += roots->in_flight;
        sums.retried += roots->retried;
        sums.dead += roots->failed;
        sums.has_end &= roots->total > 0;
    }
    return sums;
}

/* A rate that follows the last look by a quarter; counts that fell (after a restart) give none. */
static double follow(double rate, uint64_t now, uint64_t before, double seconds, bool first)
{
    double latest = now > before ? (double)(now - before) / seconds : 0;
    return first ? latest : rate + (latest - rate) / 4;
}

static void look(struct fly_progress_line *line, const struct sums *sums, uint64_t now_ns)
{
    if (line->last_ns && now_ns > line->last_ns) {
        double seconds = (double)(now_ns - line->last_ns) / 1e9;
        bool first = line->messages_per_s == 0;
        line->messages_per_s =
            follow(line->messages_per_s, sums->ended, line->last_ended, seconds, first);
        line->bytes_per_s =
            follow(line->bytes_per_s, sums->bytes, line->last_bytes, seconds, first);
        line->done_per_s = follow(line->done_per_s, sums->done, line->last_done, seconds, first);
    }
    line->last_ns = now_ns;
    line->last_ended = sums->ended;
    line->last_bytes = sums->bytes;
    line->last_done = sums->done;
}

void fly_progress_number(double value, char *text, size_t bytes)
{
    static const char *const prefix[] = {"", "k", "M", "G", "T"};
    size_t i = 0;
    while (value >= 999.5 && i + 1 < sizeof(prefix) / sizeof(prefix[0])) {
        value /= 1000;
        i++;
    }
    int digits = i == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    snprintf(text, bytes, i ? "%.*f %s" : "%.*f%s", digits, value, prefix[i]);
}

static void format_left(const struct fly_progress_line *line, const struct sums *sums, char *text,
                        size_t bytes)
{
    text[0] = '\0';
    if (!sums->has_end || sums->total == 0)
        return;
    uint64_t done = sums->done < sums->total ? sums->done : sums->total;
    double percent = 100 * ((double)done / (double)sums->total);
    if (line->done_per_s <= 0) {
        snprintf(text, bytes, "  %3.0f%%", percent);
        return;
    }
    double left_s = (double)(sums->total - done) / line->done_per_s;
    uint64_t seconds = left_s < 8e6 ? (uint64_t)(left_s + 0.5) : 8000000;
    if (seconds >= 3600)
        snprintf(text, bytes, "  %3.0f%%  %" PRIu64 "h%02" PRIu64 "m left", percent, seconds / 3600,
                 seconds / 60 % 60);
    else
        snprintf(text, bytes, "  %3.0f%%  %" PRIu64 ":%02" PRIu64 " left", percent, seconds / 60,
                 seconds % 60);
}

void fly_progress_format(struct fly_progress_line *line, const struct fly_plan *plan,
                         const struct fly_tally *tally, uint64_t now_ns, char *text, size_t bytes,
                         uint32_t columns)
{
    struct sums sums = sum_up(plan, tally);
    char messages[32], octets[32], in_flight[32], left[64];
    look(line, &sums, now_ns);
    fly_progress_number(line->messages_per_s, messages, sizeof(messages));
    fly_progress_number(line->bytes_per_s, octets, sizeof(octets));
    fly_progress_number((double)sums.in_flight, in_flight, sizeof(in_flight));
    format_left(line, &sums, left, sizeof(left));
    snprintf(text, bytes,
             "%s  %s messages/s  %sB/s%s  in flight %s  retried %" PRIu64 "  dead %" PRIu64,
             plan->name, messages, octets, left, in_flight, sums.retried, sums.dead);
    if (columns < bytes)
        text[columns] = '\0';
}
