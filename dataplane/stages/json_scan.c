#include "stages/json_scan.h"

#include <string.h>

struct scan {
    const uint8_t *at, *end;
    const struct fly_json_path *path;
    struct fly_json_value *value;
};

int fly_json_path_parse(struct fly_json_path *path, const char *text, size_t bytes)
{
    const char *at = text, *end = text + bytes;
    *path = (struct fly_json_path){0};
    while (at <= end) {
        const char *dot = at < end ? memchr(at, '.', (size_t)(end - at)) : NULL;
        size_t length = (size_t)((dot ? dot : end) - at);
        if (length == 0 || path->step_cnt == FLY_JSON_STEPS_MAX)
            return -1;
        path->step[path->step_cnt].text = at;
        path->step[path->step_cnt++].bytes = (uint32_t)length;
        if (!dot)
            return 0;
        at = dot + 1;
    }
    return -1;
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->end && is_space(*scan->at))
        scan->at++;
}

/* Takes one byte if it is the expected one. */
static bool take(struct scan *scan, uint8_t byte)
{
    if (scan->at == scan->end || *scan->at != byte)
        return false;
    scan->at++;
    return true;
}

/* --- Strings --- */

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

/* What the escape at *at, behind the backslash, means. Its bytes, or 0: it is none. */
static uint32_t unescape(const uint8_t **at, const uint8_t *end, uint8_t out[4])
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

static bool scan_string(struct scan *scan, struct fly_json_value *value)
{
    uint8_t out[4];
    if (!take(scan, '"'))
        return false;
    *value = (struct fly_json_value){.at = scan->at, .kind = FLY_JSON_STRING};
    while (scan->at < scan->end) {
        uint8_t byte = *scan->at++;
        if (byte == '"') {
            value->bytes = (uint32_t)(scan->at - 1 - value->at);
            return true;
        }
        if (byte < 0x20)
            return false;
        if (byte != '\\')
            continue;
        value->escaped = true;
        if (unescape(&scan->at, scan->end, out) == 0)
            return false;
    }
    return false;
}

/* Appends the text that a string means; it was checked before. */
static void write_string(const struct fly_json_value *value, struct fly_text *text)
{
    const uint8_t *at = value->at, *end = at + value->bytes;
    uint8_t out[4];
    while (at < end) {
        const uint8_t *escape = memchr(at, '\\', (size_t)(end - at));
        fly_text_add(text, at, (size_t)((escape ? escape : end) - at));
        at = escape ? escape + 1 : end;
        if (escape)
            fly_text_add(text, out, unescape(&at, end, out));
    }
}

/* --- Paths --- */

static bool is_step(const struct fly_json_path *path, uint32_t depth,
                    const struct fly_json_value *name)
{
    uint8_t plain[256];
    if (depth >= path->step_cnt)
        return false;
    if (!name->escaped)
        return path->step[depth].bytes == name->bytes &&
               memcmp(path->step[depth].text, name->at, name->bytes) == 0;
    struct fly_text text = {.at = plain, .max_bytes = sizeof(plain)};
    write_string(name, &text);
    return fly_text_fits(&text) && path->step[depth].bytes == text.bytes &&
           memcmp(path->step[depth].text, plain, text.bytes) == 0;
}

/* Which of the paths in `active` go on with this name; what they had found under it before is
 * void. */
static uint32_t follow(const struct scan *scan, uint32_t active, uint32_t depth,
                       const struct fly_json_value *name)
{
    uint32_t still = 0;
    for (; active; active &= active - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(active);
        if (!is_step(&scan->path[i], depth, name))
            continue;
        still |= 1u << i;
        scan->value[i] = (struct fly_json_value){0};
    }
    return still;
}

/* Paths in `active` that end here have found their value. */
static void found(const struct scan *scan, uint32_t active, uint32_t depth,
                  const struct fly_json_value *value)
{
    for (; active; active &= active - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(active);
        if (scan->path[i].step_cnt == depth)
            scan->value[i] = *value;
    }
}

/* --- Values --- */

static bool scan_value(struct scan *scan, uint32_t depth, uint32_t active);

