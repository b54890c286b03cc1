/* An answer is taken for the answer to this very request, signed by whom we trust, or
 * for none. The published signatures of RFC 9421 and of the WIMSE draft verify. */
#include "signed.h"

static struct scene scene;
static struct forged forged;
static struct public_key *service;
static struct httpsig_key keys[1];
static struct arena *arena;

static int
set_up(void **state)
{
    (void)state;
    scene_open(&scene);
    forge(&scene, &forged);
    seal_token(&scene, &forged, PROPER);
    service = public_of(scene.holder);
    keys[0] = (struct httpsig_key){ TEXT("service-1"), service };
    arena = arena_new();
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    public_key_free(service);
    scene_close(&scene);
    arena_free(arena);
    return 0;
}

#define REQUEST "GET /v1?a=1 HTTP/1.1\nHost: orders.example\nSignature: sig1=:AAAA:\n"
#define ANSWER                                                                         \
    "HTTP/1.1 200 OK\nContent-Type: a/b\nContent-Digest: "                             \
    "sha-256=:ipDytgkIHq8ub9NPhQFvaoZctBvpxW4og8PD5wOFzr0=:\n\n{\"item\":1}"
#define TIMES ";created=1800000000;expires=1800000060;nonce=\"n-2\""
#define WIMSE TIMES ";tag=\"wimse-workload-to-workload\";wimse-req-nonce=\"n-1\""
#define WIMSE_COVERS                                                                   \
    "\"@status\" \"workload-identity-token\" \"content-type\" \"content-digest\" "     \
    "\"@method\";req \"@request-target\";req"
#define PLAIN TIMES ";keyid=\"service-1\""

struct row {
    bool is_wimse;
    const char *input;                 /* NULL: it is not signed */
    const char *from, *to;             /* changed in the answer afterwards */
    const char *asked_from, *asked_to; /* it was the answer to another request */
    int64_t at_s;
    bool is_thief;
    enum reason why;
};

static enum reason
judge_row(const struct row *r, struct content_digest *said)
{
    struct httpsig_policy p = {
        .verifier = &scene.verifier, .keys = keys, .n_keys = 1, .max_age_s = 60
    };
    struct httpsig_answer answer = { .is_wimse = r->is_wimse,
                                     .has_body = true,
                                     .nonce = TEXT("n-1"),
                                     .label = TEXT("sig1") };
    struct told other, request, sent, came;

    told_read(&request, TEXT(REQUEST), arena);
    told_read(&other, changed(TEXT(REQUEST), r->asked_from, r->asked_to, arena), arena);
    told_read(&sent, TEXT(ANSWER), arena);
    told_read(&came, changed(TEXT(ANSWER), r->from, r->to, arena), arena);
    told_join(&sent, &other);
    told_join(&came, &request);
    if (r->is_wimse) {
        headers_add(&sent.headers, FIELD_TOKEN, piece(&forged, WIT_FIELD));
        headers_add(&came.headers, FIELD_TOKEN, piece(&forged, WIT_FIELD));
    }
    if (r->input != NULL) {
        bear(&sent.scene, &sent.headers, "a", r->input,
             r->is_thief ? scene.thief : scene.holder, arena);
        bear_copies(&came.headers, &sent.headers);
    }
    answer.scene = came.scene;
    return httpsig_judge_answer(&p, &answer, r->at_s != 0 ? r->at_s : NOW, arena, said);
}

