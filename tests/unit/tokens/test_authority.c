/* The authority's key on disk, and what it will put its name to. */
#include "forge.h"

#include "tokens/authority.h"
#include "tokens/wit.h"

#include <sys/stat.h>

static char directory[] = "/tmp/holdfast-authority-XXXXXX";
static char keep[64], key_file[96], jwks_file[96];

static const struct context context = {
    .workload = { WORKLOAD, sizeof WORKLOAD - 1 },
    .task = { "task-7", 6 },
    .grant = { "nightly-orders", 14 },
    .purpose = { "nightly-export", 14 },
    .owner = { "orders-team@example", 19 },
};

static enum reason
issue(struct authority_key *a, const struct context *c, int64_t exp_s, struct jws *out)
{
    struct key *holder = key_new();
    struct buf compact = { 0 };
    enum reason why = authority_issue(a, c, holder, NOW, exp_s, &compact);

    memset(out, 0, sizeof *out);
    if (why == REASON_OK)
        assert_int_equal(jws_parse(buf_text(&compact), out), JWS_FINE);
    else
        assert_int_equal(buf_length(&compact), 0);
    out->signed_part = (struct text){ NULL, 0 };
    buf_free(&compact);
    key_free(holder);
    return why;
}

static struct text
claim(const struct json *object, const char *name)
{
    struct text t = { NULL, 0 };

    (void)json_string(json_get(object, name), &t);
    return t;
}

static void
the_key_is_made_once_kept_private_and_read_again(void **state)
{
    struct authority_key *a;
    struct jws first, second;
    struct stat s;

    (void)state;
    assert_int_equal(authority_open(keep, "prod.example", &a), REASON_OK);
    assert_int_equal(issue(a, &context, NOW + 60, &first), REASON_OK);
    authority_free(a);
    assert_int_equal(stat(key_file, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0600);
    assert_int_equal(authority_open(keep, "prod.example", &a), REASON_OK);
    assert_int_equal(issue(a, &context, NOW + 60, &second), REASON_OK);
    assert_true(text_equals(first.kid, second.kid));
    assert_int_equal(first.kid.n, THUMBPRINT_SIZE);
    authority_free(a);
    jws_clear(&first);
    jws_clear(&second);
}

static void
a_key_that_cannot_be_read_is_not_replaced(void **state)
{
    struct authority_key *a;
    struct buf bytes = { 0 };

    (void)state;
    unlink(key_file);
    assert_int_equal(file_write(key_file, 0600, TEXT("spoiled")), REASON_OK);
    assert_int_not_equal(authority_open(keep, "prod.example", &a), REASON_OK);
    assert_null(a);
    assert_int_equal(file_read(key_file, 100, &bytes), REASON_OK);
    assert_true(text_equals(buf_text(&bytes), TEXT("spoiled")));
    buf_free(&bytes);
    unlink(key_file);
}

static void
a_key_that_others_can_read_is_refused(void **state)
{
    struct authority_key *a;

    (void)state;
    assert_int_equal(authority_open(keep, "prod.example", &a), REASON_OK);
    authority_free(a);
    assert_int_equal(chmod(key_file, 0644), 0);
    assert_int_equal(authority_open(keep, "prod.example", &a), REASON_FILE_UNSAFE);
    assert_null(a);
    unlink(key_file);
}

static void
a_link_in_the_keys_place_is_not_followed(void **state)
{
    struct authority_key *a;

    (void)state;
    assert_int_equal(symlink("/nowhere", key_file), 0);
    assert_int_not_equal(authority_open(keep, "prod.example", &a), REASON_OK);
    assert_null(a);
    unlink(key_file);
}

static void
a_name_that_is_no_trust_domain_is_refused(void **state)
{
    static const char *const names[] = {
        "",   "Prod.example", "spiffe://prod.example", "prod.example/", "prod example",
        "a:1"
    };
    struct authority_key *a;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(authority_open(keep, names[i], &a), REASON_CONFIG);
        assert_null(a);
    }
}

