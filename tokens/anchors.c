/* Whom a gate trusts, by trust domain. Each file of keys keeps its own list of
 * subjects: a sidecar whose key leaked can be forged, but it cannot speak for the
 * others of its domain. */
#include "tokens/anchors.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "tokens/identifier.h"

#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 256 * 1024, KEYS_MAX = 1024 };

struct anchor_key {
    char *kid;
    struct public_key *key;
};

struct words {
    char **at;
    size_t n;
};

struct anchor {
    char *domain;
    struct anchor_key *keys;
    size_t n_keys;
    struct words subjects, issuers;
    struct anchor *next;
};

struct trust_anchors {
    struct anchor *first;
};

struct trust_anchors *
trust_anchors_new(void)
{
    return memory_new(sizeof(struct trust_anchors));
}

static struct words
words_copy(const char *const *from, size_t n)
{
    struct words w = { memory_new_array(n, sizeof *w.at), n };

    for (size_t i = 0; i < n; i++)
        w.at[i] = memory_copy_z(from[i]);
    return w;
}

static void
words_free(struct words *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->at[i]);
    free(w->at);
}

static void
anchor_free(struct anchor *a)
{
    for (size_t i = 0; i < a->n_keys; i++) {
        free(a->keys[i].kid);
        public_key_free(a->keys[i].key);
    }
    free(a->keys);
    words_free(&a->subjects);
    words_free(&a->issuers);
    free(a->domain);
    free(a);
}

void
trust_anchors_free(struct trust_anchors *t)
{
    struct anchor *next;

    if (t == NULL)
        return;
    for (struct anchor *a = t->first; a != NULL; a = next) {
        next = a->next;
        anchor_free(a);
    }
    free(t);
}

static const struct public_key *
key_find(const struct anchor *a, struct text kid)
{
    for (size_t i = 0; i < a->n_keys; i++) {
        if (text_equals(text_z(a->keys[i].kid), kid))
            return a->keys[i].key;
    }
    return NULL;
}

const struct public_key *
anchors_find(const struct trust_anchors *t, struct text domain, struct text kid,
             const struct anchor **anchor)
{
    const struct public_key *found = NULL, *key;
    size_t n_keys = 0;

    for (const struct anchor *a = t->first; a != NULL; a = a->next) {
        if (!text_equals(text_z(a->domain), domain))
            continue;
        n_keys += a->n_keys;
        key = !text_is_empty(kid) ? key_find(a, kid)
              : a->n_keys > 0     ? a->keys[0].key
                                  : NULL;
        if (key != NULL) {
            found = key;
            *anchor = a;
        }
    }
    /* Without a kid we would have to try keys until one fits: only where there is no
     * choice. */
    return text_is_empty(kid) && n_keys != 1 ? NULL : found;
}

bool
anchor_takes_issuer(const struct anchor *a, struct text issuer)
{
    static const struct text schemes[] = { { "spiffe://", 9 }, { "wimse://", 8 } };

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (text_starts(issuer, schemes[i]) &&
            text_equals(text_of(issuer.at + schemes[i].n, issuer.n - schemes[i].n),
                        text_z(a->domain)))
            return true;
    }
    for (size_t i = 0; i < a->issuers.n; i++) {
        if (text_equals(issuer, text_z(a->issuers.at[i])))
            return true;
    }
    return false;
}

bool
anchor_takes_subject(const struct anchor *a, struct text subject)
{
    for (size_t i = 0; i < a->subjects.n; i++) {
        struct text wanted = text_z(a->subjects.at[i]);

        if (text_equals(subject, wanted))
            return true;
        /* identifier_parse saw to it that something stands behind the slash */
        if (text_ends(wanted, TEXT("/*")) &&
            text_starts(subject, text_of(wanted.at, wanted.n - 1)))
            return true;
    }
    return false;
}

/* Two keys of one kid: an attacker might do the choosing. */
static bool
kid_is_taken(const struct trust_anchors *t, const struct anchor *a, struct text kid)
{
    const struct anchor *ignored;

    return key_find(a, kid) != NULL ||
           anchors_find(t, text_z(a->domain), kid, &ignored) != NULL;
}

