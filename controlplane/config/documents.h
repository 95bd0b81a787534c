/* documents.h - pipeline files, --set arguments and the environment made into one tree.
 *
 * Idea       Files are read and united, then --set values put in, then ${VAR} expanded in values:
 *            what is checked afterwards is exactly what will run.
 * Merging    The maps under `nodes` and the lists under `plugins` are united. Any other key may
 *            stand in several files only with the same value; a node only in one.
 * See also   expand.h, override.h
 */
#ifndef FLY_CONFIG_DOCUMENTS_H
#define FLY_CONFIG_DOCUMENTS_H

#include "config/context.h"
#include "config/yaml.h"

/* 0 with a map in *root. -EINVAL: not usable, see the diagnostics. Another negative errno: a file
 * could not be read (also in the diagnostics). Errors that leave a usable tree are only in the
 * diagnostics. */
int fly_documents_read(struct fly_config *config, struct fly_yaml *root)
    __attribute__((warn_unused_result));

#endif
