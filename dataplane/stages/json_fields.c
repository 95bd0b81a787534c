#include "stages/json_fields.h"

#include <stdio.h>

int fly_json_path_check(struct fly_string text, const char *param, struct fly_refusal *refusal)
{
    struct fly_json_path path;
    if (fly_json_path_parse(&path, text.text, text.bytes) == 0)
        return 0;
    struct fly_refusal refused = {
        .why = "not a path: names with dots in between, element numbers in brackets, 16 at most",
        .hint = "for example user.name, items[0].id or \"a name with a dot.\".x"};
    snprintf(refused.param, sizeof(refused.param), "%s", param); /* may be that of *refusal */
    *refusal = refused;
    return -1;
}

int fly_json_fields_open(struct fly_json_fields *fields, struct fly_task *task, uint32_t max)
{
    *fields = (struct fly_json_fields){
        .text = fly_task_alloc(task, max * sizeof(*fields->text)),
        .path = fly_task_alloc(task, max * sizeof(*fields->path)),
        .value = fly_task_alloc(task, max * sizeof(*fields->value)),
    };
    if (max > FLY_JSON_PATHS_MAX)
        return fly_task_refuse(task, NULL, "it looks at more than 16 fields of a message");
    if (!fields->text || !fields->path || !fields->value)
        return fly_task_refuse(task, NULL, "there is no memory for its fields");
    return 0;
}

uint32_t fly_json_fields_add(struct fly_json_fields *fields, struct fly_string text)
{
    for (uint32_t i = 0; i < fields->cnt; i++)
        if (fields->text[i].bytes == text.bytes &&
            memcmp(fields->text[i].text, text.text, text.bytes) == 0)
            return i;
    fields->text[fields->cnt] = text;
    (void)!fly_json_path_parse(&fields->path[fields->cnt], text.text, text.bytes);
    return fields->cnt++;
}

struct fly_json_text fly_json_text_of(const struct fly_json_value *value)
{
    struct fly_text text = {0}; /* measures */
    bool as_is = value->kind == FLY_JSON_STRING
                     ? !value->escaped
                     : value->kind != FLY_JSON_OBJECT && value->kind != FLY_JSON_ARRAY;
    if (as_is)
        return (struct fly_json_text){value->at, value->bytes};
    fly_json_write(value, &text);
    /* Nothing was left out of an object or array: it is compact already. */
    bool compact = value->kind != FLY_JSON_STRING && text.bytes == value->bytes;
    return (struct fly_json_text){compact ? value->at : NULL, (uint32_t)text.bytes};
}

struct fly_json_text fly_json_text_in(const struct fly_json_value *value, uint8_t *room,
                                      uint32_t max_bytes)
{
    struct fly_json_text found = fly_json_text_of(value);
    if (found.at || found.bytes > max_bytes)
        return found;
    fly_json_write(value, &(struct fly_text){.at = room, .max_bytes = max_bytes});
    found.at = room;
    return found;
}
