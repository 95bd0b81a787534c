/* count.c - how many messages each key had: at the end, every so often, or at each message.
 *
 * A batch is worked off in groups: first the index lines of the whole group are fetched, then its
 * entries are looked up, then it is counted, so that misses of the cache overlap.
 */
#include "stages/count_table.h"
#include "stages/stages.h"
#include "stages/text.h"

#include <flyover/stage.h>

enum {
    COUNT_GROUP = 32, /* keys whose lines are fetched at once */
    COUNT_CACHED_BYTES = 256 << 10,
    COUNT_TOP_MAX = 100000,
};

enum count_emit { COUNT_AT_END, COUNT_EVERY, COUNT_EACH_CHANGE };

struct count {
    uint32_t emit; /* enum count_emit */
    uint64_t every_ns;
    uint64_t top_cnt;

    struct fly_count_table table;
    struct fly_count_entry **top; /* a heap with the smallest first */
    uint32_t top_used;
};

/* A message without a key is counted by its payload. Hashes are those of `key` edges, so it does
 * not matter which way a message came. */
static inline uint32_t hash_of(struct fly_task *task, const struct fly_msg *msg)
{
    if (!msg->key)
        return fly_key_hash(task, msg->payload, msg->payload_bytes);
    return msg->key_hash ? msg->key_hash : fly_key_hash(task, msg->key, msg->key_bytes);
}

static void emit_count(struct fly_task *task, const struct fly_msg *parent,
                       const struct fly_count_entry *entry)
{
    struct fly_text text = {0};
    for (int pass = 0; pass < 2; pass++) { /* measures, then writes */
        if (pass) {
            if (text.bytes + entry->key_bytes > fly_max_message_bytes(task)) {
                fly_count_error(task, 1);
                return;
            }
            text = (struct fly_text){.at = fly_reserve(task, (uint32_t)text.bytes),
                                     .max_bytes = text.bytes};
        }
        fly_text_byte(&text, '{');
        fly_text_json_member(&text, "key", entry->key, entry->key_bytes);
        fly_text_literal(&text, ",\"count\":");
        fly_text_number(&text, entry->count);
        fly_text_byte(&text, '}');
    }
    fly_commit(task, 0, parent,
               (struct fly_content){.key = entry->key,
                                    .key_bytes = entry->key_bytes,
                                    .payload = text.at,
                                    .payload_bytes = (uint32_t)text.bytes,
                                    .flags = FLY_MSG_JSON});
}

static inline void count_one(struct fly_task *task, struct count *count,
                             struct fly_count_entry *opt_probed, const struct fly_msg *msg,
                             uint32_t hash)
{
    const uint8_t *key = msg->key ? msg->key : msg->payload;
    uint32_t bytes = msg->key ? msg->key_bytes : msg->payload_bytes;
    struct fly_count_entry *entry =
        fly_count_table_add(&count->table, opt_probed, key, bytes, hash);
    if (!entry)
        fly_fail(task, msg, FLY_REASON_STATE_FULL);
    else if (count->emit == COUNT_EACH_CHANGE)
        emit_count(task, msg, entry);
}

static void count_group(struct fly_task *task, struct count *count, const struct fly_msg *msg,
                        uint32_t cnt)
{
    uint32_t hash[COUNT_GROUP];
    struct fly_count_entry *probed[COUNT_GROUP];
    for (uint32_t i = 0; i < cnt; i++)
        hash[i] = hash_of(task, &msg[i]);
    if (count->table.used_bytes > COUNT_CACHED_BYTES)
        for (uint32_t i = 0; i < cnt; i++)
            fly_count_table_prefetch(&count->table, hash[i]);
    for (uint32_t i = 0; i < cnt; i++)
        probed[i] = fly_count_table_probe(&count->table, hash[i]);
    for (uint32_t i = 0; i < cnt; i++)
        count_one(task, count, probed[i], &msg[i], hash[i]);
}

static void count_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    for (uint32_t at = 0; at < batch->cnt; at += COUNT_GROUP) {
        uint32_t left = batch->cnt - at;
        count_group(task, self, &batch->msg[at], left < COUNT_GROUP ? left : COUNT_GROUP);
    }
}

/* The order of a list of most frequent keys: by count, then by key. */
static bool is_below(const struct fly_count_entry *left, const struct fly_count_entry *right)
{
    if (left->count != right->count)
        return left->count < right->count;
    uint32_t bytes = left->key_bytes < right->key_bytes ? left->key_bytes : right->key_bytes;
    int order = bytes ? memcmp(left->key, right->key, bytes) : 0;
    return order ? order > 0 : left->key_bytes > right->key_bytes;
}

static void sift_down(struct count *count, uint32_t at)
{
    struct fly_count_entry **top = count->top;
    for (;;) {
        uint32_t child = at * 2 + 1;
        if (child >= count->top_used)
            return;
        if (child + 1 < count->top_used && is_below(top[child + 1], top[child]))
            child++;
        if (!is_below(top[child], top[at]))
            return;
        struct fly_count_entry *moved = top[at];
        top[at] = top[child];
        top[child] = moved;
        at = child;
    }
}

