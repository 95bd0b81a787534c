/* unique.c - a stage: passes a key's first message on and takes the others out, by a port of their
 * own.
 *
 * Shows what a stage does: take batches, keep per-task memory of a fixed size, use several ports,
 * fail a message. It remembers keys by a hash of 64 bits, so once in a very long while it takes a
 * new key for a known one.
 */
#include <flyover/stage.h>

struct unique {
    uint32_t fresh, repeated; /* ports */
    uint64_t *seen;           /* open addressing; 0: empty */
    uint64_t seen_max, seen_cnt;
};

enum { REASON_NO_KEY = FLY_REASON_NODE };

static uint64_t hash_of(const struct fly_msg *msg)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (uint32_t i = 0; i < msg->key_bytes; i++)
        hash = (hash ^ msg->key[i]) * UINT64_C(1099511628211);
    return hash ? hash : 1;
}

/* 1: it is new and now known. 0: it was known. -1: it is new and there is no room. */
static int remember(struct unique *unique, uint64_t hash)
{
    uint64_t at = hash % unique->seen_max;
    while (unique->seen[at] != 0) {
        if (unique->seen[at] == hash)
            return 0;
        at = (at + 1) % unique->seen_max;
    }
    if (unique->seen_cnt >= unique->seen_max / 4 * 3)
        return -1;
    unique->seen[at] = hash;
    unique->seen_cnt++;
    return 1;
}

static void unique_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    struct unique *unique = self;
    for (uint32_t i = 0; i < batch->cnt; i++) {
        const struct fly_msg *msg = &batch->msg[i];
        if (!msg->key) {
            fly_fail(task, msg, REASON_NO_KEY);
            continue;
        }
        int is_new = remember(unique, hash_of(msg));
        if (is_new < 0)
            fly_fail(task, msg, FLY_REASON_STATE_FULL);
        else
            fly_forward(task, is_new ? unique->fresh : unique->repeated, msg);
    } /* returning acks the inputs that were not failed */
}

static int unique_setup(struct fly_task *task, void *self)
{
    struct unique *unique = self;
    uint64_t bytes = 0;
    unique->seen = fly_task_state(task, &bytes);
    unique->seen_max = bytes / sizeof(uint64_t);
    if (!unique->seen || unique->seen_max < 8)
        return fly_task_refuse(task, "state_bytes", "at least 64 bytes are needed");
    if (fly_task_port(task, "out", &unique->fresh))
        return -1;
    return fly_task_port(task, "repeated", &unique->repeated);
}

static const char *const unique_ports[] = {"out", "repeated", NULL};
static const char *const unique_reasons[] = {"no_key", NULL};

static const struct fly_node unique_node = {
    .name = "unique",
    .kind = FLY_STAGE,
    .keyed_state = true,
    .help = "Passes the first message of each key on; later ones leave by port `repeated`.",
    .example = "firsts: {type: unique, inputs: [{from: words, grouping: key}]}",
    .ports = unique_ports,
    .reasons = unique_reasons,
    .self_bytes = sizeof(struct unique),
    .setup = unique_setup,
    .process = unique_process,
};

static const struct fly_node *const nodes[] = {&unique_node, NULL};

const struct fly_plugin fly_plugin = {FLY_PLUGIN_ABI, "unique", "1.0", nodes};
