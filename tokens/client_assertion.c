/* Who the client is, by its key (RFC 7523 section 3). For exactly one reader: the
 * issuer that the config names, or the endpoint itself. */
#include "tokens/oauth.h"

#include "base/json_write.h"
#include "tokens/jws.h"

enum { ASSERTION_SECONDS = 60, JTI_BYTES = 16 };

static void
put_random(struct buf *claims)
{
    unsigned char random[JTI_BYTES];
    char jti[BASE64URL_SIZE(JTI_BYTES)];

    random_bytes(random, sizeof random);
    json_put_text(claims, "jti",
                  text_of(jti, base64url_encode(random, sizeof random, jti)));
}

static void
write_header(const struct key *k, const struct conf_source *s, struct buf *out)
{
    char thumbprint[THUMBPRINT_SIZE];
    struct buf json = { 0 };
    struct text t;

    json_open(&json, NULL, '{');
    json_put_z(&json, "alg", jws_alg_word(jws_alg_of(key_kind_of(k))));
    if (s->client_key_id != NULL) {
        json_put_z(&json, "kid", s->client_key_id);
    } else {
        key_thumbprint(k, thumbprint);
        json_put_text(&json, "kid", text_of(thumbprint, sizeof thumbprint));
    }
    json_put_z(&json, "typ", "JWT");
    json_close(&json, '}');
    t = buf_text(&json);
    buf_commit(out, base64url_encode((const unsigned char *)t.at, t.n,
                                     buf_reserve(out, BASE64URL_SIZE(t.n))));
    buf_free(&json);
}

enum reason
client_assertion_write(struct key *k, const struct conf_source *s, int64_t now_s,
                       struct buf *out)
{
    struct buf header = { 0 }, claims = { 0 };
    enum reason why = REASON_SIGN;

    if (k == NULL)
        return why;
    write_header(k, s, &header);
    json_open(&claims, NULL, '{');
    json_put_z(&claims, "iss", s->client_id);
    json_put_z(&claims, "sub", s->client_id);
    json_put_z(&claims, "aud", s->issuer != NULL ? s->issuer : s->token_endpoint);
    json_put_number(&claims, "iat", now_s);
    json_put_number(&claims, "exp", now_s + ASSERTION_SECONDS);
    put_random(&claims);
    json_close(&claims, '}');
    why = jws_sign_as(k, jws_alg_of(key_kind_of(k)), buf_text(&header),
                      buf_text(&claims), out);
    buf_free(&header);
    buf_free(&claims);
    return why;
}
