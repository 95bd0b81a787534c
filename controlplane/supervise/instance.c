#include "supervise/instance.h"

#include "base/err.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { NUMBERS_MAX = 1000, WAITS_MAX = 300, WAIT_NS = 10000000 };

int fly_instance_folder(char *path, size_t bytes)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    int len;
    if (geteuid() == 0)
        len = snprintf(path, bytes, "/run/flyover");
    else if (runtime && runtime[0] == '/')
        len = snprintf(path, bytes, "%s/flyover", runtime);
    else
        len = snprintf(path, bytes, "/tmp/flyover-%u", (unsigned)geteuid());
    if (len < 0 || (size_t)len >= bytes)
        return FLY_ERR(ENAMETOOLONG, "the path of the runtime directory is too long");
    if (mkdir(path, 0700) && errno != EEXIST)
        return FLY_ERR(errno, "cannot make the runtime directory %s: %s", path, strerror(errno));
    struct stat stat;
    /* /tmp is everybody's: a directory that somebody else put there is not ours to use. */
    if (lstat(path, &stat) || !S_ISDIR(stat.st_mode) || stat.st_uid != geteuid()) {
        int rc = FLY_ERR(EPERM, "the runtime directory %s is not this user's own", path);
        FLY_ERR_HINT("remove it, or set XDG_RUNTIME_DIR");
        return rc;
    }
    return 0;
}

/* The process that wrote the file, or 0. */
static int read_pid(int fd)
{
    char text[1024];
    ssize_t bytes = pread(fd, text, sizeof(text), 0);
    json_t *object = bytes > 0 ? json_loadb(text, (size_t)bytes, 0, NULL) : NULL;
    int pid = (int)json_integer_value(json_object_get(object, "pid"));
    json_decref(object);
    return pid;
}

/* Is the open file still the one that the path names? It may have been removed before it was
 * locked. */
static bool still_there(int fd, const char *path)
{
    struct stat mine, named;
    return fstat(fd, &mine) == 0 && stat(path, &named) == 0 && mine.st_ino == named.st_ino &&
           mine.st_dev == named.st_dev;
}

/* Locks the open file. The run that holds it may be dead and its dataplane about to be: waits. */
static int lock(int fd, int waits_max)
{
    const struct timespec wait = {0, WAIT_NS};
    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB); i++) {
        if (errno != EWOULDBLOCK)
            return -errno;
        int pid = read_pid(fd);
        if (pid <= 0 || kill(pid, 0) == 0 || errno != ESRCH || i == waits_max)
            return -EBUSY;
        nanosleep(&wait, NULL);
    }
    return 0;
}

static int set_name(struct fly_instance *instance, const char *folder, const char *name)
{
    memset(instance, 0, sizeof(*instance));
    instance->fd = -1;
    int len = snprintf(instance->path, sizeof(instance->path), "%s/%s.json", folder, name);
    if (len < 0 || (size_t)len >= sizeof(instance->path) || strlen(name) >= FLY_PLAN_NAME_MAX ||
        !name[0] || strchr(name, '/') || name[0] == '.')
        return FLY_ERR(EINVAL, "'%s' is not a name for an instance", name);
    snprintf(instance->name, sizeof(instance->name), "%s", name);
    return 0;
}

static int take(struct fly_instance *instance, const char *folder, const char *name, int waits_max)
{
    int rc = set_name(instance, folder, name);
    while (!rc) {
        int fd = open(instance->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return FLY_ERR(errno, "cannot open %s: %s", instance->path, strerror(errno));
        rc = lock(fd, waits_max);
        if (!rc && still_there(fd, instance->path)) {
            instance->fd = fd;
            return 0;
        }
        if (rc == -EBUSY) {
            rc = FLY_ERR(EBUSY, "instance '%s' runs already, as process %d", name, read_pid(fd));
            FLY_ERR_HINT("stop it, or give this one another name with --instance");
        } else if (rc) {
            rc = FLY_ERR(rc, "cannot lock %s: %s", instance->path, strerror(-rc));
        }
        close(fd);
    }
    return rc;
}

int fly_instance_take(struct fly_instance *instance, const char *folder, const char *name)
{
    return take(instance, folder, name, WAITS_MAX);
}

int fly_instance_take_free(struct fly_instance *instance, const char *folder, const char *name)
{
    char numbered[FLY_PLAN_NAME_MAX + 16];
    int rc = fly_instance_take(instance, folder, name);
    for (int number = 2; rc == -EBUSY && number < NUMBERS_MAX; number++) {
        snprintf(numbered, sizeof(numbered), "%.56s-%d", name, number);
        rc = fly_instance_take(instance, folder, numbered);
    }
    return rc;
}

int fly_instance_describe(struct fly_instance *instance, const char *pipeline)
{
    json_t *object = json_pack("{s:s, s:s, s:i}", "instance", instance->name, "pipeline", pipeline,
                               "pid", (int)getpid());
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    int rc = 0;
    if (!text)
        rc = FLY_ERR(ENOMEM, "no memory to describe the instance");
    else if (ftruncate(instance->fd, 0) ||
             pwrite(instance->fd, text, strlen(text), 0) != (ssize_t)strlen(text))
        rc = FLY_ERR(errno, "cannot write %s: %s", instance->path, strerror(errno));
    free(text);
    json_decref(object);
    return rc;
}

void fly_instance_release(struct fly_instance *instance)
{
    if (!instance || !instance->path[0] || instance->fd < 0)
        return;
    unlink(instance->path);
    close(instance->fd);
    memset(instance, 0, sizeof(*instance));
    instance->fd = -1;
}

uint32_t fly_instance_clean(const char *folder)
{
    DIR *open_folder = opendir(folder);
    uint32_t removed_cnt = 0;
    if (!open_folder)
        return 0;
    for (struct dirent *entry; (entry = readdir(open_folder));) {
        char *suffix = strrchr(entry->d_name, '.');
        struct fly_instance stale;
        if (!suffix || strcmp(suffix, ".json") != 0 || suffix == entry->d_name)
            continue;
        *suffix = '\0';
        if (take(&stale, folder, entry->d_name, 0) == 0) {
            fly_instance_release(&stale);
            removed_cnt++;
        }
    }
    fly_err_reset();
    closedir(open_folder);
    return removed_cnt;
}
