/* Others' hands (npm http-message-signatures, http-message-sig, httpbis-digest-headers)
 * take every signature of ours in either profile, and we take theirs. `npm ci` in
 * tests/node first; without it these tests are skipped by name. */
#include "signed.h"

#include "conf/conf.h"
#include "tests/unit/stranger.h"
#include "tokens/httpsig.h"

/* RFC 9421 appendix B.1.3: published, so that a stranger may have the private half. */
#define PRIVATE                                                                        \
    "{\"kty\":\"EC\",\"crv\":\"P-256\","                                               \
    "\"d\":\"UpuF81l-kOxbjf7T4mNSv0r5tN67Gim7rnf6EFpcYDs\","                           \
    "\"x\":\"qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA\","                           \
    "\"y\":\"Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0\"}"
#define BODY "{\"item\":1}"
#define MESSAGE                                                                        \
    "POST /v1/orders/%C3%A9?tenant=7 HTTP/1.1\nHost: orders.example\n"                 \
    "Content-Type: application/json\nAccept: a\nAccept: b\nContent-Length: "           \
    "10\n\n" BODY

static struct scene scene;
static struct forged forged;
static struct arena *arena;

static int
set_up(void **state)
{
    (void)state;
    scene_open(&scene);
    forge(&scene, &forged);
    seal_token(&scene, &forged, PROPER);
    arena = arena_new();
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    scene_close(&scene);
    arena_free(arena);
    return 0;
}

static void
write_fields(struct buf *out, const struct headers *h)
{
    buf_add_z(out, ",\"fields\":[");
    for (size_t i = 0; i < h->n; i++) {
        buf_add_z(out, i == 0 ? "[" : ",[");
        json_write_string(out, h->at[i].name);
        buf_add_byte(out, ',');
        json_write_string(out, h->at[i].value);
        buf_add_byte(out, ']');
    }
    buf_add_byte(out, ']');
}

/* What a stranger is told of the message. */
static void
describe(const struct told *t, struct buf *out)
{
    buf_add_z(out, "{\"now\":1800000000,\"label\":\"sig1\",\"method\":\"POST\","
                   "\"url\":\"https://orders.example/v1/orders/%C3%A9?tenant=7\","
                   "\"target\":\"/v1/orders/%C3%A9?tenant=7\",\"body\":");
    json_write_string(out, TEXT(BODY));
    write_fields(out, &t->headers);
}

/* ---- what we sign */

static void
sign_as_we_do(struct told *t, bool is_wimse)
{
    static const char *const more[] = { "@method",        "@target-uri", "@authority",
                                        "@path",          "@query",      "@scheme",
                                        "content-digest", "accept" };
    const struct conf_signature how = {
        .components = { .at = more, .n = is_wimse ? 0 : 8 },
        .expires_ms = 60000,
        .nonce = true,
        .created = true,
        .alg = true,
        .label = "sig1",
    };
    const struct httpsig_signer by = {
        .how = &how, .is_wimse = is_wimse, .key = scene.holder, .key_id = TEXT("key-1")
    };
    struct text id;

    told_read(t, TEXT(MESSAGE), arena);
    t->presented.body_known = true;
    t->presented.body = t->body;
    if (is_wimse)
        headers_add(&t->headers, FIELD_TOKEN, piece(&forged, WIT_FIELD));
    httpsig_prepare(&t->presented, &t->headers);
    assert_int_equal(httpsig_make(&by, &t->presented, NOW, &t->headers, &id),
                     REASON_OK);
}

static int
judged_by_strangers(const struct told *t, const char *covers, const char *from,
                    const char *to, struct buf *said)
{
    static const char *const command[] = { "node", "signatures.mjs", "verify", NULL };
    struct buf asked = { 0 };
    int status;

    describe(t, &asked);
    buf_add_z(&asked, ",\"jwk\":");
    jwk_print(scene.holder, NULL, &asked);
    buf_printf(&asked, ",\"covers\":%s}", covers);
    status = stranger_ask(command, changed(buf_text(&asked), from, to, arena), said);
    buf_free(&asked);
    return status;
}

#define WIMSE_COVERS                                                                   \
    "[\"@method\",\"@request-target\",\"content-type\",\"content-digest\","            \
    "\"workload-identity-token\"]"
#define PLAIN_COVERS "[\"@method\",\"@target-uri\",\"content-digest\",\"accept\"]"

