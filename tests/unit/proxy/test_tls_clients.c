/* proxy/tls_pair.c and proxy/tls_clients.c: a certificate of the client's, from the
 * side that shows it and from the side that asks for it, in both versions of TLS. */
#include "tests/unit/certs/clients.h"
#include "tests/unit/proxy/tls_stage.h"

#include "proxy/tls_parts.h"

static const struct trust *clients; /* by which the server asks for certificates */
static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static int
begin(void **state)
{
    if (tls_stage_begin(state) != 0)
        return -1;
    make_authority("clients", NULL);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, tls_stage_end)

static enum reason
choose(void *owner, struct text name, X509 **leaf, EVP_PKEY **key)
{
    struct host host;

    (void)owner;
    *key = leaf_cache_key(leaves);
    assert_int_equal(host_parse(name, &host), REASON_OK);
    return leaf_get(leaves, &host, leaf);
}

static void
ask_clients_of(const char *file)
{
    struct trust *trust;

    assert_int_equal(trust_load(in_scratch(file), &trust), REASON_OK);
    tls_server_ask_clients(server, trust);
    clients = trust;
}

/* As services of others do it: by their own rules, with tickets for everybody. */
static void
ask_as_others_do(const char *file, int mode)
{
    struct trust *trust;

    assert_int_equal(trust_load(in_scratch(file), &trust), REASON_OK);
    SSL_CTX_set1_cert_store(server->ctx, trust_store(trust));
    SSL_CTX_set_verify(server->ctx, mode, NULL);
    assert_int_equal(SSL_CTX_set_session_id_context(server->ctx, (void *)"x", 1), 1);
    trust_unref(trust);
}

static void
speak_only(int version)
{
    assert_int_equal(SSL_CTX_set_max_proto_version(server->ctx, version), 1);
}

static struct tls_session *kept;

static void
keep(void *owner, struct tls_session *s)
{
    (void)owner;
    tls_session_free(kept);
    kept = s;
}

/* Both have said all they have to: what comes behind a handshake has come. */
static void
shake_hands(struct ends *e, const struct pair *shown, const struct tls_session *resumed)
{
    struct host host = host_of("api.example");
    struct tls *t;

    ends_open(e);
    t = tls_dial(client, e->up.fd, &host, ALPN_H1);
    if (shown != NULL)
        assert_true(tls_show(t, shown));
    if (resumed != NULL)
        tls_resume(t, resumed);
    tls_keep_sessions(t, keep, NULL);
    link_accept_tls(&e->down, server, ALPN_H1, choose, NULL);
    link_dial_tls(&e->up, t);
    ends_shake_hands(e);
    if (e->down.state == LINK_OPEN && e->up.state == LINK_OPEN) {
        buf_add_z(&e->down.out, "hello");
        link_move(&e->down);
        UNTIL(buf_length(&e->up.in) > 0);
    } else {
        UNTIL(e->up.state == LINK_DEAD);
    }
}

static void
assert_open(const struct ends *e)
{
    if (e->up.state != LINK_OPEN || e->down.state != LINK_OPEN)
        fail_msg("%s, %s", reason_token(link_why_lost(&e->up)),
                 reason_token(e->down.why));
}

/* ---- what is shown */

static const char *const kinds[] = { NULL, "ec -pkeyopt ec_paramgen_curve:P-384",
                                     "rsa:2048", "ed25519" };

static void
who_is_asked_shows_his_certificate_and_is_known_by_it(void **state)
{
    (void)state;
    ask_clients_of("clients.pem");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct pair *pair;

        make_client_of_kind("clients", "a", "subjectAltName=DNS:a.example", kinds[i]);
        pair = pair_of("a");
        for (size_t k = 0; k < sizeof versions / sizeof *versions; k++) {
            struct client_identity *who;
            struct ends e;

            speak_only(versions[k]);
            shake_hands(&e, pair, NULL);
            assert_open(&e);
            assert_true(tls_has_shown(e.up.tls));
            who = tls_read_client(e.down.tls, clients);
            assert_true(text_equals(client_identity_thumbprint(who),
                                    text_z(pair_thumbprint(pair))));
            assert_true(text_equals(client_identity_name(who), TEXT("a.example")));
            client_identity_free(who);
            ends_close(&e);
        }
        pair_unref(pair);
    }
}

