/* Every signature that RFC 9421 and the WIMSE draft print verifies, by each algorithm
 * of theirs that we have a key's kind for. */
#include "signed.h"

#include "tokens/signature_algorithm.h"

static struct arena *arena;

static int
set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

/* ---- keys */

static struct text
number_of(const struct json *jwk, const char *name)
{
    struct text t = member_text(jwk, name);
    unsigned char *at = arena_alloc(arena, t.n + 3);
    size_t n;

    assert_true(base64url_decode(t, at, &n));
    return text_of((const char *)at, n);
}

/* The public half of a JWK that has its private half with it: none we would import. */
static struct public_key *
public_half(const struct json *jwk)
{
    struct text kind = member_text(jwk, "kty");

    if (text_equals(kind, TEXT("RSA")))
        return public_key_new_rsa(number_of(jwk, "n"), number_of(jwk, "e"));
    if (text_equals(kind, TEXT("OKP")))
        return public_key_new(KEY_ED25519,
                              (const unsigned char *)number_of(jwk, "x").at, NULL);
    return public_key_new(KEY_P256, (const unsigned char *)number_of(jwk, "x").at,
                          (const unsigned char *)number_of(jwk, "y").at);
}

/* ---- signatures */

/* The first of both fields; *base is the caller's. */
static struct text
taken_apart(const struct signature_scene *s, struct text input, struct text signature,
            struct buf *base)
{
    struct sf_field inputs, signatures;

    assert_true(sf_parse(SF_DICTIONARY, input, arena, &inputs));
    assert_true(sf_parse(SF_DICTIONARY, signature, arena, &signatures));
    assert_int_equal(signature_base_write(s, &inputs.at[0], arena, base), REASON_OK);
    return signatures.at[0].item.value.text;
}

static bool
verifies(const struct signature_scene *s, struct text input, struct text signature,
         const struct public_key *key, enum key_algorithm alg)
{
    struct buf base = { 0 };
    struct text bytes = taken_apart(s, input, signature, &base);
    bool ok = public_key_verify_as(key, alg, buf_text(&base),
                                   (const unsigned char *)bytes.at, bytes.n);

    buf_add_byte(&base, ' ');
    assert_false(public_key_verify_as(key, alg, buf_text(&base),
                                      (const unsigned char *)bytes.at, bytes.n));
    buf_free(&base);
    return ok;
}

/* RFC 2104, of a key no longer than a block: the one algorithm nobody may take. */
static bool
is_hmac_of(struct text key, struct text t, struct text mac)
{
    char inner[64] = { 0 }, outer[64] = { 0 };
    unsigned char digest[SHA256_SIZE];
    struct buf b = { 0 };

    memcpy(inner, key.at, key.n);
    memcpy(outer, key.at, key.n);
    for (size_t i = 0; i < sizeof inner; i++) {
        inner[i] ^= 0x36;
        outer[i] ^= 0x5c;
    }
    buf_add(&b, text_of(inner, sizeof inner));
    buf_add(&b, t);
    digest_sha256(buf_text(&b), digest);
    buf_free(&b);
    buf_add(&b, text_of(outer, sizeof outer));
    buf_add(&b, text_of((const char *)digest, sizeof digest));
    digest_sha256(buf_text(&b), digest);
    buf_free(&b);
    return text_equals(mac, text_of((const char *)digest, sizeof digest));
}

static bool
hmac_verifies(const struct told *t, const struct json *one, const struct json *keys)
{
    struct text shared = json_text_of(json_get(keys, "test-shared-secret"), "base64");
    unsigned char *at = arena_alloc(arena, shared.n);
    struct buf base = { 0 };
    struct text mac = taken_apart(&t->scene, member_text(one, "signature_input"),
                                  member_text(one, "signature"), &base);
    size_t n;
    bool ok;

    assert_true(base64_decode(shared, at, &n));
    ok = is_hmac_of(text_of((const char *)at, n), buf_text(&base), mac);
    buf_free(&base);
    return ok;
}

static bool
case_verifies(const struct json *one, const struct json *messages,
              const struct json *keys)
{
    const char *message = arena_copy_z(arena, member_text(one, "message"));
    const char *name = arena_copy_z(arena, member_text(one, "key"));
    struct public_key *key;
    enum key_algorithm alg;
    struct told t;
    bool ok;

    told_read(&t, told_text(json_get(messages, message), arena), arena);
    if (!signature_algorithm_find(member_text(one, "alg"), &alg)) {
        assert_true(text_equals(member_text(one, "alg"), TEXT("hmac-sha256")));
        return hmac_verifies(&t, one, keys);
    }
    key = public_half(json_get(json_get(keys, name), "jwk"));
    assert_non_null(key);
    ok = verifies(&t.scene, member_text(one, "signature_input"),
                  member_text(one, "signature"), key, alg);
    public_key_free(key);
    return ok;
}

static void
every_signature_of_appendix_b_verifies(void **state)
{
    struct json *doc = published("rfc9421/appendix-b2.json");
    struct json *keys = published("rfc9421/keys.json");
    const struct json *cases = json_get(doc, "cases");

    (void)state;
    assert_int_equal(json_count(cases), 6);
    for (size_t i = 0; i < json_count(cases); i++)
        if (!case_verifies(json_at(cases, i), json_get(doc, "messages"),
                           json_get(keys, "keys")))
            fail_msg("B.2.%zu", i + 1);
    json_free(doc);
    json_free(keys);
}

