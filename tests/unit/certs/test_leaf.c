/* certs/leaf.c: leaves that strangers accept, and the cache that keeps few of them. */
#include "certs/leaf.h"

#include "base/clock.h"
#include "certs/certificate.h"
#include "tests/unit/certs/scratch.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define HOUR_S  INT64_C(3600)
#define DAY_S   (24 * HOUR_S)
#define YEAR_MS (365 * DAY_S * 1000)

/* A label as long as labels may be. */
#define L63 "abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-012345678"

static struct ca *ca;
static struct leaf_cache *cache;

static void
begin(size_t room, int64_t ca_valid_ms)
{
    assert_int_equal(ca_open(in_scratch("keep"), ca_valid_ms, &ca), REASON_OK);
    cache = leaf_cache_new(ca, room);
    assert_non_null(cache);
}

static void
end(void)
{
    leaf_cache_free(cache);
    ca_free(ca);
}

static struct host
host_of(const char *name)
{
    struct host h;

    if (host_parse(text_z(name), &h) != REASON_OK)
        fail_msg("not a host: %s", name);
    return h;
}

static X509 *
get(const char *name)
{
    struct host h = host_of(name);
    X509 *x;

    assert_int_equal(leaf_get(cache, &h, &x), REASON_OK);
    return x;
}

static struct validity
validity_of(const X509 *x)
{
    struct validity v;

    assert_true(certificate_validity(x, &v));
    return v;
}

/* The leaf may be freed by the next call: its serial is what tells it from another. */
static int64_t
serial_of(const char *name)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(get(name));
    int64_t bytes;

    assert_int_equal(ASN1_STRING_length(serial), 16);
    memcpy(&bytes, ASN1_STRING_get0_data(serial), sizeof bytes);
    return bytes;
}

/* ---- what a leaf says */

static const char *
longest(void)
{
    static char name[HOST_MAX + 1];

    snprintf(name, sizeof name, "%.63s.%.63s.%.63s.%.61s", L63, L63, L63, L63);
    assert_int_equal(strlen(name), HOST_MAX);
    return name;
}

static const struct {
    const char *host;  /* NULL: the longest name */
    const char *shown; /* as clients name it */
} hosts[] = {
    { "api.example.com", "api.example.com" },
    { "a", "a" },
    { "xn--bcher-kva.example", "xn--bcher-kva.example" },
    { L63 "." L63 ".example", L63 "." L63 ".example" },
    { NULL, NULL },
    { "127.0.0.1", "127.0.0.1" },
    { "203.0.113.7", "203.0.113.7" },
    { "[2001:db8::1]", "2001:db8::1" },
    { "[::1]", "::1" },
};

enum { HOSTS = sizeof hosts / sizeof *hosts };

static const char *
host_at(size_t i)
{
    return hosts[i].host != NULL ? hosts[i].host : longest();
}

static const char *
shown_at(size_t i)
{
    return hosts[i].shown != NULL ? hosts[i].shown : longest();
}

static void
write_leaf(const char *name)
{
    FILE *leaf = fopen(in_scratch("leaf.pem"), "w"),
         *key = fopen(in_scratch("leaf.key"), "w");

    assert_true(leaf != NULL && key != NULL);
    assert_int_equal(PEM_write_X509(leaf, get(name)), 1);
    assert_int_equal(
        PEM_write_PrivateKey(key, leaf_cache_key(cache), NULL, NULL, 0, NULL, NULL), 1);
    fclose(leaf);
    fclose(key);
}

static void
a_leaf_is_for_its_host_and_no_other(void **state)
{
    (void)state;
    begin(HOSTS, YEAR_MS);
    for (size_t i = 0; i < HOSTS; i++)
        for (size_t j = 0; j < HOSTS; j++) {
            X509 *x = get(host_at(i));
            const char *name = shown_at(j);
            struct host h = host_of(host_at(j));
            int fits = h.address.family != 0 ? X509_check_ip_asc(x, name, 0)
                                             : X509_check_host(x, name, 0, 0, NULL);

            assert_int_equal(fits, i == j);
        }
    end();
}

static const char *const traits[] = {
    "X509v3 Key Usage: critical",
    "Digital Signature",
    "TLS Web Server Authentication",
    "X509v3 Subject Key Identifier",
    "X509v3 Authority Key Identifier",
    "ASN1 OID: prime256v1",
    "Signature Algorithm: ecdsa-with-SHA256",
    "DNS:api.example.com",
    "Version: 3",
};

