#include "msg/frame_write.h"

#include "support/unit.h"

#define FRAME_MAX 64
#define FIRST 100 /* the index of the first frame */
#define FEED 3

/* Frames of one feed, each in memory of its own. */
struct fixture {
    uint64_t frame_bytes;
    uint32_t cnt;
    struct fly_frame *table[FIRST + FRAME_MAX];
    struct fly_frame **frame; /* table + FIRST */
    uint32_t index[FRAME_MAX];
};

static void open_frames(struct fixture *fix, uint32_t cnt, uint64_t frame_bytes)
{
    struct fly_frame_writer writer;
    *fix = (struct fixture){.frame_bytes = frame_bytes, .cnt = cnt, .frame = fix->table + FIRST};
    FLY_CHECK(cnt > 0 && cnt <= FRAME_MAX, "%u frames", cnt);
    uint64_t bytes = sizeof(struct fly_frame) + fly_align_up(frame_bytes, FLY_CACHE_LINE);
    for (uint32_t i = 0; i < cnt; i++) {
        fix->frame[i] = aligned_alloc(FLY_CACHE_LINE, bytes);
        assert_non_null(fix->frame[i]);
        memset(fix->frame[i], 0xee, bytes);
        fix->frame[i]->feed = FEED;
        fix->index[i] = FIRST + i;
        fly_frame_open(&writer, fix->frame[i], frame_bytes, 77 + i, 0);
    }
}

static void close_frames(struct fixture *fix)
{
    for (uint32_t i = 0; i < fix->cnt; i++)
        free(fix->frame[i]);
}

static struct fly_frame *look_up(void *context, uint32_t feed, uint32_t index)
{
    struct fixture *fix = context;
    return feed == FEED && index < FIRST + fix->cnt ? fix->table[index] : NULL;
}

static uint64_t write_chain(struct fixture *fix, const struct fly_msg *msg)
{
    return fly_chain_write(fix->table, fix->index, fix->cnt, fix->frame_bytes, 9, msg);
}

static int read_chain(struct fixture *fix, uint8_t *buffer, uint64_t max_bytes, struct fly_msg *msg)
{
    struct fly_root root;
    uint64_t id;
    int rc = fly_chain_read(fix->frame[0], fix->frame_bytes, look_up, fix, buffer, max_bytes, msg,
                            &root, &id);
    if (rc == 0) {
        assert_int_equal(root.bits, 9);
        assert_int_equal(id, fly_run_id(77, 0));
    }
    return rc;
}

/* Writes and reads a message through as few frames as it needs and a buffer of exactly its size. */
static void assert_survives(const struct fly_msg *msg, uint64_t frame_bytes, uint32_t frame_cnt)
{
    struct fixture fix;
    struct fly_msg got;
    uint64_t content = fly_msg_content_bytes(msg, fly_key_at(msg));
    assert_int_equal(fly_chain_length(content, frame_bytes), frame_cnt);
    open_frames(&fix, frame_cnt, frame_bytes);
    assert_int_equal(write_chain(&fix, msg), fly_run_id(77, 0));
    assert_int_equal(fix.frame[0]->chain_bytes, sizeof(struct fly_wire_large) + content);
    assert_int_equal(fix.frame[frame_cnt - 1]->next, FLY_FRAME_NONE);
    uint64_t used = 0;
    for (uint32_t i = 0; i < frame_cnt; i++) {
        assert_true(fix.frame[i]->used_bytes > 0 && fix.frame[i]->used_bytes <= frame_bytes);
        used += fix.frame[i]->used_bytes;
    }
    assert_int_equal(used, sizeof(struct fly_run) + sizeof(struct fly_wire_large) + content);
    uint8_t *buffer = malloc(content ? content : 1);
    assert_non_null(buffer);
    if (content)
        assert_int_equal(read_chain(&fix, buffer, content - 1, &got), -1);
    assert_int_equal(read_chain(&fix, buffer, content, &got), 0);
    assert_int_equal(got.payload_bytes, msg->payload_bytes);
    assert_int_equal(got.meta_bytes, msg->meta_bytes);
    assert_int_equal(got.key_bytes, msg->key ? msg->key_bytes : 0);
    assert_int_equal(got.key != NULL, msg->key != NULL);
    assert_int_equal(got.flags, msg->flags);
    assert_int_equal(got.key_hash, msg->key_hash);
    if (msg->payload_bytes + msg->meta_bytes)
        assert_memory_equal(got.payload, msg->payload, msg->payload_bytes + msg->meta_bytes);
    if (got.key_bytes)
        assert_memory_equal(got.key, msg->key, got.key_bytes);
    free(buffer);
    close_frames(&fix);
}

