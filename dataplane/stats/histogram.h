/* histogram.h - latencies by logarithm, exact to 3.2 %, readable while they are recorded.
 *
 * Idea       Each power of two is cut into 32 equal buckets; a value is one increment. Percentiles
 *            are read by walking the buckets.
 * Owner      One writing thread; any thread or process may read and merge out of it at the same
 *            time.
 * Memory     The caller's, fly_histogram_footprint() bytes (9.6 KiB), position independent.
 * Cost       record 2 to 3 ns with the bucket in cache; a percentile walks up to 1,216 buckets.
 * When full  Values of 2^42 ns (73 minutes) and more share the last bucket; max stays exact.
 * Caveat     A percentile is the upper end of its bucket, so it never flatters; the mean is taken
 *            from bucket middles (within 1.6 %). A reader sees each counter whole, but not all of
 *            one instant.
 * See also   tests/unit/dataplane/stats/test_histogram.c
 */
#ifndef FLY_STATS_HISTOGRAM_H
#define FLY_STATS_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

/* 32 buckets per power of two: a bucket is at most 1/32 of its lower end wide. */
#define FLY_HISTOGRAM_SUB_BITS 5
#define FLY_HISTOGRAM_SUB_CNT (1U << FLY_HISTOGRAM_SUB_BITS)
/* 2^42 ns = 73 minutes: far above any ack timeout with its retries. */
#define FLY_HISTOGRAM_VALUE_BITS 42
/* Values below 32 have a bucket each; then come 37 powers of two. */
#define FLY_HISTOGRAM_BUCKET_CNT                                                                   \
    ((FLY_HISTOGRAM_VALUE_BITS - FLY_HISTOGRAM_SUB_BITS + 1) * FLY_HISTOGRAM_SUB_CNT)

struct fly_histogram {
    _Atomic uint64_t max;
    _Atomic uint64_t bucket[FLY_HISTOGRAM_BUCKET_CNT];
};

/* Bytes that a histogram needs, aligned as uint64_t is. */
size_t fly_histogram_footprint(void);

/* Makes an empty histogram of `mem` and returns it. */
struct fly_histogram *fly_histogram_init(void *mem);

/* The bucket that counts `value`. */
static FLY_ALWAYS_INLINE uint32_t fly_histogram_bucket(uint64_t value)
{
    if (value < FLY_HISTOGRAM_SUB_CNT)
        return (uint32_t)value;
    if (FLY_UNLIKELY(value >> FLY_HISTOGRAM_VALUE_BITS))
        return FLY_HISTOGRAM_BUCKET_CNT - 1;
    /* The leading one and the 5 bits behind it; the leading one counts as one more power of two. */
    uint32_t shift = 63U - (uint32_t)__builtin_clzll(value) - FLY_HISTOGRAM_SUB_BITS;
    return (shift << FLY_HISTOGRAM_SUB_BITS) + (uint32_t)(value >> shift);
}

/* Only the writer changes a word, so load and store need not be one step. */
static FLY_ALWAYS_INLINE void fly_histogram_add_word(_Atomic uint64_t *word, uint64_t cnt)
{
    atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed) + cnt,
                          memory_order_relaxed);
}

/* Counts `value` (ns) cnt times. The writer only. */
static FLY_ALWAYS_INLINE void fly_histogram_record(struct fly_histogram *histogram, uint64_t value,
                                                   uint64_t cnt)
{
    fly_histogram_add_word(&histogram->bucket[fly_histogram_bucket(value)], cnt);
    if (FLY_UNLIKELY(value > atomic_load_explicit(&histogram->max, memory_order_relaxed)))
        atomic_store_explicit(&histogram->max, value, memory_order_relaxed);
}

/* Adds what `from` counted to `into`, whose writer the caller is; `from` may be in use. */
void fly_histogram_merge(struct fly_histogram *into, const struct fly_histogram *from);

/* Values counted so far. */
uint64_t fly_histogram_count(const struct fly_histogram *histogram);

/* Largest value counted, exact; 0 if there is none. */
uint64_t fly_histogram_max(const struct fly_histogram *histogram);

/* Mean, within 1.6 % for values below 2^42; 0 if there is none. */
double fly_histogram_mean(const struct fly_histogram *histogram);

/* The value that a share q (cut to 0..1) of all values does not exceed: exact below 32, else at
 * most 3.2 % too large, never above max; 0 if there is none. */
uint64_t fly_histogram_percentile(const struct fly_histogram *histogram, double q);

#endif
