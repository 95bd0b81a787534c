/* param_text.h - a parameter in words: its type, default and range.
 *
 * Idea       One place for describe, list, the schema's descriptions and the reference pages.
 */
#ifndef FLY_CLI_PARAM_TEXT_H
#define FLY_CLI_PARAM_TEXT_H

#include "config/arena.h"

#include <flyover/plugin.h>

/* "text", "duration", "list of paths"... */
const char *fly_param_type_text(enum fly_param_type type);

/* "30s", "required", "not set". */
const char *fly_param_default_text(const struct fly_param *param);

/* "1 to 64", "newline, fixed", or "". */
const char *fly_param_allowed_text(struct fly_arena *arena, const struct fly_param *param);

/* When a message that such a node got is done. */
const char *fly_node_done_text(const struct fly_node *type);

/* On how many workers such a node runs. */
const char *fly_node_tasks_text(struct fly_arena *arena, const struct fly_node *type);

/* What happens when messages of such a source are to be sent again; NULL for others. */
const char *fly_node_replay_text(const struct fly_node *type);

#endif
