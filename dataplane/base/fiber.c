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

/* Saves where this side goes on in *from and goes on at *to. All registers are clobbered, so the
 * compiler keeps what it needs on the stack; only stack and frame pointer are left to do. `to`
 * travels in the first argument's register: a context whose code is a function is thereby called
 * with its own address. */
static FLY_ALWAYS_INLINE void switch_context(struct fly_fiber_context *from,
                                             struct fly_fiber_context *to)
{
#if defined(__x86_64__)
    __asm__ __volatile__("leaq 1f(%%rip), %%rax\n\t"
                         "movq %%rsp, 0(%%rsi)\n\t"
                         "movq %%rbp, 8(%%rsi)\n\t"
                         "movq %%rax, 16(%%rsi)\n\t"
                         "movq 0(%%rdi), %%rsp\n\t"
                         "movq 8(%%rdi), %%rbp\n\t"
                         "jmpq *16(%%rdi)\n"
                         "1:\n\t"
                         "endbr64\n\t"
                         : "+D"(to), "+S"(from)
                         :
                         : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13",
                           "r14", "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                           "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
                           "xmm15", "cc", "memory");
#elif defined(__aarch64__)
    register struct fly_fiber_context *to_x0 __asm__("x0") = to;
    register struct fly_fiber_context *from_x1 __asm__("x1") = from;
    __asm__ __volatile__("adr x2, 1f\n\t"
                         "mov x3, sp\n\t"
                         "stp x3, x29, [x1]\n\t"
                         "str x2, [x1, #16]\n\t"
                         "ldp x3, x29, [x0]\n\t"
                         "ldr x16, [x0, #16]\n\t"
                         "mov sp, x3\n\t"
                         "mov x30, xzr\n\t"
                         "br x16\n"
                         "1:\n\t"
                         "hint #38\n\t" /* bti jc */
                         : "+r"(to_x0), "+r"(from_x1)
                         :
                         : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12",
                           "x13", "x14", "x15", "x16", "x17", "x19", "x20", "x21", "x22", "x23",
                           "x24", "x25", "x26", "x27", "x28", "x30", "v0", "v1", "v2", "v3", "v4",
                           "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15",
                           "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25",
                           "v26", "v27", "v28", "v29", "v30", "v31", "cc", "memory");
#else
#error "fiber.c: x86-64 and aarch64 only"
#endif
}

/* Each switch has four moments that a sanitizer wants to know: leaving and arriving, on both sides.
 */
static FLY_ALWAYS_INLINE void leave_resumer(struct fly_fiber *fiber, void **fake_stack)
{
#if defined(WITH_ASAN)
    __sanitizer_start_switch_fiber(fake_stack, fiber->stack, fiber->stack_bytes);
#endif
#if defined(WITH_TSAN)
    fiber->tsan_resumer = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber->tsan_self, 0);
#endif
    (void)fiber;
    (void)fake_stack;
}

static FLY_ALWAYS_INLINE void arrive_at_fiber(struct fly_fiber *fiber)
{
#if defined(WITH_ASAN)
    __sanitizer_finish_switch_fiber(fiber->fake_stack, &fiber->resumer_stack,
                                    &fiber->resumer_stack_bytes);
#endif
    (void)fiber;
}

static FLY_ALWAYS_INLINE void leave_fiber(struct fly_fiber *fiber)
{
#if defined(WITH_ASAN)
    __sanitizer_start_switch_fiber(&fiber->fake_stack, fiber->resumer_stack,
                                   fiber->resumer_stack_bytes);
#endif
#if defined(WITH_TSAN)
    __tsan_switch_to_fiber(fiber->tsan_resumer, 0);
#endif
    (void)fiber;
}

static FLY_ALWAYS_INLINE void arrive_at_resumer(void *fake_stack)
{
#if defined(WITH_ASAN)
    __sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
#endif
    (void)fake_stack;
}

/* The bottom frame of every fiber's stack; it never returns, each round runs one armed function. */
static FLY_NOINLINE void run_forever(struct fly_fiber *fiber)
{
    arrive_at_fiber(fiber);
    for (;;) {
        fiber->fn(fiber->arg);
        fiber->state = FLY_FIBER_DONE;
        leave_fiber(fiber);
        switch_context(&fiber->self, &fiber->resumer);
        arrive_at_fiber(fiber);
    }
}

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
    /* As a call leaves it: on x86-64 a return address on top, here none, so unwinding ends. */
    void **top = (void **)(void *)((char *)stack + stack_bytes - 16);
    top[0] = NULL;
    top[1] = NULL;
    *fiber = (struct fly_fiber)
    {
#if defined(__x86_64__)
        .self.stack_pointer = top + 1,
#else
        .self.stack_pointer = top,
#endif
        .self.code = (const void *)(uintptr_t)run_forever, .fn = fn, .arg = arg,
        .state = FLY_FIBER_NEW, .stack = stack, .stack_bytes = stack_bytes,
    };
#if defined(WITH_TSAN)
    fiber->tsan_self = __tsan_create_fiber(0);
#endif
    return 0;
}

FLY_NOINLINE enum fly_fiber_state fly_fiber_resume(struct fly_fiber *fiber)
{
    FLY_CHECK(fiber->state == FLY_FIBER_NEW || fiber->state == FLY_FIBER_SUSPENDED,
              "a fiber that is running or done was resumed");
    void *fake_stack = NULL;
    fiber->state = FLY_FIBER_RUNNING;
    leave_resumer(fiber, &fake_stack);
    switch_context(&fiber->resumer, &fiber->self);
    arrive_at_resumer(fake_stack);
    return fiber->state;
}

FLY_NOINLINE void fly_fiber_yield(struct fly_fiber *fiber)
{
    FLY_CHECK(fiber->state == FLY_FIBER_RUNNING, "a fiber that is not running yielded");
    fiber->state = FLY_FIBER_SUSPENDED;
    leave_fiber(fiber);
    switch_context(&fiber->self, &fiber->resumer);
    arrive_at_fiber(fiber);
}

void fly_fiber_fini(struct fly_fiber *fiber)
{
    if (!fiber)
        return;
    FLY_CHECK(fiber->state != FLY_FIBER_RUNNING, "a running fiber was destroyed");
#if defined(WITH_TSAN)
    __tsan_destroy_fiber(fiber->tsan_self);
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
