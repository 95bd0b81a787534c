/* stdin.c - the lines of standard input, one root each, with their offset as id.
 *
 * One block is read while the other is worked off. Nothing can be read twice, so the runtime keeps
 * the copies that retries need.
 */
#include "connectors/common/framing.h"
#include "connectors/stdio/stdio_nodes.h"

#include <errno.h>
#include <flyover/source.h>
#include <unistd.h>

enum {
    STDIN_BLOCK_BYTES = 64 << 10,
    STDIN_RETRY_NS = 1000000, /* when the ring for I/O was full */
};

struct stdin_source {
    struct fly_framing framing;
    uint32_t carry_bytes;
    uint8_t *block[2]; /* each with carry_bytes of room in front of it */
    uint32_t current;  /* index of the block that is worked off */
    bool reading, ready, ended;
    uint32_t ready_bytes; /* in the other block */
    const uint8_t *at, *end;
    uint64_t offset; /* of `at` in the stream */
};

static int stdin_setup(struct fly_task *task, void *self)
{
    struct stdin_source *in = self;
    in->framing.kind = FLY_FRAMING_NEWLINE;
    in->framing.max_bytes = fly_max_message_bytes(task);
    in->carry_bytes = in->framing.max_bytes + FLY_FRAMING_CARRY_BYTES;
    for (int i = 0; i < 2; i++) {
        uint8_t *memory = fly_task_alloc(task, (uint64_t)in->carry_bytes + STDIN_BLOCK_BYTES);
        if (!memory)
            return fly_task_refuse(task, NULL, "there is no memory for its buffers");
        in->block[i] = memory + in->carry_bytes;
    }
    in->at = in->end = in->block[0];
    return 0;
}

/* Reads into the block that is not worked off. */
static void read_ahead(struct fly_task *task, struct stdin_source *in)
{
    if (in->reading || in->ready || in->ended)
        return;
    struct fly_io io = {
        .op = FLY_IO_READ,
        .fd = STDIN_FILENO,
        .buffer = in->block[1 - in->current],
        .bytes = STDIN_BLOCK_BYTES,
        .offset = UINT64_MAX,
    };
    int result = fly_io_submit(task, &io);
    in->reading = result == 0;
    if (result == -EBUSY)
        fly_wake_in(task, STDIN_RETRY_NS);
    else if (result != 0)
        in->ended = true;
}

/* Takes the unfinished line along into the block that was read. */
static void turn_over(struct stdin_source *in)
{
    size_t left = (size_t)(in->end - in->at);
    uint8_t *to = in->block[1 - in->current];
    memcpy(to - left, in->at, left);
    in->current = 1 - in->current;
    in->at = to - left;
    in->end = to + in->ready_bytes;
    in->ready = false;
}

/* Emits up to `budget` lines. True: the rest is not a whole line. */
static bool emit_lines(struct fly_task *task, struct stdin_source *in, uint32_t budget)
{
    struct fly_record record;
    bool last = in->ended && !in->ready;
    for (uint32_t i = 0; i < budget; i++) {
        enum fly_framed framed = fly_framing_next(&in->framing, in->at, in->end, last, &record);
        in->at += record.consumed_bytes;
        in->offset += record.consumed_bytes;
        if (framed == FLY_FRAMED_MORE)
            return true;
        uint64_t id = in->offset - record.span_bytes;
        struct fly_content content = {.payload = record.at, .payload_bytes = record.bytes};
        if (framed == FLY_FRAMED_DEAD) {
            fly_emit_dead(task, id, in->offset, record.reason, record.total_bytes, content);
            continue;
        }
        content.flags = FLY_MSG_STABLE;
        fly_emit_root(task, 0, id, in->offset, content);
    }
    return false;
}

static enum fly_polled stdin_poll(struct fly_task *task, void *self, uint32_t budget)
{
    struct stdin_source *in = self;
    read_ahead(task, in);
    bool last = in->ended && !in->ready;
    bool used_up = emit_lines(task, in, budget);
    fly_source_progress(task, in->offset, 0);
    if (!used_up)
        return FLY_POLL_MORE;
    if (last)
        return FLY_POLL_DONE;
    if (!in->ready)
        return in->ended ? FLY_POLL_MORE : FLY_POLL_IDLE;
    turn_over(
        in); /* read into only by the next poll: what was emitted is valid until this one returns */
    return FLY_POLL_MORE;
}

static void stdin_io_done(struct fly_task *task, void *self, uint64_t tag, int32_t result)
{
    struct stdin_source *in = self;
    (void)tag;
    in->reading = false;
    if (result == -EINTR || result == -EAGAIN) {
        fly_wake_in(task, STDIN_RETRY_NS);
        return;
    }
    if (result < 0) {
        fly_count_error(task, 1);
        fly_io_trouble(task, -result);
    }
    in->ended = result <= 0;
    in->ready = result > 0;
    in->ready_bytes = result > 0 ? (uint32_t)result : 0;
}

static const char *const stdin_framings[] = {"newline", NULL};

static const struct fly_param stdin_params[] = {
    {.name = "framing",
     .type = FLY_PARAM_ENUM,
     .at = offsetof(struct stdin_source, framing.kind),
     .preset = "newline",
     .choices = stdin_framings,
     .help = "What a record is: a line without its \\n."},
    {0},
};

const struct fly_node fly_stdin_node = {
    .name = "stdin",
    .kind = FLY_SOURCE,
    .tasks_preset = 1,
    .tasks_max = 1,
    .help =
        "Reads the lines of standard input; a line over max_message_bytes becomes a dead letter.",
    .example = "lines: {type: stdin}",
    .params = stdin_params,
    .self_bytes = sizeof(struct stdin_source),
    .setup = stdin_setup,
    .poll = stdin_poll,
    .io_done = stdin_io_done,
};
