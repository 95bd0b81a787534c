#include "stages/json_scan.h"

#include <string.h>

#include "stages/json_escape.h"
#include "stages/json_index.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
#define LIKELY(condition) __builtin_expect(!!(condition), 1)

enum { SORT_CNT = 32 };
enum { BYTES_MAX = 1 << 30 }; /* sums of places stay far below UINT32_MAX */

struct scan {
    const uint8_t *data;
    uint32_t bytes;
    uint32_t window, window_end; /* what `marks` tell of */
    uint32_t quick_end;          /* before it there are marks, and four bytes can be read */
    bool escaped;                /* the string that string_rest() went through last */
    const struct fly_json_path *path;
    struct fly_json_value *value;
    uint64_t marks[FLY_JSON_MARKS_CNT];
};

/* How far we are. Handed on by value, so that it stays in registers. */
struct cursor {
    uint64_t marks; /* of the block at `block`; those before `at` are gone */
    uint32_t block;
    uint32_t at;
};

/* So far behind every text that it stays there when something is added: it fails at the next look
 * at what is there, and needs no check of its own. */
#define FAILED ((struct cursor){0, 0, UINT32_MAX / 2})

/* 0 behind the end: nothing but a string could have that, and not even one unescaped. */
static ALWAYS_INLINE uint8_t byte_at(const struct scan *scan, uint32_t at)
{
    return LIKELY(at < scan->bytes) ? scan->data[at] : 0;
}

/* Are these three characters next? Only asked where four can be read. */
static ALWAYS_INLINE bool three_at(const uint8_t *at, const char *three)
{
    uint32_t four;
    memcpy(&four, at, 4);
    return (four & 0xffffff) ==
           ((uint32_t)three[0] | (uint32_t)three[1] << 8 | (uint32_t)three[2] << 16);
}

/* --- Marks ----------------------------------------------------------------------------------- */

/* Where only characters without marks were passed. */
static ALWAYS_INLINE struct cursor move(struct cursor cursor, uint32_t at)
{
    cursor.at = at;
    return cursor;
}

/* Wherever `at` is. */
static struct cursor jump(const struct scan *scan, uint32_t at)
{
    uint32_t stop = at < scan->window_end ? at : scan->window_end;
    uint32_t distance = stop - scan->window;
    return (struct cursor){scan->marks[distance / 64] & UINT64_MAX << distance % 64,
                           scan->window + distance / 64 * 64, at};
}

static struct cursor open_window(struct scan *scan, uint32_t at)
{
    uint32_t left = scan->bytes - at;
    fly_json_index(scan->data + at, left, scan->marks);
    scan->window = at;
    scan->window_end = at + (left < FLY_JSON_WINDOW_BYTES ? left : FLY_JSON_WINDOW_BYTES);
    scan->quick_end = scan->window_end;
    if (scan->bytes - scan->window_end < 3)
        scan->quick_end = scan->bytes < 3 ? 0 : scan->bytes - 3;
    return jump(scan, at);
}

/* To the next mark, whose bit is the lowest one then. Behind the window's end there are only marks:
 * where it leads to tells. */
static ALWAYS_INLINE struct cursor to_mark(const struct scan *scan, struct cursor cursor)
{
    while (cursor.marks == 0) {
        cursor.block += 64;
        cursor.marks = scan->marks[(cursor.block - scan->window) / 64];
    }
    cursor.at = cursor.block + (uint32_t)__builtin_ctzll(cursor.marks);
    return cursor;
}

static ALWAYS_INLINE struct cursor take_mark(struct cursor cursor)
{
    cursor.marks &= cursor.marks - 1;
    return cursor;
}

/* --- White space ----------------------------------------------------------------------------- */

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static NOINLINE struct cursor skip_spaces(const struct scan *scan, uint32_t at)
{
    while (is_space(byte_at(scan, at)))
        at++;
    return jump(scan, at);
}

static ALWAYS_INLINE struct cursor skip_space(const struct scan *scan, struct cursor cursor)
{
    if (LIKELY(byte_at(scan, cursor.at) > ' '))
        return cursor;
    if (byte_at(scan, cursor.at) == ' ' && byte_at(scan, cursor.at + 1) > ' ')
        return move(cursor, cursor.at + 1);
    return skip_spaces(scan, cursor.at);
}

