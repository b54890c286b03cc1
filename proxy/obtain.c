/* OBTAIN: the access token that is to leave with the request. One that is there costs a
 * look into a short list; one that is not is asked of main, once for all who want it,
 * and they wait. */
#include "proxy/exchange.h"

#include "base/clock.h"
#include "certs/pair.h"
#include "filters/present.h"
#include "proxy/mailbox.h"

#include <string.h>

enum { MORE_MS = 2 * 1000 }; /* than the server may take: it goes through main */

/* False: the request leaves without one. */
static bool
name_token(const struct exchange *x, struct token_name *name,
           const struct conf_credential **credential)
{
    const struct view *v = &x->view;
    const unsigned char *source;
    enum binding b;

    if (x->entry == NULL || v->rule == NULL || v->rule->credential == NULL ||
        (*credential = conf_credential(v->conf, v->rule->credential)) == NULL)
        return false;
    source = sources_digest(generation_sources(x->epoch->generation), *credential);
    if (source == NULL || (b = present_binding(v)) == BINDING_NONE)
        return false;
    memcpy(name->source, source, sizeof name->source);
    name->form = binding_form(b);
    return true;
}

/* A token is bound to the certificate that was shown when it was asked for; the
 * connection will show the one that the files hold now. */
static bool
is_of_this_pair(const struct exchange *x, const struct conf_credential *c,
                const struct holding *h)
{
    struct pair *pair;

    if (h->news.name.form != FORM_MTLS)
        return true;
    c = conf_client_certificate(x->view.conf, c);
    return c != NULL && x->epoch->vault != NULL &&
           vault_pair(x->epoch->vault, c, &pair) == REASON_OK &&
           text_equals(text_z(pair_thumbprint(pair)), token_x5t(h->news.token));
}

static void
ask_main(struct exchange *x, struct holding *h)
{
    h->asked = true;
    task_ref(x->entry->task);
    mailbox_post(x->worker->start.to_main,
                 &(struct message){ .kind = MESSAGE_WANTED,
                                    .worker = x->worker->start.index,
                                    .holder = x->entry->task,
                                    .news = { .name = h->news.name } });
}

static enum pace
await(struct exchange *x, const struct conf_credential *c, struct holding *h)
{
    if (!h->asked && holding_is_failing(h, clock_monotonic_ms()))
        return refuse(x, h->news.why);
    if (!h->asked)
        ask_main(x, h);
    if (!list_is_linked(&x->obtaining))
        list_add_last(&h->waiting, &x->obtaining);
    return wait_once(x, c->source.timeout_ms + MORE_MS, REASON_AS_TIMEOUT);
}

/* Main asks with the certificate that is in the files now; whoever is of an older
 * config keeps to that one's, and would be told of this same token for ever. */
static enum pace
await_pair(struct exchange *x, const struct conf_credential *c, struct holding *h)
{
    return x->epoch == x->worker->now ? await(x, c, h)
                                      : refuse(x, REASON_CERTIFICATE_CHANGED);
}

enum pace
obtain(struct exchange *x)
{
    const struct conf_credential *c;
    int64_t now_ms = clock_monotonic_ms();
    struct token_name name;
    struct holding *h;

    if (!name_token(x, &name, &c))
        return go(x, STEP_DIAL);
    h = holding_get(&x->entry->holdings, &name, now_ms);
    if (!holding_is_good(h, now_ms))
        return await(x, c, h);
    if (!is_of_this_pair(x, c, h))
        return await_pair(x, c, h);
    if (holding_wants_news(h, now_ms)) /* and goes on with this one */
        ask_main(x, h);
    obtain_leave(x);
    return go(x, STEP_DIAL);
}

void
obtain_leave(struct exchange *x)
{
    list_remove(&x->obtaining);
}

void
obtain_show(struct exchange *x)
{
    const struct conf_credential *c;
    struct token_name name;
    const struct holding *h = NULL;

    if (name_token(x, &name, &c))
        h = holding_find(&x->entry->holdings, &name);
    x->view.token = h != NULL ? h->news.token : NULL;
    x->view.dpop = h != NULL ? h->signer : NULL;
}

struct dpop_signer *
obtain_signer(struct exchange *x)
{
    const struct conf_credential *c;
    struct token_name name;
    const struct holding *h;

    if (!name_token(x, &name, &c) ||
        (h = holding_find(&x->entry->holdings, &name)) == NULL || h->signer == NULL)
        return NULL;
    return text_equals(dpop_key_thumbprint(dpop_signer_key(h->signer)),
                       x->view.thumbprint)
               ? h->signer
               : NULL;
}

/* What comes for a task that has ended is too late; but what Holdfast's own end lets
 * run is served. */
static bool
may_take(const struct entry *e)
{
    return e != NULL && (!e->ended || task_cause(e->task) == TASK_STOPPED);
}

void
obtain_hear(struct worker *w, struct task *k, const struct token_news *news)
{
    struct entry *e = w->roll != NULL ? roll_entry(w->roll, k) : NULL;
    struct holding *h;

    if (may_take(e)) {
        h = holding_get(&e->holdings, &news->name, clock_monotonic_ms());
        holding_take(h, news);
        for (struct list *m = h->waiting.next; m != &h->waiting; m = m->next)
            exchange_wake(LIST_OWNER(m, struct exchange, obtaining));
    } else {
        token_unref(news->token);
    }
    task_unref(k);
}
