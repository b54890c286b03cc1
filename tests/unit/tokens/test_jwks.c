/* Key sets, and every algorithm that a set's keys verify: against project Wycheproof's
 * cases, and against what operators' keys sign. */
#include "published.h"

#include "base/digest.h"
#include "tokens/jwks.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

static bool
verifies(const struct jwks *set, struct text compact)
{
    const struct public_key *k;
    struct jws j;
    bool good;

    if (set == NULL || jws_parse_envelope(compact, JWS_ALGS_ALL, &j) != JWS_FINE)
        return false;
    k = jwks_find(set, j.kid, j.alg);
    good = k != NULL && jws_verify(&j, k);
    jws_clear(&j);
    return good;
}

/* ---- Wycheproof */

static void
write_value(struct buf *out, const struct json *value)
{
    struct text t;

    if (json_string(value, &t)) {
        json_write_string(out, t);
        return;
    }
    buf_add_byte(out, '[');
    for (size_t i = 0; i < json_count(value); i++) {
        buf_add_z(out, i > 0 ? "," : "");
        assert_true(json_string(json_at(value, i), &t));
        json_write_string(out, t);
    }
    buf_add_byte(out, ']');
}

static void
write_jwk(struct buf *out, const struct json *jwk)
{
    buf_add_byte(out, '{');
    for (size_t i = 0; i < json_count(jwk); i++) {
        struct text name;
        const struct json *value = json_member(jwk, i, &name);

        buf_add_z(out, i > 0 ? "," : "");
        json_write_string(out, name);
        buf_add_byte(out, ':');
        write_value(out, value);
    }
    buf_add_byte(out, '}');
}

/* The public half of a group: a set, or one key; else what of it is no secret to the
 * tests. NULL: no set that is taken. */
static struct jwks *
set_of(const struct json *group)
{
    const struct json *whole = json_get(group, "public");
    const struct json *keys;
    struct buf text = { 0 };
    struct jwks *set = NULL;

    if (whole == NULL)
        whole = json_get(group, "private");
    keys = json_get(whole, "keys");
    buf_add_z(&text, "{\"keys\":[");
    for (size_t i = 0; keys != NULL && i < json_count(keys); i++) {
        buf_add_z(&text, i > 0 ? "," : "");
        write_jwk(&text, json_at(keys, i));
    }
    if (keys == NULL)
        write_jwk(&text, whole);
    buf_add_z(&text, "]}");
    if (jwks_parse(buf_text(&text), &set) != REASON_OK)
        assert_null(set);
    buf_free(&text);
    return set;
}

/* Symmetric keys and P-521 are not ours: what is valid by them verifies nowhere here.
 * Nor is a token by another algorithm than its key says it is for, which the file has
 * of RFC 7520's PS384. */
static bool
is_of_ours(const struct json *group, struct text compact)
{
    const struct json *key = json_get(group, "public");
    struct jws j;
    struct text alg;
    bool ours;

    if (jws_parse_envelope(compact, JWS_ALGS_ALL, &j) != JWS_FINE)
        return false;
    ours = !json_string(json_get(key, "alg"), &alg) || text_equals(alg, j.alg_word);
    jws_clear(&j);
    return ours;
}

static size_t
group_check(const struct json *group)
{
    const struct json *tests = json_get(group, "tests");
    struct jwks *set = set_of(group);
    size_t good = 0;

    for (size_t i = 0; i < json_count(tests); i++) {
        const struct json *t = json_at(tests, i);
        struct text compact = member_text(t, "jws");
        bool is_valid = text_equals(member_text(t, "result"), TEXT("valid")) &&
                        is_of_ours(group, compact);
        int64_t id;

        assert_true(json_number(json_get(t, "tcId"), &id));
        if (verifies(set, compact) != is_valid)
            fail_msg("tcId %lld: %.*s: %.*s", (long long)id,
                     TEXT_ARG(member_text(group, "comment")),
                     TEXT_ARG(member_text(t, "comment")));
        good += is_valid;
    }
    jwks_unref(set);
    return good;
}

static size_t
file_check(struct json *root)
{
    const struct json *groups = json_get(root, "testGroups");
    size_t good = 0;

    assert_true(json_count(groups) > 0);
    for (size_t i = 0; i < json_count(groups); i++)
        good += group_check(json_at(groups, i));
    json_free(root);
    return good;
}

