/* reader.h - reads a task's units ahead of it, several requests at a time.
 *
 * Idea       A ring of blocks: requests are sent in the order of the units and taken in the same
 *            order. In front of each block is room to put an unfinished record of the block before,
 *            so records always lie in one piece.
 * Owner      One task.
 * Memory     fly_task_alloc() at setup: FLY_FILE_BLOCK_CNT blocks with room for one record each.
 * Cost       A request per block; a copy of what a block's end cuts off.
 * When full  It reads no further until blocks are given back.
 * Caveat     A block that was given back is read into only after fly_file_reader_recycle(): what
 *            was emitted from it by reference is valid until poll returns.
 * See also   source.c
 */
#ifndef FLY_CONNECTORS_FILE_READER_H
#define FLY_CONNECTORS_FILE_READER_H

#include "connectors/file/units.h"

enum {
    FLY_FILE_BLOCK_CNT = 4,
    FLY_FILE_BLOCK_BYTES = 128 << 10, /* four of them stay in a core's own cache */
    FLY_FILE_TAIL_BYTES = 64 << 10,   /* read at once beyond the end of a unit */
};

enum fly_file_block_state {
    FLY_FILE_FREE,
    FLY_FILE_WAITING, /* to be sent, also again after a short read */
    FLY_FILE_READING,
    FLY_FILE_READY,
    FLY_FILE_USED, /* given back within this poll */
};

struct fly_file_block {
    uint8_t *data; /* carry_bytes of room in front of it */
    enum fly_file_block_state state;
    uint32_t want_bytes, got_bytes;
    uint64_t offset; /* of data[0] in the file */
    struct fly_file_unit unit;
    bool first, last; /* of its unit */
    bool at_end;      /* nothing of the file follows */
    bool broken;      /* the read failed: got_bytes are all there is */
};

struct fly_file_reader {
    struct fly_task *task;
    struct fly_file_list *list;
    struct fly_file_units units;
    uint64_t record_bytes; /* fixed framing */
    uint32_t max_bytes;    /* of a record */
    uint32_t carry_bytes;
    uint32_t head, tail; /* of the ring: next to take, next to fill; both only rise */
    uint32_t in_flight_cnt;
    struct fly_file_block block[FLY_FILE_BLOCK_CNT];
    struct fly_file_block beyond; /* for a record that goes on beyond its unit */

    bool has_unit, all_sent;
    struct fly_file_unit unit; /* that is being read */
    uint64_t unit_at, unit_end;
};

/* 0, or -1: no memory. `units` says where to begin. */
int fly_file_reader_init(struct fly_file_reader *reader, struct fly_task *task,
                         struct fly_file_list *list, uint64_t record_bytes)
    __attribute__((warn_unused_result));

/* Blocks that were given back may be read into again. */
void fly_file_reader_recycle(struct fly_file_reader *reader);

/* Sends as many requests as there is room for. */
void fly_file_reader_ahead(struct fly_file_reader *reader);

/* The i-th block in order; NULL: not yet assigned. */
struct fly_file_block *fly_file_reader_block(struct fly_file_reader *reader, uint32_t i);

/* Is there a block that recycling would free? */
bool fly_file_reader_has_used(const struct fly_file_reader *reader);

/* Gives the first block back. */
void fly_file_reader_pop(struct fly_file_reader *reader);

/* Reads the file of `unit` from `offset` on into the block `beyond`. */
void fly_file_reader_go_beyond(struct fly_file_reader *reader, const struct fly_file_unit *unit,
                               uint64_t offset);

/* io_done, for the tags 0 .. FLY_FILE_BLOCK_CNT. */
void fly_file_reader_done(struct fly_file_reader *reader, uint64_t tag, int32_t result);

#endif
