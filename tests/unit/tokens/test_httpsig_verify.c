/* A gate takes a signed request for what it is and for nothing else: every way a
 * signature can miss it has a reason, in both profiles. */
#include "signed.h"

#define BODY   "{\"item\":1}"
#define DIGEST "sha-256=:ipDytgkIHq8ub9NPhQFvaoZctBvpxW4og8PD5wOFzr0=:"

/* %s: the token's line. */
#define MESSAGE                                                                        \
    "POST /v1/orders?tenant=7 HTTP/1.1\nHost: orders.example\n%s"                      \
    "Content-Type: application/json\nContent-Digest: " DIGEST "\nAccept: a\n"          \
    "Content-Length: 10\n\n" BODY
#define GET_MESSAGE "GET /v1/orders HTTP/1.1\nHost: orders.example\n%sAccept: a\n\n"

#define TIMES ";created=1800000000;expires=1800000060;nonce=\"n-1\""
#define COVERS                                                                         \
    "\"@method\" \"@request-target\" \"content-type\" \"content-digest\" "             \
    "\"workload-identity-token\""
#define WIMSE        ";tag=\"wimse-workload-to-workload\";wimse-aud=\"https://orders.example\""
#define PLAIN_COVERS "\"@method\" \"@target-uri\" \"content-digest\""
#define PLAIN        ";keyid=\"partner-1\""

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
    keys = keys_of(scene.holder, "partner-1");
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

static struct httpsig_policy
policy(void)
{
    replay_cache_free(scene.replays);
    scene.verifier.replays = scene.replays = replay_cache_new(100);
    return (struct httpsig_policy){ .verifier = &scene.verifier,
                                    .keys = keys,
                                    .max_age_s = 60 };
}

static struct text
message(const char *printed, bool is_wimse)
{
    struct text token = TEXT("");

    if (is_wimse)
        token = arena_printf(arena, "Workload-Identity-Token: %s\n",
                             forged.at[WIT_FIELD]);
    return changed(text_z(printed), "%s", arena_copy_z(arena, token), arena);
}

/* One signed request, and what somebody made of it before it came. */
struct row {
    const char *input;     /* what was covered and said */
    const char *from, *to; /* changed in the message afterwards; NULL: nothing */
    enum reason why;
    int64_t at_s;  /* 0: NOW */
    bool is_thief; /* another key signed it */
    bool is_get;   /* there is no body */
};

static void
row_is_judged(const struct row *r, bool is_wimse, const struct httpsig_policy *p)
{
    struct text t = message(r->is_get ? GET_MESSAGE : MESSAGE, is_wimse);
    struct told sent, received;
    struct facts facts;
    enum reason why;

    told_read(&sent, t, arena);
    bear(&sent.scene, &sent.headers, "sig1", r->input,
         r->is_thief ? scene.thief : scene.holder, arena);
    told_read(&received, changed(t, r->from, r->to, arena), arena);
    bear_copies(&received.headers, &sent.headers);
    why = judge_request(p, &received, r->at_s != 0 ? r->at_s : NOW, arena, &facts);
    if (why != r->why)
        fail_msg("%s, %s: %s, not %s", r->input, r->to, reason_token(why),
                 reason_token(r->why));
    if (why != REASON_OK) {
        assert_true(text_is_empty(facts.proof_id));
        return;
    }
    assert_int_equal(
        judge_request(p, &received, r->at_s != 0 ? r->at_s : NOW, arena, &facts),
        REASON_PROOF_REPLAYED);
}