static void
a_leaf_serves_one_purpose_and_names_its_issuer(void **state)
{
    (void)state;
    begin(4, YEAR_MS);
    write_leaf("api.example.com");
    assert_int_equal(run("openssl x509 -text -noout -in %s > %s",
                         in_scratch("leaf.pem"), in_scratch("text")),
                     0);
    for (size_t i = 0; i < sizeof traits / sizeof *traits; i++)
        if (!file_says(in_scratch("text"), traits[i]))
            fail_msg("the leaf lacks: %s", traits[i]);
    assert_false(file_says(in_scratch("text"), "CA:TRUE"));
    assert_int_equal(X509_check_ca(get("api.example.com")), 0);
    assert_int_equal(X509_NAME_cmp(X509_get_issuer_name(get("api.example.com")),
                                   X509_get_subject_name(ca_certificate(ca))),
                     0);
    end();
}

static void
all_leaves_share_one_key_and_none_a_serial(void **state)
{
    int64_t first, second;

    (void)state;
    begin(4, YEAR_MS);
    first = serial_of("a.example");
    second = serial_of("b.example");
    assert_int_not_equal(first, second);
    assert_int_equal(X509_check_private_key(get("a.example"), leaf_cache_key(cache)),
                     1);
    assert_int_equal(X509_check_private_key(get("b.example"), leaf_cache_key(cache)),
                     1);
    assert_int_equal(EVP_PKEY_eq(leaf_cache_key(cache), ca_signing_key(ca)), 0);
    end();
}

/* ---- strangers who judge it */

static void
openssl_verifies_every_leaf_at_its_strictest(void **state)
{
    (void)state;
    begin(4, YEAR_MS);
    for (size_t i = 0; i < HOSTS; i++) {
        const char *kind = host_of(host_at(i)).address.family != 0 ? "ip" : "hostname";

        write_leaf(host_at(i));
        assert_int_equal(
            run("openssl verify -x509_strict -purpose sslserver -verify_%s %s "
                "-CAfile %s %s >/dev/null",
                kind, shown_at(i), in_scratch("keep/ca.pem"), in_scratch("leaf.pem")),
            0);
    }
    end();
}

enum { MISSING = 77 }; /* what handshake.py says when the client is not installed */

/* The exit status of handshake.py with the leaf that write_leaf wrote. */
static int
show_leaf(const char *client, const char *ca_file, const char *host)
{
    return run("/usr/bin/python3 %s/tests/unit/certs/handshake.py %s %s %s %s %s 2>>%s",
               SOURCE_DIR, client, ca_file, in_scratch("leaf.pem"),
               in_scratch("leaf.key"), host, in_scratch("stderr"));
}

static void
expect_handshakes(const char *client, const char *test)
{
    begin(4, YEAR_MS);
    for (size_t i = 0; i < HOSTS; i++) {
        int status;

        write_leaf(host_at(i));
        status = show_leaf(client, in_scratch("keep/ca.pem"), shown_at(i));
        if (status == MISSING) {
            end();
            print_message("SKIPPED: %s: %s is not there\n", test, client);
            skip();
        }
        if (status != 0)
            fail_msg("%s refused the leaf of %s", client, shown_at(i));
    }
    end();
}

static void
python_at_its_strictest_takes_every_leaf(void **state)
{
    (void)state;
    expect_handshakes("python", __func__);
}

static void
curl_takes_every_leaf(void **state)
{
    (void)state;
    expect_handshakes("curl", __func__);
}

static void
node_takes_every_leaf(void **state)
{
    (void)state;
    expect_handshakes("node", __func__);
}

/* The strangers do look: the same handshake under another CA, or for another name,
 * fails. */
static void
strangers_refuse_the_leaf_of_another_ca_or_name(void **state)
{
    static const char *const clients[] = { "python", "curl", "node" };
    struct ca *other;

    (void)state;
    begin(4, YEAR_MS);
    assert_int_equal(ca_open(in_scratch("other"), YEAR_MS, &other), REASON_OK);
    write_leaf("api.example.com");
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++) {
        if (show_leaf(clients[i], in_scratch("keep/ca.pem"), "api.example.com") ==
            MISSING)
            continue;
        assert_int_equal(
            show_leaf(clients[i], in_scratch("other/ca.pem"), "api.example.com"), 1);
        assert_int_equal(
            show_leaf(clients[i], in_scratch("keep/ca.pem"), "b.example.com"), 1);
    }
    ca_free(other);
    end();
}

