/* Keys routed and counted, latencies recorded, lines found. */
#include "micro.h"

#include "connectors/common/framing.h"
#include "route/route.h"
#include "stages/count_table.h"
#include "stats/histogram.h"

#include <stdio.h>

enum { BATCH = 32, KEY_MAX = 1 << 20, KEY_BYTES = 8, KEY_BYTES_MAX = 16, VALUE_CNT = 4096 };
enum { TEXT_BYTES = 1 << 20, FEW_KEYS = 1000 };

struct key {
    uint8_t text[KEY_BYTES_MAX];
};

struct tables {
    struct key *key;
    struct fly_count_table few, many;
    void *few_memory, *many_memory;
    uint16_t slots[FLY_SLOT_CNT];
    struct fly_histogram *histogram;
    uint64_t value[VALUE_CNT];
    uint8_t *verses, *words; /* lines of 140 and of 8 bytes */
};

/* Keys of 2 to 8 bytes, as generate makes them. */
static uint32_t key_bytes(const struct key *key)
{
    return (uint32_t)strnlen((const char *)key->text, KEY_BYTES);
}

static FLY_ALWAYS_INLINE struct micro_sample route(struct tables *tables, uint32_t key_cnt)
{
    struct fly_msg msg[BATCH];
    uint16_t target[BATCH];
    memset(msg, 0, sizeof(msg));
    for (uint32_t i = 0; i < MICRO_STEP_CNT; i += BATCH) {
        for (uint32_t j = 0; j < BATCH; j++) {
            const struct key *key = &tables->key[(i + j) % key_cnt];
            msg[j].key = key->text;
            msg[j].key_bytes = 2 + ((i + j) * 7) % 6;
        }
        fly_route_by_key(msg, BATCH, tables->slots, target);
        micro_use(target[BATCH - 1]);
    }
    return micro_steps(MICRO_STEP_CNT);
}

static struct micro_sample route_keys(void *self)
{
    return route(self, VALUE_CNT);
}

/* The same generator for filling and for counting: keys at random. */
static uint32_t next_key(uint64_t *state, uint32_t key_cnt)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)((*state >> 32) * key_cnt >> 32);
}

static FLY_ALWAYS_INLINE struct micro_sample count(struct tables *tables,
                                                   struct fly_count_table *table, uint32_t key_cnt)
{
    uint64_t state = 1;
    for (uint32_t i = 0; i < MICRO_STEP_CNT; i += BATCH) {
        uint32_t hash[BATCH], bytes[BATCH];
        const struct key *key[BATCH];
        struct fly_count_entry *probed[BATCH];
        for (uint32_t j = 0; j < BATCH; j++) {
            key[j] = &tables->key[next_key(&state, key_cnt)];
            bytes[j] = key_bytes(key[j]);
            hash[j] = fly_hash_key(key[j]->text, bytes[j]);
            fly_count_table_prefetch(table, hash[j]);
        }
        for (uint32_t j = 0; j < BATCH; j++)
            probed[j] = fly_count_table_probe(table, hash[j]);
        for (uint32_t j = 0; j < BATCH; j++)
            micro_use(
                fly_count_table_add(table, probed[j], key[j]->text, bytes[j], hash[j])->count);
    }
    return micro_steps(MICRO_STEP_CNT);
}

static struct micro_sample count_few(void *self)
{
    struct tables *tables = self;
    return count(tables, &tables->few, FEW_KEYS);
}

static struct micro_sample count_many(void *self)
{
    struct tables *tables = self;
    return count(tables, &tables->many, KEY_MAX);
}

static struct micro_sample record(void *self)
{
    struct tables *tables = self;
    for (uint32_t i = 0; i < MICRO_STEP_CNT; i++)
        fly_histogram_record(tables->histogram, tables->value[i % VALUE_CNT], 1);
    return micro_steps(MICRO_STEP_CNT);
}

