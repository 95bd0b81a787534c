#include "shm/memory.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fills `text` with the beginning of a file; false when it can't be read. */
static bool read_text(const char *path, char *text, size_t max_bytes)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t bytes = fread(text, 1, max_bytes - 1, file);
    text[bytes] = '\0';
    fclose(file);
    return bytes > 0;
}

/* The number after `key` at the start of a line of `text`. */
static bool find_number(const char *text, const char *key, uint64_t *value)
{
    size_t key_bytes = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        if (*line == '\n')
            line++;
        if (strncmp(line, key, key_bytes) != 0)
            continue;
        const char *number = line + key_bytes;
        number += strspn(number, " \t:");
        if (!isdigit((unsigned char)*number))
            return false;
        *value = strtoull(number, NULL, 10);
        return true;
    }
    return false;
}

static uint64_t of_machine(const char *root)
{
    char path[PATH_MAX], text[4096];
    uint64_t kib;
    snprintf(path, sizeof(path), "%s/proc/meminfo", root);
    if (!read_text(path, text, sizeof(text)) || !find_number(text, "MemAvailable", &kib))
        return UINT64_MAX;
    return kib * 1024;
}

/* One control group's files: version 2, or 1 with its memory controller. */
struct group_files {
    const char *mount, *limit, *used, *reclaimable;
};

static const struct group_files group_v2 = {"/sys/fs/cgroup", "memory.max", "memory.current",
                                            "inactive_file"};
static const struct group_files group_v1 = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes",
                                            "memory.usage_in_bytes", "total_inactive_file"};

static bool read_group_number(const char *root, const struct group_files *files, const char *group,
                              const char *name, uint64_t *value)
{
    char path[PATH_MAX], text[64];
    int len = snprintf(path, sizeof(path), "%s%s%s/%s", root, files->mount, group, name);
    if (len < 0 || (size_t)len >= sizeof(path) || !read_text(path, text, sizeof(text)) ||
        !isdigit((unsigned char)text[0]))
        return false;
    *value = strtoull(text, NULL, 10);
    return true;
}

/* What `group` itself still leaves; UINT64_MAX without a limit. */
static uint64_t of_group(const char *root, const struct group_files *files, const char *group)
{
    char path[PATH_MAX], text[8192];
    uint64_t limit, used, reclaimable = 0;
    if (!read_group_number(root, files, group, files->limit, &limit) ||
        !read_group_number(root, files, group, files->used, &used))
        return UINT64_MAX;
    int len = snprintf(path, sizeof(path), "%s%s%s/memory.stat", root, files->mount, group);
    if (len > 0 && (size_t)len < sizeof(path) && read_text(path, text, sizeof(text)) &&
        !find_number(text, files->reclaimable, &reclaimable))
        reclaimable = 0;
    used -= reclaimable < used ? reclaimable : used;
    return limit > used ? limit - used : 0;
}

/* The smallest room of `group` and all above it. Cuts `group` down to "". */
static uint64_t of_groups(const char *root, const struct group_files *files, char *group)
{
    uint64_t least = UINT64_MAX;
    for (;;) {
        uint64_t room = of_group(root, files, group);
        if (room < least)
            least = room;
        char *slash = strrchr(group, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

/* Is this line of /proc/self/cgroup the one that bounds memory? "0::/a/b" or "5:memory:/a/b". */
static const struct group_files *files_of_line(const char *line)
{
    if (strncmp(line, "0::", 3) == 0)
        return &group_v2;
    const char *controllers = strchr(line, ':');
    const char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    const char *memory = controllers ? strstr(controllers, "memory") : NULL;
    return memory && path && memory < path ? &group_v1 : NULL;
}

uint64_t fly_memory_available(const char *root)
{
    char path[PATH_MAX], text[8192], *rest = NULL;
    uint64_t least = of_machine(root);
    snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
    if (!read_text(path, text, sizeof(text)))
        return least;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        const struct group_files *files = files_of_line(line);
        char *group = files ? strchr(strchr(line, ':') + 1, ':') + 1 : NULL;
        if (!group)
            continue;
        if (strcmp(group, "/") == 0)
            group[0] = '\0';
        uint64_t room = of_groups(root, files, group);
        if (room < least)
            least = room;
    }
    return least;
}

uint64_t fly_memory_huge_free(const char *root)
{
    char path[PATH_MAX], text[64];
    snprintf(path, sizeof(path), "%s/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages",
             root);
    if (!read_text(path, text, sizeof(text)))
        return 0;
    return strtoull(text, NULL, 10) << 21;
}
