/* One event, one line, one write(2). A line is built in place in a block of fixed size:
 * logging allocates nothing, and a stranger's long value is cut, marked by
 * "truncated":true, and never pushes out the fields behind it.
 *
 * A line fits into one page of a pipe. So a pipe that has room for anything has room
 * for it, and a reader that stopped is found out before a write would wait for him. */
#include "base/log.h"

#include "base/clock.h"
#include "base/escape.h"
#include "base/follow.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LINE_SIZE = PIPE_BUF, /* the whole line, its newline included */
    TAIL = 32,            /* kept free for the mark and the end */
    MESSAGE_MAX = 2048,
    VALUE_MAX = 1024, /* one field's text, escaped */
    ERRORS_MAX = 4,   /* of OpenSSL's queue; the first says most */
};

struct log_line {
    struct log_line *twin; /* the same as JSON, for who follows a log of short text */
    size_t n;
    bool is_open;
    bool is_short;
    bool is_cut;
    char bytes[LINE_SIZE];
};

/* A file is opened anew by dup3 over the old descriptor: a thread that is writing never
 * meets a closed one. */
static atomic_int out_fd = STDERR_FILENO;
static atomic_int out_level = LOG_INFO;
static atomic_int out_is_short = -1; /* -1: not decided yet */
static atomic_ulong n_lost_ever;     /* lines */
static char *out_path;               /* main's own: log_open, log_reopen, log_close */

static _Thread_local struct log_line line_of_thread, twin_of_thread;

static const char *const level_names[] = {
    [LOG_ERROR] = "error",
    [LOG_WARN] = "warn",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
};

/* A named pipe that nobody reads must not be waited for: main opens the log anew while
 * requests go on. From then on it is written to as standard error is. */
static int
open_path(const char *path)
{
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
    int fd = open(path, flags, 0640);

    if (fd >= 0)
        (void)fcntl(fd, F_SETFL, O_APPEND);
    return fd;
}

static void
set_format(enum log_format format, int fd)
{
    bool is_short = format == LOG_SHORT || (format == LOG_AUTO && isatty(fd));

    atomic_store(&out_is_short, is_short);
}

/* A descriptor that a thread may be writing to keeps its number and is never closed
 * under it. */
static void
switch_to(int fd)
{
    int old = atomic_load(&out_fd);

    if (old == STDERR_FILENO) {
        atomic_store(&out_fd, fd);
        return;
    }
    (void)dup3(fd, old, O_CLOEXEC);
    if (fd != STDERR_FILENO)
        close(fd);
}

enum reason
log_open(const char *path, enum log_format format, enum log_level level)
{
    int fd = STDERR_FILENO;

    if (path != NULL && strcmp(path, "-") == 0)
        path = NULL;
    if (path != NULL && (fd = open_path(path)) < 0)
        return log_reason(REASON_FILE_UNREADABLE, "%s: open: %s", path,
                          strerror(errno));
    free(out_path);
    out_path = path != NULL ? memory_copy_z(path) : NULL;
    set_format(format, fd);
    atomic_store(&out_level, (int)level);
    switch_to(fd);
    return REASON_OK;
}

enum reason
log_reopen(void)
{
    enum reason why = REASON_OK;
    int fd;

    if (out_path == NULL)
        return REASON_OK;
    fd = open_path(out_path);
    if (fd < 0 || dup3(fd, atomic_load(&out_fd), O_CLOEXEC) < 0)
        why = log_reason(REASON_FILE_UNREADABLE, "%s: reopen: %s", out_path,
                         strerror(errno));
    if (fd >= 0)
        close(fd);
    return why;
}

const char *
log_path(void)
{
    return out_path;
}

void
log_close(void)
{
    int fd = atomic_exchange(&out_fd, STDERR_FILENO);

    if (fd != STDERR_FILENO)
        close(fd);
    free(out_path);
    out_path = NULL;
    atomic_store(&out_is_short, -1);
}

bool
log_wants(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&out_level, memory_order_relaxed);
}