static void
who_is_not_asked_shows_none_and_knows_it(void **state)
{
    struct pair *pair;

    (void)state;
    make_client("clients", "a", NULL);
    pair = pair_of("a");
    for (size_t k = 0; k < sizeof versions / sizeof *versions; k++) {
        struct ends e;

        speak_only(versions[k]);
        shake_hands(&e, pair, NULL);
        assert_open(&e);
        assert_false(tls_has_shown(e.up.tls));
        assert_null(tls_read_client(e.down.tls, clients));
        ends_close(&e);
    }
    assert_null(
        kept); /* a shorter handshake would pass for one in which it was shown */
    pair_unref(pair);
}

/* OpenSSL sends an empty list of certificates then. */
static void
who_could_not_be_verified_by_his_kind_of_key_shows_none_and_knows_it(void **state)
{
    struct pair *pair;

    (void)state;
    make_client("clients", "a", NULL);
    pair = pair_of("a");
    ask_clients_of("clients.pem");
    assert_int_equal(
        SSL_CTX_set1_client_sigalgs_list(server->ctx, "rsa_pss_rsae_sha256"), 1);
    for (size_t k = 0; k < sizeof versions / sizeof *versions; k++) {
        struct ends e;

        speak_only(versions[k]);
        shake_hands(&e, pair, NULL);
        assert_open(&e);
        assert_false(tls_has_shown(e.up.tls));
        assert_null(tls_read_client(e.down.tls, clients));
        ends_close(&e);
    }
    pair_unref(pair);
}

static void
who_has_none_goes_on_without_where_it_is_not_demanded(void **state)
{
    (void)state;
    ask_clients_of("clients.pem");
    for (size_t k = 0; k < sizeof versions / sizeof *versions; k++) {
        struct ends e;

        speak_only(versions[k]);
        shake_hands(&e, NULL, NULL);
        assert_open(&e);
        assert_false(tls_has_shown(e.up.tls));
        assert_null(tls_read_client(e.down.tls, clients));
        ends_close(&e);
    }
    tls_session_free(kept);
    kept = NULL;
}

/* ---- what is refused */

static void
a_refused_certificate_is_told_as_that_on_both_sides(void **state)
{
    static const char *const bad[] = {
        "stranger", /* of another authority */
        "old",      /* expired */
    };

    (void)state;
    make_authority("strangers", NULL);
    make_client("strangers", "stranger", NULL);
    assert_int_equal(run("cd %s && umask 077 && "
                         "openssl req -new -nodes -subj /CN=old -newkey ec -pkeyopt "
                         "ec_paramgen_curve:P-256 -keyout old.key -out csr 2>log1 && "
                         "openssl x509 -req -in csr -CA clients.pem -CAkey clients.key "
                         "-CAcreateserial -days -1 -out old.pem 2>log1",
                         scratch),
                     0);
    ask_clients_of("clients.pem");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (size_t k = 0; k < sizeof versions / sizeof *versions; k++) {
            struct pair *pair = pair_of(bad[i]);
            struct ends e;

            speak_only(versions[k]);
            shake_hands(&e, pair, NULL);
            if (link_why_lost(&e.up) != REASON_CLIENT_CERTIFICATE_REFUSED)
                fail_msg("%s: %s", bad[i], reason_token(link_why_lost(&e.up)));
            assert_int_equal(e.down.state, LINK_DEAD);
            assert_int_equal(e.down.why, REASON_CLIENT_CERTIFICATE_UNTRUSTED);
            ends_close(&e);
            pair_unref(pair);
        }
    assert_true(log_says("client_certificate_refused"));
    assert_true(log_says("a client's certificate: certificate has expired"));
}

