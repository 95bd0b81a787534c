/* A plugin as it should be: one stage. */
#include <flyover/plugin.h>

static void process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    (void)task, (void)self, (void)batch;
}

static const struct fly_node twist_node = {
    .name = "twist", .kind = FLY_STAGE, .help = "Twists messages.", .process = process};

static const struct fly_node *const nodes[] = {&twist_node, NULL};

__attribute__((visibility("default"))) const struct fly_plugin fly_plugin = {
    FLY_PLUGIN_ABI, .name = "good", .version = "1.0", .nodes = nodes};