static void
of_wycheproofs_signatures_exactly_the_valid_ones_verify(void **state)
{
    (void)state;
    /* ES256 2, RS256 to RS512 14, PS256 to PS512 14, RFC 7520's RS256 2 */
    assert_int_equal(file_check(published("wycheproof/json_web_signature_test.json")),
                     32);
}

static void
of_wycheproofs_keys_the_sound_one_verifies_and_no_other(void **state)
{
    (void)state;
    assert_int_equal(file_check(published("wycheproof/json_web_key_test.json")), 1);
}

/* ---- the cookbook (RFC 7520, 8037) */

/* Its keys are private ones: what they publish is put together here. */
static struct jwks *
public_set_of(const struct json *key)
{
    static const char *const names[] = { "kty", "kid", "crv", "x", "y", "n", "e" };
    struct buf text = { 0 };
    struct jwks *set;
    struct text value;
    size_t n = 0;

    buf_add_z(&text, "{\"keys\":[{");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!json_string(json_get(key, names[i]), &value))
            continue;
        buf_printf(&text, "%s\"%s\":", n++ > 0 ? "," : "", names[i]);
        json_write_string(&text, value);
    }
    buf_add_z(&text, "}]}");
    assert_int_equal(jwks_parse(buf_text(&text), &set), REASON_OK);
    buf_free(&text);
    return set;
}

static void
of_the_cookbooks_signatures_ours_verify(void **state)
{
    static const struct {
        const char *file;
        bool ours;
    } files[] = {
        { "jose/cookbook/jws/4_1.rsa_v15_signature.json", true },
        { "jose/cookbook/jws/4_2.rsa-pss_signature.json", true },
        { "jose/cookbook/jws/4_3.ecdsa_signature.json", false }, /* P-521 */
        { "jose/cookbook/jws/4_4.hmac-sha2_integrity_protection.json", false },
        { "jose/cookbook/curve25519/jws.json", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct json *root = published(files[i].file);
        const struct json *key = json_get(json_get(root, "input"), "key");
        struct jwks *set = public_set_of(key);
        struct text compact = member_text(json_get(root, "output"), "compact");

        assert_true(compact.n > 0);
        if (verifies(set, compact) != files[i].ours)
            fail_msg("%s", files[i].file);
        jwks_unref(set);
        json_free(root);
    }
}

/* ---- operators' keys */

static const struct signing {
    const char *name, *type;
    size_t size; /* of RSA, in bits */
    const char *curve;
    enum key_algorithm algs[6];
    size_t n;
} signings[] = {
    { "P-256", "EC", 0, "P-256", { KEY_ES256 }, 1 },
    { "P-384", "EC", 0, "P-384", { KEY_ES384 }, 1 },
    { "Ed25519", "ED25519", 0, NULL, { KEY_EDDSA }, 1 },
    { "RSA",
      "RSA",
      2048,
      NULL,
      { KEY_RS256, KEY_RS384, KEY_RS512, KEY_PS256, KEY_PS384, KEY_PS512 },
      6 },
};

static EVP_PKEY *
generate(const struct signing *s)
{
    if (s->size > 0)
        return EVP_PKEY_Q_keygen(NULL, NULL, s->type, s->size);
    if (s->curve != NULL)
        return EVP_PKEY_Q_keygen(NULL, NULL, s->type, s->curve);
    return EVP_PKEY_Q_keygen(NULL, NULL, s->type);
}

static enum reason
load(EVP_PKEY *pkey, struct buf *fault, struct key **out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes;
    long n;
    enum reason why;

    assert_non_null(pkey);
    assert_int_equal(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
    n = BIO_get_mem_data(bio, &bytes);
    why = key_from_pem(text_of(bytes, (size_t)n), fault, out);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    return why;
}

static struct jwks *
set_of_key(const struct key *k)
{
    struct buf text = { 0 };
    struct jwks *set;

    buf_add_z(&text, "{\"keys\":[");
    jwk_print(k, "a", &text);
    buf_add_z(&text, "]}");
    assert_int_equal(jwks_parse(buf_text(&text), &set), REASON_OK);
    assert_int_equal(jwks_count(set), 1);
    buf_free(&text);
    return set;
}

/* One that is not the key's own kind signs nothing. */
static void
check_signing(struct key *k, const struct jwks *set, enum key_algorithm alg, bool can)
{
    char header[128], spelt[BASE64URL_SIZE(128)];
    struct buf out = { 0 };
    size_t n = (size_t)snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"a\"}",
                                jws_alg_word(alg));
    enum reason why;

    n = base64url_encode((const unsigned char *)header, n, spelt);
    why = jws_sign_as(k, alg, text_of(spelt, n), TEXT("{\"a\":1}"), &out);
    assert_int_equal(why, can ? REASON_OK : REASON_SIGN);
    if (can) {
        assert_true(verifies(set, buf_text(&out)));
        out.mem[out.start + n + 3] ^= 1;
        assert_false(verifies(set, buf_text(&out)));
    } else {
        assert_int_equal(buf_length(&out), 0);
    }
    buf_free(&out);
}

static bool
is_among(const struct signing *s, enum key_algorithm alg)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->algs[i] == alg)
            return true;
    return false;
}

