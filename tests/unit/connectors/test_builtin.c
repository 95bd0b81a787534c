/* The table of built-in nodes, and what every entry of it must have. */
#include "connectors/builtin.h"

#include "support/unit.h"

static void check_param(const struct fly_node *node, const struct fly_param *param, size_t bytes)
{
    if (!param->help || param->at >= bytes)
        fail_msg("%s: parameter '%s' lacks help, or lies beyond its struct", node->name,
                 param->name);
    if ((param->type == FLY_PARAM_ENUM) != (param->choices != NULL))
        fail_msg("%s: '%s' has choices and is no enum, or the reverse", node->name, param->name);
    if (param->required && param->preset)
        fail_msg("%s: '%s' is required and has a preset", node->name, param->name);
    for (const struct fly_param *row = param->row; row && row->name; row++)
        check_param(node, row, param->row_bytes);
}

static void check_node(const struct fly_node *node)
{
    if (!node->help || !node->example || !strstr(node->example, node->name))
        fail_msg("%s lacks help or an example of itself", node->name);
    for (const struct fly_param *param = node->params; param && param->name; param++)
        check_param(node, param, node->self_bytes);
    assert_int_equal(node->poll != NULL, node->kind == FLY_SOURCE);
    assert_int_equal(node->process != NULL, node->kind != FLY_SOURCE);
    if (node->completes == FLY_EXPLICIT)
        assert_true(node->holds);
    if (node->replay)
        assert_non_null(node->restore);
}

static void every_node_is_complete(void **state)
{
    (void)state;
    for (const struct fly_node *const *node = fly_builtin_nodes(); *node; node++)
        check_node(*node);
}

static void names_are_unique_within_a_kind(void **state)
{
    const struct fly_node *const *nodes = fly_builtin_nodes();
    (void)state;
    for (size_t i = 0; nodes[i]; i++)
        for (size_t k = 0; k < i; k++)
            if (nodes[i]->kind == nodes[k]->kind && strcmp(nodes[i]->name, nodes[k]->name) == 0)
                fail_msg("two nodes '%s' of one kind", nodes[i]->name);
}

static void all_promised_nodes_are_there(void **state)
{
    static const char *const promised[] = {
        "file",   "generate", "stdin",        "batch", "count",      "delay",
        "filter", "identity", "inject_fault", "map",   "parse_json", "route",
        "select", "split",    "throttle",     "drop",  "stdout",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(promised) / sizeof(promised[0]); i++) {
        const struct fly_node *const *node = fly_builtin_nodes();
        while (*node && strcmp((*node)->name, promised[i]) != 0)
            node++;
        if (!*node)
            fail_msg("no node '%s'", promised[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_is_complete),
        cmocka_unit_test(names_are_unique_within_a_kind),
        cmocka_unit_test(all_promised_nodes_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
