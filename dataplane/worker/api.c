#include "worker/api.h"

#include "base/err.h"
#include "worker/call.h"
#include "worker/dead_letter.h"
#include "worker/emit.h"
#include "worker/roots.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void fly_misuse(const struct fly_rt_task *task, const char *call, const char *what)
{
    (void)fprintf(stderr, "flyover-dataplane: node '%s' (type %s): %s: %s\n", task->plan->name,
                  task->plan->type, call, what);
    (void)fflush(stderr);
    _exit(FLY_EXIT_MISUSE);
}

/* --- Setup and time -------------------------------------------------------------------------- */

static int api_port(struct fly_task *pub, const char *name, uint32_t *port)
{
    struct fly_rt_task *task = fly_rt(pub);
    const struct fly_plan_port *ports = fly_plan_ports(task->worker->plan) + task->plan->first_port;
    for (uint32_t i = 0; i < task->plan->port_cnt; i++) {
        if (strcmp(ports[i].name, name) == 0) {
            *port = i;
            return 0;
        }
    }
    (void)snprintf(task->refusal_text, sizeof(task->refusal_text), "it has no output port '%s'",
                   name);
    task->refusal = task->refusal_text;
    return -1;
}

static int api_refuse(struct fly_task *pub, const char *param, const char *why)
{
    struct fly_rt_task *task = fly_rt(pub);
    (void)snprintf(task->refusal_text, sizeof(task->refusal_text), "%s%s%s", param ? param : "",
                   param ? ": " : "", why);
    task->refusal = task->refusal_text;
    return -1;
}

static void api_place(struct fly_task *pub, struct fly_place *place)
{
    const struct fly_rt_task *task = fly_rt(pub);
    const struct fly_plan *plan = task->worker->plan;
    *place = (struct fly_place){fly_plan_tasks(plan)[task->idx].idx, task->plan->task_cnt,
                                task->worker->idx, plan->restarted != 0};
}

static const char *api_node_name(struct fly_task *pub)
{
    return fly_rt(pub)->plan->name;
}

static void *api_state_memory(struct fly_task *pub, uint64_t *bytes)
{
    const struct fly_rt_task *task = fly_rt(pub);
    *bytes = task->plan->state_bytes;
    uint64_t at = task->worker->layout->task[task->idx].state;
    return *bytes ? fly_place(task->worker->workspace, at) : NULL;
}

static void *api_alloc(struct fly_task *pub, uint64_t bytes)
{
    struct fly_rt_task *task = fly_rt(pub);
    uint64_t size = fly_align_up(bytes + FLY_CACHE_LINE, FLY_CACHE_LINE);
    void **memory = aligned_alloc(FLY_CACHE_LINE, size);
    if (!memory)
        return NULL;
    memset(memory, 0, size);
    memory[0] = task->allocated; /* linked, to be freed with the task */
    task->allocated = memory;
    return (char *)memory + FLY_CACHE_LINE;
}

static uint64_t api_now_ns(struct fly_task *pub)
{
    return fly_rt(pub)->worker->now_ns;
}

static uint64_t api_wall_ns(struct fly_task *pub)
{
    const struct fly_worker *worker = fly_rt(pub)->worker;
    return worker->clock_wall_base + (worker->now_ns - worker->clock_mono_base);
}

static uint64_t api_random(struct fly_task *pub)
{
    return fly_rng_next(&fly_rt(pub)->rng);
}

static uint32_t api_key_hash(const void *key, uint32_t bytes)
{
    return fly_hash_key(key, bytes);
}

static void api_tick_every(struct fly_task *pub, uint64_t ns)
{
    struct fly_rt_task *task = fly_rt(pub);
    task->tick_ticks = ns ? fly_ns_to_ticks(&task->worker->clock, ns) : 0;
    task->tick_next = ns ? fly_hook_ticks(task->worker->hooks) + task->tick_ticks : UINT64_MAX;
}

static void api_wake_in(struct fly_task *pub, uint64_t ns)
{
    struct fly_rt_task *task = fly_rt(pub);
    task->wake_ticks = task->worker->now_ticks + fly_ns_to_ticks(&task->worker->clock, ns);
}

static void api_count_error(struct fly_task *pub, uint64_t cnt)
{
    fly_count(&fly_rt(pub)->stats->errors, cnt);
}

