/* proxy/errand.c against a service of the test's own: what arrives there, and what
 * becomes of what it answers, or does not. */
#include "tests/unit/certs/clients.h"
#include "tests/unit/proxy/stage.h"

#include "certs/key.h"
#include "certs/leaf.h"
#include "proxy/errand.h"
#include "proxy/link.h"
#include "proxy/resolve.h"

#include <openssl/x509.h>

#define YEAR_MS (INT64_C(365) * 86400 * 1000)

enum { LONG_MS = 60 * 1000, SHORT_MS = 1000, ANSWER_MAX = 32, CEILING = 64 * 1024 };

/* ---- the service, one connection at a time */

static struct {
    uint16_t port;
    int door;
    struct event *on_knock;
    struct link link;
    struct bell bell;
    const char *answer; /* NULL: none */
    bool is_mute;       /* it takes the connection and not even TLS begins */
    bool ends, cuts;    /* behind its answer, inside TLS or not */
    const char *shows;  /* the name of its leaf */
    unsigned knocked;
    bool has_answered;
    char heard[4096];
} service;

static struct ca *ca;
static struct leaf_cache *leaves;
static struct tls_server *server;
static struct tls_client *client;
static struct resolver *resolver;
static struct conf_resolver conf;
static struct conf_hosts_row row;
static const char *addresses[4];
static char nameserver[32];
static const char *servers[1] = { nameserver };
static int silent_udp;
static struct bell bell;
static const struct trust *clients; /* by which the service asks for certificates */
static struct pair *pair;           /* what the service is shown; NULL: nothing */

static enum reason
choose(void *owner, struct text name, X509 **leaf, EVP_PKEY **key)
{
    struct host host = host_of(service.shows);

    (void)owner, (void)name;
    *key = leaf_cache_key(leaves);
    return leaf_get(leaves, &host, leaf);
}

static bool
has_heard_all(void)
{
    const char *end = strstr(service.heard, "\r\n\r\n"), *length;

    if (end == NULL)
        return false;
    length = strstr(service.heard, "Content-Length: ");
    return strlen(end + 4) >= (length != NULL ? strtoul(length + 16, NULL, 10) : 0);
}

static void
serve(void *owner)
{
    struct link *l = &service.link;
    size_t n = strlen(service.heard);

    (void)owner;
    if (l->state == LINK_OPEN && l->tls == NULL && !service.is_mute)
        link_accept_tls(l, server, ALPN_H1, choose, NULL);
    snprintf(service.heard + n, sizeof service.heard - n, "%.*s",
             TEXT_ARG(buf_text(&l->in)));
    buf_drop(&l->in, buf_length(&l->in));
    if (!has_heard_all() || service.answer == NULL || service.has_answered)
        return;
    service.has_answered = true;
    buf_add_z(&l->out, service.answer);
    link_move(l);
    if (service.ends)
        link_shut_write(l);
    if (service.cuts)
        (void)shutdown(l->fd, SHUT_WR);
}

static void
on_knock(evutil_socket_t fd, short what, void *arg)
{
    int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)what, (void)arg;
    assert_true(accepted >= 0);
    service.knocked++;
    link_close(&service.link);
    service.bell.wake = (struct wake){ .answer = serve };
    link_open(&service.link, loop, accepted, CEILING, &service.bell.wake);
    wake_ring(loop, &service.bell.wake);
}

static void
resolve_to(const char *first, const char *second)
{
    addresses[0] = first;
    addresses[1] = second;
    row.name = "api.example";
    row.addresses = (struct strings){ .at = addresses, .n = second == NULL ? 1 : 2 };
}

static struct tls_client *
client_of(const char *file)
{
    struct trust *trust;

    assert_int_equal(trust_load(file, &trust), REASON_OK);
    return tls_client_new(trust);
}

