/* present: what it puts on a request, and when it does not. */
#include "filters/present.h"

#include "base/clock.h"
#include "base/file.h"
#include "lives.h"

static const char *const wimse[] = { "wimse" };
static const char *const mtls[] = { "mtls" };
static const char *const unheard_of[] = { "carrier-pigeon" };
static const char *const purposes[] = { "export" };

struct stage {
    struct scene s;
    struct authority_scene a;
    struct roll *roll;
    struct task *task;
    struct conf_credential credential;
    struct vault *vault;
};

static int
stage_open(void **state)
{
    struct stage *g = calloc(1, sizeof *g);

    assert_non_null(g);
    scene_set(&g->s);
    authority_set(&g->a);
    g->roll = roll_new();
    g->s.conf.workload.id = WORKLOAD;
    g->s.view.now_s = clock_wall_s();
    g->s.grant.owner = "owner@example";
    g->s.grant.purposes = (struct strings){ .at = purposes, .n = 1 };
    g->s.grant.expires_at = clock_wall_s() + 3600;
    g->s.grant.ttl_ms = 900000;
    g->s.grant.caller.uid = 1000;
    g->credential.name = "orders";
    g->s.conf.credentials = (struct groups){ .at = &g->credential, .n = 1 };
    g->s.rule.credential = "orders";
    g->s.rule.bind = (struct strings){ .at = wimse, .n = 1 };
    g->s.view.verified_tls = true;
    g->s.grant.rules = (struct groups){ .at = &g->s.rule, .n = 1 };
    g->task = live(g->roll, &g->a, &g->s.conf, &g->s.grant);
    assert_int_equal(roll_find(g->roll, &g->s.grant, &g->s.caller, NULL,
                               clock_monotonic_ms(), &g->s.view.entry),
                     REASON_OK);
    headers_add(&g->s.request.headers, TEXT("Accept"), TEXT("*/*"));
    *state = g;
    return 0;
}

static int
stage_close(void **state)
{
    struct stage *g = *state;

    key_fail_signing(false);
    roll_free(g->roll);
    task_unref(g->task);
    vault_unref(g->vault);
    authority_clear(&g->a);
    scene_clear(&g->s);
    free(g);
    return 0;
}

static enum reason
present(struct stage *g)
{
    struct verdict verdict = present_filter.on_request(NULL, &g->s.view);

    assert_int_equal(verdict.answer == PASS, verdict.reason == REASON_OK);
    return verdict.reason;
}

static void
a_proof_and_its_evidence_are_left(void **state)
{
    struct stage *g = *state;
    struct headers *h = &g->s.request.headers;

    assert_int_equal(present(g), REASON_OK);
    assert_int_equal(h->n, 3);
    assert_int_equal(headers_count(h, TEXT("Workload-Identity-Token")), 1);
    assert_int_equal(headers_count(h, TEXT("Workload-Proof-Token")), 1);
    assert_string_equal(g->s.view.evidence.binding, "wimse");
    assert_true(g->s.view.evidence.proof_id.n > 0);
    assert_int_equal(g->s.view.thumbprint.n, 43);
    assert_int_equal(g->s.view.entry->references, 1);
}

static void
a_rule_without_a_credential_presents_nothing(void **state)
{
    struct stage *g = *state;

    g->s.rule.credential = NULL;
    assert_int_equal(present(g), REASON_OK);
    assert_int_equal(g->s.request.headers.n, 1);
    assert_null(g->s.view.entry->presenter);
}

static void
nothing_is_presented_without_verified_tls(void **state)
{
    struct stage *g = *state;

    g->s.view.verified_tls = false;
    assert_int_equal(present(g), REASON_PLAIN_CREDENTIAL);
    assert_int_equal(g->s.request.headers.n, 1);
}

static void
nothing_is_presented_without_a_rule(void **state)
{
    struct stage *g = *state;

    g->s.view.rule = NULL;
    assert_int_equal(present(g), REASON_HOST_NOT_ALLOWED);
    assert_int_equal(g->s.request.headers.n, 1);
}

static void
what_cannot_be_signed_or_bound_refuses_the_request(void **state)
{
    struct stage *g = *state;

    g->s.rule.bind.at = unheard_of;
    assert_int_equal(present(g), REASON_NO_BINDING);
    g->s.rule.bind.at = wimse;
    key_fail_signing(true);
    assert_int_equal(present(g), REASON_SIGN);
    key_fail_signing(false);
    present_forget(&g->s.view);
    assert_int_equal(present(g), REASON_OK);
    assert_int_equal(g->s.request.headers.n, 3);
}

static void
without_a_task_no_proof_is_made(void **state)
{
    struct stage *g = *state;

    g->s.view.entry = NULL;
    assert_int_equal(present(g), REASON_SIGN);
    assert_int_equal(g->s.request.headers.n, 1);
}

