/* certs/pair.c: what is taken for a client certificate and its key, and what is not. */
#include "certs/pair.h"

#include "certs/certificate.h"
#include "tests/unit/certs/scratch.h"
#include "tests/unit/tokens/published.h"

#include <openssl/pem.h>

static struct buf fault;

static int
begin(void **state)
{
    return scratch_begin(state);
}

static int
end(void **state)
{
    buf_free(&fault);
    return scratch_end(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

/* In the scratch directory, by openssl. */
static void
make(const char *command)
{
    assert_int_equal(run("cd %s && %s 2>openssl.log", scratch, command), 0);
}

static enum reason
read_pair(const char *chain, const char *key, struct pair **out)
{
    char *c = read_text(in_scratch(chain)), *k = read_text(in_scratch(key));
    enum reason why;

    buf_free(&fault);
    why = pair_from_pem(text_z(c), text_z(k), &fault, out);
    buf_add_byte(&fault, '\0');
    free(c);
    free(k);
    return why;
}

static void
assert_refused(const char *chain, const char *key, const char *said)
{
    struct pair *p;

    if (read_pair(chain, key, &p) != REASON_FILE_CONTENT)
        fail_msg("%s with %s: it was taken", chain, key);
    assert_null(p);
    if (strstr(buf_text(&fault).at, said) == NULL)
        fail_msg("%s with %s: it says: %s", chain, key, buf_text(&fault).at);
}

#define EC          "-newkey ec -pkeyopt ec_paramgen_curve:P-256 "
#define SELF_SIGNED "openssl req -x509 -nodes -subj /CN=a -days 30 -keyout k -out c "

static const char *const kinds_taken[] = {
    SELF_SIGNED EC,
    SELF_SIGNED "-newkey ec -pkeyopt ec_paramgen_curve:P-384",
    SELF_SIGNED "-newkey ed25519",
    SELF_SIGNED "-newkey rsa:2048",
    SELF_SIGNED "-newkey rsa:2048 -addext extendedKeyUsage=serverAuth,clientAuth",
};

static void
each_kind_of_key_that_tls_signs_with_makes_a_pair(void **state)
{
    struct pair *p;

    (void)state;
    for (size_t i = 0; i < sizeof kinds_taken / sizeof *kinds_taken; i++) {
        make(kinds_taken[i]);
        if (read_pair("c", "k", &p) != REASON_OK)
            fail_msg("%s: %s", kinds_taken[i], buf_text(&fault).at);
        assert_int_equal(strlen(pair_thumbprint(p)), 43);
        assert_int_equal(X509_check_private_key(pair_leaf(p), pair_key(p)), 1);
        pair_unref(p);
    }
    pair_unref(NULL);
}

static const struct {
    const char *made_by, *said;
} kinds_refused[] = {
    { SELF_SIGNED "-newkey rsa:1024", "of a kind that is not taken" },
    { SELF_SIGNED "-newkey ec -pkeyopt ec_paramgen_curve:P-521",
      "of a kind that is not taken" },
    { SELF_SIGNED "-newkey ec -pkeyopt ec_paramgen_curve:secp256k1",
      "of a kind that is not taken" },
    { SELF_SIGNED "-newkey ed448", "of a kind that is not taken" },
    { SELF_SIGNED EC "-addext extendedKeyUsage=serverAuth", "not one for TLS clients" },
    { SELF_SIGNED EC "-addext keyUsage=keyCertSign", "not one for TLS clients" },
    { SELF_SIGNED "-newkey rsa:2048 && openssl ec -aes128 -passout pass:x -in k -out K "
                  "&& mv K k",
      "without passphrase" },
    { SELF_SIGNED EC "&& openssl ecparam -name prime256v1 -genkey -out k",
      "not the certificate's" },
    { SELF_SIGNED EC "&& echo nothing >k", "not a private key in PEM" },
    { SELF_SIGNED EC "&& echo nothing >c", "the certificate is not one" },
    { SELF_SIGNED EC "&& : >c", "the certificate is not one" },
    { SELF_SIGNED EC "&& head -3 c >C && cat c C >d && mv d c",
      "of the chain cannot be read" },
    { SELF_SIGNED EC "&& for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 "
                     "17; do cat c; done >d && mv d c",
      "too long" },
};

static void
what_tls_could_not_show_is_refused_and_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds_refused / sizeof *kinds_refused; i++) {
        make(kinds_refused[i].made_by);
        assert_refused("c", "k", kinds_refused[i].said);
    }
}

