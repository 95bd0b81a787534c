/* test_explorer.c - small pipelines under random schedules, against what a message counter on the
 * side says.
 *
 * Workers take their turns in random order, and at every ring and every emit the dice may run a
 * turn of another worker or suspend the emit. Each schedule must end; each attempt ends once, never
 * while a message of it lives; tasks are never re-entered; messages of one sender keep their order;
 * no watermark overtakes a message, goes back or gets lost; nothing is left over. */
#include "support/invariants.h"
#include "support/unit.h"

enum {
    ATTEMPTS_MAX = 1 << 13,
    ROOTS_MAX = 4096,
    KEY_CNT = 3,
    TURNS_MAX = 60000,
    PADDING = 150, /* two or three messages fill a frame */
    LARGE_BYTES = 1100,
    HELD_MAX = 16,
    HEAD_BYTES = 20,
    LATE = INT32_MAX, /* the time of a message that need not come before any watermark */
    LAST_TIME = INT32_MAX - 1,
};

struct shadow {
    uint64_t root;
    int64_t live;
    uint32_t attempts;
    bool ended;
};

/* How likely things are, of 256. */
struct habits {
    uint8_t suspends, nests, fails, holds, joins, large, detaches;
    uint32_t timeout_ms;
};

struct topology {
    const char *name;
    struct pipe_node node[PIPE_NODES_MAX];
    struct pipe_edge edge[PIPE_EDGES_MAX];
    uint32_t node_cnt, edge_cnt, worker_cnt, messages;
    struct habits habits;
};

struct world {
    struct pipe pipe;
    struct fly_rng rng;
    const struct topology *topology;
    struct habits habits;
    uint64_t seed;
    uint32_t messages; /* of each source task */
    bool inside[PIPE_WORKERS_MAX];
    struct shadow shadow[ATTEMPTS_MAX];
    struct shadow fresh[ROOTS_MAX]; /* of a poll's roots, by id, as long as they have no name */
    uint64_t name[ROOTS_MAX];       /* of their first attempt; 0: none yet */
    uint8_t outcome[ROOTS_MAX];
    uint32_t outcome_cnt, root_cnt;
    uint32_t sent[PIPE_TASKS_MAX][KEY_CNT];
    uint32_t received[PIPE_TASKS_MAX][PIPE_TASKS_MAX][KEY_CNT];
    uint64_t last_begun;
    int32_t clock;                 /* event time of the newest message */
    int64_t mark[PIPE_TASKS_MAX];  /* the last watermark of each task that is called with it */
    uint32_t marked_cnt, last_cnt; /* such tasks; those that were told the last time */
    bool waits_for_last;
    struct fly_workspace spare;
};

struct body {
    uint32_t id, sender, key, seq;
    int32_t time;
    uint8_t rest[LARGE_BYTES];
};
_Static_assert(offsetof(struct body, rest) == HEAD_BYTES, "what comes before the filling");

static bool chance(struct world *world, uint8_t of_256)
{
    return of_256 && fly_rng_below(&world->rng, 256) < of_256;
}

#define WORLD_HOLDS(world, cond, ...)                                                              \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            (void)fprintf(stderr, "topology '%s', schedule %llu\n", (world)->topology->name,       \
                          (unsigned long long)(world)->seed);                                      \
            pipe_dump(&(world)->pipe);                                                             \
            fail_msg(__VA_ARGS__);                                                                 \
        }                                                                                          \
    } while (0)

/* --- The counter on the side ----------------------------------------------------------------- */

static struct shadow *shadow_of(struct world *world, uint64_t root)
{
    uint64_t at = fly_mix64(root) % ATTEMPTS_MAX;
    while (world->shadow[at].root && world->shadow[at].root != root)
        at = (at + 1) % ATTEMPTS_MAX;
    world->shadow[at].root = root;
    return &world->shadow[at];
}

static struct shadow *shadow_of_msg(struct world *world, const struct fly_msg *msg)
{
    uint64_t root = fly_anchor_root(msg->anchor).bits;
    uint32_t id;
    if (root != FLY_ROOT_NONE)
        return shadow_of(world, root);
    memcpy(&id, msg->payload, sizeof(id));
    return &world->fresh[id];
}

