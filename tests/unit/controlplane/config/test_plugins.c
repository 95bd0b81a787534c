/* Plugins of a pipeline: what loads, and a clear sentence for each that does not. */
#include "base/err.h"
#include "shm/plugin_load.h"
#include "unit/controlplane/config/load.h"

#include <errno.h>

/* Where the plugins are built, from this program's place. */
static const char *plugin_folder(void)
{
    static char path[512];
    ssize_t bytes = readlink("/proc/self/exe", path, sizeof(path) - 1);
    assert_true(bytes > 0);
    path[bytes] = '\0';
    char *name = strrchr(path, '/');
    snprintf(name, sizeof(path) - (size_t)(name - path), "/controlplane/config");
    return path;
}

static struct loaded load_plugin(const char *name, const char *nodes)
{
    char text[1024];
    snprintf(text, sizeof(text), "pipeline: p\nplugins: [%s/%s]\nnodes:\n  s: {type: gen}\n%s",
             plugin_folder(), name, nodes);
    return load_text(text);
}

static void refuses(const char *name, const char *findings)
{
    struct loaded loaded = load_plugin(name, "  d: {type: drop, inputs: [s]}\n");
    assert_int_equal(loaded.rc, -EINVAL);
    expect_findings(loaded.findings, "a.yaml:2:10: error: ");
    expect_findings(loaded.findings, findings);
    loaded_free(&loaded);
}

static void test_a_plugin_that_is_not_there(void **state)
{
    (void)state;
    refuses("nope.so", "nope.so: No such file or directory\n");
}

static void test_a_plugin_that_does_not_load(void **state)
{
    (void)state;
    struct loaded loaded =
        load_text("pipeline: p\nplugins: /etc/passwd\nnodes:\n  s: {type: gen}\n");
    expect_findings(loaded.findings, "cannot load plugin /etc/passwd: /etc/passwd: ");
    loaded_free(&loaded);
}

static void test_a_library_that_is_no_plugin(void **state)
{
    (void)state;
    refuses("plugin_bad_6.so", "is not a Flyover plugin: it exports no 'fly_plugin'\n");
}

static void test_another_abi(void **state)
{
    (void)state;
    refuses("plugin_bad_1.so", "was built for ABI 2, this is ABI 1\n");
    refuses("plugin_bad_1.so", "hint: build it again with this version's headers");
}

static void test_another_struct_size(void **state)
{
    (void)state;
    char expected[128];
    snprintf(expected, sizeof(expected), "has a struct fly_node of %zu bytes, here it has %zu\n",
             sizeof(struct fly_node) + 8, sizeof(struct fly_node));
    refuses("plugin_bad_2.so", expected);
}

static void test_a_plugin_without_nodes(void **state)
{
    (void)state;
    refuses("plugin_bad_3.so", "has no name, no version or no nodes\n");
}

static void test_a_name_that_is_taken(void **state)
{
    (void)state;
    refuses("plugin_bad_4.so",
            "the stage 'pass' of plugin 'bad' has a name that Flyover itself uses already\n");
}

static void test_a_parameter_that_hides_an_option(void **state)
{
    (void)state;
    refuses("plugin_bad_5.so", "node 'bad' of plugin 'bad' has a parameter 'tasks': all nodes have "
                               "a key of that name\n");
}

static void test_a_parameter_outside_its_struct(void **state)
{
    (void)state;
    refuses("plugin_bad_7.so",
            "parameter 'limit' of node 'bad' lies outside its struct of 8 bytes\n");
}

static void test_a_good_plugin(void **state)
{
    (void)state;
    struct loaded loaded = load_plugin("plugin_good.so", "  t: {type: twist, inputs: [s]}\n"
                                                         "  d: {type: drop, inputs: [t]}\n");
    if (loaded.rc)
        fail_msg("%s", loaded.findings);
    assert_string_equal(loaded.pipeline->node[1].type->name, "twist");
    assert_int_equal(loaded.pipeline->options.plugins.cnt, 1);
    loaded_free(&loaded);
}

/* The checks of a descriptor that no plugin above breaks. */
static void test_descriptors_with_one_thing_wrong(void **state)
{
    (void)state;
    static const char *const BAD_PORTS[] = {"a.b", NULL};
    struct fly_param params[] = {test_all_params[0], test_all_params[0], {.name = NULL}};
    struct fly_node nodes[8];
    static const char *const EXPECTED[8] = {
        "a node has the name 'A'",        "has the unknown kind 7",
        "has no poll callback",           "has no help text",
        "has a port with the name 'a.b'", "which is no table of it",
        "has two parameters 'flag'",      "has no choices",
    };
    for (int i = 0; i < 8; i++)
        nodes[i] = test_gen_node;
    nodes[0].name = "A";
    nodes[1].kind = (enum fly_kind)7;
    nodes[2].poll = NULL;
    nodes[3].help = NULL;
    nodes[4].ports = BAD_PORTS;
    nodes[5].ports_from = "rules";
    nodes[6].params = params;
    nodes[6].self_bytes = sizeof(struct test_all);
    struct fly_param no_choices[] = {{.name = "x", .type = FLY_PARAM_ENUM}, {.name = NULL}};
    nodes[7].params = no_choices;
    nodes[7].self_bytes = 8;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(fly_plugin_check_node(&nodes[i]), -EINVAL);
        expect_findings(fly_err_text(), EXPECTED[i]);
    }
    for (const struct fly_node *const *node = test_config_nodes; *node; node++)
        assert_int_equal(fly_plugin_check_node(*node), 0);
    fly_plugin_close(&(struct fly_loaded_plugin){NULL, NULL});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_plugin_that_is_not_there),
        cmocka_unit_test(test_a_plugin_that_does_not_load),
        cmocka_unit_test(test_a_library_that_is_no_plugin),
        cmocka_unit_test(test_another_abi),
        cmocka_unit_test(test_another_struct_size),
        cmocka_unit_test(test_a_plugin_without_nodes),
        cmocka_unit_test(test_a_name_that_is_taken),
        cmocka_unit_test(test_a_parameter_that_hides_an_option),
        cmocka_unit_test(test_a_parameter_outside_its_struct),
        cmocka_unit_test(test_a_good_plugin),
        cmocka_unit_test(test_descriptors_with_one_thing_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
