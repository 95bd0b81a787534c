/* flyover-dataplane: the pinned, polling process of a running pipeline.
 *
 * It is started by the control plane with the workspace's descriptor, sets up its workers' tasks,
 * and runs one worker per DPDK lcore until every task has ended. Exit codes: 0 ended, 70 misuse by
 * a node,
 * 71 the system refused something, 78 a node refused its setup.
 */
#include "base/err.h"
#include "shm/plugin_load.h"
#include "worker/loop.h"

#include "connectors/builtin.h"

#include <errno.h>
#include <getopt.h>
#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_SYSTEM = 71, EXIT_CONFIG = 78, EXIT_USAGE = 64 };

struct dataplane {
    struct fly_workspace workspace;
    struct fly_layout layout;
    struct fly_clock_rate clock;
    struct fly_loaded_plugin *plugin;
    uint32_t plugin_cnt;
    const struct fly_node **node;
    struct fly_worker **worker;
    uint32_t worker_cnt;
};

static int complain(int code)
{
    (void)fprintf(stderr, "flyover-dataplane: %s\n", fly_err_text());
    if (fly_err_hint())
        (void)fprintf(stderr, "  hint: %s\n", fly_err_hint());
    return code;
}

/* --- A start without waiting ----------------------------------------------------------------- */

/* rte_eal_init() sleeps for 100 ms to learn the tick rate, which we know already. This definition
 * takes the place of the library's for calls out of DPDK, too, and cuts that one sleep short: 1 ms
 * is enough for the few uses (timeouts of its own) that DPDK makes of the rate. */
static _Atomic bool eal_starts;
enum { EAL_SLEEP_NS = 1000000 };

int nanosleep(const struct timespec *time, struct timespec *rest)
{
    struct timespec shorter = {.tv_nsec = EAL_SLEEP_NS};
    bool cut = atomic_load(&eal_starts) && (time->tv_sec || time->tv_nsec > EAL_SLEEP_NS);
    int rc = clock_nanosleep(CLOCK_MONOTONIC, 0, cut ? &shorter : time, rest);
    errno = rc ? rc : errno;
    return rc ? -1 : 0;
}

/* --- DPDK ------------------------------------------------------------------------------------ */

/* "0@2,1@3": lcore i is worker i, on its core. */
static void lcore_map(const struct fly_plan *plan, char *text, size_t max)
{
    size_t used = 0;
    text[0] = 0;
    for (uint32_t w = 0; w < plan->worker_cnt && used < max; w++)
        used += (size_t)snprintf(text + used, max - used, "%s%u@%u", w ? "," : "", w,
                                 fly_plan_workers(plan)[w].core);
}

static int start_eal(const struct fly_plan *plan)
{
    char map[FLY_PLAN_WORKERS_MAX * 12];
    lcore_map(plan, map, sizeof(map));
    /* Its own memory stays small and plain: the workspace takes the huge pages. */
    const char *argument[12] = {
        "flyover-dataplane", "--lcores", map, "--no-shconf", "--no-telemetry", "--log-level=error",
        "--no-huge",         "-m",       "2"};
    int cnt = 9;
    if (access("/dev/vfio/vfio", R_OK | W_OK) != 0)
        argument[cnt++] = "--no-pci";
    char *mutable[12];
    for (int i = 0; i < cnt; i++)
        mutable[i] = (char *)(uintptr_t)argument[i];
    atomic_store(&eal_starts, true);
    int rc = rte_eal_init(cnt, mutable);
    atomic_store(&eal_starts, false);
    if (rc < 0)
        return FLY_ERR(EIO, "DPDK cannot start its threads on cores %s", map);
    return 0;
}

static int run_worker(void *arg)
{
    fly_worker_run(arg);
    return 0;
}

/* --- Setup ----------------------------------------------------------------------------------- */

/* A source and a sink may share a name. */
static bool is_type(const struct fly_node *node, const struct fly_plan_node *wanted)
{
    return node->kind == wanted->kind && strcmp(node->name, wanted->type) == 0;
}

static const struct fly_node *find_node(const struct dataplane *dataplane,
                                        const struct fly_plan_node *wanted)
{
    const struct fly_node *const *builtin = fly_builtin_nodes();
    for (uint32_t i = 0; builtin[i]; i++)
        if (is_type(builtin[i], wanted))
            return builtin[i];
    for (uint32_t p = 0; p < dataplane->plugin_cnt; p++) {
        const struct fly_node *const *node = dataplane->plugin[p].plugin->nodes;
        for (uint32_t i = 0; node[i]; i++)
            if (is_type(node[i], wanted))
                return node[i];
    }
    return NULL;
}

