#include "config/units.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit DURATIONS[] = {
    {"ns", 1},
    {"us", 1000},
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", UINT64_C(60000000000)},
    {"h", UINT64_C(3600000000000)},
    {"d", UINT64_C(86400000000000)},
    {NULL, 0},
};

static const struct unit SIZES[] = {
    {"B", 1},
    {"kB", 1000},
    {"MB", 1000000},
    {"GB", 1000000000},
    {"TB", UINT64_C(1000000000000)},
    {"KiB", UINT64_C(1) << 10},
    {"MiB", UINT64_C(1) << 20},
    {"GiB", UINT64_C(1) << 30},
    {"TiB", UINT64_C(1) << 40},
    {NULL, 0},
};

static const struct unit COUNTS[] = {
    {"k", 1000},
    {"M", 1000000},
    {"G", 1000000000},
    {NULL, 0},
};

/* A decimal number in parts: `whole` + `part` / `scale`. */
struct decimal {
    uint64_t whole, part, scale;
    const char *end;
};

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static enum fly_units_result read_decimal(struct fly_string text, struct decimal *decimal)
{
    const char *at = text.text, *end = text.text + text.bytes;
    *decimal = (struct decimal){.scale = 1};
    if (text.bytes > 1 && *at == '-' && is_digit(at[1]))
        return FLY_UNITS_NEGATIVE;
    if (at < end && *at == '+')
        at++;
    if (at == end || !is_digit(*at))
        return FLY_UNITS_NOT_A_NUMBER;
    for (; at < end && is_digit(*at); at++) {
        if (__builtin_mul_overflow(decimal->whole, 10, &decimal->whole) ||
            __builtin_add_overflow(decimal->whole, (uint64_t)(*at - '0'), &decimal->whole))
            return FLY_UNITS_TOO_LARGE;
    }
    if (end - at > 1 && *at == '.' && is_digit(at[1])) {
        for (at++; at < end && is_digit(*at); at++) {
            if (decimal->scale ==
                1000000000) /* finer than any unit: must not be dropped silently */
                return FLY_UNITS_NOT_A_NUMBER;
            decimal->scale *= 10;
            decimal->part = decimal->part * 10 + (uint64_t)(*at - '0');
        }
    }
    decimal->end = at;
    return FLY_UNITS_OK;
}

/* What follows the number and spaces after it. */
static struct fly_string unit_text(struct fly_string text, const struct decimal *decimal)
{
    const char *at = decimal->end, *end = text.text + text.bytes;
    while (at < end && *at == ' ')
        at++;
    return (struct fly_string){at, (uint32_t)(end - at)};
}

static bool find_unit(const struct unit *units, struct fly_string name, uint64_t *factor)
{
    for (; units->name; units++) {
        if (strlen(units->name) == name.bytes && memcmp(units->name, name.text, name.bytes) == 0) {
            *factor = units->factor;
            return true;
        }
    }
    return false;
}

/* (whole + part / scale) * factor, if that is a whole number of 64 bits. scale <= 10^9 and
 * part < scale, so part * (factor / scale) and part * (factor % scale) both fit. */
static enum fly_units_result scaled(const struct decimal *decimal, uint64_t factor, uint64_t *out)
{
    uint64_t whole, rest = decimal->part * (factor % decimal->scale);
    if (__builtin_mul_overflow(decimal->whole, factor, &whole))
        return FLY_UNITS_TOO_LARGE;
    if (rest % decimal->scale)
        return FLY_UNITS_FRACTION;
    uint64_t part = decimal->part * (factor / decimal->scale) + rest / decimal->scale;
    return __builtin_add_overflow(whole, part, out) ? FLY_UNITS_TOO_LARGE : FLY_UNITS_OK;
}

enum fly_units_result fly_units_duration(struct fly_string text, uint64_t bare_ns, uint64_t *out)
{
    struct decimal decimal;
    enum fly_units_result result = read_decimal(text, &decimal);
    if (result != FLY_UNITS_OK)
        return result;
    struct fly_string name = unit_text(text, &decimal);
    uint64_t factor = bare_ns;
    if (name.bytes && !find_unit(DURATIONS, name, &factor))
        return FLY_UNITS_UNKNOWN_UNIT;
    if (factor == 0 && (decimal.whole || decimal.part))
        return FLY_UNITS_NO_UNIT;
    return scaled(&decimal, factor, out);
}

