#include "supervise/carry.h"

#include "ack/tracker.h"
#include "base/err.h"
#include "worker/note.h"
#include "worker/restore.h"

#include <errno.h>
#include <flyover/plugin.h>
#include <stdlib.h>
#include <string.h>

/* The roots that the workers were processing, sorted by name. */
struct suspects {
    struct fly_root root[FLY_PLAN_WORKERS_MAX * FLY_CELLS_MAX];
    uint32_t cnt;
};

int fly_carry_create(struct fly_carry *carry, const struct fly_plan *plan, const bool *can_go_on)
{
    *carry = (struct fly_carry){.task_cnt = plan->task_cnt};
    carry->task = calloc(plan->task_cnt, sizeof(*carry->task));
    carry->can_go_on = calloc(plan->task_cnt, sizeof(*carry->can_go_on));
    if (!carry->task || !carry->can_go_on) {
        fly_carry_destroy(carry);
        return FLY_ERR(ENOMEM, "no memory for positions");
    }
    for (uint32_t i = 0; i < plan->task_cnt; i++) {
        uint32_t node = fly_plan_tasks(plan)[i].node;
        carry->can_go_on[i] = fly_plan_nodes(plan)[node].kind == FLY_SOURCE && can_go_on[node];
    }
    return 0;
}

void fly_carry_destroy(struct fly_carry *carry)
{
    if (!carry)
        return;
    for (uint32_t i = 0; carry->task && i < carry->task_cnt; i++)
        free(carry->task[i].root);
    free(carry->task);
    free(carry->can_go_on);
    memset(carry, 0, sizeof(*carry));
}

/* Replaces the roots of `task` by a copy of `root`. */
static int set_roots(struct fly_state_task *task, const struct fly_state_root *root, uint32_t cnt)
{
    struct fly_state_root *copy = NULL;
    if (cnt) {
        copy = malloc(cnt * sizeof(*copy));
        if (!copy)
            return FLY_ERR(ENOMEM, "no memory for open messages");
        memcpy(copy, root, cnt * sizeof(*copy));
    }
    free(task->root);
    task->root = copy;
    task->root_cnt = cnt;
    return 0;
}

int fly_carry_copy(struct fly_carry *into, const struct fly_carry *from)
{
    int rc = 0;
    for (uint32_t i = 0; !rc && i < from->task_cnt; i++) {
        rc = set_roots(&into->task[i], from->task[i].root, from->task[i].root_cnt);
        into->task[i].position = from->task[i].position;
        into->task[i].has_position = from->task[i].has_position;
    }
    return rc;
}

static int compare_roots(const void *a, const void *b)
{
    uint64_t left = ((const struct fly_root *)a)->bits, right = ((const struct fly_root *)b)->bits;
    return left < right ? -1 : left > right;
}

static void find_suspects(struct suspects *suspects, const struct fly_workspace *workspace,
                          const struct fly_layout *layout)
{
    suspects->cnt = 0;
    for (uint32_t i = 0; i < workspace->plan->worker_cnt; i++)
        suspects->cnt += fly_restore_suspects(workspace, layout, i, suspects->root + suspects->cnt,
                                              FLY_CELLS_MAX);
    qsort(suspects->root, suspects->cnt, sizeof(suspects->root[0]), compare_roots);
}

/* An open root as it goes on: the try that was cut off counts only for a suspect. */
static struct fly_state_root carried(const struct fly_open_root *open,
                                     const struct suspects *opt_suspects)
{
    struct fly_state_root root = {.id = open->id, .attempts = open->attempts};
    const struct fly_root name = {open->root};
    bool guilty = opt_suspects && bsearch(&name, opt_suspects->root, opt_suspects->cnt,
                                          sizeof(name), compare_roots);
    if (open->flags & FLY_ROOT_DEAD)
        root.flags |= FLY_RESTORE_DEAD;
    if (guilty || open->flags & FLY_ROOT_SUSPECT)
        root.flags |= FLY_RESTORE_SUSPECT;
    if (!guilty && open->flags & FLY_ROOT_UNDER_WAY && root.attempts > 0)
        root.attempts--;
    return root;
}

/* Adds what a dead poll had emitted and not entered: those go on as open roots, and the source
 * behind them. */
static uint32_t add_fresh(const struct fly_workspace *workspace, const struct fly_layout *layout,
                          uint32_t task, struct fly_state_root *kept, uint32_t max_cnt,
                          uint64_t *position)
{
    struct fly_restore_fresh fresh;
    uint32_t cnt = fly_restore_fresh(workspace, layout, task, &fresh);
    if (!cnt || cnt > max_cnt)
        return 0;
    for (uint32_t i = 0; i < cnt; i++)
        kept[i] = (struct fly_state_root){.id = fresh.id[i],
                                          .attempts = fresh.running,
                                          .flags = fresh.running ? FLY_RESTORE_SUSPECT : 0};
    *position = fresh.next;
    return cnt;
}

