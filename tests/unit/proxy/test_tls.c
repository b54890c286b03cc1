/* proxy/tls.h, mostly as links drive it: whose certificate is taken, which ClientHello,
 * and how an end that was said differs from one that was not. */
#include "tests/unit/proxy/tls_stage.h"

#include "base/clock.h"
#include "certs/key.h"
#include "proxy/sessions.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

enum { DAY_S = 86400 };

/* ---- a service with a leaf of our own, and a client that trusts it */

/* What the service shows, and what it was asked for. */
static struct {
    const char *shown; /* NULL: what was asked for */
    X509 *fixed;
    char asked[HOST_MAX + 8];
    bool named;
    unsigned times;
} choice;

static int
begin(void **state)
{
    memset(&choice, 0, sizeof choice);
    return tls_stage_begin(state);
}

#define TLS_TEST(name) cmocka_unit_test_setup_teardown(name, begin, tls_stage_end)

/* As a door does it: only a name is taken, and only api.example. */
static enum reason
choose(void *owner, struct text name, X509 **leaf, EVP_PKEY **key)
{
    struct host host;

    assert_ptr_equal(owner, &choice);
    choice.times++;
    choice.named = name.at != NULL;
    snprintf(choice.asked, sizeof choice.asked, "%.*s", TEXT_ARG(name));
    *key = leaf_cache_key(leaves);
    if (choice.fixed != NULL) {
        *leaf = choice.fixed;
        return REASON_OK;
    }
    if (choice.shown != NULL)
        name = text_z(choice.shown);
    if (host_parse(name, &host) != REASON_OK)
        return REASON_SERVER_NAME;
    if (choice.shown == NULL && !text_equals(host_text(&host), TEXT("api.example")))
        return REASON_NAMES_DISAGREE;
    return leaf_get(leaves, &host, leaf);
}

static void
shake_hands(struct ends *e, struct tls_client *c, const char *name)
{
    struct host host = host_of(name);

    ends_open(e);
    link_accept_tls(&e->down, server, ALPN_H1, choose, &choice);
    link_dial_tls(&e->up, tls_dial(c, e->up.fd, &host, ALPN_H1));
    ends_shake_hands(e);
}

static void
open_both(struct ends *e)
{
    shake_hands(e, client, "api.example");
    assert_int_equal(e->up.state, LINK_OPEN);
    assert_int_equal(e->down.state, LINK_OPEN);
}

/* ---- what is said arrives */

static void
what_one_end_says_the_other_reads_and_back(void **state)
{
    struct ends e;

    (void)state;
    open_both(&e);
    assert_int_equal(choice.times, 1);
    assert_string_equal(choice.asked, "api.example");
    assert_string_equal(tls_version(e.up.tls), "TLSv1.3");
    buf_add_z(&e.up.out, "question");
    link_move(&e.up);
    UNTIL(buf_length(&e.down.in) == 8);
    assert_buf(&e.down.in, "question");
    assert_int_equal(e.down.received, 8); /* of the application, not of TLS */
    buf_add_z(&e.down.out, "answer");
    link_move(&e.down);
    UNTIL(buf_length(&e.up.in) == 6);
    assert_buf(&e.up.in, "answer");
    ends_close(&e);
}

static void
nothing_of_a_long_answer_is_lost_to_the_ceiling(void **state)
{
    enum { LONG = 8 * CEILING };
    size_t read = 0;
    struct ends e;

    (void)state;
    open_both(&e);
    for (size_t i = 0; i < LONG; i++)
        buf_add_byte(&e.down.out, "holdfast"[i % 8]);
    link_move(&e.down);
    while (read < LONG) {
        struct text t;

        UNTIL(buf_length(&e.up.in) > 0);
        t = buf_text(&e.up.in);
        assert_true(t.n < CEILING + 16 * 1024);
        for (size_t i = 0; i < t.n; i++)
            if (t.at[i] != "holdfast"[(read + i) % 8])
                fail_msg("byte %zu is wrong", read + i);
        read += t.n;
        buf_drop(&e.up.in, t.n);
        link_move(&e.up);
    }
    assert_int_equal(e.up.received, LONG);
    ends_close(&e);
}

