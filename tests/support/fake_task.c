#include "support/fake_task.h"

#include "support/unit.h"

#include <errno.h>

struct fly_anchor {
    uint64_t input;
};

enum { SCRUB = 0xdd };

static const struct fly_calls fake_calls;

static struct fake_task *fake_of(struct fly_task *task)
{
    return (struct fake_task *)(void *)task;
}

/* Every call begins with it: between reserve and commit there is no other. */
static struct fake_task *enter(struct fly_task *task, const char *call)
{
    struct fake_task *fake = fake_of(task);
    if (fake->reserved)
        fail_msg("%s between fly_reserve and fly_commit", call);
    return fake;
}

static void *checked(void *memory)
{
    assert_non_null(memory);
    return memory;
}

/* Grows *array (element_bytes each) to hold one more than cnt. */
static void grow(void **array, uint64_t cnt, uint64_t *max, size_t element_bytes)
{
    if (*array && cnt < *max)
        return;
    *max = *max ? *max * 2 : 64;
    *array = checked(realloc(*array, *max * element_bytes));
}

/* --- What was emitted --- */

/* `from` may be NULL where there is nothing. */
static void put(uint8_t *to, const void *from, size_t bytes)
{
    if (from && bytes)
        memcpy(to, from, bytes);
}

/* Copies payload, metadata and key into memory of their own. */
static void *own_msg(struct fly_msg *msg)
{
    uint8_t *memory =
        checked(malloc((size_t)msg->payload_bytes + msg->meta_bytes + msg->key_bytes + 1));
    uint8_t *key = memory + msg->payload_bytes + msg->meta_bytes;
    put(memory, msg->payload, (size_t)msg->payload_bytes + msg->meta_bytes);
    put(key, msg->key, msg->key_bytes);
    msg->payload = memory;
    msg->key = msg->key ? key : NULL;
    return memory;
}

static struct fake_out *add_out(struct fake_task *fake, enum fake_kind kind, uint32_t port)
{
    grow((void **)&fake->out, fake->out_cnt, &fake->out_max, sizeof(*fake->out));
    struct fake_out *out = &fake->out[fake->out_cnt++];
    *out = (struct fake_out){.kind = kind, .port = port};
    return out;
}

static void flush_ports(struct fake_task *fake)
{
    for (uint32_t port = 0; port < fake->port_cnt; port++) {
        for (uint32_t i = 0; i < fake->port[port].cnt; i++) {
            struct fake_out *out = add_out(fake, FAKE_CHILD, port);
            out->msg = fake->port[port].msg[i];
            out->input = out->msg.anchor->input;
        }
        fake->port[port].cnt = 0;
    }
}

/* Contents become a message; they are copied at once unless they stay until the call returns. */
static void set_content(struct fake_out *out, const struct fly_content *content, bool by_reference)
{
    struct fly_msg msg = {
        .payload = content->payload,
        .key = content->key,
        .payload_bytes = content->payload_bytes,
        .key_bytes = content->key_bytes,
        .flags = content->flags & ~(uint32_t)FLY_MSG_STABLE,
    };
    uint8_t *joined = NULL;
    if (content->meta_bytes) {
        joined = checked(malloc((size_t)content->payload_bytes + content->meta_bytes));
        put(joined, content->payload, content->payload_bytes);
        put(joined + content->payload_bytes, content->meta, content->meta_bytes);
        msg.payload = joined;
        msg.meta_bytes = content->meta_bytes;
    }
    out->msg = msg;
    if (joined || !by_reference)
        out->memory = own_msg(&out->msg);
    free(joined);
}

static struct fake_out *emit_content(struct fake_task *fake, enum fake_kind kind, uint32_t port,
                                     const struct fly_content *content)
{
    assert_true(port < fake->port_cnt);
    assert_true(content->payload_bytes + content->key_bytes + content->meta_bytes <=
                fake->max_message_bytes);
    flush_ports(fake);
    struct fake_out *out = add_out(fake, kind, port);
    set_content(out, content, (content->flags & FLY_MSG_STABLE) != 0);
    return out;
}

/* --- Inputs, held messages --- */