static struct micro_sample cut(const uint8_t *text)
{
    struct fly_framing framing = {.kind = FLY_FRAMING_NEWLINE, .max_bytes = 1 << 20};
    struct fly_record record;
    const uint8_t *at = text, *end = text + TEXT_BYTES;
    uint64_t cnt = 0;
    while (fly_framing_next(&framing, at, end, true, &record) == FLY_FRAMED_RECORD) {
        micro_use(record.bytes);
        at += record.consumed_bytes;
        cnt++;
    }
    return micro_steps(cnt);
}

static struct micro_sample cut_verses(void *self)
{
    return cut(((struct tables *)self)->verses);
}

static struct micro_sample cut_words(void *self)
{
    return cut(((struct tables *)self)->words);
}

/* A text of lines about so long. */
static uint8_t *make_lines(uint32_t line_bytes)
{
    uint8_t *text = micro_memory(TEXT_BYTES);
    uint64_t state = 7;
    memset(text, 'x', TEXT_BYTES);
    for (uint32_t at = 0; at < TEXT_BYTES; at += 1 + next_key(&state, 2 * line_bytes))
        text[at] = '\n';
    return text;
}

static void fill(struct tables *tables, struct fly_count_table *table, uint32_t key_cnt)
{
    for (uint32_t i = 0; i < key_cnt; i++) {
        const struct key *key = &tables->key[i];
        uint32_t bytes = key_bytes(key);
        uint32_t hash = fly_hash_key(key->text, bytes);
        micro_use(fly_count_table_add(table, NULL, key->text, bytes, hash)->count);
    }
}

static void *open_tables(const struct micro_config *config)
{
    struct tables *tables = micro_memory(sizeof(*tables));
    uint64_t few_bytes = UINT64_C(1) << 17, many_bytes = UINT64_C(1) << 27, state = 3;
    (void)config;
    tables->key = micro_memory(KEY_MAX * sizeof(struct key));
    for (uint32_t i = 0; i < KEY_MAX; i++) {
        int length = snprintf((char *)tables->key[i].text, KEY_BYTES_MAX, "k%u", i);
        FLY_CHECK(length <= KEY_BYTES, "a key is too long");
    }
    tables->few_memory = micro_memory(few_bytes);
    tables->many_memory = micro_memory(many_bytes);
    int rc = fly_count_table_init(&tables->few, tables->few_memory, few_bytes);
    rc = rc ? rc : fly_count_table_init(&tables->many, tables->many_memory, many_bytes);
    FLY_CHECK(rc == 0, "no tables");
    fill(tables, &tables->few, FEW_KEYS);
    fill(tables, &tables->many, KEY_MAX);
    for (uint32_t i = 0; i < FLY_SLOT_CNT; i++)
        tables->slots[i] = i % 2;
    tables->histogram = fly_histogram_init(micro_memory(fly_histogram_footprint()));
    for (uint32_t i = 0; i < VALUE_CNT; i++)
        tables->value[i] = 200 + next_key(&state, 100000);
    tables->verses = make_lines(140);
    tables->words = make_lines(8);
    return tables;
}

static void close_tables(void *self)
{
    struct tables *tables = self;
    free(tables->key);
    free(tables->few_memory);
    free(tables->many_memory);
    free(tables->histogram);
    free(tables->verses);
    free(tables->words);
    free(tables);
}

static const struct micro_step steps[] = {
    {"router", "hash a key of 2 to 7 B and look up its target", route_keys},
    {"histogram", "record a latency", record},
    {"count-1000", "draw, hash and count one of 1,000 keys", count_few},
    {"count-1048576", "draw, hash and count one of 1,048,576 keys", count_many},
    {"newline-140", "find the end of a line of about 140 B", cut_verses},
    {"newline-8", "find the end of a line of about 8 B", cut_words},
    {0},
};

const struct micro_group micro_tables = {open_tables, close_tables, steps};
