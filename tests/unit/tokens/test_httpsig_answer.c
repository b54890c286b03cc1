/* An answer is taken for the answer to this very request, signed by whom we trust, or
 * for none. */
#include "signed.h"

static struct scene scene;
static struct forged forged;
static struct jwks *keys;
static struct arena *arena;

static int
set_up(void **state)
{
    (void)state;
    scene_open(&scene);
    forge(&scene, &forged);
    seal_token(&scene, &forged, PROPER);
    keys = keys_of(scene.holder, "service-1");
    arena = arena_new();
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    jwks_unref(keys);
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
    struct httpsig_policy p = { .verifier = &scene.verifier,
                                .keys = keys,
                                .max_age_s = 60 };
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
    struct httpsig_policy p = { .verifier = &scene.verifier,
                                .keys = keys,
                                .max_age_s = 60 };
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_taken_for_what_was_signed_and_asked),
        cmocka_unit_test(
            an_answer_without_a_body_needs_no_digest_and_one_with_a_weak_one_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