static struct fake_input *input_of(struct fake_task *fake, const struct fly_msg *msg)
{
    uint64_t input = msg->anchor->input;
    assert_true(input < fake->input_cnt);
    bool taken = fake->taken_cnt > 0; /* taken messages may be of any earlier call */
    assert_true((fake->in_process && input >= fake->call_first) || taken);
    return &fake->input[input];
}

static struct fake_held *held_of(struct fake_task *fake, struct fly_held held, const char *call)
{
    if (held.handle == 0 || held.handle > fake->held_cnt)
        fail_msg("%s of a handle that never was", call);
    struct fake_held *entry = &fake->held[held.handle - 1];
    if (entry->used)
        fail_msg("%s of a handle that is used up", call);
    return entry;
}

/* Uses the handle up; its messages are failed for `reason`, or done. */
static void end_hold(struct fake_task *fake, struct fake_held *entry, uint32_t reason)
{
    entry->used = true;
    fake->held_now--;
    for (uint64_t i = entry->input; i <= entry->input_last; i++) {
        struct fake_input *input = &fake->input[i];
        if (input->root != fake->input[entry->input].root)
            continue;
        assert_true(input->held_cnt > 0);
        input->held_cnt--;
        input->failed = input->failed || reason;
        input->reason = reason ? reason : input->reason;
        input->acked = input->acked || !reason;
    }
}

/* --- The calls --- */

static int call_port(struct fly_task *task, const char *name, uint32_t *port)
{
    struct fake_task *fake = enter(task, "fly_task_port");
    for (uint32_t i = 0; i < fake->port_cnt; i++) {
        if (strcmp(fake->port_name[i], name) == 0) {
            *port = i;
            return 0;
        }
    }
    return -1;
}

static int call_refuse(struct fly_task *task, const char *param, const char *why)
{
    struct fake_task *fake = enter(task, "fly_task_refuse");
    snprintf(fake->refused_param, sizeof(fake->refused_param), "%s", param ? param : "");
    snprintf(fake->refused_why, sizeof(fake->refused_why), "%s", why);
    return -1;
}

static void call_place(struct fly_task *task, struct fly_place *place)
{
    *place = enter(task, "fly_task_place")->place;
}

static const char *call_node_name(struct fly_task *task)
{
    return enter(task, "fly_task_name")->task.node->name;
}

static void *call_state_memory(struct fly_task *task, uint64_t *bytes)
{
    struct fake_task *fake = enter(task, "fly_task_state");
    if (!fake->state && fake->state_bytes)
        fake->state = checked(calloc(1, fake->state_bytes));
    *bytes = fake->state_bytes;
    return fake->state;
}

static void *call_alloc(struct fly_task *task, uint64_t bytes)
{
    struct fake_task *fake = enter(task, "fly_task_alloc");
    void *memory = NULL;
    if (posix_memalign(&memory, 64, bytes ? bytes : 1))
        return NULL;
    memset(memory, 0, bytes);
    fake->allocated = checked(realloc(fake->allocated, (fake->allocated_cnt + 1) * sizeof(void *)));
    fake->allocated[fake->allocated_cnt++] = memory;
    return memory;
}

static uint64_t call_now_ns(struct fly_task *task)
{
    return enter(task, "fly_now_ns")->now_ns;
}

static uint64_t call_wall_ns(struct fly_task *task)
{
    return enter(task, "fly_wall_ns")->wall_ns;
}

static uint32_t call_key_hash(const void *key, uint32_t bytes)
{
    uint32_t hash = 0;
    for (uint32_t i = 0; i < bytes; i++)
        hash = hash * 31 + ((const uint8_t *)key)[i];
    return hash * UINT32_C(0x9e3779b1);
}

static uint64_t call_random(struct fly_task *task)
{
    struct fake_task *fake = enter(task, "fly_random");
    fake->random = fake->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return fake->random;
}

static void call_tick_every(struct fly_task *task, uint64_t ns)
{
    enter(task, "fly_tick_every")->tick_every_ns = ns;
}

static void call_wake_in(struct fly_task *task, uint64_t ns)
{
    enter(task, "fly_wake_in")->wake_in_ns = ns;
}

