/* lookup.c - what a table says about each message: as its key, its payload, or fields of it.
 *
 * The table is read in setup and only read afterwards, so what it says is passed on by reference.
 */
#include "stages/json_fields.h"
#include "stages/lookup_file.h"
#include "stages/lookup_table.h"
#include "stages/members.h"
#include "stages/stages.h"

#include <flyover/stage.h>
#include <stdio.h>

enum lookup_to { LOOKUP_TO_KEY, LOOKUP_TO_PAYLOAD, LOOKUP_TO_FIELDS };
enum lookup_missing { LOOKUP_MISSING_PORT, LOOKUP_MISSING_FAIL, LOOKUP_MISSING_PASS };
enum { LOOKUP_NOT_FOUND = FLY_REASON_NODE, LOOKUP_NO_SUCH_FIELD };
enum { LOOKUP_GROUP = 32 }; /* messages whose index lines are fetched ahead */

struct lookup {
    struct fly_string path, separator, key_column, field;
    struct fly_list value_columns;
    uint32_t format, to, on_missing; /* enum fly_lookup_format, lookup_to, lookup_missing */

    struct fly_lookup_table table;
    struct fly_json_fields fields; /* the one that is looked up, then the old ones */
    struct fly_string head[FLY_LOOKUP_VALUES_MAX]; /* "name": */
    uint32_t max_bytes;                            /* of a message */
    uint32_t out, missing;                         /* ports */
    uint8_t *room;
};

/* --- Messages -------------------------------------------------------------------------------- */

static void not_found(struct fly_task *task, const struct lookup *lookup, const struct fly_msg *msg)
{
    if (lookup->on_missing == LOOKUP_MISSING_FAIL)
        fly_fail(task, msg, LOOKUP_NOT_FOUND);
    else
        fly_forward(task, lookup->on_missing == LOOKUP_MISSING_PASS ? lookup->out : lookup->missing,
                    msg);
}

static bool is_object(const struct fly_msg *msg)
{
    const uint8_t *at = msg->payload;
    while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')
        at++;
    return *at == '{';
}

/* The message, which was scanned, with the entry's values as members. */
static void emit_fields(struct fly_task *task, const struct lookup *lookup,
                        const struct fly_msg *msg, const struct fly_lookup_entry *entry)
{
    struct fly_member member[FLY_LOOKUP_VALUES_MAX];
    uint32_t cnt = lookup->table.value_cnt, first = lookup->fields.cnt - cnt;
    if (!is_object(msg)) {
        fly_fail(task, msg, FLY_REASON_BAD_INPUT);
        return;
    }
    for (uint32_t i = 0; i < cnt; i++) {
        member[i].head = lookup->head[i];
        member[i].value.text = (const char *)fly_lookup_value_of(entry, i);
        member[i].value.bytes = entry->value[i].bytes;
        member[i].old = &lookup->fields.value[first + i];
    }
    uint64_t bytes = fly_members_bytes(msg->payload_bytes, member, cnt);
    if (bytes > lookup->max_bytes) {
        fly_fail(task, msg, FLY_REASON_TOO_LARGE);
        return;
    }
    uint8_t *at = fly_reserve(task, (uint32_t)bytes);
    fly_commit(task, lookup->out, msg,
               (struct fly_content){.key = msg->key,
                                    .key_bytes = msg->key_bytes,
                                    .payload_bytes = fly_members_write(
                                        msg->payload, msg->payload_bytes, member, cnt, at),
                                    .flags = FLY_MSG_JSON});
}

