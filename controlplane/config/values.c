#include "config/values.h"

#include "config/convert.h"
#include "config/suggest.h"

/* The map that is being read: its tables, and the keys of the maps around it ("keys."). */
struct level {
    struct fly_config *config;
    const struct fly_values_scope *scope;
    struct fly_values *tables;
    uint32_t table_cnt;
    const char *prefix;
};

uint32_t fly_values_param_cnt(const struct fly_param *params)
{
    uint32_t cnt = 0;
    while (params && params[cnt].name)
        cnt++;
    return cnt;
}

struct fly_config_value *fly_values_find(const struct fly_values *values, const char *name)
{
    for (uint32_t i = 0; i < values->cnt; i++) {
        if (strcmp(values->params[i].name, name) == 0)
            return &values->value[i];
    }
    return NULL;
}

const char *fly_values_kind_text(enum fly_kind kind)
{
    static const char *const NAMES[] = {"source", "stage", "sink"};
    return NAMES[kind];
}

const char *fly_values_node_text(struct fly_arena *arena, const struct fly_node *type)
{
    return fly_arena_print(arena, "%s %s %s", strchr("aeiou", type->name[0]) ? "an" : "a",
                           type->name, fly_values_kind_text(type->kind));
}

static bool is_other_key(const struct level *level, const char *key)
{
    const char *const *other = level->scope->other_keys;
    for (; other && *other && !*level->prefix; other++) {
        if (strcmp(*other, key) == 0)
            return true;
    }
    return false;
}

/* Is `name` inside the map `key` of this level? */
static bool is_inside(const char *name, const char *key)
{
    size_t bytes = strlen(key);
    return strncmp(name, key, bytes) == 0 && name[bytes] == '.';
}

/* The part of a parameter's name that is a key at this level; NULL if it is not of this level. */
static const char *key_at_level(const struct level *level, const char *name)
{
    size_t bytes = strlen(level->prefix);
    if (strncmp(name, level->prefix, bytes) != 0)
        return NULL;
    const char *rest = name + bytes, *dot = strchr(rest, '.');
    return dot ? fly_arena_text(level->config->arena, rest, (size_t)(dot - rest)).text : rest;
}

static void refuse_unknown(const struct level *level, const struct fly_yaml_entry *entry,
                           const char *key)
{
    const struct fly_values_scope *scope = level->scope;
    struct fly_suggest suggest = {.wanted = entry->key.text};
    const char *hint = scope->explain ? scope->explain(scope->explain_arg, key) : NULL;
    for (uint32_t t = 0; t < level->table_cnt; t++) {
        for (uint32_t i = 0; i < level->tables[t].cnt; i++) {
            const char *candidate = key_at_level(level, level->tables[t].params[i].name);
            if (candidate)
                fly_suggest_offer(&suggest, candidate);
        }
    }
    for (const char *const *other = scope->other_keys; other && *other && !*level->prefix; other++)
        fly_suggest_offer(&suggest, *other);
    if (suggest.best)
        hint = fly_arena_print(level->config->arena, "did you mean '%s'?", suggest.best);
    FLY_CONFIG_ERROR(level->config, entry->key_at, scope->node, key, hint ? hint : scope->all_hint,
                     "unknown key '%s' for %s", key, scope->owner);
}

static void read_level(const struct level *level, const struct fly_yaml *map);

static void read_row(const struct level *level, const struct fly_yaml_entry *entry,
                     const struct fly_param *param, struct fly_config_row *row)
{
    struct fly_values values = {.params = param->row};
    const char *owner = fly_arena_print(level->config->arena, "'%s' in '%s' of %s", entry->key.text,
                                        param->name, level->scope->owner);
    struct fly_values_scope scope = {
        .owner = owner, .node = level->scope->node, .at = entry->key_at};
    fly_values_read(level->config, &scope, &values, 1, &entry->value);
    *row = (struct fly_config_row){.name = entry->key, .at = entry->key_at, .value = values.value};
}

static void read_table(const struct level *level, const struct fly_yaml_entry *entry,
                       const struct fly_param *param, struct fly_config_value *value)
{
    const struct fly_yaml *from = &entry->value;
    *value = (struct fly_config_value){.param = param, .at = from->at, .given = true};
    if (from->kind != FLY_YAML_MAP) {
        FLY_CONFIG_ERROR(level->config, from->at, level->scope->node, param->name, NULL,
                         "'%s' must be a map of names, not %s", param->name,
                         fly_yaml_kind_text(from));
        return;
    }
    value->table.row = fly_arena_array(level->config->arena, from->cnt, sizeof(*value->table.row));
    value->table.cnt = from->cnt;
    for (uint32_t i = 0; i < from->cnt; i++)
        read_row(level, &from->entry[i], param, &value->table.row[i]);
}