static int64_t copies(const struct fly_rt_task *task, uint32_t port)
{
    int64_t cnt = 0;
    for (uint32_t e = 0; e < task->port[port].edge_cnt; e++) {
        const struct fly_out_edge *edge = &task->port[port].edge[e];
        cnt += edge->pick == FLY_PICK_ALL ? edge->lane_cnt : 1;
    }
    return cnt;
}

static void on_begin(void *context, struct fly_worker *worker, const struct fly_root_entry *entry)
{
    struct world *world = ((struct pipe *)context)->world;
    const struct fly_rt_task *task = &worker->task[entry->anchor.holder];
    struct shadow *shadow = shadow_of(world, fly_root_name(entry).bits);
    WORLD_HOLDS(world, shadow->live == 0 && !shadow->ended, "an attempt began twice");
    world->last_begun = fly_root_name(entry).bits;
    shadow->attempts = atomic_load(&entry->attempts);
    uint64_t id = atomic_load(&entry->id);
    if (task->node->kind == FLY_SOURCE && shadow->attempts == 1) {
        world->name[id] = shadow->root;
        shadow->live = world->fresh[id].live;
        world->fresh[id].live = 0;
    }
    /* What the runtime emits by itself. */
    if (fly_root_flags(entry) & FLY_ROOT_DEAD)
        shadow->live += copies(task, task->dead_port);
    else if (task->retain && atomic_load(&entry->attempts) > 1)
        shadow->live += copies(task, entry->port);
}

static void on_end(void *context, struct fly_worker *worker, const struct fly_root_entry *entry,
                   enum fly_attempt_end end)
{
    struct world *world = ((struct pipe *)context)->world;
    const struct fly_rt_task *task = &worker->task[entry->anchor.holder];
    struct shadow *shadow = shadow_of(world, fly_root_name(entry).bits);
    WORLD_HOLDS(world, !shadow->ended, "an attempt ended twice");
    WORLD_HOLDS(world, end != FLY_ATTEMPT_ACKED || shadow->live == 0,
                "acked while %lld messages of it live", (long long)shadow->live);
    shadow->ended = true;
    if (!(fly_root_flags(entry) & FLY_ROOT_JOINED))
        return;
    for (uint32_t i = entry->parents; i != UINT32_MAX; i = task->held->entry[i].next)
        shadow_of(world, task->held->entry[i].root)->live--;
}

/* --- The dice -------------------------------------------------------------------------------- */

static bool on_suspend(void *context, struct fly_worker *worker)
{
    struct world *world = ((struct pipe *)context)->world;
    (void)worker;
    return chance(world, world->habits.suspends);
}

static void turn(struct world *world, uint32_t worker)
{
    world->inside[worker] = true;
    pipe_turn(&world->pipe, worker);
    world->inside[worker] = false;
}

static void on_point(void *context, struct fly_worker *worker, enum fly_hook_point point)
{
    struct world *world = ((struct pipe *)context)->world;
    (void)worker;
    (void)point;
    if (!chance(world, world->habits.nests))
        return;
    uint32_t other = (uint32_t)fly_rng_below(&world->rng, world->pipe.plan.head.worker_cnt);
    if (!world->inside[other])
        turn(world, other);
}

static const struct fly_hooks hooks = {
    .no_io = true, .point = on_point, .suspends = on_suspend, .begins = on_begin, .ends = on_end};

/* --- Nodes ----------------------------------------------------------------------------------- */

/* All nodes keep this. */
struct self {
    bool inside;
    uint32_t sent;
    struct fly_held held[HELD_MAX];
    uint32_t held_cnt;
    struct body stable[3]; /* of the last poll */
};

static void enter(struct fly_task *task, struct self *self)
{
    struct world *world = pipe_world(task);
    WORLD_HOLDS(world, !self->inside, "%s was entered again", fly_task_name(task));
    self->inside = true;
}