/* The public half of the file agrees with the certificate; the private one does not. */
static void
a_private_half_that_is_another_s_is_refused(void **state)
{
    (void)state;
    make(SELF_SIGNED EC);
    /* RFC 5915: 30 77 02 01 01 04 20 <the scalar>: its last byte is another. */
    make("openssl ec -in k -outform DER -out k.der && "
         "tail -c +40 k.der >tail && head -c 38 k.der >d && "
         "head -c 39 k.der | tail -c 1 | tr '\\000-\\377' '\\001-\\377\\000' >>d && "
         "cat tail >>d && "
         "(echo -----BEGIN EC PRIVATE KEY-----; base64 d; "
         "echo -----END EC PRIVATE KEY-----) >k");
    assert_refused("c", "k", "not a sound one");
}

static void
the_certificate_is_the_first_of_its_file_and_the_rest_is_its_chain(void **state)
{
    struct pair *p, *same, *shorter;

    (void)state;
    make(SELF_SIGNED EC "&& mv c leaf && "
                        "mv k key");
    make(SELF_SIGNED
         "-newkey ec -pkeyopt ec_paramgen_curve:P-256 && cat leaf c >both && "
         "cat c leaf >wrong");
    assert_int_equal(read_pair("both", "key", &p), REASON_OK);
    assert_int_equal(sk_X509_num(pair_chain(p)), 1);
    assert_int_equal(read_pair("both", "key", &same), REASON_OK);
    assert_int_equal(read_pair("leaf", "key", &shorter), REASON_OK);
    assert_true(pair_equals(p, same));
    assert_false(pair_equals(p, shorter));
    assert_string_equal(pair_thumbprint(p), pair_thumbprint(shorter));
    assert_refused("wrong", "key", "has to be the first");
    pair_unref(p);
    pair_unref(same);
    pair_ref(shorter);
    pair_unref(shorter);
    assert_int_equal(sk_X509_num(pair_chain(shorter)), 0);
    pair_unref(shorter);
}

static void
a_pair_that_has_expired_says_so(void **state)
{
    struct pair *p;
    int64_t last_s;

    (void)state;
    make(SELF_SIGNED EC);
    assert_int_equal(read_pair("c", "k", &p), REASON_OK);
    last_s = pair_expires_s(p);
    assert_false(pair_is_expired(p, last_s));
    assert_true(pair_is_expired(p, last_s + 1));
    pair_unref(p);
}

/* RFC 8705 Appendix A. */
static void
the_published_thumbprint_is_what_we_make_of_the_published_certificate(void **state)
{
    struct json *vector = published("rfc8705/cert-thumbprint.json");
    struct text pem = member_text(vector, "certificate_pem");
    char thumbprint[PAIR_THUMBPRINT_SIZE] = { 0 };
    BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.n);
    X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    (void)state;
    assert_non_null(x);
    certificate_thumbprint(x, thumbprint);
    assert_true(text_equals(text_z(thumbprint), member_text(vector, "x5t#S256")));
    X509_free(x);
    BIO_free(bio);
    json_free(vector);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_kind_of_key_that_tls_signs_with_makes_a_pair),
        TEST(what_tls_could_not_show_is_refused_and_said),
        TEST(a_private_half_that_is_another_s_is_refused),
        TEST(the_certificate_is_the_first_of_its_file_and_the_rest_is_its_chain),
        TEST(a_pair_that_has_expired_says_so),
        TEST(the_published_thumbprint_is_what_we_make_of_the_published_certificate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
