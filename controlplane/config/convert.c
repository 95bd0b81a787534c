#include "config/convert.h"

#include "config/suggest.h"
#include "config/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* One value on its way. */
struct conversion {
    struct fly_config *config;
    const struct fly_param *param;
    const char *key;
    const char *node;
    const struct fly_yaml *from;
};

#define REFUSE(conversion, hint, ...)                                                              \
    (FLY_CONFIG_ERROR((conversion)->config, (conversion)->from->at, (conversion)->node,            \
                      (conversion)->key, (hint), __VA_ARGS__),                                     \
     false)

static struct fly_string print_number(const struct fly_param *param, double number, char *text,
                                      size_t bytes)
{
    const char *printed = text;
    if (param->type == FLY_PARAM_DURATION)
        printed = fly_units_print_duration((uint64_t)number, text, bytes);
    else if (param->type == FLY_PARAM_SIZE)
        printed = fly_units_print_size((uint64_t)number, text, bytes);
    else
        snprintf(text, bytes, "%.15g", number);
    return (struct fly_string){printed, (uint32_t)strlen(printed)};
}

const char *fly_convert_range(const struct fly_param *param, char *text, size_t bytes)
{
    char low[32], high[32];
    bool has_min = param->min != 0, has_max = param->max > param->min;
    text[0] = '\0';
    print_number(param, param->min, low, sizeof(low));
    const char *min = print_number(param, param->min, low, sizeof(low)).text;
    const char *max = print_number(param, param->max, high, sizeof(high)).text;
    if (has_max && (has_min || param->type == FLY_PARAM_FLOAT || param->type == FLY_PARAM_INT))
        snprintf(text, bytes, "%s to %s", min, max);
    else if (has_max)
        snprintf(text, bytes, "at most %s", max);
    else if (has_min)
        snprintf(text, bytes, "at least %s", min);
    return text;
}

static bool check_range(const struct conversion *conversion, double number)
{
    const struct fly_param *param = conversion->param;
    char text[96];
    bool has_range = param->min != 0 || param->max != 0;
    if (!has_range || (number >= param->min && (param->max <= param->min || number <= param->max)))
        return true;
    return REFUSE(conversion, NULL, "'%s' is out of range: it must be %s, not %s", conversion->key,
                  fly_convert_range(param, text, sizeof(text)), conversion->from->text.text);
}

static bool want_scalar(const struct conversion *conversion, const char *what)
{
    if (conversion->from->broken)
        return false;
    if (fly_yaml_is_null(conversion->from))
        return REFUSE(conversion, "leave the key out to get the default", "'%s' has no value",
                      conversion->key);
    if (conversion->from->kind == FLY_YAML_SCALAR)
        return true;
    return REFUSE(conversion, NULL, "'%s' must be %s, not %s", conversion->key, what,
                  fly_yaml_kind_text(conversion->from));
}

static const char *units_hint(const struct fly_param *param, enum fly_units_result result)
{
    if (param->type == FLY_PARAM_DURATION)
        return "units are ns, us, ms, s, m, h and d, like 250ms";
    if (param->type == FLY_PARAM_SIZE)
        return "units are B, kB, MB, GB, TB (of 1000) and KiB, MiB, GiB, TiB (of 1024)";
    if (param->type == FLY_PARAM_UINT && result == FLY_UNITS_NOT_A_NUMBER)
        return "10k, 10M and 10G are fine, too";
    return NULL;
}

/* Makes a sentence of an outcome; true for FLY_UNITS_OK. */
static bool check_units(const struct conversion *conversion, enum fly_units_result result)
{
    static const char *const WHAT[] = {
        [FLY_PARAM_INT] = "a whole number", [FLY_PARAM_UINT] = "a whole number",
        [FLY_PARAM_FLOAT] = "a number",     [FLY_PARAM_DURATION] = "a duration",
        [FLY_PARAM_SIZE] = "a size",
    };
    const char *key = conversion->key, *text = conversion->from->text.text;
    const char *hint = units_hint(conversion->param, result);
    switch (result) {
    case FLY_UNITS_OK:
        return true;
    case FLY_UNITS_NOT_A_NUMBER:
        return REFUSE(conversion, hint, "'%s' must be %s, not '%s'", key,
                      WHAT[conversion->param->type], text);
    case FLY_UNITS_NO_UNIT:
        return REFUSE(conversion, hint, "'%s' needs a unit: %s of what?", key, text);
    case FLY_UNITS_UNKNOWN_UNIT:
        return REFUSE(conversion, hint, "'%s' has an unknown unit: '%s'", key, text);
    case FLY_UNITS_TOO_LARGE:
        return REFUSE(conversion, NULL, "'%s' is too large: %s", key, text);
    case FLY_UNITS_NEGATIVE:
        return REFUSE(conversion, NULL, "'%s' can't be negative: %s", key, text);
    case FLY_UNITS_FRACTION:
        break;
    }
    return REFUSE(conversion, NULL, "'%s' must come out as a whole number: %s does not", key, text);
}

