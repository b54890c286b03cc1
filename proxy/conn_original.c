/* At a transparent door: where the client meant to go. The kernel alone knows, as it
 * turned the connection round; of a word that the client says, none is asked. We never
 * go there ourselves: the address stands in log and ledger, its port is the target's,
 * and only for a client that names nothing is it the target. */
#include "proxy/conn_parts.h"

#include "base/clock.h"
#include "proxy/exchange.h"

#include <assert.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- asking the kernel */

/* REDIRECT: the connection ends at an address of ours, and what it was made to is known
 * to the kernel's connection tracking. An entry that nothing translated tells our own.
 */
static bool
ask_redirected(int fd, struct sockaddr_storage *to)
{
    bool six = to->ss_family == AF_INET6;
    socklen_t n = sizeof *to;

    return getsockopt(fd, six ? IPPROTO_IPV6 : IPPROTO_IP,
                      six ? IP6T_SO_ORIGINAL_DST : SO_ORIGINAL_DST, to, &n) == 0;
}

static char *
print_original(const struct address *a, uint16_t port)
{
    char address[ADDRESS_PRINT_SIZE], at[ADDRESS_PRINT_SIZE + 10], *printed;

    address_print(a, address);
    snprintf(at, sizeof at, a->family == AF_INET6 ? "[%s]:%u" : "%s:%u", address, port);
    printed = strdup(at);
    assert(printed != NULL);
    return printed;
}

/* TPROXY leaves the connection as it was made: of one that was made to our port nobody
 * can tell whether it was led here. */
static bool
is_for_another(const struct conn *c, const struct address *here, uint16_t port)
{
    if (worker_is_own_door(c->worker, &c->original, c->original_port))
        return false;
    if (conn_door(c)->intercept == INTERCEPT_TPROXY)
        return c->original_port != c->worker->start.doors[c->door].port;
    return c->original_port != port || !address_equals(&c->original, here);
}

/* ---- what comes of it */

enum reason
conn_find_original(struct conn *c, struct sockaddr_storage *own)
{
    bool asks = conn_door(c)->intercept == INTERCEPT_REDIRECT, known;
    struct address here;
    uint16_t port;

    address_from_sockaddr((struct sockaddr *)own, &here, &port);
    known = !asks || ask_redirected(c->link.fd, own);
    address_from_sockaddr((struct sockaddr *)own, &c->original, &c->original_port);
    c->orig = print_original(&c->original, c->original_port);
    return known && is_for_another(c, &here, port) ? REASON_OK : REASON_NOT_INTERCEPTED;
}

/* Rules that do not let our own user by would have us talk to ourselves until nothing
 * is left. */
bool
conn_is_our_own(const struct conn *c)
{
    return c->caller.has_uid && c->caller.uid == geteuid();
}

enum reason
conn_settle_original(struct conn *c, const struct host *named)
{
    const struct generation *g = c->worker->now->generation;
    struct authority target;
    enum reason why = authority_parse(text_z(c->orig), 0, &target);

    if (why != REASON_OK)
        return why;
    if (named != NULL)
        target.host = *named;
    c->target = authority_keep(&target);
    c->named = grants_name_host(chain_grants(generation_chain(g)), &c->caller, &target,
                                clock_wall_s());
    return c->named || worker_may_refuse_inside(c->worker, &c->caller)
               ? REASON_OK
               : REASON_LEAF_RATE;
}
