/* Plugins with one thing wrong each: BAD says what. */
#include <flyover/plugin.h>

#define OTHER_ABI 1
#define OTHER_SIZE 2
#define NO_NODES 3
#define NAME_TAKEN 4
#define OPTION_HIDDEN 5
#define NO_SYMBOL 6
#define OUTSIDE_STRUCT 7

static void process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    (void)task, (void)self, (void)batch;
}

static const struct fly_param params[] = {
    {.name = BAD == OPTION_HIDDEN ? "tasks" : "limit",
     .type = FLY_PARAM_UINT,
     .at = BAD == OUTSIDE_STRUCT ? 1 : 0,
     .help = "Some number."},
    {.name = NULL},
};

static const struct fly_node node = {.name = BAD == NAME_TAKEN ? "pass" : "bad",
                                     .kind = FLY_STAGE,
                                     .help = "Is bad.",
                                     .params = params,
                                     .self_bytes = sizeof(uint64_t),
                                     .process = process};

static const struct fly_node *const nodes[] = {BAD == NO_NODES ? NULL : &node, NULL};

#if BAD == NO_SYMBOL
#define SYMBOL fly_other
#else
#define SYMBOL fly_plugin
#endif
extern const struct fly_plugin SYMBOL;

__attribute__((visibility("default"))) const struct fly_plugin SYMBOL = {
    .abi_version = BAD == OTHER_ABI ? FLY_ABI_VERSION + 1 : FLY_ABI_VERSION,
    .plugin_bytes = sizeof(struct fly_plugin),
    .node_bytes = sizeof(struct fly_node) + (BAD == OTHER_SIZE ? 8 : 0),
    .param_bytes = sizeof(struct fly_param),
    .msg_bytes = sizeof(struct fly_msg),
    .name = "bad",
    .version = "1.0",
    .nodes = nodes,
};
