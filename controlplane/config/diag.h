/* diag.h - what is wrong with a pipeline: every finding with its place, printed all at once.
 *
 * Idea       Checks add findings and go on; whoever asked prints them sorted by place, as text
 *            with the line and a caret, or as JSON.
 * Owner      One thread. The texts (files, --set arguments) are kept here, so that carets can be
 *            drawn.
 * Memory     The heap; running out of it ends the process, as everywhere in controlplane/config.
 * When full  FLY_DIAG_MAX findings are kept, the rest is counted: nobody reads the thousandth.
 * See also   tests/unit/controlplane/config/test_diag.c
 */
#ifndef FLY_CONFIG_DIAG_H
#define FLY_CONFIG_DIAG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { FLY_DIAG_MAX = 200 };

/* Where something stands. Lines and columns count from 1; line 0: the text as a whole. */
struct fly_position {
    uint32_t file; /* index of the text, see fly_diag_text() */
    uint32_t line;
    uint32_t column; /* in characters, not bytes */
    uint32_t width;  /* characters to underline; 0 counts as 1 */
};

enum fly_severity { FLY_DIAG_ERROR, FLY_DIAG_WARNING };

/* What a finding is about; each may be NULL or empty. Strings are copied. */
struct fly_diag_about {
    const char *node;
    const char *key;
    const char *hint;
};

struct fly_diagnostics;

struct fly_diagnostics *fly_diag_create(void);
void fly_diag_destroy(struct fly_diagnostics *diags);

/* Registers a text and returns its index for positions. `name` is what is printed before the line
 * number; `text` may be NULL (no line numbers and carets). Both are copied. */
uint32_t fly_diag_text(struct fly_diagnostics *diags, const char *name, const char *text,
                       size_t bytes);

/* The name given to text `file`; "?" for an unknown one. Lives as long as the diagnostics. */
const char *fly_diag_text_name(const struct fly_diagnostics *diags, uint32_t file);

/* Adds a finding. `about` may be NULL. */
void fly_diag_add(struct fly_diagnostics *diags, enum fly_severity severity, struct fly_position at,
                  const struct fly_diag_about *about, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

uint32_t fly_diag_error_cnt(const struct fly_diagnostics *diags);
uint32_t fly_diag_warning_cnt(const struct fly_diagnostics *diags);

/* One finding per paragraph, sorted by place; `color` uses terminal colours. */
void fly_diag_print(struct fly_diagnostics *diags, FILE *file, bool color);

/* {"ok": ..., "errors": [...], "warnings": [...]} and a newline. */
void fly_diag_print_json(struct fly_diagnostics *diags, FILE *file);

#endif