static void
strangers_take_what_we_sign_in_both_profiles(void **state)
{
    (void)state;
    stranger_need(__func__, "http-message-signatures");
    for (int is_wimse = 0; is_wimse < 2; is_wimse++) {
        struct buf said = { 0 };
        struct told t;

        sign_as_we_do(&t, is_wimse);
        if (judged_by_strangers(&t, is_wimse ? WIMSE_COVERS : PLAIN_COVERS, NULL, NULL,
                                &said) != 0)
            fail_msg("%.*s", TEXT_ARG(buf_text(&said)));
        buf_free(&said);
    }
}

/* The witnesses must be able to say no. */
static void
strangers_refuse_what_we_signed_with_one_letter_changed(void **state)
{
    static const char *const changes[][2] = {
        { "\"POST\"", "\"PUT\"" },
        { "tenant=7\",\"target", "tenant=8\",\"target" },
        { "{\\\"item", "{\\\"otem" },
        { "sha-256=:i", "sha-256=:j" },
        { "[\"Accept\",\"a\"]", "[\"Accept\",\"c\"]" },
    };

    (void)state;
    stranger_need(__func__, "http-message-signatures");
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct buf said = { 0 };
        struct told t;

        sign_as_we_do(&t, false);
        if (judged_by_strangers(&t, PLAIN_COVERS, changes[i][0], changes[i][1],
                                &said) != 1)
            fail_msg("%s: %.*s", changes[i][1], TEXT_ARG(buf_text(&said)));
        buf_free(&said);
    }
}

/* ---- what they sign */

/* The public half of the published key. */
static struct jwks *
public_half(void)
{
    struct text set = changed(TEXT("{\"keys\":[" PRIVATE "]}"),
                              "\"d\":\"UpuF81l-kOxbjf7T4mNSv0r5tN67Gim7rnf6EFpcYDs\"",
                              "\"kid\":\"key-1\"", arena);
    struct jwks *keys;

    assert_int_equal(jwks_parse(set, &keys), REASON_OK);
    return keys;
}

static void
told_as_signed(struct told *t, const struct json *fields)
{
    told_read(t, TEXT(MESSAGE), arena);
    t->headers.n = 0;
    for (size_t i = 0; i < json_count(fields); i++) {
        struct text name = { NULL, 0 }, value = { NULL, 0 };

        assert_true(json_text(json_at(json_at(fields, i), 0), &name));
        assert_true(json_text(json_at(json_at(fields, i), 1), &value));
        headers_add(&t->headers, name, value);
    }
}

static void
judge_theirs(const struct json *rows)
{
    struct jwks *keys = public_half();
    const struct httpsig_policy p = { .verifier = &scene.verifier,
                                      .keys = keys,
                                      .max_age_s = 60 };

    assert_int_equal(json_count(rows), 2);
    for (size_t i = 0; i < json_count(rows); i++) {
        struct facts facts;
        struct told t;
        enum reason why;

        replay_cache_free(scene.replays);
        scene.verifier.replays = scene.replays = replay_cache_new(10);
        told_as_signed(&t, json_get(json_at(rows, i), "fields"));
        why = judge_request(&p, &t, NOW, arena, &facts);
        if (why != REASON_OK)
            fail_msg("row %zu: %s", i, reason_token(why));
        assert_true(facts.body_covered);
        t.presented.method = TEXT("PUT");
        assert_int_equal(judge_request(&p, &t, NOW, arena, &facts),
                         REASON_SIGNATURE_WRONG);
    }
    jwks_unref(keys);
}

static void
we_take_what_strangers_sign(void **state)
{
    static const char *const command[] = { "node", "signatures.mjs", "sign", NULL };
    struct buf asked = { 0 }, said = { 0 };
    struct json *rows;
    struct told t;

    (void)state;
    stranger_need(__func__, "http-message-sig");
    told_read(&t, TEXT(MESSAGE), arena);
    describe(&t, &asked);
    buf_add_z(&asked, ",\"jwk\":" PRIVATE
                      ",\"covers\":[\"@method\",\"@target-uri\",\"@request-target\","
                      "\"content-type\",\"content-digest\",\"accept\"],"
                      "\"says\":{\"created\":1800000000,\"expires\":1800000060,"
                      "\"nonce\":\"n-1\",\"alg\":\"ecdsa-p256-sha256\","
                      "\"keyid\":\"key-1\"}}");
    if (stranger_ask(command, buf_text(&asked), &said) != 0)
        fail_msg("%.*s", TEXT_ARG(buf_text(&said)));
    rows = json_parse(buf_text(&said), 65536);
    judge_theirs(rows);
    json_free(rows);
    buf_free(&asked);
    buf_free(&said);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strangers_take_what_we_sign_in_both_profiles),
        cmocka_unit_test(strangers_refuse_what_we_signed_with_one_letter_changed),
        cmocka_unit_test(we_take_what_strangers_sign),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
