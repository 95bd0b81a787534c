/* json.c - what it costs to scan a JSON event, and to find fields in it.
 *
 * The events are those of the Yahoo streaming benchmark: 254 bytes on average, seven strings. Each
 * round scans about 100 MB of them. Prints the best and the median of the rounds in nanoseconds per
 * event, and the median in bytes per nanosecond.
 *
 *   json [rounds]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mix.h"
#include "stages/json_index.h"
#include "stages/json_scan.h"

enum { ROUND_MAX = 99, EVENT_CNT = 8192, EVENT_MAX = 320, REPEAT = 48, FIELD_CNT = 3 };

struct bench {
    char *text; /* all events, one behind the other */
    uint32_t begin[EVENT_CNT + 1];
    struct fly_json_path path[FIELD_CNT];
    uint64_t sum; /* so that nothing is left out for nobody asks for it */
};

/* --- A loop from byte to byte that knows what it will find: flat objects of strings --- */

static const char *hand_string(const char *at, const char *end)
{
    if (at == end || *at != '"')
        return NULL;
    for (at++; at < end; at++) {
        if (*at == '"')
            return at + 1;
        if (*at == '\\' || *at < 0x20)
            return NULL;
    }
    return NULL;
}

static bool hand_is(const char *name, size_t bytes, const char *wanted)
{
    return bytes == strlen(wanted) && memcmp(name, wanted, bytes) == 0;
}

static uint64_t hand_scan(const char *at, const char *end)
{
    uint64_t sum = 0;
    if (at == end || *at != '{')
        return 0;
    do {
        const char *name = ++at;
        at = hand_string(at, end);
        if (!at || at == end || *at != ':')
            return 0;
        size_t bytes = (size_t)(at - name) - 2;
        const char *value = ++at;
        at = hand_string(at, end);
        if (!at || at == end)
            return 0;
        name++;
        if (hand_is(name, bytes, "ad_id") || hand_is(name, bytes, "event_type") ||
            hand_is(name, bytes, "event_time"))
            sum += (uint64_t)(at - value);
    } while (*at == ',');
    return *at == '}' ? sum : 0;
}

static void by_hand(struct bench *bench, uint32_t i)
{
    bench->sum += hand_scan(bench->text + bench->begin[i], bench->text + bench->begin[i + 1]);
}

/* --- Ours --- */

static const uint8_t *event(const struct bench *bench, uint32_t i, size_t *bytes)
{
    *bytes = bench->begin[i + 1] - bench->begin[i];
    return (const uint8_t *)bench->text + bench->begin[i];
}

static FLY_ALWAYS_INLINE void index_by(struct bench *bench, uint32_t i, enum fly_json_index_way way)
{
    uint64_t marks[FLY_JSON_MARKS_CNT];
    size_t bytes;
    const uint8_t *at = event(bench, i, &bytes);
    bench->sum += fly_json_index_by(way, at, bytes, marks) == 0 ? marks[3] : 0;
}

static void index_avx2(struct bench *bench, uint32_t i)
{
    index_by(bench, i, FLY_JSON_INDEX_AVX2);
}

static void index_sse2(struct bench *bench, uint32_t i)
{
    index_by(bench, i, FLY_JSON_INDEX_SSE2);
}

static void index_portable(struct bench *bench, uint32_t i)
{
    index_by(bench, i, FLY_JSON_INDEX_PORTABLE);
}

static void check_only(struct bench *bench, uint32_t i)
{
    size_t bytes;
    const uint8_t *at = event(bench, i, &bytes);
    bench->sum += fly_json_scan(at, bytes, NULL, 0, NULL);
}

static void find_fields(struct bench *bench, uint32_t i)
{
    struct fly_json_value value[FIELD_CNT];
    size_t bytes;
    const uint8_t *at = event(bench, i, &bytes);
    FLY_CHECK(fly_json_scan(at, bytes, bench->path, FIELD_CNT, value), "not JSON");
    bench->sum += value[0].bytes + value[1].bytes + value[2].bytes;
}