static struct fly_content fill(struct fly_task *task, struct body *body, uint32_t id, int32_t time)
{
    struct world *world = pipe_world(task);
    uint32_t sender = fly_rt(task)->idx;
    uint32_t key = (uint32_t)fly_rng_below(&world->rng, KEY_CNT);
    *body = (struct body){id, sender, key, ++world->sent[sender][key], time, {0}};
    memset(body->rest, (int)(id & 0xff), sizeof(body->rest));
    uint32_t bytes = HEAD_BYTES + PADDING;
    if (chance(world, world->habits.large))
        bytes = sizeof(*body);
    return (struct fly_content){
        .key = &body->key, .payload = body, .key_bytes = 4, .payload_bytes = bytes};
}

static int32_t time_of(const struct fly_msg *msg)
{
    int32_t time;
    memcpy(&time, msg->payload + offsetof(struct body, time), sizeof(time));
    return time;
}

/* Emits up to two children out of every port. */
static void emit_children(struct fly_task *task, const struct fly_msg *msg)
{
    struct world *world = pipe_world(task);
    struct body body;
    uint32_t id;
    memcpy(&id, msg->payload, sizeof(id));
    for (uint32_t p = 0; p < fly_rt(task)->plan->port_cnt; p++) {
        for (uint64_t cnt = fly_rng_below(&world->rng, 8) ? 1 : fly_rng_below(&world->rng, 3); cnt;
             cnt--) {
            shadow_of_msg(world, msg)->live += copies(fly_rt(task), p);
            fly_emit(task, p, msg, fill(task, &body, id, time_of(msg)));
        }
    }
}

/* Contents are whole, and no message overtook another of its sender and key. */
static void receive(struct fly_task *task, const struct fly_msg *msg)
{
    struct world *world = pipe_world(task);
    struct body body;
    WORLD_HOLDS(world, msg->payload_bytes >= HEAD_BYTES + PADDING, "a message of %u bytes",
                msg->payload_bytes);
    memcpy(&body, msg->payload, msg->payload_bytes);
    for (uint32_t i = 0; i < msg->payload_bytes - HEAD_BYTES; i++)
        WORLD_HOLDS(world, body.rest[i] == (uint8_t)body.id, "byte %u of a message is wrong", i);
    /* A copy that is tried again has the number of its first attempt. */
    const struct fly_plan_node *from =
        &world->pipe.plan.node[world->pipe.plan.task[body.sender].node];
    bool again = shadow_of_msg(world, msg)->attempts > 1;
    WORLD_HOLDS(world, again || body.time >= world->mark[fly_rt(task)->idx],
                "%s got a message of time %d after watermark %lld", fly_task_name(task), body.time,
                (long long)world->mark[fly_rt(task)->idx]);
    if ((msg->flags & FLY_MSG_DEAD_LETTER) || (again && from->retain_bytes))
        return;
    uint32_t *last = &world->received[body.sender][fly_rt(task)->idx][body.key];
    WORLD_HOLDS(world, body.seq > *last, "%s got message %u after %u of sender %u",
                fly_task_name(task), body.seq, *last, body.sender);
    *last = body.seq;
}

static void done(struct fly_task *task, const struct fly_msg *msg)
{
    struct world *world = pipe_world(task);
    struct shadow *shadow = shadow_of_msg(world, msg);
    WORLD_HOLDS(world, shadow->live > 0, "%s got a message that nobody sent", fly_task_name(task));
    shadow->live--;
}

static void emit_joined(struct fly_task *task, struct self *self)
{
    struct world *world = pipe_world(task);
    uint32_t cnt = self->held_cnt < 3 ? self->held_cnt : 3;
    struct body body;
    struct fly_held parent[3];
    uint32_t id;
    int32_t time = LATE;
    for (uint32_t i = 0; i < cnt; i++) {
        int32_t own = time_of(fly_peek(task, self->held[i]));
        time = own < time ? own : time;
    }
    memcpy(&id, fly_peek(task, self->held[0])->payload, sizeof(id));
    memcpy(parent, self->held, sizeof(parent));
    self->held_cnt -= cnt;
    memmove(self->held, self->held + cnt, self->held_cnt * sizeof(self->held[0]));
    struct fly_content content = fill(task, &body, id, time);
    fly_emit_joined(task, 0, parent, cnt, content);
    shadow_of(world, world->last_begun)->live += copies(fly_rt(task), 0);
}

