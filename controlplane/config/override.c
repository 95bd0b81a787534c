#include "config/override.h"

#include <stdlib.h>

struct path {
    struct fly_config *config;
    const char *text; /* the whole path */
    struct fly_position at;
};

/* Everything of an argument stands in the argument. */
static void set_position(struct fly_yaml *tree, struct fly_position at)
{
    tree->at = at;
    for (uint32_t i = 0; i < tree->cnt; i++) {
        tree->entry[i].key_at = at;
        set_position(&tree->entry[i].value, at);
    }
}

static struct fly_yaml *refuse(const struct path *path, const char *why, struct fly_string part)
{
    FLY_CONFIG_ERROR(path->config, path->at, NULL, NULL, "the path is like nodes.NAME.KEY",
                     "'%.*s' %s", (int)part.bytes, part.text, why);
    return NULL;
}

static struct fly_yaml *step_list(const struct path *path, struct fly_yaml *list,
                                  struct fly_string part)
{
    char *end;
    unsigned long idx = strtoul(part.text, &end, 10);
    if (part.bytes == 0 || end != part.text + part.bytes || idx >= list->cnt)
        return refuse(path, "is not a position in the list there (the first is 0)", part);
    return &list->entry[idx].value;
}

/* The value called `part` in `parent`, made if it is missing. */
static struct fly_yaml *step(const struct path *path, struct fly_yaml *parent,
                             struct fly_string part)
{
    struct fly_arena *arena = path->config->arena;
    if (part.bytes == 0)
        return refuse(path, "is an empty part of the path", part);
    if (parent->kind == FLY_YAML_LIST)
        return step_list(path, parent, part);
    if (fly_yaml_is_null(parent))
        *parent = (struct fly_yaml){.kind = FLY_YAML_MAP, .at = path->at};
    if (parent->kind != FLY_YAML_MAP)
        return refuse(path, "can't be set: what is before it in the path is not a map", part);
    struct fly_string key = fly_arena_text(arena, part.text, part.bytes);
    struct fly_yaml_entry *entry = fly_yaml_find(parent, key.text);
    if (!entry) {
        entry = fly_yaml_add(arena, parent);
        *entry = (struct fly_yaml_entry){
            .key = key, .key_at = path->at, .value = {.plain = true, .text = {"", 0}}};
    }
    entry->key_at = path->at;
    return &entry->value;
}

static int read_value(const struct path *path, const char *text, struct fly_yaml *value)
{
    if (strcmp(text, "-") == 0) { /* standard input; to YAML it is a list of nothing */
        *value = (struct fly_yaml){.plain = true, .text = {"-", 1}};
        return 0;
    }
    return fly_yaml_read(path->config->arena, path->config->diags, path->at.file, text,
                         strlen(text), value);
}

void fly_override(struct fly_config *config, struct fly_yaml *root, const char *argument)
{
    const char *equals = strchr(argument, '=');
    const char *path_end = equals ? equals : argument + strlen(argument);
    struct fly_string text = fly_arena_text(config->arena, argument, (size_t)(path_end - argument));
    uint32_t file = fly_config_add_text(
        config, fly_arena_print(config->arena, "--set %s", text.text), ".", NULL, 0);
    struct path path = {.config = config, .text = text.text, .at = {.file = file}};
    if (!equals) {
        FLY_CONFIG_ERROR(config, path.at, NULL, NULL, "for example --set nodes.counts.tasks=2",
                         "there is no = and no value");
        return;
    }
    struct fly_yaml value, *at = root;
    if (read_value(&path, equals + 1, &value) != 0)
        return;
    set_position(&value, path.at);
    for (const char *part = text.text; at && part;) {
        const char *dot = strchr(part, '.');
        size_t bytes = dot ? (size_t)(dot - part) : strlen(part);
        at = step(&path, at, (struct fly_string){part, (uint32_t)bytes});
        part = dot ? dot + 1 : NULL;
    }
    if (at)
        *at = value;
}
