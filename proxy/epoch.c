#include "proxy/epoch.h"

#include "base/memory.h"
#include "proxy/exchange.h"
#include "proxy/reaper.h"

#include <assert.h>
#include <stdlib.h>

void
epoch_ref(struct epoch *e)
{
    e->references++;
}

static void
forget_vault(void *vault)
{
    vault_unref(vault);
}

void
epoch_unref(struct epoch *e)
{
    if (--e->references > 0)
        return;
    assert(list_is_empty(&e->exchanges));
    list_remove(&e->older);
    pool_free(e->pool);
    sessions_free(e->sessions);
    resolver_free(e->resolver);
    reaper_take(forget_vault, e->vault); /* the last one wipes every secret */
    generation_unref(e->generation);
    free(e);
}

/* Of the newest vault: whose pod it is does not depend on the config. */
static void
await_pod(struct worker *w, const struct vault *secrets)
{
    if (w->roll != NULL && secrets != NULL)
        roll_await_pod(w->roll, vault_lacks_pod(secrets));
}

struct epoch *
epoch_new(struct worker *w, struct generation *g, struct vault *secrets)
{
    const struct conf *conf = generation_conf(g);
    struct epoch *e = memory_new(sizeof *e);

    e->generation = g;
    e->vault = secrets;
    e->resolver = resolver_new(w->loop, &conf->resolver);
    e->pool = pool_new(w->loop, (size_t)conf->limits.pool,
                       (size_t)conf->limits.connections, conf->limits.pool_idle_ms);
    e->sessions = sessions_new((size_t)conf->limits.sessions);
    list_init(&e->exchanges);
    e->references = 1;
    list_add_last(&w->epochs, &e->older);
    await_pod(w, secrets);
    return e;
}

static void
cut(struct epoch *e)
{
    epoch_ref(e);
    while (!list_is_empty(&e->exchanges))
        exchange_abort(LIST_OWNER(e->exchanges.next, struct exchange, under),
                       REASON_DRAINING);
    epoch_unref(e);
}

/* An exchange keeps the generation it began with; but at most so many live, and the
 * oldest is cut. */
static void
cut_oldest(struct worker *w)
{
    size_t most = (size_t)generation_conf(w->now->generation)->limits.generations;

    while (list_count(&w->epochs) > most) {
        struct epoch *oldest = LIST_OWNER(w->epochs.next, struct epoch, older);

        if (oldest == w->now)
            return;
        cut(oldest);
    }
}

/* Nothing in here can fail: workers that went on under different rules would be worse
 * than one whose look-ups fail. */
void
epoch_adopt(struct worker *w, struct generation *g, struct vault *secrets)
{
    struct epoch *before = w->now;

    w->now = epoch_new(w, g, secrets);
    pool_free(before->pool); /* what waits there was judged by rules that are no more */
    before->pool = pool_new(w->loop, 0, 0, 0);
    epoch_unref(before);
    cut_oldest(w);
}

void
epoch_move(struct exchange *x)
{
    struct epoch *before = x->epoch, *now = x->worker->now;

    if (before == now)
        return;
    epoch_ref(now);
    list_remove(&x->under);
    list_add_last(&now->exchanges, &x->under);
    x->epoch = now;
    epoch_unref(before);
}

/* Whole, and between two turns of the loop: no request sees half of a change. */
void
epoch_keep(struct worker *w, struct generation *g, struct vault *secrets)
{
    for (struct list *m = w->epochs.next; m != &w->epochs; m = m->next) {
        struct epoch *e = LIST_OWNER(m, struct epoch, older);

        if (e->generation != g)
            continue;
        reaper_take(forget_vault, e->vault);
        vault_ref(secrets);
        e->vault = secrets;
    }
    await_pod(w, secrets);
    vault_unref(secrets);
    generation_unref(g);
}
