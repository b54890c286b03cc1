/* tasks/ledger: every record once, in order, on the disk when it says so; a crash at
 * any byte sealed; a disk that fails waited for; nothing of a stranger's touched. */
#include "tests/unit/tasks/ledger_reading.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ---- a disk that fails or stands still on demand, for segments alone */

static atomic_int write_errno, sync_errno; /* 0: no failure */
static atomic_bool halves;                 /* each write takes half of its bytes */
static atomic_bool real_syncs;             /* off: pages are enough for a kill */
static atomic_bool drops;                  /* a sync that fails loses what it was for */
static off_t synced_to;                    /* … which is what stands behind this */

/* While one is shut, nothing passes but what is let through, one at a time. */
struct gate {
    bool is_shut, is_reached;
    unsigned lets;
};

static pthread_mutex_t gates = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gates_turn = PTHREAD_COND_INITIALIZER;
static struct gate writes, syncs;

ssize_t __real_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_fsync(int fd);
int __wrap_fsync(int fd);

static bool
is_segment(int fd)
{
    char link[64], path[PATH_MAX];
    ssize_t n;

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    return strstr(path, "/ledger/ledger-") != NULL ||
           strstr(path, "/ledger/.segment") != NULL;
}

static void
pass_gate(struct gate *g)
{
    pthread_mutex_lock(&gates);
    g->is_reached = g->is_shut;
    pthread_cond_broadcast(&gates_turn);
    while (g->is_shut && g->lets == 0)
        pthread_cond_wait(&gates_turn, &gates);
    g->lets -= g->lets > 0;
    g->is_reached = false;
    pthread_cond_broadcast(&gates_turn);
    pthread_mutex_unlock(&gates);
}

static off_t
size_of(int fd)
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    return st.st_size;
}

/* As the kernel may when it could not write them: what was never synced is gone, and
 * nobody is told a second time. */
static void
drop_unsynced(int fd)
{
    static const char nothing[64 * 1024];
    size_t n = (size_t)(size_of(fd) - synced_to);
    char link[64];
    int again;

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    assert_true((again = open(link, O_WRONLY | O_CLOEXEC)) >= 0);
    assert_true(n < sizeof nothing);
    assert_int_equal(pwrite(again, nothing, n, synced_to), n);
    (void)close(again);
}

ssize_t
__wrap_write(int fd, const void *bytes, size_t n)
{
    if (!is_segment(fd))
        return __real_write(fd, bytes, n);
    pass_gate(&writes);
    if (write_errno == 0)
        return __real_write(fd, bytes, halves && n > 1 ? n / 2 : n);
    errno = write_errno;
    return -1;
}

int
__wrap_fdatasync(int fd)
{
    off_t covered = size_of(fd);

    pass_gate(&syncs);
    if (sync_errno == 0) {
        synced_to = covered;
        return real_syncs ? __real_fdatasync(fd) : 0;
    }
    if (drops)
        drop_unsynced(fd);
    errno = sync_errno;
    return -1;
}

int
__wrap_fsync(int fd)
{
    return real_syncs ? __real_fsync(fd) : 0;
}

static void
shut_gate(struct gate *g)
{
    pthread_mutex_lock(&gates);
    g->is_shut = true;
    g->is_reached = false;
    pthread_mutex_unlock(&gates);
}

static void
await_at_gate(const struct gate *g)
{
    pthread_mutex_lock(&gates);
    while (!g->is_reached)
        pthread_cond_wait(&gates_turn, &gates);
    pthread_mutex_unlock(&gates);
}

/* Whoever stands at it; returns when that one has gone through. */
static void
let_one_through(struct gate *g)
{
    pthread_mutex_lock(&gates);
    g->lets++;
    pthread_cond_broadcast(&gates_turn);
    while (g->lets > 0)
        pthread_cond_wait(&gates_turn, &gates);
    pthread_mutex_unlock(&gates);
}

static void
open_gate(struct gate *g)
{
    pthread_mutex_lock(&gates);
    g->is_shut = false;
    pthread_cond_broadcast(&gates_turn);
    pthread_mutex_unlock(&gates);
}

/* ---- being told */

static pthread_mutex_t bell = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t bell_rings = PTHREAD_COND_INITIALIZER;

static void
ring(void *owner)
{
    unsigned *rung = owner;

    pthread_mutex_lock(&bell);
    ++*rung;
    pthread_cond_broadcast(&bell_rings);
    pthread_mutex_unlock(&bell);
}

/* Until something is so that a listener is told of. The ledger must have one. */
static void
wait_for(bool (*is_so)(struct ledger *l, uint64_t ticket), struct ledger *l,
         uint64_t ticket)
{
    pthread_mutex_lock(&bell);
    while (!is_so(l, ticket))
        pthread_cond_wait(&bell_rings, &bell);
    pthread_mutex_unlock(&bell);
}

static bool
is_durable(struct ledger *l, uint64_t ticket)
{
    return ledger_is_durable(l, ticket);
}

static bool
has_failed(struct ledger *l, uint64_t ticket)
{
    struct ledger_state look;

    (void)ticket;
    ledger_look(l, &look);
    return look.failed;
}

static bool
is_well(struct ledger *l, uint64_t ticket)
{
    return !has_failed(l, ticket);
}

/* ---- the stage */

static struct ledger_settings settings;
static char directory[PATH_MAX];

static int
begin(void **state)
{
    if (scratch_begin(state) != 0)
        return -1;
    write_errno = sync_errno = 0;
    halves = real_syncs = drops = false;
    (void)snprintf(directory, sizeof directory, "%s", in_scratch("ledger"));
    settings = (struct ledger_settings){ .directory = directory,
                                         .segment_bytes = 64 << 20,
                                         .queue_records = 100000,
                                         .queue_bytes = 64 << 20 };
    return mkdir(directory, 0700);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, scratch_end)

static unsigned rung;

static struct ledger *
open_ledger(void)
{
    struct ledger *l;

    assert_int_equal(ledger_open(&settings, &l), REASON_OK);
    ledger_listen(l, ring, &rung);
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

static uint64_t
ticket_of(struct ledger *l, int64_t i)
{
    uint64_t ticket;

    assert_int_equal(enter(l, i, &ticket), REASON_OK);
    return ticket;
}

/* The things 0 … n-1 and nothing else that was entered. */
static void
holds_just_things(int64_t n)
{
    struct seen *s = ledger_seen();

    holds_things(s, n);
    seen_free(s);
}

/* A ledger of n things as a process leaves it that is killed once they are durable. */
static void
leave_by_crash(int n)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        struct ledger *l;
        uint64_t ticket = 0;

        if (ledger_open(&settings, &l) != REASON_OK)
            _exit(1);
        for (int i = 0; i < n; i++)
            if (enter(l, i, &ticket) != REASON_OK)
                _exit(2);
        if (ledger_await(l, ticket) != REASON_OK)
            _exit(3);
        (void)kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void
write_file(const char *path, const char *bytes, size_t n)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* As if it had never been begun, nor a checkpoint been kept. */
static void
back_before_segment(unsigned number)
{
    assert_int_equal(unlink(segment_path(number)), 0);
    assert_int_equal(unlink(in_scratch("ledger/checkpoint")), 0);
}

/* ---- promises: what stands in it */

static void
a_ledger_begins_with_its_segment_and_ends_with_its_end_signed(void **state)
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
    assert_int_equal(s->n - count_kind(s, "checkpoint"), 5);
    assert_true(is_kind(s->records[s->n - 2], "end"));
    assert_true(is_kind(s->records[s->n - 1], "checkpoint"));
    seen_free(s);
}

