/* The grammar of what a credential says of itself: its file, its field, the handle that
 * stands for it. */
#include "conf/pattern.h"

#include "base/text.h"

#include <string.h>

#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LETTERS  CAPITALS "abcdefghijklmnopqrstuvwxyz"
#define DIGITS   "0123456789"
#define TCHAR    LETTERS DIGITS "!#$%&'*+-.^_`|~" /* RFC 9110 section 5.6.2 */

enum {
    FIELD_MAX_BYTES = 128,
    PREFIX_MAX_BYTES = 64,
    HANDLE_MIN_BYTES = 16,
    HANDLE_MAX_BYTES = 256,
    RANDOM_MIN = 16,
    RANDOM_MAX = 128,
    VARIABLE_MAX_BYTES = 128
};

const char *
pattern_file_error(const char *z)
{
    struct text rest = text_z(z + 1), segment;

    if (z[0] != '/')
        return "is no absolute path: write one that begins with \"/\"";
    while (text_split(&rest, '/', &segment))
        if (text_is_empty(segment) || text_equals(segment, TEXT(".")) ||
            text_equals(segment, TEXT("..")))
            return "has an empty segment, \".\" or \"..\": write the path itself";
    return NULL;
}

/* ---- fields; a star is any text */

static const char *const framing_fields[] = {
    "host",       "content-*",    "transfer-encoding",
    "connection", "keep-alive",   "te",
    "upgrade",    "trailer",      "expect",
    "proxy-*",    "proxy",        "http2-settings",
    "via",        "forwarded",    "x-forwarded*",
    "x-host",     "x-holdfast-*", "workload-*-token",
    "txn-token",  "dpop",         "cookie*",
    "signature*", "x-real-ip",
};

static bool
is_like(struct text name, const char *pattern)
{
    struct text front = text_z(pattern), back = front;
    const char *star = strchr(pattern, '*');

    if (star == NULL)
        return text_equals_nocase(name, front);
    front = text_of(pattern, (size_t)(star - pattern));
    back = text_z(star + 1);
    return name.n >= front.n + back.n &&
           text_equals_nocase(text_of(name.at, front.n), front) &&
           text_equals_nocase(text_of(name.at + name.n - back.n, back.n), back);
}

const char *
pattern_field_error(const char *z)
{
    if (strlen(z) > FIELD_MAX_BYTES || z[strspn(z, TCHAR)] != '\0')
        return "is no header field's name: write one like \"X-Api-Key\"";
    for (size_t i = 0; i < sizeof framing_fields / sizeof *framing_fields; i++)
        if (is_like(text_z(z), framing_fields[i]))
            return "frames or steers the message, or carries a proof: no secret is put "
                   "there";
    return NULL;
}

const char *
pattern_prefix_error(const char *z)
{
    if (strlen(z) > PREFIX_MAX_BYTES)
        return "a prefix has at most 64 characters";
    if (z[0] == ' ')
        return "begins with a space, which no field keeps: remove it";
    for (const char *c = z; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            return "a prefix is made of visible ASCII characters and spaces";
    return NULL;
}

/* ---- handles: whole in a header field, a query, a JSON string and a line of
 * handles.env, without being quoted or escaped in any of them */

static bool
is_plain(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.at[i] <= ' ' || t.at[i] > '~' || memchr("\"',;\\%{}", t.at[i], 8) != NULL)
            return false;
    return true;
}

static const char not_plain[] = "is made of visible ASCII characters, without space, "
                                "quotes, comma, semicolon, backslash, percent or "
                                "braces";

const char *
pattern_shape_error(const char *z)
{
    const char *open = strchr(z, '{'), *close = strchr(z, '}');
    uint64_t n;

    if (open == NULL || close == NULL || close < open || strchr(open + 1, '{') ||
        strchr(close + 1, '}'))
        return "has one {N} in it, for N random letters and digits: write \"ghp_{36}\"";
    if (open[1] == '0' ||
        !text_to_u64(text_of(open + 1, (size_t)(close - open - 1)), RANDOM_MAX, &n) ||
        n < RANDOM_MIN)
        return "asks for too few or too many random characters: write {16} to {128}";
    if (strlen(z) > HANDLE_MAX_BYTES)
        return "a shape has at most 256 characters";
    if (!is_plain(text_of(z, (size_t)(open - z))) || !is_plain(text_z(close + 1)))
        return not_plain;
    return NULL;
}

const char *
pattern_handle_error(const char *z)
{
    if (strlen(z) < HANDLE_MIN_BYTES)
        return "is too short, a guess would find it: write at least 16 characters";
    if (strlen(z) > HANDLE_MAX_BYTES)
        return "a handle has at most 256 characters";
    return is_plain(text_z(z)) ? NULL : not_plain;
}

const char *
pattern_variable_error(const char *z)
{
    if (strlen(z) > VARIABLE_MAX_BYTES)
        return "a variable's name has at most 128 characters";
    if (strchr(DIGITS, z[0]) != NULL || z[strspn(z, CAPITALS DIGITS "_")] != '\0')
        return "is no variable's name in capitals: write one like \"GITHUB_TOKEN\"";
    return NULL;
}
