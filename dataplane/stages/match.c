#include "stages/match.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>

static pcre2_code *compile(const struct fly_string *text, int *error, size_t *error_at)
{
    return pcre2_compile((PCRE2_SPTR)text->text, text->bytes, 0, error, error_at, NULL);
}

static int check_expression(const struct fly_match_params *params, struct fly_refusal *refusal)
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
    snprintf(refusal->param, sizeof(refusal->param), "%s%s%s", param,
             param[0] && params->matches.bytes ? "." : "", params->matches.bytes ? "matches" : "");
    if (given == 1)
        return params->matches.bytes ? check_expression(params, refusal) : 0;
    snprintf(refusal->param, sizeof(refusal->param), "%s", param);
    snprintf(refusal->why, sizeof(refusal->why),
             given ? "more than one of `contains`, `equals` and `matches`"
                   : "no condition: one of `contains`, `equals` and `matches` is needed");
    snprintf(refusal->hint, sizeof(refusal->hint), "for example contains: ERROR");
    return -1;
}

int fly_match_open(struct fly_match *match, const struct fly_match_params *params)
{
    int error;
    size_t error_at;
    *match = (struct fly_match){.params = *params};
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

enum fly_matched fly_match_run(const struct fly_match *match, const struct fly_msg *msg)
{
    const struct fly_match_params *params = &match->params;
    bool found;
    if (match->code) {
        int result =
            pcre2_match(match->code, msg->payload, msg->payload_bytes, 0, 0, match->data, NULL);
        if (result < 0 && result != PCRE2_ERROR_NOMATCH)
            return FLY_MATCH_ERROR;
        found = result >= 0;
    } else if (params->contains.bytes) {
        found = memmem(msg->payload, msg->payload_bytes, params->contains.text,
                       params->contains.bytes) != NULL;
    } else {
        found = msg->payload_bytes == params->equals.bytes &&
                memcmp(msg->payload, params->equals.text, params->equals.bytes) == 0;
    }
    return found ? FLY_MATCH_YES : FLY_MATCH_NO;
}
