#include "stages/text.h"

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void fly_text_number(struct fly_text *text, uint64_t number)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    fly_text_add(text, digits + at, sizeof(digits) - at);
}

static void add_escape(struct fly_text *text, uint8_t byte)
{
    static const char hex[] = "0123456789abcdef";
    static const char from[] = "\"\\\b\f\n\r\t";
    static const char to[] = "\"\\bfnrt";
    const char *found = byte ? memchr(from, byte, sizeof(from) - 1) : NULL;
    if (found) {
        fly_text_add(text, (char[]){'\\', to[found - from]}, 2);
        return;
    }
    fly_text_add(text, (char[]){'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]}, 6);
}

void fly_text_json_string(struct fly_text *text, const void *data, size_t bytes)
{
    const uint8_t *at = data, *end = at + bytes, *plain = at;
    fly_text_byte(text, '"');
    for (; at < end; at++) {
        if (*at >= 0x20 && *at != '"' && *at != '\\')
            continue;
        fly_text_add(text, plain, (size_t)(at - plain));
        add_escape(text, *at);
        plain = at + 1;
    }
    fly_text_add(text, plain, (size_t)(end - plain));
    fly_text_byte(text, '"');
}

void fly_text_base64(struct fly_text *text, const void *data, size_t bytes)
{
    const uint8_t *at = data;
    for (size_t left = bytes; left > 0;) {
        size_t take = left < 3 ? left : 3;
        uint32_t bits = (uint32_t)at[0] << 16 | (take > 1 ? (uint32_t)at[1] << 8 : 0) |
                        (take > 2 ? (uint32_t)at[2] : 0);
        char digits[4] = {base64_digits[bits >> 18], base64_digits[bits >> 12 & 63],
                          take > 1 ? base64_digits[bits >> 6 & 63] : '=',
                          take > 2 ? base64_digits[bits & 63] : '='};
        fly_text_add(text, digits, sizeof(digits));
        at += take;
        left -= take;
    }
}

void fly_text_json_member(struct fly_text *text, const char *name, const void *data, size_t bytes)
{
    bool plain = fly_text_is_utf8(data, bytes);
    fly_text_byte(text, '"');
    fly_text_literal(text, name);
    fly_text_literal(text, plain ? "\":" : "_base64\":\"");
    if (plain) {
        fly_text_json_string(text, data, bytes);
        return;
    }
    fly_text_base64(text, data, bytes);
    fly_text_byte(text, '"');
}

size_t fly_text_utf8_sequence(const uint8_t *at, size_t left)
{
    uint8_t first = at[0];
    uint8_t low = 0x80, high = 0xbf; /* of the second byte */
    size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first < 0xc2 || first > 0xf4 || left < length)
        return 0;
    if (first == 0xe0)
        low = 0xa0;
    if (first == 0xed)
        high = 0x9f;
    if (first == 0xf0)
        low = 0x90;
    if (first == 0xf4)
        high = 0x8f;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

bool fly_text_is_utf8(const void *data, size_t bytes)
{
    const uint8_t *at = data, *end = at + bytes;
    while (at < end) {
        uint64_t eight;
        if (end - at >= 8) {
            memcpy(&eight, at, 8);
            if (!(eight & UINT64_C(0x8080808080808080))) {
                at += 8;
                continue;
            }
        }
        if (*at < 0x80) {
            at++;
            continue;
        }
        size_t length = fly_text_utf8_sequence(at, (size_t)(end - at));
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

static int base64_value(char digit)
{
    const char *found = digit ? strchr(base64_digits, digit) : NULL;
    return found ? (int)(found - base64_digits) : -1;
}

ptrdiff_t fly_text_from_base64(const char *text, size_t bytes, uint8_t *out)
{
    ptrdiff_t length = 0;
    if (bytes % 4)
        return -1;
    for (size_t i = 0; i < bytes; i += 4) {
        size_t pads =
            i + 4 < bytes ? 0 : (size_t)(text[i + 3] == '=') + (size_t)(text[i + 2] == '=');
        uint32_t bits = 0;
        for (size_t k = 0; k < 4; k++) {
            int value = k >= 4 - pads ? 0 : base64_value(text[i + k]);
            if (value < 0)
                return -1;
            bits = bits << 6 | (uint32_t)value;
        }
        if (pads == 2 && text[i + 3] != '=')
            return -1;
        for (size_t k = 0; k < 3 - pads; k++)
            out[length++] = (uint8_t)(bits >> (16 - 8 * k));
    }
    return length;
}
