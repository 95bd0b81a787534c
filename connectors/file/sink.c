/* sink.c - records at the end of one file.
 *
 * `create` writes path.part and gives it its name when the input has ended; a run that goes on from
 * an earlier one adopts its path.part, or its finished file, and cuts off a torn record. `append`
 * writes behind what the file has. What is no regular file (a device, a pipe) is written as it is.
 */
#include "connectors/common/gather.h"
#include "connectors/file/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum file_mode { FILE_CREATE, FILE_APPEND };
enum file_sync { FILE_SYNC_NONE, FILE_SYNC_END, FILE_SYNC_ALWAYS };

struct file_sink {
    struct fly_string path;
    uint32_t codec; /* enum fly_codec */
    uint32_t mode;  /* enum file_mode */
    uint32_t fsync; /* enum file_sync */
    uint64_t fsync_every_ns;
    uint64_t flush_ns;
    uint64_t buffer_bytes;

    struct fly_gather gather;
    char *part;  /* path.part; NULL: written under its own name */
    int fd;      /* -1: none */
    bool locked; /* no other sink has this file */
};

static int refuse(struct fly_task *task, const char *path, const char *what)
{
    char why[192];
    snprintf(why, sizeof(why), "'%.90s' can't be written: %.60s", path, what);
    return fly_task_refuse(task, "path", why);
}

/* Where the last whole record of what the file has ends; -1: it can't be read. */
static int64_t whole_end(int fd, enum fly_codec codec)
{
    struct stat status;
    if (fstat(fd, &status))
        return -1;
    size_t bytes = (size_t)status.st_size;
    if (bytes == 0)
        return 0;
    uint8_t *data = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return -1;
    int64_t end = (int64_t)fly_codec_whole(codec, data, bytes);
    munmap(data, bytes);
    return end;
}

static int open_regular(struct fly_task *task, struct file_sink *file, const char *path, bool keep)
{
    file->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file->fd < 0)
        return refuse(task, path, strerror(errno));
    if (flock(file->fd, LOCK_EX | LOCK_NB))
        return refuse(task, path, "another sink is writing it");
    file->locked = true;
    int64_t end = keep ? whole_end(file->fd, (enum fly_codec)file->codec) : 0;
    if (end < 0 || ftruncate(file->fd, end))
        return refuse(task, path, strerror(errno));
    fly_gather_open(&file->gather, file->fd, (uint64_t)end);
    return 0;
}

static int open_device(struct fly_task *task, struct file_sink *file)
{
    file->fd = open(file->path.text, O_WRONLY | O_CLOEXEC);
    if (file->fd < 0)
        return refuse(task, file->path.text, strerror(errno));
    fly_gather_open(&file->gather, file->fd, UINT64_MAX);
    return 0;
}

static int open_created(struct fly_task *task, struct file_sink *file, bool finished_before)
{
    bool restarted = fly_task_place(task).restarted;
    if (asprintf(&file->part, "%s.part", file->path.text) < 0) {
        file->part = NULL;
        return fly_task_refuse(task, NULL, "there is no memory for its path");
    }
    /* It was finished, but what it took was not yet known to be done: go on with it. */
    if (restarted && finished_before && access(file->part, F_OK) &&
        rename(file->path.text, file->part))
        return refuse(task, file->part, strerror(errno));
    return open_regular(task, file, file->part, restarted);
}

static int file_setup(struct fly_task *task, void *self)
{
    struct file_sink *file = self;
    struct stat status;
    struct fly_gather_config config = {
        .codec = (enum fly_codec)file->codec,
        .buffer_bytes = (uint32_t)file->buffer_bytes,
        .flush_ns = file->flush_ns,
        .sync = file->fsync == FILE_SYNC_ALWAYS,
        .sync_every_ns = file->fsync_every_ns,
    };
    file->fd = -1;
    if (fly_gather_init(&file->gather, task, &config))
        return fly_task_refuse(task, "buffer_bytes", "there is no memory for its buffers");
    bool exists = stat(file->path.text, &status) == 0;
    if (exists && S_ISDIR(status.st_mode))
        return refuse(task, file->path.text, "it is a directory");
    if (exists && !S_ISREG(status.st_mode))
        return open_device(task, file);
    if (file->mode == FILE_APPEND)
        return open_regular(task, file, file->path.text, true);
    return open_created(task, file, exists);
}