static void
what_is_published_is_readable_by_all_and_holds_no_private_part(void **state)
{
    struct authority_key *a;
    struct buf bytes = { 0 };
    struct stat s;

    (void)state;
    assert_int_equal(authority_open(keep, "prod.example", &a), REASON_OK);
    assert_int_equal(authority_publish(a, directory), REASON_OK);
    assert_int_equal(stat(jwks_file, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0644);
    assert_int_equal(file_read(jwks_file, 4096, &bytes), REASON_OK);
    buf_add_byte(&bytes, '\0');
    assert_null(strstr(buf_text(&bytes).at, "\"d\""));
    authority_free(a);
    buf_free(&bytes);
}

static void
a_token_says_who_until_when_for_what_and_whose_key_may_prove_it(void **state)
{
    struct authority_key *a;
    struct jws j;
    const struct json *ctx;
    int64_t at;

    (void)state;
    assert_int_equal(authority_open(keep, "prod.example", &a), REASON_OK);
    assert_int_equal(issue(a, &context, NOW + 900, &j), REASON_OK);
    assert_true(jws_typ_is(&j, "wit+jwt"));
    assert_true(text_equals(j.alg_word, TEXT("ES256")));
    assert_int_equal(json_count(j.header), 3);
    assert_true(text_equals(claim(j.claims, "iss"), TEXT("spiffe://prod.example")));
    assert_true(text_equals(claim(j.claims, "sub"), TEXT(WORKLOAD)));
    assert_int_equal(claim(j.claims, "jti").n, 22);
    assert_true(json_number(json_get(j.claims, "iat"), &at) && at == NOW);
    assert_true(json_number(json_get(j.claims, "exp"), &at) && at == NOW + 900);
    ctx = json_get(j.claims, CLAIM_CONTEXT);
    assert_true(text_equals(claim(ctx, "task"), context.task));
    assert_true(text_equals(claim(ctx, "grant"), context.grant));
    assert_true(text_equals(claim(ctx, "purpose"), context.purpose));
    assert_true(text_equals(claim(ctx, "owner"), context.owner));
    assert_true(text_equals(claim(json_get(json_get(j.claims, "cnf"), "jwk"), "alg"),
                            TEXT("ES256")));
    assert_int_equal(json_count(j.claims), 7);
    jws_clear(&j);
    authority_free(a);
}

static void
the_issuer_follows_the_workloads_scheme(void **state)
{
    struct context c = context;
    struct authority_key *a;
    struct jws j;

    (void)state;
    c.workload = TEXT("wimse://prod.example/builder");
    assert_int_equal(authority_open(keep, "prod.example", &a), REASON_OK);
    assert_int_equal(issue(a, &c, NOW + 900, &j), REASON_OK);
    assert_true(text_equals(claim(j.claims, "iss"), TEXT("wimse://prod.example")));
    jws_clear(&j);
    authority_free(a);
}

static void
quotes_in_the_context_stay_inside_their_claim(void **state)
{
    struct context c = context;
    struct authority_key *a;
    struct jws j;

    (void)state;
    c.purpose = TEXT("x\",\"task\":\"stolen\\");
    assert_int_equal(authority_open(keep, "prod.example", &a), REASON_OK);
    assert_int_equal(issue(a, &c, NOW + 900, &j), REASON_OK);
    assert_true(
        text_equals(claim(json_get(j.claims, CLAIM_CONTEXT), "purpose"), c.purpose));
    jws_clear(&j);
    authority_free(a);
}

static void
the_pod_is_named_where_it_is_known(void **state)
{
    struct context c = context;
    struct authority_key *a;
    struct wit wit = { 0 };

    (void)state;
    assert_int_equal(authority_open(keep, "prod.example", &a), REASON_OK);
    assert_int_equal(issue(a, &c, NOW + 900, &wit.jws), REASON_OK);
    assert_null(json_get(json_get(wit.jws.claims, CLAIM_CONTEXT), "pod"));
    wit.subject = c.workload;
    c.pod = TEXT("another's, from before");
    assert_int_equal(wit_context(&wit, &c), REASON_OK);
    assert_true(text_is_empty(c.pod));
    jws_clear(&wit.jws);

    c = context;
    c.pod = TEXT("7d9c1a52-0f3e-4b1d-8f43-6f2d1f0b9c11");
    assert_int_equal(issue(a, &c, NOW + 900, &wit.jws), REASON_OK);
    c.pod = text_of(NULL, 0);
    assert_int_equal(wit_context(&wit, &c), REASON_OK);
    assert_true(text_equals(c.pod, TEXT("7d9c1a52-0f3e-4b1d-8f43-6f2d1f0b9c11")));
    jws_clear(&wit.jws);
    authority_free(a);
}

/* Spoils one text of a good context. */
static const struct {
    const char *name;
    size_t offset;
    struct text to;
} spoiled[] = {
    { "no workload", offsetof(struct context, workload), { "", 0 } },
    { "workload no identifier", offsetof(struct context, workload), { "builder", 7 } },
    { "workload a domain", offsetof(struct context, workload), { "spiffe://a", 10 } },
    { "no task", offsetof(struct context, task), { "", 0 } },
    { "no grant", offsetof(struct context, grant), { "", 0 } },
    { "no purpose", offsetof(struct context, purpose), { "", 0 } },
    { "no owner", offsetof(struct context, owner), { "", 0 } },
    { "a line end in the owner", offsetof(struct context, owner), { "a\r\nb", 4 } },
    { "a line end in the pod", offsetof(struct context, pod), { "a\r\nb", 4 } },
    { "a NUL in the task", offsetof(struct context, task), { "a\0b", 3 } },
};

static void
a_context_no_gate_would_take_is_not_issued(void **state)
{
    static char longest[257];
    struct context c = context;
    struct authority_key *a;
    struct jws j;

    (void)state;
    assert_int_equal(authority_open(keep, "prod.example", &a), REASON_OK);
    for (size_t i = 0; i < sizeof spoiled / sizeof *spoiled; i++) {
        c = context;
        memcpy((char *)&c + spoiled[i].offset, &spoiled[i].to, sizeof spoiled[i].to);
        if (issue(a, &c, NOW + 900, &j) != REASON_MINT_TOKEN)
            fail_msg("%s", spoiled[i].name);
    }
    memset(longest, 'p', sizeof longest);
    c = context;
    c.purpose = text_of(longest, 256);
    assert_int_equal(issue(a, &c, NOW + 900, &j), REASON_OK);
    jws_clear(&j);
    c.purpose = text_of(longest, 257);
    assert_int_equal(issue(a, &c, NOW + 900, &j), REASON_MINT_TOKEN);
    assert_int_equal(issue(a, &context, NOW, &j), REASON_MINT_TOKEN); /* no time left */
    authority_free(a);
}

static void
a_token_that_cannot_be_issued_or_signed_is_a_failed_mint(void **state)
{
    struct authority_key *a;
    struct jws j;

    (void)state;
    assert_int_equal(authority_open(keep, "prod.example", &a), REASON_OK);
    authority_fail_issuing(true);
    assert_int_equal(issue(a, &context, NOW + 900, &j), REASON_MINT_TOKEN);
    authority_fail_issuing(false);
    key_fail_signing(true);
    assert_int_equal(issue(a, &context, NOW + 900, &j), REASON_MINT_TOKEN);
    key_fail_signing(false);
    assert_int_equal(issue(a, &context, NOW + 900, &j), REASON_OK);
    jws_clear(&j);
    authority_free(a);
}

static int
open_directory(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(keep, sizeof keep, "%s/keep", directory);
    snprintf(key_file, sizeof key_file, "%s/authority.key", keep);
    snprintf(jwks_file, sizeof jwks_file, "%s/jwks.json", directory);
    return 0;
}

static int
close_directory(void **state)
{
    (void)state;
    unlink(key_file);
    unlink(jwks_file);
    rmdir(keep);
    return rmdir(directory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_is_made_once_kept_private_and_read_again),
        cmocka_unit_test(a_key_that_cannot_be_read_is_not_replaced),
        cmocka_unit_test(a_key_that_others_can_read_is_refused),
        cmocka_unit_test(a_link_in_the_keys_place_is_not_followed),
        cmocka_unit_test(a_name_that_is_no_trust_domain_is_refused),
        cmocka_unit_test(
            what_is_published_is_readable_by_all_and_holds_no_private_part),
        cmocka_unit_test(
            a_token_says_who_until_when_for_what_and_whose_key_may_prove_it),
        cmocka_unit_test(the_issuer_follows_the_workloads_scheme),
        cmocka_unit_test(quotes_in_the_context_stay_inside_their_claim),
        cmocka_unit_test(the_pod_is_named_where_it_is_known),
        cmocka_unit_test(a_context_no_gate_would_take_is_not_issued),
        cmocka_unit_test(a_token_that_cannot_be_issued_or_signed_is_a_failed_mint),
    };

    return cmocka_run_group_tests(tests, open_directory, close_directory);
}
