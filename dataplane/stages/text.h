/* text.h - writing JSON and other text into memory of a fixed size.
 *
 * Idea       Everything is appended; what does not fit is counted but not written, so one function
 *            both measures and writes.
 * Owner      Whoever has the struct.
 * Memory     The caller's; `at` may be NULL with max_bytes 0, to measure only.
 * Cost       A copy; escaping and checking look at each byte once.
 * When full  `bytes` goes on rising beyond max_bytes; the caller compares the two at the end.
 * See also   count.c, connectors/codec/codec.h
 */
#ifndef FLY_STAGES_TEXT_H
#define FLY_STAGES_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct fly_text {
    uint8_t *at;
    size_t max_bytes;
    size_t bytes; /* so much was appended; over max_bytes: it did not fit */
};

static inline bool fly_text_fits(const struct fly_text *text)
{
    return text->bytes <= text->max_bytes;
}

static inline void fly_text_add(struct fly_text *text, const void *data, size_t bytes)
{
    if (bytes && text->bytes <= text->max_bytes && bytes <= text->max_bytes - text->bytes)
        memcpy(text->at + text->bytes, data, bytes);
    text->bytes += bytes;
}

static inline void fly_text_byte(struct fly_text *text, uint8_t byte)
{
    if (text->bytes < text->max_bytes)
        text->at[text->bytes] = byte;
    text->bytes++;
}

/* A literal, without its NUL. */
static inline void fly_text_literal(struct fly_text *text, const char *literal)
{
    fly_text_add(text, literal, strlen(literal));
}

/* In decimal. */
void fly_text_number(struct fly_text *text, uint64_t number);

/* With quotes and escapes. `data` must be valid UTF-8, else so is not the result. */
void fly_text_json_string(struct fly_text *text, const void *data, size_t bytes);

/* RFC 4648, with padding, without quotes. */
void fly_text_base64(struct fly_text *text, const void *data, size_t bytes);

/* One member of a JSON object: "name":"..." where the bytes are valid UTF-8, else
 * "name_base64":"...". So every sequence of bytes can be told from every other. */
void fly_text_json_member(struct fly_text *text, const char *name, const void *data, size_t bytes);

/* Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. NUL is fine. */
bool fly_text_is_utf8(const void *data, size_t bytes);

/* How many bytes the character beyond ASCII at `at` has, `left` at most; 0: it is none. */
size_t fly_text_utf8_sequence(const uint8_t *at, size_t left);

/* The reverse of fly_text_base64(), into out (at least bytes / 4 * 3). The length, or -1 if it
 * is not that. */
ptrdiff_t fly_text_from_base64(const char *text, size_t bytes, uint8_t *out);

#endif