static inline void emit_found(struct fly_task *task, const struct lookup *lookup,
                              const struct fly_msg *msg, const struct fly_lookup_entry *entry)
{
    struct fly_content content = {.key = msg->key,
                                  .key_bytes = msg->key_bytes,
                                  .payload = msg->payload,
                                  .payload_bytes = msg->payload_bytes,
                                  .flags = msg->flags | FLY_MSG_STABLE};
    if (lookup->to == LOOKUP_TO_FIELDS) {
        emit_fields(task, lookup, msg, entry);
        return;
    }
    if (lookup->to == LOOKUP_TO_KEY) {
        content.key = fly_lookup_value_of(entry, 0);
        content.key_bytes = entry->value[0].bytes;
        content.meta = msg->meta_bytes ? msg->payload + msg->payload_bytes : NULL;
        content.meta_bytes = msg->meta_bytes;
    } else {
        content.payload = fly_lookup_value_of(entry, 0);
        content.payload_bytes = entry->value[0].bytes;
        content.flags = FLY_MSG_STABLE | (entry->json & 1 ? FLY_MSG_JSON : 0);
    }
    fly_emit(task, lookup->out, msg, content);
}

static inline void look_up(struct fly_task *task, const struct lookup *lookup,
                           const struct fly_msg *msg, struct fly_json_text key, uint64_t hash)
{
    const struct fly_lookup_entry *entry =
        fly_lookup_table_find(&lookup->table, key.at, key.bytes, hash);
    if (entry)
        emit_found(task, lookup, msg, entry);
    else
        not_found(task, lookup, msg);
}

/* Messages that have to be scanned. */
static void lookup_json(struct fly_task *task, struct lookup *lookup, const struct fly_msg *msg)
{
    struct fly_json_text key = {msg->key ? msg->key : msg->payload,
                                msg->key ? msg->key_bytes : msg->payload_bytes};
    if (!fly_json_fields_scan(&lookup->fields, msg)) {
        fly_fail(task, msg, FLY_REASON_BAD_INPUT);
        return;
    }
    if (lookup->field.bytes) {
        const struct fly_json_value *value = &lookup->fields.value[0];
        if (value->kind == FLY_JSON_NONE) {
            fly_fail(task, msg, LOOKUP_NO_SUCH_FIELD);
            return;
        }
        key = fly_json_text_in(value, lookup->room, FLY_JSON_TEXT_BYTES_MAX);
    }
    if (key.at)
        look_up(task, lookup, msg, key, fly_lookup_hash(key.at, key.bytes));
    else
        not_found(task, lookup, msg); /* no table has so long a key */
}

static void lookup_keys(struct fly_task *task, const struct lookup *lookup,
                        const struct fly_msg *msg, uint32_t cnt)
{
    struct fly_json_text key[LOOKUP_GROUP];
    uint64_t hash[LOOKUP_GROUP];
    for (uint32_t i = 0; i < cnt; i++) {
        key[i] = msg[i].key ? (struct fly_json_text){msg[i].key, msg[i].key_bytes}
                            : (struct fly_json_text){msg[i].payload, msg[i].payload_bytes};
        hash[i] = fly_lookup_hash(key[i].at, key[i].bytes);
        fly_lookup_table_prefetch(&lookup->table, hash[i]);
    }
    for (uint32_t i = 0; i < cnt; i++)
        look_up(task, lookup, &msg[i], key[i], hash[i]);
}

static void lookup_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    struct lookup *lookup = self;
    for (uint32_t i = 0; i < batch->cnt && lookup->fields.cnt; i++)
        lookup_json(task, lookup, &batch->msg[i]);
    for (uint32_t at = 0; at < batch->cnt && !lookup->fields.cnt; at += LOOKUP_GROUP) {
        uint32_t cnt = batch->cnt - at < LOOKUP_GROUP ? batch->cnt - at : LOOKUP_GROUP;
        lookup_keys(task, lookup, &batch->msg[at], cnt);
    }
}

/* --- Setup ----------------------------------------------------------------------------------- */

static int lookup_check(const void *self, struct fly_refusal *refusal)
{
    const struct lookup *lookup = self;
    if (lookup->field.bytes && fly_json_path_check(lookup->field, "field", refusal))
        return -1;
    if (lookup->separator.bytes > 1) {
        *refusal = (struct fly_refusal){"separator", "a separator is one character of ASCII", ""};
        return -1;
    }
    if (lookup->to != LOOKUP_TO_FIELDS && lookup->value_columns.cnt > 1) {
        *refusal = (struct fly_refusal){"value_columns", "a key or payload is one column",
                                        "to: fields takes several"};
        return -1;
    }
    if (lookup->value_columns.cnt > FLY_LOOKUP_VALUES_MAX) {
        *refusal = (struct fly_refusal){"value_columns", "at most 8 columns can be taken", ""};
        return -1;
    }
    return 0;
}