static enum reason
key_take(const struct trust_anchors *t, struct anchor *a, const struct json *jwk,
         const char *file)
{
    struct anchor_key *k = &a->keys[a->n_keys];
    struct text kid, alg_word;

    if (!json_string(json_get(jwk, "kid"), &kid) || text_is_empty(kid))
        return log_reason(REASON_FILE_CONTENT, "%s: a key has no kid", file);
    if (kid_is_taken(t, a, kid))
        return log_reason(REASON_FILE_CONTENT,
                          "%s: the kid \"%.*s\" stands for two keys of %s", file,
                          TEXT_ARG(kid), a->domain);
    if ((k->key = jwk_import(jwk, &alg_word)) == NULL)
        return log_reason(REASON_FILE_CONTENT,
                          "%s: key \"%.*s\" is no public ES256 or EdDSA key", file,
                          TEXT_ARG(kid));
    k->kid = memory_new(kid.n + 1);
    memcpy(k->kid, kid.at, kid.n);
    a->n_keys++;
    return REASON_OK;
}

static enum reason
keys_take(const struct trust_anchors *t, struct anchor *a, const struct json *jwks,
          const char *file)
{
    const struct json *keys = json_get(jwks, "keys");
    enum reason why = REASON_OK;

    if (!json_is_array(keys) || json_count(keys) > KEYS_MAX)
        return log_reason(REASON_FILE_CONTENT, "%s: not a JWK set of at most %d keys",
                          file, KEYS_MAX);
    if (json_count(keys) == 0)
        log_warn("%s: no keys: nobody of %s is trusted by it", file, a->domain);
    a->keys = memory_new_array(json_count(keys), sizeof *a->keys);
    for (size_t i = 0; i < json_count(keys) && why == REASON_OK; i++)
        why = key_take(t, a, json_at(keys, i), file);
    return why;
}

/* An exact identifier of this domain, or one whose last segment is a star. A subject of
 * another domain could never match: a mistake worth telling at start. */
static bool
subject_is_valid(const struct anchor *a, struct text subject)
{
    char sample[IDENTIFIER_MAX];
    struct identifier id;

    if (subject.n == 0 || subject.n > sizeof sample)
        return false;
    memcpy(sample, subject.at, subject.n);
    if (text_ends(subject, TEXT("/*")))
        sample[subject.n - 1] = 'x';
    return identifier_parse(text_of(sample, subject.n), &id) &&
           !text_has_byte(text_of(sample, subject.n), '*') &&
           text_equals(id.domain, text_z(a->domain));
}

static enum reason
anchor_check(const struct anchor *a)
{
    if (!trust_domain_is_valid(text_z(a->domain)))
        return log_reason(REASON_CONFIG, "\"%s\" is no trust domain", a->domain);
    for (size_t i = 0; i < a->subjects.n; i++) {
        if (!subject_is_valid(a, text_z(a->subjects.at[i])))
            return log_reason(REASON_CONFIG, "\"%s\" is no subject of trust domain %s",
                              a->subjects.at[i], a->domain);
    }
    return REASON_OK;
}

enum reason
trust_anchors_add(struct trust_anchors *t, const char *domain, const char *jwks_file,
                  const char *const *subjects, size_t n_subjects,
                  const char *const *issuers, size_t n_issuers)
{
    struct anchor *a = memory_new(sizeof *a);
    struct json *jwks = NULL;
    struct buf bytes = { 0 };
    enum reason why;

    a->domain = memory_copy_z(domain);
    a->subjects = words_copy(subjects, n_subjects);
    a->issuers = words_copy(issuers, n_issuers);
    if ((why = anchor_check(a)) != REASON_OK)
        goto done;
    if ((why = file_read(jwks_file, FILE_MAX, &bytes)) != REASON_OK)
        goto done;
    jwks = json_parse(buf_text(&bytes), FILE_MAX);
    if ((why = keys_take(t, a, jwks, jwks_file)) != REASON_OK)
        goto done;
    a->next = t->first;
    t->first = a;
    a = NULL;
done:
    if (a != NULL)
        anchor_free(a);
    json_free(jwks);
    buf_free(&bytes);
    return why;
}
