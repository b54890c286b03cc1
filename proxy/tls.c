#include "proxy/tls.h"

#include "base/log.h"
#include "proxy/tls_parts.h"

#include <assert.h>
#include <openssl/err.h>
#include <stdlib.h>

static const char suites[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

/* ---- what both sides are */

static void
on_message(int is_sent, int version, int type, const void *at, size_t n, SSL *ssl,
           void *arg)
{
    struct tls *t = tls_of(ssl);

    (void)version;
    (void)arg;
    if (type != SSL3_RT_HANDSHAKE)
        return;
    if (!is_sent && t->is_shaken)
        t->chatter++;
    if (t->dialled)
        tls_note_certificates(t, is_sent != 0, at, n);
}

/* X25519 before P-256: the latter costs 670,000 instructions more per handshake in
 * OpenSSL 3.0. AES-128 before AES-256: it is as strong as the P-256 keys that vouch for
 * both ends, a quarter faster over a long body, and its hash takes half the memory in
 * every connection. */
void
tls_set_common(SSL_CTX *ctx)
{
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    assert(SSL_CTX_set_ciphersuites(ctx, suites) == 1);
    SSL_CTX_set_msg_callback(ctx, on_message);
    assert(SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") == 1);
}

/* ---- what is spoken inside */

struct text
tls_alpn(enum alpn offers)
{
    static const struct text spelt[] = {
        [ALPN_H1] = { "\x08http/1.1", 9 },
        [ALPN_H2] = { "\x02h2", 3 },
        [ALPN_BOTH] = { "\x02h2\x08http/1.1", 12 },
    };

    return spelt[offers];
}

bool
tls_suits_h2(int version, const SSL_CIPHER *suite)
{
    int agreed_by = suite != NULL ? SSL_CIPHER_get_kx_nid(suite) : NID_undef;

    return version >= TLS1_3_VERSION ||
           ((agreed_by == NID_kx_ecdhe || agreed_by == NID_kx_dhe) &&
            SSL_CIPHER_is_aead(suite) == 1);
}

static struct text
chosen(const struct tls *t)
{
    const unsigned char *at;
    unsigned n;

    SSL_get0_alpn_selected(t->ssl, &at, &n);
    return text_of((const char *)at, n);
}

enum alpn
tls_protocol(const struct tls *t)
{
    return text_equals(chosen(t), TEXT("h2")) ? ALPN_H2 : ALPN_H1;
}

/* OpenSSL looks neither at whether we offered what an upstream chose nor at what may
 * carry it. */
static enum reason
judge_protocol(const struct tls *t)
{
    struct text name = chosen(t);

    if ((t->offers & tls_protocol(t)) == 0)
        return text_is_empty(name) ? REASON_UPSTREAM_PROTOCOL : REASON_UPSTREAM_TLS;
    if (tls_protocol(t) == ALPN_H1)
        return text_is_empty(name) || text_equals(name, TEXT("http/1.1"))
                   ? REASON_OK
                   : REASON_UPSTREAM_TLS;
    return tls_suits_h2(SSL_version(t->ssl), SSL_get_current_cipher(t->ssl))
               ? REASON_OK
               : REASON_UPSTREAM_TLS;
}

/* ---- what both do */

void
tls_free(struct tls *t)
{
    if (t == NULL)
        return;
    SSL_free(t->ssl);
    buf_free(&t->early);
    tls_forget_ahead(t);
    ERR_clear_error();
    free(t);
}

/* SSL_get_error looks into the thread's queue of errors: what another call left there
 * would end an innocent connection. Clearing an empty queue costs as much as a full
 * one, so look first. */
static void
forget_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

static enum io
wants(struct tls *t, int result)
{
    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return IO_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return IO_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return IO_ENDED;
    case SSL_ERROR_SSL:
        if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
            return IO_CUT;
        return IO_FAILED;
    default:
        return IO_FAILED;
    }
}

/* What an upstream says of our offer, or leaves unsaid. */
static bool
is_about_protocol(void)
{
    return ERR_GET_REASON(ERR_peek_error()) ==
           SSL_AD_REASON_OFFSET + SSL_AD_NO_APPLICATION_PROTOCOL;
}

static enum reason
explain_failure(struct tls *t)
{
    long verdict = SSL_get_verify_result(t->ssl);
    enum reason why = tls_judge_alert(t);

    if (why == REASON_OK)
        why = is_about_protocol() ? REASON_UPSTREAM_PROTOCOL : REASON_UPSTREAM_TLS;

    if (t->why != REASON_OK)
        return t->why; /* the ClientHello was refused: said already */
    if (!t->dialled)
        return tls_judge_client(t);
    if (t->is_quiet)
        return verdict == X509_V_OK ? why : REASON_UPSTREAM_CERTIFICATE;
    if (verdict == X509_V_OK)
        return log_tls(why, "handshake with an upstream");
    return log_tls(REASON_UPSTREAM_CERTIFICATE, "an upstream's certificate: %s",
                   X509_verify_cert_error_string(verdict));
}

/* Frees what the key holds; the SSL keeps the empty shell. */
static void
empty_key(EVP_PKEY *key)
{
    int ok = EVP_PKEY_set_type(key, EVP_PKEY_get_base_id(key));

    assert(ok == 1);
    EVP_PKEY_free(key);
}

/* What the handshake agreed on its secrets with is of no more use, but OpenSSL would
 * keep it as long as the connection lives: our private half, from which who finds it in
 * our memory reads all that was said, and half a KiB. */
static void
forget_key_shares(SSL *ssl)
{
    EVP_PKEY *key;

    if (SSL_get_tmp_key(ssl, &key) == 1)
        empty_key(key);
    if (SSL_get_peer_tmp_key(ssl, &key) == 1)
        empty_key(key);
}

/* What a client offers was looked at when one was chosen for it. */
static enum io
agree(struct tls *t)
{
    if (t->dialled)
        t->why = judge_protocol(t);
    if (t->why == REASON_OK)
        return IO_OK;
    if (!t->is_quiet)
        (void)log_reason(t->why, "an upstream chose \"%.*s\"", TEXT_ARG(chosen(t)));
    return IO_FAILED;
}

enum io
tls_handshake(struct tls *t)
{
    enum io io;
    int result;

    forget_errors();
    result = SSL_do_handshake(t->ssl);
    t->is_shaken = result == 1;
    if (result == 1) {
        forget_key_shares(t->ssl);
        return agree(t);
    }
    io = wants(t, result);
    if (io == IO_WANT_READ || io == IO_WANT_WRITE)
        return io;
    t->why = explain_failure(t);
    forget_errors();
    return IO_FAILED;
}

enum reason
tls_why(const struct tls *t)
{
    return t->why;
}

enum io
tls_read(struct tls *t, char *at, size_t room, size_t *n)
{
    enum io io;

    *n = 0;
    forget_errors();
    if (SSL_read_ex(t->ssl, at, room, n) == 1)
        return IO_OK;
    io = wants(t, 0);
    if (io == IO_FAILED)
        tls_note_alert(t);
    if (io >= IO_ENDED)
        forget_errors();
    return io;
}

bool
tls_has_pending(const struct tls *t)
{
    return SSL_has_pending(t->ssl) == 1 || buf_length(&t->early) > 0 ||
           t->ahead != NULL;
}

enum io
tls_write(struct tls *t, const char *at, size_t length, bool more, size_t *n)
{
    enum io io;

    *n = 0;
    t->more_follows = more;
    forget_errors();
    io = SSL_write_ex(t->ssl, at, length, n) == 1 ? IO_OK : wants(t, 0);
    t->more_follows = false;
    if (io >= IO_ENDED)
        forget_errors();
    return io;
}

bool
tls_shutdown(struct tls *t)
{
    bool is_full = false;
    int said;

    if (SSL_is_init_finished(t->ssl)) {
        said = SSL_shutdown(t->ssl);
        is_full = said < 0 && SSL_get_error(t->ssl, said) == SSL_ERROR_WANT_WRITE;
    }
    forget_errors();
    return !is_full;
}

const char *
tls_version(const struct tls *t)
{
    return SSL_get_version(t->ssl);
}
