/* An errand: one request of Holdfast's own, over HTTPS, to a service that the operator
 * named: resolved, dialled, verified, asked, on a connection that ends with it. It
 * follows no redirect and keeps no cookie.
 *
 * One deadline is for all of it. It ends exactly once: by its answer, by what went
 * wrong, by its deadline, or because its owner lets go of it; only in the last case
 * rings nobody.
 *
 * The service is the operator's word: it may have a private address. A metadata service
 * is never dialled, whatever the name resolves to. */
#ifndef PROXY_ERRAND_H
#define PROXY_ERRAND_H

#include "base/url.h"
#include "http/headers.h"
#include "proxy/loop.h"
#include "proxy/tls.h"

struct errand;
struct resolver;

/* What is asked, and of whom: on loan for errand_new alone. */
struct errand_ask {
    const struct url *url;
    struct text method;
    const struct field *fields; /* without Host and what frames the body */
    size_t n_fields;
    struct text body;          /* empty: none */
    struct tls_client *client; /* verifies the service; outlives the errand */
    struct pair *pair;         /* the service is shown this certificate, and has to ask
                                  for one; NULL: none */
    size_t answer_max;         /* bytes of the answer's body */
    int64_t timeout_ms;
    bool is_retry; /* a failure like the last is not logged in detail once more */
};

/* Begins. The bell rings on the loop when it is over, never from within this call; both
 * and the resolver outlive the errand. */
struct errand *errand_new(struct loop *loop, struct resolver *resolver,
                          const struct errand_ask *ask, struct wake *bell);
bool errand_is_over(const struct errand *e);

/* ---- when it is over; what they give lives as long as it does */

/* REASON_OK: a whole answer is here, whatever its status. Else REASON_DNS_*,
 * _NAME_PROHIBITED, _ADDRESS_PROHIBITED, _CONNECT_FAILED, _PEER_ADDRESS, _UPSTREAM_*,
 * _CLIENT_CERTIFICATE_*, _CREDENTIAL_UNAVAILABLE (the pair cannot be shown),
 * _ANSWER_TOO_LARGE; its deadline: _DNS_TIMEOUT, _CONNECT_TIMEOUT,
 * _UPSTREAM_TLS_TIMEOUT or _UPSTREAM_TIMEOUT. */
enum reason errand_why(const struct errand *e);
/* 200 to 599. */
int errand_status(const struct errand *e);
/* The first of this name; at NULL: none. */
struct text errand_field(const struct errand *e, struct text name);
struct text errand_body(const struct errand *e);

/* Over or not. What was sent and what came is wiped. NULL is fine. */
void errand_free(struct errand *e);

#endif
