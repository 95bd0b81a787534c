/* keyed_count.c - counts keys in one loop that does nothing else: no messages, no acks, one thread.
 * The baseline of keyed counting.
 *
 * Keys are the numbers that `generate` makes its keys of, k0, k1 and so on, at random from the same
 * seed. They are counted as the numbers that they are, 64 bits each, in a table with open
 * addressing that is large enough from the start and lies in large pages; of each burst of 32 the
 * places are fetched while the burst before is counted.
 *
 *   baseline_keyed_count [-r ROUNDS] [-n MESSAGES] [-k KEYS] [-z EXPONENT] [-s SEED] [-o FILE]
 *
 * A round begins with an empty table; making that is not part of it. FILE gets the counts, as lines
 * {"key": "k7", "count": ...}. Each round is checked: the table must hold as many as were made, and
 * a sum over all keys must be what it is when they are made again. */
#include "baseline.h"

#include "base/mix.h"
#include "stages/zipf.h"

enum { BURST = 32 };

struct entry {
    uint64_t key; /* plus one; 0: a free place */
    uint64_t cnt;
};

struct keyed_count {
    uint64_t message_cnt, key_cnt, seed;
    const struct fly_zipf *opt_zipf; /* NULL: uniform */
    struct entry *entry;
    uint64_t mask;
};

/* As in stages/generate.c. */
static FLY_ALWAYS_INLINE uint64_t random_at(uint64_t seed, uint64_t seq)
{
    return fly_mix64((seed ^ UINT64_C(0x6b6579)) + (seq + 1) * UINT64_C(0x9e3779b97f4a7c15));
}

static FLY_ALWAYS_INLINE uint64_t key_at(const struct keyed_count *count, uint64_t seq)
{
    uint64_t random = random_at(count->seed, seq);
    return count->opt_zipf ? fly_zipf_draw(count->opt_zipf, random)
                           : (random >> 32) * count->key_cnt >> 32;
}

/* What a draw of zipf keys will read. */
static FLY_ALWAYS_INLINE const void *column_at(const struct keyed_count *count, uint64_t seq)
{
    const struct fly_zipf *zipf = count->opt_zipf;
    return &zipf->column[(random_at(count->seed, seq) >> 32) * zipf->rank_cnt >> 32];
}

static FLY_ALWAYS_INLINE uint64_t place_of(const struct keyed_count *count, uint64_t key)
{
    uint64_t hash = key * UINT64_C(0xd6e8feb86659fd93);
    return (hash ^ hash >> 32) & count->mask;
}

static FLY_ALWAYS_INLINE void add(struct keyed_count *count, uint64_t key, uint64_t place)
{
    struct entry *entry = &count->entry[place];
    while (FLY_UNLIKELY(entry->key != key + 1)) {
        if (!entry->key) {
            entry->key = key + 1;
            break;
        }
        place = (place + 1) & count->mask;
        entry = &count->entry[place];
    }
    entry->cnt++;
}

struct burst {
    uint64_t key[BURST], place[BURST];
};

/* Draws the keys and asks for their places. */
static FLY_ALWAYS_INLINE void draw(const struct keyed_count *count, uint64_t seq,
                                   struct burst *burst)
{
    for (uint64_t i = 0; i < BURST; i++) {
        burst->key[i] = key_at(count, seq + i);
        burst->place[i] = place_of(count, burst->key[i]);
        __builtin_prefetch(&count->entry[burst->place[i]], 1);
    }
    for (uint64_t i = 0; count->opt_zipf && i < BURST; i++)
        __builtin_prefetch(column_at(count, seq + BURST + i));
}

/* A burst is drawn while the places of the one before are on their way. */
static FLY_NOINLINE void run(struct keyed_count *count)
{
    struct burst burst[2];
    uint64_t seq = 0, end = count->message_cnt - count->message_cnt % BURST;
    draw(count, 0, &burst[0]);
    for (uint32_t now = 0; seq < end; seq += BURST, now ^= 1) {
        draw(count, seq + BURST, &burst[now ^ 1]);
        for (uint32_t i = 0; i < BURST; i++)
            add(count, burst[now].key[i], burst[now].place[i]);
    }
    for (; seq < count->message_cnt; seq++) {
        uint64_t key = key_at(count, seq);
        add(count, key, place_of(count, key));
    }
}

