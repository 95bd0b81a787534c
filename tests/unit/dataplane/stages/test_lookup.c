/* The lookup stage, its table, and the files that it reads. */
#include "stages/lookup_file.h"
#include "stages/lookup_table.h"
#include "stages/stages.h"

#include "support/fake_task.h"
#include "support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *seed >> 33;
}

static struct fly_string text_of(const char *text)
{
    return (struct fly_string){text, (uint32_t)strlen(text)};
}

/* --- The table --- */

enum { KEY_CNT = 2000, KEY_MAX = 80 };

/* Keys of all lengths, many of which differ in their last byte only. */
static uint32_t make_key(uint64_t number, uint8_t key[KEY_MAX])
{
    uint32_t bytes = (uint32_t)(number % 70);
    memset(key, 'x', KEY_MAX);
    if (bytes >= 8)
        memcpy(key + bytes - 8, &number, 8);
    else
        memcpy(key, &number, bytes);
    return bytes;
}

static void table_finds_what_was_added(void **state)
{
    uint64_t bytes = 1 << 20, seed = test_seed(), first_bytes = 0;
    uint8_t key[KEY_MAX];
    struct fly_lookup_table table;
    void *memory = aligned_alloc(64, bytes);
    (void)state;
    memset(memory, 0, bytes);
    assert_int_equal(fly_lookup_table_init(&table, memory, bytes, KEY_CNT, 2), 0);
    for (uint32_t i = 1; i <= KEY_CNT; i++) {
        struct fly_lookup_row row = {
            .key = key, .key_bytes = make_key(i, key), .line = i, .json = i % 4};
        row.value[0] = &i;
        row.value_bytes[0] = sizeof(i);
        row.value[1] = key;
        row.value_bytes[1] = row.key_bytes;
        const struct fly_lookup_entry *entry = fly_lookup_table_add(&table, &row);
        assert_non_null(entry);
        first_bytes += entry->line != i; /* keys under 8 bytes repeat */
        assert_ptr_equal(fly_lookup_table_add(&table, &row), entry);
    }
    assert_true(first_bytes < KEY_CNT / 5);
    for (int round = 0; round < 100000; round++) {
        uint32_t i = (uint32_t)(next_random(&seed) % (2 * KEY_CNT)) + 1, found, value;
        found = make_key(i, key);
        const struct fly_lookup_entry *entry =
            fly_lookup_table_find(&table, key, found, fly_lookup_hash(key, found));
        if (i > KEY_CNT && found >= 8)
            assert_null(entry);
        if (i > KEY_CNT || found < 8)
            continue;
        assert_int_equal(entry->line, i);
        assert_int_equal(entry->json, i % 4);
        memcpy(&value, fly_lookup_value_of(entry, 0), sizeof(value));
        assert_int_equal(value, i);
        assert_int_equal(entry->value[1].bytes, found);
        assert_memory_equal(fly_lookup_value_of(entry, 1), key, found);
    }
    free(memory);
}

static void full_table_says_so(void **state)
{
    static _Alignas(64) uint8_t memory[1024], value[1000];
    struct fly_lookup_table table;
    struct fly_lookup_row row = {.key = "k", .key_bytes = 1, .value = {value}};
    (void)state;
    assert_int_equal(fly_lookup_table_init(&table, memory, 1024, 64, 1), -1);
    assert_int_equal(fly_lookup_table_init(&table, memory, 1024, 2, 1), 0);
    row.value_bytes[0] = 900;
    assert_null(fly_lookup_table_add(&table, &row));
    assert_null(fly_lookup_table_find(&table, "k", 1, fly_lookup_hash("k", 1)));
    row.value_bytes[0] = 800;
    assert_non_null(fly_lookup_table_add(&table, &row));
}

/* --- Files --- */

/* The rows as `key=value,value;`, or what is wrong. */
static const char *rows_of(const char *path, const char *text, struct fly_lookup_query query)
{
    static char rows[1000];
    struct fly_lookup_file file;
    struct fly_lookup_row row;
    size_t used = 0;
    int got;
    rows[0] = '\0';
    if (fly_lookup_file_open_text(&file, path, text, strlen(text), &query)) {
        snprintf(rows, sizeof(rows), "%s", file.why);
        return rows;
    }
    while ((got = fly_lookup_file_next(&file, &row)) > 0) {
        used += (size_t)snprintf(rows + used, sizeof(rows) - used, "%.*s=", (int)row.key_bytes,
                                 (const char *)row.key);
        for (uint32_t i = 0; i < file.value_cnt; i++)
            used += (size_t)snprintf(rows + used, sizeof(rows) - used, "%.*s%c",
                                     (int)row.value_bytes[i], (const char *)row.value[i],
                                     i + 1 < file.value_cnt ? ',' : ';');
    }
    if (got < 0)
        snprintf(rows, sizeof(rows), "%s", file.why);
    fly_lookup_file_close(&file);
    return rows;
}

