/* An order: what it has, what those who wait are told of it, and its end. How it is
 * asked for is in mint_ask.c. */
#include "proxy/mint_parts.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "certs/pair.h"
#include "proxy/token_record.h"

#include <stdlib.h>
#include <string.h>

enum {
    REST_MS = 1000,          /* after the first failure; doubled after each … */
    REST_MAX_MS = 60 * 1000, /* … up to this */
    MARGIN_MS = 5 * 1000,    /* a token that ends sooner is not presented any more */
    AHEAD_MS = 30 * 1000     /* the next is asked for so long before, at least */
};

struct order *
order_new(struct mint *m, struct task *k, const struct token_name *name)
{
    struct order *o = memory_new(sizeof *o);

    task_ref(k);
    o->mint = m;
    o->task = k;
    o->name = o->news.name = *name;
    o->over = (struct wake){ .answer = order_hear, .owner = o };
    return o;
}

const struct conf_credential *
order_credential(const struct order *o)
{
    return sources_find(generation_sources(o->mint->at->generation), o->name.source);
}

/* As it is being asked with, though another config is in force by now. */
static const char *
credential_name(const struct order *o)
{
    const struct outpost *at = o->plea.at != NULL ? o->plea.at : o->mint->at;
    const struct conf_credential *c = sources_find(generation_sources(at->generation),
                                                   o->name.source);

    return c != NULL ? c->name : NULL;
}

/* ---- what it has */

static void
drop_coin(struct coin *c)
{
    token_unref(c->token);
    *c = (struct coin){ .token = NULL };
}

/* The key goes with the task, whoever is still asked something for it. */
static void
wipe(struct order *o)
{
    drop_coin(&o->now);
    for (size_t i = 0; i < ORDER_PAST; i++)
        drop_coin(&o->past[i]);
    dpop_signer_free(o->signer);
    dpop_key_unref(o->key);
    o->signer = NULL;
    o->key = NULL;
    o->news = (struct token_news){ .name = o->name };
}

static void
revoke(struct order *o, struct outpost *from, struct token *t, int64_t in_ms)
{
    const struct sources *sources = generation_sources(from->generation);
    const struct revocable what = { .task = o->task,
                                    .from = from,
                                    .credential = sources_find(sources, o->name.source),
                                    .token = t,
                                    .in_ms = in_ms,
                                    .is_late = o->is_late };

    if (what.credential != NULL)
        revocation_add(o->mint->needs.revocation, &what);
}

static void
revoke_coin(struct order *o, const struct coin *c, int64_t in_ms)
{
    if (c->token == NULL)
        return;
    if (clock_monotonic_ms() < c->ends_ms) {
        revoke(o, o->mint->at, c->token, in_ms);
        return;
    }
    token_record_over(o->mint->needs.ledger, o->task, credential_name(o), c->token,
                      "expired");
}

/* Exchanges that have it go on with the one before, which the task's end revokes. Of
 * more than a few the oldest goes now. */
static void
put_coin(struct order *o, const struct coin *next)
{
    size_t last = ORDER_PAST - 1;

    revoke_coin(o, &o->past[last], 0);
    drop_coin(&o->past[last]);
    memmove(&o->past[1], &o->past[0], last * sizeof o->past[0]);
    o->past[0] = o->now;
    o->now = *next;
}

void
order_tell(const struct order *o)
{
    o->mint->needs.tell(o->mint->needs.owner, o->task, &o->news);
}

/* The files may hold another certificate than the one its token is bound to. */
static bool
is_of_this_pair(const struct order *o)
{
    const struct outpost *at = o->mint->at;
    const struct conf_credential *c = order_credential(o);
    struct pair *pair;

    if (o->name.form != FORM_MTLS)
        return true;
    c = c != NULL ? conf_client_certificate(generation_conf(at->generation), c) : NULL;
    return c != NULL && at->vault != NULL &&
           vault_pair(at->vault, c, &pair) == REASON_OK &&
           text_equals(text_z(pair_thumbprint(pair)), token_x5t(o->now.token));
}

bool
order_is_fresh(const struct order *o, int64_t now_ms)
{
    return o->now.token != NULL && now_ms < o->news.refresh_ms && is_of_this_pair(o);
}

bool
order_is_under_way(const struct order *o)
{
    return list_is_linked(&o->in_queue) || list_is_linked(&o->in_asking);
}

/* ---- what the log is told: never a value */

static struct log_line *
begin_line(const struct order *o, enum log_level level, const char *msg)
{
    const char *credential = credential_name(o);
    struct log_line *l = log_line_begin(level, msg);

    if (credential != NULL)
        log_line_z(l, "credential", credential);
    log_line_text(l, "task", task_id(o->task));
    log_line_z(l, "grant", task_grant(o->task));
    log_line_z(l, "form", token_form_word(o->name.form));
    return l;
}

static void
tell_success(const struct order *o, int64_t lives_s)
{
    struct log_line *l = begin_line(o, LOG_INFO, "token minted");

    log_line_text(l, "token", token_id(o->now.token));
    if (o->key != NULL)
        log_line_text(l, "key", dpop_key_thumbprint(o->key));
    log_line_number(l, "expires_in", lives_s);
    log_line_number(l, "ms", clock_monotonic_ms() - o->began_ms);
    log_line_end(l);
}

