/* TLS towards clients. */
#include "proxy/tls_parts.h"

#include "base/log.h"
#include "certs/key.h"

#include <assert.h>
#include <stdlib.h>

/* ---- the ClientHello */

/* The server_name extension (RFC 6066 section 3), strictly: exactly one entry of type
 * host_name and nothing behind it. OpenSSL's own reading is not asked: what a name was
 * judged by and what it reads must be one thing. */
static enum reason
read_server_name(SSL *ssl, struct text *name)
{
    const unsigned char *p;
    size_t n;

    *name = text_of(NULL, 0);
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &n) == 0)
        return REASON_OK;
    if (n < 5 || (size_t)(p[0] << 8 | p[1]) != n - 2 ||
        p[2] != TLSEXT_NAMETYPE_host_name || (size_t)(p[3] << 8 | p[4]) != n - 5 ||
        n == 5)
        return REASON_SERVER_NAME;
    *name = text_of((const char *)p + 5, n - 5);
    return REASON_OK;
}

/* A ticket of TLS 1.2 would let whoever learns its key read what was said before. That
 * of TLS 1.3 is used with a fresh key exchange. */
static bool
offers_tls13(SSL *ssl)
{
    const unsigned char *p;
    size_t n;

    return SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &p, &n) == 1;
}

static int
on_client_hello(SSL *ssl, int *alert, void *arg)
{
    struct tls *t = tls_of(ssl);
    EVP_PKEY *key = NULL;
    X509 *leaf = NULL;
    struct text name;

    (void)arg;
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    t->why = read_server_name(ssl, &name);
    if (t->why == REASON_OK && t->choose != NULL)
        t->why = t->choose(t->owner, name, &leaf, &key);
    if (t->why != REASON_OK)
        return SSL_CLIENT_HELLO_ERROR;
    if (!offers_tls13(ssl))
        SSL_set_options(ssl, SSL_OP_NO_TICKET);
    if (t->choose == NULL)
        return SSL_CLIENT_HELLO_SUCCESS;
    if (SSL_use_certificate(ssl, leaf) == 1 && SSL_use_PrivateKey(ssl, key) == 1)
        return SSL_CLIENT_HELLO_SUCCESS;
    t->why = log_tls(REASON_MINT_LEAF, "showing a leaf");
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_CLIENT_HELLO_ERROR;
}

/* Called when the suite has been chosen, and only for a client that offers something.
 */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
        const unsigned char *in, unsigned in_n, void *arg)
{
    enum alpn offers = tls_of(ssl)->offers;
    struct text ours;

    (void)arg;
    if (!tls_suits_h2(SSL_version(ssl), SSL_get_pending_cipher(ssl)))
        offers &= ALPN_H1;
    ours = tls_alpn(offers);
    if (text_is_empty(ours))
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    if (SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_n,
                              (const unsigned char *)ours.at, (unsigned)ours.n, in,
                              in_n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    return SSL_TLSEXT_ERR_OK;
}

/* ---- what they are shown */

struct tls_server *
tls_server_new(void)
{
    struct tls_server *s = calloc(1, sizeof *s);

    assert(s != NULL);
    s->ctx = SSL_CTX_new(TLS_server_method());
    assert(s->ctx != NULL);
    tls_set_common(s->ctx);
    /* Otherwise a chain is looked for at every handshake. A leaf needs none; a gate's
     * file brings its own. */
    SSL_CTX_set_mode(s->ctx, SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_options(s->ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    /* One ticket, under a key of this context alone: any worker takes it, and it ends
     * with the generation. It proves nothing about who comes: the caller is looked up,
     * the name compared and the request judged as on any connection. Early data, which
     * could be replayed, is never taken. */
    SSL_CTX_set_num_tickets(s->ctx, 1);
    SSL_CTX_set_session_cache_mode(s->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(s->ctx, TLS_SESSION_LIFE_S);
    SSL_CTX_set_client_hello_cb(s->ctx, on_client_hello, NULL);
    SSL_CTX_set_alpn_select_cb(s->ctx, on_alpn, NULL);
    return s;
}

enum reason
tls_server_load(const char *certificate, const char *key_path, struct tls_server **out)
{
    enum reason why = REASON_FILE_CONTENT;
    struct tls_server *s = tls_server_new();
    struct key *key = NULL;

    *out = NULL;
    if (SSL_CTX_use_certificate_chain_file(s->ctx, certificate) != 1) {
        log_tls(why, "reading the certificate %s", certificate);
        goto done;
    }
    if ((why = key_load(key_path, &key)) != REASON_OK)
        goto done;
    if (SSL_CTX_use_PrivateKey(s->ctx, key_pkey(key)) != 1) {
        why = log_tls(REASON_FILE_CONTENT, "%s is not the key of %s", key_path,
                      certificate);
        goto done;
    }
    *out = s;
    s = NULL;
done:
    key_free(key);
    tls_server_free(s);
    return why;
}

void
tls_server_free(struct tls_server *s)
{
    if (s == NULL)
        return;
    SSL_CTX_free(s->ctx);
    trust_unref(s->clients);
    free(s);
}

struct tls *
tls_accept(struct tls_server *s, int fd, struct buf *early, enum alpn offers,
           tls_choose choose, void *owner)
{
    struct tls *t = tls_attach(s->ctx, fd);

    t->early = *early;
    *early = (struct buf){ 0 };
    t->offers = offers;
    t->choose = choose;
    t->owner = owner;
    SSL_set_accept_state(t->ssl);
    return t;
}