static int api_io_submit(struct fly_task *pub, const struct fly_io *io)
{
    struct fly_rt_task *task = fly_rt(pub);
    uint32_t local = (uint32_t)(task - task->worker->task);
    if (task->io_in_flight == FLY_URING_MAX)
        return -EBUSY;
    int rc = fly_uring_submit(&task->worker->uring, local, io);
    task->io_in_flight += rc == 0;
    return rc;
}

static void api_io_trouble(struct fly_task *pub, int error)
{
    fly_gauge(&fly_rt(pub)->stats->io_errno, error > 0 ? (uint64_t)error : 0);
}

static uint32_t api_max_message_bytes(struct fly_task *pub)
{
    const struct fly_rt_task *task = fly_rt(pub);
    uint32_t least = UINT32_MAX;
    for (uint32_t p = 0; p < task->plan->port_cnt; p++)
        if (task->port[p].edge_cnt && task->port[p].max_bytes < least)
            least = task->port[p].max_bytes;
    uint64_t room = (task->scratch_bytes - FLY_CACHE_LINE) / (task->retain ? 3 : 2);
    return least < room ? least : (uint32_t)room;
}

static bool api_port_connected(struct fly_task *pub, uint32_t port)
{
    const struct fly_rt_task *task = fly_rt(pub);
    return port < task->plan->port_cnt && task->port[port].edge_cnt > 0;
}

/* Behind a reserved place: a key and metadata that are written elsewhere, and more for retries. */
enum { RESERVE_SPARE = 8192 };

/* What one call may take from its holds, beyond one message of the largest size. */
enum { TAKEN_SPARE = 32768 };

/* --- Emitting -------------------------------------------------------------------------------- */

/* Does what [at, at + bytes) holds stay until the port is flushed, without a copy? */
static FLY_ALWAYS_INLINE bool lasts(const struct fly_rt_task *task, const struct fly_msg *parent,
                                    const struct fly_content *content)
{
    const uint8_t *payload = content->payload, *key = content->key;
    if (FLY_UNLIKELY(content->meta != NULL))
        return false;
    if (content->flags & FLY_MSG_STABLE)
        return true;
    uint64_t offset = (uintptr_t)payload - (uintptr_t)task->scratch;
    if (offset < task->scratch_low && content->payload_bytes <= task->scratch_low - offset)
        return !key ||
               ((uintptr_t)key >= (uintptr_t)payload &&
                (uintptr_t)key + content->key_bytes <= (uintptr_t)payload + content->payload_bytes);
    return parent && fly_is_part(parent, payload, content->payload_bytes) &&
           (!key || fly_is_part(parent, key, content->key_bytes));
}

static FLY_ALWAYS_INLINE void emit_to(struct fly_rt_task *task, uint32_t port,
                                      struct fly_anchor *anchor, const struct fly_msg *parent,
                                      const struct fly_content *content)
{
    if (FLY_UNLIKELY(!lasts(task, parent, content))) {
        fly_port_copy(task, port, anchor, content);
        return;
    }
    struct fly_port *pub = &task->pub.port[port];
    if (pub->cnt == pub->max)
        fly_port_flush(task, port);
    pub->msg[pub->cnt++] = (struct fly_msg){
        .payload = content->payload,
        .key = content->key,
        .anchor = anchor,
        .payload_bytes = content->payload_bytes,
        .key_bytes = content->key ? content->key_bytes : 0,
        .flags = content->flags & ~(uint32_t)FLY_MSG_STABLE,
    };
}

static void check_port(struct fly_rt_task *task, uint32_t port, const char *call)
{
    if (FLY_UNLIKELY(port >= task->plan->port_cnt))
        fly_misuse(task, call, "no such port");
}

/* A root that no edge can carry, so that no copy of it is of use either. */
static bool is_too_large(const struct fly_rt_task *task, uint32_t port,
                         const struct fly_content *content)
{
    uint64_t bytes = (uint64_t)content->payload_bytes + content->key_bytes + content->meta_bytes;
    return bytes > task->port[port].max_bytes || bytes > task->largest_bytes;
}

/* It becomes a dead letter at once. */
static void emit_too_large(struct fly_rt_task *task, struct fly_root_entry *entry,
                           const struct fly_content *content)
{
    fly_count(&task->stats->errors, 1);
    if (fly_root_dead(task, entry, FLY_REASON_TOO_LARGE))
        fly_emit_dead_letter(task, entry, content, content->payload_bytes);
}

