/* fuzz_yaml.c - pipeline files of any content: they are refused or become a model, and nothing is
 * left.
 *
 * Input: the text of a file. The node types are those of the tests, which have every type of
 * parameter. */
#include "fuzz/fuzz.h"

#include "base/check.h"
#include "config/pipeline.h"
#include "support/config_nodes.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Every reference of a model must lead somewhere. */
static void walk(const struct fly_pipeline *pipeline)
{
    for (uint32_t i = 0; i < pipeline->node_cnt; i++) {
        const struct fly_pipeline_node *node = &pipeline->node[i];
        FLY_CHECK(node->type, "node '%s' has no type", node->name);
        FLY_CHECK(node->type->kind == FLY_SOURCE || node->input_cnt || node->gets_dead_letters,
                  "node '%s' gets nothing", node->name);
        for (uint32_t j = 0; j < node->input_cnt; j++) {
            const struct fly_pipeline_input *input = &node->input[j];
            FLY_CHECK(input->from_node < pipeline->node_cnt &&
                          input->from_port < pipeline->node[input->from_node].port_cnt,
                      "input %u of '%s' leads nowhere", j, node->name);
        }
        FLY_CHECK(node->dead_letters == FLY_PIPELINE_NONE ||
                      pipeline->node[node->dead_letters].type->kind != FLY_SOURCE,
                  "dead letters of '%s' go nowhere", node->name);
    }
}

static void print_findings(struct fly_diagnostics *diags)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *memory = open_memstream(&text, &bytes);
    FLY_CHECK(memory, "no memory");
    fly_diag_print(diags, memory, true);
    fly_diag_print_json(diags, memory);
    fclose(memory);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char path[64];
    int fd = memfd_create("pipeline", MFD_CLOEXEC);
    FLY_CHECK(fd >= 0 && write(fd, data, bytes) == (ssize_t)bytes, "cannot write the input");
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    const char *file = path;
    struct fly_config_request request = {
        .file = &file, .file_cnt = 1, .builtin = test_config_nodes, .no_environment = true};
    struct fly_diagnostics *diags = fly_diag_create();
    struct fly_pipeline *pipeline = NULL;
    int rc = fly_config_load(&request, &pipeline, diags);
    FLY_CHECK((rc == 0) == (pipeline != NULL) && (rc == 0) == (fly_diag_error_cnt(diags) == 0),
              "%u errors, but %d", fly_diag_error_cnt(diags), rc);
    if (pipeline)
        walk(pipeline);
    print_findings(diags);
    fly_pipeline_destroy(pipeline);
    fly_diag_destroy(diags);
    close(fd);
    return 0;
}
