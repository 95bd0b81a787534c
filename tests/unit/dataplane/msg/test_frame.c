#include "msg/frame_write.h"

#include "support/unit.h"

#define FRAME_CNT_RANDOM 1500
#define MSG_MAX 2048

/* A frame in memory of exactly its size, so that AddressSanitizer sees every step outside. */
static struct fly_frame *new_frame(uint64_t frame_bytes)
{
    uint64_t bytes = sizeof(struct fly_frame) + fly_align_up(frame_bytes, FLY_CACHE_LINE);
    struct fly_frame *frame = aligned_alloc(FLY_CACHE_LINE, bytes);
    assert_non_null(frame);
    memset(frame, 0xee, bytes);
    return frame;
}

static struct fly_msg text(const char *payload)
{
    return (struct fly_msg){.payload = (const uint8_t *)payload,
                            .payload_bytes = (uint32_t)strlen(payload)};
}

static uint64_t append(struct fly_frame_writer *writer, uint64_t root, const struct fly_msg *msg,
                       bool new_run)
{
    struct fly_shape shape = fly_shape_of(msg);
    uint64_t need = fly_frame_need(shape, new_run);
    const uint8_t *before = writer->at;
    assert_true(need <= (uint64_t)(writer->end - writer->at));
    uint64_t id = fly_frame_append(writer, root, msg, shape, new_run);
    fly_frame_finish(writer);
    assert_int_equal(writer->at - before, need);
    assert_int_equal(id != 0, new_run);
    return id;
}

static void assert_same_bytes(const uint8_t *got, const uint8_t *wanted, uint64_t bytes)
{
    if (bytes)
        assert_memory_equal(got, wanted, bytes);
}

static void assert_same(const struct fly_msg *got, const struct fly_msg *wanted)
{
    assert_int_equal(got->payload_bytes, wanted->payload_bytes);
    assert_int_equal(got->meta_bytes, wanted->meta_bytes);
    assert_int_equal(got->flags, wanted->flags);
    assert_int_equal(got->key_hash, wanted->key_hash);
    assert_int_equal(got->key != NULL, wanted->key != NULL);
    assert_same_bytes(got->payload, wanted->payload, wanted->payload_bytes + wanted->meta_bytes);
    assert_int_equal(got->key_bytes, wanted->key ? wanted->key_bytes : 0);
    assert_same_bytes(got->key, wanted->key, got->key_bytes);
}

/* Writes one message into a frame that just holds it, and reads it back. */
static void assert_survives(const struct fly_msg *msg)
{
    uint64_t bytes = fly_frame_need(fly_shape_of(msg), true);
    struct fly_frame *frame = new_frame(bytes);
    struct fly_frame_writer writer;
    struct fly_frame_reader reader;
    struct fly_msg got;
    struct fly_root root;
    uint64_t id;
    fly_frame_open(&writer, frame, bytes, 42, 0);
    uint64_t given = append(&writer, 7, msg, true);
    assert_ptr_equal(writer.at, writer.end);
    fly_frame_reader_init(&reader, frame, bytes);
    assert_true(fly_frame_next_run(&reader, &root, &id));
    assert_int_equal(root.bits, 7);
    assert_int_equal(id, given);
    assert_int_equal(fly_frame_read(&reader, &got, 1), 1);
    assert_same(&got, msg);
    assert_false(fly_frame_next_run(&reader, &root, &id));
    assert_false(reader.corrupt);
    free(frame);
}

static void test_layout(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct fly_frame), FLY_CACHE_LINE);
    assert_int_equal(offsetof(struct fly_frame, data), FLY_CACHE_LINE);
    assert_int_equal(sizeof(struct fly_run), 16);
    assert_int_equal(sizeof(struct fly_wire_msg), 8);
    assert_int_equal(sizeof(struct fly_wire_more), 8);
    assert_int_equal(sizeof(struct fly_wire_large), 24);
    assert_int_equal(sizeof(struct fly_run) % FLY_FRAME_ALIGN, 0);
    assert_int_equal(sizeof(struct fly_wire_msg) % FLY_FRAME_ALIGN, 0);
}