static void
begin_resolver(void)
{
    uint16_t port = 0;

    silent_udp = bound_socket(SOCK_DGRAM, &port);
    snprintf(nameserver, sizeof nameserver, "127.0.0.1:%u", port);
    conf = (struct conf_resolver){ .servers = { .at = servers, .n = 1 },
                                   .hosts = { .at = &row, .n = 1 },
                                   .timeout_ms = 30 * 1000 };
    resolver = resolver_new(loop, &conf);
    resolve_to("127.0.0.1", NULL);
}

static int
begin(void **state)
{
    if (stage_begin(state) != 0)
        return -1;
    memset(&service, 0, sizeof service);
    service.link.fd = -1;
    service.shows = "api.example";
    service.door = listening_socket(&service.port);
    service.on_knock = event_new(loop_base(loop), service.door, EV_READ | EV_PERSIST,
                                 on_knock, NULL);
    event_add(service.on_knock, NULL);
    assert_int_equal(ca_open(in_scratch("ca"), YEAR_MS, &ca), REASON_OK);
    leaves = leaf_cache_new(ca, 8);
    server = tls_server_new();
    client = client_of(in_scratch("ca/ca.pem"));
    begin_resolver();
    bell_hang(&bell);
    return leaves == NULL;
}

static int
end(void **state)
{
    wake_cancel(&bell.wake);
    wake_cancel(&service.bell.wake);
    link_close(&service.link);
    event_free(service.on_knock);
    close(service.door);
    close(silent_udp);
    resolver_free(resolver);
    tls_client_free(client);
    tls_server_free(server);
    leaf_cache_free(leaves);
    ca_free(ca);
    return stage_end(state);
}

#define ERRAND_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

/* ---- errands */

static const struct field fields[] = {
    { .name = { "Content-Type", 12 }, .value = { "text/plain", 10 } },
    { .name = { "Accept", 6 }, .value = { "*/*", 3 } },
};

static struct errand *
send_to(const char *host, struct tls_client *verifier, int64_t timeout_ms)
{
    char z[300];
    struct errand_ask ask = { .method = TEXT("POST"),
                              .fields = fields,
                              .n_fields = 2,
                              .body = TEXT("what is said"),
                              .client = verifier,
                              .pair = pair,
                              .answer_max = ANSWER_MAX,
                              .timeout_ms = timeout_ms };
    struct url url;

    snprintf(z, sizeof z, "https://%s:%u/a/b?c=d", host, service.port);
    assert_int_equal(url_split(z, &url), REASON_OK);
    ask.url = &url;
    return errand_new(loop, resolver, &ask, &bell.wake);
}

/* Over, once. */
static struct errand *
have_run(int64_t timeout_ms)
{
    struct errand *e = send_to("api.example", client, timeout_ms);

    assert_int_equal(bell.rung, 0);
    UNTIL(bell.rung > 0);
    assert_true(errand_is_over(e));
    settle();
    assert_int_equal(bell.rung, 1);
    return e;
}

static void
expect(enum reason why, int64_t timeout_ms)
{
    struct errand *e = have_run(timeout_ms);

    if (errand_why(e) != why)
        fail_msg("%s, not %s", reason_token(errand_why(e)), reason_token(why));
    errand_free(e);
    bell.rung = 0;
}

static void
what_is_asked_arrives_and_the_answer_is_read(void **state)
{
    char expected[512];
    struct errand *e;

    (void)state;
    service.answer = "HTTP/1.1 201 Made\r\nContent-Length: 4\r\nX-A: b\r\n\r\nbody";
    e = have_run(LONG_MS);
    assert_int_equal(errand_why(e), REASON_OK);
    assert_int_equal(errand_status(e), 201);
    assert_true(text_equals(errand_body(e), TEXT("body")));
    assert_true(text_equals(errand_field(e, TEXT("x-a")), TEXT("b")));
    assert_null(errand_field(e, TEXT("x-b")).at);
    snprintf(expected, sizeof expected,
             "POST /a/b?c=d HTTP/1.1\r\nHost: api.example:%u\r\n"
             "Content-Type: text/plain\r\nAccept: */*\r\nContent-Length: 12\r\n\r\n"
             "what is said",
             service.port);
    assert_string_equal(service.heard, expected);
    errand_free(e);
}

