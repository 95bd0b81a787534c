#include "stages/event_time.h"

#define NS_PER_S INT64_C(1000000000)

enum { SECONDS_PER_DAY = 86400 };

const char *const fly_time_from_names[] = {"json", "payload", "metadata", NULL};
const char *const fly_time_format_names[] = {"rfc3339", "unix_s",  "unix_ms",
                                             "unix_us", "unix_ns", NULL};

/* --- Numbers --------------------------------------------------------------------------------- */

/* Of a unit's time, ns are 10 to the so-manieth. */
static int exponent_of(enum fly_time_format format)
{
    return format == FLY_TIME_UNIX_S    ? 9
           : format == FLY_TIME_UNIX_MS ? 6
           : format == FLY_TIME_UNIX_US ? 3
                                        : 0;
}

struct decimal {
    uint64_t digits; /* as a whole number, 19 at most */
    int exponent;
    uint32_t cnt;
};

static const uint8_t *read_digits(const uint8_t *at, const uint8_t *end, struct decimal *number,
                                  bool fraction)
{
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        number->cnt++;
        if (number->digits < UINT64_C(1000000000000000000)) {
            number->digits = number->digits * 10 + (uint64_t)(*at - '0');
            number->exponent -= fraction;
        } else {
            number->exponent += !fraction; /* beyond what counts in ns, or too large anyway */
        }
    }
    return at;
}

static const uint8_t *read_exponent(const uint8_t *at, const uint8_t *end, struct decimal *number)
{
    int exponent = 0;
    if (at == end || (*at | 0x20) != 'e')
        return at;
    at++;
    bool negative = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    const uint8_t *first = at;
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        exponent = exponent < 1000 ? exponent * 10 + (*at - '0') : exponent;
    number->exponent += negative ? -exponent : exponent;
    return at == first ? end + 1 : at; /* past the end: not a number */
}

static bool scale(struct decimal number, bool negative, int64_t *result)
{
    uint64_t value = number.digits;
    for (; number.exponent < 0 && value; number.exponent++)
        value /= 10;
    for (; number.exponent > 0 && value; number.exponent--)
        if (__builtin_mul_overflow(value, UINT64_C(10), &value))
            return false;
    *result = negative ? -(int64_t)value : (int64_t)value;
    return value <= INT64_MAX;
}

static bool parse_number(enum fly_time_format format, const uint8_t *at, const uint8_t *end,
                         int64_t *time_ns)
{
    struct decimal number = {.exponent = exponent_of(format)};
    bool negative = at < end && *at == '-';
    at = read_digits(at + negative, end, &number, false);
    if (number.cnt == 0)
        return false;
    if (at < end && *at == '.') {
        uint32_t whole_cnt = number.cnt;
        at = read_digits(at + 1, end, &number, true);
        if (number.cnt == whole_cnt)
            return false;
    }
    return read_exponent(at, end, &number) == end && scale(number, negative, time_ns);
}

/* --- Dates ----------------------------------------------------------------------------------- */

/* Exactly `cnt` digits; -1: they are not. */
static int two_or_four(const uint8_t *at, int cnt)
{
    int value = 0;
    for (int i = 0; i < cnt; i++) {
        if (at[i] < '0' || at[i] > '9')
            return -1;
        value = value * 10 + (at[i] - '0');
    }
    return value;
}

/* Days since 1970 of a day of the Gregorian calendar: years begin in March, so that leap days come
 * last. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* +hh:mm, -hh:mm or Z at the end: seconds to take off. False: none of these. */
static bool parse_zone(const uint8_t *at, const uint8_t *end, int64_t *seconds)
{
    *seconds = 0;
    if (end - at == 1)
        return *at == 'Z' || *at == 'z';
    if (end - at != 6 || (*at != '+' && *at != '-') || at[3] != ':')
        return false;
    int hours = two_or_four(at + 1, 2), minutes = two_or_four(at + 4, 2);
    *seconds = (hours * INT64_C(60) + minutes) * (*at == '-' ? -60 : 60);
    return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60;
}

