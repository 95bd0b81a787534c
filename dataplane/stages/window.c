/* window.c - counts and sums by key in event-time windows, sent when the watermark says that they
 * are over.
 *
 * A batch is worked off in groups: first the times are read and the index lines fetched, then the
 * entries are looked up, so that misses of the cache overlap.
 */
#include "stages/event_time.h"
#include "stages/stages.h"
#include "stages/text.h"
#include "stages/window_table.h"

#include <flyover/stage.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    WINDOW_GROUP = 32, /* index lines that are fetched at once */
    WINDOW_NUMBER_MAX = 64,
};

enum { WINDOW_NO_TIME = FLY_REASON_NODE, WINDOW_BAD_TIME, WINDOW_BAD_FIELD };

enum window_aggregate { WINDOW_COUNT, WINDOW_SUM, WINDOW_MIN, WINDOW_MAX };

struct window {
    struct fly_time_params time;
    uint64_t every_ns, allowed_lateness_ns;
    uint32_t aggregate; /* enum window_aggregate */
    struct fly_string field;

    struct fly_time_reader reader;
    struct fly_window_table table;
    int64_t watermark_ns;
    int64_t start_ns; /* of the window that the last message was in */
    uint32_t late_port;
    bool keeps_late; /* somebody receives them */
};

/* A message of a group, on its way into the table. */
struct arrival {
    struct fly_window_key key;
    double value;
    uint32_t reason; /* why it fails; 0: it does not */
    bool late;
};

static const char *const window_aggregates[] = {"count", "sum", "min", "max", NULL};

/* --- Reading --------------------------------------------------------------------------------- */

/* The window that a time is in: [start, start + every). False: its end is beyond all times. */
static bool find_window(struct window *window, int64_t time_ns)
{
    int64_t every = (int64_t)window->every_ns, end;
    uint64_t offset = (uint64_t)time_ns - (uint64_t)window->start_ns;
    if (offset < window->every_ns)
        return true;
    int64_t rest = time_ns % every;
    rest += rest < 0 ? every : 0;
    int64_t start = time_ns - rest;
    if (start > time_ns || __builtin_add_overflow(start, every, &end))
        return false;
    window->start_ns = start;
    return true;
}

/* Has everything come that may come for the window of this start? */
static bool is_over(const struct window *window, int64_t start_ns)
{
    int64_t limit;
    uint64_t wait_ns = window->every_ns + window->allowed_lateness_ns;
    return !__builtin_add_overflow(start_ns, (int64_t)wait_ns, &limit) &&
           limit <= window->watermark_ns;
}

static bool read_number(const struct fly_json_value *value, double *number)
{
    char text[WINDOW_NUMBER_MAX];
    char *end;
    if (value->kind != FLY_JSON_NUMBER || value->bytes >= sizeof(text))
        return false;
    memcpy(text, value->at, value->bytes);
    text[value->bytes] = 0;
    *number = strtod(text, &end);
    return isfinite(*number);
}

/* A message without a key counts with the others that have none. Hashes are those of `key` edges,
 * so it does not matter which way it came. */
static void read_key(struct fly_task *task, const struct fly_msg *msg, struct fly_window_key *key)
{
    key->key = msg->key;
    key->bytes = msg->key ? msg->key_bytes : FLY_WINDOW_NO_KEY;
    key->hash = msg->key_hash;
    if (msg->key && !key->hash)
        key->hash = fly_key_hash(task, msg->key, msg->key_bytes);
}

static void read_one(struct fly_task *task, struct window *window, const struct fly_msg *msg,
                     struct arrival *arrival)
{
    static const uint32_t reason[] = {[FLY_TIME_READ] = 0,
                                      [FLY_TIME_NO_JSON] = FLY_REASON_BAD_INPUT,
                                      [FLY_TIME_MISSING] = WINDOW_NO_TIME,
                                      [FLY_TIME_BAD] = WINDOW_BAD_TIME};
    struct fly_json_value field = {0};
    int64_t time_ns = 0;
    *arrival =
        (struct arrival){.reason = reason[fly_time_of(&window->reader, msg, &time_ns, &field)]};
    if (arrival->reason)
        return;
    if (!find_window(window, time_ns)) {
        arrival->reason = WINDOW_BAD_TIME;
        return;
    }
    arrival->key.window = window->start_ns;
    arrival->late = is_over(window, window->start_ns);
    if (window->aggregate != WINDOW_COUNT && !read_number(&field, &arrival->value))
        arrival->reason = WINDOW_BAD_FIELD;
    if (msg->key && msg->key_bytes > FLY_WINDOW_KEY_MAX)
        arrival->reason = FLY_REASON_TOO_LARGE;
    read_key(task, msg, &arrival->key);
    arrival->key.hash = fly_window_hash(arrival->key.hash, arrival->key.window);
    fly_window_prefetch(&window->table, arrival->key.hash);
}

