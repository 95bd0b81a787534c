/* context.h - what all stages of loading a pipeline share.
 *
 * Idea       Each stage takes the context, adds findings, and goes on with what is usable.
 * Owner      fly_config_load(); one thread.
 */
#ifndef FLY_CONFIG_CONTEXT_H
#define FLY_CONFIG_CONTEXT_H

#include "config/arena.h"
#include "config/diag.h"
#include "config/pipeline.h"

/* A text that positions refer to: a file or a --set argument. */
struct fly_config_text {
    const char *name;
    const char *folder; /* absolute; where its relative paths start */
};

struct fly_config {
    const struct fly_config_request *request;
    struct fly_arena *arena; /* becomes the pipeline's */
    struct fly_diagnostics *diags;
    struct fly_config_text *text; /* by position.file */
    uint32_t text_cnt;
};

/* An error at `at`; NODE, KEY and HINT may be NULL. */
#define FLY_CONFIG_ERROR(config, at, node_, key_, hint_, ...)                                      \
    fly_diag_add((config)->diags, FLY_DIAG_ERROR, (at),                                            \
                 &(struct fly_diag_about){.node = (node_), .key = (key_), .hint = (hint_)},        \
                 __VA_ARGS__)

#define FLY_CONFIG_WARNING(config, at, node_, key_, hint_, ...)                                    \
    fly_diag_add((config)->diags, FLY_DIAG_WARNING, (at),                                          \
                 &(struct fly_diag_about){.node = (node_), .key = (key_), .hint = (hint_)},        \
                 __VA_ARGS__)

/* Registers a text with the diagnostics and its folder with the context. */
uint32_t fly_config_add_text(struct fly_config *config, const char *name, const char *folder,
                             const char *text, size_t bytes);

#endif