#define OK      "HTTP/1.1 200 OK\r\n"
#define INTERIM "HTTP/1.1 103 Soon\r\nLink: a\r\n\r\n"

static const struct {
    const char *id, *answer;
    bool ends, cuts;
    enum reason why;
    int status;
    const char *body;
} answers[] = {
    { "empty", "HTTP/1.1 204 None\r\n\r\n", false, false, REASON_OK, 204, "" },
    { "chunked",
      OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", false,
      false, REASON_OK, 200, "abcde" },
    { "until its end", OK "\r\nabc", true, false, REASON_OK, 200, "abc" },
    { "interim ones", INTERIM INTERIM OK "Content-Length: 1\r\n\r\nx", false, false,
      REASON_OK, 200, "x" },
    { "a redirect is not followed",
      "HTTP/1.1 307 There\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", false, false,
      REASON_OK, 307, "" },
    { "as much as may be",
      OK "Content-Length: 32\r\n\r\n01234567890123456789012345678901", false, false,
      REASON_OK, 200, "01234567890123456789012345678901" },
    { "too much", OK "Content-Length: 33\r\n\r\n012345678901234567890123456789012",
      false, false, REASON_ANSWER_TOO_LARGE, 0, NULL },
    { "too much in chunks",
      OK "Transfer-Encoding: chunked\r\n\r\n"
         "1f\r\n0123456789012345678901234567890\r\n2\r\nab\r\n",
      false, false, REASON_ANSWER_TOO_LARGE, 0, NULL },
    { "too many interim ones",
      INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM OK
      "Content-Length: 0\r\n\r\n",
      false, false, REASON_UPSTREAM_MALFORMED, 0, NULL },
    { "no HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n", false, false, REASON_UPSTREAM_MALFORMED,
      0, NULL },
    { "two lengths", OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy", false,
      false, REASON_UPSTREAM_MALFORMED, 0, NULL },
    { "another protocol",
      "HTTP/1.1 101 Now\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", false, false,
      REASON_UPSTREAM_UPGRADE, 0, NULL },
    { "no answer", "", true, false, REASON_UPSTREAM_CLOSED, 0, NULL },
    { "half a head", "HTTP/1.1 200 OK\r\nConte", true, false, REASON_UPSTREAM_CLOSED, 0,
      NULL },
    { "half a body", OK "Content-Length: 9\r\n\r\nhalf", true, false,
      REASON_UPSTREAM_CLOSED, 0, NULL },
    { "cut by somebody else", OK "\r\nabc", false, true, REASON_UPSTREAM_CLOSED, 0,
      NULL },
};

static void
each_answer_ends_it_as_it_should(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct errand *e;

        service.answer = answers[i].answer;
        service.ends = answers[i].ends;
        service.cuts = answers[i].cuts;
        service.has_answered = false;
        service.heard[0] = '\0';
        e = have_run(LONG_MS);
        if (errand_why(e) != answers[i].why)
            fail_msg("%s: %s", answers[i].id, reason_token(errand_why(e)));
        if (answers[i].why == REASON_OK) {
            assert_int_equal(errand_status(e), answers[i].status);
            assert_true(text_equals(errand_body(e), text_z(answers[i].body)));
        }
        errand_free(e);
        bell.rung = 0;
    }
}

static void
a_head_past_the_limit_is_not_read(void **state)
{
    struct buf head = { 0 };

    (void)state;
    buf_add_z(&head, "HTTP/1.1 200 OK\r\nX: ");
    for (unsigned i = 0; i < 20 * 1024; i++)
        buf_add_byte(&head, 'x');
    buf_add(&head, text_of("\r\n\r\n", 5));
    service.answer = buf_text(&head).at;
    expect(REASON_UPSTREAM_HEAD_TOO_LARGE, LONG_MS);
    buf_free(&head);
}

