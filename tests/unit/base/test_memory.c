/* Memory that cannot be had ends the process. */
#include "base/memory.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void
memory_is_zeroed_and_may_be_of_no_bytes(void **state)
{
    static const char zeros[1000];
    char *p = memory_new(1000), *empty = memory_new(0), *none = memory_new_array(0, 8);

    (void)state;
    assert_memory_equal(p, zeros, 1000);
    assert_non_null(empty);
    assert_non_null(none);
    assert_ptr_not_equal(empty, none);
    free(p);
    free(empty);
    free(none);
}

static void
a_copied_string_is_the_same_elsewhere(void **state)
{
    const char *z = "name";
    char *copy = memory_copy_z(z);

    (void)state;
    assert_ptr_not_equal(copy, z);
    assert_string_equal(copy, "name");
    free(copy);
}

static void
a_long_copy_is_whole_wherever_it_lies(void **state)
{
    static const size_t lengths[] = { 0, 1, 2047, 2048, 2049, 4096, 16384 + 9 };
    enum { ROOM = 32 * 1024 };
    static char from[ROOM], to[ROOM], want[ROOM];

    (void)state;
    for (size_t i = 0; i < ROOM; i++)
        from[i] = (char)(i * 31 + i / 251);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (size_t shift = 0; shift < 32; shift++) {
            memset(to, 1, ROOM);
            memset(want, 1, ROOM);
            memcpy(want + shift, from + 7, lengths[i]);
            memory_copy(to + shift, from + 7, lengths[i]);
            assert_memory_equal(to, want, ROOM);
        }
    }
}

static int
status_of_child_that(void (*act)(void))
{
    struct rlimit no_core = { 0, 0 };
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        setrlimit(RLIMIT_CORE, &no_core);
        close(STDERR_FILENO); /* it says so there */
        signal(SIGABRT, SIG_DFL);
        act();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static volatile size_t half = SIZE_MAX / 2 + 1;

static void
ask_for_a_product_that_overflows(void)
{
    free(memory_new_array(half, 2));
}

static void
ask_for_more_than_there_is(void)
{
    free(memory_new_raw(half));
}

static void
what_cannot_be_had_ends_the_process(void **state)
{
    (void)state;
    assert_int_not_equal(status_of_child_that(ask_for_a_product_that_overflows), 0);
    assert_int_not_equal(status_of_child_that(ask_for_more_than_there_is), 0);
}

static void
ask_in_vain(void)
{
    memory_exhausted();
}

static void
the_end_is_an_abort(void **state)
{
    int status = status_of_child_that(ask_in_vain);

    (void)state;
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_may_be_of_no_bytes),
        cmocka_unit_test(a_copied_string_is_the_same_elsewhere),
        cmocka_unit_test(a_long_copy_is_whole_wherever_it_lies),
        cmocka_unit_test(what_cannot_be_had_ends_the_process),
        cmocka_unit_test(the_end_is_an_abort),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
