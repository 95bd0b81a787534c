#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

struct level {
    const char *file;
    int line;
    char text[FLY_ERR_TEXT_BYTES];
};

struct trace {
    int code;
    unsigned level_cnt;
    unsigned lost_cnt;
    struct level level[FLY_ERR_LEVEL_MAX];
    char hint[FLY_ERR_TEXT_BYTES];
    char joined[FLY_ERR_LEVEL_MAX * (FLY_ERR_TEXT_BYTES + 2)];
};

static _Thread_local struct trace trace;

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void add_level(const char *file, int line, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

static void add_level(const char *file, int line, const char *fmt, va_list args)
{
    if (trace.level_cnt == FLY_ERR_LEVEL_MAX) {
        trace.lost_cnt++;
        return;
    }
    struct level *level = &trace.level[trace.level_cnt++];
    level->file = file_name(file);
    level->line = line;
    if (vsnprintf(level->text, sizeof(level->text), fmt, args) < 0)
        snprintf(level->text, sizeof(level->text), "(%s)", fmt);
}

void fly_err_reset(void)
{
    trace.code = 0;
    trace.level_cnt = 0;
    trace.lost_cnt = 0;
    trace.hint[0] = '\0';
}

int fly_err_record(const char *file, int line, const char *fmt, ...)
{
    int saved_errno = errno;
    fly_err_reset();
    va_list args;
    va_start(args, fmt);
    add_level(file, line, fmt, args);
    va_end(args);
    errno = saved_errno;
    return 0;
}

void fly_err_code_keep(int code)
{
    trace.code = code;
}

int fly_err_note(const char *file, int line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add_level(file, line, fmt, args);
    va_end(args);
    return trace.code;
}

void fly_err_hint_set(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(trace.hint, sizeof(trace.hint), fmt, args);
    va_end(args);
}

int fly_err_code(void)
{
    return trace.code;
}

/* Appends at `used`, cutting at the end of `joined`; returns the new length. */
static size_t join(size_t used, const char *separator, const char *text)
{
    size_t room_bytes = sizeof(trace.joined) - used;
    int len = snprintf(trace.joined + used, room_bytes, "%s%s", separator, text);
    if (len < 0)
        return used;
    return (size_t)len < room_bytes ? used + (size_t)len : sizeof(trace.joined) - 1;
}

const char *fly_err_text(void)
{
    size_t used = 0;
    trace.joined[0] = '\0';
    for (unsigned i = trace.level_cnt; i-- > 0;)
        used = join(used, used ? ": " : "", trace.level[i].text);
    return trace.joined;
}

const char *fly_err_hint(void)
{
    return trace.hint[0] ? trace.hint : NULL;
}

const char *fly_err_trace(void)
{
    size_t used = 0;
    char place[64];
    trace.joined[0] = '\0';
    for (unsigned i = 0; i < trace.level_cnt; i++) {
        snprintf(place, sizeof(place), "%.48s:%d", trace.level[i].file, trace.level[i].line);
        used = join(used, used ? " < " : "", place);
    }
    if (trace.lost_cnt) {
        snprintf(place, sizeof(place), "%u more", trace.lost_cnt);
        join(used, " < ", place);
    }
    return trace.joined;
}

void fly_err_print(FILE *file)
{
    if (!trace.level_cnt)
        return;
    fprintf(file, "error: %s\n", fly_err_text());
    if (fly_err_hint())
        fprintf(file, "hint: %s\n", fly_err_hint());
    fprintf(file, "trace: %s\n", fly_err_trace());
}