static void emit_own(struct fly_task *task, struct self *self)
{
    struct world *world = pipe_world(task);
    struct body body;
    struct fly_content content = fill(task, &body, 7, LATE);
    self->sent++;
    if (chance(world, 128))
        fly_emit_detached(task, 0, content);
    else
        fly_emit(task, 0, NULL, content);
    shadow_of(world, world->last_begun)->live += copies(fly_rt(task), 0);
}

/* What a stage may do beside its messages, in any callback. */
static void emit_besides(struct fly_task *task, struct self *self)
{
    struct world *world = pipe_world(task);
    if (!fly_rt(task)->plan->port_cnt)
        return;
    while (self->held_cnt && chance(world, world->habits.joins))
        emit_joined(task, self);
    if (fly_rt(task)->held && self->sent < 5 && chance(world, world->habits.detaches))
        emit_own(task, self);
}

static void stage_process(struct fly_task *task, void *arg, const struct fly_batch *batch)
{
    struct world *world = pipe_world(task);
    struct self *self = arg;
    bool held[FLY_BATCH_MAX] = {false};
    enter(task, self);
    for (uint32_t i = 0; i < batch->cnt; i++) {
        const struct fly_msg *msg = &batch->msg[i];
        receive(task, msg);
        if (fly_rt(task)->held && self->held_cnt < HELD_MAX && chance(world, world->habits.holds)) {
            self->held[self->held_cnt++] = fly_hold(task, msg, FLY_HOLD_MESSAGE);
            held[i] = true;
        } else if (chance(world, world->habits.fails)) {
            fly_fail(task, msg, FLY_REASON_FAILED);
        } else {
            emit_children(task, msg);
        }
    }
    emit_besides(task, self);
    for (uint32_t i = 0; i < batch->cnt; i++)
        if (!held[i])
            done(task, &batch->msg[i]);
    self->inside = false;
}

static void holder_tick(struct fly_task *task, void *arg)
{
    struct world *world = pipe_world(task);
    struct self *self = arg;
    const struct fly_msg *taken[HELD_MAX];
    uint32_t taken_cnt = 0;
    enter(task, self);
    emit_besides(task, self);
    while (self->held_cnt) {
        if (chance(world, 64))
            break;
        struct fly_held held = self->held[0];
        uint64_t root = fly_hold_find(fly_rt(task)->held, held)->root;
        self->held_cnt--;
        memmove(self->held, self->held + 1, self->held_cnt * sizeof(held));
        if (chance(world, 64)) {
            shadow_of(world, root)->live--;
            fly_ack_held(task, held);
        } else if (chance(world, world->habits.fails)) {
            fly_fail_held(task, held, FLY_REASON_FAILED);
        } else {
            const struct fly_msg *msg = fly_take(task, held);
            WORLD_HOLDS(world, msg != NULL, "nothing was taken");
            emit_children(task, msg);
            taken[taken_cnt++] = msg;
        }
    }
    for (uint32_t i = 0; i < taken_cnt; i++)
        done(task, taken[i]);
    self->inside = false;
}

/* Everything before `time` has come; what is sent out now comes before the watermark does. */
static void on_watermark(struct fly_task *task, void *arg, int64_t time)
{
    struct world *world = pipe_world(task);
    struct self *self = arg;
    struct body body;
    int64_t *mark = &world->mark[fly_rt(task)->idx];
    enter(task, self);
    WORLD_HOLDS(world, time > *mark, "the watermark of %s went from %lld to %lld",
                fly_task_name(task), (long long)*mark, (long long)time);
    *mark = time;
    world->last_cnt += time == LAST_TIME;
    if (fly_rt(task)->plan->port_cnt && chance(world, 128)) {
        fly_emit(task, 0, NULL, fill(task, &body, 7, (int32_t)time - 1));
        shadow_of(world, world->last_begun)->live += copies(fly_rt(task), 0);
    }
    self->inside = false;
}

static int holder_setup(struct fly_task *task, void *self)
{
    (void)self;
    fly_tick_every(task, 100000);
    return 0;
}

