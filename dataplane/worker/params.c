#include "worker/params.h"

#include "base/err.h"

#include <errno.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

/* Everything that bound values point to. */
struct arena {
    msgpack_zone zone;
};

struct bind {
    struct arena *arena;
};

static int bind_all(struct bind *bind, const struct fly_param *params,
                    const msgpack_object_array *values, char *self);

static int wrong(const struct fly_param *param)
{
    return FLY_ERR(EPROTO, "the plan's value for '%s' is not of the node's type", param->name);
}

static int bind_string(struct bind *bind, const struct fly_param *param,
                       const msgpack_object *value, struct fly_string *string)
{
    if (value->type != MSGPACK_OBJECT_STR)
        return wrong(param);
    char *text = msgpack_zone_malloc(&bind->arena->zone, (size_t)value->via.str.size + 1);
    if (!text)
        return FLY_ERR(ENOMEM, "no memory for parameters");
    if (value->via.str.size)
        memcpy(text, value->via.str.ptr, value->via.str.size);
    text[value->via.str.size] = 0;
    *string = (struct fly_string){text, value->via.str.size};
    return 0;
}

static int bind_list(struct bind *bind, const struct fly_param *param, const msgpack_object *value,
                     struct fly_list *list)
{
    if (value->type != MSGPACK_OBJECT_ARRAY)
        return wrong(param);
    uint32_t cnt = value->via.array.size;
    struct fly_string *item =
        msgpack_zone_malloc(&bind->arena->zone, ((size_t)cnt + 1) * sizeof(*item));
    if (!item)
        return FLY_ERR(ENOMEM, "no memory for parameters");
    for (uint32_t i = 0; i < cnt; i++) {
        int rc = bind_string(bind, param, &value->via.array.ptr[i], &item[i]);
        if (rc)
            return rc;
    }
    *list = (struct fly_list){item, cnt};
    return 0;
}

static int bind_row(struct bind *bind, const struct fly_param *param, const msgpack_object *value,
                    struct fly_string *name, char *row)
{
    if (value->type != MSGPACK_OBJECT_ARRAY || value->via.array.size != 2 ||
        value->via.array.ptr[1].type != MSGPACK_OBJECT_ARRAY)
        return wrong(param);
    int rc = bind_string(bind, param, &value->via.array.ptr[0], name);
    return rc ? rc : bind_all(bind, param->row, &value->via.array.ptr[1].via.array, row);
}

static int bind_table(struct bind *bind, const struct fly_param *param, const msgpack_object *value,
                      struct fly_table *table)
{
    if (value->type != MSGPACK_OBJECT_ARRAY)
        return wrong(param);
    uint32_t cnt = value->via.array.size;
    struct fly_string *name =
        msgpack_zone_malloc(&bind->arena->zone, ((size_t)cnt + 1) * sizeof(*name));
    char *row = msgpack_zone_malloc(&bind->arena->zone, (size_t)cnt * param->row_bytes + 1);
    if (!name || !row)
        return FLY_ERR(ENOMEM, "no memory for parameters");
    memset(row, 0, (size_t)cnt * param->row_bytes + 1);
    for (uint32_t i = 0; i < cnt; i++) {
        int rc = bind_row(bind, param, &value->via.array.ptr[i], &name[i],
                          row + (size_t)i * param->row_bytes);
        if (rc)
            return rc;
    }
    *table = (struct fly_table){name, row, cnt};
    return 0;
}

static int bind_number(const struct fly_param *param, const msgpack_object *value, void *at)
{
    bool positive = value->type == MSGPACK_OBJECT_POSITIVE_INTEGER;
    if (param->type == FLY_PARAM_FLOAT) {
        if (value->type != MSGPACK_OBJECT_FLOAT64 && value->type != MSGPACK_OBJECT_FLOAT32)
            return wrong(param);
        memcpy(at, &value->via.f64, sizeof(double));
        return 0;
    }
    if (param->type == FLY_PARAM_INT && value->type == MSGPACK_OBJECT_NEGATIVE_INTEGER) {
        memcpy(at, &value->via.i64, sizeof(int64_t));
        return 0;
    }
    if (!positive)
        return wrong(param);
    if (param->type == FLY_PARAM_ENUM) {
        uint32_t choice = (uint32_t)value->via.u64;
        memcpy(at, &choice, sizeof(choice));
        return 0;
    }
    memcpy(at, &value->via.u64, sizeof(uint64_t));
    return 0;
}

static int bind_one(struct bind *bind, const struct fly_param *param, const msgpack_object *value,
                    void *at)
{
    switch (param->type) {
    case FLY_PARAM_BOOL:
        if (value->type != MSGPACK_OBJECT_BOOLEAN)
            return wrong(param);
        memcpy(at, &value->via.boolean, sizeof(bool));
        return 0;
    case FLY_PARAM_INT:
    case FLY_PARAM_UINT:
    case FLY_PARAM_FLOAT:
    case FLY_PARAM_ENUM:
    case FLY_PARAM_DURATION:
    case FLY_PARAM_SIZE:
        return bind_number(param, value, at);
    case FLY_PARAM_STRING:
    case FLY_PARAM_PATH:
        return bind_string(bind, param, value, at);
    case FLY_PARAM_LIST:
    case FLY_PARAM_PATHS:
        return bind_list(bind, param, value, at);
    case FLY_PARAM_TABLE:
        return bind_table(bind, param, value, at);
    }
    return wrong(param);
}

static int bind_all(struct bind *bind, const struct fly_param *params,
                    const msgpack_object_array *values, char *self)
{
    uint32_t cnt = 0;
    while (params && params[cnt].name)
        cnt++;
    if (values->size != cnt)
        return FLY_ERR(EPROTO, "the plan has %u parameters where the node has %u", values->size,
                       cnt);
    for (uint32_t i = 0; i < cnt; i++) {
        int rc = bind_one(bind, &params[i], &values->ptr[i], self + params[i].at);
        if (rc)
            return rc;
    }
    return 0;
}

int fly_params_bind(const struct fly_param *params, const void *packed, uint64_t bytes, void *self,
                    void **arena)
{
    struct arena *made = calloc(1, sizeof(*made));
    msgpack_object object;
    size_t offset = 0;
    *arena = NULL;
    if (!made || !msgpack_zone_init(&made->zone, 4096)) {
        free(made);
        return FLY_ERR(ENOMEM, "no memory for parameters");
    }
    *arena = made;
    if (msgpack_unpack(packed, bytes, &offset, &made->zone, &object) != MSGPACK_UNPACK_SUCCESS ||
        object.type != MSGPACK_OBJECT_ARRAY)
        return FLY_ERR(EPROTO, "the plan's parameters are not a msgpack array");
    struct bind bind = {made};
    return bind_all(&bind, params, &object.via.array, self);
}

void fly_params_free(void *arena)
{
    struct arena *made = arena;
    if (!made)
        return;
    msgpack_zone_destroy(&made->zone);
    free(made);
}
