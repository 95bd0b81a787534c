/* stdout.c - records on standard output. */
#include "connectors/common/gather.h"
#include "connectors/stdio/stdio_nodes.h"

#include <unistd.h>

struct stdout_sink {
    uint32_t codec; /* enum fly_codec */
    uint64_t flush_ns;
    uint64_t buffer_bytes;

    struct fly_gather gather;
};

static int stdout_setup(struct fly_task *task, void *self)
{
    struct stdout_sink *out = self;
    struct fly_gather_config config = {
        .codec = (enum fly_codec)out->codec,
        .buffer_bytes = (uint32_t)out->buffer_bytes,
        .flush_ns = out->flush_ns,
    };
    if (fly_gather_init(&out->gather, task, &config))
        return fly_task_refuse(task, "buffer_bytes", "there is no memory for its buffers");
    fly_gather_open(&out->gather, STDOUT_FILENO, UINT64_MAX);
    return 0;
}

static void stdout_process(struct fly_task *task, void *self, const struct fly_batch *batch)
{
    struct stdout_sink *out = self;
    (void)task;
    fly_gather_process(&out->gather, batch);
}

static void stdout_tick(struct fly_task *task, void *self)
{
    struct stdout_sink *out = self;
    (void)task;
    fly_gather_tick(&out->gather);
}

static void stdout_io_done(struct fly_task *task, void *self, uint64_t tag, int32_t result)
{
    struct stdout_sink *out = self;
    (void)task;
    (void)tag;
    fly_gather_io_done(&out->gather, result);
}

static const struct fly_param stdout_params[] = {
    {.name = "codec",
     .type = FLY_PARAM_ENUM,
     .at = offsetof(struct stdout_sink, codec),
     .preset = "raw",
     .choices = fly_codec_names,
     .help = "What a record is: the payload and a newline, a line of JSON, or a msgpack map."},
    {.name = "flush",
     .type = FLY_PARAM_DURATION,
     .at = offsetof(struct stdout_sink, flush_ns),
     .preset = "2ms",
     .min = 1e5,
     .max = 1e11,
     .help = "How long a record waits for others to be written with."},
    {.name = "buffer_bytes",
     .type = FLY_PARAM_SIZE,
     .at = offsetof(struct stdout_sink, buffer_bytes),
     .preset = "2MiB",
     .min = 4096,
     .max = 1u << 30,
     .help = "Size of each of its two buffers; a record that is larger fails."},
    {0},
};

const struct fly_node fly_stdout_node = {
    .name = "stdout",
    .kind = FLY_SINK,
    .completes = FLY_EXPLICIT,
    .holds = true,
    .tasks_preset = 1,
    .tasks_max = 1,
    .help = "Writes messages to standard output; each is acked when it is written.",
    .example = "show: {type: stdout, inputs: [counts], codec: json}",
    .params = stdout_params,
    .self_bytes = sizeof(struct stdout_sink),
    .setup = stdout_setup,
    .process = stdout_process,
    .tick = stdout_tick,
    .io_done = stdout_io_done,
};