/* As proxy/tls_server.c does it: certificate, then key, on an SSL of a context that has
 * neither. */
static void
a_leaf_and_its_key_are_set_on_a_bare_ssl(void **state)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    SSL *ssl = SSL_new(ctx);

    (void)state;
    begin(4, YEAR_MS);
    assert_int_equal(SSL_use_certificate(ssl, get("api.example.com")), 1);
    assert_int_equal(SSL_use_PrivateKey(ssl, leaf_cache_key(cache)), 1);
    assert_int_equal(SSL_check_private_key(ssl), 1);
    end(); /* the SSL has references of its own */
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

/* ---- the cache */

static void
a_host_asked_again_gets_the_same_leaf(void **state)
{
    X509 *first;

    (void)state;
    begin(4, YEAR_MS);
    first = get("api.example.com");
    get("other.example");
    assert_ptr_equal(get("API.example.COM."), first);
    assert_int_equal(leaf_cache_count(cache), 2);
    assert_int_equal(leaf_cache_minted(cache), 2);
    end();
}

static void
the_least_recently_used_leaf_makes_way(void **state)
{
    int64_t a, b;

    (void)state;
    begin(3, YEAR_MS);
    a = serial_of("a.example");
    b = serial_of("b.example");
    get("c.example");
    assert_int_equal(serial_of("a.example"), a); /* now b is the oldest */
    get("d.example");
    assert_int_equal(leaf_cache_count(cache), 3);
    assert_int_equal(serial_of("a.example"), a);
    assert_int_not_equal(serial_of("b.example"), b);
    end();
}

static void
no_number_of_names_grows_the_cache_past_its_room(void **state)
{
    enum { ROOM = 16, NAMES = 200 };
    char name[64];

    (void)state;
    begin(ROOM, YEAR_MS);
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "host-%d.example", i);
        assert_int_equal(X509_check_host(get(name), name, 0, 0, NULL), 1);
        assert_int_equal(leaf_cache_count(cache), i < ROOM ? i + 1 : ROOM);
    }
    assert_int_equal(leaf_cache_minted(cache), NAMES);
    end();
}

static void
a_cache_of_one_serves_any_number_of_hosts(void **state)
{
    (void)state;
    begin(1, YEAR_MS);
    for (size_t i = 0; i < HOSTS; i++)
        get(host_at(i));
    assert_int_equal(leaf_cache_count(cache), 1);
    end();
}

/* ---- time */

static void
a_leaf_is_valid_for_a_day_around_now(void **state)
{
    int64_t now_s = clock_wall_s();
    struct validity v;

    (void)state;
    begin(4, YEAR_MS);
    clock_wall_shift(10 * DAY_S); /* well inside the CA's life */
    v = validity_of(get("a.example"));
    assert_in_range(v.from_s - (now_s + 10 * DAY_S) + HOUR_S, 0, 60);
    assert_int_equal(v.until_s - v.from_s, 25 * HOUR_S);
    clock_wall_shift(-10 * DAY_S);
    end();
}

static const struct {
    const char *what;
    int64_t step_s;
    bool is_new;
} steps[] = {
    { "a moment later", 5, false },
    { "22 hours later", 22 * HOUR_S, false },
    { "with less than an hour left", 23 * HOUR_S + 60, true },
    { "a week later", 7 * DAY_S, true },
    { "the clock set back by half an hour", -HOUR_S / 2, false },
    { "the clock set back before the leaf began", -2 * HOUR_S, true },
};

static void
a_leaf_is_minted_anew_when_the_clock_has_left_it(void **state)
{
    (void)state;
    begin(4, YEAR_MS);
    clock_wall_shift(30 * DAY_S);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        int64_t serial = serial_of("a.example"), now_s;
        struct validity v;

        clock_wall_shift(steps[i].step_s);
        if ((serial_of("a.example") != serial) != steps[i].is_new)
            fail_msg("%s: %s", steps[i].what,
                     steps[i].is_new ? "not minted anew" : "minted anew");
        v = validity_of(get("a.example"));
        now_s = clock_wall_s();
        assert_true(v.from_s <= now_s && now_s < v.until_s);
        assert_int_equal(leaf_cache_count(cache), 1);
        clock_wall_shift(-steps[i].step_s);
        leaf_cache_free(cache);
        cache = leaf_cache_new(ca, 4);
    }
    clock_wall_shift(-30 * DAY_S);
    end();
}