static void
a_key_of_each_kind_signs_by_its_own_algorithms_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof signings / sizeof *signings; i++) {
        struct buf fault = { 0 };
        struct key *k, *shared;
        struct jwks *set;

        assert_int_equal(load(generate(&signings[i]), &fault, &k), REASON_OK);
        assert_non_null(shared = key_share(k));
        assert_true(is_among(&signings[i], jws_alg_of(key_kind_of(k))));
        set = set_of_key(k);
        for (enum key_algorithm alg = KEY_ES256; alg <= KEY_PS512; alg++)
            check_signing(shared, set, alg, is_among(&signings[i], alg));
        jwks_unref(set);
        key_free(shared);
        key_free(k);
    }
}

static void
a_signature_that_fails_leaves_no_half_token(void **state)
{
    struct buf fault = { 0 }, out = { 0 };
    struct key *k;

    (void)state;
    assert_int_equal(load(generate(&signings[2]), &fault, &k), REASON_OK);
    buf_add_z(&out, "kept");
    key_fail_signing(true);
    assert_int_equal(jws_sign_as(k, KEY_EDDSA, TEXT("e30"), TEXT("{}"), &out),
                     REASON_SIGN);
    key_fail_signing(false);
    assert_true(text_equals(buf_text(&out), TEXT("kept")));
    buf_free(&out);
    key_free(k);
}

static void
a_thumbprint_is_that_of_the_published_half(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof signings / sizeof *signings; i++) {
        char ours[THUMBPRINT_SIZE], theirs[THUMBPRINT_SIZE];
        struct buf fault = { 0 }, jwk = { 0 };
        struct json *j;
        struct key *k;

        assert_int_equal(load(generate(&signings[i]), &fault, &k), REASON_OK);
        jwk_print(k, NULL, &jwk);
        j = json_parse(buf_text(&jwk), 4096);
        key_thumbprint(k, ours);
        assert_true(jwk_thumbprint(j, theirs));
        assert_memory_equal(ours, theirs, sizeof ours);
        json_free(j);
        buf_free(&jwk);
        key_free(k);
    }
}

static void
a_key_that_is_weak_or_of_another_kind_is_refused_and_said_so(void **state)
{
    static const struct signing refused[] = {
        { .name = "a short RSA key", .type = "RSA", .size = 1024 },
        { .name = "P-521", .type = "EC", .curve = "P-521" },
        { .name = "for key exchange", .type = "X25519" },
    };
    struct key *k;

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct buf fault = { 0 };

        assert_int_equal(load(generate(&refused[i]), &fault, &k), REASON_FILE_CONTENT);
        assert_null(k);
        assert_true(buf_length(&fault) > 0);
        buf_free(&fault);
    }
}

/* ---- sets */

#define X             "\"x\":\"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs\""
#define Y             "\"y\":\"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA\""
#define P256(members) "{\"kty\":\"EC\",\"crv\":\"P-256\"," X "," Y members "}"

