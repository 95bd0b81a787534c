/* Conditions on payloads, and the stages that have ports by them: filter and route. */
#include "stages/match.h"
#include "stages/stages.h"

#include "support/fake_task.h"
#include "support/unit.h"

struct filter_params {
    struct fly_match_params match;
    bool negate;
};

static struct fly_string text(const char *text)
{
    return (struct fly_string){text, (uint32_t)strlen(text)};
}

static struct fake_task *filter_of(struct filter_params params)
{
    union {
        struct filter_params params;
        uint8_t bytes[512];
    } self = {.params = params};
    assert_true(fly_filter_node.self_bytes <= sizeof(self));
    return fake_task_create(&fly_filter_node, &self);
}

static void refuses(struct fly_match_params match, const char *param, const char *why)
{
    struct fake_task *fake = filter_of((struct filter_params){.match = match});
    assert_int_equal(fake_setup(fake), -1);
    assert_string_equal(fake->refused_param, param);
    if (!strstr(fake->refused_why, why))
        fail_msg("\"%s\" lacks \"%s\"", fake->refused_why, why);
    fake_task_destroy(fake);
}

static void refuses_none_several_and_bad_conditions(void **state)
{
    (void)state;
    refuses((struct fly_match_params){.equals = {"", 0}}, "", "no condition");
    refuses((struct fly_match_params){.contains = text("a"), .equals = text("b")}, "",
            "more than one");
    refuses((struct fly_match_params){.matches = text("a(b")}, "matches",
            "missing closing parenthesis, at character 4");
    refuses((struct fly_match_params){.field = text("a..b"), .equals = text("b")}, "field",
            "not a path");
    refuses((struct fly_match_params){.field = text("a")}, "", "no condition");
}

static void expect_port(struct filter_params params, const char *payload, const char *port)
{
    struct fake_task *fake = filter_of(params);
    assert_int_equal(fake_setup(fake), 0);
    fake_send(fake, payload);
    assert_int_equal(fake->out_cnt, 1);
    fake_expect(fake, 0, fake_port(fake, port), payload);
    fake_task_destroy(fake);
}

static void filter_sends_by_condition(void **state)
{
    struct filter_params contains = {.match = {.contains = text("ERR")}};
    struct filter_params equals = {.match = {.equals = text("ERR")}};
    struct filter_params matches = {.match = {.matches = text("^E+R$")}};
    struct filter_params negated = {.match = {.contains = text("ERR")}, .negate = true};
    (void)state;
    expect_port(contains, "an ERR here", "out");
    expect_port(contains, "an ER here", "rest");
    expect_port(equals, "ERR", "out");
    expect_port(equals, "ERRO", "rest");
    expect_port(matches, "EEER", "out");
    expect_port(matches, "EEERR", "rest");
    expect_port(negated, "ERR", "rest");
    expect_port(negated, "", "out");
}

static void filter_looks_at_a_field(void **state)
{
    struct filter_params equals = {.match = {.field = text("a.b"), .equals = text("x\"y")}};
    struct filter_params contains = {.match = {.field = text("a"), .contains = text("1,2")}};
    struct filter_params number = {.match = {.field = text("n"), .equals = text("1.0")}};
    struct filter_params negated = number;
    negated.negate = true;
    (void)state;
    expect_port(equals, "{\"a\":{\"b\":\"x\\\"y\"}}", "out");
    expect_port(equals, "{\"a\":{\"b\":\"x\"}}", "rest");
    expect_port(equals, "{\"a\":\"x\\\"y\"}", "rest");
    expect_port(contains, "{\"a\":[1, 2]}", "out");
    expect_port(number, "{\"n\":1.0}", "out");
    expect_port(number, "{\"n\":1}", "rest");
    expect_port(negated, "{\"n\":1}", "out");
    expect_port(negated, "{}", "out");
}

static void filter_by_field_fails_what_is_not_json(void **state)
{
    (void)state;
    struct fake_task *fake =
        filter_of((struct filter_params){.match = {.field = text("a"), .equals = text("x")}});
    assert_int_equal(fake_setup(fake), 0);
    uint64_t input = fake_send(fake, "{\"a\":\"x\"");
    assert_int_equal(fake->out_cnt, 0);
    assert_int_equal(fake->input[input].reason, FLY_REASON_BAD_INPUT);
    fake_task_destroy(fake);
}

static void filter_keeps_key_metadata_and_flags(void **state)
{
    uint8_t payload[64] = "ERR";
    uint32_t meta_bytes = 0;
    (void)state;
    assert_int_equal(fly_meta_add(payload + 3, 61, &meta_bytes, text("reason"), text("why")), 0);
    struct fly_msg msg = fake_msg(payload, 3);
    msg.key = (const uint8_t *)"k";
    msg.key_bytes = 1;
    msg.meta_bytes = meta_bytes;
    msg.flags = FLY_MSG_DEAD_LETTER;
    struct fake_task *fake = filter_of((struct filter_params){.match = {.equals = text("ERR")}});
    assert_int_equal(fake_setup(fake), 0);
    fake_process(fake, &msg, 1);
    assert_int_equal(fake->out[0].msg.flags, FLY_MSG_DEAD_LETTER);
    assert_int_equal(fake->out[0].msg.meta_bytes, meta_bytes);
    assert_memory_equal(fake->out[0].msg.payload, payload, 3 + meta_bytes);
    assert_memory_equal(fake->out[0].msg.key, "k", 1);
    fake_task_destroy(fake);
}