static void
a_demand_that_cannot_be_met_is_told_as_that(void **state)
{
    (void)state;
    ask_as_others_do("clients.pem", SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
    for (size_t k = 0; k < sizeof versions / sizeof *versions; k++) {
        struct ends e;

        speak_only(versions[k]);
        shake_hands(&e, NULL, NULL);
        assert_int_equal(link_why_lost(&e.up), REASON_CLIENT_CERTIFICATE_WANTED);
        ends_close(&e);
    }
}

/* ---- shorter handshakes */

static void
a_resumed_session_is_of_the_certificate_it_was_begun_with(void **state)
{
    struct pair *pair;
    struct ends e;

    (void)state;
    make_client("clients", "a", NULL);
    pair = pair_of("a");
    ask_as_others_do("clients.pem", SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
    shake_hands(&e, pair, NULL);
    assert_open(&e);
    ends_close(&e);
    assert_non_null(kept);
    shake_hands(&e, pair, kept);
    assert_open(&e);
    assert_true(tls_is_resumed(e.up.tls));
    assert_true(tls_has_shown(e.up.tls));
    assert_non_null(SSL_get0_peer_certificate(e.down.tls->ssl));
    ends_close(&e);
    tls_session_free(kept);
    kept = NULL;
    pair_unref(pair);
}

static void
a_gate_gives_a_session_to_who_showed_none_and_to_nobody_else(void **state)
{
    struct pair *pair;
    struct ends e;

    (void)state;
    make_client("clients", "a", NULL);
    pair = pair_of("a");
    ask_clients_of("clients.pem");
    shake_hands(&e, pair, NULL);
    assert_open(&e);
    ends_close(&e);
    assert_null(kept);
    shake_hands(&e, NULL, NULL);
    assert_open(&e);
    ends_close(&e);
    assert_non_null(kept);
    shake_hands(&e, pair, kept); /* who resumes it shows none, whatever he has */
    assert_open(&e);
    assert_true(tls_is_resumed(e.up.tls));
    assert_null(tls_read_client(e.down.tls, clients));
    ends_close(&e);
    tls_session_free(kept);
    kept = NULL;
    pair_unref(pair);
}

/* As for a connection that lives on when a reload has changed who is trusted. */
static void
a_client_is_verified_again_by_whom_is_trusted_now(void **state)
{
    struct trust *both, *strangers;
    struct client_identity *who;
    struct pair *pair;
    struct ends e;

    (void)state;
    make_authority("strangers", NULL);
    assert_int_equal(run("cd %s && cat strangers.pem clients.pem >both.pem", scratch),
                     0);
    make_client("clients", "a", "subjectAltName=DNS:a.example");
    assert_int_equal(trust_load(in_scratch("both.pem"), &both), REASON_OK);
    assert_int_equal(trust_load(in_scratch("strangers.pem"), &strangers), REASON_OK);
    pair = pair_of("a");
    ask_clients_of("clients.pem");
    shake_hands(&e, pair, NULL);
    assert_open(&e);
    who = tls_read_client(e.down.tls, both);
    assert_true(text_equals(client_identity_name(who), TEXT("a.example")));
    client_identity_free(who);
    assert_null(tls_read_client(e.down.tls, strangers));
    assert_true(tls_client_showed(e.down.tls));
    assert_true(log_says("client_certificate_untrusted"));
    ends_close(&e);
    trust_unref(both);
    trust_unref(strangers);
    pair_unref(pair);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_asked_shows_his_certificate_and_is_known_by_it),
        TEST(who_is_not_asked_shows_none_and_knows_it),
        TEST(who_could_not_be_verified_by_his_kind_of_key_shows_none_and_knows_it),
        TEST(who_has_none_goes_on_without_where_it_is_not_demanded),
        TEST(a_refused_certificate_is_told_as_that_on_both_sides),
        TEST(a_demand_that_cannot_be_met_is_told_as_that),
        TEST(a_resumed_session_is_of_the_certificate_it_was_begun_with),
        TEST(a_client_is_verified_again_by_whom_is_trusted_now),
        TEST(a_gate_gives_a_session_to_who_showed_none_and_to_nobody_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
