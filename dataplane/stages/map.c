/* map.c - the same message with another payload: text replaced, letters raised or lowered, text put
 * before and behind. In that order; the key stays.
 */
#include "stages/stages.h"
#include "stages/text.h"

#include <flyover/stage.h>

enum map_case { MAP_KEEP, MAP_UPPER, MAP_LOWER };

struct map {
    struct fly_string prefix, suffix;
    struct fly_string replace, with;
    uint32_t letters; /* enum map_case */
};

static void add_replaced(const struct map *map, const struct fly_msg *msg, struct fly_text *text)
{
    const uint8_t *at = msg->payload, *end = at + msg->payload_bytes;
    while (map->replace.bytes) {
        const uint8_t *found =
            memmem(at, (size_t)(end - at), map->replace.text, map->replace.bytes);
        if (!found)
            break;
        fly_text_add(text, at, (size_t)(found - at));
        fly_text_add(text, map->with.text, map->with.bytes);
        at = found + map->replace.bytes;
    }
    fly_text_add(text, at, (size_t)(end - at));
}

static void change_case(uint8_t *at, size_t bytes, enum map_case letters)
{
    uint8_t first = letters == MAP_UPPER ? 'a' : 'A';
    for (size_t i = 0; letters != MAP_KEEP && i < bytes; i++)
        if ((uint8_t)(at[i] - first) < 26)
            at[i] ^= 0x20;
}

static void map_one(struct fly_task *task, const struct map *map, const struct fly_msg *msg)
{
    struct fly_text text = {0}; /* measures */
    add_replaced(map, msg, &text);
    uint64_t bytes = (uint64_t)map->prefix.bytes + text.bytes + map->suffix.bytes;
    if (bytes + msg->key_bytes + msg->meta_bytes > fly_max_message_bytes(task)) {
        fly_fail(task, msg, FLY_REASON_TOO_LARGE);
        return;
    }
    text = (struct fly_text){.at = fly_reserve(task, (uint32_t)bytes), .max_bytes = bytes};
    fly_text_add(&text, map->prefix.text, map->prefix.bytes);
    add_replaced(map, msg, &text);
    change_case(text.at + map->prefix.bytes, text.bytes - map->prefix.bytes,
                (enum map_case)map->letters);
    fly_text_add(&text, map->suffix.text, map->suffix.bytes);
    fly_commit(
        task, 0, msg,
        (struct fly_content){.key = msg->key,
                             .key_bytes = msg->key_bytes,
                             .payload = text.at,
                             .payload_bytes = (uint32_t)bytes,
                             .meta = msg->meta_bytes ? msg->payload + msg->payload_bytes : NULL,
                             .meta_bytes = msg->meta_bytes});
}

static void map_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    for (uint32_t i = 0; i < batch->cnt; i++)
        map_one(task, self, &batch->msg[i]);
}

static int map_check(const void *self, struct fly_refusal *refusal)
{
    const struct map *map = self;
    if (map->with.bytes && !map->replace.bytes) {
        *refusal = (struct fly_refusal){"with", "`with` needs `replace`: what to replace", ""};
        return -1;
    }
    return 0;
}

static const char *const map_cases[] = {"keep", "upper", "lower", NULL};

static const struct fly_param map_params[] = {
    {.name = "prefix",
     .type = FLY_PARAM_STRING,
     .at = offsetof(struct map, prefix),
     .help = "Text before the payload."},
    {.name = "suffix",
     .type = FLY_PARAM_STRING,
     .at = offsetof(struct map, suffix),
     .help = "Text behind the payload."},
    {.name = "replace",
     .type = FLY_PARAM_STRING,
     .at = offsetof(struct map, replace),
     .help = "Text to be replaced, wherever the payload has it."},
    {.name = "with",
     .type = FLY_PARAM_STRING,
     .at = offsetof(struct map, with),
     .help = "What replaces it; without it, nothing does."},
    {.name = "case",
     .type = FLY_PARAM_ENUM,
     .at = offsetof(struct map, letters),
     .preset = "keep",
     .choices = map_cases,
     .help = "Make A to Z small, or a to z large."},
    {0},
};

const struct fly_node fly_map_node = {
    .name = "map",
    .kind = FLY_STAGE,
    .help = "Changes the payload's text: replaces, changes case, puts text before and behind.",
    .example = "shout: {type: map, inputs: [lines], case: upper, suffix: '!'}",
    .params = map_params,
    .self_bytes = sizeof(struct map),
    .check = map_check,
    .process = map_process,
};
