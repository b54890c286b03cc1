/* How a token is asked for: in turns, with what its credential needs, once more with
 * another nonce; and what the server answers. */
#include "proxy/mint_parts.h"

#include "base/clock.h"
#include "certs/pair.h"

#include <assert.h>
#include <string.h>

static void start(struct order *o);

/* ---- turns */

/* What it is being asked with, though another config is in force by now. */
static const struct conf_credential *
credential_asked(const struct order *o)
{
    return o->plea.at == NULL ? NULL
                              : sources_find(generation_sources(o->plea.at->generation),
                                             o->name.source);
}

/* A refresh token that the server replaces is asked with once at a time. */
static bool
is_in_its_way(const struct order *other, const struct conf_credential *c)
{
    const struct conf_credential *theirs = credential_asked(other);

    return theirs != NULL && lineage_is_shared(&theirs->source, &c->source);
}

/* Of what there is for all, one credential leaves some to the others. */
static size_t
most_at_once(const struct conf_credential *c)
{
    return c != NULL && c->source.kind == SOURCE_COMMAND ? HELPER_AT_ONCE / 2
                                                         : MINT_OF_ONE;
}

static bool
may_start(const struct order *o)
{
    const struct conf_credential *c = order_credential(o);
    const struct mint *m = o->mint;
    size_t n = 0;

    if (m->n_asking >= MINT_AT_ONCE)
        return false;
    for (struct list *at = m->asking.next; c != NULL && at != &m->asking;
         at = at->next) {
        const struct order *other = LIST_OWNER(at, struct order, in_asking);

        if (is_in_its_way(other, c))
            return false;
        n += memcmp(other->name.source, o->name.source, sizeof o->name.source) == 0;
    }
    return n < most_at_once(c);
}

void
order_ask(struct order *o)
{
    assert(!order_is_under_way(o));
    list_add_last(&o->mint->queue, &o->in_queue);
    orders_go_on(o->mint);
}

/* Credentials that were found to have no turn. None gets one while the queue is walked,
 * and a long queue is mostly of a few: each is looked into once. */
enum { PASSED_OVER = 16 };
struct passed_over {
    const unsigned char *source[PASSED_OVER];
    size_t n;
};

static bool
was_passed_over(const struct passed_over *p, const struct order *o)
{
    for (size_t i = 0; i < p->n; i++)
        if (memcmp(p->source[i], o->name.source, sizeof o->name.source) == 0)
            return true;
    return false;
}

static bool
has_turn(struct passed_over *p, const struct order *o)
{
    if (was_passed_over(p, o))
        return false;
    if (may_start(o))
        return true;
    if (p->n < PASSED_OVER)
        p->source[p->n++] = o->name.source;
    return false;
}

void
orders_go_on(struct mint *m)
{
    struct passed_over passed = { .n = 0 };

    for (struct list *at = m->queue.next, *next;
         at != &m->queue && m->n_asking < MINT_AT_ONCE; at = next) {
        struct order *o = LIST_OWNER(at, struct order, in_queue);

        next = at->next;
        if (!has_turn(&passed, o))
            continue;
        list_remove(&o->in_queue);
        start(o);
    }
}

/* ---- asking */

static bool
write_details(const struct order *o, const struct conf_credential *c, struct buf *out)
{
    struct oauth_terms terms = { .credential = c,
                                 .purpose = task_purpose(o->task),
                                 .task = task_id(o->task) };
    const struct conf *conf = generation_conf(o->mint->at->generation);
    const struct conf_grant *grants = conf->grants.at;

    if (c->source.authorization_details == DETAILS_NONE)
        return true;
    for (size_t i = 0; i < conf->grants.n; i++)
        if (strcmp(grants[i].name, task_grant(o->task)) == 0)
            terms.grant = &grants[i];
    return terms.grant != NULL && oauth_details(&terms, out);
}

bool
order_has_other_details(const struct order *o)
{
    const struct conf_credential *c = order_credential(o);
    unsigned char digest[SHA256_SIZE];
    struct buf details = { 0 };
    bool could = c != NULL && write_details(o, c, &details);

    digest_sha256(buf_text(&details), digest);
    buf_free(&details);
    return could && memcmp(digest, o->details, sizeof digest) != 0;
}

static enum reason
make_key(struct order *o)
{
    if (o->name.form != FORM_DPOP || o->signer != NULL)
        return REASON_OK;
    if (o->key == NULL)
        o->key = dpop_key_new();
    if (o->key != NULL)
        o->signer = dpop_signer_new(o->key);
    return o->signer != NULL ? REASON_OK : REASON_SIGN;
}

static struct text
refresh_token_of(const struct order *o, const struct conf_credential *c)
{
    unsigned char lineage[SHA256_SIZE];
    struct text file;

    if (c->source.grant_type != OAUTH_REFRESH_TOKEN || o->mint->at->vault == NULL ||
        vault_text(o->mint->at->vault, c->source.refresh_token, &file) != REASON_OK)
        return text_of(NULL, 0);
    lineage_name(&c->source, lineage);
    return lineage_newest(&o->mint->lineages, lineage, file);
}