/* "name":, and the path by which an old member of that name is found. */
static int add_member(struct fly_task *task, struct lookup *lookup, uint32_t i,
                      struct fly_string name)
{
    uint64_t max_bytes = (uint64_t)name.bytes * 6 + 4;
    char quote = memchr(name.text, '"', name.bytes) ? '\'' : '"';
    struct fly_text head = {.at = fly_task_alloc(task, max_bytes), .max_bytes = max_bytes};
    struct fly_text path = {.at = fly_task_alloc(task, max_bytes), .max_bytes = max_bytes};
    struct fly_json_path parsed;
    if (!head.at || !path.at)
        return fly_task_refuse(task, "value_columns", "there is no memory for their names");
    fly_text_json_string(&head, name.text, name.bytes);
    fly_text_byte(&head, ':');
    lookup->head[i] = (struct fly_string){(const char *)head.at, (uint32_t)head.bytes};
    fly_text_add(&path, (char[]){'[', quote}, 2);
    fly_text_add(&path, name.text, name.bytes);
    fly_text_add(&path, (char[]){quote, ']'}, 2);
    struct fly_string text = {(const char *)path.at, (uint32_t)path.bytes};
    if (fly_json_path_parse(&parsed, text.text, text.bytes) || parsed.step_cnt != 1 ||
        !fly_text_is_utf8(name.text, name.bytes))
        return fly_task_refuse(task, "value_columns", "a column's name can't be that of a field");
    (void)fly_json_fields_add(&lookup->fields, text);
    return lookup->fields.cnt == i + 1 + (lookup->field.bytes > 0)
               ? 0
               : fly_task_refuse(task, "value_columns", "two columns have the same name");
}

static int fill_table(struct fly_task *task, struct lookup *lookup, struct fly_lookup_file *file)
{
    struct fly_lookup_row row;
    uint64_t bytes = 0;
    void *memory = fly_task_state(task, &bytes);
    if (!memory ||
        fly_lookup_table_init(&lookup->table, memory, bytes, file->row_max, file->value_cnt))
        return fly_task_refuse(task, "path", "the table does not fit `state_bytes`");
    for (;;) {
        int got = fly_lookup_file_next(file, &row);
        if (got <= 0)
            return got ? fly_task_refuse(task, "path", file->why) : 0;
        const struct fly_lookup_entry *entry = fly_lookup_table_add(&lookup->table, &row);
        if (!entry)
            return fly_task_refuse(task, "path", "the table does not fit `state_bytes`");
        if (entry->line == row.line)
            continue;
        (void)snprintf(file->why, sizeof(file->why), "%.120s:%u: the key '%.*s' is in line %u, too",
                       file->path, row.line, row.key_bytes < 60 ? (int)row.key_bytes : 60,
                       (const char *)row.key, entry->line);
        return fly_task_refuse(task, "path", file->why);
    }
}

/* Columns and rows of the file that is open. */
static int take_file(struct fly_task *task, struct lookup *lookup, struct fly_lookup_file *file)
{
    if (lookup->to != LOOKUP_TO_FIELDS && file->value_cnt > 1)
        return fly_task_refuse(task, "value_columns",
                               "the file has several: say which is the key or payload");
    for (uint32_t i = 0; lookup->to == LOOKUP_TO_FIELDS && i < file->value_cnt; i++)
        if (add_member(task, lookup, i, file->value_name[i]))
            return -1;
    return fill_table(task, lookup, file);
}

