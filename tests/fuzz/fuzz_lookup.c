/* fuzz_lookup.c - tables of any bytes: rows stay within the file, and all that was added is found.
 *
 * Input: one byte that chooses format and values, then the file.
 */
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "stages/lookup_file.h"
#include "stages/lookup_table.h"

enum { TABLE_BYTES = 1 << 16 };

/* Every key of the table finds its own first row. */
static void add_row(struct fly_lookup_table *table, const struct fly_lookup_row *row,
                    uint32_t value_cnt)
{
    const struct fly_lookup_entry *entry = fly_lookup_table_add(table, row);
    if (!entry)
        return;
    uint64_t hash = fly_lookup_hash(row->key, row->key_bytes);
    FLY_CHECK(fly_lookup_table_find(table, row->key, row->key_bytes, hash) == entry,
              "a key that was added is not found");
    for (uint32_t i = 0; entry->line == row->line && i < value_cnt; i++)
        FLY_CHECK(entry->value[i].bytes == row->value_bytes[i] &&
                      memcmp(fly_lookup_value_of(entry, i), row->value[i], row->value_bytes[i]) ==
                          0,
                  "another value");
}

static void read_rows(struct fly_lookup_file *file, void *memory)
{
    struct fly_lookup_table table;
    struct fly_lookup_row row;
    uint32_t line = 0;
    int got;
    bool fits =
        fly_lookup_table_init(&table, memory, TABLE_BYTES, file->row_max, file->value_cnt) == 0;
    while ((got = fly_lookup_file_next(file, &row)) > 0) {
        FLY_CHECK(row.line > line, "lines go up");
        line = row.line;
        for (uint32_t i = 0; file->query.as_json && i < file->value_cnt; i++)
            FLY_CHECK(fly_json_scan(row.value[i], row.value_bytes[i], NULL, 0, NULL),
                      "a value that is not JSON");
        if (fits)
            add_row(&table, &row, file->value_cnt);
    }
    FLY_CHECK(got == 0 || file->why[0], "an error without a reason");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct fly_string columns[] = {{"a", 1}, {"b.c", 3}};
    struct fly_lookup_file file;
    if (bytes == 0)
        return 0;
    struct fly_lookup_query query = {
        .format = data[0] & 1 ? FLY_LOOKUP_JSON : FLY_LOOKUP_CSV,
        .as_json = data[0] & 2,
        .key_column = {"k", data[0] & 1 || data[0] & 4 ? 1 : 0},
        .value_columns = {columns, data[0] & 1 || data[0] & 8 ? 2 : 0},
    };
    if (fly_lookup_file_open_text(&file, "table", data + 1, bytes - 1, &query))
        return 0;
    void *memory = calloc(1, TABLE_BYTES);
    FLY_CHECK(memory, "no memory");
    read_rows(&file, memory);
    free(memory);
    fly_lookup_file_close(&file);
    return 0;
}