static void
an_answer_is_taken_for_what_was_signed_and_asked(void **state)
{
    static const struct row rows[] = {
        { .is_wimse = true, .input = "(" WIMSE_COVERS ")" WIMSE },
        { .is_wimse = true, .why = REASON_ANSWER_UNSIGNED },
        { .why = REASON_ANSWER_UNSIGNED },
        { .is_wimse = true,
          .input = "(" WIMSE_COVERS ")" WIMSE,
          .is_thief = true,
          .why = REASON_ANSWER_SIGNATURE },
        { .is_wimse = true,
          .input = "(" WIMSE_COVERS ")" WIMSE,
          .from = "200",
          .to = "201",
          .why = REASON_ANSWER_SIGNATURE },
        { .is_wimse = true,
          .input = "(" WIMSE_COVERS ")" WIMSE,
          .from = "a/b",
          .to = "a/c",
          .why = REASON_ANSWER_SIGNATURE },
        { .is_wimse = true,
          .input = "(" WIMSE_COVERS ")" WIMSE,
          .from = "sha-256=:i",
          .to = "sha-256=:j",
          .why = REASON_ANSWER_SIGNATURE },
        /* another's answer, or an older one's */
        { .is_wimse = true,
          .input = "(" WIMSE_COVERS ")" WIMSE,
          .asked_from = "a=1",
          .asked_to = "a=2",
          .why = REASON_ANSWER_SIGNATURE },
        { .is_wimse = true,
          .input = "(" WIMSE_COVERS ")" TIMES ";tag=\"wimse-workload-to-workload\""
                   ";wimse-req-nonce=\"n-0\"",
          .why = REASON_ANSWER_SIGNATURE },
        { .is_wimse = true,
          .input = "(" WIMSE_COVERS ")" TIMES ";tag=\"wimse-workload-to-workload\"",
          .why = REASON_ANSWER_SIGNATURE },
        { .is_wimse = true,
          .input = "(" WIMSE_COVERS ")" WIMSE,
          .at_s = NOW + 65,
          .why = REASON_ANSWER_SIGNATURE },
        { .is_wimse = true,
          .input = "(" WIMSE_COVERS ")" WIMSE ";keyid=\"service-1\"",
          .why = REASON_ANSWER_SIGNATURE },
        { .is_wimse = true,
          .input = "(\"@status\" \"workload-identity-token\" \"content-type\" "
                   "\"@method\";req \"@request-target\";req)" WIMSE,
          .why = REASON_ANSWER_SIGNATURE },
        { .is_wimse = true,
          .input = "(\"@status\" \"content-type\" \"content-digest\" \"@method\";req "
                   "\"@request-target\";req)" WIMSE,
          .why = REASON_ANSWER_SIGNATURE },
        { .is_wimse = true,
          .input = "(\"@status\" \"workload-identity-token\" \"content-type\" "
                   "\"content-digest\" \"@method\";req)" WIMSE,
          .why = REASON_ANSWER_SIGNATURE },
        /* plain: the request is covered by its parts, or by its signature */
        { .input = "(\"@status\" \"content-digest\" \"@method\";req "
                   "\"@target-uri\";req)" PLAIN },
        { .input = "(\"@status\" \"content-digest\" \"@method\";req \"@authority\";req "
                   "\"@path\";req \"@query\";req)" PLAIN },
        { .input = "(\"@status\" \"content-digest\" \"@method\";req \"@authority\";req "
                   "\"@request-target\";req)" PLAIN },
        { .input = "(\"@status\" \"content-digest\" \"signature\";req)" PLAIN },
        { .input =
              "(\"@status\" \"content-digest\" \"signature\";req;key=\"sig1\")" PLAIN },
        { .input = "(\"@status\" \"content-digest\" \"@method\";req \"@authority\";req "
                   "\"@path\";req)" PLAIN,
          .why = REASON_ANSWER_SIGNATURE },
        { .input = "(\"@status\" \"content-digest\" \"@method\";req "
                   "\"@request-target\";req)" PLAIN,
          .why = REASON_ANSWER_SIGNATURE },
        { .input = "(\"@status\" \"content-digest\")" PLAIN,
          .why = REASON_ANSWER_SIGNATURE },
        { .input = "(\"content-digest\" \"signature\";req)" PLAIN,
          .why = REASON_ANSWER_SIGNATURE },
        { .input = "(\"@status\" \"signature\";req)" PLAIN,
          .why = REASON_ANSWER_SIGNATURE },
        { .input = "(\"@status\" \"content-digest\" \"signature\";req)" TIMES
                   ";keyid=\"service-2\"",
          .why = REASON_ANSWER_SIGNATURE },
        { .input = "(\"@status\" \"content-digest\" \"signature\";req)" PLAIN,
          .asked_from = "AAAA",
          .asked_to = "BBBB",
          .why = REASON_ANSWER_SIGNATURE },
        { .input = "(\"@status\" \"content-digest\" \"signature\";req)" PLAIN
                   ";wimse-req-nonce=\"n-0\"",
          .why = REASON_ANSWER_SIGNATURE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct content_digest said;
        enum reason why = judge_row(&rows[i], &said);

        if (why != rows[i].why)
            fail_msg("row %zu, %s: %s", i, rows[i].input, reason_token(why));
        assert_int_equal(said.has_sha256, why == REASON_OK);
        if (why == REASON_OK) {
            assert_true(content_digest_fits(&said, TEXT("{\"item\":1}")));
            assert_false(content_digest_fits(&said, TEXT("{\"item\":2}")));
        }
        arena_reset(arena);
    }
}

static void
an_answer_without_a_body_needs_no_digest_and_one_with_a_weak_one_is_refused(
    void **state)
{
    struct httpsig_policy p = {
        .verifier = &scene.verifier, .keys = keys, .n_keys = 1, .max_age_s = 60
    };
    struct httpsig_answer answer = { .label = TEXT("sig1") };
    struct content_digest said;
    struct told request, came;

    (void)state;
    told_read(&request, TEXT(REQUEST), arena);
    told_read(&came, TEXT("HTTP/1.1 204 No Content\n\n"), arena);
    told_join(&came, &request);
    bear(&came.scene, &came.headers, "a", "(\"@status\" \"signature\";req)" PLAIN,
         scene.holder, arena);
    answer.scene = came.scene;
    assert_int_equal(httpsig_judge_answer(&p, &answer, NOW, arena, &said), REASON_OK);
    assert_false(said.has_sha256 || said.has_sha512);

    told_read(&came, TEXT("HTTP/1.1 200 OK\nContent-Digest: md5=:AAAA:\n\nx"), arena);
    told_join(&came, &request);
    bear(&came.scene, &came.headers, "a",
         "(\"@status\" \"content-digest\" \"signature\";req)" PLAIN, scene.holder,
         arena);
    answer.scene = came.scene;
    answer.has_body = true;
    assert_int_equal(httpsig_judge_answer(&p, &answer, NOW, arena, &said),
                     REASON_ANSWER_SIGNATURE);
}

/* ---- published signatures */

static const char *
published_text(const char *test, const char *file)
{
    const char *base = getenv("HOLDFAST_VECTORS");
    struct buf bytes = { 0 };
    const char *text;
    char path[512];

    snprintf(path, sizeof path, "%s/%s", base != NULL ? base : PUBLISHED_VECTORS, file);
    if (file_read(path, 65536, &bytes) != REASON_OK) {
        printf("SKIPPED: %s: %s is not there\n", test, path);
        skip();
    }
    text = arena_copy_z(arena, buf_text(&bytes));
    buf_free(&bytes);
    return text;
}

/* The key of a JWK that has its private half with it: not one we would import. */
static struct public_key *
published_key(const struct json *jwk)
{
    unsigned char x[48], y[48];
    struct text curve = member_text(jwk, "crv");
    size_t n;

    assert_true(base64url_decode(member_text(jwk, "x"), x, &n));
    if (text_equals(curve, TEXT("Ed25519")))
        return public_key_new(KEY_ED25519, x, NULL);
    assert_true(base64url_decode(member_text(jwk, "y"), y, &n));
    return public_key_new(KEY_P256, x, y);
}

static bool
verifies(const struct signature_scene *s, struct text input, struct text signature,
         const struct public_key *key)
{
    struct sf_field inputs, signatures;
    struct buf base = { 0 };
    const struct sf_value *bytes;
    bool ok;

    assert_true(sf_parse(SF_DICTIONARY, input, arena, &inputs));
    assert_true(sf_parse(SF_DICTIONARY, signature, arena, &signatures));
    assert_int_equal(signature_base_write(s, &inputs.at[0], arena, &base), REASON_OK);
    bytes = &signatures.at[0].item.value;
    ok = public_key_verify(key, buf_text(&base), (const unsigned char *)bytes->text.at,
                           bytes->text.n);
    buf_free(&base);
    return ok;
}

static struct text
field_of(const struct told *t, const char *name)
{
    return headers_get(&t->headers, text_z(name))->value;
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
        struct public_key *key = published_key(jwk);

        told_read(&told[i], text_z(published_text(__func__, files[i][0])), arena);
        if (i == 1)
            told_join(&told[1], &told[0]);
        assert_true(verifies(&told[i].scene, field_of(&told[i], "signature-input"),
                             field_of(&told[i], "signature"), key));
        public_key_free(key);
        json_free(jwk);
    }
}

