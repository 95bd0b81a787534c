#include "base/err.h"

#include <errno.h>
#include <pthread.h>

#include "support/unit.h"

static void test_without_an_error(void **state)
{
    (void)state;
    fly_err_reset();
    assert_int_equal(fly_err_code(), 0);
    assert_string_equal(fly_err_text(), "");
    assert_string_equal(fly_err_trace(), "");
    assert_null(fly_err_hint());
}

static void test_code_is_negative_whatever_its_sign(void **state)
{
    (void)state;
    assert_int_equal(FLY_ERR(ENOENT, "a"), -ENOENT);
    assert_int_equal(FLY_ERR(-EINVAL, "b"), -EINVAL);
    assert_int_equal(fly_err_code(), -EINVAL);
    assert_int_equal(FLY_ERR(0, "c"), -EIO);
}

/* A wide letter that the locale lacks makes printing fail and set errno. */
static void test_recording_leaves_errno_alone(void **state)
{
    (void)state;
    const wchar_t alpha[] = {0x3b1, 0};
    errno = EBUSY;
    assert_int_equal(FLY_ERR(errno, "%ls", alpha), -EBUSY);
    assert_int_equal(errno, EBUSY);
    assert_string_equal(fly_err_text(), "(%ls)");
}

static int map_it(void)
{
    FLY_ERR(ENOMEM, "no memory for %d pages", 7);
    FLY_ERR_HINT("use fewer than %d", 7);
    return fly_err_code();
}

static int make_it(void)
{
    int rc = map_it();
    return rc ? FLY_ERR_NOTE("cannot map the workspace") : 0;
}

static void test_notes_read_outermost_first(void **state)
{
    (void)state;
    assert_int_equal(make_it(), -ENOMEM);
    assert_int_equal(FLY_ERR_NOTE("cannot start '%s'", "wordcount"), -ENOMEM);
    assert_string_equal(fly_err_text(), "cannot start 'wordcount': cannot map the workspace: "
                                        "no memory for 7 pages");
    assert_string_equal(fly_err_hint(), "use fewer than 7");
    /* File names without folders, innermost first. */
    assert_memory_equal(fly_err_trace(), "test_err.c:", 11);
    assert_null(strchr(fly_err_trace(), '/'));
    assert_non_null(strstr(fly_err_trace(), " < test_err.c:"));
}

static void test_an_error_starts_a_new_trace(void **state)
{
    (void)state;
    make_it();
    FLY_ERR(EIO, "other");
    assert_string_equal(fly_err_text(), "other");
    assert_null(fly_err_hint());
}

static void test_print(void **state)
{
    (void)state;
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    fly_err_reset();
    fly_err_print(file);
    fflush(file);
    assert_int_equal(bytes, 0);
    make_it();
    fly_err_print(file);
    fclose(file);
    const char *expected = "error: cannot map the workspace: no memory for 7 pages\n"
                           "hint: use fewer than 7\ntrace: test_err.c:";
    assert_memory_equal(text, expected, strlen(expected));
    free(text);
}

static void test_long_texts_are_cut(void **state)
{
    (void)state;
    char text[2 * FLY_ERR_TEXT_BYTES];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    FLY_ERR(EIO, "%s", text);
    FLY_ERR_HINT("%s", text);
    assert_int_equal(strlen(fly_err_text()), FLY_ERR_TEXT_BYTES - 1);
    assert_int_equal(strlen(fly_err_hint()), FLY_ERR_TEXT_BYTES - 1);
}

static void test_levels_above_the_limit_are_counted(void **state)
{
    (void)state;
    char text[FLY_ERR_TEXT_BYTES];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    FLY_ERR(EIO, "%s", text);
    for (int i = 1; i < FLY_ERR_LEVEL_MAX + 3; i++)
        FLY_ERR_NOTE("%s", text);
    assert_int_equal(strlen(fly_err_text()),
                     FLY_ERR_LEVEL_MAX * (FLY_ERR_TEXT_BYTES - 1) + (FLY_ERR_LEVEL_MAX - 1) * 2);
    assert_non_null(strstr(fly_err_trace(), " < 3 more"));
}

static void *fail_elsewhere(void *arg)
{
    (void)arg;
    int before = fly_err_code();
    FLY_ERR(EPERM, "another thread's");
    return before ? "seen" : NULL;
}

static void test_threads_have_their_own_trace(void **state)
{
    (void)state;
    FLY_ERR(EIO, "mine");
    pthread_t thread;
    void *seen = "not run";
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, NULL), 0);
    assert_int_equal(pthread_join(thread, &seen), 0);
    assert_null(seen);
    assert_string_equal(fly_err_text(), "mine");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_an_error),
        cmocka_unit_test(test_code_is_negative_whatever_its_sign),
        cmocka_unit_test(test_recording_leaves_errno_alone),
        cmocka_unit_test(test_notes_read_outermost_first),
        cmocka_unit_test(test_an_error_starts_a_new_trace),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_levels_above_the_limit_are_counted),
        cmocka_unit_test(test_threads_have_their_own_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