/* A root that this stage owns, from tick or finish. */
static void emit_own(struct fly_rt_task *task, uint32_t port, const struct fly_content *content,
                     uint8_t flags, const char *call)
{
    if (FLY_UNLIKELY(!task->source))
        fly_misuse(task, call, "this node owns no roots: it has neither tick nor finish nor holds");
    bool keep = task->retain && !(flags & FLY_ROOT_DETACHED);
    bool too_large = keep && is_too_large(task, port, content);
    if (keep && !too_large)
        fly_root_wait_room(task, content);
    struct fly_root_entry *entry = fly_root_begin(task, task->own_id++);
    fly_root_count(task, 1);
    if (flags)
        atomic_store_explicit(&entry->flags, flags, memory_order_relaxed);
    if (FLY_UNLIKELY(too_large)) {
        emit_too_large(task, entry, content);
        return;
    }
    if (keep)
        fly_root_keep(task, entry, content, port);
    emit_to(task, port, &entry->anchor, NULL, content);
}

static void api_emit(struct fly_task *pub, uint32_t port, const struct fly_msg *parent,
                     const struct fly_content *content)
{
    struct fly_rt_task *task = fly_rt(pub);
    fly_check_call(task, "fly_emit");
    check_port(task, port, "fly_emit");
    if (parent)
        emit_to(task, port, parent->anchor, parent, content);
    else
        emit_own(task, port, content, 0, "fly_emit without a parent");
}

/* Without room in the ports even the inline emits come by here, where they are checked. */
static void set_port_room(struct fly_rt_task *task, uint32_t max)
{
    for (uint32_t p = 0; p < task->plan->port_cnt; p++)
        task->pub.port[p].max = max;
}

static void *api_reserve(struct fly_task *pub, uint32_t bytes)
{
    struct fly_rt_task *task = fly_rt(pub);
    fly_check_call(task, "fly_reserve");
    if (bytes > api_max_message_bytes(pub))
        fly_misuse(task, "fly_reserve", "more than fly_max_message_bytes");
    uint64_t spare = task->retain ? 2 * task->largest_bytes : bytes;
    uint8_t *at = fly_scratch_take(task, bytes ? bytes : 1, spare + RESERVE_SPARE);
    if (!at)
        fly_misuse(task, "fly_reserve", "messages taken in this call left no room");
    if (task->node->kind == FLY_SOURCE)
        return at; /* ends with the emit that names it */
    task->reserved = at;
    task->reserved_bytes = bytes;
    set_port_room(task, 0);
    return at;
}

static void api_commit(struct fly_task *pub, uint32_t port, const struct fly_msg *parent,
                       const struct fly_content *content)
{
    struct fly_rt_task *task = fly_rt(pub);
    uint8_t *at = task->reserved;
    if (!at)
        fly_misuse(task, "fly_commit", "nothing was reserved");
    task->reserved = NULL;
    set_port_room(task, FLY_BATCH_MAX);
    fly_check_call(task, "fly_commit");
    check_port(task, port, "fly_commit");
    if (content->payload_bytes > task->reserved_bytes)
        fly_misuse(task, "fly_commit", "more bytes than were reserved");
    struct fly_content written = *content;
    written.payload = at;
    if (!content->meta) /* what was not used goes back */
        task->scratch_low =
            (uint64_t)(at - task->scratch) + fly_align_up(content->payload_bytes, 8);
    if (parent) {
        emit_to(task, port, parent->anchor, parent, &written);
        return;
    }
    task->scratch_floor = task->scratch_low;
    emit_own(task, port, &written, 0, "fly_commit without a parent");
    task->scratch_floor = 0;
}

static void api_emit_detached(struct fly_task *pub, uint32_t port,
                              const struct fly_content *content)
{
    struct fly_rt_task *task = fly_rt(pub);
    fly_check_call(task, "fly_emit_detached");
    check_port(task, port, "fly_emit_detached");
    emit_own(task, port, content, FLY_ROOT_DETACHED, "fly_emit_detached");
}

static struct fly_held_entry *use_handle(struct fly_rt_task *task, struct fly_held held,
                                         const char *call)
{
    struct fly_held_entry *entry = task->held ? fly_hold_find(task->held, held) : NULL;
    if (FLY_UNLIKELY(!entry))
        fly_misuse(task, call, "a handle that is not held: never given out, or used before");
    return entry;
}

