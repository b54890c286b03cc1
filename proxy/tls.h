/* TLS on a socket, driven by plain readiness. OpenSSL's TLS has its one door here, and
 * behind it the tls_*.c files; its keys and certificates live in certs/. Clients are
 * shown a leaf chosen while their ClientHello is looked at; upstreams are always
 * verified. */
#ifndef PROXY_TLS_H
#define PROXY_TLS_H

#include "base/buf.h"
#include "base/host.h"
#include "base/reason.h"
#include "certs/client_identity.h"
#include "certs/pair.h"
#include "certs/trust.h"

#include <openssl/types.h>

struct tls;        /* one connection's */
struct tls_server; /* what clients are shown; one per generation or gate; shared by
                      reading, counted */
struct tls_client; /* what upstreams are verified against; one per trust store; likewise
                    */
struct tls_session; /* what a peer gave for a shorter handshake next time */

enum io {
    IO_OK,
    IO_WANT_READ,
    IO_WANT_WRITE,
    IO_ENDED, /* the peer said it will send no more */
    IO_CUT,   /* it stopped without saying so: what came may be truncated */
    IO_FAILED
};

/* What is offered, or was agreed on, to be spoken inside (RFC 7301). */
enum alpn { ALPN_H1 = 1, ALPN_H2 = 2, ALPN_BOTH = ALPN_H1 | ALPN_H2 };

/* Asked during the handshake, inside tls_handshake: `name` is the one host_name of the
 * server_name extension as sent, at NULL when there is none. Fills leaf and key (on
 * loan for the call) or refuses; a refusal ends the handshake. */
typedef enum reason (*tls_choose)(void *owner, struct text name, X509 **leaf,
                                  EVP_PKEY **key);

/* Shows what `choose` says. */
struct tls_server *tls_server_new(void);
/* Shows one certificate chain from PEM files (a gate's own). Logs the detail. */
MUST_USE enum reason tls_server_load(const char *certificate, const char *key,
                                     struct tls_server **out);
/* From now on clients are asked for a certificate, for TLS clients and by a CA of this
 * trust, which is taken over. They may show none. Before the first tls_accept. */
void tls_server_ask_clients(struct tls_server *s, struct trust *trust);
/* Whom it asks by; NULL: it asks for none. */
const struct trust *tls_server_clients(const struct tls_server *s);
void tls_server_free(struct tls_server *s);

struct tls_client *tls_client_new(struct trust *trust);
void tls_client_free(struct tls_client *c);

/* early: bytes already read from the socket; taken, and read before it. choose may be
 * NULL for a loaded server. Of what both sides offer, h2 goes first; it is not chosen
 * for a cipher suite that RFC 9113 forbids (section 9.2.2). A client that offers
 * nothing gets HTTP/1.1; one with whom there is nothing in common, an alert. */
struct tls *tls_accept(struct tls_server *s, int fd, struct buf *early,
                       enum alpn offers, tls_choose choose, void *owner);
/* The peer must show a valid certificate for `host` and choose of what is offered; one
 * that chooses nothing means HTTP/1.1. */
struct tls *tls_dial(struct tls_client *c, int fd, const struct host *host,
                     enum alpn offers);
/* Of a tls_dial: why its handshake fails is not logged. Who asks again and again has
 * said it once. */
void tls_quieten(struct tls *t);
/* What is read is wiped in OpenSSL's own buffer as soon as it was handed over: the last
 * record stands there in the clear otherwise, also when the connection is no more. */
void tls_wipe_behind(struct tls *t);
/* Before the handshake of a tls_dial: a peer that asks for a certificate is shown this
 * one. False, logged: OpenSSL does not take it. */
MUST_USE bool tls_show(struct tls *t, const struct pair *p);
/* After the handshake: it was, in this one or in the one that is resumed. A peer that
 * did not ask, or could not have verified ours, was shown nothing. */
bool tls_has_shown(const struct tls *t);
/* Before the handshake of a tls_dial: offers this session, which the same trust must
 * have verified for the same host; the peer may refuse it, and is verified anew then.
 */
void tls_resume(struct tls *t, const struct tls_session *s);
/* From now on the sessions of TLS 1.3 that the peer gives are `keep`'s to take over. It
 * is called from within tls_handshake and tls_read. */
void tls_keep_sessions(struct tls *t, void (*keep)(void *owner, struct tls_session *s),
                       void *owner);
/* Of a tls_accept, after the handshake: the client showed a certificate. */
bool tls_client_showed(const struct tls *t);
/* Whom it names, now the caller's; NULL: it showed none, or it does not verify by this
 * trust, which need not be that of the handshake: logged. */
struct client_identity *tls_read_client(const struct tls *t, const struct trust *by);
/* The handshake was a shorter one. */
bool tls_is_resumed(const struct tls *t);

void tls_session_free(struct tls_session *s);
/* Not an hour old yet, and the certificate it rests on is still valid: nobody looks at
 * that again when a session is resumed. */
bool tls_session_is_fresh(const struct tls_session *s, int64_t now_s);

/* Sends nothing; tls_shutdown first for a clean end. */
void tls_free(struct tls *t);

/* IO_OK: done. After IO_FAILED tls_why says why and the detail is logged. */
enum io tls_handshake(struct tls *t);
/* Of reading and writing too, where the peer did not want our certificate, or wanted
 * one (in TLS 1.3 it says so when the handshake is over for us); else REASON_OK. */
enum reason tls_why(const struct tls *t);

/* n is at least 1 with IO_OK. */
enum io tls_read(struct tls *t, char *at, size_t room, size_t *n);
/* More can be read at once, without the socket becoming readable. */
bool tls_has_pending(const struct tls *t);
/* more: another record follows at once, and the kernel may put them into one segment.
 * The last one has to be told as such. */
enum io tls_write(struct tls *t, const char *at, size_t length, bool more, size_t *n);
/* Says that we send no more. False: not yet, the socket is full. */
bool tls_shutdown(struct tls *t);
const char *tls_version(const struct tls *t);
/* After the handshake: ALPN_H1 or ALPN_H2. This connection's own: a session that is
 * resumed brings none along. */
enum alpn tls_protocol(const struct tls *t);

#endif