static uint8_t *new_bytes(size_t cnt)
{
    uint8_t *bytes = malloc(cnt);
    assert_non_null(bytes);
    for (size_t i = 0; i < cnt; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    return bytes;
}

static void test_lengths_at_every_border(void **state)
{
    (void)state;
    const uint64_t frame = 512, first = frame - 16 - 24;
    assert_int_equal(fly_chain_length(0, frame), 1);
    assert_int_equal(fly_chain_length(first, frame), 1);
    assert_int_equal(fly_chain_length(first + 1, frame), 2);
    assert_int_equal(fly_chain_length(first + frame, frame), 2);
    assert_int_equal(fly_chain_length(first + frame + 1, frame), 3);
    assert_int_equal(fly_chain_length(UINT32_MAX, frame), 1 + (UINT32_MAX - first + 511) / 512);
}

static void test_messages_survive_at_every_border(void **state)
{
    (void)state;
    uint8_t *bytes = new_bytes(8192);
    const uint64_t frame = 512, first = frame - 16 - 24;
    for (uint32_t frames = 1; frames <= 4; frames++)
        for (int off = -2; off <= 0; off++) {
            uint64_t content = first + (uint64_t)(frames - 1) * frame;
            struct fly_msg msg = {.payload = bytes, .flags = 3, .key_hash = 99};
            msg.payload_bytes = (uint32_t)content - (uint32_t)-off;
            assert_survives(&msg, frame, frames);
            msg.key = bytes + 5; /* inside the payload: no more bytes */
            msg.key_bytes = msg.payload_bytes - 5;
            assert_survives(&msg, frame, frames);
            msg.key = bytes + 4096; /* apart */
            msg.key_bytes = 300;
            msg.payload_bytes -= 400;
            msg.meta_bytes = 100;
            assert_survives(&msg, frame, frames);
        }
    free(bytes);
}

static void test_a_message_that_would_fit_a_frame_survives(void **state)
{
    (void)state;
    assert_survives(&(struct fly_msg){0}, 512, 1);
    static const uint8_t text[] = "short";
    assert_survives(&(struct fly_msg){.payload = text, .payload_bytes = 5}, 512, 1);
    assert_survives(&(struct fly_msg){.key = text, .key_bytes = 5}, 512, 1);
    assert_survives(&(struct fly_msg){.payload = text, .key = text + 5}, 512, 1);
}

static void test_a_key_far_into_the_payload_survives(void **state)
{
    (void)state;
    uint8_t *bytes = new_bytes(200000);
    struct fly_msg msg = {.payload = bytes, .payload_bytes = 200000, .key_bytes = 40};
    static const uint32_t places[] = {0, FLY_KEY_APART - 1, FLY_KEY_APART, FLY_KEY_NONE, 199960};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        msg.key = bytes + places[i];
        uint64_t content = fly_msg_content_bytes(&msg, fly_key_at(&msg));
        assert_survives(&msg, 8192, fly_chain_length(content, 8192));
    }
    free(bytes);
}

static void test_a_chain_of_maximal_length(void **state)
{
    (void)state;
    const uint64_t frame = 512, content = FRAME_MAX * frame - 40;
    uint8_t *bytes = new_bytes(content);
    assert_survives(&(struct fly_msg){.payload = bytes, .payload_bytes = (uint32_t)content}, frame,
                    FRAME_MAX);
    free(bytes);
}

