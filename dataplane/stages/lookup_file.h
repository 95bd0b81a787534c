/* lookup_file.h - reads a table from a file: CSV with a header, or an object of JSON a line.
 *
 * Idea       Reads the whole file, then hands on its rows one by one, as key and values.
 * Owner      Setup only: allocates, reads and blocks.
 * Memory     The heap, until fly_lookup_file_close().
 * Errors     Say the file and the line.
 * Formats    CSV as RFC 4180: a field in quotes may have separators, line ends and doubled quotes
 *            in it; lines end in LF or CRLF; empty lines are skipped. The first line names the
 *            columns. JSON: columns are paths into the object; empty lines are skipped.
 * See also   lookup.c, tests/unit/dataplane/stages/test_lookup.c, tests/fuzz/fuzz_lookup.c
 */
#ifndef FLY_STAGES_LOOKUP_FILE_H
#define FLY_STAGES_LOOKUP_FILE_H

#include <flyover/params.h>

#include "stages/json_scan.h"
#include "stages/lookup_table.h"

enum { FLY_LOOKUP_COLUMNS_MAX = 256 };

enum fly_lookup_format { FLY_LOOKUP_AUTO, FLY_LOOKUP_CSV, FLY_LOOKUP_JSON };

struct fly_lookup_query {
    enum fly_lookup_format format; /* by the name's end, if auto: .csv, .tsv or JSON */
    char separator;                /* 0: a comma, or a tab in a .tsv */
    bool as_json;                  /* values are JSON: those of a CSV file are strings */
    struct fly_string key_column;  /* empty: the first of a CSV file */
    struct fly_list value_columns; /* none: all others of a CSV file */
};

struct fly_lookup_file {
    const char *path;
    uint8_t *data;
    uint8_t *scratch; /* for what of a row has to be written anew */
    size_t bytes, scratch_bytes;
    const uint8_t *at;
    uint32_t line, next_line; /* of the row that was read last; of what follows */
    uint64_t row_max;         /* not more rows than this */

    struct fly_lookup_query query;
    uint32_t value_cnt;
    struct fly_string value_name[FLY_LOOKUP_VALUES_MAX];
    uint32_t value_column[FLY_LOOKUP_VALUES_MAX], key_column, column_cnt; /* CSV */
    struct fly_json_path column_path[FLY_LOOKUP_VALUES_MAX + 1];          /* JSON: key, values */
    struct fly_string *column;                                            /* CSV: of the row */
    char why[256];
};

/* Reads the file and finds the columns. 0, or -1 with `why` filled and nothing left to close. */
int fly_lookup_file_open(struct fly_lookup_file *file, const char *path,
                         const struct fly_lookup_query *query) __attribute__((warn_unused_result));

/* The same for a text in memory, which is copied; `path` is what errors call it. */
int fly_lookup_file_open_text(struct fly_lookup_file *file, const char *path, const void *text,
                              size_t bytes, const struct fly_lookup_query *query)
    __attribute__((warn_unused_result));
void fly_lookup_file_close(struct fly_lookup_file *file);

/* 1 with a row, valid until the next call; 0 at the end; -1 with `why` filled. */
int fly_lookup_file_next(struct fly_lookup_file *file, struct fly_lookup_row *row);

#endif
