#include "ring/spsc.h"

#include <errno.h>

#include "base/err.h"
#include "base/mix.h"
#include "support/unit.h"

#define GUARD_BYTES ((size_t)256)
#define GUARD_FILL 0x5a
#define SLOT_CNT_MAX 64

/* A ring of either kind between guard bytes; elements are named by one number. */
struct fixture {
    bool wide;
    uint64_t slot_cnt;
    size_t bytes;
    unsigned char *memory;
    void *ring;
    struct fly_ring8_tx tx8;
    struct fly_ring8_rx rx8;
    struct fly_ring16_tx tx16;
    struct fly_ring16_rx rx16;
};

static void attach_both(struct fixture *fix)
{
    if (fix->wide) {
        assert_int_equal(fly_ring16_attach_tx(&fix->tx16, fix->ring, fix->bytes), 0);
        assert_int_equal(fly_ring16_attach_rx(&fix->rx16, fix->ring, fix->bytes), 0);
    } else {
        assert_int_equal(fly_ring8_attach_tx(&fix->tx8, fix->ring, fix->bytes), 0);
        assert_int_equal(fly_ring8_attach_rx(&fix->rx8, fix->ring, fix->bytes), 0);
    }
}

static void open_ring(struct fixture *fix, bool wide, uint64_t slot_cnt, uint64_t start_idx)
{
    *fix = (struct fixture){.wide = wide, .slot_cnt = slot_cnt};
    fix->bytes = wide ? fly_ring16_footprint(slot_cnt) : fly_ring8_footprint(slot_cnt);
    fix->memory = aligned_alloc(FLY_RING_ALIGN, fix->bytes + 2 * GUARD_BYTES);
    assert_non_null(fix->memory);
    memset(fix->memory, GUARD_FILL, fix->bytes + 2 * GUARD_BYTES);
    fix->ring = fix->memory + GUARD_BYTES;
    assert_int_equal(wide ? fly_ring16_init_at(fix->ring, slot_cnt, start_idx)
                          : fly_ring8_init_at(fix->ring, slot_cnt, start_idx),
                     0);
    attach_both(fix);
}

static void close_ring(struct fixture *fix)
{
    for (size_t i = 0; i < GUARD_BYTES; i++) {
        assert_int_equal(fix->memory[i], GUARD_FILL);
        assert_int_equal(fix->memory[GUARD_BYTES + fix->bytes + i], GUARD_FILL);
    }
    free(fix->memory);
}

static struct fly_ring_pair pair_of(uint64_t value)
{
    return (struct fly_ring_pair){.a = value, .b = ~value};
}

static uint32_t stage(struct fixture *fix, const uint64_t *values, uint32_t cnt)
{
    /* One has a way of its own. */
    if (cnt == 1)
        return fix->wide ? fly_ring16_stage(&fix->tx16, pair_of(*values))
                         : fly_ring8_stage(&fix->tx8, *values);
    if (!fix->wide)
        return fly_ring8_stage_burst(&fix->tx8, values, cnt);
    struct fly_ring_pair pairs[2 * SLOT_CNT_MAX];
    for (uint32_t i = 0; i < cnt; i++)
        pairs[i] = pair_of(values[i]);
    return fly_ring16_stage_burst(&fix->tx16, pairs, cnt);
}

static uint32_t publish(struct fixture *fix)
{
    return fix->wide ? fly_ring16_publish(&fix->tx16) : fly_ring8_publish(&fix->tx8);
}

static uint32_t take(struct fixture *fix, uint64_t *values, uint32_t cnt, bool keep)
{
    if (!fix->wide)
        return keep ? fly_ring8_peek_burst(&fix->rx8, values, cnt)
                    : fly_ring8_pop_burst(&fix->rx8, values, cnt);
    struct fly_ring_pair pairs[2 * SLOT_CNT_MAX];
    uint32_t got = keep ? fly_ring16_peek_burst(&fix->rx16, pairs, cnt)
                        : fly_ring16_pop_burst(&fix->rx16, pairs, cnt);
    for (uint32_t i = 0; i < got; i++) {
        assert_int_equal(pairs[i].b, ~pairs[i].a);
        values[i] = pairs[i].a;
    }
    return got;
}

static bool pending(struct fixture *fix)
{
    return fix->wide ? fly_ring16_pending(&fix->rx16) : fly_ring8_pending(&fix->rx8);
}