/* ---- who is there */

static void
a_service_that_cannot_prove_its_name_is_told_nothing(void **state)
{
    (void)state;
    service.answer = OK "\r\n";
    service.shows = "other.example";
    expect(REASON_UPSTREAM_CERTIFICATE, LONG_MS);
    assert_string_equal(service.heard, "");
}

static void
a_certificate_of_another_authority_is_not_taken(void **state)
{
    struct ca *other;

    (void)state;
    assert_int_equal(ca_open(in_scratch("other"), YEAR_MS, &other), REASON_OK);
    tls_client_free(client);
    client = client_of(in_scratch("other/ca.pem"));
    expect(REASON_UPSTREAM_CERTIFICATE, LONG_MS);
    assert_string_equal(service.heard, "");
    ca_free(other);
}

static void
a_metadata_service_is_never_dialled(void **state)
{
    (void)state;
    resolve_to("127.0.0.1", "169.254.169.254");
    expect(REASON_ADDRESS_PROHIBITED, LONG_MS);
    resolve_to("fd00:ec2::254", NULL);
    expect(REASON_ADDRESS_PROHIBITED, LONG_MS);
    assert_int_equal(service.knocked, 0);
}

static void
an_address_that_refuses_is_followed_by_the_next(void **state)
{
    struct errand *e;

    (void)state;
    service.answer = OK "Content-Length: 0\r\n\r\n";
    resolve_to("127.0.0.2", "127.0.0.1");
    e = have_run(LONG_MS);
    assert_int_equal(errand_why(e), REASON_OK);
    errand_free(e);
}

/* A queue that is full: the kernel lets who knocks wait. */
static int
full_door(const char *address, int crowd[4])
{
    struct address at;
    struct sockaddr_storage to;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t n;

    assert_true(address_parse(text_z(address), &at));
    n = address_to_sockaddr(&at, service.port, &to);
    assert_int_equal(bind(fd, (struct sockaddr *)&to, n), 0);
    assert_int_equal(listen(fd, 0), 0);
    for (unsigned i = 0; i < 4; i++) {
        crowd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)!connect(crowd[i], (struct sockaddr *)&to, n);
    }
    return fd;
}

static void
an_address_that_says_nothing_does_not_take_all_the_time(void **state)
{
    int crowd[4], door = full_door("127.0.0.3", crowd);
    struct errand *e;

    (void)state;
    service.answer = OK "Content-Length: 0\r\n\r\n";
    resolve_to("127.0.0.3", "127.0.0.1");
    e = have_run(4000);
    assert_int_equal(errand_why(e), REASON_OK);
    errand_free(e);
    bell.rung = 0;
    resolve_to("127.0.0.3", NULL);
    expect(REASON_CONNECT_TIMEOUT, SHORT_MS);
    for (unsigned i = 0; i < 4; i++)
        close(crowd[i]);
    close(door);
}

static void
nobody_there_ends_it_at_once(void **state)
{
    (void)state;
    resolve_to("127.0.0.2", NULL);
    expect(REASON_CONNECT_FAILED, LONG_MS);
}

/* ---- its deadline */

static void
each_silence_ends_it_by_a_reason_of_its_own(void **state)
{
    (void)state;
    expect(REASON_UPSTREAM_TIMEOUT, 2000); /* time for a handshake */
    service.is_mute = true;
    expect(REASON_UPSTREAM_TLS_TIMEOUT, 2000);
    row.name = "elsewhere.example";
    expect(REASON_DNS_TIMEOUT, SHORT_MS);
}

static void
an_answer_that_never_ends_is_cut_by_the_deadline(void **state)
{
    (void)state;
    service.answer = OK "Content-Length: 9\r\n\r\nhalf";
    expect(REASON_UPSTREAM_TIMEOUT, 2000);
}

/* ---- its owner lets go of it */

