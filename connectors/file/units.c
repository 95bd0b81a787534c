#include "connectors/file/units.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(struct fly_task *task, const char *path, const char *what)
{
    char why[192];
    snprintf(why, sizeof(why), "'%.90s' %.90s", path, what);
    return fly_task_refuse(task, "path", why);
}

static int add_file(struct fly_file_list *list, struct fly_task *task, const char *path)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not make us wait */
    if (fd < 0 || fstat(fd, &status)) {
        char what[96];
        snprintf(what, sizeof(what), "can't be read: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return refuse(task, path, what);
    }
    close(fd);
    if (S_ISDIR(status.st_mode))
        return refuse(task, path, "is a directory; name files, or a pattern such as dir/*.txt");
    if (!S_ISREG(status.st_mode))
        return refuse(task, path, "is not a regular file; pipes are read by `type: stdin`");
    if (list->cnt == FLY_FILE_CNT_MAX)
        return fly_task_refuse(task, "path", "more than 65536 files");
    if (list->cnt == list->max) {
        uint32_t max = list->max ? list->max * 2 : 16;
        struct fly_file_entry *file = realloc(list->file, max * sizeof(*file));
        if (!file)
            return fly_task_refuse(task, "path", "there is no memory for the list of files");
        list->file = file;
        list->max = max;
    }
    struct fly_file_entry *entry = &list->file[list->cnt];
    *entry = (struct fly_file_entry){strdup(path), (uint64_t)status.st_size, -1, false};
    if (!entry->path)
        return fly_task_refuse(task, "path", "there is no memory for the list of files");
    list->cnt++;
    return 0;
}

static int add_pattern(struct fly_file_list *list, struct fly_task *task, const char *pattern)
{
    glob_t found;
    int result = glob(pattern, GLOB_ERR, NULL, &found);
    if (result == GLOB_ABORTED) {
        globfree(&found);
        return refuse(task, pattern, "matches within a directory that can't be read");
    }
    if (result != 0) {
        globfree(&found);
        return refuse(task, pattern, "matches no file");
    }
    for (size_t i = 0; i < found.gl_pathc && result == 0; i++)
        result = add_file(list, task, found.gl_pathv[i]);
    globfree(&found);
    return result;
}

int fly_file_list_open(struct fly_file_list *list, struct fly_task *task,
                       const struct fly_list *paths)
{
    *list = (struct fly_file_list){0};
    if (paths->cnt == 0)
        return fly_task_refuse(task, "path", "no file is named");
    for (uint32_t i = 0; i < paths->cnt; i++) {
        const char *path = paths->item[i].text;
        /* A file that is there is meant, even if its name looks like a pattern. */
        bool plain = access(path, F_OK) == 0 || !strpbrk(path, "*?[");
        if (plain ? add_file(list, task, path) : add_pattern(list, task, path))
            return -1;
    }
    return 0;
}

void fly_file_list_close(struct fly_file_list *list)
{
    for (uint32_t i = 0; i < list->cnt; i++) {
        if (list->file[i].fd >= 0)
            close(list->file[i].fd);
        free(list->file[i].path);
    }
    free(list->file);
    *list = (struct fly_file_list){0};
}

static bool is_split(const struct fly_file_units *units)
{
    return units->task_cnt > 1 &&
           (units->framing == FLY_FRAMING_NEWLINE || units->framing == FLY_FRAMING_FIXED);
}

/* Moves on to a part of the current file that is this task's; false: it has none. */
static bool find_part(struct fly_file_units *units, uint64_t bytes)
{
    uint64_t chunk = is_split(units) ? units->at / FLY_FILE_CHUNK_BYTES : 0;
    uint64_t owner = (units->file + chunk) % units->task_cnt;
    uint64_t ahead = (units->task_idx + units->task_cnt - owner) % units->task_cnt;
    if (ahead > 0 && !is_split(units))
        return false;
    if (ahead > 0)
        units->at = (chunk + ahead) * FLY_FILE_CHUNK_BYTES;
    /* An empty file is one empty record, if files are records. */
    bool empty = bytes == 0 && units->at == 0 && units->framing == FLY_FRAMING_WHOLE_FILE;
    return units->at < bytes || empty;
}

bool fly_file_units_next(struct fly_file_units *units, struct fly_file_unit *unit)
{
    for (; units->file < units->list->cnt; units->file++, units->at = 0) {
        const struct fly_file_entry *file = &units->list->file[units->file];
        if (file->ended || !find_part(units, file->bytes))
            continue;
        *unit = (struct fly_file_unit){units->at, file->bytes, units->file};
        if (is_split(units)) {
            uint64_t end = (units->at / FLY_FILE_CHUNK_BYTES + 1) * FLY_FILE_CHUNK_BYTES;
            unit->end = end < file->bytes ? end : file->bytes;
        }
        units->at = unit->end;
        if (file->bytes == 0)
            units->at = 1;
        return true;
    }
    return false;
}