static void api_emit_joined(struct fly_task *pub, uint32_t port, const struct fly_held *parents,
                            uint32_t cnt, const struct fly_content *content)
{
    struct fly_rt_task *task = fly_rt(pub);
    /* Contents may have been written in place. */
    task->scratch_floor = task->reserved ? task->scratch_low : 0;
    if (task->reserved)
        set_port_room(task, FLY_BATCH_MAX);
    task->reserved = NULL;
    fly_check_call(task, "fly_emit_joined");
    check_port(task, port, "fly_emit_joined");
    if (!cnt)
        fly_misuse(task, "fly_emit_joined", "no parents");
    uint32_t head = UINT32_MAX;
    for (uint32_t i = cnt; i-- > 0;) {
        struct fly_held_entry *entry = use_handle(task, parents[i], "fly_emit_joined");
        fly_blocks_free(task->hold_blocks, entry->block);
        entry->block = FLY_BLOCK_NONE;
        fly_hold_join(task->held, entry);
        entry->next = head;
        head = (uint32_t)(entry - task->held->entry);
    }
    struct fly_root_entry *entry = fly_root_begin(task, task->own_id++);
    fly_root_count(task, 1);
    atomic_store_explicit(&entry->flags, FLY_ROOT_JOINED, memory_order_relaxed);
    entry->parents = head;
    fly_gauge(&task->stats->held, task->held->total - task->held->free_cnt);
    emit_to(task, port, &entry->anchor, NULL, content);
    task->scratch_floor = 0;
}

/* --- Ending messages ------------------------------------------------------------------------- */

static void account(struct fly_rt_task *task, const struct fly_msg *msg, const char *call)
{
    const struct fly_anchor *anchor = msg->anchor;
    bool own = anchor->kind == FLY_ANCHOR_TAKEN && anchor->holder == task - task->worker->task;
    if (task->node->completes != FLY_EXPLICIT || own) /* what it took itself it was not given now */
        return;
    if (FLY_UNLIKELY(!task->explicit_left))
        fly_misuse(task, call, "more messages ended than the call was given");
    task->explicit_left--;
}

static void api_fail(struct fly_task *pub, const struct fly_msg *msg, uint32_t reason)
{
    struct fly_rt_task *task = fly_rt(pub);
    fly_check_call(task, "fly_fail");
    account(task, msg, "fly_fail");
    fly_anchor_fail(task, msg->anchor, reason);
}

static void api_ack(struct fly_task *pub, const struct fly_msg *msg)
{
    struct fly_rt_task *task = fly_rt(pub);
    fly_check_call(task, "fly_ack");
    account(task, msg,
            "fly_ack"); /* nothing was registered for it: it is done when the call returns */
}

static struct fly_held api_hold(struct fly_task *pub, const struct fly_msg *msg,
                                enum fly_hold_what what)
{
    struct fly_rt_task *task = fly_rt(pub);
    fly_check_call(task, "fly_hold");
    if (FLY_UNLIKELY(!task->held))
        fly_misuse(task, "fly_hold", "the node does not declare that it holds");
    account(task, msg, "fly_hold");
    bool token = what == FLY_HOLD_TOKEN;
    uint64_t root = fly_anchor_name(task->worker, msg->anchor).bits;
    if (token && fly_hold_find(task->held, task->last_token) && task->last_token_root == root)
        return task->last_token;
    if (FLY_UNLIKELY(!task->held->free_cnt))
        fly_misuse(task, "fly_hold", "more messages are held than the call was given room for");
    uint32_t block = token ? FLY_BLOCK_NONE : fly_blocks_put(task->hold_blocks, msg);
    if (FLY_UNLIKELY(!token && block == FLY_BLOCK_NONE)) {
        fly_anchor_fail(task, msg->anchor, FLY_REASON_TOO_LARGE);
        return (struct fly_held){0};
    }
    uint64_t id = fly_rng_next(&task->worker->rng) | 1;
    msg->anchor->xor_ids ^= id;
    struct fly_held held = fly_hold_add(task->held, root, id, block);
    if (token) {
        task->last_token = held;
        task->last_token_root = root;
    }
    fly_gauge(&task->stats->held, task->held->total - task->held->free_cnt);
    return held;
}

