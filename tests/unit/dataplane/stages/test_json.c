/* The JSON scanner, and the stages on it: parse_json and select. */
#include "stages/json_index.h"
#include "stages/json_scan.h"
#include "stages/match.h"
#include "stages/stages.h"

#include "support/fake_task.h"
#include "support/unit.h"

#include <jansson.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *seed >> 33;
}

static bool is_json(const char *text)
{
    return fly_json_scan((const uint8_t *)text, strlen(text), NULL, 0, NULL);
}

static void json_is_told_from_other_text(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "}",
        "[1,]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "01",
        "1.",
        ".5",
        "-",
        "+1",
        "1e",
        "1e+",
        "tru",
        "nulll",
        "\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"a\nb\"",
        "\"\xff\"",
        "1 2",
        "[1]]",
        "NaN",
        "\x01",
        "\"\\\"",
    };
    static const char *const good[] = {
        "0",
        "-0",
        "1.5e+10",
        "10E-2",
        "true",
        "false",
        "null",
        "\"\"",
        "[]",
        "{}",
        " [ 1 , 2 ] ",
        "{\"a\" : {\"b\":[{},[[]]]}}",
        "\"\\ud83d\\ude00 \\u0000 \\\\\"",
        "\t\r\n\"gr\xc3\xbc\xc3\x9f\"",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (is_json(bad[i]))
            fail_msg("'%s' is not JSON", bad[i]);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (!is_json(good[i]))
            fail_msg("'%s' is JSON", good[i]);
}

static void nesting_is_bounded(void **state)
{
    char text[2 * FLY_JSON_DEPTH_MAX + 4];
    (void)state;
    for (int depth = FLY_JSON_DEPTH_MAX; depth <= FLY_JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        text[(size_t)2 * (size_t)depth] = '\0';
        assert_int_equal(is_json(text), depth <= FLY_JSON_DEPTH_MAX);
    }
    for (int depth = FLY_JSON_DEPTH_MAX; depth <= FLY_JSON_DEPTH_MAX + 1; depth++) {
        char objects[6 * FLY_JSON_DEPTH_MAX + 16] = "";
        for (int i = 1; i < depth; i++)
            strncat(objects, "{\"\":", 5);
        strncat(objects, "{}", 3);
        memset(objects + strlen(objects), '}', (size_t)depth - 1);
        assert_int_equal(is_json(objects), depth <= FLY_JSON_DEPTH_MAX);
    }
}

/* The text at the end of a page, behind which there is none, cut anywhere. */
static void nothing_is_read_behind_the_text(void **state)
{
    static const char event[] = "{\"a\":\"b\",\"cc\":\"d\",\"e\":[true,false,null,-1.5e+3],"
                                "\"f\":\"\\u00e4\\ud83d\\ude00\xc3\xa4\",\"g\":\"\"}";
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct fly_json_path path;
    struct fly_json_value value;
    (void)state;
    uint8_t *at = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(at, MAP_FAILED);
    assert_int_equal(mprotect(at + page, page, PROT_NONE), 0);
    assert_int_equal(fly_json_path_parse(&path, "cc", 2), 0);
    for (size_t bytes = 0; bytes < sizeof(event); bytes++) {
        memcpy(at + page - bytes, event, bytes);
        assert_int_equal(fly_json_scan(at + page - bytes, bytes, &path, 1, &value),
                         bytes == sizeof(event) - 1);
    }
    munmap(at, 2 * page);
}

static void paths_have_steps(void **state)
{
    struct fly_json_path path;
    (void)state;
    assert_int_equal(fly_json_path_parse(&path, "", 0), -1);
    assert_int_equal(fly_json_path_parse(&path, "a..b", 4), -1);
    assert_int_equal(fly_json_path_parse(&path, "a.", 2), -1);
    assert_int_equal(fly_json_path_parse(&path, ".a", 2), -1);
    assert_int_equal(fly_json_path_parse(&path, "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a", 33), -1);
    assert_int_equal(fly_json_path_parse(&path, "items.0.id", 10), 0);
    assert_int_equal(path.step_cnt, 3);
    assert_int_equal(path.step[2].bytes, 2);
}

