/* Words are what lies between bytes <= 0x20. Whitespace is found 64 bytes at a time, as bits;
 * where they change, a word starts or ends. Counts are in a table with open addressing, whose keys
 * are the words themselves; words over 16 bytes have a table of their own, which points into the
 * text. */
#include "bench/loop.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/mix.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define CHUNK_BYTES ((size_t)16384)
#define TABLE_MIN ((size_t)1 << 12)

/* A word of up to 16 bytes is its own key, filled up with zeros, of which it has none. */
struct entry {
    uint64_t low, high;
    uint64_t cnt; /* 0: a free place */
};

struct long_entry {
    const uint8_t *word;
    uint64_t cnt; /* 0: a free place */
    uint32_t bytes;
    uint32_t hash;
};

struct fly_word_counts {
    struct entry *entry;
    size_t mask, used;
    struct long_entry *long_entry;
    size_t long_mask, long_used;
};

static uint64_t load8(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    fly_u128 product = (fly_u128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static FLY_ALWAYS_INLINE uint64_t hash_short(uint64_t low, uint64_t high)
{
    return mix(low ^ UINT64_C(0xa0761d6478bd642f), high ^ UINT64_C(0xe7037ed1a0b428db));
}

static uint32_t hash_long(const uint8_t *word, uint32_t bytes)
{
    uint64_t hash = bytes;
    for (uint32_t i = 0; i + 8 < bytes; i += 8)
        hash = hash_short(load8(word + i), hash);
    return (uint32_t)hash_short(load8(word + bytes - 8), hash);
}

static void *new_entries(size_t cnt, size_t bytes)
{
    void *entries = calloc(cnt, bytes);
    FLY_CHECK(entries, "no memory for %zu words", cnt);
    return entries;
}

static FLY_NOINLINE void grow(struct fly_word_counts *counts)
{
    size_t mask = 2 * counts->mask + 1;
    struct entry *larger = new_entries(mask + 1, sizeof(*larger));
    for (size_t i = 0; i <= counts->mask; i++) {
        const struct entry *entry = &counts->entry[i];
        if (!entry->cnt)
            continue;
        size_t place = hash_short(entry->low, entry->high) & mask;
        while (larger[place].cnt)
            place = (place + 1) & mask;
        larger[place] = *entry;
    }
    free(counts->entry);
    counts->entry = larger;
    counts->mask = mask;
}

static void grow_long(struct fly_word_counts *counts)
{
    size_t mask = 2 * counts->long_mask + 1;
    struct long_entry *larger = new_entries(mask + 1, sizeof(*larger));
    for (size_t i = 0; i <= counts->long_mask; i++) {
        if (!counts->long_entry[i].cnt)
            continue;
        size_t place = counts->long_entry[i].hash & mask;
        while (larger[place].cnt)
            place = (place + 1) & mask;
        larger[place] = counts->long_entry[i];
    }
    free(counts->long_entry);
    counts->long_entry = larger;
    counts->long_mask = mask;
}

static FLY_NOINLINE void count_long(struct fly_word_counts *counts, const uint8_t *word,
                                    uint32_t bytes)
{
    uint32_t hash = hash_long(word, bytes);
    for (size_t place = hash & counts->long_mask;; place = (place + 1) & counts->long_mask) {
        struct long_entry *entry = &counts->long_entry[place];
        if (!entry->cnt) {
            *entry = (struct long_entry){word, 1, bytes, hash};
            if (++counts->long_used > counts->long_mask / 2)
                grow_long(counts);
            return;
        }
        if (entry->hash == hash && entry->bytes == bytes && memcmp(entry->word, word, bytes) == 0) {
            entry->cnt++;
            return;
        }
    }
}

/* No branch depends on the length of a word of up to 16 bytes: it would be mispredicted half of
 * the time. */
static FLY_ALWAYS_INLINE void count_word(struct fly_word_counts *counts, const uint8_t *word,
                                         uint32_t bytes)
{
    static const FLY_ALIGNED(FLY_CACHE_LINE) uint8_t mask[32] = {
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    if (FLY_UNLIKELY(bytes > 16)) {
        count_long(counts, word, bytes);
        return;
    }
    uint64_t low = load8(word) & load8(mask + 16 - bytes);
    uint64_t high = load8(word + 8) & load8(mask + 24 - bytes);
    for (size_t place = hash_short(low, high) & counts->mask;; place = (place + 1) & counts->mask) {
        struct entry *entry = &counts->entry[place];
        if (FLY_LIKELY(((entry->low ^ low) | (entry->high ^ high)) == 0)) {
            entry->cnt++;
            return;
        }
        if (!entry->cnt) {
            *entry = (struct entry){low, high, 1};
            if (++counts->used > counts->mask / 2)
                grow(counts);
            return;
        }
    }
}

/* A bit for each of 64 bytes: set where it is whitespace. */
static FLY_ALWAYS_INLINE uint64_t spaces_any(const uint8_t *at)
{
    uint64_t spaces = 0;
#if defined(__SSE2__)
    const __m128i space = _mm_set1_epi8(' ');
    for (size_t i = 0; i < 64; i += 16) {
        __m128i got = _mm_loadu_si128((const __m128i *)(const void *)(at + i));
        got = _mm_cmpeq_epi8(_mm_max_epu8(got, space), space);
        spaces |= (uint64_t)(uint32_t)_mm_movemask_epi8(got) << i;
    }
#else
    for (int i = 0; i < 64; i++)
        spaces |= (uint64_t)(at[i] <= ' ') << i;
#endif
    return spaces;
}

/* Where words start and end in [from, from + bytes), in turns; *before says whether the byte
 * before was whitespace (1) or not (0). Returns how many edges there are. */
static FLY_ALWAYS_INLINE uint32_t find_edges(uint64_t (*spaces_of)(const uint8_t *at),
                                             const uint8_t *from, size_t bytes, uint64_t *before,
                                             uint32_t *edge)
{
    uint32_t cnt = 0;
    for (size_t i = 0; i < bytes; i += 64) {
        uint64_t spaces = spaces_of(from + i);
        uint64_t changes = spaces ^ (spaces << 1 | *before);
        *before = spaces >> 63;
        /* Eight at a time, some of them for nothing, so that one branch is predicted and not
         * eight. */
        uint32_t left = (uint32_t)__builtin_popcountll(changes);
        for (uint32_t *at = edge + cnt; changes; at += 8)
            for (int j = 0; j < 8; j++, changes &= changes - 1)
                at[j] = (uint32_t)i + (uint32_t)__builtin_ctzll(changes | UINT64_C(1) << 63);
        cnt += left;
    }
    return cnt;
}

static uint32_t find_edges_any(const uint8_t *from, size_t bytes, uint64_t *before, uint32_t *edge)
{
    return find_edges(spaces_any, from, bytes, before, edge);
}

#if defined(__x86_64__)
__attribute__((target("avx2,bmi"))) static inline uint64_t spaces_avx2(const uint8_t *at)
{
    const __m256i space = _mm256_set1_epi8(' ');
    __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)at);
    __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(at + 32));
    low = _mm256_cmpeq_epi8(_mm256_max_epu8(low, space), space);
    high = _mm256_cmpeq_epi8(_mm256_max_epu8(high, space), space);
    return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high)
                                                     << 32;
}

