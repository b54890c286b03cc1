/* proxy/resolve.c against a nameserver of the test's own: what becomes of an answer, of
 * a lie, and of silence. */
#include "tests/unit/proxy/stage.h"

#include "proxy/resolve.h"

enum {
    A = 1,
    CNAME = 5,
    AAAA = 28,
    NXDOMAIN = 3,
    SERVFAIL = 2,
    TYPES = 2,
    QUICK_MS = 60
};

/* ---- the nameserver */

/* What it says of every name it is asked for. */
struct zone {
    const char *a[8]; /* addresses */
    const char *aaaa[8];
    const char *cname[4]; /* a chain, from the name that was asked for */
    unsigned many;        /* A records beside those in `a` */
    int rcode;
    bool silent;         /* never an answer */
    bool wrong_id;       /* another answer comes first, with another id … */
    bool wrong_question; /* … or to another question */
    struct text garbage; /* these bytes behind the id, instead of an answer */
    size_t cut;          /* so many bytes are missing at the end */
};

static struct {
    int udp, tcp;
    uint16_t port;
    struct event *on_udp, *on_tcp;
    struct zone zone;
    unsigned asked, asked_tcp;
    char last[256]; /* the name that was asked for, dotted */
} dns;

static void
put_u16(struct buf *b, size_t n)
{
    buf_add_byte(b, (char)(n >> 8));
    buf_add_byte(b, (char)n);
}

static void
put_name(struct buf *b, const char *name)
{
    while (*name != '\0') {
        size_t n = strcspn(name, ".");

        buf_add_byte(b, (char)n);
        buf_add(b, text_of(name, n));
        name += n + (name[n] == '.');
    }
    buf_add_byte(b, '\0');
}

static void
put_record(struct buf *b, const char *owner, unsigned type, struct text data)
{
    put_name(b, owner);
    put_u16(b, type);
    put_u16(b, 1);
    put_u16(b, 0);
    put_u16(b, 1); /* one second to live */
    put_u16(b, data.n);
    buf_add(b, data);
}

/* Where the question ends; the name is kept in dns.last. */
static size_t
read_question(const unsigned char *q, size_t n, unsigned *type)
{
    size_t at = 12, to = 0;

    while (at < n && q[at] != 0) {
        assert_true(at + 1 + q[at] < n && to + q[at] + 2 < sizeof dns.last);
        memcpy(dns.last + to, q + at + 1, q[at]);
        to += q[at];
        dns.last[to++] = '.';
        at += 1u + q[at];
    }
    dns.last[to > 0 ? to - 1 : 0] = '\0';
    assert_true(at + 5 <= n);
    *type = (unsigned)(q[at + 1] << 8 | q[at + 2]);
    return at + 5;
}

static size_t
put_addresses(struct buf *out, const char *owner, unsigned type)
{
    const char *const *rows = type == A ? dns.zone.a : dns.zone.aaaa;
    struct address a;
    size_t n = 0;

    for (; n < 8 && rows[n] != NULL; n++) {
        assert_true(address_parse(text_z(rows[n]), &a));
        put_record(out, owner, type, text_of((char *)a.bytes, type == A ? 4 : 16));
    }
    for (unsigned i = 0; type == A && i < dns.zone.many; i++, n++) {
        char bytes[4] = { (char)192, 0, (char)(i >> 8), (char)i };

        put_record(out, owner, A, text_of(bytes, 4));
    }
    return n;
}

static size_t
put_answers(struct buf *out, unsigned type)
{
    const char *owner = dns.last;
    size_t n = 0;

    for (; n < 4 && dns.zone.cname[n] != NULL; n++) {
        struct buf name = { 0 };

        put_name(&name, dns.zone.cname[n]);
        put_record(out, owner, CNAME, buf_text(&name));
        buf_free(&name);
        owner = dns.zone.cname[n];
    }
    return n + put_addresses(out, owner, type);
}

/* RFC 1035 section 4.1. */
static void
answer(struct buf *out, const unsigned char *q, size_t n)
{
    struct buf records = { 0 };
    unsigned type;
    size_t question_end = read_question(q, n, &type), count;

    buf_add(out, text_of((const char *)q, 2));
    if (dns.zone.garbage.at != NULL) {
        buf_add(out, dns.zone.garbage);
        return;
    }
    count = put_answers(&records, type);
    put_u16(out, 0x8180u | (unsigned)dns.zone.rcode);
    put_u16(out, 1);
    put_u16(out, count);
    buf_add(out, TEXT("\0\0\0\0"));
    buf_add(out, text_of((const char *)q + 12, question_end - 12));
    buf_add(out, buf_text(&records));
    buf_truncate(out, buf_length(out) - dns.zone.cut);
    buf_free(&records);
}

