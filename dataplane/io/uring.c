#include "io/uring.h"

#include "base/err.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENT_TAG (UINT64_MAX - 1) /* UINT64_MAX is liburing's own */
#define CANCEL_TAG (EVENT_TAG - 1)
enum { CANCEL_TRIES = 100, CANCEL_WAIT_NS = 10000000 };
enum { REQUEST_NONE = UINT32_MAX >> 1 };

int fly_uring_open(struct fly_uring *uring)
{
    *uring = (struct fly_uring){.event_fd = -1};
    int rc = io_uring_queue_init(2 * FLY_URING_MAX, &uring->ring, 0);
    if (rc < 0) {
        FLY_ERR(rc, "io_uring cannot be used here");
        FLY_ERR_HINT("the kernel must be 5.11 or newer and must not forbid io_uring "
                     "(sysctl kernel.io_uring_disabled, a container's seccomp profile)");
        return rc;
    }
    uring->event_fd = eventfd(0, EFD_CLOEXEC);
    if (uring->event_fd < 0) {
        rc = FLY_ERR(errno, "no eventfd");
        io_uring_queue_exit(&uring->ring);
        return rc;
    }
    for (uint32_t i = 0; i < FLY_URING_MAX; i++)
        uring->request[i].next = i + 1 < FLY_URING_MAX ? i + 1 : REQUEST_NONE;
    return 0;
}

/* The kernel may still write into buffers of tasks: their memory must outlive every request. A read
 * of a terminal ends only when it is cancelled. */
static void cancel_all(struct fly_uring *uring)
{
    struct fly_uring_done done[FLY_URING_MAX];
    for (uint32_t tries = 0; uring->in_flight && tries < CANCEL_TRIES; tries++) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
        if (sqe) {
            io_uring_prep_cancel(sqe, NULL, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
            io_uring_sqe_set_data64(sqe, CANCEL_TAG);
        }
        fly_uring_sleep(uring, CANCEL_WAIT_NS);
        fly_uring_poll(uring, done, FLY_URING_MAX);
    }
}

void fly_uring_close(struct fly_uring *uring)
{
    if (uring->event_fd < 0)
        return;
    cancel_all(uring);
    close(uring->event_fd);
    uring->event_fd = -1;
    io_uring_queue_exit(&uring->ring);
}

static void prepare(struct io_uring_sqe *sqe, const struct fly_io *io)
{
    switch (io->op) {
    case FLY_IO_READ:
        io_uring_prep_read(sqe, io->fd, io->buffer, io->bytes, io->offset);
        break;
    case FLY_IO_WRITE:
        io_uring_prep_write(sqe, io->fd, io->buffer, io->bytes, io->offset);
        break;
    case FLY_IO_SYNC:
        io_uring_prep_fsync(sqe, io->fd, IORING_FSYNC_DATASYNC);
        break;
    }
}

int fly_uring_submit(struct fly_uring *uring, uint32_t task, const struct fly_io *io)
{
    if (io->op > FLY_IO_SYNC)
        return -EINVAL;
    uint32_t idx = uring->free_head;
    struct io_uring_sqe *sqe = idx == REQUEST_NONE ? NULL : io_uring_get_sqe(&uring->ring);
    if (!sqe)
        return -EBUSY;
    uring->free_head = uring->request[idx].next;
    uring->request[idx].task = task;
    uring->request[idx].tag = io->tag;
    prepare(sqe, io);
    io_uring_sqe_set_data64(sqe, idx);
    uring->in_flight++;
    return 0;
}

/* Takes one completion; true if it is a task's. */
static bool collect(struct fly_uring *uring, const struct io_uring_cqe *cqe,
                    struct fly_uring_done *done)
{
    if (cqe->user_data == EVENT_TAG) {
        uring->event_armed = false;
        return false;
    }
    if (cqe->user_data >= FLY_URING_MAX)
        return false; /* the timeout of a sleep */
    uint32_t idx = (uint32_t)cqe->user_data;
    *done = (struct fly_uring_done){uring->request[idx].task, cqe->res, uring->request[idx].tag};
    uring->request[idx].next = uring->free_head;
    uring->free_head = idx;
    uring->in_flight--;
    return true;
}

uint32_t fly_uring_poll(struct fly_uring *uring, struct fly_uring_done *done, uint32_t max)
{
    /* What the kernel did not take, after an error in the middle, is tried again the next turn. */
    if (io_uring_sq_ready(&uring->ring))
        io_uring_submit(&uring->ring);
    unsigned head, seen = 0;
    uint32_t cnt = 0;
    struct io_uring_cqe *cqe;
    io_uring_for_each_cqe(&uring->ring, head, cqe)
    {
        if (cnt == max)
            break;
        seen++;
        cnt += collect(uring, cqe, &done[cnt]);
    }
    io_uring_cq_advance(&uring->ring, seen);
    return cnt;
}

void fly_uring_sleep(struct fly_uring *uring, uint64_t ns)
{
    struct __kernel_timespec timeout = {.tv_sec = (long long)(ns / 1000000000),
                                        .tv_nsec = (long long)(ns % 1000000000)};
    struct io_uring_cqe *cqe;
    if (!uring->event_armed) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
        if (sqe) {
            io_uring_prep_read(sqe, uring->event_fd, &uring->event_value,
                               sizeof(uring->event_value), 0);
            io_uring_sqe_set_data64(sqe, EVENT_TAG);
            uring->event_armed = true;
        }
    }
    io_uring_submit_and_wait_timeout(&uring->ring, &cqe, 1, &timeout, NULL);
}

void fly_uring_wake(int event_fd)
{
    uint64_t one = 1;
    ssize_t written = write(event_fd, &one, sizeof(one));
    (void)written; /* EAGAIN: it is being woken already */
}