/* --- Counting -------------------------------------------------------------------------------- */

static void add(const struct window *window, struct fly_window_entry *entry, double value)
{
    bool first = entry->count++ == 0;
    switch ((enum window_aggregate)window->aggregate) {
    case WINDOW_COUNT:
        break;
    case WINDOW_SUM:
        entry->value = first ? value : entry->value + value;
        break;
    case WINDOW_MIN:
        entry->value = first || value < entry->value ? value : entry->value;
        break;
    case WINDOW_MAX:
        entry->value = first || value > entry->value ? value : entry->value;
        break;
    }
}

static void take_one(struct fly_task *task, struct window *window, const struct fly_msg *msg,
                     const struct arrival *arrival)
{
    if (arrival->reason) {
        fly_fail(task, msg, arrival->reason);
    } else if (arrival->late) {
        if (window->keeps_late)
            fly_forward(task, window->late_port, msg);
        else
            fly_count_error(task, 1);
    } else {
        struct fly_window_entry *entry = fly_window_add(&window->table, &arrival->key);
        if (entry)
            add(window, entry, arrival->value);
        else
            fly_fail(task, msg, FLY_REASON_STATE_FULL);
    }
}

static void window_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    struct window *window = self;
    struct arrival arrival[WINDOW_GROUP];
    for (uint32_t at = 0; at < batch->cnt; at += WINDOW_GROUP) {
        uint32_t cnt = batch->cnt - at < WINDOW_GROUP ? batch->cnt - at : WINDOW_GROUP;
        for (uint32_t i = 0; i < cnt; i++)
            read_one(task, window, &batch->msg[at + i], &arrival[i]);
        for (uint32_t i = 0; i < cnt; i++)
            take_one(task, window, &batch->msg[at + i], &arrival[i]);
    }
}

/* --- Results --------------------------------------------------------------------------------- */

/* The shortest text that means the same number. */
static void put_number(struct fly_text *text, double number)
{
    char digits[WINDOW_NUMBER_MAX];
    if (!isfinite(number)) { /* a sum that left the range */
        fly_text_literal(text, "null");
        return;
    }
    for (int precision = 15; precision <= 17; precision++) {
        (void)snprintf(digits, sizeof(digits), "%.*g", precision, number);
        if (strtod(digits, NULL) == number)
            break;
    }
    fly_text_literal(text, digits);
}

static void put_result(struct fly_text *text, const struct window *window,
                       const struct fly_window_entry *entry)
{
    enum fly_time_format format = (enum fly_time_format)window->time.format;
    fly_text_byte(text, '{');
    if (entry->key_bytes == FLY_WINDOW_NO_KEY)
        fly_text_literal(text, "\"key\":null");
    else
        fly_text_json_member(text, "key", entry->key, entry->key_bytes);
    fly_text_literal(text, ",\"window_start\":");
    fly_time_write(text, format, entry->window);
    fly_text_literal(text, ",\"window_end\":");
    fly_time_write(text, format, entry->window + (int64_t)window->every_ns);
    fly_text_literal(text, ",\"count\":");
    fly_text_number(text, entry->count);
    if (window->aggregate != WINDOW_COUNT) {
        fly_text_literal(text, ",\"");
        fly_text_literal(text, window_aggregates[window->aggregate]);
        fly_text_literal(text, "\":");
        put_number(text, entry->value);
    }
    fly_text_byte(text, '}');
}

static void emit_result(struct fly_task *task, const struct window *window,
                        const struct fly_window_entry *entry)
{
    bool keyed = entry->key_bytes != FLY_WINDOW_NO_KEY;
    struct fly_text text = {0};
    put_result(&text, window, entry); /* measures */
    uint32_t key_bytes = keyed ? entry->key_bytes : 0;
    if (text.bytes + key_bytes > fly_max_message_bytes(task)) {
        fly_count_error(task, 1);
        return;
    }
    text =
        (struct fly_text){.at = fly_reserve(task, (uint32_t)text.bytes), .max_bytes = text.bytes};
    put_result(&text, window, entry);
    fly_commit(task, 0, NULL,
               (struct fly_content){.key = keyed ? entry->key : NULL,
                                    .key_bytes = key_bytes,
                                    .payload = text.at,
                                    .payload_bytes = (uint32_t)text.bytes,
                                    .flags = FLY_MSG_JSON});
}

