/* Strangers judge what we make (npm jose, python3-jwcrypto), and we judge what a
 * stranger makes. `npm ci` in tests/node first; without it these tests are skipped by
 * name. */
#include "forge.h"

#include "tests/unit/stranger.h"
#include "tokens/authority.h"
#include "tokens/carried.h"

#define ASK_PYTHON SOURCE_DIR "/tests/unit/tokens/verify_wit.py"

#define PURPOSE                                                                        \
    "n\xc3\xa4"                                                                        \
    "chtlicher \"Export\""

static char directory[] = "/tmp/holdfast-peers-XXXXXX";
static char keep[64], jwks_file[64];

/* ---- what we make */

struct made {
    struct authority_key *authority;
    struct identity *identity;
    struct presenter *presenter;
    struct arena *arena;
    struct headers headers;
};

static const struct context context = {
    .workload = { WORKLOAD, sizeof WORKLOAD - 1 },
    .task = { "task-7", 6 },
    .grant = { "nightly-orders", 14 },
    .purpose = { PURPOSE, sizeof PURPOSE - 1 },
    .owner = { "orders-team@example", 19 },
};

static int
make(void **state)
{
    static struct made made;
    struct presented request = {
        .scheme = TEXT("https"),
        .method = TEXT("POST"),
        .path = TEXT("/v1/orders/%C3%A9"),
        .query = TEXT("tenant=7"),
        .body_known = true,
        .body = TEXT("{\"item\":1}"),
    };
    struct means with = { .presenter = NULL };
    struct evidence evidence;

    assert_int_equal(authority_parse(TEXT("orders.example"), 443, &request.authority),
                     REASON_OK);
    assert_int_equal(authority_open(keep, "prod.example", &made.authority), REASON_OK);
    assert_int_equal(authority_publish(made.authority, directory), REASON_OK);
    assert_int_equal(
        identity_new(made.authority, &context, NOW, NOW + 900, &made.identity),
        REASON_OK);
    made.presenter = presenter_new(made.identity);
    with.presenter = made.presenter;
    made.arena = arena_new();
    headers_init(&made.headers, made.arena);
    assert_int_equal(
        binding_present(&with, BINDING_WIMSE, &request, NOW, &made.headers, &evidence),
        REASON_OK);
    *state = &made;
    return 0;
}

static int
unmake(void **state)
{
    struct made *made = *state;

    presenter_free(made->presenter);
    identity_unref(made->identity);
    authority_free(made->authority);
    arena_free(made->arena);
    return 0;
}

/* What a stranger is told: the published keys, the two tokens, and what they should
 * say. */
static void
describe(const struct made *made, struct buf *out)
{
    buf_add_z(out, "{\"now\":1800000000,\"jwks\":");
    assert_int_equal(file_read(jwks_file, 4096, out), REASON_OK);
    buf_add_z(out, ",\"wit\":");
    json_write_string(out, headers_get(&made->headers, FIELD_TOKEN)->value);
    buf_add_z(out, ",\"wpt\":");
    json_write_string(out, headers_get(&made->headers, FIELD_PROOF)->value);
    buf_add_z(out,
              ",\"issuer\":\"spiffe://prod.example\",\"subject\":\"" WORKLOAD "\","
              "\"audience\":\"https://orders.example/v1/orders/%C3%A9\","
              "\"method\":\"POST\",\"query\":\"tenant=7\","
              "\"body\":\"{\\\"item\\\":1}\",\"context\":{\"grant\":\"nightly-orders\","
              "\"owner\":\"orders-team@example\",\"task\":\"task-7\",\"purpose\":");
    json_write_string(out, context.purpose);
    buf_add_z(out, "}}");
}

static void
jose_takes_our_token_and_proof(void **state)
{
    static const char *const command[] = { "node", "verify_wimse.mjs", NULL };
    struct made *made = *state;
    struct buf asked = { 0 }, said = { 0 };
    struct json *answer;
    struct text thumbprint;

    stranger_need(__func__, "jose");
    describe(made, &asked);
    if (stranger_ask(command, buf_text(&asked), &said) != 0)
        fail_msg("%.*s", TEXT_ARG(buf_text(&said)));
    answer = json_parse(buf_text(&said), 4096);
    assert_true(json_string(json_get(answer, "thumbprint"), &thumbprint));
    assert_true(text_equals(thumbprint, presenter_thumbprint(made->presenter)));
    json_free(answer);
    buf_free(&asked);
    buf_free(&said);
}

/* The witness must be able to say no. */
static void
jose_refuses_our_token_with_one_letter_changed(void **state)
{
    static const char *const command[] = { "node", "verify_wimse.mjs", NULL };
    static const char *const places[] = { "\"wit\":\"ey", "\"wpt\":\"ey",
                                          "POST",         "tenant",
                                          "v1/orders",    "nightly-orders" };

    stranger_need(__func__, "jose");
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct buf asked = { 0 }, said = { 0 };
        char *at;

        describe(*state, &asked);
        buf_add_byte(&asked, '\0');
        at = strstr(asked.mem + asked.start, places[i]);
        assert_non_null(at);
        at[strlen(places[i]) - 1]++;
        if (stranger_ask(command, text_z(asked.mem + asked.start), &said) != 1)
            fail_msg("%s: %.*s", places[i], TEXT_ARG(buf_text(&said)));
        buf_free(&asked);
        buf_free(&said);
    }
}

