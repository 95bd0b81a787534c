/* test_trees.c - whole ack trees in random order: the tracker, outboxes and ack rings against the
 * truth.
 *
 * A worker owns a tracker of two slots; its two sources emit roots, slowly, call by call. Messages
 * are done here or at two other workers, whose updates take their time. Nothing may be acked while
 * a message of it lives, no attempt may end twice, and once everything has arrived no root may be
 * left. */
#include "ack/outbox.h"
#include "ack/tracker.h"

#include "base/mix.h"
#include "support/unit.h"

enum {
    OWNER = 1,
    SLOT_CNT = 2,
    SENDER_CNT = 2,
    RING_SLOTS = 4,
    MSG_MAX = 4096,
    SOURCE_CNT = 2,
    STEP_CNT = 300,
    SCHEDULE_CNT = 1500,
    DEPTH_MAX = 3,
};

/* What a schedule does beside emitting, processing and delivering. */
struct habits {
    bool times_out, times_out_open, fails, holds, crashes;
};

/* A message on its way or held, and the attempt that it belongs to. */
struct live {
    struct fly_root root;
    uint64_t id;
    uint32_t depth, tree;
};

struct tree {
    uint32_t live_cnt; /* messages, and the emitting call */
    uint32_t end_cnt;
};

struct source {
    bool emits;
    struct fly_root root;
    uint32_t left, tree;
};

struct sender {
    struct fly_outbox box;
    void *memory, *ring;
    struct fly_ring16_tx tx;
    struct fly_ring16_rx rx;
};

struct sim {
    struct fly_rng rng;
    struct habits habits;
    struct fly_tracker *tracker;
    struct fly_root_range range;
    uint32_t incarnation;
    uint32_t tree_of[SLOT_CNT];
    struct sender sender[SENDER_CNT];
    struct source source[SOURCE_CNT];
    struct live msg[MSG_MAX];
    uint32_t msg_cnt, tree_cnt;
    struct tree tree[STEP_CNT + 1];
    uint32_t false_acks, double_ends, acked;
};

static void reset_tracker(struct sim *sim)
{
    fly_tracker_init(sim->tracker, OWNER, sim->incarnation, SLOT_CNT);
    fly_tracker_range(sim->tracker, &sim->range, 0, SLOT_CNT, 0);
}

static void open_sim(struct sim *sim, uint64_t seed, struct habits habits)
{
    const uint64_t ring_bytes = fly_ring16_footprint(RING_SLOTS);
    *sim = (struct sim){.habits = habits};
    fly_rng_init(&sim->rng, seed);
    sim->incarnation = (uint32_t)fly_rng_below(&sim->rng, 256);
    sim->tracker = aligned_alloc(FLY_CACHE_LINE, fly_tracker_footprint(SLOT_CNT));
    assert_non_null(sim->tracker);
    reset_tracker(sim);
    for (uint32_t i = 0; i < SLOT_CNT; i++) /* so that names wrap on the way */
        atomic_store(&sim->tracker->entry[i].anchor.root,
                     fly_root_make(OWNER, i, sim->incarnation, 0x0ffffff0).bits);
    for (int i = 0; i < SENDER_CNT; i++) {
        struct sender *sender = &sim->sender[i];
        sender->memory = aligned_alloc(FLY_CACHE_LINE, fly_outbox_footprint(SLOT_CNT));
        sender->ring = aligned_alloc(FLY_RING_ALIGN, ring_bytes);
        assert_non_null(sender->memory);
        assert_non_null(sender->ring);
        fly_outbox_init(&sender->box, sender->memory, SLOT_CNT);
        assert_int_equal(fly_ring16_init(sender->ring, RING_SLOTS), 0);
        assert_int_equal(fly_ring16_attach_tx(&sender->tx, sender->ring, ring_bytes), 0);
        assert_int_equal(fly_ring16_attach_rx(&sender->rx, sender->ring, ring_bytes), 0);
    }
}

static void close_sim(struct sim *sim)
{
    for (int i = 0; i < SENDER_CNT; i++) {
        free(sim->sender[i].memory);
        free(sim->sender[i].ring);
    }
    free(sim->tracker);
}

static void end(struct sim *sim, struct fly_root_entry *entry, bool acked)
{
    struct tree *tree = &sim->tree[sim->tree_of[entry - sim->tracker->entry]];
    sim->double_ends += ++tree->end_cnt > 1;
    sim->false_acks += acked && tree->live_cnt;
    sim->acked += acked;
}

