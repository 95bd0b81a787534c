/* zipf.h - draws ranks whose frequency falls with a power of the rank.
 *
 * Idea       Walker's alias table: one column per rank, holding a threshold and another rank, so
 *            that a draw is one multiplication and one compare.
 * Owner      One thread at init; read-only afterwards.
 * Memory     The caller's, fly_zipf_footprint() bytes; init takes scratch from the heap and gives
 *            it back.
 * Cost       A draw reads one 8-byte column. init is linear.
 * When full  Cannot fill.
 * Caveat     Frequencies are exact to about 2^-32 of a column.
 * See also   generate.c, tests/unit/dataplane/stages/test_zipf.c
 */
#ifndef FLY_STAGES_ZIPF_H
#define FLY_STAGES_ZIPF_H

#include <stddef.h>
#include <stdint.h>

enum { FLY_ZIPF_RANKS_MAX = 1 << 24 }; /* 128 MiB of columns */

struct fly_zipf_column {
    uint32_t threshold; /* below it the draw is this rank, else `other` */
    uint32_t other;
};

struct fly_zipf {
    struct fly_zipf_column *column;
    uint32_t rank_cnt;
};

static inline size_t fly_zipf_footprint(uint32_t rank_cnt)
{
    return sizeof(struct fly_zipf_column) * rank_cnt;
}

/* Ranks 0 .. rank_cnt - 1 (at least 1), rank r with weight (r + 1) ^ -exponent. 0, or -1: no
 * memory. */
int fly_zipf_init(struct fly_zipf *zipf, void *memory, uint32_t rank_cnt, double exponent)
    __attribute__((warn_unused_result));

/* A rank, from 64 uniform bits. */
static inline uint32_t fly_zipf_draw(const struct fly_zipf *zipf, uint64_t random)
{
    uint32_t rank = (uint32_t)((random >> 32) * zipf->rank_cnt >> 32);
    const struct fly_zipf_column *column = &zipf->column[rank];
    return (uint32_t)random < column->threshold ? rank : column->other;
}

#endif
