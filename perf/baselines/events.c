/* events.c - the Yahoo streaming benchmark in one loop: parses JSON events, keeps the views, joins
 * their ad with its campaign, and counts per campaign in windows of 10 s of the events' own time.
 *
 *   baseline_events [-r ROUNDS] -j ADS.csv [-o FILE] EVENTS
 *
 * Quotes and line ends are found 64 bytes at a time, as bits, of 32 KiB of whole lines; then each
 * line's names and values lie between its quotes, in whatever order they come. Views are gathered
 * first and joined then, for nothing predicts which event is one. Lines with a backslash are
 * refused: this loop knows no escapes, and the events have none.
 *
 * A round is all there is to do: it maps the file and counts anew. `loop_seconds` is without the
 * mapping. FILE gets the counts, as lines {"key": campaign, "window_start": ms, "window_end": ms,
 * "count": ...}. The first round's counts are compared with those of a plain search through each
 * line. */
#include "baseline.h"

#include "base/mix.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

enum {
    UUID_BYTES = 36,
    AD_MAX = 4096,
    INDEX_SLOTS = 4 * AD_MAX,
    SLICE_BYTES = 32768,
    LINE_BYTES_MIN = 32, /* of one that is worth a look */
    WINDOW_MS = 10000,
    TIME_DIGITS = 13,
    MARKS_MAX = SLICE_BYTES + 64,
    VIEWS_MAX = SLICE_BYTES / LINE_BYTES_MIN,
};

struct ad {
    uint8_t id[UUID_BYTES];
    uint32_t campaign;
};

struct ads {
    struct ad ad[AD_MAX];
    uint16_t slot[INDEX_SLOTS]; /* 1 + index of the ad; 0: free */
    uint8_t campaign[AD_MAX][UUID_BYTES];
    uint32_t ad_cnt, campaign_cnt;
};

/* Counts of all windows, one row of campaigns behind the other. */
struct windows {
    uint64_t *cnt;
    uint64_t first, window_cnt;
    uint32_t campaign_cnt;
};

struct view {
    const uint8_t *ad, *time;
};

struct totals {
    uint64_t event_cnt, view_cnt;
};

