/* The tables of positions (DESIGN.md section 6 PRESENT), and the index that finds a
 * name in them: a small hash of its length, first, middle and last letter. */
#include "filters/positions.h"

#include "base/arena.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* How a word of the table is compared. */
enum reading {
    WHOLE, /* the name is this word */
    TAIL,  /* … or ends in a mark and this word */
    FRONT /* … or begins with this word and a mark; one mark at most inside the word */
};

struct word {
    struct text text; /* folded */
    enum position position;
    enum reading reading;
};

#define ROW(z, position, reading)                                                      \
    {                                                                                  \
        { (z), sizeof(z) - 1 }, (position), (reading)                                  \
    }
#define CREDENTIAL(z) ROW(z, POSITION_CREDENTIAL, WHOLE)
#define ENDING(z)     ROW(z, POSITION_CREDENTIAL, TAIL)
#define STEERING(z)   ROW(z, POSITION_STEERING, WHOLE)
#define HARMLESS(z)   ROW(z, POSITION_PLAIN, WHOLE)
#define SIGNED(z)     ROW(z, POSITION_SIGNED, WHOLE)

/* A whole name is looked for before an ending, so a harmless row speaks before the
 * ending it has. */
static const struct word header_words[] = {
    CREDENTIAL("proxy-authorization"),
    ROW("cookie", POSITION_COOKIE, WHOLE),
    ROW("cookie2", POSITION_COOKIE, WHOLE),
    CREDENTIAL("dpop"),
    CREDENTIAL("workload-identity-token"), /* by name, though their endings would do: */
    CREDENTIAL("workload-proof-token"),    /* no setting lets these through */
    CREDENTIAL("txn-token"),
    CREDENTIAL("x-amz-security-token"),
    CREDENTIAL("x-aws-ec2-metadata-token"),
    CREDENTIAL("concealed-auth-export"), /* RFC 9729: only a frontend may say it */
    CREDENTIAL("signature"),             /* RFC 9421, and older drafts */
    ROW("signature", POSITION_CREDENTIAL, FRONT),
    CREDENTIAL("x-goog-iap-jwt-assertion"),
    CREDENTIAL("x-ms-authorization-auxiliary"),
    CREDENTIAL("x-rapidapi-key"),
    CREDENTIAL("x-jfrog-art-api"),

    /* The endings of all names that vendors give to headers with keys. */
    ENDING("token"),
    ENDING("tokens"),
    ENDING("authorization"),
    ENDING("authentication"),
    ENDING("auth"),
    ENDING("jwt"),
    ENDING("bearer"),
    ENDING("secret"),
    ENDING("password"),
    ENDING("passwd"),
    ENDING("credential"),
    ENDING("credentials"),
    ENDING("apikey"),
    ENDING("api-key"),
    ENDING("auth-key"),
    ENDING("access-key"),
    ENDING("secret-key"),
    ENDING("private-key"),
    ENDING("app-key"),
    ENDING("application-key"),
    ENDING("subscription-key"),
    ENDING("functions-key"),

    /* Against forgery of forms, worth nothing without the cookie. */
    HARMLESS("csrf-token"),
    HARMLESS("x-csrf-token"),
    HARMLESS("xsrf-token"),
    HARMLESS("x-xsrf-token"),
    HARMLESS("x-atlassian-token"), /* always "no-check" */

    /* Whoever reads these believes things about the caller that only we may say. */
    STEERING("forwarded"),
    STEERING("x-forwarded"),
    ROW("x-forwarded", POSITION_STEERING, FRONT),
    ROW("x-holdfast", POSITION_STEERING, FRONT),
    ROW("x-original", POSITION_STEERING, FRONT),
    ROW("x-envoy", POSITION_STEERING, FRONT),
    ROW("x-remote", POSITION_STEERING, FRONT),
    ROW("x-webauth", POSITION_STEERING, FRONT),
    STEERING("remote-user"),
    STEERING("x-auth-request-user"),
    STEERING("x-auth-request-email"),
    STEERING("x-auth-request-groups"),
    STEERING("x-auth-request-preferred-username"),
    STEERING("x-goog-authenticated-user-email"),
    STEERING("x-goog-authenticated-user-id"),
    STEERING("x-real-ip"),
    STEERING("x-client-ip"),
    STEERING("client-ip"),
    STEERING("true-client-ip"),
    STEERING("x-cluster-client-ip"),
    STEERING("cf-connecting-ip"),
    STEERING("fastly-client-ip"),
    STEERING("x-host"),
    STEERING("x-rewrite-url"),
    STEERING("x-http-method"),
    STEERING("x-http-method-override"),
    STEERING("x-method-override"),
    STEERING("proxy"), /* becomes HTTP_PROXY in a CGI */
    /* The password of metadata services: a page cannot set it, a workload can. */
    STEERING("metadata"),
    STEERING("metadata-flavor"),
    /* Parts of an AWS signature that mean nothing without the rest. */
    ROW("x-amz", POSITION_STEERING, FRONT),
    ROW("x-aws", POSITION_STEERING, FRONT),
};