/* --- Strings --------------------------------------------------------------------------------- */

/* Behind the characters beyond ASCII that begin here; 0: some of them are none. */
static uint32_t behind_unicode(const struct scan *scan, uint32_t at)
{
    while (at < scan->bytes && scan->data[at] >= 0x80) {
        size_t length = fly_text_utf8_sequence(scan->data + at, scan->bytes - at);
        if (length == 0)
            return 0;
        at += (uint32_t)length;
    }
    return at;
}

/* The same for one escape. */
static uint32_t behind_escape(const struct scan *scan, uint32_t at)
{
    uint8_t out[4];
    const uint8_t *next = scan->data + at + 1;
    return fly_json_unescape(&next, scan->data + scan->bytes, out) ? (uint32_t)(next - scan->data)
                                                                   : 0;
}

/* Goes on within a string that has more in it than plain characters, or is cut by the window's
 * end. To its closing quote. */
static NOINLINE struct cursor string_rest(struct scan *scan, uint32_t at)
{
    while (at < scan->bytes) {
        struct cursor cursor = at < scan->window_end ? jump(scan, at) : open_window(scan, at);
        cursor = to_mark(scan, cursor);
        if (cursor.at >= scan->window_end) {
            at = scan->window_end;
            continue;
        }
        uint8_t byte = scan->data[cursor.at];
        if (byte == '"')
            return cursor;
        if (byte != '\\' && byte < 0x80)
            return FAILED;
        scan->escaped |= byte == '\\';
        at = byte == '\\' ? behind_escape(scan, cursor.at) : behind_unicode(scan, cursor.at);
        if (at == 0)
            return FAILED;
    }
    return FAILED;
}

static ALWAYS_INLINE struct fly_json_value string_value(const struct scan *scan, uint32_t begin,
                                                        uint32_t end, bool escaped)
{
    return (struct fly_json_value){scan->data + begin, end - begin, FLY_JSON_STRING, escaped};
}

/* The string whose opening quote is here. */
static struct cursor scan_string(struct scan *scan, struct cursor cursor,
                                 struct fly_json_value *value)
{
    uint32_t begin = cursor.at + 1;
    scan->escaped = false;
    cursor = to_mark(scan, take_mark(to_mark(scan, cursor)));
    if (cursor.at >= scan->window_end || scan->data[cursor.at] != '"')
        cursor = string_rest(scan, begin);
    *value = string_value(scan, begin, cursor.at, scan->escaped);
    return move(take_mark(cursor), cursor.at + 1);
}

/* --- Paths ----------------------------------------------------------------------------------- */

static NOINLINE bool is_escaped_step(const struct fly_json_step *step,
                                     const struct fly_json_value *name)
{
    uint8_t plain[256];
    struct fly_text text = {.at = plain, .max_bytes = sizeof(plain)};
    fly_json_write(name, &text);
    return !step->only_element && fly_text_fits(&text) && step->bytes == text.bytes &&
           memcmp(step->text, plain, text.bytes) == 0;
}

static ALWAYS_INLINE bool is_step(const struct fly_json_step *step,
                                  const struct fly_json_value *name, uint64_t first)
{
    uint64_t last;
    if (step->bytes != name->bytes || step->first != first)
        return false;
    if (step->bytes <= 8)
        return !step->only_element;
    memcpy(&last, name->at + name->bytes - 8, 8);
    return step->last == last &&
           (step->bytes <= 16 || memcmp(step->text + 8, name->at + 8, step->bytes - 16) == 0);
}

/* Its first eight bytes, zeros behind shorter ones. */
static ALWAYS_INLINE uint64_t first_of(const struct scan *scan, const struct fly_json_value *name)
{
    uint64_t first = 0;
    if (LIKELY(name->at + 8 <= scan->data + scan->bytes)) {
        memcpy(&first, name->at, 8);
        return name->bytes < 8 ? first & ((UINT64_C(1) << name->bytes * 8) - 1) : first;
    }
    memcpy(&first, name->at, name->bytes < 8 ? name->bytes : 8);
    return first;
}

