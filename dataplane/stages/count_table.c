#include "stages/count_table.h"

enum {
    SEGMENT_BYTES_MIN = 256,
    SEGMENT_BYTES_MAX = 16384,
    SEGMENT_SLOTS_MAX = SEGMENT_BYTES_MAX / sizeof(struct fly_count_bucket) * FLY_COUNT_SLOTS,
    SPARE_DEPTH = 2, /* the directory may be so much deeper than even hashes need */
};
_Static_assert(sizeof(struct fly_count_bucket) == 64, "a bucket is one cache line");

/* An index entry on its way to another segment. */
struct slot {
    uint32_t hash, entry;
};

static uint64_t entry_bytes(uint32_t key_bytes)
{
    return (offsetof(struct fly_count_entry, key) + (uint64_t)key_bytes + 7) & ~UINT64_C(7);
}

static struct fly_count_bucket *segment_at(const struct fly_count_table *table, uint32_t segment)
{
    return (struct fly_count_bucket *)(void *)(table->top -
                                               ((uint64_t)segment + 1) * table->segment_bytes);
}

/* What the directory says of a segment. */
static uint32_t lines_of(const struct fly_count_table *table, uint32_t segment)
{
    return (segment + 1) * (table->bucket_mask + 1);
}

static uint32_t segment_of(const struct fly_count_table *table, uint32_t hash)
{
    return table->directory[fly_count_place(table, hash)] / (table->bucket_mask + 1) - 1;
}

static uint32_t slots_of(const struct fly_count_table *table)
{
    return (table->bucket_mask + 1) * FLY_COUNT_SLOTS;
}

/* Bytes between the entries and the lowest segment. */
static uint64_t room(const struct fly_count_table *table)
{
    const uint8_t *lowest = (const uint8_t *)segment_at(table, table->segment_cnt - 1);
    return (uint64_t)(lowest - table->base) - table->used_bytes;
}

int fly_count_table_init(struct fly_count_table *table, void *memory, uint64_t bytes)
{
    if (bytes < FLY_COUNT_BYTES_MIN)
        return -1;
    uint32_t segment_bytes = SEGMENT_BYTES_MIN;
    while (segment_bytes < SEGMENT_BYTES_MAX && segment_bytes * 32 <= bytes)
        segment_bytes *= 2;
    *table = (struct fly_count_table){
        .base = memory,
        .segment_bytes = segment_bytes,
        .segment_cnt = 1,
        .segment_max = (uint32_t)(bytes / segment_bytes),
        .bucket_mask = segment_bytes / (uint32_t)sizeof(struct fly_count_bucket) - 1,
    };
    while (UINT64_C(1) << table->depth_max < table->segment_max)
        table->depth_max++;
    table->depth_max += SPARE_DEPTH;
    uint8_t *at = table->base + (bytes & ~UINT64_C(7));
    at -= sizeof(*table->directory) << table->depth_max;
    table->directory = (uint32_t *)(void *)at;
    at -= table->segment_max * sizeof(*table->segment);
    table->segment = (struct fly_count_segment *)(void *)at;
    table->top = at - ((uintptr_t)at & (sizeof(struct fly_count_bucket) - 1));
    table->directory[0] = lines_of(table, 0);
    return 0;
}

struct fly_count_entry *fly_count_table_next(const struct fly_count_table *table,
                                             const struct fly_count_entry *entry)
{
    uint64_t at = 0;
    if (entry)
        at = (uint64_t)((const uint8_t *)entry - table->base) + entry_bytes(entry->key_bytes);
    return at < table->used_bytes ? fly_count_entry_at(table, (uint32_t)(at / 8)) : NULL;
}

/* Into the first free slot at or after its bucket; there must be one. */
static void put(struct fly_count_table *table, uint32_t segment, struct slot slot)
{
    struct fly_count_bucket *bucket = segment_at(table, segment);
    uint32_t idx = slot.hash & table->bucket_mask;
    while (bucket[idx].hash[FLY_COUNT_SLOTS - 1])
        idx = (idx + 1) & table->bucket_mask;
    for (uint32_t i = 0; i < FLY_COUNT_SLOTS; i++) {
        if (bucket[idx].hash[i])
            continue;
        bucket[idx].hash[i] = slot.hash;
        bucket[idx].entry[i] = slot.entry;
        break;
    }
    table->segment[segment].slot_cnt++;
}