static void
a_record_without_members_is_one_and_no_ledger_is_closed_in_peace(void **state)
{
    struct ledger *l = open_ledger();
    struct seen *s;

    (void)state;
    assert_int_equal(ledger_enter(l, "bare", TEXT(""), NULL), REASON_OK);
    ledger_close(l);
    s = ledger_seen();
    assert_int_equal(count_kind(s, "bare"), 1);
    seen_free(s);
    ledger_close(NULL);
}

static void
each_start_has_a_segment_and_the_chain_goes_on(void **state)
{
    struct seen *s;

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct ledger *l = open_ledger();

        enter_good(l, i);
        ledger_close(l);
    }
    s = ledger_seen();
    assert_int_equal(s->segments, 3);
    holds_things(s, 3);
    seen_free(s);
}

/* `end` of each and its checkpoint stand before the next one's first. */
static void
a_full_segment_is_ended_in_order_and_another_begun(void **state)
{
    struct ledger *l;
    struct seen *s;

    (void)state;
    settings.segment_bytes = 4000;
    l = open_ledger();
    for (int i = 0; i < 500; i++)
        enter_good(l, i);
    ledger_close(l);
    s = ledger_seen();
    holds_things(s, 500);
    assert_true(s->segments > 10);
    assert_int_equal(count_kind(s, "segment"), s->segments);
    assert_int_equal(count_kind(s, "end"), s->segments);
    for (size_t i = 1; i < s->n; i++) {
        if (is_kind(s->records[i - 1], "end"))
            assert_true(is_kind(s->records[i], "checkpoint"));
        if (is_kind(s->records[i], "segment"))
            assert_true(is_kind(s->records[i - 2], "end"));
    }
    seen_free(s);
}

static void
a_record_says_when_it_was_entered(void **state)
{
    struct ledger *l = open_ledger();
    char before[25], after[25], said[25];
    struct seen *s;

    (void)state;
    shut_gate(&writes);
    clock_format(clock_wall_ms(), before);
    enter_good(l, 0);
    clock_format(clock_wall_ms(), after);
    open_gate(&writes);
    ledger_close(l);
    s = ledger_seen();
    for (size_t i = 0; i < s->n; i++) {
        if (!is_kind(s->records[i], "thing"))
            continue;
        memcpy(said, word_of(s->records[i], "ts").at, sizeof said);
        assert_true(strcmp(before, said) <= 0 && strcmp(said, after) <= 0);
    }
    seen_free(s);
}

/* ---- promises: checkpoints */

static struct public_key *
published_key(char thumbprint[THUMBPRINT_SIZE])
{
    char *text = read_text(in_scratch("ledger/key.jwk"));
    struct json *jwk = json_parse(text_of(text, strlen(text)), 4096);
    struct public_key *key;
    struct text word;

    assert_non_null(jwk);
    assert_true(jwk_thumbprint(jwk, thumbprint));
    assert_non_null(key = jwk_import(jwk, &word));
    json_free(jwk);
    free(text);
    return key;
}

/* That this checkpoint is signed by the key and speaks of the record before it. */
static void
vouches(const struct json *checkpoint, const struct public_key *key,
        const char *thumbprint)
{
    struct text id = text_of(thumbprint, THUMBPRINT_SIZE);
    struct jws jws;

    assert_int_equal(jws_parse(word_of(checkpoint, "jws"), &jws), JWS_FINE);
    assert_true(jws_verify(&jws, key));
    assert_true(jws_typ_is(&jws, "ledger+jws"));
    assert_true(text_equals(jws.kid, id));
    assert_true(text_equals(word_of(jws.claims, "ledger"), id));
    assert_int_equal(number_of(jws.claims, "seq"), number_of(checkpoint, "seq") - 1);
    assert_true(text_equals(word_of(jws.claims, "hash"), word_of(checkpoint, "prev")));
    assert_true(text_equals(word_of(jws.claims, "ts"), word_of(checkpoint, "ts")));
    assert_in_range(number_of(jws.claims, "at"), clock_wall_s() - 600, clock_wall_s());
    jws_clear(&jws);
}

static void
no_256_records_pass_without_a_checkpoint_signed_by_its_key(void **state)
{
    struct ledger *l = open_ledger();
    char thumbprint[THUMBPRINT_SIZE];
    struct public_key *key;
    size_t bare = 0;
    struct seen *s;

    (void)state;
    for (int i = 0; i < 10000; i++)
        enter_good(l, i);
    ledger_close(l);
    key = published_key(thumbprint);
    s = ledger_seen();
    assert_true(text_equals(word_of(s->records[0], "key"),
                            text_of(thumbprint, sizeof thumbprint)));
    for (size_t i = 0; i < s->n; i++) {
        bool is_one = is_kind(s->records[i], "checkpoint");

        bare = is_one ? 0 : bare + 1;
        assert_true(bare <= LEDGER_CHECKPOINT_RECORDS);
        if (is_one)
            vouches(s->records[i], key, thumbprint);
    }
    assert_true(count_kind(s, "checkpoint") >= 10000 / LEDGER_CHECKPOINT_RECORDS);
    public_key_free(key);
    seen_free(s);
}

static void
one_record_alone_is_vouched_for_without_being_asked_for(void **state)
{
    struct ledger *l = open_ledger();
    struct ledger_state look;

    (void)state;
    wait_for(is_durable, l, ticket_of(l, 0));
    ledger_look(l, &look);
    assert_true(look.checkpoint > 2);
    ledger_close(l);
}

static void
the_latest_checkpoint_stands_in_a_file_of_its_own(void **state)
{
    struct ledger *l = open_ledger();
    struct seen *s;
    char *line, *newline;

    (void)state;
    for (int i = 0; i < 600; i++)
        enter_good(l, i);
    ledger_close(l);
    line = read_text(in_scratch("ledger/checkpoint"));
    newline = strchr(line, '\n');
    assert_non_null(newline);
    assert_string_equal(newline, "\n");
    assert_true(file_says(segment_path(1), line));
    s = ledger_seen();
    *newline = '\0';
    {
        struct json *j = json_parse(text_z(line), LEDGER_LINE_MAX);

        assert_int_equal(number_of(j, "seq"), s->n);
        json_free(j);
    }
    free(line);
    seen_free(s);
}

/* What on_checkpoint was given. The writer's thread has no asserts. */
static struct given {
    unsigned n;
    uint64_t seq;
    bool is_ordered, is_kept; /* each ascends, and was in its file */
    char record[4096];
} given;

static void
take_checkpoint(void *owner, uint64_t seq, struct text record)
{
    struct given *g = owner;

    g->n++;
    g->is_ordered = g->is_ordered && seq > g->seq;
    g->seq = seq;
    (void)snprintf(g->record, sizeof g->record, "%.*s", TEXT_ARG(record));
    g->is_kept = g->is_kept && file_says(in_scratch("ledger/checkpoint"), g->record);
}

