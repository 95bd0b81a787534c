/* test_workspace.c - memory that is there or refused, and a header that nobody mistakes. */
#include "base/err.h"
#include "shm/memory.h"
#include "shm/workspace.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { BYTES = 1 << 20 };

static int open_descriptor_cnt(void)
{
    int cnt = 0;
    for (int fd = 0; fd < 256; fd++)
        cnt += fcntl(fd, F_GETFD) >= 0;
    return cnt;
}

static void test_refuses_impossible_sizes(void **state)
{
    (void)state;
    struct fly_workspace workspace;
    int before_cnt = open_descriptor_cnt();
    assert_int_equal(fly_workspace_create(&workspace, 0, false), -EINVAL);
    assert_int_equal(fly_workspace_create(&workspace, UINT64_MAX, false), -EINVAL);
    assert_int_equal(fly_workspace_create(&workspace, UINT64_C(1) << 60, false), -ENOMEM);
    assert_non_null(strstr(fly_err_text(), "MiB"));
    assert_non_null(fly_err_hint());
    assert_null(workspace.base);
    assert_int_equal(open_descriptor_cnt(), before_cnt);
}

static void test_refuses_what_is_no_workspace(void **state)
{
    (void)state;
    struct fly_workspace workspace;
    assert_int_equal(fly_workspace_attach(&workspace, 9999, true), -EBADF);
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(fly_workspace_attach(&workspace, pipes[0], true), -EPROTO);
    close(pipes[0]);
    close(pipes[1]);
    int fd = memfd_create("other", MFD_CLOEXEC);
    assert_int_equal(ftruncate(fd, 100), 0);
    assert_int_equal(fly_workspace_attach(&workspace, fd, true), -EPROTO);
    assert_int_equal(ftruncate(fd, 65536), 0);
    assert_int_equal(fly_workspace_attach(&workspace, fd, true), -EPROTO);
    assert_non_null(strstr(fly_err_text(), "magic"));
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
}

static void test_refuses_unpublished_and_other_versions(void **state)
{
    (void)state;
    struct fly_workspace made, seen;
    assert_int_equal(fly_workspace_create(&made, BYTES, false), 0);
    assert_int_equal(fly_workspace_attach(&seen, made.fd, true), -EPROTO);
    fly_workspace_publish(&made);
    made.header->version++;
    assert_int_equal(fly_workspace_attach(&seen, made.fd, true), -EPROTO);
    assert_non_null(strstr(fly_err_text(), "version"));
    assert_non_null(fly_err_hint());
    made.header->version--;
    made.header->bytes += 4096;
    assert_int_equal(fly_workspace_attach(&seen, made.fd, true), -EPROTO);
    fly_workspace_close(&made);
}

static void test_shares_what_is_written(void **state)
{
    (void)state;
    struct fly_workspace made, seen;
    int before_cnt = open_descriptor_cnt();
    assert_int_equal(fly_workspace_create(&made, BYTES - 1, false), 0);
    assert_int_equal(made.bytes, BYTES);
    assert_int_equal(made.header->huge_pages, 0);
    assert_int_equal(made.header->creator_pid, getpid());
    assert_ptr_equal((uint8_t *)made.plan, (uint8_t *)made.base + FLY_WORKSPACE_PLAN_AT);
    fly_workspace_publish(&made);
    assert_int_equal(fly_workspace_attach(&seen, dup(made.fd), true), 0);
    atomic_store(&made.header->command, FLY_COMMAND_DRAIN);
    assert_int_equal(atomic_load(&seen.header->command), FLY_COMMAND_DRAIN);
    assert_int_equal(seen.header->seed, made.header->seed);
    fly_workspace_close(&seen);
    fly_workspace_close(&made);
    fly_workspace_close(&made);
    fly_workspace_close(NULL);
    assert_int_equal(open_descriptor_cnt(), before_cnt);
}

static void test_memory_is_there_and_cannot_shrink(void **state)
{
    (void)state;
    struct fly_workspace made;
    struct stat stat;
    assert_int_equal(fly_workspace_create(&made, BYTES, false), 0);
    assert_int_equal(fly_workspace_fill(&made), 0);
    assert_int_equal(fstat(made.fd, &stat), 0);
    assert_int_equal(stat.st_blocks * 512, BYTES);
    assert_int_equal(ftruncate(made.fd, 4096), -1);
    assert_int_equal(fcntl(made.fd, F_GETFD), FD_CLOEXEC);
    fly_workspace_close(&made);
}

static void test_asking_for_huge_pages_never_fails_for_them(void **state)
{
    (void)state;
    struct fly_workspace made;
    assert_int_equal(fly_workspace_create(&made, BYTES, true), 0);
    assert_true(made.header->huge_pages <= 1);
    fly_workspace_close(&made);
}

/* A small tree that stands for /proc and /sys. */
static char root[] = "/tmp/flyover-test-XXXXXX";

static void put(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof(path), "%s%s", root, name);
    for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = '\0';
        mkdir(path, 0700);
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_the_tightest_bound_counts(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(root));
    assert_true(fly_memory_available(root) == UINT64_MAX);
    assert_int_equal(fly_memory_huge_free(root), 0);
    put("/proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:    8000 kB\n");
    assert_int_equal(fly_memory_available(root), 8000 * 1024);
    put("/proc/self/cgroup", "9:name=systemd:/\n0::/a/b\n");
    assert_int_equal(fly_memory_available(root), 8000 * 1024);
    put("/sys/fs/cgroup/a/memory.max", "5000000\n");
    put("/sys/fs/cgroup/a/memory.current", "3000000\n");
    put("/sys/fs/cgroup/a/memory.stat", "anon 7\ninactive_file 1000000\n");
    put("/sys/fs/cgroup/a/b/memory.max", "max\n");
    put("/sys/fs/cgroup/a/b/memory.current", "3000000\n");
    assert_int_equal(fly_memory_available(root), 3000000);
    put("/proc/self/cgroup", "4:memory:/c\n0::/\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("/sys/fs/cgroup/memory/memory.usage_in_bytes", "1\n");
    put("/sys/fs/cgroup/memory/c/memory.limit_in_bytes", "1000\n");
    put("/sys/fs/cgroup/memory/c/memory.usage_in_bytes", "2000\n");
    assert_int_equal(fly_memory_available(root), 0);
    put("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "3\n");
    assert_int_equal(fly_memory_huge_free(root), 3 << 21);
}

static int remove_root(void **state)
{
    (void)state;
    char command[sizeof(root) + 16];
    snprintf(command, sizeof(command), "rm -rf '%s'", root);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_impossible_sizes),
        cmocka_unit_test(test_refuses_what_is_no_workspace),
        cmocka_unit_test(test_refuses_unpublished_and_other_versions),
        cmocka_unit_test(test_shares_what_is_written),
        cmocka_unit_test(test_memory_is_there_and_cannot_shrink),
        cmocka_unit_test(test_asking_for_huge_pages_never_fails_for_them),
        cmocka_unit_test_teardown(test_the_tightest_bound_counts, remove_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
