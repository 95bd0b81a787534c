/* dead_letter.h - reads a dead letter back from its line of JSON: reason, place, and the original
 * bytes.
 *
 * Idea       The reverse of fly_codec_encode() for FLY_CODEC_JSON.
 * Owner      The caller.
 * Memory     The heap; given back by fly_dead_letter_free().
 * Cost       A JSON parser's: for replays and tools, not for workers.
 * When full  -ENOMEM.
 * Caveat     Unknown members are ignored, so later versions may add some.
 * See also   codec.h, tests/fuzz/fuzz_dead_letter.c
 */
#ifndef FLY_CONNECTORS_CODEC_DEAD_LETTER_H
#define FLY_CONNECTORS_CODEC_DEAD_LETTER_H

#include <stddef.h>
#include <stdint.h>

struct fly_dead_letter {
    char *reason, *node, *source, *time; /* NULL: not given */
    uint64_t attempts, id;               /* 0: not given */
    uint64_t total_bytes; /* the original's length; above payload_bytes: it was cut */
    uint8_t *key;         /* NULL: it had none */
    uint8_t *payload;
    size_t key_bytes, payload_bytes;
};

/* 0; -EINVAL: not a dead letter (not JSON, no payload, a member of the wrong type); -ENOMEM. On
 * failure nothing is to be freed. */
int fly_dead_letter_read(struct fly_dead_letter *letter, const char *line, size_t bytes)
    __attribute__((warn_unused_result));

void fly_dead_letter_free(struct fly_dead_letter *letter);

#endif
