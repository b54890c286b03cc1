#include "proxy/secrets.h"

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
    struct event *later;           /* when no thread could be started */
    struct generation *generation; /* followed; a reference */
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
    s->read.vault = vault_read(generation_conf(s->read.generation));
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

static void
done(void *owner)
{
    struct secrets *s = owner;
    struct secrets_told told = s->read;

    s->read = (struct secrets_told){ 0 };
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
    generation_unref(s->generation);
    free(s);
}

static void
watch_files(struct secrets *s)
{
    const struct groups *all = &generation_conf(s->generation)->credentials;
    const struct conf_credential *credentials = all->at;
    const char **paths = memory_new_array(all->n, sizeof *paths);
    size_t n = 0;

    for (size_t i = 0; i < all->n; i++)
        if (credentials[i].source.kind == SOURCE_FILE)
            paths[n++] = credentials[i].source.path;
    watch_set(s->watch, paths, n);
    free(paths);
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