static void
each_checkpoint_is_handed_on_once_it_is_on_the_disk(void **state)
{
    struct ledger *l;
    char *line;

    (void)state;
    given = (struct given){ .is_ordered = true, .is_kept = true };
    settings.on_checkpoint = take_checkpoint;
    settings.owner = &given;
    l = open_ledger();
    for (int i = 0; i < 3; i++) {
        struct ledger_state look, before;

        ledger_look(l, &before);
        wait_for(is_durable, l, ticket_of(l, i));
        do
            ledger_look(l, &look);
        while (look.checkpoint == before.checkpoint);
    }
    ledger_close(l);
    assert_in_range(given.n, 4, 16); /* the last when it was closed */
    assert_true(given.is_ordered && given.is_kept);
    line = read_text(in_scratch("ledger/checkpoint"));
    line[strcspn(line, "\n")] = '\0';
    assert_string_equal(line, given.record);
    free(line);
}

static void
no_checkpoint_is_handed_on_that_the_disk_refused(void **state)
{
    struct ledger *l;
    unsigned before;

    (void)state;
    given = (struct given){ .is_ordered = true, .is_kept = true };
    settings.on_checkpoint = take_checkpoint;
    settings.owner = &given;
    l = open_ledger();
    sync_errno = EIO;
    (void)ticket_of(l, 1);
    wait_for(has_failed, l, 0);
    before = given.n;
    ledger_close(l);
    assert_int_equal(given.n, before);
}

/* ---- promises: the queue */

static void
what_finds_the_queue_full_is_refused_and_lost_records_are_told(void **state)
{
    struct ledger *l = open_ledger();
    struct ledger_state look;
    size_t told = 0;
    struct seen *s;

    (void)state;
    ledger_close(l);
    settings.queue_bytes = 10;
    l = open_ledger();
    assert_int_equal(enter(l, 0, NULL), REASON_LEDGER_FULL);
    for (int i = 0; i < 7; i++)
        ledger_enter_refusal(l, "refusal", TEXT("\"x\":1"));
    ledger_look(l, &look);
    assert_int_equal(look.lost, 7);
    ledger_close(l);
    s = ledger_seen();
    holds_things(s, 0);
    assert_int_equal(count_kind(s, "refusal"), 0);
    for (size_t i = 0; i < s->n; i++)
        if (is_kind(s->records[i], "lost"))
            told += (size_t)number_of(s->records[i], "records");
    assert_int_equal(told, 7);
    seen_free(s);
}

/* As much of it as there is room for; the rest is counted. */
static void
what_is_our_own_has_room_in_a_full_queue_and_no_more_than_that(void **state)
{
    size_t n = LEDGER_MEMBERS_MAX, entered = 3 * LEDGER_OWN_BYTES / n / 2;
    char *members = malloc(n);
    struct ledger_state look;
    struct ledger *l;

    (void)state;
    assert_non_null(members);
    memset(members, 'x', n);
    memcpy(members, "\"x\":\"", 5);
    members[n - 1] = '"';
    settings.queue_records = 1;
    settings.queue_bytes = 64 * 1024;
    l = open_ledger();
    shut_gate(&writes);
    enter_good(l, 0);
    await_at_gate(&writes);
    assert_int_equal(enter(l, 99, NULL), REASON_LEDGER_FULL);
    for (size_t i = 0; i < entered; i++)
        ledger_enter_own(l, "own", text_of(members, n));
    assert_int_equal(enter(l, 99, NULL), REASON_LEDGER_FULL);
    ledger_look(l, &look);
    assert_int_equal(look.queued, 1 + entered - look.lost);
    assert_in_range(look.lost, 1, entered - LEDGER_OWN_BYTES / n / 2);
    open_gate(&writes);
    ledger_close(l);
    free(members);
}

static void
what_is_our_own_waits_for_a_disk_that_fails(void **state)
{
    struct ledger *l = open_ledger();
    struct seen *s;

    (void)state;
    write_errno = ENOSPC;
    enter_good(l, 0);
    wait_for(has_failed, l, 0);
    ledger_enter_own(l, "own", TEXT("\"x\":1"));
    write_errno = 0;
    wait_for(is_well, l, 0);
    enter_good(l, 1);
    ledger_close(l);
    s = ledger_seen();
    holds_things(s, 2);
    assert_int_equal(count_kind(s, "own"), 1);
    assert_int_equal(count_kind(s, "lost"), 0);
    seen_free(s);
}

static void
a_refusal_that_finds_room_is_a_record_like_any_other(void **state)
{
    struct ledger *l = open_ledger();
    struct seen *s;

    (void)state;
    ledger_enter_refusal(l, "refusal", TEXT("\"x\":1"));
    ledger_close(l);
    s = ledger_seen();
    assert_int_equal(count_kind(s, "refusal"), 1);
    assert_int_equal(count_kind(s, "lost"), 0);
    seen_free(s);
}

/* Those in the writer's hands count. */
static void
the_queue_holds_as_many_records_as_it_was_told_and_then_has_room_again(void **state)
{
    struct ledger *l;
    struct ledger_state look;
    uint64_t ticket = 0;

    (void)state;
    settings.queue_records = 5;
    l = open_ledger();
    shut_gate(&writes);
    enter_good(l, 0);
    await_at_gate(&writes);
    for (int i = 1; i < 5; i++)
        ticket = ticket_of(l, i);
    assert_int_equal(enter(l, 99, NULL), REASON_LEDGER_FULL);
    ledger_look(l, &look);
    assert_int_equal(look.queued, 5);
    open_gate(&writes);
    assert_int_equal(ledger_await(l, ticket), REASON_OK);
    ledger_look(l, &look);
    assert_int_equal(look.queued, 0);
    enter_good(l, 5);
    ledger_close(l);
    holds_just_things(6);
}

static void
the_queue_holds_as_many_bytes_as_it_was_told(void **state)
{
    char members[1000];
    struct ledger *l;
    int accepted = 0;

    (void)state;
    memset(members, 'x', sizeof members);
    memcpy(members, "\"x\":\"", 5);
    members[sizeof members - 1] = '"';
    settings.queue_bytes = 10 * 1000;
    l = open_ledger();
    shut_gate(&writes);
    while (ledger_enter(l, "large", text_of(members, sizeof members), NULL) ==
           REASON_OK)
        accepted++;
    assert_int_equal(accepted, 9); /* each has a frame of its own */
    open_gate(&writes);
    ledger_close(l);
}

static void
a_record_as_large_as_may_be_is_read_again_and_a_larger_one_refused(void **state)
{
    char *members = malloc(LEDGER_MEMBERS_MAX + 1);
    struct text largest = { members, LEDGER_MEMBERS_MAX };
    struct ledger *l = open_ledger();
    uint64_t ticket;

    (void)state;
    assert_non_null(members);
    memset(members, 'x', LEDGER_MEMBERS_MAX + 1);
    memcpy(members, "\"x\":\"", 5);
    members[LEDGER_MEMBERS_MAX - 1] = '"';
    assert_int_equal(
        ledger_enter(l, "large", text_of(members, LEDGER_MEMBERS_MAX + 1), NULL),
        REASON_LEDGER_FULL);
    assert_int_equal(ledger_enter(l, "large", largest, &ticket), REASON_OK);
    assert_int_equal(ledger_await(l, ticket), REASON_OK);
    ledger_close(l);
    l = open_ledger();
    ledger_close(l);
    holds_just_things(0);
    free(members);
}

enum { PRODUCERS = 4, EACH = 2000 };

struct producer {
    pthread_t thread;
    struct ledger *l;
    int id;
};

static void *
produce(void *owner)
{
    struct producer *p = owner;

    for (int i = 0; i < EACH; i++) {
        char members[64];
        int n = snprintf(members, sizeof members, "\"by\":%d,\"i\":%d", p->id, i);

        if (ledger_enter(p->l, "made", text_of(members, (size_t)n), NULL) != REASON_OK)
            return p;
    }
    return NULL;
}