static FLY_ALWAYS_INLINE uint64_t load8(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static FLY_ALWAYS_INLINE uint32_t load4(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

/* From its beginning and its end, which are random in every kind of UUID. */
static FLY_ALWAYS_INLINE uint32_t ad_slot(const uint8_t *id)
{
    uint64_t hash = (load8(id) ^ fly_rotl64(load8(id + 28), 32)) * UINT64_C(0xd6e8feb86659fd93);
    return (uint32_t)(hash >> 32) % INDEX_SLOTS;
}

static FLY_ALWAYS_INLINE bool same_id(const uint8_t *a, const uint8_t *b)
{
    uint64_t other = load8(a) ^ load8(b);
    other |= load8(a + 8) ^ load8(b + 8);
    other |= load8(a + 16) ^ load8(b + 16);
    other |= load8(a + 24) ^ load8(b + 24);
    other |= load4(a + 32) ^ load4(b + 32);
    return other == 0;
}

/* The ad's entry, or NULL. */
static FLY_ALWAYS_INLINE const struct ad *find_ad(const struct ads *ads, const uint8_t *id)
{
    for (uint32_t slot = ad_slot(id);; slot = (slot + 1) % INDEX_SLOTS) {
        uint32_t at = ads->slot[slot];
        if (!at)
            return NULL;
        if (FLY_LIKELY(same_id(ads->ad[at - 1].id, id)))
            return &ads->ad[at - 1];
    }
}

static uint32_t find_campaign(struct ads *ads, const uint8_t *id)
{
    for (uint32_t i = ads->campaign_cnt; i > 0; i--) {
        if (same_id(ads->campaign[i - 1], id))
            return i - 1;
    }
    memcpy(ads->campaign[ads->campaign_cnt], id, UUID_BYTES);
    return ads->campaign_cnt++;
}

/* The table: a line of names, then lines of ad,campaign. */
static struct ads *read_ads(const char *path)
{
    struct ads *ads = baseline_memory(sizeof(*ads));
    struct baseline_text text;
    baseline_map(path, &text);
    const uint8_t *at = memchr(text.at, '\n', text.bytes), *end = text.at + text.bytes;
    while (at && end - ++at >= 2 * UUID_BYTES + 1) {
        FLY_CHECK(ads->ad_cnt < AD_MAX && at[UUID_BYTES] == ',', "%s is no table of ads", path);
        struct ad *ad = &ads->ad[ads->ad_cnt++];
        memcpy(ad->id, at, UUID_BYTES);
        ad->campaign = find_campaign(ads, at + UUID_BYTES + 1);
        uint32_t slot = ad_slot(ad->id);
        while (ads->slot[slot])
            slot = (slot + 1) % INDEX_SLOTS;
        ads->slot[slot] = (uint16_t)ads->ad_cnt;
        at = memchr(at, '\n', (size_t)(end - at));
    }
    baseline_unmap(&text);
    FLY_CHECK(ads->ad_cnt, "%s has no ads", path);
    return ads;
}

/* Makes room for a window before the first or behind the last. */
static FLY_NOINLINE void grow(struct windows *windows, uint64_t window)
{
    uint64_t first = windows->window_cnt ? windows->first : window, cnt = windows->window_cnt;
    uint64_t last = cnt && first + cnt - 1 > window ? first + cnt - 1 : window;
    uint64_t begin = first < window ? first : window, row = windows->campaign_cnt;
    FLY_CHECK(last - begin < 1000000, "the events' times are too far apart");
    uint64_t *grown = calloc((last - begin + 1) * row, sizeof(*grown));
    FLY_CHECK(grown, "no memory");
    if (cnt)
        memcpy(grown + (first - begin) * row, windows->cnt, cnt * row * sizeof(*grown));
    free(windows->cnt);
    windows->cnt = grown;
    windows->first = begin;
    windows->window_cnt = last - begin + 1;
}

static FLY_ALWAYS_INLINE void count(struct windows *windows, uint64_t window, uint32_t campaign)
{
    if (FLY_UNLIKELY(window - windows->first >= windows->window_cnt))
        grow(windows, window);
    windows->cnt[(window - windows->first) * windows->campaign_cnt + campaign]++;
}

/* A bit for each of 64 bytes that is a quote or a line end; *escapes gets those of backslashes. */
static FLY_ALWAYS_INLINE uint64_t marks_of(const uint8_t *at, uint64_t *escapes)
{
#if defined(__AVX2__)
    const __m256i quote = _mm256_set1_epi8('"'), line = _mm256_set1_epi8('\n');
    const __m256i escape = _mm256_set1_epi8('\\');
    __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)at);
    __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(at + 32));
    __m256i any = _mm256_or_si256(_mm256_cmpeq_epi8(low, escape), _mm256_cmpeq_epi8(high, escape));
    low = _mm256_or_si256(_mm256_cmpeq_epi8(low, quote), _mm256_cmpeq_epi8(low, line));
    high = _mm256_or_si256(_mm256_cmpeq_epi8(high, quote), _mm256_cmpeq_epi8(high, line));
    *escapes |= (uint32_t)_mm256_movemask_epi8(any);
    return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high)
                                                     << 32;
#else
    uint64_t marks = 0;
    for (int i = 0; i < 64; i++) {
        marks |= (uint64_t)(at[i] == '"' || at[i] == '\n') << i;
        *escapes |= at[i] == '\\';
    }
    return marks;
#endif
}

/* Where the marks of [from, from + bytes) are; some entries behind them are overwritten. */
static uint32_t find_marks(const uint8_t *from, size_t bytes, uint32_t *mark)
{
    uint64_t escapes = 0;
    uint32_t cnt = 0;
    for (size_t i = 0; i < bytes; i += 64) {
        uint64_t marks = marks_of(from + i, &escapes);
        if (FLY_UNLIKELY(bytes - i < 64))
            marks &= (UINT64_C(1) << (bytes - i)) - 1;
        uint32_t left = (uint32_t)__builtin_popcountll(marks);
        for (uint32_t *at = mark + cnt; marks; at += 8)
            for (int j = 0; j < 8; j++, marks &= marks - 1)
                at[j] = (uint32_t)i + (uint32_t)__builtin_ctzll(marks | UINT64_C(1) << 63);
        cnt += left;
    }
    FLY_CHECK(!escapes, "an event has an escaped character, which this loop does not know");
    return cnt;
}