static const struct set_case {
    const char *name, *text;
    enum reason why;
    size_t n;
} sets[] = {
    { "none", "{\"keys\":[]}", REASON_OK, 0 },
    { "one", "{\"keys\":[" P256("") "]}", REASON_OK, 1 },
    { "another type", "{\"keys\":[{\"kty\":\"AKP\",\"kid\":\"p\"}," P256("") "]}",
      REASON_OK, 1 },
    { "for encryption", "{\"keys\":[" P256(",\"use\":\"enc\"") "]}", REASON_OK, 0 },
    { "a private one", "{\"keys\":[" P256(",\"d\":\"AA\"") "]}", REASON_OK, 0 },
    { "another algorithm", "{\"keys\":[" P256(",\"alg\":\"ECDH-ES\"") "]}", REASON_OK,
      0 },
    { "other members", "{\"keys\":[" P256(",\"x5c\":[]") "],\"a\":1}", REASON_OK, 1 },
    { "two of a kid",
      "{\"keys\":[" P256(",\"kid\":\"a\"") "," P256(",\"kid\":\"a\"") "]}",
      REASON_FILE_CONTENT, 0 },
    { "two of a kid, one unknown",
      "{\"keys\":[" P256(",\"kid\":\"a\"") ",{\"kty\":\"oct\",\"kid\":\"a\"}]}",
      REASON_FILE_CONTENT, 0 },
    { "a kid that is no string", "{\"keys\":[" P256(",\"kid\":1") "]}",
      REASON_FILE_CONTENT, 0 },
    { "a key that is no object", "{\"keys\":[1]}", REASON_FILE_CONTENT, 0 },
    { "no keys", "{}", REASON_FILE_CONTENT, 0 },
    { "keys are no list", "{\"keys\":{}}", REASON_FILE_CONTENT, 0 },
    { "a list", "[]", REASON_FILE_CONTENT, 0 },
    { "nothing", "", REASON_FILE_CONTENT, 0 },
    { "a repeated name", "{\"keys\":[],\"keys\":[]}", REASON_FILE_CONTENT, 0 },
};

static void
a_set_is_taken_with_what_of_it_we_know(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        struct jwks *set;

        if (jwks_parse(text_z(sets[i].text), &set) != sets[i].why ||
            (set != NULL && jwks_count(set) != sets[i].n))
            fail_msg("%s", sets[i].name);
        jwks_unref(set);
    }
}

static void
a_set_of_too_many_keys_is_refused(void **state)
{
    struct jwks *set;

    (void)state;
    for (size_t more = 0; more < 2; more++) {
        struct buf text = { 0 };

        buf_add_z(&text, "{\"keys\":[{}");
        for (size_t i = 1; i < JWKS_KEYS_MAX + more; i++)
            buf_add_z(&text, ",{}");
        buf_add_z(&text, "]}");
        assert_int_equal(jwks_parse(buf_text(&text), &set),
                         more == 0 ? REASON_OK : REASON_FILE_CONTENT);
        jwks_unref(set);
        buf_free(&text);
    }
}

static void
a_key_is_found_by_its_kid_or_as_the_only_one(void **state)
{
    static const char two[] = "{\"keys\":[" P256(",\"kid\":\"a\"") "," P256(
        ",\"kid\":\"b\",\"alg\":\"ES256\"") "]}";
    struct jwks *one, *both;

    (void)state;
    assert_int_equal(jwks_parse(TEXT("{\"keys\":[" P256("") "]}"), &one), REASON_OK);
    assert_int_equal(jwks_parse(TEXT(two), &both), REASON_OK);
    assert_non_null(jwks_find(one, text_z(NULL), KEY_ES256));
    assert_null(jwks_find(one, TEXT("a"), KEY_ES256));
    assert_null(jwks_find(one, text_z(NULL), KEY_RS256));
    assert_non_null(jwks_find(both, TEXT("a"), KEY_ES256));
    assert_non_null(jwks_find(both, TEXT("b"), KEY_ES256));
    assert_null(jwks_find(both, text_z(NULL), KEY_ES256));
    assert_null(jwks_find(both, TEXT("c"), KEY_ES256));
    assert_null(jwks_find(both, TEXT("a"), KEY_ES384));
    jwks_unref(one);
    jwks_unref(both);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_wycheproofs_signatures_exactly_the_valid_ones_verify),
        cmocka_unit_test(of_wycheproofs_keys_the_sound_one_verifies_and_no_other),
        cmocka_unit_test(of_the_cookbooks_signatures_ours_verify),
        cmocka_unit_test(a_key_of_each_kind_signs_by_its_own_algorithms_alone),
        cmocka_unit_test(a_signature_that_fails_leaves_no_half_token),
        cmocka_unit_test(a_thumbprint_is_that_of_the_published_half),
        cmocka_unit_test(a_key_that_is_weak_or_of_another_kind_is_refused_and_said_so),
        cmocka_unit_test(a_set_is_taken_with_what_of_it_we_know),
        cmocka_unit_test(a_set_of_too_many_keys_is_refused),
        cmocka_unit_test(a_key_is_found_by_its_kid_or_as_the_only_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