static void
a_retry_presents_a_new_proof_in_place_of_the_old_one(void **state)
{
    struct stage *g = *state;
    struct text first;

    assert_int_equal(present(g), REASON_OK);
    first = g->s.view.evidence.proof_id;
    present_forget(&g->s.view);
    assert_int_equal(g->s.request.headers.n, 1);
    assert_int_equal(present(g), REASON_OK);
    assert_int_equal(g->s.request.headers.n, 3);
    assert_false(text_equals(first, g->s.view.evidence.proof_id));
    present_forget(&g->s.view);
    present_forget(&g->s.view);
    assert_int_equal(g->s.request.headers.n, 1);
}

/* ---- a secret from a file */

static const char *const bearer[] = { "bearer" };

/* The credential becomes one of a file, which holds `secret`. */
static void
use_file(struct stage *g, const char *secret)
{
    char path[80];

    (void)snprintf(path, sizeof path, "%s/secret", g->a.directory);
    (void)unlink(path);
    if (secret != NULL)
        assert_int_equal(file_write(path, 0400, text_z(secret)), REASON_OK);
    g->credential.source.kind = SOURCE_FILE;
    g->credential.source.path = path;
    g->s.rule.bind.at = bearer;
    vault_unref(g->vault);
    g->vault = vault_read(&g->s.conf);
    g->s.view.vault = g->vault;
    g->credential.source.path = NULL;
    (void)unlink(path);
}

/* The workload's own digest gives way to ours, which stays while the signature over it
 * is made anew. */
static void
a_retry_signs_anew_over_the_one_digest(void **state)
{
    static const char *const httpsig[] = { "httpsig" };
    const struct conf_signature how = {
        .expires_ms = 60000, .nonce = true, .created = true, .label = "sig1"
    };
    struct stage *g = *state;
    struct headers *h = &g->s.request.headers;
    struct text first;

    g->s.rule.bind.at = httpsig;
    g->s.rule.signature = &how;
    headers_add(h, TEXT("content-digest"), TEXT("sha-256=:AAAA:"));
    g->s.view.body_known = true;
    g->s.view.body = TEXT("x");
    assert_int_equal(present(g), REASON_OK);
    first = arena_copy(g->s.arena, headers_get(h, TEXT("Signature"))->value);
    present_forget(&g->s.view);
    assert_int_equal(h->n, 2);
    assert_int_equal(present(g), REASON_OK);
    assert_int_equal(h->n, 5);
    assert_int_equal(headers_count(h, TEXT("Content-Digest")), 1);
    assert_true(text_equals(headers_get(h, TEXT("Content-Digest"))->value,
                            TEXT("sha-256=:LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE"
                                 "=:")));
    assert_false(text_equals(headers_get(h, TEXT("Signature"))->value, first));
    assert_string_equal(g->s.view.evidence.binding, "httpsig");
}

static void
the_secret_of_the_file_is_presented_and_no_proof(void **state)
{
    struct stage *g = *state;

    use_file(g, "s3cr3t");
    assert_int_equal(present(g), REASON_OK);
    assert_int_equal(g->s.request.headers.n, 2);
    assert_text(headers_get(&g->s.request.headers, TEXT("Authorization"))->value,
                "Bearer s3cr3t");
    assert_string_equal(g->s.view.evidence.binding, "bearer");
    assert_true(text_is_empty(g->s.view.evidence.proof_id));
    assert_true(text_is_empty(g->s.view.thumbprint));
}

static void
a_secret_that_cannot_be_had_refuses_the_request(void **state)
{
    struct stage *g = *state;

    use_file(g, NULL);
    assert_int_equal(present(g), REASON_CREDENTIAL_UNAVAILABLE);
    assert_int_equal(g->s.request.headers.n, 1);
    g->s.view.vault = NULL;
    assert_int_equal(present(g), REASON_CREDENTIAL_UNAVAILABLE);
    assert_int_equal(g->s.request.headers.n, 1);
}

static void
a_secret_is_bound_neither_outside_tls_nor_by_our_own_key(void **state)
{
    struct stage *g = *state;

    use_file(g, "s3cr3t");
    g->s.view.verified_tls = false;
    assert_int_equal(present(g), REASON_PLAIN_CREDENTIAL);
    g->s.view.verified_tls = true;
    g->s.rule.bind.at = wimse;
    assert_int_equal(present(g), REASON_NO_BINDING);
    assert_int_equal(g->s.request.headers.n, 1);
}

/* ---- a key of the operator's */

static const char *const httpsig[] = { "httpsig" };

static void
an_operators_key_signs_while_the_vault_has_it(void **state)
{
    static const char *const covered[] = { "@method", "@target-uri" };
    const struct conf_signature signature = { .profile = PROFILE_PLAIN,
                                              .label = "sig1",
                                              .created = true,
                                              .expires_ms = 60000,
                                              .components = { .at = covered, .n = 2 } };
    struct stage *g = *state;
    struct key *key = key_new();
    char path[80];

    (void)snprintf(path, sizeof path, "%s/signing.key", g->a.directory);
    assert_int_equal(key_save(key, path), REASON_OK);
    g->credential.source = (struct conf_source){ .kind = SOURCE_KEY,
                                                 .path = path,
                                                 .key_id = "ours" };
    g->s.rule.bind.at = httpsig;
    g->s.rule.signature = &signature;
    assert_int_equal(present(g), REASON_CREDENTIAL_UNAVAILABLE);
    g->vault = vault_read(&g->s.conf);
    g->s.view.vault = g->vault;
    assert_int_equal(present(g), REASON_OK);
    assert_true(headers_has(&g->s.request.headers, TEXT("Signature-Input")));
    assert_string_equal(g->s.view.evidence.binding, "httpsig");
    (void)unlink(path);
    key_free(key);
}

