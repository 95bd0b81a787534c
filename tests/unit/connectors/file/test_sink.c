/* The file sink: acks only for what is in the file, and a file that never has a torn record. */
#include "connectors/file/file.h"

#include "connectors/codec/codec.h"
#include "support/fake_task.h"
#include "support/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* The beginning of the node's own struct: its parameters. */
struct params {
    struct fly_string path;
    uint32_t codec;
    uint32_t mode;
    uint32_t fsync;
    uint64_t fsync_every_ns;
    uint64_t flush_ns;
    uint64_t buffer_bytes;
};

enum { CREATE, APPEND };
enum { SYNC_NONE, SYNC_END, SYNC_ALWAYS };

struct fixture {
    char folder[64], path[96], part[104];
    struct params params;
    struct fake_task *fake;
    uint64_t seed;
    uint64_t file_limit; /* writes beyond it fail: a full disk */
    uint64_t syncs;
    bool sync_fails;
};

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *seed >> 33;
}

static int make_folder(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/flyover-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->path, sizeof(fixture->path), "%s/out", fixture->folder);
    snprintf(fixture->part, sizeof(fixture->part), "%s.part", fixture->path);
    fixture->params = (struct params){
        .path = {fixture->path, (uint32_t)strlen(fixture->path)},
        .flush_ns = 2000000,
        .buffer_bytes = 4096,
    };
    fixture->file_limit = UINT64_MAX;
    *state = fixture;
    return 0;
}

static int remove_folder(void **state)
{
    struct fixture *fixture = *state;
    unlink(fixture->path);
    unlink(fixture->part);
    rmdir(fixture->folder);
    free(fixture);
    return 0;
}

/* Writes like a disk that is nearly full, in pieces. */
static int32_t do_io(struct fake_task *fake, const struct fly_io *io)
{
    struct fixture *fixture = fake->context;
    if (io->op == FLY_IO_SYNC) {
        fixture->syncs++;
        return fixture->sync_fails ? -EIO : 0;
    }
    uint32_t bytes = io->bytes;
    if (fixture->seed && next_random(&fixture->seed) % 3 == 0)
        bytes = 1 + (uint32_t)next_random(&fixture->seed) % io->bytes;
    if (io->offset >= fixture->file_limit)
        return -ENOSPC;
    if (bytes > fixture->file_limit - io->offset)
        bytes = (uint32_t)(fixture->file_limit - io->offset);
    return (int32_t)pwrite(io->fd, io->buffer, bytes, (off_t)io->offset);
}

static int start(struct fixture *fixture, bool restarted)
{
    union {
        struct params params;
        uint8_t bytes[1024];
    } self = {.params = fixture->params};
    assert_true(fly_file_sink_node.self_bytes <= sizeof(self));
    fixture->fake = fake_task_create(&fly_file_sink_node, &self);
    fixture->fake->place.restarted = restarted;
    fixture->fake->io_do = do_io;
    fixture->fake->context = fixture;
    return fake_setup(fixture->fake);
}

/* Ends as a process does that is killed: nothing is flushed. */
static void kill_it(struct fixture *fixture)
{
    fake_task_destroy(fixture->fake);
    fixture->fake = NULL;
}

static void flush(struct fixture *fixture)
{
    fixture->fake->now_ns += 10000000;
    for (int i = 0; i < 4; i++) {
        fake_tick(fixture->fake);
        fake_io_run(fixture->fake, 0);
    }
}

