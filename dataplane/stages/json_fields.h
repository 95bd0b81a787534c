/* json_fields.h - the fields of a JSON message that a node asked for, all found in one pass.
 *
 * Idea       A node adds the paths that its parameters name, in setup; each message is scanned once
 *            for all of them.
 * Owner      One task.
 * Memory     From the task, in setup.
 * Cost       One fly_json_scan() for each message.
 * When full  More paths than were announced are a broken invariant of the node.
 * See also   select.c, match.h, lookup.c
 */
#ifndef FLY_STAGES_JSON_FIELDS_H
#define FLY_STAGES_JSON_FIELDS_H

#include <flyover/task.h>

#include "stages/json_scan.h"

/* What has to be written anew must fit this, where it is no payload. */
enum { FLY_JSON_TEXT_BYTES_MAX = 64 << 10 };

struct fly_json_fields {
    struct fly_string *text;
    struct fly_json_path *path;
    struct fly_json_value *value; /* of the message that was scanned last */
    uint32_t cnt;
};

/* 0, or -1 with *refusal filled: `param` does not hold a path. */
int fly_json_path_check(struct fly_string text, const char *param, struct fly_refusal *refusal);

/* Room for so many paths, FLY_JSON_PATHS_MAX at most. 0, or -1 after fly_task_refuse(). */
int fly_json_fields_open(struct fly_json_fields *fields, struct fly_task *task, uint32_t max);

/* The number of this path, which was checked before; the same again for the same text. */
uint32_t fly_json_fields_add(struct fly_json_fields *fields, struct fly_string text);

/* false: the payload is not JSON. */
static inline bool fly_json_fields_scan(struct fly_json_fields *fields, const struct fly_msg *msg)
{
    return fly_json_scan(msg->payload, msg->payload_bytes, fields->path, fields->cnt,
                         fields->value);
}

/* What a value means as text: where it stands if it is written like that, else `at` is NULL, and
 * fly_json_write() makes so many bytes. Strings are without quotes. */
struct fly_json_text {
    const uint8_t *at;
    uint32_t bytes;
};
struct fly_json_text fly_json_text_of(const struct fly_json_value *value);

/* The same, written to `room` if need be. `at` is NULL: it is longer than max_bytes. */
struct fly_json_text fly_json_text_in(const struct fly_json_value *value, uint8_t *room,
                                      uint32_t max_bytes);

#endif