static void
send_udp(const struct buf *b, const struct sockaddr_in *to)
{
    struct text t = buf_text(b);
    char *mem = malloc(t.n);

    assert_non_null(mem);
    memcpy(mem, t.at, t.n);
    if (t.n > 512) { /* the rest must be asked for over TCP */
        mem[2] |= 2;
        mem[6] = mem[7] = 0;
        t.n = 12 + strlen(dns.last) + 2 + 4;
    }
    assert_int_equal(
        sendto(dns.udp, mem, t.n, 0, (const struct sockaddr *)to, sizeof *to), t.n);
    free(mem);
}

/* Somebody who saw no question answers as well, and sooner. */
static void
send_spoofed(const struct buf *honest, const struct sockaddr_in *to)
{
    struct zone truth = dns.zone;
    struct buf lie = { 0 };
    struct text t = buf_text(honest);
    unsigned char *mem = malloc(t.n);

    assert_non_null(mem);
    memcpy(mem, t.at, t.n);
    dns.zone = (struct zone){ .a = { "203.0.113.66" } };
    if (truth.wrong_id)
        mem[0] ^= 0x55;
    if (truth.wrong_question)
        mem[13] ^= 1;
    answer(&lie, mem, t.n);
    send_udp(&lie, to);
    dns.zone = truth;
    buf_free(&lie);
    free(mem);
}

/* Questions that were met with silence. */
static struct {
    unsigned char q[512];
    size_t n;
    struct sockaddr_in from;
} unanswered[2 * TYPES];

static void
answer_late(void)
{
    for (size_t i = 0; i < TYPES; i++) {
        struct buf out = { 0 };

        assert_true(unanswered[i].n > 0);
        answer(&out, unanswered[i].q, unanswered[i].n);
        send_udp(&out, &unanswered[i].from);
        buf_free(&out);
    }
}

static void
on_udp(evutil_socket_t fd, short what, void *arg)
{
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    unsigned char q[512];
    struct buf out = { 0 };
    ssize_t n = recvfrom(fd, q, sizeof q, 0, (struct sockaddr *)&from, &size);

    (void)what, (void)arg;
    if (n < 12)
        return;
    if (dns.zone.silent && dns.asked < 2 * TYPES) {
        memcpy(unanswered[dns.asked].q, q, (size_t)n);
        unanswered[dns.asked].n = (size_t)n;
        unanswered[dns.asked].from = from;
    }
    dns.asked++;
    answer(&out, q, (size_t)n);
    if (dns.zone.wrong_id || dns.zone.wrong_question)
        send_spoofed(&out, &from);
    if (!dns.zone.silent)
        send_udp(&out, &from);
    buf_free(&out);
}

/* ---- and the same over TCP, each message behind its length (RFC 1035 section 4.2.2)
 */

struct peer {
    struct event *event;
    struct buf in;
    struct peer *next;
};

static struct peer *peers;

static void
answer_framed(int fd, struct text question)
{
    struct buf out = { 0 }, framed = { 0 };

    dns.asked_tcp++;
    answer(&out, (const unsigned char *)question.at, question.n);
    put_u16(&framed, buf_length(&out));
    buf_add(&framed, buf_text(&out));
    put_bytes(fd, buf_text(&framed));
    buf_free(&out);
    buf_free(&framed);
}

static void
on_peer(evutil_socket_t fd, short what, void *arg)
{
    struct peer *p = arg;
    ssize_t n = recv(fd, buf_reserve(&p->in, 512), 512, 0);

    (void)what;
    buf_commit(&p->in, n > 0 ? (size_t)n : 0);
    if (n <= 0)
        event_del(p->event);
    while (buf_length(&p->in) > 2) {
        const unsigned char *q = (const unsigned char *)buf_text(&p->in).at;
        size_t length = (size_t)(q[0] << 8 | q[1]);

        if (buf_length(&p->in) < 2 + length)
            return;
        answer_framed(fd, text_of(buf_text(&p->in).at + 2, length));
        buf_drop(&p->in, 2 + length);
    }
}

