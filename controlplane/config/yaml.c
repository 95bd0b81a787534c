#include "config/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <yaml.h>

struct reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one; deleted by next() */
    bool has_event;
    struct fly_arena *arena;
    struct fly_diagnostics *diags;
    uint32_t file;
    uint32_t value_cnt;
    const char *text;
    size_t bytes;
};

static struct fly_position position(const struct reader *reader, const yaml_mark_t *start,
                                    const yaml_mark_t *end)
{
    struct fly_position at = {reader->file, (uint32_t)start->line + 1, (uint32_t)start->column + 1,
                              1};
    if (end && end->line == start->line && end->column > start->column)
        at.width = (uint32_t)(end->column - start->column);
    return at;
}

static struct fly_position event_position(const struct reader *reader)
{
    return position(reader, &reader->event.start_mark, &reader->event.end_mark);
}

static void refuse(struct reader *reader, struct fly_position at, const char *hint,
                   const char *what)
{
    fly_diag_add(reader->diags, FLY_DIAG_ERROR, at, &(struct fly_diag_about){.hint = hint}, "%s",
                 what);
}

/* The place of byte `offset`, where libyaml gives no mark: broken UTF-8, control characters. */
static struct fly_position offset_position(const struct reader *reader, size_t offset)
{
    struct fly_position at = {reader->file, 1, 1, 1};
    for (size_t i = 0; i < offset && i < reader->bytes; i++) {
        if (reader->text[i] == '\n') {
            at.line++;
            at.column = 1;
        } else if (((unsigned char)reader->text[i] & 0xc0) != 0x80) {
            at.column++;
        }
    }
    return at;
}

static const char *syntax_hint(const yaml_parser_t *parser)
{
    const char *problem = parser->problem ? parser->problem : "";
    if (strstr(problem, "cannot start any token"))
        return "tabs can't indent, and a text that begins with @ ` % or a tab needs quotes";
    if (strstr(problem, "mapping values are not allowed"))
        return "is the line above indented alike? A text with ': ' in it needs quotes";
    if (strstr(problem, "did not find expected key"))
        return "is this line indented like the ones above it?";
    if (strstr(problem, "did not find expected ',' or"))
        return "is a bracket or a comma missing? A ${VARIABLE} between brackets needs quotes";
    return NULL;
}

static void refuse_syntax(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    bool has_mark = parser->error == YAML_SCANNER_ERROR || parser->error == YAML_PARSER_ERROR;
    struct fly_position at = has_mark ? position(reader, &parser->problem_mark, NULL)
                                      : offset_position(reader, parser->problem_offset);
    fly_diag_add(reader->diags, FLY_DIAG_ERROR, at,
                 &(struct fly_diag_about){.hint = syntax_hint(parser)}, "not valid YAML: %s%s%s",
                 parser->context ? parser->context : "", parser->context ? ", " : "",
                 parser->problem ? parser->problem : "it cannot be parsed");
}

/* Goes on to the next event. False: the text is broken from here on. */
static bool next(struct reader *reader)
{
    if (reader->has_event)
        yaml_event_delete(&reader->event);
    reader->has_event = yaml_parser_parse(&reader->parser, &reader->event) == 1;
    if (!reader->has_event)
        refuse_syntax(reader);
    return reader->has_event;
}

bool fly_yaml_is_null(const struct fly_yaml *value)
{
    static const char *const NAMES[] = {"", "~", "null", "Null", "NULL"};
    if (value->kind != FLY_YAML_SCALAR || !value->plain)
        return false;
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (strcmp(value->text.text, NAMES[i]) == 0)
            return true;
    }
    return false;
}

const char *fly_yaml_kind_text(const struct fly_yaml *value)
{
    if (fly_yaml_is_null(value))
        return "nothing";
    if (value->kind == FLY_YAML_SCALAR)
        return "text";
    return value->kind == FLY_YAML_LIST ? "a list" : "a map";
}

