/* What a TLS connection is made of, for the files behind tls.h: tls_server.c and
 * tls_client.c begin one, tls_socket.c is the socket as OpenSSL reads it, and tls.c is
 * what both sides do alike. */
#ifndef PROXY_TLS_PARTS_H
#define PROXY_TLS_PARTS_H

#include "proxy/tls.h"

#include <openssl/bio.h>
#include <openssl/ssl.h>

/* Post-handshake messages that one connection may send in its life: tickets, key
 * updates. Each costs us a key derivation and no application byte has to come between
 * them. */
enum { TLS_CHATTER_MAX = 128 };

enum { TLS_SESSION_LIFE_S = 60 * 60 };

struct tls {
    SSL *ssl;
    unsigned chatter;
    bool is_shaken; /* the handshake is over */
    int fd;
    bool dialled;
    enum alpn offers;
    bool may_show;     /* dialled: it has a certificate of ours, … */
    bool is_asked;     /* … the peer asked for one, … */
    bool has_shown;    /* … and was sent it in this handshake */
    bool is_quiet;     /* its failure is not logged */
    bool more_follows; /* the record being written is not the last for now */
    struct buf early;  /* read from the socket before TLS began */
    char *ahead;       /* what OpenSSL has not asked for yet; NULL: nothing */
    size_t ahead_at, ahead_end;
    tls_choose choose;
    void (*keep)(void *owner, struct tls_session *s);
    void *owner; /* of choose or of keep */
    enum reason why;
};

struct tls_server {
    SSL_CTX *ctx;
    struct trust *clients; /* by which they are asked for certificates; NULL: they are
                              not */
};

struct tls_client {
    SSL_CTX *ctx;
    struct trust *trust;
};

/* What was read ahead goes. */
void tls_forget_ahead(struct tls *t);
/* On this socket, which stays the caller's. */
struct tls *tls_attach(SSL_CTX *ctx, int fd);

/* Asked of the socket, which knows already: OpenSSL's own place for it would be two
 * blocks of memory for each connection. */
static inline struct tls *
tls_of(const SSL *ssl)
{
    return BIO_get_data(SSL_get_rbio(ssl));
}

/* tls_pair.c. A handshake message of a connection that we dialled. */
void tls_note_certificates(struct tls *t, bool is_sent, const unsigned char *at,
                           size_t n);
/* What OpenSSL's first error says of our certificate, or of our having none; REASON_OK:
 * nothing. */
enum reason tls_judge_alert(const struct tls *t);
/* The same of what reading or writing ended with: noted, and logged. */
void tls_note_alert(struct tls *t);

/* tls_clients.c. Why a client's handshake has failed. */
enum reason tls_judge_client(const struct tls *t);

/* As ALPN spells it. */
struct text tls_alpn(enum alpn offers);
/* Of TLS 1.2 HTTP/2 goes only over suites with fresh keys and AEAD: all that RFC 9113's
 * appendix A forbids lack one of them. */
bool tls_suits_h2(int version, const SSL_CIPHER *suite);

/* What is the same towards clients and upstreams. */
void tls_set_common(SSL_CTX *ctx);

#endif