/* What of a line is asked for. */
struct fields {
    const uint8_t *ad, *time;
    bool is_view;
};

static FLY_ALWAYS_INLINE void take_field(struct fields *fields, const uint8_t *name,
                                         uint32_t name_bytes, const uint8_t *value,
                                         uint32_t value_bytes)
{
    if (name_bytes == 5 && memcmp(name, "ad_id", 5) == 0 && value_bytes == UUID_BYTES)
        fields->ad = value;
    else if (name_bytes == 10 && memcmp(name, "event_type", 10) == 0)
        fields->is_view = value_bytes == 4 && memcmp(value, "view", 4) == 0;
    else if (name_bytes == 10 && memcmp(name, "event_time", 10) == 0 && value_bytes == TIME_DIGITS)
        fields->time = value;
}

/* Reads whole lines only. Returns how many marks those had. */
static FLY_ALWAYS_INLINE uint32_t read_lines(const uint8_t *from, const uint32_t *mark,
                                             uint32_t mark_cnt, struct view *view,
                                             struct totals *totals)
{
    uint32_t view_cnt = 0, done = 0;
    while (done < mark_cnt) {
        struct fields fields = {0};
        uint32_t at = done;
        for (; at + 4 < mark_cnt && from[mark[at]] == '"'; at += 4)
            take_field(&fields, from + mark[at] + 1, mark[at + 1] - mark[at] - 1,
                       from + mark[at + 2] + 1, mark[at + 3] - mark[at + 2] - 1);
        if (from[mark[at]] != '\n')
            break;
        FLY_CHECK(fields.ad && fields.time, "line %zu is no event", (size_t)totals->event_cnt + 1);
        view[view_cnt] = (struct view){fields.ad, fields.time};
        view_cnt += fields.is_view;
        totals->event_cnt++;
        done = at + 1;
    }
    totals->view_cnt = view_cnt;
    return done;
}

