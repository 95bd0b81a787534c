/* fuzz_dead_letter.c - lines that may be dead letters; what is one goes there and back
 * unchanged. */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "connectors/codec/codec.h"
#include "connectors/codec/dead_letter.h"

enum { META_BYTES = 1 << 16 };

static void add(uint8_t *block, struct fly_msg *msg, const char *name, const char *value)
{
    struct fly_string texts[] = {{name, (uint32_t)strlen(name)},
                                 {value, value ? (uint32_t)strlen(value) : 0}};
    if (value)
        (void)fly_meta_add(block, META_BYTES, &msg->meta_bytes, texts[0], texts[1]);
}

static void add_number(uint8_t *block, struct fly_msg *msg, const char *name, uint64_t value)
{
    char digits[24];
    snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
    add(block, msg, name, digits);
}

/* The letter as the message that it once was. */
static struct fly_msg message_of(const struct fly_dead_letter *letter, uint8_t *memory)
{
    struct fly_msg msg = {
        .payload = memory,
        .payload_bytes = (uint32_t)letter->payload_bytes,
        .key = letter->key,
        .key_bytes = (uint32_t)letter->key_bytes,
        .flags = FLY_MSG_DEAD_LETTER,
    };
    uint8_t *block = memory + letter->payload_bytes;
    memcpy(memory, letter->payload, letter->payload_bytes);
    add(block, &msg, FLY_META_REASON, letter->reason);
    add(block, &msg, FLY_META_NODE, letter->node);
    add_number(block, &msg, FLY_META_ID, letter->id);
    add_number(block, &msg, FLY_META_ATTEMPTS, letter->attempts);
    add_number(block, &msg, FLY_META_BYTES, letter->total_bytes);
    return msg;
}

static void there_and_back(const struct fly_dead_letter *letter)
{
    uint8_t *memory = malloc(letter->payload_bytes + META_BYTES);
    FLY_CHECK(memory, "no memory");
    struct fly_msg msg = message_of(letter, memory);
    struct fly_text text = {0};
    struct fly_dead_letter again;
    fly_codec_encode(FLY_CODEC_JSON, &msg, &text);
    text = (struct fly_text){.at = malloc(text.bytes), .max_bytes = text.bytes};
    fly_codec_encode(FLY_CODEC_JSON, &msg, &text);
    FLY_CHECK(fly_text_fits(&text) && text.at[text.bytes - 1] == '\n', "not a whole line");
    FLY_CHECK(fly_dead_letter_read(&again, (const char *)text.at, text.bytes) == 0,
              "not read back");
    FLY_CHECK(again.payload_bytes == letter->payload_bytes &&
                  memcmp(again.payload, letter->payload, letter->payload_bytes) == 0 &&
                  again.key_bytes == letter->key_bytes && !again.key == !letter->key &&
                  (!letter->key || memcmp(again.key, letter->key, letter->key_bytes) == 0) &&
                  again.id == letter->id && again.attempts == letter->attempts &&
                  again.total_bytes == letter->total_bytes,
              "another letter");
    fly_dead_letter_free(&again);
    free(text.at);
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct fly_dead_letter letter;
    if (fly_dead_letter_read(&letter, (const char *)data, bytes) == 0) {
        there_and_back(&letter);
        fly_dead_letter_free(&letter);
    }
    return 0;
}
