/* source.c - the records of files, one root each, with their offset as id.
 *
 * Blocks are read ahead; records are emitted from them by reference. A record that a block's end
 * cuts off is copied in front of the next block; one that begins in the task's unit and ends beyond
 * it is completed from a read of its own. A file is read up to the size that it had at setup. A
 * file that can't be read to its end is given up at that point and counted as an error; a file that
 * became shorter ends where it ends.
 */
#include "connectors/file/file.h"
#include "connectors/file/reader.h"
#include "connectors/file/replay.h"

#include <flyover/source.h>
#include <stdio.h>
#include <unistd.h>

enum { FILE_RETRY_NS = 1000000 }; /* when the ring for I/O was full */

/* What one stretch of work ended with. */
enum file_step {
    FILE_WORK, /* go on */
    FILE_NEED, /* the block is used up, the unit is not */
    FILE_UNIT_END,
    FILE_WAIT,  /* for a read */
    FILE_YIELD, /* call again at once */
    FILE_DONE,
};

struct file_source {
    struct fly_list paths;
    uint32_t framing_kind; /* enum fly_framing_kind */
    uint64_t record_bytes;

    struct fly_file_list list;
    struct fly_file_reader reader;
    struct fly_framing framing;
    struct fly_file_replay replay;
    uint64_t total_bytes, done_bytes; /* of this task's units */

    struct fly_file_block *block; /* where we are; NULL: between units */
    struct fly_file_unit unit;
    const uint8_t *at, *end;
    uint64_t offset;  /* of `at` in the file */
    bool loaded;      /* `end` is the block's end */
    bool to_line;     /* before the unit's first line */
    bool beyond_used; /* records were emitted from the block `beyond` in this poll */
};

static uint64_t own_bytes(struct fly_file_units units)
{
    struct fly_file_unit unit;
    uint64_t bytes = 0;
    while (fly_file_units_next(&units, &unit))
        bytes += unit.end - unit.start;
    return bytes;
}

static int file_setup(struct fly_task *task, void *self)
{
    struct file_source *file = self;
    struct fly_place place = fly_task_place(task);
    if (file->framing_kind == FLY_FRAMING_FIXED && file->record_bytes > fly_max_message_bytes(task))
        return fly_task_refuse(task, "record_bytes", "records would be over max_message_bytes");
    if (fly_file_list_open(&file->list, task, &file->paths))
        return -1;
    file->framing.kind = (enum fly_framing_kind)file->framing_kind;
    file->framing.max_bytes = fly_max_message_bytes(task);
    file->framing.record_bytes = file->record_bytes;
    file->reader.units = (struct fly_file_units){
        .list = &file->list,
        .task_idx = place.task_idx,
        .task_cnt = place.task_cnt,
        .framing = file->framing.kind,
    };
    file->total_bytes = own_bytes(file->reader.units);
    if (fly_file_reader_init(&file->reader, task, &file->list, file->record_bytes) ||
        fly_file_replay_init(&file->replay, task, &file->list, &file->framing))
        return fly_task_refuse(task, NULL, "there is no memory for its buffers");
    return 0;
}

static void file_teardown(struct fly_task *task, void *self)
{
    struct file_source *file = self;
    (void)task;
    fly_file_replay_fini(&file->replay);
    fly_file_list_close(&file->list);
}

static int file_restore(struct fly_task *task, void *self, uint64_t position)
{
    struct file_source *file = self;
    if (fly_file_of(position) > file->list.cnt)
        return fly_task_refuse(task, "path", "there are fewer files than when it was stopped");
    file->reader.units.file = fly_file_of(position);
    file->reader.units.at = fly_file_offset_of(position);
    file->done_bytes = file->total_bytes - own_bytes(file->reader.units);
    return 0;
}

/* Files are open from their first unit's first read to their last unit's end. */
static void close_left_file(struct file_source *file, uint32_t next_file)
{
    struct fly_file_entry *left = &file->list.file[file->unit.file];
    if (file->unit.file != next_file && left->fd >= 0) {
        close(left->fd);
        left->fd = -1;
    }
}

