#include "base/fiber.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define WITH_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define WITH_TSAN 1
#endif

#if defined(WITH_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(WITH_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

/* In assembly, below. A saved stack pointer has the callee-saved registers and the return address
 * on top of its stack; all other registers are dead at a call, by the ABI. */

/* Saves this side at *save and goes on with the side that was saved as `load`. */
void fly_fiber_swap(void **save, void *load);

/* Saves this side in fiber->resumer_pointer, calls the fiber's function from stack_top down, sets
 * the state to FLY_FIBER_DONE, and goes on with whoever resumed last. A call that never yields
 * saves nothing on the fiber's side, and its returns pair with calls, as predictors expect. */
void fly_fiber_start(struct fly_fiber *fiber);

/* The assembly below knows these places. */
_Static_assert(offsetof(struct fly_fiber, self_pointer) == 0, "start and swap");
_Static_assert(offsetof(struct fly_fiber, resumer_pointer) == 8, "start");
_Static_assert(offsetof(struct fly_fiber, stack_top) == 16, "start");
_Static_assert(offsetof(struct fly_fiber, fn) == 24, "start");
_Static_assert(offsetof(struct fly_fiber, arg) == 32, "start");
_Static_assert(offsetof(struct fly_fiber, state) == 40 && FLY_FIBER_DONE == 3, "start");

#if defined(__x86_64__)
#if defined(WITH_ASAN)
#define CALL_FUNCTION "call fly_fiber_run\n"
#else
#define CALL_FUNCTION "movq 32(%rdi), %rdi\ncall *24(%rbx)\n"
#endif
#define PUSH(reg) "pushq %" reg "\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset " reg ", 0\n"
#define POP(reg) "popq %" reg "\n.cfi_adjust_cfa_offset -8\n.cfi_restore " reg "\n"
#define PUSH_ALL PUSH("rbp") PUSH("rbx") PUSH("r12") PUSH("r13") PUSH("r14") PUSH("r15")
#define POP_ALL POP("r15") POP("r14") POP("r13") POP("r12") POP("rbx") POP("rbp")

__asm__(".text\n"
        ".p2align 4\n"
        ".globl fly_fiber_swap\n"
        ".hidden fly_fiber_swap\n"
        ".type fly_fiber_swap, @function\n"
        "fly_fiber_swap:\n"
        ".cfi_startproc\n"
        "endbr64\n" PUSH_ALL "movq %rsp, (%rdi)\n"
        "movq %rsi, %rsp\n" POP_ALL "ret\n"
        ".cfi_endproc\n"
        ".size fly_fiber_swap, .-fly_fiber_swap\n"
        ".p2align 4\n"
        ".globl fly_fiber_start\n"
        ".hidden fly_fiber_start\n"
        ".type fly_fiber_start, @function\n"
        "fly_fiber_start:\n"
        ".cfi_startproc\n"
        "endbr64\n" PUSH_ALL "movq %rsp, 8(%rdi)\n"
        "movq %rdi, %rbx\n"
        "movq 16(%rdi), %rsp\n"
        "xorl %ebp, %ebp\n"
        ".cfi_remember_state\n"
        ".cfi_undefined rip\n" /* the bottom of a fiber's stack: unwinding ends */
        CALL_FUNCTION "movl $3, 40(%rbx)\n"
        "movq 8(%rbx), %rsp\n"
        ".cfi_restore_state\n" POP_ALL "ret\n"
        ".cfi_endproc\n"
        ".size fly_fiber_start, .-fly_fiber_start\n");

#elif defined(__aarch64__)
#if defined(WITH_ASAN)
#define CALL_FUNCTION "bl fly_fiber_run\n"
#else
#define CALL_FUNCTION "ldr x9, [x0, #24]\nldr x0, [x0, #32]\nblr x9\n"
#endif
#define SAVE_ALL                                                                                   \
    "sub sp, sp, #160\n"                                                                           \
    "stp x19, x20, [sp]\n"                                                                         \
    "stp x21, x22, [sp, #16]\n"                                                                    \
    "stp x23, x24, [sp, #32]\n"                                                                    \
    "stp x25, x26, [sp, #48]\n"                                                                    \
    "stp x27, x28, [sp, #64]\n"                                                                    \
    "stp x29, x30, [sp, #80]\n"                                                                    \
    "stp d8, d9, [sp, #96]\n"                                                                      \
    "stp d10, d11, [sp, #112]\n"                                                                   \
    "stp d12, d13, [sp, #128]\n"                                                                   \
    "stp d14, d15, [sp, #144]\n"                                                                   \
    "mov x9, sp\n"
