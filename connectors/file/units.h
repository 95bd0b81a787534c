/* units.h - the files of a source, and which parts of them each task reads.
 *
 * Idea       Files that can be entered anywhere (lines, fixed records) are cut into chunks that are
 *            dealt to the tasks in turn; a record belongs to the chunk that it begins in. Other
 *            files are dealt whole. Dealing starts at another task for each file, so many small
 *            files are spread as well as one large one.
 * Owner      One task each; nothing is shared.
 * Memory     The list is on the heap, made at setup.
 * Cost       O(1) per part.
 * When full  65536 files at most: their index is a part of ids and positions.
 * See also   source.c, tests/unit/connectors/file/test_units.c
 */
#ifndef FLY_CONNECTORS_FILE_UNITS_H
#define FLY_CONNECTORS_FILE_UNITS_H

#include <flyover/task.h>

#include "connectors/common/framing.h"

enum {
    FLY_FILE_CNT_MAX = 65536,
    FLY_FILE_CHUNK_BYTES = 1 << 20,
    FLY_FILE_OFFSET_BITS = 48, /* of an id or a position; the file's index is above */
};

struct fly_file_entry {
    char *path;
    uint64_t bytes; /* at setup: what comes later is not read */
    int fd;         /* -1: not open */
    bool ended;     /* a read failed, or it became shorter */
};

struct fly_file_list {
    struct fly_file_entry *file;
    uint32_t cnt;
    uint32_t max;
};

/* A part of a file: the records that begin in [start, end). */
struct fly_file_unit {
    uint64_t start, end;
    uint32_t file;
};

struct fly_file_units {
    const struct fly_file_list *list;
    uint32_t task_idx, task_cnt;
    enum fly_framing_kind framing;
    uint32_t file; /* the next unit begins here or later */
    uint64_t at;
};

/* Expands patterns and checks that each file is regular and can be read. 0, or -1 after
 * fly_task_refuse() for `path`; the list is to be closed in both cases. */
int fly_file_list_open(struct fly_file_list *list, struct fly_task *task,
                       const struct fly_list *paths) __attribute__((warn_unused_result));
void fly_file_list_close(struct fly_file_list *list);

/* The task's next unit; false: there is none. */
bool fly_file_units_next(struct fly_file_units *units, struct fly_file_unit *unit);

static inline uint64_t fly_file_position(uint32_t file, uint64_t offset)
{
    return (uint64_t)file << FLY_FILE_OFFSET_BITS | offset;
}
static inline uint32_t fly_file_of(uint64_t position)
{
    return (uint32_t)(position >> FLY_FILE_OFFSET_BITS);
}
static inline uint64_t fly_file_offset_of(uint64_t position)
{
    return position & ((UINT64_C(1) << FLY_FILE_OFFSET_BITS) - 1);
}

#endif
