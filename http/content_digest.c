/* Digests of bodies, whole or as they pass. */
#include "http/content_digest.h"

#include "base/memory.h"
#include "http/structured.h"

#include <stdlib.h>

#define FRONT      "sha-256=:"
#define OF_NOTHING FRONT "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"

void
content_digest_put(struct headers *h, struct text body)
{
    struct text value = TEXT(OF_NOTHING);

    if (body.n > 0) {
        unsigned char digest[SHA256_SIZE];
        char *at = arena_alloc(h->arena, value.n);

        digest_sha256(body, digest);
        memcpy(at, FRONT, sizeof FRONT - 1);
        base64_encode(digest, sizeof digest, at + sizeof FRONT - 1);
        at[value.n - 1] = ':';
        value.at = at;
    }
    headers_remove(h, FIELD_CONTENT_DIGEST);
    headers_add(h, FIELD_CONTENT_DIGEST, value);
}

/* False: it stands there, and is no digest of this size. */
static bool
take(const struct sf_field *f, struct text algorithm, unsigned char *out, size_t size,
     bool *has)
{
    const struct sf_member *m = sf_find(f, algorithm);

    *has = m != NULL;
    if (m == NULL)
        return true;
    if (m->is_inner || m->item.value.kind != SF_BYTES || m->item.value.text.n != size)
        return false;
    memcpy(out, m->item.value.text.at, size);
    return true;
}

bool
content_digest_read(const struct headers *h, struct arena *a,
                    struct content_digest *out)
{
    struct sf_field f;
    struct text value;

    *out = (struct content_digest){ .has_sha256 = false };
    return sf_join(h, FIELD_CONTENT_DIGEST, a, &value) &&
           sf_parse(SF_DICTIONARY, value, a, &f) && !f.repeated &&
           take(&f, TEXT("sha-256"), out->sha256, SHA256_SIZE, &out->has_sha256) &&
           take(&f, TEXT("sha-512"), out->sha512, SHA512_SIZE, &out->has_sha512) &&
           (out->has_sha256 || out->has_sha512);
}

bool
content_digest_fits(const struct content_digest *said, struct text body)
{
    struct content_check *c = content_check_new(said);

    content_check_add(c, body);
    return content_check_end(c);
}

struct content_check {
    struct content_digest said;
    struct digest *sha256;    /* NULL: it was not said, or the end has come */
    struct digest512 *sha512; /* likewise */
};

struct content_check *
content_check_new(const struct content_digest *said)
{
    struct content_check *c = memory_new(sizeof *c);

    c->said = *said;
    if (said->has_sha256)
        c->sha256 = digest_new();
    if (said->has_sha512)
        c->sha512 = digest512_new();
    return c;
}

void
content_check_add(struct content_check *c, struct text piece)
{
    if (c->sha256 != NULL)
        digest_add(c->sha256, piece);
    if (c->sha512 != NULL)
        digest512_add(c->sha512, piece);
}

/* Ends both digests; who said nothing is not believed. */
static bool
finish(struct content_check *c)
{
    unsigned char sha256[SHA256_SIZE], sha512[SHA512_SIZE];
    bool fits = c->sha256 != NULL || c->sha512 != NULL;

    if (c->sha256 != NULL) {
        digest_end(c->sha256, sha256);
        fits = fits && memcmp(sha256, c->said.sha256, sizeof sha256) == 0;
    }
    if (c->sha512 != NULL) {
        digest512_end(c->sha512, sha512);
        fits = fits && memcmp(sha512, c->said.sha512, sizeof sha512) == 0;
    }
    return fits;
}

bool
content_check_end(struct content_check *c)
{
    bool fits = finish(c);

    free(c);
    return fits;
}

void
content_check_free(struct content_check *c)
{
    if (c == NULL)
        return;
    (void)finish(c);
    free(c);
}
