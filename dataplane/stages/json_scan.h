/* json_scan.h - checks a JSON text and finds values in it, in place.
 *
 * Idea       One pass from left to right, from quote to quote (json_index.h): every value is
 *            checked, and the few paths that are wanted are followed along. Values are ranges of
 *            the text; only a string with escapes has to be written anew. Finding all that is
 *            wanted does not end the pass: what is behind must be JSON, too, and may have the same
 *            name again.
 * Owner      No state.
 * Memory     The stack, up to 60 KiB at the deepest nesting, which is bounded.
 * Cost       Two or three nanoseconds per string, whatever its length; nothing is allocated.
 *            Escapes and characters beyond ASCII cost about a nanosecond each.
 * When full  Nesting beyond FLY_JSON_DEPTH_MAX is refused like other text that is not JSON.
 * Caveat     RFC 8259, UTF-8 only, no lone surrogates; numbers are checked, but of any size. Where
 *            a name stands twice, the last one counts.
 * See also   json_fields.h, tests/fuzz/fuzz_select.c, which compares it with jansson,
 *            perf/micro/json.c
 */
#ifndef FLY_STAGES_JSON_SCAN_H
#define FLY_STAGES_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/text.h"

enum {
    FLY_JSON_DEPTH_MAX = 128,
    FLY_JSON_PATHS_MAX = 16,
    FLY_JSON_STEPS_MAX = 16,
};

#define FLY_JSON_NO_ELEMENT UINT32_MAX

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

/* A member's name, or an element's number. */
struct fly_json_step {
    const char *text;
    uint64_t first, last; /* its eight bytes at both ends; zeros around shorter ones */
    uint32_t bytes;
    uint32_t element;  /* FLY_JSON_NO_ELEMENT: only a name */
    bool only_element; /* [0] */
};

/* user.name, items[0].id, "first name".x. A number between dots is either, as it comes. */
struct fly_json_path {
    uint32_t step_cnt;
    struct fly_json_step step[FLY_JSON_STEPS_MAX];
};

/* Points into `text`. A name with a dot or bracket in it, or with a quote in front, stands in
 * quotes, "..." or '...', without escapes: it ends at the next such quote. 0, or -1: empty, an
 * empty step, too many of them, or brackets and quotes that do not match. */
int fly_json_path_parse(struct fly_json_path *path, const char *text, size_t bytes)
    __attribute__((warn_unused_result));

/* Is it JSON? Then value[i] is what path[i] leads to. At most FLY_JSON_PATHS_MAX paths. */
bool fly_json_scan(const uint8_t *data, size_t bytes, const struct fly_json_path *path,
                   uint32_t path_cnt, struct fly_json_value *value);

/* Appends the value: a string as the text that it means, others as JSON without white space. */
void fly_json_write(const struct fly_json_value *value, struct fly_text *text);

#endif