/* A chain of three frames for a test to damage. */
static void open_three(struct fixture *fix, uint8_t *bytes)
{
    open_frames(fix, 3, 512);
    write_chain(fix, &(struct fly_msg){.payload = bytes, .payload_bytes = 1200});
}

static struct fly_wire_large *wire_of(struct fixture *fix)
{
    return (struct fly_wire_large *)(void *)(fix->frame[0]->data + sizeof(struct fly_run));
}

static void test_a_chain_that_ends_early_is_refused(void **state)
{
    (void)state;
    uint8_t *bytes = new_bytes(2048), buffer[2048];
    struct fixture fix;
    struct fly_msg msg;
    open_three(&fix, bytes);
    assert_int_equal(read_chain(&fix, buffer, 1200, &msg), 0);
    fix.frame[1]->next = FLY_FRAME_NONE;
    assert_int_equal(read_chain(&fix, buffer, 1200, &msg), -1);
    fix.frame[1]->next = FIRST + 3; /* no such frame */
    assert_int_equal(read_chain(&fix, buffer, 1200, &msg), -1);
    fix.frame[1]->next = FIRST + 2;
    fix.frame[0]->feed = FEED + 1; /* another's */
    assert_int_equal(read_chain(&fix, buffer, 1200, &msg), -1);
    fix.frame[0]->feed = FEED;
    fix.frame[2]->used_bytes--;
    assert_int_equal(read_chain(&fix, buffer, 1200, &msg), -1);
    fix.frame[2]->used_bytes = 0;
    assert_int_equal(read_chain(&fix, buffer, 1200, &msg), -1);
    close_frames(&fix);
    free(bytes);
}

static void test_a_chain_that_goes_on_is_refused(void **state)
{
    (void)state;
    uint8_t *bytes = new_bytes(2048), buffer[2048];
    struct fixture fix;
    struct fly_msg msg;
    open_three(&fix, bytes);
    fix.frame[2]->used_bytes++;
    assert_int_equal(read_chain(&fix, buffer, 2048, &msg), -1);
    fix.frame[2]->used_bytes--;
    fix.frame[2]->next = FIRST;
    assert_int_equal(read_chain(&fix, buffer, 2048, &msg), -1);
    close_frames(&fix);
    free(bytes);
}

static void test_a_chain_in_a_circle_is_refused(void **state)
{
    (void)state;
    uint8_t *bytes = new_bytes(2048), buffer[2048];
    struct fixture fix;
    struct fly_msg msg;
    open_three(&fix, bytes);
    fix.frame[1]->next = FIRST + 1;
    assert_int_equal(read_chain(&fix, buffer, 2048, &msg), -1);
    fix.frame[1]->used_bytes = 0;
    assert_int_equal(read_chain(&fix, buffer, 2048, &msg), -1);
    close_frames(&fix);
    free(bytes);
}

static void test_used_lengths_that_lie_are_refused(void **state)
{
    (void)state;
    uint8_t *bytes = new_bytes(2048), buffer[2048];
    struct fixture fix;
    struct fly_msg msg;
    open_three(&fix, bytes);
    static const uint32_t bad[] = {0, 16, 39, 40, 513, UINT32_MAX};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        fix.frame[0]->used_bytes = bad[i];
        assert_int_equal(read_chain(&fix, buffer, 2048, &msg), -1);
    }
    fix.frame[0]->used_bytes = 512;
    fix.frame[1]->used_bytes = 513;
    assert_int_equal(read_chain(&fix, buffer, 2048, &msg), -1);
    close_frames(&fix);
    free(bytes);
}

static void test_a_run_that_is_no_single_message_is_refused(void **state)
{
    (void)state;
    uint8_t *bytes = new_bytes(2048), buffer[2048];
    struct fixture fix;
    struct fly_msg msg;
    open_three(&fix, bytes);
    struct fly_run *run = (struct fly_run *)(void *)fix.frame[0]->data;
    run->msg_cnt = 2;
    assert_int_equal(read_chain(&fix, buffer, 2048, &msg), -1);
    run->msg_cnt = 1;
    run->bytes++;
    assert_int_equal(read_chain(&fix, buffer, 2048, &msg), -1);
    close_frames(&fix);
    free(bytes);
}