/* What was read while sniffing belongs to TLS: the ClientHello is in it. */
static void
early_bytes_are_read_before_the_socket(void **state)
{
    struct host host = host_of("api.example");
    struct ends e;

    (void)state;
    ends_open(&e);
    link_dial_tls(&e.up, tls_dial(client, e.up.fd, &host, ALPN_H1));
    UNTIL(buf_length(&e.down.in) > 5);
    assert_int_equal(buf_text(&e.down.in).at[0], 0x16);
    link_accept_tls(&e.down, server, ALPN_H1, choose, &choice);
    assert_int_equal(buf_length(&e.down.in), 0);
    assert_int_equal(choice.times, 1); /* it did not wait for more */
    UNTIL(e.up.state == LINK_OPEN && e.down.state == LINK_OPEN);
    ends_close(&e);
}

/* A library may leave an error in OpenSSL's queue, which SSL_get_error reads. It is not
 * this connection's. */
static void
an_error_that_somebody_left_behind_ends_no_connection(void **state)
{
    struct host host = host_of("api.example");
    char piece[16];
    struct ends e;
    size_t n;

    (void)state;
    ends_open(&e);
    ERR_raise(ERR_LIB_X509, X509_R_CERT_ALREADY_IN_HASH_TABLE);
    link_dial_tls(&e.up, tls_dial(client, e.up.fd, &host, ALPN_H1));
    ERR_raise(ERR_LIB_X509, X509_R_CERT_ALREADY_IN_HASH_TABLE);
    link_accept_tls(&e.down, server, ALPN_H1, choose, &choice);
    UNTIL(e.up.state != LINK_HANDSHAKING && e.down.state != LINK_HANDSHAKING);
    assert_int_equal(e.up.state, LINK_OPEN);
    ERR_raise(ERR_LIB_X509, X509_R_CERT_ALREADY_IN_HASH_TABLE);
    assert_int_equal(tls_read(e.up.tls, piece, sizeof piece, &n), IO_WANT_READ);
    ends_close(&e);
}

/* ---- ends */

static void
a_close_notify_is_an_end(void **state)
{
    struct ends e;

    (void)state;
    open_both(&e);
    buf_add_z(&e.down.out, "whole");
    link_move(&e.down);
    link_shut_write(&e.down);
    UNTIL(e.up.read_ended);
    assert_buf(&e.up.in, "whole");
    assert_false(e.up.truncated);
    assert_int_equal(e.up.state, LINK_OPEN);
    ends_close(&e);
}

/* Anyone on the way can send a FIN; only the peer can send a close_notify. */
static void
an_end_without_close_notify_is_truncation(void **state)
{
    struct ends e;

    (void)state;
    open_both(&e);
    buf_add_z(&e.down.out, "half");
    link_move(&e.down);
    shutdown(e.down.fd, SHUT_WR);
    UNTIL(e.up.read_ended);
    assert_buf(&e.up.in, "half");
    assert_true(e.up.truncated);
    ends_close(&e);
}

static void
a_reset_is_death(void **state)
{
    struct ends e;

    (void)state;
    open_both(&e);
    link_abort(&e.down);
    link_close(&e.down);
    UNTIL(e.up.state == LINK_DEAD || e.up.read_ended);
    assert_int_equal(e.up.state, LINK_DEAD);
    ends_close(&e);
}

static void
closing_says_so_and_aborting_does_not(void **state)
{
    struct ends e;

    (void)state;
    open_both(&e);
    link_close(&e.down);
    UNTIL(e.up.read_ended || e.up.state == LINK_DEAD);
    assert_true(e.up.read_ended);
    assert_false(e.up.truncated);
    ends_close(&e);
}

/* ---- upstreams are verified */

