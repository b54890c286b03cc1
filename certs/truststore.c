/* Written by hand, from the inside out: OpenSSL would take each certificate apart to
 * put it together again, 20 ms of every start for the system's roots. */
#include "certs/truststore.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

/* DER (X.690): a tag, a length, what is in it. */
enum { SEQUENCE = 0x30, SET = 0x31, OCTETS = 0x04, TAGGED_0 = 0xa0 };

#define DER(bytes)   text_of(bytes, sizeof(bytes) - 1)
#define VERSION_3    DER("\x02\x01\x03")
#define OID_DATA     DER("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01")
#define OID_CERT_BAG DER("\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x03")
#define OID_X509     DER("\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x09\x16\x01")
/* Oracle's trustedKeyUsage, 2.16.840.1.113894.746875.1.1, of any usage: a certificate
 * without it is no trust anchor to Java. */
#define TRUSTED                                                                        \
    DER("\x31\x18\x30\x16\x06\x0c\x60\x86\x48\x01\x86\xf9\x66\xad\xca\x7b\x01\x01"     \
        "\x31\x06\x06\x04\x55\x1d\x25\x00")

static void
put_length(struct buf *out, size_t n)
{
    int octets = n > 0xffff ? 3 : n > 0xff ? 2 : 1;

    if (n > 0x7f)
        buf_add_byte(out, (char)(0x80 | octets));
    while (octets-- > 0)
        buf_add_byte(out, (char)(n >> (8 * octets)));
}

/* before and what is in *b become the contents of one value, which is *b then. */
static void
wrap(struct buf *b, int tag, struct text before)
{
    struct buf whole = { 0 };

    buf_add_byte(&whole, (char)tag);
    put_length(&whole, before.n + buf_length(b));
    buf_add(&whole, before);
    buf_add(&whole, buf_text(b));
    buf_free(b);
    *b = whole;
}

/* SafeBag (RFC 7292 section 4.2). */
static void
add_bag(struct buf *bags, struct text certificate)
{
    struct buf bag = { 0 };

    buf_add(&bag, certificate);
    wrap(&bag, OCTETS, TEXT(""));
    wrap(&bag, TAGGED_0, TEXT(""));
    wrap(&bag, SEQUENCE, OID_X509);
    wrap(&bag, TAGGED_0, TEXT(""));
    buf_add(&bag, TRUSTED);
    wrap(&bag, SEQUENCE, OID_CERT_BAG);
    buf_add(bags, buf_text(&bag));
    buf_free(&bag);
}

/* ContentInfo of the kind `data` (RFC 2315 section 8). */
static void
wrap_data(struct buf *b)
{
    wrap(b, SEQUENCE, TEXT(""));
    wrap(b, OCTETS, TEXT(""));
    wrap(b, TAGGED_0, TEXT(""));
    wrap(b, SEQUENCE, OID_DATA);
}

static bool
is_at_end(void)
{
    unsigned long last = ERR_peek_last_error();

    if (ERR_GET_LIB(last) != ERR_LIB_PEM || ERR_GET_REASON(last) != PEM_R_NO_START_LINE)
        return false;
    ERR_clear_error();
    return true;
}

static bool
add_certificates(struct buf *bags, struct text pem)
{
    BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.n);
    char *name, *fields;
    unsigned char *der;
    long n;

    while (bio != NULL && PEM_read_bio(bio, &name, &fields, &der, &n) == 1) {
        if (strcmp(name, PEM_STRING_X509) == 0)
            add_bag(bags, text_of((const char *)der, (size_t)n));
        OPENSSL_free(name);
        OPENSSL_free(fields);
        OPENSSL_free(der);
    }
    BIO_free(bio);
    return bio != NULL && is_at_end();
}

enum reason
truststore_make(struct text pem, struct buf *out)
{
    struct buf store = { 0 };
    enum reason why = REASON_INTERNAL;

    if (add_certificates(&store, pem)) {
        wrap_data(&store); /* SafeContents */
        wrap_data(&store); /* AuthenticatedSafe */
        wrap(&store, SEQUENCE, VERSION_3);
        buf_add(out, buf_text(&store));
        why = REASON_OK;
    }
    buf_free(&store);
    return why;
}
