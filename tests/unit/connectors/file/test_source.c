/* The file source: every record once, whoever reads it, in whatever order reads end. */
#include "connectors/file/file.h"

#include "connectors/file/units.h"
#include "support/fake_task.h"
#include "support/unit.h"

#include <errno.h>
#include <sys/stat.h>

/* The beginning of the node's own struct: its parameters. */
struct params {
    struct fly_list paths;
    uint32_t framing;
    uint64_t record_bytes;
};

struct fixture {
    char folder[64];
    char path[8][96];
    struct fly_string text[8];
    uint32_t file_cnt;
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
    *state = fixture;
    return 0;
}

static int remove_folder(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < fixture->file_cnt; i++)
        unlink(fixture->path[i]);
    rmdir(fixture->folder);
    free(fixture);
    return 0;
}

static const char *add_file(struct fixture *fixture, const void *data, size_t bytes)
{
    char name[sizeof(fixture->path[0])], *path = fixture->path[fixture->file_cnt];
    snprintf(name, sizeof(name), "%s/%u.txt", fixture->folder, fixture->file_cnt);
    memcpy(path, name, sizeof(name));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    fclose(file);
    fixture->text[fixture->file_cnt++] =
        (struct fly_string){.text = path, .bytes = (uint32_t)strlen(path)};
    return path;
}

static struct fake_task *task_of(const struct fixture *fixture, uint32_t framing)
{
    union {
        struct params params;
        uint8_t bytes[16384];
    } self = {.params = {.paths = {fixture->text, fixture->file_cnt}, .framing = framing}};
    assert_true(fly_file_source_node.self_bytes <= sizeof(self));
    return fake_task_create(&fly_file_source_node, &self);
}

static void refuses(const char *path, const char *why)
{
    struct fly_string text = {.text = path, .bytes = (uint32_t)strlen(path)};
    union {
        struct params params;
        uint8_t bytes[16384];
    } self = {.params = {.paths = {&text, 1}}};
    struct fake_task *fake = fake_task_create(&fly_file_source_node, &self);
    assert_int_equal(fake_setup(fake), -1);
    assert_string_equal(fake->refused_param, "path");
    if (!strstr(fake->refused_why, why))
        fail_msg("\"%s\" lacks \"%s\"", fake->refused_why, why);
    fake_task_destroy(fake);
}

static void refuses_what_it_cannot_read(void **state)
{
    struct fixture *fixture = *state;
    char pattern[96], pipe_path[96];
    refuses("/nowhere/at/all.txt", "can't be read: No such file or directory");
    refuses(fixture->folder, "is a directory");
    snprintf(pattern, sizeof(pattern), "%s/*.log", fixture->folder);
    refuses(pattern, "matches no file");
    snprintf(pipe_path, sizeof(pipe_path), "%s/pipe", fixture->folder);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    refuses(pipe_path, "is not a regular file");
    unlink(pipe_path);
}

static void refuses_a_fixed_framing_without_length(void **state)
{
    struct fixture *fixture = *state;
    add_file(fixture, "x", 1);
    struct fake_task *fake = task_of(fixture, FLY_FRAMING_FIXED);
    assert_int_equal(fake_setup(fake), -1);
    assert_string_equal(fake->refused_param, "record_bytes");
    fake_task_destroy(fake);
}

static void empty_file_has_no_lines(void **state)
{
    struct fixture *fixture = *state;
    add_file(fixture, "", 0);
    struct fake_task *fake = task_of(fixture, FLY_FRAMING_NEWLINE);
    assert_int_equal(fake_setup(fake), 0);
    fake_drain_source(fake, 10, 0);
    assert_int_equal(fake->out_cnt, 0);
    fake_task_destroy(fake);
}

