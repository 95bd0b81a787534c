#include "config/bind.h"

#include "shm/plugin_load.h"

static struct fly_table bind_table(struct fly_arena *arena, const struct fly_config_value *value)
{
    const struct fly_config_table *from = &value->table;
    uint32_t row_bytes = value->param->row_bytes;
    struct fly_string *name = fly_arena_array(arena, from->cnt, sizeof(*name));
    char *row = fly_arena_array(arena, from->cnt, row_bytes);
    uint32_t param_cnt = fly_values_param_cnt(value->param->row);
    for (uint32_t i = 0; i < from->cnt; i++) {
        name[i] = from->row[i].name;
        fly_bind(arena, from->row[i].value, param_cnt, row + (size_t)i * row_bytes);
    }
    return (struct fly_table){.name = name, .row = row, .cnt = from->cnt};
}

static void bind_one(struct fly_arena *arena, const struct fly_config_value *value, void *into)
{
    struct fly_list list = {value->list.item, value->list.cnt};
    struct fly_table table;
    const void *from = NULL;
    switch (value->param->type) {
    case FLY_PARAM_BOOL:
        from = &value->flag;
        break;
    case FLY_PARAM_INT:
        from = &value->number;
        break;
    case FLY_PARAM_UINT:
    case FLY_PARAM_DURATION:
    case FLY_PARAM_SIZE:
        from = &value->count;
        break;
    case FLY_PARAM_FLOAT:
        from = &value->real;
        break;
    case FLY_PARAM_STRING:
    case FLY_PARAM_PATH:
        from = &value->string;
        break;
    case FLY_PARAM_ENUM:
        from = &value->choice;
        break;
    case FLY_PARAM_LIST:
    case FLY_PARAM_PATHS:
        from = &list;
        break;
    case FLY_PARAM_TABLE:
        table = bind_table(arena, value);
        from = &table;
        break;
    }
    memcpy((char *)into + value->param->at, from, fly_plugin_param_bytes(value->param->type));
}

void fly_bind(struct fly_arena *arena, const struct fly_config_value *value, uint32_t cnt,
              void *into)
{
    for (uint32_t i = 0; i < cnt; i++)
        bind_one(arena, &value[i], into);
}
