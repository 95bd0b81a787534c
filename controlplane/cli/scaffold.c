#include "cli/catalog.h"
#include "config/suggest.h"
#include "config/values.h"
#include "config/yaml.h"

enum { CHAIN_MAX = 32 };

/* One node of the chain: its type, and the node that the type's example shows. */
struct link {
    const struct fly_node *type;
    const char *name;
    struct fly_yaml keys; /* a map, or nothing */
};

struct chain {
    const struct fly_call *call;
    struct fly_catalog catalog;
    struct link link[CHAIN_MAX];
    uint32_t cnt;
};

static int refuse_type(struct chain *chain, const char *name)
{
    struct fly_suggest suggest = {.wanted = name};
    for (uint32_t i = 0; i < chain->catalog.types.cnt; i++)
        fly_suggest_offer(&suggest, chain->catalog.types.type[i].node->name);
    const char *hint = "flyover list shows all types";
    if (suggest.best)
        hint = fly_arena_print(chain->call->arena, "did you mean '%s'?", suggest.best);
    return fly_command_misused(chain->call, hint, "there is no node type '%s'", name);
}

/* A name that no node before it has: that of the example, with a number if need be. */
static const char *choose_name(const struct chain *chain, const char *wanted)
{
    const char *name = wanted;
    for (uint32_t number = 2;; number++) {
        bool is_free = true;
        for (uint32_t i = 0; i < chain->cnt; i++)
            is_free &= strcmp(chain->link[i].name, name) != 0;
        if (is_free)
            return name;
        name = fly_arena_print(chain->call->arena, "%s-%u", wanted, number);
    }
}

static void read_example(struct chain *chain, struct link *link)
{
    const char *example = link->type->example;
    struct fly_yaml tree;
    link->name = link->type->name;
    link->keys = (struct fly_yaml){.kind = FLY_YAML_MAP};
    if (example &&
        fly_yaml_read(chain->call->arena, chain->catalog.config.diags, 0, example, strlen(example),
                      &tree) == 0 &&
        tree.kind == FLY_YAML_MAP && tree.cnt == 1) {
        link->name = tree.entry[0].key.text;
        link->keys = tree.entry[0].value;
    }
    link->name = choose_name(chain, link->name);
}

static int add_link(struct chain *chain, const char *name, bool is_last)
{
    const struct fly_node *type = fly_types_find(&chain->catalog.types, name, chain->cnt == 0);
    static const char *const WHERE[] = {"first", "between a source and a sink", "last"};
    if (!type)
        return refuse_type(chain, name);
    enum fly_kind wanted = chain->cnt == 0 ? FLY_SOURCE : is_last ? FLY_SINK : FLY_STAGE;
    if (type->kind != wanted || (wanted == FLY_SOURCE && is_last))
        return fly_command_misused(chain->call,
                                   "a chain is SOURCE/STAGE/.../SINK, as in "
                                   "file/split/count/file",
                                   "a %s can't stand there: '%s' belongs %s",
                                   fly_values_kind_text(type->kind), name,
                                   type->kind == wanted ? "before a sink" : WHERE[type->kind]);
    if (chain->cnt == CHAIN_MAX)
        return fly_command_misused(chain->call, NULL, "more than %d nodes", CHAIN_MAX);
    chain->link[chain->cnt].type = type;
    read_example(chain, &chain->link[chain->cnt]);
    chain->cnt++;
    return 0;
}

static void print_value(const struct fly_yaml *value, FILE *file)
{
    if (value->kind == FLY_YAML_SCALAR) {
        if (value->plain) {
            fputs(value->text.text, file);
            return;
        }
        fputc('\'', file);
        for (uint32_t i = 0; i < value->text.bytes; i++)
            fputs(value->text.text[i] == '\'' ? "''" : (char[]){value->text.text[i], '\0'}, file);
        fputc('\'', file);
        return;
    }
    bool is_map = value->kind == FLY_YAML_MAP;
    fputc(is_map ? '{' : '[', file);
    for (uint32_t i = 0; i < value->cnt; i++) {
        fprintf(file, "%s%s%s", i ? ", " : "", value->entry[i].key.text, is_map ? ": " : "");
        print_value(&value->entry[i].value, file);
    }
    fputc(is_map ? '}' : ']', file);
}

static void print_link(const struct chain *chain, uint32_t idx, FILE *file)
{
    const struct link *link = &chain->link[idx];
    fprintf(file, "  %s: {type: %s", link->name, link->type->name);
    if (idx > 0 && link->type->keyed_state)
        fprintf(file, ", inputs: [{from: %s, grouping: key}]", chain->link[idx - 1].name);
    else if (idx > 0)
        fprintf(file, ", inputs: [%s]", chain->link[idx - 1].name);
    for (uint32_t i = 0; i < link->keys.cnt; i++) {
        const struct fly_yaml_entry *entry = &link->keys.entry[i];
        if (strcmp(entry->key.text, "type") == 0 || strcmp(entry->key.text, "inputs") == 0)
            continue;
        fprintf(file, ", %s: ", entry->key.text);
        print_value(&entry->value, file);
    }
    fputs("}\n", file);
}

static void print_chain(const struct chain *chain, FILE *file)
{
    fputs("# Explain a type: flyover describe TYPE. Check this file: flyover validate FILE.\n"
          "pipeline: ",
          file);
    for (uint32_t i = 0; i < chain->cnt; i++)
        fprintf(file, "%s%s", i ? "-" : "", chain->link[i].type->name);
    fputs("\nnodes:\n", file);
    for (uint32_t i = 0; i < chain->cnt; i++)
        print_link(chain, i, file);
}

int fly_cli_new(const struct fly_call *call)
{
    struct chain chain = {.call = call};
    int rc = fly_catalog_open(&chain.catalog, call);
    if (rc != 0)
        return rc;
    const char *at = call->operand[0];
    for (bool is_last = false; rc == 0 && !is_last;) {
        size_t bytes = strcspn(at, "/");
        is_last = at[bytes] == '\0';
        rc = add_link(&chain, fly_arena_text(call->arena, at, bytes).text, is_last);
        at += bytes + 1;
    }
    if (rc == 0)
        print_chain(&chain, call->cli->out);
    fly_catalog_close(&chain.catalog);
    return rc;
}
