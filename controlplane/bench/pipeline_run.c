#include "bench/pipeline_run.h"

#include "base/err.h"
#include "config/pipeline.h"
#include "supervise/run.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The loader reads files: this one is in memory only. */
static int load(const struct fly_pipeline_job *job, struct fly_pipeline **pipeline)
{
    char path[64];
    size_t bytes = strlen(job->yaml);
    int fd = memfd_create("pipeline", MFD_CLOEXEC);
    if (fd < 0 || write(fd, job->yaml, bytes) != (ssize_t)bytes) {
        fprintf(stderr, "error: no memory for a pipeline: %s\n", strerror(errno));
        if (fd >= 0)
            close(fd);
        return FLY_EXIT_LATER;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    const struct fly_config_request request = {
        .file = &(const char *){path},
        .file_cnt = 1,
        .builtin = job->builtin,
        .level = FLY_CONFIG_FILES,
        .no_environment = true,
    };
    struct fly_diagnostics *diags = fly_diag_create();
    int rc = fly_config_load(&request, pipeline, diags);
    if (rc)
        fly_diag_print(diags, stderr, false);
    fly_diag_destroy(diags);
    close(fd);
    return rc ? FLY_EXIT_CONFIG : 0;
}

static uint64_t number(const json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

/* Every message acked, at the first try; else said why not. */
static int check_source(const json_t *source)
{
    uint64_t in = number(source, "in"), acked = number(source, "acked");
    if (in == acked && number(source, "retried") == 0)
        return 0;
    fprintf(stderr, "error: of %llu messages %llu were acked: this result is void\n",
            (unsigned long long)in, (unsigned long long)acked);
    return FLY_EXIT_FAILED;
}

static int read_summary(const struct fly_pipeline_job *job, const char *text, size_t bytes,
                        struct fly_pipeline_figures *figures)
{
    json_t *summary = json_loadb(text, bytes, JSON_DISABLE_EOF_CHECK, NULL);
    const json_t *source = json_object_get(json_object_get(summary, "sources"), job->source);
    const json_t *counted = json_object_get(json_object_get(summary, "nodes"), job->counted);
    const json_t *latency = json_object_get(source, "latency_ns");
    const char *outcome = json_string_value(json_object_get(summary, "outcome"));
    *figures = (struct fly_pipeline_figures){
        .ended = outcome && strcmp(outcome, "ended") == 0,
        .seconds = json_number_value(json_object_get(summary, "seconds")),
        .acked = number(source, "acked"),
        .counted_in = number(counted, "in"),
        .p50_ns = number(latency, "p50"),
        .p99_ns = number(latency, "p99"),
        .p999_ns = number(latency, "p999"),
    };
    int code = figures->ended ? check_source(source) : FLY_EXIT_OK;
    json_decref(summary);
    return code;
}

int fly_pipeline_run(const struct fly_pipeline_job *job, struct fly_pipeline_figures *figures)
{
    struct fly_pipeline *pipeline;
    char *text = NULL;
    size_t bytes = 0;
    int code = load(job, &pipeline);
    if (code)
        return code;
    FILE *summary = open_memstream(&text, &bytes);
    if (!summary) {
        fly_pipeline_destroy(pipeline);
        fprintf(stderr, "error: no memory for a summary\n");
        return FLY_EXIT_LATER;
    }
    const struct fly_run_options options = {
        .cores = job->cores,
        .json = true,
        .opt_summary = summary,
        .progress = FLY_PROGRESS_NEVER,
        .log_level = FLY_LOG_WARNING,
    };
    code = fly_run_pipeline(pipeline, &options);
    fclose(summary);
    if (!code)
        code = read_summary(job, text, bytes, figures);
    free(text);
    fly_pipeline_destroy(pipeline);
    return code;
}