static void csv_files_are_read(void **state)
{
    struct fly_lookup_query none = {0}, json = {.as_json = true};
    struct fly_lookup_query semicolon = {.format = FLY_LOOKUP_CSV, .separator = ';'};
    struct fly_string columns[] = {text_of("c"), text_of("a")};
    struct fly_lookup_query chosen = {.key_column = text_of("b"), .value_columns = {columns, 2}};
    (void)state;
    assert_string_equal(rows_of("t.csv", "a,b\n1,x\n2,y", none), "1=x;2=y;");
    assert_string_equal(rows_of("t.csv",
                                "\xef\xbb\xbf"
                                "a,b\r\n1,x\r\n\r\n2,y\r\n",
                                none),
                        "1=x;2=y;");
    assert_string_equal(rows_of("t.csv", "a,b,c\n1,2,3\n", chosen), "2=3,1;");
    assert_string_equal(rows_of("t.csv", "a,b\n\"1,\"\"2\"\"\",\"x\ny\"\n,\n", none),
                        "1,\"2\"=x\ny;=;");
    assert_string_equal(rows_of("t.csv", "a,b\n1,\"x\ty\"\n2,\xc3\xa4\"\n", json),
                        "1=\"x\\ty\";2=\"\xc3\xa4\\\"\";");
    assert_string_equal(rows_of("t.tsv", "a\tb\n1\tx,y\n", none), "1=x,y;");
    assert_string_equal(rows_of("t.txt", "a;b\n1;\"x;\"\n", semicolon), "1=x;;");
    assert_string_equal(rows_of("t.csv", "a,b\n", none), "");
}

static void errors_of_csv_files_have_a_line(void **state)
{
    struct fly_lookup_query none = {0}, json = {.as_json = true};
    struct fly_lookup_query lacking = {.key_column = text_of("z")};
    (void)state;
    assert_string_equal(rows_of("t.csv", "", none),
                        "t.csv: it is empty: the names of columns are missing");
    assert_string_equal(rows_of("t.csv", "a\n1\n", none), "t.csv:1: it has no column with values");
    assert_string_equal(rows_of("t.csv", "\na,b\n", lacking), "t.csv:2: it has no column 'z'");
    assert_string_equal(rows_of("t.csv", "a,b\n1,\"x\ny\"\n1,2,3\n", none),
                        "t.csv:4: 3 columns, where the first line has 2");
    assert_string_equal(rows_of("t.csv", "a,b\n1,x\n2,\"y\n", none),
                        "t.csv:3: a quote is never closed");
    assert_string_equal(rows_of("t.csv", "a,b\n1,\"x\"y\n", none),
                        "t.csv:2: there is text behind a closing quote");
    assert_string_equal(rows_of("t.csv", "a,b\n1,\xff\n", json), "t.csv:2: column 2 is not UTF-8");
    assert_string_equal(rows_of("t.csv", "a,b,c,d,e,f,g,h,i,j\n", none),
                        "t.csv:1: it has more than 9 columns: say which are wanted");
}

static void json_files_are_read(void **state)
{
    struct fly_string columns[] = {text_of("c.d"), text_of("e")};
    struct fly_lookup_query text = {.key_column = text_of("k"), .value_columns = {columns, 2}};
    struct fly_lookup_query json = text, nothing = {0};
    json.as_json = true;
    (void)state;
    assert_string_equal(
        rows_of("t.jsonl", "{\"k\":1,\"c\":{\"d\":\"x\\ny\"},\"e\":[1, 2]}\r\n\n", text),
        "1=x\ny,[1,2];");
    assert_string_equal(
        rows_of("t.jsonl", "{\"k\":\"\\u0041\",\"c\":{\"d\":\"x\\ny\"},\"e\":1}", json),
        "A=\"x\\ny\",1;");
    assert_string_equal(rows_of("t.jsonl", "\n{\"k\":1,\"e\":1}", json),
                        "t.jsonl:2: it has no 'c.d'");
    assert_string_equal(rows_of("t.jsonl", "{\"k\":1,\"e\":1", json),
                        "t.jsonl:1: this is not JSON");
    assert_string_equal(rows_of("t.jsonl", "{}", nothing),
                        "t.jsonl: a JSON file needs `key_column` and `value_columns`");
}

/* --- The stage --- */

