/* json_scan.h - checks a JSON text and finds values in it, in place.
 *
 * Idea       One pass from left to right: every value is checked, and the few paths that are wanted
 *            are followed along. Values are ranges of the text; only a string with escapes has to
 *            be written anew.
 * Owner      No state.
 * Memory     The stack: nesting is bounded.
 * Cost       A few nanoseconds per value; nothing is allocated.
 * When full  Nesting beyond FLY_JSON_DEPTH_MAX is refused like other text that is not JSON.
 * Caveat     RFC 8259, UTF-8 only, no lone surrogates. Where a name stands twice, the last one
 *            counts.
 * See also   select.c, parse_json.c, tests/fuzz/fuzz_select.c, which compares it with jansson
 */
#ifndef FLY_STAGES_JSON_SCAN_H
#define FLY_STAGES_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/text.h"

enum {
    FLY_JSON_DEPTH_MAX = 128,
    FLY_JSON_PATHS_MAX = 8,
    FLY_JSON_STEPS_MAX = 16,
};

enum fly_json_kind {
    FLY_JSON_NONE, /* not found */
    FLY_JSON_STRING,
    FLY_JSON_NUMBER,
    FLY_JSON_LITERAL, /* true, false, null */
    FLY_JSON_OBJECT,
    FLY_JSON_ARRAY,
};

struct fly_json_value {
    const uint8_t *at; /* strings: without quotes */
    uint32_t bytes;
    enum fly_json_kind kind;
    bool escaped; /* a string that has escapes */
};

/* user.name or items.0.id: names of members, numbers of elements. */
struct fly_json_path {
    struct {
        const char *text;
        uint32_t bytes;
    } step[FLY_JSON_STEPS_MAX];
    uint32_t step_cnt;
};

/* Points into `text`. 0, or -1: empty, an empty step, or too many of them. */
int fly_json_path_parse(struct fly_json_path *path, const char *text, size_t bytes)
    __attribute__((warn_unused_result));

/* Is it JSON? Then value[i] is what path[i] leads to. At most FLY_JSON_PATHS_MAX paths. */
bool fly_json_scan(const uint8_t *data, size_t bytes, const struct fly_json_path *path,
                   uint32_t path_cnt, struct fly_json_value *value);

/* Appends the value: a string as the text that it means, others as JSON without white space. */
void fly_json_write(const struct fly_json_value *value, struct fly_text *text);

#endif