static void call_count_error(struct fly_task *task, uint64_t cnt)
{
    enter(task, "fly_count_error")->errors += cnt;
}

static void call_io_trouble(struct fly_task *task, int error)
{
    enter(task, "fly_io_trouble")->io_errno = error;
}

static int call_io_submit(struct fly_task *task, const struct fly_io *io)
{
    struct fake_task *fake = enter(task, "fly_io_submit");
    if (fake->io_cnt == fake->io_max)
        return -EBUSY;
    if (io->op == FLY_IO_READ) /* from now on it may be written at any time */
        memset(io->buffer, SCRUB, io->bytes);
    fake->io = checked(realloc(fake->io, (fake->io_cnt + 1) * sizeof(*fake->io)));
    fake->io[fake->io_cnt++].io = *io;
    return 0;
}

static uint32_t call_max_message_bytes(struct fly_task *task)
{
    return enter(task, "fly_max_message_bytes")->max_message_bytes;
}

static bool call_port_connected(struct fly_task *task, uint32_t port)
{
    const struct fake_task *fake = enter(task, "fly_port_connected");
    assert_true(port < fake->port_cnt);
    return !(fake->unconnected >> port & 1);
}

static void call_watermark(struct fly_task *task, int64_t time_ns)
{
    struct fake_task *fake = enter(task, "fly_watermark");
    assert_true(fake->task.node->kind == FLY_SOURCE || fake->task.node->sets_watermark);
    fake->watermark_ns = time_ns;
    fake->watermark_cnt++;
    fake->idle = false;
}

static void call_watermark_idle(struct fly_task *task)
{
    enter(task, "fly_watermark_idle")->idle = true;
}

static void call_emit(struct fly_task *task, uint32_t port, const struct fly_msg *parent,
                      const struct fly_content *content)
{
    struct fake_task *fake = enter(task, "fly_emit");
    struct fake_out *out = emit_content(fake, parent ? FAKE_CHILD : FAKE_OWN, port, content);
    if (parent)
        out->input = (uint64_t)(input_of(fake, parent) - fake->input);
}

static void *call_reserve(struct fly_task *task, uint32_t bytes)
{
    struct fake_task *fake = enter(task, "fly_reserve");
    assert_true(bytes <= fake->max_message_bytes);
    fake->reserved = checked(malloc(bytes ? bytes : 1));
    fake->reserved_bytes = bytes;
    return fake->reserved;
}

static void call_commit(struct fly_task *task, uint32_t port, const struct fly_msg *parent,
                        const struct fly_content *content)
{
    struct fake_task *fake = fake_of(task);
    struct fly_content written = *content;
    if (!fake->reserved)
        fail_msg("fly_commit without fly_reserve");
    assert_true(content->payload_bytes <= fake->reserved_bytes);
    void *memory = fake->reserved;
    written.payload = memory;
    written.flags &= ~(uint32_t)FLY_MSG_STABLE;
    fake->reserved = NULL;
    call_emit(task, port, parent, &written);
    free(memory);
}

static void call_emit_detached(struct fly_task *task, uint32_t port,
                               const struct fly_content *content)
{
    emit_content(enter(task, "fly_emit_detached"), FAKE_DETACHED, port, content);
}

static void call_emit_joined(struct fly_task *task, uint32_t port, const struct fly_held *parents,
                             uint32_t cnt, const struct fly_content *content)
{
    struct fake_task *fake = enter(task, "fly_emit_joined");
    assert_true(cnt > 0);
    for (uint32_t i = 0; i < cnt; i++)
        end_hold(fake, held_of(fake, parents[i], "fly_emit_joined"), 0);
    emit_content(fake, FAKE_JOINED, port, content)->parent_cnt = cnt;
}

static void call_fail(struct fly_task *task, const struct fly_msg *msg, uint32_t reason)
{
    struct fake_input *input = input_of(enter(task, "fly_fail"), msg);
    assert_true(reason != FLY_REASON_NONE);
    input->failed = true;
    input->reason = reason;
    input->touched = true;
}

