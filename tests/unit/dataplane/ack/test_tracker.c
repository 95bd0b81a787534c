#include "ack/tracker.h"

#include "base/mix.h"
#include "support/unit.h"

#define OP_CNT 100000
#define RANGE_CNT 3
#define SLOT_CNT 24
#define LATE_MAX 4096
#define WORKER 5
#define INCARNATION 9

static struct fly_tracker *new_tracker(uint32_t cnt)
{
    struct fly_tracker *tracker = aligned_alloc(FLY_CACHE_LINE, fly_tracker_footprint(cnt));
    assert_non_null(tracker);
    memset(tracker, 0xff, fly_tracker_footprint(cnt));
    fly_tracker_init(tracker, WORKER, INCARNATION, cnt);
    return tracker;
}

static void test_layout(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct fly_root_entry), FLY_CACHE_LINE);
    assert_int_equal(offsetof(struct fly_tracker, entry), FLY_CACHE_LINE);
    assert_int_equal(fly_tracker_footprint(0), 64);
    assert_int_equal(fly_tracker_footprint(100), 64 + 6400);
}

static void test_names_that_are_none_of_its_own_are_refused(void **state)
{
    (void)state;
    struct fly_tracker *tracker = new_tracker(4);
    struct fly_root_range range;
    fly_tracker_range(tracker, &range, 0, 4, 0);
    assert_null(fly_tracker_find(tracker, fly_root_make(WORKER, 0, INCARNATION, 1))); /* free */
    struct fly_root_entry *entry = fly_tracker_begin(tracker, &range, 10, 0, 0);
    struct fly_root root = fly_root_name(entry);
    assert_ptr_equal(fly_tracker_find(tracker, root), entry);
    uint32_t slot = fly_root_slot(root);
    assert_null(fly_tracker_find(tracker, fly_root_make(WORKER + 1, slot, INCARNATION, 1)));
    assert_null(fly_tracker_find(tracker, fly_root_make(WORKER, slot, INCARNATION - 1, 1)));
    assert_null(fly_tracker_find(tracker, fly_root_make(WORKER, slot, INCARNATION, 2)));
    assert_null(fly_tracker_find(tracker, fly_root_make(WORKER, 3, INCARNATION, 1)));
    assert_null(fly_tracker_find(tracker, fly_root_make(WORKER, 4, INCARNATION, 1)));
    assert_null(
        fly_tracker_find(tracker, fly_root_make(WORKER, FLY_ROOT_SLOT_MAX - 1, INCARNATION, 1)));
    assert_null(fly_tracker_find(tracker, (struct fly_root){FLY_ROOT_NONE}));
    free(tracker);
}

static void test_a_new_root(void **state)
{
    (void)state;
    struct fly_tracker *tracker = new_tracker(2);
    struct fly_root_range range;
    fly_tracker_range(tracker, &range, 0, 2, 7);
    assert_int_equal(range.free_cnt, 2);
    struct fly_root_entry *entry = fly_tracker_begin(tracker, &range, UINT64_MAX, 123, 456);
    assert_int_equal(range.free_cnt, 1);
    assert_int_equal(fly_root_state(entry), FLY_ROOT_OPEN);
    assert_int_equal(fly_root_worker(fly_root_name(entry)), WORKER);
    assert_int_equal(entry->id, UINT64_MAX);
    assert_int_equal(entry->birth_ticks, 123);
    assert_int_equal(entry->clock_ms, 456);
    assert_int_equal(entry->anchor.holder, 7);
    assert_int_equal(entry->attempts, 1);
    assert_int_equal(fly_root_flags(entry), 0);
    free(tracker);
}

static void test_no_ack_while_the_emitting_call_runs(void **state)
{
    (void)state;
    struct fly_tracker *tracker = new_tracker(1);
    struct fly_root_range range;
    fly_tracker_range(tracker, &range, 0, 1, 0);
    struct fly_root_entry *entry = fly_tracker_begin(tracker, &range, 1, 0, 0);
    assert_false(fly_tracker_apply(entry, 77));
    assert_false(fly_tracker_apply(entry, 77)); /* emitted and done, but more may come */
    assert_true(fly_tracker_close(entry));
    free(tracker);
}

static void test_a_tree_is_done_when_its_last_id_left(void **state)
{
    (void)state;
    struct fly_tracker *tracker = new_tracker(1);
    struct fly_root_range range;
    fly_tracker_range(tracker, &range, 0, 1, 0);
    struct fly_root_entry *entry = fly_tracker_begin(tracker, &range, 1, 0, 0);
    entry->anchor.xor_ids ^= 11 ^ 22;
    assert_false(fly_tracker_close(entry));
    assert_int_equal(fly_root_state(entry), FLY_ROOT_LIVE);
    assert_false(fly_tracker_apply(entry, 11 ^ 33)); /* done, with a child */
    assert_false(fly_tracker_apply(entry, 33));
    assert_true(fly_tracker_apply(entry, 22));
    free(tracker);
}

