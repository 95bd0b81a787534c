/* hooks.h - where a test looks into a worker or takes a hand: nothing of it is in the product.
 *
 * Idea       Builds with FLY_TEST_HOOKS ask these functions at named points: for the time, whether
 *            an emit suspends although there is room, and to hear of attempts that begin and end. A
 *            point may run a turn of another worker, so that all interleavings can be walked on one
 *            thread.
 * Owner      The test's; every function may be NULL. Called on the worker's thread, often on a
 *            fiber.
 * Cost       None: in other builds the functions below are empty.
 * See also   tests/support/pipeline.h, tests/unit/dataplane/worker/test_explorer.c
 */
#ifndef FLY_WORKER_HOOKS_H
#define FLY_WORKER_HOOKS_H

#include "ack/tracker.h"
#include "base/clock.h"

struct fly_worker;

/* Before a ring of that kind is popped or published. */
enum fly_hook_point {
    FLY_HOOK_POP_ACKS,
    FLY_HOOK_POP_HOME,
    FLY_HOOK_POP_DATA,
    FLY_HOOK_PUSH_DATA,
    FLY_HOOK_PUSH_ACKS,
    FLY_HOOK_PUSH_HOME,
};

enum fly_attempt_end { FLY_ATTEMPT_ACKED, FLY_ATTEMPT_FAILED };

struct fly_hooks {
    void *context;
    bool no_io; /* without an io_uring: opening one takes longer than many a test */
    uint64_t (*ticks)(void *context); /* instead of the processor's counter */
    void (*point)(void *context, struct fly_worker *worker, enum fly_hook_point point);
    bool (*suspends)(void *context, struct fly_worker *worker);
    void (*begins)(void *context, struct fly_worker *worker, const struct fly_root_entry *entry);
    void (*ends)(void *context, struct fly_worker *worker, const struct fly_root_entry *entry,
                 enum fly_attempt_end end);
};

#if FLY_TEST_HOOKS
#define FLY_HOOK(hooks, function) ((hooks) && (hooks)->function)
#else
#define FLY_HOOK(hooks, function) ((void)(hooks), false)
#endif

static FLY_ALWAYS_INLINE uint64_t fly_hook_ticks(const struct fly_hooks *hooks)
{
    return FLY_HOOK(hooks, ticks) ? hooks->ticks(hooks->context) : fly_ticks();
}
static FLY_ALWAYS_INLINE void fly_hook_at(const struct fly_hooks *hooks, struct fly_worker *worker,
                                          enum fly_hook_point point)
{
    if (FLY_HOOK(hooks, point))
        hooks->point(hooks->context, worker, point);
}
static FLY_ALWAYS_INLINE bool fly_hook_suspends(const struct fly_hooks *hooks,
                                                struct fly_worker *worker)
{
    return FLY_HOOK(hooks, suspends) && hooks->suspends(hooks->context, worker);
}
static FLY_ALWAYS_INLINE void fly_hook_begins(const struct fly_hooks *hooks,
                                              struct fly_worker *worker,
                                              const struct fly_root_entry *entry)
{
    if (FLY_HOOK(hooks, begins))
        hooks->begins(hooks->context, worker, entry);
}
static FLY_ALWAYS_INLINE void fly_hook_ends(const struct fly_hooks *hooks,
                                            struct fly_worker *worker,
                                            const struct fly_root_entry *entry,
                                            enum fly_attempt_end end)
{
    if (FLY_HOOK(hooks, ends))
        hooks->ends(hooks->context, worker, entry, end);
}

#endif
