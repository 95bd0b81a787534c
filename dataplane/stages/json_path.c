/* json_path.c - reads paths: names and element numbers. */
#include "stages/json_scan.h"

#include <string.h>

/* What is left of a path's text. */
struct rest {
    const char *at, *end;
};

/* A number as nobody would write it otherwise: without leading zeros. */
static uint32_t element_of(const char *text, uint32_t bytes)
{
    uint64_t number = 0;
    if (bytes == 0 || bytes > 10 || (bytes > 1 && text[0] == '0'))
        return FLY_JSON_NO_ELEMENT;
    for (uint32_t i = 0; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9')
            return FLY_JSON_NO_ELEMENT;
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    return number < FLY_JSON_NO_ELEMENT ? (uint32_t)number : FLY_JSON_NO_ELEMENT;
}

static bool at_quote(const struct rest *rest)
{
    return rest->at < rest->end && (*rest->at == '"' || *rest->at == '\'');
}

/* Up to `stop`, which must be there, and beyond it. */
static int take_until(struct rest *rest, char stop, struct fly_json_step *step)
{
    const char *found = memchr(rest->at, stop, (size_t)(rest->end - rest->at));
    if (!found || found == rest->at)
        return -1;
    *step = (struct fly_json_step){
        .text = rest->at, .bytes = (uint32_t)(found - rest->at), .element = FLY_JSON_NO_ELEMENT};
    rest->at = found + 1;
    return 0;
}

static int take_quoted(struct rest *rest, struct fly_json_step *step)
{
    char quote = *rest->at++;
    return take_until(rest, quote, step);
}

/* Behind the opening bracket. */
static int take_bracket(struct rest *rest, struct fly_json_step *step)
{
    if (at_quote(rest)) {
        if (take_quoted(rest, step) || rest->at == rest->end || *rest->at != ']')
            return -1;
        rest->at++;
        return 0;
    }
    if (take_until(rest, ']', step))
        return -1;
    step->element = element_of(step->text, step->bytes);
    step->only_element = true;
    return step->element == FLY_JSON_NO_ELEMENT ? -1 : 0;
}

static int take_name(struct rest *rest, struct fly_json_step *step)
{
    const char *begin = rest->at;
    if (at_quote(rest))
        return take_quoted(rest, step);
    while (rest->at < rest->end && *rest->at != '.' && *rest->at != '[')
        rest->at++;
    uint32_t bytes = (uint32_t)(rest->at - begin);
    *step =
        (struct fly_json_step){.text = begin, .bytes = bytes, .element = element_of(begin, bytes)};
    return bytes ? 0 : -1;
}

int fly_json_path_parse(struct fly_json_path *path, const char *text, size_t bytes)
{
    struct rest rest = {text, text + bytes};
    *path = (struct fly_json_path){0};
    do {
        bool bracket = rest.at < rest.end && *rest.at == '[';
        bool dot = path->step_cnt > 0 && !bracket;
        if (path->step_cnt == FLY_JSON_STEPS_MAX || (dot && *rest.at != '.'))
            return -1;
        rest.at += bracket || dot;
        struct fly_json_step *step = &path->step[path->step_cnt++];
        if (bracket ? take_bracket(&rest, step) : take_name(&rest, step))
            return -1;
        uint32_t part = step->bytes < 8 ? step->bytes : 8;
        memcpy(&step->first, step->text, part);
        memcpy(&step->last, step->text + step->bytes - part, part);
    } while (rest.at < rest.end);
    return 0;
}
