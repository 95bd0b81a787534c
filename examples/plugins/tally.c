/* tally.c - a sink: adds up messages and bytes, and writes one line about them when all is over.
 *
 * Shows what a sink does: a parameter that is required, work in setup that may fail and is refused
 * with a clear sentence, finish, teardown.
 */
#include <errno.h>
#include <flyover/stage.h>
#include <stdio.h>

struct tally {
    struct fly_string path;

    FILE *file;
    uint64_t message_cnt, byte_cnt;
};

static int tally_setup(struct fly_task *task, void *self)
{
    struct tally *tally = self;
    char why[128];
    tally->file = fopen(tally->path.text, "w");
    if (tally->file)
        return 0;
    snprintf(why, sizeof(why), "it can't be written: %s", strerror(errno));
    return fly_task_refuse(task, "path", why);
}

static void tally_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    struct tally *tally = self;
    (void)task;
    tally->message_cnt += batch->cnt;
    for (uint32_t i = 0; i < batch->cnt; i++)
        tally->byte_cnt += batch->msg[i].payload_bytes;
}

static void tally_finish(struct fly_task *task, void *self)
{
    struct tally *tally = self;
    (void)task;
    fprintf(tally->file, "%llu messages, %llu bytes\n", (unsigned long long)tally->message_cnt,
            (unsigned long long)tally->byte_cnt);
    fflush(tally->file);
}

static void tally_teardown(struct fly_task *task, void *self)
{
    struct tally *tally = self;
    (void)task;
    if (tally->file)
        fclose(tally->file);
}

static const struct fly_param tally_params[] = {
    {.name = "path",
     .type = FLY_PARAM_PATH,
     .at = offsetof(struct tally, path),
     .required = true,
     .help = "Where to write the line."},
    {0},
};

static const struct fly_node tally_node = {
    .name = "tally",
    .kind = FLY_SINK,
    .tasks_preset = 1,
    .tasks_max = 1,
    .help = "Adds up messages and bytes.",
    .example = "sum: {type: tally, inputs: [lines], path: tally.txt}",
    .params = tally_params,
    .self_bytes = sizeof(struct tally),
    .setup = tally_setup,
    .process = tally_process,
    .finish = tally_finish,
    .teardown = tally_teardown,
};

static const struct fly_node *const nodes[] = {&tally_node, NULL};

const struct fly_plugin fly_plugin = {FLY_PLUGIN_ABI, "tally", "1.0", nodes};