static int lookup_setup(struct fly_task *task, void *self)
{
    struct lookup *lookup = self;
    struct fly_lookup_file file;
    struct fly_lookup_query query = {
        .format = (enum fly_lookup_format)lookup->format,
        .separator = lookup->separator.bytes ? lookup->separator.text[0] : '\0',
        .as_json = lookup->to == LOOKUP_TO_FIELDS,
        .key_column = lookup->key_column,
        .value_columns = lookup->value_columns,
    };
    lookup->max_bytes = fly_max_message_bytes(task);
    lookup->room = fly_task_alloc(task, FLY_JSON_TEXT_BYTES_MAX);
    if (!lookup->room)
        return fly_task_refuse(task, NULL, "there is no memory for keys");
    if (fly_json_fields_open(&lookup->fields, task, FLY_LOOKUP_VALUES_MAX + 1))
        return -1;
    if (lookup->field.bytes)
        (void)fly_json_fields_add(&lookup->fields, lookup->field);
    if (fly_task_port(task, "out", &lookup->out) ||
        fly_task_port(task, "missing", &lookup->missing))
        return -1;
    if (fly_lookup_file_open(&file, lookup->path.text, &query))
        return fly_task_refuse(task, "path", file.why);
    int rc = take_file(task, lookup, &file);
    fly_lookup_file_close(&file);
    return rc;
}

static const char *const lookup_formats[] = {"auto", "csv", "json", NULL};

static const char *const lookup_tos[] = {"key", "payload", "fields", NULL};

static const char *const lookup_missings[] = {"port", "fail", "pass", NULL};

static const char *const lookup_reasons[] = {"not_found", "no_such_field", NULL};

static const char *const lookup_ports[] = {"out", "missing", NULL};

static const struct fly_param lookup_params[] = {
    {.name = "path",
     .type = FLY_PARAM_PATH,
     .at = offsetof(struct lookup, path),
     .required = true,
     .help = "The file with the table, read at the start: CSV with a line of names in front, or an "
             "object of JSON in each line. A key that is in it twice is an error."},
    {.name = "format",
     .type = FLY_PARAM_ENUM,
     .at = offsetof(struct lookup, format),
     .preset = "auto",
     .choices = lookup_formats,
     .help = "What the file is; auto: CSV where its name ends in .csv or .tsv, else JSON."},
    {.name = "separator",
     .type = FLY_PARAM_STRING,
     .at = offsetof(struct lookup, separator),
     .help = "What separates the columns of a CSV file; without it a comma, in .tsv files a tab."},
    {.name = "key_column",
     .type = FLY_PARAM_STRING,
     .at = offsetof(struct lookup, key_column),
     .help = "The column (in JSON, the path of the field) with the keys; without it the first of a "
             "CSV file."},
    {.name = "value_columns",
     .type = FLY_PARAM_LIST,
     .at = offsetof(struct lookup, value_columns),
     .help = "The column, or columns, that are taken; without it all others of a CSV file."},
    {.name = "field",
     .type = FLY_PARAM_STRING,
     .at = offsetof(struct lookup, field),
     .help = "Path of the field of a JSON message that is looked up; without it the message's key "
             "is (the payload, where there is no key)."},
    {.name = "to",
     .type = FLY_PARAM_ENUM,
     .at = offsetof(struct lookup, to),
     .required = true,
     .choices = lookup_tos,
     .help = "What becomes of what was found: the message's new key or payload, or fields that are "
             "added to the JSON object in its payload (or replace those of the same name)."},
    {.name = "on_missing",
     .type = FLY_PARAM_ENUM,
     .at = offsetof(struct lookup, on_missing),
     .preset = "port",
     .choices = lookup_missings,
     .help = "What becomes of a message that the table has nothing about: it leaves by port "
             "`missing`, as it is (and is done where nobody reads that port); it fails; or it "
             "passes on as it is."},
    {0},
};

const struct fly_node fly_lookup_node = {
    .name = "lookup",
    .kind = FLY_STAGE,
    .state = true,
    .help = "Looks messages up in a table from a file, and passes them on with what it says about "
            "them. Each task has its own copy of the table, in `state_bytes`.",
    .example = "campaigns: {type: lookup, inputs: [events], path: ads.csv, key_column: ad_id, "
               "value_columns: campaign_id, to: key}",
    .params = lookup_params,
    .ports = lookup_ports,
    .reasons = lookup_reasons,
    .self_bytes = sizeof(struct lookup),
    .check = lookup_check,
    .setup = lookup_setup,
    .process = lookup_process,
};
