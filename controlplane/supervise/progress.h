/* progress.h - the line on the terminal while a pipeline runs.
 *
 * Idea       Rates are differences between two looks at the tally, smoothed over some seconds; the
 *            share done and the time left come from sources that know their end.
 * Owner      The control plane.
 * Memory     The caller's, fixed.
 * See also   log.h, tests/unit/controlplane/supervise/test_progress.c
 */
#ifndef FLY_SUPERVISE_PROGRESS_H
#define FLY_SUPERVISE_PROGRESS_H

#include "supervise/tally.h"

#include <stddef.h>
#include <stdint.h>

enum { FLY_PROGRESS_BYTES = 256 };

struct fly_progress_line {
    uint64_t last_ns; /* 0: no look yet */
    uint64_t last_ended, last_bytes, last_done;
    double messages_per_s, bytes_per_s, done_per_s; /* smoothed */
};

/* Takes a look and writes the line (no newline) into `text`, at most `columns` wide. Sources only:
 * `plan` says which nodes are. */
void fly_progress_format(struct fly_progress_line *line, const struct fly_plan *plan,
                         const struct fly_tally *tally, uint64_t now_ns, char *text, size_t bytes,
                         uint32_t columns);

/* "1.23 M", "817", "4.56 k": three digits and a decimal prefix. */
void fly_progress_number(double value, char *text, size_t bytes);

#endif
