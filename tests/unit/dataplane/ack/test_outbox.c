#include "ack/outbox.h"

#include "base/mix.h"
#include "support/unit.h"

#define OP_CNT 100000
#define SLOT_CNT 16
#define WORKER 3
#define ATTEMPT_MAX UINT32_C(0x0fffffff)

/* An outbox, and a ring that it flushes to. */
struct fixture {
    struct fly_outbox box;
    uint8_t *memory;
    void *ring;
    struct fly_ring16_tx tx;
    struct fly_ring16_rx rx;
};

static void open_box(struct fixture *fix, uint32_t slot_cnt, uint64_t ring_slot_cnt)
{
    uint64_t bytes = fly_ring16_footprint(ring_slot_cnt);
    *fix = (struct fixture){
        .memory = aligned_alloc(FLY_CACHE_LINE, fly_outbox_footprint(slot_cnt)),
        .ring = aligned_alloc(FLY_RING_ALIGN, fly_align_up(bytes, FLY_RING_ALIGN)),
    };
    assert_non_null(fix->memory);
    assert_non_null(fix->ring);
    fly_outbox_init(&fix->box, fix->memory, slot_cnt);
    assert_int_equal(fly_ring16_init(fix->ring, ring_slot_cnt), 0);
    assert_int_equal(fly_ring16_attach_tx(&fix->tx, fix->ring, bytes), 0);
    assert_int_equal(fly_ring16_attach_rx(&fix->rx, fix->ring, bytes), 0);
}

static void close_box(struct fixture *fix)
{
    free(fix->memory);
    free(fix->ring);
}

static struct fly_root root_of(uint32_t slot, uint32_t incarnation, uint32_t attempt)
{
    return fly_root_make(WORKER, slot, incarnation, attempt);
}

static bool is_fail(struct fly_ring_pair record)
{
    return record.a >> 56 == FLY_ACK_FAIL;
}

/* The box holds exactly this record after merging. */
static void assert_only(struct fixture *fix, struct fly_ring_pair wanted)
{
    fly_outbox_merge(&fix->box);
    assert_int_equal(fix->box.cnt, 1);
    assert_int_equal(fix->box.record[0].a, wanted.a);
    assert_int_equal(fix->box.record[0].b, wanted.b);
    fix->box.cnt = 0;
}

static void test_layout(void **state)
{
    (void)state;
    assert_int_equal(fly_outbox_footprint(1) % FLY_CACHE_LINE, 0);
    assert_int_equal(fly_outbox_footprint(1024), 2 * 1024 * 16 + 1024 * 4);
    assert_int_equal(fly_outbox_footprint(100000), 2 * 100000 * 16 + 100000 * 4);
}

static void test_records(void **state)
{
    (void)state;
    struct fly_root root = fly_root_make(200, 77, 5, 9);
    struct fly_ring_pair record = fly_ack_xor(root, UINT64_MAX);
    assert_int_equal(record.a, fly_root_make(FLY_ACK_XOR, 77, 5, 9).bits);
    assert_int_equal(record.b, UINT64_MAX);
    record = fly_ack_fail(root, 0xabc, 0xdef);
    assert_int_equal(record.a, fly_root_make(FLY_ACK_FAIL, 77, 5, 9).bits);
    assert_int_equal(record.b, 0xdef0abc);
}

static void test_a_slot_that_the_owner_has_not_is_dropped(void **state)
{
    (void)state;
    struct fixture fix;
    open_box(&fix, SLOT_CNT, 16);
    fly_outbox_add(&fix.box, fly_ack_xor(root_of(SLOT_CNT, 1, 1), 7));
    fly_outbox_add(&fix.box, fly_ack_xor(root_of(FLY_ROOT_SLOT_MAX - 1, 1, 1), 7));
    fly_outbox_add(&fix.box, fly_ack_xor(root_of(SLOT_CNT - 1, 1, 1), 8));
    assert_only(&fix, fly_ack_xor(root_of(SLOT_CNT - 1, 1, 1), 8));
    close_box(&fix);
}