static void call_ack(struct fly_task *task, const struct fly_msg *msg)
{
    struct fake_task *fake = enter(task, "fly_ack");
    assert_int_equal(fake->task.node->completes, FLY_EXPLICIT);
    struct fake_input *input = input_of(fake, msg);
    input->acked = true;
    input->touched = true;
}

static struct fly_held call_hold(struct fly_task *task, const struct fly_msg *msg,
                                 enum fly_hold_what what)
{
    struct fake_task *fake = enter(task, "fly_hold");
    struct fake_input *input = input_of(fake, msg);
    uint64_t number = (uint64_t)(input - fake->input);
    assert_true(fake->task.node->holds);
    input->touched = true;
    input->held_cnt++;
    struct fake_held *last = fake->held && fake->held_cnt ? &fake->held[fake->held_cnt - 1] : NULL;
    if (last && !last->used && what == FLY_HOLD_TOKEN && last->what == what &&
        last->input_last + 1 == number && fake->input[last->input].root == input->root) {
        last->input_last = number;
        return (struct fly_held){(uint32_t)fake->held_cnt};
    }
    assert_true(fake->held_now < fake->hold_max);
    fake->held_now++;
    grow((void **)&fake->held, fake->held_cnt, &fake->held_array_max, sizeof(*fake->held));
    fake->held[fake->held_cnt++] =
        (struct fake_held){.input = number, .input_last = number, .what = what};
    return (struct fly_held){(uint32_t)fake->held_cnt};
}

static const struct fly_msg *call_peek(struct fly_task *task, struct fly_held held)
{
    struct fake_task *fake = enter(task, "fly_peek");
    struct fake_held *entry = held_of(fake, held, "fly_peek");
    assert_int_equal(entry->what, FLY_HOLD_MESSAGE);
    return &fake->input[entry->input].msg;
}

static const struct fly_msg *call_take(struct fly_task *task, struct fly_held held)
{
    struct fake_task *fake = enter(task, "fly_take");
    struct fake_held *entry = held_of(fake, held, "fly_take");
    assert_int_equal(entry->what, FLY_HOLD_MESSAGE);
    if (fake->taken_cnt == fake->take_max)
        return NULL;
    fake->taken_cnt++;
    end_hold(fake, entry, 0);
    return &fake->input[entry->input].msg;
}

static void call_ack_held(struct fly_task *task, struct fly_held held)
{
    struct fake_task *fake = enter(task, "fly_ack_held");
    end_hold(fake, held_of(fake, held, "fly_ack_held"), 0);
}

static void call_fail_held(struct fly_task *task, struct fly_held held, uint32_t reason)
{
    struct fake_task *fake = enter(task, "fly_fail_held");
    assert_true(reason != FLY_REASON_NONE);
    end_hold(fake, held_of(fake, held, "fly_fail_held"), reason);
}

static uint32_t call_hold_room(struct fly_task *task, uint64_t *bytes)
{
    struct fake_task *fake = enter(task, "fly_hold_room");
    if (bytes)
        *bytes = UINT32_MAX;
    return fake->hold_max - (uint32_t)fake->held_now;
}

static void call_emit_root(struct fly_task *task, uint32_t port, uint64_t id, uint64_t next,
                           const struct fly_content *content)
{
    struct fake_out *out = emit_content(enter(task, "fly_emit_root"), FAKE_ROOT, port, content);
    out->id = id;
    out->next = next;
}

static void call_emit_dead(struct fly_task *task, uint64_t id, uint64_t next, uint32_t reason,
                           uint64_t total_bytes, const struct fly_content *content)
{
    struct fake_out *out = emit_content(enter(task, "fly_emit_dead"), FAKE_DEAD, 0, content);
    out->id = id;
    out->next = next;
    out->reason = reason;
    out->total_bytes = total_bytes;
}

static void call_emit_again(struct fly_task *task, uint32_t port, struct fly_attempt attempt,
                            const struct fly_content *content)
{
    emit_content(enter(task, "fly_emit_again"), FAKE_AGAIN, port, content)->id = attempt.bits;
}

