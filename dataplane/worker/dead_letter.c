#include "worker/dead_letter.h"

#include "stats/reason.h"
#include "worker/emit.h"
#include "worker/roots.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Of a message that does not fit its dead letter so much is kept. */
enum { META_MAX = 1024, BEGINNING_BYTES = 4096 };

/* Why an attempt failed; `opt_node` is where. */
static const char *reason_text(const struct fly_node *opt_node, uint32_t reason)
{
    const char *name = fly_reason_name(reason);
    if (!name && opt_node)
        name = fly_reason_of_node(opt_node, reason);
    return name ? name : "failed";
}

static void add_text(uint8_t *block, uint32_t *bytes, const char *name, const char *value)
{
    (void)fly_meta_add(block, META_MAX, bytes, (struct fly_string){name, (uint32_t)strlen(name)},
                       (struct fly_string){value, (uint32_t)strlen(value)});
}

static void add_number(uint8_t *block, uint32_t *bytes, const char *name, uint64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    add_text(block, bytes, name, text);
}

static void add_time(uint8_t *block, uint32_t *bytes)
{
    char day[32], text[64];
    struct tm tm;
    uint64_t wall_ns = fly_clock_wall_ns();
    time_t seconds = (time_t)(wall_ns / 1000000000);
    (void)gmtime_r(&seconds, &tm);
    if (!strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm))
        return;
    (void)snprintf(text, sizeof(text), "%s.%03uZ", day, (unsigned)(wall_ns / 1000000 % 1000));
    add_text(block, bytes, FLY_META_TIME, text);
}

static uint32_t describe(struct fly_rt_task *task, const struct fly_root_entry *entry,
                         uint64_t total_bytes, bool cut, uint8_t *block)
{
    const struct fly_worker *worker = task->worker;
    uint32_t bytes = 0, node = entry->node;
    bool known = node < worker->plan->node_cnt;
    add_text(block, &bytes, FLY_META_REASON,
             reason_text(known ? worker->nodes[node] : NULL, entry->reason));
    add_text(block, &bytes, FLY_META_NODE,
             known ? fly_plan_nodes(worker->plan)[node].name : task->plan->name);
    add_text(block, &bytes, FLY_META_SOURCE, task->plan->name);
    uint32_t attempts = atomic_load_explicit(&entry->attempts, memory_order_relaxed);
    uint32_t limit = task->plan->delivery.attempts;
    add_number(block, &bytes, FLY_META_ATTEMPTS,
               attempts > 1 ? (attempts - 1 < limit ? attempts - 1 : limit) : 1);
    add_number(block, &bytes, FLY_META_ID, atomic_load_explicit(&entry->id, memory_order_relaxed));
    if (cut)
        add_number(block, &bytes, FLY_META_BYTES, total_bytes);
    add_time(block, &bytes);
    return bytes;
}

/* The beginning of a message that is too large for the dead-letter edge. */
static void cut_to_fit(const struct fly_rt_task *task, struct fly_content *dead)
{
    uint32_t limit = task->port[task->dead_port].max_bytes;
    uint32_t room = limit > META_MAX ? limit - META_MAX : 0;
    uint32_t most = room < BEGINNING_BYTES ? room : BEGINNING_BYTES;
    if ((uint64_t)dead->payload_bytes + dead->key_bytes + dead->meta_bytes <= limit)
        return;
    dead->payload_bytes = dead->payload_bytes < most ? dead->payload_bytes : most;
    dead->key = NULL;
    dead->key_bytes = 0;
    dead->flags &= ~(uint32_t)FLY_MSG_JSON;
}

void fly_emit_dead_letter(struct fly_rt_task *task, struct fly_root_entry *entry,
                          const struct fly_content *content, uint64_t total_bytes)
{
    uint8_t meta[META_MAX];
    struct fly_content dead = *content;
    dead.meta = meta;
    dead.flags = (content->flags & (uint32_t)FLY_MSG_JSON) | FLY_MSG_DEAD_LETTER;
    dead.meta_bytes = describe(task, entry, total_bytes, true, meta);
    cut_to_fit(task, &dead);
    dead.meta_bytes = describe(task, entry, total_bytes, total_bytes != dead.payload_bytes, meta);
    fly_port_copy(task, task->dead_port, &entry->anchor, &dead);
}

void fly_emit_attempt(struct fly_rt_task *task, uint32_t port, struct fly_root root,
                      const struct fly_content *content)
{
    struct fly_root_entry *entry = fly_root_again(task, root);
    if (!entry)
        return;
    if (fly_root_flags(entry) & FLY_ROOT_DEAD)
        fly_emit_dead_letter(task, entry, content, content->payload_bytes);
    else
        fly_port_copy(task, port, &entry->anchor, content);
}
