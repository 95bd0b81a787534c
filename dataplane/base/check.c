#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fly_check_failed(const char *file, int line, const char *cond, const char *fmt, ...)
{
    char reason[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(reason, sizeof(reason), fmt, args);
    va_end(args);
    const char *slash = strrchr(file, '/');
    fprintf(stderr, "flyover: broken invariant at %s:%d: %s (%s)\n", slash ? slash + 1 : file, line,
            reason, cond);
    fflush(stderr);
    abort();
}