/* The names that paths have at one depth, by a sort that is quickly found out: most names of a
 * message are none of them. */
struct wanted {
    uint32_t sorts;            /* that there are */
    uint16_t active[SORT_CNT]; /* the paths of each */
};

static ALWAYS_INLINE uint32_t sort_of(uint32_t bytes, uint8_t first)
{
    return (bytes + first) % SORT_CNT;
}

static ALWAYS_INLINE void want(struct wanted *wanted, const struct scan *scan, uint32_t active,
                               uint32_t depth)
{
    wanted->sorts = 0;
    for (; active; active &= active - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(active);
        const struct fly_json_path *path = &scan->path[i];
        if (depth >= path->step_cnt)
            continue;
        uint32_t sort = sort_of(path->step[depth].bytes, (uint8_t)path->step[depth].text[0]);
        uint32_t others = wanted->sorts >> sort & 1 ? wanted->active[sort] : 0;
        wanted->sorts |= 1u << sort;
        wanted->active[sort] = (uint16_t)(others | 1u << i);
    }
}

/* The path goes on here. What it had found under the same name before is void. */
static ALWAYS_INLINE uint32_t goes_on(const struct scan *scan, uint32_t i, uint32_t depth)
{
    if (scan->path[i].step_cnt > depth + 1)
        scan->value[i] = (struct fly_json_value){0};
    return 1u << i;
}

static NOINLINE uint32_t follow_escaped(const struct scan *scan, uint32_t active, uint32_t depth,
                                        const struct fly_json_value *name)
{
    uint32_t still = 0;
    for (; active; active &= active - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(active);
        const struct fly_json_path *path = &scan->path[i];
        if (depth < path->step_cnt && is_escaped_step(&path->step[depth], name))
            still |= goes_on(scan, i, depth);
    }
    return still;
}

/* Which of the paths go on with this name, which has no escapes. */
static ALWAYS_INLINE uint32_t follow_name(const struct scan *scan, const struct wanted *wanted,
                                          uint32_t depth, const struct fly_json_value *name)
{
    uint32_t sort = sort_of(name->bytes, *name->at), still = 0;
    if (LIKELY(!(wanted->sorts >> sort & 1)))
        return 0;
    uint64_t first = first_of(scan, name);
    for (uint32_t active = wanted->active[sort]; active; active &= active - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(active);
        if (is_step(&scan->path[i].step[depth], name, first))
            still |= goes_on(scan, i, depth);
    }
    return still;
}

static uint32_t follow_element(const struct scan *scan, uint32_t active, uint32_t depth,
                               uint32_t element)
{
    uint32_t still = 0;
    for (; active; active &= active - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(active);
        const struct fly_json_path *path = &scan->path[i];
        if (depth < path->step_cnt && path->step[depth].element == element)
            still |= goes_on(scan, i, depth);
    }
    return still;
}

/* Paths in `active` that end here have found their value. */
static ALWAYS_INLINE void found(const struct scan *scan, uint32_t active, uint32_t depth,
                                const struct fly_json_value *value)
{
    for (; active; active &= active - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(active);
        if (scan->path[i].step_cnt == depth)
            scan->value[i] = *value;
    }
}

/* --- Values ---------------------------------------------------------------------------------- */

static struct cursor scan_digits(const struct scan *scan, struct cursor cursor)
{
    uint32_t at = cursor.at;
    while (byte_at(scan, at) >= '0' && byte_at(scan, at) <= '9')
        at++;
    return at > cursor.at ? move(cursor, at) : FAILED;
}

static struct cursor scan_number(const struct scan *scan, struct cursor cursor)
{
    cursor.at += byte_at(scan, cursor.at) == '-';
    if (byte_at(scan, cursor.at) == '0')
        cursor.at++;
    else
        cursor = scan_digits(scan, cursor);
    if (byte_at(scan, cursor.at) == '.')
        cursor = scan_digits(scan, move(cursor, cursor.at + 1));
    if ((byte_at(scan, cursor.at) | 0x20) != 'e')
        return cursor;
    cursor.at++;
    cursor.at += byte_at(scan, cursor.at) == '+' || byte_at(scan, cursor.at) == '-';
    return scan_digits(scan, cursor);
}

