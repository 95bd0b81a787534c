/* select.c - fields of a JSON message as key and payload, of those messages that meet a condition.
 *
 * A message is scanned once, for condition, key and payload together. A field's value is passed on
 * by reference where it stands in the message as it is wanted: a string without escapes, or a value
 * without white space.
 */
#include "stages/json_fields.h"
#include "stages/match.h"
#include "stages/projection.h"
#include "stages/stages.h"

#include <flyover/stage.h>

enum { SELECT_NO_SUCH_FIELD = FLY_REASON_NODE };
#define SELECT_NONE UINT32_MAX /* instead of a field's number */

struct select {
    struct fly_string key_text, payload_text;
    struct fly_list projected;
    struct fly_match_params where;
    bool negate;

    struct fly_json_fields fields;
    struct fly_projection projection;
    struct fly_match match;
    uint32_t key, payload; /* numbers of fields */
    uint32_t needed;       /* bits of the fields that must be there */
    uint32_t max_bytes;    /* of a message */
    uint32_t out, rest;    /* ports */
    uint8_t *room;         /* for a key that has to be written anew */
};

static bool has_where(const struct select *select)
{
    const struct fly_match_params *where = &select->where;
    return where->field.bytes || where->contains.bytes || where->equals.bytes ||
           where->matches.bytes;
}

/* --- Messages -------------------------------------------------------------------------------- */

/* A payload that is made anew: `bytes` at most, by one of two. */
static void emit_written(struct fly_task *task, const struct select *select,
                         const struct fly_msg *msg, struct fly_content content, uint64_t bytes)
{
    if (bytes > select->max_bytes) {
        fly_fail(task, msg, FLY_REASON_TOO_LARGE);
        return;
    }
    uint8_t *at = fly_reserve(task, (uint32_t)bytes);
    content.payload = at;
    content.payload_bytes = (uint32_t)bytes;
    if (select->projection.cnt)
        content.payload_bytes = fly_projection_write(&select->projection, &select->fields, at);
    else
        fly_json_write(&select->fields.value[select->payload],
                       &(struct fly_text){.at = at, .max_bytes = bytes});
    fly_commit(task, select->out, msg, content);
}

static void emit_selected(struct fly_task *task, const struct select *select,
                          const struct fly_msg *msg)
{
    const struct fly_json_value *value = select->fields.value;
    struct fly_content content = {.key = msg->key,
                                  .key_bytes = msg->key_bytes,
                                  .payload = msg->payload,
                                  .payload_bytes = msg->payload_bytes,
                                  .flags = FLY_MSG_JSON};
    if (select->key != SELECT_NONE) {
        struct fly_json_text key =
            fly_json_text_in(&value[select->key], select->room, FLY_JSON_TEXT_BYTES_MAX);
        if (!key.at) {
            fly_fail(task, msg, FLY_REASON_TOO_LARGE);
            return;
        }
        content.key = key.at;
        content.key_bytes = key.bytes;
    }
    if (select->projection.cnt) {
        uint64_t bytes = fly_projection_bytes(&select->projection, &select->fields);
        emit_written(task, select, msg, content, bytes);
        return;
    }
    if (select->payload != SELECT_NONE) {
        struct fly_json_text payload = fly_json_text_of(&value[select->payload]);
        content.flags = value[select->payload].kind == FLY_JSON_STRING ? 0 : FLY_MSG_JSON;
        content.payload = payload.at;
        content.payload_bytes = payload.bytes;
    }
    if (content.payload)
        fly_emit(task, select->out, msg, content);
    else
        emit_written(task, select, msg, content, content.payload_bytes);
}

static bool has_all(const struct select *select)
{
    for (uint32_t left = select->needed; left; left &= left - 1)
        if (select->fields.value[__builtin_ctz(left)].kind == FLY_JSON_NONE)
            return false;
    return true;
}

static void select_one(struct fly_task *task, struct select *select, const struct fly_msg *msg)
{
    if (!fly_json_fields_scan(&select->fields, msg)) {
        fly_fail(task, msg, FLY_REASON_BAD_INPUT);
        return;
    }
    if (has_where(select)) {
        enum fly_matched matched = fly_match_run(&select->match, &select->fields, msg);
        if (matched == FLY_MATCH_ERROR) {
            fly_fail(task, msg, FLY_REASON_BAD_INPUT);
            return;
        }
        if ((matched == FLY_MATCH_YES) == select->negate) {
            fly_forward(task, select->rest, msg);
            return;
        }
    }
    if (has_all(select))
        emit_selected(task, select, msg);
    else
        fly_fail(task, msg, SELECT_NO_SUCH_FIELD);
}

static void select_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    for (uint32_t i = 0; i < batch->cnt; i++)
        select_one(task, self, &batch->msg[i]);
}

/* --- Setup ----------------------------------------------------------------------------------- */