static void
tell_failure(const struct order *o, const struct oauth_answer *answer)
{
    struct log_line *l = begin_line(o, LOG_WARN, "token not minted");

    log_line_z(l, "reason", reason_token(o->news.why));
    if (o->plea.errand != NULL && errand_why(o->plea.errand) != REASON_OK)
        log_line_z(l, "because", reason_token(errand_why(o->plea.errand)));
    if (o->plea.errand != NULL && errand_why(o->plea.errand) == REASON_OK)
        log_line_number(l, "status", errand_status(o->plea.errand));
    if (answer != NULL && answer->error != NULL)
        log_line_z(l, "error", answer->error);
    if (o->run != NULL)
        order_tell_run(o, l);
    log_line_number(l, "retry_ms", o->news.retry_ms - clock_monotonic_ms());
    log_line_end(l);
}

/* ---- what came of it */

/* Half of it at least, the rest by chance: many that failed at once do not come back at
 * once. */
static int64_t
with_jitter(int64_t ms)
{
    uint32_t chance;

    random_bytes(&chance, sizeof chance);
    return ms / 2 + (int64_t)(chance % (uint32_t)(ms / 2 + 1));
}

void
order_fail(struct order *o, enum reason why, const struct oauth_answer *answer)
{
    o->rest_ms = o->rest_ms == 0 ? REST_MS : 2 * o->rest_ms;
    if (o->rest_ms > REST_MAX_MS)
        o->rest_ms = REST_MAX_MS;
    o->news.why = why;
    o->news.retry_ms = clock_monotonic_ms() + with_jitter(o->rest_ms);
    o->mint->figures.failed++;
    tell_failure(o, answer);
    order_tell(o);
}

/* The next is asked for when a fifth of its life is left, and half a minute at least;
 * of one that lives for less than a minute, half of it. From when it was asked for. */
static void
set_times(struct order *o, int64_t lives_ms)
{
    int64_t ahead_ms = lives_ms / 5 > AHEAD_MS ? lives_ms / 5 : AHEAD_MS;
    int64_t margin_ms = lives_ms / 2 < MARGIN_MS ? lives_ms / 2 : MARGIN_MS;
    int64_t end_ms = task_deadline_ms(o->task);

    if (ahead_ms > lives_ms / 2)
        ahead_ms = lives_ms / 2;
    o->news.refresh_ms = o->began_ms + lives_ms - ahead_ms;
    o->news.until_ms = o->began_ms + lives_ms - margin_ms;
    if (o->news.until_ms > end_ms)
        o->news.until_ms = end_ms;
}

static struct token *
make_token(const struct order *o, const struct oauth_answer *answer)
{
    const char *x5t = o->name.form == FORM_MTLS ? pair_thumbprint(o->plea.pair) : NULL;

    return token_new(answer->token, o->name.form, o->key, x5t,
                     clock_wall_s() + answer->lives_s);
}

enum reason
order_take(struct order *o, const struct oauth_answer *answer)
{
    struct coin next = { .token = make_token(o, answer),
                         .ends_ms = o->began_ms + 1000 * answer->lives_s };
    enum reason why = token_record_got(o->mint->needs.ledger, o->task,
                                       credential_name(o), next.token);

    if (why != REASON_OK) {
        drop_coin(&next);
        order_give_back(o, answer);
        return why;
    }
    put_coin(o, &next);
    set_times(o, 1000 * answer->lives_s);
    o->rest_ms = 0;
    o->news.token = next.token;
    o->news.why = REASON_OK;
    o->news.retry_ms = 0;
    o->mint->figures.minted++;
    tell_success(o, answer->lives_s);
    order_tell(o);
    return REASON_OK;
}

/* What nobody will use must not lie around somewhere. */
void
order_give_back(struct order *o, const struct oauth_answer *answer)
{
    struct token *t;

    if (text_is_empty(answer->token))
        return;
    t = token_new(answer->token, FORM_BEARER, NULL, NULL,
                  clock_wall_s() + answer->lives_s);
    token_record_spurned(o->mint->needs.ledger, o->task, credential_name(o), t);
    revoke(o, o->plea.at, t, 0);
    token_unref(t);
}

/* ---- its end */

void
order_end(struct order *o, int64_t in_ms)
{
    revoke_coin(o, &o->now, in_ms);
    for (size_t i = 0; i < ORDER_PAST; i++)
        revoke_coin(o, &o->past[i], in_ms);
    wipe(o);
    o->is_orphan = true;
    /* What a program is about to tell cannot be revoked: it is killed. */
    if (!list_is_linked(&o->in_asking) || o->run != NULL)
        order_free(o);
}

void
order_free(struct order *o)
{
    wipe(o);
    if (list_is_linked(&o->in_asking))
        order_leave_turn(o);
    wake_cancel(&o->over);
    list_remove(&o->in_queue);
    list_remove(&o->in_all);
    task_unref(o->task);
    free(o);
}