static struct cursor scan_literal(const struct scan *scan, struct cursor cursor)
{
    static const char *const literals[] = {"true", "false", "null"};
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t bytes = i == 1 ? 5 : 4;
        if (scan->bytes - cursor.at >= bytes &&
            memcmp(scan->data + cursor.at, literals[i], bytes) == 0)
            return move(cursor, cursor.at + bytes);
    }
    return FAILED;
}

static struct cursor scan_object(struct scan *scan, struct cursor cursor, uint32_t depth,
                                 uint32_t active);
static struct cursor scan_array(struct scan *scan, struct cursor cursor, uint32_t depth,
                                uint32_t active);

/* A value that is no string. */
static struct cursor scan_other(struct scan *scan, struct cursor cursor, uint32_t depth,
                                uint32_t active, enum fly_json_kind *kind)
{
    switch (byte_at(scan, cursor.at)) {
    case '{':
        *kind = FLY_JSON_OBJECT;
        return scan_object(scan, move(cursor, cursor.at + 1), depth, active);
    case '[':
        *kind = FLY_JSON_ARRAY;
        return scan_array(scan, move(cursor, cursor.at + 1), depth, active);
    case 't':
    case 'f':
    case 'n':
        *kind = FLY_JSON_LITERAL;
        return scan_literal(scan, cursor);
    default:
        *kind = FLY_JSON_NUMBER;
        return scan_number(scan, cursor);
    }
}

static struct cursor scan_value(struct scan *scan, struct cursor cursor, uint32_t depth,
                                uint32_t active)
{
    struct fly_json_value value;
    if (byte_at(scan, cursor.at) == '"') {
        cursor = scan_string(scan, cursor, &value);
    } else {
        uint32_t begin = cursor.at;
        enum fly_json_kind kind;
        cursor = scan_other(scan, cursor, depth, active, &kind);
        value = (struct fly_json_value){scan->data + begin, cursor.at - begin, kind, false};
    }
    found(scan, active, depth, &value);
    return cursor;
}

/* From a member's opening quote to behind its value. */
static struct cursor scan_member(struct scan *scan, struct cursor cursor, uint32_t depth,
                                 uint32_t active, const struct wanted *wanted)
{
    struct fly_json_value name;
    uint32_t inner = 0;
    cursor = skip_space(scan, scan_string(scan, cursor, &name));
    if (byte_at(scan, cursor.at) != ':')
        return FAILED;
    if (name.escaped)
        inner = follow_escaped(scan, active, depth, &name);
    else
        inner = follow_name(scan, wanted, depth, &name);
    return scan_value(scan, skip_space(scan, move(cursor, cursor.at + 1)), depth + 1, inner);
}

/* A member whose name is of a wanted sort, and whose value is a string; both without escapes. */
static NOINLINE void quick_found(const struct scan *scan, uint32_t active, uint32_t depth,
                                 const struct fly_json_value *name,
                                 const struct fly_json_value *value)
{
    uint64_t first = first_of(scan, name);
    do {
        uint32_t i = (uint32_t)__builtin_ctz(active);
        const struct fly_json_path *path = &scan->path[i];
        if (!is_step(&path->step[depth], name, first))
            continue;
        scan->value[i] = (struct fly_json_value){0};
        if (path->step_cnt == depth + 1)
            scan->value[i] = *value;
    } while (active &= active - 1);
}

/* quick_members() keeps its place in pointers: they take fewer steps than distances do. */
struct quick {
    uint64_t marks;
    const uint64_t *next; /* marks of the block behind `block` */
    const uint8_t *block;
};

static ALWAYS_INLINE struct quick quick_mark(struct quick quick)
{
    while (quick.marks == 0) {
        quick.marks = *quick.next++;
        quick.block += 64;
    }
    return quick;
}

/* From the mark of a string's opening quote to that of its closing one. */
static ALWAYS_INLINE struct quick quick_close(struct quick quick, const uint8_t **at)
{
    quick = quick_mark(quick);
    quick.marks &= quick.marks - 1;
    quick = quick_mark(quick);
    *at = quick.block + __builtin_ctzll(quick.marks);
    quick.marks &= quick.marks - 1;
    return quick;
}

