/* Hosts and authorities: one spelling, or refused. Every row of the vectors is put
 * through authority_parse, as a Host, a CONNECT target or an :authority would be. */
#include "base/host.h"
#include "rows.h"

#include <arpa/inet.h>
#include <ctype.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define L10          "abcdefghij"
#define L60          L10 L10 L10 L10 L10 L10
#define L63          L60 "klm"
enum { ROUNDS = 20000 };

/* What became of a spelling. */
enum fate { REFUSED, PROHIBITED, PLAIN };

/* No rule's `addresses` in sight: refused, or prohibited by its name or its address, or
 * a name for DNS and the policy. */
static enum fate
fate_of(struct text spelling, struct authority *a)
{
    struct text t = exact_new(spelling);
    enum reason why = authority_parse(t, 443, a);
    const struct host *h = &a->host;

    exact_free(t);
    if (why != REASON_OK) {
        assert_true(why == REASON_HOST_MALFORMED || why == REASON_HOST_NUMERIC ||
                    why == REASON_PORT_MALFORMED);
        return REFUSED;
    }
    assert_int_equal(a->port, 443);
    if (h->address.family != 0)
        return address_denied(&h->address) != NULL ? PROHIBITED : PLAIN;
    return host_is_metadata(h) || host_is_local(h) ? PROHIBITED : PLAIN;
}

static bool
is_named(const struct authority *a, const char *name)
{
    return a->host.address.family == 0 &&
           text_equals(host_text(&a->host), text_z(name));
}

/* Spellings that are names like any other here: DNS or the policy catches them. */
static const char *const plain[] = {
    "169.254.169.254.nip.io",   "a9fea9fe.nip.io",
    "169-254-169-254.sslip.io", "evilallowed.test",
    "allowed.test.evil.test",   "sub.allowed.test",
    "xn--llowed-cua.test",      "xn--169-254",
    "a_b.allowed.test",
};

static void
assert_plain(const struct authority *a, struct text spelling)
{
    assert_false(is_named(a, "allowed.test"));
    for (size_t i = 0; i < COUNT(plain); i++) {
        if (text_equals(spelling, text_z(plain[i]))) {
            assert_true(is_named(a, plain[i]));
            return;
        }
    }
    fail_msg("%.*s became the plain name %s", TEXT_ARG(spelling), a->host.name);
}

static void
judge_row(struct text spelling, struct text expect)
{
    struct authority a;
    enum fate fate = fate_of(spelling, &a);

    if (text_equals(expect, TEXT("allow"))) {
        assert_int_equal(fate, PLAIN);
        assert_true(is_named(&a, "allowed.test"));
    } else if (text_equals(expect, TEXT("reject"))) {
        if (fate != REFUSED)
            fail_msg("%.*s is read as %s", TEXT_ARG(spelling), a.host.name);
    } else if (text_equals(expect, TEXT("deny")) ||
               text_equals(expect, TEXT("either"))) {
        if (fate == PLAIN)
            assert_plain(&a, spelling);
    } else {
        fail_msg("%.*s: no such expectation", TEXT_ARG(expect));
    }
}

static void
every_host_of_the_vectors_is_refused_prohibited_or_exactly_what_it_says(void **state)
{
    struct row_reader r;
    char host_mem[ROW_MAX];
    char expect_mem[ROW_MAX];
    struct text host = { NULL, 0 };
    struct text expect;
    size_t n = 0;

    (void)state;
    rows_open(&r, VECTORS "/ssrf/hosts.json");
    for (char *line; (line = rows_next(&r)) != NULL;) {
        if (row_member(line, "host", host_mem, &host))
            continue;
        if (row_member(line, "expect", expect_mem, &expect)) {
            judge_row(host, expect);
            n++;
        }
    }
    assert_int_equal(n, 169);
}

