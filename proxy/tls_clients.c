/* Clients' own certificates, at a gate that asks for them. Who shows one that does not
 * verify is not served; who shows none goes on without. Nobody is known by a session:
 * who was verified once gets no ticket, and is verified again, against whom is trusted
 * then.
 */
#include "proxy/tls_parts.h"

#include "base/log.h"

#include <assert.h>
#include <openssl/x509v3.h>

/* So many CAs are named to a client that has several certificates to choose from: the
 * list is sent in every handshake. */
enum { NAMED_MAX = 16 };

static void
name_trusted(SSL_CTX *ctx, const struct trust *trust)
{
    STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(trust_store(trust));
    int n = sk_X509_OBJECT_num(all);

    for (int i = 0; n <= NAMED_MAX && i < n; i++) {
        X509 *x = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));

        if (x != NULL)
            (void)SSL_CTX_add_client_CA(ctx, x);
    }
}

/* Asked about each certificate of a chain while it is verified, before tickets are
 * sent.
 */
static int
on_verify(int ok, X509_STORE_CTX *ctx)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());

    (void)SSL_set_num_tickets(ssl, 0);
    return ok;
}

void
tls_server_ask_clients(struct tls_server *s, struct trust *trust)
{
    static const unsigned char context[] = "holdfast";
    int ok;

    assert(s->clients == NULL);
    s->clients = trust;
    SSL_CTX_set1_cert_store(s->ctx, trust_store(trust));
    SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER, on_verify);
    name_trusted(s->ctx, trust);
    /* Without one a client that asks for a shorter handshake would get none at all. */
    ok = SSL_CTX_set_session_id_context(s->ctx, context, sizeof context);
    assert(ok == 1);
}

const struct trust *
tls_server_clients(const struct tls_server *s)
{
    return s->clients;
}

bool
tls_client_showed(const struct tls *t)
{
    return SSL_get0_peer_certificate(t->ssl) != NULL;
}

/* As OpenSSL itself does it in the handshake. */
static bool
verify(X509_STORE_CTX *ctx, const struct tls *t, const struct trust *by)
{
    return X509_STORE_CTX_init(ctx, trust_store(by), SSL_get0_peer_certificate(t->ssl),
                               SSL_get_peer_cert_chain(t->ssl)) == 1 &&
           X509_STORE_CTX_set_default(ctx, "ssl_client") == 1 &&
           X509_verify_cert(ctx) == 1;
}

struct client_identity *
tls_read_client(const struct tls *t, const struct trust *by)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    struct client_identity *who = NULL;

    assert(ctx != NULL);
    if (!tls_client_showed(t))
        goto done;
    if (verify(ctx, t, by))
        who = client_identity_read(X509_STORE_CTX_get0_chain(ctx));
    else
        (void)log_tls(REASON_CLIENT_CERTIFICATE_UNTRUSTED, "a client's certificate: %s",
                      X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
done:
    X509_STORE_CTX_free(ctx);
    return who;
}

enum reason
tls_judge_client(const struct tls *t)
{
    long verdict = SSL_get_verify_result(t->ssl);

    if (verdict == X509_V_OK)
        return REASON_CLIENT_TLS;
    return log_tls(REASON_CLIENT_CERTIFICATE_UNTRUSTED, "a client's certificate: %s",
                   X509_verify_cert_error_string(verdict));
}
