#include "msg/blocks.h"

#include "base/mix.h"
#include "msg/frame_write.h"
#include "support/unit.h"

#define OP_CNT 100000
#define KEPT_MAX 200
#define POOL_BYTES 6000
#define GUARD 0x5a

/* A store between guard bytes. */
struct fixture {
    uint64_t bytes;
    uint8_t *memory;
    struct fly_blocks *blocks;
};

static void open_store(struct fixture *fix, uint64_t bytes)
{
    fix->bytes = fly_blocks_footprint(bytes);
    fix->memory = aligned_alloc(FLY_CACHE_LINE, fix->bytes + 2 * (uint64_t)FLY_CACHE_LINE);
    assert_non_null(fix->memory);
    memset(fix->memory, GUARD, fix->bytes + 2 * (uint64_t)FLY_CACHE_LINE);
    fix->blocks = (struct fly_blocks *)(void *)(fix->memory + FLY_CACHE_LINE);
    fly_blocks_init(fix->blocks, bytes);
}

static void close_store(struct fixture *fix)
{
    for (int i = 0; i < FLY_CACHE_LINE; i++) {
        assert_int_equal(fix->memory[i], GUARD);
        assert_int_equal(fix->memory[FLY_CACHE_LINE + fix->bytes + (uint64_t)i], GUARD);
    }
    free(fix->memory);
}

static uint32_t blocks_of(const struct fly_msg *msg)
{
    return fly_blocks_for(fly_msg_content_bytes(msg, fly_key_at(msg)));
}

/* The copy must be like the original, gathered into a buffer of exactly the told size. */
static void assert_kept(const struct fly_blocks *blocks, uint32_t handle, const struct fly_msg *msg)
{
    uint64_t bytes = fly_blocks_bytes(blocks, handle);
    uint8_t *buffer = malloc(bytes ? bytes : 1);
    assert_non_null(buffer);
    struct fly_msg got;
    memset(&got, 0xff, sizeof(got));
    fly_blocks_get(blocks, handle, buffer, &got);
    assert_null(got.anchor);
    assert_int_equal(got.payload_bytes, msg->payload_bytes);
    assert_int_equal(got.meta_bytes, msg->meta_bytes);
    assert_int_equal(got.flags, msg->flags);
    assert_int_equal(got.key_hash, msg->key_hash);
    assert_int_equal(got.key != NULL, msg->key != NULL);
    assert_int_equal(got.key_bytes, msg->key ? msg->key_bytes : 0);
    if (msg->payload_bytes + msg->meta_bytes)
        assert_memory_equal(got.payload, msg->payload, msg->payload_bytes + msg->meta_bytes);
    if (got.key_bytes)
        assert_memory_equal(got.key, msg->key, got.key_bytes);
    free(buffer);
}

static void test_layout(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct fly_blocks), FLY_CACHE_LINE);
    assert_int_equal(sizeof(struct fly_stored), 24);
    assert_int_equal(fly_blocks_footprint(0), 64);
    assert_int_equal(fly_blocks_footprint(1), 64 + 256);
    assert_int_equal(fly_blocks_footprint(256), 64 + 256);
    assert_int_equal(fly_blocks_footprint(257), 64 + 512);
}

static void test_an_empty_store_refuses_everything(void **state)
{
    (void)state;
    struct fixture fix;
    open_store(&fix, 0);
    assert_int_equal(fly_blocks_room(fix.blocks), 0);
    assert_int_equal(fly_blocks_put(fix.blocks, &(struct fly_msg){0}), FLY_BLOCK_NONE);
    fly_blocks_free(fix.blocks, FLY_BLOCK_NONE);
    assert_int_equal(fly_blocks_room(fix.blocks), 0);
    close_store(&fix);
}

static void test_a_full_store_refuses_and_changes_nothing(void **state)
{
    (void)state;
    struct fixture fix;
    static const uint8_t bytes[1000] = "full";
    struct fly_msg msg = {.payload = bytes, .payload_bytes = 3 * 248 - 24};
    open_store(&fix, 1024);
    uint32_t kept = fly_blocks_put(fix.blocks, &msg);
    assert_int_not_equal(kept, FLY_BLOCK_NONE);
    assert_int_equal(fly_blocks_room(fix.blocks), 1);
    uint8_t *before = malloc(fix.bytes);
    assert_non_null(before);
    memcpy(before, fix.blocks, fix.bytes);
    msg.payload_bytes = 225; /* one byte over one block */
    assert_int_equal(fly_blocks_put(fix.blocks, &msg), FLY_BLOCK_NONE);
    assert_memory_equal(before, fix.blocks, fix.bytes);
    msg.payload_bytes = 224;
    assert_int_not_equal(fly_blocks_put(fix.blocks, &msg), FLY_BLOCK_NONE);
    assert_int_equal(fly_blocks_room(fix.blocks), 0);
    msg.payload_bytes = 0;
    assert_int_equal(fly_blocks_put(fix.blocks, &msg), FLY_BLOCK_NONE);
    free(before);
    close_store(&fix);
}

