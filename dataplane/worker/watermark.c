#include "worker/watermark.h"

#include "worker/call.h"
#include "worker/emit.h"

static bool same(struct fly_mark left, struct fly_mark right)
{
    return left.time_ns == right.time_ns && left.idle == right.idle;
}

/* --- The start ------------------------------------------------------------------------------- */

/* Can the sender of a feed pick this receiver at all? */
static bool may_pick(const struct fly_plan *plan, const struct fly_plan_edge *edge,
                     uint32_t sender_worker, uint32_t lane)
{
    const uint32_t *target = fly_plan_targets(plan) + edge->first_target;
    uint32_t locals = 0;
    if (edge->grouping == FLY_GROUP_GLOBAL)
        return lane == 0;
    if (edge->grouping != FLY_GROUP_LOCAL)
        return true;
    for (uint32_t i = 0; i < edge->target_cnt; i++)
        locals += fly_plan_tasks(plan)[target[i]].worker == sender_worker;
    return locals != 1 || fly_plan_tasks(plan)[target[lane]].worker == sender_worker;
}

static struct fly_feed_marks *marks_of(const struct fly_worker *worker, uint32_t feed)
{
    return fly_place(worker->workspace, worker->layout->feed[feed].marks);
}

static int64_t newest_of(const struct fly_worker *worker, uint32_t feed)
{
    uint64_t newest = atomic_load_explicit(&marks_of(worker, feed)->newest, memory_order_acquire);
    return (int64_t)(newest + (uint64_t)FLY_WATERMARK_NONE);
}

void fly_mark_open_input(struct fly_rt_task *task, struct fly_input *input)
{
    const struct fly_worker *worker = task->worker;
    const struct fly_plan *plan = worker->plan;
    const struct fly_feed_place *place = &worker->layout->feed[input->feed];
    const struct fly_plan_edge *edge = &fly_plan_edges(plan)[place->edge];
    const uint32_t *target = fly_plan_targets(plan) + edge->first_target;
    uint32_t lane = 0;
    while (target[lane] != task->idx)
        lane++;
    input->mark = (struct fly_input_mark){
        .now = {newest_of(worker, input->feed), false},
        .after = FLY_FRAME_NONE,
        .lane = lane,
        .mute = !may_pick(plan, edge, fly_plan_tasks(plan)[place->task].worker, lane),
        .frame = input->local ? NULL : &marks_of(worker, input->feed)->frame[lane],
    };
}

void fly_mark_open_edge(struct fly_rt_task *task, struct fly_out_edge *edge)
{
    const struct fly_plan *plan = task->worker->plan;
    const struct fly_plan_edge *plan_edge = &fly_plan_edges(plan)[edge->feed->edge];
    edge->feed->out = edge;
    for (uint32_t i = 0; i < edge->lane_cnt; i++)
        edge->mark[i] = (struct fly_lane_mark){
            .said = {FLY_WATERMARK_NONE, false},
            .mute = !may_pick(plan, plan_edge, task->worker->idx, i),
        };
}

/* The release is for a task that starts later; who reads it at the end has had a descriptor. */
static void set_newest(const struct fly_worker *worker, uint32_t feed, int64_t time_ns)
{
    atomic_store_explicit(&marks_of(worker, feed)->newest,
                          (uint64_t)time_ns - (uint64_t)FLY_WATERMARK_NONE, memory_order_release);
}

/* What the task's lanes are to carry from now on; time never goes back. */
static void say(struct fly_rt_task *task, struct fly_mark mark)
{
    struct fly_task_mark *own = &task->mark_of;
    if (mark.time_ns < own->out.time_ns)
        mark.time_ns = own->out.time_ns;
    if (same(mark, own->out))
        return;
    own->out = mark;
    own->due = true;
    task->worker->marks_due = true;
    for (uint32_t p = 0; p < task->port_cnt; p++)
        for (uint32_t e = 0; e < task->port[p].edge_cnt; e++)
            set_newest(task->worker, task->port[p].edge[e].feed->idx, mark.time_ns);
}

