/* certs/client_identity.c: whom a verified certificate names, and when it names nobody.
 */
#include "certs/client_identity.h"

#include "tests/unit/certs/clients.h"

#include <openssl/pem.h>

/* Of the client and then its authority, as if it had been verified. */
static struct client_identity *
identity_of(const char *client, const char *authority)
{
    struct pair *leaf = pair_of(client);
    STACK_OF(X509) *chain = sk_X509_new_null();
    char *pem = read_text(in_scratch(authority));
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *ca = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    struct client_identity *c;

    assert_non_null(ca);
    sk_X509_push(chain, pair_leaf(leaf));
    sk_X509_push(chain, ca);
    c = client_identity_read(chain);
    assert_true(
        text_equals(client_identity_thumbprint(c), text_z(pair_thumbprint(leaf))));
    assert_true(client_identity_expires_s(c) <= pair_expires_s(leaf));
    sk_X509_free(chain);
    X509_free(ca);
    BIO_free(bio);
    free(pem);
    pair_unref(leaf);
    return c;
}

#define SPIFFE "spiffe://a.example/sidecar"

static const struct {
    const char *extensions;
    enum client_name kind;
    const char *name;
} rows[] = {
    { "subjectAltName=critical,URI:" SPIFFE, CLIENT_NAME_URI, SPIFFE },
    { "subjectAltName=URI:" SPIFFE ",DNS:a.example", CLIENT_NAME_URI, SPIFFE },
    { "subjectAltName=URI:" SPIFFE ",URI:spiffe://a.example/other", CLIENT_NAME_NONE,
      "" },
    { "subjectAltName=URI:" SPIFFE ",URI:https://a.example/", CLIENT_NAME_NONE, "" },
    { "subjectAltName=DNS:A.Example", CLIENT_NAME_DNS, "a.example" },
    { "subjectAltName=DNS:a.example,DNS:b.example", CLIENT_NAME_NONE, "" },
    { "subjectAltName=DNS:*.a.example", CLIENT_NAME_NONE, "" },
    { "subjectAltName=DNS:" SPIFFE, CLIENT_NAME_NONE, "" },
    { "subjectAltName=DNS:a.example/b", CLIENT_NAME_NONE, "" },
    { "subjectAltName=DNS:a.example,IP:127.0.0.1", CLIENT_NAME_DNS, "a.example" },
    { "subjectAltName=email:a@a.example", CLIENT_NAME_NONE, "" },
    { "basicConstraints=CA:FALSE", CLIENT_NAME_NONE, "" }, /* a CN is no name */
    { "basicConstraints=critical,CA:TRUE\\nsubjectAltName=URI:" SPIFFE,
      CLIENT_NAME_NONE, "" },
    { "keyUsage=critical,digitalSignature,keyCertSign\\nsubjectAltName=URI:" SPIFFE,
      CLIENT_NAME_NONE, "" },
    { "keyUsage=critical,digitalSignature,cRLSign\\nsubjectAltName=URI:" SPIFFE,
      CLIENT_NAME_NONE, "" },
    { "keyUsage=critical,digitalSignature\\nsubjectAltName=URI:" SPIFFE,
      CLIENT_NAME_URI, SPIFFE },
};

static void
a_certificate_names_one_workload_or_none(void **state)
{
    (void)state;
    make_authority("ca", NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client_identity *c;

        make_client("ca", "client", rows[i].extensions);
        c = identity_of("client", "ca.pem");
        if (client_identity_kind(c) != rows[i].kind ||
            !text_equals(client_identity_name(c), text_z(rows[i].name)))
            fail_msg("%s: \"%.*s\"", rows[i].extensions,
                     TEXT_ARG(client_identity_name(c)));
        client_identity_free(c);
    }
    client_identity_free(NULL);
}

/* X509-SVID: each trust domain has authorities of its own. */
static void
an_authority_of_one_trust_domain_names_nobody_of_another(void **state)
{
    struct client_identity *c;

    (void)state;
    make_authority("own", "URI:spiffe://a.example");
    make_authority("other", "URI:spiffe://b.example");
    make_authority("longer", "URI:spiffe://a.example.org");
    make_client("own", "client", "subjectAltName=URI:" SPIFFE);
    c = identity_of("client", "own.pem");
    assert_int_equal(client_identity_kind(c), CLIENT_NAME_URI);
    client_identity_free(c);
    c = identity_of("client", "other.pem");
    assert_int_equal(client_identity_kind(c), CLIENT_NAME_NONE);
    client_identity_free(c);
    c = identity_of("client", "longer.pem");
    assert_int_equal(client_identity_kind(c), CLIENT_NAME_NONE);
    client_identity_free(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_certificate_names_one_workload_or_none),
        SCRATCH_TEST(an_authority_of_one_trust_domain_names_nobody_of_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