static bool
is_short_now(void)
{
    int is_short = atomic_load_explicit(&out_is_short, memory_order_relaxed);

    if (is_short < 0) {
        set_format(LOG_AUTO, STDERR_FILENO);
        is_short = atomic_load(&out_is_short);
    }
    return is_short == 1;
}

/* ---- building a line */

/* A closing quote and bracket may stand in the tail already. */
static size_t
room_of(const struct log_line *l)
{
    return l->n < LINE_SIZE - TAIL ? LINE_SIZE - TAIL - l->n : 0;
}

static void
add(struct log_line *l, const char *at, size_t n)
{
    assert(n <= LINE_SIZE - l->n);
    memcpy(l->bytes + l->n, at, n);
    l->n += n;
}

static void
add_z(struct log_line *l, const char *z)
{
    add(l, z, strlen(z));
}

/* t with its harmful characters escaped, as far as `max` bytes hold it: a form is never
 * cut in half. */
static void
add_escaped(struct log_line *l, struct text t, size_t max)
{
    size_t room = room_of(l) < max ? room_of(l) : max;

    while (t.n > 0) {
        size_t n = escape_plain(t);
        char form[ESCAPE_MAX];

        if (n > 0) {
            n = n < room ? n : room;
            add(l, t.at, n);
            t = text_of(t.at + n, t.n - n);
        } else if ((n = escape_one(&t, form)) <= room) {
            add(l, form, n);
        } else {
            n = 0;
        }
        room -= n;
        if (n == 0) {
            l->is_cut = true;
            return;
        }
    }
}

/* On a terminal a value stands bare when nothing in it could be taken for the next
 * field. */
static bool
may_stand_bare(struct text t)
{
    return t.n > 0 && escape_plain(t) == t.n && !text_has_byte(t, ' ') &&
           !text_has_byte(t, '=') && !text_has_byte(t, ',');
}

static void
add_value(struct log_line *l, struct text t, size_t max)
{
    bool is_bare = l->is_short && may_stand_bare(t);

    if (!is_bare)
        add(l, "\"", 1);
    add_escaped(l, t, max);
    if (!is_bare)
        add(l, "\"", 1);
}

/* False when the line has no room for the key and `n` bytes of value: the field is left
 * out whole. */
static bool
add_key(struct log_line *l, const char *key, size_t n)
{
    if (room_of(l) < strlen(key) + n + 4) {
        l->is_cut = true;
        return false;
    }
    add_z(l, l->is_short ? " " : ",\"");
    add_z(l, key);
    add_z(l, l->is_short ? "=" : "\":");
    return true;
}

/* Quotes stay as they are in a message for a human: nothing there ends at one. */
static void
add_message(struct log_line *l, struct text msg)
{
    struct text part;

    while (text_split(&msg, '"', &part)) {
        add_escaped(l, part, MESSAGE_MAX);
        if (msg.at != NULL && room_of(l) > 0)
            add(l, "\"", 1);
    }
}

static void
begin_one(struct log_line *l, bool is_short, enum log_level level, struct text msg)
{
    char stamp[25];

    l->twin = NULL;
    l->bytes[0] = '\n'; /* written only behind a torn line */
    l->n = 1;
    l->is_open = true;
    l->is_cut = false;
    l->is_short = is_short;
    clock_format(clock_wall_ms(), stamp);
    if (l->is_short) {
        add(l, stamp + 11, 12); /* the time of day */
        add_z(l, " ");
        add_z(l, level_names[level]);
        add_z(l, " ");
        add_message(l, msg);
        return;
    }
    add_z(l, "{\"ts\":\"");
    add_z(l, stamp);
    add_z(l, "\",\"level\":\"");
    add_z(l, level_names[level]);
    add_z(l, "\",\"msg\":");
    add_value(l, msg, MESSAGE_MAX);
}

static void
begin(struct log_line *l, struct log_line *twin, enum log_level level, struct text msg)
{
    begin_one(l, is_short_now(), level, msg);
    if (l->is_short && follow_is_on()) {
        begin_one(twin, false, level, msg);
        l->twin = twin;
    }
}

