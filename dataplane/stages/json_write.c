/* json_write.c - what escapes mean, and values as text. */
#include "stages/json_escape.h"
#include "stages/json_scan.h"

#include <string.h>

/* Four hex digits, or -1. */
static int32_t hex4(const uint8_t *at, const uint8_t *end)
{
    int32_t number = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        uint8_t lower = at[i] | 0x20;
        if (at[i] >= '0' && at[i] <= '9')
            number = number * 16 + (at[i] - '0');
        else if (lower >= 'a' && lower <= 'f')
            number = number * 16 + (lower - 'a' + 10);
        else
            return -1;
    }
    return number;
}

static uint32_t put_utf8(uint32_t code, uint8_t out[4])
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xc0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}

/* The character at *at, which is behind "\u". 0: it is none. */
static uint32_t unescape_unicode(const uint8_t **at, const uint8_t *end, uint8_t out[4])
{
    int32_t code = hex4(*at, end);
    if (code < 0 || (code >= 0xdc00 && code <= 0xdfff))
        return 0;
    *at += 4;
    if (code < 0xd800 || code > 0xdbff)
        return put_utf8((uint32_t)code, out);
    if (end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return 0;
    int32_t low = hex4(*at + 2, end);
    if (low < 0xdc00 || low > 0xdfff)
        return 0;
    *at += 6;
    return put_utf8(0x10000 + (((uint32_t)code - 0xd800) << 10) + ((uint32_t)low - 0xdc00), out);
}

uint32_t fly_json_unescape(const uint8_t **at, const uint8_t *end, uint8_t out[4])
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    if (*at == end)
        return 0;
    uint8_t kind = *(*at)++;
    if (kind == 'u')
        return unescape_unicode(at, end, out);
    const char *found = kind ? memchr(from, kind, sizeof(from) - 1) : NULL;
    if (!found)
        return 0;
    out[0] = (uint8_t)to[found - from];
    return 1;
}

/* Appends the text that a string means; it was checked before. */
static void write_string(const struct fly_json_value *value, struct fly_text *text)
{
    const uint8_t *at = value->at, *end = at + value->bytes;
    uint8_t out[4];
    while (at < end) {
        const uint8_t *escape = memchr(at, '\\', (uint32_t)(end - at));
        fly_text_add(text, at, (size_t)((escape ? escape : end) - at));
        at = escape ? escape + 1 : end;
        if (escape)
            fly_text_add(text, out, fly_json_unescape(&at, end, out));
    }
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* White space that is not within a string goes away. */
static void write_compact(const struct fly_json_value *value, struct fly_text *text)
{
    const uint8_t *at = value->at, *end = at + value->bytes;
    bool in_string = false;
    for (; at < end; at++) {
        if (in_string && *at == '\\') {
            fly_text_add(text, at++, 2);
            continue;
        }
        in_string ^= *at == '"';
        if (in_string || !is_space(*at))
            fly_text_byte(text, *at);
    }
}

void fly_json_write(const struct fly_json_value *value, struct fly_text *text)
{
    if (value->kind == FLY_JSON_STRING)
        write_string(value, text);
    else
        write_compact(value, text);
}
