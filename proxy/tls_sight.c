#include "proxy/tls_sight.h"

#include "proxy/knock.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>

static bool
shake_hands(SSL *ssl, int fd)
{
    int n;

    while ((n = SSL_connect(ssl)) != 1) {
        int wants = SSL_get_error(ssl, n);
        short events = wants == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN;

        if ((wants != SSL_ERROR_WANT_READ && wants != SSL_ERROR_WANT_WRITE) ||
            !knock_wait(fd, events, KNOCK_PATIENCE_MS))
            return false;
    }
    return true;
}

static void
keep(SSL *ssl, struct tls_sight *out)
{
    struct stack_st_X509 *chain = SSL_get_peer_cert_chain(ssl);

    out->leaf = SSL_get1_peer_certificate(ssl);
    out->chain = chain == NULL ? NULL : X509_chain_up_ref(chain);
}

bool
tls_sight_take(int fd, const char *name, struct tls_sight *out)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = context == NULL ? NULL : SSL_new(context);

    *out = (struct tls_sight){ 0 };
    if (ssl != NULL && SSL_set_fd(ssl, fd) == 1 &&
        SSL_set_tlsext_host_name(ssl, name) == 1 && shake_hands(ssl, fd))
        keep(ssl, out);
    SSL_free(ssl);
    SSL_CTX_free(context);
    ERR_clear_error();
    return out->leaf != NULL;
}

void
tls_sight_clear(struct tls_sight *s)
{
    X509_free(s->leaf);
    sk_X509_pop_free(s->chain, X509_free);
    *s = (struct tls_sight){ 0 };
}
