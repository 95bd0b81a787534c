#include "supervise/identity.h"

#include "base/err.h"
#include "base/mix.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HASHED_BYTES = 4096 };

/* What one file is known by. */
struct mark {
    uint64_t device, inode, hashed_bytes, hash;
};

/* Reads the mark of a regular file, over at most `hashed_bytes`. False: there is none. */
static bool read_mark(const char *path, uint64_t hashed_bytes, struct mark *mark)
{
    uint8_t bytes[HASHED_BYTES];
    struct stat stat;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool regular = fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode);
    ssize_t got =
        regular ? pread(fd, bytes, hashed_bytes < HASHED_BYTES ? hashed_bytes : HASHED_BYTES, 0)
                : -1;
    close(fd);
    if (got < 0)
        return false;
    *mark = (struct mark){stat.st_dev, stat.st_ino, (uint64_t)got, XXH3_64bits(bytes, (size_t)got)};
    return true;
}

/* Adds a parameter's paths; GLOB_NOCHECK keeps names that match nothing. */
static int expand(const struct fly_string *path, glob_t *found)
{
    if (path->bytes == 0 || strcmp(path->text, "-") == 0)
        return 0;
    int flags = GLOB_NOCHECK | (found->gl_pathc ? GLOB_APPEND : 0);
    return glob(path->text, flags, NULL, found) == GLOB_NOSPACE ? -ENOMEM : 0;
}

static int list_files(const struct fly_pipeline_node *node, glob_t *found)
{
    int rc = 0;
    memset(found, 0, sizeof(*found));
    for (uint32_t i = 0; !rc && i < node->param_cnt; i++) {
        const struct fly_config_value *value = &node->param[i];
        if (value->param->type == FLY_PARAM_PATH)
            rc = expand(&value->string, found);
        for (uint32_t k = 0; !rc && value->param->type == FLY_PARAM_PATHS && k < value->list.cnt;
             k++)
            rc = expand(&value->list.item[k], found);
    }
    return rc ? FLY_ERR(ENOMEM, "no memory for the files of node '%s'", node->name) : 0;
}

int fly_identity_make(const struct fly_pipeline_node *node, char **out)
{
    glob_t found;
    size_t bytes;
    *out = NULL;
    int rc = list_files(node, &found);
    FILE *text = rc ? NULL : open_memstream(out, &bytes);
    for (size_t i = 0; text && i < found.gl_pathc; i++) {
        struct mark mark;
        if (read_mark(found.gl_pathv[i], HASHED_BYTES, &mark))
            fprintf(text, "%" PRIx64 " %" PRIx64 " %" PRIu64 " %" PRIx64 " %s\n", mark.device,
                    mark.inode, mark.hashed_bytes, mark.hash, found.gl_pathv[i]);
    }
    globfree(&found);
    if (!rc && (!text || fclose(text)))
        rc = FLY_ERR(ENOMEM, "no memory for the files of node '%s'", node->name);
    if (rc) {
        free(*out);
        *out = NULL;
    }
    return rc;
}

/* Is `path` the file that this line is about? */
static bool line_holds(const char *line, const char *path)
{
    struct mark kept, now;
    int name_at = 0;
    if (sscanf(line, "%" SCNx64 " %" SCNx64 " %" SCNu64 " %" SCNx64 " %n", &kept.device,
               &kept.inode, &kept.hashed_bytes, &kept.hash, &name_at) != 4 ||
        name_at == 0 || strcmp(line + name_at, path) != 0)
        return false;
    return read_mark(path, kept.hashed_bytes, &now) && now.device == kept.device &&
           now.inode == kept.inode && now.hashed_bytes == kept.hashed_bytes &&
           now.hash == kept.hash;
}

int fly_identity_check(const struct fly_pipeline_node *node, const char *kept)
{
    glob_t found;
    char *lines = strdup(kept), *rest = NULL;
    int rc = list_files(node, &found);
    size_t at = 0;
    if (!lines && !rc)
        rc = FLY_ERR(ENOMEM, "no memory for the files of node '%s'", node->name);
    for (char *line = rc ? NULL : strtok_r(lines, "\n", &rest); line && !rc;
         line = strtok_r(NULL, "\n", &rest), at++) {
        if (at >= found.gl_pathc)
            rc = FLY_ERR(ESTALE, "node '%s': a file that its state is about is gone", node->name);
        else if (!line_holds(line, found.gl_pathv[at]))
            rc = FLY_ERR(ESTALE, "node '%s': %s is not the file that its state is about",
                         node->name, found.gl_pathv[at]);
    }
    globfree(&found);
    free(lines);
    return rc;
}
