/* stdio_nodes.h - standard input as a source and standard output as a sink.
 *
 * Idea       The same framing and gathering as for files, at the descriptor's own position.
 * Owner      Constants.
 * Memory     Buffers from fly_task_alloc().
 * Cost       As files.
 * When full  The sink holds messages until a buffer is free; the source stops reading.
 * See also   connectors/common/framing.h, connectors/common/gather.h
 */
#ifndef FLY_CONNECTORS_STDIO_STDIO_NODES_H
#define FLY_CONNECTORS_STDIO_STDIO_NODES_H

#include <flyover/plugin.h>

extern const struct fly_node fly_stdin_node;
extern const struct fly_node fly_stdout_node;

#endif
