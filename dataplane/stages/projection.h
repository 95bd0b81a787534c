/* projection.h - a new JSON object out of some fields of a message.
 *
 * Idea       Each field is given by its path, and by a name: the path's last one, or what follows
 *            `as`. Values are copied as they stand in the message, escapes and all.
 * Owner      One task.
 * Memory     Names with their quotes and colons are made in setup.
 * Cost       Two copies for each field.
 * When full  The caller makes sure of the room, by fly_projection_bytes().
 * See also   select.c
 */
#ifndef FLY_STAGES_PROJECTION_H
#define FLY_STAGES_PROJECTION_H

#include "stages/json_fields.h"

struct fly_projected {
    struct fly_string head; /* {"name": or ,"name": */
    uint32_t field;         /* its number */
};

struct fly_projection {
    struct fly_projected *item;
    uint32_t cnt;
    uint32_t head_bytes; /* of all of them, and the closing bracket */
};

/* `user.name as user` or `user.name`. 0, or -1 with *refusal filled. */
int fly_projection_check(const struct fly_list *items, const char *param,
                         struct fly_refusal *refusal);

/* After fly_projection_check(); adds its paths to `fields`. 0, or -1: no memory. */
int fly_projection_open(struct fly_projection *projection, struct fly_task *task,
                        const struct fly_list *items, struct fly_json_fields *fields)
    __attribute__((warn_unused_result));

/* So many bytes at most are written for what was found. */
uint64_t fly_projection_bytes(const struct fly_projection *projection,
                              const struct fly_json_fields *fields);

/* Writes the object; all fields have been found. Returns its length. */
uint32_t fly_projection_write(const struct fly_projection *projection,
                              const struct fly_json_fields *fields, uint8_t *to);

#endif
