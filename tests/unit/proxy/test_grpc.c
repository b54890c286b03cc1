/* proxy/grpc.h: what is a call, which status tells a refusal, and how its words go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/grpc.h"

static void
a_call_is_known_by_its_method_and_content_type(void **state)
{
    static const struct {
        const char *method, *type;
        bool is_grpc;
    } rows[] = {
        { "POST", "application/grpc", true },
        { "POST", "Application/gRPC", true },
        { "POST", "application/grpc+proto", true },
        { "POST", "application/grpc+json", true },
        { "POST", "application/grpc;charset=utf-8", true },
        { "POST", "application/grpc ; a=b", true },
        { "POST", "application/grpc-web", false },
        { "POST", "application/grpc-web+proto", false },
        { "POST", "application/grpcx", false },
        { "POST", "application/grp", false },
        { "POST", "application/json", false },
        { "POST", "", false },
        { "POST", NULL, false },
        { "GET", "application/grpc", false },
        { "post", "application/grpc", false },
    };
    struct arena *a = arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request r = { .method = text_z(rows[i].method) };

        headers_init(&r.headers, a);
        headers_add(&r.headers, TEXT("Accept"), TEXT("application/grpc"));
        if (rows[i].type != NULL)
            headers_add(&r.headers, TEXT("Content-Type"), text_z(rows[i].type));
        if (request_is_grpc(&r) != rows[i].is_grpc)
            fail_msg("row %zu", i);
    }
    arena_free(a);
}

static void
a_reason_is_told_by_the_status_that_its_client_acts_on(void **state)
{
    static const struct {
        enum reason why;
        int status;
    } rows[] = {
        { REASON_HOST_NOT_ALLOWED, 7 },
        { REASON_ADDRESS_PROHIBITED, 7 },
        { REASON_TASK_ENDED, 7 },
        { REASON_FOREIGN_HANDLE, 7 },
        { REASON_CONTEXT_REFUSED, 7 },
        { REASON_NAMES_DISAGREE, 7 },
        { REASON_NOT_OUR_NAME, 7 },
        { REASON_OWN_PORT, 7 },
        { REASON_PROXY_CREDENTIAL, 16 },
        { REASON_TOKEN_MISSING, 16 },
        { REASON_PROOF_REPLAYED, 16 },
        { REASON_TOKEN_SUBJECT, 7 },
        { REASON_FIELD_VALUE, 13 },
        { REASON_HEAD_TOO_LARGE, 13 },
        { REASON_PATH_MALFORMED, 13 },
        { REASON_SIGN, 13 },
        { REASON_INTERNAL, 13 },
        { REASON_HEAD_TIMEOUT, 4 },
        { REASON_BODY_TIMEOUT, 4 },
        { REASON_UPSTREAM_TIMEOUT, 4 },
        { REASON_IDLE, 4 },
        { REASON_CONNECT_FAILED, 14 },
        { REASON_CONNECT_TIMEOUT, 14 },
        { REASON_DNS_TIMEOUT, 14 },
        { REASON_UPSTREAM_CERTIFICATE, 14 },
        { REASON_UPSTREAM_CLOSED, 14 },
        { REASON_DRAINING, 14 },
        { REASON_LEDGER_FULL, 14 },
        { REASON_REPLAY_CACHE_FULL, 14 },
        { REASON_METHOD, 12 },
        { REASON_GRPC_NEEDS_HTTP2, 12 },
        { REASON_UPSTREAM_PROTOCOL, 12 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (grpc_status(rows[i].why) != rows[i].status)
            fail_msg("%s: %d", reason_token(rows[i].why), grpc_status(rows[i].why));
}

static void
no_refusal_is_told_as_success_or_as_cancelled_by_the_client(void **state)
{
    (void)state;
    for (enum reason why = 1; why < REASON_COUNT; why++) {
        if (reason_status(why) == 0)
            continue;
        assert_in_range(grpc_status(why), 2, 16);
        if (reason_status(why) == 403)
            assert_int_equal(grpc_status(why), 7);
    }
}

static void
assert_field(const struct headers *h, const char *name, const char *value)
{
    const struct field *f = headers_get(h, text_z(name));

    assert_int_equal(headers_count(h, text_z(name)), 1);
    if (!text_equals(f->value, text_z(value)))
        fail_msg("%s: %.*s", name, TEXT_ARG(f->value));
}

static void
an_answer_of_trailers_alone_is_a_head_and_nothing_behind_it(void **state)
{
    struct arena *a = arena_new();
    struct response r = { .status = 403,
                          .has_length = true,
                          .body = { BODY_LENGTH, 9 } };

    (void)state;
    headers_init(&r.headers, a);
    grpc_write_trailers_only(&r, 7, TEXT("not here"));
    assert_int_equal(r.status, 200);
    assert_int_equal(r.body.kind, BODY_NONE);
    assert_false(r.has_length);
    assert_field(&r.headers, "content-type", "application/grpc");
    assert_field(&r.headers, "grpc-status", "7");
    assert_field(&r.headers, "grpc-message", "not here");
    arena_free(a);
}

static void
the_words_of_an_answer_are_escaped_but_for_what_is_printed(void **state)
{
    static const struct {
        struct text words;
        const char *escaped;
    } rows[] = {
        { { "", 0 }, "" },
        { { " ~!\"'&+,;=/?", 12 }, " ~!\"'&+,;=/?" },
        { { "100%", 4 }, "100%25" },
        { { "a\r\nb\tc", 6 }, "a%0D%0Ab%09c" },
        { { "\xc3\xa4\x7f", 3 }, "%C3%A4%7F" },
        { { "a\0b", 3 }, "a%00b" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena *a = arena_new();
        struct response r = { .status = 403 };

        headers_init(&r.headers, a);
        grpc_write_trailers_only(&r, 14, rows[i].words);
        assert_field(&r.headers, "grpc-message", rows[i].escaped);
        arena_free(a);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_known_by_its_method_and_content_type),
        cmocka_unit_test(a_reason_is_told_by_the_status_that_its_client_acts_on),
        cmocka_unit_test(no_refusal_is_told_as_success_or_as_cancelled_by_the_client),
        cmocka_unit_test(an_answer_of_trailers_alone_is_a_head_and_nothing_behind_it),
        cmocka_unit_test(the_words_of_an_answer_are_escaped_but_for_what_is_printed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
