/* override.h - PATH=VALUE arguments put into the tree.
 *
 * Idea       The path's parts are keys of maps, or positions in lists (from 0); maps that are
 *            missing are made. The value is read as YAML, so lists and maps can be given as [a, b]
 *            and {a: b}.
 */
#ifndef FLY_CONFIG_OVERRIDE_H
#define FLY_CONFIG_OVERRIDE_H

#include "config/context.h"
#include "config/yaml.h"

void fly_override(struct fly_config *config, struct fly_yaml *root, const char *argument);

#endif