static void test_a_root_that_emitted_nothing_is_done_at_once(void **state)
{
    (void)state;
    struct fly_tracker *tracker = new_tracker(1);
    struct fly_root_range range;
    fly_tracker_range(tracker, &range, 0, 1, 0);
    assert_true(fly_tracker_close(fly_tracker_begin(tracker, &range, 1, 0, 0)));
    free(tracker);
}

static void test_a_freed_slot_knows_its_old_root_no_more(void **state)
{
    (void)state;
    struct fly_tracker *tracker = new_tracker(1);
    struct fly_root_range range;
    fly_tracker_range(tracker, &range, 0, 1, 0);
    struct fly_root_entry *entry = fly_tracker_begin(tracker, &range, 1, 0, 0);
    struct fly_root old = fly_root_name(entry);
    fly_tracker_free(tracker, &range, entry);
    assert_null(fly_tracker_find(tracker, old));
    assert_null(fly_tracker_find(tracker, fly_root_next(old))); /* its next name, not begun */
    assert_ptr_equal(fly_tracker_begin(tracker, &range, 2, 0, 0), entry);
    assert_null(fly_tracker_find(tracker, old));
    assert_ptr_equal(fly_tracker_find(tracker, fly_root_next(old)), entry);
    free(tracker);
}

static void test_a_waiting_root_takes_no_updates(void **state)
{
    (void)state;
    struct fly_tracker *tracker = new_tracker(1);
    struct fly_root_range range;
    fly_tracker_range(tracker, &range, 0, 1, 0);
    struct fly_root_entry *entry = fly_tracker_begin(tracker, &range, 1, 0, 0);
    struct fly_root old = fly_root_name(entry);
    fly_tracker_rename(entry);
    static const enum fly_root_state idle[] = {FLY_ROOT_WAITING, FLY_ROOT_REPLAY};
    for (int i = 0; i < 2; i++) {
        fly_root_set(entry, idle[i]);
        assert_null(fly_tracker_find(tracker, old));
        assert_null(fly_tracker_find(tracker, fly_root_name(entry)));
    }
    fly_root_set(entry, FLY_ROOT_OPEN);
    assert_null(fly_tracker_find(tracker, old));
    assert_ptr_equal(fly_tracker_find(tracker, fly_root_name(entry)), entry);
    free(tracker);
}

static void test_attempts_wrap_within_their_slot(void **state)
{
    (void)state;
    struct fly_tracker *tracker = new_tracker(1);
    struct fly_root_range range;
    fly_tracker_range(tracker, &range, 0, 1, 0);
    struct fly_root last = fly_root_make(WORKER, 0, INCARNATION, 0x0fffffff);
    atomic_store(&tracker->entry[0].anchor.root, last.bits);
    struct fly_root_entry *entry = fly_tracker_begin(tracker, &range, 1, 0, 0);
    assert_ptr_equal(fly_tracker_find(tracker, last), entry);
    fly_tracker_rename(entry);
    assert_null(fly_tracker_find(tracker, last));
    assert_int_equal(fly_root_name(entry).bits, fly_root_make(WORKER, 0, INCARNATION, 1).bits);
    free(tracker);
}

static void test_free_slots_are_a_stack(void **state)
{
    (void)state;
    struct fly_tracker *tracker = new_tracker(3);
    struct fly_root_range range;
    fly_tracker_range(tracker, &range, 0, 3, 0);
    struct fly_root_entry *first = fly_tracker_begin(tracker, &range, 1, 0, 0);
    struct fly_root_entry *second = fly_tracker_begin(tracker, &range, 2, 0, 0);
    assert_ptr_equal(first, &tracker->entry[0]);
    assert_ptr_equal(second, &tracker->entry[1]);
    fly_tracker_free(tracker, &range, first);
    assert_ptr_equal(fly_tracker_begin(tracker, &range, 3, 0, 0), first);
    fly_tracker_begin(tracker, &range, 4, 0, 0);
    assert_int_equal(range.free_cnt, 0);
    assert_int_equal(range.free_head, FLY_SLOT_NONE);
    free(tracker);
}

