/* workspace.h - the shared memory of one running pipeline: creating it, mapping it, its header.
 *
 * Idea       One memory object, made and sized by the control plane, mapped by every process of the
 *            pipeline. It has no name in any file system: it goes away with the last process.
 * Owner      create: the control plane. attach: everybody else, by file descriptor.
 * Memory     Huge pages where there are enough, else plain pages; shared; prefaulted on request.
 * Layout     header, plan, then the parts that worker/layout.h lists. Every reference is an offset.
 * When full  Cannot grow: the plan is the bound.
 * See also   plan.h, worker/layout.h
 */
#ifndef FLY_SHM_WORKSPACE_H
#define FLY_SHM_WORKSPACE_H

#include "shm/plan.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define FLY_WORKSPACE_MAGIC UINT64_C(0x31305265764f794c) /* "LyOveR01" */
enum { FLY_WORKSPACE_VERSION = 1, FLY_WORKSPACE_PLAN_AT = 4096 };

/* What the control plane asks of the dataplane: a word that only goes up. */
enum fly_command {
    FLY_COMMAND_RUN,
    FLY_COMMAND_DRAIN, /* sources stop, trees finish, then every process ends */
    FLY_COMMAND_STOP,  /* end now */
};

struct fly_workspace_header {
    _Atomic uint64_t magic; /* written last */
    uint32_t version;
    uint32_t incarnation; /* rises with every dataplane of a run; part of every root's generation */
    uint64_t bytes;
    uint64_t seed; /* of edge ids and random groupings */
    uint64_t created_wall_ns;
    uint32_t creator_pid;
    uint32_t huge_pages;                   /* 1: backed by huge pages */
    _Alignas(64) _Atomic uint32_t command; /* enum fly_command; written by the control plane */
    _Atomic uint32_t quarantined; /* suspects still to be tried alone, see worker/restore.h */
    _Alignas(64) _Atomic uint64_t ticks_hz; /* written by the dataplane before it is ready */
    _Atomic uint64_t start_ticks;
};

struct fly_workspace {
    struct fly_workspace_header *header;
    struct fly_plan *plan;
    void *base;
    uint64_t bytes;
    int fd;
};

/* Makes the memory object, maps it, writes the header but for the magic. `plan` may already be
 * written at FLY_WORKSPACE_PLAN_AT by the caller afterwards. 0; -ENOMEM (a hint says how much was
 * asked), or another negative errno; nothing is left behind. */
int fly_workspace_create(struct fly_workspace *workspace, uint64_t bytes, bool huge_pages)
    __attribute__((warn_unused_result));

/* Gives it all its memory, so that a lack of it shows now and not as SIGBUS at a first touch. It
 * takes about 0.6 ms per MiB: the dataplane can start meanwhile. 0 or -ENOMEM. */
int fly_workspace_fill(const struct fly_workspace *workspace) __attribute__((warn_unused_result));

/* Publishes: writes the magic. All parts must be formatted. */
void fly_workspace_publish(struct fly_workspace *workspace);

/* Maps by descriptor; checks magic, version and size. 0; -EPROTO (not a workspace, or of another
 * version: the trace says which), or another negative errno. Takes no ownership of `fd` on
 * failure. */
int fly_workspace_attach(struct fly_workspace *workspace, int fd, bool read_only)
    __attribute__((warn_unused_result));

/* Unmaps and closes; NULL and a zeroed struct are fine. */
void fly_workspace_close(struct fly_workspace *workspace);

#endif
