/* Addresses: which spellings are read, and which addresses are never dialled. */
#include "base/address.h"
#include "rows.h"

#include <arpa/inet.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
enum { ROUNDS = 20000 };

static struct address
address_of(const char *z)
{
    struct address a;

    if (!address_parse(text_z(z), &a))
        fail_msg("%s is not read as an address", z);
    return a;
}

static struct cidr
cidr_of(const char *z)
{
    struct cidr c;

    if (!cidr_parse(text_z(z), &c))
        fail_msg("%s is not read as a range", z);
    return c;
}

static void
each_strict_spelling_is_read_and_printed_in_canonical_form(void **state)
{
    static const struct {
        const char *text;
        int family;
        const char *canonical;
    } rows[] = {
        { "0.0.0.0", AF_INET, "0.0.0.0" },
        { "192.0.2.1", AF_INET, "192.0.2.1" },
        { "255.255.255.255", AF_INET, "255.255.255.255" },
        { "::", AF_INET6, "::" },
        { "::1", AF_INET6, "::1" },
        { "1::", AF_INET6, "1::" },
        { "2001:DB8:0:0:0:0:0:1", AF_INET6, "2001:db8::1" },
        { "2001:0db8:0000:0000:0000:0000:0000:0001", AF_INET6, "2001:db8::1" },
        { "2001:db8:0:1:1:1:1:1", AF_INET6, "2001:db8:0:1:1:1:1:1" },
        { "2001:0:0:1:0:0:0:1", AF_INET6, "2001:0:0:1::1" },
        { "2001:db8:0:0:1:0:0:1", AF_INET6, "2001:db8::1:0:0:1" },
        { "::ffff:192.0.2.1", AF_INET6, "::ffff:192.0.2.1" },
        { "::FFFF:C000:201", AF_INET6, "::ffff:192.0.2.1" },
        { "0000:0000:0000:0000:0000:ffff:255.255.255.255", AF_INET6,
          "::ffff:255.255.255.255" },
        { "64:ff9b::8.8.8.8", AF_INET6, "64:ff9b::808:808" },
        { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", AF_INET6,
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct address a = address_of(rows[i].text);
        char printed[ADDRESS_PRINT_SIZE];

        assert_int_equal(a.family, rows[i].family);
        address_print(&a, printed);
        assert_string_equal(printed, rows[i].canonical);
    }
}

static void
every_other_spelling_is_refused_and_leaves_no_address(void **state)
{
    static const struct text rows[] = {
        TEXT(""),
        TEXT("1"),
        TEXT("127.1"),
        TEXT("127.0.1"),
        TEXT("2130706433"),
        TEXT("0x7f.0.0.1"),
        TEXT("0x7f000001"),
        TEXT("0177.0.0.1"),
        TEXT("127.0.0.01"),
        TEXT("127.0.0.001"),
        TEXT("00.0.0.0"),
        TEXT("127.0.0.256"),
        TEXT("127.0.0.1000"),
        TEXT("127.0.0.1."),
        TEXT(".127.0.0.1"),
        TEXT("127..0.1"),
        TEXT("127.0.0.1.1"),
        TEXT("127.0.0.-1"),
        TEXT("127.0.0.+1"),
        TEXT(" 127.0.0.1"),
        TEXT("127.0.0.1 "),
        TEXT("127.0.0.1\n"),
        TEXT("127.0.0.1\0"),
        TEXT("127.0.0.1\0.example"),
        TEXT("127.0.0.1/8"),
        TEXT("127.0.0.1:80"),
        TEXT("[127.0.0.1]"),
        TEXT("[::1]"),
        TEXT(":"),
        TEXT(":::"),
        TEXT("1:::2"),
        TEXT("::1::"),
        TEXT(":1:2:3:4:5:6:7"),
        TEXT("1:2:3:4:5:6:7"),
        TEXT("1:2:3:4:5:6:7:"),
        TEXT("1:2:3:4:5:6:7:8:9"),
        TEXT("1:2:3:4::5:6:7:8"),
        TEXT("::12345"),
        TEXT("::00001"),
        TEXT("::g"),
        TEXT("::1%eth0"),
        TEXT("fe80::1%1"),
        TEXT("fe80::1%25eth0"),
        TEXT("::1\0"),
        TEXT("::ffff:127.1"),
        TEXT("::ffff:127.0.0.01"),
        TEXT("::ffff:0x7f.0.0.1"),
        TEXT("::127.0.0.1:1"),
        TEXT("1:2:3:4:5:6:7:127.0.0.1"),
        TEXT("0000:0000:0000:0000:0000:ffff:255.255.255.2550"),
        TEXT("\xef\xbc\x91.1.1.1"),
        TEXT("\xd9\xa1.1.1.1"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct text t = exact_new(rows[i]);
        struct address a;

        if (address_parse(t, &a))
            fail_msg("row %zu is read: %.*s", i, TEXT_ARG(t));
        assert_int_equal(a.family, 0);
        exact_free(t);
    }
}

/* Half of the bytes zero, so that "::" is met at every place. */
static struct address
random_address(void)
{
    struct address a = { .family = random_below(2) == 0 ? AF_INET : AF_INET6 };
    size_t n = a.family == AF_INET ? 4 : 16;

    for (size_t i = 0; i < n; i++)
        a.bytes[i] = random_below(2) == 0 ? 0 : (unsigned char)random_u64();
    return a;
}

static void
whatever_is_printed_is_read_back_as_the_same_address(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct address a = random_address();
        struct address b;
        char printed[ADDRESS_PRINT_SIZE];

        address_print(&a, printed);
        if (!address_parse(text_z(printed), &b) || !address_equals(&a, &b))
            fail_msg("%s is not read back", printed);
    }
}

static void
random_bytes_are_read_only_where_the_resolver_would_read_the_same(void **state)
{
    char mem[64];

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct text t = exact_new(
            random_text(mem, 24, TEXT("0123456789abcfx..::::%/[]")));
        struct address a;
        unsigned char theirs[16];
        char z[64];

        if (address_parse(t, &a)) {
            snprintf(z, sizeof(z), "%.*s", TEXT_ARG(t));
            assert_int_equal(inet_pton(a.family, z, theirs), 1);
            assert_memory_equal(theirs, a.bytes, a.family == AF_INET ? 4 : 16);
        } else {
            assert_int_equal(a.family, 0);
        }
        exact_free(t);
    }
}