static void offer(struct count *count, struct fly_count_entry *entry)
{
    struct fly_count_entry **top = count->top;
    if (count->top_used == count->top_cnt) {
        if (is_below(entry, top[0]))
            return;
        top[0] = entry;
        sift_down(count, 0);
        return;
    }
    uint32_t at = count->top_used++;
    top[at] = entry;
    for (; at > 0 && is_below(top[at], top[(at - 1) / 2]); at = (at - 1) / 2) {
        top[at] = top[(at - 1) / 2];
        top[(at - 1) / 2] = entry;
    }
}

/* Takes the smallest off the heap until the array is in order, largest first. */
static void emit_top(struct fly_task *task, struct count *count)
{
    count->top_used = 0;
    for (struct fly_count_entry *entry = fly_count_table_next(&count->table, NULL); entry;
         entry = fly_count_table_next(&count->table, entry))
        offer(count, entry);
    uint32_t cnt = count->top_used;
    while (count->top_used > 1) {
        struct fly_count_entry *smallest = count->top[0];
        count->top[0] = count->top[--count->top_used];
        count->top[count->top_used] = smallest;
        sift_down(count, 0);
    }
    for (uint32_t i = 0; i < cnt; i++)
        emit_count(task, NULL, count->top[i]);
}

static void emit_changed(struct fly_task *task, struct count *count)
{
    for (struct fly_count_entry *entry = fly_count_table_next(&count->table, NULL); entry;
         entry = fly_count_table_next(&count->table, entry)) {
        if (!entry->changed)
            continue;
        entry->changed = false;
        emit_count(task, NULL, entry);
    }
}

static void emit_all(struct fly_task *task, struct count *count)
{
    if (count->top_cnt)
        emit_top(task, count);
    else
        emit_changed(task, count);
}

static void count_tick(struct fly_task *task, void *self)
{
    emit_all(task, self);
}

static void count_finish(struct fly_task *task, void *self)
{
    struct count *count = self;
    if (count->emit != COUNT_EACH_CHANGE)
        emit_all(task, count);
}

static int count_check(const void *self, struct fly_refusal *refusal)
{
    const struct count *count = self;
    if (count->emit == COUNT_EACH_CHANGE && count->top_cnt) {
        *refusal = (struct fly_refusal){"top", "`top` does not go with `emit: each_change`",
                                        "use emit: at_end or emit: every"};
        return -1;
    }
    return 0;
}

static int count_setup(struct fly_task *task, void *self)
{
    struct count *count = self;
    uint64_t bytes = 0;
    void *memory = fly_task_state(task, &bytes);
    if (!memory || fly_count_table_init(&count->table, memory, bytes))
        return fly_task_refuse(task, "state_bytes", "counting needs at least 4 KiB of state");
    if (count->top_cnt) {
        count->top = fly_task_alloc(task, count->top_cnt * sizeof(struct fly_count_entry *));
        if (!count->top)
            return fly_task_refuse(task, "top", "there is no memory for it");
    }
    if (count->emit == COUNT_EVERY)
        fly_tick_every(task, count->every_ns);
    return 0;
}

static const char *const count_emits[] = {"at_end", "every", "each_change", NULL};

static const struct fly_param count_params[] = {
    {.name = "emit",
     .type = FLY_PARAM_ENUM,
     .at = offsetof(struct count, emit),
     .preset = "at_end",
     .choices = count_emits,
     .help = "When counts are sent: when the input has ended; `every` so often, those that "
             "changed, and "
             "at the end; or each_change: the new count at each message."},
    {.name = "every",
     .type = FLY_PARAM_DURATION,
     .at = offsetof(struct count, every_ns),
     .preset = "1s",
     .min = 1e6,
     .max = 1e18,
     .help = "How often counts are sent with `emit: every`."},
    {.name = "top",
     .type = FLY_PARAM_UINT,
     .at = offsetof(struct count, top_cnt),
     .preset = "0",
     .max = COUNT_TOP_MAX,
     .help = "Send only so many, the largest first, of those that this task counts; 0: all."},
    {0},
};

const struct fly_node fly_count_node = {
    .name = "count",
    .kind = FLY_STAGE,
    .keyed_state = true,
    .help = "Counts messages by key (by payload, where there is no key) and sends "
            "{\"key\": ..., \"count\": ...}; a key that is not UTF-8 is sent as \"key_base64\".",
    .example = "counts: {type: count, inputs: [{from: words, grouping: key}]}",
    .params = count_params,
    .self_bytes = sizeof(struct count),
    .check = count_check,
    .setup = count_setup,
    .process = count_process,
    .tick = count_tick,
    .finish = count_finish,
};
