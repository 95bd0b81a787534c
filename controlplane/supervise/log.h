/* log.h - what the control plane says on stderr: text or JSON lines, and never a flood.
 *
 * Idea       Each line has a level; lines beyond a burst of FLY_LOG_BURST per second are counted
 *            and the count is said later. Errors are always written.
 * Owner      One thread.
 * Memory     The caller's, fixed; lines are cut at FLY_LOG_LINE_BYTES.
 * See also   progress.h (the line that a log line must first clear)
 */
#ifndef FLY_SUPERVISE_LOG_H
#define FLY_SUPERVISE_LOG_H

#include "supervise/run.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { FLY_LOG_BURST = 50, FLY_LOG_LINE_BYTES = 2048 };

struct fly_log {
    FILE *file;
    bool json;
    bool over_progress; /* a progress line stands on the terminal and must be cleared first */
    enum fly_log_level level;
    uint64_t second; /* that `cnt` counts in */
    uint32_t cnt, suppressed_cnt;
};

/* Writes one line if the level is wanted. */
void fly_log_line(struct fly_log *log, enum fly_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes a line as it is, from a process that names itself in it. */
void fly_log_text(struct fly_log *log, enum fly_log_level level, const char *text);

/* Takes the progress line off the terminal. */
void fly_log_clear(struct fly_log *log);

/* Writes the trace of the thread's current error: one line, and the hint. */
void fly_log_trace(struct fly_log *log);

#endif