static void
a_wimse_request_is_taken_once_and_only_as_it_was_signed(void **state)
{
    static const struct row rows[] = {
        { .input = "(" COVERS ")" TIMES WIMSE },
        { .input = "(" COVERS " \"accept\" \"@authority\")" TIMES WIMSE },
        { .input =
              "(\"content-digest\" \"workload-identity-token\" \"@request-target\" "
              "\"content-type\" \"@method\")" TIMES WIMSE },
        { .input = "(" COVERS ")" TIMES WIMSE ";wimse-sign-response" },
        { .input = "(" COVERS ")" TIMES WIMSE,
          .is_thief = true,
          .why = REASON_SIGNATURE_WRONG },
        /* what is covered cannot be changed, … */
        { .input = "(" COVERS ")" TIMES WIMSE,
          .from = "POST",
          .to = "PUT",
          .why = REASON_SIGNATURE_WRONG },
        { .input = "(" COVERS ")" TIMES WIMSE,
          .from = "v1",
          .to = "v2",
          .why = REASON_SIGNATURE_WRONG },
        { .input = "(" COVERS ")" TIMES WIMSE,
          .from = "tenant=7",
          .to = "tenant=8",
          .why = REASON_SIGNATURE_WRONG },
        { .input = "(" COVERS ")" TIMES WIMSE,
          .from = "application",
          .to = "text",
          .why = REASON_SIGNATURE_WRONG },
        { .input = "(" COVERS ")" TIMES WIMSE,
          .from = "sha-256=:ip",
          .to = "sha-256=:jp",
          .why = REASON_SIGNATURE_WRONG },
        { .input = "(" COVERS ")" TIMES WIMSE,
          .from = "Content-Digest: ",
          .to = "Content-Digest: sha-512=::\nContent-Digest: ",
          .why = REASON_SIGNATURE_WRONG },
        { .input = "(" COVERS ")" TIMES WIMSE,
          .from = "Content-Type: application/json\n",
          .to = "",
          .why = REASON_SIGNATURE_COMPONENT },
        { .input = "(" COVERS " \"accept\")" TIMES WIMSE,
          .from = "Accept: a",
          .to = "Accept: a\nAccept: b",
          .why = REASON_SIGNATURE_WRONG },
        { .input = "(" COVERS " \"accept\")" TIMES WIMSE,
          .from = "Accept: a",
          .to = "Accept: ",
          .why = REASON_SIGNATURE_WRONG },
        { .input = "(" COVERS " \"accept\")" TIMES WIMSE,
          .from = "Accept: a",
          .to = "Accept:  a ",
          .why = REASON_OK }, /* white space around a value means nothing */
        /* … nor the body under its digest */
        { .input = "(" COVERS ")" TIMES WIMSE,
          .from = "{\"item\":1}",
          .to = "{\"item\":2}",
          .why = REASON_PROOF_BODY },
        { .input = "(" COVERS ")" TIMES WIMSE,
          .from = "{\"item\":1}",
          .to = "",
          .why = REASON_PROOF_BODY },
        /* what is left out */
        { .input = "()" TIMES WIMSE, .why = REASON_SIGNATURE_COVERAGE },
        { .input = "(\"@method\" \"@request-target\" \"content-type\" "
                   "\"workload-identity-token\")" TIMES WIMSE,
          .why = REASON_SIGNATURE_COVERAGE }, /* the body */
        { .input = "(\"@request-target\" \"content-type\" \"content-digest\" "
                   "\"workload-identity-token\")" TIMES WIMSE,
          .why = REASON_SIGNATURE_COVERAGE },
        { .input = "(\"@method\" \"content-type\" \"content-digest\" "
                   "\"workload-identity-token\")" TIMES WIMSE,
          .why = REASON_SIGNATURE_COVERAGE },
        { .input = "(\"@method\" \"@request-target\" \"content-digest\" "
                   "\"workload-identity-token\")" TIMES WIMSE,
          .why = REASON_SIGNATURE_COVERAGE },
        { .input = "(\"@method\" \"@request-target\" \"content-type\" "
                   "\"content-digest\")" TIMES WIMSE,
          .why = REASON_SIGNATURE_COVERAGE },
        { .input = "(" COVERS ")" TIMES WIMSE,
          .from = "Accept: a",
          .to = "Authorization: Bearer stolen",
          .why = REASON_SIGNATURE_COVERAGE },
        { .input = "(" COVERS ")" TIMES WIMSE,
          .from = "Accept: a",
          .to = "Txn-Token: stolen",
          .why = REASON_SIGNATURE_COVERAGE },
        { .input = "(" COVERS ")" TIMES WIMSE,
          .from = "Accept: a",
          .to = "X-Api-Key: stolen",
          .why = REASON_SIGNATURE_COVERAGE },
        { .input = "(\"@method\" \"@request-target\" \"workload-identity-token\")" TIMES
              WIMSE,
          .is_get = true },
        { .input = "(\"@method\" \"@request-target\" \"workload-identity-token\")" TIMES
              WIMSE,
          .from = "Accept: a\n\n",
          .to = "Content-Length: 1\n\nx",
          .why = REASON_SIGNATURE_COVERAGE,
          .is_get = true },
        /* what is said */
        { .input = "(" COVERS ")" TIMES WIMSE PLAIN,
          .why = REASON_SIGNATURE_PARAMETERS },
        { .input = "(" COVERS ")" TIMES WIMSE ";alg=\"ecdsa-p256-sha256\"",
          .why = REASON_SIGNATURE_PARAMETERS },
        { .input = "(" COVERS ")" TIMES WIMSE ";wimse-req-nonce=\"x\"",
          .why = REASON_SIGNATURE_PARAMETERS },
        { .input = "(" COVERS ")" TIMES WIMSE ";unknown",
          .why = REASON_SIGNATURE_PARAMETERS },
        { .input = "(" COVERS ")" TIMES ";wimse-aud=\"https://orders.example\"",
          .why = REASON_SIGNATURE_PARAMETERS },
        { .input = "(" COVERS ")" TIMES
                   ";tag=\"other\";wimse-aud=\"https://orders.example\"",
          .why = REASON_SIGNATURE_PARAMETERS },
        { .input = "(" COVERS ")" TIMES ";tag=\"wimse-workload-to-workload\"",
          .why = REASON_SIGNATURE_PARAMETERS },
        { .input = "(" COVERS ")" TIMES ";tag=\"wimse-workload-to-workload\""
                   ";wimse-aud=\"https://orders.example/v1/orders\"" },
        { .input = "(" COVERS ")" TIMES ";tag=\"wimse-workload-to-workload\""
                   ";wimse-aud=\"https://orders.example/v1\"",
          .why = REASON_PROOF_AUDIENCE },
        { .input = "(" COVERS ")" TIMES ";tag=\"wimse-workload-to-workload\""
                   ";wimse-aud=\"https://alias.example:8443\"",
          .why = REASON_PROOF_AUDIENCE }, /* ours, but not the one that was asked */
        { .input = "(" COVERS ")" TIMES ";tag=\"wimse-workload-to-workload\""
                   ";wimse-aud=\"https://other.example\"",
          .why = REASON_PROOF_AUDIENCE },
        { .input = "(" COVERS ");created=1800000000;expires=1800000060" WIMSE,
          .why = REASON_SIGNATURE_PARAMETERS },
        { .input = "(" COVERS ");created=1800000000;nonce=\"n\"" WIMSE,
          .why = REASON_SIGNATURE_PARAMETERS },
        { .input = "(" COVERS ");expires=1800000060;nonce=\"n\"" WIMSE,
          .why = REASON_SIGNATURE_PARAMETERS },
        { .input = "(" COVERS
                   ");created=1800000000;expires=1800000060;nonce=\"\"" WIMSE,
          .why = REASON_SIGNATURE_PARAMETERS },
        { .input = "(" COVERS
                   ");created=1800000000;expires=1800000060;nonce=\"a b\"" WIMSE,
          .why = REASON_SIGNATURE_PARAMETERS },
        { .input = "(" COVERS ");created=1800000000;expires=1800000060;nonce=n" WIMSE,
          .why = REASON_SIGNATURE_PARAMETERS },
        { .input = "(" COVERS
                   ");created=\"1800000000\";expires=1800000060;nonce=\"n\"" WIMSE,
          .why = REASON_SIGNATURE_PARAMETERS },
        /* when */
        { .input = "(" COVERS ")" TIMES WIMSE,
          .at_s = NOW - 6,
          .why = REASON_PROOF_NOT_YET },
        { .input = "(" COVERS ")" TIMES WIMSE, .at_s = NOW - 5 },
        { .input = "(" COVERS ")" TIMES WIMSE, .at_s = NOW + 64 },
        { .input = "(" COVERS ")" TIMES WIMSE,
          .at_s = NOW + 65,
          .why = REASON_PROOF_EXPIRED },
        { .input = "(" COVERS
                   ");created=1800000000;expires=1800086400;nonce=\"n\"" WIMSE,
          .at_s = NOW + 65,
          .why = REASON_PROOF_EXPIRED }, /* old, whatever it says */
        { .input = "(" COVERS
                   ");created=1800000000;expires=1800000010;nonce=\"n\"" WIMSE,
          .at_s = NOW + 15,
          .why = REASON_PROOF_EXPIRED },
        { .input = "(" COVERS ")" TIMES WIMSE,
          .at_s = NOW + 905,
          .why = REASON_PROOF_EXPIRED },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct httpsig_policy p = policy();

        row_is_judged(&rows[i], true, &p);
        arena_reset(arena);
    }
}

