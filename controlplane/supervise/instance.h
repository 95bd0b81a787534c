/* instance.h - names of running pipelines: one run per name on a machine, and nothing stale.
 *
 * Idea       A file NAME.json in the runtime directory, locked (flock) by the run; the lock goes
 *            away with the process, so a file that can be locked belongs to nobody.
 * Death      The run's dataplane inherits the lock: a run that was killed gives its name back when
 *            its dataplane is gone, too. Who wants the name waits for that, seconds at most.
 * Where      /run/flyover for root, else $XDG_RUNTIME_DIR/flyover, else /tmp/flyover-UID.
 * Owner      The process that runs the pipeline.
 * See also   run.h, tests/unit/controlplane/supervise/test_instance.c
 */
#ifndef FLY_SUPERVISE_INSTANCE_H
#define FLY_SUPERVISE_INSTANCE_H

#include "shm/plan.h"

#include <stddef.h>
#include <stdint.h>

struct fly_instance {
    int fd;
    char name[FLY_PLAN_NAME_MAX];
    char path[FLY_PLAN_PATH_MAX];
};

/* The runtime directory, made if need be, private to the user. 0 or a negative errno with a
 * trace. */
int fly_instance_folder(char *path, size_t bytes) __attribute__((warn_unused_result));

/* Removes files in `folder` that no process holds. How many. */
uint32_t fly_instance_clean(const char *folder);

/* Takes `name`. 0; -EBUSY: it runs already, the trace says with which process; another negative
 * errno. */
int fly_instance_take(struct fly_instance *instance, const char *folder, const char *name)
    __attribute__((warn_unused_result));

/* Takes `name`, or name-2, name-3... 0 or a negative errno with a trace. */
int fly_instance_take_free(struct fly_instance *instance, const char *folder, const char *name)
    __attribute__((warn_unused_result));

/* Writes who runs: the pipeline's name and this process. 0 or a negative errno with a trace. */
int fly_instance_describe(struct fly_instance *instance, const char *pipeline)
    __attribute__((warn_unused_result));

/* Removes the file and gives the name back. NULL and a zeroed struct are fine. */
void fly_instance_release(struct fly_instance *instance);

#endif