/* --- Measuring --- */

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void measure(struct bench *bench, const char *what,
                    void (*step)(struct bench *bench, uint32_t i),
                    const struct fly_clock_rate *rate, unsigned round_cnt)
{
    double ns[ROUND_MAX], bytes = (double)bench->begin[EVENT_CNT] / EVENT_CNT;
    for (unsigned round = 0; round < round_cnt; round++) {
        uint64_t begin = fly_ticks();
        for (uint32_t i = 0; i < EVENT_CNT * REPEAT; i++)
            step(bench, i % EVENT_CNT);
        ns[round] =
            (double)fly_ticks_to_ns(rate, fly_ticks() - begin) / ((double)EVENT_CNT * REPEAT);
    }
    qsort(ns, round_cnt, sizeof(ns[0]), compare);
    double median = ns[round_cnt / 2];
    printf("%-50s %8.1f %8.1f %8.2f\n", what, ns[0], median, bytes / median);
}

static int put_uuid(char *to, struct fly_rng *rng)
{
    uint64_t a = fly_rng_next(rng), b = fly_rng_next(rng);
    return snprintf(to, 37, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(a >> 32),
                    (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xffff), (unsigned)(b >> 48),
                    (unsigned long long)(b & UINT64_C(0xffffffffffff)));
}

static uint32_t put_event(char *to, struct fly_rng *rng, uint32_t i)
{
    static const char *const ad_types[] = {"banner", "modal", "sponsored-search", "mail", "mobile"};
    static const char *const event_types[] = {"view", "click", "purchase"};
    char user[40], page[40], ad[40];
    put_uuid(user, rng);
    put_uuid(page, rng);
    put_uuid(ad, rng);
    return (uint32_t)snprintf(
        to, EVENT_MAX,
        "{\"user_id\":\"%s\",\"page_id\":\"%s\",\"ad_id\":\"%s\",\"ad_type\":\"%s\","
        "\"event_type\":\"%s\",\"event_time\":\"%llu\",\"ip_address\":\"1.2.3.4\"}",
        user, page, ad, ad_types[fly_rng_next(rng) % 5], event_types[fly_rng_next(rng) % 3],
        (unsigned long long)(UINT64_C(1700000000000) + i));
}

static void open_bench(struct bench *bench)
{
    static const char *const fields[FIELD_CNT] = {"ad_id", "event_type", "event_time"};
    struct fly_rng rng;
    fly_rng_init(&rng, 1);
    bench->text = malloc((size_t)EVENT_CNT * EVENT_MAX);
    FLY_CHECK(bench->text, "no memory");
    for (uint32_t i = 0; i < EVENT_CNT; i++)
        bench->begin[i + 1] = bench->begin[i] + put_event(bench->text + bench->begin[i], &rng, i);
    for (uint32_t i = 0; i < FIELD_CNT; i++)
        FLY_CHECK(fly_json_path_parse(&bench->path[i], fields[i], strlen(fields[i])) == 0, "path");
}

static const struct {
    const char *what;
    void (*step)(struct bench *bench, uint32_t i);
} steps[] = {
    {"by hand: a flat object of strings, 3 fields", by_hand},
    {"index: AVX2", index_avx2},
    {"index: SSE2", index_sse2},
    {"index: 8 bytes at a time", index_portable},
    {"scan: check", check_only},
    {"scan: check, and find 3 fields", find_fields},
};

int main(int argc, char **argv)
{
    static struct bench bench;
    struct fly_clock_rate rate = fly_clock_calibrate();
    unsigned round_cnt = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 9;
    if (round_cnt < 1 || round_cnt > ROUND_MAX) {
        fprintf(stderr, "json: 1 to %d rounds\n", ROUND_MAX);
        return 64;
    }
    open_bench(&bench);
    printf("events of %.1f bytes\n%-50s %8s %8s %8s\n", (double)bench.begin[EVENT_CNT] / EVENT_CNT,
           "ns per event", "best", "median", "GB/s");
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        measure(&bench, steps[i].what, steps[i].step, &rate, round_cnt);
    printf("(%llu)\n", (unsigned long long)bench.sum);
    return 0;
}
