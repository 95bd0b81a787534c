/* fuzz_select.c - the JSON scanner finds what jansson finds, and refuses what jansson refuses.
 *
 * Input: a path, a newline, and what may be JSON. Where the two may differ: nesting, which is
 * bounded differently; numbers that are too large for jansson; names with a NUL, which jansson
 * cannot hold; and NUL bytes behind a number, which jansson overlooks.
 */
#include "fuzz/fuzz.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "stages/json_scan.h"

static bool nests_deeply(const uint8_t *data, size_t bytes)
{
    size_t open = 0;
    for (size_t i = 0; i < bytes; i++)
        open += data[i] == '{' || data[i] == '[';
    return open > FLY_JSON_DEPTH_MAX;
}

static bool may_differ(const json_error_t *error)
{
    return json_error_code(error) == json_error_numeric_overflow ||
           json_error_code(error) == json_error_null_byte_in_key;
}

static json_t *walk(json_t *value, const struct fly_json_path *path)
{
    for (uint32_t i = 0; i < path->step_cnt && value; i++) {
        const struct fly_json_step *step = &path->step[i];
        if (json_is_array(value))
            value =
                step->element == FLY_JSON_NO_ELEMENT ? NULL : json_array_get(value, step->element);
        else
            value = step->only_element ? NULL : json_object_getn(value, step->text, step->bytes);
    }
    return value;
}

/* What the scanner writes for the value is what jansson read. */
static void compare(const struct fly_json_value *found, json_t *expected)
{
    struct fly_text text = {0};
    FLY_CHECK((found->kind == FLY_JSON_NONE) == (expected == NULL), "found by one of two");
    if (!expected)
        return;
    fly_json_write(found, &text);
    text = (struct fly_text){.at = malloc(text.bytes + 1), .max_bytes = text.bytes};
    fly_json_write(found, &text);
    FLY_CHECK(fly_text_fits(&text), "more was written than measured");
    if (json_is_string(expected)) {
        FLY_CHECK(found->kind == FLY_JSON_STRING && text.bytes == json_string_length(expected) &&
                      memcmp(text.at, json_string_value(expected), text.bytes) == 0,
                  "another string");
    } else {
        json_t *again =
            json_loadb((const char *)text.at, text.bytes, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        FLY_CHECK(json_equal(again, expected), "another value");
        json_decref(again);
    }
    free(text.at);
}

/* Its first step alone, and one step more than it has. */
static void vary(const struct fly_json_path *path, struct fly_json_path other[2])
{
    other[0] = other[1] = *path;
    other[0].step_cnt = 1;
    if (path->step_cnt < FLY_JSON_STEPS_MAX)
        other[1].step[other[1].step_cnt++] = path->step[0];
}

static void scan(const uint8_t *data, size_t bytes, const struct fly_json_path *wanted)
{
    struct fly_json_path path[3] = {*wanted};
    struct fly_json_value value[3];
    json_error_t error;
    vary(wanted, &path[1]);
    bool good = fly_json_scan(data, bytes, path, 3, value);
    json_t *root = json_loadb((const char *)data, bytes, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (root || !may_differ(&error))
        FLY_CHECK(good == (root != NULL), "JSON for one of two");
    for (int i = 0; root && i < 3; i++)
        compare(&value[i], walk(root, &path[i]));
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct fly_json_path path;
    const uint8_t *newline = bytes ? memchr(data, '\n', bytes) : NULL;
    if (!newline || fly_json_path_parse(&path, (const char *)data, (size_t)(newline - data)))
        return 0;
    size_t left = bytes - (size_t)(newline - data) - 1;
    uint8_t *json = malloc(left + 1); /* of its own, so that AddressSanitizer sees a step outside */
    FLY_CHECK(json, "no memory");
    memcpy(json, newline + 1, left);
    json[left] = 0;
    if (!nests_deeply(json, left) && !memchr(json, 0, left))
        scan(json, left, &path);
    else
        fly_json_scan(json, left, NULL, 0, NULL);
    free(json);
    return 0;
}
