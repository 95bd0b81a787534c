#include "route/route.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

void fly_route_by_key(struct fly_msg *msg, uint32_t cnt, const uint16_t *slots, uint16_t *target)
{
    for (uint32_t i = 0; i < cnt; i++) {
        msg[i].key_hash = fly_route_hash(&msg[i]);
        target[i] = slots[fly_route_slot(msg[i].key_hash)];
    }
}

void fly_route_random(struct fly_rng *rng, uint32_t cnt, uint32_t target_cnt, uint16_t *target)
{
    for (uint32_t i = 0; i < cnt; i++)
        target[i] = (uint16_t)fly_rng_below(rng, target_cnt);
}

/* Bits of 16 targets. */
static FLY_ALWAYS_INLINE uint64_t equal16(const uint16_t *targets, uint16_t target)
{
#ifdef __SSE2__
    const __m128i *at = (const __m128i *)(const void *)targets;
    __m128i wanted = _mm_set1_epi16((short)target);
    __m128i low = _mm_cmpeq_epi16(_mm_loadu_si128(at), wanted);
    __m128i high = _mm_cmpeq_epi16(_mm_loadu_si128(at + 1), wanted);
    return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(low, high));
#else
    uint64_t bits = 0;
    for (uint32_t i = 0; i < 16; i++)
        bits |= (uint64_t)(targets[i] == target) << i;
    return bits;
#endif
}

void fly_route_mask(const uint16_t *targets, uint32_t cnt, uint16_t target, uint64_t *mask)
{
    for (uint32_t word = 0; word < FLY_ROUTE_MASKS; word++, targets += 64) {
        uint64_t bits = 0;
        for (uint32_t i = 0; i < 64; i += 16)
            bits |= equal16(targets + i, target) << i;
        uint32_t from = word * 64;
        uint32_t here = cnt <= from ? 0 : cnt - from;
        mask[word] = here >= 64 ? bits : bits & ((UINT64_C(1) << here) - 1);
    }
}
