/* Compact JWS (RFC 7515): taken apart strictly, put together directly.
 *
 * The header of a token is a stranger's word about how to read it. So the algorithm
 * comes from a list of the caller's, header parameters that would change the reading
 * (crit, b64) are refused, and keys or places of keys named by the token (jwk, jku,
 * x5u, x5c) are never looked at. */
#include "tokens/jws.h"

#include "base/digest.h"

#include <string.h>

/* What a decoded part may need: kept on the stack, so it is bounded by JWS_MAX. */
enum { PART_MAX = JWS_MAX * 3 / 4 + 3, RSA_SIGNATURE_MIN = KEY_RSA_BITS_MIN / 8 };

/* The first of an algorithm's rows is how we write it. */
static const struct {
    const char *word;
    enum key_algorithm alg;
} algs_known[] = {
    { "ES256", KEY_ES256 }, { "EdDSA", KEY_EDDSA }, { "Ed25519", KEY_EDDSA },
    { "ES384", KEY_ES384 }, { "RS256", KEY_RS256 }, { "RS384", KEY_RS384 },
    { "RS512", KEY_RS512 }, { "PS256", KEY_PS256 }, { "PS384", KEY_PS384 },
    { "PS512", KEY_PS512 },
};
enum { ALGS_KNOWN = sizeof algs_known / sizeof *algs_known };

bool
jws_alg_find(struct text word, enum key_algorithm *alg)
{
    for (size_t i = 0; i < ALGS_KNOWN; i++) {
        if (!text_equals(word, text_z(algs_known[i].word)))
            continue;
        *alg = algs_known[i].alg;
        return true;
    }
    return false;
}

const char *
jws_alg_word(enum key_algorithm alg)
{
    size_t i = 0;

    while (algs_known[i].alg != alg)
        i++;
    return algs_known[i].word;
}

enum key_algorithm
jws_alg_of(enum key_kind kind)
{
    static const enum key_algorithm usual[] = { [KEY_P256] = KEY_ES256,
                                                [KEY_ED25519] = KEY_EDDSA,
                                                [KEY_P384] = KEY_ES384,
                                                [KEY_RSA] = KEY_RS256 };

    return usual[kind];
}

static struct json *
object_decode(struct text part)
{
    unsigned char bytes[PART_MAX];
    struct json *j;
    size_t n;

    if (part.n > JWS_MAX || !base64url_decode(part, bytes, &n))
        return NULL;
    j = json_parse(text_of((const char *)bytes, n), sizeof bytes);
    if (json_is_object(j))
        return j;
    json_free(j);
    return NULL;
}

/* A member that may be missing, but if it is there is a string. */
static bool
word_get(const struct json *object, const char *name, struct text *out)
{
    const struct json *member = json_get(object, name);

    *out = (struct text){ NULL, 0 };
    return member == NULL || json_string(member, out);
}

static enum jws_fault
header_read(struct jws *j, unsigned algs)
{
    if (!word_get(j->header, "alg", &j->alg_word) || text_is_empty(j->alg_word))
        return JWS_MALFORMED;
    if (!jws_alg_find(j->alg_word, &j->alg) || (algs & JWS_ALGS(j->alg)) == 0)
        return JWS_ALGORITHM;
    /* RFC 7515 4.1.11: crit that is not understood must be refused, and we understand
     * none. b64 (RFC 7797) would make the payload mean something else. */
    if (json_get(j->header, "crit") != NULL || json_get(j->header, "b64") != NULL)
        return JWS_MALFORMED;
    if (!word_get(j->header, "typ", &j->typ) || !word_get(j->header, "kid", &j->kid))
        return JWS_MALFORMED;
    return JWS_FINE;
}

static bool
has_length(enum key_algorithm alg, size_t n)
{
    switch (key_algorithm_kind(alg)) {
    case KEY_P256:
    case KEY_ED25519:
        return n == KEY_ES256_SIGNATURE_SIZE;
    case KEY_P384:
        return n == 96;
    case KEY_RSA:
        return n >= RSA_SIGNATURE_MIN && n <= KEY_SIGNATURE_MAX;
    }
    return false;
}

/* DER, or anything else that is not r||s, has another length: refused here. */
static bool
signature_read(struct text part, struct jws *j)
{
    unsigned char bytes[KEY_SIGNATURE_MAX + 2];

    if (part.n > BASE64URL_SIZE(KEY_SIGNATURE_MAX) ||
        !base64url_decode(part, bytes, &j->signature_n) ||
        !has_length(j->alg, j->signature_n))
        return false;
    memcpy(j->signature, bytes, j->signature_n);
    return true;
}

/* Everything before the next dot; false when there is none. */
static bool
part_take(struct text *rest, struct text *part)
{
    const char *dot = rest->n == 0 ? NULL : memchr(rest->at, '.', rest->n);

    if (dot == NULL)
        return false;
    *part = text_of(rest->at, (size_t)(dot - rest->at));
    *rest = text_of(dot + 1, rest->n - part->n - 1);
    return true;
}

