/* Records come out the same whatever the pieces are that a stream comes in. */
#include "connectors/common/framing.h"

#include "support/unit.h"

#include <flyover/plugin.h>

enum { MAX_BYTES = 40 };

struct piece_reader {
    struct fly_framing framing;
    const uint8_t *stream;
    size_t bytes, at, shown; /* [at, shown) is what the framing sees */
};

/* The next record of a stream shown in pieces of `step` bytes; false: the end. */
static bool next_record(struct piece_reader *reader, size_t step, struct fly_record *record,
                        enum fly_framed *framed, uint64_t *start)
{
    for (;;) {
        bool last = reader->shown == reader->bytes;
        uint8_t *piece = malloc(reader->shown - reader->at + 1); /* exact, so that ASan sees more */
        memcpy(piece, reader->stream + reader->at, reader->shown - reader->at);
        *framed = fly_framing_next(&reader->framing, piece, piece + (reader->shown - reader->at),
                                   last, record);
        reader->at += record->consumed_bytes;
        if (*framed != FLY_FRAMED_MORE) {
            *start = reader->at - record->span_bytes;
            if (record->at != reader->framing.head) /* into the stream: the piece goes away */
                record->at =
                    reader->stream + reader->at - record->consumed_bytes + (record->at - piece);
            free(piece);
            return true;
        }
        free(piece);
        if (last)
            return false;
        assert_true(reader->shown - reader->at <= MAX_BYTES + FLY_FRAMING_CARRY_BYTES);
        reader->shown = reader->shown + step < reader->bytes ? reader->shown + step : reader->bytes;
    }
}

static struct piece_reader reader_of(enum fly_framing_kind kind, const void *stream, size_t bytes)
{
    return (struct piece_reader){
        .framing = {.kind = kind, .max_bytes = MAX_BYTES, .record_bytes = 7},
        .stream = stream,
        .bytes = bytes,
    };
}

static void expect(struct piece_reader *reader, size_t step, uint64_t start, const char *text)
{
    struct fly_record record;
    enum fly_framed framed;
    uint64_t at;
    assert_true(next_record(reader, step, &record, &framed, &at));
    assert_int_equal(framed, FLY_FRAMED_RECORD);
    assert_int_equal(at, start);
    assert_int_equal(record.bytes, strlen(text));
    assert_memory_equal(record.at, text, record.bytes);
}

static void expect_dead(struct piece_reader *reader, size_t step, uint64_t start,
                        uint64_t total_bytes, uint32_t reason)
{
    struct fly_record record;
    enum fly_framed framed;
    uint64_t at;
    assert_true(next_record(reader, step, &record, &framed, &at));
    assert_int_equal(framed, FLY_FRAMED_DEAD);
    assert_int_equal(at, start);
    assert_int_equal(record.total_bytes, total_bytes);
    assert_int_equal(record.reason, reason);
}

static void expect_end(struct piece_reader *reader, size_t step)
{
    struct fly_record record;
    enum fly_framed framed;
    uint64_t at;
    assert_false(next_record(reader, step, &record, &framed, &at));
}

static void empty_stream_has_no_records(void **state)
{
    (void)state;
    for (int kind = FLY_FRAMING_NEWLINE; kind <= FLY_FRAMING_FIXED; kind++) {
        struct piece_reader reader = reader_of((enum fly_framing_kind)kind, "", 0);
        expect_end(&reader, 1);
    }
}

static void lines_are_cut_in_any_pieces(void **state)
{
    const char *stream = "one\n\ntwo\r\nthree";
    (void)state;
    for (size_t step = 1; step < 20; step++) {
        struct piece_reader reader = reader_of(FLY_FRAMING_NEWLINE, stream, strlen(stream));
        expect(&reader, step, 0, "one");
        expect(&reader, step, 4, "");
        expect(&reader, step, 5, "two\r");
        expect(&reader, step, 10, "three");
        expect_end(&reader, step);
    }
}

static void line_over_the_limit_is_dead_and_the_rest_goes_on(void **state)
{
    static const char rest[] = "\nafter\n";
    char stream[300];
    (void)state;
    memset(stream, 'x', 250);
    memcpy(stream + 250, rest, sizeof(rest));
    for (size_t step = 1; step < 260; step += 7) {
        struct piece_reader reader = reader_of(FLY_FRAMING_NEWLINE, stream, 257);
        expect_dead(&reader, step, 0, 250, FLY_REASON_TOO_LARGE);
        expect(&reader, step, 251, "after");
        expect_end(&reader, step);
    }
}

static void line_of_the_limit_is_a_record(void **state)
{
    char text[MAX_BYTES + 1] = {0}, stream[MAX_BYTES + 2];
    (void)state;
    memset(text, 'x', MAX_BYTES);
    memset(stream, 'x', MAX_BYTES + 1);
    stream[MAX_BYTES] = '\n';
    struct piece_reader reader = reader_of(FLY_FRAMING_NEWLINE, stream, MAX_BYTES + 1);
    expect(&reader, 100, 0, text);
    expect_end(&reader, 100);
    stream[MAX_BYTES] = 'x';
    reader = reader_of(FLY_FRAMING_NEWLINE, stream, MAX_BYTES + 1);
    expect_dead(&reader, 1, 0, MAX_BYTES + 1, FLY_REASON_TOO_LARGE);
    expect_end(&reader, 1);
}