static void
of_four_threads_nothing_is_lost_and_each_ones_order_is_kept(void **state)
{
    struct producer producers[PRODUCERS];
    int64_t next[PRODUCERS] = { 0 };
    struct ledger *l = open_ledger();
    struct seen *s;
    void *failed;

    (void)state;
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){ .l = l, .id = i };
        assert_int_equal(
            pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        assert_int_equal(pthread_join(producers[i].thread, &failed), 0);
        assert_null(failed);
    }
    ledger_close(l);
    s = ledger_seen();
    for (size_t i = 0; i < s->n; i++)
        if (is_kind(s->records[i], "made"))
            assert_int_equal(number_of(s->records[i], "i"),
                             next[number_of(s->records[i], "by")]++);
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(next[i], EACH);
    seen_free(s);
}

/* ---- promises: the disk */

static void
what_is_hurried_is_durable_and_told(void **state)
{
    struct ledger *l = open_ledger();
    uint64_t ticket = ticket_of(l, 0);
    struct ledger_state look;

    (void)state;
    ledger_hurry(l, ticket);
    wait_for(is_durable, l, ticket);
    assert_true(file_says(segment_path(1), "\"kind\":\"thing\",\"i\":0}\n"));
    assert_int_equal(ledger_await(l, ticket), REASON_OK);
    ledger_look(l, &look);
    assert_true(look.records >= 2 && look.last == look.records);
    assert_int_equal(look.lost, 0);
    assert_false(look.failed);
    ledger_close(l);
}

static void
every_listener_is_told(void **state)
{
    unsigned told[LEDGER_LISTENERS - 1] = { 0 };
    struct ledger *l = open_ledger();
    uint64_t ticket;

    (void)state;
    for (size_t i = 0; i < LEDGER_LISTENERS - 1; i++)
        ledger_listen(l, ring, &told[i]);
    ticket = ticket_of(l, 0);
    ledger_hurry(l, ticket);
    wait_for(is_durable, l, ticket);
    ledger_close(l);
    for (size_t i = 0; i < LEDGER_LISTENERS - 1; i++)
        assert_true(told[i] > 0);
}

/* One failure for each row, while things are entered; then it passes. */
static void
nothing_is_accepted_while_the_disk_fails_and_nothing_accepted_is_lost(void **state)
{
    static const struct {
        int write_errno, sync_errno;
        bool sign;
        const char *said;
    } rows[] = {
        { ENOSPC, 0, false, "No space left on device" },
        { EIO, 0, false, "Input/output error" },
        { 0, EIO, false, "sync: Input/output error" },
        { 0, 0, true, "\"reason\":\"sign\"" },
    };
    struct ledger *l = open_ledger();
    int64_t next = 0;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t ticket = ticket_of(l, next++);

        assert_int_equal(ledger_await(l, ticket), REASON_OK);
        write_errno = rows[i].write_errno;
        sync_errno = rows[i].sync_errno;
        key_fail_signing(rows[i].sign);
        ticket = ticket_of(l, next++);
        wait_for(has_failed, l, 0);
        assert_int_equal(enter(l, 99, NULL), REASON_LEDGER_FAILED);
        ledger_enter_refusal(l, "refusal", TEXT(""));
        assert_int_equal(ledger_await(l, ticket), REASON_LEDGER_FAILED);
        assert_true(log_says(rows[i].said));
        write_errno = sync_errno = 0;
        key_fail_signing(false);
        wait_for(is_well, l, 0);
        assert_int_equal(ledger_await(l, ticket), REASON_OK);
    }
    ledger_close(l);
    holds_just_things(next);
    assert_true(log_says("is written again"));
}

static void
a_disk_that_takes_half_of_each_write_gets_the_whole(void **state)
{
    struct ledger *l = open_ledger();

    (void)state;
    halves = true;
    for (int i = 0; i < 300; i++)
        enter_good(l, i);
    ledger_close(l);
    holds_just_things(300);
}