static int carry_task(struct fly_carry *carry, const struct fly_workspace *workspace,
                      const struct fly_layout *layout, uint32_t idx,
                      const struct suspects *opt_suspects)
{
    const struct fly_plan *plan = workspace->plan;
    const struct fly_plan_node *node = &fly_plan_nodes(plan)[fly_plan_tasks(plan)[idx].node];
    const struct fly_source_stats *stats = fly_source_stats(workspace, layout, idx);
    uint32_t max_cnt = node->delivery.max_in_flight, kept_cnt = 0;
    /* Without a position it has not taken up what was carried to it: that still holds. */
    if (!fly_counted(&stats->has_position))
        return 0;
    struct fly_open_root *open = malloc(max_cnt * sizeof(*open));
    struct fly_state_root *kept = malloc(max_cnt * sizeof(*kept));
    int rc = open && kept ? 0 : FLY_ERR(ENOMEM, "no memory for open messages");
    /* Position first: a root that is emitted after this is above it and comes again by itself. */
    uint64_t position = atomic_load_explicit(&stats->position, memory_order_acquire);
    uint32_t open_cnt = rc ? 0 : fly_restore_open_roots(workspace, layout, idx, open, max_cnt);
    for (uint32_t i = 0; i < open_cnt; i++) {
        if (open[i].id < position)
            kept[kept_cnt++] = carried(&open[i], opt_suspects);
    }
    if (!rc && opt_suspects)
        kept_cnt +=
            add_fresh(workspace, layout, idx, kept + kept_cnt, max_cnt - kept_cnt, &position);
    if (!rc)
        rc = set_roots(&carry->task[idx], kept, kept_cnt);
    if (!rc) {
        carry->task[idx].position = position;
        carry->task[idx].has_position = 1;
    }
    free(open);
    free(kept);
    return rc;
}

static int carry_all(struct fly_carry *carry, const struct fly_workspace *workspace,
                     const struct fly_layout *layout, const struct suspects *opt_suspects)
{
    int rc = 0;
    for (uint32_t i = 0; !rc && i < carry->task_cnt; i++) {
        if (carry->can_go_on[i])
            rc = carry_task(carry, workspace, layout, i, opt_suspects);
    }
    return rc;
}

int fly_carry_live(struct fly_carry *carry, const struct fly_workspace *workspace,
                   const struct fly_layout *layout)
{
    return carry_all(carry, workspace, layout, NULL);
}

int fly_carry_dead(struct fly_carry *carry, const struct fly_workspace *workspace,
                   const struct fly_layout *layout)
{
    struct suspects *suspects = malloc(sizeof(*suspects));
    if (!suspects)
        return FLY_ERR(ENOMEM, "no memory for the messages in work");
    find_suspects(suspects, workspace, layout);
    int rc = carry_all(carry, workspace, layout, suspects);
    free(suspects);
    return rc;
}

void fly_carry_write(const struct fly_carry *carry, struct fly_workspace *workspace,
                     const struct fly_layout *layout)
{
    uint32_t suspect_cnt = 0, turn;
    for (uint32_t i = 0; i < carry->task_cnt; i++) {
        for (uint32_t k = 0; k < carry->task[i].root_cnt; k++)
            suspect_cnt += (carry->task[i].root[k].flags & FLY_RESTORE_SUSPECT) != 0;
    }
    turn = suspect_cnt;
    for (uint32_t i = 0; i < carry->task_cnt; i++) {
        const struct fly_state_task *task = &carry->task[i];
        struct fly_restore *restore = fly_restore_of(workspace, layout, i);
        if (!restore)
            continue;
        uint32_t node = fly_plan_tasks(workspace->plan)[i].node;
        uint32_t max_cnt = fly_plan_nodes(workspace->plan)[node].delivery.max_in_flight;
        restore->position = task->position;
        restore->has_position = task->has_position;
        restore->cnt = task->root_cnt < max_cnt ? task->root_cnt : max_cnt;
        for (uint32_t k = 0; k < restore->cnt; k++) {
            const struct fly_state_root *root = &task->root[k];
            restore->root[k] = (struct fly_restore_root){
                .id = root->id, .attempts = root->attempts, .flags = root->flags};
            if (root->flags & FLY_RESTORE_SUSPECT)
                restore->root[k].turn = turn--;
        }
    }
    atomic_store_explicit(&workspace->header->quarantined, suspect_cnt, memory_order_relaxed);
}

uint64_t fly_carry_abandoned(const struct fly_carry *carry, const struct fly_workspace *workspace,
                             const struct fly_layout *layout, uint32_t node)
{
    const struct fly_plan *plan = workspace->plan;
    uint32_t max_cnt = fly_plan_nodes(plan)[node].delivery.max_in_flight;
    struct fly_open_root *open = malloc(max_cnt * sizeof(*open));
    uint64_t cnt = 0;
    for (uint32_t i = 0; open && i < carry->task_cnt; i++) {
        if (fly_plan_tasks(plan)[i].node != node || carry->can_go_on[i])
            continue;
        struct fly_restore_fresh fresh;
        cnt += fly_restore_open_roots(workspace, layout, i, open, max_cnt) +
               fly_restore_fresh(workspace, layout, i, &fresh);
    }
    free(open);
    return cnt;
}

bool fly_carry_has_position(const struct fly_carry *carry)
{
    for (uint32_t i = 0; i < carry->task_cnt; i++) {
        if (carry->task[i].has_position)
            return true;
    }
    return false;
}