static void lines_have_offsets_as_ids_and_positions_behind_them(void **state)
{
    struct fixture *fixture = *state;
    add_file(fixture, "one\n\nlast", 9);
    add_file(fixture, "two\n", 4);
    struct fake_task *fake = task_of(fixture, FLY_FRAMING_NEWLINE);
    assert_int_equal(fake_setup(fake), 0);
    fake_drain_source(fake, 10, 0);
    assert_int_equal(fake->out_cnt, 4);
    fake_expect(fake, 0, 0, "one");
    fake_expect(fake, 1, 0, "");
    fake_expect(fake, 2, 0, "last");
    fake_expect(fake, 3, 0, "two");
    assert_int_equal(fake->out[2].id, 5);
    assert_int_equal(fake->out[2].next, 9);
    assert_int_equal(fake->out[3].id, fly_file_position(1, 0));
    assert_int_equal(fake->out[3].next, fly_file_position(1, 4));
    assert_int_equal(fake->done, 13);
    assert_int_equal(fake->total, 13);
    fake_task_destroy(fake);
}

static void whole_files_are_records_also_empty_ones(void **state)
{
    struct fixture *fixture = *state;
    char *large = calloc(1, 9000);
    add_file(fixture, "a\nb\n", 4);
    add_file(fixture, "", 0);
    add_file(fixture, large, 9000);
    add_file(fixture, "c", 1);
    struct fake_task *fake = task_of(fixture, FLY_FRAMING_WHOLE_FILE);
    fake->max_message_bytes = 5000;
    assert_int_equal(fake_setup(fake), 0);
    fake_drain_source(fake, 10, 0);
    assert_int_equal(fake->out_cnt, 4);
    fake_expect(fake, 0, 0, "a\nb\n");
    assert_int_equal(fake->out[0].next, fly_file_position(1, 0));
    fake_expect(fake, 1, 0, "");
    assert_int_equal(fake->out[2].kind, FAKE_DEAD);
    assert_int_equal(fake->out[2].total_bytes, 9000);
    assert_int_equal(fake->out[2].msg.payload_bytes, FLY_FRAMING_HEAD_BYTES);
    fake_expect(fake, 3, 0, "c");
    free(large);
    fake_task_destroy(fake);
}

static void line_over_the_limit_is_dead_with_its_head(void **state)
{
    struct fixture *fixture = *state;
    size_t bytes = 3 << 20;
    char *data = malloc(bytes);
    memset(data, 'y', bytes);
    for (size_t i = 0; i < 6; i++) {
        data[i] = "first\n"[i];
        data[bytes - 6 + i] = "\nlast\n"[i];
    }
    add_file(fixture, data, bytes);
    struct fake_task *fake = task_of(fixture, FLY_FRAMING_NEWLINE);
    fake->max_message_bytes = 100000;
    assert_int_equal(fake_setup(fake), 0);
    fake_drain_source(fake, 10, 1);
    assert_int_equal(fake->out_cnt, 3);
    fake_expect(fake, 0, 0, "first");
    assert_int_equal(fake->out[1].kind, FAKE_DEAD);
    assert_int_equal(fake->out[1].id, 6);
    assert_int_equal(fake->out[1].reason, FLY_REASON_TOO_LARGE);
    assert_int_equal(fake->out[1].total_bytes, bytes - 12);
    assert_int_equal(fake->out[1].msg.payload_bytes, FLY_FRAMING_HEAD_BYTES);
    fake_expect(fake, 2, 0, "last");
    fake_task_destroy(fake);
    free(data);
}

/* Lines of random lengths, some of them far longer than a block. */
static char *random_lines(uint64_t *seed, size_t bytes)
{
    char *data = malloc(bytes);
    size_t at = 0;
    while (at < bytes) {
        uint64_t kind = next_random(seed) % 2000;
        size_t length = kind == 0 ? next_random(seed) % 400000 : next_random(seed) % 200;
        for (size_t i = 0; i < length && at < bytes; i++, at++)
            data[at] = (char)('a' + (at * 7 + i) % 26);
        if (at < bytes)
            data[at++] = '\n';
    }
    return data;
}