static void call_attempt_lost(struct fly_task *task, struct fly_attempt attempt)
{
    (void)attempt;
    enter(task, "fly_attempt_lost")->lost++;
}

static void call_progress(struct fly_task *task, uint64_t done, uint64_t total)
{
    struct fake_task *fake = enter(task, "fly_source_progress");
    assert_true(done >= fake->done && (total == 0 || done <= total));
    fake->done = done;
    fake->total = total;
}

static const struct fly_calls fake_calls = {
    .bytes = sizeof(struct fly_calls),
    .port = call_port,
    .refuse = call_refuse,
    .place = call_place,
    .node_name = call_node_name,
    .state_memory = call_state_memory,
    .alloc = call_alloc,
    .now_ns = call_now_ns,
    .wall_ns = call_wall_ns,
    .random = call_random,
    .key_hash = call_key_hash,
    .tick_every = call_tick_every,
    .wake_in = call_wake_in,
    .count_error = call_count_error,
    .io_submit = call_io_submit,
    .io_trouble = call_io_trouble,
    .max_message_bytes = call_max_message_bytes,
    .port_connected = call_port_connected,
    .watermark = call_watermark,
    .watermark_idle = call_watermark_idle,
    .emit = call_emit,
    .reserve = call_reserve,
    .commit = call_commit,
    .emit_detached = call_emit_detached,
    .emit_joined = call_emit_joined,
    .fail = call_fail,
    .ack = call_ack,
    .hold = call_hold,
    .peek = call_peek,
    .take = call_take,
    .ack_held = call_ack_held,
    .fail_held = call_fail_held,
    .hold_room = call_hold_room,
    .emit_root = call_emit_root,
    .emit_dead = call_emit_dead,
    .emit_again = call_emit_again,
    .attempt_lost = call_attempt_lost,
    .progress = call_progress,
};

/* --- What tests call --- */

void fake_add_port(struct fake_task *fake, const char *name)
{
    assert_true(fake->port_cnt < 16);
    fake->port[fake->port_cnt] =
        (struct fly_port){.msg = fake->port_msg[fake->port_cnt], .cnt = 0, .max = 4};
    fake->port_name[fake->port_cnt++] = name;
}

struct fake_task *fake_task_create(const struct fly_node *node, const void *self)
{
    struct fake_task *fake = checked(calloc(1, sizeof(*fake)));
    fake->task = (struct fly_task){.calls = &fake_calls, .port = fake->port, .node = node};
    fake->self = checked(calloc(1, node->self_bytes + 1));
    if (self)
        memcpy(fake->self, self, node->self_bytes);
    for (uint32_t i = 0; node->ports && node->ports[i]; i++)
        fake_add_port(fake, node->ports[i]);
    if (!node->ports && node->kind != FLY_SINK)
        fake_add_port(fake, "out");
    fake->place = (struct fly_place){.task_cnt = 1};
    fake->now_ns = 1000000000;
    fake->state_bytes = 1 << 20;
    fake->max_message_bytes = 1 << 20;
    fake->hold_max = 4096;
    fake->io_max = 64;
    fake->take_max = UINT32_MAX;
    return fake;
}

void fake_forget(struct fake_task *fake)
{
    for (uint64_t i = 0; i < fake->out_cnt; i++)
        free(fake->out[i].memory);
    fake->out_cnt = 0;
    fake->owned_cnt = 0;
}

void fake_task_destroy(struct fake_task *fake)
{
    if (fake->task.node->teardown)
        fake->task.node->teardown(&fake->task, fake->self);
    fake_forget(fake);
    for (uint64_t i = 0; i < fake->input_cnt; i++) {
        free(fake->input[i].memory);
        free(fake->input[i].msg.anchor);
    }
    for (uint32_t i = 0; i < fake->allocated_cnt; i++)
        free(fake->allocated[i]);
    free(fake->allocated);
    free(fake->state);
    free(fake->out);
    free(fake->input);
    free(fake->held);
    free(fake->io);
    free(fake->self);
    free(fake);
}