static bool scan_member(struct scan *scan, uint32_t depth, uint32_t active)
{
    struct fly_json_value name;
    skip_space(scan);
    if (!scan_string(scan, &name))
        return false;
    skip_space(scan);
    return take(scan, ':') &&
           scan_value(scan, depth + 1, active ? follow(scan, active, depth, &name) : 0);
}

static bool scan_element(struct scan *scan, uint32_t depth, uint32_t active, uint32_t idx)
{
    uint8_t digits[10];
    struct fly_text text = {.at = digits, .max_bytes = sizeof(digits)};
    if (active) {
        fly_text_number(&text, idx);
        struct fly_json_value name = {.at = digits, .bytes = (uint32_t)text.bytes};
        active = follow(scan, active, depth, &name);
    }
    return scan_value(scan, depth + 1, active);
}

/* Members or elements, behind the opening bracket, up to `close`. */
static bool scan_group(struct scan *scan, uint32_t depth, uint32_t active, uint8_t close)
{
    if (depth == FLY_JSON_DEPTH_MAX)
        return false;
    skip_space(scan);
    if (take(scan, close))
        return true;
    for (uint32_t i = 0;; i++) {
        bool good =
            close == '}' ? scan_member(scan, depth, active) : scan_element(scan, depth, active, i);
        if (!good)
            return false;
        skip_space(scan);
        if (take(scan, close))
            return true;
        if (!take(scan, ','))
            return false;
    }
}

static bool scan_digits(struct scan *scan)
{
    const uint8_t *start = scan->at;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        scan->at++;
    return scan->at > start;
}

static bool scan_number(struct scan *scan)
{
    take(scan, '-');
    if (!take(scan, '0') && !scan_digits(scan))
        return false;
    if (take(scan, '.') && !scan_digits(scan))
        return false;
    if (!take(scan, 'e') && !take(scan, 'E'))
        return true;
    if (!take(scan, '+'))
        take(scan, '-');
    return scan_digits(scan);
}

static bool scan_literal(struct scan *scan)
{
    static const char *const literals[] = {"true", "false", "null"};
    for (int i = 0; i < 3; i++) {
        size_t bytes = strlen(literals[i]);
        if ((size_t)(scan->end - scan->at) >= bytes && memcmp(scan->at, literals[i], bytes) == 0) {
            scan->at += bytes;
            return true;
        }
    }
    return false;
}

/* A value that is no string, and its kind. */
static bool scan_other(struct scan *scan, uint32_t depth, uint32_t active, enum fly_json_kind *kind)
{
    switch (*scan->at) {
    case '{':
        scan->at++;
        *kind = FLY_JSON_OBJECT;
        return scan_group(scan, depth, active, '}');
    case '[':
        scan->at++;
        *kind = FLY_JSON_ARRAY;
        return scan_group(scan, depth, active, ']');
    case 't':
    case 'f':
    case 'n':
        *kind = FLY_JSON_LITERAL;
        return scan_literal(scan);
    default:
        *kind = FLY_JSON_NUMBER;
        return scan_number(scan);
    }
}

static bool scan_value(struct scan *scan, uint32_t depth, uint32_t active)
{
    struct fly_json_value value = {0};
    skip_space(scan);
    if (scan->at == scan->end)
        return false;
    if (*scan->at == '"') {
        if (!scan_string(scan, &value))
            return false;
    } else {
        value.at = scan->at;
        if (!scan_other(scan, depth, active, &value.kind))
            return false;
        value.bytes = (uint32_t)(scan->at - value.at);
    }
    found(scan, active, depth, &value);
    return true;
}

bool fly_json_scan(const uint8_t *data, size_t bytes, const struct fly_json_path *path,
                   uint32_t path_cnt, struct fly_json_value *value)
{
    struct scan scan = {.at = data, .end = data + bytes, .path = path, .value = value};
    for (uint32_t i = 0; i < path_cnt; i++)
        value[i] = (struct fly_json_value){0};
    if (!fly_text_is_utf8(data, bytes) || !scan_value(&scan, 0, (1u << path_cnt) - 1))
        return false;
    skip_space(&scan);
    return scan.at == scan.end;
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