#define LOAD_ALL                                                                                   \
    "ldp x19, x20, [sp]\n"                                                                         \
    "ldp x21, x22, [sp, #16]\n"                                                                    \
    "ldp x23, x24, [sp, #32]\n"                                                                    \
    "ldp x25, x26, [sp, #48]\n"                                                                    \
    "ldp x27, x28, [sp, #64]\n"                                                                    \
    "ldp x29, x30, [sp, #80]\n"                                                                    \
    "ldp d8, d9, [sp, #96]\n"                                                                      \
    "ldp d10, d11, [sp, #112]\n"                                                                   \
    "ldp d12, d13, [sp, #128]\n"                                                                   \
    "ldp d14, d15, [sp, #144]\n"                                                                   \
    "add sp, sp, #160\n"

__asm__(".text\n"
        ".p2align 4\n"
        ".globl fly_fiber_swap\n"
        ".hidden fly_fiber_swap\n"
        ".type fly_fiber_swap, %function\n"
        "fly_fiber_swap:\n"
        "hint #34\n" /* bti c */
        SAVE_ALL "str x9, [x0]\n"
        "mov sp, x1\n" LOAD_ALL "ret\n"
        ".size fly_fiber_swap, .-fly_fiber_swap\n"
        ".p2align 4\n"
        ".globl fly_fiber_start\n"
        ".hidden fly_fiber_start\n"
        ".type fly_fiber_start, %function\n"
        "fly_fiber_start:\n"
        "hint #34\n" SAVE_ALL "str x9, [x0, #8]\n"
        "mov x19, x0\n"
        "ldr x9, [x0, #16]\n"
        "mov sp, x9\n"
        "mov x29, xzr\n"
        "mov x30, xzr\n" CALL_FUNCTION "mov w9, #3\n"
        "str w9, [x19, #40]\n"
        "ldr x9, [x19, #8]\n"
        "mov sp, x9\n" LOAD_ALL "ret\n"
        ".size fly_fiber_start, .-fly_fiber_start\n");
#else
#error "fiber.c: x86-64 and aarch64 only"
#endif

/* What AddressSanitizer wants to know: the other stack before leaving, and that it arrived. */
static FLY_ALWAYS_INLINE void asan_leave(void **fake_stack, const void *stack, size_t stack_bytes)
{
#if defined(WITH_ASAN)
    __sanitizer_start_switch_fiber(fake_stack, stack, stack_bytes);
#endif
    (void)fake_stack;
    (void)stack;
    (void)stack_bytes;
}

static FLY_ALWAYS_INLINE void asan_arrive(void *fake_stack, const void **stack, size_t *stack_bytes)
{
#if defined(WITH_ASAN)
    __sanitizer_finish_switch_fiber(fake_stack, stack, stack_bytes);
#endif
    (void)fake_stack;
    (void)stack;
    (void)stack_bytes;
}

/* What ThreadSanitizer wants to know: whose turn it is. Both turns are told from the resumer's
 * frame, since its notion of the call stack changes along. */
static FLY_ALWAYS_INLINE void *tsan_turn(void *turn)
{
#if defined(WITH_TSAN)
    void *before = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(turn, 0);
    return before;
#else
    return turn;
#endif
}

#if defined(WITH_ASAN)
/* Between fly_fiber_start and the function: arriving and leaving, told from the fiber's stack. */
void fly_fiber_run(struct fly_fiber *fiber);

__attribute__((used)) void fly_fiber_run(struct fly_fiber *fiber)
{
    asan_arrive(NULL, &fiber->resumer_stack, &fiber->resumer_stack_bytes);
    fiber->fn(fiber->arg);
    /* Without a place to keep it, the sanitizer frees the fake stack of this call. */
    asan_leave(NULL, fiber->resumer_stack, fiber->resumer_stack_bytes);
}
#endif