static struct text
field_of(const struct told *t, const char *name)
{
    return headers_get(&t->headers, text_z(name))->value;
}

static void
told_block(struct told *t, const struct json *doc, const char *id)
{
    const struct json *blocks = json_get(doc, "blocks");

    for (size_t b = 0; b < json_count(blocks); b++)
        if (text_equals(member_text(json_at(blocks, b), "id"), text_z(id)))
            told_read(t, member_text(json_at(blocks, b), "text"), arena);
}

static void
the_answers_of_the_standard_verify_over_their_requests(void **state)
{
    static const char *const pairs[][2] = { { "section-2.4-7", "section-2.4-14" },
                                            { "section-2.4-18", "section-2.4-22" } };
    struct json *doc = published("rfc9421/all-blocks.json");
    struct json *keys = published("rfc9421/keys.json");
    struct public_key *key = public_half(
        json_get(json_get(json_get(keys, "keys"), "test-key-ecc-p256"), "jwk"));

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct told request, answer;

        told_block(&request, doc, pairs[i][0]);
        told_block(&answer, doc, pairs[i][1]);
        told_join(&answer, &request);
        assert_true(verifies(&answer.scene, field_of(&answer, "signature-input"),
                             field_of(&answer, "signature"), key, KEY_ES256));
        answer.scene.status = 200;
        assert_false(verifies(&answer.scene, field_of(&answer, "signature-input"),
                              field_of(&answer, "signature"), key, KEY_ES256));
    }
    public_key_free(key);
    json_free(doc);
    json_free(keys);
}

static const char *
published_text(const char *test, const char *file)
{
    const char *base = getenv("HOLDFAST_VECTORS");
    struct buf bytes = { 0 };
    const char *text;
    char path[512];

    snprintf(path, sizeof path, "%s/%s", base != NULL ? base : PUBLISHED_VECTORS, file);
    if (access(path, R_OK) != 0 || file_read(path, 65536, &bytes) != REASON_OK) {
        printf("SKIPPED: %s: %s is not there\n", test, path);
        skip();
    }
    text = arena_copy_z(arena, buf_text(&bytes));
    buf_free(&bytes);
    return text;
}

static void
the_request_and_the_answer_that_the_wimse_draft_prints_verify(void **state)
{
    static const char *const files[][2] = {
        { "wimse/sigs-request.txt", "wimse/sigs-svca-jwk.txt" },
        { "wimse/sigs-response.txt", "wimse/sigs-svcb-jwk.txt" },
    };
    struct told told[2];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct json *jwk = json_parse(text_z(published_text(__func__, files[i][1])),
                                      4096);
        struct public_key *key = public_half(jwk);

        told_read(&told[i], text_z(published_text(__func__, files[i][0])), arena);
        if (i == 1)
            told_join(&told[1], &told[0]);
        assert_true(verifies(&told[i].scene, field_of(&told[i], "signature-input"),
                             field_of(&told[i], "signature"), key, KEY_EDDSA));
        public_key_free(key);
        json_free(jwk);
    }
}

/* ---- which algorithm */

static void
a_key_signs_by_what_it_is_declared_for_and_by_nothing_symmetric(void **state)
{
    static const struct {
        const char *declared; /* NULL: nothing */
        enum key_algorithm alg;
        bool found;
    } rows[] = {
        { NULL, KEY_PS512, true },
        { "PS512", KEY_PS512, true },
        { "RS256", KEY_RS256, true },
        { "RS512", KEY_RS512, false }, /* RFC 9421 has no name for it */
    };
    struct json *keys = published("rfc9421/keys.json");
    const struct json *rsa = json_get(
        json_get(json_get(keys, "keys"), "test-key-rsa-pss"), "jwk");
    enum key_algorithm alg;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *declared = rows[i].declared;
        struct text set = arena_printf(
            arena,
            "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"k\",\"n\":\"%.*s\",\"e\":"
            "\"%.*s\"%s%s%s}]}",
            TEXT_ARG(member_text(rsa, "n")), TEXT_ARG(member_text(rsa, "e")),
            declared != NULL ? ",\"alg\":\"" : "", declared != NULL ? declared : "",
            declared != NULL ? "\"" : "");
        struct jwks *jwks;

        assert_int_equal(jwks_parse(set, &jwks), REASON_OK);
        assert_int_equal(signature_key_find(jwks, TEXT("k"), &alg) != NULL,
                         rows[i].found);
        if (rows[i].found)
            assert_int_equal(alg, rows[i].alg);
        assert_null(signature_key_find(jwks, TEXT("other"), &alg));
        jwks_unref(jwks);
    }
    assert_false(signature_algorithm_find(TEXT("hmac-sha256"), &alg));
    assert_int_equal(signature_algorithm_of(KEY_RSA), KEY_PS512);
    assert_int_equal(signature_algorithm_of(KEY_P384), KEY_ES384);
    assert_true(text_equals(signature_algorithm_word(KEY_EDDSA), TEXT("ed25519")));
    json_free(keys);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_signature_of_appendix_b_verifies),
        cmocka_unit_test(the_answers_of_the_standard_verify_over_their_requests),
        cmocka_unit_test(the_request_and_the_answer_that_the_wimse_draft_prints_verify),
        cmocka_unit_test(
            a_key_signs_by_what_it_is_declared_for_and_by_nothing_symmetric),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