static void
on_tcp(evutil_socket_t fd, short what, void *arg)
{
    struct peer *p = calloc(1, sizeof *p);
    int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

    (void)what, (void)arg;
    assert_true(p != NULL && peer >= 0);
    p->event = event_new(loop_base(loop), peer, EV_READ | EV_PERSIST, on_peer, p);
    event_add(p->event, NULL);
    p->next = peers;
    peers = p;
}

static void
forget_peers(void)
{
    while (peers != NULL) {
        struct peer *p = peers;
        evutil_socket_t fd = event_get_fd(p->event);

        peers = p->next;
        event_free(p->event);
        close(fd);
        buf_free(&p->in);
        free(p);
    }
}

/* ---- the one who asks */

static struct conf_resolver conf;
static struct resolver *resolver;
static struct bell bell;
static struct lookup lookup;

static int
begin(void **state)
{
    static char server[32];
    static const char *const servers[] = { server };

    if (stage_begin(state) != 0)
        return -1;
    memset(&dns, 0, sizeof dns);
    memset(unanswered, 0, sizeof unanswered);
    dns.tcp = listening_socket(&dns.port);
    dns.udp = bound_socket(SOCK_DGRAM, &dns.port);
    dns.on_udp = event_new(loop_base(loop), dns.udp, EV_READ | EV_PERSIST, on_udp,
                           NULL);
    dns.on_tcp = event_new(loop_base(loop), dns.tcp, EV_READ | EV_PERSIST, on_tcp,
                           NULL);
    event_add(dns.on_udp, NULL);
    event_add(dns.on_tcp, NULL);
    snprintf(server, sizeof server, "127.0.0.1:%u", dns.port);
    conf = (struct conf_resolver){ .servers = { .at = servers, .n = 1 },
                                   .timeout_ms = PATIENCE_MS };
    bell_hang(&bell);
    resolver = resolver_new(loop, &conf);
    return resolver_is_ready(resolver) ? 0 : -1;
}

static int
end(void **state)
{
    lookup_drop(&lookup);
    wake_cancel(&bell.wake);
    resolver_free(resolver);
    resolver = NULL;
    forget_peers();
    event_free(dns.on_udp);
    event_free(dns.on_tcp);
    close(dns.udp);
    close(dns.tcp);
    return stage_end(state);
}

#define DNS_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static void
start(const char *name)
{
    struct host host = host_of(name);

    lookup_drop(&lookup);
    bell_hang(&bell);
    lookup_start(resolver, &host, &lookup, &bell.wake);
}

static enum reason
ask(const char *name)
{
    start(name);
    UNTIL(bell.rung > 0);
    assert_true(lookup.done);
    assert_null(lookup.query);
    assert_int_equal(bell.rung, 1);
    return lookup.why;
}

static bool
found(const char *address)
{
    struct address a;

    assert_true(address_parse(text_z(address), &a));
    for (size_t i = 0; i < lookup.n; i++)
        if (address_equals(&lookup.addresses[i], &a))
            return true;
    return false;
}

static void
every_address_of_an_answer_is_given(void **state)
{
    (void)state;
    dns.zone = (struct zone){ .a = { "198.51.100.7", "10.0.0.1", "127.0.0.1" },
                              .aaaa = { "2001:db8::7", "::1" } };
    assert_int_equal(ask("api.example"), REASON_OK);
    assert_int_equal(lookup.n, 5);
    for (size_t i = 0; i < 3; i++)
        assert_true(found(dns.zone.a[i]));
    for (size_t i = 0; i < 2; i++)
        assert_true(found(dns.zone.aaaa[i]));
    assert_string_equal(dns.last, "api.example"); /* no search domain behind it */
}

/* A name must be judged by what is answered now, not by what was answered before. */
static void
nothing_is_remembered_from_one_look_up_to_the_next(void **state)
{
    (void)state;
    dns.zone = (struct zone){ .a = { "198.51.100.7" } };
    assert_int_equal(ask("api.example"), REASON_OK);
    dns.zone = (struct zone){ .a = { "198.51.100.8" } };
    assert_int_equal(ask("api.example"), REASON_OK);
    assert_int_equal(lookup.n, 1);
    assert_true(found("198.51.100.8"));
    assert_int_equal(dns.asked, 2 * TYPES);
}

static void
a_name_of_one_family_alone_is_found(void **state)
{
    (void)state;
    dns.zone = (struct zone){ .aaaa = { "2001:db8::7" } };
    assert_int_equal(ask("six.example"), REASON_OK);
    assert_int_equal(lookup.n, 1);
    dns.zone = (struct zone){ .a = { "198.51.100.7" } };
    assert_int_equal(ask("four.example"), REASON_OK);
    assert_int_equal(lookup.n, 1);
}

