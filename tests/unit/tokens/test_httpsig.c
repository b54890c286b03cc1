/* A request is signed as the rule says and by what is in the message, and every
 * signature of ours is one that a strict verifier takes. */
#include "signed.h"

#include "conf/conf.h"
#include "tokens/httpsig.h"

#define GOOD_BODY "{\"item\":1}"

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
    keys = keys_of(scene.holder, "key-1");
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

/* How the rule signs; as much of the config as the maker reads. */
static struct conf_signature
normal(void)
{
    return (struct conf_signature){
        .expires_ms = 60000, .nonce = true, .created = true, .label = "sig1"
    };
}

static struct httpsig_signer
signer(const struct conf_signature *how, bool is_wimse)
{
    return (struct httpsig_signer){
        .how = how, .is_wimse = is_wimse, .key = scene.holder, .key_id = TEXT("key-1")
    };
}

static void
told_ready(struct told *t, const char *message, bool is_wimse)
{
    told_read(t, text_z(message), arena);
    t->presented.body_known = true;
    t->presented.body = t->body;
    if (is_wimse)
        headers_add(&t->headers, FIELD_TOKEN, piece(&forged, WIT_FIELD));
    httpsig_prepare(&t->presented, &t->headers);
}

static enum reason
verified(struct told *t, struct facts *facts)
{
    struct httpsig_policy p = { .verifier = &scene.verifier,
                                .keys = keys,
                                .max_age_s = 60 };

    replay_cache_free(scene.replays);
    scene.verifier.replays = scene.replays = replay_cache_new(10);
    return judge_request(&p, t, NOW, arena, facts);
}

static struct text
input_of(const struct told *t)
{
    return headers_get(&t->headers, FIELD_SIGNATURE_INPUT)->value;
}

#define POST                                                                           \
    "POST /v1/orders?a=1 HTTP/1.1\nHost: orders.example\nContent-Type: a/b\n"          \
    "Content-Length: 10\n\n" GOOD_BODY
#define GET "GET / HTTP/1.1\nHost: orders.example\nAccept: a\n\n"

