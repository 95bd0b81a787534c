#include "supervise/state_file.h"

#include "base/err.h"
#include "base/mix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_MAGIC UINT64_C(0x31746174536f796c) /* "lyoStat1" */
enum { STATE_VERSION = 1, RECORD_BYTES_MAX = 1 << 30, TASKS_MAX = FLY_PLAN_TASKS_MAX };

/* A record: this, the identity, then each task's head and roots. All in the machine's byte order:
 * the file belongs to this machine, as the positions in it do. */
struct record_head {
    uint64_t magic;
    uint64_t checksum; /* of all that follows this field */
    uint64_t bytes;    /* of the whole record */
    uint64_t sequence;
    uint32_t version;
    uint32_t task_cnt;
    uint32_t identity_bytes;
    uint32_t reserved;
    char node[FLY_PLAN_NAME_MAX];
};

struct record_task {
    uint64_t position;
    uint32_t has_position;
    uint32_t root_cnt;
};

enum { CHECKED_FROM = 16 };
_Static_assert(offsetof(struct record_head, bytes) == CHECKED_FROM, "what the checksum covers");
_Static_assert(sizeof(struct record_head) == 48 + FLY_PLAN_NAME_MAX, "no padding on disk");
_Static_assert(sizeof(struct record_task) == 16 && sizeof(struct fly_state_root) == 16,
               "no padding on disk");

void fly_state_free(struct fly_state *state)
{
    if (!state)
        return;
    for (uint32_t i = 0; state->task && i < state->task_cnt; i++)
        free(state->task[i].root);
    free(state->task);
    free(state->identity);
    memset(state, 0, sizeof(*state));
}

static uint8_t *append(uint8_t *at, const void *from, size_t bytes)
{
    if (bytes)
        memcpy(at, from, bytes);
    return at + bytes;
}

int fly_state_encode(const struct fly_state *state, uint64_t sequence, uint8_t **out, size_t *bytes)
{
    size_t identity_bytes = state->identity ? strlen(state->identity) : 0;
    size_t need = sizeof(struct record_head) + identity_bytes;
    for (uint32_t i = 0; i < state->task_cnt; i++)
        need +=
            sizeof(struct record_task) + state->task[i].root_cnt * sizeof(struct fly_state_root);
    uint8_t *record = malloc(need);
    if (!record)
        return FLY_ERR(ENOMEM, "no memory for the state of node '%s'", state->node);
    struct record_head head = {.magic = STATE_MAGIC,
                               .bytes = need,
                               .sequence = sequence,
                               .version = STATE_VERSION,
                               .task_cnt = state->task_cnt,
                               .identity_bytes = (uint32_t)identity_bytes};
    snprintf(head.node, sizeof(head.node), "%s", state->node);
    uint8_t *at = append(record, &head, sizeof(head));
    at = append(at, state->identity, identity_bytes);
    for (uint32_t i = 0; i < state->task_cnt; i++) {
        const struct fly_state_task *task = &state->task[i];
        struct record_task entry = {task->position, task->has_position, task->root_cnt};
        at = append(at, &entry, sizeof(entry));
        at = append(at, task->root, task->root_cnt * sizeof(*task->root));
    }
    head.checksum = XXH3_64bits(record + CHECKED_FROM, need - CHECKED_FROM);
    memcpy(record, &head, CHECKED_FROM);
    *out = record;
    *bytes = need;
    return 0;
}

/* The part of a record that is not read yet. */
struct rest {
    const uint8_t *at;
    size_t bytes;
};

static bool take(struct rest *rest, void *to, size_t bytes)
{
    if (!rest->at || rest->bytes < bytes)
        return false;
    if (bytes)
        memcpy(to, rest->at, bytes);
    rest->at += bytes;
    rest->bytes -= bytes;
    return true;
}

static int take_task(struct rest *rest, struct fly_state_task *task)
{
    struct record_task entry;
    if (!take(rest, &entry, sizeof(entry)) ||
        entry.root_cnt > rest->bytes / sizeof(struct fly_state_root))
        return -EBADMSG;
    task->position = entry.position;
    task->has_position = entry.has_position;
    if (entry.root_cnt == 0)
        return 0;
    task->root = malloc(entry.root_cnt * sizeof(*task->root));
    if (!task->root)
        return -ENOMEM;
    task->root_cnt = entry.root_cnt;
    return take(rest, task->root, entry.root_cnt * sizeof(*task->root)) ? 0 : -EBADMSG;
}

static int take_body(struct rest *rest, const struct record_head *head, struct fly_state *state)
{
    if (head->task_cnt > TASKS_MAX || head->identity_bytes > rest->bytes)
        return -EBADMSG;
    state->identity = malloc((size_t)head->identity_bytes + 1);
    state->task = calloc(head->task_cnt ? head->task_cnt : 1, sizeof(*state->task));
    if (!state->identity || !state->task)
        return -ENOMEM;
    state->task_cnt = head->task_cnt;
    memcpy(state->node, head->node, sizeof(state->node));
    state->identity[head->identity_bytes] = '\0';
    int rc = take(rest, state->identity, head->identity_bytes) ? 0 : -EBADMSG;
    for (uint32_t i = 0; !rc && i < head->task_cnt; i++)
        rc = take_task(rest, &state->task[i]);
    return rc || rest->bytes == 0 ? rc : -EBADMSG;
}

int fly_state_decode(const uint8_t *record, size_t bytes, struct fly_state *state,
                     uint64_t *sequence)
{
    struct record_head head;
    struct rest rest = {record, bytes};
    memset(state, 0, sizeof(*state));
    if (!take(&rest, &head, sizeof(head)) || head.magic != STATE_MAGIC || head.bytes != bytes ||
        head.version != STATE_VERSION || !memchr(head.node, '\0', sizeof(head.node)) ||
        head.checksum != XXH3_64bits(record + CHECKED_FROM, bytes - CHECKED_FROM))
        return -EBADMSG;
    int rc = take_body(&rest, &head, state);
    if (rc)
        fly_state_free(state);
    *sequence = head.sequence;
    return rc;
}