static void
every_host_trick_is_refused_prohibited_or_a_plain_name(void **state)
{
    struct row_reader r;
    char mem[ROW_MAX];
    char *column[COLUMNS_MAX];
    size_t n = 0;

    (void)state;
    rows_open(&r, VECTORS "/egress-targets/host-tricks.tsv");
    assert_non_null(rows_next(&r));
    for (char *line; (line = rows_next(&r)) != NULL;) {
        assert_int_equal(row_columns(line, column), 4);
        judge_row(unescape(column[0], mem), TEXT("deny"));
        n++;
    }
    assert_int_equal(n, 89);
}

static void
every_name_of_a_metadata_service_is_prohibited_by_name(void **state)
{
    struct row_reader r;
    char mem[ROW_MAX];
    size_t n = 0;

    (void)state;
    rows_open(&r, VECTORS "/ssrf/metadata.json");
    for (char *line; (line = rows_next(&r)) != NULL;) {
        struct authority a;
        struct text t;

        if (!row_member(line, "name", mem, &t))
            continue;
        if (fate_of(t, &a) != PROHIBITED)
            fail_msg("%.*s may be asked for", TEXT_ARG(t));
        n++;
    }
    assert_int_equal(n, 13);
}

/* An IPv6 address needs its brackets to be an authority. */
static struct text
as_authority(const char *z, char *mem)
{
    int n = snprintf(mem, ROW_MAX, strchr(z, ':') != NULL ? "[%s]" : "%s", z);

    return text_of(mem, (size_t)n);
}

static void
every_metadata_endpoint_is_prohibited_by_name_or_address(void **state)
{
    struct row_reader r;
    char mem[ROW_MAX];
    char *column[COLUMNS_MAX];
    size_t n = 0;

    (void)state;
    rows_open(&r, VECTORS "/egress-targets/metadata-endpoints.tsv");
    assert_non_null(rows_next(&r));
    for (char *line; (line = rows_next(&r)) != NULL;) {
        struct authority a;
        enum fate fate;

        assert_int_equal(row_columns(line, column), 7);
        fate = fate_of(as_authority(column[2], mem), &a);
        if (strcmp(column[2], "<node ip>") == 0)
            assert_int_equal(fate, REFUSED);
        else if (fate != PROHIBITED)
            fail_msg("%s of %s may be asked for", column[2], column[0]);
        n++;
    }
    assert_int_equal(n, 41);
}

