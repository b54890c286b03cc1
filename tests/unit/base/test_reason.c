/* Every row of reason.def holds together. */
#include "base/reason.h"

#include <ctype.h>
#include <stdbool.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
ok_is_zero_and_says_so(void **state)
{
    (void)state;
    assert_int_equal(REASON_OK, 0);
    assert_string_equal(reason_token(REASON_OK), "ok");
    assert_int_equal(reason_status(REASON_OK), 200);
    assert_string_equal(reason_proxy_error(REASON_OK), "");
}

static void
every_token_is_one_lower_snake_case_word(void **state)
{
    (void)state;
    for (int why = 0; why < REASON_COUNT; why++) {
        const char *token = reason_token((enum reason)why);

        assert_non_null(token);
        assert_true(islower((unsigned char)token[0]));
        for (const char *c = token; *c != '\0'; c++)
            assert_true(islower((unsigned char)*c) || isdigit((unsigned char)*c) ||
                        *c == '_');
    }
}

static void
no_two_reasons_share_a_token(void **state)
{
    (void)state;
    for (int a = 0; a < REASON_COUNT; a++)
        for (int b = a + 1; b < REASON_COUNT; b++)
            assert_string_not_equal(reason_token((enum reason)a),
                                    reason_token((enum reason)b));
}

static void
a_reason_is_told_with_an_error_status_or_not_at_all(void **state)
{
    (void)state;
    for (int why = 1; why < REASON_COUNT; why++) {
        int status = reason_status((enum reason)why);

        if (status != 0)
            assert_in_range(status, 400, 599);
    }
}

/* RFC 9209 section 2.3: what a receiver may look up. */
static bool
is_registered(const char *error)
{
    static const char *const registered[] = {
        "dns_timeout",
        "dns_error",
        "destination_not_found",
        "destination_unavailable",
        "destination_ip_prohibited",
        "destination_ip_unroutable",
        "connection_refused",
        "connection_terminated",
        "connection_timeout",
        "connection_read_timeout",
        "connection_write_timeout",
        "connection_limit_reached",
        "tls_protocol_error",
        "tls_certificate_error",
        "tls_alert_received",
        "http_request_error",
        "http_request_denied",
        "http_response_incomplete",
        "http_response_header_section_size",
        "http_response_header_size",
        "http_response_body_size",
        "http_response_trailer_section_size",
        "http_response_trailer_size",
        "http_response_transfer_coding",
        "http_response_content_coding",
        "http_response_timeout",
        "http_upgrade_failed",
        "http_protocol_error",
        "proxy_internal_response",
        "proxy_internal_error",
        "proxy_configuration_error",
        "proxy_loop_detected",
    };

    for (size_t i = 0; i < sizeof(registered) / sizeof(registered[0]); i++)
        if (strcmp(error, registered[i]) == 0)
            return true;
    return false;
}

static void
what_is_told_has_a_registered_proxy_error_and_what_is_not_has_none(void **state)
{
    (void)state;
    for (int why = 1; why < REASON_COUNT; why++) {
        const char *error = reason_proxy_error((enum reason)why);

        if (reason_status((enum reason)why) == 0)
            assert_string_equal(error, "");
        else if (!is_registered(error))
            fail_msg("%s: %s is no error of RFC 9209", reason_token((enum reason)why),
                     error);
    }
}

static void
every_sentence_is_one_line_that_begins_and_ends_like_a_sentence(void **state)
{
    (void)state;
    for (int why = 0; why < REASON_COUNT; why++) {
        const char *sentence = reason_sentence((enum reason)why);
        size_t n = strlen(sentence);

        assert_true(n > 10);
        assert_true(isupper((unsigned char)sentence[0]));
        assert_int_equal(sentence[n - 1], '.');
        for (size_t i = 0; i < n; i++)
            assert_true(isprint((unsigned char)sentence[i]));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ok_is_zero_and_says_so),
        cmocka_unit_test(every_token_is_one_lower_snake_case_word),
        cmocka_unit_test(no_two_reasons_share_a_token),
        cmocka_unit_test(a_reason_is_told_with_an_error_status_or_not_at_all),
        cmocka_unit_test(
            what_is_told_has_a_registered_proxy_error_and_what_is_not_has_none),
        cmocka_unit_test(
            every_sentence_is_one_line_that_begins_and_ends_like_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
