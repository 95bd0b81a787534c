/* test_instance.c - one run per name, the next free name, and stale files removed. */
#include "base/err.h"
#include "supervise/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/flyover-instance-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder); /* fails, if a test has left something */
}

static void put_file(const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void test_refuses_a_name_that_runs(void **state)
{
    (void)state;
    struct fly_instance first, second;
    char pid[16];
    assert_int_equal(fly_instance_take(&first, folder, "a"), 0);
    assert_int_equal(fly_instance_describe(&first, "wordcount"), 0);
    assert_int_equal(fly_instance_take(&second, folder, "a"), -EBUSY);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    assert_non_null(strstr(fly_err_text(), pid));
    assert_non_null(strstr(fly_err_hint(), "--instance"));
    fly_instance_release(&first);
    assert_int_equal(fly_instance_take(&second, folder, "a"), 0);
    fly_instance_release(&second);
    fly_instance_release(&second);
    fly_instance_release(NULL);
}

static void test_refuses_names_that_are_paths(void **state)
{
    (void)state;
    struct fly_instance instance;
    char long_name[100];
    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    const char *const names[] = {"", "../a", "a/b", ".hidden", long_name};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(fly_instance_take(&instance, folder, names[i]), -EINVAL);
}

static void test_takes_the_next_free_name(void **state)
{
    (void)state;
    struct fly_instance instance[3];
    const char *const names[] = {"a", "a-2", "a-3"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fly_instance_take_free(&instance[i], folder, "a"), 0);
        assert_string_equal(instance[i].name, names[i]);
    }
    for (int i = 0; i < 3; i++)
        fly_instance_release(&instance[i]);
}

static void test_removes_stale_files_only(void **state)
{
    (void)state;
    struct fly_instance instance;
    assert_int_equal(fly_instance_take(&instance, folder, "alive"), 0);
    put_file("dead.json");
    put_file("dead-2.json");
    put_file("other.txt");
    assert_int_equal(fly_instance_clean(folder), 2);
    assert_int_equal(fly_instance_clean(folder), 0);
    assert_int_equal(access(instance.path, F_OK), 0);
    fly_instance_release(&instance);
    char path[128];
    snprintf(path, sizeof(path), "%s/other.txt", folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(fly_instance_clean("/nonexistent"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_a_name_that_runs),
        cmocka_unit_test(test_refuses_names_that_are_paths),
        cmocka_unit_test(test_takes_the_next_free_name),
        cmocka_unit_test(test_removes_stale_files_only),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
