#include "shm/workspace.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mix.h"
#include "shm/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(sizeof(struct fly_workspace_header) <= FLY_WORKSPACE_PLAN_AT, "header before plan");

enum { PAGE_BYTES = 4096, HUGE_PAGE_BYTES = 1 << 21 };

static double mebibytes(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

/* A descriptor of `bytes` of memory, or a negative errno without a trace. Huge pages are really
 * there, plain ones once they are filled. */
static int open_memory(uint64_t bytes, bool huge_pages)
{
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create("flyover", huge_pages ? flags | MFD_HUGETLB | MFD_HUGE_2MB : flags);
    if (fd < 0)
        return -errno;
    int rc = ftruncate(fd, (off_t)bytes) ? -errno : 0;
    if (!rc && huge_pages && fallocate(fd, 0, 0, (off_t)bytes))
        rc = -errno;
    if (!rc && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        rc = -errno;
    if (rc) {
        close(fd);
        return rc;
    }
    return fd;
}

static int refuse_size(uint64_t bytes, uint64_t available_bytes)
{
    int rc = FLY_ERR(ENOMEM, "the plan needs %.1f MiB of memory, %.1f MiB are free",
                     mebibytes(bytes), mebibytes(available_bytes));
    FLY_ERR_HINT("see 'flyover plan' for what takes it; lower state_bytes, retain_bytes, "
                 "max_in_flight or the number of cores");
    return rc;
}

/* Huge pages where wanted and free, else plain ones. The descriptor; *huge_pages says which. */
static int open_backing(uint64_t *bytes, bool *huge_pages)
{
    if (*huge_pages) {
        uint64_t huge_bytes = fly_align_up(*bytes, HUGE_PAGE_BYTES);
        int fd = fly_memory_huge_free("") >= huge_bytes ? open_memory(huge_bytes, true) : -ENOMEM;
        if (fd >= 0) {
            *bytes = huge_bytes;
            return fd;
        }
    }
    *huge_pages = false;
    *bytes = fly_align_up(*bytes, PAGE_BYTES);
    uint64_t available_bytes = fly_memory_available("");
    if (*bytes > available_bytes)
        return refuse_size(*bytes, available_bytes);
    int fd = open_memory(*bytes, false);
    return fd < 0 ? FLY_ERR(fd, "cannot make %.1f MiB of shared memory: %s", mebibytes(*bytes),
                            strerror(-fd))
                  : fd;
}

static uint64_t new_seed(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == (ssize_t)sizeof(seed))
        return seed;
    return fly_mix64(fly_clock_ns() ^ fly_ticks() ^ ((uint64_t)getpid() << 32));
}

static int map(struct fly_workspace *workspace, int fd, uint64_t bytes, bool read_only)
{
    int protection = read_only ? PROT_READ : PROT_READ | PROT_WRITE;
    void *base = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        return FLY_ERR(errno, "cannot map %.1f MiB of shared memory: %s", mebibytes(bytes),
                       strerror(errno));
    /* A core file of the workspace would be as large as all its pools. */
    madvise(base, bytes, MADV_DONTDUMP);
    *workspace = (struct fly_workspace){
        .header = base,
        .plan = (struct fly_plan *)((uintptr_t)base + FLY_WORKSPACE_PLAN_AT),
        .base = base,
        .bytes = bytes,
        .fd = fd,
    };
    return 0;
}

int fly_workspace_create(struct fly_workspace *workspace, uint64_t bytes, bool huge_pages)
{
    memset(workspace, 0, sizeof(*workspace));
    workspace->fd = -1;
    if (bytes < FLY_WORKSPACE_PLAN_AT + sizeof(struct fly_plan) || bytes > INT64_MAX / 2)
        return FLY_ERR(EINVAL, "a workspace cannot have %llu bytes", (unsigned long long)bytes);
    int fd = open_backing(&bytes, &huge_pages);
    if (fd < 0)
        return fd;
    int rc = map(workspace, fd, bytes, false);
    if (rc) {
        close(fd);
        return rc;
    }
    struct fly_workspace_header *header = workspace->header;
    header->version = FLY_WORKSPACE_VERSION;
    header->bytes = bytes;
    header->seed = new_seed();
    header->created_wall_ns = fly_clock_wall_ns();
    header->creator_pid = (uint32_t)getpid();
    header->huge_pages = huge_pages;
    return 0;
}

int fly_workspace_fill(const struct fly_workspace *workspace)
{
    int rc;
    do
        rc = fallocate(workspace->fd, 0, 0, (off_t)workspace->bytes);
    while (rc && errno == EINTR);
    return rc ? refuse_size(workspace->bytes, fly_memory_available("")) : 0;
}

void fly_workspace_publish(struct fly_workspace *workspace)
{
    /* Release: partner is the acquire in check_header(). */
    atomic_store_explicit(&workspace->header->magic, FLY_WORKSPACE_MAGIC, memory_order_release);
}

static int check_header(const struct fly_workspace_header *header, uint64_t bytes)
{
    /* Acquire: partner is the release in fly_workspace_publish(). */
    uint64_t magic = atomic_load_explicit(&header->magic, memory_order_acquire);
    if (magic != FLY_WORKSPACE_MAGIC)
        return FLY_ERR(EPROTO, "this memory is not a workspace (its magic is %#llx)",
                       (unsigned long long)magic);
    if (header->version != FLY_WORKSPACE_VERSION) {
        int rc = FLY_ERR(EPROTO, "the workspace has version %u, this program has version %d",
                         header->version, FLY_WORKSPACE_VERSION);
        FLY_ERR_HINT("flyover and flyover-dataplane must come from the same installation");
        return rc;
    }
    if (header->bytes != bytes)
        return FLY_ERR(EPROTO, "the workspace says that it has %llu bytes, its memory has %llu",
                       (unsigned long long)header->bytes, (unsigned long long)bytes);
    return 0;
}

int fly_workspace_attach(struct fly_workspace *workspace, int fd, bool read_only)
{
    struct stat stat;
    memset(workspace, 0, sizeof(*workspace));
    workspace->fd = -1;
    if (fstat(fd, &stat))
        return FLY_ERR(errno, "descriptor %d is not a workspace: %s", fd, strerror(errno));
    if (!S_ISREG(stat.st_mode) ||
        (uint64_t)stat.st_size < FLY_WORKSPACE_PLAN_AT + sizeof(struct fly_plan))
        return FLY_ERR(EPROTO, "descriptor %d is not a workspace: too small", fd);
    uint64_t bytes = (uint64_t)stat.st_size;
    int rc = map(workspace, fd, bytes, read_only);
    if (rc)
        return rc;
    rc = check_header(workspace->header, bytes);
    if (rc) {
        munmap(workspace->base, bytes);
        memset(workspace, 0, sizeof(*workspace));
        workspace->fd = -1;
    }
    return rc;
}

void fly_workspace_close(struct fly_workspace *workspace)
{
    if (!workspace || !workspace->base)
        return;
    munmap(workspace->base, workspace->bytes);
    close(workspace->fd);
    memset(workspace, 0, sizeof(*workspace));
    workspace->fd = -1;
}