__attribute__((target("avx2,bmi"))) static uint32_t
find_edges_avx2(const uint8_t *from, size_t bytes, uint64_t *before, uint32_t *edge)
{
    return find_edges(spaces_avx2, from, bytes, before, edge);
}
#endif

typedef uint32_t find_edges_fn(const uint8_t *from, size_t bytes, uint64_t *before, uint32_t *edge);

static find_edges_fn *best_find_edges(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi"))
        return find_edges_avx2;
#endif
    return find_edges_any;
}

/* The zeros behind the text are whitespace: the last word ends there. */
uint64_t fly_loop_words(struct fly_word_counts *counts, const uint8_t *text, size_t bytes)
{
    static const size_t step = CHUNK_BYTES;
    find_edges_fn *find = best_find_edges();
    uint32_t edge[CHUNK_BYTES + 64] = {0};
    uint64_t words = 0, before = 1;
    const uint8_t *open = NULL; /* start of a word that goes on from the last chunk */
    for (size_t done = 0; done <= bytes; done += step) {
        size_t left = bytes + 1 - done;
        const uint8_t *chunk = text + done;
        uint32_t cnt = find(chunk, left < step ? left : step, &before, edge), i = 0;
        if (open && cnt) {
            count_word(counts, open, (uint32_t)(chunk + edge[i++] - open));
            words++;
            open = NULL;
        }
        for (; i + 1 < cnt; i += 2, words++)
            count_word(counts, chunk + edge[i], edge[i + 1] - edge[i]);
        if (i < cnt)
            open = chunk + edge[i];
    }
    return words;
}

struct fly_word_counts *fly_word_counts_create(void)
{
    struct fly_word_counts *counts = calloc(1, sizeof(*counts));
    if (!counts)
        return NULL;
    counts->entry = calloc(TABLE_MIN, sizeof(struct entry));
    counts->long_entry = calloc(TABLE_MIN, sizeof(struct long_entry));
    counts->mask = counts->long_mask = TABLE_MIN - 1;
    if (counts->entry && counts->long_entry)
        return counts;
    fly_word_counts_destroy(counts);
    return NULL;
}

void fly_word_counts_destroy(struct fly_word_counts *counts)
{
    if (!counts)
        return;
    free(counts->entry);
    free(counts->long_entry);
    free(counts);
}

uint64_t fly_word_counts_distinct(const struct fly_word_counts *counts)
{
    return counts->used + counts->long_used;
}

void fly_word_counts_walk(const struct fly_word_counts *counts,
                          void (*each)(void *arg, const uint8_t *word, size_t bytes, uint64_t cnt),
                          void *arg)
{
    for (size_t i = 0; i <= counts->mask; i++) {
        const struct entry *entry = &counts->entry[i];
        uint8_t word[16 + 1] = {0};
        memcpy(word, &entry->low, 8);
        memcpy(word + 8, &entry->high, 8);
        if (entry->cnt)
            each(arg, word, strlen((const char *)word), entry->cnt);
    }
    for (size_t i = 0; i <= counts->long_mask; i++) {
        const struct long_entry *entry = &counts->long_entry[i];
        if (entry->cnt)
            each(arg, entry->word, entry->bytes, entry->cnt);
    }
}

uint64_t fly_word_checksum(const uint8_t *word, size_t bytes, uint64_t cnt)
{
    return fly_mix64(XXH3_64bits(word, bytes) ^ cnt);
}

static void add_checksum(void *arg, const uint8_t *word, size_t bytes, uint64_t cnt)
{
    *(uint64_t *)arg += fly_word_checksum(word, bytes, cnt);
}

uint64_t fly_word_counts_checksum(const struct fly_word_counts *counts)
{
    uint64_t sum = 0;
    fly_word_counts_walk(counts, add_checksum, &sum);
    return sum;
}
