#include "connectors/file/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <flyover/source.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    REPLAY_FIRST_BYTES = 4096, /* enough for most records */
    REPLAY_WISHES = 16384,     /* as many roots as a task has in flight by default */
};

int fly_file_replay_init(struct fly_file_replay *replay, struct fly_task *task,
                         const struct fly_file_list *list, const struct fly_framing *framing)
{
    replay->task = task;
    replay->list = list;
    replay->framing = framing;
    replay->fd = -1;
    replay->data_bytes = framing->max_bytes + FLY_FRAMING_CARRY_BYTES;
    replay->data = fly_task_alloc(task, replay->data_bytes);
    replay->wish_max = REPLAY_WISHES;
    replay->wish = malloc(replay->wish_max * sizeof(*replay->wish));
    return replay->data && replay->wish ? 0 : -1;
}

void fly_file_replay_fini(struct fly_file_replay *replay)
{
    if (replay->task && replay->fd >= 0)
        close(replay->fd);
    free(replay->wish);
    replay->wish = NULL;
    replay->fd = -1;
}

static bool open_file(struct fly_file_replay *replay, uint64_t id)
{
    uint32_t file = fly_file_of(id);
    if (replay->fd >= 0 && replay->file == file)
        return true;
    if (replay->fd >= 0)
        close(replay->fd);
    replay->fd = -1;
    if (file >= replay->list->cnt)
        return false;
    replay->file = file;
    replay->fd = open(replay->list->file[file].path, O_RDONLY | O_CLOEXEC);
    return replay->fd >= 0;
}

/* How much of the record's file may be read at most, from its beginning on. */
static uint32_t bytes_at_most(const struct fly_file_replay *replay, uint64_t id)
{
    uint64_t bytes = replay->list->file[fly_file_of(id)].bytes;
    uint64_t offset = fly_file_offset_of(id);
    uint64_t left = offset < bytes ? bytes - offset : 0;
    return left < replay->data_bytes ? (uint32_t)left : replay->data_bytes;
}

/* Emits the record that the data begins with. False: it goes on beyond the data. */
static bool emit_record(struct fly_file_replay *replay, const struct fly_file_wish *wish, bool all)
{
    struct fly_framing framing = {
        .kind = replay->framing->kind,
        .max_bytes = replay->framing->max_bytes,
        .record_bytes = replay->framing->record_bytes,
    };
    struct fly_record record = {.at = replay->data};
    uint64_t file_bytes = replay->list->file[fly_file_of(wish->id)].bytes;
    if (framing.kind == FLY_FRAMING_WHOLE_FILE)
        framing.record_bytes = file_bytes;
    bool last = fly_file_offset_of(wish->id) + replay->got_bytes >= file_bytes;
    enum fly_framed framed =
        fly_framing_next(&framing, replay->data, replay->data + replay->got_bytes, last, &record);
    if (framed == FLY_FRAMED_MORE && file_bytes == 0 && framing.kind == FLY_FRAMING_WHOLE_FILE)
        framed = FLY_FRAMED_RECORD;
    if (framed == FLY_FRAMED_MORE && !all)
        return false;
    if (framed == FLY_FRAMED_RECORD)
        fly_emit_again(replay->task, 0, wish->attempt,
                       (struct fly_content){.payload = record.at, .payload_bytes = record.bytes});
    else
        fly_attempt_lost(replay->task, wish->attempt);
    return true;
}

/* The whole of it at once, blocking: only where there is no room to wait. */
static void read_now(struct fly_file_replay *replay, const struct fly_file_wish *wish)
{
    uint32_t want = open_file(replay, wish->id) ? bytes_at_most(replay, wish->id) : 0;
    replay->got_bytes = 0;
    while (replay->got_bytes < want) {
        ssize_t got = pread(replay->fd, replay->data + replay->got_bytes, want - replay->got_bytes,
                            (off_t)(fly_file_offset_of(wish->id) + replay->got_bytes));
        if (got <= 0 && !(got < 0 && errno == EINTR))
            break;
        replay->got_bytes += got > 0 ? (uint32_t)got : 0;
    }
    if (replay->fd < 0)
        fly_attempt_lost(replay->task, wish->attempt);
    else
        emit_record(replay, wish, true);
}

static bool send(struct fly_file_replay *replay, const struct fly_file_wish *wish)
{
    struct fly_io io = {
        .op = FLY_IO_READ,
        .fd = replay->fd,
        .buffer = replay->data + replay->got_bytes,
        .bytes = replay->want_bytes - replay->got_bytes,
        .offset = fly_file_offset_of(wish->id) + replay->got_bytes,
        .tag = FLY_FILE_REPLAY_TAG,
    };
    return io.bytes > 0 && fly_io_submit(replay->task, &io) == 0;
}

/* Starts the next read, unless one is under way. */
static void go_on(struct fly_file_replay *replay)
{
    while (!replay->reading && replay->head != replay->tail) {
        struct fly_file_wish *wish = &replay->wish[replay->head % replay->wish_max];
        uint32_t most = open_file(replay, wish->id) ? bytes_at_most(replay, wish->id) : 0;
        replay->want_bytes = most < REPLAY_FIRST_BYTES ? most : REPLAY_FIRST_BYTES;
        replay->got_bytes = 0;
        replay->reading = send(replay, wish);
        if (!replay->reading) {
            replay->head++;
            read_now(replay, wish);
        }
    }
}

static bool grow(struct fly_file_replay *replay)
{
    uint32_t max = replay->wish_max * 2, cnt = replay->tail - replay->head;
    struct fly_file_wish *wish = max > replay->wish_max ? malloc(max * sizeof(*wish)) : NULL;
    if (!wish)
        return false;
    for (uint32_t i = 0; i < cnt; i++)
        wish[i] = replay->wish[(replay->head + i) % replay->wish_max];
    free(replay->wish);
    replay->wish = wish;
    replay->wish_max = max;
    replay->head = 0;
    replay->tail = cnt;
    return true;
}

void fly_file_replay_add(struct fly_file_replay *replay, uint64_t id, struct fly_attempt attempt)
{
    struct fly_file_wish wish = {id, attempt};
    if (replay->tail - replay->head == replay->wish_max && !grow(replay)) {
        fly_attempt_lost(replay->task, attempt);
        return;
    }
    replay->wish[replay->tail++ % replay->wish_max] = wish;
    go_on(replay);
}

void fly_file_replay_done(struct fly_file_replay *replay, int32_t result)
{
    struct fly_file_wish *wish = &replay->wish[replay->head % replay->wish_max];
    uint32_t most = bytes_at_most(replay, wish->id);
    bool ended = result <= 0 && result != -EINTR && result != -EAGAIN;
    replay->got_bytes += result > 0 ? (uint32_t)result : 0;
    replay->reading = false;
    if (!ended && replay->got_bytes < replay->want_bytes) {
        replay->reading = send(replay, wish);
    } else if (!emit_record(replay, wish, ended || replay->got_bytes == most)) {
        replay->want_bytes = most;
        replay->reading = send(replay, wish);
    } else {
        replay->head++;
        go_on(replay);
        return;
    }
    if (!replay->reading) {
        replay->head++;
        read_now(replay, wish);
        go_on(replay);
    }
}
