#include "proxy/tls.h"

#include "base/log.h"
#include "base/secret.h"
#include "certs/key.h"

#include <assert.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Post-handshake messages that one connection may send in its life: tickets, key
 * updates. Each costs us a key derivation and no application byte has to come between
 * them. */
enum { CHATTER_MAX = 128 };

enum { SESSION_LIFE_S = 60 * 60 };

/* What one system call may bring: four records with their frames, when they are there.
 */
enum { READ_AHEAD = 68 * 1024 };

static const char suites[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

struct tls {
    SSL *ssl;
    unsigned chatter;
    bool is_shaken; /* the handshake is over */
    int fd;
    bool dialled;
    bool more_follows; /* the record being written is not the last for now */
    struct buf early;  /* read from the socket before TLS began */
    tls_choose choose;
    void (*keep)(void *owner, struct tls_session *s);
    void *owner; /* of choose or of keep */
    enum reason why;
};

struct tls_server {
    SSL_CTX *ctx;
};

struct tls_client {
    SSL_CTX *ctx;
    struct trust *trust;
};

/* ---- the socket, as OpenSSL reads it: bytes read early first, and never a SIGPIPE */

static int
socket_read(BIO *b, char *at, size_t room, size_t *n)
{
    struct tls *t = BIO_get_data(b);
    size_t waiting = buf_length(&t->early);
    ssize_t got;

    BIO_clear_retry_flags(b);
    *n = 0;
    if (t->chatter > CHATTER_MAX)
        return 0; /* read as a failed socket: the connection ends */
    if (waiting > 0) {
        *n = waiting < room ? waiting : room;
        memcpy(at, buf_text(&t->early).at, *n);
        buf_drop(&t->early, *n);
        return 1;
    }
    do
        got = recv(t->fd, at, room, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_read(b);
    if (got == 0)
        BIO_set_flags(b, BIO_FLAGS_IN_EOF);
    *n = got > 0 ? (size_t)got : 0;
    return got > 0;
}

static int
socket_write(BIO *b, const char *at, size_t length, size_t *n)
{
    struct tls *t = BIO_get_data(b);
    ssize_t put;

    BIO_clear_retry_flags(b);
    do
        put = send(t->fd, at, length, MSG_NOSIGNAL | (t->more_follows ? MSG_MORE : 0));
    while (put < 0 && errno == EINTR);
    if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_write(b);
    *n = put > 0 ? (size_t)put : 0;
    return put > 0;
}

static long
socket_control(BIO *b, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0;
    return command == BIO_CTRL_FLUSH;
}

static int
socket_create(BIO *b)
{
    BIO_set_init(b, 1);
    return 1;
}

static BIO_METHOD *method;

static void
make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
                          "holdfast socket");
    assert(method != NULL);
    BIO_meth_set_read_ex(method, socket_read);
    BIO_meth_set_write_ex(method, socket_write);
    BIO_meth_set_ctrl(method, socket_control);
    BIO_meth_set_create(method, socket_create);
}

static struct tls *
attach(SSL_CTX *ctx, int fd)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct tls *t = calloc(1, sizeof *t);
    BIO *bio;

    pthread_once(&once, make_method);
    assert(t != NULL);
    t->fd = fd;
    t->ssl = SSL_new(ctx);
    bio = BIO_new(method);
    assert(t->ssl != NULL && bio != NULL);
    BIO_set_data(bio, t);
    SSL_set_bio(t->ssl, bio, bio);
    return t;
}

/* Asked of the socket, which knows already: OpenSSL's own place for it would be two
 * blocks of memory for each connection. */
static struct tls *
tls_of(const SSL *ssl)
{
    return BIO_get_data(SSL_get_rbio(ssl));
}

/* ---- towards clients */

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

/* HTTP/1.1 alone, until the other codec is there. A client that offers nothing gets it
 * as well. */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
        const unsigned char *in, unsigned in_n, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_n, ours,
                              sizeof ours - 1, in, in_n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    return SSL_TLSEXT_ERR_OK;
}

