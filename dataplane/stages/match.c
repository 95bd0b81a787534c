#include "stages/match.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>

static pcre2_code *compile(const struct fly_string *text, int *error, size_t *error_at)
{
    return pcre2_compile((PCRE2_SPTR)text->text, text->bytes, 0, error, error_at, NULL);
}

/* The name of one of its parameters. */
static void name_param(struct fly_refusal *refusal, const char *param, const char *name)
{
    snprintf(refusal->param, sizeof(refusal->param), "%s%s%s", param,
             param[0] && name[0] ? "." : "", name);
}

static int check_expression(const struct fly_match_params *params, const char *param,
                            struct fly_refusal *refusal)
{
    PCRE2_UCHAR text[120];
    int error;
    size_t error_at;
    pcre2_code *code = compile(&params->matches, &error, &error_at);
    if (code) {
        pcre2_code_free(code);
        return 0;
    }
    if (pcre2_get_error_message(error, text, sizeof(text)) < 0)
        text[0] = '\0';
    name_param(refusal, param, "matches");
    snprintf(refusal->why, sizeof(refusal->why), "not a regular expression: %s, at character %zu",
             (const char *)text, error_at + 1);
    return -1;
}

int fly_match_check(const struct fly_match_params *params, const char *param,
                    struct fly_refusal *refusal)
{
    int given =
        (params->contains.bytes > 0) + (params->equals.bytes > 0) + (params->matches.bytes > 0);
    *refusal = (struct fly_refusal){0};
    name_param(refusal, param, "field");
    if (params->field.bytes && fly_json_path_check(params->field, refusal->param, refusal))
        return -1;
    if (given == 1)
        return params->matches.bytes ? check_expression(params, param, refusal) : 0;
    name_param(refusal, param, "");
    snprintf(refusal->why, sizeof(refusal->why),
             given ? "more than one of `contains`, `equals` and `matches`"
                   : "no condition: one of `contains`, `equals` and `matches` is needed");
    snprintf(refusal->hint, sizeof(refusal->hint), "for example contains: ERROR");
    return -1;
}

int fly_match_open(struct fly_match *match, const struct fly_match_params *params,
                   struct fly_task *task, struct fly_json_fields *fields)
{
    int error;
    size_t error_at;
    *match = (struct fly_match){.params = *params};
    if (params->field.bytes) {
        match->field = fly_json_fields_add(fields, params->field);
        match->room = fly_task_alloc(task, FLY_JSON_TEXT_BYTES_MAX);
        if (!match->room)
            return -1;
    }
    if (params->matches.bytes == 0)
        return 0;
    pcre2_code *code = compile(&params->matches, &error, &error_at);
    match->code = code;
    match->data = code ? pcre2_match_data_create_from_pattern(code, NULL) : NULL;
    if (!match->data)
        return -1;
    /* Without the compiler to machine code it is interpreted: slower, the same result. */
    (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    return 0;
}

void fly_match_close(struct fly_match *match)
{
    pcre2_match_data_free(match->data);
    pcre2_code_free(match->code);
    *match = (struct fly_match){0};
}

static enum fly_matched match_text(const struct fly_match *match, const uint8_t *text,
                                   uint32_t bytes)
{
    const struct fly_match_params *params = &match->params;
    bool found;
    if (match->code) {
        int result = pcre2_match(match->code, text, bytes, 0, 0, match->data, NULL);
        if (result < 0 && result != PCRE2_ERROR_NOMATCH)
            return FLY_MATCH_ERROR;
        found = result >= 0;
    } else if (params->contains.bytes) {
        found = memmem(text, bytes, params->contains.text, params->contains.bytes) != NULL;
    } else {
        found = bytes == params->equals.bytes && memcmp(text, params->equals.text, bytes) == 0;
    }
    return found ? FLY_MATCH_YES : FLY_MATCH_NO;
}

enum fly_matched fly_match_run(const struct fly_match *match, const struct fly_json_fields *fields,
                               const struct fly_msg *msg)
{
    if (match->params.field.bytes == 0)
        return match_text(match, msg->payload, msg->payload_bytes);
    const struct fly_json_value *value = &fields->value[match->field];
    if (value->kind == FLY_JSON_NONE)
        return FLY_MATCH_NO;
    struct fly_json_text text = fly_json_text_in(value, match->room, FLY_JSON_TEXT_BYTES_MAX);
    return text.at ? match_text(match, text.at, text.bytes) : FLY_MATCH_ERROR;
}
