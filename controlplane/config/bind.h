/* bind.h - typed values written into the struct that their parameters describe.
 *
 * Idea       Each parameter says at which offset its C value belongs; lists and rows get arrays.
 * Memory     The arena's; strings are those of the values.
 * See also   <flyover/params.h>, which says what is stored for each type
 */
#ifndef FLY_CONFIG_BIND_H
#define FLY_CONFIG_BIND_H

#include "config/arena.h"
#include "config/values.h"

void fly_bind(struct fly_arena *arena, const struct fly_config_value *value, uint32_t cnt,
              void *into);

#endif