/* Takes all slots out of a segment; returns how many. */
static uint32_t take_all(struct fly_count_table *table, uint32_t segment, struct slot *out)
{
    struct fly_count_bucket *bucket = segment_at(table, segment);
    uint32_t cnt = 0;
    for (uint32_t b = 0; b <= table->bucket_mask; b++)
        for (uint32_t i = 0; i < FLY_COUNT_SLOTS && bucket[b].hash[i]; i++)
            out[cnt++] = (struct slot){bucket[b].hash[i], bucket[b].entry[i]};
    memset(bucket, 0, table->segment_bytes);
    table->segment[segment].slot_cnt = 0;
    return cnt;
}

/* From the end: each place becomes two. */
static void double_directory(struct fly_count_table *table)
{
    for (uint32_t i = UINT32_C(1) << table->depth; i-- > 0;)
        table->directory[2 * i] = table->directory[2 * i + 1] = table->directory[i];
    table->depth++;
}

/* Gives half of the hashes of the segment that `hash` belongs to to a new one. False: no room. */
static bool split(struct fly_count_table *table, uint32_t hash)
{
    uint32_t old = segment_of(table, hash);
    uint32_t depth = table->segment[old].depth;
    if (table->segment_cnt == table->segment_max || room(table) < table->segment_bytes ||
        (depth == table->depth && depth == table->depth_max))
        return false;
    if (depth == table->depth)
        double_directory(table);
    uint32_t fresh = table->segment_cnt++;
    table->segment[old].depth = table->segment[fresh].depth = (uint16_t)(depth + 1);
    uint32_t half = UINT32_C(1) << (table->depth - depth - 1);
    uint32_t first = fly_count_place(table, hash) & ~(2 * half - 1);
    for (uint32_t i = first + half; i < first + 2 * half; i++)
        table->directory[i] = lines_of(table, fresh);
    struct slot slot[SEGMENT_SLOTS_MAX];
    uint32_t cnt = take_all(table, old, slot);
    for (uint32_t i = 0; i < cnt; i++)
        put(table, segment_of(table, slot[i].hash), slot[i]);
    return true;
}

/* NULL: it is not there. */
static struct fly_count_entry *find(const struct fly_count_table *table, const void *key,
                                    uint32_t key_bytes, uint32_t hash)
{
    const struct fly_count_bucket *bucket = segment_at(table, segment_of(table, hash));
    for (uint32_t tried = 0; tried <= table->bucket_mask; tried++) {
        const struct fly_count_bucket *at = &bucket[(hash + tried) & table->bucket_mask];
        for (uint32_t match = fly_count_match(at, hash); match; match &= match - 1) {
            struct fly_count_entry *entry =
                fly_count_entry_at(table, at->entry[(uint32_t)__builtin_ctz(match)]);
            if (entry->key_bytes == key_bytes && fly_count_same(entry->key, key, key_bytes))
                return entry;
        }
        if (at->hash[FLY_COUNT_SLOTS - 1] == 0)
            return NULL;
    }
    return NULL;
}

static struct fly_count_entry *insert(struct fly_count_table *table, const void *key,
                                      uint32_t key_bytes, uint32_t hash)
{
    uint32_t slots = slots_of(table), segment;
    do
        segment = segment_of(table, hash);
    while (table->segment[segment].slot_cnt >= slots / 4 * 3 && split(table, hash));
    uint64_t need = entry_bytes(key_bytes);
    if (table->segment[segment].slot_cnt >= slots / 8 * 7 || room(table) < need ||
        table->used_bytes / 8 >= UINT32_MAX)
        return NULL;
    struct fly_count_entry *entry = fly_count_entry_at(table, (uint32_t)(table->used_bytes / 8));
    entry->count = 1;
    entry->key_bytes = key_bytes;
    entry->changed = true;
    if (key_bytes)
        memcpy(entry->key, key, key_bytes);
    put(table, segment, (struct slot){hash, (uint32_t)(table->used_bytes / 8)});
    table->used_bytes += need;
    table->key_cnt++;
    return entry;
}

struct fly_count_entry *fly_count_table_add_further(struct fly_count_table *table, const void *key,
                                                    uint32_t key_bytes, uint32_t hash)
{
    hash = fly_count_hash(hash);
    struct fly_count_entry *entry = find(table, key, key_bytes, hash);
    if (!entry)
        return insert(table, key, key_bytes, hash);
    entry->count++;
    entry->changed = true;
    return entry;
}