static bool convert_bool(const struct conversion *conversion, struct fly_config_value *value)
{
    const char *text = conversion->from->text.text;
    if (!want_scalar(conversion, "true or false"))
        return false;
    value->flag = strcmp(text, "true") == 0;
    if (value->flag || strcmp(text, "false") == 0)
        return true;
    return REFUSE(conversion, NULL, "'%s' must be true or false, not '%s'", conversion->key, text);
}

static bool convert_number(const struct conversion *conversion, struct fly_config_value *value)
{
    return want_scalar(conversion, "a whole number") &&
           check_units(conversion, fly_units_number(conversion->from->text, &value->number)) &&
           check_range(conversion, (double)value->number);
}

static bool convert_real(const struct conversion *conversion, struct fly_config_value *value)
{
    return want_scalar(conversion, "a number") &&
           check_units(conversion, fly_units_real(conversion->from->text, &value->real)) &&
           check_range(conversion, value->real);
}

static bool ends_with(const char *text, const char *end)
{
    size_t bytes = strlen(text), end_bytes = strlen(end);
    return bytes >= end_bytes && strcmp(text + bytes - end_bytes, end) == 0;
}

static bool convert_count(const struct conversion *conversion, struct fly_config_value *value)
{
    bool rate = ends_with(conversion->param->name, "rate");
    return want_scalar(conversion, "a whole number") &&
           check_units(conversion, fly_units_count(conversion->from->text, rate, &value->count)) &&
           check_range(conversion, (double)value->count);
}

static bool convert_duration(const struct conversion *conversion, struct fly_config_value *value)
{
    uint64_t bare_ns = fly_units_of_name(conversion->param->name);
    return want_scalar(conversion, "a duration") &&
           check_units(conversion,
                       fly_units_duration(conversion->from->text, bare_ns, &value->count)) &&
           check_range(conversion, (double)value->count);
}

static bool convert_size(const struct conversion *conversion, struct fly_config_value *value)
{
    return want_scalar(conversion, "a size") &&
           check_units(conversion, fly_units_size(conversion->from->text, &value->count)) &&
           check_range(conversion, (double)value->count);
}

static bool convert_string(const struct conversion *conversion, struct fly_config_value *value)
{
    value->string = conversion->from->text;
    return want_scalar(conversion, "text");
}

static bool convert_enum(const struct conversion *conversion, struct fly_config_value *value)
{
    const char *text = conversion->from->text.text, *all = "";
    struct fly_arena *arena = conversion->config->arena;
    struct fly_suggest suggest = {.wanted = text};
    if (!want_scalar(conversion, "one word"))
        return false;
    for (uint32_t i = 0; conversion->param->choices[i]; i++) {
        const char *choice = conversion->param->choices[i];
        value->choice = i;
        if (strcmp(choice, text) == 0)
            return true;
        fly_suggest_offer(&suggest, choice);
        all = fly_arena_print(arena, "%s%s%s", all, i ? ", " : "", choice);
    }
    value->choice = 0;
    const char *hint =
        suggest.best ? fly_arena_print(arena, "did you mean '%s'?", suggest.best) : NULL;
    return REFUSE(conversion, hint, "'%s' must be one of %s, not '%s'", conversion->key, all, text);
}

static void append_part(char *out, size_t *bytes, struct fly_string part)
{
    out[(*bytes)++] = '/';
    memcpy(out + *bytes, part.text, part.bytes);
    *bytes += part.bytes;
}

