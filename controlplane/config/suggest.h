/* suggest.h - "did you mean": the nearest of some names.
 *
 * Idea       Damerau-Levenshtein distance (swapped neighbours count once); a name is near when at
 *            most a third of it differs.
 * Memory     The caller's and a little stack; names over FLY_SUGGEST_BYTES are never near.
 * Cost       O(bytes^2) per candidate.
 */
#ifndef FLY_CONFIG_SUGGEST_H
#define FLY_CONFIG_SUGGEST_H

#include <stdint.h>

enum { FLY_SUGGEST_BYTES = 64 };

struct fly_suggest {
    const char *wanted;
    const char *best; /* NULL: nothing near was offered */
    uint32_t distance;
};

/* Edits between two names; UINT32_MAX when one is longer than FLY_SUGGEST_BYTES. */
uint32_t fly_suggest_distance(const char *one, const char *other);

/* Looks at one more candidate. Equal distances: the first stays. */
void fly_suggest_offer(struct fly_suggest *suggest, const char *candidate);

#endif
