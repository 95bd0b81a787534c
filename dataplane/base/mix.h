/* mix.h - hashes and random numbers, the same on every machine and in every release.
 *
 * Idea       fly_mix64 for numbers, XXH3 for bytes, xoshiro256** for streams of random numbers.
 * Owner      Hashes: any thread. A fly_rng belongs to one thread.
 * Memory     The caller's.
 * Cost       fly_mix64 1.5 ns, fly_hash32 of a short key 2 to 4 ns, fly_rng_next 1 ns.
 * When full  Does not apply.
 * Caveat     fly_hash_key is pinned: it decides which slot a key belongs to, so snapshots depend on
 *            it. None of this is fit for secrets.
 * See also   tests/unit/dataplane/base/test_mix.c, which pins values
 */
#ifndef FLY_BASE_MIX_H
#define FLY_BASE_MIX_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL
#endif
#include <xxhash.h>

#include "base/check.h"
#include "base/clock.h"

/* Finaliser of splitmix64: a bijection of 64 bits (so only one input gives 0: 0). */
static FLY_ALWAYS_INLINE uint64_t fly_mix64(uint64_t value)
{
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

/* Hash of a key: XXH3 (64 bits, seeded) folded to 32. `key` may be NULL if bytes is 0. */
static inline uint32_t fly_hash32(const void *key, size_t bytes, uint64_t seed)
{
    uint64_t hash = XXH3_64bits_withSeed(key, bytes, seed);
    return (uint32_t)(hash ^ (hash >> 32));
}

/* Up to 16 bytes as two little-endian words, zeros behind. Keys' lengths are random: where a page
 * cannot end in between, 16 bytes are read and masked, which costs no branch on the length. */
struct fly_words {
    uint64_t low, high;
};

#if defined(__x86_64__) && !FLY_SANITIZED
static FLY_ALWAYS_INLINE struct fly_words fly_load_masked(const uint8_t *from, size_t bytes)
{
    /* 16 bytes of ones and 16 of zeros: from 16 - n on, n of ones come first. */
    static const uint8_t ones[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                     255, 255, 255, 255, 255, 255, 255, 255};
    struct fly_words words, mask;
    __asm__("" : "+r"(from)); /* the compiler must not reason about the object that `from` is in */
    memcpy(&words, from, sizeof(words));
    memcpy(&mask, ones + 16 - bytes, sizeof(mask));
    return (struct fly_words){words.low & mask.low, words.high & mask.high};
}
#endif

static inline struct fly_words fly_load_padded(const void *from, size_t bytes)
{
    uint8_t padded[16] = {0};
    struct fly_words words = {0, 0};
    if (bytes)
        memcpy(padded, from, bytes);
    for (int i = 7; i >= 0; i--) {
        words.low = words.low << 8 | padded[i];
        words.high = words.high << 8 | padded[8 + i];
    }
    return words;
}

static FLY_ALWAYS_INLINE struct fly_words fly_load16(const void *from, size_t bytes)
{
#if defined(__x86_64__) && !FLY_SANITIZED
    if (FLY_LIKELY(((uintptr_t)from & 4095) <= 4096 - 16 && from))
        return fly_load_masked(from, bytes);
#endif
    return fly_load_padded(from, bytes);
}

/* Hash of a key that picks its slot: keys of up to 16 bytes by one wide multiplication, longer ones
 * by fly_hash32. `key` may be NULL if bytes is 0. */
static FLY_ALWAYS_INLINE uint32_t fly_hash_key(const void *key, size_t bytes)
{
    if (FLY_UNLIKELY(bytes > 16))
        return fly_hash32(key, bytes, 0);
    struct fly_words words = fly_load16(key, bytes);
    uint64_t left = words.low ^ UINT64_C(0xa0761d6478bd642f);
    uint64_t right =
        words.high ^ UINT64_C(0xe7037ed1a0b428db) ^ (bytes * UINT64_C(0x9e3779b97f4a7c15));
    fly_u128 product = (fly_u128)left * right;
    uint64_t hash = (uint64_t)product ^ (uint64_t)(product >> 64);
    return (uint32_t)((hash * UINT64_C(0x9fb21c651e98df25)) >> 32);
}

struct fly_rng {
    uint64_t word[4];
};

/* Any seed will do, 0 too. */
static inline void fly_rng_init(struct fly_rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += UINT64_C(0x9e3779b97f4a7c15);
        rng->word[i] = fly_mix64(seed);
    }
}

static FLY_ALWAYS_INLINE uint64_t fly_rotl64(uint64_t value, unsigned bits)
{
    return (value << bits) | (value >> (64 - bits));
}

/* 64 uniform bits. */
static inline uint64_t fly_rng_next(struct fly_rng *rng)
{
    uint64_t *word = rng->word;
    uint64_t result = fly_rotl64(word[1] * 5, 7) * 9;
    uint64_t shifted = word[1] << 17;
    word[2] ^= word[0];
    word[3] ^= word[1];
    word[1] ^= word[2];
    word[0] ^= word[3];
    word[2] ^= shifted;
    word[3] = fly_rotl64(word[3], 45);
    return result;
}

/* Uniform in [0, bound), bound > 0; the bias is below bound / 2^64. */
static inline uint64_t fly_rng_below(struct fly_rng *rng, uint64_t bound)
{
    return (uint64_t)(((fly_u128)fly_rng_next(rng) * bound) >> 64);
}

/* Uniform in [0, 1), 53 bits. */
static inline double fly_rng_unit(struct fly_rng *rng)
{
    return (double)(fly_rng_next(rng) >> 11) * 0x1.0p-53;
}

#endif