static void test_bad_sizes_are_refused(void **state)
{
    (void)state;
    static const uint64_t bad[] = {0, 3, 65, FLY_RING_SLOT_MAX * 2, UINT64_MAX, UINT64_C(1) << 63};
    static FLY_ALIGNED(FLY_RING_ALIGN) unsigned char memory[1024];
    static const unsigned char zero[sizeof(memory)];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(fly_ring8_footprint(bad[i]), 0);
        assert_int_equal(fly_ring16_footprint(bad[i]), 0);
        assert_int_equal(fly_ring8_init(memory, bad[i]), -EINVAL);
        assert_int_equal(fly_ring16_init(memory, bad[i]), -EINVAL);
    }
    assert_int_equal(fly_ring8_init(memory + 64, 4), -EINVAL);
    assert_memory_equal(memory, zero, sizeof(memory));
    assert_int_equal(fly_ring8_footprint(1), 512);
    assert_int_equal(fly_ring8_footprint(64), 384 + 512);
    assert_int_equal(fly_ring16_footprint(64), 384 + 1024);
    assert_int_equal(fly_ring16_footprint(FLY_RING_SLOT_MAX), 384 + FLY_RING_SLOT_MAX * 16);
}

static void test_attaching_to_something_else_is_refused(void **state)
{
    (void)state;
    struct fixture fix;
    open_ring(&fix, false, 64, 0);
    struct fly_ring *ring = fix.ring;
    struct fly_ring8_tx tx8;
    struct fly_ring8_rx rx8;
    struct fly_ring16_rx rx16;
    assert_int_equal(fly_ring8_attach_tx(&tx8, fix.memory + 64, fix.bytes), -EINVAL);
    assert_int_equal(fly_ring8_attach_rx(&rx8, ring, fix.bytes - 1), -EINVAL);
    assert_int_equal(fly_ring8_attach_rx(&rx8, ring, 100), -EINVAL);
    assert_int_equal(fly_ring16_attach_rx(&rx16, ring, fix.bytes), -EPROTO);
    ring->slot_cnt = 63;
    assert_int_equal(fly_ring8_attach_rx(&rx8, ring, fix.bytes), -EPROTO);
    ring->slot_cnt = 128;
    assert_int_equal(fly_ring8_attach_tx(&tx8, ring, fix.bytes), -EINVAL);
    ring->slot_cnt = 64;
    atomic_store(&ring->tail, 65);
    assert_int_equal(fly_ring8_attach_tx(&tx8, ring, fix.bytes), -EPROTO);
    assert_int_equal(fly_ring8_attach_rx(&rx8, ring, fix.bytes), -EPROTO);
    atomic_store(&ring->tail, 64);
    assert_int_equal(fly_ring8_attach_rx(&rx8, ring, fix.bytes), 0);
    atomic_fetch_add(&ring->magic, 1);
    assert_int_equal(fly_ring8_attach_rx(&rx8, ring, fix.bytes), -EPROTO);
    assert_non_null(strstr(fly_err_text(), "not a ring of this version"));
    close_ring(&fix);
}

static void test_fields_of_different_writers_are_apart(void **state)
{
    (void)state;
    assert_int_equal(FLY_RING_ALIGN, 128);
    assert_true(offsetof(struct fly_ring, elem_bytes) + 8 <= 128);
    assert_int_equal(offsetof(struct fly_ring, tail), 128);
    assert_int_equal(offsetof(struct fly_ring, head), 256);
    assert_int_equal(offsetof(struct fly_ring, slot), 384);
    assert_true(sizeof(struct fly_ring8_tx) <= FLY_CACHE_LINE);
    assert_true(sizeof(struct fly_ring8_rx) <= FLY_CACHE_LINE);
}

static void test_staged_elements_are_invisible_until_published(void **state)
{
    (void)state;
    struct fixture fix;
    open_ring(&fix, false, 4, 0);
    uint64_t out[4];
    assert_int_equal(fly_ring8_publish(&fix.tx8), 0);
    assert_true(fly_ring8_stage(&fix.tx8, 11));
    assert_true(fly_ring8_stage(&fix.tx8, 12));
    assert_int_equal(fly_ring8_free(&fix.tx8), 2);
    assert_int_equal(fly_ring8_pop_burst(&fix.rx8, out, 4), 0);
    assert_false(fly_ring8_pending(&fix.rx8));
    assert_int_equal(fly_ring_count(fix.ring), 0);
    assert_true(fly_ring8_push(&fix.tx8, 13));
    assert_int_equal(fly_ring_count(fix.ring), 3);
    assert_true(fly_ring8_pending(&fix.rx8));
    assert_int_equal(fly_ring8_pop_burst(&fix.rx8, out, 4), 3);
    assert_true(out[0] == 11 && out[1] == 12 && out[2] == 13);
    close_ring(&fix);
}