static enum fly_polled source_poll(struct fly_task *task, void *arg, uint32_t budget)
{
    struct world *world = pipe_world(task);
    struct self *self = arg;
    enter(task, self);
    uint64_t cnt = 1 + fly_rng_below(&world->rng, 3);
    for (; cnt && budget && self->sent < world->messages; cnt--, budget--) {
        struct body *body = &self->stable[cnt - 1];
        uint32_t id = world->root_cnt++;
        self->sent++;
        WORLD_HOLDS(world, id < ROOTS_MAX, "too many roots");
        struct fly_content content = fill(task, body, id, ++world->clock);
        content.flags = chance(world, 128) ? FLY_MSG_STABLE : 0;
        fly_emit_root(task, 0, id, id + 1, content);
        uint64_t name = world->name[id];
        struct shadow *shadow = name ? shadow_of(world, name) : &world->fresh[id];
        shadow->live += copies(fly_rt(task), 0);
    }
    bool more = self->sent < world->messages;
    if (!more || chance(world, 128))
        fly_watermark(task, more ? world->clock + 1 : LAST_TIME);
    self->inside = false;
    more |= world->waits_for_last && world->last_cnt < world->marked_cnt;
    return more ? FLY_POLL_MORE : FLY_POLL_DONE;
}

static void source_replay(struct fly_task *task, void *arg, uint64_t id, struct fly_attempt attempt)
{
    struct world *world = pipe_world(task);
    struct self *self = arg;
    struct body body;
    enter(task, self);
    struct fly_content content = fill(task, &body, (uint32_t)id, LATE);
    world->last_begun = 0;
    fly_emit_again(task, 0, attempt, content);
    struct shadow *shadow = shadow_of(world, attempt.bits);
    if (world->last_begun == attempt.bits && !shadow->live)
        shadow->live += copies(fly_rt(task), 0);
    self->inside = false;
}

static void end_root(struct fly_task *task, struct self *self, uint64_t id)
{
    struct world *world = pipe_world(task);
    enter(task, self);
    WORLD_HOLDS(world, id < world->root_cnt && !world->outcome[id], "root %llu ended twice",
                (unsigned long long)id);
    WORLD_HOLDS(world, !world->fresh[id].live, "root %llu ended, and messages of it live",
                (unsigned long long)id);
    world->outcome[id] = 1;
    world->outcome_cnt++;
    self->inside = false;
}

static void source_acked(struct fly_task *task, void *self, const uint64_t *ids, uint32_t cnt)
{
    for (uint32_t i = 0; i < cnt; i++)
        end_root(task, self, ids[i]);
}

static void source_failed(struct fly_task *task, void *self, uint64_t id, uint32_t reason)
{
    (void)reason;
    end_root(task, self, id);
}

static const struct fly_node source = {.name = "source",
                                       .kind = FLY_SOURCE,
                                       .self_bytes = sizeof(struct self),
                                       .poll = source_poll,
                                       .acked = source_acked,
                                       .failed = source_failed,
                                       .replay = source_replay};
static const struct fly_node keeper = {.name = "keeper",
                                       .kind = FLY_SOURCE,
                                       .self_bytes = sizeof(struct self),
                                       .poll = source_poll,
                                       .acked = source_acked,
                                       .failed = source_failed};
/* Hears of nothing: the shortest way for roots that end well. */
static const struct fly_node quiet = {.name = "quiet",
                                      .kind = FLY_SOURCE,
                                      .self_bytes = sizeof(struct self),
                                      .poll = source_poll,
                                      .replay = source_replay};
static const struct fly_node stage = {.name = "stage",
                                      .kind = FLY_STAGE,
                                      .self_bytes = sizeof(struct self),
                                      .process = stage_process};
static const struct fly_node holder = {.name = "holder",
                                       .kind = FLY_STAGE,
                                       .holds = true,
                                       .self_bytes = sizeof(struct self),
                                       .setup = holder_setup,
                                       .process = stage_process,
                                       .tick = holder_tick};
static const struct fly_node sink = {
    .name = "sink", .kind = FLY_SINK, .self_bytes = sizeof(struct self), .process = stage_process};
/* The same, called with watermarks. */
static const struct fly_node marked_stage = {.name = "marked stage",
                                             .kind = FLY_STAGE,
                                             .self_bytes = sizeof(struct self),
                                             .process = stage_process,
                                             .watermark = on_watermark};
