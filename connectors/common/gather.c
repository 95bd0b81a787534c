#include "connectors/common/gather.h"

#include <errno.h>
#include <flyover/stage.h>
#include <unistd.h>

int fly_gather_init(struct fly_gather *gather, struct fly_task *task,
                    const struct fly_gather_config *config)
{
    *gather = (struct fly_gather){.config = *config, .task = task, .fd = -1};
    gather->duty_max = fly_hold_room(task, NULL);
    gather->duty = fly_task_alloc(task, gather->duty_max * sizeof(*gather->duty));
    gather->waiting = fly_task_alloc(task, gather->duty_max * sizeof(*gather->waiting));
    for (int i = 0; i < 2; i++)
        gather->buffer[i].data = fly_task_alloc(task, config->buffer_bytes);
    if (gather->duty_max == 0 || !gather->duty || !gather->waiting || !gather->buffer[0].data ||
        !gather->buffer[1].data)
        return -1;
    return 0;
}

void fly_gather_open(struct fly_gather *gather, int fd, uint64_t at)
{
    gather->fd = fd;
    gather->at_offsets = at != UINT64_MAX;
    gather->base = gather->at_offsets ? at : 0;
    gather->synced_end = gather->base;
}

static struct fly_gather_buffer *other_buffer(struct fly_gather *gather)
{
    return &gather->buffer[1 - gather->filling];
}

/* --- Requests: one at a time --- */

static bool submit(struct fly_gather *gather, const struct fly_io *io)
{
    gather->refused = fly_io_submit(gather->task, io) != 0;
    return !gather->refused;
}

static void write_rest(struct fly_gather *gather)
{
    const struct fly_gather_buffer *buffer = other_buffer(gather);
    struct fly_io io = {
        .op = FLY_IO_WRITE,
        .fd = gather->fd,
        .buffer = buffer->data + gather->written_bytes,
        .bytes = buffer->bytes - gather->written_bytes,
        .offset = gather->at_offsets ? gather->base + gather->written_bytes : UINT64_MAX,
    };
    gather->op = FLY_GATHER_WRITE;
    submit(gather, &io);
}

/* Turns the buffers over and writes the full one. */
static void start_write(struct fly_gather *gather)
{
    gather->filling = 1 - gather->filling;
    gather->written_bytes = 0;
    write_rest(gather);
}

static void start_sync(struct fly_gather *gather)
{
    struct fly_io io = {.op = FLY_IO_SYNC, .fd = gather->fd};
    gather->op = FLY_GATHER_SYNC;
    gather->sync_due_ns = fly_now_ns(gather->task) + gather->config.sync_every_ns;
    submit(gather, &io);
}

static bool sync_is_due(const struct fly_gather *gather)
{
    return gather->config.sync && gather->synced_end < gather->base &&
           fly_now_ns(gather->task) >= gather->sync_due_ns;
}

/* A buffer is worth a write when it is half full, or when the input may stop for want of room. */
static bool write_is_due(const struct fly_gather *gather)
{
    uint32_t bytes = gather->buffer[gather->filling].bytes;
    return bytes > 0 && (bytes >= gather->config.buffer_bytes / 2 || gather->waiting_cnt > 0 ||
                         gather->duty_cnt >= gather->duty_max / 4);
}

/* --- Duties --- */

/* All but the last of one root's consecutive messages share its handle: the last place counts. */
static void add_duty(struct fly_gather *gather, struct fly_held held)
{
    uint64_t end = gather->base + gather->buffer[gather->filling].bytes;
    if (gather->op == FLY_GATHER_WRITE)
        end += other_buffer(gather)->bytes;
    if (gather->duty_cnt > 0) {
        struct fly_gather_duty *last =
            &gather->duty[(gather->duty_first + gather->duty_cnt - 1) % gather->duty_max];
        if (last->held.handle == held.handle) {
            last->end = end;
            return;
        }
    }
    gather->duty[(gather->duty_first + gather->duty_cnt++) % gather->duty_max] =
        (struct fly_gather_duty){held, end};
}

static struct fly_gather_duty pop_duty(struct fly_gather *gather)
{
    struct fly_gather_duty duty = gather->duty[gather->duty_first];
    gather->duty_first = (gather->duty_first + 1) % gather->duty_max;
    gather->duty_cnt--;
    return duty;
}

/* Acks all whose records end at `end` or before; returns where the last of them ended, or
 * `from`. */
static uint64_t ack_up_to(struct fly_gather *gather, uint64_t end, uint64_t from)
{
    while (gather->duty_cnt > 0 && gather->duty[gather->duty_first].end <= end) {
        struct fly_gather_duty duty = pop_duty(gather);
        from = duty.end;
        fly_ack_held(gather->task, duty.held);
    }
    return from;
}

static void fail_all(struct fly_gather *gather)
{
    while (gather->duty_cnt > 0)
        fly_fail_held(gather->task, pop_duty(gather).held, FLY_REASON_IO);
}

/* --- Records --- */

enum appended { APPENDED, NO_ROOM, TOO_LARGE };

static enum appended append_here(struct fly_gather *gather, const struct fly_msg *msg)
{
    struct fly_gather_buffer *buffer = &gather->buffer[gather->filling];
    struct fly_text text = {.at = buffer->data + buffer->bytes,
                            .max_bytes = gather->config.buffer_bytes - buffer->bytes};
    fly_codec_encode(gather->config.codec, msg, &text);
    if (!fly_text_fits(&text))
        return text.bytes > gather->config.buffer_bytes ? TOO_LARGE : NO_ROOM;
    buffer->bytes += (uint32_t)text.bytes;
    return APPENDED;
}

