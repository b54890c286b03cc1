/* Hosts and authorities in one spelling. Everything a reader could disagree about
 * (userinfo, zones, escapes, letters beyond ASCII, numbers that some resolver calls an
 * address) is refused, so that the name judged is the name dialled, signed and logged.
 * Nothing here allocates but authority_keep. */
#include "base/host.h"

#include "base/memory.h"

#include <string.h>

enum { LABEL_MAX = 63, PORT_DIGITS = 5 };

/* What a byte of a name becomes; 0: it may not stand there. */
/* clang-format off */
static const char folded[256] = {
    ['-'] = '-', ['.'] = '.', ['_'] = '_',
    ['0'] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9',
    ['A'] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm',
            'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
    ['a'] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm',
            'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
};

#define NAME(literal) { literal, sizeof(literal) - 1 }

/* These names, and all below them. */
static const struct text metadata_names[] = {
    NAME("metadata"),
    NAME("metadata.google.internal"),
    NAME("metadata.goog"),
    NAME("instance-data"),
    NAME("instance-data.ec2.internal"),
    NAME("metadata.tencentyun.com"),
    NAME("api.metadata.cloud.ibm.com"),
    NAME("metadata.exoscale.com"),
    NAME("metadata.platformequinix.com"),
    NAME("metadata.packet.net"),
    NAME("rancher-metadata"),
};

static const struct text local_names[] = {
    NAME("localhost"),              /* RFC 6761 */
    NAME("localdomain"),
    NAME("local"),                  /* RFC 6762; cluster.local too */
    NAME("internal"),               /* reserved by ICANN; clouds, docker, podman */
    NAME("kubernetes.default"),
    NAME("svc"),                    /* what a cluster's search domains make of it */
    NAME("home.arpa"),              /* RFC 8375 */
    NAME("intranet"),               /* RFC 6762 appendix G, to the end */
    NAME("private"),
    NAME("corp"),
    NAME("home"),
    NAME("lan"),
};
/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static enum reason
take_address(const struct address *a, struct host *out)
{
    out->address = *a;
    address_print(a, out->name);
    out->n = (uint8_t)strlen(out->name);
    return REASON_OK;
}

/* Labels of 1 to 63 bytes, folded into out->name. */
static bool
fold_name(struct text t, struct host *out)
{
    size_t label = 0;

    for (size_t i = 0; i < t.n; i++) {
        char c = folded[(unsigned char)t.at[i]];

        if (c == 0 || (c == '.' && label == 0) || label > LABEL_MAX)
            return false;
        label = c == '.' ? 0 : label + 1;
        out->name[i] = c;
    }
    return label > 0 && label <= LABEL_MAX;
}

/* The rule of the WHATWG URL standard ("ends in a number"), a little wider: all digits,
 * or whatever begins with 0x. No top-level domain does, and inet_aton makes an address
 * of it. */
static bool
ends_in_number(const char *name, size_t n)
{
    const char *dot = memrchr(name, '.', n);
    const char *label = dot == NULL ? name : dot + 1;
    const char *end = name + n;

    if (end - label >= 2 && label[0] == '0' && label[1] == 'x')
        return true;
    while (label < end && *label >= '0' && *label <= '9')
        label++;
    return label == end;
}

static enum reason
parse_name(struct text t, struct host *out)
{
    struct address a;

    if (t.n > 0 && t.at[t.n - 1] == '.')
        t.n--;
    if (t.n == 0 || t.n > HOST_MAX || !fold_name(t, out))
        return REASON_HOST_MALFORMED;
    if (ends_in_number(out->name, t.n)) {
        if (!address_parse(text_of(out->name, t.n), &a))
            return REASON_HOST_NUMERIC;
        return take_address(&a, out);
    }
    out->name[t.n] = '\0';
    out->n = (uint8_t)t.n;
    return REASON_OK;
}

static enum reason
parse_literal(struct text t, struct host *out)
{
    struct address a;

    if (t.n < 2 || t.at[t.n - 1] != ']')
        return REASON_HOST_MALFORMED;
    if (!address_parse(text_of(t.at + 1, t.n - 2), &a) || a.family != AF_INET6)
        return REASON_HOST_MALFORMED;
    return take_address(&a, out);
}

enum reason
host_parse(struct text t, struct host *out)
{
    enum reason why;

    out->address = (struct address){ .family = 0 };
    out->n = 0;
    why = t.n > 0 && t.at[0] == '[' ? parse_literal(t, out) : parse_name(t, out);
    if (why != REASON_OK)
        out->name[0] = '\0';
    return why;
}

