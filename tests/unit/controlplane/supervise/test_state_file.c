/* test_state_file.c - whatever a crash leaves of a state file, a whole record is found or it is
 * refused. */
#include "base/err.h"
#include "base/mix.h"
#include "supervise/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/flyover-state-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/flyover-state-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/s", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

/* A state of two tasks; `position` makes one differ from another. */
static struct fly_state example(uint64_t position)
{
    static struct fly_state_root root[2] = {{7, 1, 0}, {UINT64_MAX, 2, 3}};
    static struct fly_state_task task[2];
    static char identity[] = "1 2 3 4 /a\n";
    task[0] = (struct fly_state_task){position, 1, 2, root};
    task[1] = (struct fly_state_task){0, 0, 0, NULL};
    return (struct fly_state){.node = "lines", .task_cnt = 2, .task = task, .identity = identity};
}

static void assert_example(const struct fly_state *state, uint64_t position)
{
    assert_string_equal(state->node, "lines");
    assert_string_equal(state->identity, "1 2 3 4 /a\n");
    assert_int_equal(state->task_cnt, 2);
    assert_int_equal(state->task[0].position, position);
    assert_int_equal(state->task[0].root_cnt, 2);
    assert_true(state->task[0].root[1].id == UINT64_MAX);
    assert_int_equal(state->task[0].root[1].attempts, 2);
    assert_int_equal(state->task[1].has_position, 0);
}

static void test_refuses_every_truncation_and_flip(void **state)
{
    (void)state;
    struct fly_state given = example(1000), got;
    uint8_t *record;
    size_t bytes;
    uint64_t sequence;
    assert_int_equal(fly_state_encode(&given, 9, &record, &bytes), 0);
    for (size_t cut = 0; cut < bytes; cut++) {
        uint8_t *copy = malloc(cut + 1); /* exact, so that a read beyond is seen */
        memcpy(copy, record, cut);
        assert_int_equal(fly_state_decode(copy, cut, &got, &sequence), -EBADMSG);
        assert_null(got.task);
        free(copy);
    }
    for (size_t bit = 0; bit < bytes * 8; bit++) {
        record[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(fly_state_decode(record, bytes, &got, &sequence), -EBADMSG);
        record[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(fly_state_decode(record, bytes, &got, &sequence), 0);
    assert_int_equal(sequence, 9);
    assert_example(&got, 1000);
    fly_state_free(&got);
    free(record);
}

static void test_a_state_in_use_is_refused(void **state)
{
    (void)state;
    struct fly_state_file file, other;
    assert_int_equal(fly_state_file_open(&file, path), 0);
    assert_int_equal(fly_state_file_open(&other, path), -EWOULDBLOCK);
    fly_state_file_close(&file);
    assert_int_equal(fly_state_file_open(&other, path), 0);
    fly_state_file_close(&other);
    assert_int_equal(fly_state_file_open(&file, "/nonexistent/x"), -ENOENT);
}

static void test_nothing_is_not_damage(void **state)
{
    (void)state;
    struct fly_state_file file;
    struct fly_state got;
    assert_int_equal(fly_state_file_open(&file, path), 0);
    assert_int_equal(fly_state_file_read(&file, &got), -ENOENT);
    assert_int_equal(pwrite(file.fd[0], "garbage", 7, 0), 7);
    assert_int_equal(fly_state_file_read(&file, &got), -EBADMSG);
    assert_non_null(fly_err_hint());
    fly_state_file_close(&file);
}

static void write_position(struct fly_state_file *file, uint64_t position)
{
    struct fly_state given = example(position);
    assert_int_equal(fly_state_file_write(file, &given), 0);
}

static uint64_t read_position(void)
{
    struct fly_state_file file;
    struct fly_state got;
    assert_int_equal(fly_state_file_open(&file, path), 0);
    assert_int_equal(fly_state_file_read(&file, &got), 0);
    uint64_t position = got.task[0].position;
    assert_example(&got, position);
    fly_state_free(&got);
    fly_state_file_close(&file);
    return position;
}

static void test_the_newest_record_is_read(void **state)
{
    (void)state;
    struct fly_state_file file;
    assert_int_equal(fly_state_file_open(&file, path), 0);
    for (uint64_t position = 1; position <= 5; position++)
        write_position(&file, position);
    uint64_t sequence = file.sequence;
    write_position(&file, 5);
    assert_int_equal(file.sequence, sequence);
    fly_state_file_close(&file);
    assert_int_equal(read_position(), 5);
}

/* The write of record 3 stops after each of its bytes: record 2 or 3 is read, never less. */
static void test_a_torn_write_leaves_the_record_before(void **state)
{
    (void)state;
    struct fly_state_file file;
    uint8_t *record;
    size_t bytes;
    assert_int_equal(fly_state_file_open(&file, path), 0);
    write_position(&file, 1);
    write_position(&file, 2);
    struct fly_state given = example(3);
    assert_int_equal(fly_state_encode(&given, 3, &record, &bytes), 0);
    int fd = dup(file.fd[1]);
    fly_state_file_close(&file);
    for (size_t done = 1; done <= bytes; done++) {
        assert_int_equal(pwrite(fd, record, done, 0), done);
        uint64_t position = read_position();
        assert_true(position == 2 || position == 3);
        assert_true(done < bytes || position == 3);
    }
    close(fd);
    free(record);
}

static void test_a_damaged_copy_gives_way_to_the_other(void **state)
{
    (void)state;
    struct fly_state_file file;
    for (int which = 0; which < 2; which++) {
        char name[80];
        assert_int_equal(fly_state_file_open(&file, path), 0);
        struct fly_state got;
        int rc = fly_state_file_read(&file, &got);
        assert_true(rc == 0 || rc == -ENOENT);
        fly_state_free(&got);
        write_position(&file, 10);
        write_position(&file, 11);
        fly_state_file_close(&file);
        snprintf(name, sizeof(name), "%s.%d", path, which);
        assert_int_equal(truncate(name, 20), 0);
        uint64_t position = read_position();
        assert_true(position == 10 || position == 11);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_every_truncation_and_flip),
        cmocka_unit_test_setup_teardown(test_a_state_in_use_is_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_nothing_is_not_damage, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_the_newest_record_is_read, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_torn_write_leaves_the_record_before, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_a_damaged_copy_gives_way_to_the_other, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