/* A task that nobody can send anything to would hold the others back for ever. */
void fly_mark_open_task(struct fly_rt_task *task)
{
    bool mute = task->input_cnt > 0 && task->worker->event_time;
    task->mark_of = (struct fly_task_mark){
        .in = {FLY_WATERMARK_NONE, false},
        .out = {FLY_WATERMARK_NONE, false},
    };
    for (uint32_t i = 0; i < task->input_cnt; i++)
        mute = mute && task->input[i].mark.mute;
    if (mute)
        say(task, (struct fly_mark){FLY_WATERMARK_NONE, true});
}

/* --- Saying ---------------------------------------------------------------------------------- */

static bool may_say(struct fly_rt_task *task, const char *call)
{
    fly_check_call(task, call);
    if (FLY_UNLIKELY(task->node->kind != FLY_SOURCE && !task->node->sets_watermark))
        fly_misuse(task, call, "the node does not declare that it sets watermarks");
    return task->worker->event_time;
}

void fly_mark_say(struct fly_task *pub, int64_t time_ns)
{
    struct fly_rt_task *task = fly_rt(pub);
    const struct fly_mark *out = &task->mark_of.out;
    if (!may_say(task, "fly_watermark") || (time_ns <= out->time_ns && !out->idle))
        return;
    fly_task_flush(task); /* what was emitted goes first */
    say(task, (struct fly_mark){time_ns, false});
}

void fly_mark_say_idle(struct fly_task *pub)
{
    struct fly_rt_task *task = fly_rt(pub);
    if (!may_say(task, "fly_watermark_idle") || task->mark_of.out.idle)
        return;
    fly_task_flush(task);
    say(task, (struct fly_mark){task->mark_of.out.time_ns, true});
}

/* --- Receiving ------------------------------------------------------------------------------- */

/* The last frame of an input that is not worked off. */
static uint32_t last_frame(const struct fly_rt_task *task, const struct fly_input *input)
{
    if (input->head != FLY_FRAME_NONE)
        return input->tail;
    bool works = task->current.frame_idx != FLY_FRAME_NONE && task->current.input == input;
    return works ? task->current.frame_idx : FLY_FRAME_NONE;
}

/* Whether direct calls must wait, so that the task gets a turn of its own. */
static void keep_busy(struct fly_rt_task *task, bool keep)
{
    if (task->mark_of.keeps_busy == keep)
        return;
    task->mark_of.keeps_busy = keep;
    task->busy += keep ? 1U : UINT32_MAX;
}

/* Do marks wait for what the task holds? */
static bool holds_back(const struct fly_rt_task *task)
{
    return task->held && task->port_cnt;
}

static void ready(struct fly_rt_task *task)
{
    task->mark_of.ready_cnt++;
    if (task->node->watermark || holds_back(task))
        keep_busy(task, true);
}

static void wait_for(struct fly_rt_task *task, struct fly_input *input, enum fly_mark_waits what)
{
    input->mark.waits = what;
    input->mark.after = last_frame(task, input);
    if (input->mark.after == FLY_FRAME_NONE)
        ready(task);
}

static void input_say(struct fly_rt_task *task, struct fly_input *input, struct fly_mark mark)
{
    if (FLY_UNLIKELY(input->mark.waits != FLY_MARK_NOTHING || input->eos)) {
        fly_count(&task->worker->stats->corrupt, 1);
        return;
    }
    input->mark.next = mark;
    wait_for(task, input, FLY_MARK_TIME);
}

void fly_mark_arrived(struct fly_worker *worker, uint32_t task_idx, uint32_t feed_idx)
{
    struct fly_input *input = fly_input_of(worker, task_idx, feed_idx);
    if (FLY_UNLIKELY(!input || !input->mark.frame)) {
        fly_count(&worker->stats->corrupt, 1);
        return;
    }
    const struct fly_mark_frame *frame = input->mark.frame;
    input_say(worker->by_plan[task_idx], input,
              (struct fly_mark){frame->time_ns, frame->idle != 0});
}