/* Always true of a file: poll(2) says so. */
static bool
takes_a_line(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };

    return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0;
}

static size_t
write_out(const char *at, size_t n)
{
    int fd = atomic_load_explicit(&out_fd, memory_order_relaxed);
    size_t done = 0;

    while (done < n && (done > 0 || takes_a_line(fd))) {
        ssize_t put = write(fd, at + done, n - done);

        if (put > 0)
            done += (size_t)put;
        else if (put == 0 || errno != EINTR)
            break;
    }
    return done;
}

static void
close_line(struct log_line *l)
{
    if (l->is_cut)
        add_z(l, l->is_short ? " truncated" : ",\"truncated\":true");
    add_z(l, l->is_short ? "\n" : "}\n");
    l->is_open = false;
}

/* Who began to follow in the middle of a line of short text does not get it. */
static void
show_followers(struct log_line *l)
{
    struct log_line *shown = l->twin != NULL ? l->twin : l;

    if (shown != l)
        close_line(shown);
    if (follow_is_on() && !shown->is_short)
        follow_put(text_of(shown->bytes + 1, shown->n - 1));
}

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static bool is_torn;         /* a line's end is missing in the file; whose turn it is */
static unsigned long n_lost; /* lines, since it was last told; likewise */

/* A line that was written in part is ended before the next one. */
static bool
write_whole(const struct log_line *l)
{
    size_t skip = is_torn ? 0 : 1, n = l->n - skip;
    size_t done = write_out(l->bytes + skip, n);

    is_torn = done < n && (done > 0 || is_torn);
    return done == n;
}

/* One thread at a time: the room that was seen must still be there, and who follows
 * reads the lines in their order. Other processes that write to the same pipe are not
 * kept from taking the room. Returns how many lines were lost before one that was
 * written. */
static unsigned long
put_out(struct log_line *l)
{
    unsigned long untold = 0;

    pthread_mutex_lock(&turn);
    if (write_whole(l)) {
        untold = n_lost;
        n_lost = 0;
    } else {
        n_lost++;
        atomic_fetch_add(&n_lost_ever, 1);
    }
    show_followers(l);
    pthread_mutex_unlock(&turn);
    return untold;
}

/* A line that cannot be written is lost: a full disk or a stuck reader must not stop
 * traffic, and the record that must not be lost is the ledger's. */
static void
end(struct log_line *l)
{
    unsigned long untold;

    close_line(l);
    if ((untold = put_out(l)) > 0)
        log_warn("%lu log lines before this one are lost", untold);
}

unsigned long
log_lines_lost(void)
{
    return atomic_load_explicit(&n_lost_ever, memory_order_relaxed);
}

/* ---- lines of fields */

struct log_line *
log_line_begin(enum log_level level, const char *msg)
{
    struct log_line *l = &line_of_thread;

    if (!log_wants(level))
        return NULL;
    assert(!l->is_open);
    begin(l, &twin_of_thread, level, text_z(msg));
    return l;
}

void
log_line_text(struct log_line *l, const char *key, struct text value)
{
    for (; l != NULL; l = l->twin)
        if (add_key(l, key, 2))
            add_value(l, value, VALUE_MAX);
}

void
log_line_z(struct log_line *l, const char *key, const char *value)
{
    if (value != NULL)
        log_line_text(l, key, text_z(value));
}

void
log_line_number(struct log_line *l, const char *key, int64_t value)
{
    char digits[24];
    int n = snprintf(digits, sizeof(digits), "%lld", (long long)value);

    for (; l != NULL; l = l->twin)
        if (add_key(l, key, (size_t)n))
            add(l, digits, (size_t)n);
}

void
log_line_bool(struct log_line *l, const char *key, bool value)
{
    const char *word = value ? "true" : "false";

    for (; l != NULL; l = l->twin)
        if (add_key(l, key, strlen(word)))
            add(l, word, strlen(word));
}