static void test_an_empty_range(void **state)
{
    (void)state;
    struct fly_tracker *tracker = new_tracker(2);
    struct fly_root_range range;
    struct fly_open_root open[2];
    fly_tracker_range(tracker, &range, 2, 0, 0);
    assert_int_equal(range.free_cnt, 0);
    assert_int_equal(range.free_head, FLY_SLOT_NONE);
    assert_int_equal(fly_tracker_scan(tracker, 0, 2, open, 2), 0);
    free(tracker);
}

static void test_a_scan_stops_at_its_room(void **state)
{
    (void)state;
    struct fly_tracker *tracker = new_tracker(4);
    struct fly_root_range range;
    struct fly_open_root open[4] = {{0}};
    fly_tracker_range(tracker, &range, 0, 4, 0);
    for (uint64_t id = 10; id < 14; id++)
        fly_tracker_begin(tracker, &range, id, 0, 0);
    assert_int_equal(fly_tracker_scan(tracker, 0, 4, open, 0), 0);
    assert_int_equal(fly_tracker_scan(tracker, 0, 4, open, 3), 3);
    assert_int_equal(open[2].id, 12);
    assert_int_equal(open[3].id, 0);
    assert_int_equal(fly_tracker_scan(tracker, 3, 1, open, 4), 1);
    assert_int_equal(open[0].id, 13);
    free(tracker);
}

/* What a slot should hold. */
struct shadow {
    enum fly_root_state state;
    struct fly_root name;
    uint64_t xor_ids, id;
    uint32_t attempts;
    uint16_t task;
};

struct model {
    struct fly_tracker *tracker;
    struct fly_root_range range[RANGE_CNT];
    struct shadow slot[SLOT_CNT];
    struct fly_root late[LATE_MAX]; /* names of the past */
    uint32_t late_cnt;
    struct fly_rng *rng;
};

static void remember_late(struct model *model, struct fly_root name)
{
    model->late[model->late_cnt++ % LATE_MAX] = name;
}

static void step_begin(struct model *model)
{
    uint32_t which = (uint32_t)fly_rng_below(model->rng, RANGE_CNT);
    struct fly_root_range *range = &model->range[which];
    if (!range->free_cnt)
        return;
    uint64_t id = fly_rng_next(model->rng);
    struct fly_root_entry *entry = fly_tracker_begin(model->tracker, range, id, 0, 0);
    uint32_t slot = (uint32_t)(entry - model->tracker->entry);
    struct shadow *shadow = &model->slot[slot];
    assert_true(slot >= range->first && slot < range->first + range->cnt);
    assert_int_equal(shadow->state, FLY_ROOT_FREE);
    assert_int_equal(fly_root_name(entry).bits, shadow->name.bits);
    *shadow = (struct shadow){FLY_ROOT_OPEN, shadow->name, 0, id, 1, (uint16_t)which};
}

static void end(struct model *model, uint32_t slot)
{
    struct shadow *shadow = &model->slot[slot];
    struct fly_root_entry *entry = &model->tracker->entry[slot];
    remember_late(model, shadow->name);
    fly_tracker_free(model->tracker, &model->range[shadow->task], entry);
    shadow->name = fly_root_next(shadow->name);
    shadow->state = FLY_ROOT_FREE;
}

static bool in_work(const struct shadow *shadow)
{
    return shadow->state == FLY_ROOT_OPEN || shadow->state == FLY_ROOT_LIVE;
}

static void step_apply(struct model *model, uint32_t slot)
{
    struct shadow *shadow = &model->slot[slot];
    struct fly_root_entry *entry = fly_tracker_find(model->tracker, shadow->name);
    assert_int_equal(entry != NULL, in_work(shadow));
    if (!entry)
        return;
    /* Half of the time what remains, so that trees end. */
    uint64_t ids = fly_rng_below(model->rng, 2) ? fly_rng_next(model->rng) : shadow->xor_ids;
    bool done = fly_tracker_apply(entry, ids);
    shadow->xor_ids ^= ids;
    assert_int_equal(done, shadow->xor_ids == 0 && shadow->state == FLY_ROOT_LIVE);
    if (done)
        end(model, slot);
}

static void step_close(struct model *model, uint32_t slot)
{
    struct shadow *shadow = &model->slot[slot];
    if (shadow->state != FLY_ROOT_OPEN)
        return;
    struct fly_root_entry *entry = fly_tracker_find(model->tracker, shadow->name);
    assert_non_null(entry);
    uint64_t ids = fly_rng_below(model->rng, 2) ? fly_rng_next(model->rng) : shadow->xor_ids;
    entry->anchor.xor_ids ^= ids;
    bool done = fly_tracker_close(entry);
    shadow->xor_ids ^= ids;
    shadow->state = FLY_ROOT_LIVE;
    assert_int_equal(done, shadow->xor_ids == 0);
    if (done)
        end(model, slot);
}

