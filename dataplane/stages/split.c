/* split.c - one message for each part of a payload: words, lines, or what a separator cuts.
 *
 * Words go through the payload 64 bytes at a time: one bit per byte says whether it belongs to a
 * word, and every change of that bit is a word's beginning or end. Parts are emitted by reference;
 * only a part that changes when lowered is written anew.
 */
#include "stages/stages.h"

#include <flyover/stage.h>

#ifdef __SSE2__
#include <emmintrin.h>
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
#define SPLIT_MAY_READ_ON /* sanitizers would call it an error */
#endif
#endif

enum split_on { SPLIT_WHITESPACE, SPLIT_LINES };

struct split {
    uint32_t on; /* enum split_on */
    bool lowercase;
    struct fly_string separator;
};

/* Bit i speaks of byte i. */
struct split_bits {
    uint64_t word;  /* above 0x20 */
    uint64_t upper; /* A to Z */
};

#ifdef __SSE2__
/* x86-64-v2 is what we build for: SSE2 is always there; other machines take the loop below. */
static inline struct split_bits bits_of_16(__m128i bytes)
{
    /* Signed compares: flipping the top bit makes them unsigned. */
    __m128i flipped = _mm_xor_si128(bytes, _mm_set1_epi8((char)0x80));
    __m128i word = _mm_cmpgt_epi8(flipped, _mm_set1_epi8((char)(0x20 ^ 0x80)));
    __m128i from_a = _mm_cmpgt_epi8(bytes, _mm_set1_epi8('A' - 1));
    __m128i upper = _mm_and_si128(from_a, _mm_cmplt_epi8(bytes, _mm_set1_epi8('Z' + 1)));
    return (struct split_bits){(uint32_t)_mm_movemask_epi8(word),
                               (uint32_t)_mm_movemask_epi8(upper)};
}

/* 16 bytes of which only the first `bytes` count. What lies behind on the same page may be read;
 * a copy through memory would stall the load. */
static inline __m128i load_up_to_16(const uint8_t *at, uint32_t bytes)
{
#ifdef SPLIT_MAY_READ_ON
    if (((uintptr_t)at & 4095) <= 4096 - 16)
        return _mm_loadu_si128((const __m128i *)(const void *)at);
#endif
    uint8_t rest[16] = {0};
    memcpy(rest, at, bytes);
    return _mm_loadu_si128((const __m128i *)(const void *)rest);
}

static struct split_bits bits_of(const uint8_t *at, uint32_t bytes)
{
    struct split_bits all = {0, 0};
    uint32_t i = 0;
    for (; i + 16 <= bytes; i += 16) {
        struct split_bits bits =
            bits_of_16(_mm_loadu_si128((const __m128i *)(const void *)(at + i)));
        all.word |= bits.word << i;
        all.upper |= bits.upper << i;
    }
    if (i < bytes) {
        uint64_t mask = (UINT64_C(1) << (bytes - i)) - 1;
        struct split_bits bits = bits_of_16(load_up_to_16(at + i, bytes - i));
        all.word |= (bits.word & mask) << i;
        all.upper |= (bits.upper & mask) << i;
    }
    return all;
}
#else
static struct split_bits bits_of(const uint8_t *at, uint32_t bytes)
{
    struct split_bits all = {0, 0};
    for (uint32_t i = 0; i < bytes; i++) {
        all.word |= (uint64_t)(at[i] > 0x20) << i;
        all.upper |= (uint64_t)(at[i] >= 'A' && at[i] <= 'Z') << i;
    }
    return all;
}
#endif

