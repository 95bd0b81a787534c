#include "connectors/file/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <flyover/task.h>

static struct fly_file_block *block_of(struct fly_file_reader *reader, uint64_t tag)
{
    return tag < FLY_FILE_BLOCK_CNT ? &reader->block[tag] : &reader->beyond;
}

int fly_file_reader_init(struct fly_file_reader *reader, struct fly_task *task,
                         struct fly_file_list *list, uint64_t record_bytes)
{
    reader->task = task;
    reader->list = list;
    reader->record_bytes = record_bytes;
    reader->max_bytes = fly_max_message_bytes(task);
    reader->carry_bytes = reader->max_bytes + FLY_FRAMING_CARRY_BYTES;
    for (uint64_t i = 0; i <= FLY_FILE_BLOCK_CNT; i++) {
        uint8_t *memory =
            fly_task_alloc(task, (uint64_t)reader->carry_bytes + FLY_FILE_BLOCK_BYTES);
        if (!memory)
            return -1;
        block_of(reader, i)->data = memory + reader->carry_bytes;
    }
    return 0;
}

void fly_file_reader_recycle(struct fly_file_reader *reader)
{
    for (uint32_t i = 0; i < FLY_FILE_BLOCK_CNT; i++)
        if (reader->block[i].state == FLY_FILE_USED)
            reader->block[i].state = FLY_FILE_FREE;
}

struct fly_file_block *fly_file_reader_block(struct fly_file_reader *reader, uint32_t i)
{
    return reader->tail - reader->head > i ? &reader->block[(reader->head + i) % FLY_FILE_BLOCK_CNT]
                                           : NULL;
}

bool fly_file_reader_has_used(const struct fly_file_reader *reader)
{
    for (uint32_t i = 0; i < FLY_FILE_BLOCK_CNT; i++)
        if (reader->block[i].state == FLY_FILE_USED)
            return true;
    return false;
}

void fly_file_reader_pop(struct fly_file_reader *reader)
{
    reader->block[reader->head++ % FLY_FILE_BLOCK_CNT].state = FLY_FILE_USED;
}

/* The file ends here as far as this run is concerned. */
static void end_file(struct fly_file_reader *reader, struct fly_file_block *block, bool broken)
{
    struct fly_file_entry *file = &reader->list->file[block->unit.file];
    if (!file->ended)
        fly_count_error(reader->task, 1);
    file->ended = true;
    block->at_end = !broken;
    block->broken = broken;
    block->state = FLY_FILE_READY;
}

static void send(struct fly_file_reader *reader, struct fly_file_block *block)
{
    struct fly_io io = {
        .op = FLY_IO_READ,
        .fd = reader->list->file[block->unit.file].fd,
        .buffer = block->data + block->got_bytes,
        .bytes = block->want_bytes - block->got_bytes,
        .offset = block->offset + block->got_bytes,
        .tag = block == &reader->beyond ? FLY_FILE_BLOCK_CNT : (uint64_t)(block - reader->block),
    };
    int result = fly_io_submit(reader->task, &io);
    if (result == 0) {
        block->state = FLY_FILE_READING;
        reader->in_flight_cnt++;
    } else if (result != -EBUSY) {
        end_file(reader, block, true);
    }
}

static void send_waiting(struct fly_file_reader *reader)
{
    for (uint64_t i = 0; i <= FLY_FILE_BLOCK_CNT; i++)
        if (block_of(reader, i)->state == FLY_FILE_WAITING)
            send(reader, block_of(reader, i));
}

/* Where reading of a unit begins: for lines a byte early, to see whether one begins there. */
static uint64_t first_byte(const struct fly_file_reader *reader, const struct fly_file_unit *unit)
{
    switch (reader->units.framing) {
    case FLY_FRAMING_NEWLINE:
        return unit->start ? unit->start - 1 : 0;
    case FLY_FRAMING_FIXED:
        return (unit->start + reader->record_bytes - 1) / reader->record_bytes *
               reader->record_bytes;
    case FLY_FRAMING_LENGTH_PREFIXED:
    case FLY_FRAMING_WHOLE_FILE:
    default:
        return unit->start;
    }
}

