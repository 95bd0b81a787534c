/* expand.h - ${VAR}, ${VAR:-default} and ${VAR:?message} in the values of a tree; $$ is a dollar.
 *
 * Idea       Done after parsing and in values only, so a variable can never change the structure.
 * Caveat     A default ends at the first }; variables in it are not expanded.
 */
#ifndef FLY_CONFIG_EXPAND_H
#define FLY_CONFIG_EXPAND_H

#include "config/context.h"
#include "config/yaml.h"

void fly_expand(struct fly_config *config, struct fly_yaml *tree);

#endif
