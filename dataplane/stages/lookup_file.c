#include "stages/lookup_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages/json_fields.h"

/* -1, with file and line in front; without a line if that is 0. */
static int __attribute__((format(printf, 3, 4)))
refuse(struct fly_lookup_file *file, uint32_t line, const char *format, ...)
{
    va_list args;
    int used = line ? snprintf(file->why, sizeof(file->why), "%.120s:%u: ", file->path, line)
                    : snprintf(file->why, sizeof(file->why), "%.120s: ", file->path);
    va_start(args, format);
    (void)vsnprintf(file->why + used, sizeof(file->why) - (size_t)used, format, args);
    va_end(args);
    return -1;
}

static bool same(struct fly_string left, struct fly_string right)
{
    return left.bytes == right.bytes && memcmp(left.text, right.text, left.bytes) == 0;
}

static const uint8_t *end_of(const struct fly_lookup_file *file)
{
    return file->data + file->bytes;
}

/* Room for what a row of so many bytes may become. */
static int make_room(struct fly_lookup_file *file, size_t row_bytes)
{
    size_t need = row_bytes * 6 + FLY_LOOKUP_COLUMNS_MAX * 2;
    if (need <= file->scratch_bytes)
        return 0;
    uint8_t *more = realloc(file->scratch, need * 2);
    if (!more)
        return refuse(file, file->line, "there is no memory for so long a row");
    file->scratch = more;
    file->scratch_bytes = need * 2;
    return 0;
}

/* --- CSV ------------------------------------------------------------------------------------- */

static bool at_line_end(const uint8_t *at, const uint8_t *end)
{
    return at == end || *at == '\n' || (*at == '\r' && (at + 1 == end || at[1] == '\n'));
}

/* The field in quotes that begins at file->at; it is freed of them where it stands. */
static int read_quoted(struct fly_lookup_file *file, struct fly_string *field)
{
    uint32_t line = file->next_line;
    const uint8_t *end = end_of(file), *at = file->at + 1;
    uint8_t *to = file->data + (at - file->data);
    *field = (struct fly_string){(const char *)to, 0};
    for (; at < end; at++) {
        if (*at == '"' && (at + 1 == end || at[1] != '"'))
            break;
        at += *at == '"';
        file->next_line += *at == '\n';
        *to++ = *at;
    }
    if (at == end)
        return refuse(file, line, "a quote is never closed");
    field->bytes = (uint32_t)(to - (const uint8_t *)field->text);
    file->at = at + 1;
    if (!at_line_end(file->at, end) && *file->at != (uint8_t)file->query.separator)
        return refuse(file, file->next_line, "there is text behind a closing quote");
    return 0;
}

static void read_plain(struct fly_lookup_file *file, struct fly_string *field)
{
    const uint8_t *end = end_of(file), *begin = file->at;
    while (!at_line_end(file->at, end) && *file->at != (uint8_t)file->query.separator)
        file->at++;
    *field = (struct fly_string){(const char *)begin, (uint32_t)(file->at - begin)};
}

/* Behind the end of a line. */
static void pass_line_end(struct fly_lookup_file *file)
{
    const uint8_t *end = end_of(file);
    file->at += file->at < end && *file->at == '\r';
    file->at += file->at < end && *file->at == '\n';
    file->next_line++;
}

/* Columns of the next line that is not empty: their number, 0 at the end, or -1. */
static int read_columns(struct fly_lookup_file *file)
{
    const uint8_t *end = end_of(file);
    int cnt = 0;
    while (file->at < end && at_line_end(file->at, end))
        pass_line_end(file);
    file->line = file->next_line;
    if (file->at == end)
        return 0;
    for (;; file->at++) { /* over the separator */
        if (cnt == FLY_LOOKUP_COLUMNS_MAX)
            return refuse(file, file->line, "more than %d columns", FLY_LOOKUP_COLUMNS_MAX);
        struct fly_string *column = &file->column[cnt++];
        bool quoted = file->at < end && *file->at == '"';
        if (quoted && read_quoted(file, column))
            return -1;
        if (!quoted)
            read_plain(file, column);
        if (at_line_end(file->at, end))
            break;
    }
    pass_line_end(file);
    return cnt;
}

/* The number of a column by its name, or -1. */
static int find_column(struct fly_lookup_file *file, struct fly_string name, uint32_t *column)
{
    for (*column = 0; *column < file->column_cnt; ++*column)
        if (same(file->column[*column], name))
            return 0;
    return refuse(file, file->line, "it has no column '%.60s'", name.text);
}