static int load_nodes(struct dataplane *dataplane)
{
    const struct fly_plan *plan = dataplane->workspace.plan;
    dataplane->plugin = calloc(plan->plugin_cnt + 1, sizeof(*dataplane->plugin));
    dataplane->node = calloc(plan->node_cnt + 1, sizeof(struct fly_node *));
    if (!dataplane->plugin || !dataplane->node)
        return FLY_ERR(ENOMEM, "no memory for the nodes");
    for (uint32_t i = 0; i < plan->plugin_cnt; i++) {
        int rc = fly_plugin_open(&dataplane->plugin[i], fly_plan_plugin(plan, i));
        if (rc)
            return rc;
        dataplane->plugin_cnt++;
    }
    for (uint32_t i = 0; i < plan->node_cnt; i++) {
        dataplane->node[i] = find_node(dataplane, &fly_plan_nodes(plan)[i]);
        if (!dataplane->node[i])
            return FLY_ERR(EPROTO, "no node type '%s' here", fly_plan_nodes(plan)[i].type);
    }
    return 0;
}

static int open_workers(struct dataplane *dataplane)
{
    const struct fly_plan *plan = dataplane->workspace.plan;
    dataplane->worker = calloc(plan->worker_cnt, sizeof(struct fly_worker *));
    if (!dataplane->worker)
        return FLY_ERR(ENOMEM, "no memory for the workers");
    for (uint32_t w = 0; w < plan->worker_cnt; w++) {
        struct fly_worker_config config = {&dataplane->workspace, &dataplane->layout, w,
                                           dataplane->clock,      dataplane->node,    NULL};
        /* Own lines: workers are written by different threads. */
        dataplane->worker[w] = aligned_alloc(
            FLY_CACHE_LINE_PAIR, fly_align_up(sizeof(struct fly_worker), FLY_CACHE_LINE_PAIR));
        if (!dataplane->worker[w])
            return FLY_ERR(ENOMEM, "no memory for a worker");
        memset(dataplane->worker[w], 0, sizeof(struct fly_worker));
        dataplane->worker_cnt++;
        int rc = fly_worker_open(dataplane->worker[w], &config);
        if (rc)
            return rc;
    }
    fly_worker_connect(dataplane->worker, dataplane->worker_cnt);
    return 0;
}

static int set_up(struct dataplane *dataplane, int workspace_fd)
{
    int rc = fly_workspace_attach(&dataplane->workspace, workspace_fd, false);
    if (!rc)
        rc = fly_layout_compute(dataplane->workspace.plan, &dataplane->layout);
    if (rc)
        return rc;
    dataplane->clock = fly_clock_calibrate();
    atomic_store(&dataplane->workspace.header->ticks_hz, dataplane->clock.ticks_hz);
    rc = load_nodes(dataplane);
    return rc ? rc : open_workers(dataplane);
}

static void tear_down(struct dataplane *dataplane)
{
    for (uint32_t w = 0; w < dataplane->worker_cnt; w++) {
        fly_worker_close(dataplane->worker[w]);
        free(dataplane->worker[w]);
    }
    for (uint32_t i = 0; i < dataplane->plugin_cnt; i++)
        fly_plugin_close(&dataplane->plugin[i]);
    free(dataplane->worker);
    free(dataplane->plugin);
    free(dataplane->node);
    fly_layout_fini(&dataplane->layout);
    fly_workspace_close(&dataplane->workspace);
}

static int run(struct dataplane *dataplane)
{
    /* A terminal's interrupt reaches every process: what it means is for the control plane to
     * say. */
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    if (start_eal(dataplane->workspace.plan))
        return complain(EXIT_SYSTEM);
    atomic_store(&dataplane->workspace.header->start_ticks, fly_ticks());
    for (uint32_t w = 1; w < dataplane->worker_cnt; w++)
        rte_eal_remote_launch(run_worker, dataplane->worker[w], w);
    fly_worker_run(dataplane->worker[0]);
    rte_eal_mp_wait_lcore();
    return 0;
}

static int usage(FILE *file, int code)
{
    (void)fprintf(file, "usage: flyover-dataplane --workspace-fd N\n"
                        "The dataplane of a running pipeline; `flyover run` starts it.\n");
    return code;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"workspace-fd", required_argument, NULL, 'w'}, {"help", no_argument, NULL, 'h'}, {0}};
    struct dataplane dataplane = {0};
    int fd = -1, choice;
    while ((choice = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (choice == 'h')
            return usage(stdout, 0);
        if (choice != 'w')
            return usage(stderr, EXIT_USAGE);
        fd = (int)strtol(optarg, NULL, 10);
    }
    if (fd < 0)
        return usage(stderr, EXIT_USAGE);
    int rc = set_up(&dataplane, fd);
    int code = rc == 0         ? run(&dataplane)
               : rc == -EINVAL ? complain(EXIT_CONFIG)
                               : complain(EXIT_SYSTEM);
    tear_down(&dataplane);
    return code;
}
