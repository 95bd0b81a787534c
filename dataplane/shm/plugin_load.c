#include "shm/plugin_load.h"

#include "base/err.h"
#include "shm/plan.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { NEST_MAX = 4 }; /* tables in tables: deeper ones are taken for a loop */

size_t fly_plugin_param_bytes(enum fly_param_type type)
{
    static const size_t BYTES[] = {
        [FLY_PARAM_BOOL] = sizeof(bool),
        [FLY_PARAM_INT] = sizeof(int64_t),
        [FLY_PARAM_UINT] = sizeof(uint64_t),
        [FLY_PARAM_FLOAT] = sizeof(double),
        [FLY_PARAM_STRING] = sizeof(struct fly_string),
        [FLY_PARAM_PATH] = sizeof(struct fly_string),
        [FLY_PARAM_ENUM] = sizeof(uint32_t),
        [FLY_PARAM_DURATION] = sizeof(uint64_t),
        [FLY_PARAM_SIZE] = sizeof(uint64_t),
        [FLY_PARAM_LIST] = sizeof(struct fly_list),
        [FLY_PARAM_PATHS] = sizeof(struct fly_list),
        [FLY_PARAM_TABLE] = sizeof(struct fly_table),
    };
    return BYTES[type];
}

/* a-z, 0-9, _ and -; also . in the name of a parameter. */
static bool is_name(const char *name, bool dots)
{
    size_t bytes = name ? strlen(name) : 0;
    if (bytes == 0 || bytes >= FLY_PLAN_NAME_MAX)
        return false;
    return strspn(name, dots ? "abcdefghijklmnopqrstuvwxyz0123456789_-."
                             : "abcdefghijklmnopqrstuvwxyz0123456789_-") == bytes;
}

static int check_params(const char *node, const struct fly_param *params, size_t struct_bytes,
                        int nesting);

static int check_param(const char *node, const struct fly_param *param, size_t struct_bytes,
                       int nesting)
{
    if (!is_name(param->name, true))
        return FLY_ERR(EINVAL, "node '%s' has a parameter with the name '%s'", node, param->name);
    if ((unsigned)param->type > FLY_PARAM_TABLE)
        return FLY_ERR(EINVAL, "parameter '%s' of node '%s' has the unknown type %u", param->name,
                       node, (unsigned)param->type);
    size_t bytes = fly_plugin_param_bytes(param->type);
    if (struct_bytes < bytes || param->at > struct_bytes - bytes)
        return FLY_ERR(EINVAL, "parameter '%s' of node '%s' lies outside its struct of %zu bytes",
                       param->name, node, struct_bytes);
    if (param->type == FLY_PARAM_ENUM && (!param->choices || !param->choices[0]))
        return FLY_ERR(EINVAL, "parameter '%s' of node '%s' has no choices", param->name, node);
    if (param->type != FLY_PARAM_TABLE)
        return 0;
    if (!param->row || !param->row_bytes || nesting == NEST_MAX)
        return FLY_ERR(EINVAL, "parameter '%s' of node '%s' has no usable rows", param->name, node);
    return check_params(node, param->row, param->row_bytes, nesting + 1);
}

static int check_params(const char *node, const struct fly_param *params, size_t struct_bytes,
                        int nesting)
{
    for (uint32_t i = 0; params && params[i].name; i++) {
        int rc = check_param(node, &params[i], struct_bytes, nesting);
        if (rc != 0)
            return rc;
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(params[i].name, params[j].name) == 0)
                return FLY_ERR(EINVAL, "node '%s' has two parameters '%s'", node, params[i].name);
        }
    }
    return 0;
}

static int check_ports(const struct fly_node *node)
{
    uint32_t cnt = 0;
    for (; node->ports && node->ports[cnt]; cnt++) {
        if (cnt == FLY_PLAN_PORTS_MAX)
            return FLY_ERR(EINVAL, "node '%s' has more than %d ports", node->name,
                           FLY_PLAN_PORTS_MAX);
        if (!is_name(node->ports[cnt], false))
            return FLY_ERR(EINVAL, "node '%s' has a port with the name '%s'", node->name,
                           node->ports[cnt]);
    }
    if (!node->ports_from)
        return 0;
    for (const struct fly_param *param = node->params; param && param->name; param++) {
        if (strcmp(param->name, node->ports_from) == 0 && param->type == FLY_PARAM_TABLE)
            return 0;
    }
    return FLY_ERR(EINVAL, "node '%s' takes ports from '%s', which is no table of it", node->name,
                   node->ports_from);
}