static bool parse_rfc3339(const uint8_t *at, const uint8_t *end, int64_t *time_ns)
{
    if (end - at < 20 || at[4] != '-' || at[7] != '-' || at[13] != ':' || at[16] != ':' ||
        ((at[10] | 0x20) != 't' && at[10] != ' '))
        return false;
    int year = two_or_four(at, 4), month = two_or_four(at + 5, 2), day = two_or_four(at + 8, 2);
    int hour = two_or_four(at + 11, 2), minute = two_or_four(at + 14, 2);
    int second = two_or_four(at + 17, 2);
    bool good = year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= days_in(year, month) &&
                hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second <= 60;
    if (!good)
        return false;
    struct decimal fraction = {.exponent = 9};
    at += 19;
    if (*at == '.') {
        at = read_digits(at + 1, end, &fraction, true);
        if (fraction.cnt == 0)
            return false;
    }
    int64_t zone,
        ns = 0,
        seconds = days_of(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    if (!parse_zone(at, end, &zone) || !scale(fraction, false, &ns))
        return false;
    return !__builtin_mul_overflow(seconds - zone, NS_PER_S, time_ns) &&
           !__builtin_add_overflow(*time_ns, ns, time_ns);
}

bool fly_time_parse(enum fly_time_format format, const uint8_t *text, uint32_t bytes,
                    int64_t *time_ns)
{
    if (format == FLY_TIME_RFC3339)
        return parse_rfc3339(text, text + bytes, time_ns);
    return parse_number(format, text, text + bytes, time_ns);
}

/* --- Writing --------------------------------------------------------------------------------- */

/* `value` with at least `digits` digits. */
static void put_padded(struct fly_text *text, uint64_t value, int digits)
{
    uint64_t limit = 1;
    for (int i = 1; i < digits; i++)
        limit *= 10;
    for (; limit > value && limit > 1; limit /= 10)
        fly_text_byte(text, '0');
    fly_text_number(text, value);
}

/* A point and `digits` digits without the zeros at the end; nothing for 0. */
static void put_fraction(struct fly_text *text, uint64_t value, int digits)
{
    if (!value)
        return;
    for (; value % 10 == 0; value /= 10)
        digits--;
    fly_text_byte(text, '.');
    put_padded(text, value, digits);
}

static void put_rfc3339(struct fly_text *text, int64_t time_ns)
{
    int64_t seconds = time_ns / NS_PER_S, ns = time_ns % NS_PER_S;
    seconds -= ns < 0;
    ns += ns < 0 ? NS_PER_S : 0;
    int64_t days = seconds / SECONDS_PER_DAY, of_day = seconds % SECONDS_PER_DAY;
    days += 719468 - (of_day < 0);
    of_day += of_day < 0 ? SECONDS_PER_DAY : 0;
    uint64_t era = (uint64_t)days / 146097, of_era = (uint64_t)days % 146097; /* years > 0 */
    uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    uint64_t month = (5 * of_year + 2) / 153, day = of_year - (153 * month + 2) / 5 + 1;
    month = month < 10 ? month + 3 : month - 9;
    fly_text_byte(text, '"');
    put_padded(text, year + era * 400 + (month <= 2), 4);
    fly_text_byte(text, '-');
    put_padded(text, month, 2);
    fly_text_byte(text, '-');
    put_padded(text, day, 2);
    fly_text_byte(text, 'T');
    put_padded(text, (uint64_t)of_day / 3600, 2);
    fly_text_byte(text, ':');
    put_padded(text, (uint64_t)of_day / 60 % 60, 2);
    fly_text_byte(text, ':');
    put_padded(text, (uint64_t)of_day % 60, 2);
    put_fraction(text, (uint64_t)ns, 9);
    fly_text_literal(text, "Z\"");
}

void fly_time_write(struct fly_text *text, enum fly_time_format format, int64_t time_ns)
{
    if (format == FLY_TIME_RFC3339) {
        put_rfc3339(text, time_ns);
        return;
    }
    uint64_t unit = 1, size = time_ns < 0 ? 0 - (uint64_t)time_ns : (uint64_t)time_ns;
    for (int i = exponent_of(format); i > 0; i--)
        unit *= 10;
    if (time_ns < 0)
        fly_text_byte(text, '-');
    fly_text_number(text, size / unit);
    put_fraction(text, size % unit, exponent_of(format));
}

/* --- Messages -------------------------------------------------------------------------------- */

int fly_time_check(const struct fly_time_params *params, struct fly_refusal *refusal)
{
    struct fly_json_path path;
    bool named = params->time.bytes > 0;
    if (params->from == FLY_TIME_PAYLOAD && named) {
        *refusal = (struct fly_refusal){"time", "with `time_from: payload` nothing has to be named",
                                        "leave `time` out"};
        return -1;
    }
    if (params->from != FLY_TIME_PAYLOAD && !named) {
        *refusal = (struct fly_refusal){"time", "it is not said where a message's time stands",
                                        "for example time: event.at, or time_from: payload"};
        return -1;
    }
    if (params->from == FLY_TIME_JSON &&
        fly_json_path_parse(&path, params->time.text, params->time.bytes)) {
        *refusal = (struct fly_refusal){
            "time", "not a path: names and element numbers with dots in between, 16 at most",
            "for example event.at or items.0.at"};
        return -1;
    }
    return 0;
}

int fly_time_open(struct fly_time_reader *reader, const struct fly_time_params *params,
                  const struct fly_string *opt_field)
{
    *reader = (struct fly_time_reader){.params = *params};
    if (params->from == FLY_TIME_JSON && fly_json_path_parse(&reader->path[reader->path_cnt++],
                                                             params->time.text, params->time.bytes))
        return -1;
    if (opt_field &&
        fly_json_path_parse(&reader->path[reader->path_cnt++], opt_field->text, opt_field->bytes))
        return -1;
    return 0;
}

/* The entry of the metadata, as if it were a string of the payload. */
static struct fly_json_value find_meta(const struct fly_msg *msg, const struct fly_string *name)
{
    struct fly_json_value value = {0};
    struct fly_meta meta;
    uint32_t at = 0;
    const uint8_t *block = msg->payload + msg->payload_bytes;
    while (fly_meta_next(block, msg->meta_bytes, &at, &meta) == 1)
        if (meta.name.bytes == name->bytes && memcmp(meta.name.text, name->text, name->bytes) == 0)
            value = (struct fly_json_value){.at = (const uint8_t *)meta.value.text,
                                            .bytes = meta.value.bytes,
                                            .kind = FLY_JSON_STRING};
    return value;
}

enum fly_time_read fly_time_of(const struct fly_time_reader *reader, const struct fly_msg *msg,
                               int64_t *time_ns, struct fly_json_value *field)
{
    struct fly_json_value value[2], time = {0};
    const struct fly_time_params *params = &reader->params;
    if (reader->path_cnt &&
        !fly_json_scan(msg->payload, msg->payload_bytes, reader->path, reader->path_cnt, value))
        return FLY_TIME_NO_JSON;
    uint32_t field_at = params->from == FLY_TIME_JSON;
    if (field_at < reader->path_cnt)
        *field = value[field_at];
    if (params->from == FLY_TIME_JSON)
        time = value[0];
    else if (params->from == FLY_TIME_METADATA)
        time = find_meta(msg, &params->time);
    else
        time = (struct fly_json_value){
            .at = msg->payload, .bytes = msg->payload_bytes, .kind = FLY_JSON_STRING};
    if (time.kind == FLY_JSON_NONE)
        return FLY_TIME_MISSING;
    bool text = (time.kind == FLY_JSON_STRING && !time.escaped) || time.kind == FLY_JSON_NUMBER;
    bool good =
        text && fly_time_parse((enum fly_time_format)params->format, time.at, time.bytes, time_ns);
    return good ? FLY_TIME_READ : FLY_TIME_BAD;
}