struct fly_yaml_entry *fly_yaml_find(const struct fly_yaml *map, const char *key)
{
    for (uint32_t i = 0; map->kind == FLY_YAML_MAP && i < map->cnt; i++) {
        if (strcmp(map->entry[i].key.text, key) == 0)
            return &map->entry[i];
    }
    return NULL;
}

struct fly_yaml_entry *fly_yaml_add(struct fly_arena *arena, struct fly_yaml *parent)
{
    if (parent->cnt == parent->max) {
        uint32_t more = parent->max ? parent->max : 4;
        parent->entry =
            fly_arena_grow(arena, parent->entry, parent->cnt, more, sizeof(*parent->entry));
        parent->max += more;
    }
    return &parent->entry[parent->cnt++];
}

/* An entry among the others of its map, by key. */
struct sorted {
    const struct fly_yaml_entry *entry;
};

static int compare_keys(const void *one, const void *other)
{
    const struct sorted *a = one, *b = other;
    int order = strcmp(a->entry->key.text, b->entry->key.text);
    if (order)
        return order;
    return a->entry < b->entry ? -1 : a->entry > b->entry;
}

static void check_duplicates(struct reader *reader, const struct fly_yaml *map)
{
    struct sorted *sorted = fly_arena_array(reader->arena, map->cnt, sizeof(*sorted));
    for (uint32_t i = 0; i < map->cnt; i++)
        sorted[i].entry = &map->entry[i];
    qsort(sorted, map->cnt, sizeof(*sorted), compare_keys);
    for (uint32_t i = 1; i < map->cnt; i++) {
        const struct fly_yaml_entry *entry = sorted[i].entry, *first = sorted[i - 1].entry;
        if (strcmp(entry->key.text, first->key.text) != 0)
            continue;
        fly_diag_add(reader->diags, FLY_DIAG_ERROR, entry->key_at,
                     &(struct fly_diag_about){.key = entry->key.text},
                     "the key '%s' is here twice: first in line %u, column %u", entry->key.text,
                     first->key_at.line, first->key_at.column);
    }
}

static const char EXTRAS_HINT[] = "write the value out where it is used, or take a ${VARIABLE}";

static void refuse_extras(struct reader *reader, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor)
        refuse(reader, event_position(reader), EXTRAS_HINT, "anchors (&name) are not supported");
    if (tag)
        refuse(reader, event_position(reader), NULL, "tags (!name) are not supported");
}

static bool read_value(struct reader *reader, struct fly_yaml *value, uint32_t depth);

static void read_scalar(struct reader *reader, struct fly_yaml *value)
{
    const yaml_event_t *event = &reader->event;
    value->kind = FLY_YAML_SCALAR;
    value->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    value->text = fly_arena_text(reader->arena, (const char *)event->data.scalar.value,
                                 event->data.scalar.length);
    refuse_extras(reader, event->data.scalar.anchor, event->data.scalar.tag);
}

static bool read_list(struct reader *reader, struct fly_yaml *list, uint32_t depth)
{
    list->kind = FLY_YAML_LIST;
    refuse_extras(reader, reader->event.data.sequence_start.anchor,
                  reader->event.data.sequence_start.tag);
    for (;;) {
        if (!next(reader))
            return false;
        if (reader->event.type == YAML_SEQUENCE_END_EVENT)
            return true;
        struct fly_yaml value;
        if (!read_value(reader, &value, depth + 1))
            return false;
        *fly_yaml_add(reader->arena, list) =
            (struct fly_yaml_entry){.key = {"", 0}, .key_at = value.at, .value = value};
    }
}

/* The current event as a key. */
static bool read_key(struct reader *reader, struct fly_yaml_entry *entry)
{
    entry->key_at = event_position(reader);
    if (reader->event.type != YAML_SCALAR_EVENT) {
        refuse(reader, entry->key_at, "is there a colon too many, or a bracket?",
               "a key must be plain text");
        return false;
    }
    struct fly_yaml key;
    read_scalar(reader, &key);
    entry->key = key.text;
    if (strlen(key.text.text) == key.text.bytes)
        return true;
    refuse(reader, entry->key_at, NULL, "a key must not contain a NUL character");
    return false;
}

