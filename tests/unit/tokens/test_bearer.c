/* A secret on a request: where it stands, and what it is never put beside. */
#include "tokens/binding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct arena *arena;
static struct headers headers;
static struct secret *secret;
static struct evidence evidence;

static int
begin(void **state)
{
    (void)state;
    arena = arena_new();
    headers_init(&headers, arena);
    headers_add(&headers, TEXT("Accept"), TEXT("*/*"));
    secret = secret_new("s3cr3t", 6);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    secret_free(secret);
    arena_free(arena);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static enum reason
present(const struct means *with, enum binding b, const char *scheme)
{
    struct presented request = { .scheme = text_z(scheme), .method = TEXT("GET") };

    return binding_present(with, b, &request, 1000000, &headers, &evidence);
}

static void
assert_field(const char *name, const char *value)
{
    const struct field *f = headers_get(&headers, text_z(name));

    assert_non_null(f);
    assert_int_equal(headers_count(&headers, text_z(name)), 1);
    assert_true(text_equals(f->value, text_z(value)));
    assert_true(f->never_index);
}

static void
bearer_stands_in_authorization_alone(void **state)
{
    const struct means with = { .secret = secret };

    (void)state;
    headers_add(&headers, TEXT("authorization"), TEXT("Bearer theirs"));
    assert_int_equal(present(&with, BINDING_BEARER, "https"), REASON_OK);
    assert_field("Authorization", "Bearer s3cr3t");
    assert_string_equal(evidence.binding, "bearer");
    assert_true(text_is_empty(evidence.proof_id));
    assert_int_equal(headers.n, 2);
}

static void
header_stands_in_its_own_field_behind_its_prefix(void **state)
{
    struct means with = { .secret = secret, .header = "X-Api-Key" };

    (void)state;
    headers_add(&headers, TEXT("x-api-key"), TEXT("theirs"));
    headers_add(&headers, TEXT("X-API-KEY"), TEXT("theirs too"));
    assert_int_equal(present(&with, BINDING_HEADER, "https"), REASON_OK);
    assert_field("X-Api-Key", "s3cr3t");
    assert_string_equal(evidence.binding, "header");
    with.prefix = "token ";
    assert_int_equal(present(&with, BINDING_HEADER, "https"), REASON_OK);
    assert_field("X-Api-Key", "token s3cr3t");
    assert_int_equal(headers.n, 2);
}

/* The secret's owner may let it go while the request still waits to be written. */
static void
what_is_presented_is_a_copy(void **state)
{
    const struct means with = { .secret = secret };

    (void)state;
    assert_int_equal(present(&with, BINDING_BEARER, "https"), REASON_OK);
    secret_free(secret);
    secret = NULL;
    assert_field("Authorization", "Bearer s3cr3t");
}

static void
without_what_it_needs_a_binding_cannot_be_done_and_adds_nothing(void **state)
{
    const struct means nothing = { .header = "X-Api-Key" };
    const struct means no_header = { .secret = secret };

    (void)state;
    assert_int_equal(present(&nothing, BINDING_BEARER, "https"), REASON_NO_BINDING);
    assert_int_equal(present(&nothing, BINDING_HEADER, "https"), REASON_NO_BINDING);
    assert_int_equal(present(&no_header, BINDING_HEADER, "https"), REASON_NO_BINDING);
    assert_int_equal(present(&no_header, BINDING_WIMSE, "https"), REASON_NO_BINDING);
    assert_int_equal(headers.n, 1);
    assert_null(evidence.binding);
}

static void
a_secret_is_never_put_on_a_plain_request(void **state)
{
    const struct means with = { .secret = secret, .header = "X-Api-Key" };

    (void)state;
    assert_int_equal(present(&with, BINDING_BEARER, "http"), REASON_PLAIN_CREDENTIAL);
    assert_int_equal(present(&with, BINDING_HEADER, "http"), REASON_PLAIN_CREDENTIAL);
    assert_int_equal(present(&with, BINDING_BEARER, ""), REASON_PLAIN_CREDENTIAL);
    assert_int_equal(headers.n, 1);
}

static void
an_access_token_bound_to_nothing_is_a_bearers(void **state)
{
    struct token *token = token_new(TEXT("t0k3n"), FORM_BEARER, NULL, NULL, 0);
    const struct means with = { .token = token };

    (void)state;
    assert_int_equal(present(&with, BINDING_BEARER, "https"), REASON_OK);
    assert_field("Authorization", "Bearer t0k3n");
    assert_string_equal(evidence.binding, "bearer");
    assert_true(text_is_empty(evidence.thumbprint));
    assert_int_equal(present(&with, BINDING_HEADER, "https"), REASON_NO_BINDING);
    token_unref(token);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bearer_stands_in_authorization_alone),
        TEST(header_stands_in_its_own_field_behind_its_prefix),
        TEST(what_is_presented_is_a_copy),
        TEST(without_what_it_needs_a_binding_cannot_be_done_and_adds_nothing),
        TEST(a_secret_is_never_put_on_a_plain_request),
        TEST(an_access_token_bound_to_nothing_is_a_bearers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
