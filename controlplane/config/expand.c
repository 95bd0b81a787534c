#include "config/expand.h"

#include <stdlib.h>

struct expansion {
    struct fly_config *config;
    struct fly_yaml *scalar;
    char *out;
    size_t out_bytes, max_bytes;
};

static void append(struct expansion *expansion, const char *text, size_t bytes)
{
    if (bytes == 0)
        return;
    if (expansion->max_bytes - expansion->out_bytes < bytes) {
        size_t more = bytes + expansion->max_bytes;
        expansion->out =
            fly_arena_grow(expansion->config->arena, expansion->out, expansion->out_bytes, more, 1);
        expansion->max_bytes = expansion->out_bytes + more;
    }
    memcpy(expansion->out + expansion->out_bytes, text, bytes);
    expansion->out_bytes += bytes;
}

static void refuse(struct expansion *expansion, const char *hint, const char *what,
                   struct fly_string name)
{
    expansion->scalar->broken = true;
    FLY_CONFIG_ERROR(expansion->config, expansion->scalar->at, NULL, NULL, hint, "%s '%.*s'", what,
                     (int)name.bytes, name.text);
}

static void refuse_with_message(struct expansion *expansion, struct fly_string name,
                                struct fly_string message)
{
    expansion->scalar->broken = true;
    FLY_CONFIG_ERROR(expansion->config, expansion->scalar->at, NULL, NULL,
                     "the environment variable is not set", "%.*s: %.*s", (int)name.bytes,
                     name.text, (int)message.bytes, message.text);
}

static uint32_t name_bytes(const char *text, const char *end)
{
    const char *at = text;
    while (at < end && (*at == '_' || (*at >= 'A' && *at <= 'Z') || (*at >= 'a' && *at <= 'z') ||
                        (at > text && *at >= '0' && *at <= '9')))
        at++;
    return (uint32_t)(at - text);
}

static const char *environment(const struct expansion *expansion, struct fly_string name)
{
    struct fly_config *config = expansion->config;
    if (config->request->no_environment)
        return NULL;
    return getenv(fly_arena_text(config->arena, name.text, name.bytes).text);
}

/* `inside` is what stands between ${ and }. */
static void expand_one(struct expansion *expansion, struct fly_string inside)
{
    const char *end = inside.text + inside.bytes;
    struct fly_string name = {inside.text, name_bytes(inside.text, end)};
    const char *rest = name.text + name.bytes;
    if (name.bytes == 6 && memcmp(name.text, "secret", 6) == 0 && rest < end && *rest == ':') {
        refuse(expansion, "no node needs one yet; take an environment variable instead",
               "secrets are not available:", inside);
        return;
    }
    bool is_default = end - rest >= 2 && memcmp(rest, ":-", 2) == 0;
    bool is_message = end - rest >= 2 && memcmp(rest, ":?", 2) == 0;
    if (name.bytes == 0 || (rest < end && !is_default && !is_message)) {
        refuse(expansion,
               "write ${NAME}, ${NAME:-default} or ${NAME:?message}; $$ stands for a dollar sign",
               "not a variable:", inside);
        return;
    }
    const char *value = environment(expansion, name);
    if (value && (*value || rest == end))
        append(expansion, value, strlen(value));
    else if (is_default)
        append(expansion, rest + 2, (size_t)(end - rest - 2));
    else if (is_message)
        refuse_with_message(expansion, name,
                            (struct fly_string){rest + 2, (uint32_t)(end - rest - 2)});
    else
        refuse(expansion, "set it, or give a default: ${NAME:-default}",
               "there is no environment variable", name);
}

static void expand_scalar(struct fly_config *config, struct fly_yaml *scalar)
{
    struct expansion expansion = {.config = config, .scalar = scalar};
    const char *at = scalar->text.text, *end = at + scalar->text.bytes;
    if (!memchr(at, '$', scalar->text.bytes))
        return;
    while (at < end) {
        const char *dollar = memchr(at, '$', (size_t)(end - at));
        append(&expansion, at, (size_t)((dollar ? dollar : end) - at));
        if (!dollar)
            break;
        at = dollar + 1;
        if (at < end && *at == '{') {
            const char *close = memchr(at, '}', (size_t)(end - at));
            struct fly_string inside = {at + 1, (uint32_t)((close ? close : end) - at - 1)};
            if (close)
                expand_one(&expansion, inside);
            else
                refuse(&expansion, "$$ stands for a dollar sign", "there is no } after ${ in",
                       scalar->text);
            at = close ? close + 1 : end;
        } else {
            append(&expansion, "$", 1);
            at += at < end && *at == '$';
        }
    }
    if (scalar->broken)
        return;
    scalar->text = fly_arena_text(config->arena, expansion.out, expansion.out_bytes);
    scalar->plain = scalar->plain && expansion.out_bytes > 0;
}

void fly_expand(struct fly_config *config, struct fly_yaml *tree)
{
    if (tree->kind == FLY_YAML_SCALAR)
        expand_scalar(config, tree);
    for (uint32_t i = 0; i < tree->cnt; i++)
        fly_expand(config, &tree->entry[i].value);
}
