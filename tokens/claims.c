/* Claims, read as strangers write them. */
#include "tokens/claims.h"

#include "base/digest.h"

enum { JTI_BYTES = 16, JTI_MAX = 256 };

enum claim
claim_time(const struct json *claims, const char *name, int64_t *out)
{
    const struct json *j = json_get(claims, name);

    if (j == NULL)
        return CLAIM_ABSENT;
    return json_number(j, out) ? CLAIM_GOOD : CLAIM_BAD;
}

bool
claim_id(const struct json *claims, struct text *jti)
{
    if (!json_string(json_get(claims, "jti"), jti) || jti->n == 0 || jti->n > JTI_MAX)
        return false;
    for (size_t i = 0; i < jti->n; i++) {
        if (jti->at[i] <= ' ' || jti->at[i] >= 0x7f)
            return false;
    }
    return true;
}

bool
claim_is_digest(const struct json *claim, struct text t)
{
    char digest[SHA256_BASE64URL_SIZE];
    struct text said;

    if (!json_string(claim, &said))
        return false;
    digest_sha256_base64url(t, digest);
    return text_equals_constant_time(said, text_of(digest, sizeof digest));
}

struct text
claim_id_new(struct arena *arena)
{
    unsigned char random[JTI_BYTES];
    char *jti = arena_alloc(arena, BASE64URL_SIZE(JTI_BYTES));

    random_bytes(random, sizeof random);
    return text_of(jti, base64url_encode(random, sizeof random, jti));
}
