#include "io/uring.h"

#include <errno.h>
#include <fcntl.h>

#include "base/clock.h"
#include "base/err.h"
#include "support/unit.h"

#define NEVER_NS UINT64_C(60000000000)

struct fixture {
    struct fly_uring uring;
    int file;
};

static int open_ring(void **state)
{
    struct fixture *fix = calloc(1, sizeof(*fix));
    char path[] = "/tmp/flyover-uring-XXXXXX";
    if (!fix || fly_uring_open(&fix->uring) < 0)
        return -1;
    fix->file = mkstemp(path);
    unlink(path);
    *state = fix;
    return fix->file < 0 ? -1 : 0;
}

static int close_ring(void **state)
{
    struct fixture *fix = *state;
    fly_uring_close(&fix->uring);
    close(fix->file);
    free(fix);
    return 0;
}

/* Polls until `cnt` completions have come. */
static void collect(struct fly_uring *uring, struct fly_uring_done *done, uint32_t cnt)
{
    for (uint32_t got = 0; got < cnt;) {
        uint32_t more = fly_uring_poll(uring, done + got, cnt - got);
        got += more;
        if (!more)
            fly_uring_sleep(uring, NEVER_NS);
    }
}

static struct fly_uring_done one(struct fly_uring *uring, uint32_t task, const struct fly_io *io)
{
    struct fly_uring_done done;
    assert_int_equal(fly_uring_submit(uring, task, io), 0);
    assert_int_equal(uring->in_flight, 1);
    collect(uring, &done, 1);
    assert_int_equal(uring->in_flight, 0);
    assert_int_equal(done.task, task);
    assert_int_equal(done.tag, io->tag);
    return done;
}

static void test_an_unknown_request_is_refused(void **state)
{
    struct fixture *fix = *state;
    struct fly_io io = {.op = (enum fly_io_op)(FLY_IO_SYNC + 1), .fd = fix->file};
    assert_int_equal(fly_uring_submit(&fix->uring, 1, &io), -EINVAL);
    assert_int_equal(fix->uring.in_flight, 0);
}

static void test_too_many_requests_are_refused(void **state)
{
    struct fixture *fix = *state;
    struct fly_uring_done done[FLY_URING_MAX];
    bool seen[FLY_URING_MAX] = {false};
    struct fly_io io = {.op = FLY_IO_SYNC, .fd = fix->file};
    for (int round = 0; round < 3; round++) {
        for (io.tag = 0; io.tag < FLY_URING_MAX; io.tag++)
            assert_int_equal(fly_uring_submit(&fix->uring, (uint32_t)io.tag + 7, &io), 0);
        assert_int_equal(fly_uring_submit(&fix->uring, 7, &io), -EBUSY);
        assert_int_equal(fix->uring.in_flight, FLY_URING_MAX);
        memset(seen, 0, sizeof(seen));
        collect(&fix->uring, done, FLY_URING_MAX);
        for (int i = 0; i < FLY_URING_MAX; i++) {
            assert_int_equal(done[i].result, 0);
            assert_int_equal(done[i].task, done[i].tag + 7);
            assert_false(seen[done[i].tag]);
            seen[done[i].tag] = true;
        }
    }
}

static void test_an_error_comes_back_as_the_result(void **state)
{
    struct fixture *fix = *state;
    char byte = 0;
    struct fly_io io = {.op = FLY_IO_READ, .fd = -1, .buffer = &byte, .bytes = 1, .tag = 9};
    assert_int_equal(one(&fix->uring, 3, &io).result, -EBADF);
}

static void test_what_was_written_is_read(void **state)
{
    struct fixture *fix = *state;
    char text[] = "some text", got[64] = {0};
    struct fly_io io = {FLY_IO_WRITE, fix->file, text, 9, 100, UINT64_MAX};
    assert_int_equal(one(&fix->uring, 1, &io).result, 9);
    assert_int_equal(
        one(&fix->uring, 2, &(struct fly_io){FLY_IO_SYNC, fix->file, 0, 0, 0, 5}).result, 0);
    io = (struct fly_io){FLY_IO_READ, fix->file, got, sizeof(got), 105, 6};
    assert_int_equal(one(&fix->uring, 3, &io).result, 4);
    assert_string_equal(got, "text");
    io.offset = 109;
    assert_int_equal(one(&fix->uring, 3, &io).result, 0); /* the end */
}

static void test_a_pipe_has_no_offset(void **state)
{
    struct fixture *fix = *state;
    int fds[2];
    char text[] = "pipe", got[8] = {0};
    assert_int_equal(pipe(fds), 0);
    struct fly_io io = {FLY_IO_WRITE, fds[1], text, 4, UINT64_MAX, 1};
    assert_int_equal(one(&fix->uring, 1, &io).result, 4);
    io = (struct fly_io){FLY_IO_READ, fds[0], got, 8, UINT64_MAX, 2};
    assert_int_equal(one(&fix->uring, 1, &io).result, 4);
    assert_string_equal(got, "pipe");
    close(fds[0]);
    close(fds[1]);
}

