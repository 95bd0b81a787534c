/* file.h - the file source and the file sink.
 *
 * Idea       Both are built on what connectors/common shares with standard input and output; all
 *            reading and writing goes through the worker's io_uring.
 * Owner      Constants.
 * Memory     Buffers from fly_task_alloc(), a list of files from the heap at setup.
 * Cost       No copy of what is read; one copy into a buffer of what is written.
 * When full  The sink holds messages until a buffer is free.
 * See also   connectors/common/framing.h, connectors/common/gather.h
 */
#ifndef FLY_CONNECTORS_FILE_FILE_H
#define FLY_CONNECTORS_FILE_FILE_H

#include <flyover/plugin.h>

extern const struct fly_node fly_file_source_node;
extern const struct fly_node fly_file_sink_node;

#endif