/* No endings here: page_token, next_token and the like are not credentials. */
static const struct word parameter_words[] = {
    CREDENTIAL("access-token"),
    CREDENTIAL("accesstoken"),
    CREDENTIAL("x-access-token"),
    CREDENTIAL("auth"),
    CREDENTIAL("auth-key"),
    CREDENTIAL("auth-token"),
    CREDENTIAL("authtoken"),
    CREDENTIAL("authorization"),
    CREDENTIAL("x-auth-token"),
    CREDENTIAL("token"),
    CREDENTIAL("key"),
    CREDENTIAL("api-key"),
    CREDENTIAL("apikey"),
    CREDENTIAL("x-api-key"),
    CREDENTIAL("api-token"),
    CREDENTIAL("apitoken"),
    CREDENTIAL("api-secret"),
    CREDENTIAL("app-key"),
    CREDENTIAL("appkey"),
    CREDENTIAL("app-secret"),
    CREDENTIAL("application-key"),
    CREDENTIAL("access-key"),
    CREDENTIAL("accesskey"),
    CREDENTIAL("secret"),
    CREDENTIAL("secret-key"),
    CREDENTIAL("client-secret"),
    CREDENTIAL("client-assertion"),
    CREDENTIAL("assertion"),
    CREDENTIAL("password"),
    CREDENTIAL("passwd"),
    CREDENTIAL("pwd"),
    CREDENTIAL("jwt"),
    CREDENTIAL("id-token"),
    CREDENTIAL("idtoken"),
    CREDENTIAL("refresh-token"),
    CREDENTIAL("refreshtoken"),
    CREDENTIAL("bearer"),
    CREDENTIAL("bearer-token"),
    CREDENTIAL("oauth-token"),
    CREDENTIAL("oauth-signature"),
    CREDENTIAL("session-token"),
    CREDENTIAL("private-token"),
    CREDENTIAL("job-token"),
    CREDENTIAL("personal-access-token"),
    CREDENTIAL("user-token"),
    CREDENTIAL("subscription-key"),
    CREDENTIAL("hapikey"),

    /* Signed URLs: what is left of one (dates, permissions) is worth nothing. */
    SIGNED("sig"),       /* Azure */
    SIGNED("signature"), /* Google, CloudFront, AWS before version 4 */
    SIGNED("awsaccesskeyid"),
    SIGNED("googleaccessid"),
    SIGNED("ossaccesskeyid"),
    SIGNED("security-token"),
    SIGNED("key-pair-id"),
    SIGNED("hdnea"), /* Akamai */
    SIGNED("hdntl"),
    SIGNED("hdnts"),
    ROW("x-amz", POSITION_SIGNED, FRONT),
    ROW("x-goog", POSITION_SIGNED, FRONT),
    ROW("x-oss", POSITION_SIGNED, FRONT),
};

enum { MARK = '-', PARAMETER_MAX = 128 };

/* Words by hash: open addressing, at most a quarter full. */
struct index {
    struct word *words;
    size_t n, room;
    uint16_t *slots; /* 1-based, 0: empty */
    size_t mask;
    /* Most names in a request are no word's: two letters, or one and the length, say so
     * before anything is looked up. */
    uint32_t wholes[32]; /* [length] first letter */
    uint32_t tails[32];  /* [last letter] the one before it */
    uint32_t fronts[32]; /* [first letter] the third */
};

struct positions {
    struct arena *arena;
    struct index headers, parameters;
};

/* clang-format off */
/* Letters to lower case, digits as they are, everything else to the mark. */
static const unsigned char folded[256] = {
    [0 ... '/'] = MARK,
    ['0'] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9',
    [':' ... '@'] = MARK,
    ['A'] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm',
    'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
    ['[' ... '`'] = MARK,
    ['a'] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm',
    'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
    ['{' ... 255] = MARK,
};
/* clang-format on */