/* The kernel's own partial writes: the limit cuts a record in two. */
static void
a_file_that_may_grow_no_further_is_continued_at_the_missing_byte(void **state)
{
    struct rlimit before, limit;
    struct ledger *l = open_ledger();
    struct stat st;
    uint64_t ticket = ticket_of(l, 0);

    (void)state;
    assert_int_equal(ledger_await(l, ticket), REASON_OK);
    assert_int_equal(stat(segment_path(1), &st), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    limit = before;
    limit.rlim_cur = (rlim_t)st.st_size + 70;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ticket = ticket_of(l, 1);
    assert_int_equal(ledger_await(l, ticket), REASON_LEDGER_FAILED);
    assert_int_equal(stat(segment_path(1), &st), 0);
    assert_int_equal(st.st_size, limit.rlim_cur);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    wait_for(is_durable, l, ticket);
    ledger_close(l);
    holds_just_things(2);
}

/* What the kernel forgot after a sync that failed is written once more. */
static void
bytes_that_a_failed_sync_dropped_come_back(void **state)
{
    struct ledger *l = open_ledger();
    struct stat before, after;
    uint64_t ticket = ticket_of(l, 0);

    (void)state;
    assert_int_equal(ledger_await(l, ticket), REASON_OK);
    assert_int_equal(stat(segment_path(1), &before), 0);
    drops = true;
    sync_errno = EIO;
    ticket = ticket_of(l, 1);
    assert_int_equal(ledger_await(l, ticket), REASON_LEDGER_FAILED);
    assert_int_equal(stat(segment_path(1), &after), 0);
    assert_true(after.st_size > before.st_size);
    assert_false(file_says(segment_path(1), "\"i\":1}"));
    sync_errno = 0;
    wait_for(is_durable, l, ticket);
    ledger_close(l);
    holds_just_things(2);
}

static void
a_segment_that_cannot_be_begun_is_begun_later(void **state)
{
    struct ledger *l;

    (void)state;
    settings.segment_bytes = 2000;
    l = open_ledger();
    for (int i = 0; i < 5; i++)
        assert_int_equal(ledger_await(l, ticket_of(l, i)), REASON_OK);
    assert_int_equal(mkdir(in_scratch("ledger/ledger-00000002.jsonl"), 0700), 0);
    for (int i = 5; i < 40; i++)
        enter_good(l, i);
    wait_for(has_failed, l, 0);
    assert_int_equal(rmdir(in_scratch("ledger/ledger-00000002.jsonl")), 0);
    wait_for(is_well, l, 0);
    ledger_close(l);
    assert_true(segments_there() > 1);
    holds_just_things(40);
}

/* `end` is in memory then, and its checkpoint is not. */
static void
a_full_segment_that_cannot_be_signed_is_ended_once_and_later(void **state)
{
    struct ledger *l;
    struct seen *s;

    (void)state;
    settings.segment_bytes = 2000;
    l = open_ledger();
    shut_gate(&writes);
    key_fail_signing(true);
    for (int i = 0; i < 40; i++)
        enter_good(l, i);
    open_gate(&writes);
    wait_for(has_failed, l, 0);
    key_fail_signing(false);
    wait_for(is_well, l, 0);
    ledger_close(l);
    s = ledger_seen();
    holds_things(s, 40);
    assert_true(s->segments > 1);
    assert_int_equal(count_kind(s, "end"), s->segments);
    seen_free(s);
}

static void
a_ledger_on_a_dead_disk_is_closed_and_says_what_it_leaves_out(void **state)
{
    struct ledger *l = open_ledger();
    uint64_t ticket = ticket_of(l, 0);

    (void)state;
    assert_int_equal(ledger_await(l, ticket), REASON_OK);
    write_errno = EIO;
    ticket = ticket_of(l, 1);
    assert_int_equal(ledger_await(l, ticket), REASON_LEDGER_FAILED);
    ledger_close(l);
    assert_true(log_says("closed with 1 records unwritten"));
    write_errno = 0;
    l = open_ledger();
    ledger_close(l);
    holds_just_things(1);
}

/* ---- promises: a disk that takes its time */

/* Returns when the one who waits for the disk does, for this thing alone. */
static uint64_t
hang_a_sync(struct ledger *l, int64_t i)
{
    uint64_t ticket;

    shut_gate(&syncs);
    ticket = ticket_of(l, i);
    ledger_hurry(l, ticket);
    await_at_gate(&syncs);
    return ticket;
}

static size_t
queued(struct ledger *l)
{
    struct ledger_state look;

    ledger_look(l, &look);
    return look.queued;
}

/* The things from … to-1, however short the queue is. */
static uint64_t
enter_patiently(struct ledger *l, int64_t from, int64_t to)
{
    uint64_t ticket = 0;
    enum reason why;

    for (int64_t i = from; i < to; i++) {
        while ((why = enter(l, i, &ticket)) == REASON_LEDGER_FULL)
            (void)sched_yield();
        assert_int_equal(why, REASON_OK);
    }
    return ticket;
}

static void
await_written(struct ledger *l)
{
    while (queued(l) > 0)
        (void)sched_yield();
}

static off_t
size_of_segment(unsigned number)
{
    struct stat st;

    assert_int_equal(stat(segment_path(number), &st), 0);
    return st.st_size;
}

/* All that stands in its files has left the queue. */
static void
await_told(struct ledger *l)
{
    struct seen *s = ledger_seen();
    struct ledger_state look;

    do
        ledger_look(l, &look);
    while (look.last < s->n);
    seen_free(s);
}

static void
records_are_written_while_a_sync_hangs(void **state)
{
    enum { MORE = 10000 };
    struct ledger *l;
    uint64_t first, last;

    (void)state;
    settings.queue_records = 100;
    settings.queue_bytes = 8 << 20;
    l = open_ledger();
    first = hang_a_sync(l, 0);
    last = enter_patiently(l, 1, MORE);
    await_written(l);
    holds_just_things(MORE);
    assert_false(ledger_is_durable(l, first));
    open_gate(&syncs);
    assert_int_equal(ledger_await(l, last), REASON_OK);
    ledger_close(l);
    holds_just_things(MORE);
}

/* What the next one covers is what was there when it began: all of these. */
static void
who_hurries_while_a_sync_hangs_shares_the_next(void **state)
{
    enum { HURRIED = 20 };
    struct ledger *l = open_ledger();
    uint64_t first = hang_a_sync(l, 0), last = 0;

    (void)state;
    for (int i = 1; i <= HURRIED; i++) {
        last = ticket_of(l, i);
        ledger_hurry(l, last);
    }
    await_written(l);
    let_one_through(&syncs);
    await_at_gate(&syncs);
    assert_false(ledger_is_durable(l, first + 1));
    let_one_through(&syncs);
    wait_for(is_durable, l, last);
    open_gate(&syncs);
    ledger_close(l);
}

static void
a_sync_that_fails_after_more_was_written_loses_nothing(void **state)
{
    struct ledger *l = open_ledger();
    uint64_t last;

    (void)state;
    (void)hang_a_sync(l, 0);
    last = enter_patiently(l, 1, 200);
    await_written(l);
    holds_just_things(200);
    drops = true;
    sync_errno = EIO;
    open_gate(&syncs);
    wait_for(has_failed, l, 0);
    assert_false(file_says(segment_path(1), "\"i\":0}"));
    assert_false(file_says(segment_path(1), "\"i\":199}"));
    sync_errno = 0;
    wait_for(is_durable, l, last);
    ledger_close(l);
    holds_just_things(200);
}

/* And then refuses, with what it has in memory bounded. */
static void
the_queue_fills_only_when_too_much_waits_for_the_disk(void **state)
{
    enum { BOUND = 64 * 1024, QUEUE = 50 };
    struct ledger *l;
    int64_t n = 1;

    (void)state;
    settings.queue_records = QUEUE;
    settings.queue_bytes = BOUND;
    l = open_ledger();
    (void)hang_a_sync(l, 0);
    while (size_of_segment(1) - synced_to < BOUND)
        n += enter(l, n, NULL) == REASON_OK;
    await_told(l);
    while (queued(l) < QUEUE)
        n += enter(l, n, NULL) == REASON_OK;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(enter(l, 99, NULL), REASON_LEDGER_FULL);
    assert_true(size_of_segment(1) - synced_to < BOUND + LEDGER_LINE_MAX);
    open_gate(&syncs);
    enter_patiently(l, n, n + 1000);
    ledger_close(l);
    holds_just_things(n + 1000);
}

/* In the log or in its file: one of these checkpoints, past the number. */
static bool
is_told(const struct seen *s, uint64_t past)
{
    bool is_kept = access(in_scratch("ledger/checkpoint"), F_OK) == 0;
    char jws[1024];

    for (size_t i = (size_t)past; i < s->n; i++) {
        if (!is_kind(s->records[i], "checkpoint"))
            continue;
        (void)snprintf(jws, sizeof jws, "%.*s",
                       TEXT_ARG(word_of(s->records[i], "jws")));
        if (log_says(jws) ||
            (is_kept && file_says(in_scratch("ledger/checkpoint"), jws)))
            return true;
    }
    return false;
}

/* Whoever copies it, or reads of it in the log or in the status, must find all of it
 * in the ledger after a crash. */
static void
no_checkpoint_is_told_before_it_is_on_the_disk(void **state)
{
    struct ledger_state before, look;
    struct ledger *l;
    struct seen *s;
    uint64_t last;

    (void)state;
    given = (struct given){ .is_ordered = true, .is_kept = true };
    settings.on_checkpoint = take_checkpoint;
    settings.owner = &given;
    settings.queue_bytes = 8 << 20;
    l = open_ledger();
    hang_a_sync(l, 0);
    ledger_look(l, &before);
    last = enter_patiently(l, 1, 2 * LEDGER_CHECKPOINT_RECORDS);
    await_written(l);
    s = ledger_seen();
    assert_true(count_kind(s, "checkpoint") > 0);
    ledger_look(l, &look);
    assert_int_equal(look.checkpoint, before.checkpoint);
    assert_false(is_told(s, look.checkpoint));
    assert_true(given.seq <= before.checkpoint);
    seen_free(s);
    open_gate(&syncs);
    assert_int_equal(ledger_await(l, last), REASON_OK);
    ledger_close(l);
    s = ledger_seen();
    assert_true(is_told(s, look.checkpoint));
    seen_free(s);
}

static void
a_segment_is_ended_in_order_when_the_sync_under_way_is_over(void **state)
{
    struct ledger *l;
    struct seen *s;

    (void)state;
    settings.segment_bytes = 4000;
    l = open_ledger();
    hang_a_sync(l, 0);
    for (int i = 1; i < 500; i++)
        enter_good(l, i);
    open_gate(&syncs);
    ledger_close(l);
    s = ledger_seen();
    holds_things(s, 500);
    assert_true(s->segments > 10);
    assert_int_equal(count_kind(s, "end"), s->segments);
    seen_free(s);
}

static void *
close_it(void *ledger)
{
    ledger_close(ledger);
    return NULL;
}

/* With more accepted than may wait for the disk. */
static void
a_ledger_closed_while_a_sync_hangs_is_closed_whole(void **state)
{
    pthread_t closing;
    struct ledger *l;

    (void)state;
    settings.queue_records = 5000;
    settings.queue_bytes = 1 << 20;
    l = open_ledger();
    hang_a_sync(l, 0);
    for (int i = 1; i < 5000; i++)
        enter_good(l, i);
    assert_int_equal(pthread_create(&closing, NULL, close_it, l), 0);
    open_gate(&syncs);
    assert_int_equal(pthread_join(closing, NULL), 0);
    holds_just_things(5000);
}

/* ---- promises: crashes */

static void
a_crash_at_any_byte_of_the_last_record_is_sealed_and_told(void **state)
{
    char *image, *last;
    size_t n;

    (void)state;
    leave_by_crash(3);
    image = read_text(segment_path(1));
    n = strlen(image);
    image[n - 1] = '\0';
    last = strrchr(image, '\n') + 1;
    image[n - 1] = '\n';
    for (size_t cut = (size_t)(last - image) + 1; cut < n; cut++) {
        struct text tail = { last, cut - (size_t)(last - image) };
        char hash[SHA256_BASE64URL_SIZE];
        const struct json *torn;
        struct seen *s;

        write_file(segment_path(1), image, cut);
        ledger_close(open_ledger());
        s = ledger_seen();
        holds_things(s, 2);
        assert_int_equal(s->torn, tail.n);
        assert_true(is_kind(s->records[3], "segment"));
        torn = json_get(s->records[3], "torn");
        assert_int_equal(number_of(torn, "bytes"), tail.n);
        digest_sha256_base64url(tail, hash);
        assert_true(text_equals(word_of(torn, "sha256"), text_of(hash, sizeof hash)));
        seen_free(s);
        back_before_segment(2);
    }
    assert_true(log_says("no whole record"));
    free(image);
}

static void
a_crash_between_two_records_leaves_nothing_to_seal(void **state)
{
    struct seen *s;

    (void)state;
    leave_by_crash(3);
    write_file(in_scratch("ledger/.segment"), "{\"seq\":", 7); /* half made */
    ledger_close(open_ledger());
    s = ledger_seen();
    holds_things(s, 3);
    assert_int_equal(s->torn, 0);
    assert_null(json_get(s->records[4], "torn"));
    seen_free(s);
}

/* A crash at any byte of the last record: of the checkpoint that closes. */
static void
a_crash_between_an_end_and_its_checkpoint_is_continued(void **state)
{
    char *image, *last;
    size_t n;

    (void)state;
    ledger_close(open_ledger());
    image = read_text(segment_path(1));
    n = strlen(image);
    image[n - 1] = '\0';
    last = strrchr(image, '\n') + 1;
    image[n - 1] = '\n';
    for (size_t cut = (size_t)(last - image); cut < n; cut += 50) {
        struct seen *s;

        /* No checkpoint is kept before its record is whole. */
        (void)unlink(in_scratch("ledger/checkpoint"));
        write_file(segment_path(1), image, cut);
        ledger_close(open_ledger());
        s = ledger_seen();
        assert_int_equal(s->torn, cut - (size_t)(last - image));
        seen_free(s);
        back_before_segment(2);
    }
    free(image);
}

/* Enters and reports what is durable until it is killed. */
static void
report_durable(int64_t next, int out)
{
    struct ledger *l;

    if (ledger_open(&settings, &l) != REASON_OK)
        _exit(1);
    for (;; next++) {
        uint64_t ticket;

        if (enter(l, next, &ticket) != REASON_OK ||
            ledger_await(l, ticket) != REASON_OK ||
            __real_write(out, &next, sizeof next) != sizeof next)
            _exit(2);
    }
}

/* The last number that was reported before the child died. */
static int64_t
kill_after(int64_t next, int reports)
{
    int64_t last = -1, one;
    int ends[2], status;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    assert_true((child = fork()) >= 0);
    if (child == 0)
        report_durable(next, ends[1]);
    (void)close(ends[1]);
    while (read(ends[0], &one, sizeof one) == sizeof one) {
        last = one;
        if (--reports == 0)
            assert_int_equal(kill(child, SIGKILL), 0);
    }
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    return last;
}

static void
what_was_reported_durable_survives_a_kill(void **state)
{
    enum { ROUNDS = 10 };
    int64_t next = 0;

    (void)state;
    real_syncs = true;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t last = kill_after(next, 1 + round), there = 0;
        struct seen *s = ledger_seen();

        for (size_t i = 0; i < s->n; i++)
            there += is_kind(s->records[i], "thing");
        assert_true(last >= next && there > last);
        holds_things(s, there);
        seen_free(s);
        next = there;
    }
    ledger_close(open_ledger());
    holds_just_things(next);
}