static void
the_absent_address_prints_as_nothing(void **state)
{
    struct address none = { .family = 0 };
    char printed[ADDRESS_PRINT_SIZE] = "x";

    (void)state;
    address_print(&none, printed);
    assert_string_equal(printed, "");
}

static void
an_ipv4_address_is_not_its_mapped_form(void **state)
{
    struct address a = address_of("192.0.2.1");
    struct address b = address_of("::ffff:192.0.2.1");
    struct address c = address_of("192.0.2.2");

    (void)state;
    assert_true(address_equals(&a, &a));
    assert_true(address_equals(&b, &b));
    assert_false(address_equals(&a, &b));
    assert_false(address_equals(&a, &c));
    /* The same first four bytes in another family. */
    c = address_of("c000:201::");
    assert_false(address_equals(&a, &c));
}

static void
a_socket_address_goes_both_ways(void **state)
{
    static const char *const rows[] = { "192.0.2.1", "2001:db8::7" };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct address a = address_of(rows[i]);
        struct address b;
        struct sockaddr_storage ss;
        uint16_t port;
        socklen_t n = address_to_sockaddr(&a, 8443, &ss);

        assert_int_equal(n, a.family == AF_INET ? sizeof(struct sockaddr_in)
                                                : sizeof(struct sockaddr_in6));
        address_from_sockaddr((struct sockaddr *)&ss, &b, &port);
        assert_true(address_equals(&a, &b));
        assert_int_equal(port, 8443);
    }
}

static void
a_socket_address_of_another_family_is_no_address(void **state)
{
    struct sockaddr_storage ss = { .ss_family = AF_UNIX };
    struct address a;
    uint16_t port = 7;

    (void)state;
    address_from_sockaddr((struct sockaddr *)&ss, &a, &port);
    assert_int_equal(a.family, 0);
    assert_int_equal(port, 0);
}