static void
a_certificate_for_another_name_is_refused(void **state)
{
    static const char *const rows[][2] = {
        { "api.example", "evil.example" },  { "api.example", "example" },
        { "api.example", "a.api.example" }, { "a.api.example", "api.example" },
        { "127.0.0.1", "127.0.0.2" },       { "127.0.0.1", "api.example" },
        { "api.example", "xapi.example" },  { "::1", "127.0.0.1" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char wanted[32];
        struct ends e;

        snprintf(wanted, sizeof wanted, strchr(rows[i][0], ':') ? "[%s]" : "%s",
                 rows[i][0]);
        choice.shown = rows[i][1];
        shake_hands(&e, client, wanted);
        if (e.up.state != LINK_DEAD || e.up.why != REASON_UPSTREAM_CERTIFICATE)
            fail_msg("%s was shown %s: %s", rows[i][0], rows[i][1],
                     reason_token(e.up.why));
        assert_int_equal(e.down.state == LINK_OPEN && e.down.received > 0, 0);
        ends_close(&e);
    }
    assert_true(log_says("upstream_certificate"));
}

static void
an_address_is_verified_as_one_and_never_sent_as_a_name(void **state)
{
    static const char *const rows[] = { "127.0.0.1", "[::1]" };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ends e;

        choice.shown = rows[i];
        shake_hands(&e, client, rows[i]);
        assert_int_equal(e.up.state, LINK_OPEN);
        assert_false(choice.named);
        ends_close(&e);
    }
}

static void
an_unknown_authority_is_refused(void **state)
{
    struct tls_client *other;
    struct ca *stranger;
    struct ends e;

    (void)state;
    assert_int_equal(ca_open(in_scratch("stranger"), YEAR_MS, &stranger), REASON_OK);
    other = client_of(in_scratch("stranger/ca.pem"));
    shake_hands(&e, other, "api.example");
    assert_int_equal(e.up.state, LINK_DEAD);
    assert_int_equal(e.up.why, REASON_UPSTREAM_CERTIFICATE);
    ends_close(&e);
    tls_client_free(other);
    ca_free(stranger);
}

/* Of a month ago, by an authority that is still good. */
static void
an_expired_certificate_is_refused(void **state)
{
    struct host host = host_of("api.example");
    struct tls_client *old_client;
    struct ends e;

    (void)state;
    leaf_cache_free(leaves);
    ca_free(ca);
    clock_wall_shift(-30 * DAY_S);
    assert_int_equal(ca_open(in_scratch("old"), YEAR_MS, &ca), REASON_OK);
    leaves = leaf_cache_new(ca, 8);
    assert_non_null(leaves);
    assert_int_equal(leaf_get(leaves, &host, &choice.fixed), REASON_OK);
    clock_wall_shift(30 * DAY_S);
    old_client = client_of(in_scratch("old/ca.pem"));
    shake_hands(&e, old_client, "api.example");
    assert_int_equal(e.up.state, LINK_DEAD);
    assert_int_equal(e.up.why, REASON_UPSTREAM_CERTIFICATE);
    assert_true(log_says("expired"));
    ends_close(&e);
    choice.fixed = NULL; /* what it signs today is accepted: it was the date */
    shake_hands(&e, old_client, "api.example");
    assert_int_equal(e.up.state, LINK_OPEN);
    ends_close(&e);
    tls_client_free(old_client);
}

static void
one_that_does_not_speak_tls_is_upstream_tls(void **state)
{
    struct host host = host_of("api.example");
    struct ends e;

    (void)state;
    ends_open(&e);
    buf_add_z(&e.down.out, "HTTP/1.1 400 Bad Request\r\n\r\n");
    link_move(&e.down);
    link_dial_tls(&e.up, tls_dial(client, e.up.fd, &host, ALPN_H1));
    UNTIL(e.up.state != LINK_HANDSHAKING);
    assert_int_equal(e.up.state, LINK_DEAD);
    assert_int_equal(e.up.why, REASON_UPSTREAM_TLS);
    ends_close(&e);
}

static void
one_that_leaves_in_the_middle_of_a_handshake_is_told_by_its_side(void **state)
{
    struct host host = host_of("api.example");
    struct ends e;

    (void)state;
    ends_open(&e);
    link_dial_tls(&e.up, tls_dial(client, e.up.fd, &host, ALPN_H1));
    link_close(&e.down);
    UNTIL(e.up.state == LINK_DEAD);
    assert_int_equal(e.up.why, REASON_UPSTREAM_TLS);
    ends_close(&e);
    ends_open(&e);
    link_accept_tls(&e.down, server, ALPN_H1, choose, &choice);
    link_close(&e.up);
    UNTIL(e.down.state == LINK_DEAD);
    assert_int_equal(e.down.why, REASON_CLIENT_TLS);
    ends_close(&e);
}

