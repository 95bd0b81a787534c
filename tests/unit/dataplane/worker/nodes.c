#include "unit/dataplane/worker/nodes.h"

uint64_t id_of(const struct fly_msg *msg)
{
    uint64_t id;
    assert_true(msg->payload_bytes >= sizeof(id));
    memcpy(&id, msg->payload, sizeof(id));
    return id;
}

struct fly_content content_of(struct world *world, struct number *number, uint64_t id)
{
    uint32_t bytes = world->bytes ? world->bytes : 16;
    number->id = id;
    number->key = (uint32_t)id % (world->key_cnt ? world->key_cnt : 4);
    memset((uint8_t *)number + 12, (int)(id & 0xff), bytes > 12 ? bytes - 12 : 0);
    return (struct fly_content){.payload = number,
                                .payload_bytes = bytes,
                                .key = world->key_apart ? (const void *)"apart"
                                                        : (const void *)&number->key,
                                .key_bytes = world->key_apart ? 5 : 4};
}

static void emit_number(struct fly_task *task, struct world *world, uint64_t id,
                        const struct fly_attempt *attempt)
{
    struct number *number =
        malloc(sizeof(*number) + world->bytes); /* it may be larger than usual */
    assert_non_null(number);
    struct fly_content content = content_of(world, number, id);
    if (attempt)
        fly_emit_again(task, 0, *attempt, content);
    else
        fly_emit_root(task, 0, id, id + 1, content);
    memset(number, 0xdd, content.payload_bytes); /* the runtime must have its own */
    free(number);
}

/* Tasks of one node emit different numbers. */
static enum fly_polled numbers_poll(struct fly_task *task, void *self, uint32_t budget)
{
    struct world *world = pipe_world(task);
    uint32_t left = world->per_poll && world->per_poll < budget ? world->per_poll : budget;
    (void)self;
    while (left-- && world->emitted < world->count)
        emit_number(task, world, world->emitted++, NULL);
    return world->emitted < world->count ? FLY_POLL_MORE : FLY_POLL_DONE;
}

static void numbers_acked(struct fly_task *task, void *self, const uint64_t *ids, uint32_t cnt)
{
    struct world *world = pipe_world(task);
    (void)self;
    for (uint32_t i = 0; i < cnt; i++) {
        assert_true(ids[i] < world->emitted);
        world->acked[ids[i]]++;
        world->acked_cnt++;
    }
}

static void numbers_failed(struct fly_task *task, void *self, uint64_t id, uint32_t reason)
{
    struct world *world = pipe_world(task);
    (void)self;
    world->failed[id]++;
    world->failed_cnt++;
    world->last_reason = reason;
}

static void numbers_replay(struct fly_task *task, void *self, uint64_t id,
                           struct fly_attempt attempt)
{
    struct world *world = pipe_world(task);
    (void)self;
    world->replayed[id]++;
    emit_number(task, world, id, &attempt);
}

static void stage_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    struct world *world = pipe_world(task);
    (void)self;
    world->call_cnt++;
    for (uint32_t i = 0; i < batch->cnt; i++) {
        if (world->each)
            world->each(task, world, &batch->msg[i]);
        else
            fly_forward(task, 0, &batch->msg[i]);
    }
}

static void stage_tick(struct fly_task *task, void *self)
{
    struct world *world = pipe_world(task);
    (void)self;
    world->tick_cnt++;
    if (world->on_tick)
        world->on_tick(task, world);
}

static void stage_finish(struct fly_task *task, void *self)
{
    struct world *world = pipe_world(task);
    (void)self;
    world->finish_cnt++;
    if (world->on_finish)
        world->on_finish(task, world);
}

static int tick_often(struct fly_task *task, void *self)
{
    (void)self;
    fly_tick_every(task, 100000);
    return 0;
}

static void note_dead_letter(struct world *world, const struct fly_msg *msg)
{
    struct fly_meta meta;
    uint32_t at = 0;
    size_t used = 0;
    world->dead_cnt++;
    world->dead_bytes = msg->payload_bytes;
    world->dead_meta[0] = 0;
    while (fly_meta_next(msg->payload + msg->payload_bytes, msg->meta_bytes, &at, &meta) == 1)
        used += (size_t)snprintf(world->dead_meta + used, sizeof(world->dead_meta) - used,
                                 "%.*s=%.*s;", (int)meta.name.bytes, meta.name.text,
                                 (int)meta.value.bytes, meta.value.text);
}