static void test_completions_are_collected_in_parts(void **state)
{
    struct fixture *fix = *state;
    struct fly_uring_done done[5];
    struct io_uring_cqe *cqe;
    struct fly_io io = {.op = FLY_IO_SYNC, .fd = fix->file};
    assert_int_equal(fly_uring_poll(&fix->uring, done, 2), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(fly_uring_submit(&fix->uring, 0, &io), 0);
    assert_int_equal(fly_uring_poll(&fix->uring, done, 0), 0);
    assert_int_equal(io_uring_wait_cqe_nr(&fix->uring.ring, &cqe, 5), 0);
    assert_int_equal(fly_uring_poll(&fix->uring, done, 2), 2);
    assert_int_equal(fly_uring_poll(&fix->uring, done, 2), 2);
    assert_int_equal(fix->uring.in_flight, 1);
    assert_int_equal(fly_uring_poll(&fix->uring, done, 2), 1);
    assert_int_equal(fly_uring_poll(&fix->uring, done, 2), 0);
}

static void test_a_wake_up_is_kept_for_the_next_sleep(void **state)
{
    struct fixture *fix = *state;
    struct fly_uring_done done;
    for (int i = 0; i < 5; i++) {
        fly_uring_wake(fix->uring.event_fd);
        fly_uring_wake(fix->uring.event_fd); /* twice is once */
        uint64_t start = fly_clock_ns();
        fly_uring_sleep(&fix->uring, NEVER_NS);
        assert_true(fly_clock_ns() - start < NEVER_NS / 2);
        assert_int_equal(fly_uring_poll(&fix->uring, &done, 1), 0);
    }
}

static void test_a_sleep_ends_at_its_time(void **state)
{
    struct fixture *fix = *state;
    struct fly_uring_done done;
    for (int i = 0; i < 3; i++) {
        uint64_t start = fly_clock_ns();
        fly_uring_sleep(&fix->uring, 2000000);
        assert_true(fly_clock_ns() - start >= 1900000);
        assert_int_equal(fly_uring_poll(&fix->uring, &done, 1), 0);
    }
    fly_uring_sleep(&fix->uring, 0);
}

static void test_a_sleep_takes_requests_along_and_ends_with_them(void **state)
{
    struct fixture *fix = *state;
    struct fly_uring_done done;
    struct fly_io io = {.op = FLY_IO_SYNC, .fd = fix->file, .tag = 4};
    fly_uring_sleep(&fix->uring, 0); /* so that the event is armed already */
    assert_int_equal(fly_uring_submit(&fix->uring, 2, &io), 0);
    uint64_t start = fly_clock_ns();
    fly_uring_sleep(&fix->uring, NEVER_NS);
    assert_true(fly_clock_ns() - start < NEVER_NS / 2);
    assert_int_equal(fly_uring_poll(&fix->uring, &done, 1), 1);
    assert_int_equal(done.tag, 4);
}

static void test_closing_twice_is_fine(void **state)
{
    struct fixture *fix = *state;
    fly_uring_close(&fix->uring);
    fly_uring_close(&fix->uring);
}

static void test_every_request_is_tried_once_handed_over(void **state)
{
    struct fixture *fix = *state;
    struct fly_io io = {.op = FLY_IO_SYNC, .fd = fix->file};
    struct fly_uring_done done[16];
    /* One that the kernel refuses at once, amid others that it takes. */
    for (int i = 0; i < 16; i++) {
        io.fd = i == 5 ? -1 : fix->file;
        assert_int_equal(fly_uring_submit(&fix->uring, 0, &io), 0);
    }
    collect(&fix->uring, done, 16);
    assert_int_equal(fix->uring.in_flight, 0);
}

#define RING_TEST(test) cmocka_unit_test_setup_teardown(test, open_ring, close_ring)

int main(void)
{
    struct fly_uring probe;
    if (fly_uring_open(&probe) < 0) {
        printf("1..0 # SKIP\nSKIP: %s\n", fly_err_text());
        return 77;
    }
    fly_uring_close(&probe);
    const struct CMUnitTest tests[] = {
        RING_TEST(test_an_unknown_request_is_refused),
        RING_TEST(test_too_many_requests_are_refused),
        RING_TEST(test_an_error_comes_back_as_the_result),
        RING_TEST(test_what_was_written_is_read),
        RING_TEST(test_a_pipe_has_no_offset),
        RING_TEST(test_completions_are_collected_in_parts),
        RING_TEST(test_a_wake_up_is_kept_for_the_next_sleep),
        RING_TEST(test_a_sleep_ends_at_its_time),
        RING_TEST(test_a_sleep_takes_requests_along_and_ends_with_them),
        RING_TEST(test_every_request_is_tried_once_handed_over),
        RING_TEST(test_closing_twice_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