/* Marks in `seen` each byte at which a record began; every record must be the line there. */
static void mark_lines(const struct fake_task *fake, const char *data, size_t bytes, uint8_t *seen)
{
    uint64_t last = 0;
    for (uint64_t i = 0; i < fake->out_cnt; i++) {
        const struct fake_out *out = &fake->out[i];
        uint64_t offset = fly_file_offset_of(out->id);
        assert_int_equal(out->kind, FAKE_ROOT);
        assert_true(offset < bytes && (i == 0 || offset > last));
        assert_int_equal(seen[offset], 0);
        seen[offset] = 1;
        last = offset;
        assert_memory_equal(out->msg.payload, data + offset, out->msg.payload_bytes);
        uint64_t end = offset + out->msg.payload_bytes;
        assert_true(end == bytes || data[end] == '\n');
        assert_true(out->next > out->id);
    }
}

static uint64_t line_cnt(const char *data, size_t bytes)
{
    uint64_t cnt = bytes > 0 && data[bytes - 1] != '\n';
    for (size_t i = 0; i < bytes; i++)
        cnt += data[i] == '\n';
    return cnt;
}

/* Short reads, by a seed in the context. */
static int32_t short_read(struct fake_task *fake, const struct fly_io *io)
{
    uint64_t *seed = fake->context;
    uint32_t bytes =
        next_random(seed) % 4 ? io->bytes : 1 + (uint32_t)next_random(seed) % io->bytes;
    if (next_random(seed) % 50 == 0)
        return -EINTR;
    return (int32_t)pread(io->fd, io->buffer, bytes, (off_t)io->offset);
}

static void several_tasks_read_every_line_once(void **state)
{
    struct fixture *fixture = *state;
    uint64_t seed = test_seed();
    size_t bytes = (size_t)6 * FLY_FILE_CHUNK_BYTES + next_random(&seed) % 100000;
    char *data = random_lines(&seed, bytes);
    add_file(fixture, data, bytes);
    for (uint32_t task_cnt = 1; task_cnt <= 4; task_cnt++) {
        uint8_t *seen = calloc(1, bytes);
        uint64_t total = 0;
        for (uint32_t i = 0; i < task_cnt; i++) {
            struct fake_task *fake = task_of(fixture, FLY_FRAMING_NEWLINE);
            fake->place = (struct fly_place){.task_idx = i, .task_cnt = task_cnt};
            fake->io_do = short_read;
            fake->io_max = 1 + (uint32_t)next_random(&seed) % 6;
            fake->context = &seed;
            assert_int_equal(fake_setup(fake), 0);
            fake_drain_source(fake, 1 + (uint32_t)next_random(&seed) % 1000, next_random(&seed));
            mark_lines(fake, data, bytes, seen);
            assert_int_equal(fake->done, fake->total);
            assert_int_equal(fake->errors, 0);
            total += fake->out_cnt;
            fake_task_destroy(fake);
        }
        assert_int_equal(total, line_cnt(data, bytes));
        free(seen);
    }
    free(data);
}

static void restored_task_goes_on_behind_any_record(void **state)
{
    struct fixture *fixture = *state;
    uint64_t seed = test_seed();
    size_t bytes = (size_t)3 * FLY_FILE_CHUNK_BYTES + 5000;
    char *data = random_lines(&seed, bytes);
    add_file(fixture, data, bytes);
    for (int round = 0; round < 6; round++) {
        uint32_t task_cnt = 1 + (uint32_t)next_random(&seed) % 2;
        uint8_t *seen = calloc(1, bytes);
        uint64_t total = 0;
        for (uint32_t i = 0; i < task_cnt; i++) {
            struct fake_task *fake = task_of(fixture, FLY_FRAMING_NEWLINE);
            fake->place = (struct fly_place){.task_idx = i, .task_cnt = task_cnt};
            assert_int_equal(fake_setup(fake), 0);
            while (fake->out_cnt < 100 + (uint64_t)round * 797 &&
                   fake_poll(fake, 100) != FLY_POLL_DONE)
                fake_io_run(fake, 0);
            assert_true(fake->out_cnt > 0);
            uint64_t position = fake->out[fake->out_cnt - 1].next;
            mark_lines(fake, data, bytes, seen);
            total += fake->out_cnt;
            fake_task_destroy(fake);
            fake = task_of(fixture, FLY_FRAMING_NEWLINE);
            fake->place =
                (struct fly_place){.task_idx = i, .task_cnt = task_cnt, .restarted = true};
            assert_int_equal(fake_setup(fake), 0);
            assert_int_equal(fake_restore(fake, position), 0);
            fake_drain_source(fake, 1000, 0);
            mark_lines(fake, data, bytes, seen);
            total += fake->out_cnt;
            fake_task_destroy(fake);
        }
        assert_int_equal(total, line_cnt(data, bytes));
        free(seen);
    }
    free(data);
}