static void
a_leaf_never_begins_before_its_ca_nor_outlives_it(void **state)
{
    struct validity of_ca, v;
    int64_t serial;

    (void)state;
    begin(4, 3 * HOUR_S * 1000);
    of_ca = validity_of(ca_certificate(ca));
    v = validity_of(get("a.example"));
    assert_true(v.from_s >= of_ca.from_s);
    assert_int_equal(v.until_s, of_ca.until_s);
    /* Half an hour before the end another leaf would be no better: none is minted at
     * every request. */
    clock_wall_shift(2 * HOUR_S + HOUR_S / 2);
    serial = serial_of("a.example");
    assert_int_equal(serial_of("a.example"), serial);
    clock_wall_shift(-(2 * HOUR_S + HOUR_S / 2));
    end();
}

static void
nothing_is_minted_while_the_ca_is_not_valid(void **state)
{
    static const int64_t steps_s[] = { 4 * HOUR_S, -2 * HOUR_S };
    struct host h = host_of("a.example");
    X509 *x;

    (void)state;
    begin(4, 3 * HOUR_S * 1000);
    get("a.example");
    for (size_t i = 0; i < sizeof steps_s / sizeof *steps_s; i++) {
        clock_wall_shift(steps_s[i]);
        assert_int_equal(leaf_get(cache, &h, &x), REASON_MINT_LEAF);
        assert_null(x);
        clock_wall_shift(-steps_s[i]);
    }
    assert_true(log_says("the CA has expired"));
    get("a.example");
    end();
}

/* ---- failing */

static void
a_failed_mint_is_a_reason_and_leaves_nothing_behind(void **state)
{
    struct host known = host_of("known.example"), unknown = host_of("unknown.example");
    X509 *x;

    (void)state;
    begin(4, YEAR_MS);
    get("known.example");
    leaf_fail_minting(true);
    assert_int_equal(leaf_get(cache, &unknown, &x), REASON_MINT_LEAF);
    assert_null(x);
    assert_int_equal(leaf_cache_count(cache), 1);
    assert_true(log_says("\"reason\":\"mint_leaf\""));
    assert_int_equal(leaf_get(cache, &known, &x), REASON_OK); /* nothing to mint */
    clock_wall_shift(2 * DAY_S);
    assert_int_equal(leaf_get(cache, &known, &x),
                     REASON_MINT_LEAF); /* never an expired one */
    assert_null(x);
    leaf_fail_minting(false);
    assert_int_equal(leaf_get(cache, &known, &x), REASON_OK);
    clock_wall_shift(-2 * DAY_S);
    end();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_leaf_is_for_its_host_and_no_other),
        SCRATCH_TEST(a_leaf_serves_one_purpose_and_names_its_issuer),
        SCRATCH_TEST(all_leaves_share_one_key_and_none_a_serial),
        SCRATCH_TEST(openssl_verifies_every_leaf_at_its_strictest),
        SCRATCH_TEST(python_at_its_strictest_takes_every_leaf),
        SCRATCH_TEST(curl_takes_every_leaf),
        SCRATCH_TEST(node_takes_every_leaf),
        SCRATCH_TEST(strangers_refuse_the_leaf_of_another_ca_or_name),
        SCRATCH_TEST(a_leaf_and_its_key_are_set_on_a_bare_ssl),
        SCRATCH_TEST(a_host_asked_again_gets_the_same_leaf),
        SCRATCH_TEST(the_least_recently_used_leaf_makes_way),
        SCRATCH_TEST(no_number_of_names_grows_the_cache_past_its_room),
        SCRATCH_TEST(a_cache_of_one_serves_any_number_of_hosts),
        SCRATCH_TEST(a_leaf_is_valid_for_a_day_around_now),
        SCRATCH_TEST(a_leaf_is_minted_anew_when_the_clock_has_left_it),
        SCRATCH_TEST(a_leaf_never_begins_before_its_ca_nor_outlives_it),
        SCRATCH_TEST(nothing_is_minted_while_the_ca_is_not_valid),
        SCRATCH_TEST(a_failed_mint_is_a_reason_and_leaves_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
