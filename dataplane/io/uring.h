/* uring.h - a worker's io_uring: file requests of its tasks, and sleeping until something comes.
 *
 * Idea       Requests go in as they come and are submitted once per turn; completions are polled
 *            from shared memory. A sleeping worker waits in io_uring_enter, its eventfd being one
 *            request.
 * Owner      One worker thread; fly_uring_wake from any thread of the process.
 * Memory     The kernel's rings and a table of FLY_URING_MAX requests.
 * When full  fly_uring_submit returns -EBUSY; the task tries again after its next completion.
 * See also   liburing(7)
 */
#ifndef FLY_IO_URING_H
#define FLY_IO_URING_H

#include "base/check.h"

#include <flyover/task.h>
#include <liburing.h>

enum { FLY_URING_MAX = 256 };

struct fly_uring_done {
    uint32_t task;
    int32_t result;
    uint64_t tag;
};

struct fly_uring {
    struct io_uring ring;
    int event_fd;
    uint64_t event_value;
    bool event_armed;
    uint32_t in_flight; /* requests of tasks */
    uint32_t free_head;
    struct {
        uint64_t tag;
        uint32_t task;
        uint32_t next;
    } request[FLY_URING_MAX];
};

/* 0, or a negative errno with a trace: -EPERM where io_uring is forbidden. */
FLY_MUST_CHECK int fly_uring_open(struct fly_uring *uring);
void fly_uring_close(struct fly_uring *uring);

/* 0, -EBUSY, or -EINVAL for an unknown op: a task's mistake. */
int fly_uring_submit(struct fly_uring *uring, uint32_t task, const struct fly_io *io);

/* Hands what was submitted to the kernel and collects up to `max` completions. */
uint32_t fly_uring_poll(struct fly_uring *uring, struct fly_uring_done *done, uint32_t max);

/* Blocks until a completion, a fly_uring_wake, or `ns` have passed. */
void fly_uring_sleep(struct fly_uring *uring, uint64_t ns);

/* Ends the sleep of the worker with this eventfd. */
void fly_uring_wake(int event_fd);

#endif