static void receive(struct fly_task *task, struct world *world, const struct fly_msg *msg)
{
    uint64_t id = id_of(msg);
    assert_true(id < ROOTS_MAX);
    for (uint32_t i = 12; i < msg->payload_bytes && i < PAYLOAD_MAX; i++)
        assert_int_equal(msg->payload[i], id & 0xff);
    if (msg->flags & FLY_MSG_DEAD_LETTER)
        note_dead_letter(world, msg);
    world->got[id]++;
    world->got_at[id] |= (uint8_t)(1U << fly_task_place(task).worker);
    world->got_ns[id] = world->pipe.now_ns;
    world->got_cnt++;
}

static void sink_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    struct world *world = pipe_world(task);
    (void)self;
    for (uint32_t i = 0; i < batch->cnt; i++) {
        uint64_t id = id_of(&batch->msg[i]);
        receive(task, world, &batch->msg[i]);
        if (world->fails[id] && !(batch->msg[i].flags & FLY_MSG_DEAD_LETTER)) {
            world->fails[id]--;
            fly_fail(task, &batch->msg[i], FLY_REASON_BAD_INPUT);
        }
    }
}

static void holding_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    struct world *world = pipe_world(task);
    (void)self;
    for (uint32_t i = 0; i < batch->cnt; i++) {
        receive(task, world, &batch->msg[i]);
        assert_true(world->held_cnt < HELD_MAX);
        world->held[world->held_cnt++] = fly_hold(task, &batch->msg[i], FLY_HOLD_MESSAGE);
    }
}

const struct fly_node numbers = {.name = "numbers",
                                 .kind = FLY_SOURCE,
                                 .self_bytes = 8,
                                 .poll = numbers_poll,
                                 .acked = numbers_acked,
                                 .failed = numbers_failed,
                                 .replay = numbers_replay};
const struct fly_node numbers_kept = {.name = "numbers_kept",
                                      .kind = FLY_SOURCE,
                                      .self_bytes = 8,
                                      .poll = numbers_poll,
                                      .acked = numbers_acked,
                                      .failed = numbers_failed};
const struct fly_node stage = {
    .name = "stage", .kind = FLY_STAGE, .self_bytes = 8, .process = stage_process};
const struct fly_node explicit_stage = {.name = "explicit_stage",
                                        .kind = FLY_STAGE,
                                        .completes = FLY_EXPLICIT,
                                        .holds = true,
                                        .self_bytes = 8,
                                        .setup = tick_often,
                                        .process = stage_process,
                                        .tick = stage_tick};
const struct fly_node holder = {.name = "holder",
                                .kind = FLY_STAGE,
                                .holds = true,
                                .self_bytes = 8,
                                .setup = tick_often,
                                .process = stage_process,
                                .tick = stage_tick,
                                .finish = stage_finish};
const struct fly_node sink = {
    .name = "sink", .kind = FLY_SINK, .self_bytes = 8, .process = sink_process};
const struct fly_node holding_sink = {.name = "holding_sink",
                                      .kind = FLY_SINK,
                                      .holds = true,
                                      .self_bytes = 8,
                                      .setup = tick_often,
                                      .process = holding_process,
                                      .tick = stage_tick};

void start(struct world *world, const struct pipe_spec *spec)
{
    pipe_open(&world->pipe, spec, world);
}

void finish(struct world *world)
{
    pipe_run(&world->pipe, 100000);
    invariants_ended(&world->pipe);
    struct pipe_ledger ledger = pipe_ledger(&world->pipe, 0);
    assert_int_equal(ledger.in, world->count);
    assert_int_equal(ledger.in, ledger.acked + ledger.failed + ledger.dropped);
    assert_int_equal(world->acked_cnt, ledger.acked);
    assert_int_equal(world->failed_cnt, ledger.failed + ledger.dropped);
    for (uint32_t i = 0; i < world->count; i++)
        assert_int_equal(world->acked[i] + world->failed[i], 1);
    pipe_close(&world->pipe);
}

void run_all(struct world *world, const struct pipe_spec *spec)
{
    start(world, spec);
    finish(world);
}
