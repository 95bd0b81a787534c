#include "config/documents.h"

#include "config/expand.h"
#include "config/override.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST_READ_BYTES ((size_t)16384)

struct content {
    char *text;
    size_t bytes;
};

/* Reads at most one byte more than a pipeline file may have. 0 or a negative errno. */
static int read_all(int fd, struct content *content)
{
    size_t max_bytes = 0;
    *content = (struct content){NULL, 0};
    for (;;) {
        if (content->bytes == max_bytes) {
            max_bytes = max_bytes ? max_bytes * 2 : FIRST_READ_BYTES;
            char *larger = realloc(content->text, max_bytes);
            if (!larger)
                return -ENOMEM;
            content->text = larger;
        }
        ssize_t got = read(fd, content->text + content->bytes, max_bytes - content->bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        content->bytes += (size_t)got;
        if (got == 0 || content->bytes > FLY_YAML_BYTES_MAX)
            return 0;
    }
}

static int read_path(const char *path, struct content *content)
{
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        *content = (struct content){NULL, 0};
        return -errno;
    }
    int rc = read_all(fd, content);
    if (fd != STDIN_FILENO)
        close(fd);
    return rc;
}

/* The folder of a file, as far as the file system can say it. */
static const char *folder_of(struct fly_arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return ".";
    return slash == path ? "/" : fly_arena_text(arena, path, (size_t)(slash - path)).text;
}

uint32_t fly_config_add_text(struct fly_config *config, const char *name, const char *folder,
                             const char *text, size_t bytes)
{
    char *absolute = realpath(folder, NULL);
    const char *kept = absolute ? absolute : folder;
    config->text =
        fly_arena_grow(config->arena, config->text, config->text_cnt, 1, sizeof(*config->text));
    config->text[config->text_cnt++] =
        (struct fly_config_text){fly_arena_text(config->arena, name, strlen(name)).text,
                                 fly_arena_text(config->arena, kept, strlen(kept)).text};
    free(absolute);
    return fly_diag_text(config->diags, name, text, bytes);
}

static const char *read_hint(int rc)
{
    if (rc == -ENOENT)
        return "is the path right? It is relative to the current folder";
    if (rc == -EISDIR)
        return "give the pipeline files themselves, like folder/*.yaml";
    return NULL;
}

static int read_file(struct fly_config *config, const char *path, struct fly_yaml *tree)
{
    struct content content;
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    int rc = read_path(path, &content);
    bool usable = rc == 0 && content.bytes <= FLY_YAML_BYTES_MAX;
    uint32_t file = fly_config_add_text(config, name, folder_of(config->arena, path),
                                        usable ? content.text : NULL, content.bytes);
    if (rc != 0)
        FLY_CONFIG_ERROR(config, ((struct fly_position){.file = file}), NULL, NULL, read_hint(rc),
                         "cannot read it: %s", strerror(-rc));
    else
        rc = fly_yaml_read(config->arena, config->diags, file, content.text, content.bytes, tree);
    free(content.text);
    if (rc == 0 && tree->kind != FLY_YAML_MAP) {
        FLY_CONFIG_ERROR(config, tree->at, NULL, NULL, "see flyover new, or examples/",
                         "a pipeline file is a map with the keys 'pipeline' and 'nodes', not %s",
                         fly_yaml_kind_text(tree));
        rc = -EINVAL;
    }
    return rc;
}

static const char *place(const struct fly_config *config, struct fly_position at)
{
    return fly_arena_print(config->arena, "%s:%u:%u", config->text[at.file].name, at.line,
                           at.column);
}

/* All entries of `from` go to `into`, which has none of their keys, or says which are twice. */
static void unite_nodes(struct fly_config *config, struct fly_yaml *into,
                        const struct fly_yaml *from)
{
    for (uint32_t i = 0; i < from->cnt; i++) {
        const struct fly_yaml_entry *node = &from->entry[i];
        const struct fly_yaml_entry *first = fly_yaml_find(into, node->key.text);
        if (first)
            FLY_CONFIG_ERROR(config, node->key_at, node->key.text, NULL, NULL,
                             "the node '%s' is defined twice: first in %s", node->key.text,
                             place(config, first->key_at));
        else
            *fly_yaml_add(config->arena, into) = *node;
    }
}

static void unite_lists(struct fly_config *config, struct fly_yaml *into,
                        const struct fly_yaml *from)
{
    for (uint32_t i = 0; i < from->cnt; i++)
        *fly_yaml_add(config->arena, into) = from->entry[i];
}

static bool is_same(const struct fly_yaml *one, const struct fly_yaml *other)
{
    if (one->kind != other->kind || one->cnt != other->cnt)
        return false;
    if (one->kind == FLY_YAML_SCALAR)
        return strcmp(one->text.text, other->text.text) == 0;
    for (uint32_t i = 0; i < one->cnt; i++) {
        if (strcmp(one->entry[i].key.text, other->entry[i].key.text) != 0 ||
            !is_same(&one->entry[i].value, &other->entry[i].value))
            return false;
    }
    return true;
}

static void unite_entry(struct fly_config *config, struct fly_yaml *root,
                        const struct fly_yaml_entry *entry)
{
    struct fly_yaml_entry *first = fly_yaml_find(root, entry->key.text);
    if (!first)
        *fly_yaml_add(config->arena, root) = *entry;
    else if (strcmp(entry->key.text, "nodes") == 0 && first->value.kind == FLY_YAML_MAP &&
             entry->value.kind == FLY_YAML_MAP)
        unite_nodes(config, &first->value, &entry->value);
    else if (strcmp(entry->key.text, "plugins") == 0 && first->value.kind == FLY_YAML_LIST &&
             entry->value.kind == FLY_YAML_LIST)
        unite_lists(config, &first->value, &entry->value);
    else if (!is_same(&first->value, &entry->value))
        FLY_CONFIG_ERROR(config, entry->key_at, NULL, entry->key.text,
                         "several files make one pipeline: say it in one of them",
                         "'%s' differs from the one in %s", entry->key.text,
                         place(config, first->key_at));
}

int fly_documents_read(struct fly_config *config, struct fly_yaml *root)
{
    const struct fly_config_request *request = config->request;
    int result = 0;
    *root = (struct fly_yaml){.kind = FLY_YAML_MAP};
    for (uint32_t i = 0; i < request->file_cnt; i++) {
        struct fly_yaml tree;
        int rc = read_file(config, request->file[i], &tree);
        if (rc != 0) {
            result = result ? result : rc;
            continue;
        }
        if (i == 0)
            root->at = tree.at;
        for (uint32_t j = 0; j < tree.cnt; j++)
            unite_entry(config, root, &tree.entry[j]);
    }
    for (uint32_t i = 0; i < request->set_cnt; i++)
        fly_override(config, root, request->set[i]);
    if (result == 0)
        fly_expand(config, root);
    return result;
}