static void test_consecutive_updates_become_one(void **state)
{
    (void)state;
    struct fixture fix;
    open_box(&fix, SLOT_CNT, 16);
    for (uint64_t id = 1; id <= 8; id *= 2)
        fly_outbox_add(&fix.box, fly_ack_xor(root_of(2, 1, 1), id));
    assert_int_equal(fix.box.cnt, 1);
    assert_int_equal(fix.box.record[0].b, 15);
    fly_outbox_add(&fix.box, fly_ack_xor(root_of(2, 1, 2), 1)); /* another attempt */
    assert_int_equal(fix.box.cnt, 2);
    close_box(&fix);
}

static void test_a_fail_beats_ids_in_either_order(void **state)
{
    (void)state;
    struct fixture fix;
    struct fly_root root = root_of(2, 1, 1), other = root_of(3, 1, 1);
    open_box(&fix, SLOT_CNT, 16);
    fly_outbox_add(&fix.box, fly_ack_xor(root, 5));
    fly_outbox_add(&fix.box, fly_ack_fail(root, 1, 2));
    assert_only(&fix, fly_ack_fail(root, 1, 2));
    fly_outbox_add(&fix.box, fly_ack_fail(root, 1, 2));
    fly_outbox_add(&fix.box, fly_ack_xor(root, 5));
    assert_only(&fix, fly_ack_fail(root, 1, 2));
    fly_outbox_add(&fix.box, fly_ack_fail(root, 1, 2)); /* the first reason stays */
    fly_outbox_add(&fix.box, fly_ack_fail(root, 3, 4));
    fly_outbox_add(&fix.box, fly_ack_xor(root, 5));
    assert_only(&fix, fly_ack_fail(root, 1, 2));
    fly_outbox_add(&fix.box, fly_ack_xor(root, 1));
    fly_outbox_add(&fix.box, fly_ack_xor(other, 8));
    fly_outbox_add(&fix.box, fly_ack_xor(root, 2));
    fly_outbox_merge(&fix.box);
    assert_int_equal(fix.box.cnt, 2);
    assert_int_equal(fix.box.record[0].b, 3);
    assert_int_equal(fix.box.record[1].b, 8);
    close_box(&fix);
}

/* Of two attempts of one slot only the newer one's record stays, whichever came first. */
static void assert_newer_wins(struct fixture *fix, struct fly_root older, struct fly_root newer)
{
    fly_outbox_add(&fix->box, fly_ack_fail(older, 1, 1));
    fly_outbox_add(&fix->box, fly_ack_xor(newer, 5));
    assert_only(fix, fly_ack_xor(newer, 5));
    fly_outbox_add(&fix->box, fly_ack_xor(newer, 5));
    fly_outbox_add(&fix->box, fly_ack_fail(older, 1, 1));
    assert_only(fix, fly_ack_xor(newer, 5));
    fly_outbox_add(&fix->box, fly_ack_xor(older, 9));
    fly_outbox_add(&fix->box, fly_ack_fail(newer, 2, 2));
    assert_only(fix, fly_ack_fail(newer, 2, 2));
}

static void test_a_newer_attempt_replaces_an_older_one(void **state)
{
    (void)state;
    struct fixture fix;
    open_box(&fix, SLOT_CNT, 16);
    assert_newer_wins(&fix, root_of(0, 1, 1), root_of(0, 1, 2));
    assert_newer_wins(&fix, root_of(15, 255, 7), root_of(15, 255, ATTEMPT_MAX / 2));
    close_box(&fix);
}

