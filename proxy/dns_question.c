/* A question's life: read, judged by name, looked up, judged by address, answered,
 * told. It is judged by the rules in force each time: what a reload or a task's end has
 * taken away is not handed out by an answer that was on its way. */
#include "proxy/dns_parts.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

/* Clients keep an address no longer than this, whatever its owner says: grants change
 * sooner. */
enum { TTL_MOST_S = 60, META_TYPES = 128, META_TYPES_END = 255 };

/* ---- by name */

/* What a question's judgement needs, in the shape that filters know. */
struct judgement {
    struct dns_question *question;
    struct chain *chain;
    struct view view;
    bool of_addresses; /* the name was judged before */
    bool wildcard;
};

static enum reason
judge_by_rule(void *of, const struct conf_grant *grant, const struct conf_rule *rule)
{
    struct judgement *j = of;
    const struct lookup *l = &j->question->lookup;
    enum reason why;

    j->view.rule = rule;
    why = chain_judge_name(j->chain, &j->view);
    if (why == REASON_OK && j->of_addresses)
        why = chain_judge_addresses(j->chain, &j->view, l->addresses, l->n);
    if (why == REASON_OK)
        j->view.prohibited = (struct text){ 0 };
    j->question->grant = grant;
    j->wildcard = rule->host[0] == '*';
    return why;
}

/* Holdfast's own question, led back to us, would go round for ever. */
static bool
is_our_own(const struct caller *c)
{
    return c->has_uid && c->uid == geteuid();
}

static enum reason
judge(struct dns_question *q, bool of_addresses, bool *wildcard)
{
    struct worker *w = q->door->worker;
    const struct generation *g = w->now->generation;
    struct judgement j = { .question = q,
                           .chain = generation_chain(g),
                           .of_addresses = of_addresses,
                           .view = { .arena = q->door->arena,
                                     .conf = generation_conf(g),
                                     .caller = &q->caller,
                                     .target.host = q->host } };
    const struct name_ask ask = { .host = &q->host,
                                  .caller = &q->caller,
                                  .now_s = clock_wall_s(),
                                  .roll = w->roll,
                                  .now_ms = clock_monotonic_ms() };
    enum reason why;

    if (is_our_own(&q->caller))
        return REASON_OWN_PORT;
    why = grants_ask_name(chain_grants(j.chain), &ask, judge_by_rule, &j);
    q->prohibited = j.view.prohibited;
    *wildcard = j.wildcard;
    return why;
}

/* ---- the answer */

static enum dns_code
code_of(const struct dns_question *q, enum reason why)
{
    switch (why) {
    case REASON_OK:
    case REASON_DNS_EMPTY:
        return DNS_NOERROR;
    case REASON_DNS_QUERY:
        return DNS_FORMERR;
    case REASON_DNS_OPCODE:
        return DNS_NOTIMP;
    case REASON_DNS_VERSION:
        return DNS_BADVERS;
    case REASON_DNS_FAILED:
        return q->lookup.absent ? DNS_NXDOMAIN : DNS_SERVFAIL;
    case REASON_DNS_TIMEOUT:
    case REASON_DNS_BUSY:
        return DNS_SERVFAIL;
    default:
        return dns_conf(q->door)->refuse_with == REFUSE_WITH_NXDOMAIN ? DNS_NXDOMAIN
                                                                      : DNS_REFUSED;
    }
}

static void
log_answer(const struct dns_question *q, enum dns_code code, enum reason why)
{
    struct log_line *l = log_line_begin(LOG_INFO, "dns");
    char type[DNS_TYPE_PRINT_SIZE];

    if (q->caller.has_uid)
        log_line_number(l, "uid", q->caller.uid);
    log_line_text(l, "name", dns_query_name(&q->query));
    log_line_z(l, "type", dns_type_print(q->query.type, type));
    log_line_z(l, "over", q->session != NULL ? "tcp" : "udp");
    log_line_z(l, "code", dns_code_word(code));
    log_line_z(l, "reason", reason_token(why));
    if (q->grant != NULL)
        log_line_z(l, "grant", q->grant->name);
    if (!text_is_empty(q->prohibited))
        log_line_text(l, "prohibited", q->prohibited);
    if (why == REASON_OK)
        log_line_number(l, "addresses", (int64_t)q->lookup.n);
    log_line_number(l, "ms", (clock_monotonic_us() - q->began_us) / 1000);
    log_line_number(l, "gen",
                    (int64_t)generation_number(q->door->worker->now->generation));
    log_line_end(l);
}

