/* The mint's book: who wants what, and which order is to get it. */
#include "proxy/mint_parts.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdlib.h>

enum {
    UNKNOWN_MS = 1000,   /* a credential that is not in force is not asked for again */
    GRACE_MS = 10 * 1000 /* what was judged by a credential as it was before may still
                            be on its way */
};

struct mint *
mint_new(const struct mint_needs *needs)
{
    struct mint *m = memory_new(sizeof *m);

    m->needs = *needs;
    table_init(&m->orders);
    list_init(&m->all);
    list_init(&m->queue);
    list_init(&m->asking);
    list_init(&m->lineages);
    return m;
}

void
mint_free(struct mint *m)
{
    if (m == NULL)
        return;
    while (!list_is_empty(&m->all))
        order_free(LIST_OWNER(m->all.next, struct order, in_all));
    while (!list_is_empty(&m->asking)) /* orphans */
        order_free(LIST_OWNER(m->asking.next, struct order, in_asking));
    lineages_clear(&m->lineages);
    table_clear(&m->orders);
    outpost_unref(m->at);
    free(m);
}

/* ---- the book */

static uint64_t
hash_of(const struct task *k)
{
    return table_hash(task_id(k));
}

static struct order *
next_of(struct table_node *at, const struct task *k)
{
    for (; at != NULL; at = table_next(at)) {
        struct order *o = TABLE_OWNER(at, struct order, by_task);

        if (o->task == k)
            return o;
    }
    return NULL;
}

static struct order *
find(const struct mint *m, const struct task *k, const struct token_name *name)
{
    struct order *o = next_of(table_first(&m->orders, hash_of(k)), k);

    while (o != NULL && !token_name_is(&o->name, name))
        o = next_of(table_next(&o->by_task), k);
    return o;
}

/* ---- who wants what */

static void
refuse(const struct mint *m, struct task *k, const struct token_name *name)
{
    const struct token_news news = { .name = *name,
                                     .why = REASON_CREDENTIAL_UNAVAILABLE,
                                     .retry_ms = clock_monotonic_ms() + UNKNOWN_MS };

    m->needs.tell(m->needs.owner, k, &news);
}

/* Holdfast's own end lets run what was judged before. */
static bool
may_have(const struct task *k)
{
    enum task_cause cause = task_cause(k);

    return cause == TASK_LIVE || cause == TASK_STOPPED;
}

void
mint_want(struct mint *m, struct task *k, const struct token_name *name)
{
    int64_t now_ms = clock_monotonic_ms();
    struct order *o = find(m, k, name);

    if (!may_have(k))
        return;
    if (o == NULL &&
        (m->at == NULL ||
         sources_find(generation_sources(m->at->generation), name->source) == NULL)) {
        refuse(m, k, name);
        return;
    }
    if (o == NULL) {
        o = order_new(m, k, name);
        table_add(&m->orders, &o->by_task, hash_of(k));
        list_add_last(&m->all, &o->in_all);
    }
    if (order_is_under_way(o))
        return;
    if (now_ms < o->news.retry_ms || order_is_fresh(o, now_ms))
        order_tell(o);
    else
        order_ask(o);
}

static void
end(struct mint *m, struct order *o, int64_t in_ms)
{
    table_remove(&m->orders, &o->by_task);
    list_remove(&o->in_all);
    order_end(o, in_ms);
}

void
mint_end(struct mint *m, const struct task *k, int64_t in_ms)
{
    struct order *o;

    while ((o = next_of(table_first(&m->orders, hash_of(k)), k)) != NULL)
        end(m, o, in_ms);
    orders_go_on(m);
}

void
mint_part(struct mint *m, const struct task *k)
{
    for (struct list *at = m->asking.next; at != &m->asking; at = at->next) {
        struct order *o = LIST_OWNER(at, struct order, in_asking);

        o->is_late |= o->task == k;
    }
}

/* ---- another config, other secrets */

/* What could not be had may be there now. */
static void
look_again(struct order *o)
{
    o->rest_ms = 0;
    if (o->news.why == REASON_OK)
        return;
    o->news.retry_ms = 0;
    order_tell(o);
}

/* Its credential is in force no more. What it has is used until it is taken back, and
 * not after, though a reload may bring the credential back; who waits for more waits
 * for nothing. */
static void
withdraw(struct order *o)
{
    int64_t now_ms = clock_monotonic_ms();

    o->news.refresh_ms = 0;
    if (o->news.until_ms > now_ms + GRACE_MS / 2)
        o->news.until_ms = now_ms + GRACE_MS / 2;
    o->news.why = REASON_CREDENTIAL_UNAVAILABLE;
    o->news.retry_ms = now_ms + UNKNOWN_MS;
    order_tell(o);
}

static void
review(struct mint *m, struct order *o, const struct generation *next)
{
    if (sources_find(generation_sources(next), o->name.source) == NULL) {
        withdraw(o);
        end(m, o, GRACE_MS);
    } else if (!order_is_under_way(o)) {
        look_again(o);
    }
}

static void
ask_anew_where_needed(struct mint *m)
{
    for (struct list *at = m->all.next; at != &m->all; at = at->next) {
        struct order *o = LIST_OWNER(at, struct order, in_all);

        if (o->now.token != NULL && !order_is_under_way(o) &&
            order_has_other_details(o))
            order_ask(o);
    }
}

void
mint_follow(struct mint *m, struct generation *g, struct vault *vault)
{
    struct outpost *before = m->at;

    /* What ends here is revoked from where it was got. */
    for (struct list *at = m->all.next, *next; at != &m->all; at = next) {
        next = at->next;
        review(m, LIST_OWNER(at, struct order, in_all), g);
    }
    m->at = outpost_new(m->needs.loop, g, vault);
    if (before != NULL && before->generation != g)
        ask_anew_where_needed(m);
    outpost_unref(before);
    orders_go_on(m);
}

void
mint_look(const struct mint *m, struct mint_figures *out)
{
    *out = m->figures;
    out->asking = m->n_asking;
    out->waiting = list_count(&m->queue);
}
