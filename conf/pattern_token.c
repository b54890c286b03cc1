/* The grammar of what tokens and signatures say: URIs that are compared, scopes, the
 * components a signature covers. */
#include "conf/pattern.h"

#include "base/text.h"
#include "conf/suggest.h"

#include <string.h>

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

enum { WORD_MAX_BYTES = 1024, LABEL_MAX_BYTES = 64, FIELD_MAX_BYTES = 128 };

static bool
is_visible(const char *z)
{
    for (; *z != '\0'; z++)
        if (*z <= ' ' || *z > '~')
            return false;
    return true;
}

const char *
pattern_visible_error(const char *z)
{
    if (strlen(z) > WORD_MAX_BYTES)
        return "has more than 1024 bytes: write fewer";
    return is_visible(z) ? NULL
                         : "is made of visible ASCII characters: write it without "
                           "spaces and others";
}

const char *
pattern_uri_error(const char *z)
{
    size_t scheme = strspn(z, UPPER LOWER DIGITS "+-.");

    if (strlen(z) > WORD_MAX_BYTES || !is_visible(z) ||
        strpbrk(z, "\"<>\\^`{|}") != NULL)
        return "holds what no URI holds: write it percent-encoded, in 1024 bytes";
    if (scheme == 0 || z[scheme] != ':' || z[scheme + 1] == '\0')
        return "is no absolute URI: write one like \"https://orders.example/\"";
    if (strchr(z, '#') != NULL)
        return "ends before \"#\"";
    return NULL;
}

const char *
pattern_issuer_error(const char *z)
{
    if (strncmp(z, "https://", 8) != 0 || z[8] == '\0' || z[8] == '/')
        return "is no issuer: write one like \"https://idp.example\", as its metadata "
               "say it";
    if (strpbrk(z, "?#") != NULL)
        return "an issuer has no query and no fragment";
    return pattern_uri_error(z);
}

/* RFC 6749 section 3.3. */
const char *
pattern_scopes_error(const char *z)
{
    struct text rest = text_z(z), word;

    while (text_split(&rest, ' ', &word)) {
        if (text_is_empty(word))
            return "has a space too many: write one between two scopes";
        for (size_t i = 0; i < word.n; i++)
            if (word.at[i] < ' ' || word.at[i] > '~' || word.at[i] == '"' ||
                word.at[i] == '\\')
                return "a scope is made of visible ASCII characters, without quote and "
                       "backslash";
    }
    return strlen(z) > WORD_MAX_BYTES ? "has more than 1024 bytes: write fewer" : NULL;
}

/* ---- signatures */

static const char *const derived[] = { "@method", "@target-uri",     "@authority",
                                       "@scheme", "@request-target", "@path",
                                       "@query" };

static const char *
derived_error(struct arena *a, const char *z)
{
    struct suggestion near = { 0 };

    if (strncmp(z, "@query-param", 12) == 0)
        return "one parameter is not covered alone: write \"@query\"";
    if (strcmp(z, "@status") == 0)
        return "is an answer's, and a request has none: remove it";
    for (size_t i = 0; i < sizeof derived / sizeof *derived; i++) {
        if (strcmp(z, derived[i]) == 0)
            return NULL;
        suggest(&near, z, derived[i]);
    }
    if (near.word != NULL)
        return arena_copy_z(
            a, arena_printf(a, "is no component, did you mean \"%s\"?", near.word));
    return "is no component: write \"@method\", \"@target-uri\", \"@authority\", "
           "\"@scheme\", \"@request-target\", \"@path\" or \"@query\"";
}

static const struct {
    const char *field, *error;
} uncovered[] = {
    { "host", "is framing: write \"@authority\"" },
    { "signature", "would sign itself: remove it" },
    { "signature-input", "would sign itself: remove it" },
    { "connection", "is each hop's own: remove it" },
    { "keep-alive", "is each hop's own: remove it" },
    { "proxy-authorization", "is each hop's own: remove it" },
    { "proxy-connection", "is each hop's own: remove it" },
    { "te", "is each hop's own: remove it" },
    { "trailer", "is each hop's own: remove it" },
    { "transfer-encoding", "is each hop's own: remove it" },
    { "upgrade", "is each hop's own: remove it" },
};

const char *
pattern_component_error(struct arena *a, const char *z)
{
    if (z[0] == '@')
        return derived_error(a, z);
    if (strchr(z, ';') != NULL)
        return "parameters of a component are not taken: write its name alone";
    if (strpbrk(z, UPPER) != NULL)
        return "a field's name is lower-case in a signature: write it so";
    if (strlen(z) > FIELD_MAX_BYTES ||
        z[strspn(z, LOWER DIGITS "!#$%&'*+-.^_`|~")] != '\0')
        return "is no field's name: write one like \"content-digest\"";
    for (size_t i = 0; i < sizeof uncovered / sizeof *uncovered; i++)
        if (strcmp(z, uncovered[i].field) == 0)
            return uncovered[i].error;
    return NULL;
}

/* A key of RFC 9651. */
const char *
pattern_label_error(const char *z)
{
    if (strlen(z) > LABEL_MAX_BYTES)
        return "a label has at most 64 characters";
    if (strchr(LOWER "*", z[0]) == NULL || z[strspn(z, LOWER DIGITS "_-.*")] != '\0')
        return "a label begins with a lower-case letter, and goes on with those, "
               "digits, '_', '-', '.' and '*': write \"sig1\"";
    return NULL;
}

/* A string of RFC 9651, without what would have to be escaped. */
const char *
pattern_tag_error(const char *z)
{
    if (strlen(z) > FIELD_MAX_BYTES)
        return "a tag has at most 128 characters";
    for (const char *c = z; *c != '\0'; c++)
        if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\')
            return "a tag is made of visible ASCII characters and spaces, without "
                   "quote and backslash";
    return NULL;
}