static void emit_first_window(struct fly_task *task, struct window *window)
{
    for (const struct fly_window_entry *entry = fly_window_next(&window->table, NULL); entry;
         entry = fly_window_next(&window->table, entry))
        emit_result(task, window, entry);
    fly_window_remove(&window->table);
}

static void window_watermark(struct fly_task *task, void *self, int64_t time_ns)
{
    struct window *window = self;
    window->watermark_ns = time_ns;
    while (window->table.window_cnt && is_over(window, window->table.window[0].start))
        emit_first_window(task, window);
}

static void window_finish(struct fly_task *task, void *self)
{
    struct window *window = self;
    while (window->table.window_cnt)
        emit_first_window(task, window);
}

/* --- The node -------------------------------------------------------------------------------- */

static int window_check(const void *self, struct fly_refusal *refusal)
{
    const struct window *window = self;
    struct fly_json_path path;
    if (fly_time_check(&window->time, refusal))
        return -1;
    if (window->aggregate == WINDOW_COUNT && window->field.bytes) {
        *refusal = (struct fly_refusal){"field", "`aggregate: count` looks at no field",
                                        "say aggregate: sum, min or max, or leave `field` out"};
        return -1;
    }
    if (window->aggregate != WINDOW_COUNT &&
        fly_json_path_parse(&path, window->field.text, window->field.bytes)) {
        *refusal = (struct fly_refusal){"field", "it takes the path of the number to aggregate",
                                        "for example field: order.total"};
        return -1;
    }
    return 0;
}

static int window_setup(struct fly_task *task, void *self)
{
    struct window *window = self;
    uint32_t out;
    uint64_t bytes = 0;
    void *memory = fly_task_state(task, &bytes);
    if (!memory || fly_window_table_init(&window->table, memory, bytes))
        return fly_task_refuse(task, "state_bytes", "windows need at least 64 KiB of state");
    if (fly_time_open(&window->reader, &window->time,
                      window->aggregate == WINDOW_COUNT ? NULL : &window->field))
        return fly_task_refuse(task, "time", "not a path");
    if (fly_task_port(task, "out", &out) || fly_task_port(task, "late", &window->late_port))
        return -1;
    window->keeps_late = fly_port_connected(task, window->late_port);
    window->watermark_ns = INT64_MIN;
    return 0;
}

static const char *const window_ports[] = {"out", "late", NULL};
static const char *const window_reasons[] = {"no_time", "bad_time", "bad_field", NULL};

static const struct fly_param window_params[] = {
    {.name = "every",
     .type = FLY_PARAM_DURATION,
     .at = offsetof(struct window, every_ns),
     .required = true,
     .min = 1e6,
     .max = 1e18,
     .help = "How long a window is; windows begin at multiples of it since 1970, UTC."},
    FLY_TIME_ROWS(offsetof(struct window, time)),
    {.name = "allowed_lateness",
     .type = FLY_PARAM_DURATION,
     .at = offsetof(struct window, allowed_lateness_ns),
     .preset = "0s",
     .max = 1e18,
     .help = "How much longer than to its end the watermark must be for a window to be over."},
    {.name = "aggregate",
     .type = FLY_PARAM_ENUM,
     .at = offsetof(struct window, aggregate),
     .preset = "count",
     .choices = window_aggregates,
     .help = "What is worked out, besides the count, of the numbers at `field` (64-bit floating "
             "point: whole numbers are exact up to 2^53)."},
    {.name = "field",
     .type = FLY_PARAM_STRING,
     .at = offsetof(struct window, field),
     .help = "Path of the number that is aggregated, such as order.total."},
    {0},
};

const struct fly_node fly_window_node = {
    .name = "window",
    .kind = FLY_STAGE,
    .keyed_state = true,
    .help = "Counts messages by key in windows of event time and sends {\"key\": ..., "
            "\"window_start\": ..., \"window_end\": ..., \"count\": ...} when a watermark (of a "
            "`timestamps` stage before it) says that a window is over, or at the end. A message of "
            "a window that is over goes to port `late`; without a node there it is counted under "
            "errors.",
    .example = "per_user: {type: window, inputs: [{from: timed, grouping: key}], every: 10s, "
               "time: event.at}",
    .params = window_params,
    .ports = window_ports,
    .reasons = window_reasons,
    .self_bytes = sizeof(struct window),
    .check = window_check,
    .setup = window_setup,
    .process = window_process,
    .watermark = window_watermark,
    .finish = window_finish,
};
