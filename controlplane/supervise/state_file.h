/* state_file.h - where a source goes on after this run, kept on disk so that a crash at any moment
 * is safe.
 *
 * Idea       Two files, PATH.0 and PATH.1, written in turns; each write is a whole record with a
 *            rising number and a checksum, synced before the other file is touched again. Reading
 *            takes the
 *            newest record that is whole.
 * Owner      The control plane; one run at a time (PATH.0 is locked).
 * Memory     The heap.
 * Cost       A write and an fdatasync per changed record, on the control plane's time.
 * Caveat     What happened since the last write is repeated after a crash, never lost.
 * See also   source_state.h (what is kept), tests/unit/controlplane/supervise/test_state_file.c
 */
#ifndef FLY_SUPERVISE_STATE_FILE_H
#define FLY_SUPERVISE_STATE_FILE_H

#include "shm/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A message that was sent out below the position and not acked yet. */
struct fly_state_root {
    uint64_t id;
    uint32_t attempts;
    uint32_t flags; /* of ack/tracker.h */
};

struct fly_state_task {
    uint64_t position;
    uint32_t has_position; /* 0: it starts at the beginning */
    uint32_t root_cnt;
    struct fly_state_root *root;
};

/* What is kept of one source. */
struct fly_state {
    char node[FLY_PLAN_NAME_MAX];
    uint32_t task_cnt;
    struct fly_state_task *task;
    char *identity; /* what the positions are about, see identity.h; may be NULL */
};

void fly_state_free(struct fly_state *state); /* the tables, not the struct; NULL is fine */

/* A record as bytes in *out (free() it). 0 or -ENOMEM. */
int fly_state_encode(const struct fly_state *state, uint64_t sequence, uint8_t **out, size_t *bytes)
    __attribute__((warn_unused_result));

/* Reads a record. 0; -EBADMSG: torn, damaged or of another version; -ENOMEM. *state is empty unless
 * 0. */
int fly_state_decode(const uint8_t *record, size_t bytes, struct fly_state *state,
                     uint64_t *sequence) __attribute__((warn_unused_result));

struct fly_state_file {
    int fd[2];
    char path[FLY_PLAN_PATH_MAX]; /* without .0 and .1 */
    uint64_t sequence;            /* of the newest record */
    uint8_t *last; /* newest record as written, to skip a write that changes nothing */
    size_t last_bytes;
};

/* Opens or creates both files and locks them. 0; -EWOULDBLOCK: another run has them; another
 * negative errno. With a trace; nothing stays open. */
int fly_state_file_open(struct fly_state_file *file, const char *path)
    __attribute__((warn_unused_result));

/* The newest whole record. 0; -ENOENT: there never was one; -EBADMSG: there is no whole one;
 * -EIO. */
int fly_state_file_read(struct fly_state_file *file, struct fly_state *state)
    __attribute__((warn_unused_result));

/* Makes `state` the newest record, on disk when this returns. 0 or a negative errno with a trace:
 * then the record before is still whole. */
int fly_state_file_write(struct fly_state_file *file, const struct fly_state *state)
    __attribute__((warn_unused_result));

/* NULL and a zeroed struct are fine. */
void fly_state_file_close(struct fly_state_file *file);

#endif