static void test_room_is_exact_at_every_length(void **state)
{
    (void)state;
    struct fixture fix;
    static uint8_t bytes[800];
    open_store(&fix, 1024);
    for (uint32_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    for (uint32_t cnt = 0; cnt <= 4 * 248 - 24 - 200; cnt++) {
        struct fly_msg msg = {.payload = bytes, .payload_bytes = cnt, .key = bytes + 600};
        msg.key_bytes = cnt < 600 ? 100 : 0;
        uint32_t room = fly_blocks_room(fix.blocks);
        uint32_t kept = fly_blocks_put(fix.blocks, &msg);
        assert_int_equal(room - fly_blocks_room(fix.blocks), blocks_of(&msg));
        assert_kept(fix.blocks, kept, &msg);
        fly_blocks_free(fix.blocks, kept);
        assert_int_equal(fly_blocks_room(fix.blocks), room);
    }
    close_store(&fix);
}

static void test_a_short_message_is_seen_in_place(void **state)
{
    (void)state;
    struct fixture fix;
    struct fly_msg got, msg = {.payload = (const uint8_t *)"abc", .payload_bytes = 3};
    open_store(&fix, 256);
    msg.key = msg.payload + 1;
    msg.key_bytes = 2;
    fly_blocks_get(fix.blocks, fly_blocks_put(fix.blocks, &msg), NULL, &got);
    assert_memory_equal(got.payload, "abc", 3);
    assert_ptr_equal(got.key, got.payload + 1);
    close_store(&fix);
}

static void test_no_key_length_without_a_key(void **state)
{
    (void)state;
    struct fixture fix;
    struct fly_msg got, msg = {.payload = (const uint8_t *)"abc", .payload_bytes = 3};
    open_store(&fix, 256);
    msg.key_bytes = 7;
    fly_blocks_get(fix.blocks, fly_blocks_put(fix.blocks, &msg), NULL, &got);
    assert_null(got.key);
    assert_int_equal(got.key_bytes, 0);
    close_store(&fix);
}

/* What should be in the store. */
struct model {
    struct fly_msg msg[KEPT_MAX];
    uint32_t handle[KEPT_MAX];
    uint32_t cnt;
    uint32_t room;
};

static struct fly_msg random_msg(struct fly_rng *rng, const uint8_t *pool)
{
    uint32_t most = fly_rng_below(rng, 10) ? 300 : 1500;
    struct fly_msg msg = {
        .payload = pool + fly_rng_below(rng, 1000),
        .payload_bytes = (uint32_t)fly_rng_below(rng, most),
        .meta_bytes = fly_rng_below(rng, 4) ? 0 : (uint32_t)fly_rng_below(rng, most),
        .flags = (uint32_t)fly_rng_next(rng),
        .key_hash = (uint32_t)fly_rng_next(rng),
    };
    if (fly_rng_below(rng, 3)) {
        msg.key = pool + fly_rng_below(rng, 4000);
        msg.key_bytes = (uint32_t)fly_rng_below(rng, most);
    }
    return msg;
}

static void step_put(struct fly_blocks *blocks, struct model *model, const struct fly_msg *msg)
{
    uint32_t handle = fly_blocks_put(blocks, msg), need = blocks_of(msg);
    assert_int_equal(handle == FLY_BLOCK_NONE, need > model->room);
    if (handle == FLY_BLOCK_NONE)
        return;
    model->room -= need;
    model->msg[model->cnt] = *msg;
    model->handle[model->cnt++] = handle;
}

static void step_free(struct fly_blocks *blocks, struct model *model, uint32_t idx)
{
    assert_kept(blocks, model->handle[idx], &model->msg[idx]);
    fly_blocks_free(blocks, model->handle[idx]);
    model->room += blocks_of(&model->msg[idx]);
    model->cnt--;
    model->msg[idx] = model->msg[model->cnt];
    model->handle[idx] = model->handle[model->cnt];
}

static void test_random_operations_against_copies(void **state)
{
    (void)state;
    struct fixture fix;
    struct fly_rng rng;
    fly_rng_init(&rng, test_seed());
    static uint8_t pool[POOL_BYTES];
    for (size_t i = 0; i < sizeof(pool); i++)
        pool[i] = (uint8_t)fly_rng_next(&rng);
    static struct model model;
    open_store(&fix, UINT64_C(100) * FLY_BLOCK_BYTES);
    model = (struct model){.room = 100};
    for (int op = 0; op < OP_CNT; op++) {
        /* Long phases of filling and of emptying, so that full and empty both happen. */
        bool fills = fly_rng_below(&rng, 100) < (op / 1000 % 2 ? 30U : 70U);
        if (fills && model.cnt < KEPT_MAX) {
            struct fly_msg msg = random_msg(&rng, pool);
            step_put(fix.blocks, &model, &msg);
        } else if (model.cnt) {
            step_free(fix.blocks, &model, (uint32_t)fly_rng_below(&rng, model.cnt));
        }
        assert_int_equal(fly_blocks_room(fix.blocks), model.room);
    }
    while (model.cnt)
        step_free(fix.blocks, &model, 0);
    assert_int_equal(fly_blocks_room(fix.blocks), 100);
    close_store(&fix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_store_refuses_everything),
        cmocka_unit_test(test_a_full_store_refuses_and_changes_nothing),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_room_is_exact_at_every_length),
        cmocka_unit_test(test_a_short_message_is_seen_in_place),
        cmocka_unit_test(test_no_key_length_without_a_key),
        cmocka_unit_test(test_random_operations_against_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