static int open_copy(const char *path, int which)
{
    char name[FLY_PLAN_PATH_MAX + 4];
    snprintf(name, sizeof(name), "%s.%d", path, which);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return FLY_ERR(errno, "cannot open %s: %s", name, strerror(errno));
    return fd;
}

int fly_state_file_open(struct fly_state_file *file, const char *path)
{
    memset(file, 0, sizeof(*file));
    file->fd[0] = file->fd[1] = -1;
    if (strlen(path) >= sizeof(file->path))
        return FLY_ERR(ENAMETOOLONG, "the path of the state is too long");
    snprintf(file->path, sizeof(file->path), "%s", path);
    file->fd[0] = open_copy(path, 0);
    if (file->fd[0] < 0)
        return file->fd[0];
    int rc = 0;
    if (flock(file->fd[0], LOCK_EX | LOCK_NB)) {
        rc = FLY_ERR(errno, "the state %s is in use by another run", path);
        goto fail_first;
    }
    file->fd[1] = open_copy(path, 1);
    if (file->fd[1] < 0) {
        rc = file->fd[1];
        goto fail_first;
    }
    return 0;

fail_first:
    close(file->fd[0]);
    file->fd[0] = -1;
    return rc;
}

/* Reads a whole file. 0: *out is its bytes (free() it); or a negative errno. */
static int read_copy(int fd, uint8_t **out, size_t *bytes)
{
    struct stat stat;
    *out = NULL;
    *bytes = 0;
    if (fstat(fd, &stat))
        return -errno;
    if (stat.st_size > RECORD_BYTES_MAX)
        return -EBADMSG;
    uint8_t *record = malloc((size_t)stat.st_size + 1);
    if (!record)
        return -ENOMEM;
    while (*bytes < (size_t)stat.st_size) {
        ssize_t got = pread(fd, record + *bytes, (size_t)stat.st_size - *bytes, (off_t)*bytes);
        if (got < 0) {
            int rc = -errno;
            free(record);
            return rc;
        }
        if (got == 0)
            break;
        *bytes += (size_t)got;
    }
    *out = record;
    return 0;
}

/* The record of one copy, if it is newer than what *state holds. *found counts bytes that were
 * there. */
static int read_newer(struct fly_state_file *file, int which, struct fly_state *state,
                      size_t *found)
{
    uint8_t *record;
    size_t bytes;
    struct fly_state seen;
    uint64_t sequence = 0;
    int rc = read_copy(file->fd[which], &record, &bytes);
    if (rc)
        return rc;
    *found += bytes;
    rc = fly_state_decode(record, bytes, &seen, &sequence);
    free(record);
    if (rc)
        return rc == -EBADMSG ? 0 : rc;
    if (sequence <= file->sequence) {
        fly_state_free(&seen);
        return 0;
    }
    fly_state_free(state);
    *state = seen;
    file->sequence = sequence;
    return 0;
}

int fly_state_file_read(struct fly_state_file *file, struct fly_state *state)
{
    size_t found_bytes = 0;
    memset(state, 0, sizeof(*state));
    file->sequence = 0;
    for (int which = 0; which < 2; which++) {
        int rc = read_newer(file, which, state, &found_bytes);
        if (rc) {
            fly_state_free(state);
            return FLY_ERR(rc, "cannot read %s.%d: %s", file->path, which, strerror(-rc));
        }
    }
    if (file->sequence)
        return 0;
    if (found_bytes == 0)
        return -ENOENT;
    int rc = FLY_ERR(EBADMSG, "neither %s.0 nor %s.1 holds a whole record", file->path, file->path);
    FLY_ERR_HINT("they are damaged or of another version; remove both to start from the beginning");
    return rc;
}

/* Is this the newest record already, its number and checksum apart? */
static bool is_last(const struct fly_state_file *file, const uint8_t *record, size_t bytes)
{
    const size_t from = offsetof(struct record_head, version);
    return file->last && bytes == file->last_bytes &&
           memcmp(record + from, file->last + from, bytes - from) == 0;
}

static int write_copy(int fd, const uint8_t *record, size_t bytes)
{
    size_t done = 0;
    while (done < bytes) {
        ssize_t put = pwrite(fd, record + done, bytes - done, (off_t)done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? -errno : -EIO;
        done += (size_t)put;
    }
    if (ftruncate(fd, (off_t)bytes) || fdatasync(fd))
        return -errno;
    return 0;
}

int fly_state_file_write(struct fly_state_file *file, const struct fly_state *state)
{
    uint8_t *record;
    size_t bytes;
    int which = (int)((file->sequence + 1) & 1);
    int rc = fly_state_encode(state, file->sequence + 1, &record, &bytes);
    if (rc)
        return rc;
    if (is_last(file, record, bytes)) {
        free(record);
        return 0;
    }
    rc = write_copy(file->fd[which], record, bytes);
    if (rc) {
        free(record);
        return FLY_ERR(rc, "cannot write %s.%d: %s", file->path, which, strerror(-rc));
    }
    file->sequence++;
    free(file->last);
    file->last = record;
    file->last_bytes = bytes;
    return 0;
}

void fly_state_file_close(struct fly_state_file *file)
{
    if (!file)
        return;
    for (int which = 0; which < 2; which++) {
        if (file->fd[which] > 0)
            close(file->fd[which]);
        file->fd[which] = -1;
    }
    free(file->last);
    file->last = NULL;
}