static void replays_any_record(void **state)
{
    struct fixture *fixture = *state;
    uint64_t seed = test_seed();
    size_t bytes = 800000;
    char *data = random_lines(&seed, bytes);
    add_file(fixture, "other\n", 6);
    add_file(fixture, data, bytes);
    struct fake_task *fake = task_of(fixture, FLY_FRAMING_NEWLINE);
    fake->io_max = 2;
    assert_int_equal(fake_setup(fake), 0);
    fake_drain_source(fake, 1000, 0);
    uint64_t cnt = fake->out_cnt;
    for (uint64_t i = 0; i < cnt; i++)
        fake_replay(fake, fake->out[i].id, i);
    fake_io_run(fake, 0);
    assert_int_equal(fake->out_cnt, cnt * 2);
    assert_int_equal(fake->lost, 0);
    for (uint64_t i = 0; i < cnt; i++) {
        const struct fake_out *again = &fake->out[cnt + i], *first = &fake->out[again->id];
        assert_int_equal(again->kind, FAKE_AGAIN);
        assert_int_equal(again->msg.payload_bytes, first->msg.payload_bytes);
        assert_memory_equal(again->msg.payload, first->msg.payload, first->msg.payload_bytes);
    }
    fake_task_destroy(fake);
    free(data);
}

static void replay_of_a_file_that_went_away_is_lost(void **state)
{
    struct fixture *fixture = *state;
    add_file(fixture, "one\ntwo\n", 8);
    struct fake_task *fake = task_of(fixture, FLY_FRAMING_NEWLINE);
    assert_int_equal(fake_setup(fake), 0);
    fake_drain_source(fake, 1000, 0);
    unlink(fixture->path[0]);
    fake_replay(fake, 4, 1);
    fake_replay(fake, fly_file_position(77, 0), 2);
    fake_io_run(fake, 0);
    assert_int_equal(fake->lost, 2);
    fake_task_destroy(fake);
}

static int32_t fail_second_read(struct fake_task *fake, const struct fly_io *io)
{
    uint64_t *cnt = fake->context;
    if (io->offset >= 262144 && io->offset < 393216 && ++*cnt)
        return -EIO;
    return (int32_t)pread(io->fd, io->buffer, io->bytes, (off_t)io->offset);
}

static void read_error_ends_that_file_and_counts(void **state)
{
    struct fixture *fixture = *state;
    uint64_t seed = 7, failures = 0;
    char *data = random_lines(&seed, 1000000);
    add_file(fixture, data, 1000000);
    add_file(fixture, "next file\n", 10);
    struct fake_task *fake = task_of(fixture, FLY_FRAMING_NEWLINE);
    fake->io_do = fail_second_read;
    fake->context = &failures;
    assert_int_equal(fake_setup(fake), 0);
    fake_drain_source(fake, 1000, 0);
    assert_int_equal(failures, 1);
    assert_int_equal(fake->errors, 1);
    fake_expect(fake, fake->out_cnt - 1, 0, "next file");
    assert_true(fly_file_offset_of(fake->out[fake->out_cnt - 2].id) < 262144);
    fake_task_destroy(fake);
    free(data);
}