static void
on_handle_presents_with_the_callers_own_handle_of_this_credential_alone(void **state)
{
    static const struct {
        const char *name, *credential;
        int64_t uid;
        bool ended, wanted;
    } rows[] = {
        { "none", NULL, 0, false, false },
        { "its own", "orders", 1000, false, true },
        { "another's", "orders", 1001, false, false },
        { "of another credential", "crm", 1000, false, false },
        { "ended", "orders", 1000, true, false },
    };
    struct stage *g = *state;

    use_file(g, "s3cr3t");
    g->s.rule.inject = INJECT_ON_HANDLE;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct handle h = { .credential = rows[i].credential,
                            .caller.uid = rows[i].uid,
                            .ended = rows[i].ended };

        g->s.view.handle = rows[i].credential != NULL ? &h : NULL;
        assert_int_equal(present_is_wanted(&g->s.view), rows[i].wanted);
        assert_int_equal(present(g), REASON_OK);
        if (headers_has(&g->s.request.headers, TEXT("Authorization")) != rows[i].wanted)
            fail_msg("%s", rows[i].name);
        present_forget(&g->s.view);
        g->s.view.handle = NULL;
    }
}

static void
a_retry_presents_the_secret_once_and_as_it_is_now(void **state)
{
    struct stage *g = *state;

    use_file(g, "first");
    assert_int_equal(present(g), REASON_OK);
    use_file(g, "second");
    present_forget(&g->s.view);
    assert_int_equal(present(g), REASON_OK);
    assert_int_equal(headers_count(&g->s.request.headers, TEXT("Authorization")), 1);
    assert_text(headers_get(&g->s.request.headers, TEXT("Authorization"))->value,
                "Bearer second");
    /* Even one that was not forgotten is not doubled. */
    assert_int_equal(present(g), REASON_OK);
    assert_int_equal(headers_count(&g->s.request.headers, TEXT("Authorization")), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

/* It would leave as nobody's, and be told as bound. */
static void
an_oauth_credential_without_its_token_presents_nothing(void **state)
{
    struct stage *g = *state;

    g->credential.source = (struct conf_source){ .kind = SOURCE_OAUTH,
                                                 .client_certificate = "shop" };
    g->s.rule.bind = (struct strings){ .at = mtls, .n = 1 };
    g->s.view.connection_x5t = TEXT("A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0");
    assert_int_equal(present(g), REASON_CREDENTIAL_UNAVAILABLE);
    assert_int_equal(g->s.request.headers.n, 1);
    assert_null(g->s.view.evidence.binding);
}

static void
a_certificate_alone_is_what_the_connection_has_shown(void **state)
{
    struct stage *g = *state;

    g->credential.source = (struct conf_source){ .kind = SOURCE_CERTIFICATE };
    g->s.rule.bind = (struct strings){ .at = mtls, .n = 1 };
    assert_int_equal(present(g), REASON_CERTIFICATE_CHANGED);
    g->s.view.connection_x5t = TEXT("A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0");
    assert_int_equal(present(g), REASON_OK);
    assert_int_equal(g->s.request.headers.n, 1);
    assert_string_equal(g->s.view.evidence.binding, "mtls");
    assert_true(text_equals(g->s.view.thumbprint, g->s.view.connection_x5t));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_proof_and_its_evidence_are_left),
        TEST(a_rule_without_a_credential_presents_nothing),
        TEST(an_oauth_credential_without_its_token_presents_nothing),
        TEST(a_certificate_alone_is_what_the_connection_has_shown),
        TEST(nothing_is_presented_without_verified_tls),
        TEST(nothing_is_presented_without_a_rule),
        TEST(what_cannot_be_signed_or_bound_refuses_the_request),
        TEST(without_a_task_no_proof_is_made),
        TEST(a_retry_presents_a_new_proof_in_place_of_the_old_one),
        TEST(a_retry_signs_anew_over_the_one_digest),
        TEST(the_secret_of_the_file_is_presented_and_no_proof),
        TEST(a_secret_that_cannot_be_had_refuses_the_request),
        TEST(a_secret_is_bound_neither_outside_tls_nor_by_our_own_key),
        TEST(an_operators_key_signs_while_the_vault_has_it),
        TEST(on_handle_presents_with_the_callers_own_handle_of_this_credential_alone),
        TEST(a_retry_presents_the_secret_once_and_as_it_is_now),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