static void
on_message(int is_sent, int version, int type, const void *at, size_t n, SSL *ssl,
           void *arg)
{
    struct tls *t = tls_of(ssl);

    (void)version;
    (void)at;
    (void)n;
    (void)arg;
    if (type == SSL3_RT_HANDSHAKE && !is_sent && t->is_shaken)
        t->chatter++;
}

/* X25519 before P-256: the latter costs 670,000 instructions more per handshake in
 * OpenSSL 3.0. AES-128 before AES-256: it is as strong as the P-256 keys that vouch for
 * both ends, a quarter faster over a long body, and its hash takes half the memory in
 * every connection. */
static void
set_common(SSL_CTX *ctx)
{
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_default_read_buffer_len(ctx, READ_AHEAD);
    assert(SSL_CTX_set_ciphersuites(ctx, suites) == 1);
    SSL_CTX_set_msg_callback(ctx, on_message);
    assert(SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") == 1);
}

static struct tls_server *
make_server(void)
{
    struct tls_server *s = calloc(1, sizeof *s);

    assert(s != NULL);
    s->ctx = SSL_CTX_new(TLS_server_method());
    assert(s->ctx != NULL);
    set_common(s->ctx);
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
    SSL_CTX_set_timeout(s->ctx, SESSION_LIFE_S);
    SSL_CTX_set_client_hello_cb(s->ctx, on_client_hello, NULL);
    SSL_CTX_set_alpn_select_cb(s->ctx, on_alpn, NULL);
    return s;
}

struct tls_server *
tls_server_new(void)
{
    return make_server();
}

enum reason
tls_server_load(const char *certificate, const char *key_path, struct tls_server **out)
{
    enum reason why = REASON_FILE_CONTENT;
    struct tls_server *s = make_server();
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
    free(s);
}

struct tls *
tls_accept(struct tls_server *s, int fd, struct buf *early, tls_choose choose,
           void *owner)
{
    struct tls *t = attach(s->ctx, fd);

    t->early = *early;
    *early = (struct buf){ 0 };
    t->choose = choose;
    t->owner = owner;
    SSL_set_accept_state(t->ssl);
    return t;
}

/* ---- towards upstreams */

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

    return age_s >= 0 && age_s < SESSION_LIFE_S && peer != NULL &&
           X509_cmp_time(X509_get0_notAfter(peer), &now) > 0;
}

struct tls_client *
tls_client_new(struct trust *trust)
{
    struct tls_client *c = calloc(1, sizeof *c);

    assert(c != NULL);
    c->trust = trust;
    c->ctx = SSL_CTX_new(TLS_client_method());
    assert(c->ctx != NULL);
    set_common(c->ctx);
    SSL_CTX_set1_cert_store(c->ctx, trust_store(trust));
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
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
tls_dial(struct tls_client *c, int fd, const struct host *host)
{
    static const unsigned char ours[] = "\x08http/1.1";
    struct tls *t = attach(c->ctx, fd);

    t->dialled = true;
    SSL_set_alpn_protos(t->ssl, ours, sizeof ours - 1);
    expect_host(t->ssl, host);
    SSL_set_connect_state(t->ssl);
    return t;
}

/* ---- both */

void
tls_free(struct tls *t)
{
    if (t == NULL)
        return;
    SSL_free(t->ssl);
    buf_free(&t->early);
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

static enum reason
explain_failure(struct tls *t)
{
    long verdict = SSL_get_verify_result(t->ssl);

    if (t->why != REASON_OK)
        return t->why; /* the ClientHello was refused: said already */
    if (!t->dialled)
        return REASON_CLIENT_TLS;
    if (verdict == X509_V_OK)
        return log_tls(REASON_UPSTREAM_TLS, "handshake with an upstream");
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
        return IO_OK;
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
    if (io >= IO_ENDED)
        forget_errors();
    return io;
}

bool
tls_has_pending(const struct tls *t)
{
    return SSL_has_pending(t->ssl) == 1 || buf_length(&t->early) > 0;
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

void
tls_shutdown(struct tls *t)
{
    if (SSL_is_init_finished(t->ssl))
        SSL_shutdown(t->ssl);
    forget_errors();
}

const char *
tls_version(const struct tls *t)
{
    return SSL_get_version(t->ssl);
}