static unsigned char
fold(char c)
{
    return folded[(unsigned char)c];
}

static bool
folds_to(struct text name, struct text word)
{
    if (name.n != word.n)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        if (fold(name.at[i]) != (unsigned char)word.at[i])
            return false;
    }
    return true;
}

/* ---- the index */

static size_t
hash(struct text name)
{
    size_t first = fold(name.at[0]), middle = fold(name.at[name.n / 2]),
           last = fold(name.at[name.n - 1]);

    return (name.n * 31 + first) * 37 + middle * 41 + last * 5;
}

static unsigned
letter(char c)
{
    return fold(c) & 31;
}

static bool
may_be_whole(const struct index *x, struct text name)
{
    return (x->wholes[name.n & 31] >> letter(name.at[0]) & 1) != 0;
}

static bool
may_have_tail(const struct index *x, struct text name)
{
    return name.n > 1 &&
           (x->tails[letter(name.at[name.n - 1])] >> letter(name.at[name.n - 2]) & 1) !=
               0;
}

static bool
may_have_front(const struct index *x, struct text name)
{
    return name.n > 2 && (x->fronts[letter(name.at[0])] >> letter(name.at[2]) & 1) != 0;
}

static bool
may_read(const struct word *w, enum reading as)
{
    return as == WHOLE ? w->reading != FRONT : w->reading == as;
}

static struct word *
find(const struct index *x, struct text name, enum reading as)
{
    if (name.n == 0)
        return NULL;
    for (size_t i = hash(name) & x->mask; x->slots[i] != 0; i = (i + 1) & x->mask) {
        struct word *w = &x->words[x->slots[i] - 1];

        if (may_read(w, as) && folds_to(name, w->text))
            return w;
    }
    return NULL;
}

static void
enter(struct index *x, size_t word)
{
    size_t i = hash(x->words[word].text) & x->mask;

    while (x->slots[i] != 0)
        i = (i + 1) & x->mask;
    x->slots[i] = (uint16_t)(word + 1);
}

static void
grow(struct index *x)
{
    struct word *old = x->words;

    x->room *= 2;
    x->words = memory_new_array(x->room, sizeof *x->words);
    memcpy(x->words, old, x->n * sizeof *old);
    free(old);
    free(x->slots);
    x->mask = 4 * x->room - 1;
    x->slots = memory_new_array(x->mask + 1, sizeof *x->slots);
    for (size_t i = 0; i < x->n; i++)
        enter(x, i);
}

static void
add(struct index *x, struct word word)
{
    if (x->n == x->room)
        grow(x);
    x->words[x->n] = word;
    enter(x, x->n++);
    if (word.reading != FRONT)
        x->wholes[word.text.n & 31] |= 1u << letter(word.text.at[0]);
    if (word.reading == TAIL)
        x->tails[letter(word.text.at[word.text.n - 1])] |=
            1u << letter(word.text.at[word.text.n - 2]);
    if (word.reading == FRONT)
        x->fronts[letter(word.text.at[0])] |= 1u << letter(word.text.at[2]);
}

static void
index_open(struct index *x, const struct word *words, size_t n)
{
    x->room = 128; /* a power of two */
    x->words = memory_new_array(x->room, sizeof *x->words);
    x->mask = 4 * x->room - 1;
    x->slots = memory_new_array(x->mask + 1, sizeof *x->slots);
    for (size_t i = 0; i < n; i++)
        add(x, words[i]);
}

static void
index_close(struct index *x)
{
    free(x->words);
    free(x->slots);
}

struct positions *
positions_new(void)
{
    struct positions *p = memory_new(sizeof *p);

    p->arena = arena_new();
    index_open(&p->headers, header_words, sizeof header_words / sizeof *header_words);
    index_open(&p->parameters, parameter_words,
               sizeof parameter_words / sizeof *parameter_words);
    return p;
}

void
positions_free(struct positions *p)
{
    if (p == NULL)
        return;
    index_close(&p->headers);
    index_close(&p->parameters);
    arena_free(p->arena);
    free(p);
}

/* ---- the operator's own words */

