/* What each field name that matters to a head does, in one table by length: a request's
 * names are looked up one by one, and most are told from all of these by their length
 * and first letter. */
#include "http/message.h"

#include <string.h>

enum {
    GUARDED = 1, /* frames, routes, authorises, or is ours to write */
    NO_TRAILER =
        2, /* RFC 9110 section 6.5.1: acted on before the body, so too late behind it */
    BOTH = GUARDED | NO_TRAILER
};

struct known {
    const char *name; /* lower case, of its row's length */
    enum field_kind kind;
    unsigned flags;
};

static const struct known of_2[] = { { "te", FIELD_HOP, BOTH } };
static const struct known of_3[] = { { "age", FIELD_PLAIN, NO_TRAILER } };
static const struct known of_4[] = {
    { "host", FIELD_HOST, BOTH },
    { "date", FIELD_PLAIN, NO_TRAILER },
    { "dpop", FIELD_PLAIN, BOTH },
    { "vary", FIELD_PLAIN, NO_TRAILER },
};
static const struct known of_5[] = { { "range", FIELD_PLAIN, NO_TRAILER } };
static const struct known of_6[] = {
    { "cookie", FIELD_PLAIN, BOTH },
    { "expect", FIELD_EXPECT, BOTH },
    { "pragma", FIELD_PLAIN, NO_TRAILER },
};
static const struct known of_7[] = {
    { "upgrade", FIELD_UPGRADE, BOTH },     { "trailer", FIELD_HOP, BOTH },
    { "expires", FIELD_PLAIN, NO_TRAILER }, { "warning", FIELD_PLAIN, NO_TRAILER },
    { "api-key", FIELD_PLAIN, BOTH },
};
static const struct known of_8[] = {
    { "if-match", FIELD_PLAIN, NO_TRAILER },
    { "if-range", FIELD_PLAIN, NO_TRAILER },
    { "location", FIELD_PLAIN, NO_TRAILER },
};
static const struct known of_9[] = {
    { "txn-token", FIELD_PLAIN, BOTH }, { "forwarded", FIELD_PLAIN, BOTH },
    { "signature", FIELD_PLAIN, BOTH }, { "x-real-ip", FIELD_PLAIN, BOTH },
    { "x-api-key", FIELD_PLAIN, BOTH },
};
static const struct known of_10[] = {
    { "connection", FIELD_CONNECTION, BOTH },
    { "keep-alive", FIELD_HOP, BOTH },
    { "set-cookie", FIELD_PLAIN, BOTH },
    { "x-amz-date", FIELD_PLAIN, BOTH },
};
static const struct known of_11[] = {
    { "retry-after", FIELD_PLAIN, NO_TRAILER },
};
static const struct known of_12[] = {
    { "content-type", FIELD_PLAIN, NO_TRAILER },
    { "max-forwards", FIELD_PLAIN, BOTH },
    { "x-auth-token", FIELD_PLAIN, BOTH },
};
static const struct known of_13[] = {
    { "authorization", FIELD_PLAIN, BOTH },
    { "cache-control", FIELD_PLAIN, NO_TRAILER },
    { "content-range", FIELD_PLAIN, NO_TRAILER },
    { "if-none-match", FIELD_PLAIN, NO_TRAILER },
    { "private-token", FIELD_PLAIN, BOTH },
    { "x-rewrite-url", FIELD_PLAIN, BOTH },
};
static const struct known of_14[] = {
    { "content-length", FIELD_CONTENT_LENGTH, BOTH },
    { "http2-settings", FIELD_HOP, BOTH },
    { "x-original-url", FIELD_PLAIN, BOTH },
    { "x-access-token", FIELD_PLAIN, BOTH },
};
static const struct known of_15[] = {
    { "signature-input", FIELD_PLAIN, BOTH },
    { "signature-agent", FIELD_PLAIN, BOTH },
};
static const struct known of_16[] = {
    { "proxy-connection", FIELD_HOP, BOTH },
    { "content-encoding", FIELD_PLAIN, NO_TRAILER },
    { "content-location", FIELD_PLAIN, NO_TRAILER },
    { "www-authenticate", FIELD_PLAIN, BOTH },
};
static const struct known of_17[] = {
    { "transfer-encoding", FIELD_TRANSFER_ENCODING, BOTH },
    { "if-modified-since", FIELD_PLAIN, NO_TRAILER },
};
static const struct known of_18[] = {
    { "proxy-authenticate", FIELD_PLAIN, BOTH },
};
static const struct known of_19[] = {
    { "proxy-authorization", FIELD_PLAIN, BOTH },
    { "if-unmodified-since", FIELD_PLAIN, NO_TRAILER },
};
static const struct known of_20[] = {
    { "x-amz-security-token", FIELD_PLAIN, BOTH },
    { "x-amz-content-sha256", FIELD_PLAIN, BOTH },
};
static const struct known of_22[] = {
    { "x-http-method-override", FIELD_PLAIN, BOTH },
};

