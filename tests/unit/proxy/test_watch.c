/* proxy/watch.c: whatever way a file changes, it is told once it is quiet, and nothing
 * is told of its neighbours. */
#include "tests/unit/proxy/stage.h"

#include "proxy/watch.h"

#include <errno.h>
#include <sys/stat.h>

static unsigned told;
static struct watch *watch;

static void
on_change(void *owner)
{
    assert_ptr_equal(owner, &told);
    told++;
}

static void
watch_paths(const char *const *paths, size_t n)
{
    told = 0;
    watch = watch_new(loop_base(loop), on_change, &told);
    watch_set(watch, paths, n);
}

static void
watch_one(const char *name)
{
    const char *path = in_scratch(name);

    watch_paths(&path, 1);
}

static void
make_folder(const char *name)
{
    assert_int_equal(mkdir(in_scratch(name), 0700), 0);
}

static void
put(const char *name, const char *text)
{
    write_text(in_scratch(name), 0600, text);
}

static void
move(const char *from, const char *to)
{
    char old[512];

    (void)snprintf(old, sizeof old, "%s", in_scratch(from));
    assert_int_equal(rename(old, in_scratch(to)), 0);
}

static void
point(const char *name, const char *to)
{
    assert_int_equal(symlink(to, in_scratch(name)), 0);
}

static void
drop(const char *name)
{
    assert_int_equal(unlink(in_scratch(name)), 0);
}

/* Until everything done so far has been told. */
#define TOLD()                                                                         \
    do {                                                                               \
        UNTIL(told > 0);                                                               \
        assert_int_equal(told, 1);                                                     \
        told = 0;                                                                      \
    } while (0)

static void
a_file_written_renamed_chmodded_removed_and_back_is_told_each_time(void **state)
{
    (void)state;
    put("secret", "one");
    watch_one("secret");
    put("secret", "two");
    TOLD();
    put("other", "three");
    move("other", "secret");
    TOLD();
    assert_int_equal(chmod(in_scratch("secret"), 0644), 0);
    TOLD();
    drop("secret");
    TOLD();
    put("secret", "four");
    TOLD();
    watch_free(watch);
}

static void
what_happens_in_one_moment_is_told_once(void **state)
{
    (void)state;
    put("a", "one");
    put("b", "one");
    watch_paths((const char *[]){ in_scratch("a"), in_scratch("b") }, 2);
    for (int i = 0; i < 20; i++) {
        put("a", "two");
        put("b", "two");
    }
    TOLD();
    watch_free(watch);
}

/* As kubelet changes a Secret or a ConfigMap. */
static void
a_swap_of_the_data_link_is_told_and_the_next_one_too(void **state)
{
    (void)state;
    make_folder("..1");
    put("..1/token", "one");
    point("..data", "..1");
    point("token", "..data/token");
    watch_one("token");
    make_folder("..2");
    put("..2/token", "two");
    point("..data_tmp", "..2");
    move("..data_tmp", "..data");
    drop("..1/token");
    assert_int_equal(rmdir(in_scratch("..1")), 0);
    TOLD();
    make_folder("..3");
    put("..3/token", "three");
    point("..data_tmp", "..3");
    move("..data_tmp", "..data");
    TOLD();
    watch_free(watch);
}

static void
a_directory_that_is_replaced_is_followed(void **state)
{
    (void)state;
    make_folder("run");
    make_folder("run/deep");
    put("run/deep/secret", "one");
    watch_one("run/deep/secret");
    move("run", "old");
    TOLD();
    make_folder("run");
    make_folder("run/deep");
    put("run/deep/secret", "two");
    TOLD();
    put("run/deep/secret", "three");
    TOLD();
    watch_free(watch);
}

static void
a_link_that_leads_elsewhere_is_followed_to_the_end(void **state)
{
    char to[512];

    (void)state;
    make_folder("here");
    make_folder("there");
    put("there/secret", "one");
    (void)snprintf(to, sizeof to, "%s", in_scratch("there/../there/./secret"));
    point("here/secret", to);
    watch_one("here/secret");
    put("there/secret", "two");
    TOLD();
    watch_free(watch);
}

