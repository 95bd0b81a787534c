/* plugin_load.h - opening a plugin and making sure that its descriptor can be trusted.
 *
 * Idea       The control plane (to check a pipeline) and the dataplane (to run it) load plugins
 *            alike: same symbol, same checks, same sentences.
 * Owner      Whoever opened it; its nodes are usable until fly_plugin_close().
 * Trust      A plugin is code and can do anything; what is caught here is mistakes: another ABI,
 *            sizes of another header, tables without names, offsets outside the node's struct.
 * See also   <flyover/plugin.h>, tests/unit/dataplane/shm/test_plugin_load.c
 */
#ifndef FLY_SHM_PLUGIN_LOAD_H
#define FLY_SHM_PLUGIN_LOAD_H

#include <flyover/plugin.h>

struct fly_loaded_plugin {
    void *library;
    const struct fly_plugin *plugin;
};

/* Loads the shared object at `path` and checks its descriptor. 0, or with a trace: -ENOENT or
 * -ENOEXEC (it does not load), -EPROTO (not a Flyover plugin, or of another version), -EINVAL (a
 * node of it is malformed). On failure nothing stays loaded. */
int fly_plugin_open(struct fly_loaded_plugin *loaded, const char *path)
    __attribute__((warn_unused_result));

/* A zeroed struct is fine. */
void fly_plugin_close(struct fly_loaded_plugin *loaded);

/* Is a node's descriptor usable? 0, or -EINVAL with a trace. */
int fly_plugin_check_node(const struct fly_node *node) __attribute__((warn_unused_result));

/* How many bytes a parameter's C value has. */
size_t fly_plugin_param_bytes(enum fly_param_type type);

#endif
