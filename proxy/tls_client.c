/* TLS towards upstreams. */
#include "proxy/tls_parts.h"

#include <assert.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

/* ---- sessions, for a shorter handshake */

/* A session is OpenSSL's own struct, under the name by which the others know it. */
static SSL_SESSION *
session_of(const struct tls_session *s)
{
    return (SSL_SESSION *)(uintptr_t)s;
}

/* True when it was taken over. Of TLS 1.2 none is: there the service would have the
 * first word after a shorter handshake, and what it says could be taken for an answer.
 */
static int
on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls *t = tls_of(ssl);

    if (t->keep == NULL || SSL_SESSION_is_resumable(session) != 1 ||
        SSL_SESSION_get_protocol_version(session) < TLS1_3_VERSION)
        return 0;
    /* Or a shorter handshake would pass for one in which ours was shown. */
    if (t->may_show && !tls_has_shown(t))
        return 0;
    t->keep(t->owner, (struct tls_session *)session);
    return 1;
}

void
tls_keep_sessions(struct tls *t, void (*keep)(void *owner, struct tls_session *s),
                  void *owner)
{
    t->keep = keep;
    t->owner = owner;
}

void
tls_resume(struct tls *t, const struct tls_session *s)
{
    (void)SSL_set_session(t->ssl, session_of(s)); /* else: the longer handshake */
}

bool
tls_is_resumed(const struct tls *t)
{
    return SSL_session_reused(t->ssl) == 1;
}

void
tls_session_free(struct tls_session *s)
{
    SSL_SESSION_free(session_of(s));
}

bool
tls_session_is_fresh(const struct tls_session *s, int64_t now_s)
{
    X509 *peer = SSL_SESSION_get0_peer(session_of(s));
    int64_t age_s = now_s - SSL_SESSION_get_time(session_of(s));
    time_t now = (time_t)now_s;

    return age_s >= 0 && age_s < TLS_SESSION_LIFE_S && peer != NULL &&
           X509_cmp_time(X509_get0_notAfter(peer), &now) > 0;
}

/* ---- what they are verified against */

struct tls_client *
tls_client_new(struct trust *trust)
{
    struct tls_client *c = calloc(1, sizeof *c);

    assert(c != NULL);
    c->trust = trust;
    c->ctx = SSL_CTX_new(TLS_client_method());
    assert(c->ctx != NULL);
    tls_set_common(c->ctx);
    SSL_CTX_set1_cert_store(c->ctx, trust_store(trust));
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
    /* What we show is what its file says: no chain is looked for among those whom we
     * trust. */
    SSL_CTX_set_mode(c->ctx, SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(c->ctx,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c->ctx, on_session);
    return c;
}

void
tls_client_free(struct tls_client *c)
{
    if (c == NULL)
        return;
    SSL_CTX_free(c->ctx);
    trust_unref(c->trust);
    free(c);
}

/* An address is verified as an address and never sent as a server name (RFC 6066
 * section 3). */
static void
expect_host(SSL *ssl, const struct host *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    size_t n = host->address.family == AF_INET ? 4 : 16;
    int ok;

    /* RFC 9525: the SAN alone names a host; a CA's constraints do not reach a CN. */
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (host->address.family != 0) {
        ok = X509_VERIFY_PARAM_set1_ip(param, host->address.bytes, n);
    } else {
        ok = X509_VERIFY_PARAM_set1_host(param, host->name, host->n) &&
             SSL_set_tlsext_host_name(ssl, host->name);
    }
    assert(ok == 1);
}

struct tls *
tls_dial(struct tls_client *c, int fd, const struct host *host, enum alpn offers)
{
    struct text ours = tls_alpn(offers);
    struct tls *t = tls_attach(c->ctx, fd);

    t->dialled = true;
    t->offers = offers;
    SSL_set_alpn_protos(t->ssl, (const unsigned char *)ours.at, (unsigned)ours.n);
    expect_host(t->ssl, host);
    SSL_set_connect_state(t->ssl);
    return t;
}

void
tls_quieten(struct tls *t)
{
    t->is_quiet = true;
}

void
tls_wipe_behind(struct tls *t)
{
    SSL_set_options(t->ssl, SSL_OP_CLEANSE_PLAINTEXT);
}
