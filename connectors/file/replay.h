/* replay.h - reads single records again, for retries and dead letters.
 *
 * Idea       A queue of wishes, one read at a time: first a little, which is enough for most
 *            records, then all that a record may have.
 * Owner      One task.
 * Memory     fly_task_alloc() at setup: room for one record. The queue is on the heap, sized for
 *            the usual number of roots in flight.
 * Cost       One or two reads for each record.
 * When full  The queue doubles; without memory for that the attempt is lost, and counted so.
 * See also   source.c
 */
#ifndef FLY_CONNECTORS_FILE_REPLAY_H
#define FLY_CONNECTORS_FILE_REPLAY_H

#include <flyover/plugin.h>

#include "connectors/file/units.h"

enum { FLY_FILE_REPLAY_TAG = 1000 };

struct fly_file_wish {
    uint64_t id;
    struct fly_attempt attempt;
};

struct fly_file_replay {
    struct fly_task *task;
    const struct fly_file_list *list;
    const struct fly_framing *framing;
    struct fly_file_wish *wish;
    uint32_t wish_max;   /* a power of two */
    uint32_t head, tail; /* of the queue */
    bool reading;
    uint8_t *data;
    uint32_t data_bytes, want_bytes, got_bytes;
    int fd; /* of file `file`; -1: none */
    uint32_t file;
};

/* 0, or -1: no memory. Good for fini in both cases, and when it was never called on zeroed
 * memory. */
int fly_file_replay_init(struct fly_file_replay *replay, struct fly_task *task,
                         const struct fly_file_list *list, const struct fly_framing *framing)
    __attribute__((warn_unused_result));
void fly_file_replay_fini(struct fly_file_replay *replay);

/* Ends with fly_emit_again() or fly_attempt_lost() for the attempt, now or later. */
void fly_file_replay_add(struct fly_file_replay *replay, uint64_t id, struct fly_attempt attempt);

/* The read ended. */
void fly_file_replay_done(struct fly_file_replay *replay, int32_t result);

#endif