static void
set(struct positions *p, struct index *x, const char *name, enum position position)
{
    struct word *w = find(x, text_z(name), WHOLE);
    char *copy;

    if (w != NULL) {
        w->position = position;
        return;
    }
    copy = arena_copy_z(p->arena, text_z(name));
    for (char *c = copy; *c != '\0'; c++)
        *c = (char)fold(*c);
    add(x, (struct word){ text_z(copy), position, WHOLE });
}

void
positions_also_header(struct positions *p, const char *name)
{
    if (name[0] != '\0')
        set(p, &p->headers, name, POSITION_CREDENTIAL);
}

void
positions_also_parameter(struct positions *p, const char *name)
{
    if (name[0] != '\0')
        set(p, &p->parameters, name, POSITION_CREDENTIAL);
}

bool
positions_keep_header(struct positions *p, const char *name)
{
    const struct word *whole = find(&p->headers, text_z(name), WHOLE);

    if (name[0] == '\0' || (whole != NULL && whole->position != POSITION_PLAIN))
        return false;
    if (positions_header(p, text_z(name)) == POSITION_STEERING)
        return false;
    set(p, &p->headers, name, POSITION_PLAIN);
    return true;
}

bool
positions_keep_parameter(struct positions *p, const char *name)
{
    if (name[0] == '\0')
        return false;
    set(p, &p->parameters, name, POSITION_PLAIN);
    return true;
}

/* ---- asking */

/* Behind the last mark, and behind the one before it. */
static const struct word *
find_tail(const struct index *x, struct text name)
{
    int marks = 0;

    for (size_t i = name.n; i-- > 0 && marks < 2;) {
        const struct word *w;

        if (fold(name.at[i]) != MARK)
            continue;
        marks++;
        w = find(x, text_of(name.at + i + 1, name.n - i - 1), TAIL);
        if (w != NULL)
            return w;
    }
    return NULL;
}

static const struct word *
find_front(const struct index *x, struct text name)
{
    int marks = 0;

    for (size_t i = 0; i < name.n && marks < 2; i++) {
        const struct word *w;

        if (fold(name.at[i]) != MARK)
            continue;
        marks++;
        w = find(x, text_of(name.at, i), FRONT);
        if (w != NULL)
            return w;
    }
    return NULL;
}

static enum position
position_of(const struct index *x, struct text name)
{
    const struct word *w = NULL;

    if (name.n == 0)
        return POSITION_PLAIN;
    if (may_be_whole(x, name))
        w = find(x, name, WHOLE);
    if (w == NULL && may_have_tail(x, name))
        w = find_tail(x, name);
    if (w == NULL && may_have_front(x, name))
        w = find_front(x, name);
    return w == NULL ? POSITION_PLAIN : w->position;
}

enum position
positions_header(const struct positions *p, struct text name)
{
    return position_of(&p->headers, name);
}

/* Decodes escapes once; in may be out. */
static struct text
unescape(struct text in, char *out)
{
    size_t n = 0;

    for (size_t i = 0; i < in.n; i++) {
        int byte = in.at[i] == '%' ? text_hex_pair(in.at + i + 1, in.at + in.n) : -1;

        out[n] = in.at[i];
        if (byte >= 0) {
            out[n] = (char)byte;
            i += 2;
        }
        n++;
    }
    return text_of(out, n);
}

/* PHP reads "token[]", "token[0" and " token" as token, and nothing behind a NUL. */
static struct text
bare(struct text name)
{
    const char *end = memchr(name.at, '\0', name.n);
    const char *bracket;

    if (end != NULL)
        name.n = (size_t)(end - name.at);
    bracket = memchr(name.at, '[', name.n);
    if (bracket != NULL && bracket != name.at)
        name.n = (size_t)(bracket - name.at);
    while (name.n > 0 && (name.at[0] == ' ' || name.at[0] == '+')) {
        name.at++;
        name.n--;
    }
    return name;
}

enum position
positions_parameter(const struct positions *p, struct text name)
{
    char once[PARAMETER_MAX * 9];
    enum position position;

    if (name.n == 0)
        return POSITION_PLAIN;
    position = position_of(&p->parameters, bare(name));
    for (int i = 0; i < 2 && position == POSITION_PLAIN; i++) {
        if (memchr(name.at, '%', name.n) == NULL)
            break;
        if (name.n > sizeof once) /* no honest name is that long: */
            return POSITION_CREDENTIAL;
        name = unescape(name, once);
        position = position_of(&p->parameters, bare(name));
    }
    return position;
}
