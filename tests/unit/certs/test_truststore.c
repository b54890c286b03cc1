/* certs/truststore.c: byte for byte what OpenSSL's own PKCS #12 writes. */
#include "certs/truststore.h"

#include "base/file.h"
#include "certs/ca.h"
#include "tests/unit/certs/scratch.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#define YEAR_MS (INT64_C(365) * 86400 * 1000)

static struct ca *
open_ca(const char *name, struct buf *pem)
{
    char file[64];
    struct ca *ca;

    assert_int_equal(ca_open(in_scratch(name), YEAR_MS, &ca), REASON_OK);
    snprintf(file, sizeof file, "%s/ca.pem", name);
    assert_int_equal(file_read(in_scratch(file), 1 << 16, pem), REASON_OK);
    return ca;
}

static PKCS12_SAFEBAG *
bag_of(X509 *x)
{
    PKCS12_SAFEBAG *bag = PKCS12_SAFEBAG_create_cert(x);

    assert_non_null(bag);
    assert_int_equal(
        PKCS12_add1_attr_by_txt(bag, "2.16.840.1.113894.746875.1.1", V_ASN1_OBJECT,
                                (const void *)OBJ_nid2obj(NID_anyExtendedKeyUsage), -1),
        1);
    return bag;
}

static void
write_by_openssl(X509 *x, size_t times, struct buf *out)
{
    STACK_OF(PKCS12_SAFEBAG) *bags = sk_PKCS12_SAFEBAG_new_null();
    STACK_OF(PKCS7) *safes = sk_PKCS7_new_null();
    PKCS12 *store = PKCS12_init(NID_pkcs7_data);
    unsigned char *der = NULL;
    int n;

    for (size_t i = 0; i < times; i++)
        assert_true(sk_PKCS12_SAFEBAG_push(bags, bag_of(x)) > 0);
    assert_true(sk_PKCS7_push(safes, PKCS12_pack_p7data(bags)) > 0);
    assert_int_equal(PKCS12_pack_authsafes(store, safes), 1);
    assert_true((n = i2d_PKCS12(store, &der)) > 0);
    buf_add(out, text_of((const char *)der, (size_t)n));
    OPENSSL_free(der);
    PKCS12_free(store);
    sk_PKCS7_pop_free(safes, PKCS7_free);
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
}

/* 0, 1 and so many that each length of a length is met. */
static void
a_store_is_what_openssl_would_write(void **state)
{
    static const size_t times[] = { 0, 1, 2, 120, 300 };

    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct buf one = { 0 }, pem = { 0 }, ours = { 0 }, theirs = { 0 };
        struct ca *ca = open_ca("a", &one);

        for (size_t n = 0; n < times[i]; n++)
            buf_add(&pem, buf_text(&one));
        assert_int_equal(truststore_make(buf_text(&pem), &ours), REASON_OK);
        write_by_openssl(ca_certificate(ca), times[i], &theirs);
        assert_true(text_equals(buf_text(&ours), buf_text(&theirs)));
        ca_free(ca);
        buf_free(&one);
        buf_free(&pem);
        buf_free(&ours);
        buf_free(&theirs);
    }
}

static void
a_key_never_gets_into_it(void **state)
{
    struct buf pem = { 0 }, alone = { 0 }, with = { 0 };

    (void)state;
    ca_free(open_ca("a", &pem));
    assert_int_equal(truststore_make(buf_text(&pem), &alone), REASON_OK);
    assert_int_equal(file_read(in_scratch("a/ca.key"), 1 << 16, &pem), REASON_OK);
    assert_int_equal(truststore_make(buf_text(&pem), &with), REASON_OK);
    assert_true(text_equals(buf_text(&alone), buf_text(&with)));
    buf_free(&pem);
    buf_free(&alone);
    buf_free(&with);
}

static void
what_is_cut_off_makes_none(void **state)
{
    struct buf pem = { 0 }, out = { 0 };

    (void)state;
    ca_free(open_ca("a", &pem));
    assert_int_equal(
        truststore_make(text_of(buf_text(&pem).at, buf_length(&pem) / 2), &out),
        REASON_INTERNAL);
    assert_int_equal(buf_length(&out), 0);
    ERR_clear_error();
    buf_free(&pem);
    buf_free(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_store_is_what_openssl_would_write),
        SCRATCH_TEST(a_key_never_gets_into_it),
        SCRATCH_TEST(what_is_cut_off_makes_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