static void paths_may_have_brackets_and_quotes(void **state)
{
    static const char *const bad[] = {"a[",    "a[]",   "a[x]", "a[01]",        "a[1",  "\"a",
                                      "\"\"",  "a[1]b", "[1]x", "a.[1]",        "['a'", "['a]",
                                      "a[-1]", "'a'b",  "a]b[", "a[4294967295]"};
    struct fly_json_path path;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (fly_json_path_parse(&path, bad[i], strlen(bad[i])) == 0)
            fail_msg("'%s' is not a path", bad[i]);
    assert_int_equal(fly_json_path_parse(&path, "a[12].\"b.c\"['d[0]'].e", 22), 0);
    assert_int_equal(path.step_cnt, 5);
    assert_int_equal(path.step[1].element, 12);
    assert_true(path.step[1].only_element);
    assert_memory_equal(path.step[2].text, "b.c", 3);
    assert_int_equal(path.step[2].bytes, 3);
    assert_memory_equal(path.step[3].text, "d[0]", 4);
    assert_int_equal(path.step[3].element, FLY_JSON_NO_ELEMENT);
    assert_memory_equal(path.step[4].text, "e", 1);
}

/* The value at `path` as text; "-" where there is none. */
static void expect_at(const char *json, const char *path_text, const char *expected)
{
    uint8_t memory[200];
    struct fly_json_path path;
    struct fly_json_value value;
    struct fly_text text = {.at = memory, .max_bytes = sizeof(memory)};
    assert_int_equal(fly_json_path_parse(&path, path_text, strlen(path_text)), 0);
    assert_true(fly_json_scan((const uint8_t *)json, strlen(json), &path, 1, &value));
    if (value.kind == FLY_JSON_NONE)
        fly_text_literal(&text, "-");
    else
        fly_json_write(&value, &text);
    if (text.bytes != strlen(expected) || memcmp(memory, expected, text.bytes) != 0)
        fail_msg("%s of %s is %.*s, not %s", path_text, json, (int)text.bytes, (char *)memory,
                 expected);
}

static void values_are_found_by_path(void **state)
{
    (void)state;
    expect_at("{\"a\":{\"b\":[10,{\"c\":\"deep\"}]}}", "a.b.1.c", "deep");
    expect_at("{\"a\":{\"b\":[10, {\"c\": \"d e\"} ]}}", "a.b", "[10,{\"c\":\"d e\"}]");
    expect_at("{\"a\":true}", "a", "true");
    expect_at("{\"a\":1}", "b", "-");
    expect_at("{\"a\":1}", "a.b", "-");
    expect_at("[1,2]", "2", "-");
    expect_at("[1,2]", "01", "-");
    expect_at("{\"\\u0061\\\"\":\"x\\ty\"}", "a\"", "x\ty");
    expect_at("{\"a\":\"\\ud83d\\ude00\\u00e9\\u20ac\"}", "a",
              "\xf0\x9f\x98\x80\xc3\xa9\xe2\x82\xac");
    expect_at("{\"a\":[10,{\"0\":5}]}", "a[1].0", "5");
    expect_at("{\"a\":[10,{\"0\":5}]}", "a[1][0]", "-");
    expect_at("{\"a.b\":{\"c\":1},\"a\":{\"b\":2}}", "\"a.b\".c", "1");
    expect_at("[[1,2],[3,4]]", "[1][0]", "3");
    expect_at("{\"a\":\"x\",\"b\":\"y\",\"c\":\"z\"}", "b", "y");
    expect_at("{\"a\":\"x\",\"b\":\"y\",\"c\":\"z\"}", "b.c", "-");
    expect_at("{\"a name of 17 char\":1,\"a name of 17 chas\":2}", "a name of 17 chas", "2");
    expect_at("{\"a\":[1 ,\"]\\\" ,\", 2]}", "a", "[1,\"]\\\" ,\",2]");
}

static void last_of_equal_names_counts(void **state)
{
    (void)state;
    expect_at("{\"a\":1,\"a\":2}", "a", "2");
    expect_at("{\"a\":{\"b\":1},\"a\":{}}", "a.b", "-");
    expect_at("{\"a\":{\"b\":1},\"a\":3}", "a.b", "-");
    expect_at("{\"a\":{\"b\":1},\"a\":\"x\",\"c\":2}", "a.b", "-");
    expect_at("{\"a\":\"x\",\"a\":\"y\",\"c\":2}", "a", "y");
}

