/* members.h - a JSON object with members that another one lacks, or has with other values.
 *
 * Idea       The object is copied; where a member of that name stands, its value is replaced, else
 *            the member is put at the end. The rest of the text stays as it is.
 * Owner      No state.
 * Memory     The caller's.
 * Cost       A copy.
 * When full  The caller makes sure of the room, by fly_members_bytes().
 * See also   lookup.c
 */
#ifndef FLY_STAGES_MEMBERS_H
#define FLY_STAGES_MEMBERS_H

#include <flyover/message.h>

#include "stages/json_scan.h"

struct fly_member {
    struct fly_string head;           /* "name": */
    struct fly_string value;          /* as JSON */
    const struct fly_json_value *old; /* the value that it has in the object, or FLY_JSON_NONE */
};

/* So many bytes at most are written. */
uint64_t fly_members_bytes(uint32_t object_bytes, const struct fly_member *member, uint32_t cnt);

/* `object` is JSON, an object but for white space around it, and `old` are of it. Puts the members
 * into another order. Returns the length. */
uint32_t fly_members_write(const uint8_t *object, uint32_t bytes, struct fly_member *member,
                           uint32_t cnt, uint8_t *to);

#endif