static void
answer(struct dns_question *q, enum reason why)
{
    uint32_t ttl_s = q->lookup.ttl_s < TTL_MOST_S ? q->lookup.ttl_s : TTL_MOST_S;
    const struct dns_answer a = { .code = code_of(q, why),
                                  .addresses = q->lookup.addresses,
                                  .n = why == REASON_OK ? q->lookup.n : 0,
                                  .ttl_s = ttl_s };
    size_t room = q->session != NULL ? LOOKUP_ADDRESSES * 28 + 512
                                     : dns_room(&q->query);
    char out[LOOKUP_ADDRESSES * 28 + 512];
    struct text message = { out, dns_answer_write(&q->query, &a, out, room) };

    tally_add(&q->door->worker->metrics->dns[why], 1);
    log_answer(q, a.code, why);
    if (q->session != NULL)
        dns_session_send(q->session, message);
    else
        dns_datagram_send(q->door, &q->way, message);
    arena_reset(q->door->arena);
}

/* ---- looking up */

static void
forget(struct dns_question *q)
{
    wake_cancel(&q->wake);
    lookup_drop(&q->lookup);
    list_remove(&q->member);
    q->door->n_lookups--;
    tally_take(&q->door->worker->metrics->dns_lookups, 1);
    epoch_unref(q->epoch);
    free(q);
}

void
dns_question_drop(struct dns_question *q)
{
    forget(q);
}

static void
on_looked_up(void *owner)
{
    struct dns_question *q = owner;
    struct dns_session *s = q->session;
    enum reason why = q->lookup.why;
    bool wildcard;

    if (!q->lookup.done)
        return;
    if (why == REASON_OK)
        why = judge(q, true, &wildcard);
    answer(q, why);
    forget(q);
    if (s != NULL)
        dns_session_go_on(s);
}

static struct dns_question *
look_up(const struct dns_question *asked)
{
    struct dns_question *q = memory_new(sizeof *q);
    struct dns_door *d = asked->door;

    *q = *asked;
    q->epoch = d->worker->now;
    epoch_ref(q->epoch);
    q->wake = (struct wake){ .answer = on_looked_up, .owner = q, .is_short = true };
    list_add_last(&d->lookups, &q->member);
    d->n_lookups++;
    tally_add(&d->worker->metrics->dns_lookups, 1);
    lookup_start(q->epoch->resolver, &q->host, &q->lookup, &q->wake);
    return q;
}

/* ---- reading */

static enum reason
read_query(struct dns_question *q, struct text message, enum dns_code *code)
{
    *code = dns_query_read(message, &q->query);
    switch (*code) {
    case DNS_NOERROR:
        return REASON_OK;
    case DNS_NOTIMP:
        return REASON_DNS_OPCODE;
    case DNS_BADVERS:
        return REASON_DNS_VERSION;
    default:
        return REASON_DNS_QUERY;
    }
}

static bool
is_address_type(uint16_t type)
{
    return type == DNS_A || type == DNS_AAAA;
}

/* Types of questions, not of records: transfers, ANY and their like (RFC 6895). */
static bool
is_told(const struct dns_query *q)
{
    return q->class == DNS_IN && q->type != 0 && q->type != DNS_OPT &&
           (q->type < META_TYPES || q->type > META_TYPES_END);
}

static enum reason
judge_query(struct dns_question *q)
{
    bool wildcard = false;
    enum reason why = REASON_HOST_MALFORMED;

    if (!is_told(&q->query))
        return REASON_DNS_TYPE;
    if (q->query.is_text)
        why = host_parse(dns_query_name(&q->query), &q->host);
    if (why == REASON_OK)
        why = judge(q, false, &wildcard);
    if (why == REASON_OK && is_address_type(q->query.type))
        why = dns_may_look_up(q->door, q, wildcard);
    return why;
}

/* Of an allowed name nothing but addresses is told: no keys for a ClientHello that
 * nobody could read (HTTPS, SVCB), no text, no other names. */
enum dns_fate
dns_question_ask(struct dns_question *q, struct text message,
                 struct dns_question **waits)
{
    enum dns_code code;
    enum reason why;

    *waits = NULL;
    q->began_us = clock_monotonic_us();
    if (!dns_may_ask(q->door, &q->caller) ||
        ((why = read_query(q, message, &code)) != REASON_OK && code == DNS_SILENCE)) {
        dns_count_drop(q->door);
        return DNS_DROPPED;
    }
    if (why == REASON_OK)
        why = judge_query(q);
    if (why == REASON_OK && is_address_type(q->query.type)) {
        arena_reset(q->door->arena);
        q->prohibited = (struct text){ 0 };
        *waits = look_up(q);
        return DNS_UNDER_WAY;
    }
    answer(q, why);
    return DNS_ANSWERED;
}