static enum file_step begin_unit(struct file_source *file)
{
    struct fly_file_block *block = fly_file_reader_block(&file->reader, 0);
    if (!block)
        return file->reader.all_sent ? FILE_DONE : FILE_WAIT;
    if (!block->first) { /* the rest of a unit that was given up */
        if (block->state != FLY_FILE_READY)
            return FILE_WAIT;
        fly_file_reader_pop(&file->reader);
        return FILE_WORK;
    }
    close_left_file(file, block->unit.file);
    file->block = block;
    file->unit = block->unit;
    file->at = file->end = block->data;
    file->offset = block->offset;
    file->loaded = false;
    file->to_line = file->framing.kind == FLY_FRAMING_NEWLINE && file->unit.start > 0;
    file->framing.skipping = false;
    if (file->framing.kind == FLY_FRAMING_WHOLE_FILE)
        file->framing.record_bytes = file->unit.end;
    return FILE_WORK;
}

static enum file_step end_unit(struct file_source *file)
{
    if (file->block != &file->reader.beyond)
        fly_file_reader_pop(&file->reader);
    file->block = NULL;
    file->done_bytes += file->unit.end - file->unit.start;
    return FILE_WORK;
}

/* Goes on in the next block, or in a read beyond the unit, taking the unfinished record along. */
static enum file_step next_block(struct file_source *file)
{
    struct fly_file_block *from = file->block, *beyond = &file->reader.beyond, *to = beyond;
    size_t left = (size_t)(file->end - file->at);
    if (from->broken)
        return FILE_UNIT_END;
    if (!from->last)
        to = fly_file_reader_block(&file->reader, 1);
    if (!to)
        return FILE_WAIT;
    if (to == beyond && file->beyond_used)
        return FILE_YIELD;
    memmove(to->data - left, file->at, left);
    if (to == beyond)
        fly_file_reader_go_beyond(&file->reader, &file->unit, file->offset + left);
    if (from != beyond)
        fly_file_reader_pop(&file->reader);
    file->block = to;
    file->at = to->data - left;
    file->end = to->data;
    file->loaded = false;
    return FILE_WORK;
}

/* A unit that begins within a file begins after the first line end from the byte before it on. */
static enum file_step find_line(struct file_source *file)
{
    size_t left = (size_t)(file->end - file->at);
    const uint8_t *newline = left ? memchr(file->at, '\n', left) : NULL;
    size_t skip = newline ? (size_t)(newline - file->at) + 1 : left;
    file->at += skip;
    file->offset += skip;
    file->to_line = newline == NULL;
    if (newline)
        return FILE_WORK;
    return file->block->at_end || file->offset >= file->unit.end ? FILE_UNIT_END : FILE_NEED;
}

static void emit_record(struct fly_task *task, struct file_source *file, enum fly_framed framed,
                        const struct fly_record *record)
{
    uint64_t id = fly_file_position(file->unit.file, file->offset - record->span_bytes);
    uint64_t next = file->framing.kind == FLY_FRAMING_WHOLE_FILE
                        ? fly_file_position(file->unit.file + 1, 0)
                        : fly_file_position(file->unit.file, file->offset);
    struct fly_content content = {.payload = record->at, .payload_bytes = record->bytes};
    if (framed == FLY_FRAMED_DEAD) {
        fly_emit_dead(task, id, next, record->reason, record->total_bytes, content);
        return;
    }
    content.flags = FLY_MSG_STABLE;
    fly_emit_root(task, 0, id, next, content);
}

/* The one record that an empty file is. */
static enum file_step emit_empty(struct fly_task *task, struct file_source *file, uint32_t *budget)
{
    static const uint8_t nothing[1];
    struct fly_record record = {.at = nothing};
    emit_record(task, file, FLY_FRAMED_RECORD, &record);
    --*budget;
    return FILE_UNIT_END;
}

static enum file_step emit_records(struct fly_task *task, struct file_source *file,
                                   uint32_t *budget)
{
    struct fly_record record;
    bool last = file->block->at_end;
    if (file->unit.end == 0)
        return emit_empty(task, file, budget);
    while (*budget > 0) {
        if (file->offset >= file->unit.end && !file->framing.skipping)
            return FILE_UNIT_END;
        enum fly_framed framed =
            fly_framing_next(&file->framing, file->at, file->end, last, &record);
        file->at += record.consumed_bytes;
        file->offset += record.consumed_bytes;
        if (framed == FLY_FRAMED_MORE)
            return last ? FILE_UNIT_END : FILE_NEED;
        emit_record(task, file, framed, &record);
        file->beyond_used |= file->block == &file->reader.beyond;
        --*budget;
    }
    return FILE_YIELD;
}