/* ---- promises: what is not the ledger's own work */

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
a_flip_of_any_byte_before_the_last_record_is_not_written_on(void **state)
{
    char *image, *last;

    (void)state;
    leave_by_crash(2);
    image = read_text(segment_path(1));
    image[strlen(image) - 1] = '\0';
    last = strrchr(image, '\n');
    for (long at = 0; at < last - image; at++) {
        flip_byte(segment_path(1), at);
        refuses_to_open(REASON_LEDGER_BROKEN);
        flip_byte(segment_path(1), at);
    }
    assert_int_equal(segments_there(), 1);
    assert_true(log_says("ledger-00000001.jsonl:2: "));
    free(image);
}

/* The lines of the crashed ledger of three things, in another order or number. */
static void
records_cut_out_doubled_or_swapped_are_not_written_on(void **state)
{
    static const char *const orders[] = {
        "023", "0132", "01123", "1023", "123", "012"
    };
    char *image, *lines[4], *at;

    (void)state;
    leave_by_crash(3);
    image = read_text(segment_path(1));
    at = image;
    for (size_t i = 0; i < 4; i++) {
        lines[i] = at;
        at = strchr(at, '\n');
        assert_non_null(at);
        *at++ = '\0';
    }
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        FILE *f = fopen(segment_path(1), "w");

        for (const char *o = orders[i]; *o != '\0'; o++)
            assert_true(fprintf(f, "%s\n", lines[*o - '0']) > 0);
        assert_int_equal(fclose(f), 0);
        if (strcmp(orders[i], "012") != 0) {
            refuses_to_open(REASON_LEDGER_BROKEN);
            continue;
        }
        /* A tail cut between records is found by a checkpoint kept elsewhere, not
         * here. */
        ledger_close(open_ledger());
    }
    free(image);
}