static const struct fly_node marked_holder = {.name = "marked holder",
                                              .kind = FLY_STAGE,
                                              .holds = true,
                                              .self_bytes = sizeof(struct self),
                                              .setup = holder_setup,
                                              .process = stage_process,
                                              .tick = holder_tick,
                                              .watermark = on_watermark};
static const struct fly_node marked_sink = {.name = "marked sink",
                                            .kind = FLY_SINK,
                                            .self_bytes = sizeof(struct self),
                                            .process = stage_process,
                                            .watermark = on_watermark};

/* --- Schedules ------------------------------------------------------------------------------- */

#define ALL PIPE_ALL_WORKERS
#define NODE(...)                                                                                  \
    {                                                                                              \
        .type = &__VA_ARGS__                                                                       \
    }
#define LOCAL(a, b)                                                                                \
    {                                                                                              \
        .from = (a), .to = (b), .grouping = FLY_GROUP_LOCAL                                        \
    }
#define KEY(a, b)                                                                                  \
    {                                                                                              \
        .from = (a), .to = (b), .grouping = FLY_GROUP_KEY                                          \
    }
#define COPIES(a, b)                                                                               \
    {                                                                                              \
        .from = (a), .to = (b), .grouping = FLY_GROUP_BROADCAST                                    \
    }
#define SHUFFLE(a, b)                                                                              \
    {                                                                                              \
        .from = (a), .to = (b), .grouping = FLY_GROUP_SHUFFLE                                      \
    }

