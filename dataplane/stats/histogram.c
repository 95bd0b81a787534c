#include "stats/histogram.h"

_Static_assert(FLY_HISTOGRAM_BUCKET_CNT == 1216, "the layout is shared between processes");
_Static_assert(sizeof(struct fly_histogram) == 8 + 8 * 1216, "no padding");

static uint64_t load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

/* Smallest value that the bucket counts. */
static uint64_t bucket_low(uint32_t idx)
{
    if (idx < 2 * FLY_HISTOGRAM_SUB_CNT)
        return idx;
    uint32_t shift = (idx >> FLY_HISTOGRAM_SUB_BITS) - 1;
    return (uint64_t)(FLY_HISTOGRAM_SUB_CNT + (idx & (FLY_HISTOGRAM_SUB_CNT - 1))) << shift;
}

/* Largest value that the bucket counts, but for the last one's overflow. */
static uint64_t bucket_high(uint32_t idx)
{
    return bucket_low(idx + 1) - 1;
}

size_t fly_histogram_footprint(void)
{
    return sizeof(struct fly_histogram);
}

struct fly_histogram *fly_histogram_init(void *mem)
{
    struct fly_histogram *histogram = mem;
    atomic_init(&histogram->max, 0);
    for (uint32_t i = 0; i < FLY_HISTOGRAM_BUCKET_CNT; i++)
        atomic_init(&histogram->bucket[i], 0);
    return histogram;
}

void fly_histogram_merge(struct fly_histogram *into, const struct fly_histogram *from)
{
    for (uint32_t i = 0; i < FLY_HISTOGRAM_BUCKET_CNT; i++) {
        uint64_t cnt = load(&from->bucket[i]);
        if (cnt)
            fly_histogram_add_word(&into->bucket[i], cnt);
    }
    uint64_t max = load(&from->max);
    if (max > load(&into->max))
        atomic_store_explicit(&into->max, max, memory_order_relaxed);
}

uint64_t fly_histogram_count(const struct fly_histogram *histogram)
{
    uint64_t cnt = 0;
    for (uint32_t i = 0; i < FLY_HISTOGRAM_BUCKET_CNT; i++)
        cnt += load(&histogram->bucket[i]);
    return cnt;
}

uint64_t fly_histogram_max(const struct fly_histogram *histogram)
{
    return load(&histogram->max);
}

double fly_histogram_mean(const struct fly_histogram *histogram)
{
    double sum = 0;
    double total = 0;
    for (uint32_t i = 0; i < FLY_HISTOGRAM_BUCKET_CNT; i++) {
        double cnt = (double)load(&histogram->bucket[i]);
        sum += cnt * ((double)bucket_low(i) + (double)bucket_high(i)) / 2;
        total += cnt;
    }
    return total > 0 ? sum / total : 0;
}

/* How many of `cnt` values the share q takes: rounded up, at least one, at most all. */
static uint64_t rank_of(uint64_t cnt, double q)
{
    if (!(q > 0))
        return 1;
    if (q >= 1)
        return cnt;
    double exact = q * (double)cnt;
    uint64_t rank = (uint64_t)exact;
    rank += (double)rank < exact;
    return rank ? rank : 1;
}

uint64_t fly_histogram_percentile(const struct fly_histogram *histogram, double q)
{
    uint64_t cnt = fly_histogram_count(histogram);
    if (!cnt)
        return 0;
    uint64_t max = fly_histogram_max(histogram);
    uint64_t rank = rank_of(cnt, q);
    uint64_t seen = 0;
    for (uint32_t i = 0; i < FLY_HISTOGRAM_BUCKET_CNT - 1; i++) {
        seen += load(&histogram->bucket[i]);
        if (seen >= rank)
            return bucket_high(i) < max ? bucket_high(i) : max;
    }
    return max;
}
