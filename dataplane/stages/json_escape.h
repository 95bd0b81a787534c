/* json_escape.h - what an escape in a JSON string means.
 *
 * Idea       One escape at a time, checked: no lone surrogates, no unknown letters.
 * Owner      No state.
 * Memory     The caller's.
 * Cost       A few nanoseconds.
 * See also   json_scan.c, json_write.c
 */
#ifndef FLY_STAGES_JSON_ESCAPE_H
#define FLY_STAGES_JSON_ESCAPE_H

#include <stdint.h>

/* What the escape at *at, behind the backslash, means, as UTF-8. Its bytes, and *at behind it (for
 * a pair of surrogates, behind both); or 0: it is none. */
uint32_t fly_json_unescape(const uint8_t **at, const uint8_t *end, uint8_t out[4]);

#endif