static const struct topology topologies[] = {
    {"symmetric, local then key",
     {NODE(source), NODE(stage), NODE(sink)},
     {LOCAL(0, 1), KEY(1, 2)},
     3,
     2,
     2,
     3,
     {0}},
    {"symmetric, all by key",
     {NODE(source), NODE(stage), NODE(sink)},
     {KEY(0, 1), KEY(1, 2)},
     3,
     2,
     2,
     3,
     {0}},
    {"four nodes, one source",
     {NODE(source, .workers = 1), NODE(stage), NODE(stage), NODE(sink)},
     {KEY(0, 1), KEY(1, 2), KEY(2, 3)},
     4,
     3,
     2,
     3,
     {0}},
    {"three workers, local then key",
     {NODE(source), NODE(stage), NODE(sink)},
     {LOCAL(0, 1), KEY(1, 2)},
     3,
     2,
     3,
     2,
     {0}},
    {"diamond by key",
     {NODE(source), NODE(stage), NODE(stage), NODE(sink)},
     {KEY(0, 1), KEY(0, 2), KEY(1, 3), KEY(2, 3)},
     4,
     4,
     2,
     2,
     {0}},
    {"diamond, local and key",
     {NODE(source, .workers = 1), NODE(stage, .workers = 1), NODE(stage), NODE(sink)},
     {LOCAL(0, 1), KEY(0, 2), KEY(1, 3), KEY(2, 3)},
     4,
     4,
     2,
     3,
     {0}},
    {"skip",
     {NODE(source), NODE(stage), NODE(sink)},
     {KEY(0, 1), KEY(0, 2), KEY(1, 2)},
     3,
     3,
     2,
     2,
     {0}},
    {"skip with a sink elsewhere",
     {NODE(source, .workers = 1), NODE(stage), NODE(stage), NODE(sink, .workers = 2)},
     {KEY(0, 1), KEY(0, 2), KEY(1, 2), KEY(2, 3)},
     4,
     4,
     2,
     2,
     {0}},
    {"diamond on three workers",
     {NODE(source), NODE(stage), NODE(stage), NODE(sink)},
     {KEY(0, 1), KEY(0, 2), KEY(1, 3), KEY(2, 3)},
     4,
     4,
     3,
     3,
     {0}},
    {"skip and depth on three workers",
     {NODE(source), NODE(stage), NODE(stage), NODE(sink)},
     {KEY(0, 1), KEY(0, 2), KEY(1, 2), KEY(1, 3), KEY(2, 3)},
     4,
     5,
     3,
     3,
     {0}},
    {"two sources, local chains",
     {NODE(source), NODE(source, .workers = 2), NODE(stage), NODE(sink)},
     {LOCAL(0, 2), KEY(1, 2), KEY(2, 3)},
     4,
     3,
     3,
     3,
     {0}},
    {"nobody listens",
     {NODE(quiet), NODE(stage), NODE(sink)},
     {LOCAL(0, 1), LOCAL(1, 2)},
     3,
     2,
     2,
     20,
     {.fails = 20}},
    {"nobody listens, by key",
     {NODE(quiet), NODE(stage), NODE(sink)},
     {LOCAL(0, 1), KEY(1, 2)},
     3,
     2,
     2,
     20,
     {.fails = 20}},
    {"copies for all",
     {NODE(source), NODE(stage), NODE(sink)},
     {COPIES(0, 1), COPIES(1, 2)},
     3,
     2,
     3,
     2,
     {0}},
    {"many messages, shuffled",
     {NODE(source), NODE(stage), NODE(sink)},
     {SHUFFLE(0, 1), KEY(1, 2)},
     3,
     2,
     2,
     50,
     {0}},
    {"large messages",
     {NODE(source), NODE(stage), NODE(sink)},
     {{.from = 0, .to = 1, .grouping = FLY_GROUP_KEY, .max_message_bytes = 1300},
      {.from = 1, .to = 2, .grouping = FLY_GROUP_BROADCAST, .max_message_bytes = 1300}},
     3,
     2,
     2,
     5,
     {.large = 80}},
    {"failing",
     {NODE(source), NODE(stage), NODE(sink)},
     {KEY(0, 1), KEY(1, 2)},
     3,
     2,
     2,
     5,
     {.fails = 60}},
    {"failing, with dead letters",
     {NODE(source, .dead_letters = 4), NODE(stage), NODE(sink), NODE(sink)},
     {KEY(0, 1), KEY(1, 2)},
     4,
     2,
     2,
     5,
     {.fails = 60}},
    {"failing, copies kept",
     {NODE(keeper, .dead_letters = 4, .retain_bytes = 2048), NODE(stage), NODE(sink), NODE(sink)},
     {KEY(0, 1), KEY(1, 2)},
     4,
     2,
     2,
     9,
     {.fails = 60}},
    {"holding",
     {NODE(source), NODE(holder, .hold_messages = 4), NODE(sink)},
     {KEY(0, 1), KEY(1, 2)},
     3,
     2,
     2,
     9,
     {.holds = 160}},
    {"holding little, called directly",
     {NODE(source), NODE(holder, .hold_messages = 2), NODE(sink)},
     {LOCAL(0, 1), KEY(1, 2)},
     3,
     2,
     2,
     12,
     {.holds = 200}},
    {"a diamond that holds little",
     {NODE(source), NODE(stage), NODE(holder, .hold_messages = 2), NODE(sink)},
     {LOCAL(0, 1), LOCAL(0, 2), KEY(1, 2), LOCAL(2, 3)},
     4,
     4,
     2,
     12,
     {.holds = 200}},
    {"holding, joining, failing",
     {NODE(source), NODE(holder, .hold_messages = 6, .max_in_flight = 2), NODE(sink)},
     {KEY(0, 1), KEY(1, 2)},
     3,
     2,
     3,
     9,
     {.holds = 160, .joins = 100, .fails = 30}},
    {"roots of stages",
     {NODE(source), NODE(holder, .max_in_flight = 2, .retain_bytes = 1024), NODE(sink)},
     {LOCAL(0, 1), KEY(1, 2)},
     3,
     2,
     2,
     9,
     {.holds = 60, .joins = 60, .detaches = 60, .fails = 40}},
    {"two that hold, in a row, timeouts",
     {NODE(source, .ack_timeout_ns = 20000000, .attempts = 50), NODE(holder), NODE(holder),
      NODE(sink)},
     {KEY(0, 1), LOCAL(1, 2), KEY(2, 3)},
     4,
     3,
     2,
     9,
     {.holds = 100, .joins = 60, .timeout_ms = 20}},
};
enum { TOPOLOGY_CNT = sizeof(topologies) / sizeof(topologies[0]) };

