#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tokens/identifier.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *t, *domain; /* domain NULL: refused */
} rows[] = {
    { "spiffe://prod.example/ns/agents/sa/builder", "prod.example" },
    { "wimse://example.com/specific-workload", "example.com" },
    { "wimse://example.com/a:b@c=d;e", "example.com" },
    { "spiffe://a/b", "a" },
    { "spiffe://a_b-c.1/B", "a_b-c.1" },

    { "", NULL },
    { "spiffe", NULL },
    { "spiffe://", NULL },
    { "spiffe:///x", NULL },
    { "spiffe://prod.example", NULL },
    { "spiffe://prod.example/", NULL },
    { "spiffe://prod.example/a/", NULL },
    { "spiffe://prod.example//a", NULL },
    { "spiffe://prod.example/a//b", NULL },
    { "spiffe://prod.example/.", NULL },
    { "spiffe://prod.example/a/../b", NULL },
    { "spiffe://prod.example/a%2fb", NULL },
    { "wimse://prod.example/a%2fb", NULL },
    { "spiffe://prod.example/a:b", NULL },
    { "spiffe://prod.example/*", NULL },
    { "spiffe://Prod.example/a", NULL },
    { "spiffe://user@prod.example/a", NULL },
    { "spiffe://prod.example:443/a", NULL },
    { "spiffe://[::1]/a", NULL },
    { "spiffe://prod.example/a?b", NULL },
    { "spiffe://prod.example/a#b", NULL },
    { "wimse://prod.example/a?b", NULL },
    { "wimse://prod.example/a#b", NULL },
    { "SPIFFE://prod.example/a", NULL },
    { "https://prod.example/a", NULL },
    { "spiffe:/prod.example/a", NULL },
    { "spiffes://prod.example/a", NULL },
    { " spiffe://prod.example/a", NULL },
    { "spiffe://prod.example/a ", NULL },
    { "spiffe://prod.example/\xc3\xa9", NULL },
    { "wimse://prod.example/\xc3\xa9", NULL },
};

static void
an_identifier_has_one_spelling_and_names_its_trust_domain(void **state)
{
    struct identifier id;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool good = identifier_parse(text_z(rows[i].t), &id);

        if (good != (rows[i].domain != NULL))
            fail_msg("%s: %s", rows[i].t, good ? "taken" : "refused");
        if (good)
            assert_true(text_equals(id.domain, text_z(rows[i].domain)));
    }
}

static void
an_identifier_of_2048_bytes_is_the_longest(void **state)
{
    static char t[IDENTIFIER_MAX + 2] = "spiffe://prod.example/";
    struct identifier id;

    (void)state;
    memset(t + strlen(t), 'a', IDENTIFIER_MAX + 1 - strlen(t));
    assert_true(identifier_parse(text_of(t, IDENTIFIER_MAX), &id));
    assert_false(identifier_parse(text_of(t, IDENTIFIER_MAX + 1), &id));
}

static void
a_nul_byte_is_no_part_of_an_identifier(void **state)
{
    struct identifier id;

    (void)state;
    assert_false(identifier_parse(TEXT("spiffe://prod.example/a\0b"), &id));
    assert_false(identifier_parse(TEXT("wimse://prod.example\0/b"), &id));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_identifier_has_one_spelling_and_names_its_trust_domain),
        cmocka_unit_test(an_identifier_of_2048_bytes_is_the_longest),
        cmocka_unit_test(a_nul_byte_is_no_part_of_an_identifier),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
