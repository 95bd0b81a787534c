/* params.h - a node's parameters out of the plan into the node's own struct.
 *
 * Idea       The control plane writes the typed values as one msgpack array in the order of the
 *            node's table; here they are stored at the places that the table names.
 * Owner      Start-up only. Strings, lists and rows live in the arena that is handed back.
 * Trust      The plan comes from our own control plane, but is checked all the same.
 */
#ifndef FLY_WORKER_PARAMS_H
#define FLY_WORKER_PARAMS_H

#include "base/check.h"

#include <flyover/plugin.h>

/* Fills `self`. *arena must be given to fly_params_free when the task is gone. 0, or -EPROTO with a
 * trace when the values do not fit the table. */
FLY_MUST_CHECK int fly_params_bind(const struct fly_param *params, const void *packed,
                                   uint64_t bytes, void *self, void **arena);
void fly_params_free(void *arena);

#endif