/* N stands for the nonce. */
static void
what_is_covered_follows_from_the_rule_and_the_message(void **state)
{
#define SAID  ";created=1800000000;expires=1800000060;nonce=\"N\""
#define PLAIN SAID ";keyid=\"key-1\""
#define WIMSE                                                                          \
    SAID ";tag=\"wimse-workload-to-workload\";wimse-aud=\"https://orders.example\""
    static const char *const more[] = { "@query",  "accept", "x-not-there",
                                        "@method", "host",   "content-length" };
    static const struct {
        const char *message;
        bool is_wimse, has_more;
        const char *input;
    } rows[] = {
        { POST, false, false,
          "sig1=(\"@method\" \"@target-uri\" \"content-digest\")" PLAIN },
        { GET, false, false, "sig1=(\"@method\" \"@target-uri\")" PLAIN },
        { GET, false, true, "sig1=(\"@query\" \"accept\" \"@method\" \"host\")" PLAIN },
        { POST, false, true,
          "sig1=(\"@query\" \"@method\" \"host\" \"content-length\")" PLAIN },
        { "GET / HTTP/1.1\nHost: orders.example\nAuthorization: Bearer t\nx-api-key: "
          "k\n"
          "Txn-Token: x\n\n",
          false, false,
          "sig1=(\"@method\" \"@target-uri\" \"authorization\" \"txn-token\" "
          "\"x-api-key\")" PLAIN },
        { POST, true, false,
          "wimse=(\"@method\" \"@request-target\" \"content-type\" \"content-digest\" "
          "\"workload-identity-token\")" WIMSE },
        { GET, true, false,
          "wimse=(\"@method\" \"@request-target\" \"workload-identity-token\")" WIMSE },
        { GET, true, true,
          "wimse=(\"@query\" \"accept\" \"@method\" \"host\" \"@request-target\" "
          "\"workload-identity-token\")" WIMSE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct conf_signature how = normal();
        struct httpsig_signer by = signer(&how, rows[i].is_wimse);
        const char *nonce;
        struct facts facts;
        struct told t;
        struct text id;

        if (rows[i].has_more)
            how.components = (struct strings){ .at = more, .n = 6 };
        told_ready(&t, rows[i].message, rows[i].is_wimse);
        assert_int_equal(httpsig_make(&by, &t.presented, NOW, &t.headers, &id),
                         REASON_OK);
        assert_int_equal(id.n, 22);
        nonce = arena_copy_z(arena, id);
        assert_true(text_equals(input_of(&t),
                                changed(text_z(rows[i].input), "N", nonce, arena)));
        if (!rows[i].has_more || rows[i].is_wimse) {
            assert_int_equal(verified(&t, &facts), REASON_OK);
            assert_true(text_equals(facts.proof_id, id));
            assert_true(facts.body_covered);
        }
    }
}

static void
what_is_said_follows_from_the_rule(void **state)
{
    struct conf_signature how = {
        .expires_ms = 30000, .alg = true, .label = "x", .tag = "t"
    };
    struct httpsig_signer by = signer(&how, false);
    struct facts facts;
    struct told t;
    struct text id;

    (void)state;
    told_ready(&t, GET, false);
    assert_int_equal(httpsig_make(&by, &t.presented, NOW, &t.headers, &id), REASON_OK);
    assert_true(text_equals(
        input_of(&t), TEXT("x=(\"@method\" \"@target-uri\");expires=1800000030;alg="
                           "\"ecdsa-p256-sha256\";keyid=\"key-1\";tag=\"t\"")));
    assert_int_equal(id.n, 43);
    assert_int_equal(verified(&t, &facts), REASON_OK);

    how.audience = "https://elsewhere.example";
    how.response = RESPONSE_VERIFY;
    by = signer(&how, true);
    by.expires_s = NOW + 7;
    told_ready(&t, GET, true);
    assert_int_equal(httpsig_make(&by, &t.presented, NOW, &t.headers, &id), REASON_OK);
    assert_true(text_ends(
        input_of(&t), TEXT("\";tag=\"wimse-workload-to-workload\";wimse-aud=\"https://"
                           "elsewhere.example\";wimse-sign-response")));
    assert_non_null(memmem(input_of(&t).at, input_of(&t).n,
                           ";created=1800000000;expires=1800000007;nonce=\"", 46));
    assert_int_equal(verified(&t, &facts), REASON_PROOF_AUDIENCE);
}

static void
a_strangers_signature_and_digest_do_not_leave_beside_ours(void **state)
{
    struct conf_signature how = normal();
    struct httpsig_signer by = signer(&how, false);
    struct facts facts;
    struct told t;
    struct text id;

    (void)state;
    told_ready(&t,
               "POST /v1 HTTP/1.1\nHost: orders.example\nSignature: sig1=:AAAA:\n"
               "signature-input: sig1=()\nContent-Digest: sha-256=:AAAA:\n"
               "content-digest: md5=:AAAA:\nContent-Length: 10\n\n" GOOD_BODY,
               false);
    assert_int_equal(httpsig_make(&by, &t.presented, NOW, &t.headers, &id), REASON_OK);
    assert_int_equal(headers_count(&t.headers, FIELD_SIGNATURE), 1);
    assert_int_equal(headers_count(&t.headers, FIELD_SIGNATURE_INPUT), 1);
    assert_int_equal(headers_count(&t.headers, FIELD_CONTENT_DIGEST), 1);
    assert_int_equal(verified(&t, &facts), REASON_OK);
    for (size_t i = 0; i < t.headers.n; i++)
        if (text_starts(t.headers.at[i].name, TEXT("Signature")))
            assert_true(t.headers.at[i].never_index);
}

static void
what_cannot_be_signed_leaves_nothing_behind(void **state)
{
    struct conf_signature how = normal();
    static const char *const odd[] = { "odd" };
    struct httpsig_signer by = signer(&how, false);
    struct told t;
    struct text id;
    size_t before;

    (void)state;
    told_ready(&t, GET, false);
    headers_add(&t.headers, TEXT("Odd"), TEXT("\xc3\xa4"));
    before = t.headers.n;

    t.presented.body_known = false;
    assert_int_equal(httpsig_make(&by, &t.presented, NOW, &t.headers, &id),
                     REASON_BODY_NOT_COVERED);
    t.presented.body_known = true;
    by.expires_s = NOW;
    assert_int_equal(httpsig_make(&by, &t.presented, NOW, &t.headers, &id),
                     REASON_SIGN);
    by.expires_s = 0;
    how.components = (struct strings){ .at = odd, .n = 1 };
    assert_int_equal(httpsig_make(&by, &t.presented, NOW, &t.headers, &id),
                     REASON_SIGNATURE_COMPONENT);
    how.components.n = 0;
    key_fail_signing(true);
    assert_int_equal(httpsig_make(&by, &t.presented, NOW, &t.headers, &id),
                     REASON_SIGN);
    key_fail_signing(false);
    assert_int_equal(t.headers.n, before);
    assert_int_equal(httpsig_make(&by, &t.presented, NOW, &t.headers, &id), REASON_OK);
}

/* A body that the rule does not cover may be unknown. */
static void
a_body_need_be_known_only_where_it_is_covered(void **state)
{
    static const char *const method[] = { "@method" };
    static const char *const digest[] = { "@method", "content-digest" };
    struct conf_signature how = normal();
    struct httpsig_signer by = signer(&how, false);
    struct told t;
    struct text id;

    (void)state;
    assert_true(httpsig_needs_body(&how, false));
    how.components = (struct strings){ .at = digest, .n = 2 };
    assert_true(httpsig_needs_body(&how, false));
    how.components = (struct strings){ .at = method, .n = 1 };
    assert_true(httpsig_needs_body(&how, true));
    assert_false(httpsig_needs_body(&how, false));
    told_ready(&t, GET, false);
    t.presented.body_known = false;
    assert_int_equal(httpsig_make(&by, &t.presented, NOW, &t.headers, &id), REASON_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_covered_follows_from_the_rule_and_the_message),
        cmocka_unit_test(what_is_said_follows_from_the_rule),
        cmocka_unit_test(a_strangers_signature_and_digest_do_not_leave_beside_ours),
        cmocka_unit_test(what_cannot_be_signed_leaves_nothing_behind),
        cmocka_unit_test(a_body_need_be_known_only_where_it_is_covered),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