/* Texts that are cut by the windows in which they are scanned, at every place. */
static void windows_do_not_matter(void **state)
{
    static const char tail[] = "\"\\u00e4\xc3\xa4\\\\\" , \"k\" : [ -12.5e+3 "
                               ",true,{\"x\":\"\\ud83d\\ude00\"}],\"s\":\"t\",\"e\":\"f\"}";
    enum { BYTES = FLY_JSON_WINDOW_BYTES + 200 };
    static char text[BYTES];
    size_t first = FLY_JSON_WINDOW_BYTES - sizeof(tail) - 20;
    struct fly_json_path path[3];
    struct fly_json_value value[3];
    (void)state;
    assert_int_equal(fly_json_path_parse(&path[0], "k[2].x", 6), 0);
    assert_int_equal(fly_json_path_parse(&path[1], "s", 1), 0);
    assert_int_equal(fly_json_path_parse(&path[2], "k[0]", 4), 0);
    for (size_t fill = first; fill < first + 170; fill++) {
        size_t bytes =
            (size_t)snprintf(text, sizeof(text), "{\"a\":\"%*s\",\"b\":%s", (int)fill, "x", tail);
        if (!fly_json_scan((const uint8_t *)text, bytes, path, 3, value))
            fail_msg("with %zu bytes in front it is JSON, too", fill);
        assert_int_equal(value[0].bytes, 12);
        assert_true(value[0].escaped);
        assert_memory_equal(value[1].at, "t", 1);
        assert_memory_equal(value[2].at, "-12.5e+3 ", 9);
        assert_int_equal(value[2].bytes, 8);
        assert_false(fly_json_scan((const uint8_t *)text, bytes - 1, path, 3, value));
        text[bytes - 12] = '\n';
        assert_false(fly_json_scan((const uint8_t *)text, bytes, path, 3, value));
    }
}

/* Names and values that look like what stands between them, where windows end. */
static void windows_do_not_cut_members(void **state)
{
    static const char members[] = "\"x\":\"y\",\":\":\",\",\",\":\":\",";
    static char text[2 * FLY_JSON_WINDOW_BYTES];
    struct fly_json_path path;
    struct fly_json_value value;
    (void)state;
    assert_int_equal(fly_json_path_parse(&path, "last", 4), 0);
    for (int fill = 1; fill < 40; fill++) {
        int used = snprintf(text, sizeof(text), "{\"%*s\":\"\",", fill, "");
        while (used < FLY_JSON_WINDOW_BYTES + 100)
            used += snprintf(text + used, sizeof(text) - (size_t)used, "%s", members);
        used += snprintf(text + used, sizeof(text) - (size_t)used, "\"last\":\"z\"}");
        assert_true(fly_json_scan((const uint8_t *)text, (size_t)used, &path, 1, &value));
        assert_int_equal(value.bytes, 1);
        assert_int_equal(*value.at, 'z');
    }
}

static void many_paths_are_found_in_one_pass(void **state)
{
    static const char json[] =
        "{\"p\":{\"p\":\"0\",\"pp\":1},\"a\":\"2\",\"b\":[3,4],\"a\":\"5\",\"aa\":6}";
    static const char *const paths[] = {"p.p", "p.pp", "a", "b[0]", "b[1]", "b.1", "aa", "q",
                                        "p",   "p.q",  "b", "a.a",  "a[0]", "[0]", "a",  "b[2]"};
    static const char *const expected[] = {
        "0", "1",     "5", "3", "4", "4", "6", "", "{\"p\":\"0\",\"pp\":1}",
        "",  "[3,4]", "",  "",  "",  "5", ""};
    struct fly_json_path path[FLY_JSON_PATHS_MAX];
    struct fly_json_value value[FLY_JSON_PATHS_MAX];
    (void)state;
    for (int i = 0; i < FLY_JSON_PATHS_MAX; i++)
        assert_int_equal(fly_json_path_parse(&path[i], paths[i], strlen(paths[i])), 0);
    assert_true(
        fly_json_scan((const uint8_t *)json, sizeof(json) - 1, path, FLY_JSON_PATHS_MAX, value));
    for (int i = 0; i < FLY_JSON_PATHS_MAX; i++) {
        assert_int_equal(value[i].kind != FLY_JSON_NONE, expected[i][0] != '\0');
        assert_int_equal(value[i].bytes, strlen(expected[i]));
        if (value[i].bytes)
            assert_memory_equal(value[i].at, expected[i], value[i].bytes);
    }
}

