/* Addresses as values, and the one table of what is never dialled unless an operator
 * names it. The table is judged against the address that connect(2) will be given, so
 * no spelling of it matters here. */
#include "base/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

/* clang-format off */
#define V4(a, b, c, d) { AF_INET, { a, b, c, d } }
#define PAIR(x) (unsigned char)((x) >> 8), (unsigned char)((x) & 0xff)
#define V6(a, b, c, d, e, f, g, h) \
    { AF_INET6, { PAIR(a), PAIR(b), PAIR(c), PAIR(d), \
                  PAIR(e), PAIR(f), PAIR(g), PAIR(h) } }

/* Narrow rows stand before the wide ones that hold them, so that the operator reads the
 * nearest why. IPv6 forms that carry an IPv4 address are denied as forms: whoever means
 * the IPv4 address can write it. */
static const struct deny {
    struct cidr range;
    const char *why;
} denied[] = {
    { { V4(0, 0, 0, 0), 8 }, "this network" }, /* RFC 791; 0.0.0.0 is us on Linux */
    { { V4(10, 0, 0, 0), 8 }, "private" }, /* RFC 1918 */
    { { V4(100, 64, 0, 0), 10 }, "shared" }, /* RFC 6598; Alibaba's metadata */
    { { V4(127, 0, 0, 0), 8 }, "loopback" }, /* RFC 1122, all of it */
    { { V4(168, 63, 129, 16), 32 }, "host service" }, /* Azure: looks public */
    { { V4(169, 254, 0, 0), 16 }, "link-local" }, /* RFC 3927 */
    { { V4(172, 16, 0, 0), 12 }, "private" }, /* RFC 1918 */
    { { V4(192, 0, 0, 0), 24 }, "protocol assignments" }, /* RFC 6890 */
    { { V4(192, 0, 2, 0), 24 }, "documentation" }, /* RFC 5737 */
    { { V4(192, 88, 99, 0), 24 }, "6to4 relay" }, /* RFC 7526 */
    { { V4(192, 168, 0, 0), 16 }, "private" }, /* RFC 1918 */
    { { V4(198, 18, 0, 0), 15 }, "benchmarking" }, /* RFC 2544 */
    { { V4(198, 51, 100, 0), 24 }, "documentation" }, /* RFC 5737 */
    { { V4(203, 0, 113, 0), 24 }, "documentation" }, /* RFC 5737 */
    { { V4(224, 0, 0, 0), 4 }, "multicast" }, /* RFC 5771 */
    { { V4(255, 255, 255, 255), 32 }, "broadcast" }, /* RFC 919 */
    { { V4(240, 0, 0, 0), 4 }, "reserved" }, /* RFC 1112 */

    { { V6(0, 0, 0, 0, 0, 0, 0, 0), 128 }, "unspecified" }, /* us on Linux */
    { { V6(0, 0, 0, 0, 0, 0, 0, 1), 128 }, "loopback" }, /* RFC 4291 */
    { { V6(0, 0, 0, 0, 0, 0, 0, 0), 96 }, "IPv4-compatible" }, /* RFC 4291 2.5.5.1 */
    { { V6(0, 0, 0, 0, 0, 0xffff, 0, 0), 96 }, "IPv4-mapped" }, /* RFC 4291 2.5.5.2 */
    { { V6(0, 0, 0, 0, 0xffff, 0, 0, 0), 96 }, "IPv4-translated" }, /* RFC 2765 */
    { { V6(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96 }, "NAT64" }, /* RFC 6052 */
    { { V6(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48 }, "local NAT64" }, /* RFC 8215 */
    { { V6(0x100, 0, 0, 0, 0, 0, 0, 0), 64 }, "discard" }, /* RFC 6666 */
    { { V6(0x100, 0, 0, 1, 0, 0, 0, 0), 64 }, "dummy prefix" }, /* RFC 9780 */
    { { V6(0x2001, 0, 0, 0, 0, 0, 0, 0), 32 }, "Teredo" }, /* RFC 4380 */
    { { V6(0x2001, 2, 0, 0, 0, 0, 0, 0), 48 }, "benchmarking" }, /* RFC 5180 */
    { { V6(0x2001, 0, 0, 0, 0, 0, 0, 0), 23 }, "protocol assignments" }, /* RFC 2928 */
    { { V6(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32 }, "documentation" }, /* RFC 3849 */
    { { V6(0x2002, 0, 0, 0, 0, 0, 0, 0), 16 }, "6to4" }, /* RFC 3056 */
    { { V6(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20 }, "documentation" }, /* RFC 9637 */
    { { V6(0x5f00, 0, 0, 0, 0, 0, 0, 0), 16 }, "segment routing" }, /* RFC 9602 */
    { { V6(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7 }, "unique local" }, /* RFC 4193 */
    { { V6(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10 }, "link-local" }, /* RFC 4291 */
    { { V6(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10 }, "site-local" }, /* RFC 3879 */
    { { V6(0xff00, 0, 0, 0, 0, 0, 0, 0), 8 }, "multicast" }, /* RFC 4291 */
};

/* Whoever reaches one of these is given somebody's credentials, or speaks to the
 * machine below us. */
static const struct address services[] = {
    V4(169, 254, 169, 254), /* AWS, Google, Azure, Oracle, OpenStack and more */
    V4(169, 254, 170, 2), /* AWS ECS task credentials */
    V4(169, 254, 170, 23), /* AWS EKS Pod Identity */
    V4(169, 254, 169, 252), /* Google GKE metadata server */
    V4(169, 254, 169, 253), /* AWS resolver */
    V4(169, 254, 169, 123), /* AWS time */
    V4(169, 254, 169, 250), /* Rancher */
    V4(169, 254, 0, 23), /* Tencent */
    V4(169, 254, 42, 42), /* Scaleway */
    V4(169, 254, 20, 10), /* Kubernetes node-local DNS */
    V4(168, 63, 129, 16), /* Azure WireServer */
    V4(100, 100, 100, 200), /* Alibaba */
    V4(100, 100, 2, 136), /* Alibaba resolvers */
    V4(100, 100, 2, 138),
    V4(192, 0, 0, 192), /* Oracle Classic */
    V6(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), /* AWS */
    V6(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23), /* AWS EKS Pod Identity */
    V6(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253), /* AWS resolver */
    V6(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x123), /* AWS time */
    V6(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), /* Google */
    V6(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe), /* Oracle */
    V6(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe), /* OpenStack, Hetzner */
    V6(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42), /* Scaleway */
    V6(0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1), /* Akamai */
};

static const struct cidr teredo = { V6(0x2001, 0, 0, 0, 0, 0, 0, 0), 32 };
static const struct cidr six_to_four = { V6(0x2002, 0, 0, 0, 0, 0, 0, 0), 16 };

/* Where RFC 6052 section 2.2 puts the four IPv4 bytes, a row for each prefix length. */
static const unsigned char embeddings[][4] = {
    { 4, 5, 6, 7 }, /* 32; the server field of Teredo */
    { 5, 6, 7, 9 }, /* 40 */
    { 6, 7, 9, 10 }, /* 48 */
    { 7, 9, 10, 11 }, /* 56 */
    { 9, 10, 11, 12 }, /* 64 */
    { 12, 13, 14, 15 }, /* 96; mapped, compatible, translated, ISATAP */
};
/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static unsigned
family_bits(int family)
{
    return family == AF_INET ? 32 : family == AF_INET6 ? 128 : 0;
}

static bool
is_address_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') ||
           c == ':' || c == '.';
}

bool
address_parse(struct text t, struct address *out)
{
    char z[ADDRESS_PRINT_SIZE];

    *out = (struct address){ .family = 0 };
    if (t.n == 0 || t.n >= sizeof(z))
        return false;
    /* Byte by byte, because inet_pton would stop at a NUL that a stranger put in, and a
     * zone id must not come near anything that understands it. */
    for (size_t i = 0; i < t.n; i++) {
        if (!is_address_byte(t.at[i]))
            return false;
        z[i] = t.at[i];
    }
    z[t.n] = '\0';
    /* Unlike inet_aton, inet_pton takes four decimal octets without leading zeros and
     * nothing else. */
    if (inet_pton(AF_INET, z, out->bytes) == 1)
        out->family = AF_INET;
    else if (inet_pton(AF_INET6, z, out->bytes) == 1)
        out->family = AF_INET6;
    else
        *out = (struct address){ .family = 0 };
    return out->family != 0;
}

void
address_print(const struct address *a, char out[ADDRESS_PRINT_SIZE])
{
    if (inet_ntop(a->family, a->bytes, out, ADDRESS_PRINT_SIZE) == NULL)
        out[0] = '\0';
}

bool
address_equals(const struct address *a, const struct address *b)
{
    return a->family == b->family &&
           memcmp(a->bytes, b->bytes, family_bits(a->family) / 8) == 0;
}

void
address_from_sockaddr(const struct sockaddr *sa, struct address *out, uint16_t *port)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    *out = (struct address){ .family = 0 };
    *port = 0;
    if (sa->sa_family == AF_INET) {
        memcpy(&v4, sa, sizeof(v4));
        out->family = AF_INET;
        memcpy(out->bytes, &v4.sin_addr, 4);
        *port = ntohs(v4.sin_port);
    } else if (sa->sa_family == AF_INET6) {
        memcpy(&v6, sa, sizeof(v6));
        out->family = AF_INET6;
        memcpy(out->bytes, &v6.sin6_addr, 16);
        *port = ntohs(v6.sin6_port);
    }
}

socklen_t
address_to_sockaddr(const struct address *a, uint16_t port,
                    struct sockaddr_storage *out)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

    assert(a->family == AF_INET || a->family == AF_INET6);
    memset(out, 0, sizeof(*out));
    if (a->family == AF_INET) {
        memcpy(&v4.sin_addr, a->bytes, 4);
        memcpy(out, &v4, sizeof(v4));
        return sizeof(v4);
    }
    memcpy(&v6.sin6_addr, a->bytes, 16);
    memcpy(out, &v6, sizeof(v6));
    return sizeof(v6);
}

/* The first `bits` bits of both are the same. */
static bool
same_prefix(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;

    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

/* Nothing is set behind the prefix: "10.1.0.0/8" is somebody's mistake, and guessing
 * which would open a hole. */
static bool
is_whole_range(const struct cidr *c)
{
    static const unsigned char zeros[16];
    unsigned whole = c->bits / 8;
    unsigned rest = c->bits % 8;
    unsigned size = family_bits(c->base.family) / 8;

    if (rest != 0 && (c->base.bytes[whole++] & (0xff >> rest)) != 0)
        return false;
    return memcmp(c->base.bytes + whole, zeros, size - whole) == 0;
}

bool
cidr_parse(struct text t, struct cidr *out)
{
    const char *slash = t.n == 0 ? NULL : memchr(t.at, '/', t.n);
    size_t n = slash == NULL ? t.n : (size_t)(slash - t.at);
    uint64_t bits;

    *out = (struct cidr){ .bits = 0 };
    if (!address_parse(text_of(t.at, n), &out->base))
        return false;
    bits = family_bits(out->base.family);
    if (slash != NULL) {
        struct text digits = text_of(slash + 1, t.n - n - 1);

        if (digits.n > 1 && digits.at[0] == '0')
            return false;
        if (!text_to_u64(digits, bits, &bits))
            return false;
    }
    out->bits = (unsigned)bits;
    return is_whole_range(out);
}

bool
cidr_has(const struct cidr *c, const struct address *a)
{
    return a->family != 0 && c->base.family == a->family &&
           same_prefix(c->base.bytes, a->bytes, c->bits);
}

static bool
is_service(const struct address *a)
{
    for (size_t i = 0; i < COUNT(services); i++) {
        if (address_equals(&services[i], a))
            return true;
    }
    return false;
}

/* RFC 5214 section 6.1: the interface identifier is 5efe under an IANA prefix whose
 * universal bit may be set. */
static bool
is_isatap(const struct address *a)
{
    return a->family == AF_INET6 && (a->bytes[8] & 0xfd) == 0 && a->bytes[9] == 0 &&
           a->bytes[10] == 0x5e && a->bytes[11] == 0xfe;
}

static bool
carries_service(const struct address *a, const unsigned char at[4], unsigned char flip)
{
    struct address inner = { .family = AF_INET };

    for (size_t i = 0; i < 4; i++)
        inner.bytes[i] = a->bytes[at[i]] ^ flip;
    return is_service(&inner);
}

const struct address *
address_services(size_t *n)
{
    *n = COUNT(services);
    return services;
}

bool
address_is_metadata(const struct address *a)
{
    static const unsigned char after_prefix[4] = { 2, 3, 4, 5 };
    static const unsigned char last[4] = { 12, 13, 14, 15 };

    if (is_service(a))
        return true;
    if (a->family != AF_INET6)
        return false;
    /* Under any prefix, since a site's own NAT64 prefix cannot be known here. Fewer
     * than one innocent address in ten million looks like this, and an operator can
     * still name it. */
    for (size_t i = 0; i < COUNT(embeddings); i++) {
        if (carries_service(a, embeddings[i], 0))
            return true;
    }
    if (cidr_has(&six_to_four, a))
        return carries_service(a, after_prefix, 0);
    return cidr_has(&teredo, a) && carries_service(a, last, 0xff);
}

const char *
address_denied(const struct address *a)
{
    if (a->family != AF_INET && a->family != AF_INET6)
        return "not an address";
    if (address_is_metadata(a))
        return "metadata or host service";
    for (size_t i = 0; i < COUNT(denied); i++) {
        if (cidr_has(&denied[i].range, a))
            return denied[i].why;
    }
    return is_isatap(a) ? "ISATAP" : NULL;
}