struct lookup_params {
    struct fly_string path, separator, key_column, field;
    struct fly_list value_columns;
    uint32_t format, to, on_missing;
};

enum { TO_KEY, TO_PAYLOAD, TO_FIELDS };
enum { MISSING_PORT, MISSING_FAIL, MISSING_PASS };

static char table_path[64];

/* A task whose table is this text; .csv or .jsonl. */
static struct fake_task *lookup_of(const char *text, const char *end, struct lookup_params params)
{
    union {
        struct lookup_params params;
        uint8_t bytes[1024];
    } self;
    snprintf(table_path, sizeof(table_path), "/tmp/flyover-lookup-XXXXXX%s", end);
    FILE *file = fdopen(mkstemps(table_path, (int)strlen(end)), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    memset(&self, 0, sizeof(self));
    self.params = params;
    self.params.path = text_of(table_path);
    assert_true(fly_lookup_node.self_bytes <= sizeof(self));
    struct fake_task *fake = fake_task_create(&fly_lookup_node, &self);
    fake->state_bytes = 1 << 16;
    return fake;
}

static void destroy(struct fake_task *fake)
{
    fake_task_destroy(fake);
    unlink(table_path);
}

static const char ads[] = "ad,campaign,price\na1,c1,10\na2,\"c \"\"2\"\"\",20\n";
static struct fly_string campaign[] = {{"campaign", 8}, {"price", 5}};

static void expect_key(const struct fake_task *fake, uint64_t i, const char *key)
{
    assert_int_equal(fake->out[i].msg.key_bytes, strlen(key));
    assert_memory_equal(fake->out[i].msg.key, key, strlen(key));
}

static void lookup_replaces_the_key(void **state)
{
    (void)state;
    struct fake_task *fake =
        lookup_of(ads, ".csv", (struct lookup_params){.value_columns = {campaign, 1}});
    assert_int_equal(fake_setup(fake), 0);
    fake_send_keyed(fake, "a2", "payload");
    fake_send(fake, "a1");
    fake_send_keyed(fake, "a3", "payload");
    fake_expect(fake, 0, fake_port(fake, "out"), "payload");
    expect_key(fake, 0, "c \"2\"");
    fake_expect(fake, 1, fake_port(fake, "out"), "a1");
    expect_key(fake, 1, "c1");
    fake_expect(fake, 2, fake_port(fake, "missing"), "payload");
    expect_key(fake, 2, "a3");
    destroy(fake);
}

static void lookup_replaces_the_payload(void **state)
{
    static const char rows[] = "{\"id\":7,\"v\":{\"x\": 1}}\n{\"id\":\"8\",\"v\":\"text\"}\n";
    struct fly_string v[] = {text_of("v")};
    (void)state;
    struct fake_task *fake = lookup_of(rows, ".jsonl",
                                       (struct lookup_params){.key_column = text_of("id"),
                                                              .value_columns = {v, 1},
                                                              .field = text_of("user.id"),
                                                              .to = TO_PAYLOAD});
    assert_int_equal(fake_setup(fake), 0);
    fake_send_keyed(fake, "k", "{\"user\":{\"id\":\"7\"}}");
    fake_send(fake, "{\"user\":{\"id\":8}}");
    uint64_t lacking = fake_send(fake, "{\"user\":8}"), broken = fake_send(fake, "8");
    fake_expect(fake, 0, 0, "{\"x\":1}");
    assert_int_equal(fake->out[0].msg.flags, FLY_MSG_JSON);
    expect_key(fake, 0, "k");
    fake_expect(fake, 1, 0, "text");
    assert_int_equal(fake->out[1].msg.flags, 0);
    assert_int_equal(fake->input[lacking].reason, FLY_REASON_NODE + 1);
    assert_string_equal(fly_lookup_node.reasons[1], "no_such_field");
    assert_int_equal(fake->input[broken].reason, FLY_REASON_NODE + 1);
    uint64_t not_json = fake_send(fake, "{");
    assert_int_equal(fake->input[not_json].reason, FLY_REASON_BAD_INPUT);
    destroy(fake);
}

static void lookup_adds_and_replaces_fields(void **state)
{
    (void)state;
    struct fake_task *fake =
        lookup_of(ads, ".csv", (struct lookup_params){.field = text_of("ad"), .to = TO_FIELDS});
    assert_int_equal(fake_setup(fake), 0);
    fake_send(fake, "{\"ad\":\"a2\"}");
    fake_send(fake, " {\"price\": [1, 2] , \"ad\":\"a1\" }\n");
    fake_send(fake, "{\"price\":1,\"campaign\":\"old\",\"ad\":\"a1\"}");
    fake_send(fake, "{\"campaign\":null,\"x\":{\"price\":3},\"price\":1,\"ad\":\"a1\"}");
    fake_expect(fake, 0, 0, "{\"ad\":\"a2\",\"campaign\":\"c \\\"2\\\"\",\"price\":\"20\"}");
    fake_expect(fake, 1, 0, " {\"price\": \"10\" , \"ad\":\"a1\",\"campaign\":\"c1\"}");
    fake_expect(fake, 2, 0, "{\"price\":\"10\",\"campaign\":\"c1\",\"ad\":\"a1\"}");
    fake_expect(fake, 3, 0,
                "{\"campaign\":\"c1\",\"x\":{\"price\":3},\"price\":\"10\",\"ad\":\"a1\"}");
    assert_int_equal(fake->out[0].msg.flags, FLY_MSG_JSON);
    destroy(fake);
    fake = lookup_of(ads, ".csv", (struct lookup_params){.to = TO_FIELDS});
    fake->max_message_bytes = 35;
    assert_int_equal(fake_setup(fake), 0);
    fake_send_keyed(fake, "a1", "{ }");
    uint64_t array = fake_send_keyed(fake, "a1", "[]");
    uint64_t large = fake_send_keyed(fake, "a1", "{\"a\":1}");
    fake_expect(fake, 0, 0, "{\"campaign\":\"c1\",\"price\":\"10\"}");
    assert_int_equal(fake->input[array].reason, FLY_REASON_BAD_INPUT);
    assert_int_equal(fake->input[large].reason, FLY_REASON_TOO_LARGE);
    destroy(fake);
}

static void lookup_of_what_is_missing(void **state)
{
    (void)state;
    struct fake_task *fake = lookup_of(
        ads, ".csv",
        (struct lookup_params){.value_columns = {campaign, 1}, .on_missing = MISSING_FAIL});
    assert_int_equal(fake_setup(fake), 0);
    uint64_t input = fake_send(fake, "a3");
    assert_int_equal(fake->input[input].reason, FLY_REASON_NODE);
    assert_string_equal(fly_lookup_node.reasons[0], "not_found");
    destroy(fake);
    fake = lookup_of(
        ads, ".csv",
        (struct lookup_params){.value_columns = {campaign, 1}, .on_missing = MISSING_PASS});
    assert_int_equal(fake_setup(fake), 0);
    fake_send_keyed(fake, "a3", "p");
    fake_expect(fake, 0, fake_port(fake, "out"), "p");
    expect_key(fake, 0, "a3");
    destroy(fake);
}

static void refuses(const char *text, struct lookup_params params, uint64_t state_bytes,
                    const char *param, const char *why)
{
    struct fake_task *fake = lookup_of(text, ".csv", params);
    fake->state_bytes = state_bytes;
    assert_int_equal(fake_setup(fake), -1);
    assert_string_equal(fake->refused_param, param);
    if (!strstr(fake->refused_why, why))
        fail_msg("\"%s\" lacks \"%s\"", fake->refused_why, why);
    destroy(fake);
}

static void lookup_refuses_what_it_cannot_use(void **state)
{
    struct lookup_params key = {.value_columns = {campaign, 1}}, several = {.to = TO_KEY};
    struct lookup_params two = {.value_columns = {campaign, 2}};
    struct lookup_params separator = {.separator = text_of("||")};
    struct lookup_params field = {.field = text_of("a..b")};
    (void)state;
    refuses("ad,campaign\na,1\nb,2\na,3\n", key, 1 << 16, "path",
            ".csv:4: the key 'a' is in line 2");
    refuses("ad,campaign\na\n", key, 1 << 16, "path", ".csv:2: 1 columns");
    refuses(ads, several, 1 << 16, "value_columns", "say which");
    refuses(ads, two, 1 << 16, "value_columns", "one column");
    refuses(ads, separator, 1 << 16, "separator", "one character");
    refuses(ads, field, 1 << 16, "field", "not a path");
    refuses(ads, key, 100, "path", "does not fit `state_bytes`");
    refuses(ads, key, 170, "path", "does not fit `state_bytes`");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_finds_what_was_added),
        cmocka_unit_test(full_table_says_so),
        cmocka_unit_test(csv_files_are_read),
        cmocka_unit_test(errors_of_csv_files_have_a_line),
        cmocka_unit_test(json_files_are_read),
        cmocka_unit_test(lookup_replaces_the_key),
        cmocka_unit_test(lookup_replaces_the_payload),
        cmocka_unit_test(lookup_adds_and_replaces_fields),
        cmocka_unit_test(lookup_of_what_is_missing),
        cmocka_unit_test(lookup_refuses_what_it_cannot_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
