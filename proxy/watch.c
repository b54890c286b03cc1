/* The way to a path is walked as the kernel walks it; a spot is one step of it. */
#include "proxy/watch.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LINKS_MAX = 40, /* as the kernel's */
    EVENTS_SIZE = 16384,
    MASK = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE |
           IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR
};

/* In a directory, the name that matters; NULL: every name. */
struct spot {
    int wd;
    char *name;
};

struct spots {
    struct spot *at;
    size_t n, room;
};

struct watch {
    int fd;
    struct event *event, *quiet;
    void (*on_change)(void *owner);
    void *owner;
    char **paths;
    size_t n_paths;
    struct spots spots;
    int64_t since_ms; /* of the first event not yet told; 0: none */
};

/* ---- spots */

static void
spots_clear(struct spots *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->at[i].name);
    free(p->at);
    *p = (struct spots){ 0 };
}

static bool
has_wd(const struct spots *p, int wd)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->at[i].wd == wd)
            return true;
    return false;
}

/* Paths side by side share their way. */
static bool
spots_has(const struct spots *p, int wd, const char *name)
{
    for (size_t i = 0; i < p->n; i++) {
        const char *other = p->at[i].name;

        if (p->at[i].wd == wd &&
            (name == NULL || other == NULL ? name == other : strcmp(name, other) == 0))
            return true;
    }
    return false;
}

static void
spots_add(struct spots *p, int wd, const char *name)
{
    if (spots_has(p, wd, name))
        return;
    if (p->n == p->room) {
        struct spot *old = p->at;

        p->room = p->room == 0 ? 16 : 2 * p->room;
        p->at = memory_new_array(p->room, sizeof *p->at);
        if (p->n > 0)
            memcpy(p->at, old, p->n * sizeof *old);
        free(old);
    }
    p->at[p->n++] = (struct spot){ wd, name != NULL ? memory_copy_z(name) : NULL };
}

/* ---- the walk */

struct walk {
    struct watch *watch;
    struct spots *into;
    bool tells;           /* of what cannot be watched */
    char here[PATH_MAX];  /* a directory without a link in its path; "" is the root */
    char ahead[PATH_MAX]; /* what is still to be walked from it */
    unsigned links;
};

/* An ancestor that we may pass but not list is nothing to speak of. */
static void
watch_here(struct walk *k, const char *name)
{
    const char *here = k->here[0] != '\0' ? k->here : "/";
    int wd;

    if (k->into->n >= WATCH_SPOTS_MAX) {
        if (k->tells)
            log_warn("%s: not watched for changes: too many are", here);
        return;
    }
    wd = inotify_add_watch(k->watch->fd, here, MASK);
    if (wd >= 0)
        spots_add(k->into, wd, name);
    else if (k->tells && errno != ENOENT && errno != ENOTDIR &&
             !(errno == EACCES && k->ahead[0] != '\0'))
        log_warn("%s: cannot be watched for changes: %s", here, strerror(errno));
}

/* Takes the next name off the way. */
static bool
next_name(struct walk *k, char name[NAME_MAX + 1])
{
    size_t skipped = strspn(k->ahead, "/");
    size_t n = strcspn(k->ahead + skipped, "/");

    if (n == 0 || n > NAME_MAX)
        return false;
    memcpy(name, k->ahead + skipped, n);
    name[n] = '\0';
    memmove(k->ahead, k->ahead + skipped + n, strlen(k->ahead + skipped + n) + 1);
    return true;
}

static void
go_up(struct walk *k)
{
    char *slash = strrchr(k->here, '/');

    if (slash != NULL)
        *slash = '\0';
}

static bool
go_down(struct walk *k, const char *name)
{
    size_t n = strlen(k->here);

    return snprintf(k->here + n, sizeof k->here - n, "/%s", name) <
           (int)(sizeof k->here - n);
}

/* The link at `here` stands for what it says, and the rest of the way follows. */
static bool
follow(struct walk *k)
{
    char to[PATH_MAX];
    ssize_t n = readlink(k->here, to, sizeof to - 1);
    size_t rest = strlen(k->ahead);

    if (n <= 0 || ++k->links > LINKS_MAX || (size_t)n + 1 + rest >= sizeof k->ahead)
        return false;
    memmove(k->ahead + n + 1, k->ahead, rest + 1);
    memcpy(k->ahead, to, (size_t)n);
    k->ahead[n] = '/';
    if (to[0] == '/')
        k->here[0] = '\0';
    else
        go_up(k);
    return true;
}

