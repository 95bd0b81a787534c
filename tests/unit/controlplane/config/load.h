/* load.h - pipelines in texts, loaded for a test.
 *
 * Idea       A text becomes a file in a folder of its own, is loaded, and its findings are printed
 *            into memory, to be compared.
 * Owner      The test, which ends with loaded_free().
 */
#ifndef TEST_CONFIG_LOAD_H
#define TEST_CONFIG_LOAD_H

#include "config/pipeline.h"
#include "support/config_nodes.h"
#include "support/unit.h"

struct loaded {
    int rc;
    struct fly_pipeline *pipeline;
    struct fly_diagnostics *diags;
    char *findings; /* as they are printed, without the folder */
    size_t findings_bytes;
    char folder[64];
};

static inline void loaded_write(const char *folder, const char *name, const char *text,
                                size_t bytes)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

/* Takes the folder's name out of the findings, so that they can be compared. */
static inline void loaded_strip(struct loaded *loaded)
{
    size_t bytes = strlen(loaded->folder);
    for (char *at; (at = strstr(loaded->findings, loaded->folder));)
        memmove(at, at + bytes, strlen(at + bytes) + 1);
}

/* Loads the files a.yaml, b.yaml... with these texts; `request` may have more in it. */
static inline struct loaded load_texts(struct fly_config_request request, const char *const *text,
                                       uint32_t cnt)
{
    struct loaded loaded = {.folder = "/tmp/flyover-config-XXXXXX"};
    char paths[4][128];
    const char *file[4];
    assert_non_null(mkdtemp(loaded.folder));
    for (uint32_t i = 0; i < cnt; i++) {
        char name[] = {(char)('a' + i), '.', 'y', 'a', 'm', 'l', '\0'};
        loaded_write(loaded.folder, name, text[i], strlen(text[i]));
        snprintf(paths[i], sizeof(paths[i]), "%s/%s", loaded.folder, name);
        file[i] = paths[i];
    }
    request.file = file;
    request.file_cnt = cnt;
    if (!request.builtin)
        request.builtin = test_config_nodes;
    loaded.diags = fly_diag_create();
    loaded.rc = fly_config_load(&request, &loaded.pipeline, loaded.diags);
    FILE *memory = open_memstream(&loaded.findings, &loaded.findings_bytes);
    fly_diag_print(loaded.diags, memory, false);
    fclose(memory);
    loaded_strip(&loaded);
    for (uint32_t i = 0; i < cnt; i++)
        unlink(paths[i]);
    rmdir(loaded.folder);
    assert_int_equal(loaded.pipeline == NULL, loaded.rc != 0);
    return loaded;
}

static inline struct loaded load_text(const char *text)
{
    return load_texts((struct fly_config_request){.set = NULL}, &text, 1);
}

static inline void loaded_free(struct loaded *loaded)
{
    fly_pipeline_destroy(loaded->pipeline);
    fly_diag_destroy(loaded->diags);
    free(loaded->findings);
}

/* Loads a text that has nothing wrong. */
static inline struct loaded load_good(const char *text)
{
    struct loaded loaded = load_text(text);
    if (loaded.rc != 0 || *loaded.findings)
        fail_msg("expected no findings, got:\n%s", loaded.findings);
    return loaded;
}

static inline void expect_findings(const char *findings, const char *expected)
{
    if (!strstr(findings, expected))
        fail_msg("expected:\n%s\ngot:\n%s", expected, findings);
}

#endif