int fly_fiber_init(struct fly_fiber *fiber, void *stack, size_t stack_bytes, void (*fn)(void *arg),
                   void *arg)
{
    if (stack_bytes < FLY_FIBER_STACK_BYTES_MIN)
        return FLY_ERR(EINVAL, "a fiber's stack of %zu bytes is below %d", stack_bytes,
                       FLY_FIBER_STACK_BYTES_MIN);
    if ((uintptr_t)stack % 16 || stack_bytes % 16)
        return FLY_ERR(EINVAL, "a fiber's stack is not aligned to 16 bytes");
#if defined(WITH_ASAN)
    /* An earlier fiber may have left its red zones here. */
    ASAN_UNPOISON_MEMORY_REGION(stack, stack_bytes);
#endif
    *fiber = (struct fly_fiber){
        .stack_top = (char *)stack + stack_bytes,
        .fn = fn,
        .arg = arg,
        .state = FLY_FIBER_NEW,
        .stack = stack,
        .stack_bytes = stack_bytes,
    };
#if defined(WITH_TSAN)
    fiber->tsan_turn = __tsan_create_fiber(0);
#endif
    return 0;
}

enum fly_fiber_state fly_fiber_resume(struct fly_fiber *fiber)
{
    enum fly_fiber_state before = fiber->state;
    FLY_CHECK(before == FLY_FIBER_NEW || before == FLY_FIBER_SUSPENDED,
              "a fiber that is running or done was resumed");
    void *fake_stack = NULL;
    fiber->state = FLY_FIBER_RUNNING;
    void *resumer_turn = tsan_turn(fiber->tsan_turn);
    asan_leave(&fake_stack, fiber->stack, fiber->stack_bytes);
    if (FLY_LIKELY(before == FLY_FIBER_NEW))
        fly_fiber_start(fiber);
    else
        fly_fiber_swap(&fiber->resumer_pointer, fiber->self_pointer);
    asan_arrive(fake_stack, NULL, NULL);
    tsan_turn(resumer_turn);
    return fiber->state;
}

void fly_fiber_yield(struct fly_fiber *fiber)
{
    FLY_CHECK(fiber->state == FLY_FIBER_RUNNING, "a fiber that is not running yielded");
    void *fake_stack = NULL;
    fiber->state = FLY_FIBER_SUSPENDED;
    asan_leave(&fake_stack, fiber->resumer_stack, fiber->resumer_stack_bytes);
    fly_fiber_swap(&fiber->self_pointer, fiber->resumer_pointer);
    asan_arrive(fake_stack, &fiber->resumer_stack, &fiber->resumer_stack_bytes);
}

void fly_fiber_fini(struct fly_fiber *fiber)
{
    if (!fiber)
        return;
    FLY_CHECK(fiber->state != FLY_FIBER_RUNNING, "a running fiber was destroyed");
#if defined(WITH_TSAN)
    __tsan_destroy_fiber(fiber->tsan_turn);
#endif
    *fiber = (struct fly_fiber){.state = FLY_FIBER_DONE};
}

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

int fly_fiber_stack_map(size_t stack_bytes, void **stack)
{
    *stack = NULL;
    if (stack_bytes < FLY_FIBER_STACK_BYTES_MIN)
        return FLY_ERR(EINVAL, "a fiber's stack of %zu bytes is below %d", stack_bytes,
                       FLY_FIBER_STACK_BYTES_MIN);
    size_t guard_bytes = page_bytes();
    size_t usable_bytes = fly_align_up(stack_bytes, guard_bytes);
    if (usable_bytes < stack_bytes || usable_bytes > SIZE_MAX - guard_bytes)
        return FLY_ERR(ENOMEM, "a fiber's stack of %zu bytes exceeds the address space",
                       stack_bytes);
    /* No access at first: what is left without it at the low end is the guard. */
    char *mapping = mmap(NULL, guard_bytes + usable_bytes, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (mapping == MAP_FAILED)
        return FLY_ERR(ENOMEM, "no memory for a fiber's stack of %zu bytes", usable_bytes);
    if (mprotect(mapping + guard_bytes, usable_bytes, PROT_READ | PROT_WRITE)) {
        munmap(mapping, guard_bytes + usable_bytes);
        return FLY_ERR(ENOMEM, "no memory for a fiber's stack of %zu bytes", usable_bytes);
    }
    *stack = mapping + guard_bytes;
    return 0;
}

void fly_fiber_stack_unmap(void *stack, size_t stack_bytes)
{
    if (!stack)
        return;
    size_t guard_bytes = page_bytes();
    int rc =
        munmap((char *)stack - guard_bytes, guard_bytes + fly_align_up(stack_bytes, guard_bytes));
    FLY_CHECK(rc == 0, "a fiber's stack cannot be unmapped");
}
