#include "config/loader.h"

#include <errno.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

/* One path of a node. */
struct subject {
    struct fly_loader *loader;
    const struct fly_pipeline_node *node;
    const char *key;
    struct fly_position at;
};

static int refuse(const struct subject *subject, int code, const char *what, const char *path)
{
    const char *hint = code == ENOENT ? "relative paths start at the pipeline file's folder" : NULL;
    FLY_CONFIG_ERROR(&subject->loader->config, subject->at, subject->node->name, subject->key, hint,
                     "cannot %s %s: %s", what, path, strerror(code));
    return -code;
}

static int check_readable(const struct subject *subject, const char *path)
{
    struct stat stat_of;
    if (stat(path, &stat_of) != 0)
        return refuse(subject, errno, "read", path);
    if (S_ISDIR(stat_of.st_mode))
        return refuse(subject, EISDIR, "read", path);
    return access(path, R_OK) == 0 ? 0 : refuse(subject, errno, "read", path);
}

static int check_pattern(const struct subject *subject, const char *path)
{
    glob_t found = {.gl_pathc = 0};
    errno = 0;
    int rc = glob(path, GLOB_NOSORT | GLOB_ERR, NULL, &found);
    int code = rc == GLOB_NOSPACE ? ENOMEM : errno, result = 0;
    if (rc == GLOB_NOMATCH || (rc == GLOB_ABORTED && code == ENOENT)) {
        FLY_CONFIG_ERROR(&subject->loader->config, subject->at, subject->node->name, subject->key,
                         "relative paths start at the pipeline file's folder", "no file matches %s",
                         path);
        result = -ENOENT;
    } else if (rc != 0) {
        result = refuse(subject, code ? code : EIO, "search", path);
    }
    globfree(&found);
    return result;
}

/* The folder that a file is to be written in. */
static int check_folder(const struct subject *subject, const char *path)
{
    const char *slash = strrchr(path, '/');
    struct fly_string folder = {".", 1};
    struct stat stat_of;
    if (slash)
        folder = fly_arena_text(subject->loader->config.arena, path,
                                slash == path ? 1 : (size_t)(slash - path));
    if (stat(folder.text, &stat_of) != 0)
        return refuse(subject, errno, "write into the folder", folder.text);
    if (!S_ISDIR(stat_of.st_mode))
        return refuse(subject, ENOTDIR, "write into", folder.text);
    if (stat(path, &stat_of) == 0)
        return S_ISDIR(stat_of.st_mode) ? refuse(subject, EISDIR, "write", path) : 0;
    return access(folder.text, W_OK) == 0 ? 0 : refuse(subject, errno, "write into", folder.text);
}

/* Sinks write what they name; sources and stages read it. */
static int check_path(const struct subject *subject, struct fly_string path)
{
    if (path.bytes == 0 || strcmp(path.text, "-") == 0)
        return 0;
    if (subject->node->type->kind == FLY_SINK)
        return check_folder(subject, path.text);
    struct stat stat_of;
    if (strpbrk(path.text, "*?[") && stat(path.text, &stat_of) != 0)
        return check_pattern(subject, path.text);
    return check_readable(subject, path.text);
}

static int check_param(struct fly_loader *loader, const struct fly_pipeline_node *node,
                       const struct fly_config_value *value)
{
    struct subject subject = {loader, node, value->param->name, value->at};
    int result = 0;
    if (value->param->type == FLY_PARAM_PATH)
        return check_path(&subject, value->string);
    for (uint32_t i = 0; value->param->type == FLY_PARAM_PATHS && i < value->list.cnt; i++) {
        int rc = check_path(&subject, value->list.item[i]);
        result = result ? result : rc;
    }
    return result;
}

int fly_loader_files(struct fly_loader *loader)
{
    const struct fly_pipeline *pipeline = loader->pipeline;
    int result = 0;
    for (uint32_t i = 0; i < pipeline->node_cnt; i++) {
        const struct fly_pipeline_node *node = &pipeline->node[i];
        for (uint32_t j = 0; j < node->param_cnt; j++) {
            int rc = check_param(loader, node, &node->param[j]);
            result = result ? result : rc;
        }
    }
    return result;
}