/* Eight digits at once: pairs, then fours, then all. */
static FLY_ALWAYS_INLINE uint64_t eight_digits(const uint8_t *at)
{
    uint64_t value = load8(at) - UINT64_C(0x3030303030303030);
    value = (value * 10 + (value >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    value = (value * 100 + (value >> 16)) & UINT64_C(0x0000ffff0000ffff);
    return (value * 10000 + (value >> 32)) & UINT64_C(0xffffffff);
}

static FLY_ALWAYS_INLINE uint64_t window_of(const uint8_t *time)
{
    uint64_t ms = eight_digits(time);
    for (int i = 8; i < TIME_DIGITS; i++)
        ms = ms * 10 + time[i] - '0';
    return ms / WINDOW_MS;
}

static FLY_ALWAYS_INLINE void join(const struct ads *ads, struct windows *windows,
                                   const struct view *view, uint64_t cnt)
{
    for (uint64_t i = 0; i < cnt; i++) {
        const struct ad *ad = find_ad(ads, view[i].ad);
        FLY_CHECK(ad, "an event's ad is not in the table");
        count(windows, window_of(view[i].time), ad->campaign);
    }
}

static struct totals run(const struct ads *ads, const struct baseline_text *text,
                         struct windows *windows)
{
    static uint32_t mark[MARKS_MAX];
    static struct view view[VIEWS_MAX];
    struct totals totals = {0};
    uint64_t view_cnt = 0;
    for (size_t at = 0; at < text->bytes;) {
        const uint8_t *from = text->at + at;
        size_t left = text->bytes - at, bytes = left < SLICE_BYTES ? left : SLICE_BYTES;
        uint32_t mark_cnt = find_marks(from, bytes, mark);
        uint32_t done = read_lines(from, mark, mark_cnt, view, &totals);
        FLY_CHECK(done, "line %zu does not end", (size_t)totals.event_cnt + 1);
        join(ads, windows, view, totals.view_cnt);
        view_cnt += totals.view_cnt;
        at += mark[done - 1] + 1;
    }
    totals.view_cnt = view_cnt;
    return totals;
}

/* The value of a field in a line, found by its name. */
static const uint8_t *search(const uint8_t *line, size_t bytes, const char *name)
{
    const uint8_t *at = memmem(line, bytes, name, strlen(name));
    FLY_CHECK(at, "a line has no %s", name);
    return at + strlen(name);
}

/* Counts once more, slowly. */
static void check(const struct ads *ads, const struct baseline_text *text,
                  const struct windows *got)
{
    struct windows want = {.campaign_cnt = ads->campaign_cnt};
    const uint8_t *line = text->at, *end = text->at + text->bytes;
    while (line < end) {
        size_t bytes = (size_t)((const uint8_t *)memchr(line, '\n', (size_t)(end - line)) - line);
        if (memcmp(search(line, bytes, "\"event_type\": \""), "view\"", 5) == 0) {
            const uint8_t *id = search(line, bytes, "\"ad_id\": \"");
            const char *time = (const char *)search(line, bytes, "\"event_time\": \"");
            uint32_t ad = 0;
            while (memcmp(ads->ad[ad].id, id, UUID_BYTES) != 0)
                ad++;
            count(&want, strtoull(time, NULL, 10) / WINDOW_MS, ads->ad[ad].campaign);
        }
        line += bytes + 1;
    }
    size_t row = ads->campaign_cnt * sizeof(*want.cnt);
    bool same = want.first == got->first && want.window_cnt == got->window_cnt &&
                (!want.cnt || memcmp(want.cnt, got->cnt, want.window_cnt * row) == 0);
    FLY_CHECK(same, "events were lost or changed");
    free(want.cnt);
}

static void write_counts(const struct ads *ads, const struct windows *windows, const char *path)
{
    FILE *file = baseline_create(path);
    for (uint64_t i = 0; i < windows->window_cnt * windows->campaign_cnt; i++) {
        uint64_t start_ms = (windows->first + i / windows->campaign_cnt) * WINDOW_MS;
        if (windows->cnt[i])
            fprintf(file,
                    "{\"key\":\"%.*s\",\"window_start\":%" PRIu64 ",\"window_end\":%" PRIu64
                    ",\"count\":%" PRIu64 "}\n",
                    UUID_BYTES, (const char *)ads->campaign[i % windows->campaign_cnt], start_ms,
                    start_ms + WINDOW_MS, windows->cnt[i]);
    }
    baseline_close(file, path);
}

/* The same in whatever order the counts come. */
static uint64_t checksum_of(const struct windows *windows)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < windows->window_cnt * windows->campaign_cnt; i++)
        sum += fly_mix64(windows->first * windows->campaign_cnt + i) * windows->cnt[i];
    return sum;
}

static void run_round(const struct ads *ads, const char *path, const char *opt_out, bool checked)
{
    struct baseline_text text;
    struct windows windows = {.campaign_cnt = ads->campaign_cnt};
    struct baseline_timer start = baseline_start();
    baseline_map(path, &text);
    struct baseline_timer mapped = baseline_stop(start);
    struct totals totals = run(ads, &text, &windows);
    struct baseline_timer took = baseline_stop(start);
    if (!checked)
        check(ads, &text, &windows);
    baseline_begin(totals.event_cnt, took, checksum_of(&windows));
    baseline_field("loop_seconds", (double)(took.wall_ns - mapped.wall_ns) / 1e9);
    baseline_field("views", (double)totals.view_cnt);
    baseline_field("bytes", (double)text.bytes);
    baseline_end();
    if (opt_out)
        write_counts(ads, &windows, opt_out);
    free(windows.cnt);
    baseline_unmap(&text);
}

int main(int argc, char **argv)
{
    const char *out = NULL, *table = NULL;
    const struct baseline_option options[] = {
        {'j', BASELINE_TEXT, &table,
         "the ads and their campaigns, as perf/workloads/make-events "
         "makes them"},
        {'o', BASELINE_TEXT, &out, "write the counts to this file"},
        {0},
    };
    struct baseline baseline = {
        .name = "events", .operands = "-j ADS.csv EVENTS", .operand_cnt = 1, .options = options};
    baseline_options(&baseline, argc, argv);
    if (!table) {
        baseline_usage(&baseline, stderr);
        return 64;
    }
    struct ads *ads = read_ads(table);
    for (uint64_t round = 0; round < baseline.round_cnt; round++)
        run_round(ads, argv[optind], out, round > 0);
    baseline_free(ads, sizeof(*ads));
    return 0;
}