static void test_a_full_ring_takes_what_fits(void **state)
{
    (void)state;
    struct fixture fix;
    open_ring(&fix, true, 4, 0);
    struct fly_ring_pair pairs[6];
    for (uint64_t i = 0; i < 6; i++)
        pairs[i] = pair_of(i);
    assert_int_equal(fly_ring16_push_burst(&fix.tx16, pairs, 6), 4);
    assert_false(fly_ring16_push(&fix.tx16, pairs[4]));
    assert_false(fly_ring16_stage(&fix.tx16, pairs[4]));
    assert_int_equal(fly_ring16_free(&fix.tx16), 0);
    assert_int_equal(fly_ring_count(fix.ring), 4);
    uint64_t out[16];
    assert_int_equal(take(&fix, out, 0, false), 0);
    assert_int_equal(take(&fix, out, 3, true), 3);
    assert_int_equal(take(&fix, out, 1, false), 1);
    assert_int_equal(out[0], 0);
    assert_true(fly_ring16_push(&fix.tx16, pairs[4]));
    assert_int_equal(take(&fix, out, 8, false), 3);
    assert_int_equal(take(&fix, out + 3, 8, false), 1);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(out[i], i + 1);
    close_ring(&fix);
}

static void test_a_new_owner_goes_on(void **state)
{
    (void)state;
    struct fixture fix;
    open_ring(&fix, false, 8, UINT64_MAX - 1);
    uint64_t out[16];
    for (uint64_t i = 0; i < 5; i++)
        assert_true(fly_ring8_push(&fix.tx8, i));
    assert_int_equal(fly_ring8_pop_burst(&fix.rx8, out, 2), 2);
    assert_true(fly_ring8_stage(&fix.tx8, 99));
    attach_both(&fix);
    assert_int_equal(fly_ring8_free(&fix.tx8), 5);
    assert_true(fly_ring8_push(&fix.tx8, 5));
    assert_int_equal(fly_ring8_pop_burst(&fix.rx8, out, 8), 3);
    assert_int_equal(fly_ring8_pop_burst(&fix.rx8, out + 3, 8), 1);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(out[i], i + 2);
    close_ring(&fix);
}

static void test_a_corrupt_tail_reads_as_empty(void **state)
{
    (void)state;
    struct fixture fix;
    open_ring(&fix, false, 8, 5);
    struct fly_ring *ring = fix.ring;
    static const uint64_t bad[] = {4, 0, 14, UINT64_MAX, UINT64_C(1) << 63};
    uint64_t out[16];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        atomic_store(&ring->tail, bad[i]);
        assert_false(fly_ring8_pending(&fix.rx8));
        assert_int_equal(fly_ring8_pop_burst(&fix.rx8, out, 8), 0);
        assert_int_equal(fly_ring8_peek_burst(&fix.rx8, out, 8), 0);
        assert_int_equal(fix.rx8.side.corrupt_cnt, 2 * (i + 1));
    }
    /* Back in range, it delivers again: whatever is in the slots. */
    atomic_store(&ring->tail, 13);
    assert_true(fly_ring8_pending(&fix.rx8));
    assert_int_equal(fly_ring8_pop_burst(&fix.rx8, out, 8), 8);
    close_ring(&fix);
}

static void test_a_corrupt_head_reads_as_full(void **state)
{
    (void)state;
    struct fixture fix;
    open_ring(&fix, false, 4, 5);
    struct fly_ring *ring = fix.ring;
    static const uint64_t bad[] = {4, 0, 10, UINT64_MAX, UINT64_C(1) << 63};
    for (uint64_t i = 0; i < 4; i++)
        assert_true(fly_ring8_push(&fix.tx8, i));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        atomic_store(&ring->head, bad[i]);
        assert_false(fly_ring8_push(&fix.tx8, 7));
        assert_int_equal(fix.tx8.side.corrupt_cnt, i + 1);
        assert_int_equal(fly_ring_count(ring), (int64_t)(9 - bad[i]) > 0 ? 4 : 0);
    }
    atomic_store(&ring->head, 6);
    assert_true(fly_ring8_push(&fix.tx8, 7));
    close_ring(&fix);
}

/* The peer scribbles over everything that is shared, all the time. */
static void test_nothing_the_peer_writes_leads_outside(void **state)
{
    (void)state;
    struct fly_rng rng;
    fly_rng_init(&rng, test_seed());
    struct fixture fix;
    open_ring(&fix, false, 16, 0);
    struct fly_ring *ring = fix.ring;
    uint64_t values[40] = {0};
    for (int op = 0; op < 100000; op++) {
        uint64_t garbage = fly_rng_next(&rng) >> fly_rng_below(&rng, 64);
        atomic_store(&ring->tail, fix.rx8.side.head + (garbage & 1 ? garbage : garbage % 20));
        atomic_store(&ring->head, fix.tx8.side.tail - (garbage & 1 ? garbage : garbage % 20));
        ring->slot_cnt = ring->elem_bytes = garbage;
        uint32_t cnt = (uint32_t)fly_rng_below(&rng, 40);
        assert_true(fly_ring8_push_burst(&fix.tx8, values, cnt) <= 16);
        assert_true(fly_ring8_pop_burst(&fix.rx8, values, cnt) <= 16);
    }
    close_ring(&fix);
}