static void test_a_stride_is_an_odd_number_of_lines(void **state)
{
    (void)state;
    for (uint64_t bytes = FLY_FRAME_BYTES_MIN; bytes <= FLY_FRAME_BYTES_MAX; bytes += 8) {
        uint64_t stride = fly_frame_stride(bytes);
        assert_int_equal(stride % FLY_CACHE_LINE, 0);
        assert_int_equal(stride / FLY_CACHE_LINE % 2, 1);
        assert_true(stride >= sizeof(struct fly_frame) + bytes);
        assert_true(stride < sizeof(struct fly_frame) + bytes + 2 * (uint64_t)FLY_CACHE_LINE);
    }
}

static void test_a_used_length_beyond_the_frame_is_refused(void **state)
{
    (void)state;
    struct fly_frame *frame = new_frame(512);
    struct fly_frame_reader reader;
    struct fly_root root;
    uint64_t id;
    frame->used_bytes = 513;
    fly_frame_reader_init(&reader, frame, 512);
    assert_true(reader.corrupt);
    assert_false(fly_frame_next_run(&reader, &root, &id));
    frame->used_bytes = UINT32_MAX;
    fly_frame_reader_init(&reader, frame, 512);
    assert_false(fly_frame_next_run(&reader, &root, &id));
    free(frame);
}

static void test_an_empty_frame_has_no_run(void **state)
{
    (void)state;
    struct fly_frame *frame = new_frame(512);
    struct fly_frame_writer writer;
    struct fly_frame_reader reader;
    struct fly_root root;
    uint64_t id;
    fly_frame_open(&writer, frame, 512, 1, 2);
    assert_int_equal(frame->next, FLY_FRAME_NONE);
    fly_frame_reader_init(&reader, frame, 512);
    assert_false(fly_frame_next_run(&reader, &root, &id));
    assert_false(reader.corrupt);
    assert_int_equal(frame->open_ticks, 2);
    free(frame);
}

/* One run with one message in a frame of 512 bytes, for a test to damage. */
static struct fly_frame *small_frame(struct fly_run **run, struct fly_wire_msg **wire)
{
    struct fly_frame *frame = new_frame(512);
    struct fly_frame_writer writer;
    struct fly_msg msg = text("some payload");
    msg.key = msg.payload + 1;
    msg.key_bytes = 3;
    fly_frame_open(&writer, frame, 512, 1, 0);
    append(&writer, 5, &msg, true);
    append(&writer, 5, &msg, false);
    *run = (struct fly_run *)(void *)frame->data;
    *wire = (struct fly_wire_msg *)(void *)(frame->data + sizeof(struct fly_run));
    return frame;
}

static struct fly_wire_more *more_of(struct fly_wire_msg *wire)
{
    return (struct fly_wire_more *)(void *)(wire + 1);
}

/* How many messages a reader gets out of the frame; it must find it corrupt. */
static uint32_t whole_before_damage(const struct fly_frame *frame)
{
    struct fly_frame_reader reader;
    struct fly_msg msg[4];
    struct fly_root root;
    uint64_t id;
    uint32_t cnt = 0;
    fly_frame_reader_init(&reader, frame, 512);
    while (fly_frame_next_run(&reader, &root, &id))
        while (fly_frame_in_run(&reader))
            cnt += fly_frame_read(&reader, msg, 4);
    assert_true(reader.corrupt);
    return cnt;
}