static bool open_file(struct fly_file_reader *reader, struct fly_file_entry *file)
{
    if (file->fd < 0)
        file->fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (file->fd >= 0)
        return true;
    file->ended = true;
    fly_count_error(reader->task, 1);
    fly_io_trouble(reader->task, errno);
    return false;
}

/* False: there are no more. */
static bool next_unit(struct fly_file_reader *reader)
{
    while (fly_file_units_next(&reader->units, &reader->unit)) {
        const struct fly_file_unit *unit = &reader->unit;
        reader->unit_at = first_byte(reader, unit);
        reader->unit_end = unit->end;
        if (reader->units.framing == FLY_FRAMING_WHOLE_FILE && unit->end > reader->max_bytes &&
            unit->end > FLY_FRAMING_HEAD_BYTES)
            reader->unit_end = FLY_FRAMING_HEAD_BYTES; /* no more than that is sent of it */
        bool empty = reader->unit_at >= unit->end && unit->end > 0;
        if (!empty && open_file(reader, &reader->list->file[unit->file])) {
            reader->has_unit = true;
            return true;
        }
    }
    reader->all_sent = true;
    return false;
}

static void assign(struct fly_file_reader *reader, struct fly_file_block *block)
{
    uint64_t left = reader->unit_end - reader->unit_at;
    block->unit = reader->unit;
    block->offset = reader->unit_at;
    block->want_bytes = left < FLY_FILE_BLOCK_BYTES ? (uint32_t)left : FLY_FILE_BLOCK_BYTES;
    block->got_bytes = 0;
    block->first = reader->unit_at == first_byte(reader, &reader->unit);
    block->last = block->want_bytes == left;
    block->at_end = block->last && reader->unit.end == reader->list->file[reader->unit.file].bytes;
    block->broken = false;
    block->state = block->want_bytes ? FLY_FILE_WAITING : FLY_FILE_READY;
    reader->unit_at += block->want_bytes;
    reader->has_unit = !block->last;
}

void fly_file_reader_ahead(struct fly_file_reader *reader)
{
    while (reader->block[reader->tail % FLY_FILE_BLOCK_CNT].state == FLY_FILE_FREE) {
        if (!reader->has_unit && !next_unit(reader))
            break;
        assign(reader, &reader->block[reader->tail++ % FLY_FILE_BLOCK_CNT]);
    }
    send_waiting(reader);
}

void fly_file_reader_go_beyond(struct fly_file_reader *reader, const struct fly_file_unit *unit,
                               uint64_t offset)
{
    struct fly_file_block *block = &reader->beyond;
    uint64_t left = reader->list->file[unit->file].bytes - offset;
    block->unit = *unit;
    block->offset = offset;
    block->want_bytes = left < FLY_FILE_TAIL_BYTES ? (uint32_t)left : FLY_FILE_TAIL_BYTES;
    block->got_bytes = 0;
    block->last = true;
    block->at_end = block->want_bytes == left;
    block->broken = false;
    block->state = FLY_FILE_WAITING;
    send(reader, block);
}

void fly_file_reader_done(struct fly_file_reader *reader, uint64_t tag, int32_t result)
{
    struct fly_file_block *block = block_of(reader, tag);
    reader->in_flight_cnt--;
    if (result == -EINTR || result == -EAGAIN) {
        block->state = FLY_FILE_WAITING;
    } else if (result <= 0) {
        if (result < 0)
            fly_io_trouble(reader->task, -result);
        end_file(reader, block, result < 0);
    } else {
        block->got_bytes += (uint32_t)result;
        block->state = block->got_bytes < block->want_bytes ? FLY_FILE_WAITING : FLY_FILE_READY;
    }
    send_waiting(reader);
}