static enum jws_fault
envelope_read(struct text compact, unsigned algs, struct jws *j, struct text *payload)
{
    struct text rest = compact, header;
    enum jws_fault fault;

    if (compact.n > JWS_MAX)
        return JWS_MALFORMED;
    if (!part_take(&rest, &header) || !part_take(&rest, payload))
        return JWS_MALFORMED;
    if ((j->header = object_decode(header)) == NULL)
        return JWS_MALFORMED;
    if ((fault = header_read(j, algs)) != JWS_FINE)
        return fault;
    if (!signature_read(rest, j)) /* a further dot is no base64url */
        return JWS_MALFORMED;
    j->signed_part = text_of(compact.at, header.n + 1 + payload->n);
    return JWS_FINE;
}

enum jws_fault
jws_parse_envelope(struct text compact, unsigned algs, struct jws *out)
{
    struct text payload;
    enum jws_fault fault;

    memset(out, 0, sizeof *out);
    if ((fault = envelope_read(compact, algs, out, &payload)) != JWS_FINE)
        jws_clear(out);
    return fault;
}

enum jws_fault
jws_parse(struct text compact, struct jws *out)
{
    return jws_parse_among(compact, JWS_ALGS_WORKLOAD, out);
}

enum jws_fault
jws_parse_among(struct text compact, unsigned algs, struct jws *out)
{
    struct text payload;
    enum jws_fault fault;

    memset(out, 0, sizeof *out);
    fault = envelope_read(compact, algs, out, &payload);
    if (fault == JWS_FINE && (out->claims = object_decode(payload)) == NULL)
        fault = JWS_MALFORMED;
    if (fault != JWS_FINE)
        jws_clear(out);
    return fault;
}

bool
jws_verify(const struct jws *j, const struct public_key *k)
{
    /* The key decides what it can verify, never the token alone. */
    return public_key_verify_as(k, j->alg, j->signed_part, j->signature,
                                j->signature_n);
}

void
jws_clear(struct jws *j)
{
    json_free(j->header);
    json_free(j->claims);
    memset(j, 0, sizeof *j);
}

bool
jws_typ_is(const struct jws *j, const char *typ)
{
    static const struct text prefix = { "application/", 12 };
    struct text said = j->typ;

    if (said.n > prefix.n && text_equals_nocase(text_of(said.at, prefix.n), prefix))
        said = text_of(said.at + prefix.n, said.n - prefix.n);
    return text_equals_nocase(said, text_z(typ));
}

/* Appends bytes as base64url: to a place of its own in out, after what is there. */
static void
encode(struct buf *out, const unsigned char *bytes, size_t n)
{
    buf_commit(out, base64url_encode(bytes, n, buf_reserve(out, BASE64URL_SIZE(n))));
}

/* The signature over all that out holds from `start` on. */
static enum reason
seal(struct key *k, struct buf *out, size_t start)
{
    unsigned char signature[KEY_ES256_SIGNATURE_SIZE];
    struct text whole = buf_text(out);
    enum reason why;

    why = key_sign(k, text_of(whole.at + start, whole.n - start), signature);
    if (why != REASON_OK) {
        out->end = out->start + start; /* leave nothing that looks like a token */
        return why;
    }
    buf_add_byte(out, '.');
    encode(out, signature, sizeof signature);
    return REASON_OK;
}

enum reason
jws_sign_on(struct key *k, struct text front, struct text rest, struct buf *out)
{
    size_t start = buf_length(out);

    buf_add(out, front);
    encode(out, (const unsigned char *)rest.at, rest.n);
    return seal(k, out, start);
}

enum reason
jws_sign(struct key *k, struct text header_base64url, struct text claims_json,
         struct buf *out)
{
    size_t start = buf_length(out);

    buf_add(out, header_base64url);
    buf_add_byte(out, '.');
    encode(out, (const unsigned char *)claims_json.at, claims_json.n);
    return seal(k, out, start);
}

static enum reason
seal_as(struct key *k, enum key_algorithm alg, struct buf *out, size_t start)
{
    struct buf signature = { 0 };
    struct text whole = buf_text(out), bytes;
    enum reason why = key_sign_as(k, alg, text_of(whole.at + start, whole.n - start),
                                  &signature);

    if (why != REASON_OK) {
        buf_truncate(out, start);
    } else {
        bytes = buf_text(&signature);
        buf_add_byte(out, '.');
        encode(out, (const unsigned char *)bytes.at, bytes.n);
    }
    buf_free(&signature);
    return why;
}

enum reason
jws_sign_as(struct key *k, enum key_algorithm alg, struct text header_base64url,
            struct text claims_json, struct buf *out)
{
    size_t start = buf_length(out);

    buf_add(out, header_base64url);
    buf_add_byte(out, '.');
    encode(out, (const unsigned char *)claims_json.at, claims_json.n);
    return seal_as(k, alg, out, start);
}
