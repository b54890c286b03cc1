/* tasks/record: what is signed for is written down, whole and in words. */
#include "tasks/record.h"

#include "base/json_write.h"
#include "stage.h"

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static const char *const purposes[] = { "export", "re\"port" };
static const char *const paths[] = { "/v1/**" }, *const others[] = { "/v2/**" };

static struct conf_rule rules[2];
static struct conf_grant grant;
static struct conf_credential credential;

static int
begin(void **state)
{
    (void)state;
    memset(rules, 0, sizeof rules);
    for (size_t i = 0; i < 2; i++) {
        rules[i].place = (struct place){ "main.conf", (unsigned)i + 7 };
        rules[i].host = i == 0 ? "a.example" : "b.example";
        rules[i].methods.any = true;
        rules[i].paths = (struct strings){ .at = paths, .n = 1 };
    }
    grant = (struct conf_grant){ .name = "orders",
                                 .owner = "owner@example",
                                 .approved_by = "iam@example",
                                 .ticket = "SEC-1",
                                 .approved_at = 1767225600,
                                 .expires_at = 1798761599,
                                 .purposes = { .at = purposes, .n = 2 },
                                 .task = TASK_REQUIRED,
                                 .ttl_ms = 900000,
                                 .caller = { .uid = 1000 },
                                 .rules = { .at = rules, .n = 2 } };
    credential = (struct conf_credential){ .name = "github",
                                           .owner = "owner@example",
                                           .approved_by = "iam@example",
                                           .ticket = "SEC-2",
                                           .privileges = "write\nall",
                                           .rotate_every_ms = 3600000,
                                           .source.kind = SOURCE_FILE };
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

/* What was written, as an object of its own; the test frees it. */
static struct json *
object_of(struct buf *members)
{
    struct buf whole = { 0 };
    struct json *j;

    buf_add_byte(&whole, '{');
    buf_add(&whole, buf_text(members));
    buf_add_byte(&whole, '}');
    j = json_parse(buf_text(&whole), 65536);
    assert_non_null(j);
    buf_free(&whole);
    buf_free(members);
    return j;
}

static void
says(const struct json *j, const char *name, const char *wanted)
{
    struct text said;

    if (wanted == NULL) {
        assert_null(json_get(j, name));
        return;
    }
    assert_true(json_text(json_get(j, name), &said));
    if (!text_equals(said, text_z(wanted)))
        fail_msg("%s is %.*s, not %s", name, TEXT_ARG(said), wanted);
}

static void
counts(const struct json *j, const char *name, int64_t wanted)
{
    int64_t n;

    assert_true(json_number(json_get(j, name), &n));
    assert_int_equal(n, wanted);
}

static struct json *
grant_recorded(void)
{
    struct buf members = { 0 };

    record_grant(&members, 7, &grant);
    return object_of(&members);
}

static void
a_grant_names_who_answers_for_it_and_how_far_it_goes(void **state)
{
    struct json *j = grant_recorded();

    (void)state;
    counts(j, "generation", 7);
    says(j, "name", "orders");
    says(j, "owner", "owner@example");
    says(j, "approved_by", "iam@example");
    says(j, "ticket", "SEC-1");
    says(j, "approved_at", "2026-01-01T00:00:00.000Z");
    says(j, "expires_at", "2026-12-31T23:59:59.000Z");
    assert_int_equal(json_count(json_get(j, "purposes")), 2);
    says(j, "task", "required");
    says(j, "caller", "uid=1000");
    counts(j, "ttl_s", 900);
    counts(j, "rules", 2);
    json_free(j);
}

static void
every_kind_of_task_and_caller_has_its_word(void **state)
{
    static const struct {
        enum conf_task task;
        const char *word;
        struct conf_caller caller;
        const char *who;
    } rows[] = {
        { TASK_STANDING, "standing", { .any = true, .uid = -1 }, "any" },
        { TASK_REQUIRED, "required", { .uid = 0 }, "uid=0" },
        { TASK_POD, "pod", { .uid = -1 }, NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct json *j;

        grant.task = (int)rows[i].task;
        grant.caller = rows[i].caller;
        j = grant_recorded();
        says(j, "task", rows[i].word);
        says(j, "caller", rows[i].who);
        json_free(j);
    }
}

static void
what_is_not_known_is_not_there(void **state)
{
    struct json *j;

    (void)state;
    grant.ticket = grant.approved_by = NULL;
    grant.approved_at = 0;
    j = grant_recorded();
    says(j, "ticket", NULL);
    says(j, "approved_by", NULL);
    says(j, "approved_at", NULL);
    json_free(j);
}

static void
digest_now(char out[65])
{
    struct json *j = grant_recorded();
    struct text said;

    assert_true(json_text(json_get(j, "digest"), &said));
    assert_int_equal(said.n, 64);
    memcpy(out, said.at, 64);
    out[64] = '\0';
    json_free(j);
}

/* One change each. */
static void
change(struct conf_rule *r, size_t i)
{
    static const struct cidr range = { .base = { .family = AF_INET, .bytes = { 10 } },
                                       .bits = 8 };

    switch (i) {
    case 0:
        r->host = "c.example";
        break;
    case 1:
        r->port = 8443;
        break;
    case 2:
        r->scheme = SCHEME_HTTP;
        break;
    case 3:
        r->methods.any = false;
        break;
    case 4:
        r->paths.at = others;
        break;
    case 5:
        r->credential = "github";
        break;
    case 6:
        r->bind = (struct strings){ .at = conf_bind_words, .n = 1 };
        break;
    case 7:
        r->unbound_because = "it takes nothing else";
        break;
    case 8:
        r->inject = INJECT_ALWAYS;
        break;
    case 9:
        r->cookies = CONF_PASS;
        break;
    case 10:
        r->encoded_slashes = SLASHES_PASS;
        break;
    case 11:
        r->signed_urls = CONF_PASS;
        break;
    case 12:
        r->addresses = (struct cidrs){ .at = &range, .n = 1 };
        break;
    case 13:
        r->upstream_trust = "/etc/ca.pem";
        break;
    case 14:
        r->purposes = (struct strings){ .at = purposes, .n = 1 };
        break;
    case 15:
        r->http = CONF_HTTP_2;
        break;
    case 16:
        r->websocket = true;
        break;
    case 17:
        r->own_proof = CONF_PASS;
        break;
    case 18:
        r->opaque = true;
        break;
    default:
        grant.rules.n = 1;
        break;
    }
}

static void
a_digest_of_a_rule_that_signs_tells_how(void **state)
{
    static const struct conf_trust trust = { .domain = "prod.example" };
    static const struct conf_signature ways[] = {
        { .label = "sig1" },
        { .label = "sig1", .profile = PROFILE_PLAIN },
        { .label = "sig1", .components = { .at = others, .n = 1 } },
        { .label = "sig1", .expires_ms = 5000 },
        { .label = "sig1", .nonce = true },
        { .label = "sig1", .created = true },
        { .label = "sig1", .alg = true },
        { .label = "sig1", .tag = "t" },
        { .label = "sig2" },
        { .label = "sig1", .audience = "a" },
        { .label = "sig1", .response = RESPONSE_VERIFY },
        { .label = "sig1", .response_jwks_file = "/j" },
        { .label = "sig1", .response_trust = { (void *)(uintptr_t)&trust, 1 } },
    };
    enum { WAYS = sizeof ways / sizeof *ways };
    char told[WAYS][65];

    (void)state;
    rules[1].bind = (struct strings){ .at = conf_bind_words, .n = 1 };
    for (size_t i = 0; i < WAYS; i++) {
        rules[1].signature = &ways[i];
        digest_now(told[i]);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(told[i], told[j]);
    }
}

static void
a_digest_of_rules_tells_every_change_but_that_of_their_place(void **state)
{
    char before[65], after[65];

    digest_now(before);
    rules[0].place = (struct place){ "other.conf", 99 };
    digest_now(after);
    assert_string_equal(before, after);
    for (size_t i = 0; i < 40; i++) {
        (void)begin(state);
        change(&rules[i % 2], i / 2);
        digest_now(after);
        if (strcmp(before, after) == 0)
            fail_msg("change %zu is not seen", i);
    }
}

static void
a_credential_names_who_answers_for_it_and_what_it_may(void **state)
{
    struct buf members = { 0 };
    struct json *j;

    (void)state;
    record_credential(&members, 8, &credential);
    j = object_of(&members);
    counts(j, "generation", 8);
    says(j, "name", "github");
    says(j, "owner", "owner@example");
    says(j, "approved_by", "iam@example");
    says(j, "ticket", "SEC-2");
    counts(j, "rotate_every_s", 3600);
    says(j, "privileges", "write\nall");
    says(j, "source", "file");
    says(j, "revocation", "none");
    json_free(j);
    credential.source.kind = SOURCE_AUTHORITY;
    record_credential(&members, 8, &credential);
    j = object_of(&members);
    says(j, "source", "authority");
    json_free(j);
}

static void
tell_revocation(const char *source, const char *wanted)
{
    struct buf members = { 0 };
    struct json *j;

    record_credential(&members, 8, &credential);
    j = object_of(&members);
    says(j, "source", source);
    says(j, "revocation", wanted);
    json_free(j);
}

static void
who_is_asked_to_revoke_is_told_where_there_is_somebody(void **state)
{
    static const enum conf_source_kind kinds[] = { SOURCE_KEY, SOURCE_CERTIFICATE,
                                                   SOURCE_OAUTH, SOURCE_COMMAND };
    static const char *const words[] = { "key", "certificate", "oauth", "command" };

    (void)state;
    credential.source.revocation_endpoint = "https://as.example/revoke";
    for (size_t i = 0; i < 4; i++) {
        credential.source.kind = kinds[i];
        tell_revocation(words[i], kinds[i] == SOURCE_OAUTH
                                      ? "rfc7009 https://as.example/revoke"
                                      : "none");
    }
    credential.source.kind = SOURCE_OAUTH;
    credential.source.revocation_endpoint = NULL;
    tell_revocation("oauth", "none");
}

static void
a_generation_tells_its_config_and_how_much_it_holds(void **state)
{
    struct conf conf = { .grants = { &grant, 1 }, .credentials = { &credential, 1 } };
    struct buf members = { 0 };
    struct json *j;

    (void)state;
    conf.digest[0] = 0xab;
    record_generation(&members, 9, &conf);
    j = object_of(&members);
    counts(j, "generation", 9);
    counts(j, "grants", 1);
    counts(j, "credentials", 1);
    says(j, "digest",
         "ab00000000000000000000000000000000000000000000000000000000000000");
    json_free(j);
}

/* A digest's beginning is not the token, and joins it to the proofs' `ath`. */
static void
a_token_is_recorded_by_what_it_is_called_and_so_is_its_end(void **state)
{
    struct stage *s = *state;
    struct token *t = token_new(TEXT("mF_9.B5f-4.1JqM"), FORM_BEARER, NULL, NULL,
                                1798761599);
    const struct task_terms terms = { .conf = &s->conf,
                                      .grant = &s->grants[STANDING],
                                      .caller = s->grants[STANDING].caller };
    struct buf members = { 0 };
    struct task *k;
    struct json *j;

    assert_int_equal(task_new(s->authority, &terms, &k), REASON_OK);
    record_token(&members, k, "orders", t);
    assert_null(memmem(buf_text(&members).at, buf_text(&members).n, "mF_9", 4));
    j = object_of(&members);
    says(j, "grant", "standing");
    says(j, "credential", "orders");
    says(j, "token", "uOFIVFsTx4vHTaLx");
    says(j, "form", "bearer");
    says(j, "expires_at", "2026-12-31T23:59:59.000Z");
    says(j, "outcome", NULL);
    json_free(j);
    record_token_end(&members, k, NULL, t, "failed:as_timeout");
    j = object_of(&members);
    says(j, "credential", NULL);
    says(j, "token", "uOFIVFsTx4vHTaLx");
    says(j, "outcome", "failed:as_timeout");
    json_free(j);
    token_unref(t);
    task_unref(k);
}

/* What an operator wrote must not end a record. */
static void
no_record_holds_a_newline(void **state)
{
    struct buf members = { 0 };

    (void)state;
    grant.name = "a\nb";
    record_grant(&members, 1, &grant);
    record_credential(&members, 1, &credential);
    assert_null(memchr(buf_text(&members).at, '\n', buf_text(&members).n));
    buf_free(&members);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_grant_names_who_answers_for_it_and_how_far_it_goes),
        TEST(every_kind_of_task_and_caller_has_its_word),
        TEST(what_is_not_known_is_not_there),
        TEST(a_digest_of_rules_tells_every_change_but_that_of_their_place),
        TEST(a_digest_of_a_rule_that_signs_tells_how),
        TEST(a_credential_names_who_answers_for_it_and_what_it_may),
        TEST(who_is_asked_to_revoke_is_told_where_there_is_somebody),
        TEST(a_generation_tells_its_config_and_how_much_it_holds),
        TEST(no_record_holds_a_newline),
        cmocka_unit_test_setup_teardown(
            a_token_is_recorded_by_what_it_is_called_and_so_is_its_end, stage_open,
            stage_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
