/* event_time.h - the time that a message speaks of: where it stands, how it is written.
 *
 * Idea       Times are ns since 1970, UTC, before or after. A node names a field of a JSON payload,
 *            a metadata entry or the payload itself, and one of five ways to write a time.
 * Owner      One task.
 * Memory     The caller's; paths point into the node's parameters.
 * Cost       One scan of a JSON payload, which may look up a second field on the way; 5 to 20 ns
 *            for the time itself.
 * When full  Does not apply.
 * Caveat     Times outside of 1677 to 2262 do not fit and are bad. A leap second is the second
 *            after it.
 * See also   timestamps.c, window.c, tests/fuzz/fuzz_time.c
 */
#ifndef FLY_STAGES_EVENT_TIME_H
#define FLY_STAGES_EVENT_TIME_H

#include "stages/json_scan.h"

#include <flyover/task.h>

enum fly_time_from { FLY_TIME_JSON, FLY_TIME_PAYLOAD, FLY_TIME_METADATA };

enum fly_time_format {
    FLY_TIME_RFC3339,
    FLY_TIME_UNIX_S,
    FLY_TIME_UNIX_MS,
    FLY_TIME_UNIX_US,
    FLY_TIME_UNIX_NS,
};

/* What the user gave. */
struct fly_time_params {
    struct fly_string time;
    uint32_t from, format;
};

struct fly_time_reader {
    struct fly_time_params params;
    struct fly_json_path path[2]; /* of the time, of another field; as far as there are */
    uint32_t path_cnt;
};

enum fly_time_read { FLY_TIME_READ, FLY_TIME_NO_JSON, FLY_TIME_MISSING, FLY_TIME_BAD };

extern const char *const fly_time_from_names[];
extern const char *const fly_time_format_names[];

/* The rows of a parameter table for a struct fly_time_params at `offset`. */
#define FLY_TIME_ROWS(offset)                                                                      \
    {.name = "time",                                                                               \
     .type = FLY_PARAM_STRING,                                                                     \
     .at = (offset) + offsetof(struct fly_time_params, time),                                      \
     .help = "Where a message's time stands: the path of a JSON field such as event.at, or the "   \
             "name of a metadata entry."},                                                         \
        {.name = "time_from",                                                                      \
         .type = FLY_PARAM_ENUM,                                                                   \
         .at = (offset) + offsetof(struct fly_time_params, from),                                  \
         .preset = "json",                                                                         \
         .choices = fly_time_from_names,                                                           \
         .help = "What `time` is looked for in; payload: the whole payload is the time, and "      \
                 "`time` stays out."},                                                             \
    {                                                                                              \
        .name = "time_format", .type = FLY_PARAM_ENUM,                                             \
        .at = (offset) + offsetof(struct fly_time_params, format), .preset = "rfc3339",            \
        .choices = fly_time_format_names,                                                          \
        .help = "How it is written: as 2026-01-31T12:00:00.5Z, or as a number since 1970, which "  \
                "may be in quotes and have a fraction."                                            \
    }

/* 0, or -1 with *refusal filled. */
int fly_time_check(const struct fly_time_params *params, struct fly_refusal *refusal);

/* After fly_time_check(). `opt_field`: path of another field (NULL: none), whose value comes along
 * with the time. 0, or -1: it is not a path. */
int fly_time_open(struct fly_time_reader *reader, const struct fly_time_params *params,
                  const struct fly_string *opt_field) __attribute__((warn_unused_result));

/* The message's time; *field: the other field, if one was opened. */
enum fly_time_read fly_time_of(const struct fly_time_reader *reader, const struct fly_msg *msg,
                               int64_t *time_ns, struct fly_json_value *field);

/* False: this is no such time, or it does not fit. */
bool fly_time_parse(enum fly_time_format format, const uint8_t *text, uint32_t bytes,
                    int64_t *time_ns);

/* Appends it as JSON: a string, or a number. */
void fly_time_write(struct fly_text *text, enum fly_time_format format, int64_t time_ns);

#endif