/* All columns but the key's. */
static int take_other_columns(struct fly_lookup_file *file)
{
    if (file->column_cnt - 1 > FLY_LOOKUP_VALUES_MAX)
        return refuse(file, file->line, "it has more than %d columns: say which are wanted",
                      FLY_LOOKUP_VALUES_MAX + 1);
    for (uint32_t i = 0; i < file->column_cnt; i++) {
        if (i == file->key_column)
            continue;
        file->value_name[file->value_cnt] = file->column[i];
        file->value_column[file->value_cnt++] = i;
    }
    return file->value_cnt ? 0 : refuse(file, file->line, "it has no column with values");
}

static int open_csv(struct fly_lookup_file *file)
{
    file->column = calloc(FLY_LOOKUP_COLUMNS_MAX, sizeof(*file->column));
    if (!file->column)
        return refuse(file, 0, "there is no memory for its columns");
    int cnt = read_columns(file);
    if (cnt <= 0)
        return cnt ? -1 : refuse(file, 0, "it is empty: the names of columns are missing");
    file->column_cnt = (uint32_t)cnt;
    if (file->query.key_column.bytes &&
        find_column(file, file->query.key_column, &file->key_column))
        return -1;
    if (file->query.value_columns.cnt == 0)
        return take_other_columns(file);
    for (uint32_t i = 0; i < file->query.value_columns.cnt; i++) {
        file->value_name[i] = file->query.value_columns.item[i];
        if (find_column(file, file->value_name[i], &file->value_column[i]))
            return -1;
    }
    file->value_cnt = file->query.value_columns.cnt;
    return 0;
}

static int next_csv(struct fly_lookup_file *file, struct fly_lookup_row *row)
{
    int cnt = read_columns(file);
    if (cnt <= 0)
        return cnt;
    if ((uint32_t)cnt != file->column_cnt)
        return refuse(file, file->line, "%d columns, where the first line has %u", cnt,
                      file->column_cnt);
    const struct fly_string *key = &file->column[file->key_column];
    size_t bytes = 0;
    for (uint32_t i = 0; i < file->value_cnt; i++)
        bytes += file->column[file->value_column[i]].bytes;
    if (make_room(file, bytes))
        return -1;
    *row = (struct fly_lookup_row){.key = key->text, .key_bytes = key->bytes, .line = file->line};
    struct fly_text text = {.at = file->scratch, .max_bytes = file->scratch_bytes};
    for (uint32_t i = 0; i < file->value_cnt; i++) {
        const struct fly_string *value = &file->column[file->value_column[i]];
        row->value[i] = value->text;
        row->value_bytes[i] = value->bytes;
        if (!file->query.as_json)
            continue;
        if (!fly_text_is_utf8(value->text, value->bytes))
            return refuse(file, file->line, "column %u is not UTF-8", file->value_column[i] + 1);
        row->value[i] = text.at + text.bytes;
        size_t before = text.bytes;
        fly_text_json_string(&text, value->text, value->bytes);
        row->value_bytes[i] = (uint32_t)(text.bytes - before);
    }
    return 1;
}

/* --- JSON ------------------------------------------------------------------------------------ */

static int open_json(struct fly_lookup_file *file)
{
    const struct fly_list *values = &file->query.value_columns;
    if (file->query.key_column.bytes == 0 || values->cnt == 0)
        return refuse(file, 0, "a JSON file needs `key_column` and `value_columns`");
    file->value_cnt = values->cnt;
    for (uint32_t i = 0; i <= values->cnt; i++) {
        struct fly_string text = i ? values->item[i - 1] : file->query.key_column;
        struct fly_json_path *path = &file->column_path[i];
        if (fly_json_path_parse(path, text.text, text.bytes))
            return refuse(file, 0, "'%.60s' is not a path", text.text);
        if (i)
            file->value_name[i - 1] = (struct fly_string){path->step[path->step_cnt - 1].text,
                                                          path->step[path->step_cnt - 1].bytes};
    }
    return 0;
}

/* The next line that is not empty. */
static bool next_line(struct fly_lookup_file *file, const uint8_t **line, size_t *bytes)
{
    const uint8_t *end = end_of(file);
    while (file->at < end) {
        const uint8_t *stop = memchr(file->at, '\n', (size_t)(end - file->at));
        *line = file->at;
        *bytes = (size_t)((stop ? stop : end) - file->at);
        file->at = stop ? stop + 1 : end;
        file->line = file->next_line++;
        if (*bytes && !(*bytes == 1 && **line == '\r'))
            return true;
    }
    return false;
}

/* A string with its quotes, and other values without white space. */
static void add_json(struct fly_text *text, const struct fly_json_value *value)
{
    if (value->kind == FLY_JSON_STRING)
        fly_text_add(text, value->at - 1, (size_t)value->bytes + 2);
    else
        fly_json_write(value, text);
}

