#include "supervise/log.h"

#include "base/clock.h"
#include "base/err.h"

#include <jansson.h>
#include <stdarg.h>
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)

static const char *level_name(enum fly_log_level level)
{
    static const char *const name[] = {"error", "warning", "info", "debug"};
    return name[level];
}

void fly_log_clear(struct fly_log *log)
{
    if (log->over_progress)
        fputs("\r\033[K", log->file);
    log->over_progress = false;
}

/* `prefix`: the level stands before the text. */
static void write_line(struct fly_log *log, enum fly_log_level level, bool prefix, const char *text,
                       const char *hint)
{
    fly_log_clear(log);
    if (!log->json) {
        if (prefix)
            fprintf(log->file, "%s: ", level_name(level));
        fprintf(log->file, "%s\n", text);
        if (hint)
            fprintf(log->file, "  hint: %s\n", hint);
        return;
    }
    uint64_t now_ms = fly_clock_wall_ns() / 1000000;
    json_t *object = json_pack("{s:I, s:s, s:s#}", "time_ms", (json_int_t)now_ms, "level",
                               level_name(level), "message", text, (int)strlen(text));
    if (!object) /* the text is not UTF-8 */
        object = json_pack("{s:I, s:s, s:s}", "time_ms", (json_int_t)now_ms, "level",
                           level_name(level), "message", "(a message that is not UTF-8)");
    if (hint)
        json_object_set_new(object, "hint", json_string(hint));
    json_dumpf(object, log->file, JSON_COMPACT);
    fputc('\n', log->file);
    json_decref(object);
}

/* Counts the line against this second's burst; false: it is not written. */
static bool may_write(struct fly_log *log, enum fly_log_level level)
{
    uint64_t second = fly_clock_ns() / SECOND_NS;
    char text[64];
    if (second != log->second) {
        if (log->suppressed_cnt) {
            snprintf(text, sizeof(text), "%u more lines were left out", log->suppressed_cnt);
            write_line(log, FLY_LOG_WARNING, true, text, NULL);
        }
        log->second = second;
        log->cnt = log->suppressed_cnt = 0;
    }
    if (log->cnt++ < FLY_LOG_BURST || level == FLY_LOG_ERROR)
        return true;
    log->suppressed_cnt++;
    return false;
}

void fly_log_line(struct fly_log *log, enum fly_log_level level, const char *fmt, ...)
{
    char text[FLY_LOG_LINE_BYTES];
    va_list args;
    if (level > log->level || !may_write(log, level))
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    write_line(log, level, level != FLY_LOG_INFO, text, NULL);
}

void fly_log_text(struct fly_log *log, enum fly_log_level level, const char *text)
{
    if (level <= log->level && may_write(log, level))
        write_line(log, level, false, text, NULL);
}

void fly_log_trace(struct fly_log *log)
{
    if (may_write(log, FLY_LOG_ERROR))
        write_line(log, FLY_LOG_ERROR, true, fly_err_text(), fly_err_hint());
}