static void fail_attempt(struct sim *sim, struct fly_root root)
{
    struct fly_root_entry *entry = fly_tracker_find(sim->tracker, root);
    if (!entry)
        return;
    if (fly_root_state(entry) == FLY_ROOT_OPEN) { /* its end waits for the call that emits it */
        entry->anchor.failed = 1;
        return;
    }
    end(sim, entry, false);
    fly_tracker_free(sim->tracker, &sim->range, entry);
}

static void apply(struct sim *sim, struct fly_root root, uint64_t ids)
{
    struct fly_root_entry *entry = fly_tracker_find(sim->tracker, root);
    if (!entry || !fly_tracker_apply(entry, ids))
        return;
    end(sim, entry, true);
    fly_tracker_free(sim->tracker, &sim->range, entry);
}

static void close_root(struct sim *sim, struct source *source)
{
    struct fly_root_entry *entry = fly_tracker_find(sim->tracker, source->root);
    source->emits = false;
    sim->tree[source->tree].live_cnt--;
    assert_non_null(entry);
    bool failed = entry->anchor.failed, done = fly_tracker_close(entry);
    entry->anchor.failed = 0;
    if (!done && !failed)
        return;
    end(sim, entry, !failed);
    fly_tracker_free(sim->tracker, &sim->range, entry);
}

static uint64_t new_message(struct sim *sim, const struct live *like)
{
    assert_true(sim->msg_cnt < MSG_MAX);
    struct live *msg = &sim->msg[sim->msg_cnt++];
    *msg = *like;
    msg->id = fly_rng_next(&sim->rng) | 1;
    sim->tree[like->tree].live_cnt++;
    return msg->id;
}

/* A source's call goes on: begins a root, emits one more message of it, or returns. */
static void step_source(struct sim *sim)
{
    struct source *source = &sim->source[fly_rng_below(&sim->rng, SOURCE_CNT)];
    if (!source->emits) {
        if (!sim->range.free_cnt || sim->tree_cnt == STEP_CNT)
            return;
        struct fly_root_entry *entry = fly_tracker_begin(sim->tracker, &sim->range, 0, 0, 0);
        *source = (struct source){true, fly_root_name(entry), (uint32_t)fly_rng_below(&sim->rng, 4),
                                  sim->tree_cnt++};
        sim->tree[source->tree] = (struct tree){.live_cnt = 1};
        sim->tree_of[entry - sim->tracker->entry] = source->tree;
    } else if (source->left == 0) {
        close_root(sim, source);
    } else {
        source->left--;
        uint64_t pick = fly_rng_below(&sim->rng, 10);
        if (pick == 0 && sim->habits.fails)
            fail_attempt(sim, source->root); /* within a direct call */
        else if (pick > 2) /* else a direct call that ended: nothing is registered */
            apply(sim, source->root,
                  new_message(sim, &(struct live){.root = source->root, .tree = source->tree}));
    }
}

/* A message is done or fails, here or at another worker; before that it may leave children. */
static void step_message(struct sim *sim)
{
    uint32_t idx = (uint32_t)fly_rng_below(&sim->rng, sim->msg_cnt);
    struct live msg = sim->msg[idx];
    sim->msg[idx] = sim->msg[--sim->msg_cnt];
    uint64_t ids = msg.id;
    uint64_t children = msg.depth++ < DEPTH_MAX ? fly_rng_below(&sim->rng, 3) : 0;
    children +=
        sim->habits.holds && fly_rng_below(&sim->rng, 5) == 0; /* a held one has a fresh id */
    for (; children; children--)
        ids ^= new_message(sim, &msg);
    sim->tree[msg.tree].live_cnt--;
    bool fails = sim->habits.fails && fly_rng_below(&sim->rng, 10) == 0;
    uint64_t where = fly_rng_below(&sim->rng, SENDER_CNT + 1);
    if (where < SENDER_CNT)
        fly_outbox_add(&sim->sender[where].box,
                       fails ? fly_ack_fail(msg.root, 1, 2) : fly_ack_xor(msg.root, ids));
    else if (fails)
        fail_attempt(sim, msg.root);
    else
        apply(sim, msg.root, ids);
}

static void step_send(struct sim *sim, struct sender *sender)
{
    if (fly_rng_below(&sim->rng, 2))
        fly_outbox_merge(&sender->box);
    fly_outbox_flush(&sender->box, &sender->tx);
    fly_ring16_publish(&sender->tx);
}

