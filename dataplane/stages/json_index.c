#include "stages/json_index.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
#define INDEX_MAY_READ_ON /* within a page; sanitizers would call it an error */
#endif

enum { BLOCK_BYTES = 64, PAGE_BYTES = 4096 };

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Bit i: byte i of 64 is one of those. */
typedef uint64_t bits_of_64(const uint8_t *at);

/* The last block, of which only `bytes` count. */
static ALWAYS_INLINE uint64_t bits_of_rest(const uint8_t *at, size_t bytes, bits_of_64 *bits_of)
{
    uint64_t mask = (UINT64_C(1) << bytes) - 1;
#ifdef INDEX_MAY_READ_ON
    if (((uintptr_t)at & (PAGE_BYTES - 1)) <= PAGE_BYTES - BLOCK_BYTES)
        return bits_of(at) & mask;
#endif
    uint8_t rest[BLOCK_BYTES] = {0};
    memcpy(rest, at, bytes);
    return bits_of(rest) & mask;
}

static ALWAYS_INLINE void index_by(const uint8_t *at, size_t bytes, uint64_t *marks,
                                   bits_of_64 *bits_of)
{
    size_t cnt = bytes < FLY_JSON_WINDOW_BYTES ? bytes : FLY_JSON_WINDOW_BYTES, i = 0;
    for (; i + BLOCK_BYTES <= cnt; i += BLOCK_BYTES)
        *marks++ = bits_of(at + i);
    if (i < cnt)
        *marks++ = bits_of_rest(at + i, cnt - i, bits_of);
    *marks = UINT64_MAX;
}

/* --- With 16 or 32 bytes at a time ----------------------------------------------------------- */

#if defined(__x86_64__)
/* As signed numbers, control characters and bytes over 0x7f are all below the space. */
static ALWAYS_INLINE uint64_t sse2_bits_of_16(const uint8_t *at)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i marks = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                 _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    marks = _mm_or_si128(marks, _mm_cmplt_epi8(bytes, _mm_set1_epi8(' ')));
    return (uint32_t)_mm_movemask_epi8(marks);
}

static ALWAYS_INLINE uint64_t sse2_bits(const uint8_t *at)
{
    return sse2_bits_of_16(at) | sse2_bits_of_16(at + 16) << 16 | sse2_bits_of_16(at + 32) << 32 |
           sse2_bits_of_16(at + 48) << 48;
}

static void index_sse2(const uint8_t *at, size_t bytes, uint64_t *marks)
{
    index_by(at, bytes, marks, sse2_bits);
}

#define FOR_AVX2 __attribute__((target("avx2")))

static FOR_AVX2 ALWAYS_INLINE uint64_t avx2_bits_of_32(const uint8_t *at)
{
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)at);
    __m256i marks = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"')),
                                    _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\')));
    marks = _mm256_or_si256(marks, _mm256_cmpgt_epi8(_mm256_set1_epi8(' '), bytes));
    return (uint32_t)_mm256_movemask_epi8(marks);
}

static FOR_AVX2 ALWAYS_INLINE uint64_t avx2_bits(const uint8_t *at)
{
    return avx2_bits_of_32(at) | avx2_bits_of_32(at + 32) << 32;
}

static FOR_AVX2 void index_avx2(const uint8_t *at, size_t bytes, uint64_t *marks)
{
    index_by(at, bytes, marks, avx2_bits);
}

static inline bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}
#endif

/* --- With 8 bytes at a time ------------------------------------------------------------------ */

/* The top bit of each byte that is 0; of no other byte. */
static ALWAYS_INLINE uint64_t zero_bytes(uint64_t bytes)
{
    const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
    return ~(((bytes & low) + low) | bytes | low);
}

static ALWAYS_INLINE uint64_t portable_bits_of_8(const uint8_t *at)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t bytes, marks;
    memcpy(&bytes, at, 8);
    marks = zero_bytes(bytes ^ ones * '"') | zero_bytes(bytes ^ ones * '\\');
    marks |= zero_bytes(bytes & ones * 0xe0) | (bytes & ones * 0x80);
    /* Gathers the top bits, the lowest byte's first. */
    return (marks >> 7) * UINT64_C(0x0102040810204080) >> 56;
}

static ALWAYS_INLINE uint64_t portable_bits(const uint8_t *at)
{
    uint64_t bits = 0;
    for (uint32_t i = 0; i < BLOCK_BYTES; i += 8)
        bits |= portable_bits_of_8(at + i) << i;
    return bits;
}

static void index_portable(const uint8_t *at, size_t bytes, uint64_t *marks)
{
    index_by(at, bytes, marks, portable_bits);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the lowest byte is the first");

/* --- Choosing -------------------------------------------------------------------------------- */

void fly_json_index(const uint8_t *at, size_t bytes, uint64_t marks[FLY_JSON_MARKS_CNT])
{
#if defined(__x86_64__)
    if (has_avx2())
        index_avx2(at, bytes, marks);
    else
        index_sse2(at, bytes, marks);
#else
    index_portable(at, bytes, marks);
#endif
}

int fly_json_index_by(enum fly_json_index_way way, const uint8_t *at, size_t bytes,
                      uint64_t marks[FLY_JSON_MARKS_CNT])
{
    switch (way) {
    case FLY_JSON_INDEX_PORTABLE:
        index_portable(at, bytes, marks);
        return 0;
#if defined(__x86_64__)
    case FLY_JSON_INDEX_SSE2:
        index_sse2(at, bytes, marks);
        return 0;
    case FLY_JSON_INDEX_AVX2:
        if (!has_avx2())
            return -1;
        index_avx2(at, bytes, marks);
        return 0;
#else
    case FLY_JSON_INDEX_SSE2:
    case FLY_JSON_INDEX_AVX2:
        return -1;
#endif
    }
    return -1;
}