static void test_lengths_that_lie_are_refused(void **state)
{
    (void)state;
    uint8_t *bytes = new_bytes(2048), buffer[2048];
    struct fixture fix;
    struct fly_msg msg;
    open_three(&fix, bytes);
    struct fly_wire_large *wire = wire_of(&fix), good = *wire;
    wire->payload_bytes = UINT32_MAX;
    assert_int_equal(read_chain(&fix, buffer, 2048, &msg), -1);
    wire->meta_bytes = UINT32_MAX;
    wire->key_bytes = UINT32_MAX;
    wire->key_at = FLY_KEY_APART;
    assert_int_equal(read_chain(&fix, buffer, 2048, &msg), -1);
    *wire = good;
    wire->key_at = 1;
    wire->key_bytes = UINT32_MAX;
    assert_int_equal(read_chain(&fix, buffer, 2048, &msg), -1);
    wire->key_at = UINT32_MAX;
    wire->key_bytes = 1201;
    assert_int_equal(read_chain(&fix, buffer, 2048, &msg), -1);
    *wire = good;
    wire->key_bytes = 5; /* without a key */
    assert_int_equal(read_chain(&fix, buffer, 2048, &msg), 0);
    assert_int_equal(msg.key_bytes, 0);
    close_frames(&fix);
    free(bytes);
}

/* A chain's first frame is no frame of small messages: the reader of those finds no message in it.
 */
static void test_the_reader_of_frames_refuses_a_chain(void **state)
{
    (void)state;
    uint8_t *bytes = new_bytes(2048);
    struct fixture fix;
    struct fly_frame_reader reader;
    struct fly_root root;
    uint64_t id;
    open_three(&fix, bytes);
    fly_frame_reader_init(&reader, fix.frame[0], 512);
    assert_false(fly_frame_next_run(&reader, &root, &id));
    assert_true(reader.corrupt);
    close_frames(&fix);
    free(bytes);
}

static void test_random_messages_come_back(void **state)
{
    (void)state;
    struct fly_rng rng;
    fly_rng_init(&rng, test_seed());
    uint8_t *bytes = new_bytes(20000);
    for (int round = 0; round < 2000; round++) {
        uint64_t frame = 512 + fly_rng_below(&rng, 2048);
        struct fly_msg msg = {.payload = bytes + fly_rng_below(&rng, 1000),
                              .payload_bytes = (uint32_t)fly_rng_below(&rng, 9000),
                              .meta_bytes = (uint32_t)fly_rng_below(&rng, 3000),
                              .flags = (uint32_t)fly_rng_next(&rng)};
        if (fly_rng_below(&rng, 3)) {
            msg.key = bytes + fly_rng_below(&rng, 15000);
            msg.key_bytes = (uint32_t)fly_rng_below(&rng, 5000);
        }
        uint64_t content = fly_msg_content_bytes(&msg, fly_key_at(&msg));
        assert_survives(&msg, frame, fly_chain_length(content, frame));
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_chain_that_ends_early_is_refused),
        cmocka_unit_test(test_a_chain_that_goes_on_is_refused),
        cmocka_unit_test(test_a_chain_in_a_circle_is_refused),
        cmocka_unit_test(test_used_lengths_that_lie_are_refused),
        cmocka_unit_test(test_a_run_that_is_no_single_message_is_refused),
        cmocka_unit_test(test_lengths_that_lie_are_refused),
        cmocka_unit_test(test_the_reader_of_frames_refuses_a_chain),
        cmocka_unit_test(test_lengths_at_every_border),
        cmocka_unit_test(test_messages_survive_at_every_border),
        cmocka_unit_test(test_a_message_that_would_fit_a_frame_survives),
        cmocka_unit_test(test_a_key_far_into_the_payload_survives),
        cmocka_unit_test(test_a_chain_of_maximal_length),
        cmocka_unit_test(test_random_messages_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