static void read_param(const struct level *level, const struct fly_yaml_entry *entry,
                       const struct fly_param *param, struct fly_config_value *value)
{
    if (param->type == FLY_PARAM_TABLE)
        read_table(level, entry, param, value);
    else
        fly_convert(level->config, param, param->name, level->scope->node, &entry->value, value);
}

static void read_inner_map(const struct level *level, const struct fly_yaml_entry *entry,
                           const char *key)
{
    struct level inner = *level;
    inner.prefix = fly_arena_print(level->config->arena, "%s.", key);
    if (entry->value.kind == FLY_YAML_MAP)
        read_level(&inner, &entry->value);
    else
        FLY_CONFIG_ERROR(level->config, entry->value.at, level->scope->node, key, NULL,
                         "'%s' must be a map, not %s", key, fly_yaml_kind_text(&entry->value));
}

static void read_entry(const struct level *level, const struct fly_yaml_entry *entry)
{
    const char *key = fly_arena_print(level->config->arena, "%s%s", level->prefix, entry->key.text);
    bool is_map = false;
    for (uint32_t t = 0; t < level->table_cnt; t++) {
        struct fly_values *table = &level->tables[t];
        for (uint32_t i = 0; i < table->cnt; i++) {
            /* A dot in a parameter's name is a map in the file, never a dot in a key. */
            if (strcmp(table->params[i].name, key) == 0 && !strchr(entry->key.text, '.')) {
                read_param(level, entry, &table->params[i], &table->value[i]);
                return;
            }
            is_map |= is_inside(table->params[i].name, key);
        }
    }
    if (is_map)
        read_inner_map(level, entry, key);
    else if (!is_other_key(level, entry->key.text))
        refuse_unknown(level, entry, key);
}

static void read_level(const struct level *level, const struct fly_yaml *map)
{
    for (uint32_t i = 0; i < map->cnt; i++)
        read_entry(level, &map->entry[i]);
}

static void set_preset(const struct level *level, const struct fly_param *param,
                       struct fly_config_value *value)
{
    struct fly_position at = level->scope->at;
    *value = (struct fly_config_value){.param = param, .at = at};
    if (param->type == FLY_PARAM_STRING || param->type == FLY_PARAM_PATH)
        value->string = (struct fly_string){"", 0};
    if (param->required) {
        FLY_CONFIG_ERROR(level->config, at, level->scope->node, param->name, param->help,
                         "%s needs '%s'", level->scope->owner, param->name);
    } else if (param->preset && param->type != FLY_PARAM_TABLE) {
        struct fly_yaml preset = {.at = at,
                                  .text = {param->preset, (uint32_t)strlen(param->preset)}};
        fly_convert(level->config, param, param->name, level->scope->node, &preset, value);
    }
    value->given = false;
}

uint32_t fly_values_read(struct fly_config *config, const struct fly_values_scope *scope,
                         struct fly_values *tables, uint32_t table_cnt, const struct fly_yaml *map)
{
    uint32_t errors_before = fly_diag_error_cnt(config->diags);
    struct level level = {config, scope, tables, table_cnt, ""};
    for (uint32_t t = 0; t < table_cnt; t++) {
        tables[t].cnt = fly_values_param_cnt(tables[t].params);
        tables[t].value = fly_arena_array(config->arena, tables[t].cnt, sizeof(*tables[t].value));
    }
    if (map->kind == FLY_YAML_MAP)
        read_level(&level, map);
    else if (!fly_yaml_is_null(map))
        FLY_CONFIG_ERROR(config, map->at, scope->node, NULL, NULL, "%s must be a map, not %s",
                         scope->owner, fly_yaml_kind_text(map));
    for (uint32_t t = 0; t < table_cnt; t++) {
        for (uint32_t i = 0; i < tables[t].cnt; i++) {
            if (!tables[t].value[i].given)
                set_preset(&level, &tables[t].params[i], &tables[t].value[i]);
        }
    }
    return fly_diag_error_cnt(config->diags) - errors_before;
}
