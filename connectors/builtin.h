/* builtin.h - the one table of all nodes that come with the program.
 *
 * Idea       Who wants a node by name walks the table; a source and a sink may share a name
 *            (`file`), as a node with `inputs` is never a source.
 * Owner      A constant.
 * Memory     None.
 * Cost       None.
 * When full  Does not apply.
 * See also   dataplane/stages/stages.h, the folders beside this file
 */
#ifndef FLY_CONNECTORS_BUILTIN_H
#define FLY_CONNECTORS_BUILTIN_H

#include <flyover/plugin.h>

/* All built-in nodes; ends with NULL. */
const struct fly_node *const *fly_builtin_nodes(void);

#endif