/* The sum over all keys, from the table; it must be that of the keys made once more. */
static uint64_t check(const struct keyed_count *count, uint64_t *distinct)
{
    uint64_t want = 0, got = 0, cnt = 0;
    for (uint64_t i = 0; i < count->message_cnt; i++)
        want += fly_mix64(key_at(count, i) + 1);
    *distinct = 0;
    for (uint64_t i = 0; i <= count->mask; i++) {
        const struct entry *entry = &count->entry[i];
        got += fly_mix64(entry->key) * entry->cnt;
        cnt += entry->cnt;
        *distinct += entry->key != 0;
    }
    FLY_CHECK(cnt == count->message_cnt && got == want, "keys were lost or changed");
    return got;
}

static void write_counts(const struct keyed_count *count, const char *path)
{
    FILE *file = baseline_create(path);
    for (uint64_t i = 0; i <= count->mask; i++) {
        const struct entry *entry = &count->entry[i];
        if (entry->key)
            fprintf(file, "{\"key\":\"k%" PRIu64 "\",\"count\":%" PRIu64 "}\n", entry->key - 1,
                    entry->cnt);
    }
    baseline_close(file, path);
}

static void run_round(struct keyed_count *count, const char *opt_out)
{
    uint64_t distinct;
    memset(count->entry, 0, (count->mask + 1) * sizeof(struct entry));
    struct baseline_timer start = baseline_start();
    run(count);
    struct baseline_timer took = baseline_stop(start);
    uint64_t checksum = check(count, &distinct);
    baseline_begin(count->message_cnt, took, checksum);
    baseline_field("distinct", (double)distinct);
    baseline_end();
    if (opt_out)
        write_counts(count, opt_out);
}

/* "uniform", or an exponent. */
static void read_exponent(struct keyed_count *count, const char *text, struct fly_zipf *zipf)
{
    const struct baseline_option option = {'z', BASELINE_REAL, &(double){0}, ""};
    if (strcmp(text, "uniform") == 0)
        return;
    bool ok = baseline_store(&option, text) && count->key_cnt <= FLY_ZIPF_RANKS_MAX;
    uint32_t rank_cnt = (uint32_t)count->key_cnt;
    if (!ok || fly_zipf_init(zipf, baseline_memory(fly_zipf_footprint(rank_cnt)), rank_cnt,
                             *(double *)option.into)) {
        fprintf(stderr, "baseline_keyed_count: -z uniform, or an exponent and at most %d keys\n",
                FLY_ZIPF_RANKS_MAX);
        exit(64);
    }
    count->opt_zipf = zipf;
}

int main(int argc, char **argv)
{
    struct keyed_count count = {.message_cnt = 100000000, .key_cnt = 1000000, .seed = 1};
    struct fly_zipf zipf;
    const char *out = NULL, *exponent = "uniform";
    const struct baseline_option options[] = {
        {'n', BASELINE_COUNT, &count.message_cnt, "messages (default 100000000)"},
        {'k', BASELINE_COUNT, &count.key_cnt, "different keys (default 1000000)"},
        {'z', BASELINE_TEXT, &exponent, "exponent of zipf keys (default uniform)"},
        {'s', BASELINE_COUNT, &count.seed, "seed (default 1)"},
        {'o', BASELINE_TEXT, &out, "write the counts to this file"},
        {0},
    };
    struct baseline baseline = {.name = "keyed_count", .operands = "", .options = options};
    baseline_options(&baseline, argc, argv);
    if (count.key_cnt < 1 || count.key_cnt > UINT32_MAX) {
        fprintf(stderr, "baseline_keyed_count: 1 to %u keys\n", UINT32_MAX);
        return 64;
    }
    read_exponent(&count, exponent, &zipf);
    count.mask = fly_pow2_ceil(count.key_cnt * 3 / 2 + BURST) - 1;
    count.entry = baseline_memory((count.mask + 1) * sizeof(struct entry));
    for (uint64_t round = 0; round < baseline.round_cnt; round++)
        run_round(&count, out);
    return 0;
}