static void test_attempts_that_wrap_are_newer(void **state)
{
    (void)state;
    struct fixture fix;
    open_box(&fix, SLOT_CNT, 16);
    struct fly_root last = root_of(4, 7, ATTEMPT_MAX);
    assert_newer_wins(&fix, last, fly_root_next(last));
    assert_newer_wins(&fix, root_of(4, 7, ATTEMPT_MAX - 5), root_of(4, 7, 100));
    last = root_of(4, 255, ATTEMPT_MAX);
    assert_newer_wins(&fix, last, fly_root_next(last));
    close_box(&fix);
}

static void test_a_later_incarnation_is_newer_whatever_the_attempt(void **state)
{
    (void)state;
    struct fixture fix;
    open_box(&fix, SLOT_CNT, 16);
    assert_newer_wins(&fix, root_of(4, 7, 5000), root_of(4, 8, 1));
    assert_newer_wins(&fix, root_of(4, 7, 1), root_of(4, 8, ATTEMPT_MAX));
    assert_newer_wins(&fix, root_of(4, 7, ATTEMPT_MAX), root_of(4, 8, 1));
    assert_newer_wins(&fix, root_of(4, 255, 5000), root_of(4, 0, 1)); /* incarnations wrap, too */
    assert_newer_wins(&fix, root_of(4, 255, 1), root_of(4, 0, ATTEMPT_MAX));
    close_box(&fix);
}

static void test_adding_never_overflows(void **state)
{
    (void)state;
    static const uint32_t slot_cnts[] = {1, 2, 1023, 1024, 1025, 3000};
    for (size_t i = 0; i < sizeof(slot_cnts) / sizeof(slot_cnts[0]); i++) {
        struct fixture fix;
        uint32_t cnt = slot_cnts[i];
        open_box(&fix, cnt, 16);
        for (uint32_t add = 0; add < 5 * fix.box.max; add++) {
            uint32_t slot = add % (cnt + 1); /* one of them is foreign */
            struct fly_root root = root_of(slot, 1, 1 + add / 7);
            fly_outbox_add(&fix.box, add % 3 ? fly_ack_xor(root, add) : fly_ack_fail(root, 1, 2));
            assert_true(fix.box.cnt <= fix.box.max);
        }
        fly_outbox_merge(&fix.box);
        assert_true(fix.box.cnt <= cnt);
        close_box(&fix);
    }
}

static void test_what_does_not_fit_stays_in_order(void **state)
{
    (void)state;
    struct fixture fix;
    struct fly_ring_pair got[8];
    open_box(&fix, SLOT_CNT, 4);
    for (uint32_t slot = 0; slot < 10; slot++)
        fly_outbox_add(&fix.box, fly_ack_xor(root_of(slot, 1, 1), slot));
    assert_int_equal(fly_outbox_flush(&fix.box, &fix.tx), 4);
    assert_int_equal(fix.box.cnt, 6);
    assert_int_equal(fly_outbox_flush(&fix.box, &fix.tx), 0);
    assert_false(fly_ring16_pending(&fix.rx)); /* staged, not published */
    fly_ring16_publish(&fix.tx);
    uint32_t slot = 0;
    for (uint32_t cnt; (cnt = fly_ring16_pop_burst(&fix.rx, got, 8)) != 0;) {
        for (uint32_t i = 0; i < cnt; i++, slot++)
            assert_int_equal(got[i].b, slot);
        fly_outbox_flush(&fix.box, &fix.tx);
        fly_ring16_publish(&fix.tx);
    }
    assert_int_equal(slot, 10);
    assert_int_equal(fix.box.cnt, 0);
    assert_int_equal(fly_outbox_flush(&fix.box, &fix.tx), 0);
    close_box(&fix);
}

/* What the owner must know of each slot's newest attempt, and what it got told. */
struct fate {
    struct fly_root root, former;
    uint64_t sent, told;
    bool fail_sent, fail_told;
};

