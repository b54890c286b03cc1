#include "proxy/secrets.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "proxy/chronicle.h"
#include "proxy/job.h"
#include "proxy/watch.h"

#include <event2/event.h>
#include <stdlib.h>

enum { NO_THREAD_MS = 500 };

struct secrets {
    void (*on_read)(void *owner, const struct secrets_told *t);
    void *owner;
    struct ledger *ledger;
    struct watch *watch;
    struct job *job;
    struct event *later;           /* no thread could be started, or a pair is not
                                      settled */
    struct generation *generation; /* followed; a reference */
    struct vault *last;            /* as they were read last; NULL: not yet */
    bool is_told;                  /* to the ledger */
    bool changed;                  /* since what is being read was begun */
    struct secrets_told read;      /* the thread's while it runs; references … */
    bool must_tell;                /* … and this */
};

enum reason
secrets_publish(const struct generation *g)
{
    const struct conf *conf = generation_conf(g);

    if (conf->ca.publish == NULL)
        return REASON_OK;
    return handles_publish(generation_handles(g), conf, conf->ca.publish);
}

static void
work(void *owner)
{
    struct secrets *s = owner;

    s->read.why = secrets_publish(s->read.generation);
    s->read.vault = vault_read_again(generation_conf(s->read.generation), s->last,
                                     clock_monotonic_ms());
    /* Last, so that what stands in the ledger fails no more. */
    if (s->read.why == REASON_OK && s->must_tell)
        s->read.why = chronicle_tell(s->ledger, s->read.generation);
    vault_tell(s->read.vault);
}

static void
forget_read(struct secrets_told *t)
{
    vault_unref(t->vault);
    generation_unref(t->generation);
    *t = (struct secrets_told){ 0 };
}

/* What cannot be begun now is tried again: an old secret must not stay for want of a
 * thread. */
static void
begin(struct secrets *s)
{
    static const struct timeval pause = { 0, NO_THREAD_MS * 1000 };

    s->changed = true;
    if (job_runs(s->job) || s->generation == NULL)
        return;
    s->changed = false;
    generation_ref(s->generation);
    s->read.generation = s->generation;
    s->must_tell = !s->is_told;
    if (job_start(s->job))
        return;
    log_error("secrets are not read: no thread can be started");
    forget_read(&s->read);
    event_add(s->later, &pause);
}

/* What is read next is held against this one. */
static void
remember(struct secrets *s, struct vault *v)
{
    int64_t wait_ms = vault_settles_ms(v) - clock_monotonic_ms();
    struct timeval wait = { wait_ms / 1000, wait_ms % 1000 * 1000 };

    vault_ref(v);
    vault_unref(s->last);
    s->last = v;
    if (vault_settles_ms(v) == 0)
        return;
    if (wait_ms < 0)
        wait = (struct timeval){ 0, 0 };
    event_add(s->later, &wait);
}

static void
done(void *owner)
{
    struct secrets *s = owner;
    struct secrets_told told = s->read;

    s->read = (struct secrets_told){ 0 };
    remember(s, told.vault);
    if (told.generation == s->generation) {
        s->is_told |= told.why == REASON_OK;
        s->on_read(s->owner, &told);
    }
    forget_read(&told);
    if (s->changed)
        begin(s);
}

static void
on_change(void *owner)
{
    begin(owner);
}

static void
on_later(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    begin(arg);
}

struct secrets *
secrets_new(struct event_base *base, struct ledger *ledger,
            void (*on_read)(void *owner, const struct secrets_told *t), void *owner)
{
    struct secrets *s = memory_new(sizeof *s);

    s->on_read = on_read;
    s->owner = owner;
    s->ledger = ledger;
    s->watch = watch_new(base, on_change, s);
    s->job = job_new(base, work, done, s);
    s->later = event_new(base, -1, 0, on_later, s);
    if (s->later == NULL)
        memory_exhausted();
    return s;
}

void
secrets_free(struct secrets *s)
{
    if (s == NULL)
        return;
    watch_free(s->watch);
    job_free(s->job);
    event_free(s->later);
    forget_read(&s->read);
    vault_unref(s->last);
    generation_unref(s->generation);
    free(s);
}

struct paths {
    const char **at;
    size_t n;
};

static void
add_path(void *owner, const char *path)
{
    struct paths *p = owner;

    p->at = memory_resize(p->at, p->n + 1, sizeof *p->at);
    p->at[p->n++] = path;
}

static void
watch_files(struct secrets *s)
{
    struct paths paths = { 0 };

    vault_each_path(generation_conf(s->generation), add_path, &paths);
    watch_set(s->watch, paths.at, paths.n);
    free(paths.at);
}

/* Watched first: what changes while it is read is read again. */
void
secrets_follow(struct secrets *s, struct generation *g, bool has_served)
{
    generation_ref(g);
    generation_unref(s->generation);
    s->generation = g;
    s->is_told = has_served;
    watch_files(s);
    begin(s);
}