void fly_mark_end(struct fly_rt_task *task, struct fly_input *input)
{
    if (!task->worker->event_time)
        return;
    input->mark.ends = true;
    if (input->mark.waits == FLY_MARK_NOTHING)
        wait_for(task, input, FLY_MARK_END);
}

void fly_mark_reached(struct fly_rt_task *task, struct fly_input *input)
{
    input->mark.after = FLY_FRAME_NONE;
    ready(task);
}

void fly_mark_home(struct fly_worker *worker, uint32_t feed_idx, uint32_t lane)
{
    const struct fly_feed *feed =
        feed_idx < worker->layout->feed_cnt ? &worker->feed[feed_idx] : NULL;
    bool known = feed && feed->out && lane < feed->out->lane_cnt && feed->out->mark[lane].away;
    if (FLY_LIKELY(known))
        feed->out->mark[lane].away = false;
    else
        fly_count(&worker->stats->corrupt, 1);
}

static void send_home(struct fly_worker *worker, const struct fly_input *input)
{
    const struct fly_feed_place *place = &worker->layout->feed[input->feed];
    uint32_t owner = fly_plan_tasks(worker->plan)[place->task].worker;
    if (!input->mark.frame) {
        fly_mark_home(worker, input->feed, input->mark.lane);
        return;
    }
    bool staged = fly_ring8_stage(&worker->peer[owner].back_out,
                                  fly_home_mark(input->feed, input->mark.lane));
    FLY_CHECK(staged, "a return ring has no room for a mark");
    worker->peer[owner].back_waits = true;
}

/* --- Taking, and passing on ------------------------------------------------------------------ */

static uint32_t take(struct fly_rt_task *task, struct fly_input *input)
{
    enum fly_mark_waits waited = input->mark.waits;
    if (waited == FLY_MARK_NOTHING || input->mark.after != FLY_FRAME_NONE)
        return 0;
    task->mark_of.ready_cnt--;
    input->mark.waits = FLY_MARK_NOTHING;
    if (waited == FLY_MARK_END) { /* which may have come instead of the last one */
        input->mark.ended = true;
        input->mark.now.time_ns = newest_of(task->worker, input->feed);
        return 1;
    }
    input->mark.now = input->mark.next;
    send_home(task->worker, input);
    if (input->mark.ends)
        wait_for(task, input, FLY_MARK_END);
    return 1;
}

/* The least of the inputs that count; where all are idle or ended, the greatest: as if they had
 * become so one by one, the slowest first. Mute ones are idle all the time. False: nothing new. */
static bool derive(struct fly_rt_task *task)
{
    int64_t least = INT64_MAX, greatest = FLY_WATERMARK_NONE;
    uint32_t active_cnt = 0, idle_cnt = 0;
    for (uint32_t i = 0; i < task->input_cnt; i++) {
        const struct fly_input_mark *mark = &task->input[i].mark;
        const bool active = !mark->ended && !mark->mute && !mark->now.idle;
        idle_cnt += !active && !mark->ended;
        active_cnt += active;
        if (active && mark->now.time_ns < least)
            least = mark->now.time_ns;
        if (!mark->mute && mark->now.time_ns > greatest)
            greatest = mark->now.time_ns;
    }
    if (!active_cnt && !idle_cnt)
        return false; /* the end follows */
    struct fly_mark in = {active_cnt ? least : greatest, !active_cnt};
    if (in.time_ns < task->mark_of.in.time_ns)
        in.time_ns = task->mark_of.in.time_ns;
    bool is_new = !same(in, task->mark_of.in);
    task->mark_of.in = in;
    return is_new;
}

/* What is held now stays in front: it is told from what is held later by its half of the pool. */
static void pass_on(struct fly_rt_task *task)
{
    struct fly_task_mark *own = &task->mark_of;
    if (task->node->sets_watermark) { /* nothing comes in: it has nothing to say for a while */
        if (own->in.idle)
            say(task, (struct fly_mark){own->out.time_ns, true});
        return;
    }
    if (own->behind_held)
        return;
    if (!holds_back(task) || !fly_hold_split(task->held)) {
        say(task, own->in);
        return;
    }
    own->held = own->in;
    own->behind_held = true;
}