/* False where the way ends: at a file, or at what is not there. */
static bool
take_step(struct walk *k, const char *name)
{
    struct stat st;

    if (strcmp(name, ".") == 0)
        return true;
    if (strcmp(name, "..") == 0) {
        go_up(k);
        return true;
    }
    watch_here(k, name);
    if (!go_down(k, name) || lstat(k->here, &st) != 0)
        return false;
    return S_ISLNK(st.st_mode) ? follow(k) : S_ISDIR(st.st_mode);
}

static void
walk_to(struct watch *w, struct spots *into, const char *path, bool tells)
{
    struct walk k = { .watch = w, .into = into, .tells = tells };
    char name[NAME_MAX + 1];

    if (path[0] != '/' && getcwd(k.here, sizeof k.here) == NULL)
        return;
    if (strlen(path) >= sizeof k.ahead)
        return;
    strcpy(k.ahead, path);
    while (next_name(&k, name))
        if (!take_step(&k, name))
            return;
    watch_here(&k, NULL);
}

/* The new watches first: a directory on both ways is never without one. */
static void
walk_all(struct watch *w, bool tells)
{
    struct spots before = w->spots;

    w->spots = (struct spots){ 0 };
    for (size_t i = 0; i < w->n_paths; i++)
        walk_to(w, &w->spots, w->paths[i], tells);
    for (size_t i = 0; i < before.n; i++)
        if (!has_wd(&w->spots, before.at[i].wd))
            (void)inotify_rm_watch(w->fd, before.at[i].wd);
    spots_clear(&before);
}

/* ---- events */

static bool
matters(const struct watch *w, const struct inotify_event *e)
{
    if ((e->mask & IN_Q_OVERFLOW) != 0)
        return true; /* what was lost may have been ours */
    if ((e->mask & IN_IGNORED) != 0)
        return false;
    for (size_t i = 0; i < w->spots.n; i++) {
        const struct spot *p = &w->spots.at[i];

        if (p->wd == e->wd &&
            (e->len == 0 || p->name == NULL || strcmp(p->name, e->name) == 0))
            return true;
    }
    return false;
}

/* Until it has been quiet for a while, but no longer than the bound. */
static void
wait_for_quiet(struct watch *w)
{
    int64_t now = clock_monotonic_ms(), left = WATCH_QUIET_MS;
    struct timeval wait;

    if (w->since_ms == 0)
        w->since_ms = now;
    if (left > w->since_ms + WATCH_MOST_MS - now)
        left = w->since_ms + WATCH_MOST_MS - now;
    if (left < 0)
        left = 0;
    wait = (struct timeval){ left / 1000, (suseconds_t)(left % 1000 * 1000) };
    event_add(w->quiet, &wait);
}

static void
on_events(evutil_socket_t fd, short what, void *arg)
{
    _Alignas(struct inotify_event) char events[EVENTS_SIZE];
    struct watch *w = arg;
    ssize_t n = read(fd, events, sizeof events);
    bool any = false;

    (void)what;
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *e = (const void *)(events + at);

        any = any || matters(w, e);
        at += (ssize_t)(sizeof *e + e->len);
    }
    if (any)
        wait_for_quiet(w);
}

static void
on_quiet(evutil_socket_t fd, short what, void *arg)
{
    struct watch *w = arg;

    (void)fd;
    (void)what;
    w->since_ms = 0;
    walk_all(w, false);
    w->on_change(w->owner);
}

/* ---- life */

struct watch *
watch_new(struct event_base *base, void (*on_change)(void *owner), void *owner)
{
    struct watch *w = memory_new(sizeof *w);

    w->on_change = on_change;
    w->owner = owner;
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd < 0) {
        log_error("files are not watched for changes: %s", strerror(errno));
        return w;
    }
    w->event = event_new(base, w->fd, EV_READ | EV_PERSIST, on_events, w);
    w->quiet = event_new(base, -1, 0, on_quiet, w);
    assert(w->event != NULL && w->quiet != NULL);
    event_add(w->event, NULL);
    return w;
}

static void
forget_paths(struct watch *w)
{
    for (size_t i = 0; i < w->n_paths; i++)
        free(w->paths[i]);
    free(w->paths);
    w->paths = NULL;
    w->n_paths = 0;
}

void
watch_free(struct watch *w)
{
    if (w == NULL)
        return;
    if (w->fd >= 0) {
        event_free(w->event);
        event_free(w->quiet);
        close(w->fd);
    }
    forget_paths(w);
    spots_clear(&w->spots);
    free(w);
}

void
watch_set(struct watch *w, const char *const *paths, size_t n)
{
    if (w->fd < 0)
        return;
    forget_paths(w);
    w->paths = memory_new_array(n, sizeof *w->paths);
    w->n_paths = n;
    for (size_t i = 0; i < n; i++)
        w->paths[i] = memory_copy_z(paths[i]);
    walk_all(w, true);
}
