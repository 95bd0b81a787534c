/* err.h - errors of the cold path, told once, at the top.
 *
 * Idea       The place that fails records code, text, file and line; each caller that knows more
 *            adds a note on the way up; whoever handles the error prints the whole trace.
 * Owner      Each thread has a trace of its own; another thread's is never seen.
 * Memory     Thread-local and fixed (about 6 KiB); nothing is allocated.
 * Cost       A formatted print per level: start, stop and configuration only, never per message.
 * When full  Text is cut at FLY_ERR_TEXT_BYTES per level; levels above FLY_ERR_LEVEL_MAX are
 *            counted.
 * Caveat     FLY_ERR starts a new trace: cleaning up after an error must not report errors of its
 *            own.
 * See also   tests/unit/dataplane/base/test_err.c
 */
#ifndef FLY_BASE_ERR_H
#define FLY_BASE_ERR_H

#include <errno.h>
#include <stdio.h>

/* Enough for the deepest start-up path, with room for one sentence per level. */
#define FLY_ERR_LEVEL_MAX 8
#define FLY_ERR_TEXT_BYTES 320

/* Starts a new trace and returns the negative errno: `return FLY_ERR(EINVAL, "no core %u", core);`
 * The code's sign does not matter, and 0 counts as EIO, so the result is an error always. */
#define FLY_ERR(code, ...) fly_err_code_set((code), fly_err_record(__FILE__, __LINE__, __VA_ARGS__))

/* Adds what this level was doing and returns the code of the trace: `return FLY_ERR_NOTE("cannot
 * start %s", name);` */
#define FLY_ERR_NOTE(...) fly_err_note(__FILE__, __LINE__, __VA_ARGS__)

/* Says what the reader can do about it; the last hint wins. Call it after FLY_ERR. */
#define FLY_ERR_HINT(...) fly_err_hint_set(__VA_ARGS__)

/* Forgets the trace: for errors that were handled. */
void fly_err_reset(void);

/* Negative errno of the current trace, or 0 if there is none. */
int fly_err_code(void);

/* One sentence, outermost level first: "cannot start x: cannot map y: no such file". Empty without
 * a trace. Valid until the thread's next call into err. */
const char *fly_err_text(void);

/* The hint, or NULL if none was given. Valid until the thread's next FLY_ERR or FLY_ERR_HINT. */
const char *fly_err_hint(void);

/* The places, innermost first: "map.c:31 < plan.c:80". Valid until the thread's next call into err.
 */
const char *fly_err_trace(void);

/* Writes text, hint and places to `file`, a line each; nothing without a trace. */
void fly_err_print(FILE *file);

/* Behind the macros. The code comes last, and inline, so that compilers see that it is not 0;
 * recording leaves errno alone, so the code may be errno. */
int fly_err_record(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), cold));
void fly_err_code_keep(int code);
int fly_err_note(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), cold));
void fly_err_hint_set(const char *fmt, ...) __attribute__((format(printf, 1, 2), cold));

static inline int fly_err_code_set(int code, int recorded)
{
    (void)recorded;
    int negative = code > 0 ? -code : code;
    if (!negative)
        negative = -EIO;
    fly_err_code_keep(negative);
    return negative;
}

#endif
