#include "cli/param_text.h"

#include "config/convert.h"

const char *fly_param_type_text(enum fly_param_type type)
{
    static const char *const TEXT[] = {
        [FLY_PARAM_BOOL] = "true or false", [FLY_PARAM_INT] = "whole number",
        [FLY_PARAM_UINT] = "whole number",  [FLY_PARAM_FLOAT] = "number",
        [FLY_PARAM_STRING] = "text",        [FLY_PARAM_PATH] = "path",
        [FLY_PARAM_ENUM] = "choice",        [FLY_PARAM_DURATION] = "duration",
        [FLY_PARAM_SIZE] = "size",          [FLY_PARAM_LIST] = "text or list",
        [FLY_PARAM_PATHS] = "path or list", [FLY_PARAM_TABLE] = "map by name",
    };
    return TEXT[type];
}

const char *fly_param_default_text(const struct fly_param *param)
{
    if (param->required)
        return "required";
    if (param->preset)
        return *param->preset ? param->preset : "empty";
    return param->type == FLY_PARAM_BOOL ? "false" : "not set";
}

const char *fly_param_allowed_text(struct fly_arena *arena, const struct fly_param *param)
{
    const char *all = "";
    for (uint32_t i = 0; param->type == FLY_PARAM_ENUM && param->choices[i]; i++)
        all = fly_arena_print(arena, "%s%s%s", all, i ? ", " : "", param->choices[i]);
    if (*all)
        return all;
    char *text = fly_arena_take(arena, 96);
    return fly_convert_range(param, text, 96);
}

const char *fly_node_done_text(const struct fly_node *type)
{
    if (type->kind == FLY_SOURCE)
        return "a message is done when all that came of it is done; until then it can be sent "
               "again";
    if (type->completes == FLY_EXPLICIT)
        return "a message is done when the node says so";
    if (type->holds)
        return "a message is done when the node lets go of it and all that came of it is done";
    return type->kind == FLY_SINK ? "a message is done when it was taken"
                                  : "a message is done when all that came of it is done";
}

const char *fly_node_tasks_text(struct fly_arena *arena, const struct fly_node *type)
{
    if (type->tasks_max == 1)
        return "one task";
    if (type->tasks_preset == 0)
        return "one task per worker, or as `tasks` says";
    return fly_arena_print(arena, "%u %s, or as `tasks` says", type->tasks_preset,
                           type->tasks_preset == 1 ? "task" : "tasks");
}

const char *fly_node_replay_text(const struct fly_node *type)
{
    if (type->kind != FLY_SOURCE)
        return NULL;
    if (type->replay && type->restore)
        return "reads a message again for a retry, and goes on from its position after a crash";
    if (type->replay)
        return "makes a message again for a retry";
    return "retries come from copies (retain_bytes)";
}
