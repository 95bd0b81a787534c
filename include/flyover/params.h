/* params.h - the typed parameters of a node: one table gives validation, binding, help and schema.
 *
 * Idea       A node lists its parameters; the pipeline file is checked against the table, and the
 *            values are written into the node's own struct at `at` before setup is called.
 * Owner      Tables are constants. Bound values (strings, lists, rows) live as long as the task.
 * Errors     A wrong value never reaches the node: the pipeline is refused with file, line and
 *            column.
 */
#ifndef FLYOVER_PARAMS_H
#define FLYOVER_PARAMS_H

#include <flyover/message.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The type says what is stored at `at`. */
enum fly_param_type {
    FLY_PARAM_BOOL,     /* bool */
    FLY_PARAM_INT,      /* int64_t */
    FLY_PARAM_UINT,     /* uint64_t */
    FLY_PARAM_FLOAT,    /* double */
    FLY_PARAM_STRING,   /* struct fly_string */
    FLY_PARAM_PATH,     /* struct fly_string; relative paths start at the pipeline file's folder */
    FLY_PARAM_ENUM,     /* uint32_t: index into `choices` */
    FLY_PARAM_DURATION, /* uint64_t ns; `5s`, `100ms`; a bare number takes the unit of the name */
    FLY_PARAM_SIZE,     /* uint64_t bytes; `64MiB`, `1kB` */
    FLY_PARAM_LIST,     /* struct fly_list of strings; a single string is a list of one */
    FLY_PARAM_PATHS,    /* struct fly_list of paths */
    FLY_PARAM_TABLE,    /* struct fly_table: named rows, each with the parameters of `row` */
};

struct fly_list {
    const struct fly_string *item;
    uint32_t cnt;
};

struct fly_table {
    const struct fly_string *name; /* one per row, in the order of the file */
    const void *row;               /* cnt structs of row_bytes each */
    uint32_t cnt;
};

struct fly_param {
    const char *name; /* snake_case; `keys.kind` is the key `kind` of the map `keys` */
    enum fly_param_type type;
    size_t at;          /* offsetof() in the node's struct (in the row's, for a row's parameter) */
    bool required;      /* else `preset` applies */
    const char *preset; /* as a user would write it; NULL: zero, empty or false */
    double min, max;    /* both 0: any; in the stored unit */
    const char *const *choices;  /* FLY_PARAM_ENUM: ends with NULL */
    const struct fly_param *row; /* FLY_PARAM_TABLE: ends with an entry without a name */
    uint32_t row_bytes;          /* FLY_PARAM_TABLE: sizeof one row's struct */
    const char *help;            /* one sentence */
};

/* Where a node's own check says what is wrong; the caller turns it into file, line and column. */
struct fly_refusal {
    char param[64]; /* empty: the node as a whole */
    char why[192];
    char hint[128]; /* may stay empty */
};

#ifdef __cplusplus
}
#endif
#endif
