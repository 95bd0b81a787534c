/* fiber.h - calls that can be suspended half-way and gone on with later, on the same thread.
 *
 * Idea       A fiber runs a function on a stack of its own. resume switches to it, yield switches
 *            back to whoever resumed. When the function returns the fiber is done, and rearm gives
 *            it the next one at no cost; a function that never yields costs two switches of
 *            stacks.
 * Owner      One thread: a fiber is resumed by the thread that initialised it and never moves to
 *            another.
 * Memory     The caller's: the struct, and a stack of any origin (fly_fiber_stack_map makes one
 *            with a guard page). Nothing is allocated, but by the sanitizers in their builds.
 * Cost       rearm + resume + return 8 to 12 ns at 2.2 GHz, yield + resume about 30 ns there
 *            (returns are mispredicted).
 * When full  A stack that runs over hits the guard page and the process dies there.
 * Caveat     Control words of the floating-point units (mxcsr, x87) are not switched: by the ABI
 *            they belong to the thread, and code that changes the rounding mode restores it before
 *            it calls anything that may suspend. Shadow stacks (CET SHSTK, arm64 GCS) must be off,
 *            as they are by default, for returns of resumed fibers don't pair with calls; branch
 *            targets are marked for IBT and BTI. C++ exceptions must not leave the function. A
 *            fiber that is never resumed again keeps what its function acquired.
 * See also   tests/unit/dataplane/base/test_fiber.c
 */
#ifndef FLY_BASE_FIBER_H
#define FLY_BASE_FIBER_H

#include <stddef.h>

#include "base/check.h"

/* Room for a call of libc's printf on top of a small function; below it, init refuses. */
#define FLY_FIBER_STACK_BYTES_MIN 8192

enum fly_fiber_state {
    FLY_FIBER_NEW,       /* armed with a function, not begun */
    FLY_FIBER_RUNNING,   /* on the processor, or it resumed another one that is */
    FLY_FIBER_SUSPENDED, /* inside yield */
    FLY_FIBER_DONE,      /* its function returned; rearm or fini it */
};

/* To be read through the functions below only. */
struct fly_fiber {
    void *self_pointer;    /* where a suspended fiber goes on: its stack pointer */
    void *resumer_pointer; /* where the resumer goes on */
    void *stack_top;
    void (*fn)(void *arg);
    void *arg;
    enum fly_fiber_state state;
    void *stack; /* lowest address */
    size_t stack_bytes;
    /* Used by sanitizer builds; always there, so that the layout does not depend on flags. */
    const void *resumer_stack;
    size_t resumer_stack_bytes;
    void *tsan_turn;
};

/* Arms `fiber` with fn(arg) on `stack`, aligned to 16 bytes, whose content it may destroy. 0, or
 * -EINVAL for a stack that is too small or not aligned. */
FLY_MUST_CHECK int fly_fiber_init(struct fly_fiber *fiber, void *stack, size_t stack_bytes,
                                  void (*fn)(void *arg), void *arg);

/* Gives the next function to a fiber that is NEW or DONE. */
static inline void fly_fiber_rearm(struct fly_fiber *fiber, void (*fn)(void *arg), void *arg)
{
    FLY_CHECK(fiber->state == FLY_FIBER_NEW || fiber->state == FLY_FIBER_DONE,
              "a fiber that has not returned was armed again");
    fiber->fn = fn;
    fiber->arg = arg;
    fiber->state = FLY_FIBER_NEW;
}

/* Runs a fiber that is NEW or SUSPENDED until it yields or returns; says which: SUSPENDED or DONE.
 */
enum fly_fiber_state fly_fiber_resume(struct fly_fiber *fiber);

/* Called on the fiber itself: goes back to the resumer, and returns when resumed again. */
void fly_fiber_yield(struct fly_fiber *fiber);

static inline enum fly_fiber_state fly_fiber_state(const struct fly_fiber *fiber)
{
    return fiber->state;
}

/* Forgets the fiber, whatever its state but RUNNING; what its function acquired is not released.
 * The stack is the caller's again. NULL is fine. */
void fly_fiber_fini(struct fly_fiber *fiber);

/* A stack of at least `stack_bytes` (rounded up to whole pages) above a guard page. Sets *stack to
 * its lowest usable address. 0, -EINVAL below FLY_FIBER_STACK_BYTES_MIN, or -ENOMEM, and *stack is
 * NULL. */
FLY_MUST_CHECK int fly_fiber_stack_map(size_t stack_bytes, void **stack);

/* Unmaps what fly_fiber_stack_map made with the same stack_bytes. NULL is fine. */
void fly_fiber_stack_unmap(void *stack, size_t stack_bytes);

#endif