/* Some nodes are called with watermarks, in half of the schedules none. */
static void mark_nodes(struct world *world, struct pipe_node *node)
{
    static const struct fly_node *const plain[] = {&stage, &holder, &sink};
    static const struct fly_node *const marked[] = {&marked_stage, &marked_holder, &marked_sink};
    if (chance(world, 128))
        return;
    world->waits_for_last = chance(world, 128);
    for (uint32_t n = 0; n < world->topology->node_cnt; n++)
        for (uint32_t k = 0; k < 3; k++)
            if (node[n].type == plain[k] && chance(world, 128))
                node[n].type = marked[k];
}

static void count_marked(struct world *world)
{
    for (uint32_t t = 0; t < world->pipe.plan.head.task_cnt; t++) {
        world->mark[t] = FLY_WATERMARK_NONE;
        world->marked_cnt += world->pipe.type[world->pipe.plan.task[t].node]->watermark != NULL;
    }
}

static void one_schedule(struct world *world, const struct topology *topology, uint64_t seed,
                         uint32_t frames)
{
    struct pipe_edge edge[PIPE_EDGES_MAX];
    struct pipe_node node[PIPE_NODES_MAX];
    const struct fly_workspace spare = world->spare;
    memset(world, 0, sizeof(*world));
    world->spare = spare;
    world->seed = seed;
    world->topology = topology;
    world->habits = topology->habits;
    world->messages = topology->messages;
    fly_rng_init(&world->rng, seed);
    static const uint8_t suspends[] = {0, 20, 100}, nests[] = {0, 40, 120};
    world->habits.suspends = suspends[fly_rng_below(&world->rng, 3)];
    world->habits.nests = nests[fly_rng_below(&world->rng, 3)];
    memcpy(edge, topology->edge, sizeof(edge));
    memcpy(node, topology->node, sizeof(node));
    mark_nodes(world, node);
    for (uint32_t e = 0; e < topology->edge_cnt; e++)
        if (!edge[e].max_message_bytes)
            edge[e].frames = frames;
    struct pipe_spec spec = {.worker_cnt = topology->worker_cnt,
                             .seed = seed,
                             .hooks = &hooks,
                             .node = node,
                             .node_cnt = topology->node_cnt,
                             .edge = edge,
                             .edge_cnt = topology->edge_cnt,
                             .opt_spare = &world->spare};
    pipe_open(&world->pipe, &spec, world);
    count_marked(world);
    if (topology->habits.timeout_ms)
        world->pipe.step_ns = 400000;
    for (uint32_t i = 0; !pipe_ended(&world->pipe); i++) {
        WORLD_HOLDS(world, i < TURNS_MAX, "it does not end");
        turn(world, (uint32_t)fly_rng_below(&world->rng, topology->worker_cnt));
        if (fly_rng_below(&world->rng, 32) == 0)
            invariants_check(&world->pipe);
    }
    pipe_rounds(&world->pipe, 2);
    invariants_ended(&world->pipe);
    const bool listens = topology->node[0].type->acked != NULL;
    WORLD_HOLDS(world, !listens || world->outcome_cnt == world->root_cnt,
                "%u roots, of %u the source heard", world->root_cnt, world->outcome_cnt);
    for (uint32_t id = 0; id < world->root_cnt; id++)
        WORLD_HOLDS(world, !world->fresh[id].live, "messages of root %u live", id);
    pipe_close(&world->pipe);
}

static void explore(uint64_t seed, uint64_t until_ns)
{
    struct world *world = calloc(1, sizeof(*world));
    uint32_t cnt = 0;
    assert_non_null(world);
    uint64_t end = fly_clock_ns() + until_ns;
    while (fly_clock_ns() < end) {
        static const uint32_t frames[] = {0, 1, 2, 3};
        for (uint32_t t = 0; t < TOPOLOGY_CNT; t++, cnt++)
            one_schedule(world, &topologies[t], seed + cnt,
                         frames[(seed + cnt / TOPOLOGY_CNT) % 4]);
    }
    print_message("%u schedules\n", cnt);
    fly_workspace_close(&world->spare);
    free(world);
}

static void test_random_schedules_keep_every_promise(void **state)
{
    (void)state;
    const char *seconds = getenv("FLY_TEST_SECONDS");
    explore(test_seed(), (seconds ? strtoull(seconds, NULL, 0) * 1000 : 1500) * 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_schedules_keep_every_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