/* ---- resumption */

static void
keep(void *owner, struct tls_session *s)
{
    struct tls_session **kept = owner;

    tls_session_free(*kept);
    *kept = s;
}

/* A session of api.example, as its service gives it with its first words. */
static struct tls_session *
earn_session(void)
{
    struct host host = host_of("api.example");
    struct tls_session *session = NULL;
    struct tls *t;
    struct ends e;

    ends_open(&e);
    link_accept_tls(&e.down, server, ALPN_H1, choose, &choice);
    t = tls_dial(client, e.up.fd, &host, ALPN_H1);
    tls_keep_sessions(t, keep, &session);
    link_dial_tls(&e.up, t);
    UNTIL(e.down.state == LINK_OPEN && e.up.state == LINK_OPEN);
    buf_add_z(&e.down.out, "hello");
    link_move(&e.down);
    UNTIL(buf_length(&e.up.in) == 5);
    assert_false(tls_is_resumed(e.up.tls));
    assert_non_null(session);
    ends_close(&e);
    return session;
}

static bool
resumes(struct tls_server *s, const struct tls_session *session)
{
    struct host host = host_of("api.example");
    struct ends e;
    struct tls *t;
    bool resumed;

    ends_open(&e);
    link_accept_tls(&e.down, s, ALPN_H1, choose, &choice);
    t = tls_dial(client, e.up.fd, &host, ALPN_H1);
    tls_resume(t, session);
    link_dial_tls(&e.up, t);
    UNTIL(e.down.state != LINK_HANDSHAKING && e.up.state != LINK_HANDSHAKING);
    assert_int_equal(e.up.state, LINK_OPEN);
    assert_int_equal(e.down.state, LINK_OPEN);
    resumed = tls_is_resumed(e.up.tls);
    assert_int_equal(tls_is_resumed(e.down.tls), resumed);
    ends_close(&e);
    return resumed;
}

static void
a_session_shortens_the_next_handshake_and_is_refused_by_another_generation(void **state)
{
    struct tls_server *next = tls_server_new();
    struct tls_session *session = earn_session();

    (void)state;
    choice.times = 0;
    assert_true(resumes(server, session));
    assert_int_equal(choice.times, 1); /* the name is looked at all the same */
    assert_false(resumes(next, session));
    tls_session_free(session);
    tls_server_free(next);
}

/* A service whose leaf was made most of a day ago. */
static void
show_a_leaf_that_ends_in(int64_t s)
{
    struct host host = host_of("api.example");

    tls_client_free(client);
    leaf_cache_free(leaves);
    ca_free(ca);
    clock_wall_shift(s - DAY_S);
    assert_int_equal(ca_open(in_scratch("old"), YEAR_MS, &ca), REASON_OK);
    leaves = leaf_cache_new(ca, 8);
    assert_non_null(leaves);
    assert_int_equal(leaf_get(leaves, &host, &choice.fixed), REASON_OK);
    clock_wall_shift(DAY_S - s);
    client = client_of(in_scratch("old/ca.pem"));
}

static void
a_session_is_stale_after_an_hour_or_when_its_certificate_has_ended(void **state)
{
    struct tls_session *session = earn_session();
    int64_t now_s = clock_wall_s();

    (void)state;
    assert_true(tls_session_is_fresh(session, now_s + 10));
    assert_true(tls_session_is_fresh(session, now_s + 3500));
    assert_false(tls_session_is_fresh(session, now_s + 3700));
    assert_false(tls_session_is_fresh(session, now_s - 100));
    tls_session_free(session);
    show_a_leaf_that_ends_in(600);
    session = earn_session();
    assert_true(tls_session_is_fresh(session, now_s + 500));
    assert_false(tls_session_is_fresh(session, now_s + 700));
    tls_session_free(session);
}

