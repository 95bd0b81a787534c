#include "config/suggest.h"

#include <string.h>

static uint32_t least(uint32_t one, uint32_t other)
{
    return one < other ? one : other;
}

uint32_t fly_suggest_distance(const char *one, const char *other)
{
    size_t rows = strlen(one), columns = strlen(other);
    uint32_t row[3][FLY_SUGGEST_BYTES + 1];
    if (rows > FLY_SUGGEST_BYTES || columns > FLY_SUGGEST_BYTES)
        return UINT32_MAX;
    for (uint32_t j = 0; j <= columns; j++)
        row[0][j] = j;
    for (uint32_t i = 1; i <= rows; i++) {
        uint32_t *now = row[i % 3], *above = row[(i + 2) % 3], *two_above = row[(i + 1) % 3];
        now[0] = i;
        for (uint32_t j = 1; j <= columns; j++) {
            uint32_t changed = above[j - 1] + (one[i - 1] != other[j - 1]);
            now[j] = least(changed, least(above[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1])
                now[j] = least(now[j], two_above[j - 2] + 1);
        }
    }
    return row[rows % 3][columns];
}

void fly_suggest_offer(struct fly_suggest *suggest, const char *candidate)
{
    uint32_t distance = fly_suggest_distance(suggest->wanted, candidate);
    size_t one = strlen(suggest->wanted), other = strlen(candidate);
    size_t longer = one > other ? one : other;
    if (distance > longer / 3 && distance != 0)
        return;
    if (!suggest->best || distance < suggest->distance) {
        suggest->best = candidate;
        suggest->distance = distance;
    }
}