/* Fails the attempt; or takes the failed root one state further. */
static void step_fail_or_retry(struct model *model, uint32_t slot)
{
    struct shadow *shadow = &model->slot[slot];
    struct fly_root_entry *entry = &model->tracker->entry[slot];
    switch (shadow->state) {
    case FLY_ROOT_FREE:
        return;
    case FLY_ROOT_OPEN:
    case FLY_ROOT_LIVE:
        remember_late(model, shadow->name);
        fly_tracker_rename(entry);
        shadow->name = fly_root_next(shadow->name);
        shadow->state = FLY_ROOT_WAITING;
        break;
    case FLY_ROOT_WAITING:
        shadow->state = FLY_ROOT_REPLAY;
        break;
    case FLY_ROOT_REPLAY:
        entry->anchor.xor_ids = shadow->xor_ids = 0;
        atomic_store(&entry->attempts, (uint16_t)++shadow->attempts);
        shadow->state = FLY_ROOT_OPEN;
        break;
    }
    fly_root_set(entry, shadow->state);
}

static void step_late(struct model *model)
{
    uint32_t cnt = model->late_cnt < LATE_MAX ? model->late_cnt : LATE_MAX;
    if (cnt)
        assert_null(fly_tracker_find(model->tracker, model->late[fly_rng_below(model->rng, cnt)]));
}

static void check_scan(const struct model *model)
{
    struct fly_open_root open[SLOT_CNT];
    uint32_t cnt = fly_tracker_scan(model->tracker, 0, SLOT_CNT, open, SLOT_CNT), seen = 0;
    for (uint32_t i = 0; i < SLOT_CNT; i++) {
        const struct shadow *shadow = &model->slot[i];
        if (shadow->state == FLY_ROOT_FREE)
            continue;
        assert_true(seen < cnt);
        assert_int_equal(open[seen].id, shadow->id);
        assert_int_equal(open[seen].root, shadow->name.bits);
        assert_int_equal(open[seen].attempts, shadow->attempts);
        seen++;
    }
    assert_int_equal(seen, cnt);
}

static void test_random_operations_against_a_shadow(void **state)
{
    (void)state;
    struct fly_rng rng;
    fly_rng_init(&rng, test_seed());
    static struct model model;
    model = (struct model){.tracker = new_tracker(SLOT_CNT), .rng = &rng};
    static const uint32_t first[RANGE_CNT + 1] = {0, 1, 8, SLOT_CNT};
    for (uint32_t i = 0; i < RANGE_CNT; i++)
        fly_tracker_range(model.tracker, &model.range[i], first[i], first[i + 1] - first[i],
                          (uint16_t)i);
    for (uint32_t i = 0; i < SLOT_CNT; i++) /* some slots are about to wrap */
        model.slot[i].name = fly_root_make(WORKER, i, INCARNATION, i % 2 ? 1 : 0x0ffffff8);
    for (uint32_t i = 0; i < SLOT_CNT; i++)
        atomic_store(&model.tracker->entry[i].anchor.root, model.slot[i].name.bits);
    for (int op = 0; op < OP_CNT; op++) {
        uint32_t slot = (uint32_t)fly_rng_below(&rng, SLOT_CNT);
        switch (fly_rng_below(&rng, 8)) {
        case 0:
        case 1:
            step_begin(&model);
            break;
        case 2:
        case 3:
            step_apply(&model, slot);
            break;
        case 4:
            step_close(&model, slot);
            break;
        case 5:
            step_late(&model);
            break;
        case 6:
            step_fail_or_retry(&model, slot);
            break;
        default:
            if (op % 16 == 0)
                check_scan(&model);
        }
    }
    assert_true(model.late_cnt > LATE_MAX);
    check_scan(&model);
    free(model.tracker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_that_are_none_of_its_own_are_refused),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_a_new_root),
        cmocka_unit_test(test_no_ack_while_the_emitting_call_runs),
        cmocka_unit_test(test_a_tree_is_done_when_its_last_id_left),
        cmocka_unit_test(test_a_root_that_emitted_nothing_is_done_at_once),
        cmocka_unit_test(test_a_freed_slot_knows_its_old_root_no_more),
        cmocka_unit_test(test_a_waiting_root_takes_no_updates),
        cmocka_unit_test(test_attempts_wrap_within_their_slot),
        cmocka_unit_test(test_free_slots_are_a_stack),
        cmocka_unit_test(test_an_empty_range),
        cmocka_unit_test(test_a_scan_stops_at_its_room),
        cmocka_unit_test(test_random_operations_against_a_shadow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