static int refuse(struct fly_refusal *refusal, const char *param, const char *why, const char *hint)
{
    *refusal = (struct fly_refusal){0};
    strncat(refusal->param, param, sizeof(refusal->param) - 1);
    strncat(refusal->why, why, sizeof(refusal->why) - 1);
    strncat(refusal->hint, hint, sizeof(refusal->hint) - 1);
    return -1;
}

static int select_check(const void *self, struct fly_refusal *refusal)
{
    const struct select *select = self;
    const struct fly_string *key = &select->key_text, *payload = &select->payload_text;
    if (!key->bytes && !payload->bytes && !select->projected.cnt && !has_where(select))
        return refuse(refusal, "",
                      "nothing is selected: `key`, `payload`, `fields` or `where` is needed",
                      "for example key: user.name");
    if (payload->bytes && select->projected.cnt)
        return refuse(refusal, "fields", "`fields` and `payload` both make the payload",
                      "leave one of them out");
    if (select->negate && !has_where(select))
        return refuse(refusal, "where.negate", "there is no condition to negate", "");
    if (select->projected.cnt > FLY_JSON_PATHS_MAX - 2)
        return refuse(refusal, "fields", "at most 14 fields can be taken", "");
    if ((key->bytes && fly_json_path_check(*key, "key", refusal)) ||
        (payload->bytes && fly_json_path_check(*payload, "payload", refusal)))
        return -1;
    if (has_where(select) && fly_match_check(&select->where, "where", refusal))
        return -1;
    return fly_projection_check(&select->projected, "fields", refusal);
}

static uint32_t add_field(struct select *select, struct fly_string text)
{
    return text.bytes ? fly_json_fields_add(&select->fields, text) : SELECT_NONE;
}

static int select_setup(struct fly_task *task, void *self)
{
    struct select *select = self;
    if (fly_json_fields_open(&select->fields, task, FLY_JSON_PATHS_MAX))
        return -1;
    select->key = add_field(select, select->key_text);
    select->payload = add_field(select, select->payload_text);
    if (fly_projection_open(&select->projection, task, &select->projected, &select->fields))
        return fly_task_refuse(task, "fields", "there is no memory for them");
    select->needed = (1u << select->fields.cnt) - 1;
    if (has_where(select) && fly_match_open(&select->match, &select->where, task, &select->fields))
        return fly_task_refuse(task, "where", "there is no memory for the condition");
    select->max_bytes = fly_max_message_bytes(task);
    select->room = fly_task_alloc(task, FLY_JSON_TEXT_BYTES_MAX);
    if (!select->room)
        return fly_task_refuse(task, NULL, "there is no memory for keys");
    if (fly_task_port(task, "out", &select->out))
        return -1;
    return fly_task_port(task, "rest", &select->rest);
}

static void select_teardown(struct fly_task *task, void *self)
{
    struct select *select = self;
    (void)task;
    fly_match_close(&select->match);
}

static const char *const select_reasons[] = {"no_such_field", NULL};

static const char *const select_ports[] = {"out", "rest", NULL};

static const struct fly_param select_params[] = {
    {.name = "key",
     .type = FLY_PARAM_STRING,
     .at = offsetof(struct select, key_text),
     .help = "Path of the field that becomes the key, such as user.name, items[0].id or "
             "\"a name with a dot.\".x; without it the key stays."},
    {.name = "payload",
     .type = FLY_PARAM_STRING,
     .at = offsetof(struct select, payload_text),
     .help = "Path of the field that becomes the payload; without it (and `fields`) the whole "
             "message stays."},
    {.name = "fields",
     .type = FLY_PARAM_LIST,
     .at = offsetof(struct select, projected),
     .help = "Paths of fields that make a new JSON object, which becomes the payload: each under "
             "its last name, or the one behind `as`, as in [ad_id, user.name as user]."},
    FLY_MATCH_ROWS("where.", offsetof(struct select, where)),
    {.name = "where.negate",
     .type = FLY_PARAM_BOOL,
     .at = offsetof(struct select, negate),
     .preset = "false",
     .help = "Select from what does not meet the condition."},
    {0},
};

const struct fly_node fly_select_node = {
    .name = "select",
    .kind = FLY_STAGE,
    .help =
        "Takes fields of a JSON message as key and payload: strings as text, other values as JSON. "
        "With `where`, only of messages that meet the condition; the others leave by port `rest` "
        "as they are. A message without a field that is taken fails, and so does what is not JSON.",
    .example = "views: {type: select, inputs: [events], where: {field: event_type, equals: view}, "
               "key: ad_id, payload: event_time}",
    .params = select_params,
    .ports = select_ports,
    .reasons = select_reasons,
    .self_bytes = sizeof(struct select),
    .check = select_check,
    .setup = select_setup,
    .teardown = select_teardown,
    .process = select_process,
};
