/* match.h - one condition on a payload, or on a field of it: contains, equals, or matches a regular
 * expression.
 *
 * Idea       Exactly one of three texts is given; the regular expression is compiled once, to
 *            machine code. Fields are looked up by the node, for all its conditions at once.
 * Owner      One task.
 * Memory     The compiled expression is on the heap, made in setup, freed in teardown. Room for a
 *            field with escapes is the task's.
 * Cost       A memmem, a memcmp, or a run of PCRE2.
 * When full  An expression that needs more steps than PCRE2's limit on a payload is an error.
 * Caveat     Expressions see bytes; begin one with (*UTF) to see characters. A message without the
 *            field does not meet the condition.
 * See also   filter.c, route.c
 */
#ifndef FLY_STAGES_MATCH_H
#define FLY_STAGES_MATCH_H

#include <flyover/task.h>

#include "stages/json_fields.h"

/* What the user gave: exactly one but `field` is not empty. */
struct fly_match_params {
    struct fly_string field; /* empty: the payload */
    struct fly_string contains;
    struct fly_string equals;
    struct fly_string matches;
};

struct fly_match {
    struct fly_match_params params;
    void *code;     /* of PCRE2; NULL: no expression */
    void *data;     /* what PCRE2 needs for a run */
    uint8_t *room;  /* for a field's text */
    uint32_t field; /* its number */
};

enum fly_matched { FLY_MATCH_NO, FLY_MATCH_YES, FLY_MATCH_ERROR };

/* The rows of a parameter table for the struct at `offset`; `prefix` stands before their names. */
#define FLY_MATCH_ROWS(prefix, offset)                                                             \
    {.name = prefix "field",                                                                       \
     .type = FLY_PARAM_STRING,                                                                     \
     .at = (offset) + offsetof(struct fly_match_params, field),                                    \
     .help = "Path of the field that is looked at, such as user.name, in a message that is JSON; " \
             "without it the payload is. Numbers and other values are compared as they are "       \
             "written. A message without the field does not meet the condition."},                 \
        {.name = prefix "contains",                                                                \
         .type = FLY_PARAM_STRING,                                                                 \
         .at = (offset) + offsetof(struct fly_match_params, contains),                             \
         .help = "Text that it has somewhere."},                                                   \
        {.name = prefix "equals",                                                                  \
         .type = FLY_PARAM_STRING,                                                                 \
         .at = (offset) + offsetof(struct fly_match_params, equals),                               \
         .help = "Text that it is."},                                                              \
    {                                                                                              \
        .name = prefix "matches", .type = FLY_PARAM_STRING,                                        \
        .at = (offset) + offsetof(struct fly_match_params, matches),                               \
        .help = "Regular expression (PCRE2) that it has somewhere."                                \
    }

/* 0, or -1 with *refusal filled; `param` is the row's name, or empty. */
int fly_match_check(const struct fly_match_params *params, const char *param,
                    struct fly_refusal *refusal);

/* After fly_match_check() found it good. Adds its field to `fields`, which may be NULL where there
 * is none. 0, or -1: no memory. */
int fly_match_open(struct fly_match *match, const struct fly_match_params *params,
                   struct fly_task *task, struct fly_json_fields *fields)
    __attribute__((warn_unused_result));
void fly_match_close(struct fly_match *match);

/* `fields` have been scanned for this message, if the condition has a field. */
enum fly_matched fly_match_run(const struct fly_match *match, const struct fly_json_fields *fields,
                               const struct fly_msg *msg);

#endif
