/* Our own certificate, shown to a service that asks for one. OpenSSL sends an empty
 * list of certificates where it finds that the service cannot verify ours, and says so
 * to nobody: whether ours was shown is read from what was sent. In TLS 1.3 the
 * service's verdict comes when the handshake is over for us, with whatever is read
 * next. */
#include "proxy/tls_parts.h"

#include "base/log.h"

#include <openssl/err.h>

enum { HANDSHAKE_HEAD = 4, LIST_LENGTH = 3 };

bool
tls_show(struct tls *t, const struct pair *p)
{
    if (SSL_use_cert_and_key(t->ssl, pair_leaf(p), pair_key(p), pair_chain(p), 1) !=
        1) {
        (void)log_tls(REASON_CREDENTIAL_UNAVAILABLE,
                      "the client certificate %s cannot be shown", pair_thumbprint(p));
        return false;
    }
    t->may_show = true;
    return true;
}

bool
tls_has_shown(const struct tls *t)
{
    return t->may_show && (t->has_shown || tls_is_resumed(t));
}

/* RFC 8446 section 4.4.2; in TLS 1.2 there is no context before the list. */
static bool
holds_a_certificate(int version, size_t n)
{
    size_t empty = HANDSHAKE_HEAD + LIST_LENGTH + (version >= TLS1_3_VERSION ? 1 : 0);

    return n > empty;
}

void
tls_note_certificates(struct tls *t, bool is_sent, const unsigned char *at, size_t n)
{
    if (n < HANDSHAKE_HEAD)
        return;
    if (!is_sent && at[0] == SSL3_MT_CERTIFICATE_REQUEST)
        t->is_asked = true;
    if (is_sent && at[0] == SSL3_MT_CERTIFICATE)
        t->has_shown = holds_a_certificate(SSL_version(t->ssl), n);
}

/* Alerts by which a peer that asked for a certificate says what it thinks of ours, or
 * of there being none: OpenSSL's numbers for those that came. */
static bool
is_about_certificate(int reason)
{
    switch (reason - SSL_AD_REASON_OFFSET) {
    case SSL_AD_HANDSHAKE_FAILURE:
    case SSL3_AD_NO_CERTIFICATE:
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_DECRYPT_ERROR:
    case SSL_AD_CERTIFICATE_REQUIRED:
        return true;
    default:
        return false;
    }
}

enum reason
tls_judge_alert(const struct tls *t)
{
    if (!t->is_asked || !is_about_certificate(ERR_GET_REASON(ERR_peek_error())))
        return REASON_OK;
    return t->has_shown ? REASON_CLIENT_CERTIFICATE_REFUSED
                        : REASON_CLIENT_CERTIFICATE_WANTED;
}

void
tls_note_alert(struct tls *t)
{
    enum reason why = t->dialled && t->why == REASON_OK ? tls_judge_alert(t)
                                                        : REASON_OK;

    if (why == REASON_OK)
        return;
    t->why = why;
    if (!t->is_quiet)
        (void)log_tls(why, "an upstream's verdict on our certificate");
}
