#include "connectors/codec/codec.h"

#include <inttypes.h>
#include <msgpack.h>
#include <stdlib.h>

const char *const fly_codec_names[] = {"raw", "json", "msgpack", NULL};

/* Metadata whose value is a number. */
static bool is_number(const struct fly_meta *meta, uint64_t *number)
{
    static const char *const names[] = {FLY_META_ATTEMPTS, FLY_META_ID, FLY_META_BYTES};
    char digits[20];
    bool named = false;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        named = named || (strlen(names[i]) == meta->name.bytes &&
                          memcmp(names[i], meta->name.text, meta->name.bytes) == 0);
    if (!named || meta->value.bytes == 0 || meta->value.bytes >= sizeof(digits))
        return false;
    *number = 0;
    for (uint32_t i = 0; i < meta->value.bytes; i++) {
        unsigned digit = (unsigned)(meta->value.text[i] - '0');
        if (digit > 9)
            return false;
        *number = *number * 10 + digit;
    }
    return *number <= INT64_MAX; /* beyond it JSON readers give up: it stays text */
}

/* --- JSON --- */

static void begin_member(struct fly_text *text, size_t start)
{
    fly_text_byte(text, text->bytes == start ? '{' : ',');
}

static void encode_json_meta(const struct fly_msg *msg, struct fly_text *text, size_t start)
{
    struct fly_meta meta;
    uint32_t at = 0;
    uint64_t number;
    while (fly_meta_next(msg->payload + msg->payload_bytes, msg->meta_bytes, &at, &meta) > 0) {
        if (!fly_text_is_utf8(meta.name.text, meta.name.bytes))
            continue;
        begin_member(text, start);
        fly_text_json_string(text, meta.name.text, meta.name.bytes);
        fly_text_byte(text, ':');
        if (is_number(&meta, &number))
            fly_text_number(text, number);
        else if (fly_text_is_utf8(meta.value.text, meta.value.bytes))
            fly_text_json_string(text, meta.value.text, meta.value.bytes);
        else
            fly_text_literal(text, "null");
    }
}

static void encode_json_object(const struct fly_msg *msg, struct fly_text *text)
{
    size_t start = text->bytes;
    if (msg->flags & FLY_MSG_DEAD_LETTER)
        encode_json_meta(msg, text, start);
    if (msg->key) {
        begin_member(text, start);
        fly_text_json_member(text, "key", msg->key, msg->key_bytes);
    }
    begin_member(text, start);
    fly_text_json_member(text, "payload", msg->payload, msg->payload_bytes);
    fly_text_byte(text, '}');
}

/* A payload that is JSON, on one line: newlines within it are white space. */
static void encode_json_value(const struct fly_msg *msg, struct fly_text *text)
{
    const uint8_t *at = msg->payload, *end = at + msg->payload_bytes;
    while (at < end) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        fly_text_add(text, at, (size_t)((newline ? newline : end) - at));
        if (newline)
            fly_text_byte(text, ' ');
        at = newline ? newline + 1 : end;
    }
}

static void encode_json(const struct fly_msg *msg, struct fly_text *text)
{
    if ((msg->flags & FLY_MSG_JSON) && !(msg->flags & FLY_MSG_DEAD_LETTER))
        encode_json_value(msg, text);
    else
        encode_json_object(msg, text);
    fly_text_byte(text, '\n');
}

/* --- msgpack --- */

static int append(void *data, const char *bytes, size_t cnt)
{
    fly_text_add(data, bytes, cnt);
    return 0;
}

static void pack_text(msgpack_packer *packer, const char *text, size_t bytes)
{
    msgpack_pack_str(packer, bytes);
    msgpack_pack_str_body(packer, text, bytes);
}

static void pack_bin(msgpack_packer *packer, const char *name, const void *data, size_t bytes)
{
    pack_text(packer, name, strlen(name));
    msgpack_pack_bin(packer, bytes);
    msgpack_pack_bin_body(packer, data, bytes);
}

static void encode_msgpack(const struct fly_msg *msg, struct fly_text *text)
{
    const uint8_t *block = msg->payload + msg->payload_bytes;
    uint32_t meta_bytes = msg->flags & FLY_MSG_DEAD_LETTER ? msg->meta_bytes : 0;
    struct fly_meta meta;
    uint64_t number;
    size_t cnt = msg->key ? 2 : 1;
    msgpack_packer packer;
    msgpack_packer_init(&packer, text, append);
    for (uint32_t at = 0; fly_meta_next(block, meta_bytes, &at, &meta) > 0;)
        cnt++;
    msgpack_pack_map(&packer, cnt);
    for (uint32_t at = 0; fly_meta_next(block, meta_bytes, &at, &meta) > 0;) {
        pack_text(&packer, meta.name.text, meta.name.bytes);
        if (is_number(&meta, &number))
            msgpack_pack_uint64(&packer, number);
        else
            pack_text(&packer, meta.value.text, meta.value.bytes);
    }
    if (msg->key)
        pack_bin(&packer, "key", msg->key, msg->key_bytes);
    pack_bin(&packer, "payload", msg->payload, msg->payload_bytes);
}

void fly_codec_encode(enum fly_codec codec, const struct fly_msg *msg, struct fly_text *text)
{
    switch (codec) {
    case FLY_CODEC_JSON:
        encode_json(msg, text);
        break;
    case FLY_CODEC_MSGPACK:
        encode_msgpack(msg, text);
        break;
    case FLY_CODEC_RAW:
    default:
        fly_text_add(text, msg->payload, msg->payload_bytes);
        fly_text_byte(text, '\n');
    }
}

static uint64_t whole_msgpack(const uint8_t *data, uint64_t bytes)
{
    msgpack_unpacked record;
    size_t at = 0, whole = 0;
    msgpack_unpacked_init(&record);
    while (msgpack_unpack_next(&record, (const char *)data, bytes, &at) == MSGPACK_UNPACK_SUCCESS)
        whole = at;
    msgpack_unpacked_destroy(&record);
    return whole;
}

uint64_t fly_codec_whole(enum fly_codec codec, const uint8_t *data, uint64_t bytes)
{
    if (codec == FLY_CODEC_MSGPACK)
        return whole_msgpack(data, bytes);
    const uint8_t *newline = bytes ? memrchr(data, '\n', bytes) : NULL;
    return newline ? (uint64_t)(newline - data) + 1 : 0;
}
