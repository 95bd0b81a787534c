/* select.c - fields of a JSON message as key and payload.
 *
 * A field's value is passed on by reference where it stands in the message as it is wanted: a
 * string without escapes, or a value without white space.
 */
#include "stages/json_scan.h"
#include "stages/stages.h"

#include <flyover/stage.h>

enum { SELECT_KEY_BYTES_MAX = 64 << 10 };
enum { SELECT_NO_SUCH_FIELD = FLY_REASON_NODE };

struct select {
    struct fly_string key_text, payload_text;

    struct fly_json_path path[2]; /* key and payload, as far as they are given */
    uint32_t path_cnt;
    uint8_t *key; /* room for one that has to be written anew */
};

/* A field: where it is, or how long it is when it has to be written. */
struct field {
    const uint8_t *at; /* NULL: to be written */
    uint64_t bytes;
};

static struct field field_of(const struct fly_json_value *value)
{
    struct fly_text text = {0}; /* measures */
    bool as_is = value->kind == FLY_JSON_STRING
                     ? !value->escaped
                     : value->kind != FLY_JSON_OBJECT && value->kind != FLY_JSON_ARRAY;
    if (as_is)
        return (struct field){value->at, value->bytes};
    fly_json_write(value, &text);
    /* Nothing was left out of an object or array: it is compact already. */
    bool compact = value->kind != FLY_JSON_STRING && text.bytes == value->bytes;
    return (struct field){compact ? value->at : NULL, text.bytes};
}

static void emit_selected(struct fly_task *task, const struct select *select,
                          const struct fly_msg *msg, const struct fly_json_value *key,
                          const struct fly_json_value *payload)
{
    struct fly_content content = {.key = msg->key,
                                  .key_bytes = msg->key_bytes,
                                  .payload = msg->payload,
                                  .payload_bytes = msg->payload_bytes,
                                  .flags = FLY_MSG_JSON};
    struct field field;
    if (key) {
        field = field_of(key);
        if (!field.at && field.bytes > SELECT_KEY_BYTES_MAX) {
            fly_fail(task, msg, FLY_REASON_TOO_LARGE);
            return;
        }
        if (!field.at)
            fly_json_write(key, &(struct fly_text){.at = select->key, .max_bytes = field.bytes});
        content.key = field.at ? field.at : select->key;
        content.key_bytes = (uint32_t)field.bytes;
    }
    if (!payload) {
        fly_emit(task, 0, msg, content);
        return;
    }
    field = field_of(payload);
    content.flags = payload->kind == FLY_JSON_STRING ? 0 : FLY_MSG_JSON;
    content.payload = field.at;
    content.payload_bytes = (uint32_t)field.bytes;
    if (field.at) {
        fly_emit(task, 0, msg, content);
        return;
    }
    content.payload = fly_reserve(task, content.payload_bytes);
    fly_json_write(payload, &(struct fly_text){.at = (uint8_t *)(uintptr_t)content.payload,
                                               .max_bytes = field.bytes});
    fly_commit(task, 0, msg, content);
}

static void select_one(struct fly_task *task, const struct select *select,
                       const struct fly_msg *msg)
{
    struct fly_json_value value[2];
    bool has_key = select->key_text.bytes > 0;
    if (!fly_json_scan(msg->payload, msg->payload_bytes, select->path, select->path_cnt, value)) {
        fly_fail(task, msg, FLY_REASON_BAD_INPUT);
        return;
    }
    for (uint32_t i = 0; i < select->path_cnt; i++) {
        if (value[i].kind == FLY_JSON_NONE) {
            fly_fail(task, msg, SELECT_NO_SUCH_FIELD);
            return;
        }
    }
    emit_selected(task, select, msg, has_key ? &value[0] : NULL,
                  select->payload_text.bytes ? &value[has_key ? 1 : 0] : NULL);
}

static void select_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    for (uint32_t i = 0; i < batch->cnt; i++)
        select_one(task, self, &batch->msg[i]);
}

static int refuse_path(struct fly_refusal *refusal, const char *param)
{
    *refusal = (struct fly_refusal){
        .why = "not a path: names and element numbers with dots in between, 16 at most",
        .hint = "for example user.name or items.0.id"};
    memcpy(refusal->param, param, strlen(param));
    return -1;
}

static int select_check(const void *self, struct fly_refusal *refusal)
{
    const struct select *select = self;
    struct fly_json_path path;
    if (select->key_text.bytes == 0 && select->payload_text.bytes == 0) {
        *refusal =
            (struct fly_refusal){"", "nothing is selected: `key`, `payload` or both are needed",
                                 "for example key: user.name"};
        return -1;
    }
    if (select->key_text.bytes &&
        fly_json_path_parse(&path, select->key_text.text, select->key_text.bytes))
        return refuse_path(refusal, "key");
    if (select->payload_text.bytes &&
        fly_json_path_parse(&path, select->payload_text.text, select->payload_text.bytes))
        return refuse_path(refusal, "payload");
    return 0;
}

static int select_setup(struct fly_task *task, void *self)
{
    struct select *select = self;
    const struct fly_string *texts[] = {&select->key_text, &select->payload_text};
    for (int i = 0; i < 2; i++) {
        if (texts[i]->bytes == 0)
            continue;
        if (fly_json_path_parse(&select->path[select->path_cnt++], texts[i]->text, texts[i]->bytes))
            return fly_task_refuse(task, i ? "payload" : "key", "not a path");
    }
    select->key = fly_task_alloc(task, SELECT_KEY_BYTES_MAX);
    return select->key ? 0 : fly_task_refuse(task, NULL, "there is no memory for keys");
}

static const char *const select_reasons[] = {"no_such_field", NULL};

static const struct fly_param select_params[] = {
    {.name = "key",
     .type = FLY_PARAM_STRING,
     .at = offsetof(struct select, key_text),
     .help =
         "Path of the field that becomes the key, such as user.name; without it the key stays."},
    {.name = "payload",
     .type = FLY_PARAM_STRING,
     .at = offsetof(struct select, payload_text),
     .help = "Path of the field that becomes the payload; without it the whole message stays."},
    {0},
};

const struct fly_node fly_select_node = {
    .name = "select",
    .kind = FLY_STAGE,
    .help =
        "Takes fields of a JSON message as key and payload: strings as text, other values as JSON; "
        "a message without the field fails.",
    .example = "by_user: {type: select, inputs: [events], key: user.name, payload: text}",
    .params = select_params,
    .reasons = select_reasons,
    .self_bytes = sizeof(struct select),
    .check = select_check,
    .setup = select_setup,
    .process = select_process,
};
