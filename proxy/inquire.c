/* INQUIRE: at a gate, what the issuer of an access token has to say before the token
 * can be judged: its keys, or what the token is worth. What is known already costs a
 * look; what is not is asked of main, once for all who want it, and they wait. A gate
 * that asks nobody goes by. */
#include "proxy/exchange.h"

#include "base/clock.h"
#include "base/memory.h"
#include "proxy/inquiry.h"
#include "proxy/mailbox.h"

/* In the exchange's arena. */
struct inquired {
    struct exchange *of;
    struct list waiting; /* on the worker's list */
    const struct conf_issuer *issuer;
    struct text token;
    struct answer_wish wish;
    struct jwks *keys; /* a reference, or NULL */
};

static struct inquired *
begin(struct exchange *x, const struct conf_issuer *issuer, struct text token)
{
    struct inquired *q = arena_alloc(x->arena, sizeof *q);

    *q = (struct inquired){ .of = x,
                            .issuer = issuer,
                            .token = token,
                            .wish = { .is_keys = issuer->jwks_url != NULL,
                                      .of = question_place(issuer),
                                      .since_ms = clock_monotonic_ms(),
                                      .worker = x->worker->start.index } };
    question_key(issuer, token, &q->wish.key);
    return q;
}

static void
ask_main(const struct exchange *x, const struct inquired *q)
{
    struct question *asked = memory_new(sizeof *asked);

    generation_ref(x->epoch->generation);
    if (x->epoch->vault != NULL)
        vault_ref(x->epoch->vault);
    *asked = (struct question){ .key = q->wish.key,
                                .issuer = q->issuer,
                                .generation = x->epoch->generation,
                                .vault = x->epoch->vault,
                                .began_ms = clock_monotonic_ms() };
    if (!q->wish.is_keys)
        asked->token = secret_new(q->token.at, q->token.n);
    mailbox_post(x->worker->start.to_main,
                 &(struct message){ .kind = MESSAGE_QUESTION, .question = asked });
}

static enum pace
await(struct exchange *x, struct inquired *q)
{
    if (!list_is_linked(&q->waiting))
        list_add_last(&x->worker->inquiring, &q->waiting);
    return wait_once(x, INQUIRY_MS, REASON_AS_TIMEOUT);
}

static enum pace
look(struct exchange *x, struct inquired *q)
{
    struct answered told;

    answers_look(x->worker->start.shared->answers, &q->wish, clock_monotonic_ms(),
                 x->arena, &told);
    if (told.must_ask)
        ask_main(x, q);
    if (!told.is_here)
        return await(x, q);
    inquire_leave(x);
    if (told.why != REASON_OK)
        return refuse(x, told.why);
    q->keys = told.keys;
    x->view.issuer_keys = told.keys;
    x->view.issuer_says = told.says;
    return go(x, STEP_JUDGE);
}

enum pace
inquire(struct exchange *x)
{
    const struct conf_issuer *issuer = NULL;
    struct text token;

    if (x->inquired == NULL)
        issuer = chain_inquires(generation_chain(x->epoch->generation), &x->view,
                                &token);
    if (issuer != NULL)
        x->inquired = begin(x, issuer, token);
    return x->inquired != NULL ? look(x, x->inquired) : go(x, STEP_JUDGE);
}

/* Once: it may have been signed by a key that was published just now. */
bool
inquire_again(struct exchange *x, enum reason why)
{
    struct inquired *q = x->inquired;

    if (why != REASON_TOKEN_KEY_UNKNOWN || q == NULL || q->wish.wants_newer)
        return false;
    q->wish.wants_newer = true;
    q->wish.since_ms = clock_monotonic_ms();
    return true;
}

void
inquire_leave(struct exchange *x)
{
    struct inquired *q = x->inquired;

    if (q == NULL)
        return;
    list_remove(&q->waiting);
    jwks_unref(q->keys);
    q->keys = NULL;
    x->view.issuer_keys = NULL;
}

void
inquire_hear(struct worker *w)
{
    for (struct list *m = w->inquiring.next; m != &w->inquiring; m = m->next)
        exchange_wake(LIST_OWNER(m, struct inquired, waiting)->of);
}
