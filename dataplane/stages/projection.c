#include "stages/projection.h"

#include <stdio.h>

/* What an item of the list says. */
struct item {
    struct fly_string path, name;
};

/* The last " as " of the text, or NULL. */
static const char *find_as(struct fly_string text)
{
    for (uint32_t i = text.bytes; i >= 4; i--)
        if (memcmp(text.text + i - 4, " as ", 4) == 0)
            return text.text + i - 4;
    return NULL;
}

/* 0, or what is wrong. */
static const char *read_item(struct fly_string text, struct item *item)
{
    struct fly_json_path path;
    const char *as = find_as(text);
    item->path = (struct fly_string){text.text, as ? (uint32_t)(as - text.text) : text.bytes};
    while (item->path.bytes && item->path.text[item->path.bytes - 1] == ' ')
        item->path.bytes--;
    if (fly_json_path_parse(&path, item->path.text, item->path.bytes))
        return "not a path";
    const struct fly_json_step *last = &path.step[path.step_cnt - 1];
    if (!as && last->element != FLY_JSON_NO_ELEMENT)
        return "an element has no name: say which it gets, as in 'items[0] as first'";
    item->name = (struct fly_string){last->text, last->bytes};
    if (as)
        item->name = (struct fly_string){as + 4, text.bytes - (uint32_t)(as + 4 - text.text)};
    return item->name.bytes ? NULL : "there is no name behind 'as'";
}

static bool same(struct fly_string left, struct fly_string right)
{
    return left.bytes == right.bytes && memcmp(left.text, right.text, left.bytes) == 0;
}

int fly_projection_check(const struct fly_list *items, const char *param,
                         struct fly_refusal *refusal)
{
    struct item item, other;
    const char *why = items->cnt > FLY_JSON_PATHS_MAX ? "more than 16 fields" : NULL;
    uint32_t i = 0;
    for (; !why && i < items->cnt; i++) {
        why = read_item(items->item[i], &item);
        for (uint32_t k = 0; !why && k < i; k++)
            if (!read_item(items->item[k], &other) && same(item.name, other.name))
                why = "this name is there already; rename one, as in 'user.id as user'";
    }
    if (!why)
        return 0;
    *refusal = (struct fly_refusal){.hint = "for example fields: [user.name, items[0].id as item]"};
    snprintf(refusal->param, sizeof(refusal->param), "%s", param);
    snprintf(refusal->why, sizeof(refusal->why), "'%.60s': %s", i ? items->item[i - 1].text : "",
             why);
    return -1;
}

static int open_item(struct fly_projected *projected, struct fly_task *task, struct fly_string name,
                     bool first)
{
    uint64_t max_bytes = (uint64_t)name.bytes * 6 + 4;
    struct fly_text text = {.at = fly_task_alloc(task, max_bytes), .max_bytes = max_bytes};
    if (!text.at)
        return -1;
    fly_text_byte(&text, first ? '{' : ',');
    fly_text_json_string(&text, name.text, name.bytes);
    fly_text_byte(&text, ':');
    projected->head = (struct fly_string){(const char *)text.at, (uint32_t)text.bytes};
    return 0;
}

int fly_projection_open(struct fly_projection *projection, struct fly_task *task,
                        const struct fly_list *items, struct fly_json_fields *fields)
{
    projection->item = fly_task_alloc(task, items->cnt * sizeof(*projection->item));
    if (!projection->item)
        return -1;
    projection->head_bytes = 1;
    for (uint32_t i = 0; i < items->cnt; i++) {
        struct item item;
        (void)!read_item(items->item[i], &item);
        if (open_item(&projection->item[i], task, item.name, i == 0))
            return -1;
        projection->item[i].field = fly_json_fields_add(fields, item.path);
        projection->head_bytes += projection->item[i].head.bytes;
        projection->cnt++;
    }
    return 0;
}

uint64_t fly_projection_bytes(const struct fly_projection *projection,
                              const struct fly_json_fields *fields)
{
    uint64_t bytes = projection->head_bytes;
    for (uint32_t i = 0; i < projection->cnt; i++)
        bytes += (uint64_t)fields->value[projection->item[i].field].bytes + 2;
    return bytes;
}

static uint8_t *put(uint8_t *to, const void *from, uint32_t bytes)
{
    memcpy(to, from, bytes);
    return to + bytes;
}

/* As it stands in the message; objects and arrays lose their white space. */
static uint8_t *put_value(uint8_t *to, const struct fly_json_value *value)
{
    struct fly_text text = {.at = to, .max_bytes = value->bytes};
    if (value->kind == FLY_JSON_STRING)
        return put(to, value->at - 1, value->bytes + 2);
    if (value->kind != FLY_JSON_OBJECT && value->kind != FLY_JSON_ARRAY)
        return put(to, value->at, value->bytes);
    fly_json_write(value, &text);
    return to + text.bytes;
}

uint32_t fly_projection_write(const struct fly_projection *projection,
                              const struct fly_json_fields *fields, uint8_t *to)
{
    const uint8_t *begin = to;
    for (uint32_t i = 0; i < projection->cnt; i++) {
        const struct fly_projected *item = &projection->item[i];
        to = put(to, item->head.text, item->head.bytes);
        to = put_value(to, &fields->value[item->field]);
    }
    *to++ = '}';
    return (uint32_t)(to - begin);
}