static void
add_list(struct log_line *l, const char *key, const struct text *values, size_t n)
{
    size_t start, i;

    if (!add_key(l, key, 2))
        return;
    if (!l->is_short)
        add(l, "[", 1);
    start = l->n;
    for (i = 0; i < n && l->n - start < VALUE_MAX && room_of(l) > 3; i++) {
        if (i > 0)
            add(l, ",", 1);
        add_value(l, values[i], VALUE_MAX - (l->n - start));
    }
    l->is_cut = l->is_cut || i < n;
    if (!l->is_short)
        add(l, "]", 1);
}

void
log_line_list(struct log_line *l, const char *key, const struct text *values, size_t n)
{
    for (; l != NULL; l = l->twin)
        add_list(l, key, values, n);
}

void
log_line_end(struct log_line *l)
{
    int kept = errno;

    if (l != NULL)
        end(l);
    errno = kept;
}

/* ---- messages */

/* On the caller's stack, so that a message may be logged while a line of fields is
 * open. */
struct message {
    struct log_line line, twin;
};

static void
begin_message(struct message *m, enum log_level level, const char *format,
              va_list values)
{
    char message[MESSAGE_MAX];
    int n = vsnprintf(message, sizeof(message), format, values);
    bool is_cut = n < 0 || (size_t)n >= sizeof(message);

    begin(&m->line, &m->twin, level, text_z(n < 0 ? format : message));
    for (struct log_line *l = &m->line; l != NULL; l = l->twin)
        l->is_cut = l->is_cut || is_cut;
}

static __attribute__((noinline)) void
log_wanted_message(enum log_level level, const char *format, va_list values)
{
    struct message m;
    int kept = errno;

    begin_message(&m, level, format, values);
    end(&m.line);
    errno = kept;
}

/* Apart, because the line is cleared before it is used: one that is not wanted must not
 * cost that. */
static void
log_message(enum log_level level, const char *format, va_list values)
{
    if (log_wants(level))
        log_wanted_message(level, format, values);
}

#define LOG_AT(level, format)                                                          \
    do {                                                                               \
        va_list values;                                                                \
                                                                                       \
        va_start(values, format);                                                      \
        log_message(level, format, values);                                            \
        va_end(values);                                                                \
    } while (0)

void
log_error(const char *format, ...)
{
    LOG_AT(LOG_ERROR, format);
}

void
log_warn(const char *format, ...)
{
    LOG_AT(LOG_WARN, format);
}

void
log_info(const char *format, ...)
{
    LOG_AT(LOG_INFO, format);
}

void
log_debug(const char *format, ...)
{
    LOG_AT(LOG_DEBUG, format);
}

enum reason
log_reason(enum reason why, const char *format, ...)
{
    struct message m;
    int kept = errno;
    va_list values;

    va_start(values, format);
    begin_message(&m, LOG_ERROR, format, values);
    va_end(values);
    log_line_z(&m.line, "reason", reason_token(why));
    end(&m.line);
    errno = kept;
    return why;
}

/* Takes the whole queue, keeping the first few as text: what is left in it would be
 * blamed on the next failure. */
static size_t
drain_tls_errors(char texts[ERRORS_MAX][256], struct text list[ERRORS_MAX])
{
    unsigned long code;
    size_t n = 0;

    while ((code = ERR_get_error()) != 0) {
        if (n == ERRORS_MAX)
            continue;
        ERR_error_string_n(code, texts[n], sizeof(texts[n]));
        list[n] = text_z(texts[n]);
        n++;
    }
    return n;
}

enum reason
log_tls(enum reason why, const char *format, ...)
{
    char texts[ERRORS_MAX][256];
    struct text list[ERRORS_MAX];
    struct message m;
    int kept = errno;
    va_list values;

    va_start(values, format);
    begin_message(&m, LOG_ERROR, format, values);
    va_end(values);
    log_line_z(&m.line, "reason", reason_token(why));
    log_line_list(&m.line, "tls", list, drain_tls_errors(texts, list));
    end(&m.line);
    errno = kept;
    return why;
}