static enum reason
begin(struct order *o, const struct conf_credential *c)
{
    struct buf details = { 0 };
    struct plea_terms terms = { .credential = c,
                                .form = o->name.form,
                                .signer = o->signer,
                                .timeout_ms = o->end_ms - clock_monotonic_ms(),
                                .is_retry = o->rest_ms > 0 };
    enum reason why = REASON_AS_REFUSED;

    if (terms.timeout_ms <= 0)
        return REASON_AS_TIMEOUT;
    if (write_details(o, c, &details)) {
        digest_sha256(buf_text(&details), o->details);
        terms.details = buf_text(&details);
        terms.refresh = refresh_token_of(o, c);
        why = plea_begin(&o->plea, o->mint->at, &terms, &o->over);
    }
    buf_free(&details);
    return why;
}

static void
start(struct order *o)
{
    const struct conf_credential *c = order_credential(o);
    enum reason why = REASON_CREDENTIAL_UNAVAILABLE;

    o->is_second = false;
    o->began_ms = clock_monotonic_ms();
    if (c != NULL && c->source.kind == SOURCE_COMMAND) {
        order_run(o, c);
        why = REASON_OK;
    }
    if (c != NULL && c->source.kind == SOURCE_OAUTH) {
        o->end_ms = o->began_ms + c->source.timeout_ms;
        if ((why = make_key(o)) == REASON_OK)
            why = begin(o, c);
    }
    if (why != REASON_OK) {
        order_fail(o, why, NULL);
        return;
    }
    list_add_last(&o->mint->asking, &o->in_asking);
    o->mint->n_asking++;
}

/* ---- what is answered */

static void
learn_nonce(struct order *o)
{
    const struct conf_credential *c = credential_asked(o);
    struct text nonce = errand_field(o->plea.errand, TEXT("DPoP-Nonce"));
    enum reason why;
    struct url url;

    if (o->signer == NULL || c == NULL || text_is_empty(nonce))
        return;
    why = url_split(c->source.token_endpoint, &url);
    assert(why == REASON_OK);
    (void)dpop_learn(o->signer, origin_of(&url, o->plea.memory), nonce);
}

static void
learn_refresh(struct order *o, struct text next)
{
    const struct conf_credential *c = credential_asked(o);
    unsigned char lineage[SHA256_SIZE];

    if (c == NULL || c->source.grant_type != OAUTH_REFRESH_TOKEN)
        return;
    lineage_name(&c->source, lineage);
    lineage_take(&o->mint->lineages, lineage, next);
}

/* Once, and only with another nonce than before. */
static bool
may_try_nonce(const struct order *o, const struct oauth_answer *answer)
{
    struct text given = errand_field(o->plea.errand, TEXT("DPoP-Nonce"));

    return answer->wants_nonce && !o->is_second && !o->is_orphan && o->signer != NULL &&
           !text_is_empty(given) && !text_equals(given, o->plea.nonce) &&
           order_credential(o) != NULL;
}

void
order_leave_turn(struct order *o)
{
    helper_run_free(o->run);
    o->run = NULL;
    plea_end(&o->plea);
    list_remove(&o->in_asking);
    o->mint->n_asking--;
}

static enum reason
read_answer(struct order *o, struct oauth_answer *answer)
{
    const struct oauth_wish wish = {
        .form = o->name.form,
        .thumbprint = o->key != NULL         ? dpop_key_thumbprint(o->key)
                      : o->plea.pair != NULL ? text_z(pair_thumbprint(o->plea.pair))
                                             : text_of(NULL, 0)
    };
    struct oauth_reply reply;
    enum reason why = plea_why(&o->plea);

    if (why != REASON_OK)
        return why;
    learn_nonce(o);
    reply = plea_reply(&o->plea);
    why = oauth_answer(&wish, &reply, o->plea.memory, answer);
    learn_refresh(o, answer->refresh);
    return why;
}

/* False: it is over. */
static bool
try_nonce(struct order *o)
{
    const struct conf_credential *c = order_credential(o);

    plea_end(&o->plea);
    o->is_second = true;
    return begin(o, c) == REASON_OK;
}

/* A life so short that nobody could have used it: who asked for another at once would
 * ask for ever. */
static bool
is_over_already(const struct order *o, const struct oauth_answer *answer)
{
    return clock_monotonic_ms() >= o->began_ms + 1000 * answer->lives_s / 2;
}

void
order_hear(void *owner)
{
    struct order *o = owner;
    struct mint *m = o->mint;
    struct oauth_answer answer = { .lives_s = 0 };
    enum reason why = o->run != NULL ? order_read_run(o, &answer)
                                     : read_answer(o, &answer);

    if (why == REASON_OK && is_over_already(o, &answer))
        why = REASON_AS_TIMEOUT;
    if (why == REASON_AS_REFUSED && may_try_nonce(o, &answer) && try_nonce(o))
        return;
    if (o->is_orphan || why != REASON_OK)
        order_give_back(o, &answer);
    else
        why = order_take(o, &answer);
    if (!o->is_orphan && why != REASON_OK)
        order_fail(o, why, &answer);
    order_leave_turn(o);
    if (o->is_orphan)
        order_free(o);
    orders_go_on(m);
}
