/* proxy/tls.h: which HTTP is agreed on inside TLS, with peers of ours and with
 * strangers who choose what they should not. */
#include "tests/unit/proxy/tls_stage.h"

#include "certs/key.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

enum { NO_PROTOCOL = 0 };

#define ALPN_TEST(name)                                                                \
    cmocka_unit_test_setup_teardown(name, tls_stage_begin, tls_stage_end)

static enum reason
choose(void *owner, struct text name, X509 **leaf, EVP_PKEY **key)
{
    struct host host = host_of("api.example");

    (void)owner;
    (void)name;
    *key = leaf_cache_key(leaves);
    return leaf_get(leaves, &host, leaf);
}

/* ---- both ends are ours */

static void
shake_hands(struct ends *e, enum alpn shown, enum alpn asked,
            const struct tls_session *session,
            void (*keep)(void *, struct tls_session *), void *owner)
{
    struct host host = host_of("api.example");
    struct tls *t;

    ends_open(e);
    link_accept_tls(&e->down, server, shown, choose, NULL);
    t = tls_dial(client, e->up.fd, &host, asked);
    if (session != NULL)
        tls_resume(t, session);
    tls_keep_sessions(t, keep, owner);
    link_dial_tls(&e->up, t);
    ends_shake_hands(e);
}

