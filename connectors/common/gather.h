/* gather.h - what sinks share that write bytes to a descriptor: large writes, and acks only for
 * what is written.
 *
 * Idea       Records gather in one buffer while the other is being written. For each message the
 *            task holds the duty to finish it, together with the place its record ends at; when the
 *            file has grown beyond that place (and was synced, if so wished), the duty is done.
 * Owner      One task, which hands its process, tick and io_done on.
 * Memory     fly_task_alloc() at setup: two buffers and a list as long as the hold pool.
 * Cost       One copy per message; one write per buffer or per flush_ns.
 * When full  Both buffers full: messages wait in the hold pool, which stops the input.
 * Failure    A write that fails keeps the file at the end of its last whole record, fails every
 *            message after that with FLY_REASON_IO, and the next messages try again.
 * See also   connectors/file/sink.c, connectors/stdio/stdout.c
 */
#ifndef FLY_CONNECTORS_COMMON_GATHER_H
#define FLY_CONNECTORS_COMMON_GATHER_H

#include <flyover/task.h>

#include "connectors/codec/codec.h"

struct fly_gather_config {
    enum fly_codec codec;
    uint32_t buffer_bytes;
    uint64_t flush_ns;      /* a record waits so long for others at most */
    uint64_t sync_every_ns; /* with `sync`; 0: after each write */
    bool sync;              /* finish messages when synced, not when written */
};

struct fly_gather_buffer {
    uint8_t *data;
    uint32_t bytes;
};

struct fly_gather_duty {
    struct fly_held held;
    uint64_t end; /* of its record in the stream */
};

enum fly_gather_op { FLY_GATHER_IDLE, FLY_GATHER_WRITE, FLY_GATHER_SYNC };

struct fly_gather {
    struct fly_gather_config config;
    struct fly_task *task;
    int fd;
    bool at_offsets; /* a regular file: written at explicit places, cut back after an error */

    struct fly_gather_buffer buffer[2];
    uint32_t filling; /* index of the buffer that takes records */
    enum fly_gather_op op;
    bool refused;           /* a request found no room: tick tries again */
    bool ticks;             /* not while there is nothing to write: it would wake the worker */
    uint32_t written_bytes; /* of the buffer that is being written */
    uint64_t base;          /* place in the stream of the oldest byte that is not written */
    uint64_t synced_end;
    uint64_t sync_due_ns;

    struct fly_gather_duty *duty; /* to be done, in the order of the stream */
    struct fly_held *waiting;     /* messages that no buffer had room for */
    uint32_t duty_max;
    uint32_t duty_first, duty_cnt;
    uint32_t waiting_first, waiting_cnt;
};

/* In setup. 0, or -1: no memory, or no hold pool. */
int fly_gather_init(struct fly_gather *gather, struct fly_task *task,
                    const struct fly_gather_config *config) __attribute__((warn_unused_result));

/* Before the first message: where to write. `at`: the end of a regular file; else UINT64_MAX. */
void fly_gather_open(struct fly_gather *gather, int fd, uint64_t at);

void fly_gather_process(struct fly_gather *gather, const struct fly_batch *batch);
void fly_gather_tick(struct fly_gather *gather);
void fly_gather_io_done(struct fly_gather *gather, int32_t result);

#endif