static enum file_step work(struct fly_task *task, struct file_source *file, uint32_t *budget)
{
    if (!file->block)
        return begin_unit(file);
    if (!file->loaded) {
        if (file->block->state != FLY_FILE_READY)
            return FILE_WAIT;
        file->end = file->block->data + file->block->got_bytes;
        file->loaded = true;
    }
    enum file_step step = file->to_line ? find_line(file) : emit_records(task, file, budget);
    if (step == FILE_NEED)
        step = next_block(file);
    return step == FILE_UNIT_END ? end_unit(file) : step;
}

static uint64_t progress(const struct file_source *file)
{
    uint64_t in_unit =
        file->block && file->offset > file->unit.start ? file->offset - file->unit.start : 0;
    uint64_t unit_bytes = file->unit.end - file->unit.start;
    return file->done_bytes + (in_unit < unit_bytes ? in_unit : unit_bytes);
}

static enum fly_polled file_poll(struct fly_task *task, void *self, uint32_t budget)
{
    struct file_source *file = self;
    enum file_step step = FILE_WORK;
    fly_file_reader_recycle(&file->reader);
    fly_file_reader_ahead(&file->reader);
    file->beyond_used = false;
    while (step == FILE_WORK)
        step = work(task, file, &budget);
    fly_source_progress(task, progress(file), file->total_bytes);
    if (step == FILE_DONE)
        return FLY_POLL_DONE;
    if (step == FILE_YIELD)
        return FLY_POLL_MORE;
    if (!file->reader.all_sent && fly_file_reader_has_used(&file->reader))
        return FLY_POLL_MORE; /* to read ahead into them */
    if (file->reader.in_flight_cnt == 0)
        fly_wake_in(task, FILE_RETRY_NS);
    return FLY_POLL_IDLE;
}

static void file_replay(struct fly_task *task, void *self, uint64_t id, struct fly_attempt attempt)
{
    struct file_source *file = self;
    (void)task;
    fly_file_replay_add(&file->replay, id, attempt);
}

static void file_io_done(struct fly_task *task, void *self, uint64_t tag, int32_t result)
{
    struct file_source *file = self;
    (void)task;
    if (tag == FLY_FILE_REPLAY_TAG)
        fly_file_replay_done(&file->replay, result);
    else
        fly_file_reader_done(&file->reader, tag, result);
}

static int file_check(const void *self, struct fly_refusal *refusal)
{
    const struct file_source *file = self;
    if (file->framing_kind == FLY_FRAMING_FIXED && file->record_bytes == 0) {
        *refusal = (struct fly_refusal){"record_bytes", "`framing: fixed` needs `record_bytes`",
                                        "for example record_bytes: 64"};
        return -1;
    }
    if (file->framing_kind != FLY_FRAMING_FIXED && file->record_bytes != 0) {
        *refusal = (struct fly_refusal){"record_bytes",
                                        "`record_bytes` goes with `framing: fixed` only", ""};
        return -1;
    }
    return 0;
}

static const char *const file_framings[] = {"newline", "length_prefixed", "whole_file", "fixed",
                                            NULL};

static const struct fly_param file_params[] = {
    {.name = "path",
     .type = FLY_PARAM_PATHS,
     .at = offsetof(struct file_source, paths),
     .required = true,
     .help = "A file, a pattern such as logs/*.txt, or a list of them, read in that order."},
    {.name = "framing",
     .type = FLY_PARAM_ENUM,
     .at = offsetof(struct file_source, framing_kind),
     .preset = "newline",
     .choices = file_framings,
     .help =
         "What a record is: a line without its \\n, what follows a big-endian length of 4 bytes, a "
         "whole file, or so many bytes."},
    {.name = "record_bytes",
     .type = FLY_PARAM_SIZE,
     .at = offsetof(struct file_source, record_bytes),
     .max = 1u << 30,
     .help = "Bytes of a record with `framing: fixed`."},
    {0},
};

const struct fly_node fly_file_source_node = {
    .name = "file",
    .kind = FLY_SOURCE,
    .tasks_preset = 1,
    .help = "Reads the records of files; a record over max_message_bytes, or cut off by the end of "
            "its file, becomes a dead letter.",
    .example = "lines: {type: file, path: book.txt, framing: newline}",
    .params = file_params,
    .self_bytes = sizeof(struct file_source),
    .check = file_check,
    .setup = file_setup,
    .teardown = file_teardown,
    .poll = file_poll,
    .replay = file_replay,
    .restore = file_restore,
    .io_done = file_io_done,
};
