#include "stages/count_table.h"

#include <string.h>

#if defined(__SSE2__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) &&        \
    !defined(__clang__)
#include <emmintrin.h>
#define COUNT_WIDE_LOADS
#endif

static struct fly_count_entry *entry_at(const struct fly_count_table *table, uint64_t at)
{
    return (struct fly_count_entry *)(void *)(table->base + at);
}

static uint64_t entry_bytes(uint32_t key_bytes)
{
    return (offsetof(struct fly_count_entry, key) + (uint64_t)key_bytes + 7) & ~UINT64_C(7);
}

static uint64_t index_bytes(uint32_t bits)
{
    return sizeof(struct fly_count_slot) << bits;
}

int fly_count_table_init(struct fly_count_table *table, void *memory, uint64_t bytes)
{
    bytes &= ~UINT64_C(7);
    if (bytes < FLY_COUNT_BYTES_MIN)
        return -1;
    *table = (struct fly_count_table){
        .base = memory,
        .index = (struct fly_count_slot *)(void *)((uint8_t *)memory + bytes -
                                                   index_bytes(FLY_COUNT_INDEX_BITS)),
        .bytes = bytes,
        .index_bits = FLY_COUNT_INDEX_BITS,
    };
    return 0;
}

struct fly_count_entry *fly_count_table_next(const struct fly_count_table *table,
                                             const struct fly_count_entry *entry)
{
    uint64_t at = 0;
    if (entry)
        at = (uint64_t)((const uint8_t *)entry - table->base) + entry_bytes(entry->key_bytes);
    return at < table->used_bytes ? entry_at(table, at) : NULL;
}

static struct fly_count_slot *free_slot(const struct fly_count_table *table, uint32_t hash)
{
    uint32_t mask = (uint32_t)((UINT64_C(1) << table->index_bits) - 1);
    uint32_t at = fly_count_table_slot(table, hash);
    while (table->index[at].entry != 0)
        at = (at + 1) & mask;
    return &table->index[at];
}

static void link_entry(struct fly_count_table *table, const struct fly_count_entry *entry)
{
    uint64_t at = (uint64_t)((const uint8_t *)entry - table->base);
    *free_slot(table, entry->hash) =
        (struct fly_count_slot){.hash = entry->hash, .entry = (uint32_t)(at / 8) + 1};
}

/* Doubles the index where there is room for it. */
static void grow(struct fly_count_table *table)
{
    uint64_t bytes = index_bytes(table->index_bits + 1);
    if (table->index_bits == FLY_COUNT_INDEX_BITS_MAX || bytes > table->bytes / 2 ||
        table->bytes - bytes < table->used_bytes)
        return;
    table->index_bits++;
    table->index = (struct fly_count_slot *)(void *)(table->base + table->bytes - bytes);
    memset(table->index, 0, bytes);
    for (struct fly_count_entry *entry = fly_count_table_next(table, NULL); entry;
         entry = fly_count_table_next(table, entry))
        link_entry(table, entry);
}

/* Half full it doubles; without room for that it goes on up to seven eighths. */
static struct fly_count_entry *insert(struct fly_count_table *table, const void *key,
                                      uint32_t key_bytes, uint32_t hash)
{
    if (table->key_cnt >= UINT64_C(1) << (table->index_bits - 1))
        grow(table);
    uint64_t index_cnt = UINT64_C(1) << table->index_bits;
    uint64_t room = table->bytes - index_bytes(table->index_bits) - table->used_bytes;
    uint64_t need = entry_bytes(key_bytes);
    if (table->key_cnt >= index_cnt / 8 * 7 || room < need ||
        table->used_bytes / 8 >= UINT32_MAX - 1)
        return NULL;
    struct fly_count_entry *entry = entry_at(table, table->used_bytes);
    entry->count = 1;
    entry->hash = hash;
    entry->key_bytes = key_bytes;
    entry->changed = true;
    if (key_bytes)
        memcpy(entry->key, key, key_bytes);
    table->used_bytes += need;
    table->key_cnt++;
    link_entry(table, entry);
    return entry;
}

static bool same_by_parts(const uint8_t *left, const uint8_t *right, uint32_t bytes)
{
    uint64_t l8, r8;
    uint32_t l4, r4;
    if (bytes >= 8) {
        for (uint32_t i = 0; i + 8 < bytes; i += 8) {
            memcpy(&l8, left + i, 8);
            memcpy(&r8, right + i, 8);
            if (l8 != r8)
                return false;
        }
        memcpy(&l8, left + bytes - 8, 8);
        memcpy(&r8, right + bytes - 8, 8);
        return l8 == r8;
    }
    if (bytes >= 4) {
        memcpy(&l4, left, 4);
        memcpy(&r4, right, 4);
        if (l4 != r4)
            return false;
        memcpy(&l4, left + bytes - 4, 4);
        memcpy(&r4, right + bytes - 4, 4);
        return l4 == r4;
    }
    for (uint32_t i = 0; i < bytes; i++)
        if (left[i] != right[i])
            return false;
    return true;
}

/* Keys are short and of random length: a comparison without a branch on the length, where no
 * page can end within 16 bytes of the keys, else a few overlapping loads. */
static inline bool same_bytes(const uint8_t *left, const uint8_t *right, uint32_t bytes)
{
#ifdef COUNT_WIDE_LOADS
    bool whole = ((uintptr_t)left & 4095) <= 4080 && ((uintptr_t)right & 4095) <= 4080;
    if (bytes <= 16 && whole) {
        __m128i l16 = _mm_loadu_si128((const __m128i *)(const void *)left);
        __m128i r16 = _mm_loadu_si128((const __m128i *)(const void *)right);
        uint32_t equal = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(l16, r16));
        return (~equal & ((1U << bytes) - 1)) == 0;
    }
#endif
    return same_by_parts(left, right, bytes);
}

struct fly_count_entry *fly_count_table_add(struct fly_count_table *table, const void *key,
                                            uint32_t key_bytes, uint32_t hash)
{
    uint32_t mask = (uint32_t)((UINT64_C(1) << table->index_bits) - 1);
    uint32_t at = fly_count_table_slot(table, hash);
    for (; table->index[at].entry != 0; at = (at + 1) & mask) {
        if (table->index[at].hash != hash)
            continue;
        struct fly_count_entry *entry = entry_at(table, ((uint64_t)table->index[at].entry - 1) * 8);
        if (entry->key_bytes != key_bytes || !same_bytes(entry->key, key, key_bytes))
            continue;
        entry->count++;
        entry->changed = true;
        return entry;
    }
    return insert(table, key, key_bytes, hash);
}
