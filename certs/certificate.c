/* The common part of our certificates. */
#include "certs/certificate.h"

#include <assert.h>
#include <openssl/asn1.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <time.h>

enum { SERIAL_SIZE = 16, VERSION_3 = 2 };

/* 126 random bits in 128: the top bits are fixed so that the number is positive and its
 * DER has no leading zero. Random, since browsers and NSS refuse a second certificate
 * with the serial of one they know from the same issuer. */
static bool
set_serial(X509 *x)
{
    unsigned char serial[SERIAL_SIZE];

    random_bytes(serial, sizeof serial);
    serial[0] = (unsigned char)((serial[0] & 0x7f) | 0x40);
    return ASN1_STRING_set(X509_get_serialNumber(x), serial, sizeof serial) == 1;
}

X509 *
certificate_new(struct validity v)
{
    X509 *x = X509_new();

    if (x != NULL && X509_set_version(x, VERSION_3) == 1 && set_serial(x) &&
        ASN1_TIME_set(X509_getm_notBefore(x), (time_t)v.from_s) != NULL &&
        ASN1_TIME_set(X509_getm_notAfter(x), (time_t)v.until_s) != NULL)
        return x;
    X509_free(x);
    return NULL;
}

bool
certificate_extend(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *e;
    bool ok;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ok = e != NULL && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    return ok;
}

static bool
seconds_of(const ASN1_TIME *t, int64_t *s)
{
    struct tm tm;

    if (ASN1_TIME_to_tm(t, &tm) != 1)
        return false;
    *s = (int64_t)timegm(&tm);
    return true;
}

bool
certificate_validity(const X509 *x, struct validity *v)
{
    return seconds_of(X509_get0_notBefore(x), &v->from_s) &&
           seconds_of(X509_get0_notAfter(x), &v->until_s);
}

void
certificate_thumbprint(const X509 *x, char out[SHA256_BASE64URL_SIZE])
{
    unsigned char digest[SHA256_SIZE];
    unsigned n = 0;
    int ok = X509_digest(x, EVP_sha256(), digest, &n);

    assert(ok == 1 && n == SHA256_SIZE);
    (void)base64url_encode(digest, SHA256_SIZE, out);
}

int
certificate_no_passphrase(char *out, int size, int writing, void *arg)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}
