/* units.h - numbers as people write them: 5s, 64MiB, 10k, 1000/s; and back.
 *
 * Idea       A number with decimals, then a unit from a table; exact in 64 bits or refused.
 * Errors     An outcome, since only the caller knows what the number is for.
 * See also   values.c (makes sentences of the outcomes), docs/reference/pipeline.md
 */
#ifndef FLY_CONFIG_UNITS_H
#define FLY_CONFIG_UNITS_H

#include <flyover/message.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fly_units_result {
    FLY_UNITS_OK,
    FLY_UNITS_NOT_A_NUMBER,
    FLY_UNITS_NO_UNIT, /* one is needed */
    FLY_UNITS_UNKNOWN_UNIT,
    FLY_UNITS_TOO_LARGE,
    FLY_UNITS_NEGATIVE,
    FLY_UNITS_FRACTION, /* not a whole number */
};

/* Nanoseconds: ns us ms s m h d. `bare_ns` is the unit of a number without one; 0: it needs one
 * (but for 0 itself). */
enum fly_units_result fly_units_duration(struct fly_string text, uint64_t bare_ns, uint64_t *out);

/* Bytes: B kB MB GB TB KiB MiB GiB TiB; a bare number is bytes. */
enum fly_units_result fly_units_size(struct fly_string text, uint64_t *out);

/* A whole number; k M G mean 10^3, 10^6, 10^9. `/s` may follow when `rate`. */
enum fly_units_result fly_units_count(struct fly_string text, bool rate, uint64_t *out);

/* A whole number with a sign, without units. */
enum fly_units_result fly_units_number(struct fly_string text, int64_t *out);

enum fly_units_result fly_units_real(struct fly_string text, double *out);

/* The bare unit that a key's name implies: `_ns _us _ms _s`; 0: none. */
uint64_t fly_units_of_name(const char *name);

/* Shortest exact form: 1500000000 -> "1500ms". Room for 32 bytes is enough. */
const char *fly_units_print_duration(uint64_t ns, char *text, size_t bytes);
const char *fly_units_print_size(uint64_t size_bytes, char *text, size_t bytes);

#endif
