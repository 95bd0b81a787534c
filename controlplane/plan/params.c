#include "plan/params.h"

#include "base/err.h"

#include <errno.h>
#include <msgpack.h>
#include <string.h>

static int put_values(msgpack_packer *packer, const struct fly_config_value *values, uint32_t cnt);

static int put_string(msgpack_packer *packer, const struct fly_string *string)
{
    return msgpack_pack_str(packer, string->bytes) ||
           msgpack_pack_str_body(packer, string->text ? string->text : "", string->bytes);
}

static int put_list(msgpack_packer *packer, const struct fly_config_list *list)
{
    int rc = msgpack_pack_array(packer, list->cnt);
    for (uint32_t i = 0; !rc && i < list->cnt; i++)
        rc = put_string(packer, &list->item[i]);
    return rc;
}

static uint32_t param_cnt(const struct fly_param *params)
{
    uint32_t cnt = 0;
    while (params && params[cnt].name)
        cnt++;
    return cnt;
}

static int put_table(msgpack_packer *packer, const struct fly_config_value *value)
{
    const struct fly_config_table *table = &value->table;
    int rc = msgpack_pack_array(packer, table->cnt);
    for (uint32_t i = 0; !rc && i < table->cnt; i++) {
        rc = msgpack_pack_array(packer, 2) || put_string(packer, &table->row[i].name) ||
             put_values(packer, table->row[i].value, param_cnt(value->param->row));
    }
    return rc;
}

static int put_value(msgpack_packer *packer, const struct fly_config_value *value)
{
    switch (value->param->type) {
    case FLY_PARAM_BOOL:
        return value->flag ? msgpack_pack_true(packer) : msgpack_pack_false(packer);
    case FLY_PARAM_INT:
        return msgpack_pack_int64(packer, value->number);
    case FLY_PARAM_UINT:
    case FLY_PARAM_DURATION:
    case FLY_PARAM_SIZE:
        return msgpack_pack_uint64(packer, value->count);
    case FLY_PARAM_FLOAT:
        return msgpack_pack_double(packer, value->real);
    case FLY_PARAM_STRING:
    case FLY_PARAM_PATH:
        return put_string(packer, &value->string);
    case FLY_PARAM_ENUM:
        return msgpack_pack_uint32(packer, value->choice);
    case FLY_PARAM_LIST:
    case FLY_PARAM_PATHS:
        return put_list(packer, &value->list);
    case FLY_PARAM_TABLE:
        return put_table(packer, value);
    }
    return -1;
}

static int put_values(msgpack_packer *packer, const struct fly_config_value *values, uint32_t cnt)
{
    int rc = msgpack_pack_array(packer, cnt);
    for (uint32_t i = 0; !rc && i < cnt; i++)
        rc = put_value(packer, &values[i]);
    return rc;
}

int fly_params_encode(struct fly_params *out, const struct fly_config_value *values, uint32_t cnt)
{
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    *out = (struct fly_params){NULL, 0};
    if (put_values(&packer, values, cnt)) {
        msgpack_sbuffer_destroy(&buffer);
        return FLY_ERR(ENOMEM, "no memory for parameters");
    }
    out->bytes_cnt = buffer.size;
    out->bytes = msgpack_sbuffer_release(&buffer);
    return 0;
}