int fly_plugin_check_node(const struct fly_node *node)
{
    if (!is_name(node->name, false))
        return FLY_ERR(EINVAL, "a node has the name '%s'", node->name ? node->name : "");
    if ((unsigned)node->kind > FLY_SINK)
        return FLY_ERR(EINVAL, "node '%s' has the unknown kind %u", node->name,
                       (unsigned)node->kind);
    if (node->kind == FLY_SOURCE ? !node->poll : !node->process)
        return FLY_ERR(EINVAL, "node '%s' has no %s callback", node->name,
                       node->kind == FLY_SOURCE ? "poll" : "process");
    if (!node->help)
        return FLY_ERR(EINVAL, "node '%s' has no help text", node->name);
    int rc = check_params(node->name, node->params, node->self_bytes, 0);
    return rc != 0 ? rc : check_ports(node);
}

static int check_versions(const struct fly_plugin *plugin, const char *path)
{
    static const char HINT[] = "build it again with this version's headers";
    if (plugin->abi_version != FLY_ABI_VERSION) {
        int rc = FLY_ERR(EPROTO, "plugin %s was built for ABI %u, this is ABI %u", path,
                         plugin->abi_version, FLY_ABI_VERSION);
        FLY_ERR_HINT("%s", HINT);
        return rc;
    }
    const struct {
        const char *name;
        uint32_t theirs;
        size_t ours;
    } sizes[] = {
        {"fly_plugin", plugin->plugin_bytes, sizeof(struct fly_plugin)},
        {"fly_node", plugin->node_bytes, sizeof(struct fly_node)},
        {"fly_param", plugin->param_bytes, sizeof(struct fly_param)},
        {"fly_msg", plugin->msg_bytes, sizeof(struct fly_msg)},
    };
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        if (sizes[i].theirs == sizes[i].ours)
            continue;
        int rc = FLY_ERR(EPROTO, "plugin %s has a struct %s of %u bytes, here it has %zu", path,
                         sizes[i].name, sizes[i].theirs, sizes[i].ours);
        FLY_ERR_HINT("%s", HINT);
        return rc;
    }
    return 0;
}

static int check_plugin(const struct fly_plugin *plugin, const char *path)
{
    int rc = check_versions(plugin, path);
    if (rc != 0)
        return rc;
    if (!plugin->name || !plugin->version || !plugin->nodes || !plugin->nodes[0])
        return FLY_ERR(EINVAL, "plugin %s has no name, no version or no nodes", path);
    for (const struct fly_node *const *node = plugin->nodes; *node; node++) {
        if (fly_plugin_check_node(*node) != 0)
            return FLY_ERR_NOTE("plugin %s can't be used", path);
    }
    return 0;
}

int fly_plugin_open(struct fly_loaded_plugin *loaded, const char *path)
{
    *loaded = (struct fly_loaded_plugin){NULL, NULL};
    if (access(path, R_OK) != 0)
        return FLY_ERR(errno, "cannot load plugin %s: %s", path, strerror(errno));
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return FLY_ERR(ENOEXEC, "cannot load plugin %s: %s", path, dlerror());
    const struct fly_plugin *plugin = dlsym(library, FLY_PLUGIN_SYMBOL);
    int rc;
    if (plugin) {
        rc = check_plugin(plugin, path);
    } else {
        rc = FLY_ERR(EPROTO, "%s is not a Flyover plugin: it exports no '%s'", path,
                     FLY_PLUGIN_SYMBOL);
        FLY_ERR_HINT("see examples/plugins/ for what a plugin exports");
    }
    if (rc != 0) {
        dlclose(library);
        return rc;
    }
    *loaded = (struct fly_loaded_plugin){library, plugin};
    return 0;
}

void fly_plugin_close(struct fly_loaded_plugin *loaded)
{
    if (loaded->library)
        dlclose(loaded->library);
    *loaded = (struct fly_loaded_plugin){NULL, NULL};
}