int fake_setup(struct fake_task *fake)
{
    const struct fly_node *node = fake->task.node;
    struct fly_refusal refusal = {0};
    int result = node->check ? node->check(fake->self, &refusal) : 0;
    if (result) {
        memcpy(fake->refused_param, refusal.param, sizeof(refusal.param));
        memcpy(fake->refused_why, refusal.why, sizeof(refusal.why));
        return result;
    }
    return node->setup ? node->setup(&fake->task, fake->self) : 0;
}

/* The end of a call: what was passed by reference is copied, before it may change. */
static void leave(struct fake_task *fake)
{
    if (fake->reserved)
        fail_msg("a call returned between fly_reserve and fly_commit");
    flush_ports(fake);
    for (; fake->owned_cnt < fake->out_cnt; fake->owned_cnt++) {
        struct fake_out *out = &fake->out[fake->owned_cnt];
        if (!out->memory)
            out->memory = own_msg(&out->msg);
    }
    fake->taken_cnt = 0;
}

static void add_input(struct fake_task *fake, const struct fly_msg *msg)
{
    grow((void **)&fake->input, fake->input_cnt, &fake->input_max, sizeof(*fake->input));
    struct fake_input *input = &fake->input[fake->input_cnt];
    *input = (struct fake_input){
        .msg = *msg, .root = msg->reserved ? msg->reserved : fake->input_cnt + (1ull << 40)};
    input->memory = own_msg(&input->msg);
    input->msg.reserved = 0;
    input->msg.anchor = checked(malloc(sizeof(struct fly_anchor)));
    input->msg.anchor->input = fake->input_cnt++;
}

uint64_t fake_process(struct fake_task *fake, const struct fly_msg *msg, uint32_t cnt)
{
    struct fly_msg *call = checked(calloc(cnt, sizeof(*call)));
    void **memory = checked(calloc(cnt, sizeof(*memory)));
    size_t *bytes = checked(calloc(cnt, sizeof(*bytes)));
    fake->call_first = fake->input_cnt;
    for (uint32_t i = 0; i < cnt; i++) {
        add_input(fake, &msg[i]);
        call[i] = fake->input[fake->call_first + i].msg;
        bytes[i] = (size_t)call[i].payload_bytes + call[i].meta_bytes + call[i].key_bytes;
        memory[i] = own_msg(&call[i]);
    }
    fake->in_process = true;
    fake->task.node->process(&fake->task, fake->self, &(struct fly_batch){.msg = call, .cnt = cnt});
    fake->in_process = false;
    leave(fake);
    for (uint32_t i = 0; i < cnt; i++) {
        struct fake_input *input = &fake->input[fake->call_first + i];
        if (fake->task.node->completes == FLY_EXPLICIT && !input->touched)
            fail_msg("message %u of the call was neither held, acked nor failed", i);
        if (!input->touched)
            input->acked = true;
        memset(memory[i], SCRUB, bytes[i]);
        free(memory[i]);
    }
    free(call);
    free(memory);
    free(bytes);
    return fake->call_first;
}

uint64_t fake_send(struct fake_task *fake, const char *payload)
{
    struct fly_msg msg = fake_msg(payload, strlen(payload));
    return fake_process(fake, &msg, 1);
}

uint64_t fake_send_keyed(struct fake_task *fake, const char *key, const char *payload)
{
    struct fly_msg msg = fake_msg(payload, strlen(payload));
    msg.key = (const uint8_t *)key;
    msg.key_bytes = (uint32_t)strlen(key);
    return fake_process(fake, &msg, 1);
}

void fake_tick(struct fake_task *fake)
{
    if (fake->task.node->tick && fake->tick_every_ns)
        fake->task.node->tick(&fake->task, fake->self);
    leave(fake);
}

void fake_watermark(struct fake_task *fake, int64_t time_ns)
{
    fake->task.node->watermark(&fake->task, fake->self, time_ns);
    leave(fake);
}

void fake_finish(struct fake_task *fake)
{
    assert_int_equal(fake->held_now, 0);
    if (fake->task.node->finish)
        fake->task.node->finish(&fake->task, fake->self);
    leave(fake);
}