static void
a_range_holds_what_its_prefix_says(void **state)
{
    static const struct {
        const char *range;
        const char *address;
        bool holds;
    } rows[] = {
        { "10.0.0.0/8", "10.0.0.0", true },
        { "10.0.0.0/8", "10.255.255.255", true },
        { "10.0.0.0/8", "11.0.0.0", false },
        { "10.0.0.0/8", "9.255.255.255", false },
        { "172.16.0.0/12", "172.31.255.255", true },
        { "172.16.0.0/12", "172.32.0.0", false },
        { "192.0.2.128/25", "192.0.2.128", true },
        { "192.0.2.128/25", "192.0.2.127", false },
        { "192.0.2.4/31", "192.0.2.5", true },
        { "192.0.2.4/31", "192.0.2.6", false },
        { "192.0.2.1", "192.0.2.1", true },
        { "192.0.2.1", "192.0.2.0", false },
        { "192.0.2.1/32", "192.0.2.1", true },
        { "0.0.0.0/0", "203.0.113.9", true },
        { "0.0.0.0/0", "::ffff:203.0.113.9", false },
        { "10.0.0.0/8", "::ffff:10.0.0.1", false },
        { "10.0.0.0/8", "a00::", false },
        { "::/0", "2001:db8::1", true },
        { "::/0", "192.0.2.1", false },
        { "fc00::/7", "fdff::1", true },
        { "fc00::/7", "fe00::", false },
        { "2001:db8::/33", "2001:db8:7fff::", true },
        { "2001:db8::/33", "2001:db8:8000::", false },
        { "2001:db8::1/128", "2001:db8::1", true },
        { "2001:db8::1", "2001:db8::2", false },
    };
    struct address none = { .family = 0 };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct cidr c = cidr_of(rows[i].range);
        struct address a = address_of(rows[i].address);

        if (cidr_has(&c, &a) != rows[i].holds)
            fail_msg("%s in %s", rows[i].address, rows[i].range);
        assert_false(cidr_has(&c, &none));
    }
}

