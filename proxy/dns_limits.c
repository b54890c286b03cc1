/* What one caller may ask of a dns door, so that a flood is nobody else's, and a name
 * that is resolved somewhere out there tells little. What is shared by the workers is
 * counted for all of them. */
#include "proxy/dns_parts.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/table.h"
#include "tasks/handle.h"

enum { MINUTE_S = 60, TELL_EVERY_MS = 1000, SHARE = 4, SEARCHES_PER_S = 500 };

static const struct conf_limits *
limits_of(const struct dns_door *d)
{
    return &generation_conf(d->worker->now->generation)->limits;
}

/* Of one who is not known: the address that it came from. */
static uint64_t
number_of(const struct caller *c)
{
    if (c->has_uid)
        return c->uid;
    return table_hash(
               text_of((const char *)c->address.bytes, sizeof c->address.bytes)) |
           (uint64_t)1 << 63;
}

static struct rate *
rate_of(struct rate rates[DNS_RATES], const struct caller *c)
{
    return &rates[(number_of(c) * 0x9e3779b97f4a7c15 >> 32) % DNS_RATES];
}

/* Searching costs a hundred times what a question does: what one socket sends too much
 * of is dropped before, and from whichever sockets it comes, a flood of datagrams takes
 * names away from those at this door and no time from what passes at others. */
bool
dns_may_send(struct dns_door *d, const struct sockaddr_storage *from)
{
    struct address address;
    uint16_t port;
    uint64_t hash;

    address_from_sockaddr((const struct sockaddr *)from, &address, &port);
    hash = table_hash(text_of((const char *)address.bytes, sizeof address.bytes));
    return rate_take(&d->sources[(hash ^ port) % DNS_SOURCES],
                     limits_of(d)->dns_queries, clock_monotonic_ms());
}

bool
dns_may_search(struct dns_door *d)
{
    return rate_take(&d->searches, SEARCHES_PER_S, clock_monotonic_ms());
}

bool
dns_may_ask(struct dns_door *d, const struct caller *caller)
{
    return rate_take(rate_of(d->worker->start.shared->dns_queries, caller),
                     limits_of(d)->dns_queries, clock_monotonic_ms());
}

/* ---- new names */

/* Keyed, since it is strangers who choose the names. */
static unsigned long long
mark_of(const struct dns_question *q)
{
    unsigned char digest[SHA256_SIZE];
    unsigned long long front;

    handle_digest(host_text(&q->host), digest);
    memcpy(&front, digest, sizeof front);
    return front ^ number_of(&q->caller);
}

/* One place for each name: another one's mark there makes it new again, which costs
 * whoever asks one of those he may have. */
static bool
is_new(struct shared *s, unsigned long long mark)
{
    return atomic_load_explicit(&s->dns_names[mark % DNS_NAMES],
                                memory_order_relaxed) != mark;
}

static bool
may_name(struct dns_door *d, const struct dns_question *q)
{
    struct shared *s = d->worker->start.shared;
    unsigned long long mark = mark_of(q);

    if (!is_new(s, mark))
        return true;
    /* By a clock that is sixty times slower a rate of so many a second is one of so
     * many a minute. */
    if (!rate_take(rate_of(s->dns_new_names, &q->caller), limits_of(d)->dns_new_names,
                   clock_monotonic_ms() / MINUTE_S))
        return false;
    atomic_store_explicit(&s->dns_names[mark % DNS_NAMES], mark, memory_order_relaxed);
    return true;
}

/* ---- under way */

static bool
is_same(const struct caller *a, const struct caller *b)
{
    return a->has_uid == b->has_uid && number_of(a) == number_of(b);
}

static size_t
count_lookups(const struct dns_door *d, const struct caller *c)
{
    size_t n = 0;

    for (const struct list *m = d->lookups.next; m != &d->lookups; m = m->next)
        n += is_same(&LIST_OWNER(m, struct dns_question, member)->caller, c);
    return n;
}

enum reason
dns_may_look_up(struct dns_door *d, const struct dns_question *q, bool wildcard)
{
    size_t most = (size_t)limits_of(d)->dns_lookups;

    if (d->n_lookups >= most || count_lookups(d, &q->caller) >= most / SHARE)
        return REASON_DNS_BUSY;
    return wildcard && !may_name(d, q) ? REASON_DNS_NEW_NAMES : REASON_OK;
}

/* ---- what is dropped */

void
dns_count_drop(struct dns_door *d)
{
    int64_t now_ms = clock_monotonic_ms();
    struct log_line *l;

    tally_add(&d->worker->metrics->dns_dropped, 1);
    d->untold++;
    if (now_ms - d->told_at_ms < TELL_EVERY_MS)
        return;
    l = log_line_begin(LOG_WARN, "dns queries dropped");
    log_line_number(l, "count", (int64_t)d->untold);
    log_line_end(l);
    d->untold = 0;
    d->told_at_ms = now_ms;
}