static enum appended append(struct fly_gather *gather, const struct fly_msg *msg)
{
    enum appended appended = append_here(gather, msg);
    if (appended == NO_ROOM && gather->op == FLY_GATHER_IDLE) {
        start_write(gather);
        appended = append_here(gather, msg);
    }
    return appended;
}

/* Encodes messages that had to wait, as long as there is room. */
static void append_waiting(struct fly_gather *gather)
{
    while (gather->waiting_cnt > 0) {
        struct fly_held held = gather->waiting[gather->waiting_first];
        enum appended appended = append(gather, fly_peek(gather->task, held));
        if (appended == NO_ROOM)
            return;
        if (appended == APPENDED)
            add_duty(gather, held);
        else
            fly_fail_held(gather->task, held, FLY_REASON_TOO_LARGE);
        gather->waiting_first = (gather->waiting_first + 1) % gather->duty_max;
        gather->waiting_cnt--;
    }
}

static void set_ticks(struct fly_gather *gather, bool ticks)
{
    if (gather->ticks == ticks)
        return;
    gather->ticks = ticks;
    fly_tick_every(gather->task, ticks ? gather->config.flush_ns : 0);
}

static bool has_nothing(const struct fly_gather *gather)
{
    return gather->op == FLY_GATHER_IDLE && gather->duty_cnt == 0 && gather->waiting_cnt == 0 &&
           gather->buffer[gather->filling].bytes == 0;
}

void fly_gather_process(struct fly_gather *gather, const struct fly_batch *batch)
{
    set_ticks(gather, true);
    for (uint32_t i = 0; i < batch->cnt; i++) {
        const struct fly_msg *msg = &batch->msg[i];
        enum appended appended = gather->waiting_cnt ? NO_ROOM : append(gather, msg);
        if (appended == APPENDED) {
            add_duty(gather, fly_hold(gather->task, msg, FLY_HOLD_TOKEN));
        } else if (appended == TOO_LARGE) {
            fly_fail(gather->task, msg, FLY_REASON_TOO_LARGE);
        } else {
            gather->waiting[(gather->waiting_first + gather->waiting_cnt++) % gather->duty_max] =
                fly_hold(gather->task, msg, FLY_HOLD_MESSAGE);
        }
    }
    if (gather->op == FLY_GATHER_IDLE && write_is_due(gather))
        start_write(gather);
}

/* --- Completions --- */

static void go_on(struct fly_gather *gather)
{
    append_waiting(gather);
    if (gather->op != FLY_GATHER_IDLE)
        return;
    if (sync_is_due(gather))
        start_sync(gather);
    else if (write_is_due(gather))
        start_write(gather);
}

/* Leaves the file with its last whole record; what was in both buffers failed. */
static void give_up(struct fly_gather *gather, int error)
{
    uint64_t end = gather->base + gather->written_bytes;
    fly_count_error(gather->task, 1);
    fly_io_trouble(gather->task, error);
    if (gather->config.sync) /* written is not enough: a retry writes these again */
        end = gather->synced_end;
    if (gather->at_offsets) {
        gather->base = ack_up_to(gather, end, gather->config.sync ? end : gather->base);
        if (ftruncate(gather->fd, (off_t)gather->base))
            fly_count_error(gather->task, 1);
    }
    fail_all(gather);
    gather->synced_end = gather->synced_end < gather->base ? gather->synced_end : gather->base;
    gather->buffer[0].bytes = 0;
    gather->buffer[1].bytes = 0;
    gather->op = FLY_GATHER_IDLE;
}

static void write_done(struct fly_gather *gather, int32_t result)
{
    struct fly_gather_buffer *buffer = other_buffer(gather);
    if (result == -EINTR || result == -EAGAIN) {
        gather->refused = true; /* tick tries again */
        return;
    }
    if (result <= 0) {
        give_up(gather, result ? -result : ENOSPC);
        return;
    }
    gather->written_bytes += (uint32_t)result;
    if (gather->written_bytes < buffer->bytes) {
        write_rest(gather);
        return;
    }
    fly_io_trouble(gather->task, 0);
    gather->base += buffer->bytes;
    buffer->bytes = 0;
    gather->written_bytes = 0;
    gather->op = FLY_GATHER_IDLE;
    if (!gather->config.sync)
        ack_up_to(gather, gather->base, 0);
}

static void sync_done(struct fly_gather *gather, int32_t result)
{
    gather->op = FLY_GATHER_IDLE;
    if (result < 0 && result != -EINVAL &&
        result != -EROFS) { /* those: nothing that can be synced */
        give_up(gather, -result);
        return;
    }
    gather->synced_end = gather->base;
    ack_up_to(gather, gather->base, 0);
}

void fly_gather_io_done(struct fly_gather *gather, int32_t result)
{
    if (gather->op == FLY_GATHER_WRITE)
        write_done(gather, result);
    else
        sync_done(gather, result);
    go_on(gather);
}

void fly_gather_tick(struct fly_gather *gather)
{
    if (gather->refused && gather->op == FLY_GATHER_WRITE)
        write_rest(gather);
    else if (gather->refused && gather->op == FLY_GATHER_SYNC)
        start_sync(gather);
    go_on(gather);
    if (gather->op == FLY_GATHER_IDLE && gather->buffer[gather->filling].bytes > 0)
        start_write(gather);
    if (has_nothing(gather))
        set_ticks(gather, false);
}