/* Chained as they should be: no crash, and no writer of ours, leaves these. */
static void
what_stands_behind_a_segments_end_is_not_written_on(void **state)
{
    static const char *const kinds[] = { "thing", "checkpoint", "end" };
    char *image, *last, hash[SHA256_BASE64URL_SIZE], line[512];
    struct buf bytes = { 0 };
    struct seen *s;
    size_t n;

    (void)state;
    ledger_close(open_ledger());
    s = ledger_seen();
    n = s->n;
    seen_free(s);
    image = read_text(segment_path(1));
    last = memrchr(image, '\n', strlen(image) - 1);
    assert_non_null(last);
    digest_sha256_base64url(text_of(last + 1, strlen(last) - 2), hash);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        (void)snprintf(line, sizeof line,
                       "{\"seq\":%zu,\"prev\":\"%.43s\",\"ts\":"
                       "\"2026-11-22T06:07:08.901Z\",\"kind\":\"%s\"}\n",
                       n + 1, hash, kinds[i]);
        buf_truncate(&bytes, 0);
        buf_printf(&bytes, "%s%s", image, line);
        write_file(segment_path(1), buf_text(&bytes).at, buf_length(&bytes));
        refuses_to_open(REASON_LEDGER_BROKEN);
    }
    assert_true(log_says("or stands behind the segment's end"));
    write_file(segment_path(1), buf_text(&bytes).at, strlen(image) + 10);
    refuses_to_open(REASON_LEDGER_BROKEN);
    assert_true(log_says("bytes stand behind the segment's end"));
    buf_free(&bytes);
    free(image);
}

/* Every byte that may be missing from behind: the checkpoint's file was written when
 * all of them were on the disk. */
static void
a_ledger_that_ends_before_its_own_checkpoint_is_not_written_on(void **state)
{
    char *image;

    (void)state;
    ledger_close(open_ledger());
    image = read_text(segment_path(1));
    for (size_t cut = strlen(image) - 1; cut > 0; cut -= cut < 60 ? cut : 60) {
        write_file(segment_path(1), image, cut);
        refuses_to_open(REASON_LEDGER_BROKEN);
        assert_int_equal(segments_there(), 1);
    }
    assert_true(log_says("ends with record 2, and the file `checkpoint` is record 3"));
    assert_true(log_says("give `ledger.keep` a new one"));
    assert_false(log_says("sealed by the next segment"));
    write_file(segment_path(1), image, strlen(image));
    ledger_close(open_ledger());
    free(image);
}

static void
a_ledger_whose_last_segments_were_taken_away_is_not_written_on(void **state)
{
    (void)state;
    ledger_close(open_ledger());
    ledger_close(open_ledger());
    assert_int_equal(unlink(segment_path(2)), 0);
    refuses_to_open(REASON_LEDGER_BROKEN);
    assert_true(log_says("ends with record 3, and the file `checkpoint` is record 6"));
    assert_int_equal(unlink(segment_path(1)), 0);
    refuses_to_open(REASON_LEDGER_BROKEN);
    assert_true(log_says("no segment is there"));
    assert_int_equal(segments_there(), 0);
}

/* As long as the true one, and chained as it should be. */
static void
a_ledger_that_its_own_checkpoint_does_not_know_is_not_written_on(void **state)
{
    char *kept;

    (void)state;
    ledger_close(open_ledger());
    kept = read_text(in_scratch("ledger/checkpoint"));
    back_before_segment(1);
    ledger_close(open_ledger());
    write_file(in_scratch("ledger/checkpoint"), kept, strlen(kept));
    refuses_to_open(REASON_LEDGER_BROKEN);
    assert_true(log_says("record 3 is another than the one that the file"));
    free(kept);
}

/* Nobody reads that one again; but the next begins where it ended. */
static void
a_checkpoint_of_the_segment_before_vouches_for_where_the_last_begins(void **state)
{
    char *kept;

    (void)state;
    ledger_close(open_ledger());
    kept = read_text(in_scratch("ledger/checkpoint"));
    ledger_close(open_ledger());
    write_file(in_scratch("ledger/checkpoint"), kept, strlen(kept));
    ledger_close(open_ledger());
    holds_just_things(0);
    /* Of the first segment's end still, and the last two later ones say nothing of it.
     */
    write_file(in_scratch("ledger/checkpoint"), kept, strlen(kept));
    ledger_close(open_ledger());
    assert_int_equal(segments_there(), 4);
    assert_int_equal(unlink(segment_path(4)), 0);
    assert_int_equal(unlink(segment_path(3)), 0);
    kept[strlen(kept) - 4] ^= 1; /* of its signature */
    write_file(in_scratch("ledger/checkpoint"), kept, strlen(kept));
    refuses_to_open(REASON_LEDGER_BROKEN);
    assert_true(log_says("record 3 is another than"));
    free(kept);
}

static void
a_ledger_without_its_checkpoints_file_goes_on_and_says_so(void **state)
{
    (void)state;
    ledger_close(open_ledger());
    assert_false(log_says("there is no file `checkpoint`"));
    assert_int_equal(unlink(in_scratch("ledger/checkpoint")), 0);
    ledger_close(open_ledger());
    assert_true(log_says("there is no file `checkpoint`"));
    holds_just_things(0);
}

/* It is replaced whole: no crash leaves one of these. */
static void
a_checkpoints_file_that_is_none_ends_the_start(void **state)
{
    static const char *const contents[] = { "", "\n", "{}\n", "null\n" };
    char path[2 * PATH_MAX], *kept;
    size_t n;

    (void)state;
    ledger_close(open_ledger());
    (void)snprintf(path, sizeof path, "%s", in_scratch("ledger/checkpoint"));
    kept = read_text(path);
    n = strlen(kept);
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        write_file(path, contents[i], strlen(contents[i]));
        refuses_to_open(REASON_LEDGER_BROKEN);
    }
    for (size_t cut = 1; cut < n; cut += 40) {
        write_file(path, kept, cut);
        refuses_to_open(REASON_LEDGER_BROKEN);
    }
    write_file(path, kept, n - 1); /* all but its newline */
    refuses_to_open(REASON_LEDGER_BROKEN);
    assert_true(log_says("is not one checkpoint record"));
    assert_int_equal(truncate(path, (off_t)1 << 32), 0);
    refuses_to_open(REASON_FILE_CONTENT);
    write_file(path, kept, n);
    assert_int_equal(chmod(path, 0640), 0);
    refuses_to_open(REASON_FILE_UNSAFE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("key.jwk", path), 0);
    refuses_to_open(REASON_FILE_UNSAFE);
    assert_int_equal(segments_there(), 1);
    free(kept);
}

static void
a_segment_without_a_record_or_of_another_number_is_not_written_on(void **state)
{
    static const char *const contents[] = { "", "{\"seq\":1", "\n", "{}\n", "null\n" };

    (void)state;
    ledger_close(open_ledger());
    assert_int_equal(rename(segment_path(1), segment_path(2)), 0);
    refuses_to_open(REASON_LEDGER_BROKEN);
    assert_true(log_says("is not this segment's first record"));
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        write_file(segment_path(2), contents[i], strlen(contents[i]));
        refuses_to_open(REASON_LEDGER_BROKEN);
    }
}

static void
endless_bytes_without_a_newline_are_not_read_into_memory(void **state)
{
    (void)state;
    leave_by_crash(1);
    assert_int_equal(truncate(segment_path(1), (off_t)1 << 32), 0);
    refuses_to_open(REASON_LEDGER_BROKEN);
    assert_true(log_says("more bytes without a newline"));
}

static void
a_ledger_is_continued_under_its_own_key_alone(void **state)
{
    struct key *other;

    (void)state;
    ledger_close(open_ledger());
    assert_int_equal(unlink(in_scratch("ledger/key.pem")), 0);
    refuses_to_open(REASON_FILE_UNREADABLE);
    assert_non_null(other = key_new());
    assert_int_equal(key_save(other, in_scratch("ledger/key.pem")), REASON_OK);
    key_free(other);
    refuses_to_open(REASON_LEDGER_BROKEN);
    assert_true(log_says("another key"));
}