static struct upstream_key
key_for(const char *task)
{
    struct upstream_key key;

    memset(&key, 0, sizeof key);
    key.target = (struct authority){ host_of("api.example"), 443 };
    key.client = client;
    snprintf(key.task, sizeof key.task, "%s", task);
    return key;
}

static void
a_session_is_handed_out_once_and_only_for_its_key(void **state)
{
    struct upstream_key one = key_for("t-one"), other = key_for("t-other");
    struct sessions *s = sessions_new(8);
    struct tls_session *session = earn_session(), *got;

    (void)state;
    assert_null(sessions_take(s, &one));
    sessions_keep(s, &one, session);
    assert_null(sessions_take(s, &other));
    got = sessions_take(s, &one);
    assert_ptr_equal(got, session);
    tls_session_free(got);
    assert_null(sessions_take(s, &one));
    assert_int_equal(sessions_count(s), 0);
    sessions_free(s);
}

static struct tls_session *
another(struct tls_session *session)
{
    assert_int_equal(SSL_SESSION_up_ref((SSL_SESSION *)session), 1);
    return session;
}

static void
no_more_sessions_are_kept_than_there_is_room_and_the_oldest_make_way(void **state)
{
    struct sessions *s = sessions_new(6), *none = sessions_new(0);
    struct tls_session *session = earn_session(), *got;
    struct upstream_key key;

    (void)state;
    for (unsigned i = 0; i < 10; i++) { /* of one key no more than 4 */
        key = key_for("t-one");
        sessions_keep(s, &key, another(session));
    }
    assert_int_equal(sessions_count(s), 4);
    for (char task[] = "t-a"; task[2] < 't'; task[2]++) {
        key = key_for(task);
        sessions_keep(s, &key, another(session));
    }
    assert_int_equal(sessions_count(s), 6);
    key = key_for("t-one");
    assert_null(sessions_take(s, &key));
    key = key_for("t-s");
    got = sessions_take(s, &key);
    assert_non_null(got);
    tls_session_free(got);
    sessions_keep(none, &key, session);
    assert_int_equal(sessions_count(none), 0);
    sessions_free(none);
    sessions_free(s);
}

static void
the_sessions_of_a_task_that_has_ended_are_forgotten_and_no_others(void **state)
{
    struct upstream_key one = key_for("t-one"), other = key_for("t-other");
    struct sessions *s = sessions_new(8);
    struct tls_session *session = earn_session(), *got;

    (void)state;
    sessions_keep(s, &one, another(session));
    sessions_keep(s, &other, another(session));
    sessions_keep(s, &one, session);
    sessions_drop_task(s, TEXT("t-one"));
    assert_int_equal(sessions_count(s), 1);
    assert_null(sessions_take(s, &one));
    got = sessions_take(s, &other);
    assert_non_null(got);
    tls_session_free(got);
    sessions_free(s);
}

/* ---- what clients say in their first message */

static void
put_u16(struct buf *b, size_t n)
{
    buf_add_byte(b, (char)(n >> 8));
    buf_add_byte(b, (char)n);
}

/* A ClientHello (RFC 8446 section 4.1.2) in one record, whose server_name extensions
 * hold these bytes; `second` may be empty. */
static void
write_hello(struct buf *b, struct text first, struct text second)
{
    struct buf extensions = { 0 }, hello = { 0 };
    const struct text bodies[] = { first, second };

    for (size_t i = 0; i < 2; i++) {
        if (bodies[i].at == NULL)
            continue;
        put_u16(&extensions, 0);
        put_u16(&extensions, bodies[i].n);
        buf_add(&extensions, bodies[i]);
    }
    /* groups: X25519, P-256; signatures: ECDSA with P-256; then TLS 1.2's suite goes
     * without a key share. */
    buf_add(&extensions, TEXT("\0\x0a\0\6\0\4\0\x1d\0\x17\0\x0d\0\4\0\2\4\3"));
    buf_add(&hello, TEXT("\3\3"));
    for (char i = 0; i < 32; i++)
        buf_add_byte(&hello, i);
    buf_add(&hello, TEXT("\0\0\2\xc0\x2b\1\0"));
    put_u16(&hello, buf_length(&extensions));
    buf_add(&hello, buf_text(&extensions));
    buf_add(b, TEXT("\x16\3\1"));
    put_u16(b, buf_length(&hello) + 4);
    buf_add(b, TEXT("\1\0"));
    put_u16(b, buf_length(&hello));
    buf_add(b, buf_text(&hello));
    buf_free(&extensions);
    buf_free(&hello);
}