struct fly_string fly_convert_path(struct fly_arena *arena, const char *folder,
                                   struct fly_string path)
{
    if (path.bytes == 0 || strcmp(path.text, "-") == 0)
        return path;
    bool absolute = path.text[0] == '/', in_folder = !absolute;
    char *out = fly_arena_take(arena, strlen(folder) + path.bytes + 3);
    size_t bytes = 0;
    if (!absolute) {
        bytes = strlen(folder);
        memcpy(out, folder, bytes);
        bytes -= bytes > 0 && out[bytes - 1] == '/';
    }
    for (const char *at = path.text; *at;) {
        size_t part_bytes = strcspn(at, "/");
        struct fly_string part = {at, (uint32_t)part_bytes};
        at += part_bytes + (at[part_bytes] == '/');
        if (part.bytes == 0 || (part.bytes == 1 && part.text[0] == '.'))
            continue;
        if (part.bytes == 2 && memcmp(part.text, "..", 2) == 0 && in_folder) {
            while (bytes > 0 && out[--bytes] != '/')
                continue;
            continue;
        }
        in_folder = false; /* what follows may be a link: its .. is the kernel's business */
        append_part(out, &bytes, part);
    }
    if (bytes == 0)
        out[bytes++] = '/';
    out[bytes] = '\0';
    return (struct fly_string){out, (uint32_t)bytes};
}

static bool convert_path(const struct conversion *conversion, struct fly_config_value *value)
{
    const struct fly_yaml *from = conversion->from;
    struct fly_config *config = conversion->config;
    if (!want_scalar(conversion, "a path"))
        return false;
    if (from->text.bytes == 0)
        return REFUSE(conversion, NULL, "'%s' is an empty path", conversion->key);
    if (strlen(from->text.text) != from->text.bytes)
        return REFUSE(conversion, NULL, "'%s' has a NUL character in it", conversion->key);
    const char *folder =
        from->at.file < config->text_cnt ? config->text[from->at.file].folder : ".";
    value->string = fly_convert_path(config->arena, folder, from->text);
    if (value->string.bytes < FLY_PLAN_PATH_MAX)
        return true;
    return REFUSE(conversion, NULL, "'%s' is longer than a path can be", conversion->key);
}

static bool convert_list(const struct conversion *conversion, struct fly_config_value *value)
{
    const struct fly_yaml *from = conversion->from;
    bool single = from->kind == FLY_YAML_SCALAR, good = true;
    if (from->kind == FLY_YAML_MAP || fly_yaml_is_null(from))
        return want_scalar(conversion, "a list");
    value->list.cnt = single ? 1 : from->cnt;
    value->list.item =
        fly_arena_array(conversion->config->arena, value->list.cnt, sizeof(*value->list.item));
    for (uint32_t i = 0; i < value->list.cnt; i++) {
        struct conversion item = *conversion;
        struct fly_config_value converted = {.given = true};
        item.from = single ? from : &from->entry[i].value;
        good &= conversion->param->type == FLY_PARAM_PATHS ? convert_path(&item, &converted)
                                                           : convert_string(&item, &converted);
        value->list.item[i] = converted.string;
    }
    return good;
}

static bool convert_table(const struct conversion *conversion, struct fly_config_value *value)
{
    value->table = (struct fly_config_table){NULL, 0};
    return REFUSE(conversion, NULL, "'%s' can't be converted", conversion->key);
}

bool fly_convert(struct fly_config *config, const struct fly_param *param, const char *key,
                 const char *node, const struct fly_yaml *from, struct fly_config_value *value)
{
    static bool (*const CONVERT[])(const struct conversion *, struct fly_config_value *) = {
        [FLY_PARAM_BOOL] = convert_bool,     [FLY_PARAM_INT] = convert_number,
        [FLY_PARAM_UINT] = convert_count,    [FLY_PARAM_FLOAT] = convert_real,
        [FLY_PARAM_STRING] = convert_string, [FLY_PARAM_PATH] = convert_path,
        [FLY_PARAM_ENUM] = convert_enum,     [FLY_PARAM_DURATION] = convert_duration,
        [FLY_PARAM_SIZE] = convert_size,     [FLY_PARAM_LIST] = convert_list,
        [FLY_PARAM_PATHS] = convert_list,    [FLY_PARAM_TABLE] = convert_table,
    };
    struct conversion conversion = {config, param, key, node, from};
    struct fly_config_value empty = {.param = param, .at = from->at, .given = true};
    if (param->type == FLY_PARAM_STRING || param->type == FLY_PARAM_PATH)
        empty.string = (struct fly_string){"", 0};
    *value = empty;
    if (CONVERT[param->type](&conversion, value))
        return true;
    *value = empty;
    return false;
}