static void
a_range_written_carelessly_is_refused(void **state)
{
    static const struct text rows[] = {
        TEXT(""),
        TEXT("/"),
        TEXT("/8"),
        TEXT("10.0.0.0/"),
        TEXT("10.0.0.0/33"),
        TEXT("10.0.0.0/-1"),
        TEXT("10.0.0.0/+8"),
        TEXT("10.0.0.0/08"),
        TEXT("10.0.0.0/ 8"),
        TEXT("10.0.0.0/8 "),
        TEXT("10.0.0.0/8/8"),
        TEXT("10.0.0.0/4294967304"),
        TEXT("10.0.0.0/18446744073709551624"),
        TEXT("10.0.0.0/255.0.0.0"),
        TEXT("10/8"),
        TEXT("10.0.0.1/8"),
        TEXT("10.1.0.0/8"),
        TEXT("0.0.0.1/0"),
        TEXT("192.0.2.129/25"),
        TEXT("192.0.2.1/31"),
        TEXT("::/129"),
        TEXT("::1/127"),
        TEXT("fe00::/6"),
        TEXT("2001:db8::1/32"),
        TEXT("[::1]/128"),
        TEXT("fe80::%1/10"),
        TEXT("localhost/8"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct text t = exact_new(rows[i]);
        struct cidr c;

        if (cidr_parse(t, &c))
            fail_msg("row %zu is read: %.*s", i, TEXT_ARG(t));
        exact_free(t);
    }
}

/* The range's first address with the bits behind its prefix set as `fill` says. */
static struct address
inside(const struct cidr *c, unsigned char fill)
{
    struct address a = c->base;
    unsigned size = a.family == AF_INET ? 32 : 128;

    for (unsigned bit = c->bits; bit < size; bit++)
        a.bytes[bit / 8] |= (unsigned char)(fill & (0x80 >> bit % 8));
    return a;
}

static void
assert_denied(const struct address *a, const char *of)
{
    char printed[ADDRESS_PRINT_SIZE];

    address_print(a, printed);
    if (address_denied(a) == NULL)
        fail_msg("%s of %s may be dialled", printed, of);
}

static void
assert_range_denied(const char *range)
{
    static const unsigned char fills[] = { 0x00, 0xff, 0x80, 0x55, 0xaa };
    struct cidr c = cidr_of(range);

    for (size_t i = 0; i < COUNT(fills); i++) {
        struct address a = inside(&c, fills[i]);

        assert_denied(&a, range);
    }
    for (size_t i = 0; i < 64; i++) {
        struct address a = inside(&c, (unsigned char)random_u64());

        assert_denied(&a, range);
    }
}

static void
every_range_of_the_vectors_is_denied_and_their_neighbours_are_not(void **state)
{
    struct row_reader r;
    char mem[ROW_MAX];
    size_t ranges = 0;
    size_t neighbours = 0;
    bool allowed = false;

    (void)state;
    rows_open(&r, VECTORS "/ssrf/ranges.json");
    for (char *line; (line = rows_next(&r)) != NULL;) {
        struct text t;

        if (row_member(line, "cidr", mem, &t)) {
            mem[t.n] = '\0';
            assert_range_denied(mem);
            ranges++;
        } else if (strstr(line, "must_stay_allowed") != NULL) {
            allowed = true;
        } else if (allowed && strchr(line, '"') != NULL) {
            struct address a;

            t = unescape(strchr(line, '"') + 1, mem);
            assert_true(address_parse(t, &a));
            if (address_denied(&a) != NULL)
                fail_msg("%.*s is denied: %s", TEXT_ARG(t), address_denied(&a));
            neighbours++;
        }
    }
    assert_int_equal(ranges, 37);
    assert_int_equal(neighbours, 16);
}

static void
every_special_range_is_denied_by_its_own_name(void **state)
{
    static const struct {
        const char *range;
        const char *why;
    } rows[] = {
        { "0.0.0.0/8", "this network" },
        { "10.0.0.0/8", "private" },
        { "100.64.0.0/10", "shared" },
        { "127.0.0.0/8", "loopback" },
        { "169.254.0.0/16", "link-local" },
        { "172.16.0.0/12", "private" },
        { "192.0.0.0/24", "protocol assignments" },
        { "192.0.2.0/24", "documentation" },
        { "192.88.99.0/24", "6to4 relay" },
        { "192.168.0.0/16", "private" },
        { "198.18.0.0/15", "benchmarking" },
        { "198.51.100.0/24", "documentation" },
        { "203.0.113.0/24", "documentation" },
        { "224.0.0.0/4", "multicast" },
        { "240.0.0.0/4", "reserved" },
        { "255.255.255.255", "broadcast" },
        { "::", "unspecified" },
        { "::1", "loopback" },
        { "::/96", "IPv4-compatible" },
        { "::ffff:0:0/96", "IPv4-mapped" },
        { "::ffff:0:0:0/96", "IPv4-translated" },
        { "64:ff9b::/96", "NAT64" },
        { "64:ff9b:1::/48", "local NAT64" },
        { "100::/64", "discard" },
        { "100:0:0:1::/64", "dummy prefix" },
        { "2001::/32", "Teredo" },
        { "2001::/23", "protocol assignments" },
        { "2001:2::/48", "benchmarking" },
        { "2001:10::/28", "protocol assignments" },
        { "2001:20::/28", "protocol assignments" },
        { "2001:30::/28", "protocol assignments" },
        { "2001:db8::/32", "documentation" },
        { "2002::/16", "6to4" },
        { "3fff::/20", "documentation" },
        { "5f00::/16", "segment routing" },
        { "fc00::/7", "unique local" },
        { "fe80::/10", "link-local" },
        { "fec0::/10", "site-local" },
        { "ff00::/8", "multicast" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct cidr c = cidr_of(rows[i].range);
        struct address a = inside(&c, 0x55);

        assert_range_denied(rows[i].range);
        assert_string_equal(address_denied(&a), rows[i].why);
    }
}

static void
the_addresses_beside_the_denied_ranges_may_be_dialled(void **state)
{
    static const char *const rows[] = {
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "168.63.129.15",
        "168.63.129.17",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "191.255.255.255",
        "192.0.1.0",
        "192.0.1.255",
        "192.0.3.0",
        "192.88.98.255",
        "192.88.100.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "198.51.99.255",
        "198.51.101.0",
        "203.0.112.255",
        "203.0.114.0",
        "223.255.255.255",
        "0:1::",
        "::1:0:0:0",
        "::ffff:1:0:0:0",
        "64:ff9a::",
        "64:ff9b:0:0:0:1::",
        "64:ff9b:2::",
        "100:0:0:2::",
        "2000:ffff::",
        "2001:200::",
        "2001:db7:ffff::",
        "2001:db9::",
        "2001:ffff::",
        "2003::",
        "3ffe:ffff::",
        "3fff:1000::",
        "5eff:ffff::",
        "5f01::",
        "fbff:ffff::",
        "fe00::",
        "fe7f:ffff::",
        "2606:4700::1111",
        "2a00:1450:4001::5efe",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct address a = address_of(rows[i]);

        if (address_denied(&a) != NULL)
            fail_msg("%s is denied: %s", rows[i], address_denied(&a));
        assert_false(address_is_metadata(&a));
    }
}

static void
isatap_is_denied_under_any_prefix(void **state)
{
    static const char *const rows[] = {
        "2a00::5efe:8.8.8.8",
        "2a00:1:2:3:0:5efe:808:808",
        "2a00:1:2:3:200:5efe:808:808",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct address a = address_of(rows[i]);

        assert_string_equal(address_denied(&a), "ISATAP");
    }
}

static void
the_absent_address_is_denied(void **state)
{
    struct address none = { .family = 0 };
    struct address odd = { .family = AF_UNIX };

    (void)state;
    assert_non_null(address_denied(&none));
    assert_non_null(address_denied(&odd));
    assert_false(address_is_metadata(&none));
}

static void
every_service_address_of_the_vectors_is_metadata_and_denied(void **state)
{
    struct row_reader r;
    char mem[ROW_MAX];
    size_t n = 0;

    (void)state;
    rows_open(&r, VECTORS "/ssrf/metadata.json");
    for (char *line; (line = rows_next(&r)) != NULL;) {
        struct address a;
        struct text t;

        if (!row_member(line, "address", mem, &t))
            continue;
        assert_true(address_parse(t, &a));
        if (!address_is_metadata(&a))
            fail_msg("%.*s is not known as a service", TEXT_ARG(t));
        assert_string_equal(address_denied(&a), "metadata or host service");
        n++;
    }
    assert_int_equal(n, 28);
}

static void
each_service_is_known_and_its_neighbour_is_not(void **state)
{
    static const char *const rows[] = {
        "169.254.169.254",    "169.254.170.2",   "169.254.170.23",  "169.254.169.252",
        "169.254.169.253",    "169.254.169.123", "169.254.169.250", "169.254.0.23",
        "169.254.42.42",      "169.254.20.10",   "168.63.129.16",   "100.100.100.200",
        "100.100.2.136",      "100.100.2.138",   "192.0.0.192",     "fd00:ec2::254",
        "fd00:ec2::23",       "fd00:ec2::253",   "fd00:ec2::123",   "fd20:ce::254",
        "fd00:c1::a9fe:a9fe", "fe80::a9fe:a9fe", "fd00:42::42",     "fd00:a9fe:a9fe::1",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct address a = address_of(rows[i]);

        if (!address_is_metadata(&a))
            fail_msg("%s is not known as a service", rows[i]);
        assert_non_null(address_denied(&a));
        a.bytes[a.family == AF_INET ? 3 : 15] ^= 0x80;
        assert_false(address_is_metadata(&a));
    }
}

/* Every form that carries an IPv4 address, around four given bytes. */
static const struct form {
    const char *prefix;
    unsigned char at[4];
    unsigned char flip;
    bool denied; /* whatever it carries */
} forms[] = {
    { "::", { 12, 13, 14, 15 }, 0, true },
    { "::ffff:0:0", { 12, 13, 14, 15 }, 0, true },
    { "::ffff:0:0:0", { 12, 13, 14, 15 }, 0, true },
    { "64:ff9b::", { 12, 13, 14, 15 }, 0, true },
    { "64:ff9b:1::", { 12, 13, 14, 15 }, 0, true },
    { "64:ff9b:1::", { 6, 7, 9, 10 }, 0, true },
    { "64:ff9b:1:2::", { 9, 10, 11, 12 }, 0, true },
    { "2002::", { 2, 3, 4, 5 }, 0, true },
    { "2002::1", { 2, 3, 4, 5 }, 0, true },
    { "2001:0:4136:e378:8000:63bf::", { 12, 13, 14, 15 }, 0xff, true },
    { "2001::", { 4, 5, 6, 7 }, 0, true },
    { "fe80::5efe:0:0", { 12, 13, 14, 15 }, 0, true },
    { "2a00::200:5efe:0:0", { 12, 13, 14, 15 }, 0, true },
    /* a site's own NAT64 prefix, in the lengths of RFC 6052 */
    { "2a00:1::", { 4, 5, 6, 7 }, 0, false },
    { "2a00:1:200::", { 5, 6, 7, 9 }, 0, false },
    { "2a00:1:2::", { 6, 7, 9, 10 }, 0, false },
    { "2a00:1:2:300::", { 7, 9, 10, 11 }, 0, false },
    { "2a00:1:2:3::", { 9, 10, 11, 12 }, 0, false },
    { "2a00:1:2:3:0:4::", { 12, 13, 14, 15 }, 0, false },
};

static struct address
carry(const struct form *f, const struct address *v4)
{
    struct address a = address_of(f->prefix);

    for (size_t i = 0; i < 4; i++)
        a.bytes[f->at[i]] = v4->bytes[i] ^ f->flip;
    return a;
}

static void
a_service_hidden_in_any_ipv6_form_is_metadata(void **state)
{
    static const char *const services[] = {
        "169.254.169.254", "169.254.170.2", "169.254.170.23",
        "169.254.169.253", "169.254.0.23",  "169.254.42.42",
        "100.100.100.200", "168.63.129.16", "192.0.0.192",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(services); i++) {
        struct address v4 = address_of(services[i]);

        for (size_t k = 0; k < COUNT(forms); k++) {
            struct address a = carry(&forms[k], &v4);

            if (!address_is_metadata(&a))
                fail_msg("%s is not seen under %s", services[i], forms[k].prefix);
            assert_non_null(address_denied(&a));
        }
    }
}

static void
an_ipv6_form_is_denied_whatever_ipv4_address_it_carries(void **state)
{
    static const char *const carried[] = { "8.8.8.8", "127.0.0.1", "10.1.2.3" };

    (void)state;
    for (size_t i = 0; i < COUNT(carried); i++) {
        struct address v4 = address_of(carried[i]);

        for (size_t k = 0; k < COUNT(forms); k++) {
            struct address a = carry(&forms[k], &v4);

            if ((address_denied(&a) != NULL) != forms[k].denied)
                fail_msg("%s under %s", carried[i], forms[k].prefix);
            assert_false(address_is_metadata(&a));
        }
    }
}

static void
no_metadata_address_is_ever_allowed(void **state)
{
    /* RFC 6052 places under a prefix of any bytes: most are in no row of the table. */
    static const unsigned char places[][4] = {
        { 4, 5, 6, 7 },   { 5, 6, 7, 9 },    { 6, 7, 9, 10 },
        { 7, 9, 10, 11 }, { 9, 10, 11, 12 }, { 12, 13, 14, 15 },
    };
    struct address v4 = address_of("169.254.169.254");

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct address a = random_address();
        const unsigned char *place = places[random_below(COUNT(places))];

        a.family = AF_INET6;
        for (size_t k = 0; k < 4; k++)
            a.bytes[place[k]] = v4.bytes[k];
        assert_true(address_is_metadata(&a));
        assert_denied(&a, "a service");
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_strict_spelling_is_read_and_printed_in_canonical_form),
        cmocka_unit_test(every_other_spelling_is_refused_and_leaves_no_address),
        cmocka_unit_test(whatever_is_printed_is_read_back_as_the_same_address),
        cmocka_unit_test(
            random_bytes_are_read_only_where_the_resolver_would_read_the_same),
        cmocka_unit_test(the_absent_address_prints_as_nothing),
        cmocka_unit_test(an_ipv4_address_is_not_its_mapped_form),
        cmocka_unit_test(a_socket_address_goes_both_ways),
        cmocka_unit_test(a_socket_address_of_another_family_is_no_address),
        cmocka_unit_test(a_range_holds_what_its_prefix_says),
        cmocka_unit_test(a_range_written_carelessly_is_refused),
        cmocka_unit_test(
            every_range_of_the_vectors_is_denied_and_their_neighbours_are_not),
        cmocka_unit_test(every_special_range_is_denied_by_its_own_name),
        cmocka_unit_test(the_addresses_beside_the_denied_ranges_may_be_dialled),
        cmocka_unit_test(isatap_is_denied_under_any_prefix),
        cmocka_unit_test(the_absent_address_is_denied),
        cmocka_unit_test(every_service_address_of_the_vectors_is_metadata_and_denied),
        cmocka_unit_test(each_service_is_known_and_its_neighbour_is_not),
        cmocka_unit_test(a_service_hidden_in_any_ipv6_form_is_metadata),
        cmocka_unit_test(an_ipv6_form_is_denied_whatever_ipv4_address_it_carries),
        cmocka_unit_test(no_metadata_address_is_ever_allowed),
    };

    return cmocka_run_group_tests_name("base/address", tests, random_begin, NULL);
}