static int next_json(struct fly_lookup_file *file, struct fly_lookup_row *row)
{
    struct fly_json_value value[FLY_LOOKUP_VALUES_MAX + 1];
    const uint8_t *line;
    size_t bytes;
    if (!next_line(file, &line, &bytes))
        return 0;
    if (!fly_json_scan(line, bytes, file->column_path, file->value_cnt + 1, value))
        return refuse(file, file->line, "this is not JSON");
    if (make_room(file, bytes))
        return -1;
    *row = (struct fly_lookup_row){.line = file->line};
    struct fly_text text = {.at = file->scratch, .max_bytes = file->scratch_bytes};
    for (uint32_t i = 0; i <= file->value_cnt; i++) {
        size_t before = text.bytes;
        if (value[i].kind == FLY_JSON_NONE)
            return refuse(file, file->line, "it has no '%.60s'",
                          i ? file->query.value_columns.item[i - 1].text
                            : file->query.key_column.text);
        if (i && file->query.as_json)
            add_json(&text, &value[i]);
        else
            fly_json_write(&value[i], &text);
        *(i ? &row->value[i - 1] : &row->key) = text.at + before;
        *(i ? &row->value_bytes[i - 1] : &row->key_bytes) = (uint32_t)(text.bytes - before);
        if (i && value[i].kind != FLY_JSON_STRING)
            row->json |= UINT64_C(1) << (i - 1);
    }
    return 1;
}

/* --- Files ----------------------------------------------------------------------------------- */

static int read_all(struct fly_lookup_file *file, int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return refuse(file, 0, "%s", strerror(errno));
    if (!S_ISREG(status.st_mode))
        return refuse(file, 0, "this is not a file");
    file->data = malloc((size_t)status.st_size + 1);
    if (!file->data)
        return refuse(file, 0, "there is no memory to read it");
    while (file->bytes < (size_t)status.st_size) {
        ssize_t got = read(fd, file->data + file->bytes, (size_t)status.st_size - file->bytes);
        if (got < 0)
            return refuse(file, 0, "%s", strerror(errno));
        if (got == 0)
            break;
        file->bytes += (size_t)got;
    }
    return 0;
}

static bool ends_in(const char *path, const char *end)
{
    size_t bytes = strlen(path), end_bytes = strlen(end);
    return bytes >= end_bytes && strcmp(path + bytes - end_bytes, end) == 0;
}

/* What the query leaves to the file's name. */
static void choose_format(struct fly_lookup_file *file)
{
    bool tabs = ends_in(file->path, ".tsv");
    if (file->query.format == FLY_LOOKUP_AUTO)
        file->query.format = tabs || ends_in(file->path, ".csv") ? FLY_LOOKUP_CSV : FLY_LOOKUP_JSON;
    if (!file->query.separator)
        file->query.separator = tabs ? '\t' : ',';
}

static int find_columns(struct fly_lookup_file *file)
{
    file->at = file->data;
    file->next_line = 1;
    if (file->bytes > UINT32_MAX)
        return refuse(file, 0, "it is over 4 GiB");
    if (file->query.value_columns.cnt > FLY_LOOKUP_VALUES_MAX)
        return refuse(file, 0, "more than %d columns are wanted", FLY_LOOKUP_VALUES_MAX);
    if (file->bytes >= 3 && memcmp(file->data, "\xef\xbb\xbf", 3) == 0)
        file->at += 3; /* a byte order mark */
    file->row_max = 1;
    for (size_t i = 0; i < file->bytes; i++)
        file->row_max += file->data[i] == '\n';
    choose_format(file);
    return file->query.format == FLY_LOOKUP_CSV ? open_csv(file) : open_json(file);
}

int fly_lookup_file_open(struct fly_lookup_file *file, const char *path,
                         const struct fly_lookup_query *query)
{
    *file = (struct fly_lookup_file){.path = path, .query = *query};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return refuse(file, 0, "%s", strerror(errno));
    int rc = read_all(file, fd);
    close(fd);
    if (rc == 0)
        rc = find_columns(file);
    if (rc)
        fly_lookup_file_close(file);
    return rc;
}

int fly_lookup_file_open_text(struct fly_lookup_file *file, const char *path, const void *text,
                              size_t bytes, const struct fly_lookup_query *query)
{
    *file = (struct fly_lookup_file){.path = path, .query = *query, .bytes = bytes};
    file->data = malloc(bytes + 1);
    if (!file->data)
        return refuse(file, 0, "there is no memory to read it");
    memcpy(file->data, text, bytes);
    int rc = find_columns(file);
    if (rc)
        fly_lookup_file_close(file);
    return rc;
}

void fly_lookup_file_close(struct fly_lookup_file *file)
{
    free(file->data);
    free(file->scratch);
    free(file->column);
    file->data = file->scratch = NULL;
    file->column = NULL;
}

int fly_lookup_file_next(struct fly_lookup_file *file, struct fly_lookup_row *row)
{
    return file->query.format == FLY_LOOKUP_CSV ? next_csv(file, row) : next_json(file, row);
}
