#include "connectors/codec/dead_letter.h"

#include <errno.h>
#include <flyover/message.h>
#include <jansson.h>
#include <stdlib.h>

#include "stages/text.h"

/* A member that is text, if it is there. */
static int read_text(const json_t *object, const char *name, char **out)
{
    const json_t *value = json_object_get(object, name);
    if (!value)
        return 0;
    if (!json_is_string(value))
        return -EINVAL;
    *out = strdup(json_string_value(value));
    return *out ? 0 : -ENOMEM;
}

/* A number, or text that is one: those too large for JSON readers are written so. */
static int read_number(const json_t *object, const char *name, uint64_t *out)
{
    const json_t *value = json_object_get(object, name);
    if (!value)
        return 0;
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        *out = (uint64_t)json_integer_value(value);
        return 0;
    }
    const char *text = json_string_value(value);
    if (!text || text[0] < '0' || text[0] > '9')
        return -EINVAL;
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return *end == '\0' && errno == 0 ? 0 : -EINVAL;
}

static int copy_bytes(const char *from, size_t bytes, uint8_t **out, size_t *out_bytes)
{
    *out = malloc(bytes + 1); /* never NULL for no bytes */
    if (!*out)
        return -ENOMEM;
    memcpy(*out, from, bytes);
    *out_bytes = bytes;
    return 0;
}

/* Bytes, as text or in base64. -ENOENT: neither is there. */
static int read_bytes(const json_t *object, const char *name, const char *base64_name,
                      uint8_t **out, size_t *out_bytes)
{
    const json_t *plain = json_object_get(object, name);
    const json_t *base64 = json_object_get(object, base64_name);
    if (!plain && !base64)
        return -ENOENT;
    if (plain && base64)
        return -EINVAL;
    if (plain)
        return json_is_string(plain)
                   ? copy_bytes(json_string_value(plain), json_string_length(plain), out, out_bytes)
                   : -EINVAL;
    if (!json_is_string(base64))
        return -EINVAL;
    *out = malloc(json_string_length(base64) / 4 * 3 + 1);
    if (!*out)
        return -ENOMEM;
    ptrdiff_t length =
        fly_text_from_base64(json_string_value(base64), json_string_length(base64), *out);
    *out_bytes = length < 0 ? 0 : (size_t)length;
    return length < 0 ? -EINVAL : 0;
}

static int read_members(struct fly_dead_letter *letter, const json_t *object)
{
    const struct {
        const char *name;
        char **out;
    } texts[] = {{FLY_META_REASON, &letter->reason},
                 {FLY_META_NODE, &letter->node},
                 {FLY_META_SOURCE, &letter->source},
                 {FLY_META_TIME, &letter->time}};
    const struct {
        const char *name;
        uint64_t *out;
    } numbers[] = {{FLY_META_ATTEMPTS, &letter->attempts},
                   {FLY_META_ID, &letter->id},
                   {FLY_META_BYTES, &letter->total_bytes}};
    int result =
        read_bytes(object, "payload", "payload_base64", &letter->payload, &letter->payload_bytes);
    if (result)
        return result == -ENOENT ? -EINVAL : result;
    letter->total_bytes = letter->payload_bytes;
    result = read_bytes(object, "key", "key_base64", &letter->key, &letter->key_bytes);
    result = result == -ENOENT ? 0 : result;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && result == 0; i++)
        result = read_text(object, texts[i].name, texts[i].out);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && result == 0; i++)
        result = read_number(object, numbers[i].name, numbers[i].out);
    return result;
}

int fly_dead_letter_read(struct fly_dead_letter *letter, const char *line, size_t bytes)
{
    *letter = (struct fly_dead_letter){0};
    json_t *object = json_loadb(line, bytes, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(object)) {
        json_decref(object);
        return -EINVAL;
    }
    int result = read_members(letter, object);
    json_decref(object);
    if (result)
        fly_dead_letter_free(letter);
    return result;
}

void fly_dead_letter_free(struct fly_dead_letter *letter)
{
    free(letter->reason);
    free(letter->node);
    free(letter->source);
    free(letter->time);
    free(letter->key);
    free(letter->payload);
    *letter = (struct fly_dead_letter){0};
}