/* Events with a byte or two changed, jansson says what is right. */
static void changed_events_against_jansson(void **state)
{
    static const char event[] =
        "{\"user_id\":\"9bb58b61-5c1a\",\"ad_id\":\"\\u00e4\xc3\xa4\",\"n\": [1, {\"x\":-0.5e1}],"
        "\"event_type\":\"view\",\"ip\":\"1.2.3.4\"}";
    static const char bytes[] = "\"\\{}[]:, \n1-.eutn\x80\xc3\xa4\x01";
    uint64_t seed = test_seed(), good = 0;
    struct fly_json_path path;
    struct fly_json_value value;
    (void)state;
    assert_int_equal(fly_json_path_parse(&path, "event_type", 10), 0);
    for (int round = 0; round < 100000; round++) {
        char text[sizeof(event)];
        memcpy(text, event, sizeof(event));
        for (uint64_t i = next_random(&seed) % 3; i > 0; i--)
            text[next_random(&seed) % (sizeof(event) - 1)] =
                bytes[next_random(&seed) % (sizeof(bytes) - 1)];
        json_t *root = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        if (fly_json_scan((const uint8_t *)text, sizeof(text) - 1, &path, 1, &value) !=
            (root != NULL))
            fail_msg("'%s': jansson says it is%s JSON", text, root ? "" : " not");
        const char *expected = json_string_value(json_object_get(root, "event_type"));
        if (expected && !value.escaped)
            assert_memory_equal(value.at, expected, value.bytes);
        good += root != NULL;
        json_decref(root);
    }
    assert_true(good > 1000);
}

/* Random JSON-like text; jansson says what is right. */
static void random_text_against_jansson(void **state)
{
    static const char *const pieces[] = {
        "{",       "}",    "[",    "]", ",",  ":",  "\"a\"", "\"b\"",  "\"\\u0041\"", "1",
        "-2.5e-3", "true", "null", " ", "\"", "\\", "x",     "\"a\":", "{}",          "[1]"};
    uint64_t seed = test_seed(), good = 0;
    (void)state;
    for (int round = 0; round < 100000; round++) {
        char text[128] = "";
        size_t cnt = next_random(&seed) % 8;
        for (size_t i = 0; i < cnt; i++)
            strncat(text, pieces[next_random(&seed) % (sizeof(pieces) / sizeof(pieces[0]))], 12);
        json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        if (is_json(text) != (value != NULL))
            fail_msg("'%s': jansson says it is%s JSON", text, value ? "" : " not");
        good += value != NULL;
        json_decref(value);
    }
    assert_true(good > 1000);
}

/* --- The stages --- */

struct select_params {
    struct fly_string key, payload;
    struct fly_list fields;
    struct fly_match_params where;
    bool negate;
};

static struct fly_string text_of(const char *text)
{
    return (struct fly_string){text, (uint32_t)strlen(text)};
}

static struct fake_task *select_with(struct select_params params)
{
    union {
        struct select_params params;
        uint8_t bytes[1024];
    } self = {.params = params};
    assert_true(fly_select_node.self_bytes <= sizeof(self));
    return fake_task_create(&fly_select_node, &self);
}

static struct fake_task *select_of(const char *key, const char *payload)
{
    return select_with((struct select_params){.key = text_of(key), .payload = text_of(payload)});
}

static void parse_json_marks_json_and_fails_the_rest(void **state)
{
    (void)state;
    struct fake_task *fake = fake_task_create(&fly_parse_json_node, NULL);
    assert_int_equal(fake_setup(fake), 0);
    fake_send_keyed(fake, "k", "{\"a\":1}");
    uint64_t second = fake_send(fake, "{a}");
    assert_int_equal(fake->out_cnt, 1);
    fake_expect(fake, 0, 0, "{\"a\":1}");
    assert_int_equal(fake->out[0].msg.flags, FLY_MSG_JSON);
    assert_memory_equal(fake->out[0].msg.key, "k", 1);
    assert_int_equal(fake->input[second].reason, FLY_REASON_BAD_INPUT);
    fake_task_destroy(fake);
}