/* What the ring should be: a queue of numbers in plain arrays. */
struct model {
    uint64_t value[SLOT_CNT_MAX];
    uint32_t cnt;
    uint32_t staged_cnt; /* of these, the last ones */
    uint64_t next;
};

static void step_stage(struct fixture *fix, struct model *model, uint32_t cnt)
{
    uint64_t values[2 * SLOT_CNT_MAX];
    for (uint32_t i = 0; i < cnt; i++)
        values[i] = model->next + i;
    uint32_t room = (uint32_t)fix->slot_cnt - model->cnt;
    uint32_t fits = cnt < room ? cnt : room;
    assert_int_equal(stage(fix, values, cnt), fits);
    memcpy(model->value + model->cnt, values, fits * sizeof(values[0]));
    model->cnt += fits;
    model->staged_cnt += fits;
    model->next += cnt;
}

static void step_take(struct fixture *fix, struct model *model, uint32_t cnt, bool keep)
{
    uint64_t values[2 * SLOT_CNT_MAX];
    uint32_t there = model->cnt - model->staged_cnt;
    assert_int_equal(pending(fix), there > 0);
    uint32_t got = take(fix, values, cnt, keep);
    assert_true(got <= there && got <= cnt && (got > 0 || !there || !cnt));
    assert_memory_equal(values, model->value, got * sizeof(values[0]));
    if (keep)
        return;
    model->cnt -= got;
    memmove(model->value, model->value + got, model->cnt * sizeof(values[0]));
}

static void run_against_model(struct fly_rng *rng, bool wide, uint64_t slot_cnt, int op_cnt)
{
    struct fixture fix;
    struct model model = {.next = fly_rng_next(rng)};
    open_ring(&fix, wide, slot_cnt, UINT64_MAX - fly_rng_below(rng, 500));
    for (int op = 0; op < op_cnt; op++) {
        uint32_t cnt = (uint32_t)fly_rng_below(rng, 2 * slot_cnt);
        switch (fly_rng_below(rng, 10)) {
        case 0:
        case 1:
        case 2:
            step_stage(&fix, &model, cnt);
            break;
        case 3:
        case 4:
        case 5:
            assert_int_equal(publish(&fix), model.staged_cnt);
            model.staged_cnt = 0;
            break;
        case 6:
            step_take(&fix, &model, cnt, true);
            break;
        case 7:
            /* A new process takes both sides; what was staged is gone. */
            attach_both(&fix);
            model.cnt -= model.staged_cnt;
            model.staged_cnt = 0;
            break;
        default:
            step_take(&fix, &model, cnt, false);
        }
        assert_int_equal(fly_ring_count(fix.ring), model.cnt - model.staged_cnt);
        assert_int_equal(wide ? fly_ring16_free(&fix.tx16) : fly_ring8_free(&fix.tx8),
                         slot_cnt - model.cnt);
    }
    assert_int_equal(fix.rx8.side.corrupt_cnt + fix.tx8.side.corrupt_cnt, 0);
    assert_int_equal(fix.rx16.side.corrupt_cnt + fix.tx16.side.corrupt_cnt, 0);
    close_ring(&fix);
}

static void test_random_operations_against_a_queue(void **state)
{
    (void)state;
    struct fly_rng rng;
    fly_rng_init(&rng, test_seed());
    for (uint64_t slot_cnt = 1; slot_cnt <= SLOT_CNT_MAX; slot_cnt *= 2) {
        run_against_model(&rng, false, slot_cnt, 15000);
        run_against_model(&rng, true, slot_cnt, 15000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_sizes_are_refused),
        cmocka_unit_test(test_attaching_to_something_else_is_refused),
        cmocka_unit_test(test_fields_of_different_writers_are_apart),
        cmocka_unit_test(test_staged_elements_are_invisible_until_published),
        cmocka_unit_test(test_a_full_ring_takes_what_fits),
        cmocka_unit_test(test_a_new_owner_goes_on),
        cmocka_unit_test(test_a_corrupt_tail_reads_as_empty),
        cmocka_unit_test(test_a_corrupt_head_reads_as_full),
        cmocka_unit_test(test_nothing_the_peer_writes_leads_outside),
        cmocka_unit_test(test_random_operations_against_a_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