static bool
is_at(unsigned stage)
{
    switch (stage) {
    case 0:
        return true; /* at once */
    case 1:
        return service.knocked > 0;
    case 2:
        return service.link.state == LINK_OPEN && service.link.tls != NULL;
    case 3:
        return has_heard_all();
    default:
        return service.has_answered;
    }
}

static void
who_lets_go_at_any_moment_hears_nothing_more(void **state)
{
    (void)state;
    service.answer = OK "Content-Length: 9\r\n\r\nhalf";
    for (unsigned stage = 0; stage < 5; stage++) {
        struct errand *e = send_to("api.example", client, LONG_MS);

        UNTIL(is_at(stage));
        errand_free(e);
        settle();
        assert_int_equal(bell.rung, 0);
        link_close(&service.link);
        service.knocked = 0;
        service.has_answered = false;
        service.heard[0] = '\0';
    }
    row.name = "elsewhere.example";
    errand_free(send_to("api.example", client, LONG_MS)); /* while it is looked up */
    settle();
    assert_int_equal(bell.rung, 0);
    errand_free(NULL);
}

/* ---- our own certificate */

static void
have_asked(const char *authority)
{
    struct trust *trust;

    assert_int_equal(trust_load(in_scratch(authority), &trust), REASON_OK);
    tls_server_free(server);
    server = tls_server_new();
    tls_server_ask_clients(server, trust);
    clients = trust;
    service.answer = "HTTP/1.1 204 None\r\n\r\n";
    service.has_answered = false;
    service.heard[0] = '\0';
}

static void
a_service_that_asks_for_our_certificate_is_shown_it(void **state)
{
    struct client_identity *who;

    (void)state;
    make_authority("clients", NULL);
    make_client("clients", "a", NULL);
    pair = pair_of("a");
    have_asked("clients.pem");
    expect(REASON_OK, LONG_MS);
    who = tls_read_client(service.link.tls, clients);
    assert_true(
        text_equals(client_identity_thumbprint(who), text_z(pair_thumbprint(pair))));
    client_identity_free(who);
    pair_unref(pair);
    pair = NULL;
}

/* Or what is asked would be asked by nobody. */
static void
nothing_is_said_to_a_service_that_does_not_ask_for_it_or_refuses_it(void **state)
{
    (void)state;
    make_authority("clients", NULL);
    make_authority("strangers", NULL);
    make_client("clients", "a", NULL);
    pair = pair_of("a");
    expect(REASON_CLIENT_CERTIFICATE_UNASKED, LONG_MS);
    assert_string_equal(service.heard, "");
    have_asked("strangers.pem");
    expect(REASON_CLIENT_CERTIFICATE_REFUSED, LONG_MS);
    assert_string_equal(service.heard, "");
    pair_unref(pair);
    pair = NULL;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ERRAND_TEST(what_is_asked_arrives_and_the_answer_is_read),
        ERRAND_TEST(each_answer_ends_it_as_it_should),
        ERRAND_TEST(a_head_past_the_limit_is_not_read),
        ERRAND_TEST(a_service_that_cannot_prove_its_name_is_told_nothing),
        ERRAND_TEST(a_certificate_of_another_authority_is_not_taken),
        ERRAND_TEST(a_metadata_service_is_never_dialled),
        ERRAND_TEST(an_address_that_refuses_is_followed_by_the_next),
        ERRAND_TEST(an_address_that_says_nothing_does_not_take_all_the_time),
        ERRAND_TEST(nobody_there_ends_it_at_once),
        ERRAND_TEST(each_silence_ends_it_by_a_reason_of_its_own),
        ERRAND_TEST(an_answer_that_never_ends_is_cut_by_the_deadline),
        ERRAND_TEST(who_lets_go_at_any_moment_hears_nothing_more),
        ERRAND_TEST(a_service_that_asks_for_our_certificate_is_shown_it),
        ERRAND_TEST(
            nothing_is_said_to_a_service_that_does_not_ask_for_it_or_refuses_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