static void select_refuses_nothing_and_bad_paths(void **state)
{
    (void)state;
    struct fake_task *fake = select_of("", "");
    assert_int_equal(fake_setup(fake), -1);
    fake_task_destroy(fake);
    fake = select_of("a", "b..c");
    assert_int_equal(fake_setup(fake), -1);
    assert_string_equal(fake->refused_param, "payload");
    fake_task_destroy(fake);
}

static void expect_key(const struct fake_task *fake, uint64_t i, const char *key)
{
    assert_int_equal(fake->out[i].msg.key_bytes, strlen(key));
    assert_memory_equal(fake->out[i].msg.key, key, strlen(key));
}

static void select_takes_key_and_payload(void **state)
{
    (void)state;
    struct fake_task *fake = select_of("user.id", "text");
    assert_int_equal(fake_setup(fake), 0);
    fake_send(fake, "{\"user\":{\"id\":42},\"text\":\"plain\"}");
    fake_send(fake, "{\"text\":\"esc\\\"aped\",\"user\":{\"id\":\"\\u0041\"}}");
    fake_send(fake, "{\"text\":{ \"x\" : 1 },\"user\":{\"id\":null}}");
    fake_send(fake, "{\"text\":[1,2],\"user\":{\"id\":[ 1 ]}}");
    fake_expect(fake, 0, 0, "plain");
    expect_key(fake, 0, "42");
    assert_int_equal(fake->out[0].msg.flags, 0);
    fake_expect(fake, 1, 0, "esc\"aped");
    expect_key(fake, 1, "A");
    fake_expect(fake, 2, 0, "{\"x\":1}");
    expect_key(fake, 2, "null");
    assert_int_equal(fake->out[2].msg.flags, FLY_MSG_JSON);
    fake_expect(fake, 3, 0, "[1,2]");
    expect_key(fake, 3, "[1]");
    fake_task_destroy(fake);
}

static void select_without_one_of_them_keeps_it(void **state)
{
    (void)state;
    struct fake_task *fake = select_of("a", "");
    assert_int_equal(fake_setup(fake), 0);
    fake_send(fake, "{\"a\":\"key\"}");
    fake_expect(fake, 0, 0, "{\"a\":\"key\"}");
    expect_key(fake, 0, "key");
    fake_task_destroy(fake);
    fake = select_of("", "a");
    assert_int_equal(fake_setup(fake), 0);
    fake_send_keyed(fake, "old", "{\"a\":\"new\"}");
    fake_expect(fake, 0, 0, "new");
    expect_key(fake, 0, "old");
    fake_task_destroy(fake);
}

static void select_makes_a_new_object_of_fields(void **state)
{
    struct fly_string items[] = {text_of("ad_id"), text_of("user.name as us\"er"),
                                 text_of("tags[0] as tag"), text_of("o")};
    (void)state;
    struct fake_task *fake =
        select_with((struct select_params){.key = text_of("ad_id"), .fields = {items, 4}});
    assert_int_equal(fake_setup(fake), 0);
    fake_send(fake, "{\"o\":{ \"p\" : [ ] },\"tags\":[-1.0,2],\"user\":{\"name\":\"\\u00e4\"},"
                    "\"ad_id\":\"a\\nb\",\"x\":1}");
    fake_expect(fake, 0, 0,
                "{\"ad_id\":\"a\\nb\",\"us\\\"er\":\"\\u00e4\",\"tag\":-1.0,\"o\":{\"p\":[]}}");
    expect_key(fake, 0, "a\nb");
    assert_int_equal(fake->out[0].msg.flags, FLY_MSG_JSON);
    uint64_t lacking = fake_send(fake, "{\"ad_id\":1}");
    assert_int_equal(fake->input[lacking].reason, FLY_REASON_NODE);
    fake_task_destroy(fake);
}