#define ROW(length)                                                                    \
    [length] = { of_##length, sizeof of_##length / sizeof of_##length[0] }
static const struct {
    const struct known *at;
    size_t n;
} by_length[] = {
    ROW(2),  ROW(3),  ROW(4),  ROW(5),  ROW(6),  ROW(7),  ROW(8),
    ROW(9),  ROW(10), ROW(11), ROW(12), ROW(13), ROW(14), ROW(15),
    ROW(16), ROW(17), ROW(18), ROW(19), ROW(20), ROW(22),
};
#undef ROW

/* Families. x-amz-checksum-* is what SDKs send as a trailer, so that family may stand
 * there. */
static const struct known families[] = {
    { "x-forwarded-", FIELD_PLAIN, BOTH },
    { "x-holdfast-", FIELD_PLAIN, BOTH },
    { "workload-", FIELD_PLAIN, BOTH },
    { "x-amz-", FIELD_PLAIN, GUARDED },
};

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* `known` is lower case and no shorter than n. */
static bool
spells(const char *at, size_t n, const char *known)
{
    for (size_t i = 0; i < n; i++)
        if (lower(at[i]) != known[i])
            return false;
    return true;
}

static const struct known *
look_up(struct text name)
{
    const struct known *row;

    if (name.n >= sizeof by_length / sizeof by_length[0])
        return NULL;
    row = by_length[name.n].at;
    for (size_t i = 0; i < by_length[name.n].n; i++)
        if (lower(name.at[0]) == row[i].name[0] &&
            (memcmp(name.at, row[i].name, name.n) == 0 || /* as HTTP/2 has them all */
             spells(name.at, name.n, row[i].name)))
            return &row[i];
    return NULL;
}

static unsigned
flags_of(struct text name)
{
    const struct known *k = look_up(name);

    if (k != NULL)
        return k->flags;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        size_t n = strlen(families[i].name);

        if (name.n > n && spells(name.at, n, families[i].name))
            return families[i].flags;
    }
    return 0;
}

enum field_kind
field_kind(struct text name)
{
    const struct known *k = look_up(name);

    return k == NULL ? FIELD_PLAIN : k->kind;
}

bool
field_is_guarded(struct text name)
{
    return (flags_of(name) & GUARDED) != 0;
}

bool
field_is_guarded_in_disguise(struct text name)
{
    char plain[64]; /* longer than any known name: what is cut off can only follow a
                       family's */
    size_t n = name.n < sizeof plain ? name.n : sizeof plain;

    for (size_t i = 0; i < n; i++)
        plain[i] = name.at[i] == '_' ? '-' : name.at[i];
    return field_is_guarded(text_of(plain, n));
}

bool
field_is_hop_by_hop(struct text name)
{
    enum field_kind kind = field_kind(name);

    return kind == FIELD_HOP || kind == FIELD_CONNECTION || kind == FIELD_UPGRADE ||
           kind == FIELD_TRANSFER_ENCODING;
}

bool
field_is_forbidden_in_trailer(struct text name)
{
    return (flags_of(name) & NO_TRAILER) != 0;
}

bool
field_is_almost_coding(struct text name)
{
    static const char coding[] = "transfer-encoding";
    size_t n = sizeof coding - 1;

    return name.n > n && spells(name.at, n, coding);
}
