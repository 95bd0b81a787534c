/* codec.h - messages as records of a file: raw lines, JSON lines, msgpack.
 *
 * Idea       raw is the payload and a newline. json is one object per line: the payload itself
 *            where it is JSON; else {"key", "payload"}, each as "..._base64" where it is not UTF-8.
 *            A dead letter is an object of its reason, node, source, attempts, time, id, bytes,
 *            then its key and payload. msgpack is a map of the same names, key and payload as bin.
 * Owner      No state.
 * Memory     Appends to what the caller gives.
 * Cost       One look at each byte.
 * When full  As fly_text: the caller sees that it did not fit, and how much it would have been.
 * Caveat     raw does not mark newlines within a payload.
 * See also   dead_letter.h, which reads a dead letter back
 */
#ifndef FLY_CONNECTORS_CODEC_CODEC_H
#define FLY_CONNECTORS_CODEC_CODEC_H

#include <flyover/message.h>

#include "stages/text.h"

enum fly_codec { FLY_CODEC_RAW, FLY_CODEC_JSON, FLY_CODEC_MSGPACK };

/* Their names in that order; ends with NULL: the choices of a parameter. */
extern const char *const fly_codec_names[];

/* Appends the record of `msg`. */
void fly_codec_encode(enum fly_codec codec, const struct fly_msg *msg, struct fly_text *text);

/* Where the last whole record of a file of `bytes` ends: what comes after it is a torn one. */
uint64_t fly_codec_whole(enum fly_codec codec, const uint8_t *data, uint64_t bytes);

#endif