static void finish(struct fixture *fixture)
{
    flush(fixture);
    fake_finish(fixture->fake);
    kill_it(fixture);
}

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static char *file_text(const char *path)
{
    static char text[1 << 20];
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("'%s' is not there", path);
    size_t bytes = fread(text, 1, sizeof(text) - 1, file);
    text[bytes] = '\0';
    fclose(file);
    return text;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static void refuses_a_path_it_cannot_write(void **state)
{
    struct fixture *fixture = *state;
    fixture->params.path = (struct fly_string){"/nowhere/at/all", 15};
    assert_int_equal(start(fixture, false), -1);
    assert_string_equal(fixture->fake->refused_param, "path");
    assert_non_null(strstr(fixture->fake->refused_why, "No such file or directory"));
    kill_it(fixture);
    fixture->params.path = (struct fly_string){fixture->folder, (uint32_t)strlen(fixture->folder)};
    assert_int_equal(start(fixture, false), -1);
    assert_non_null(strstr(fixture->fake->refused_why, "it is a directory"));
    kill_it(fixture);
}

static void refuses_a_file_that_another_sink_writes(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(start(fixture, false), 0);
    struct fake_task *first = fixture->fake;
    assert_int_equal(start(fixture, false), -1);
    assert_non_null(strstr(fixture->fake->refused_why, "another sink is writing it"));
    kill_it(fixture);
    fixture->fake = first;
    kill_it(fixture);
}

static void created_file_gets_its_name_at_the_end(void **state)
{
    struct fixture *fixture = *state;
    put_file(fixture->path, "old\n");
    assert_int_equal(start(fixture, false), 0);
    fake_send(fixture->fake, "one");
    fake_send(fixture->fake, "two");
    flush(fixture);
    assert_string_equal(file_text(fixture->path), "old\n");
    assert_string_equal(file_text(fixture->part), "one\ntwo\n");
    finish(fixture);
    assert_string_equal(file_text(fixture->path), "one\ntwo\n");
    assert_false(is_there(fixture->part));
}

static void message_is_done_only_when_written(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(start(fixture, false), 0);
    uint64_t first = fake_send(fixture->fake, "one");
    fake_tick(fixture->fake);
    assert_int_equal(fixture->fake->io_cnt, 1);
    uint64_t second = fake_send(fixture->fake, "two");
    assert_false(fake_is_done(fixture->fake, first));
    fake_io_step(fixture->fake, 0);
    assert_true(fake_is_done(fixture->fake, first));
    assert_false(fake_is_done(fixture->fake, second));
    flush(fixture);
    assert_true(fake_is_done(fixture->fake, second));
    finish(fixture);
}

static void messages_of_one_root_share_a_duty(void **state)
{
    struct fixture *fixture = *state;
    struct fly_msg msg[3] = {fake_msg("a", 1), fake_msg("b", 1), fake_msg("c", 1)};
    assert_int_equal(start(fixture, false), 0);
    msg[0].reserved = msg[1].reserved = 7; /* the root's number */
    uint64_t first = fake_process(fixture->fake, msg, 3);
    assert_int_equal(fixture->fake->held_now, 2);
    flush(fixture);
    for (uint64_t i = 0; i < 3; i++)
        assert_true(fake_is_done(fixture->fake, first + i));
    finish(fixture);
    assert_string_equal(file_text(fixture->path), "a\nb\nc\n");
}

static void shared_duty_ends_with_its_last_record(void **state)
{
    struct fixture *fixture = *state;
    struct fly_msg msg = fake_msg("a", 1);
    msg.reserved = 7; /* the root's number */
    assert_int_equal(start(fixture, false), 0);
    uint64_t first = fake_process(fixture->fake, &msg, 1);
    fake_tick(fixture->fake);
    fake_process(fixture->fake, &msg, 1); /* while the first is being written */
    assert_int_equal(fixture->fake->held_now, 1);
    fake_io_step(fixture->fake, 0);
    assert_false(fake_is_done(fixture->fake, first));
    flush(fixture);
    assert_true(fake_is_done(fixture->fake, first));
    finish(fixture);
}

static void synced_before_acked_if_so_wished(void **state)
{
    struct fixture *fixture = *state;
    fixture->params.fsync = SYNC_ALWAYS;
    assert_int_equal(start(fixture, false), 0);
    uint64_t first = fake_send(fixture->fake, "one");
    fake_tick(fixture->fake);
    fake_io_step(fixture->fake, 0);
    assert_false(fake_is_done(fixture->fake, first));
    assert_int_equal(fixture->fake->io_cnt, 1);
    fake_io_step(fixture->fake, 0);
    assert_int_equal(fixture->syncs, 1);
    assert_true(fake_is_done(fixture->fake, first));
    finish(fixture);
}

static void failed_sync_fails_messages_and_takes_them_out(void **state)
{
    struct fixture *fixture = *state;
    fixture->params.fsync = SYNC_ALWAYS;
    assert_int_equal(start(fixture, false), 0);
    uint64_t first = fake_send(fixture->fake, "one");
    flush(fixture);
    fixture->sync_fails = true;
    uint64_t second = fake_send(fixture->fake, "two");
    flush(fixture);
    assert_true(fake_is_done(fixture->fake, first));
    assert_true(fixture->fake->input[second].failed);
    assert_int_equal(fixture->fake->input[second].reason, FLY_REASON_IO);
    fixture->sync_fails = false;
    fake_send(fixture->fake, "three");
    finish(fixture);
    assert_string_equal(file_text(fixture->path), "one\nthree\n");
}

static void full_disk_fails_messages_and_keeps_whole_records(void **state)
{
    struct fixture *fixture = *state;
    char line[5] = "0000";
    assert_int_equal(start(fixture, false), 0);
    fixture->file_limit = 52; /* ten lines of five bytes, and a bit */
    for (int i = 0; i < 20; i++) {
        snprintf(line, sizeof(line), "%04d", i);
        fake_send(fixture->fake, line);
    }
    flush(fixture);
    assert_true(fixture->fake->errors > 0);
    for (uint64_t i = 0; i < 20; i++) {
        assert_int_equal(fake_is_done(fixture->fake, i), i < 10);
        assert_int_equal(fixture->fake->input[i].reason, i < 10 ? 0 : FLY_REASON_IO);
    }
    assert_int_equal(strlen(file_text(fixture->part)), 50);
    fixture->file_limit = UINT64_MAX; /* somebody made room */
    fake_send(fixture->fake, "more");
    finish(fixture);
    assert_string_equal(file_text(fixture->path) + 45, "0009\nmore\n");
}

static void restarted_run_adopts_its_part_without_the_torn_record(void **state)
{
    struct fixture *fixture = *state;
    put_file(fixture->part, "one\ntwo\nthr");
    assert_int_equal(start(fixture, true), 0);
    fake_send(fixture->fake, "three");
    finish(fixture);
    assert_string_equal(file_text(fixture->path), "one\ntwo\nthree\n");
}

static void restarted_run_goes_on_with_a_finished_file(void **state)
{
    struct fixture *fixture = *state;
    put_file(fixture->path, "one\n");
    assert_int_equal(start(fixture, true), 0);
    fake_send(fixture->fake, "two");
    finish(fixture);
    assert_string_equal(file_text(fixture->path), "one\ntwo\n");
}

static void new_run_does_not_adopt_a_part(void **state)
{
    struct fixture *fixture = *state;
    put_file(fixture->part, "stale\n");
    assert_int_equal(start(fixture, false), 0);
    fake_send(fixture->fake, "new");
    finish(fixture);
    assert_string_equal(file_text(fixture->path), "new\n");
}

static void append_goes_on_behind_the_last_whole_record(void **state)
{
    struct fixture *fixture = *state;
    put_file(fixture->path, "one\ntw");
    fixture->params.mode = APPEND;
    assert_int_equal(start(fixture, false), 0);
    fake_send(fixture->fake, "two");
    finish(fixture);
    assert_string_equal(file_text(fixture->path), "one\ntwo\n");
    assert_false(is_there(fixture->part));
}

static void torn_msgpack_record_is_cut_off(void **state)
{
    struct fixture *fixture = *state;
    struct stat whole, torn;
    fixture->params.codec = FLY_CODEC_MSGPACK;
    fixture->params.mode = APPEND;
    assert_int_equal(start(fixture, false), 0);
    fake_send(fixture->fake, "one");
    finish(fixture);
    assert_int_equal(stat(fixture->path, &whole), 0);
    assert_int_equal(start(fixture, false), 0);
    fake_send(fixture->fake, "two");
    finish(fixture);
    assert_int_equal(stat(fixture->path, &torn), 0);
    assert_int_equal(truncate(fixture->path, torn.st_size - 2), 0);
    assert_int_equal(start(fixture, false), 0);
    finish(fixture);
    assert_int_equal(stat(fixture->path, &torn), 0);
    assert_int_equal(torn.st_size, whole.st_size);
}

static void record_larger_than_a_buffer_fails(void **state)
{
    struct fixture *fixture = *state;
    char large[5000];
    memset(large, 'x', sizeof(large));
    struct fly_msg msg = fake_msg(large, sizeof(large));
    assert_int_equal(start(fixture, false), 0);
    uint64_t first = fake_process(fixture->fake, &msg, 1);
    assert_int_equal(fixture->fake->input[first].reason, FLY_REASON_TOO_LARGE);
    uint64_t second = fake_send(fixture->fake, "small");
    flush(fixture);
    assert_true(fake_is_done(fixture->fake, second));
    finish(fixture);
}

static void device_is_written_as_it_is(void **state)
{
    struct fixture *fixture = *state;
    fixture->params.path = (struct fly_string){"/dev/full", 9};
    assert_int_equal(start(fixture, false), 0);
    fixture->fake->io_do = NULL;
    uint64_t first = fake_send(fixture->fake, "one");
    flush(fixture);
    assert_int_equal(fixture->fake->input[first].reason, FLY_REASON_IO);
    finish(fixture);
    assert_false(is_there("/dev/full.part"));
}

/* Messages in any number, writes of any length, done in any order of calls: the file is what was
 * sent. */
static void random_traffic_arrives_in_order(void **state)
{
    struct fixture *fixture = *state;
    uint64_t seed = test_seed();
    char *expected = malloc(1 << 20), line[200];
    size_t bytes = 0;
    fixture->seed = seed | 1;
    assert_int_equal(start(fixture, false), 0);
    fixture->fake->hold_max = 4096;
    for (int i = 0; i < 8000; i++) {
        size_t length = next_random(&seed) % 120;
        memset(line, 'a' + i % 26, length);
        line[length] = '\0';
        if (fixture->fake->held_now < 4000) { /* as the runtime does it */
            fake_send(fixture->fake, line);
            memcpy(expected + bytes, line, length);
            bytes += length;
            expected[bytes++] = '\n';
        }
        if (next_random(&seed) % 8 == 0)
            fake_tick(fixture->fake);
        if (next_random(&seed) % 40 == 0)
            fake_io_run(fixture->fake, 0);
    }
    expected[bytes] = '\0';
    for (int i = 0; i < 1000 && fixture->fake->held_now; i++)
        flush(fixture);
    for (uint64_t i = 0; i < fixture->fake->input_cnt; i++)
        assert_true(fake_is_done(fixture->fake, i));
    finish(fixture);
    assert_string_equal(file_text(fixture->path), expected);
    free(expected);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(refuses_a_path_it_cannot_write),
        IN_FOLDER(refuses_a_file_that_another_sink_writes),
        IN_FOLDER(created_file_gets_its_name_at_the_end),
        IN_FOLDER(message_is_done_only_when_written),
        IN_FOLDER(messages_of_one_root_share_a_duty),
        IN_FOLDER(shared_duty_ends_with_its_last_record),
        IN_FOLDER(synced_before_acked_if_so_wished),
        IN_FOLDER(failed_sync_fails_messages_and_takes_them_out),
        IN_FOLDER(full_disk_fails_messages_and_keeps_whole_records),
        IN_FOLDER(restarted_run_adopts_its_part_without_the_torn_record),
        IN_FOLDER(restarted_run_goes_on_with_a_finished_file),
        IN_FOLDER(new_run_does_not_adopt_a_part),
        IN_FOLDER(append_goes_on_behind_the_last_whole_record),
        IN_FOLDER(torn_msgpack_record_is_cut_off),
        IN_FOLDER(record_larger_than_a_buffer_fails),
        IN_FOLDER(device_is_written_as_it_is),
        IN_FOLDER(random_traffic_arrives_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
