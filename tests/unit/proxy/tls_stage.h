/* Both ends of a TLS connection, for tests: a service that shows leaves of our own, and
 * a client that trusts them. */
#ifndef TESTS_UNIT_PROXY_TLS_STAGE_H
#define TESTS_UNIT_PROXY_TLS_STAGE_H

#include "certs/ca.h"
#include "certs/leaf.h"
#include "proxy/link.h"
#include "proxy/tls.h"
#include "tests/unit/proxy/stage.h"

#define YEAR_MS (INT64_C(365) * 86400 * 1000)

enum { CEILING = 64 * 1024 };

static struct ca *ca;
static struct leaf_cache *leaves;
static struct tls_server *server;
static struct tls_client *client;

static inline struct tls_client *
client_of(const char *file)
{
    struct trust *trust;

    assert_int_equal(trust_load(file, &trust), REASON_OK);
    return tls_client_new(trust);
}

static inline int
tls_stage_begin(void **state)
{
    if (stage_begin(state) != 0)
        return -1;
    assert_int_equal(ca_open(in_scratch("ca"), YEAR_MS, &ca), REASON_OK);
    leaves = leaf_cache_new(ca, 8);
    server = tls_server_new();
    client = client_of(in_scratch("ca/ca.pem"));
    return leaves == NULL;
}

static inline int
tls_stage_end(void **state)
{
    tls_client_free(client);
    tls_server_free(server);
    leaf_cache_free(leaves);
    ca_free(ca);
    return stage_end(state);
}

struct ends {
    struct link down, up; /* the service's end, and the one that dialled */
    struct bell down_bell, up_bell;
};

/* Connected, and nothing said. */
static inline void
ends_open(struct ends *e)
{
    int fds[2];

    tcp_pair(fds);
    bell_hang(&e->down_bell);
    bell_hang(&e->up_bell);
    link_open(&e->down, loop, fds[0], CEILING, &e->down_bell.wake);
    link_open(&e->up, loop, fds[1], CEILING, &e->up_bell.wake);
}

static inline void
ends_shake_hands(struct ends *e)
{
    UNTIL(e->up.state != LINK_HANDSHAKING && e->down.state != LINK_HANDSHAKING);
}

static inline void
ends_close(struct ends *e)
{
    link_close(&e->down);
    link_close(&e->up);
}

#endif