static void
h2_is_agreed_on_where_both_sides_offer_it(void **state)
{
    static const struct {
        enum alpn shown, asked;
        unsigned agreed;
    } rows[] = {
        { ALPN_BOTH, ALPN_BOTH, ALPN_H2 }, { ALPN_BOTH, ALPN_H1, ALPN_H1 },
        { ALPN_BOTH, ALPN_H2, ALPN_H2 },   { ALPN_H1, ALPN_BOTH, ALPN_H1 },
        { ALPN_H1, ALPN_H1, ALPN_H1 },     { ALPN_H1, ALPN_H2, NO_PROTOCOL },
        { ALPN_H2, ALPN_H1, NO_PROTOCOL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool agreed = rows[i].agreed != NO_PROTOCOL;
        struct ends e;

        shake_hands(&e, rows[i].shown, rows[i].asked, NULL, NULL, NULL);
        if ((e.up.state == LINK_OPEN) != agreed ||
            (e.down.state == LINK_OPEN) != agreed)
            fail_msg("row %zu", i);
        if (agreed) {
            assert_int_equal(tls_protocol(e.up.tls), rows[i].agreed);
            assert_int_equal(tls_protocol(e.down.tls), rows[i].agreed);
        } else {
            assert_int_equal(e.up.why, REASON_UPSTREAM_PROTOCOL);
            assert_int_equal(e.down.why, REASON_CLIENT_TLS);
        }
        ends_close(&e);
    }
}

static void
keep_last(void *owner, struct tls_session *s)
{
    struct tls_session **kept = owner;

    tls_session_free(*kept);
    *kept = s;
}

static struct tls_session *
earn_session(enum alpn protocol)
{
    struct tls_session *session = NULL;
    struct ends e;

    shake_hands(&e, ALPN_BOTH, protocol, NULL, keep_last, &session);
    buf_add_z(&e.down.out, "hello");
    link_move(&e.down);
    UNTIL(buf_length(&e.up.in) == 5);
    assert_non_null(session);
    ends_close(&e);
    return session;
}

static void
a_resumed_session_brings_no_protocol_along(void **state)
{
    static const struct {
        enum alpn first, shown, asked;
        unsigned agreed;
    } rows[] = {
        { ALPN_H2, ALPN_BOTH, ALPN_BOTH, ALPN_H2 },
        { ALPN_H2, ALPN_H1, ALPN_BOTH, ALPN_H1 },
        { ALPN_H2, ALPN_BOTH, ALPN_H1, ALPN_H1 },
        { ALPN_H1, ALPN_BOTH, ALPN_BOTH, ALPN_H2 },
        { ALPN_H2, ALPN_H1, ALPN_H2, NO_PROTOCOL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tls_session *session = earn_session(rows[i].first);
        struct ends e;

        shake_hands(&e, rows[i].shown, rows[i].asked, session, NULL, NULL);
        if (rows[i].agreed == NO_PROTOCOL) {
            assert_int_equal(e.up.state, LINK_DEAD);
        } else {
            assert_true(tls_is_resumed(e.up.tls));
            assert_int_equal(tls_protocol(e.up.tls), rows[i].agreed);
            assert_int_equal(tls_protocol(e.down.tls), rows[i].agreed);
        }
        tls_session_free(session);
        ends_close(&e);
    }
}

/* ---- strangers */

#define FRESH_AEAD "ECDHE-ECDSA-AES128-GCM-SHA256"
#define FRESH_CBC  "ECDHE-ECDSA-AES128-SHA"

struct stranger {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
};

static void
stranger_make(struct stranger *s, const SSL_METHOD *method, int version,
              const char *suites, int fd)
{
    s->fd = fd;
    s->ctx = SSL_CTX_new(method);
    assert_non_null(s->ctx);
    SSL_CTX_set_min_proto_version(s->ctx, version);
    SSL_CTX_set_max_proto_version(s->ctx, version);
    if (suites != NULL)
        assert_int_equal(SSL_CTX_set_cipher_list(s->ctx, suites), 1);
}

static void
stranger_free(struct stranger *s)
{
    SSL_free(s->ssl);
    SSL_CTX_free(s->ctx);
    close(s->fd);
    ERR_clear_error();
}

/* Until both know how it ended. */
static void
stranger_shakes(struct stranger *s, const struct link *l)
{
    int result = 0;

    while (result != 1) {
        ERR_clear_error();
        result = SSL_do_handshake(s->ssl);
        if (result != 1 && SSL_get_error(s->ssl, result) != SSL_ERROR_WANT_READ)
            break;
        turn();
    }
    UNTIL(l->state != LINK_HANDSHAKING);
}

static void
a_client_gets_what_it_offers_and_h2_only_where_its_suite_may_carry_it(void **state)
{
    static const struct {
        enum alpn shown;
        int version;
        const char *suites;
        struct text asked;
        unsigned agreed;
    } rows[] = {
        { ALPN_BOTH, TLS1_3_VERSION, NULL, { NULL, 0 }, ALPN_H1 },
        { ALPN_BOTH, TLS1_3_VERSION, NULL, { "\x08http/1.1\x02h2", 12 }, ALPN_H2 },
        { ALPN_BOTH, TLS1_3_VERSION, NULL, { "\x02h2", 3 }, ALPN_H2 },
        { ALPN_BOTH, TLS1_3_VERSION, NULL, { "\x08http/1.1", 9 }, ALPN_H1 },
        { ALPN_BOTH, TLS1_3_VERSION, NULL, { "\x03h2c", 4 }, NO_PROTOCOL },
        { ALPN_BOTH, TLS1_3_VERSION, NULL, { "\x08http/1.0", 9 }, NO_PROTOCOL },
        { ALPN_H1, TLS1_3_VERSION, NULL, { "\x02h2\x08http/1.1", 12 }, ALPN_H1 },
        { ALPN_H1, TLS1_3_VERSION, NULL, { "\x02h2", 3 }, NO_PROTOCOL },
        { ALPN_BOTH,
          TLS1_2_VERSION,
          FRESH_AEAD,
          { "\x02h2\x08http/1.1", 12 },
          ALPN_H2 },
        { ALPN_BOTH, TLS1_2_VERSION, FRESH_CBC, { "\x02h2\x08http/1.1", 12 }, ALPN_H1 },
        { ALPN_BOTH, TLS1_2_VERSION, FRESH_CBC, { "\x02h2", 3 }, NO_PROTOCOL },
        { ALPN_H2, TLS1_2_VERSION, FRESH_CBC, { "\x02h2", 3 }, NO_PROTOCOL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stranger s;
        struct link down;
        struct bell bell;
        int fds[2];

        tcp_pair(fds);
        bell_hang(&bell);
        stranger_make(&s, TLS_client_method(), rows[i].version, rows[i].suites, fds[1]);
        s.ssl = SSL_new(s.ctx);
        SSL_set_fd(s.ssl, s.fd);
        SSL_set_connect_state(s.ssl);
        SSL_set_alpn_protos(s.ssl, (const unsigned char *)rows[i].asked.at,
                            (unsigned)rows[i].asked.n);
        link_open(&down, loop, fds[0], CEILING, &bell.wake);
        link_accept_tls(&down, server, rows[i].shown, choose, NULL);
        stranger_shakes(&s, &down);
        if ((down.state == LINK_OPEN) != (rows[i].agreed != NO_PROTOCOL) ||
            (down.state == LINK_OPEN && tls_protocol(down.tls) != rows[i].agreed))
            fail_msg("row %zu", i);
        link_close(&down);
        stranger_free(&s);
    }
}

/* Chooses this, whatever is offered: at NULL nothing, empty an alert. */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
        const unsigned char *in, unsigned in_n, void *arg)
{
    const struct text *choice = arg;

    (void)ssl, (void)in, (void)in_n;
    if (choice->at == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    if (choice->n == 0)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = (const unsigned char *)choice->at;
    *out_n = (unsigned char)choice->n;
    return SSL_TLSEXT_ERR_OK;
}

static void
a_service_chooses_of_what_was_offered_or_is_refused(void **state)
{
    static const struct {
        enum alpn asked;
        int version;
        const char *suites;
        struct text chosen;
        enum reason why;
        unsigned agreed;
    } rows[] = {
        { ALPN_BOTH, TLS1_3_VERSION, NULL, { "h2", 2 }, REASON_OK, ALPN_H2 },
        { ALPN_BOTH, TLS1_3_VERSION, NULL, { "http/1.1", 8 }, REASON_OK, ALPN_H1 },
        { ALPN_BOTH, TLS1_3_VERSION, NULL, { NULL, 0 }, REASON_OK, ALPN_H1 },
        { ALPN_BOTH, TLS1_3_VERSION, NULL, { "", 0 }, REASON_UPSTREAM_PROTOCOL, 0 },
        { ALPN_BOTH, TLS1_3_VERSION, NULL, { "h3", 2 }, REASON_UPSTREAM_TLS, 0 },
        { ALPN_BOTH, TLS1_3_VERSION, NULL, { "h2\0", 3 }, REASON_UPSTREAM_TLS, 0 },
        { ALPN_H1, TLS1_3_VERSION, NULL, { "h2", 2 }, REASON_UPSTREAM_TLS, 0 },
        { ALPN_H1, TLS1_3_VERSION, NULL, { "http/1.0", 8 }, REASON_UPSTREAM_TLS, 0 },
        { ALPN_H2, TLS1_3_VERSION, NULL, { "h2", 2 }, REASON_OK, ALPN_H2 },
        { ALPN_H2, TLS1_3_VERSION, NULL, { "http/1.1", 8 }, REASON_UPSTREAM_TLS, 0 },
        { ALPN_H2, TLS1_3_VERSION, NULL, { NULL, 0 }, REASON_UPSTREAM_PROTOCOL, 0 },
        { ALPN_BOTH, TLS1_2_VERSION, FRESH_AEAD, { "h2", 2 }, REASON_OK, ALPN_H2 },
        { ALPN_BOTH, TLS1_2_VERSION, FRESH_CBC, { "h2", 2 }, REASON_UPSTREAM_TLS, 0 },
        { ALPN_BOTH, TLS1_2_VERSION, FRESH_CBC, { "http/1.1", 8 }, REASON_OK, ALPN_H1 },
    };
    struct host host = host_of("api.example");

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text chosen = rows[i].chosen;
        struct stranger s;
        struct link up;
        struct bell bell;
        X509 *leaf;
        int fds[2];

        tcp_pair(fds);
        bell_hang(&bell);
        stranger_make(&s, TLS_server_method(), rows[i].version, rows[i].suites, fds[1]);
        SSL_CTX_set_alpn_select_cb(s.ctx, on_alpn, &chosen);
        assert_int_equal(leaf_get(leaves, &host, &leaf), REASON_OK);
        SSL_CTX_use_certificate(s.ctx, leaf);
        SSL_CTX_use_PrivateKey(s.ctx, leaf_cache_key(leaves));
        s.ssl = SSL_new(s.ctx);
        SSL_set_fd(s.ssl, s.fd);
        SSL_set_accept_state(s.ssl);
        link_open(&up, loop, fds[0], CEILING, &bell.wake);
        link_dial_tls(&up, tls_dial(client, up.fd, &host, rows[i].asked));
        stranger_shakes(&s, &up);
        if (up.why != rows[i].why || (up.state == LINK_OPEN) != (up.why == REASON_OK))
            fail_msg("row %zu: %s", i, reason_token(up.why));
        if (up.state == LINK_OPEN)
            assert_int_equal(tls_protocol(up.tls), rows[i].agreed);
        link_close(&up);
        stranger_free(&s);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ALPN_TEST(h2_is_agreed_on_where_both_sides_offer_it),
        ALPN_TEST(a_resumed_session_brings_no_protocol_along),
        ALPN_TEST(
            a_client_gets_what_it_offers_and_h2_only_where_its_suite_may_carry_it),
        ALPN_TEST(a_service_chooses_of_what_was_offered_or_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
