/* Grammars. Where base/ has a canonical spelling the config must use it: a pattern in
 * another spelling would never match, or match what its reader did not see. */
#include "conf/pattern.h"

#include "base/host.h"
#include "base/path.h"
#include "base/url.h"
#include "conf/value.h"

#include <string.h>

#define LETTERS_UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LETTERS_LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS        "0123456789"

enum { NAME_MAX_BYTES = 128, DOMAIN_MAX_BYTES = 255, IDENTITY_MAX_BYTES = 2048 };

static const char *
print(struct arena *a, const char *format, const char *arg)
{
    struct buf out = { 0 };
    const char *z;

    buf_printf(&out, format, arg);
    z = arena_copy_z(a, buf_text(&out));
    buf_free(&out);
    return z;
}

static const char *
host_spelling_error(struct arena *a, const struct host *host, const char *z)
{
    const char *name = strncmp(z, "*.", 2) == 0 ? z + 2 : z;
    bool six = host->address.family == AF_INET6;
    const char *spelled;

    if (strcmp(host->name, name) == 0)
        return NULL;
    spelled = print(a, six ? "[%s]" : "%s", host->name);
    if (strcmp(spelled, name) == 0)
        return NULL;
    return print(a, name != z ? "write \"*.%s\"" : "write \"%s\"", spelled);
}

const char *
pattern_host_error(struct arena *a, const char *z)
{
    bool wild = strncmp(z, "*.", 2) == 0;
    const char *name = wild ? z + 2 : z;
    enum reason why;
    struct host host;

    if (strcmp(z, "*") == 0)
        return "\"*\" alone would be every host: write \"*.\" and a name";
    if (strchr(name, '*') != NULL)
        return "a star stands only in front, as \"*.\" and a name";
    if (strstr(name, "://") != NULL)
        return "is a URL: write the host alone, and scheme, port and paths as keys of "
               "their own";
    why = host_parse(text_z(name), &host);
    if (why == REASON_HOST_MALFORMED && strchr(name, ':') != NULL && name[0] != '[')
        return "write an IPv6 address in brackets, and a port as port = ...";
    if (why != REASON_OK)
        return reason_sentence(why);
    if (wild && host.address.family != 0)
        return "\"*.\" stands before a name, not before an address: write addresses = "
               "[\"10.0.0.0/8\"] for what a name may resolve to";
    return host_spelling_error(a, &host, z);
}

static const char *
star_error(const char *path)
{
    struct text rest = text_z(path + 1), segment;

    if (!text_has_byte(rest, '*'))
        return NULL;
    while (text_split(&rest, '/', &segment)) {
        if (!text_has_byte(segment, '*') || text_equals(segment, TEXT("*")))
            continue;
        if (!text_equals(segment, TEXT("**")))
            return "a star is a whole segment: write \"/a/*/b\" or \"/a/**\"";
        if (rest.at != NULL)
            return "\"**\" stands only at the end: write \"*\" for one segment";
    }
    return NULL;
}

const char *
pattern_path_error(struct arena *a, const char *z)
{
    struct text path, query;

    if (z[0] != '/')
        return "a path begins with \"/\"";
    if (strpbrk(z, "?#") != NULL)
        return "a path ends before \"?\" and \"#\": queries are not matched";
    if (path_is_plain(text_z(z)))
        return star_error(z);
    if (path_normalise(a, text_z(z), &path, &query) != REASON_OK)
        return reason_sentence(REASON_PATH_MALFORMED);
    if (!text_equals(path, text_z(z)))
        return print(a, "requests are judged in canonical spelling: write \"%s\"",
                     arena_copy_z(a, path));
    return star_error(z);
}

const char *
pattern_method_error(struct arena *a, const char *z)
{
    static const char *const refused[] = { "CONNECT", "TRACE", "TRACK" };
    char *upper = arena_copy_z(a, text_z(z));

    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strcasecmp(z, refused[i]) == 0)
            return "this method is never forwarded: remove it";
    if (z[strspn(z, LETTERS_UPPER LETTERS_LOWER DIGITS "!#$%&'*+-.^_`|~")] != '\0')
        return "a method is one word, as \"GET\"";
    if (strcmp(z, "*") == 0)
        return "write methods = \"any\" for all methods";
    if (strpbrk(z, LETTERS_LOWER) == NULL)
        return NULL;
    for (char *c = upper; *c != '\0'; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    return print(a, "methods are upper-case: write \"%s\"", upper);
}

const char *
pattern_name_error(const char *z)
{
    if (strlen(z) > NAME_MAX_BYTES)
        return "a name has at most 128 characters";
    if (z[strspn(z, LETTERS_UPPER LETTERS_LOWER DIGITS "._-")] != '\0')
        return "a name is made of letters, digits, '.', '_' and '-'";
    return NULL;
}

const char *
pattern_domain_error(const char *z)
{
    if (strlen(z) > DOMAIN_MAX_BYTES || z[0] == '\0')
        return "a trust domain has 1 to 255 characters";
    if (z[strspn(z, LETTERS_LOWER DIGITS "._-")] != '\0')
        return "a trust domain is made of lower-case letters, digits, '.', '_' and "
               "'-', "
               "without scheme, port or path: write \"prod.example\"";
    return NULL;
}

static const char *
after_scheme(const char *z, bool *spiffe)
{
    *spiffe = strncmp(z, "spiffe://", 9) == 0;
    return *spiffe || strncmp(z, "wimse://", 8) == 0 ? strstr(z, "//") + 2 : NULL;
}