static void
what_is_not_there_yet_is_told_when_it_comes(void **state)
{
    (void)state;
    watch_one("not/yet/there");
    make_folder("not");
    TOLD();
    make_folder("not/yet");
    put("not/yet/there", "now");
    TOLD();
    watch_free(watch);
}

static void
of_a_directory_everything_in_it_counts(void **state)
{
    (void)state;
    make_folder("conf.d");
    watch_one("conf.d");
    put("conf.d/10.conf", "a");
    TOLD();
    drop("conf.d/10.conf");
    TOLD();
    watch_free(watch);
}

/* Another watch is the clock: it is told of the neighbour. */
static void
a_neighbour_is_not_told_of(void **state)
{
    struct watch *other;
    const char *path;

    (void)state;
    put("secret", "one");
    put("neighbour", "one");
    watch_one("secret");
    other = watch;
    path = in_scratch("neighbour");
    watch_set(watch, &path, 1);
    watch_one("secret");
    put("neighbour", "two");
    UNTIL(told > 0);
    settle();
    assert_int_equal(told, 1);
    watch_free(other);
    watch_free(watch);
}

static void
what_is_watched_no_more_is_not_told_of(void **state)
{
    const char *path = in_scratch("b");

    (void)state;
    put("a", "one");
    put("b", "one");
    watch_one("a");
    watch_set(watch, &path, 1);
    put("a", "two");
    settle();
    put("b", "two");
    TOLD();
    watch_set(watch, NULL, 0);
    put("b", "three");
    settle();
    assert_int_equal(told, 0);
    watch_free(watch);
}

/* Who never leaves it quiet does not keep others from knowing. */
static void
a_file_written_without_a_pause_is_told_all_the_same(void **state)
{
    int64_t give_up = clock_monotonic_ms() + PATIENCE_MS;

    (void)state;
    put("secret", "one");
    watch_one("secret");
    while (told == 0) {
        put("secret", "again");
        settle();
        assert_true(clock_monotonic_ms() < give_up);
    }
    watch_free(watch);
}

static long
queue_length(void)
{
    char *text = read_text("/proc/sys/fs/inotify/max_queued_events");
    long n = strtol(text, NULL, 10);

    free(text);
    return n;
}

/* The queue is full of a neighbour's events when the file itself changes: the kernel
 * says only that something was lost. */
static void
events_that_were_lost_count_as_a_change(void **state)
{
    long n = queue_length();

    (void)state;
    if (n <= 0 || n > 100000)
        skip();
    put("secret", "one");
    put("a", "");
    put("b", "");
    watch_one("secret");
    for (long i = 0; i <= n; i++)
        assert_int_equal(chmod(in_scratch(i % 2 == 0 ? "a" : "b"), 0600), 0);
    put("secret", "two");
    UNTIL(told > 0);
    watch_free(watch);
}

static void
a_watch_may_end_while_something_is_to_be_told(void **state)
{
    (void)state;
    put("secret", "one");
    watch_one("secret");
    put("secret", "two");
    settle();
    watch_free(watch);
    watch_free(NULL);
    settle();
    assert_int_equal(told, 0);
}

static void
links_in_a_circle_end_somewhere(void **state)
{
    (void)state;
    point("a", "b");
    point("b", "a");
    watch_one("a/secret");
    drop("a");
    TOLD();
    watch_free(watch);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(a_file_written_renamed_chmodded_removed_and_back_is_told_each_time),
        STAGE_TEST(what_happens_in_one_moment_is_told_once),
        STAGE_TEST(a_swap_of_the_data_link_is_told_and_the_next_one_too),
        STAGE_TEST(a_directory_that_is_replaced_is_followed),
        STAGE_TEST(a_link_that_leads_elsewhere_is_followed_to_the_end),
        STAGE_TEST(what_is_not_there_yet_is_told_when_it_comes),
        STAGE_TEST(of_a_directory_everything_in_it_counts),
        STAGE_TEST(a_neighbour_is_not_told_of),
        STAGE_TEST(what_is_watched_no_more_is_not_told_of),
        STAGE_TEST(a_file_written_without_a_pause_is_told_all_the_same),
        STAGE_TEST(events_that_were_lost_count_as_a_change),
        STAGE_TEST(a_watch_may_end_while_something_is_to_be_told),
        STAGE_TEST(links_in_a_circle_end_somewhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