static void file_that_became_shorter_ends_where_it_ends(void **state)
{
    struct fixture *fixture = *state;
    const char *path = add_file(fixture, "one\ntwo\nthree\n", 14);
    struct fake_task *fake = task_of(fixture, FLY_FRAMING_NEWLINE);
    assert_int_equal(fake_setup(fake), 0);
    assert_int_equal(truncate(path, 6), 0);
    fake_drain_source(fake, 1000, 0);
    assert_int_equal(fake->out_cnt, 2);
    fake_expect(fake, 1, 0, "tw");
    assert_int_equal(fake->errors, 1);
    fake_task_destroy(fake);
}

/* Two tasks read records of one length; each must come once, from one of them. */
static void split_fixed(const struct fixture *fixture, const uint8_t *data, size_t bytes,
                        uint32_t record_bytes)
{
    uint64_t cnt = 0;
    for (uint32_t i = 0; i < 2; i++) {
        struct fake_task *fake = task_of(fixture, FLY_FRAMING_FIXED);
        ((struct params *)fake->self)->record_bytes = record_bytes;
        fake->place = (struct fly_place){.task_idx = i, .task_cnt = 2};
        assert_int_equal(fake_setup(fake), 0);
        fake_drain_source(fake, 77, 3);
        for (uint64_t k = 0; k < fake->out_cnt; k++) {
            assert_int_equal(fake->out[k].id % record_bytes, 0);
            assert_memory_equal(fake->out[k].msg.payload, data + fake->out[k].id,
                                fake->out[k].msg.payload_bytes);
        }
        cnt += fake->out_cnt;
        fake_task_destroy(fake);
    }
    assert_int_equal(cnt, (bytes + record_bytes - 1) / record_bytes);
}

static void fixed_records_are_split_over_tasks(void **state)
{
    struct fixture *fixture = *state;
    size_t bytes = (size_t)12 * FLY_FILE_CHUNK_BYTES;
    uint8_t *data = malloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)(i * 31 >> 4);
    add_file(fixture, data, bytes);
    split_fixed(fixture, data, bytes, 3000);
    split_fixed(fixture, data, bytes, 4096);
    /* Begins shortly before the end of most chunks: what is read beyond them comes in quick
     * turn. */
    split_fixed(fixture, data, bytes, FLY_FILE_CHUNK_BYTES - 1000);
    free(data);
}

static void line_at_the_beginning_of_a_chunk_comes_once(void **state)
{
    struct fixture *fixture = *state;
    size_t bytes = (size_t)3 * FLY_FILE_CHUNK_BYTES;
    char *data = malloc(bytes);
    uint8_t *seen = calloc(1, bytes);
    uint64_t cnt = 0;
    for (size_t i = 0; i < bytes; i++)
        data[i] = i % 16 == 15 ? '\n' : (char)('a' + i / 16 % 26);
    add_file(fixture, data, bytes);
    for (uint32_t i = 0; i < 2; i++) {
        struct fake_task *fake = task_of(fixture, FLY_FRAMING_NEWLINE);
        fake->place = (struct fly_place){.task_idx = i, .task_cnt = 2};
        assert_int_equal(fake_setup(fake), 0);
        fake_drain_source(fake, 1000, 3);
        mark_lines(fake, data, bytes, seen);
        cnt += fake->out_cnt;
        fake_task_destroy(fake);
    }
    assert_int_equal(cnt, bytes / 16);
    free(data);
    free(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refuses_what_it_cannot_read, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(refuses_a_fixed_framing_without_length, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(empty_file_has_no_lines, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(lines_have_offsets_as_ids_and_positions_behind_them,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(whole_files_are_records_also_empty_ones, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(line_over_the_limit_is_dead_with_its_head, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(several_tasks_read_every_line_once, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(restored_task_goes_on_behind_any_record, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(replays_any_record, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(replay_of_a_file_that_went_away_is_lost, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(read_error_ends_that_file_and_counts, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(file_that_became_shorter_ends_where_it_ends, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(fixed_records_are_split_over_tasks, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(line_at_the_beginning_of_a_chunk_comes_once, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