enum fly_units_result fly_units_size(struct fly_string text, uint64_t *out)
{
    struct decimal decimal;
    enum fly_units_result result = read_decimal(text, &decimal);
    if (result != FLY_UNITS_OK)
        return result;
    struct fly_string name = unit_text(text, &decimal);
    uint64_t factor = 1;
    if (name.bytes && !find_unit(SIZES, name, &factor))
        return FLY_UNITS_UNKNOWN_UNIT;
    return scaled(&decimal, factor, out);
}

enum fly_units_result fly_units_count(struct fly_string text, bool rate, uint64_t *out)
{
    struct decimal decimal;
    if (rate && text.bytes > 2 && memcmp(text.text + text.bytes - 2, "/s", 2) == 0)
        text.bytes -= 2;
    enum fly_units_result result = read_decimal(text, &decimal);
    if (result != FLY_UNITS_OK)
        return result;
    struct fly_string name = {decimal.end, (uint32_t)(text.text + text.bytes - decimal.end)};
    uint64_t factor = 1;
    if (name.bytes && !find_unit(COUNTS, name, &factor))
        return FLY_UNITS_NOT_A_NUMBER;
    return scaled(&decimal, factor, out);
}

enum fly_units_result fly_units_number(struct fly_string text, int64_t *out)
{
    struct decimal decimal;
    bool negative = text.bytes > 1 && text.text[0] == '-';
    struct fly_string digits = {text.text + negative, text.bytes - negative};
    enum fly_units_result result = read_decimal(digits, &decimal);
    if (result == FLY_UNITS_NEGATIVE || (negative && digits.text[0] == '+'))
        return FLY_UNITS_NOT_A_NUMBER;
    if (result != FLY_UNITS_OK)
        return result;
    if (decimal.end != text.text + text.bytes)
        return FLY_UNITS_NOT_A_NUMBER;
    if (decimal.part)
        return FLY_UNITS_FRACTION;
    if (decimal.whole > (uint64_t)INT64_MAX + negative)
        return FLY_UNITS_TOO_LARGE;
    *out = negative ? (int64_t)(UINT64_C(0) - decimal.whole) : (int64_t)decimal.whole;
    return FLY_UNITS_OK;
}

enum fly_units_result fly_units_real(struct fly_string text, double *out)
{
    char *end;
    /* strtod would take hexadecimal, "inf" and leading spaces, too. */
    for (uint32_t i = 0; i < text.bytes; i++) {
        if (!is_digit(text.text[i]) && !strchr("+-.eE", text.text[i]))
            return FLY_UNITS_NOT_A_NUMBER;
    }
    errno = 0;
    double value = strtod(text.text, &end);
    if (text.bytes == 0 || end != text.text + text.bytes)
        return FLY_UNITS_NOT_A_NUMBER;
    if (!isfinite(value))
        return FLY_UNITS_TOO_LARGE;
    *out = value;
    return FLY_UNITS_OK;
}

uint64_t fly_units_of_name(const char *name)
{
    const char *suffix = strrchr(name, '_');
    uint64_t factor = 0;
    if (suffix)
        find_unit(DURATIONS, (struct fly_string){suffix + 1, (uint32_t)strlen(suffix + 1)},
                  &factor);
    return factor;
}

/* In the largest unit of the table that divides `value`. */
static const char *print_with(const struct unit *units, size_t cnt, uint64_t value, char *text,
                              size_t bytes)
{
    const struct unit *best = &units[0];
    for (size_t i = 0; i < cnt; i++) {
        if (value && value % units[i].factor == 0)
            best = &units[i];
    }
    snprintf(text, bytes, "%" PRIu64 "%s", value / best->factor, best->name);
    return text;
}

const char *fly_units_print_duration(uint64_t ns, char *text, size_t bytes)
{
    if (ns == 0)
        return "0s";
    return print_with(DURATIONS, sizeof(DURATIONS) / sizeof(DURATIONS[0]) - 1, ns, text, bytes);
}

const char *fly_units_print_size(uint64_t size_bytes, char *text, size_t bytes)
{
    enum { BINARY = 5, BINARY_CNT = 4 };
    if (size_bytes % 1024 || size_bytes == 0)
        return print_with(SIZES, BINARY, size_bytes, text, bytes);
    return print_with(SIZES + BINARY, BINARY_CNT, size_bytes, text, bytes);
}