static void test_a_run_that_lies_is_refused(void **state)
{
    (void)state;
    struct fly_run *run;
    struct fly_wire_msg *wire;
    struct fly_frame *frame = small_frame(&run, &wire);
    struct fly_run good = *run;
    run->msg_cnt = 0;
    assert_int_equal(whole_before_damage(frame), 0);
    run->msg_cnt = UINT32_MAX;
    assert_int_equal(whole_before_damage(frame), 0);
    *run = good;
    run->bytes = UINT32_MAX;
    assert_int_equal(whole_before_damage(frame), 0);
    run->bytes = good.bytes + 1;
    assert_int_equal(whole_before_damage(frame), 0);
    *run = good;
    run->msg_cnt = 3; /* more than there are */
    assert_int_equal(whole_before_damage(frame), 2);
    *run = good;
    run->msg_cnt = 1; /* fewer than there are */
    assert_int_equal(whole_before_damage(frame), 1);
    *run = good;
    run->bytes -= 8; /* cuts the second message */
    assert_int_equal(whole_before_damage(frame), 1);
    *run = good;
    frame->used_bytes += 8; /* half a run header at the end */
    assert_int_equal(whole_before_damage(frame), 2);
    free(frame);
}

static void test_a_run_without_messages_is_refused(void **state)
{
    (void)state;
    struct fly_run *run;
    struct fly_wire_msg *wire;
    struct fly_frame *frame = small_frame(&run, &wire);
    *run = (struct fly_run){.root = 5};
    frame->used_bytes = sizeof(*run);
    assert_int_equal(whole_before_damage(frame), 0);
    free(frame);
}

/* What is left behind a run's messages is not taken for the next run. */
static void test_a_run_hides_no_other_run(void **state)
{
    (void)state;
    struct fly_frame *frame = new_frame(512);
    struct fly_frame_writer writer;
    struct fly_msg msg = text("0123456789");
    fly_frame_open(&writer, frame, 512, 1, 0);
    append(&writer, 5, &msg, true);
    struct fly_run *outer = writer.run;
    append(&writer, 6, &msg, true);
    outer->bytes += (uint32_t)sizeof(struct fly_run) + writer.run->bytes;
    assert_int_equal(whole_before_damage(frame), 1);
    free(frame);
}

static void test_a_message_that_lies_is_refused(void **state)
{
    (void)state;
    struct fly_run *run;
    struct fly_wire_msg *wire;
    struct fly_frame *frame = small_frame(&run, &wire);
    struct fly_wire_more *more = more_of(wire), good = *more;
    uint16_t payload_bytes = wire->payload_bytes;
    wire->payload_bytes = UINT16_MAX;
    assert_int_equal(whole_before_damage(frame), 0);
    wire->payload_bytes = payload_bytes;
    more->meta_bytes = UINT16_MAX;
    assert_int_equal(whole_before_damage(frame), 0);
    *more = good;
    more->key_at = FLY_KEY_APART;
    more->key_bytes = UINT16_MAX;
    assert_int_equal(whole_before_damage(frame), 0);
    *more = good;
    more->key_at = (uint16_t)(payload_bytes + 1); /* begins behind the payload */
    more->key_bytes = 0;
    assert_int_equal(whole_before_damage(frame), 0);
    more->key_at = 1;
    more->key_bytes = payload_bytes; /* ends behind it */
    assert_int_equal(whole_before_damage(frame), 0);
    more->key_at = FLY_KEY_APART - 1;
    more->key_bytes = UINT16_MAX;
    assert_int_equal(whole_before_damage(frame), 0);
    free(frame);
}

static void test_a_header_that_ends_with_its_run_is_refused(void **state)
{
    (void)state;
    struct fly_frame *frame = new_frame(512);
    struct fly_frame_writer writer;
    struct fly_msg msg = text("");
    fly_frame_open(&writer, frame, 512, 1, 0);
    append(&writer, 5, &msg, true);
    struct fly_wire_msg *wire = (struct fly_wire_msg *)(void *)(writer.run + 1);
    assert_int_equal(writer.run->bytes, sizeof(*wire));
    wire->form = FLY_FORM_MORE;
    assert_int_equal(whole_before_damage(frame), 0);
    free(frame);
}

static void test_what_was_whole_before_the_bad_place_is_delivered(void **state)
{
    (void)state;
    struct fly_frame *frame = new_frame(512);
    struct fly_frame_writer writer;
    struct fly_msg msg = text("0123456789");
    fly_frame_open(&writer, frame, 512, 1, 0);
    append(&writer, 5, &msg, true);
    append(&writer, 5, &msg, false);
    append(&writer, 6, &msg, true);
    writer.run->bytes = 8;
    assert_int_equal(whole_before_damage(frame), 2);
    free(frame);
}

