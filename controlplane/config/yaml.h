/* yaml.h - the part of YAML that pipelines use, as a tree that knows where everything stands.
 *
 * Idea       libyaml's events become maps, lists and scalars with their places. What a pipeline
 *            has no use for is refused: anchors, aliases, tags, several documents, keys that are
 *            not text.
 * Owner      The arena's.
 * Trust      None: depth, size and the number of values have limits. Findings go to the
 *            diagnostics.
 * See also   tests/fuzz/fuzz_yaml.c, tests/unit/controlplane/config/test_yaml.c
 */
#ifndef FLY_CONFIG_YAML_H
#define FLY_CONFIG_YAML_H

#include "config/arena.h"
#include "config/diag.h"

#include <flyover/message.h>

enum {
    FLY_YAML_BYTES_MAX = 16 * 1024 * 1024,
    FLY_YAML_DEPTH_MAX = 64,
    FLY_YAML_VALUES_MAX = 256 * 1024, /* some hundred bytes of memory each */
};

enum fly_yaml_kind { FLY_YAML_SCALAR, FLY_YAML_LIST, FLY_YAML_MAP };

struct fly_yaml {
    enum fly_yaml_kind kind;
    bool plain;  /* a scalar without quotes */
    bool broken; /* it could not be expanded, which was told already */
    struct fly_position at;
    struct fly_string text;       /* scalars */
    struct fly_yaml_entry *entry; /* of maps; of lists, where keys are empty */
    uint32_t cnt, max;
};

struct fly_yaml_entry {
    struct fly_string key; /* without NULs inside */
    struct fly_position key_at;
    struct fly_yaml value;
};

/* Reads one document; `file` is the text's index in the diagnostics. 0, with findings (keys twice,
 * anchors...) or without. -EINVAL: the text is broken, which is a finding; *out is what could be
 * read. An empty document is an empty scalar. */
int fly_yaml_read(struct fly_arena *arena, struct fly_diagnostics *diags, uint32_t file,
                  const char *text, size_t bytes, struct fly_yaml *out)
    __attribute__((warn_unused_result));

/* The entry called `key`, or NULL; also NULL if `map` is none. */
struct fly_yaml_entry *fly_yaml_find(const struct fly_yaml *map, const char *key);

/* Adds an entry and returns it; others may move. */
struct fly_yaml_entry *fly_yaml_add(struct fly_arena *arena, struct fly_yaml *parent);

/* Is there nothing: an unquoted empty scalar, ~ or null? */
bool fly_yaml_is_null(const struct fly_yaml *value);

/* "text", "a list", "a map", "nothing". */
const char *fly_yaml_kind_text(const struct fly_yaml *value);

#endif