static void
a_host_comes_out_in_its_one_spelling_or_is_refused(void **state)
{
    static const struct {
        struct text in;
        enum reason why;
        const char *out;
    } rows[] = {
        { TEXT("example.com"), REASON_OK, "example.com" },
        { TEXT("EXAMPLE.Com"), REASON_OK, "example.com" },
        { TEXT("example.com."), REASON_OK, "example.com" },
        { TEXT("a"), REASON_OK, "a" },
        { TEXT("a.b"), REASON_OK, "a.b" },
        { TEXT("3com.example"), REASON_OK, "3com.example" },
        { TEXT("1.2.3.4.example"), REASON_OK, "1.2.3.4.example" },
        { TEXT("0x7f.example"), REASON_OK, "0x7f.example" },
        { TEXT("a_b.example"), REASON_OK, "a_b.example" },
        { TEXT("_dmarc.example"), REASON_OK, "_dmarc.example" },
        { TEXT("r3---sn-x.example"), REASON_OK, "r3---sn-x.example" },
        { TEXT("xn--bcher-kva.example"), REASON_OK, "xn--bcher-kva.example" },
        { TEXT("1a"), REASON_OK, "1a" },
        { TEXT("example.1a"), REASON_OK, "example.1a" },
        { TEXT("192.0.2.1"), REASON_OK, "192.0.2.1" },
        { TEXT("192.0.2.1."), REASON_OK, "192.0.2.1" },
        { TEXT("[::1]"), REASON_OK, "::1" },
        { TEXT("[2001:DB8:0::1]"), REASON_OK, "2001:db8::1" },
        { TEXT("[::ffff:c000:201]"), REASON_OK, "::ffff:192.0.2.1" },
        { TEXT(L63 ".example"), REASON_OK, L63 ".example" },
        { TEXT(L63 "." L63 "." L63 "." L60 "n"), REASON_OK,
          L63 "." L63 "." L63 "." L60 "n" },
        { TEXT(L63 "." L63 "." L63 "." L60 "n."), REASON_OK,
          L63 "." L63 "." L63 "." L60 "n" },

        { TEXT(L63 "." L63 "." L63 "." L60 "no"), REASON_HOST_MALFORMED, "" },
        { TEXT(L63 "n.example"), REASON_HOST_MALFORMED, "" },
        { TEXT("example." L63 "n"), REASON_HOST_MALFORMED, "" },
        { TEXT(""), REASON_HOST_MALFORMED, "" },
        { TEXT("."), REASON_HOST_MALFORMED, "" },
        { TEXT(".."), REASON_HOST_MALFORMED, "" },
        { TEXT(".example"), REASON_HOST_MALFORMED, "" },
        { TEXT("a..b"), REASON_HOST_MALFORMED, "" },
        { TEXT("example.com.."), REASON_HOST_MALFORMED, "" },
        { TEXT("*.example"), REASON_HOST_MALFORMED, "" },
        { TEXT("a b"), REASON_HOST_MALFORMED, "" },
        { TEXT(" a"), REASON_HOST_MALFORMED, "" },
        { TEXT("a "), REASON_HOST_MALFORMED, "" },
        { TEXT("a\tb"), REASON_HOST_MALFORMED, "" },
        { TEXT("a\r\nb"), REASON_HOST_MALFORMED, "" },
        { TEXT("a\0b"), REASON_HOST_MALFORMED, "" },
        { TEXT("a\0"), REASON_HOST_MALFORMED, "" },
        { TEXT("a\x7f"), REASON_HOST_MALFORMED, "" },
        { TEXT("a%2eb"), REASON_HOST_MALFORMED, "" },
        { TEXT("a@b"), REASON_HOST_MALFORMED, "" },
        { TEXT("a\\b"), REASON_HOST_MALFORMED, "" },
        { TEXT("a/b"), REASON_HOST_MALFORMED, "" },
        { TEXT("a?b"), REASON_HOST_MALFORMED, "" },
        { TEXT("a#b"), REASON_HOST_MALFORMED, "" },
        { TEXT("a,b"), REASON_HOST_MALFORMED, "" },
        { TEXT("a:b"), REASON_HOST_MALFORMED, "" },
        { TEXT("http://a"), REASON_HOST_MALFORMED, "" },
        { TEXT("b\xc3\xbc"
               "cher.example"),
          REASON_HOST_MALFORMED, "" },
        { TEXT("\xff"), REASON_HOST_MALFORMED, "" },
        { TEXT("::1"), REASON_HOST_MALFORMED, "" },
        { TEXT("[::1"), REASON_HOST_MALFORMED, "" },
        { TEXT("::1]"), REASON_HOST_MALFORMED, "" },
        { TEXT("["), REASON_HOST_MALFORMED, "" },
        { TEXT("]"), REASON_HOST_MALFORMED, "" },
        { TEXT("[]"), REASON_HOST_MALFORMED, "" },
        { TEXT("[::1]."), REASON_HOST_MALFORMED, "" },
        { TEXT("[::1]x"), REASON_HOST_MALFORMED, "" },
        { TEXT("[[::1]]"), REASON_HOST_MALFORMED, "" },
        { TEXT("[::1%25lo]"), REASON_HOST_MALFORMED, "" },
        { TEXT("[::1%lo]"), REASON_HOST_MALFORMED, "" },
        { TEXT("[127.0.0.1]"), REASON_HOST_MALFORMED, "" },
        { TEXT("[example.com]"), REASON_HOST_MALFORMED, "" },
        { TEXT("[v1.x]"), REASON_HOST_MALFORMED, "" },

        { TEXT("1"), REASON_HOST_NUMERIC, "" },
        { TEXT("127.1"), REASON_HOST_NUMERIC, "" },
        { TEXT("127.0.0.1.1"), REASON_HOST_NUMERIC, "" },
        { TEXT("127.0.0.01"), REASON_HOST_NUMERIC, "" },
        { TEXT("127.0.0.256"), REASON_HOST_NUMERIC, "" },
        { TEXT("example.0"), REASON_HOST_NUMERIC, "" },
        { TEXT("example.08"), REASON_HOST_NUMERIC, "" },
        { TEXT("example.1."), REASON_HOST_NUMERIC, "" },
        { TEXT("0x"), REASON_HOST_NUMERIC, "" },
        { TEXT("0X7F"), REASON_HOST_NUMERIC, "" },
        { TEXT("example.0x"), REASON_HOST_NUMERIC, "" },
        { TEXT("example.0xzz"), REASON_HOST_NUMERIC, "" },
        { TEXT("18446744073709551617"), REASON_HOST_NUMERIC, "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct text t = exact_new(rows[i].in);
        struct host h;
        enum reason why = host_parse(t, &h);

        if (why != rows[i].why || strcmp(h.name, rows[i].out) != 0)
            fail_msg("row %zu, %.*s: %d \"%s\"", i, TEXT_ARG(rows[i].in), why, h.name);
        assert_int_equal(h.n, strlen(rows[i].out));
        if (why != REASON_OK)
            assert_int_equal(h.address.family, 0);
        exact_free(t);
    }
}

static void
an_authority_names_one_host_and_one_port_or_is_refused(void **state)
{
    static const struct {
        struct text in;
        uint16_t default_port;
        enum reason why;
        const char *host;
        uint16_t port;
    } rows[] = {
        { TEXT("example.com"), 443, REASON_OK, "example.com", 443 },
        { TEXT("example.com"), 80, REASON_OK, "example.com", 80 },
        { TEXT("example.com:443"), 0, REASON_OK, "example.com", 443 },
        { TEXT("example.com:8443"), 443, REASON_OK, "example.com", 8443 },
        { TEXT("Example.COM.:1"), 443, REASON_OK, "example.com", 1 },
        { TEXT("example.com:65535"), 443, REASON_OK, "example.com", 65535 },
        { TEXT("192.0.2.1:80"), 0, REASON_OK, "192.0.2.1", 80 },
        { TEXT("[::1]"), 443, REASON_OK, "::1", 443 },
        { TEXT("[::1]:80"), 0, REASON_OK, "::1", 80 },

        { TEXT("example.com"), 0, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("[::1]"), 0, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("example.com:"), 443, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("example.com:"), 0, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("[::1]:"), 443, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("example.com:0"), 443, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("example.com:00"), 443, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("example.com:0443"), 443, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("example.com:65536"), 443, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("example.com:65979"), 443, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("example.com:99999"), 443, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("example.com:4294967739"), 443, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("example.com:18446744073709552059"), 443, REASON_PORT_MALFORMED, NULL,
          0 },
        { TEXT("example.com:+443"), 443, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("example.com:-443"), 443, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("example.com: 443"), 443, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("example.com:443 "), 443, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("example.com:443\0"), 443, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("example.com:0x1bb"), 443, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("example.com:https"), 443, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("example.com:443:443"), 443, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("example.com:443/"), 443, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("example.com:443@evil.test"), 443, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("example.com::443"), 443, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("[::1]:80:80"), 443, REASON_PORT_MALFORMED, NULL, 0 },

        { TEXT(""), 443, REASON_HOST_MALFORMED, NULL, 0 },
        { TEXT(":"), 443, REASON_HOST_MALFORMED, NULL, 0 },
        { TEXT(":443"), 443, REASON_HOST_MALFORMED, NULL, 0 },
        { TEXT("::1"), 443, REASON_HOST_MALFORMED, NULL, 0 },
        { TEXT("::1:443"), 443, REASON_HOST_MALFORMED, NULL, 0 },
        { TEXT("[::1]443"), 443, REASON_HOST_MALFORMED, NULL, 0 },
        { TEXT("[::1"), 443, REASON_HOST_MALFORMED, NULL, 0 },
        { TEXT("[::1:443"), 443, REASON_HOST_MALFORMED, NULL, 0 },
        { TEXT("[::1]]:443"), 443, REASON_HOST_MALFORMED, NULL, 0 },
        { TEXT("[[::1]]:443"), 443, REASON_HOST_MALFORMED, NULL, 0 },
        { TEXT("user@example.com"), 443, REASON_HOST_MALFORMED, NULL, 0 },
        { TEXT("user:pass@example.com"), 443, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("https://example.com"), 443, REASON_PORT_MALFORMED, NULL, 0 },
        { TEXT("2130706433:443"), 0, REASON_HOST_NUMERIC, NULL, 0 },
        { TEXT("127.1:443"), 0, REASON_HOST_NUMERIC, NULL, 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct text t = exact_new(rows[i].in);
        struct authority a;
        enum reason why = authority_parse(t, rows[i].default_port, &a);

        if (why != rows[i].why)
            fail_msg("row %zu, %.*s: %s", i, TEXT_ARG(rows[i].in), reason_token(why));
        if (why == REASON_OK) {
            assert_string_equal(a.host.name, rows[i].host);
            assert_int_equal(a.port, rows[i].port);
        }
        exact_free(t);
    }
}

static void
an_authority_is_printed_as_a_host_field_wants_it(void **state)
{
    static const struct {
        const char *in;
        uint16_t scheme_port;
        const char *out;
    } rows[] = {
        { "example.com:443", 443, "example.com" },
        { "example.com:443", 80, "example.com:443" },
        { "example.com:443", 0, "example.com:443" },
        { "example.com:1", 443, "example.com:1" },
        { "Example.Com.:65535", 443, "example.com:65535" },
        { "example.com:10", 443, "example.com:10" },
        { "192.0.2.1:443", 443, "192.0.2.1" },
        { "[2001:DB8::0]:443", 443, "[2001:db8::]" },
        { "[2001:DB8::0]:8443", 443, "[2001:db8::]:8443" },
        { L63 "." L63 "." L63 "." L60 "n:65535", 443,
          L63 "." L63 "." L63 "." L60 "n:65535" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *out = malloc(AUTHORITY_PRINT_SIZE);
        struct authority a;
        struct text printed;

        assert_non_null(out);
        assert_int_equal(authority_parse(text_z(rows[i].in), 0, &a), REASON_OK);
        printed = authority_print(&a, rows[i].scheme_port, out);
        assert_ptr_equal(printed.at, out);
        assert_int_equal(printed.n, strlen(rows[i].out));
        assert_string_equal(out, rows[i].out);
        free(out);
    }
}

static void
an_authority_kept_is_recalled_whole(void **state)
{
    static const char *const rows[] = {
        "a.b:1",
        "example.com:443",
        "192.0.2.1:80",
        "[2001:db8::1]:8443",
        L63 "." L63 "." L63 "." L60 "n:65535",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct authority a, b;
        struct authority_kept *k;

        assert_int_equal(authority_parse(text_z(rows[i]), 0, &a), REASON_OK);
        k = authority_keep(&a);
        memset(&b, 'x', sizeof b);
        authority_recall(k, &b);
        free(k);
        assert_true(authority_equals(&a, &b));
        assert_string_equal(a.host.name, b.host.name);
        assert_int_equal(a.host.address.family, b.host.address.family);
        if (a.host.address.family != 0)
            assert_true(address_equals(&a.host.address, &b.host.address));
    }
}

static void
two_authorities_are_one_when_host_and_port_are(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        bool hosts;
        bool authorities;
    } rows[] = {
        { "example.com:443", "EXAMPLE.com.:443", true, true },
        { "example.com:443", "example.com:444", true, false },
        { "example.com:443", "xexample.com:443", false, false },
        { "example.com:443", "example.co:443", false, false },
        { "[::1]:443", "[0:0:0:0:0:0:0:1]:443", true, true },
        { "[::ffff:192.0.2.1]:443", "192.0.2.1:443", false, false },
        { "192.0.2.1:443", "192.0.2.1.:443", true, true },
        { "192.0.2.1:443", "192.0.2.10:443", false, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct authority a;
        struct authority b;

        assert_int_equal(authority_parse(text_z(rows[i].a), 0, &a), REASON_OK);
        assert_int_equal(authority_parse(text_z(rows[i].b), 0, &b), REASON_OK);
        assert_int_equal(host_equals(&a.host, &b.host), rows[i].hosts);
        assert_int_equal(authority_equals(&a, &b), rows[i].authorities);
    }
}

static void
metadata_and_local_names_are_known_and_look_alikes_are_not(void **state)
{
    static const struct {
        const char *name;
        bool metadata;
        bool local;
    } rows[] = {
        { "metadata", true, true },
        { "metadata.google.internal", true, true },
        { "x.metadata.google.internal", true, true },
        { "metadata.goog", true, false },
        { "x.metadata.goog", true, false },
        { "instance-data", true, true },
        { "instance-data.ec2.internal", true, true },
        { "metadata.tencentyun.com", true, false },
        { "api.metadata.cloud.ibm.com", true, false },
        { "metadata.exoscale.com", true, false },
        { "metadata.platformequinix.com", true, false },
        { "metadata.packet.net", true, false },
        { "rancher-metadata", true, true },
        { "METADATA.Google.Internal.", true, true },

        { "localhost", false, true },
        { "x.localhost", false, true },
        { "localhost.localdomain", false, true },
        { "printer.local", false, true },
        { "db.prod.svc.cluster.local", false, true },
        { "db.prod.svc", false, true },
        { "kubernetes", false, true },
        { "kubernetes.default", false, true },
        { "kubernetes.default.svc", false, true },
        { "kubernetes.default.svc.cluster.local", false, true },
        { "host.docker.internal", false, true },
        { "gateway.docker.internal", false, true },
        { "kubernetes.docker.internal", false, true },
        { "host.containers.internal", false, true },
        { "ip-10-0-0-1.ec2.internal", false, true },
        { "router.home.arpa", false, true },
        { "wiki.corp", false, true },
        { "wiki.intranet", false, true },
        { "nas.lan", false, true },
        { "nas.home", false, true },
        { "vault.private", false, true },
        { "com", false, true },
        { "orders", false, true },

        { "example.com", false, false },
        { "allowed.test", false, false },
        { "metadata.example.com", false, false },
        { "evilmetadata.goog", false, false },
        { "metadata.goog.example", false, false },
        { "xinstance-data.example", false, false },
        { "localhost.example", false, false },
        { "notlocalhost.example", false, false },
        { "x.notlocal", false, false },
        { "x.internals", false, false },
        { "internal.example", false, false },
        { "default.kubernetes.example", false, false },
        { "xkubernetes.default", false, false },
        { "tencentyun.com", false, false },
        { "home.arpa.example", false, false },
        { "x.arpa", false, false },
        /* Addresses are judged as addresses. */
        { "169.254.169.254", false, false },
        { "[::1]", false, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct host h;

        assert_int_equal(host_parse(text_z(rows[i].name), &h), REASON_OK);
        if (host_is_metadata(&h) != rows[i].metadata ||
            host_is_local(&h) != rows[i].local)
            fail_msg("%s", rows[i].name);
    }
}

/* The reader's own idea of a strict dotted quad, made without the code under test. */
static bool
is_strict_quad(const char *z)
{
    unsigned a;
    unsigned b;
    unsigned c;
    unsigned d;
    char again[64];

    if (sscanf(z, "%3u.%3u.%3u.%3u", &a, &b, &c, &d) != 4)
        return false;
    if (a > 255 || b > 255 || c > 255 || d > 255)
        return false;
    snprintf(again, sizeof(again), "%u.%u.%u.%u", a, b, c, d);
    return strcmp(again, z) == 0;
}

static size_t
random_number(char *out, size_t size)
{
    static const char *const formats[] = { "%u",   "%u",   "%u",  "0%o",
                                           "0x%x", "0X%X", "%03u" };
    static const unsigned ranges[] = { 10, 256, 256, 256, 1000, 1u << 24, 1u << 31 };
    unsigned n = (unsigned)random_below(ranges[random_below(COUNT(ranges))]);

    return (size_t)snprintf(out, size, formats[random_below(COUNT(formats))], n);
}

static void
whatever_ends_in_a_number_is_a_strict_dotted_quad_or_refused(void **state)
{
    int quads = 0;

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        char z[128];
        size_t n = 0;
        struct host h;
        enum reason why;

        for (size_t parts = random_below(6); parts > 0; parts--) {
            if (random_below(8) == 0)
                z[n++] = (char)('a' + random_below(26));
            n += random_number(z + n, 16);
            z[n++] = '.';
        }
        n += random_number(z + n, 16);
        why = host_parse(text_of(z, n), &h);
        if (is_strict_quad(z)) {
            assert_int_equal(why, REASON_OK);
            assert_int_equal(h.address.family, AF_INET);
            assert_string_equal(h.name, z);
            quads++;
        } else if (why != REASON_HOST_NUMERIC) {
            fail_msg("%s is not refused as a number", z);
        }
    }
    assert_true(quads > 0);
}

static void
no_accepted_name_is_an_address_to_the_systems_resolver(void **state)
{
    char mem[64];

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct text t = random_text(mem, 20, TEXT("0123456789xXabcdef....."));
        struct in_addr theirs;
        struct host h;

        if (host_parse(t, &h) != REASON_OK || h.address.family != 0)
            continue;
        if (inet_aton(h.name, &theirs) != 0)
            fail_msg("%s is an address to inet_aton", h.name);
    }
}

static void
assert_canonical(const struct host *h)
{
    assert_true(h->n > 0 && h->n <= HOST_MAX);
    assert_int_equal(strlen(h->name), h->n);
    for (size_t i = 0; i < h->n; i++) {
        char c = h->name[i];

        assert_true(islower((unsigned char)c) || isdigit((unsigned char)c) ||
                    strchr("-._:", c) != NULL);
    }
    assert_true(h->name[h->n - 1] != '.');
}

static void
what_is_accepted_is_canonical_and_survives_print_and_parse(void **state)
{
    char mem[300];
    int accepted = 0;

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        size_t max = random_below(16) == 0 ? 270 : 14;
        struct text t = exact_new(
            random_text(mem, max, TEXT("aAzZ09-_.....:[]12f::@%")));
        char printed[AUTHORITY_PRINT_SIZE];
        struct authority a;
        struct authority b;

        if (authority_parse(t, 443, &a) == REASON_OK) {
            assert_canonical(&a.host);
            assert_int_equal(authority_parse(authority_print(&a, 0, printed), 0, &b),
                             REASON_OK);
            assert_true(authority_equals(&a, &b));
            assert_true(address_equals(&a.host.address, &b.host.address));
            accepted++;
        }
        exact_free(t);
    }
    assert_true(accepted > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            every_host_of_the_vectors_is_refused_prohibited_or_exactly_what_it_says),
        cmocka_unit_test(every_host_trick_is_refused_prohibited_or_a_plain_name),
        cmocka_unit_test(every_name_of_a_metadata_service_is_prohibited_by_name),
        cmocka_unit_test(every_metadata_endpoint_is_prohibited_by_name_or_address),
        cmocka_unit_test(a_host_comes_out_in_its_one_spelling_or_is_refused),
        cmocka_unit_test(an_authority_names_one_host_and_one_port_or_is_refused),
        cmocka_unit_test(an_authority_is_printed_as_a_host_field_wants_it),
        cmocka_unit_test(an_authority_kept_is_recalled_whole),
        cmocka_unit_test(two_authorities_are_one_when_host_and_port_are),
        cmocka_unit_test(metadata_and_local_names_are_known_and_look_alikes_are_not),
        cmocka_unit_test(whatever_ends_in_a_number_is_a_strict_dotted_quad_or_refused),
        cmocka_unit_test(no_accepted_name_is_an_address_to_the_systems_resolver),
        cmocka_unit_test(what_is_accepted_is_canonical_and_survives_print_and_parse),
    };

    return cmocka_run_group_tests_name("base/host", tests, random_begin, NULL);
}
