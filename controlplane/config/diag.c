#include "config/diag.h"

#include "config/arena.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>

enum { TEXT_MAX_CHARS = 160 }; /* of a source line: longer ones are shown around the place */

struct text {
    const char *name;
    const char *start; /* NULL: no carets */
    size_t bytes;
};

struct finding {
    enum fly_severity severity;
    struct fly_position at;
    struct fly_diag_about about;
    const char *message;
    uint32_t order;
};

struct fly_diagnostics {
    struct fly_arena *arena;
    struct text *text;
    uint32_t text_cnt;
    struct finding finding[FLY_DIAG_MAX];
    uint32_t finding_cnt;
    uint32_t cnt[2]; /* by severity, with those that were not kept */
};

struct fly_diagnostics *fly_diag_create(void)
{
    struct fly_arena *arena = fly_arena_create();
    struct fly_diagnostics *diags = fly_arena_take(arena, sizeof(*diags));
    diags->arena = arena;
    return diags;
}

void fly_diag_destroy(struct fly_diagnostics *diags)
{
    if (diags)
        fly_arena_destroy(diags->arena);
}

uint32_t fly_diag_text(struct fly_diagnostics *diags, const char *name, const char *text,
                       size_t bytes)
{
    struct fly_arena *arena = diags->arena;
    diags->text = fly_arena_grow(arena, diags->text, diags->text_cnt, 1, sizeof(*diags->text));
    diags->text[diags->text_cnt] = (struct text){
        .name = fly_arena_text(arena, name, strlen(name)).text,
        .start = text ? fly_arena_text(arena, text, bytes).text : NULL,
        .bytes = text ? bytes : 0,
    };
    return diags->text_cnt++;
}

const char *fly_diag_text_name(const struct fly_diagnostics *diags, uint32_t file)
{
    return file < diags->text_cnt ? diags->text[file].name : "?";
}

static const char *copied(struct fly_diagnostics *diags, const char *text)
{
    return text && *text ? fly_arena_text(diags->arena, text, strlen(text)).text : NULL;
}

void fly_diag_add(struct fly_diagnostics *diags, enum fly_severity severity, struct fly_position at,
                  const struct fly_diag_about *about, const char *fmt, ...)
{
    char message[512];
    va_list args;
    diags->cnt[severity]++;
    if (diags->finding_cnt == FLY_DIAG_MAX)
        return;
    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    struct finding *finding = &diags->finding[diags->finding_cnt];
    *finding = (struct finding){.severity = severity, .at = at, .order = diags->finding_cnt++};
    finding->message = copied(diags, message);
    if (about)
        finding->about = (struct fly_diag_about){
            copied(diags, about->node), copied(diags, about->key), copied(diags, about->hint)};
}

uint32_t fly_diag_error_cnt(const struct fly_diagnostics *diags)
{
    return diags->cnt[FLY_DIAG_ERROR];
}

uint32_t fly_diag_warning_cnt(const struct fly_diagnostics *diags)
{
    return diags->cnt[FLY_DIAG_WARNING];
}

static int compare(const void *one, const void *other)
{
    const struct finding *a = one, *b = other;
    const uint32_t key[4][2] = {{a->at.file, b->at.file},
                                {a->at.line, b->at.line},
                                {a->at.column, b->at.column},
                                {a->order, b->order}};
    for (int i = 0; i < 4; i++) {
        if (key[i][0] != key[i][1])
            return key[i][0] < key[i][1] ? -1 : 1;
    }
    return 0;
}

static void sort(struct fly_diagnostics *diags)
{
    qsort(diags->finding, diags->finding_cnt, sizeof(diags->finding[0]), compare);
}

/* Line `line` (from 1) of the text, without its end. False: there is none. */
static bool find_line(const struct text *text, uint32_t line, struct fly_string *found)
{
    if (!text->start || line == 0)
        return false;
    const char *at = text->start, *end = text->start + text->bytes;
    for (; line > 1; line--) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (!at++)
            return false;
    }
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    *found = (struct fly_string){at, (uint32_t)((newline ? newline : end) - at)};
    if (found->bytes && found->text[found->bytes - 1] == '\r')
        found->bytes--;
    return true;
}

static bool starts_character(char byte)
{
    return ((unsigned char)byte & 0xc0) != 0x80;
}

/* Prints the characters [first, last) of a line, or, when `blank`, spaces as wide as they are. */
static void print_characters(struct fly_string line, uint32_t first, uint32_t last, bool blank,
                             FILE *file)
{
    uint32_t character = 0;
    for (uint32_t i = 0; i < line.bytes; i++) {
        unsigned char byte = (unsigned char)line.text[i];
        bool starts = starts_character(line.text[i]);
        if (i > 0 && starts)
            character++;
        if (character < first || character >= last)
            continue;
        if (byte == '\t')
            fputc('\t', file);
        else if (!blank)
            fputc(byte < 0x20 || byte == 0x7f ? '?' : byte, file);
        else if (starts)
            fputc(' ', file);
    }
}

