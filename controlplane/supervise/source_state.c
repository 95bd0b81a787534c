#include "supervise/source_state.h"

#include "base/err.h"
#include "supervise/identity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Makes the folder that `path` (which ends in a slash) names, and those above it. */
static int make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int rc = mkdir(path, 0755) && errno != EEXIST ? -errno : 0;
        if (rc)
            rc = FLY_ERR(rc, "cannot make the folder %s: %s", path, strerror(errno));
        *slash = '/';
        if (rc)
            return rc;
    }
    return 0;
}

/* The path of the state file of a node. */
static int state_path(const struct fly_pipeline *pipeline, const struct fly_pipeline_node *node,
                      char *path, size_t bytes)
{
    const struct fly_string *given = &node->options.state;
    bool folder = given->text[given->bytes - 1] == '/';
    struct stat stat_of;
    if (stat(given->text, &stat_of) == 0 && S_ISDIR(stat_of.st_mode))
        folder = true;
    int len = folder ? snprintf(path, bytes, "%s/%s-%s", given->text, pipeline->name, node->name)
                     : snprintf(path, bytes, "%s", given->text);
    if (len < 0 || (size_t)len >= bytes)
        return FLY_ERR(ENAMETOOLONG, "node '%s': the path of its state is too long", node->name);
    char folders[FLY_PLAN_PATH_MAX];
    snprintf(folders, sizeof(folders), "%s", path);
    *(strrchr(folders, '/') + 1) = '\0';
    return make_folders(folders);
}

/* Puts a record that was read into the carry of the node's tasks. */
static int take_up(struct fly_source_states *states, uint32_t node, struct fly_state *state,
                   struct fly_carry *carry)
{
    const struct fly_plan *plan = states->plan;
    const char *name = fly_plan_nodes(plan)[node].name;
    uint32_t task_cnt = fly_plan_nodes(plan)[node].task_cnt;
    int rc;
    if (strcmp(state->node, name) != 0) {
        rc = FLY_ERR(EINVAL, "the state of node '%s' was written for node '%s'", name, state->node);
        FLY_ERR_HINT("give each source a 'state' of its own");
        return rc;
    }
    if (state->task_cnt != task_cnt) {
        rc = FLY_ERR(EINVAL, "the state of node '%s' is of %u tasks, now it has %u", name,
                     state->task_cnt, task_cnt);
        FLY_ERR_HINT("run it with 'tasks: %u' to its end, or remove its state to start over",
                     state->task_cnt);
        return rc;
    }
    for (uint32_t i = 0; i < task_cnt; i++) {
        struct fly_state_task *task = &carry->task[fly_plan_task_of(plan, node, i)];
        *task = state->task[i];
        state->task[i] = (struct fly_state_task){0};
    }
    return 0;
}

/* Does the node keep its state only because the pipeline has a folder for all? */
static bool is_from_pipeline(const struct fly_pipeline *pipeline,
                             const struct fly_pipeline_node *node)
{
    const struct fly_string *folder = &pipeline->options.state;
    return folder->bytes && node->options.state.bytes > folder->bytes &&
           memcmp(node->options.state.text, folder->text, folder->bytes) == 0;
}

static int open_one(struct fly_source_states *states, uint32_t node, struct fly_carry *carry)
{
    const struct fly_pipeline_node *from = &states->pipeline->node[node];
    struct fly_source_state *source = &states->source[states->cnt];
    struct fly_state state;
    char path[FLY_PLAN_PATH_MAX];
    if (!from->type->restore) {
        if (is_from_pipeline(states->pipeline, from))
            return 0;
        int refused = FLY_ERR(EINVAL, "node '%s': a '%s' source cannot go on from a position",
                              from->name, from->type->name);
        FLY_ERR_HINT("leave out its 'state'");
        return refused;
    }
    int rc = state_path(states->pipeline, from, path, sizeof(path));
    if (!rc)
        rc = fly_identity_make(from, &source->identity);
    if (!rc)
        rc = fly_state_file_open(&source->file, path);
    if (rc) {
        free(source->identity);
        source->identity = NULL;
        return rc == -EWOULDBLOCK ? -EBUSY : rc;
    }
    source->node = node;
    states->cnt++;
    rc = fly_state_file_read(&source->file, &state);
    if (rc == -ENOENT)
        return 0;
    if (!rc)
        rc = fly_identity_check(from, state.identity);
    if (rc == -ESTALE)
        FLY_ERR_HINT("remove %s.0 and %s.1 to start from the beginning", path, path);
    if (!rc)
        rc = take_up(states, node, &state, carry);
    source->found = rc == 0;
    fly_state_free(&state);
    return rc;
}

int fly_source_states_open(struct fly_source_states *states, const struct fly_pipeline *pipeline,
                           const struct fly_plan *plan, struct fly_carry *carry)
{
    int rc = 0;
    *states = (struct fly_source_states){.pipeline = pipeline, .plan = plan};
    states->source = calloc(pipeline->node_cnt, sizeof(*states->source));
    if (!states->source)
        return FLY_ERR(ENOMEM, "no memory for the states of sources");
    for (uint32_t i = 0; !rc && i < pipeline->node_cnt; i++) {
        if (pipeline->node[i].type->kind == FLY_SOURCE && pipeline->node[i].options.state.bytes)
            rc = open_one(states, i, carry);
    }
    if (rc)
        fly_source_states_close(states);
    return rc;
}

static int write_one(struct fly_source_states *states, struct fly_source_state *source,
                     const struct fly_carry *carry)
{
    const struct fly_plan_node *node = &fly_plan_nodes(states->plan)[source->node];
    struct fly_state state = {.task_cnt = node->task_cnt, .identity = source->identity};
    snprintf(state.node, sizeof(state.node), "%s", node->name);
    state.task = calloc(node->task_cnt, sizeof(*state.task));
    if (!state.task)
        return FLY_ERR(ENOMEM, "no memory for the state of node '%s'", node->name);
    for (uint32_t i = 0; i < node->task_cnt; i++)
        state.task[i] = carry->task[fly_plan_task_of(states->plan, source->node, i)];
    int rc = fly_state_file_write(&source->file, &state);
    free(state.task);
    return rc;
}

int fly_source_states_write(struct fly_source_states *states, const struct fly_carry *carry)
{
    int first_rc = 0;
    for (uint32_t i = 0; i < states->cnt; i++) {
        int rc = write_one(states, &states->source[i], carry);
        if (rc && !first_rc)
            first_rc = rc;
    }
    return first_rc;
}

void fly_source_states_close(struct fly_source_states *states)
{
    if (!states)
        return;
    for (uint32_t i = 0; i < states->cnt; i++) {
        fly_state_file_close(&states->source[i].file);
        free(states->source[i].identity);
    }
    free(states->source);
    states->source = NULL;
    states->cnt = 0;
}