static const struct fly_msg *api_peek(struct fly_task *pub, struct fly_held held)
{
    struct fly_rt_task *task = fly_rt(pub);
    if (task->worker->fiber_task == NULL || task->worker->fiber_task->inner != task)
        fly_misuse(task, "fly_peek", "called outside of a callback of this task");
    const struct fly_held_entry *entry = use_handle(task, held, "fly_peek");
    task->peeked = (struct fly_msg){0};
    if (entry->block == FLY_BLOCK_NONE)
        return &task->peeked;
    fly_blocks_get(task->hold_blocks, entry->block, task->peek_at, &task->peeked);
    return &task->peeked;
}

static const struct fly_msg *api_take(struct fly_task *pub, struct fly_held held)
{
    struct fly_rt_task *task = fly_rt(pub);
    struct fly_rt_task *base = task->worker->fiber_task;
    fly_check_call(task, "fly_take");
    struct fly_held_entry *entry = use_handle(task, held, "fly_take");
    uint64_t bytes = sizeof(struct fly_msg);
    if (entry->block != FLY_BLOCK_NONE)
        bytes += fly_align_up(fly_blocks_bytes(task->hold_blocks, entry->block), 8);
    uint32_t cells = fly_note_mark(base->note).cell;
    /* Room stays for the largest message that the call may emit. */
    uint64_t taken = task->scratch_bytes - task->scratch_high;
    if (cells >= FLY_CELLS_MAX - 2 * FLY_BATCH_MAX ||
        taken + bytes > task->largest_bytes + TAKEN_SPARE) {
        if (task->node->tick)
            task->tick_next = task->worker->now_ticks;
        return NULL;
    }
    if (task->scratch_low > task->scratch_high - bytes) {
        fly_task_flush(task);
        task->scratch_low = task->scratch_floor;
    }
    task->scratch_high -= bytes;
    struct fly_msg *msg = (struct fly_msg *)(void *)(task->scratch + task->scratch_high);
    *msg = (struct fly_msg){0};
    if (entry->block != FLY_BLOCK_NONE)
        fly_blocks_get(task->hold_blocks, entry->block, (uint8_t *)(msg + 1), msg);
    struct fly_anchor *cell = fly_cell_push(base, (struct fly_root){entry->root}, entry->id);
    cell->kind = FLY_ANCHOR_TAKEN;
    cell->block = entry->block;
    cell->holder = (uint16_t)(task - task->worker->task);
    msg->anchor = cell;
    fly_hold_release(task->held, entry);
    fly_gauge(&task->stats->held, task->held->total - task->held->free_cnt);
    return msg;
}

static void end_held(struct fly_rt_task *task, struct fly_held held, uint32_t reason,
                     const char *call)
{
    fly_check_call(task, call);
    struct fly_held_entry *entry = use_handle(task, held, call);
    struct fly_root root = {entry->root};
    uint64_t id = entry->id;
    fly_blocks_free(task->hold_blocks, entry->block);
    fly_hold_release(task->held, entry);
    fly_gauge(&task->stats->held, task->held->total - task->held->free_cnt);
    if (reason == FLY_REASON_NONE) {
        fly_root_update(task->worker, root, id);
    } else {
        fly_count(&task->stats->errors, 1);
        fly_root_fail(task->worker, root, reason, task->node_idx);
    }
}

static void api_ack_held(struct fly_task *pub, struct fly_held held)
{
    end_held(fly_rt(pub), held, FLY_REASON_NONE, "fly_ack_held");
}

static void api_fail_held(struct fly_task *pub, struct fly_held held, uint32_t reason)
{
    end_held(fly_rt(pub), held, reason ? reason : FLY_REASON_FAILED, "fly_fail_held");
}

static uint32_t api_hold_room(struct fly_task *pub, uint64_t *bytes)
{
    const struct fly_rt_task *task = fly_rt(pub);
    if (bytes)
        *bytes = task->held ? (uint64_t)fly_blocks_room(task->hold_blocks) * FLY_BLOCK_DATA : 0;
    return task->held ? task->held->free_cnt : 0;
}

/* --- Sources --------------------------------------------------------------------------------- */

static FLY_ALWAYS_INLINE struct fly_root_entry *new_root(struct fly_rt_task *task, uint64_t id,
                                                         uint64_t next,
                                                         const struct fly_content *content,
                                                         const char *call)
{
    fly_check_call(task, call);
    fly_roots_enter(task); /* positions go up */
    if (FLY_UNLIKELY(task->poll_budget <= task->pub.root_cnt))
        fly_misuse(task, call, "outside of poll, or more roots than its budget");
    fly_roots_allow(task, task->poll_budget - 1);
    task->polled_cnt++;
    task->polled_bytes += content->payload_bytes;
    struct fly_root_entry *entry = fly_root_begin(task, id);
    /* Behind the root's entry: what a restart polls again was not opened before. */
    atomic_store_explicit(&task->source->position, next, memory_order_release);
    return entry;
}