static void
an_answer_is_what_it_says(void **state)
{
    static const struct {
        const char *what;
        struct zone zone;
        enum reason why;
    } rows[] = {
        { "no such name", { .rcode = NXDOMAIN }, REASON_DNS_FAILED },
        { "the server failed", { .rcode = SERVFAIL }, REASON_DNS_FAILED },
        { "refused", { .rcode = 5 }, REASON_DNS_FAILED },
        { "no address", { .rcode = 0 }, REASON_DNS_EMPTY },
        { "an alias of nothing", { .cname = { "b.example" } }, REASON_DNS_EMPTY },
        { "an alias",
          { .cname = { "b.example" }, .a = { "198.51.100.7" } },
          REASON_OK },
        { "an alias of metadata",
          { .cname = { "metadata.google.internal" }, .a = { "198.51.100.7" } },
          REASON_NAME_PROHIBITED },
        { "in other letters",
          { .cname = { "Metadata.Google.INTERNAL" }, .a = { "198.51.100.7" } },
          REASON_NAME_PROHIBITED },
        { "by way of another alias",
          { .cname = { "b.example", "metadata.google.internal", "c.example" },
            .a = { "198.51.100.7" } },
          REASON_NAME_PROHIBITED },
        { "at the end of the chain",
          { .cname = { "b.example", "c.example", "metadata.google.internal" },
            .aaaa = { "2001:db8::7" } },
          REASON_NAME_PROHIBITED },
        { "a name that only looks like it",
          { .cname = { "metadata.google.internal.example" }, .a = { "198.51.100.7" } },
          REASON_OK },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum reason why;

        dns.zone = rows[i].zone;
        why = ask("api.example");
        if (why != rows[i].why || (lookup.n > 0) != (why == REASON_OK))
            fail_msg("%s: %s, %zu addresses", rows[i].what, reason_token(why),
                     lookup.n);
    }
}

static void
a_long_answer_is_asked_for_over_tcp_and_has_a_bound(void **state)
{
    (void)state;
    dns.zone = (struct zone){ .many = LOOKUP_ADDRESSES };
    assert_int_equal(ask("many.example"), REASON_OK);
    assert_int_equal(lookup.n, LOOKUP_ADDRESSES);
    assert_true(dns.asked_tcp > 0);
    dns.zone = (struct zone){ .many = LOOKUP_ADDRESSES + 1 };
    assert_int_equal(ask("more.example"), REASON_DNS_FAILED);
    assert_int_equal(lookup.n, 0);
    dns.zone = (struct zone){ .many = LOOKUP_ADDRESSES, .aaaa = { "2001:db8::7" } };
    assert_int_equal(ask("both.example"), REASON_DNS_FAILED);
}

static void
a_malformed_answer_gives_no_address(void **state)
{
    static const struct zone rows[] = {
        { .garbage = { "", 0 } },
        { .garbage = { "\x81\x80", 2 } },
        { .garbage = { "\x81\x80\0\1\0\1\0\0\0\0\xc0\x0c\0\1\0\1", 16 } },
        { .garbage = { "\x81\x80\xff\xff\xff\xff\xff\xff\xff\xff", 10 } },
        { .garbage = { "\x81\x80\0\1\0\1\0\0\0\0\x3f"
                       "api",
                       14 } },
        { .a = { "198.51.100.7" }, .aaaa = { "2001:db8::7" }, .cut = 1 },
        { .a = { "198.51.100.7" }, .aaaa = { "2001:db8::7" }, .cut = 5 },
        { .a = { "198.51.100.7" }, .aaaa = { "2001:db8::7" }, .cut = 12 },
    };

    (void)state;
    conf.timeout_ms = QUICK_MS; /* what cannot even be read is no answer at all */
    resolver_free(resolver);
    resolver = resolver_new(loop, &conf);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum reason why;

        dns.zone = rows[i];
        why = ask("api.example");
        if (why == REASON_OK || lookup.n > 0)
            fail_msg("row %zu: %s, %zu addresses", i, reason_token(why), lookup.n);
    }
}

