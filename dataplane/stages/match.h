/* match.h - one condition on a payload: contains, equals, or matches a regular expression.
 *
 * Idea       Exactly one of three texts is given; the regular expression is compiled once, to
 *            machine code.
 * Owner      One task.
 * Memory     The compiled expression is on the heap, made in setup, freed in teardown.
 * Cost       A memmem, a memcmp, or a run of PCRE2.
 * When full  An expression that needs more steps than PCRE2's limit on a payload is an error.
 * Caveat     Expressions see bytes; begin one with (*UTF) to see characters.
 * See also   filter.c, route.c
 */
#ifndef FLY_STAGES_MATCH_H
#define FLY_STAGES_MATCH_H

#include <flyover/task.h>

/* What the user gave: exactly one is not empty. */
struct fly_match_params {
    struct fly_string contains;
    struct fly_string equals;
    struct fly_string matches;
};

struct fly_match {
    struct fly_match_params params;
    void *code; /* of PCRE2; NULL: no expression */
    void *data; /* what PCRE2 needs for a run */
};

enum fly_matched { FLY_MATCH_NO, FLY_MATCH_YES, FLY_MATCH_ERROR };

/* The rows of a parameter table for the struct at `offset`. */
#define FLY_MATCH_ROWS(offset)                                                                     \
    {.name = "contains",                                                                           \
     .type = FLY_PARAM_STRING,                                                                     \
     .at = (offset) + offsetof(struct fly_match_params, contains),                                 \
     .help = "Text that the payload has somewhere."},                                              \
        {.name = "equals",                                                                         \
         .type = FLY_PARAM_STRING,                                                                 \
         .at = (offset) + offsetof(struct fly_match_params, equals),                               \
         .help = "Text that the payload is."},                                                     \
    {                                                                                              \
        .name = "matches", .type = FLY_PARAM_STRING,                                               \
        .at = (offset) + offsetof(struct fly_match_params, matches),                               \
        .help = "Regular expression (PCRE2) that the payload has somewhere."                       \
    }

/* 0, or -1 with *refusal filled; `param` is the row's name, or empty. */
int fly_match_check(const struct fly_match_params *params, const char *param,
                    struct fly_refusal *refusal);

/* After fly_match_check() found it good. 0, or -1: no memory. */
int fly_match_open(struct fly_match *match, const struct fly_match_params *params)
    __attribute__((warn_unused_result));
void fly_match_close(struct fly_match *match);

enum fly_matched fly_match_run(const struct fly_match *match, const struct fly_msg *msg);

#endif