static void
only_one_writes_at_a_time(void **state)
{
    struct ledger *l = open_ledger();

    (void)state;
    refuses_to_open(REASON_FILE_UNSAFE);
    assert_true(log_says("another one writes here"));
    ledger_close(l);
    ledger_close(open_ledger());
    holds_just_things(0);
}

/* ---- promises: the directory */

static void
a_directory_that_is_not_ours_alone_is_refused(void **state)
{
    (void)state;
    assert_int_equal(chmod(directory, 0750), 0);
    refuses_to_open(REASON_FILE_UNSAFE);
    assert_int_equal(chmod(directory, 0700), 0);
    assert_int_equal(rename(directory, in_scratch("elsewhere")), 0);
    refuses_to_open(REASON_FILE_UNREADABLE);
    assert_int_equal(symlink("elsewhere", directory), 0);
    refuses_to_open(REASON_FILE_UNSAFE);
    assert_int_equal(unlink(directory), 0);
    write_file(directory, "", 0);
    refuses_to_open(REASON_FILE_UNSAFE);
}

static void
a_segment_or_lock_that_is_not_a_file_of_ours_alone_is_refused(void **state)
{
    (void)state;
    ledger_close(open_ledger());
    assert_int_equal(chmod(segment_path(1), 0640), 0);
    refuses_to_open(REASON_FILE_UNSAFE);
    assert_int_equal(rename(segment_path(1), in_scratch("real")), 0);
    assert_int_equal(chmod(in_scratch("real"), 0600), 0);
    assert_int_equal(symlink(in_scratch("real"), segment_path(1)), 0);
    refuses_to_open(REASON_FILE_UNSAFE);
    assert_int_equal(unlink(segment_path(1)), 0);
    assert_int_equal(mkfifo(segment_path(1), 0600), 0);
    refuses_to_open(REASON_FILE_UNSAFE);
    assert_int_equal(unlink(segment_path(1)), 0);
    assert_int_equal(rename(in_scratch("real"), segment_path(1)), 0);
    assert_int_equal(unlink(in_scratch("ledger/lock")), 0);
    assert_int_equal(symlink("key.pem", in_scratch("ledger/lock")), 0);
    refuses_to_open(REASON_FILE_UNSAFE);
    assert_int_equal(unlink(in_scratch("ledger/lock")), 0);
    ledger_close(open_ledger());
}

/* As somebody to whom a directory's mode means something. */
static void
a_directory_that_cannot_be_written_is_refused(void **state)
{
    enum { NOBODY = 65534 };
    bool is_root = geteuid() == 0;
    enum reason why;
    struct ledger *l;

    (void)state;
    assert_int_equal(chmod(scratch, 0755), 0);
    assert_int_equal(chmod(directory, 0500), 0);
    if (is_root) {
        assert_int_equal(chown(directory, NOBODY, NOBODY), 0);
        assert_int_equal(seteuid(NOBODY), 0);
    }
    why = ledger_open(&settings, &l);
    if (is_root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(why, REASON_FILE_UNREADABLE);
    assert_true(log_says("Permission denied"));
    assert_int_equal(chmod(directory, 0700), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_ledger_begins_with_its_segment_and_ends_with_its_end_signed),
        TEST(a_record_without_members_is_one_and_no_ledger_is_closed_in_peace),
        TEST(each_start_has_a_segment_and_the_chain_goes_on),
        TEST(a_full_segment_is_ended_in_order_and_another_begun),
        TEST(a_record_says_when_it_was_entered),
        TEST(no_256_records_pass_without_a_checkpoint_signed_by_its_key),
        TEST(one_record_alone_is_vouched_for_without_being_asked_for),
        TEST(the_latest_checkpoint_stands_in_a_file_of_its_own),
        TEST(each_checkpoint_is_handed_on_once_it_is_on_the_disk),
        TEST(no_checkpoint_is_handed_on_that_the_disk_refused),
        TEST(what_finds_the_queue_full_is_refused_and_lost_records_are_told),
        TEST(what_is_our_own_has_room_in_a_full_queue_and_no_more_than_that),
        TEST(what_is_our_own_waits_for_a_disk_that_fails),
        TEST(a_refusal_that_finds_room_is_a_record_like_any_other),
        TEST(the_queue_holds_as_many_records_as_it_was_told_and_then_has_room_again),
        TEST(the_queue_holds_as_many_bytes_as_it_was_told),
        TEST(a_record_as_large_as_may_be_is_read_again_and_a_larger_one_refused),
        TEST(of_four_threads_nothing_is_lost_and_each_ones_order_is_kept),
        TEST(what_is_hurried_is_durable_and_told),
        TEST(every_listener_is_told),
        TEST(nothing_is_accepted_while_the_disk_fails_and_nothing_accepted_is_lost),
        TEST(a_disk_that_takes_half_of_each_write_gets_the_whole),
        TEST(a_file_that_may_grow_no_further_is_continued_at_the_missing_byte),
        TEST(bytes_that_a_failed_sync_dropped_come_back),
        TEST(a_segment_that_cannot_be_begun_is_begun_later),
        TEST(a_full_segment_that_cannot_be_signed_is_ended_once_and_later),
        TEST(a_ledger_on_a_dead_disk_is_closed_and_says_what_it_leaves_out),
        TEST(records_are_written_while_a_sync_hangs),
        TEST(who_hurries_while_a_sync_hangs_shares_the_next),
        TEST(a_sync_that_fails_after_more_was_written_loses_nothing),
        TEST(the_queue_fills_only_when_too_much_waits_for_the_disk),
        TEST(no_checkpoint_is_told_before_it_is_on_the_disk),
        TEST(a_segment_is_ended_in_order_when_the_sync_under_way_is_over),
        TEST(a_ledger_closed_while_a_sync_hangs_is_closed_whole),
        TEST(a_crash_at_any_byte_of_the_last_record_is_sealed_and_told),
        TEST(a_crash_between_two_records_leaves_nothing_to_seal),
        TEST(a_crash_between_an_end_and_its_checkpoint_is_continued),
        TEST(what_was_reported_durable_survives_a_kill),
        TEST(a_flip_of_any_byte_before_the_last_record_is_not_written_on),
        TEST(records_cut_out_doubled_or_swapped_are_not_written_on),
        TEST(what_stands_behind_a_segments_end_is_not_written_on),
        TEST(a_ledger_that_ends_before_its_own_checkpoint_is_not_written_on),
        TEST(a_ledger_whose_last_segments_were_taken_away_is_not_written_on),
        TEST(a_ledger_that_its_own_checkpoint_does_not_know_is_not_written_on),
        TEST(a_checkpoint_of_the_segment_before_vouches_for_where_the_last_begins),
        TEST(a_ledger_without_its_checkpoints_file_goes_on_and_says_so),
        TEST(a_checkpoints_file_that_is_none_ends_the_start),
        TEST(a_segment_without_a_record_or_of_another_number_is_not_written_on),
        TEST(endless_bytes_without_a_newline_are_not_read_into_memory),
        TEST(a_ledger_is_continued_under_its_own_key_alone),
        TEST(only_one_writes_at_a_time),
        TEST(a_directory_that_is_not_ours_alone_is_refused),
        TEST(a_segment_or_lock_that_is_not_a_file_of_ours_alone_is_refused),
        TEST(a_directory_that_cannot_be_written_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