static void step_receive(struct sim *sim, struct sender *sender)
{
    struct fly_ring_pair record = {0};
    if (!fly_ring16_pop_burst(&sender->rx, &record, 1))
        return;
    struct fly_root root = {(record.a << 8 >> 8) | (uint64_t)OWNER << 56};
    if (record.a >> 56 == FLY_ACK_FAIL)
        fail_attempt(sim, root);
    else
        apply(sim, root, record.b);
}

static void step_time_out(struct sim *sim)
{
    struct fly_root_entry *entry = &sim->tracker->entry[fly_rng_below(&sim->rng, SLOT_CNT)];
    enum fly_root_state state = fly_root_state(entry);
    if (state == FLY_ROOT_LIVE || (state == FLY_ROOT_OPEN && sim->habits.times_out_open))
        fail_attempt(sim, fly_root_name(entry));
}

/* The owner dies and comes back; what others have of its roots is still under way. */
static void step_crash(struct sim *sim)
{
    sim->incarnation++;
    reset_tracker(sim);
    for (int i = 0; i < SOURCE_CNT; i++)
        sim->source[i].emits = false;
}

static void step(struct sim *sim)
{
    struct sender *sender = &sim->sender[fly_rng_below(&sim->rng, SENDER_CNT)];
    if (sim->habits.times_out && fly_rng_below(&sim->rng, 20) == 0)
        step_time_out(sim);
    if (sim->habits.crashes && fly_rng_below(&sim->rng, 100) == 0)
        step_crash(sim);
    switch (fly_rng_below(&sim->rng, 10)) {
    case 0:
    case 1:
    case 2:
        step_source(sim);
        break;
    case 3:
    case 4:
    case 5:
        if (sim->msg_cnt)
            step_message(sim);
        break;
    case 6:
    case 7:
        step_send(sim, sender);
        break;
    default:
        step_receive(sim, sender);
    }
}

/* Everything that was begun comes to its end. */
static void drain(struct sim *sim)
{
    sim->habits = (struct habits){0};
    for (int i = 0; i < SOURCE_CNT; i++)
        if (sim->source[i].emits)
            close_root(sim, &sim->source[i]);
    for (bool more = true; more;) {
        more = sim->msg_cnt != 0;
        if (more)
            step_message(sim);
        for (int i = 0; i < SENDER_CNT; i++) {
            struct sender *sender = &sim->sender[i];
            step_send(sim, sender);
            step_receive(sim, sender);
            more |= sender->box.cnt || fly_ring16_pending(&sender->rx);
        }
    }
}

static void run(struct habits habits)
{
    uint64_t seed = test_seed(), acked = 0;
    struct sim *sim = malloc(sizeof(*sim));
    struct fly_open_root open;
    assert_non_null(sim);
    for (uint64_t schedule = 0; schedule < SCHEDULE_CNT; schedule++) {
        open_sim(sim, fly_mix64(seed + schedule), habits);
        for (int i = 0; i < STEP_CNT; i++)
            step(sim);
        drain(sim);
        acked += sim->acked;
        if (sim->false_acks || sim->double_ends ||
            fly_tracker_scan(sim->tracker, 0, SLOT_CNT, &open, 1))
            fail_msg("schedule %llu: %u false acks, %u ended twice, %s",
                     (unsigned long long)schedule, sim->false_acks, sim->double_ends,
                     fly_tracker_scan(sim->tracker, 0, SLOT_CNT, &open, 1) ? "one never ends"
                                                                           : "all end");
        close_sim(sim);
    }
    assert_true(acked > SCHEDULE_CNT);
    free(sim);
}

static void test_calls_that_are_suspended_half_way(void **state)
{
    (void)state;
    run((struct habits){0});
}

static void test_retries_take_a_new_name(void **state)
{
    (void)state;
    run((struct habits){.times_out = true});
}

static void test_the_owner_dies_and_comes_back(void **state)
{
    (void)state;
    run((struct habits){.times_out = true, .crashes = true});
}

static void test_failing_within_the_emitting_call(void **state)
{
    (void)state;
    run((struct habits){.fails = true, .holds = true});
}

static void test_time_out_of_a_root_that_is_being_emitted(void **state)
{
    (void)state;
    run((struct habits){.times_out = true, .times_out_open = true, .fails = true, .holds = true});
}

static void test_everything_at_once(void **state)
{
    (void)state;
    run((struct habits){true, true, true, true, true});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_that_are_suspended_half_way),
        cmocka_unit_test(test_retries_take_a_new_name),
        cmocka_unit_test(test_the_owner_dies_and_comes_back),
        cmocka_unit_test(test_failing_within_the_emitting_call),
        cmocka_unit_test(test_time_out_of_a_root_that_is_being_emitted),
        cmocka_unit_test(test_everything_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