static void
a_plain_request_is_taken_once_and_only_as_it_was_signed(void **state)
{
    static const struct row rows[] = {
        { .input = "(" PLAIN_COVERS ")" TIMES PLAIN },
        { .input = "(" PLAIN_COVERS ")" TIMES PLAIN ";alg=\"ecdsa-p256-sha256\"" },
        { .input = "(" PLAIN_COVERS ");created=1800000000" PLAIN },
        { .input = "(" PLAIN_COVERS ");expires=1800000060" PLAIN },
        { .input = "(" PLAIN_COVERS ");expires=1800000061" PLAIN,
          .at_s = NOW - 5,
          .why = REASON_PROOF_TOO_LONG },
        { .input = "(" PLAIN_COVERS ")" PLAIN, .why = REASON_SIGNATURE_PARAMETERS },
        { .input = "(" PLAIN_COVERS ")" TIMES, .why = REASON_SIGNATURE_PARAMETERS },
        { .input = "(" PLAIN_COVERS ")" TIMES ";keyid=\"partner-2\"",
          .why = REASON_SIGNATURE_KEY },
        { .input = "(" PLAIN_COVERS ")" TIMES PLAIN,
          .is_thief = true,
          .why = REASON_SIGNATURE_WRONG },
        { .input = "(" PLAIN_COVERS ")" TIMES PLAIN ";alg=\"hmac-sha256\"",
          .why = REASON_SIGNATURE_ALGORITHM },
        { .input = "(" PLAIN_COVERS ")" TIMES PLAIN ";alg=\"ed25519\"",
          .why = REASON_SIGNATURE_ALGORITHM },
        { .input = "(" PLAIN_COVERS ")" TIMES PLAIN
                   ";wimse-aud=\"https://other.example\"",
          .why = REASON_PROOF_AUDIENCE },
        { .input = "(" PLAIN_COVERS ")" TIMES PLAIN,
          .from = "Host: orders",
          .to = "Host: other",
          .why = REASON_PROOF_AUDIENCE },
        { .input = "(" PLAIN_COVERS ")" TIMES PLAIN,
          .from = "Host: orders.example",
          .to = "Host: alias.example:8443",
          .why = REASON_SIGNATURE_WRONG }, /* ours, but another */
        { .input = "(" PLAIN_COVERS ")" TIMES PLAIN,
          .from = "application",
          .to = "text",
          .why = REASON_OK },
        { .input = "(" PLAIN_COVERS ")" TIMES PLAIN,
          .from = DIGEST,
          .to = "sha-256=?1",
          .why = REASON_SIGNATURE_WRONG },
        { .input = "(\"@method\" \"@target-uri\")" TIMES PLAIN,
          .why = REASON_SIGNATURE_COVERAGE },
        { .input = "(\"@method\" \"content-digest\")" TIMES PLAIN,
          .why = REASON_SIGNATURE_COVERAGE },
        { .input = "(\"@method\" \"@path\" \"@query\" \"@authority\" "
                   "\"content-digest\")" TIMES PLAIN,
          .why = REASON_SIGNATURE_COVERAGE }, /* the policy asks for the whole URI */
        { .input =
              "(\"@method\" \"@target-uri\" \"content-digest\";key=\"sha-256\")" TIMES
                  PLAIN,
          .why = REASON_SIGNATURE_COVERAGE }, /* a member is not all of it */
        { .input = "(\"@method\" \"@target-uri\" \"content-digest\";sf)" TIMES PLAIN },
        { .input = "(\"@method\" \"@target-uri\" \"content-digest\";bs)" TIMES PLAIN },
        { .input = "(" PLAIN_COVERS " \"content-length\" \"host\")" TIMES PLAIN },
        { .input = "(" PLAIN_COVERS ")" TIMES PLAIN,
          .from = "Accept: a",
          .to = "Authorization: Bearer stolen",
          .why = REASON_SIGNATURE_COVERAGE },
        { .input = "(\"@method\" \"@target-uri\")" TIMES PLAIN, .is_get = true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct httpsig_policy p = policy();

        row_is_judged(&rows[i], false, &p);
        arena_reset(arena);
    }
}

/* Whoever trusts the same key could show it here, with the Host it was made for. */
static void
a_request_that_was_signed_for_another_service_is_refused(void **state)
{
    static const char *const inputs[] = {
        "(" PLAIN_COVERS ")" TIMES PLAIN,
        "(" PLAIN_COVERS " \"@authority\")" TIMES PLAIN,
        "(" PLAIN_COVERS " \"host\")" TIMES PLAIN,
        "(" PLAIN_COVERS ")" TIMES PLAIN ";wimse-aud=\"https://orders.example\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        struct httpsig_policy p = policy();
        struct facts facts;
        struct told told;

        told_read(
            &told,
            changed(message(MESSAGE, false), "Host: orders", "Host: other", arena),
            arena);
        bear(&told.scene, &told.headers, "a", inputs[i], scene.holder, arena);
        assert_int_equal(judge_request(&p, &told, NOW, arena, &facts),
                         REASON_PROOF_AUDIENCE);
        arena_reset(arena);
    }
}

/* So many members of one dictionary, each covered by itself. */
static enum reason
judge_members(unsigned n, size_t *used)
{
    struct buf message = { 0 }, input = { 0 };
    struct httpsig_policy p = policy();
    struct facts facts;
    struct told told;
    enum reason why;

    buf_add_z(&message, "GET / HTTP/1.1\nHost: orders.example\nX: a0");
    for (unsigned i = 1; i < 1000; i++)
        buf_printf(&message, ",a%u", i);
    buf_add_z(&message, "\n\n");
    told_read(&told, arena_copy(arena, buf_text(&message)), arena);
    buf_add_z(&input, "a=(\"@method\" \"@target-uri\"");
    for (unsigned i = 0; i < n; i++)
        buf_printf(&input, " \"x\";key=\"a%u\"", i);
    buf_add_z(&input, ")" TIMES PLAIN);
    headers_add(&told.headers, FIELD_SIGNATURE_INPUT,
                arena_copy(arena, buf_text(&input)));
    headers_add(&told.headers, FIELD_SIGNATURE, TEXT("a=:AAAA:"));
    *used = arena_used(arena);
    why = judge_request(&p, &told, NOW, arena, &facts);
    *used = arena_used(arena) - *used;
    buf_free(&message);
    buf_free(&input);
    arena_reset(arena);
    return why;
}

static void
what_a_stranger_has_us_do_for_one_signature_is_bounded(void **state)
{
    size_t one, many;

    (void)state;
    assert_int_equal(judge_members(1, &one), REASON_SIGNATURE_WRONG);
    assert_int_equal(judge_members(62, &many), REASON_SIGNATURE_WRONG);
    assert_true(many < 2 * one);
    assert_int_equal(judge_members(63, &many), REASON_SIGNATURE_COMPONENT);
    assert_true(many < one);
}

static void
what_a_config_demands_is_demanded(void **state)
{
    static const char *const components[] = { "@method", "@authority", "@path",
                                              "priority" };
    static const struct row rows[] = {
        { .input = "(\"@method\" \"@authority\" \"@path\" \"priority\")" TIMES PLAIN
                   ";tag=\"t\"" },
        { .input = "(\"@method\" \"@authority\" \"@path\" \"priority\";key=\"u\")" TIMES
              PLAIN ";tag=\"t\"",
          .why = REASON_SIGNATURE_COVERAGE },
        { .input = "(\"@method\" \"@path\" \"priority\")" TIMES PLAIN ";tag=\"t\"",
          .why = REASON_SIGNATURE_COVERAGE },
        { .input = "(\"@method\" \"@authority\" \"@path\" \"priority\")" TIMES PLAIN,
          .why = REASON_SIGNATURE_PARAMETERS },
        { .input = "(\"@method\" \"@authority\" \"@path\" \"priority\")" TIMES PLAIN
                   ";tag=\"u\"",
          .why = REASON_SIGNATURE_PARAMETERS },
        { .input = "(\"@method\" \"@authority\" \"@path\" \"priority\")"
                   ";created=1800000000" PLAIN ";tag=\"t\"",
          .why = REASON_SIGNATURE_PARAMETERS },
    };
    struct text t;

    (void)state;
    assert_int_equal(httpsig_parameter("creatd"), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct httpsig_policy p = policy();
        struct facts facts;
        struct told told;

        p.tag = TEXT("t");
        p.components = components;
        p.n_components = 4;
        p.said = httpsig_parameter("created") | httpsig_parameter("nonce") |
                 httpsig_parameter("tag");
        t = changed(message(MESSAGE, false), "Accept: a", "Priority: u=1, i", arena);
        told_read(&told, t, arena);
        bear(&told.scene, &told.headers, "a", rows[i].input, scene.holder, arena);
        assert_int_equal(judge_request(&p, &told, NOW, arena, &facts), rows[i].why);
        assert_false(facts.body_covered);
        arena_reset(arena);
    }
}

/* ---- the two fields */

static void
fields_that_do_not_fit_together_are_refused(void **state)
{
#define GOOD "a=(\"@method\" \"@target-uri\");created=1800000000;keyid=\"partner-1\""
    static const struct {
        const char *input, *signature;
        enum reason why;
    } rows[] = {
        { NULL, NULL, REASON_SIGNATURE_MISSING },
        { "", "", REASON_SIGNATURE_MISSING },
        { GOOD, NULL, REASON_SIGNATURE_MALFORMED },
        { NULL, "a=:AAAA:", REASON_SIGNATURE_MALFORMED },
        { GOOD, "b=:AAAA:", REASON_SIGNATURE_MALFORMED },
        { GOOD, "a=:AAAA:, b=:AAAA:", REASON_SIGNATURE_MALFORMED },
        { GOOD ", b=()", "a=:AAAA:", REASON_SIGNATURE_MALFORMED },
        { GOOD ", " GOOD, "a=:AAAA:", REASON_SIGNATURE_MALFORMED },
        { GOOD, "a=:AAAA:, a=:AAAA:", REASON_SIGNATURE_MALFORMED },
        { GOOD ";created=1800000000", "a=:AAAA:", REASON_SIGNATURE_MALFORMED },
        { GOOD, "a=\"AAAA\"", REASON_SIGNATURE_MALFORMED },
        { GOOD, "a=(:AAAA:)", REASON_SIGNATURE_MALFORMED },
        { GOOD, "a=:AAA:", REASON_SIGNATURE_MALFORMED },
        { "a=\"@method\"", "a=:AAAA:", REASON_SIGNATURE_MALFORMED },
        { "a=(\"@method)", "a=:AAAA:", REASON_SIGNATURE_MALFORMED },
        { "a=(\"@method\";;)", "a=:AAAA:", REASON_SIGNATURE_MALFORMED },
        { "a=(@method)", "a=:AAAA:", REASON_SIGNATURE_MALFORMED },
        { "a=(method);created=1", "a=:AAAA:", REASON_SIGNATURE_COMPONENT },
        { GOOD, "a=:AAAA:", REASON_SIGNATURE_WRONG },
        { GOOD, "a=::", REASON_SIGNATURE_WRONG },
        { GOOD ", b=()", "a=:AAAA:, b=:AAAA:", REASON_SIGNATURE_SEVERAL },
        { "a=(), b=(), c=(), d=(), e=(), f=(), g=(), h=(), i=()",
          "a=::, b=::, c=::, d=::, e=::, f=::, g=::, h=::, i=::",
          REASON_SIGNATURE_SEVERAL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct httpsig_policy p = policy();
        struct facts facts;
        struct told t;
        enum reason why;

        told_read(&t, message(GET_MESSAGE, false), arena);
        if (rows[i].input != NULL)
            headers_add(&t.headers, TEXT("signature-input"), text_z(rows[i].input));
        if (rows[i].signature != NULL)
            headers_add(&t.headers, TEXT("signature"), text_z(rows[i].signature));
        why = judge_request(&p, &t, NOW, arena, &facts);
        if (why != rows[i].why)
            fail_msg("%s, %s: %s", rows[i].input, rows[i].signature, reason_token(why));
    }
}

/* Labels mean nothing: what one signature covers does not become another's. */
static void
of_several_signatures_one_counts_and_labels_cannot_be_swapped(void **state)
{
    static const char *const narrow = "();created=1800000000;keyid=\"partner-1\"";
    const char *good = "(\"@method\" \"@target-uri\")" TIMES PLAIN ";tag=\"t\"";
    struct httpsig_policy p = policy();
    struct facts facts;
    struct told t;

    (void)state;
    p.tag = TEXT("t");
    told_read(&t, message(GET_MESSAGE, false), arena);
    bear(&t.scene, &t.headers, "one", narrow, scene.thief, arena);
    bear(&t.scene, &t.headers, "two", good, scene.holder, arena);
    assert_int_equal(judge_request(&p, &t, NOW, arena, &facts), REASON_OK);

    told_read(&t, message(GET_MESSAGE, false), arena);
    bear(&t.scene, &t.headers, "one", good, scene.thief, arena);
    bear(&t.scene, &t.headers, "two", good, scene.holder, arena);
    assert_int_equal(judge_request(&p, &t, NOW, arena, &facts),
                     REASON_SIGNATURE_SEVERAL);

    told_read(&t, message(GET_MESSAGE, false), arena);
    bear(&t.scene, &t.headers, "one", narrow, scene.holder, arena);
    bear(&t.scene, &t.headers, "two", good, scene.holder, arena);
    for (size_t i = 0; i < t.headers.n; i++)
        if (text_equals(t.headers.at[i].name, FIELD_SIGNATURE))
            t.headers.at[i].value = changed(
                t.headers.at[i].value,
                t.headers.at[i].value.at[0] == 'o' ? "one" : "two",
                t.headers.at[i].value.at[0] == 'o' ? "two" : "one", arena);
    assert_int_equal(judge_request(&p, &t, NOW, arena, &facts), REASON_SIGNATURE_WRONG);
}

static void
of_several_the_one_that_is_called_wimse_is_that_of_the_workload(void **state)
{
    const char *good = "(" COVERS ")" TIMES WIMSE;
    struct httpsig_policy p = policy();
    struct facts facts;
    struct told t;

    (void)state;
    told_read(&t, message(MESSAGE, true), arena);
    bear(&t.scene, &t.headers, "other", "()", scene.thief, arena);
    bear(&t.scene, &t.headers, "wimse", good, scene.holder, arena);
    assert_int_equal(judge_request(&p, &t, NOW, arena, &facts), REASON_OK);
    assert_true(facts.body_covered);
    assert_true(text_equals(facts.proof_id, TEXT("n-1")));
    assert_true(text_equals(facts.context.workload, TEXT(WORKLOAD)));
    assert_true(text_equals(facts.context.task, TEXT("task-7")));
    assert_int_equal(facts.thumbprint.n, THUMBPRINT_SIZE);

    told_read(&t, message(MESSAGE, true), arena);
    bear(&t.scene, &t.headers, "wimse1", good, scene.holder, arena);
    bear(&t.scene, &t.headers, "wimse2", good, scene.holder, arena);
    assert_int_equal(judge_request(&p, &t, NOW, arena, &facts),
                     REASON_SIGNATURE_SEVERAL);
}

/* ---- the token */

static void
the_token_is_judged_as_with_any_proof(void **state)
{
    static const struct {
        const char *claim_from, *claim_to;
        enum signer by;
        enum reason why;
    } rows[] = {
        { NULL, NULL, PROPER, REASON_OK },
        { NULL, NULL, THIEF, REASON_TOKEN_SIGNATURE },
        { NULL, NULL, OTHER_DOMAIN, REASON_TOKEN_SIGNATURE },
        { "1800000900", "1799999990", PROPER, REASON_TOKEN_EXPIRED },
        { "ns/agents", "ns/others", PROPER, REASON_TOKEN_SUBJECT },
        { "\"task\":\"task-7\"", "\"task\":7", PROPER, REASON_CONTEXT_MISSING },
    };
    static struct forged spoilt;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct httpsig_policy p = policy();
        struct facts facts;
        struct told t;

        forge(&scene, &spoilt);
        if (rows[i].claim_from != NULL)
            spoil(&spoilt, WIT_CLAIMS, rows[i].claim_from, rows[i].claim_to);
        seal_token(&scene, &spoilt, rows[i].by);
        told_read(&t, message(MESSAGE, false), arena);
        headers_add(&t.headers, FIELD_TOKEN, piece(&spoilt, WIT_FIELD));
        bear(&t.scene, &t.headers, "wimse", "(" COVERS ")" TIMES WIMSE, scene.holder,
             arena);
        assert_int_equal(judge_request(&p, &t, NOW, arena, &facts), rows[i].why);
        headers_add(&t.headers, FIELD_TOKEN, piece(&spoilt, WIT_FIELD));
        assert_int_equal(judge_request(&p, &t, NOW, arena, &facts),
                         REASON_TOKEN_REPEATED);
        arena_reset(arena);
    }
}

static void
without_a_token_only_a_known_key_counts_and_without_keys_none(void **state)
{
    struct httpsig_policy p = policy();
    struct facts facts;
    struct told t;

    (void)state;
    told_read(&t, message(GET_MESSAGE, false), arena);
    bear(&t.scene, &t.headers, "a", "(\"@method\" \"@target-uri\")" TIMES PLAIN,
         scene.holder, arena);
    p.keys = NULL;
    assert_int_equal(judge_request(&p, &t, NOW, arena, &facts), REASON_TOKEN_MISSING);
    p.keys = keys;
    assert_int_equal(judge_request(&p, &t, NOW, arena, &facts), REASON_OK);
    assert_true(text_is_empty(facts.context.workload));
    assert_true(text_equals(facts.thumbprint, TEXT("partner-1")));
    httpsig_strip(&t.headers);
    assert_false(headers_has(&t.headers, FIELD_SIGNATURE));
    assert_false(headers_has(&t.headers, FIELD_SIGNATURE_INPUT));
}

static void
a_digest_that_says_nothing_strong_is_no_digest(void **state)
{
    struct httpsig_policy p = policy();
    struct facts facts;
    struct told t;

    (void)state;
    told_read(&t,
              changed(message(MESSAGE, false), DIGEST,
                      "md5=:Sd/dVLAcvNLSq16eXua5uQ==:", arena),
              arena);
    bear(&t.scene, &t.headers, "a", "(" PLAIN_COVERS ")" TIMES PLAIN, scene.holder,
         arena);
    assert_int_equal(judge_request(&p, &t, NOW, arena, &facts), REASON_CONTENT_DIGEST);
}

static void
a_body_that_could_not_be_read_whole_is_not_believed(void **state)
{
    struct httpsig_policy p = policy();
    struct request request;
    struct facts facts;
    struct told t;

    (void)state;
    told_read(&t, message(MESSAGE, false), arena);
    bear(&t.scene, &t.headers, "a", "(" PLAIN_COVERS ")" TIMES PLAIN, scene.holder,
         arena);
    request = request_of(&t);
    assert_int_equal(httpsig_verify(&p, &request, &t.presented, NOW, arena, &facts),
                     REASON_PROOF_BODY);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wimse_request_is_taken_once_and_only_as_it_was_signed),
        cmocka_unit_test(a_plain_request_is_taken_once_and_only_as_it_was_signed),
        cmocka_unit_test(a_request_that_was_signed_for_another_service_is_refused),
        cmocka_unit_test(what_a_stranger_has_us_do_for_one_signature_is_bounded),
        cmocka_unit_test(what_a_config_demands_is_demanded),
        cmocka_unit_test(fields_that_do_not_fit_together_are_refused),
        cmocka_unit_test(of_several_signatures_one_counts_and_labels_cannot_be_swapped),
        cmocka_unit_test(
            of_several_the_one_that_is_called_wimse_is_that_of_the_workload),
        cmocka_unit_test(the_token_is_judged_as_with_any_proof),
        cmocka_unit_test(without_a_token_only_a_known_key_counts_and_without_keys_none),
        cmocka_unit_test(a_digest_that_says_nothing_strong_is_no_digest),
        cmocka_unit_test(a_body_that_could_not_be_read_whole_is_not_believed),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
