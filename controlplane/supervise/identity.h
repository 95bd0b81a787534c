/* identity.h - is this still the input that a kept position is about?
 *
 * Idea       One line per file that a source reads: device, inode, and a hash of its first bytes. A
 *            file that grew is still the same; one that was replaced is not.
 * Memory     The heap.
 * Caveat     Files are those that the source's path parameters name when asked, patterns expanded.
 */
#ifndef FLY_SUPERVISE_IDENTITY_H
#define FLY_SUPERVISE_IDENTITY_H

#include "config/pipeline.h"

/* The lines for a source's inputs as they are now; empty when it reads no files. 0: *out is the
 * text (free() it), or -ENOMEM with a trace. */
int fly_identity_make(const struct fly_pipeline_node *node, char **out)
    __attribute__((warn_unused_result));

/* Does a kept identity still hold? More files than then are fine, if they come after. 0, or -ESTALE
 * with a trace that names the file. */
int fly_identity_check(const struct fly_pipeline_node *node, const char *kept)
    __attribute__((warn_unused_result));

#endif
