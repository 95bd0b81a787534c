/* reason.h - the names of reasons, as dead letters and summaries say them.
 *
 * Idea       Reasons of the runtime are in one table; a node's own are in its descriptor.
 * Owner      Any thread.
 * See also   flyover/plugin.h
 */
#ifndef FLY_STATS_REASON_H
#define FLY_STATS_REASON_H

#include <flyover/plugin.h>

/* The name of a fly_reason of the runtime; NULL for any other number. */
const char *fly_reason_name(uint32_t reason);

/* The name of a reason of this node's own; NULL if it has no such reason. */
const char *fly_reason_of_node(const struct fly_node *node, uint32_t reason);

#endif
