#include "stages/zipf.h"

#include <math.h>
#include <stdlib.h>

/* A column that is full by itself never draws its other rank. */
static void fill_column(struct fly_zipf_column *column, double share, uint32_t other)
{
    double threshold = share * 0x1p32;
    column->threshold = threshold >= 0x1p32 ? UINT32_MAX : (uint32_t)threshold;
    column->other = other;
}

/* Pairs each rank that has less than a column with one that has more. `rank` is a stack of the
 * small ones from the left and of the large ones from the right. */
static void pair_ranks(struct fly_zipf *zipf, double *share, uint32_t *rank)
{
    uint32_t cnt = zipf->rank_cnt, small_cnt = 0, large_at = cnt;
    for (uint32_t i = 0; i < cnt; i++) {
        if (share[i] < 1.0)
            rank[small_cnt++] = i;
        else
            rank[--large_at] = i;
    }
    while (small_cnt > 0 && large_at < cnt) {
        uint32_t small = rank[--small_cnt], large = rank[large_at];
        fill_column(&zipf->column[small], share[small], large);
        share[large] -= 1.0 - share[small];
        if (share[large] < 1.0) {
            large_at++;
            rank[small_cnt++] = large;
        }
    }
    for (; small_cnt > 0; small_cnt--) /* rounding left them: they are full */
        fill_column(&zipf->column[rank[small_cnt - 1]], 1.0, rank[small_cnt - 1]);
    for (; large_at < cnt; large_at++)
        fill_column(&zipf->column[rank[large_at]], 1.0, rank[large_at]);
}

int fly_zipf_init(struct fly_zipf *zipf, void *memory, uint32_t rank_cnt, double exponent)
{
    double *share = calloc(rank_cnt, sizeof(double));
    uint32_t *rank = malloc(sizeof(uint32_t) * rank_cnt);
    double sum = 0;
    int result = -1;
    if (share && rank) {
        *zipf = (struct fly_zipf){.column = memory, .rank_cnt = rank_cnt};
        for (uint32_t i = 0; i < rank_cnt; i++)
            sum += share[i] = pow((double)i + 1, -exponent);
        for (uint32_t i = 0; i < rank_cnt; i++)
            share[i] *= (double)rank_cnt / sum;
        pair_ranks(zipf, share, rank);
        result = 0;
    }
    free(share);
    free(rank);
    return result;
}
