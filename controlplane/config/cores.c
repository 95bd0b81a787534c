#include "config/cores.h"

#include "base/err.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define KERNEL_CORES_MAX 8192ul /* the kernel refuses a set smaller than its own */

/* One number at *at, moving it on; -1 if there is none. */
static int32_t read_core(const char **at)
{
    int32_t core = 0;
    const char *start = *at;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        if (core < FLY_CORES_MAX)
            core = core * 10 + (**at - '0');
    }
    return *at == start ? -1 : core;
}

static int malformed(const char *text)
{
    int rc = FLY_ERR(EINVAL, "'%s' is not a list of cores", text);
    FLY_ERR_HINT("write numbers and ranges with commas between them, like 0,2-3");
    return rc;
}

int fly_cores_add(struct fly_cores *cores, const char *text)
{
    const char *at = text;
    do {
        int32_t first = read_core(&at);
        int32_t last = first;
        if (first >= 0 && *at == '-') {
            at++;
            last = read_core(&at);
        }
        if (first < 0 || last < first || (*at != ',' && *at != '\0'))
            return malformed(text);
        if (last >= FLY_CORES_MAX)
            return FLY_ERR(EINVAL, "core %d is out of range: the last possible is %d", last,
                           FLY_CORES_MAX - 1);
        for (int32_t core = first; core <= last; core++)
            cores->bits[core / 64] |= UINT64_C(1) << (core % 64);
    } while (*at++ == ',');
    return 0;
}

int fly_cores_add_usable(struct fly_cores *cores)
{
    size_t bytes = CPU_ALLOC_SIZE(KERNEL_CORES_MAX);
    cpu_set_t *usable = CPU_ALLOC(KERNEL_CORES_MAX);
    if (!usable)
        return FLY_ERR(ENOMEM, "no memory for the set of cores");
    if (sched_getaffinity(0, bytes, usable) != 0) {
        CPU_FREE(usable);
        return FLY_ERR(errno, "cannot ask which cores may be used: %s", strerror(errno));
    }
    for (uint32_t core = 0; core < FLY_CORES_MAX; core++) {
        if (CPU_ISSET_S(core, bytes, usable))
            cores->bits[core / 64] |= UINT64_C(1) << (core % 64);
    }
    CPU_FREE(usable);
    return 0;
}

uint32_t fly_cores_cnt(const struct fly_cores *cores)
{
    uint32_t cnt = 0;
    for (uint32_t i = 0; i < FLY_CORES_MAX / 64; i++)
        cnt += (uint32_t)__builtin_popcountll(cores->bits[i]);
    return cnt;
}
