/* Key sets. What in one we cannot use is no fault of it: servers publish keys for
 * encryption and for algorithms of their other clients beside ours. */
#include "tokens/jwks.h"

#include "base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>

struct entry {
    struct public_key *key;
    char *kid;  /* NULL: it has none */
    bool bound; /* declared for `alg` alone */
    enum key_algorithm alg;
};

struct jwks {
    atomic_uint references;
    size_t n;
    struct entry entries[];
};

static char *
copy(struct text t)
{
    char *z = memory_new_raw(t.n + 1);

    memcpy(z, t.at, t.n);
    z[t.n] = '\0';
    return z;
}

static void
entry_read(struct jwks *j, const struct json *jwk, struct text kid)
{
    struct entry *e = &j->entries[j->n];
    struct text alg;

    if ((e->key = jwk_import_among(jwk, JWS_ALGS_ALL, &alg)) == NULL)
        return;
    e->bound = !text_is_empty(alg) && jws_alg_find(alg, &e->alg);
    e->kid = kid.at == NULL ? NULL : copy(kid);
    j->n++;
}

static bool
has_kid(const struct json *keys, size_t before, struct text kid)
{
    struct text other;

    for (size_t i = 0; i < before; i++)
        if (json_string(json_get(json_at(keys, i), "kid"), &other) &&
            text_equals(other, kid))
            return true;
    return false;
}

/* Which of two keys of one name is meant is nothing to guess at, even where we could
 * use one of them only. */
static bool
keys_read(struct jwks *j, const struct json *keys)
{
    for (size_t i = 0; i < json_count(keys); i++) {
        const struct json *jwk = json_at(keys, i), *kid = json_get(jwk, "kid");
        struct text name = { NULL, 0 };

        if (!json_is_object(jwk) || (kid != NULL && !json_string(kid, &name)) ||
            (kid != NULL && has_kid(keys, i, name)))
            return false;
        entry_read(j, jwk, name);
    }
    return true;
}

enum reason
jwks_parse(struct text text, struct jwks **out)
{
    struct json *root = json_parse(text, JWKS_TEXT_MAX);
    const struct json *keys = json_get(root, "keys");
    size_t n = json_count(keys);
    enum reason why = REASON_FILE_CONTENT;

    *out = NULL;
    if (json_is_array(keys) && n <= JWKS_KEYS_MAX) {
        struct jwks *j = memory_new(sizeof *j + n * sizeof *j->entries);

        atomic_init(&j->references, 1);
        if (keys_read(j, keys)) {
            *out = j;
            why = REASON_OK;
        } else {
            jwks_unref(j);
        }
    }
    json_free(root);
    return why;
}

void
jwks_ref(struct jwks *j)
{
    atomic_fetch_add(&j->references, 1);
}

void
jwks_unref(struct jwks *j)
{
    if (j == NULL || atomic_fetch_sub(&j->references, 1) != 1)
        return;
    for (size_t i = 0; i < j->n; i++) {
        public_key_free(j->entries[i].key);
        free(j->entries[i].kid);
    }
    free(j);
}

size_t
jwks_count(const struct jwks *j)
{
    return j->n;
}

static bool
may_verify(const struct entry *e, enum key_algorithm alg)
{
    return public_key_kind(e->key) == key_algorithm_kind(alg) &&
           (!e->bound || e->alg == alg);
}

const struct public_key *
jwks_find(const struct jwks *j, struct text kid, enum key_algorithm alg)
{
    const struct public_key *found = NULL;

    for (size_t i = 0; i < j->n; i++) {
        const struct entry *e = &j->entries[i];

        if (!may_verify(e, alg))
            continue;
        if (!text_is_empty(kid) &&
            (e->kid == NULL || !text_equals(text_z(e->kid), kid)))
            continue;
        if (found != NULL)
            return NULL;
        found = e->key;
    }
    return found;
}