#define API                                                                            \
    "\0\0\x0b"                                                                         \
    "api.example"
#define NONE                                                                           \
    {                                                                                  \
        NULL, 0                                                                        \
    }

static void
a_client_hello_that_does_not_name_one_host_is_refused(void **state)
{
    static const struct {
        const char *what;
        struct text first, second;
        enum reason why;
        bool asked;
    } rows[] = {
        { "one name", { "\0\x0e" API, 16 }, NONE, REASON_OK, true },
        { "none", NONE, NONE, REASON_SERVER_NAME, true },
        { "two names", { "\0\x1c" API API, 30 }, NONE, REASON_SERVER_NAME, false },
        { "an address",
          { "\0\x0c\0\0\x09"
            "127.0.0.1",
            14 },
          NONE,
          REASON_NAMES_DISAGREE,
          true },
        { "another name",
          { "\0\x0d\0\0\x0a"
            "xx.example",
            15 },
          NONE,
          REASON_NAMES_DISAGREE,
          true },
        { "another type",
          { "\0\x0e\1\0\x0b"
            "api.example",
            16 },
          NONE,
          REASON_SERVER_NAME,
          false },
        { "a name and another type",
          { "\0\x12" API "\1\0\1x", 20 },
          NONE,
          REASON_SERVER_NAME,
          false },
        { "an empty list", { "\0\0", 2 }, NONE, REASON_SERVER_NAME, false },
        { "an empty extension", { "", 0 }, NONE, REASON_SERVER_NAME, false },
        { "an empty name", { "\0\3\0\0\0", 5 }, NONE, REASON_SERVER_NAME, false },
        { "a list longer than the extension",
          { "\0\x0f" API, 16 },
          NONE,
          REASON_SERVER_NAME,
          false },
        { "a list shorter than the extension",
          { "\0\x0d" API, 16 },
          NONE,
          REASON_SERVER_NAME,
          false },
        { "a name longer than the list",
          { "\0\x0e\0\0\x0c"
            "api.example",
            16 },
          NONE,
          REASON_SERVER_NAME,
          false },
        { "a name shorter than the list",
          { "\0\x0e\0\0\x0a"
            "api.example",
            16 },
          NONE,
          REASON_SERVER_NAME,
          false },
        { "a NUL in the name",
          { "\0\x0e\0\0\x0b"
            "api\0example",
            16 },
          NONE,
          REASON_SERVER_NAME,
          true },
        { "two extensions",
          { "\0\x0e" API, 16 },
          { "\0\x0e" API, 16 },
          REASON_CLIENT_TLS,
          false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ends e;

        memset(&choice, 0, sizeof choice);
        ends_open(&e);
        write_hello(&e.up.out, rows[i].first, rows[i].second);
        link_move(&e.up);
        link_accept_tls(&e.down, server, ALPN_H1, choose, &choice);
        UNTIL(e.down.state == LINK_DEAD || buf_length(&e.up.in) > 0);
        if (e.down.why != rows[i].why || (choice.times == 1) != rows[i].asked)
            fail_msg("%s: %s, asked %u times", rows[i].what, reason_token(e.down.why),
                     choice.times);
        UNTIL(buf_length(&e.up.in) > 0);
        assert_int_equal(buf_text(&e.up.in).at[0],
                         rows[i].why == REASON_OK ? 0x16 : 0x15); /* or an alert */
        ends_close(&e);
    }
}

static void
a_refusal_of_the_choice_is_the_reason_of_the_handshake(void **state)
{
    struct ends e;

    (void)state;
    leaf_fail_minting(true);
    shake_hands(&e, client, "api.example");
    leaf_fail_minting(false);
    assert_int_equal(e.down.state, LINK_DEAD);
    assert_int_equal(e.down.why, REASON_MINT_LEAF);
    assert_int_equal(e.up.state, LINK_DEAD);
    ends_close(&e);
}

static void
bytes_that_are_no_tls_are_client_tls(void **state)
{
    struct ends e;

    (void)state;
    ends_open(&e);
    buf_add_z(&e.up.out, "GET / HTTP/1.1\r\nHost: api.example\r\n\r\n");
    link_move(&e.up);
    link_accept_tls(&e.down, server, ALPN_H1, choose, &choice);
    UNTIL(e.down.state == LINK_DEAD);
    assert_int_equal(e.down.why, REASON_CLIENT_TLS);
    assert_int_equal(choice.times, 0);
    ends_close(&e);
}

/* ---- other clients: what they may settle on */

struct stranger {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
};

static void
stranger_make(struct stranger *s, int fd)
{
    s->fd = fd;
    s->ctx = SSL_CTX_new(TLS_client_method());
    assert_non_null(s->ctx);
    SSL_CTX_set_security_level(s->ctx, 0);
    s->ssl = SSL_new(s->ctx);
    SSL_set_fd(s->ssl, fd);
    SSL_set_connect_state(s->ssl);
    SSL_set_tlsext_host_name(s->ssl, "api.example");
}

static void
stranger_free(struct stranger *s)
{
    SSL_free(s->ssl);
    SSL_CTX_free(s->ctx);
    close(s->fd);
    ERR_clear_error();
}

static bool
stranger_gets_in(struct stranger *s, struct link *down)
{
    for (int result = 0; result != 1;) {
        result = SSL_do_handshake(s->ssl);
        if (result != 1 && SSL_get_error(s->ssl, result) != SSL_ERROR_WANT_READ)
            return false;
        ERR_clear_error();
        turn();
    }
    UNTIL(down->state != LINK_HANDSHAKING);
    return down->state == LINK_OPEN;
}

static void
versions_and_protocols_are_ours_or_none(void **state)
{
    static const struct {
        int version;
        struct text protocols;
        bool in;
    } rows[] = {
        { TLS1_3_VERSION, { NULL, 0 }, true },
        { TLS1_2_VERSION, { NULL, 0 }, true },
        { TLS1_1_VERSION, { NULL, 0 }, false },
        { TLS1_VERSION, { NULL, 0 }, false },
        { TLS1_3_VERSION, { "\x08http/1.1", 9 }, true },
        { TLS1_3_VERSION, { "\x02h2\x08http/1.1", 12 }, true },
        { TLS1_3_VERSION, { "\x02h2", 3 }, false },
        { TLS1_2_VERSION, { "\x08http/1.0", 9 }, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stranger s;
        struct link down;
        struct bell bell;
        int fds[2];
        bool in;

        tcp_pair(fds);
        bell_hang(&bell);
        stranger_make(&s, fds[1]);
        SSL_set_min_proto_version(s.ssl, rows[i].version);
        SSL_set_max_proto_version(s.ssl, rows[i].version);
        SSL_set_alpn_protos(s.ssl, (const unsigned char *)rows[i].protocols.at,
                            (unsigned)rows[i].protocols.n);
        link_open(&down, loop, fds[0], CEILING, &bell.wake);
        link_accept_tls(&down, server, ALPN_H1, choose, &choice);
        in = stranger_gets_in(&s, &down);
        if (in != rows[i].in)
            fail_msg("row %zu: %s", i, in ? "in" : "out");
        if (!in) {
            UNTIL(down.state == LINK_DEAD);
            assert_int_equal(down.why, REASON_CLIENT_TLS);
        }
        link_close(&down);
        stranger_free(&s);
    }
}

/* ---- a gate's own certificate */

static void
what_a_gate_shows_is_loaded_or_refused(void **state)
{
    static const struct {
        const char *certificate, *key;
        enum reason why;
    } rows[] = {
        { "ca/ca.pem", "ca/ca.key", REASON_OK },
        { "missing.pem", "ca/ca.key", REASON_FILE_CONTENT },
        { "words.pem", "ca/ca.key", REASON_FILE_CONTENT },
        { "ca/ca.pem", "missing.key", REASON_FILE_UNREADABLE },
        { "ca/ca.pem", "words.pem", REASON_FILE_CONTENT },
        { "ca/ca.pem", "other.key", REASON_FILE_CONTENT },
        { "ca/ca.pem", "open.key", REASON_FILE_UNSAFE },
    };
    struct key *other = key_new();

    (void)state;
    assert_int_equal(key_save(other, in_scratch("other.key")), REASON_OK);
    assert_int_equal(key_save(other, in_scratch("open.key")), REASON_OK);
    assert_int_equal(chmod(in_scratch("open.key"), 0644), 0);
    write_text(in_scratch("words.pem"), 0600, "no certificate and no key\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tls_server *s;
        enum reason why = tls_server_load(in_scratch(rows[i].certificate),
                                          in_scratch(rows[i].key), &s);

        if (why != rows[i].why || (s == NULL) != (why != REASON_OK))
            fail_msg("%s with %s: %s", rows[i].certificate, rows[i].key,
                     reason_token(why));
        tls_server_free(s);
    }
    key_free(other);
}

static void
a_gate_shows_its_own_certificate_and_asks_nobody(void **state)
{
    struct tls_server *gate;
    struct stranger s;
    struct link down;
    struct bell bell;
    int fds[2];

    (void)state;
    assert_int_equal(
        tls_server_load(in_scratch("ca/ca.pem"), in_scratch("ca/ca.key"), &gate),
        REASON_OK);
    tcp_pair(fds);
    bell_hang(&bell);
    stranger_make(&s, fds[1]);
    link_open(&down, loop, fds[0], CEILING, &bell.wake);
    link_accept_tls(&down, gate, ALPN_H1, NULL, NULL);
    assert_true(stranger_gets_in(&s, &down));
    assert_int_equal(X509_cmp(SSL_get0_peer_certificate(s.ssl), ca_certificate(ca)), 0);
    assert_int_equal(choice.times, 0);
    link_close(&down);
    stranger_free(&s);
    tls_server_free(gate);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TLS_TEST(what_one_end_says_the_other_reads_and_back),
        TLS_TEST(nothing_of_a_long_answer_is_lost_to_the_ceiling),
        TLS_TEST(early_bytes_are_read_before_the_socket),
        TLS_TEST(an_error_that_somebody_left_behind_ends_no_connection),
        TLS_TEST(a_close_notify_is_an_end),
        TLS_TEST(an_end_without_close_notify_is_truncation),
        TLS_TEST(a_reset_is_death),
        TLS_TEST(closing_says_so_and_aborting_does_not),
        TLS_TEST(a_certificate_for_another_name_is_refused),
        TLS_TEST(an_address_is_verified_as_one_and_never_sent_as_a_name),
        TLS_TEST(an_unknown_authority_is_refused),
        TLS_TEST(an_expired_certificate_is_refused),
        TLS_TEST(one_that_does_not_speak_tls_is_upstream_tls),
        TLS_TEST(one_that_leaves_in_the_middle_of_a_handshake_is_told_by_its_side),
        TLS_TEST(
            a_session_shortens_the_next_handshake_and_is_refused_by_another_generation),
        TLS_TEST(a_session_is_stale_after_an_hour_or_when_its_certificate_has_ended),
        TLS_TEST(a_session_is_handed_out_once_and_only_for_its_key),
        TLS_TEST(no_more_sessions_are_kept_than_there_is_room_and_the_oldest_make_way),
        TLS_TEST(the_sessions_of_a_task_that_has_ended_are_forgotten_and_no_others),
        TLS_TEST(a_client_hello_that_does_not_name_one_host_is_refused),
        TLS_TEST(a_refusal_of_the_choice_is_the_reason_of_the_handshake),
        TLS_TEST(bytes_that_are_no_tls_are_client_tls),
        TLS_TEST(versions_and_protocols_are_ours_or_none),
        TLS_TEST(what_a_gate_shows_is_loaded_or_refused),
        TLS_TEST(a_gate_shows_its_own_certificate_and_asks_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