struct text
pattern_identity_domain(const char *z)
{
    bool spiffe;
    const char *domain = after_scheme(z, &spiffe);

    return domain == NULL ? text_of("", 0) : text_of(domain, strcspn(domain, "/"));
}

static const char *
segment_error(struct text segment, bool spiffe)
{
    static const char spiffe_bytes[] = LETTERS_UPPER LETTERS_LOWER DIGITS "._-";
    static const char wimse_bytes[] = LETTERS_UPPER LETTERS_LOWER DIGITS
        "._-~!$&'()+,;=:@%";

    if (segment.n == 0)
        return "its path has an empty segment";
    if (text_equals(segment, TEXT(".")) || text_equals(segment, TEXT("..")))
        return "its path has a segment \".\" or \"..\"";
    for (size_t i = 0; i < segment.n; i++)
        if (strchr(spiffe ? spiffe_bytes : wimse_bytes, segment.at[i]) == NULL)
            return spiffe ? "its path is made of letters, digits, '.', '_' and '-'"
                          : "its path holds a character that no URI path has";
    return NULL;
}

static const char *
identity_path_error(struct text path, bool spiffe, bool may_end_in_star)
{
    struct text segment;

    while (text_split(&path, '/', &segment)) {
        const char *error = segment_error(segment, spiffe);

        if (may_end_in_star && path.n == 0 && text_equals(segment, TEXT("*")))
            return NULL;
        if (error != NULL)
            return error;
    }
    return NULL;
}

const char *
pattern_identity_error(const char *z, bool may_end_in_star)
{
    struct text domain = pattern_identity_domain(z);
    char copy[DOMAIN_MAX_BYTES + 1];
    bool spiffe;

    if (after_scheme(z, &spiffe) == NULL)
        return "an identifier begins with spiffe:// or wimse://: write "
               "\"spiffe://prod.example/ns/agents/sa/builder\"";
    if (strlen(z) > IDENTITY_MAX_BYTES)
        return "an identifier has at most 2048 bytes";
    if (domain.n == 0 || domain.n > DOMAIN_MAX_BYTES)
        return "a trust domain has 1 to 255 characters";
    memcpy(copy, domain.at, domain.n);
    copy[domain.n] = '\0';
    if (pattern_domain_error(copy) != NULL)
        return pattern_domain_error(copy);
    if (domain.at[domain.n] == '\0')
        return "it names a trust domain and no workload: write a path behind it";
    return identity_path_error(text_z(domain.at + domain.n + 1), spiffe,
                               may_end_in_star);
}

const char *
pattern_origin_error(struct arena *a, const char *z, bool may_be_http)
{
    bool http = may_be_http && strncmp(z, "http://", 7) == 0;
    const char *scheme = http ? "http://" : "https://";
    uint16_t port = http ? 80 : 443;
    char printed[AUTHORITY_PRINT_SIZE];
    struct authority authority;
    struct text spelled;
    enum reason why;

    if (strncmp(z, scheme, strlen(scheme)) != 0)
        return may_be_http ? "begins with http:// or https://" : "begins with https://";
    z += strlen(scheme);
    if (strpbrk(z, "/?#") != NULL)
        return "ends after host and port, without a path";
    why = authority_parse(text_z(z), port, &authority);
    if (why != REASON_OK)
        return reason_sentence(why);
    spelled = authority_print(&authority, port, printed);
    if (!text_equals(spelled, text_z(z)))
        return print(a, http ? "write \"http://%s\"" : "write \"https://%s\"",
                     arena_copy_z(a, spelled));
    return NULL;
}

/* What is sent is the URL as it stands there: it has one spelling. */
static const char *
url_spelling_error(struct arena *a, const char *z, const struct url *url)
{
    const char *target = z + strlen("https://");
    char printed[AUTHORITY_PRINT_SIZE];
    struct text path, query, to = authority_print(&url->to, 443, printed);
    const char *spelled = arena_copy_z(a, to);

    target += strcspn(target, "/?");
    if (*target == '?')
        return "a path stands before \"?\": write \"https://host/?query\"";
    if (*target == '/') {
        if (path_normalise(a, text_z(target), &path, &query) != REASON_OK)
            return reason_sentence(REASON_PATH_MALFORMED);
        spelled = arena_copy_z(
            a, arena_printf(a, "%s%.*s%s%.*s", spelled, TEXT_ARG(path),
                            query.at != NULL ? "?" : "", TEXT_ARG(query)));
    }
    return strcmp(z + strlen("https://"), spelled) == 0
               ? NULL
               : print(a, "write \"https://%s\"", spelled);
}

const char *
pattern_url_error(struct arena *a, const char *z)
{
    enum reason why;
    struct url url;

    if (strncmp(z, "https://", strlen("https://")) != 0)
        return "begins with https://: nothing is sent to who cannot prove its name";
    if (strchr(z, '#') != NULL)
        return "ends before \"#\": what stands behind is never sent";
    if ((why = url_split(z, &url)) != REASON_OK)
        return reason_sentence(why);
    if (host_is_metadata(&url.to.host) || address_is_metadata(&url.to.host.address))
        return "is a metadata service, which nothing is ever sent to: write another "
               "host";
    return url_spelling_error(a, z, &url);
}

const char *
pattern_server_error(const char *z)
{
    struct listen_at with_port;
    struct address bare;

    if (address_parse(text_z(z), &bare))
        return NULL;
    if (value_listen(z, &with_port) && with_port.port != 0)
        return NULL;
    return "is no address: write \"10.96.0.10\", \"127.0.0.1:5353\" or \"[::1]:53\"";
}