static void select_refuses_fields_without_a_name_of_their_own(void **state)
{
    struct fly_string twice[] = {text_of("a.id"), text_of("b.id")};
    struct fly_string element[] = {text_of("a[0]")};
    struct fly_string nameless[] = {text_of("a as ")};
    const struct fly_list lists[] = {{twice, 2}, {element, 1}, {nameless, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct fake_task *fake = select_with((struct select_params){.fields = lists[i]});
        assert_int_equal(fake_setup(fake), -1);
        assert_string_equal(fake->refused_param, "fields");
        fake_task_destroy(fake);
    }
    struct fake_task *fake = select_with(
        (struct select_params){.payload = text_of("x"), .fields = {.item = twice, .cnt = 1}});
    assert_int_equal(fake_setup(fake), -1);
    fake_task_destroy(fake);
}

static void select_where_a_condition_is_met(void **state)
{
    struct fly_match_params where = {.field = text_of("type"), .equals = text_of("view")};
    (void)state;
    struct fake_task *fake = select_with(
        (struct select_params){.key = text_of("ad"), .payload = text_of("time"), .where = where});
    assert_int_equal(fake_setup(fake), 0);
    fake_send(fake, "{\"type\":\"view\",\"ad\":\"a\",\"time\":\"12\"}");
    fake_send_keyed(fake, "k", "{\"type\":\"click\"}");
    uint64_t lacking = fake_send(fake, "{\"type\":\"view\",\"ad\":\"a\"}");
    fake_expect(fake, 0, 0, "12");
    expect_key(fake, 0, "a");
    fake_expect(fake, 1, fake_port(fake, "rest"), "{\"type\":\"click\"}");
    expect_key(fake, 1, "k");
    assert_int_equal(fake->out_cnt, 2);
    assert_int_equal(fake->input[lacking].reason, FLY_REASON_NODE);
    fake_task_destroy(fake);
    fake = select_with((struct select_params){.where = where, .negate = true});
    assert_int_equal(fake_setup(fake), 0);
    fake_send(fake, "{\"type\":\"click\"}");
    fake_send(fake, "{\"type\":\"view\"}");
    fake_expect(fake, 0, fake_port(fake, "out"), "{\"type\":\"click\"}");
    fake_expect(fake, 1, fake_port(fake, "rest"), "{\"type\":\"view\"}");
    fake_task_destroy(fake);
    where.equals.bytes = 0;
    fake = select_with((struct select_params){.key = text_of("a"), .where = where});
    assert_int_equal(fake_setup(fake), -1);
    assert_string_equal(fake->refused_param, "where");
    fake_task_destroy(fake);
}

static void select_fails_what_would_be_too_large(void **state)
{
    struct fly_string items[] = {text_of("a as a_rather_long_name")};
    (void)state;
    struct fake_task *fake = select_with((struct select_params){.fields = {items, 1}});
    fake->max_message_bytes = 16;
    assert_int_equal(fake_setup(fake), 0);
    uint64_t input = fake_send(fake, "{\"a\":1}");
    assert_int_equal(fake->input[input].reason, FLY_REASON_TOO_LARGE);
    fake_task_destroy(fake);
}

static void select_fails_what_lacks_the_field(void **state)
{
    (void)state;
    struct fake_task *fake = select_of("a", "b");
    assert_int_equal(fake_setup(fake), 0);
    uint64_t lacking = fake_send(fake, "{\"a\":1}"), broken = fake_send(fake, "{\"a\":1");
    assert_int_equal(fake->out_cnt, 0);
    assert_int_equal(fake->input[lacking].reason, FLY_REASON_NODE);
    assert_string_equal(fly_select_node.reasons[0], "no_such_field");
    assert_int_equal(fake->input[broken].reason, FLY_REASON_BAD_INPUT);
    fake_task_destroy(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_told_from_other_text),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(paths_have_steps),
        cmocka_unit_test(paths_may_have_brackets_and_quotes),
        cmocka_unit_test(nothing_is_read_behind_the_text),
        cmocka_unit_test(windows_do_not_matter),
        cmocka_unit_test(windows_do_not_cut_members),
        cmocka_unit_test(many_paths_are_found_in_one_pass),
        cmocka_unit_test(changed_events_against_jansson),
        cmocka_unit_test(values_are_found_by_path),
        cmocka_unit_test(last_of_equal_names_counts),
        cmocka_unit_test(random_text_against_jansson),
        cmocka_unit_test(parse_json_marks_json_and_fails_the_rest),
        cmocka_unit_test(select_refuses_nothing_and_bad_paths),
        cmocka_unit_test(select_takes_key_and_payload),
        cmocka_unit_test(select_without_one_of_them_keeps_it),
        cmocka_unit_test(select_makes_a_new_object_of_fields),
        cmocka_unit_test(select_refuses_fields_without_a_name_of_their_own),
        cmocka_unit_test(select_where_a_condition_is_met),
        cmocka_unit_test(select_fails_what_would_be_too_large),
        cmocka_unit_test(select_fails_what_lacks_the_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
