#include "proxy/resolve.h"

#include "base/log.h"
#include "base/memory.h"
#include "proxy/hearing.h"

#include <ares.h>
#include <assert.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 2, MAX_SOCKETS = 16 };

struct watched {
    struct event event;
    ares_socket_t fd;
    bool used;
};

struct resolver {
    struct loop *loop;
    const struct conf_resolver *conf;
    ares_channel channel;
    struct watched sockets[MAX_SOCKETS];
    struct alarm alarm; /* c-ares' own retries and time-outs */
};

/* c-ares cannot forget one query: when its owner lets go, the query outlives it and its
 * answer is dropped. */
struct query {
    struct resolver *resolver;
    struct lookup *lookup; /* NULL: let go */
    struct wake *bell;
    struct alarm deadline;
};

/* ---- c-ares on the loop */

static void
rearm(struct resolver *r)
{
    struct timeval wait, *left = ares_timeout(r->channel, NULL, &wait);

    if (left != NULL)
        alarm_set(r->loop, &r->alarm,
                  (int64_t)left->tv_sec * 1000 + left->tv_usec / 1000 + 1);
    else
        alarm_clear(&r->alarm);
}

static void
on_alarm(void *owner)
{
    struct resolver *r = owner;

    ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    rearm(r);
}

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
    struct resolver *r = arg;

    ares_process_fd(r->channel, (what & EV_READ) != 0 ? fd : ARES_SOCKET_BAD,
                    (what & EV_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
    rearm(r);
}

static struct watched *
find_socket(struct resolver *r, ares_socket_t fd)
{
    for (size_t i = 0; i < MAX_SOCKETS; i++)
        if (r->sockets[i].used && r->sockets[i].fd == fd)
            return &r->sockets[i];
    for (size_t i = 0; i < MAX_SOCKETS; i++)
        if (!r->sockets[i].used)
            return &r->sockets[i];
    return NULL;
}

static void
on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct resolver *r = arg;
    struct watched *s = find_socket(r, fd);

    if (s == NULL)
        return; /* more sockets than we watch: their queries time out and refuse */
    if (s->used)
        event_del(&s->event);
    s->used = readable || writable;
    s->fd = fd;
    if (!s->used)
        return;
    event_assign(
        &s->event, loop_base(r->loop), fd,
        (short)(EV_PERSIST | (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0)),
        on_socket, r);
    event_add(&s->event, NULL);
}

/* ---- answers */

static void
finish(struct lookup *l, struct wake *bell, struct loop *loop, enum reason why)
{
    l->done = true;
    l->query = NULL;
    l->why = why;
    wake_ring(loop, bell);
}

static enum reason
reason_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return REASON_OK;
    case ARES_ETIMEOUT:
        return REASON_DNS_TIMEOUT;
    case ARES_ENODATA:
        return REASON_DNS_EMPTY;
    default:
        return REASON_DNS_FAILED;
    }
}

/* A permitted name must not be led to a metadata service by a CNAME, even to one with a
 * public address. */
static bool
passes_by_metadata(const struct ares_addrinfo *info)
{
    for (const struct ares_addrinfo_cname *c = info->cnames; c != NULL; c = c->next) {
        struct host host;

        if (c->name != NULL && host_parse(text_z(c->name), &host) == REASON_OK &&
            host_is_metadata(&host))
            return true;
    }
    return false;
}

static void
live_no_longer(struct lookup *l, int ttl)
{
    uint32_t most = ttl > 0 ? (uint32_t)ttl : 0;

    if (l->ttl_s > most)
        l->ttl_s = most;
}

static void
take_ttl(struct lookup *l, const struct ares_addrinfo *info)
{
    l->ttl_s = UINT32_MAX;
    for (const struct ares_addrinfo_cname *c = info->cnames; c != NULL; c = c->next)
        live_no_longer(l, c->ttl);
    for (const struct ares_addrinfo_node *a = info->nodes; a != NULL; a = a->ai_next)
        live_no_longer(l, a->ai_ttl);
}

static enum reason
take_addresses(struct lookup *l, const struct ares_addrinfo *info)
{
    size_t n = 0;
    uint16_t port;

    if (passes_by_metadata(info))
        return REASON_NAME_PROHIBITED;
    for (const struct ares_addrinfo_node *a = info->nodes; a != NULL; a = a->ai_next)
        n++;
    if (n == 0)
        return REASON_DNS_EMPTY;
    if (n > LOOKUP_ADDRESSES)
        return REASON_DNS_FAILED;
    l->addresses = calloc(n, sizeof *l->addresses);
    assert(l->addresses != NULL);
    for (const struct ares_addrinfo_node *a = info->nodes; a != NULL; a = a->ai_next)
        address_from_sockaddr(a->ai_addr, &l->addresses[l->n++], &port);
    take_ttl(l, info);
    return REASON_OK;
}

static void
on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct query *q = arg;
    enum reason why = reason_of(status);

    (void)timeouts;
    alarm_clear(&q->deadline);
    if (q->lookup != NULL) {
        if (why == REASON_OK)
            why = take_addresses(q->lookup, info);
        else
            log_debug("look-up: %s", ares_strerror(status));
        q->lookup->absent = status == ARES_ENOTFOUND;
        finish(q->lookup, q->bell, q->resolver->loop, why);
    }
    if (info != NULL)
        ares_freeaddrinfo(info);
    free(q);
}

static void
on_deadline(void *owner)
{
    struct query *q = owner;

    if (q->lookup != NULL)
        finish(q->lookup, q->bell, q->resolver->loop, REASON_DNS_TIMEOUT);
    q->lookup = NULL; /* c-ares will still call on_answer, which frees q */
}