static void
the_answers_of_the_standard_verify_over_their_requests(void **state)
{
    static const char *const pairs[][2] = { { "section-2.4-7", "section-2.4-14" },
                                            { "section-2.4-18", "section-2.4-22" } };
    struct json *doc = published("rfc9421/all-blocks.json");
    struct json *keys_doc = published("rfc9421/keys.json");
    struct public_key *key = published_key(
        json_get(json_get(json_get(keys_doc, "keys"), "test-key-ecc-p256"), "jwk"));

    (void)state;
    assert_non_null(key);
    for (size_t i = 0; i < 2; i++) {
        const struct json *blocks = json_get(doc, "blocks");
        struct told told[2];

        for (size_t k = 0; k < 2; k++)
            for (size_t b = 0; b < json_count(blocks); b++)
                if (text_equals(member_text(json_at(blocks, b), "id"),
                                text_z(pairs[i][k])))
                    told_read(&told[k], member_text(json_at(blocks, b), "text"), arena);
        told_join(&told[1], &told[0]);
        assert_true(verifies(&told[1].scene, field_of(&told[1], "signature-input"),
                             field_of(&told[1], "signature"), key));
        told[1].scene.status = 200;
        assert_false(verifies(&told[1].scene, field_of(&told[1], "signature-input"),
                              field_of(&told[1], "signature"), key));
    }
    public_key_free(key);
    json_free(doc);
    json_free(keys_doc);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_taken_for_what_was_signed_and_asked),
        cmocka_unit_test(
            an_answer_without_a_body_needs_no_digest_and_one_with_a_weak_one_is_refused),
        cmocka_unit_test(the_request_and_the_answer_that_the_wimse_draft_prints_verify),
        cmocka_unit_test(the_answers_of_the_standard_verify_over_their_requests),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