static void test_no_key_length_without_a_key(void **state)
{
    (void)state;
    struct fly_run *run;
    struct fly_wire_msg *wire;
    struct fly_frame *frame = small_frame(&run, &wire);
    struct fly_frame_reader reader;
    struct fly_msg msg;
    struct fly_root root;
    uint64_t id;
    more_of(wire)->key_at = FLY_KEY_NONE;
    more_of(wire)->key_bytes = 9;
    fly_frame_reader_init(&reader, frame, 512);
    assert_true(fly_frame_next_run(&reader, &root, &id));
    assert_int_equal(fly_frame_read(&reader, &msg, 1), 1);
    assert_null(msg.key);
    assert_int_equal(msg.key_bytes, 0);
    free(frame);
}

static void test_where_a_key_is(void **state)
{
    (void)state;
    static uint8_t bytes[70000];
    struct fly_msg msg = {.payload = bytes, .payload_bytes = 100, .key_bytes = 5};
    assert_int_equal(fly_key_at(&msg), FLY_KEY_NONE);
    msg.key = bytes;
    assert_int_equal(fly_key_at(&msg), 0);
    msg.key = bytes + 95;
    assert_int_equal(fly_key_at(&msg), 95);
    msg.key = bytes + 96; /* runs into the metadata */
    assert_int_equal(fly_key_at(&msg), FLY_KEY_APART);
    msg.key = bytes + 100;
    msg.key_bytes = 0;
    assert_int_equal(fly_key_at(&msg), 100);
    msg.key = bytes + 101;
    assert_int_equal(fly_key_at(&msg), FLY_KEY_APART);
    msg.payload = bytes + 50;
    msg.key = bytes + 49; /* before the payload */
    msg.key_bytes = 10;
    assert_int_equal(fly_key_at(&msg), FLY_KEY_APART);
    msg = (struct fly_msg){.payload = bytes, .payload_bytes = sizeof(bytes), .key_bytes = 1};
    msg.key = bytes + FLY_KEY_APART - 1;
    assert_int_equal(fly_key_at(&msg), FLY_KEY_APART - 1);
    msg.key = bytes + FLY_KEY_APART; /* offsets that mean something else */
    assert_int_equal(fly_key_at(&msg), FLY_KEY_APART);
    msg.key = bytes + FLY_KEY_NONE;
    assert_int_equal(fly_key_at(&msg), FLY_KEY_APART);
    msg = (struct fly_msg){.payload = NULL, .key = bytes, .key_bytes = 3};
    assert_int_equal(fly_key_at(&msg), FLY_KEY_APART);
}

static void test_every_kind_of_message_survives(void **state)
{
    (void)state;
    static const uint8_t bytes[] = "0123456789abcdefmetadata";
    static const uint8_t key[] = "a key of its own";
    struct fly_msg msg = {.payload = bytes, .payload_bytes = 16, .flags = 0xfd};
    assert_survives(&msg);
    msg.meta_bytes = 8;
    assert_survives(&msg);
    msg.key_hash = UINT32_MAX;
    msg.key = bytes + 4;
    msg.key_bytes = 12;
    assert_survives(&msg);
    msg.key = key;
    msg.key_bytes = sizeof(key);
    assert_survives(&msg);
    msg.key_bytes = 0;
    assert_survives(&msg);
    msg.key = bytes;
    assert_survives(&msg);
    msg.payload_bytes = 0;
    assert_survives(&msg);
    msg.meta_bytes = 0;
    assert_survives(&msg);
    msg.key = key;
    msg.key_bytes = 1;
    assert_survives(&msg);
    assert_survives(&(struct fly_msg){0});
}

