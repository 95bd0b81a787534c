/* Standard input and output, through pipes in their place. */
#include "connectors/stdio/stdio_nodes.h"

#include "support/fake_task.h"
#include "support/unit.h"

#include <errno.h>

/* What the descriptors of the nodes stand for in a test. */
struct pipes {
    int in, out;
};

static int32_t do_io(struct fake_task *fake, const struct fly_io *io)
{
    const struct pipes *pipes = fake->context;
    ssize_t result = io->op == FLY_IO_READ ? read(pipes->in, io->buffer, io->bytes)
                                           : write(pipes->out, io->buffer, io->bytes);
    assert_true(io->offset == UINT64_MAX);
    assert_int_equal(io->fd, io->op == FLY_IO_READ ? STDIN_FILENO : STDOUT_FILENO);
    return result < 0 ? -errno : (int32_t)result;
}

static struct fake_task *stdin_of(struct pipes *pipes, uint32_t max_message_bytes)
{
    struct fake_task *fake = fake_task_create(&fly_stdin_node, NULL);
    fake->io_do = do_io;
    fake->context = pipes;
    fake->max_message_bytes = max_message_bytes;
    assert_int_equal(fake_setup(fake), 0);
    return fake;
}

/* Reads what a file has through stdin. */
static struct fake_task *read_all(FILE *file, uint32_t max_message_bytes, uint32_t budget)
{
    static struct pipes pipes;
    rewind(file);
    pipes.in = fileno(file);
    struct fake_task *fake = stdin_of(&pipes, max_message_bytes);
    fake_drain_source(fake, budget, 0);
    return fake;
}

static void lines_come_with_their_offsets(void **state)
{
    FILE *file = tmpfile();
    (void)state;
    fputs("one\n\nlast", file);
    fflush(file);
    struct fake_task *fake = read_all(file, 1000, 1);
    assert_int_equal(fake->out_cnt, 3);
    fake_expect(fake, 0, 0, "one");
    fake_expect(fake, 1, 0, "");
    fake_expect(fake, 2, 0, "last");
    assert_int_equal(fake->out[2].id, 5);
    assert_int_equal(fake->out[2].next, 9);
    fake_task_destroy(fake);
    fclose(file);
}

static void empty_input_ends_at_once(void **state)
{
    FILE *file = tmpfile();
    (void)state;
    struct fake_task *fake = read_all(file, 1000, 10);
    assert_int_equal(fake->out_cnt, 0);
    fake_task_destroy(fake);
    fclose(file);
}

static void lines_longer_than_a_block_and_over_the_limit(void **state)
{
    FILE *file = tmpfile();
    (void)state;
    for (int i = 0; i < 100000; i++)
        fputc('a', file);
    fputc('\n', file);
    for (int i = 0; i < 300000; i++)
        fputc('b', file);
    fputs("\nlast\n", file);
    fflush(file);
    struct fake_task *fake = read_all(file, 150000, 10);
    assert_int_equal(fake->out_cnt, 3);
    assert_int_equal(fake->out[0].msg.payload_bytes, 100000);
    assert_int_equal(fake->out[1].kind, FAKE_DEAD);
    assert_int_equal(fake->out[1].total_bytes, 300000);
    fake_expect(fake, 2, 0, "last");
    fake_task_destroy(fake);
    fclose(file);
}

static void many_lines_against_what_was_written(void **state)
{
    enum { LINES = 50000 };
    char expected[32];
    FILE *file = tmpfile();
    (void)state;
    for (int i = 0; i < LINES; i++)
        fprintf(file, "line %d%.*s\n", i, i % 7, "xxxxxxx");
    fflush(file);
    struct fake_task *fake = read_all(file, 1000, 777);
    assert_int_equal(fake->out_cnt, LINES);
    for (uint64_t i = 0; i < LINES; i++) {
        snprintf(expected, sizeof(expected), "line %d%.*s", (int)i, (int)(i % 7), "xxxxxxx");
        fake_expect(fake, i, 0, expected);
    }
    fake_task_destroy(fake);
    fclose(file);
}

/* The beginning of stdout's own struct: its parameters. */
struct stdout_params {
    uint32_t codec;
    uint64_t flush_ns, buffer_bytes;
};

static struct fake_task *stdout_of(struct pipes *pipes)
{
    union {
        struct stdout_params params;
        uint8_t bytes[1024];
    } self = {.params = {.flush_ns = 2000000, .buffer_bytes = 4096}};
    assert_true(fly_stdout_node.self_bytes <= sizeof(self));
    struct fake_task *fake = fake_task_create(&fly_stdout_node, &self);
    fake->io_do = do_io;
    fake->context = pipes;
    assert_int_equal(fake_setup(fake), 0);
    return fake;
}

static void stdout_acks_what_is_written(void **state)
{
    FILE *file = tmpfile();
    struct pipes pipes = {.out = fileno(file)};
    char text[32] = "";
    (void)state;
    struct fake_task *fake = stdout_of(&pipes);
    uint64_t first = fake_send(fake, "one");
    fake_send(fake, "two");
    assert_false(fake_is_done(fake, first));
    fake_tick(fake);
    fake_io_run(fake, 0);
    assert_true(fake_is_done(fake, first));
    fake_finish(fake);
    assert_int_equal(pread(fileno(file), text, sizeof(text) - 1, 0), 8);
    assert_string_equal(text, "one\ntwo\n");
    fake_task_destroy(fake);
    fclose(file);
}

static void closed_output_fails_messages(void **state)
{
    struct pipes pipes = {.out = -1};
    (void)state;
    struct fake_task *fake = stdout_of(&pipes);
    uint64_t first = fake_send(fake, "one");
    fake_tick(fake);
    fake_io_run(fake, 0);
    assert_int_equal(fake->input[first].reason, FLY_REASON_IO);
    assert_int_equal(fake->errors, 1);
    fake_task_destroy(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_with_their_offsets),
        cmocka_unit_test(empty_input_ends_at_once),
        cmocka_unit_test(lines_longer_than_a_block_and_over_the_limit),
        cmocka_unit_test(many_lines_against_what_was_written),
        cmocka_unit_test(stdout_acks_what_is_written),
        cmocka_unit_test(closed_output_fails_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