/* 1 to 65535 without leading zeros: "0443" and "65979" are 443 to one reader and not to
 * the next. */
static bool
parse_port(struct text t, uint16_t *out)
{
    uint64_t port;

    if (t.n == 0 || t.at[0] == '0' || !text_to_u64(t, UINT16_MAX, &port))
        return false;
    *out = (uint16_t)port;
    return true;
}

enum reason
authority_parse(struct text t, uint16_t default_port, struct authority *out)
{
    const char *colon = NULL;
    size_t n = t.n;
    enum reason why;

    out->port = default_port;
    if (t.n > 0 && t.at[0] == '[') {
        const char *bracket = memchr(t.at, ']', t.n);

        if (bracket != NULL && bracket + 1 < t.at + t.n && bracket[1] == ':')
            colon = bracket + 1;
    } else if (t.n > 0) {
        colon = memchr(t.at, ':', t.n);
    }
    if (colon != NULL)
        n = (size_t)(colon - t.at);
    if ((why = host_parse(text_of(t.at, n), &out->host)) != REASON_OK)
        return why;
    if (colon != NULL && !parse_port(text_of(colon + 1, t.n - n - 1), &out->port))
        return REASON_PORT_MALFORMED;
    return out->port == 0 ? REASON_PORT_MALFORMED : REASON_OK;
}

bool
host_equals(const struct host *a, const struct host *b)
{
    /* The text is canonical and no name can be spelled like an address, so it decides.
     */
    return a->n == b->n && memcmp(a->name, b->name, a->n) == 0;
}

bool
authority_equals(const struct authority *a, const struct authority *b)
{
    return a->port == b->port && host_equals(&a->host, &b->host);
}

struct authority_kept {
    struct address address;
    uint16_t port;
    uint8_t n;
    char name[]; /* NUL-terminated */
};

struct authority_kept *
authority_keep(const struct authority *a)
{
    struct authority_kept *k = memory_new(sizeof *k + a->host.n + 1);

    k->address = a->host.address;
    k->port = a->port;
    k->n = a->host.n;
    memcpy(k->name, a->host.name, a->host.n);
    return k;
}

void
authority_recall(const struct authority_kept *k, struct authority *out)
{
    *out = (struct authority){ .port = k->port };
    out->host.address = k->address;
    out->host.n = k->n;
    memcpy(out->host.name, k->name, k->n);
}

struct text
host_text(const struct host *h)
{
    return text_of(h->name, h->n);
}

static char *
print_port(char *out, uint16_t port)
{
    char digits[PORT_DIGITS];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + port % 10);
        port = (uint16_t)(port / 10);
    } while (port > 0);
    *out++ = ':';
    while (n > 0)
        *out++ = digits[--n];
    return out;
}

struct text
authority_print(const struct authority *a, uint16_t scheme_port,
                char out[AUTHORITY_PRINT_SIZE])
{
    bool bracketed = a->host.address.family == AF_INET6;
    char *end = out;

    if (bracketed)
        *end++ = '[';
    memcpy(end, a->host.name, a->host.n);
    end += a->host.n;
    if (bracketed)
        *end++ = ']';
    if (a->port != scheme_port)
        end = print_port(end, a->port);
    *end = '\0';
    return text_of(out, (size_t)(end - out));
}

/* The name itself or one below it, at a label's edge: "evilmetadata.goog" is neither.
 */
static bool
is_at_or_below(const struct host *h, struct text apex)
{
    size_t above;

    if (h->n < apex.n)
        return false;
    above = h->n - apex.n;
    if (above > 0 && h->name[above - 1] != '.')
        return false;
    return memcmp(h->name + above, apex.at, apex.n) == 0;
}

static bool
is_among(const struct host *h, const struct text *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (is_at_or_below(h, names[i]))
            return true;
    }
    return false;
}

bool
host_is_metadata(const struct host *h)
{
    return h->address.family == 0 && is_among(h, metadata_names, COUNT(metadata_names));
}

bool
host_is_local(const struct host *h)
{
    if (h->address.family != 0)
        return false;
    /* What a single label means is up to the search domains of whoever resolves it. */
    return memchr(h->name, '.', h->n) == NULL ||
           is_among(h, local_names, COUNT(local_names));
}