enum fly_polled fake_poll(struct fake_task *fake, uint32_t budget)
{
    uint64_t before = fake->out_cnt;
    enum fly_polled polled = fake->task.node->poll(&fake->task, fake->self, budget);
    assert_true(fake->out_cnt - before <= budget);
    leave(fake);
    return polled;
}

void fake_replay(struct fake_task *fake, uint64_t id, uint64_t attempt)
{
    fake->task.node->replay(&fake->task, fake->self, id, (struct fly_attempt){attempt});
    leave(fake);
}

int fake_restore(struct fake_task *fake, uint64_t position)
{
    return fake->task.node->restore(&fake->task, fake->self, position);
}

static int32_t do_io(const struct fly_io *io)
{
    ssize_t result = 0;
    bool placed = io->offset != UINT64_MAX;
    switch (io->op) {
    case FLY_IO_READ:
        result = placed ? pread(io->fd, io->buffer, io->bytes, (off_t)io->offset)
                        : read(io->fd, io->buffer, io->bytes);
        break;
    case FLY_IO_WRITE:
        result = placed ? pwrite(io->fd, io->buffer, io->bytes, (off_t)io->offset)
                        : write(io->fd, io->buffer, io->bytes);
        break;
    case FLY_IO_SYNC:
    default:
        result = fsync(io->fd);
    }
    return result < 0 ? -errno : (int32_t)result;
}

void fake_io_step(struct fake_task *fake, uint64_t i)
{
    assert_true(i < fake->io_cnt);
    struct fly_io io = fake->io[i].io;
    int32_t result = fake->io_do ? fake->io_do(fake, &io) : do_io(&io);
    memmove(&fake->io[i], &fake->io[i + 1], (fake->io_cnt - i - 1) * sizeof(*fake->io));
    fake->io_cnt--;
    fake->task.node->io_done(&fake->task, fake->self, io.tag, result);
    leave(fake);
}

void fake_io_run(struct fake_task *fake, uint64_t seed)
{
    while (fake->io_cnt > 0) {
        seed = seed ? seed * UINT64_C(6364136223846793005) + 1442695040888963407 : 0;
        fake_io_step(fake, (seed >> 33) % fake->io_cnt);
    }
}

void fake_drain_source(struct fake_task *fake, uint32_t budget, uint64_t seed)
{
    uint64_t idle = 0;
    for (enum fly_polled polled = FLY_POLL_MORE; polled != FLY_POLL_DONE;) {
        fake->wake_in_ns = 0;
        polled = fake_poll(fake, budget);
        if (polled != FLY_POLL_IDLE)
            continue;
        assert_true(fake->io_cnt > 0 || fake->wake_in_ns > 0 || ++idle < 3);
        fake->now_ns += fake->wake_in_ns;
        if (fake->io_cnt > 0) {
            seed = seed ? seed * UINT64_C(6364136223846793005) + 1442695040888963407 : 0;
            fake_io_step(fake, (seed >> 33) % fake->io_cnt);
        }
    }
}

bool fake_is_done(const struct fake_task *fake, uint64_t input)
{
    assert_true(input < fake->input_cnt);
    const struct fake_input *entry = &fake->input[input];
    return entry->acked && !entry->failed && entry->held_cnt == 0;
}

void fake_expect(const struct fake_task *fake, uint64_t i, uint32_t port, const char *payload)
{
    if (i >= fake->out_cnt)
        fail_msg("%llu messages were emitted; number %llu was to be \"%s\"",
                 (unsigned long long)fake->out_cnt, (unsigned long long)i, payload);
    const struct fake_out *out = &fake->out[i];
    assert_int_equal(out->port, port);
    if (out->msg.payload_bytes != strlen(payload) ||
        memcmp(out->msg.payload, payload, out->msg.payload_bytes) != 0)
        fail_msg("message %llu is \"%.*s\", not \"%s\"", (unsigned long long)i,
                 (int)out->msg.payload_bytes, (const char *)out->msg.payload, payload);
}

uint32_t fake_port(const struct fake_task *fake, const char *name)
{
    for (uint32_t i = 0; i < fake->port_cnt; i++)
        if (strcmp(fake->port_name[i], name) == 0)
            return i;
    fail_msg("no port '%s'", name);
    return 0;
}