/* Members as most are: a name, a string, and another member behind, all without white space,
 * escapes and other rarities. From opening quote to opening quote, over as many as there are. */
static ALWAYS_INLINE struct cursor quick_members(const struct scan *scan, struct cursor cursor,
                                                 uint32_t depth, const struct wanted *wanted)
{
    const uint8_t *at = scan->data + cursor.at, *end = scan->data + scan->quick_end, *colon, *comma;
    const uint64_t *marks = scan->marks + (cursor.block - scan->window) / 64;
    struct quick start = {cursor.marks, marks + 1, scan->data + cursor.block};
    for (;;) {
        struct quick quick = quick_close(start, &colon);
        if (colon >= end || !three_at(colon, "\":\""))
            break;
        quick = quick_close(quick, &comma);
        if (comma >= end || !three_at(comma, "\",\""))
            break;
        uint32_t bytes = (uint32_t)(colon - at) - 1;
        uint32_t sort = sort_of(bytes, at[1]);
        if (wanted->sorts >> sort & 1) {
            struct fly_json_value name = {at + 1, bytes, FLY_JSON_STRING, false};
            struct fly_json_value value = {colon + 3, (uint32_t)(comma - colon) - 3,
                                           FLY_JSON_STRING, false};
            quick_found(scan, wanted->active[sort], depth, &name, &value);
        }
        at = comma + 2;
        start = quick;
    }
    return (struct cursor){start.marks, (uint32_t)(start.block - scan->data),
                           (uint32_t)(at - scan->data)};
}

/* Behind the opening bracket. */
static NOINLINE struct cursor scan_object(struct scan *scan, struct cursor cursor, uint32_t depth,
                                          uint32_t active)
{
    if (depth == FLY_JSON_DEPTH_MAX)
        return FAILED;
    struct wanted wanted;
    want(&wanted, scan, active, depth);
    cursor = skip_space(scan, cursor);
    if (byte_at(scan, cursor.at) == '}')
        return move(cursor, cursor.at + 1);
    while (byte_at(scan, cursor.at) == '"') {
        cursor = quick_members(scan, cursor, depth, &wanted);
        cursor = skip_space(scan, scan_member(scan, cursor, depth, active, &wanted));
        uint8_t byte = byte_at(scan, cursor.at);
        cursor.at++;
        if (byte == '}')
            return cursor;
        if (byte != ',')
            return FAILED;
        cursor = skip_space(scan, cursor);
    }
    return FAILED;
}

static struct cursor scan_array(struct scan *scan, struct cursor cursor, uint32_t depth,
                                uint32_t active)
{
    if (depth == FLY_JSON_DEPTH_MAX)
        return FAILED;
    cursor = skip_space(scan, cursor);
    if (byte_at(scan, cursor.at) == ']')
        return move(cursor, cursor.at + 1);
    for (uint32_t i = 0;; i++) {
        uint32_t inner = follow_element(scan, active, depth, i);
        cursor = skip_space(scan, scan_value(scan, cursor, depth + 1, inner));
        uint8_t byte = byte_at(scan, cursor.at);
        cursor.at++;
        if (byte == ']')
            return cursor;
        if (byte != ',')
            return FAILED;
        cursor = skip_space(scan, cursor);
    }
}

bool fly_json_scan(const uint8_t *data, size_t bytes, const struct fly_json_path *path,
                   uint32_t path_cnt, struct fly_json_value *value)
{
    struct scan scan; /* its largest part is filled as far as needed */
    for (uint32_t i = 0; i < path_cnt; i++)
        value[i] = (struct fly_json_value){0};
    if (bytes > BYTES_MAX)
        return false;
    scan.data = data;
    scan.bytes = (uint32_t)bytes;
    scan.path = path;
    scan.value = value;
    struct cursor cursor = skip_space(&scan, open_window(&scan, 0));
    cursor = scan_value(&scan, cursor, 0, (1u << path_cnt) - 1);
    return skip_space(&scan, cursor).at == bytes;
}