static void head_of_a_large_line_is_kept(void **state)
{
    size_t bytes = (size_t)3 * FLY_FRAMING_HEAD_BYTES;
    uint8_t *stream = malloc(bytes);
    struct fly_record record;
    enum fly_framed framed;
    uint64_t start;
    (void)state;
    for (size_t i = 0; i < bytes; i++)
        stream[i] = (uint8_t)('a' + i % 26);
    struct piece_reader reader = reader_of(FLY_FRAMING_NEWLINE, stream, bytes);
    reader.framing.max_bytes = 2 * FLY_FRAMING_HEAD_BYTES;
    assert_true(next_record(&reader, 1000, &record, &framed, &start));
    assert_int_equal(framed, FLY_FRAMED_DEAD);
    assert_int_equal(record.bytes, FLY_FRAMING_HEAD_BYTES);
    assert_memory_equal(record.at, stream, FLY_FRAMING_HEAD_BYTES);
    free(stream);
}

static void prefixed_records_and_what_is_cut_off(void **state)
{
    const char stream[] = "\0\0\0\3one\0\0\0\0\0\0\0\5fi";
    (void)state;
    for (size_t step = 1; step < 20; step++) {
        struct piece_reader reader =
            reader_of(FLY_FRAMING_LENGTH_PREFIXED, stream, sizeof(stream) - 1);
        expect(&reader, step, 0, "one");
        expect(&reader, step, 7, "");
        expect_dead(&reader, step, 11, 2, FLY_REASON_BAD_INPUT);
        expect_end(&reader, step);
        reader = reader_of(FLY_FRAMING_LENGTH_PREFIXED, stream, 9);
        expect(&reader, step, 0, "one");
        expect_dead(&reader, step, 7, 2, FLY_REASON_BAD_INPUT);
        expect_end(&reader, step);
    }
}

static void prefixed_record_over_the_limit(void **state)
{
    static const uint8_t rest[] = {0, 0, 0, 3, 'e', 'n', 'd'};
    size_t bytes = 4 + 9000 + 7;
    uint8_t *stream = calloc(1, bytes);
    (void)state;
    stream[2] = 9000 >> 8;
    stream[3] = 9000 & 255;
    memcpy(stream + 9004, rest, 7);
    for (size_t step = 100; step < 10000; step += 700) {
        struct piece_reader reader = reader_of(FLY_FRAMING_LENGTH_PREFIXED, stream, bytes);
        expect_dead(&reader, step, 0, 9000, FLY_REASON_TOO_LARGE);
        expect(&reader, step, 9004, "end");
        expect_end(&reader, step);
        reader = reader_of(FLY_FRAMING_LENGTH_PREFIXED, stream, 6000);
        expect_dead(&reader, step, 0, 9000, FLY_REASON_TOO_LARGE);
        expect_end(&reader, step);
    }
    free(stream);
}

static void fixed_records(void **state)
{
    (void)state;
    struct piece_reader reader = reader_of(FLY_FRAMING_FIXED, "1234567abcdefgxy", 16);
    expect(&reader, 3, 0, "1234567");
    expect(&reader, 3, 7, "abcdefg");
    expect_dead(&reader, 3, 14, 2, FLY_REASON_BAD_INPUT);
    expect_end(&reader, 3);
}

/* The naive reader: looks at the whole stream. */
static void check_lines(const uint8_t *stream, size_t bytes, size_t step)
{
    struct piece_reader reader = reader_of(FLY_FRAMING_NEWLINE, stream, bytes);
    struct fly_record record = {0};
    enum fly_framed framed = FLY_FRAMED_MORE;
    uint64_t start = 0;
    for (size_t at = 0; at < bytes;) {
        size_t length = 0;
        while (at + length < bytes && stream[at + length] != '\n')
            length++;
        assert_true(next_record(&reader, step, &record, &framed, &start));
        assert_int_equal(start, at);
        assert_int_equal(record.total_bytes, length);
        assert_int_equal(framed, length > MAX_BYTES ? FLY_FRAMED_DEAD : FLY_FRAMED_RECORD);
        assert_memory_equal(record.at, stream + at, record.bytes);
        at += length + (at + length < bytes);
    }
    expect_end(&reader, step);
}

static void random_lines_against_a_naive_reader(void **state)
{
    uint64_t seed = test_seed();
    (void)state;
    for (int round = 0; round < 2000; round++) {
        uint8_t stream[400];
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        size_t bytes = (seed >> 33) % sizeof(stream), step = 1 + (seed >> 13) % 100;
        for (size_t i = 0; i < bytes; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            stream[i] = (seed >> 40) % 30 == 0 ? '\n' : (uint8_t)(seed >> 50);
        }
        check_lines(stream, bytes, step);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_stream_has_no_records),
        cmocka_unit_test(lines_are_cut_in_any_pieces),
        cmocka_unit_test(line_over_the_limit_is_dead_and_the_rest_goes_on),
        cmocka_unit_test(line_of_the_limit_is_a_record),
        cmocka_unit_test(head_of_a_large_line_is_kept),
        cmocka_unit_test(prefixed_records_and_what_is_cut_off),
        cmocka_unit_test(prefixed_record_over_the_limit),
        cmocka_unit_test(fixed_records),
        cmocka_unit_test(random_lines_against_a_naive_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