static void expression_that_runs_away_fails_the_message(void **state)
{
    char payload[64];
    (void)state;
    memset(payload, 'a', sizeof(payload));
    struct fly_msg msg = fake_msg(payload, sizeof(payload));
    struct fake_task *fake =
        filter_of((struct filter_params){.match = {.matches = text("^(a+a+)+(a+a+)+b")}});
    assert_int_equal(fake_setup(fake), 0);
    uint64_t input = fake_process(fake, &msg, 1);
    if (fake->out_cnt == 0) /* what PCRE2 finds out early is no match */
        assert_int_equal(fake->input[input].reason, FLY_REASON_BAD_INPUT);
    fake_task_destroy(fake);
}

static struct fake_task *route_of(const struct fly_string *name, const struct fly_match_params *row,
                                  uint32_t cnt)
{
    union {
        struct fly_table ports;
        uint8_t bytes[512];
    } self = {.ports = {.name = name, .row = row, .cnt = cnt}};
    assert_true(fly_route_node.self_bytes <= sizeof(self));
    struct fake_task *fake = fake_task_create(&fly_route_node, &self);
    for (uint32_t i = 0; i < cnt; i++)
        fake_add_port(fake, name[i].text);
    return fake;
}

static void route_refuses_no_ports_and_a_port_of_the_rest(void **state)
{
    struct fly_string name[] = {text("good"), text("otherwise")};
    struct fly_match_params row[] = {{.equals = text("a")}, {.equals = text("b")}};
    (void)state;
    struct fake_task *fake = route_of(name, row, 0);
    assert_int_equal(fake_setup(fake), -1);
    assert_string_equal(fake->refused_param, "ports");
    fake_task_destroy(fake);
    fake = route_of(name, row, 2);
    assert_int_equal(fake_setup(fake), -1);
    assert_string_equal(fake->refused_param, "ports.otherwise");
    fake_task_destroy(fake);
    row[0] = (struct fly_match_params){.matches = text("[")};
    fake = route_of(name, row, 1);
    assert_int_equal(fake_setup(fake), -1);
    assert_string_equal(fake->refused_param, "ports.good.matches");
    fake_task_destroy(fake);
}

static void route_takes_the_first_condition_that_is_met(void **state)
{
    struct fly_string name[] = {text("errors"), text("slow")};
    struct fly_match_params row[] = {{.contains = text("ERROR")}, {.matches = text("[0-9]{3}ms")}};
    (void)state;
    struct fake_task *fake = route_of(name, row, 2);
    assert_int_equal(fake_setup(fake), 0);
    fake_send(fake, "ERROR after 200ms");
    fake_send(fake, "fine after 200ms");
    fake_send(fake, "fine after 20ms");
    fake_expect(fake, 0, fake_port(fake, "errors"), "ERROR after 200ms");
    fake_expect(fake, 1, fake_port(fake, "slow"), "fine after 200ms");
    fake_expect(fake, 2, fake_port(fake, "otherwise"), "fine after 20ms");
    fake_task_destroy(fake);
}

static void route_looks_at_fields_in_one_pass(void **state)
{
    struct fly_string name[] = {text("views"), text("large"), text("other")};
    struct fly_match_params row[] = {{.field = text("type"), .equals = text("view")},
                                     {.field = text("bytes"), .matches = text("^[0-9]{4,}$")},
                                     {.field = text("type"), .contains = text("c")}};
    (void)state;
    struct fake_task *fake = route_of(name, row, 3);
    assert_int_equal(fake_setup(fake), 0);
    fake_send(fake, "{\"type\":\"view\",\"bytes\":5000}");
    fake_send(fake, "{\"bytes\":5000}");
    fake_send(fake, "{\"type\":\"click\",\"bytes\":50}");
    fake_send(fake, "[]");
    uint64_t broken = fake_send(fake, "type: view");
    assert_int_equal(fake->out_cnt, 4);
    assert_int_equal(fake->out[0].port, fake_port(fake, "views"));
    assert_int_equal(fake->out[1].port, fake_port(fake, "large"));
    assert_int_equal(fake->out[2].port, fake_port(fake, "other"));
    assert_int_equal(fake->out[3].port, fake_port(fake, "otherwise"));
    assert_int_equal(fake->input[broken].reason, FLY_REASON_BAD_INPUT);
    fake_task_destroy(fake);
}

static void route_refuses_too_many_fields(void **state)
{
    struct fly_string name[17];
    struct fly_match_params row[17];
    (void)state;
    for (int i = 0; i < 17; i++) {
        name[i] = text("p");
        row[i] = (struct fly_match_params){.field = text("a"), .equals = text("b")};
    }
    struct fake_task *fake = route_of(name, row, 1);
    ((struct fly_table *)fake->self)->cnt = 17;
    assert_int_equal(fake_setup(fake), -1);
    assert_string_equal(fake->refused_param, "ports");
    fake_task_destroy(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_none_several_and_bad_conditions),
        cmocka_unit_test(filter_sends_by_condition),
        cmocka_unit_test(filter_looks_at_a_field),
        cmocka_unit_test(filter_by_field_fails_what_is_not_json),
        cmocka_unit_test(filter_keeps_key_metadata_and_flags),
        cmocka_unit_test(expression_that_runs_away_fails_the_message),
        cmocka_unit_test(route_refuses_no_ports_and_a_port_of_the_rest),
        cmocka_unit_test(route_takes_the_first_condition_that_is_met),
        cmocka_unit_test(route_looks_at_fields_in_one_pass),
        cmocka_unit_test(route_refuses_too_many_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