/* What the inline part leaves: contents to be copied or kept, a full port, misuse. */
static void api_emit_root(struct fly_task *pub, uint32_t port, uint64_t id, uint64_t next,
                          const struct fly_content *content)
{
    struct fly_rt_task *task = fly_rt(pub);
    check_port(task, port, "fly_emit_root");
    bool too_large = task->retain && is_too_large(task, port, content);
    if (FLY_UNLIKELY(task->retain != NULL && !too_large)) {
        fly_check_call(task, "fly_emit_root");
        bool in_place = (uintptr_t)content->payload - (uintptr_t)task->scratch < task->scratch_low;
        task->scratch_floor = in_place ? task->scratch_low : 0;
        fly_root_wait_room(task, content);
        task->scratch_floor = 0;
    }
    struct fly_root_entry *entry = new_root(task, id, next, content, "fly_emit_root");
    if (FLY_UNLIKELY(too_large)) {
        emit_too_large(task, entry, content);
        return;
    }
    if (FLY_UNLIKELY(task->retain != NULL))
        fly_root_keep(task, entry, content, port);
    emit_to(task, port, &entry->anchor, NULL, content);
}

static void api_emit_dead(struct fly_task *pub, uint64_t id, uint64_t next, uint32_t reason,
                          uint64_t total_bytes, const struct fly_content *content)
{
    struct fly_rt_task *task = fly_rt(pub);
    struct fly_root_entry *entry = new_root(task, id, next, content, "fly_emit_dead");
    fly_count(&task->stats->errors, 1);
    if (fly_root_dead(task, entry, reason))
        fly_emit_dead_letter(task, entry, content, total_bytes);
}

static void api_emit_again(struct fly_task *pub, uint32_t port, struct fly_attempt attempt,
                           const struct fly_content *content)
{
    struct fly_rt_task *task = fly_rt(pub);
    fly_check_call(task, "fly_emit_again");
    check_port(task, port, "fly_emit_again");
    fly_emit_attempt(task, port, (struct fly_root){attempt.bits}, content);
}

static void api_attempt_lost(struct fly_task *pub, struct fly_attempt attempt)
{
    struct fly_rt_task *task = fly_rt(pub);
    fly_check_call(task, "fly_attempt_lost");
    fly_root_lost(task, (struct fly_root){attempt.bits}, FLY_REASON_LOST);
}

static void api_progress(struct fly_task *pub, uint64_t done, uint64_t total)
{
    struct fly_source_stats *source = fly_rt(pub)->source;
    fly_gauge(&source->done, done);
    fly_gauge(&source->total, total);
}

const struct fly_calls *fly_api_calls(void)
{
    static const struct fly_calls calls = {
        .bytes = sizeof(struct fly_calls),
        .port = api_port,
        .refuse = api_refuse,
        .place = api_place,
        .node_name = api_node_name,
        .state_memory = api_state_memory,
        .alloc = api_alloc,
        .now_ns = api_now_ns,
        .wall_ns = api_wall_ns,
        .random = api_random,
        .key_hash = api_key_hash,
        .tick_every = api_tick_every,
        .wake_in = api_wake_in,
        .count_error = api_count_error,
        .io_submit = api_io_submit,
        .io_trouble = api_io_trouble,
        .max_message_bytes = api_max_message_bytes,
        .port_connected = api_port_connected,
        .watermark = fly_mark_say,
        .watermark_idle = fly_mark_say_idle,
        .emit = api_emit,
        .reserve = api_reserve,
        .commit = api_commit,
        .emit_detached = api_emit_detached,
        .emit_joined = api_emit_joined,
        .fail = api_fail,
        .ack = api_ack,
        .hold = api_hold,
        .peek = api_peek,
        .take = api_take,
        .ack_held = api_ack_held,
        .fail_held = api_fail_held,
        .hold_room = api_hold_room,
        .emit_root = api_emit_root,
        .emit_dead = api_emit_dead,
        .emit_again = api_emit_again,
        .attempt_lost = api_attempt_lost,
        .progress = api_progress,
    };
    return &calls;
}