static void deliver(struct fixture *fix, struct fate *fates, uint32_t cnt)
{
    struct fly_ring_pair got[64] = {{0}};
    cnt = fly_ring16_pop_burst(&fix->rx, got, cnt);
    for (uint32_t i = 0; i < cnt; i++) {
        struct fly_root root = {(got[i].a << 8 >> 8) | (uint64_t)WORKER << 56};
        struct fate *fate = &fates[fly_root_slot(root)];
        if (root.bits != fate->root.bits)
            continue; /* late */
        if (is_fail(got[i]))
            fate->fail_told = true;
        else
            fate->told ^= got[i].b;
    }
}

static void step_add(struct fixture *fix, struct fate *fate, struct fly_rng *rng)
{
    uint64_t pick = fly_rng_below(rng, 100);
    struct fly_root root = fate->root;
    if (pick < 5)
        *fate = (struct fate){.root = fly_root_next(root), .former = root};
    else if (pick < 6) /* the owner starts anew */
        *fate = (struct fate){
            .root = root_of(fly_root_slot(root), (uint32_t)(root.bits >> 28) + 1, 1),
            .former = root,
        };
    if (pick > 90 && fate->former.bits) { /* comes late: tells nothing of the newest */
        fly_outbox_add(&fix->box, pick % 2 ? fly_ack_xor(fate->former, fly_rng_next(rng))
                                           : fly_ack_fail(fate->former, 1, 2));
        return;
    }
    if (pick < 12) {
        fly_outbox_add(&fix->box, fly_ack_fail(fate->root, 1, 2));
        fate->fail_sent = true;
        return;
    }
    uint64_t ids = fly_rng_next(rng);
    fly_outbox_add(&fix->box, fly_ack_xor(fate->root, ids));
    fate->sent ^= ids;
}

static void test_random_updates_reach_the_owner(void **state)
{
    (void)state;
    struct fly_rng rng;
    struct fixture fix;
    struct fate fates[SLOT_CNT];
    memset(fates, 0, sizeof(fates));
    fly_rng_init(&rng, test_seed());
    open_box(&fix, SLOT_CNT, 64);
    for (uint32_t slot = 0; slot < SLOT_CNT; slot++)
        fates[slot].root = root_of(slot, 250 + slot % 8, ATTEMPT_MAX - slot * 3);
    for (int op = 0; op < OP_CNT; op++) {
        step_add(&fix, &fates[fly_rng_below(&rng, SLOT_CNT)], &rng);
        if (fly_rng_below(&rng, 50) == 0)
            fly_outbox_merge(&fix.box);
        if (fly_rng_below(&rng, op / 5000 % 2 ? 200 : 3) == 0) {
            fly_outbox_flush(&fix.box, &fix.tx);
            fly_ring16_publish(&fix.tx);
        }
        if (fly_rng_below(&rng, 20) == 0)
            deliver(&fix, fates, 1 + (uint32_t)fly_rng_below(&rng, 64));
    }
    while (fix.box.cnt || fly_ring16_pending(&fix.rx)) {
        fly_outbox_flush(&fix.box, &fix.tx);
        fly_ring16_publish(&fix.tx);
        deliver(&fix, fates, 64);
    }
    for (uint32_t slot = 0; slot < SLOT_CNT; slot++) {
        assert_int_equal(fates[slot].fail_told, fates[slot].fail_sent);
        if (!fates[slot].fail_sent)
            assert_int_equal(fates[slot].told, fates[slot].sent);
    }
    close_box(&fix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_slot_that_the_owner_has_not_is_dropped),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_consecutive_updates_become_one),
        cmocka_unit_test(test_a_fail_beats_ids_in_either_order),
        cmocka_unit_test(test_a_newer_attempt_replaces_an_older_one),
        cmocka_unit_test(test_attempts_that_wrap_are_newer),
        cmocka_unit_test(test_a_later_incarnation_is_newer_whatever_the_attempt),
        cmocka_unit_test(test_adding_never_overflows),
        cmocka_unit_test(test_what_does_not_fit_stays_in_order),
        cmocka_unit_test(test_random_updates_reach_the_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