static void
jwcrypto_takes_our_signatures(void **state)
{
    static const char *const command[] = { "/usr/bin/python3", ASK_PYTHON, NULL };
    struct buf asked = { 0 }, said = { 0 };
    int status;

    describe(*state, &asked);
    status = stranger_ask(command, buf_text(&asked), &said);
    if (status != 0 && status != NOT_THERE)
        fail_msg("%.*s", TEXT_ARG(buf_text(&said)));
    buf_free(&asked);
    buf_free(&said);
    if (status == NOT_THERE) {
        printf("SKIPPED: %s: python3-jwcrypto is not there\n", __func__);
        skip();
    }
}

/* ---- what a stranger makes */

static void
trust(struct trust_anchors *t, const struct json *domain)
{
    static const char *const subjects[][2] = {
        { "spiffe://prod.example/ns/agents/*", "wimse://prod.example/*" },
        { "spiffe://other.example/*", "wimse://other.example/*" },
    };
    const struct json *keys = json_get(domain, "keys");
    struct text name = { NULL, 0 };
    struct buf jwks = { 0 };
    bool is_ours;

    assert_true(json_string(json_get(domain, "domain"), &name));
    is_ours = text_equals(name, TEXT("prod.example"));
    buf_add_z(&jwks, "{\"keys\":[");
    for (size_t i = 0; i < json_count(keys); i++) {
        struct text member, value;

        buf_add_z(&jwks, i == 0 ? "{" : ",{");
        for (size_t k = 0; k < json_count(json_at(keys, i)); k++) {
            assert_true(json_string(json_member(json_at(keys, i), k, &member), &value));
            buf_printf(&jwks, "%s\"%.*s\":", k == 0 ? "" : ",", TEXT_ARG(member));
            json_write_string(&jwks, value);
        }
        buf_add_byte(&jwks, '}');
    }
    buf_add_z(&jwks, "]}");
    assert_int_equal(file_write(jwks_file, 0600, buf_text(&jwks)), REASON_OK);
    assert_int_equal(trust_anchors_add(t, is_ours ? "prod.example" : "other.example",
                                       jwks_file, subjects[is_ours ? 0 : 1], 2, NULL,
                                       0),
                     REASON_OK);
    buf_free(&jwks);
}

static enum reason
judge(const struct verifier *v, const struct json *row, struct arena *arena)
{
    struct request request = { .method = TEXT("POST") };
    struct presented received = {
        .scheme = TEXT("https"),
        .method = TEXT("POST"),
        .path = TEXT("/v1/orders"),
        .query = TEXT("tenant=7"),
        .body_known = true,
        .body = TEXT("{\"item\":1}"),
    };
    struct text wit, wpt;
    struct facts facts;

    assert_int_equal(authority_parse(TEXT("orders.example"), 443, &received.authority),
                     REASON_OK);
    assert_true(json_string(json_get(row, "wit"), &wit));
    assert_true(json_string(json_get(row, "wpt"), &wpt));
    headers_init(&request.headers, arena);
    headers_add(&request.headers, FIELD_TOKEN, wit);
    headers_add(&request.headers, FIELD_PROOF, wpt);
    return proof_verify(v, &request, &received, NOW, arena, &facts);
}

static size_t
judge_all(const struct json *doc)
{
    static const char *const origins[] = { ORIGIN };
    struct trust_anchors *anchors = trust_anchors_new();
    struct verifier v = { anchors, replay_cache_new(100), origins, 1, 60, 5 };
    const struct json *rows = json_get(doc, "rows");
    struct arena *arena = arena_new();
    size_t wrong = 0;

    for (size_t i = 0; i < json_count(json_get(doc, "jwks")); i++)
        trust(anchors, json_at(json_get(doc, "jwks"), i));
    for (size_t i = 0; i < json_count(rows); i++) {
        const struct json *row = json_at(rows, i);
        enum reason why = judge(&v, row, arena);
        struct text name, verdict;

        assert_true(json_string(json_get(row, "name"), &name));
        assert_true(json_string(json_get(row, "verdict"), &verdict));
        if (text_equals(verdict, text_z(reason_token(why))))
            continue;
        print_error("%.*s: %s, not %.*s\n", TEXT_ARG(name), reason_token(why),
                    TEXT_ARG(verdict));
        wrong++;
    }
    trust_anchors_free(anchors);
    replay_cache_free(v.replays);
    arena_free(arena);
    return wrong;
}

static void
what_jose_makes_is_taken_when_honest_and_refused_when_not(void **state)
{
    static const char *const command[] = { "node", "mint_wimse.mjs", NULL };
    struct buf said = { 0 };
    struct json *doc;

    (void)state;
    stranger_need(__func__, "jose");
    assert_int_equal(stranger_ask(command, TEXT("{\"now\":1800000000}"), &said), 0);
    doc = json_parse(buf_text(&said), 4 * 1024 * 1024);
    assert_true(json_count(json_get(doc, "rows")) > 50);
    assert_int_equal(judge_all(doc), 0);
    json_free(doc);
    buf_free(&said);
}

static int
open_directory(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(keep, sizeof keep, "%s/keep", directory);
    snprintf(jwks_file, sizeof jwks_file, "%s/jwks.json", directory);
    return 0;
}

static int
close_directory(void **state)
{
    char key[96];

    (void)state;
    snprintf(key, sizeof key, "%s/authority.key", keep);
    unlink(key);
    unlink(jwks_file);
    rmdir(keep);
    return rmdir(directory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(jose_takes_our_token_and_proof, make, unmake),
        cmocka_unit_test_setup_teardown(jose_refuses_our_token_with_one_letter_changed,
                                        make, unmake),
        cmocka_unit_test_setup_teardown(jwcrypto_takes_our_signatures, make, unmake),
        cmocka_unit_test(what_jose_makes_is_taken_when_honest_and_refused_when_not),
    };

    return cmocka_run_group_tests(tests, open_directory, close_directory);
}
