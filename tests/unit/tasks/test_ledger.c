/* tasks/ledger: every record once, in order, on the disk when it says so; a crash at
 * any byte sealed; a disk that fails waited for; nothing of a stranger's touched. */
#include "tests/unit/tasks/ledger_reading.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <signal.h>

/* ---- a disk that fails on demand: of the segments alone */

static atomic_int write_errno, sync_errno; /* 0: no failure */
static atomic_int short_writes;            /* so many take half */
static atomic_int syncs;

ssize_t __real_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

static bool
is_segment(int fd)
{
    char link[64], path[PATH_MAX];
    ssize_t n;

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path);
    return n > 6 && memcmp(path + n - 6, ".jsonl", 6) == 0;
}

ssize_t
__wrap_write(int fd, const void *bytes, size_t n)
{
    if ((write_errno == 0 && short_writes == 0) || !is_segment(fd))
        return __real_write(fd, bytes, n);
    if (short_writes > 0 && n > 1) {
        short_writes--;
        return __real_write(fd, bytes, n / 2);
    }
    if (write_errno == 0)
        return __real_write(fd, bytes, n);
    errno = write_errno;
    return -1;
}

int
__wrap_fdatasync(int fd)
{
    syncs++;
    if (sync_errno == 0)
        return __real_fdatasync(fd);
    errno = sync_errno;
    return -1;
}

/* ---- the stage */

static struct ledger_settings settings;
static char directory[PATH_MAX];

static int
begin(void **state)
{
    if (scratch_begin(state) != 0)
        return -1;
    write_errno = sync_errno = short_writes = 0;
    (void)snprintf(directory, sizeof directory, "%s", in_scratch("ledger"));
    settings = (struct ledger_settings){ .directory = directory,
                                         .segment_bytes = 64 << 20,
                                         .queue_records = 100000,
                                         .queue_bytes = 64 << 20 };
    return mkdir(directory, 0700);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, scratch_end)

static struct ledger *
open_ledger(void)
{
    struct ledger *l;

    assert_int_equal(ledger_open(&settings, &l), REASON_OK);
    return l;
}

static void
refuses_to_open(enum reason wanted)
{
    struct ledger *l = (void *)1;

    assert_int_equal(ledger_open(&settings, &l), wanted);
    assert_null(l);
}

static enum reason
enter(struct ledger *l, int64_t i, uint64_t *ticket)
{
    char members[64];

    (void)snprintf(members, sizeof members, "\"i\":%lld", (long long)i);
    return ledger_enter(l, "thing", text_z(members), ticket);
}

static void
enter_good(struct ledger *l, int64_t i)
{
    assert_int_equal(enter(l, i, NULL), REASON_OK);
}

/* The things 0 … n-1, each once, in order. */
static void
holds_things(const struct seen *s, int64_t n)
{
    int64_t next = 0;

    for (size_t i = 0; i < s->n; i++)
        if (is_kind(s->records[i], "thing"))
            assert_int_equal(number_of(s->records[i], "i"), next++);
    assert_int_equal(next, n);
}

/* ---- promises */

static void
a_ledger_begins_with_its_segment_and_ends_with_its_end(void **state)
{
    struct ledger *l = open_ledger();
    struct seen *s;

    (void)state;
    for (int i = 0; i < 3; i++)
        enter_good(l, i);
    ledger_close(l);
    s = ledger_seen();
    holds_things(s, 3);
    assert_int_equal(s->segments, 1);
    assert_int_equal(s->torn, 0);
    assert_true(is_kind(s->records[s->n - 2], "checkpoint"));
    assert_true(is_kind(s->records[s->n - 1], "end"));
    seen_free(s);
}

static void
what_finds_the_queue_full_is_refused_and_lost_refusals_are_told(void **state)
{
    struct ledger *l;
    struct seen *s;

    (void)state;
    settings.queue_bytes = 10;
    l = open_ledger();
    assert_int_equal(enter(l, 0, NULL), REASON_LEDGER_FULL);
    for (int i = 0; i < 7; i++)
        ledger_enter_refusal(l, "refusal", TEXT("\"x\":1"));
    ledger_close(l);
    s = ledger_seen();
    holds_things(s, 0);
    assert_int_equal(count_kind(s, "refusal"), 0);
    for (size_t i = 0, told = 0; i < s->n; i++) {
        if (is_kind(s->records[i], "lost"))
            told += (size_t)number_of(s->records[i], "refusals");
        if (i + 1 == s->n)
            assert_int_equal(told, 7);
    }
    seen_free(s);
}

static void
nothing_is_accepted_while_the_disk_fails_and_nothing_accepted_is_lost(void **state)
{
    struct ledger *l = open_ledger();
    uint64_t ticket;
    struct seen *s;

    (void)state;
    enter_good(l, 0);
    write_errno = ENOSPC;
    assert_int_equal(enter(l, 1, &ticket), REASON_OK);
    assert_int_equal(ledger_await(l, ticket), REASON_LEDGER_FAILED);
    assert_int_equal(enter(l, 99, NULL), REASON_LEDGER_FAILED);
    assert_true(log_says("No space left on device"));
    write_errno = 0;
    while (ledger_await(l, ticket) != REASON_OK)
        (void)usleep(1000);
    enter_good(l, 2);
    ledger_close(l);
    s = ledger_seen();
    holds_things(s, 3);
    seen_free(s);
}

static void
flip_byte(const char *path, long at)
{
    FILE *f = fopen(path, "r+");
    int c;

    assert_non_null(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    c = fgetc(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    assert_int_equal(fputc(c ^ 1, f), c ^ 1);
    assert_int_equal(fclose(f), 0);
}

static void
a_broken_chain_is_not_written_on(void **state)
{
    struct ledger *l = open_ledger();

    (void)state;
    for (int i = 0; i < 3; i++)
        enter_good(l, i);
    ledger_close(l);
    flip_byte(segment_path(1), 300);
    refuses_to_open(REASON_LEDGER_BROKEN);
    assert_int_equal(segments_there(), 1);
    assert_true(log_says("ledger-00000001.jsonl:3: "));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_ledger_begins_with_its_segment_and_ends_with_its_end),
        TEST(what_finds_the_queue_full_is_refused_and_lost_refusals_are_told),
        TEST(nothing_is_accepted_while_the_disk_fails_and_nothing_accepted_is_lost),
        TEST(a_broken_chain_is_not_written_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
