/* Messages that bear signatures of any shape, for a verifier to judge. */
#ifndef TESTS_TOKENS_SIGNED_H
#define TESTS_TOKENS_SIGNED_H

#include "tests/unit/tokens/forge.h"
#include "tests/unit/tokens/told.h"

#include "tokens/carried.h"
#include "tokens/httpsig_verify.h"

/* With `from`, which must stand in it, replaced where it stands first; NULL: as it is.
 */
static inline struct text
changed(struct text t, const char *from, const char *to, struct arena *a)
{
    const char *at;
    size_t n;

    if (from == NULL)
        return t;
    at = memmem(t.at, t.n, from, strlen(from));
    assert_non_null(at);
    n = (size_t)(at - t.at);
    return arena_printf(a, "%.*s%s%.*s", (int)n, t.at, to,
                        (int)(t.n - n - strlen(from)), at + strlen(from));
}

/* Signs what `input` says of the scene; the two fields are added to `h`. */
static inline void
bear(const struct signature_scene *s, struct headers *h, const char *label,
     const char *input, struct key *by, struct arena *a)
{
    unsigned char signature[KEY_ES256_SIGNATURE_SIZE];
    struct sf_member covered = told_input(input, a);
    struct buf base = { 0 }, spelt = { 0 };

    assert_int_equal(signature_base_write(s, &covered, a, &base), REASON_OK);
    assert_int_equal(key_sign(by, buf_text(&base), signature), REASON_OK);
    sf_write_bytes(text_of((const char *)signature, sizeof signature), &spelt);
    headers_add(h, FIELD_SIGNATURE_INPUT, arena_printf(a, "%s=%s", label, input));
    headers_add(h, FIELD_SIGNATURE,
                arena_printf(a, "%s=%.*s", label, TEXT_ARG(buf_text(&spelt))));
    buf_free(&base);
    buf_free(&spelt);
}

static inline void
bear_copies(struct headers *to, const struct headers *from)
{
    const struct text names[] = { FIELD_SIGNATURE_INPUT, FIELD_SIGNATURE };

    for (size_t i = 0; i < 2; i++)
        headers_add(to, names[i], headers_get(from, names[i])->value);
}

/* The public half, as whoever verifies has it, under this id. */
static inline struct jwks *
keys_of(const struct key *k, const char *id)
{
    struct jwks *keys = NULL;
    struct buf json = { 0 };

    buf_add_z(&json, "{\"keys\":[");
    jwk_print(k, id, &json);
    buf_add_z(&json, "]}");
    assert_int_equal(jwks_parse(buf_text(&json), &keys), REASON_OK);
    buf_free(&json);
    return keys;
}

/* What a codec would have made of it. */
static inline struct request
request_of(const struct told *t)
{
    return (struct request){
        .method = t->presented.method,
        .target = t->scene.target,
        .host = t->scene.asked.host,
        .headers = t->headers,
        .body = { .kind = t->scene.asked.has_length ? BODY_LENGTH : BODY_NONE,
                  .length = t->scene.asked.length },
    };
}

static inline enum reason
judge_request(const struct httpsig_policy *p, struct told *t, int64_t now_s,
              struct arena *a, struct facts *facts)
{
    struct request request = request_of(t);

    t->presented.body_known = true;
    t->presented.body = t->body;
    return httpsig_verify(p, &request, &t->presented, now_s, a, facts);
}

#endif