static bool read_map(struct reader *reader, struct fly_yaml *map, uint32_t depth)
{
    map->kind = FLY_YAML_MAP;
    refuse_extras(reader, reader->event.data.mapping_start.anchor,
                  reader->event.data.mapping_start.tag);
    for (;;) {
        struct fly_yaml_entry entry = {.key = {"", 0}};
        if (!next(reader))
            return false;
        if (reader->event.type == YAML_MAPPING_END_EVENT)
            break;
        if (!read_key(reader, &entry) || !next(reader) ||
            !read_value(reader, &entry.value, depth + 1))
            return false;
        *fly_yaml_add(reader->arena, map) = entry;
    }
    if (map->cnt > 1)
        check_duplicates(reader, map);
    return true;
}

/* The value that starts with the current event. False: reading can't go on. */
static bool read_value(struct reader *reader, struct fly_yaml *value, uint32_t depth)
{
    *value = (struct fly_yaml){
        .kind = FLY_YAML_SCALAR, .plain = true, .at = event_position(reader), .text = {"", 0}};
    if (depth > FLY_YAML_DEPTH_MAX) {
        refuse(reader, value->at, NULL, "maps and lists are nested more than 64 deep");
        return false;
    }
    if (++reader->value_cnt > FLY_YAML_VALUES_MAX) {
        refuse(reader, value->at, NULL, "there are more than 262144 values");
        return false;
    }
    if (reader->event.type == YAML_SEQUENCE_START_EVENT)
        return read_list(reader, value, depth);
    if (reader->event.type == YAML_MAPPING_START_EVENT)
        return read_map(reader, value, depth);
    if (reader->event.type == YAML_SCALAR_EVENT)
        read_scalar(reader, value);
    else
        refuse(reader, value->at, EXTRAS_HINT, "aliases (*name) are not supported");
    return true;
}

/* Goes on by `cnt` events. */
static bool skip(struct reader *reader, uint32_t cnt)
{
    while (cnt-- > 0) {
        if (!next(reader))
            return false;
    }
    return true;
}

static bool read_stream(struct reader *reader, struct fly_yaml *out)
{
    if (!skip(reader, 2)) /* the stream's start, then a document's or the end */
        return false;
    if (reader->event.type == YAML_STREAM_END_EVENT)
        return true;
    if (!next(reader) || !read_value(reader, out, 1) || !skip(reader, 2))
        return false;
    if (reader->event.type == YAML_STREAM_END_EVENT)
        return true;
    refuse(reader, event_position(reader), "put each pipeline into a file of its own",
           "there is more than one document in this file");
    return false;
}

int fly_yaml_read(struct fly_arena *arena, struct fly_diagnostics *diags, uint32_t file,
                  const char *text, size_t bytes, struct fly_yaml *out)
{
    struct reader reader = {
        .arena = arena, .diags = diags, .file = file, .text = text, .bytes = bytes};
    *out = (struct fly_yaml){
        .kind = FLY_YAML_SCALAR, .plain = true, .at = {file, 1, 1, 1}, .text = {"", 0}};
    if (bytes > FLY_YAML_BYTES_MAX) {
        refuse(&reader, (struct fly_position){.file = file}, NULL,
               "a pipeline file has at most 16 MiB");
        return -EINVAL;
    }
    if (!yaml_parser_initialize(&reader.parser)) {
        refuse(&reader, (struct fly_position){.file = file}, NULL, "no memory to read it");
        return -EINVAL;
    }
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, bytes);
    bool whole = read_stream(&reader, out);
    if (reader.has_event)
        yaml_event_delete(&reader.event);
    yaml_parser_delete(&reader.parser);
    return whole ? 0 : -EINVAL;
}
