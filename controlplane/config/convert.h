/* convert.h - one value of the tree made into the type that a parameter asks for, or refused.
 *
 * Idea       One small function per type behind one table; each says in a sentence what it wants.
 * See also   units.h, values.h (maps of values)
 */
#ifndef FLY_CONFIG_CONVERT_H
#define FLY_CONFIG_CONVERT_H

#include "config/context.h"
#include "config/yaml.h"

/* Converts all types but FLY_PARAM_TABLE. `key` is the name to print (with the maps before it).
 * False: refused, the finding is added. */
bool fly_convert(struct fly_config *config, const struct fly_param *param, const char *key,
                 const char *node, const struct fly_yaml *from, struct fly_config_value *value);

/* What a parameter's range allows: "1 to 64", "at least 10ms", or "" for any. */
const char *fly_convert_range(const struct fly_param *param, char *text, size_t bytes);

/* A path of a pipeline file as an absolute one: relative ones start at `folder`, which is free of
 * symbolic links; "." and leading ".." are resolved. "-" stays. */
struct fly_string fly_convert_path(struct fly_arena *arena, const char *folder,
                                   struct fly_string path);

#endif