static void
an_answer_with_another_id_or_to_another_question_is_ignored(void **state)
{
    static const struct zone rows[] = {
        { .a = { "198.51.100.7" }, .wrong_id = true },
        { .a = { "198.51.100.7" }, .wrong_question = true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dns.zone = rows[i];
        assert_int_equal(ask("api.example"), REASON_OK);
        assert_false(found("203.0.113.66"));
        assert_true(found("198.51.100.7"));
    }
}

/* ---- time */

static void
silence_ends_at_the_time_out(void **state)
{
    int64_t began = clock_monotonic_ms();

    (void)state;
    conf.timeout_ms = QUICK_MS;
    dns.zone.silent = true;
    assert_int_equal(ask("slow.example"), REASON_DNS_TIMEOUT);
    assert_true(clock_monotonic_ms() >= began + QUICK_MS);
    assert_int_equal(lookup.n, 0);
}

/* The place of the first look-up is the second's by then. */
static void
an_answer_after_the_time_out_is_not_the_next_look_up_s(void **state)
{
    (void)state;
    dns.zone.silent = true;
    conf.timeout_ms = QUICK_MS; /* c-ares was told to be more patient */
    assert_int_equal(ask("slow.example"), REASON_DNS_TIMEOUT);
    assert_int_equal(dns.asked, TYPES);
    conf.timeout_ms = PATIENCE_MS;
    start("next.example");
    UNTIL(dns.asked == 2 * TYPES);
    dns.zone = (struct zone){ .a = { "203.0.113.66" } };
    answer_late();
    for (unsigned i = 0; i < 10; i++)
        settle();
    assert_int_equal(bell.rung, 0);
    assert_false(lookup.done);
    dns.zone = (struct zone){ .a = { "198.51.100.7" } };
    assert_int_equal(ask("third.example"), REASON_OK);
    assert_true(found("198.51.100.7"));
    assert_int_equal(lookup.n, 1);
}

static void
a_server_that_is_not_there_is_dns_failed(void **state)
{
    uint16_t port = 0;
    int gone = bound_socket(SOCK_DGRAM, &port);
    char server[32];
    const char *servers[] = { server };
    struct conf_resolver nobody = { .servers = { .at = servers, .n = 1 },
                                    .timeout_ms = PATIENCE_MS };

    (void)state;
    close(gone);
    snprintf(server, sizeof server, "127.0.0.1:%u", port);
    resolver_free(resolver);
    resolver = resolver_new(loop, &nobody);
    assert_int_equal(ask("api.example"), REASON_DNS_FAILED);
    resolver_free(resolver);
    resolver = NULL;
}

/* ---- letting go */

static void
a_look_up_that_is_dropped_under_way_rings_no_bell(void **state)
{
    struct lookup second = { 0 };
    struct bell second_bell;
    struct host host = host_of("api.example");

    (void)state;
    dns.zone = (struct zone){ .a = { "198.51.100.7" } };
    start("dropped.example");
    assert_false(lookup.done);
    assert_non_null(lookup.query);
    lookup_drop(&lookup);
    assert_null(lookup.query);
    bell_hang(&second_bell);
    lookup_start(resolver, &host, &second, &second_bell.wake);
    UNTIL(second_bell.rung > 0 && dns.asked == 2 * TYPES);
    assert_int_equal(bell.rung, 0);
    lookup_drop(&second);
    lookup_drop(&second);
}

static void
a_dropped_look_up_outlives_its_time_out(void **state)
{
    (void)state;
    conf.timeout_ms = QUICK_MS;
    dns.zone.silent = true;
    start("dropped.example");
    lookup_drop(&lookup);
    assert_int_equal(ask("waited-for.example"), REASON_DNS_TIMEOUT);
}

static void
the_end_of_the_resolver_ends_look_ups_under_way(void **state)
{
    struct lookup dropped = { 0 };
    struct host host = host_of("dropped.example");

    (void)state;
    dns.zone.silent = true;
    start("api.example");
    lookup_start(resolver, &host, &dropped, &bell.wake);
    UNTIL(dns.asked == 2 * TYPES);
    lookup_drop(&dropped);
    resolver_free(resolver);
    resolver = NULL;
    UNTIL(bell.rung > 0);
    assert_true(lookup.done);
    assert_int_equal(lookup.why, REASON_DNS_FAILED);
    resolver_free(NULL);
}

/* ---- no question at all */

static void
an_address_is_its_own_answer(void **state)
{
    static const char *const rows[][2] = {
        { "192.0.2.1", "192.0.2.1" },
        { "[2001:db8::1]", "2001:db8::1" },
        { "169.254.169.254", "169.254.169.254" }, /* not judged here */
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        start(rows[i][0]);
        assert_true(lookup.done); /* and the bell is still to ring */
        assert_int_equal(bell.rung, 0);
        UNTIL(bell.rung == 1);
        assert_int_equal(lookup.why, REASON_OK);
        assert_int_equal(lookup.n, 1);
        assert_true(found(rows[i][1]));
    }
    assert_int_equal(dns.asked, 0);
}

static void
what_the_operator_answers_himself_is_not_asked_for(void **state)
{
    static const char *const two[] = { "10.0.0.1", "fd00::1" };
    static struct conf_hosts_row rows[] = {
        { .name = "Orders.Example.", .addresses = { .at = two, .n = 2 } },
        { .name = "empty.example", .addresses = { .at = two, .n = 0 } },
    };

    (void)state;
    conf.hosts = (struct groups){ .at = rows, .n = 2 };
    dns.zone = (struct zone){ .a = { "198.51.100.7" } };
    assert_int_equal(ask("orders.example"), REASON_OK);
    assert_int_equal(lookup.n, 2);
    assert_true(found("10.0.0.1") && found("fd00::1"));
    assert_int_equal(ask("empty.example"), REASON_DNS_EMPTY);
    assert_int_equal(dns.asked, 0);
    assert_int_equal(ask("a.orders.example"), REASON_OK); /* not below them */
    assert_int_equal(dns.asked, TYPES);
}

/* The first name of this machine's own hosts file that is not localhost's. */
static bool
read_hosts_file(char name[HOST_MAX + 1])
{
    FILE *in = fopen("/etc/hosts", "r");
    char line[1024];
    bool is_there = false;

    while (in != NULL && !is_there && fgets(line, sizeof line, in) != NULL)
        is_there = sscanf(line, "%*[0-9.] %253s", name) == 1 &&
                   strstr(name, "localhost") == NULL;
    if (in != NULL)
        fclose(in);
    return is_there;
}

/* Not where the config names nameservers. */
static void
the_machine_s_own_hosts_file_says_nothing(void **state)
{
    char name[HOST_MAX + 1];

    (void)state;
    if (!read_hosts_file(name)) {
        print_message("SKIPPED: %s: /etc/hosts names nobody\n", __func__);
        skip();
    }
    dns.zone = (struct zone){ .rcode = NXDOMAIN };
    assert_int_equal(ask(name), REASON_DNS_FAILED);
    assert_true(dns.asked > 0);
}

static void
a_resolver_that_cannot_be_set_up_says_so_and_finds_no_name(void **state)
{
    static const char *const servers[] = { "127.0.0.1:53", "dns.example" };
    const struct conf_resolver bad = { .servers = { .at = servers, .n = 2 },
                                       .timeout_ms = QUICK_MS };

    (void)state;
    resolver_free(resolver);
    resolver = resolver_new(loop, &bad);
    assert_false(resolver_is_ready(resolver));
    assert_true(log_says("dns.example"));
    assert_int_equal(ask("api.example"), REASON_DNS_FAILED);
    resolver_free(resolver);
    resolver = NULL;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DNS_TEST(every_address_of_an_answer_is_given),
        DNS_TEST(nothing_is_remembered_from_one_look_up_to_the_next),
        DNS_TEST(a_name_of_one_family_alone_is_found),
        DNS_TEST(an_answer_is_what_it_says),
        DNS_TEST(a_long_answer_is_asked_for_over_tcp_and_has_a_bound),
        DNS_TEST(a_malformed_answer_gives_no_address),
        DNS_TEST(an_answer_with_another_id_or_to_another_question_is_ignored),
        DNS_TEST(silence_ends_at_the_time_out),
        DNS_TEST(an_answer_after_the_time_out_is_not_the_next_look_up_s),
        DNS_TEST(a_server_that_is_not_there_is_dns_failed),
        DNS_TEST(a_look_up_that_is_dropped_under_way_rings_no_bell),
        DNS_TEST(a_dropped_look_up_outlives_its_time_out),
        DNS_TEST(the_end_of_the_resolver_ends_look_ups_under_way),
        DNS_TEST(an_address_is_its_own_answer),
        DNS_TEST(what_the_operator_answers_himself_is_not_asked_for),
        DNS_TEST(the_machine_s_own_hosts_file_says_nothing),
        DNS_TEST(a_resolver_that_cannot_be_set_up_says_so_and_finds_no_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