static void emit_lowered(struct fly_task *task, const struct fly_msg *msg, const uint8_t *part,
                         uint32_t bytes)
{
    uint8_t *out = fly_reserve(task, bytes);
    for (uint32_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(part[i] | ((part[i] >= 'A' && part[i] <= 'Z') ? 0x20 : 0));
    fly_commit(task, 0, msg,
               (struct fly_content){
                   .key = out, .key_bytes = bytes, .payload = out, .payload_bytes = bytes});
}

static inline void emit_part(struct fly_task *task, const struct fly_msg *msg, const uint8_t *part,
                             uint32_t bytes, bool lower)
{
    if (lower) {
        emit_lowered(task, msg, part, bytes);
        return;
    }
    fly_emit(task, 0, msg,
             (struct fly_content){
                 .key = part, .key_bytes = bytes, .payload = part, .payload_bytes = bytes});
}

/* Bits [from, to) of 64, to > from. */
static inline uint64_t bits_between(uint64_t bits, uint32_t from, uint32_t to)
{
    return bits >> from << (64 - (to - from));
}

static bool has_upper(const uint8_t *at, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        if (at[i] >= 'A' && at[i] <= 'Z')
            return true;
    return false;
}

/* A word that fills 64 bytes or more: returns where it ends. */
static uint32_t split_long_word(struct fly_task *task, const struct split *split,
                                const struct fly_msg *msg, uint32_t from)
{
    uint32_t to = from;
    while (to < msg->payload_bytes && msg->payload[to] > 0x20)
        to++;
    bool lower = split->lowercase && has_upper(msg->payload + from, to - from);
    emit_part(task, msg, msg->payload + from, to - from, lower);
    return to;
}

/* Emits the words that end within [from, from + bytes), 64 at most; returns where to go on: behind
 * them, or at the start of a word that is cut off. */
static inline uint32_t split_block(struct fly_task *task, const struct split *split,
                                   const struct fly_msg *msg, uint32_t from, uint32_t bytes)
{
    const uint8_t *block = msg->payload + from;
    struct split_bits bits = bits_of(block, bytes);
    uint64_t starts = bits.word & ~(bits.word << 1);
    uint64_t ends = ~bits.word & (bits.word << 1);
    uint64_t upper = split->lowercase ? bits.upper : 0;
    for (; ends; starts &= starts - 1, ends &= ends - 1) {
        uint32_t start = (uint32_t)__builtin_ctzll(starts), end = (uint32_t)__builtin_ctzll(ends);
        emit_part(task, msg, block + start, end - start, upper && bits_between(upper, start, end));
    }
    return from + (starts ? (uint32_t)__builtin_ctzll(starts) : bytes);
}

static void split_words(struct fly_task *task, const struct split *split, const struct fly_msg *msg)
{
    uint32_t at = 0, left;
    while ((left = msg->payload_bytes - at) > 0) {
        /* Less than 64 bytes: there the last word's end is a bit, too. */
        uint32_t next = split_block(task, split, msg, at, left < 64 ? left : 64);
        bool stuck = next == at;
        at = stuck ? split_long_word(task, split, msg, at) : next;
    }
}

static void split_by(struct fly_task *task, const struct split *split, const struct fly_msg *msg,
                     struct fly_string separator)
{
    const uint8_t *at = msg->payload, *end = at + msg->payload_bytes;
    while (at < end) {
        const uint8_t *cut = memmem(at, (size_t)(end - at), separator.text, separator.bytes);
        uint32_t bytes = (uint32_t)((cut ? cut : end) - at);
        if (bytes)
            emit_part(task, msg, at, bytes, split->lowercase && has_upper(at, bytes));
        at = cut ? cut + separator.bytes : end;
    }
}

static void split_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    const struct split *split = self;
    if (split->separator.bytes == 0 && split->on == SPLIT_WHITESPACE) {
        for (uint32_t i = 0; i < batch->cnt; i++)
            split_words(task, split, &batch->msg[i]);
        return;
    }
    struct fly_string newline = {.text = "\n", .bytes = 1};
    for (uint32_t i = 0; i < batch->cnt; i++)
        split_by(task, split, &batch->msg[i], split->separator.bytes ? split->separator : newline);
}

static const char *const split_choices[] = {"whitespace", "lines", NULL};

static const struct fly_param split_params[] = {
    {.name = "on",
     .type = FLY_PARAM_ENUM,
     .at = offsetof(struct split, on),
     .preset = "whitespace",
     .choices = split_choices,
     .help = "What separates parts: bytes up to 0x20, or line ends."},
    {.name = "separator",
     .type = FLY_PARAM_STRING,
     .at = offsetof(struct split, separator),
     .help = "Separates parts instead of `on`, where given."},
    {.name = "lowercase",
     .type = FLY_PARAM_BOOL,
     .at = offsetof(struct split, lowercase),
     .preset = "false",
     .help = "Make A to Z small; other letters stay as they are."},
    {0},
};

const struct fly_node fly_split_node = {
    .name = "split",
    .kind = FLY_STAGE,
    .help = "One message for each part of the payload, the part being payload and key; "
            "empty parts are left out.",
    .example = "words: {type: split, inputs: [lines], on: whitespace, lowercase: true}",
    .params = split_params,
    .self_bytes = sizeof(struct split),
    .process = split_process,
};