static uint32_t character_cnt(struct fly_string line)
{
    uint32_t cnt = 0;
    for (uint32_t i = 0; i < line.bytes; i++)
        cnt += starts_character(line.text[i]);
    return cnt;
}

static void print_caret(const struct text *text, struct fly_position at, FILE *file, bool color)
{
    struct fly_string line;
    if (!find_line(text, at.line, &line) || at.column == 0)
        return;
    uint32_t length = character_cnt(line), column = at.column - 1, first = 0;
    if (column > length)
        column = length;
    if (column > TEXT_MAX_CHARS / 2 && length > TEXT_MAX_CHARS)
        first = column - TEXT_MAX_CHARS / 2;
    uint32_t last = length - first > TEXT_MAX_CHARS ? first + TEXT_MAX_CHARS : length;
    fputs("  ", file);
    print_characters(line, first, last, false, file);
    fputs("\n  ", file);
    print_characters(line, first, column, true, file);
    fputs(color ? "\033[32m^" : "^", file);
    for (uint32_t i = 1; i < at.width && column + i < last; i++)
        fputc('~', file);
    fputs(color ? "\033[0m\n" : "\n", file);
}

static void print_finding(const struct fly_diagnostics *diags, const struct finding *finding,
                          FILE *file, bool color)
{
    static const char *const NAMES[] = {"error", "warning"};
    static const char *const COLORS[] = {"\033[31m", "\033[33m"};
    if (finding->at.file < diags->text_cnt) {
        fputs(diags->text[finding->at.file].name, file);
        if (finding->at.line && diags->text[finding->at.file].start)
            fprintf(file, ":%u:%u", finding->at.line, finding->at.column);
        fputs(": ", file);
    }
    fprintf(file, "%s%s:%s %s\n", color ? COLORS[finding->severity] : "", NAMES[finding->severity],
            color ? "\033[0m" : "", finding->message);
    if (finding->at.file < diags->text_cnt)
        print_caret(&diags->text[finding->at.file], finding->at, file, color);
    if (finding->about.hint)
        fprintf(file, "  hint: %s\n", finding->about.hint);
}

void fly_diag_print(struct fly_diagnostics *diags, FILE *file, bool color)
{
    sort(diags);
    for (uint32_t i = 0; i < diags->finding_cnt; i++)
        print_finding(diags, &diags->finding[i], file, color);
    uint32_t total = diags->cnt[FLY_DIAG_ERROR] + diags->cnt[FLY_DIAG_WARNING];
    if (total > diags->finding_cnt)
        fprintf(file, "and %u more\n", total - diags->finding_cnt);
}

/* Text that may not be UTF-8 (a path) must not make the whole output fail. */
static json_t *json_text(const char *text)
{
    if (!text)
        return json_null();
    json_t *string = json_string(text);
    if (string)
        return string;
    char plain[1024];
    snprintf(plain, sizeof(plain), "%s", text);
    for (char *at = plain; *at; at++)
        *at = (unsigned char)*at < 0x80 ? *at : '?';
    return json_string(plain);
}

static json_t *json_finding(const struct fly_diagnostics *diags, const struct finding *finding)
{
    struct fly_position at = finding->at;
    json_t *object = json_object();
    json_object_set_new(object, "file", json_text(fly_diag_text_name(diags, at.file)));
    json_object_set_new(object, "line", json_integer(at.line));
    json_object_set_new(object, "column", json_integer(at.column));
    json_object_set_new(object, "severity",
                        json_string(finding->severity == FLY_DIAG_ERROR ? "error" : "warning"));
    json_object_set_new(object, "message", json_text(finding->message));
    json_object_set_new(object, "hint", json_text(finding->about.hint));
    json_object_set_new(object, "node", json_text(finding->about.node));
    json_object_set_new(object, "key", json_text(finding->about.key));
    return object;
}

void fly_diag_print_json(struct fly_diagnostics *diags, FILE *file)
{
    json_t *lists[2] = {json_array(), json_array()};
    json_t *root = json_object();
    sort(diags);
    for (uint32_t i = 0; i < diags->finding_cnt; i++)
        json_array_append_new(lists[diags->finding[i].severity],
                              json_finding(diags, &diags->finding[i]));
    json_object_set_new(root, "ok", json_boolean(diags->cnt[FLY_DIAG_ERROR] == 0));
    json_object_set_new(root, "errors", lists[FLY_DIAG_ERROR]);
    json_object_set_new(root, "warnings", lists[FLY_DIAG_WARNING]);
    json_dumpf(root, file, JSON_INDENT(2));
    fputc('\n', file);
    json_decref(root);
}
