/* count_table.h - counts by key in one fixed piece of memory.
 *
 * Idea       Entries lie one behind the other from the bottom, in the order of their first use. The
 *            index above them is extendible hashing (Fagin, Nievergelt, Pippenger, Strong 1979): a
 *            directory of segments, each of which splits by itself when it is three quarters full.
 *            A segment is an array of buckets of one cache line: eight hashes, compared at once,
 *            and eight places.
 * Owner      One thread.
 * Memory     The caller's, zeroed; nothing else is used.
 * Cost       A hit reads one index line and one entry. A split moves at most 2048 slots, about
 *            20 us; doubling the directory copies 4 bytes per segment.
 * When full  fly_count_table_add() returns NULL for a new key; known keys still count. So it does
 *            for the 1793rd key of one and the same hash.
 * Caveat     Nothing is ever removed.
 * See also   count.c, tests/unit/dataplane/stages/test_count_table.c
 */
#ifndef FLY_STAGES_COUNT_TABLE_H
#define FLY_STAGES_COUNT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
#define FLY_COUNT_WIDE_LOADS /* sanitizers would call it an error */
#endif
#endif

struct fly_count_entry {
    uint64_t count;
    uint32_t key_bytes;
    bool changed; /* since somebody cleared it */
    uint8_t key[];
};

enum { FLY_COUNT_SLOTS = 8, FLY_COUNT_BYTES_MIN = 4096 };

/* Filled from slot 0 on: an empty last slot ends a search. */
struct fly_count_bucket {
    uint32_t hash[FLY_COUNT_SLOTS];  /* 0: empty */
    uint32_t entry[FLY_COUNT_SLOTS]; /* its place, in units of 8 bytes */
};

struct fly_count_segment {
    uint16_t slot_cnt; /* in use */
    uint16_t depth;    /* so many leading bits are common to its hashes */
};

struct fly_count_table {
    uint8_t *base;
    uint8_t *top;        /* segment i begins (i + 1) * segment_bytes below */
    uint32_t *directory; /* by the first `depth` bits of the spread hash: so many lines below top */
    struct fly_count_segment *segment;
    uint64_t used_bytes; /* by entries */
    uint64_t key_cnt;
    uint32_t segment_bytes, segment_cnt, segment_max;
    uint32_t bucket_mask; /* of a segment */
    uint32_t depth, depth_max;
};

/* Over zeroed memory, 8-byte aligned, FLY_COUNT_BYTES_MIN at least. 0, or -1: too small. */
int fly_count_table_init(struct fly_count_table *table, void *memory, uint64_t bytes)
    __attribute__((warn_unused_result));

/* Steps through the entries: NULL gives the first; NULL is returned at the end. */
struct fly_count_entry *fly_count_table_next(const struct fly_count_table *table,
                                             const struct fly_count_entry *entry);

/* --- Finding --- */

static inline uint32_t fly_count_hash(uint32_t hash)
{
    return hash ? hash : 1;
}

/* Keys of one task share the bits that chose it: multiplying spreads them. */
static inline uint32_t fly_count_place(const struct fly_count_table *table, uint32_t hash)
{
    return (uint32_t)((uint64_t)(hash * UINT32_C(0x85ebca6b)) >> (32 - table->depth));
}

/* The bucket where a search begins. */
static inline struct fly_count_bucket *fly_count_bucket_of(const struct fly_count_table *table,
                                                           uint32_t hash)
{
    uint64_t lines = table->directory[fly_count_place(table, hash)] - (hash & table->bucket_mask);
    return (struct fly_count_bucket *)(void *)table->top - lines;
}

static inline struct fly_count_entry *fly_count_entry_at(const struct fly_count_table *table,
                                                         uint32_t place)
{
    return (struct fly_count_entry *)(void *)(table->base + (uint64_t)place * 8);
}

/* Bit i: slot i has this hash. */
static inline uint32_t fly_count_match(const struct fly_count_bucket *bucket, uint32_t hash)
{
#ifdef __SSE2__
    __m128i wanted = _mm_set1_epi32((int)hash);
    const __m128i *at = (const __m128i *)(const void *)bucket->hash;
    __m128i low = _mm_cmpeq_epi32(_mm_load_si128(at), wanted);
    __m128i high = _mm_cmpeq_epi32(_mm_load_si128(at + 1), wanted);
    __m128i both = _mm_packs_epi16(_mm_packs_epi32(low, high), _mm_setzero_si128());
    return (uint32_t)_mm_movemask_epi8(both);
#else
    uint32_t bits = 0;
    for (uint32_t i = 0; i < FLY_COUNT_SLOTS; i++)
        bits |= (uint32_t)(bucket->hash[i] == hash) << i;
    return bits;
#endif
}

/* Keys are short and of random length: where no page can end within 16 bytes of the caller's key
 * they are compared without a branch on the length. Behind an entry there is always the index. */
static inline bool fly_count_same(const uint8_t *entry_key, const uint8_t *key, uint32_t bytes)
{
#ifdef FLY_COUNT_WIDE_LOADS
    if (bytes <= 16 && ((uintptr_t)key & 4095) <= 4096 - 16) {
        __m128i left = _mm_loadu_si128((const __m128i *)(const void *)entry_key);
        __m128i right = _mm_loadu_si128((const __m128i *)(const void *)key);
        uint32_t equal = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(left, right));
        return (~equal & ((1U << bytes) - 1)) == 0;
    }
#endif
    return bytes == 0 || memcmp(entry_key, key, bytes) == 0;
}

/* Fetches what fly_count_table_probe() reads. */
static inline void fly_count_table_prefetch(const struct fly_count_table *table, uint32_t hash)
{
    __builtin_prefetch(fly_count_bucket_of(table, fly_count_hash(hash)));
}

/* The entry that most likely is the key's, and fetches it; NULL: a longer search is needed. */
static inline struct fly_count_entry *fly_count_table_probe(const struct fly_count_table *table,
                                                            uint32_t hash)
{
    hash = fly_count_hash(hash);
    const struct fly_count_bucket *bucket = fly_count_bucket_of(table, hash);
    uint32_t match = fly_count_match(bucket, hash);
    if (__builtin_expect(match == 0, 0))
        return NULL;
    struct fly_count_entry *entry =
        fly_count_entry_at(table, bucket->entry[(uint32_t)__builtin_ctz(match)]);
    __builtin_prefetch(entry);
    return entry;
}

/* The same without a probe. */
struct fly_count_entry *fly_count_table_add_further(struct fly_count_table *table, const void *key,
                                                    uint32_t key_bytes, uint32_t hash);

/* Adds one to the count of a key; `opt_probed` is what a probe for its hash gave, however long ago.
 * NULL: it is new and there is no room. */
static inline struct fly_count_entry *fly_count_table_add(struct fly_count_table *table,
                                                          struct fly_count_entry *opt_probed,
                                                          const void *key, uint32_t key_bytes,
                                                          uint32_t hash)
{
    if (__builtin_expect(opt_probed && opt_probed->key_bytes == key_bytes &&
                             fly_count_same(opt_probed->key, key, key_bytes),
                         1)) {
        opt_probed->count++;
        opt_probed->changed = true;
        return opt_probed;
    }
    return fly_count_table_add_further(table, key, key_bytes, hash);
}

#endif
