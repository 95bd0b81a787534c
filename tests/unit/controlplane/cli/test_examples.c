/* The built-in nodes' descriptors are sound, and each one's example is a node that loads. */
#include "config/pipeline.h"
#include "connectors/builtin.h"
#include "shm/plugin_load.h"
#include "support/unit.h"

#include "base/err.h"

static void test_descriptors_are_sound(void **state)
{
    (void)state;
    for (const struct fly_node *const *type = fly_builtin_nodes(); *type; type++) {
        if (fly_plugin_check_node(*type) != 0)
            fail_msg("%s", fly_err_text());
        assert_non_null((*type)->example);
        for (const struct fly_param *param = (*type)->params; param && param->name; param++) {
            if (!param->help || strlen(param->help) < 5)
                fail_msg("%s: '%s' has no help", (*type)->name, param->name);
        }
    }
}

/* Nodes that examples have as inputs. */
static const char FEEDERS[] =
    "lines words counts events router filtered requests messages load made timed";

/* A pipeline with the example in it, and whatever it reads. */
static void write_pipeline(FILE *file, const struct fly_node *type)
{
    char feeders[sizeof(FEEDERS)], *rest = NULL;
    size_t name_bytes = strcspn(type->example, ":");
    fprintf(file, "pipeline: example\nnodes:\n  %s\n", type->example);
    snprintf(feeders, sizeof(feeders), "%s", FEEDERS);
    for (char *name = strtok_r(feeders, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
        if (strlen(name) != name_bytes || memcmp(name, type->example, name_bytes) != 0)
            fprintf(file, "  %s: {type: generate}\n", name);
    }
}

static void test_examples_load(void **state)
{
    (void)state;
    for (const struct fly_node *const *type = fly_builtin_nodes(); *type; type++) {
        char path[] = "/tmp/flyover-example-XXXXXX", *findings = NULL;
        size_t bytes = 0;
        FILE *file = fdopen(mkstemp(path), "w");
        write_pipeline(file, *type);
        fclose(file);
        const char *files[] = {path};
        struct fly_config_request request = {
            .file = files, .file_cnt = 1, .builtin = fly_builtin_nodes()};
        struct fly_diagnostics *diags = fly_diag_create();
        struct fly_pipeline *pipeline;
        int rc = fly_config_load(&request, &pipeline, diags);
        FILE *memory = open_memstream(&findings, &bytes);
        fly_diag_print(diags, memory, false);
        fclose(memory);
        unlink(path);
        if (rc != 0)
            fail_msg("the example of %s:\n%s", (*type)->name, findings);
        assert_ptr_equal(pipeline->node[0].type, *type);
        free(findings);
        fly_pipeline_destroy(pipeline);
        fly_diag_destroy(diags);
    }
}

static void test_wordcount_loads(void **state)
{
    (void)state;
    const char *files[] = {FLY_TEST_SOURCE_ROOT "/examples/wordcount.yaml"};
    struct fly_config_request request = {
        .file = files, .file_cnt = 1, .builtin = fly_builtin_nodes()};
    struct fly_diagnostics *diags = fly_diag_create();
    struct fly_pipeline *pipeline;
    assert_int_equal(fly_config_load(&request, &pipeline, diags), 0);
    assert_string_equal(pipeline->name, "wordcount");
    assert_int_equal(fly_diag_warning_cnt(diags), 0);
    fly_pipeline_destroy(pipeline);
    fly_diag_destroy(diags);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptors_are_sound),
        cmocka_unit_test(test_examples_load),
        cmocka_unit_test(test_wordcount_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