static void file_teardown(struct fly_task *task, void *self)
{
    struct file_sink *file = self;
    struct stat status;
    (void)task;
    /* Nothing came to be written, because the run was refused or stopped: nothing is left. */
    if (file->part && file->locked && fstat(file->fd, &status) == 0 && status.st_size == 0)
        unlink(file->part);
    if (file->fd >= 0)
        close(file->fd);
    free(file->part);
    file->fd = -1;
    file->part = NULL;
}

/* Makes a rename last: the folder is what has to be on the disk. */
static int sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int result = fd < 0 ? -1 : fsync(fd);
    if (fd >= 0)
        close(fd);
    free(folder);
    return result;
}

/* All messages are done and in the file. */
static void file_finish(struct fly_task *task, void *self)
{
    struct file_sink *file = self;
    if (file->fsync != FILE_SYNC_NONE && file->gather.at_offsets && fsync(file->fd)) {
        fly_count_error(task, 1);
        fly_io_trouble(task, errno);
        return;
    }
    if (!file->part)
        return;
    if (rename(file->part, file->path.text) ||
        (file->fsync != FILE_SYNC_NONE && sync_folder(file->path.text))) {
        fly_count_error(task, 1);
        fly_io_trouble(task, errno);
        return;
    }
    file->locked = false; /* what now has the name path.part is not ours */
}

static void file_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    struct file_sink *file = self;
    (void)task;
    fly_gather_process(&file->gather, batch);
}

static void file_tick(struct fly_task *task, void *self)
{
    struct file_sink *file = self;
    (void)task;
    fly_gather_tick(&file->gather);
}

static void file_io_done(struct fly_task *task, void *self, uint64_t tag, int32_t result)
{
    struct file_sink *file = self;
    (void)task;
    (void)tag;
    fly_gather_io_done(&file->gather, result);
}

static const char *const file_modes[] = {"create", "append", NULL};
static const char *const file_syncs[] = {"none", "end", "always", NULL};

#define FILE_AT(field) .at = offsetof(struct file_sink, field)

static const struct fly_param file_params[] = {
    {.name = "path",
     .type = FLY_PARAM_PATH,
     FILE_AT(path),
     .required = true,
     .help =
         "The file to write; with `mode: create` it has .part behind its name until it is done."},
    {.name = "codec",
     .type = FLY_PARAM_ENUM,
     FILE_AT(codec),
     .preset = "raw",
     .choices = fly_codec_names,
     .help = "What a record is: the payload and a newline, a line of JSON, or a msgpack map."},
    {.name = "mode",
     .type = FLY_PARAM_ENUM,
     FILE_AT(mode),
     .preset = "create",
     .choices = file_modes,
     .help = "Replace a file of that name when all is written, or go on at its end."},
    {.name = "fsync",
     .type = FLY_PARAM_ENUM,
     FILE_AT(fsync),
     .preset = "none",
     .choices = file_syncs,
     .help =
         "When it is forced to the disk: never, when the input has ended, or before any message is "
         "acked."},
    {.name = "fsync_every",
     .type = FLY_PARAM_DURATION,
     FILE_AT(fsync_every_ns),
     .preset = "0ms",
     .max = 1e12,
     .help = "With `fsync: always`: at most one fsync in this time; messages wait for it."},
    {.name = "flush",
     .type = FLY_PARAM_DURATION,
     FILE_AT(flush_ns),
     .preset = "2ms",
     .min = 1e5,
     .max = 1e11,
     .help = "How long a record waits for others to be written with."},
    {.name = "buffer_bytes",
     .type = FLY_PARAM_SIZE,
     FILE_AT(buffer_bytes),
     .preset = "2MiB",
     .min = 4096,
     .max = 1u << 30,
     .help = "Size of each of its two buffers; a record that is larger fails."},
    {0},
};

const struct fly_node fly_file_sink_node = {
    .name = "file",
    .kind = FLY_SINK,
    .completes = FLY_EXPLICIT,
    .holds = true,
    .tasks_preset = 1,
    .tasks_max = 1,
    .help = "Writes messages to a file; each is acked when it is written, or synced if so wished.",
    .example = "out: {type: file, inputs: [counts], path: counts.jsonl, codec: json}",
    .params = file_params,
    .self_bytes = sizeof(struct file_sink),
    .setup = file_setup,
    .teardown = file_teardown,
    .process = file_process,
    .tick = file_tick,
    .finish = file_finish,
    .io_done = file_io_done,
};