/* ---- setting up */

static bool
set_servers(struct resolver *r)
{
    struct buf list = { 0 };
    bool is_set;

    if (r->conf->servers.n == 0)
        return true;
    for (size_t i = 0; i < r->conf->servers.n; i++)
        buf_printf(&list, "%s%s", i > 0 ? "," : "", r->conf->servers.at[i]);
    buf_add_byte(&list, '\0');
    is_set = ares_set_servers_ports_csv(r->channel, buf_text(&list).at) == ARES_SUCCESS;
    if (!is_set)
        log_reason(REASON_CONFIG,
                   "resolver.servers: \"%s\" are not addresses of nameservers",
                   buf_text(&list).at);
    buf_free(&list);
    return is_set;
}

static void
init_library(void)
{
    ares_library_init(ARES_LIB_INIT_ALL);
}

static bool
open_channel(struct resolver *r)
{
    char lookups[] = "fb";
    struct ares_options options = { .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
                                    .timeout = (int)(r->conf->timeout_ms / TRIES),
                                    .tries = TRIES,
                                    .sock_state_cb = on_socket_state,
                                    .sock_state_cb_data = r };
    int status;

    /* Nameservers given by name in the config: then nothing but them, not /etc/hosts
     * either. */
    options.lookups = r->conf->servers.n > 0 ? lookups + 1 : lookups;
    status = ares_init_options(&r->channel, &options,
                               ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                                   ARES_OPT_SOCK_STATE_CB | ARES_OPT_LOOKUPS);
    if (status == ARES_SUCCESS)
        return true;
    log_reason(REASON_CONFIG, "resolver: cannot be set up: %s", ares_strerror(status));
    r->channel = NULL;
    return false;
}

static bool
set_up(struct resolver *r)
{
    if (!open_channel(r))
        return false;
    ares_set_socket_callback(r->channel, hearing_begin, NULL);
    if (set_servers(r))
        return true;
    ares_destroy(r->channel);
    r->channel = NULL;
    return false;
}

/* ---- asking */

static void
ask(struct resolver *r, const char *name, struct lookup *l, struct wake *bell)
{
    struct ares_addrinfo_hints hints = { .ai_flags = ARES_AI_NOSORT,
                                         .ai_family = AF_UNSPEC,
                                         .ai_socktype = SOCK_STREAM };
    struct query *q = calloc(1, sizeof *q);

    assert(q != NULL);
    *q = (struct query){ .resolver = r,
                         .lookup = l,
                         .bell = bell,
                         .deadline = { .on_due = on_deadline, .owner = q } };
    l->query = q;
    alarm_set(r->loop, &q->deadline, r->conf->timeout_ms);
    ares_getaddrinfo(r->channel, name, NULL, &hints, on_answer, q);
    rearm(r);
}

/* ---- names the operator answers himself */

static const struct conf_hosts_row *
find_row(const struct conf_resolver *conf, const struct host *host)
{
    const struct conf_hosts_row *rows = conf->hosts.at;
    struct host named;

    for (size_t i = 0; i < conf->hosts.n; i++)
        if (host_parse(text_z(rows[i].name), &named) == REASON_OK &&
            host_equals(&named, host))
            return &rows[i];
    return NULL;
}

static enum reason
take_row(struct lookup *l, const struct conf_hosts_row *row)
{
    l->addresses = calloc(row->addresses.n + 1, sizeof *l->addresses);
    assert(l->addresses != NULL);
    for (size_t i = 0; i < row->addresses.n; i++)
        if (address_parse(text_z(row->addresses.at[i]), &l->addresses[l->n]))
            l->n++;
    return l->n > 0 ? REASON_OK : REASON_DNS_EMPTY;
}

void
lookup_start(struct resolver *r, const struct host *host, struct lookup *l,
             struct wake *bell)
{
    const struct conf_hosts_row *row;

    /* What the config says holds for as long as the config does. */
    *l = (struct lookup){ .why = REASON_DNS_FAILED, .ttl_s = UINT32_MAX };
    if (host->address.family != 0) {
        l->addresses = calloc(1, sizeof *l->addresses);
        assert(l->addresses != NULL);
        l->addresses[l->n++] = host->address;
        finish(l, bell, r->loop, REASON_OK);
    } else if ((row = find_row(r->conf, host)) != NULL) {
        finish(l, bell, r->loop, take_row(l, row));
    } else if (r->channel == NULL && !set_up(r)) {
        finish(l, bell, r->loop, REASON_DNS_FAILED);
    } else {
        ask(r, host->name, l, bell);
    }
}

void
lookup_drop(struct lookup *l)
{
    if (l->query != NULL)
        l->query->lookup = NULL;
    free(l->addresses);
    *l = (struct lookup){ 0 };
}

/* ---- life */

struct resolver *
resolver_new(struct loop *loop, const struct conf_resolver *conf)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct resolver *r = memory_new(sizeof *r);

    pthread_once(&once, init_library);
    r->loop = loop;
    r->conf = conf;
    r->alarm = (struct alarm){ .on_due = on_alarm, .owner = r };
    (void)set_up(r);
    return r;
}

bool
resolver_is_ready(const struct resolver *r)
{
    return r->channel != NULL;
}

void
resolver_free(struct resolver *r)
{
    if (r == NULL)
        return;
    if (r->channel != NULL)
        ares_destroy(r->channel); /* ends every query under way */
    alarm_clear(&r->alarm);
    free(r);
}

const char *
resolver_library(void)
{
    return ares_version(NULL);
}