static void test_every_short_length_survives(void **state)
{
    (void)state;
    static const uint8_t bytes[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    for (uint32_t payload_bytes = 0; payload_bytes <= 20; payload_bytes++)
        for (uint32_t key_bytes = 0; key_bytes <= 16; key_bytes++)
            assert_survives(&(struct fly_msg){.payload = bytes,
                                              .payload_bytes = payload_bytes,
                                              .key = bytes + 20,
                                              .key_bytes = key_bytes});
}

/* The lengths inside a frame have 16 bits, whatever frames are allowed. */
static void test_the_longest_lengths_survive(void **state)
{
    (void)state;
    uint8_t *bytes = malloc(2 * (size_t)UINT16_MAX);
    assert_non_null(bytes);
    for (size_t i = 0; i < 2 * (size_t)UINT16_MAX; i++)
        bytes[i] = (uint8_t)(i * 31);
    struct fly_msg msg = {.payload = bytes, .payload_bytes = UINT16_MAX};
    assert_survives(&msg);
    msg.key = bytes + 7;
    msg.key_bytes = UINT16_MAX - 7;
    assert_survives(&msg);
    msg.key = bytes + UINT16_MAX;
    msg.key_bytes = UINT16_MAX;
    assert_survives(&msg);
    msg.meta_bytes = UINT16_MAX;
    assert_survives(&msg);
    free(bytes);
}

static void test_the_payload_is_aligned_for_its_header(void **state)
{
    (void)state;
    struct fly_frame *frame = new_frame(512);
    struct fly_frame_writer writer;
    fly_frame_open(&writer, frame, 512, 3, 0);
    for (uint32_t i = 0; i < 8; i++) {
        struct fly_msg msg = text("1234567");
        msg.payload_bytes = i;
        append(&writer, i + 1, &msg, i % 2 == 0);
        assert_int_equal((uintptr_t)writer.at % FLY_FRAME_ALIGN, 0);
    }
    assert_int_equal(frame->run_cnt, 4);
    assert_int_equal(frame->msg_cnt, 8);
    assert_int_equal(frame->used_bytes, writer.at - frame->data);
    free(frame);
}

static void test_a_run_id_is_named_by_seed_and_place(void **state)
{
    (void)state;
    assert_int_equal(fly_run_id(1, 0), fly_run_id(1, 0));
    assert_int_not_equal(fly_run_id(1, 0), fly_run_id(1, 1));
    assert_int_not_equal(fly_run_id(1, 0), fly_run_id(2, 0));
    /* The one input that mixes to 0. */
    uint64_t seed = UINT64_C(0) - UINT64_C(0x9e3779b97f4a7c15);
    assert_int_not_equal(fly_run_id(seed, 0), 0);
}

/* What a random frame was filled with. */
struct model {
    struct fly_msg msg[MSG_MAX];
    uint64_t root[MSG_MAX];
    uint64_t id[MSG_MAX]; /* of the message's run */
    uint32_t cnt;
};

static struct fly_msg random_msg(struct fly_rng *rng, const uint8_t *pool, uint32_t pool_bytes)
{
    uint32_t most = fly_rng_below(rng, 8) ? 40 : pool_bytes / 3;
    struct fly_msg msg = {
        .payload_bytes = (uint32_t)fly_rng_below(rng, most),
        .flags = (uint32_t)fly_rng_next(rng) & 0xff,
        .key_hash = (uint32_t)fly_rng_next(rng),
    };
    msg.payload = pool + fly_rng_below(rng, pool_bytes / 3);
    if (fly_rng_below(rng, 4) == 0)
        msg.meta_bytes = (uint32_t)fly_rng_below(rng, most);
    switch (fly_rng_below(rng, 4)) {
    case 0:
        break;
    case 3:
        msg.key = msg.payload;
        msg.key_bytes = msg.payload_bytes;
        break;
    case 1:
        msg.key = pool + fly_rng_below(rng, pool_bytes / 2);
        msg.key_bytes = (uint32_t)fly_rng_below(rng, most);
        break;
    default:
        msg.key_bytes = (uint32_t)fly_rng_below(rng, msg.payload_bytes + 1);
        msg.key = msg.payload + fly_rng_below(rng, msg.payload_bytes - msg.key_bytes + 1);
    }
    return msg;
}

static void fill(struct fly_rng *rng, struct fly_frame *frame, uint64_t bytes, struct model *model,
                 const uint8_t *pool, uint32_t pool_bytes)
{
    struct fly_frame_writer writer;
    uint64_t root = 0, id = 0;
    model->cnt = 0;
    fly_frame_open(&writer, frame, bytes, fly_rng_next(rng), 0);
    while (model->cnt < MSG_MAX) {
        struct fly_msg msg = random_msg(rng, pool, pool_bytes);
        bool new_run = model->cnt == 0 || fly_rng_below(rng, 4) == 0;
        if (fly_frame_need(fly_shape_of(&msg), new_run) > (uint64_t)(writer.end - writer.at))
            break;
        root = new_run ? fly_rng_next(rng) : root;
        uint64_t given = append(&writer, root, &msg, new_run);
        id = new_run ? given : id;
        model->msg[model->cnt] = msg;
        model->root[model->cnt] = root;
        model->id[model->cnt++] = id;
    }
}

static void read_back(struct fly_rng *rng, const struct fly_frame *frame, uint64_t bytes,
                      const struct model *model)
{
    struct fly_frame_reader reader;
    struct fly_msg msg[64];
    struct fly_root root;
    uint64_t id;
    uint32_t seen = 0, runs = 0;
    fly_frame_reader_init(&reader, frame, bytes);
    for (; fly_frame_next_run(&reader, &root, &id); runs++) {
        assert_true(fly_frame_in_run(&reader));
        while (fly_frame_in_run(&reader)) {
            uint32_t got = fly_frame_read(&reader, msg, 1 + (uint32_t)fly_rng_below(rng, 64));
            assert_true(got > 0 && seen + got <= model->cnt);
            for (uint32_t i = 0; i < got; i++, seen++) {
                assert_same(&msg[i], &model->msg[seen]);
                assert_int_equal(root.bits, model->root[seen]);
                assert_int_equal(id, model->id[seen]);
            }
        }
    }
    assert_false(reader.corrupt);
    assert_int_equal(seen, model->cnt);
    assert_int_equal(seen, frame->msg_cnt);
    assert_int_equal(runs, frame->run_cnt);
}

static void test_random_messages_come_back(void **state)
{
    (void)state;
    struct fly_rng rng;
    fly_rng_init(&rng, test_seed());
    static uint8_t pool[4096];
    for (size_t i = 0; i < sizeof(pool); i++)
        pool[i] = (uint8_t)fly_rng_next(&rng);
    struct model *model = malloc(sizeof(*model));
    assert_non_null(model);
    uint64_t total = 0;
    for (int round = 0; round < FRAME_CNT_RANDOM; round++) {
        uint64_t bytes = FLY_FRAME_BYTES_MIN + fly_rng_below(&rng, 8192);
        struct fly_frame *frame = new_frame(bytes);
        fill(&rng, frame, bytes, model, pool, sizeof(pool));
        read_back(&rng, frame, bytes, model);
        total += model->cnt;
        free(frame);
    }
    assert_true(total > 10000);
    free(model);
}

/* The short way writes what the long way does. */
static void test_short_messages_are_written_alike(void **state)
{
    (void)state;
    struct fly_rng rng;
    fly_rng_init(&rng, test_seed());
    static FLY_ALIGNED(4096) uint8_t pool[8192];
    for (size_t i = 0; i < sizeof(pool); i++)
        pool[i] = (uint8_t)fly_rng_next(&rng);
    uint32_t short_cnt = 0;
    for (int round = 0; round < 20000; round++) {
        struct fly_frame *frame[2] = {new_frame(512), new_frame(512)};
        struct fly_frame_writer writer[2];
        struct fly_msg msg = {.payload = pool + fly_rng_below(&rng, 8000),
                              .payload_bytes = (uint32_t)fly_rng_below(&rng, 24),
                              .flags = (uint32_t)fly_rng_below(&rng, 256),
                              .key_hash = (uint32_t)fly_rng_next(&rng)};
        if (fly_rng_below(&rng, 2)) {
            msg.key = msg.payload;
            msg.key_bytes = msg.payload_bytes;
        }
        for (int i = 0; i < 2; i++) {
            memset(frame[i]->data, 0, 512);
            fly_frame_open(&writer[i], frame[i], 512, 1, 0);
        }
        append(&writer[0], 5, &msg, true);
        if (fly_frame_is_short(&msg)) {
            fly_frame_begin_run(&writer[1], 5);
            fly_frame_append_short(&writer[1], &msg);
            fly_frame_finish(&writer[1]);
            uint64_t bytes = sizeof(struct fly_run) + sizeof(struct fly_wire_msg);
            assert_memory_equal(frame[0]->data, frame[1]->data, bytes + msg.payload_bytes);
            assert_int_equal(frame[0]->used_bytes, frame[1]->used_bytes);
            assert_true(frame[1]->used_bytes <= FLY_SHORT_NEED);
            short_cnt++;
        }
        free(frame[0]);
        free(frame[1]);
    }
    assert_true(FLY_COPIES_WIDE ? short_cnt > 10000 : short_cnt == 0);
}

/* Random damage: nothing is read from outside the frame, whatever it says (AddressSanitizer). */
static void test_random_damage_never_leads_outside(void **state)
{
    (void)state;
    struct fly_rng rng;
    fly_rng_init(&rng, test_seed());
    struct fly_msg msg[8];
    struct fly_root root;
    uint64_t id;
    for (int round = 0; round < 20000; round++) {
        struct fly_run *run;
        struct fly_wire_msg *wire;
        struct fly_frame *frame = small_frame(&run, &wire);
        for (uint64_t hits = 1 + fly_rng_below(&rng, 4); hits; hits--)
            frame->data[fly_rng_below(&rng, frame->used_bytes)] = (uint8_t)fly_rng_next(&rng);
        struct fly_frame_reader reader;
        fly_frame_reader_init(&reader, frame, 512);
        while (fly_frame_next_run(&reader, &root, &id))
            while (fly_frame_in_run(&reader))
                for (uint32_t i = fly_frame_read(&reader, msg, 8); i-- > 0;) {
                    const uint8_t *end = msg[i].payload + msg[i].payload_bytes + msg[i].meta_bytes;
                    assert_true(msg[i].payload >= frame->data && end <= frame->data + 512);
                    if (msg[i].key)
                        assert_true(msg[i].key >= msg[i].payload &&
                                    msg[i].key + msg[i].key_bytes <= frame->data + 512);
                }
        free(frame);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_a_stride_is_an_odd_number_of_lines),
        cmocka_unit_test(test_a_used_length_beyond_the_frame_is_refused),
        cmocka_unit_test(test_an_empty_frame_has_no_run),
        cmocka_unit_test(test_a_run_that_lies_is_refused),
        cmocka_unit_test(test_a_run_without_messages_is_refused),
        cmocka_unit_test(test_a_run_hides_no_other_run),
        cmocka_unit_test(test_a_message_that_lies_is_refused),
        cmocka_unit_test(test_a_header_that_ends_with_its_run_is_refused),
        cmocka_unit_test(test_what_was_whole_before_the_bad_place_is_delivered),
        cmocka_unit_test(test_no_key_length_without_a_key),
        cmocka_unit_test(test_where_a_key_is),
        cmocka_unit_test(test_every_kind_of_message_survives),
        cmocka_unit_test(test_every_short_length_survives),
        cmocka_unit_test(test_the_longest_lengths_survive),
        cmocka_unit_test(test_the_payload_is_aligned_for_its_header),
        cmocka_unit_test(test_a_run_id_is_named_by_seed_and_place),
        cmocka_unit_test(test_random_messages_come_back),
        cmocka_unit_test(test_short_messages_are_written_alike),
        cmocka_unit_test(test_random_damage_never_leads_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