/* What was held is gone, and the call that sent it on is over. */
static uint32_t pass_held(struct fly_rt_task *task)
{
    struct fly_task_mark *own = &task->mark_of;
    if (!own->behind_held || fly_hold_before_split(task->held))
        return 0;
    if (task->occupied) {
        keep_busy(task, true);
        return 0;
    }
    own->behind_held = false;
    say(task, own->held);
    if (!same(own->held, own->in))
        pass_on(task);
    return 1;
}

void fly_mark_act(struct fly_rt_task *task)
{
    task->node->watermark(&task->pub, task->self, task->mark_of.in.time_ns);
    fly_task_flush(task);
    pass_on(task);
}

uint32_t fly_mark_step(struct fly_rt_task *task)
{
    const bool calls = task->node->watermark != NULL;
    uint32_t work = pass_held(task);
    if (task->occupied && (calls || holds_back(task)))
        return work;
    int64_t before_ns = task->mark_of.in.time_ns;
    for (uint32_t i = 0; task->mark_of.ready_cnt && i < task->input_cnt; i++)
        work += take(task, &task->input[i]);
    if (!task->mark_of.ready_cnt) /* else an end came right behind: it has the next turn */
        keep_busy(task, false);
    if (!derive(task))
        return work;
    if (calls && task->mark_of.in.time_ns > before_ns)
        fly_task_act(task, FLY_ACT_WATERMARK);
    else
        pass_on(task);
    return work + 1;
}

/* --- Sending --------------------------------------------------------------------------------- */

static void lane_say(struct fly_rt_task *task, struct fly_out_edge *edge, uint32_t idx)
{
    struct fly_worker *worker = task->worker;
    const struct fly_lane *lane = &edge->lane[idx];
    struct fly_lane_mark *mark = &edge->mark[idx];
    struct fly_feed_marks *marks = marks_of(worker, edge->feed->idx);
    const struct fly_mark out = task->mark_of.out;
    mark->said = out;
    mark->said_ticks = worker->now_ticks;
    mark->away = true;
    if (lane->local) {
        input_say(lane->local, fly_input_of(worker, lane->target, edge->feed->idx), out);
        return;
    }
    marks->frame[idx].time_ns = out.time_ns;
    marks->frame[idx].idle = out.idle;
    struct fly_peer *peer = &worker->peer[lane->worker];
    bool staged = fly_ring8_stage(&peer->data_out,
                                  fly_data_make(FLY_DATA_WATERMARK, lane->target, edge->feed->idx));
    FLY_CHECK(staged, "a data ring has no room for a mark");
    peer->published = true;
}

/* Sends what can go; *left: something could not. */
static uint32_t edge_flush(struct fly_rt_task *task, struct fly_out_edge *edge, bool all,
                           bool *left)
{
    struct fly_worker *worker = task->worker;
    uint32_t sent = 0;
    for (uint32_t i = 0; i < edge->lane_cnt; i++) {
        const struct fly_lane_mark *mark = &edge->mark[i];
        if (mark->mute || same(mark->said, task->mark_of.out))
            continue;
        bool waits = edge->lane[i].writer.frame && !all &&
                     worker->now_ticks - mark->said_ticks < worker->flush_ticks;
        if (mark->away || waits) {
            *left = true;
            continue;
        }
        fly_lane_send(worker, &edge->lane[i]);
        lane_say(task, edge, i);
        sent++;
    }
    return sent;
}

uint32_t fly_marks_flush(struct fly_worker *worker, bool all)
{
    uint32_t sent = 0;
    worker->marks_due = false;
    for (uint32_t t = 0; t < worker->task_cnt; t++) {
        struct fly_rt_task *task = &worker->task[t];
        bool left = false;
        if (!task->mark_of.due || task->ended)
            continue;
        for (uint32_t p = 0; p < task->port_cnt; p++)
            for (uint32_t e = 0; e < task->port[p].edge_cnt; e++)
                sent += edge_flush(task, &task->port[p].edge[e], all, &left);
        task->mark_of.due = left;
        worker->marks_due |= left;
    }
    return sent;
}
