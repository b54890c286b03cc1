/* proxy/lineage.c: which refresh token is presented next. */
#include "proxy/lineage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const unsigned char crm[SHA256_SIZE] = { 1 }, erp[SHA256_SIZE] = { 2 };

static void
assert_newest(struct list *l, const unsigned char *source, const char *file,
              const char *newest)
{
    struct text t = lineage_newest(l, source, text_z(file));

    assert_true(text_equals(t, text_z(newest)));
}

static void
the_newest_is_presented_until_the_file_holds_another(void **state)
{
    struct list l;

    (void)state;
    list_init(&l);
    lineage_take(&l, crm, TEXT("from nowhere"));
    assert_newest(&l, crm, "first", "first");
    lineage_take(&l, crm, TEXT("second"));
    assert_newest(&l, crm, "first", "second");
    lineage_take(&l, crm, TEXT("")); /* the server gave no other */
    assert_newest(&l, crm, "first", "second");
    assert_newest(&l, erp, "first", "first");
    assert_newest(&l, crm, "anew", "anew");
    assert_newest(&l, crm, "anew", "anew");
    lineages_clear(&l);
    assert_true(list_is_empty(&l));
}

static void
one_file_for_one_server_is_one_lineage_whatever_else_is_asked(void **state)
{
    struct conf_source a = { .grant_type = OAUTH_REFRESH_TOKEN,
                             .token_endpoint = "https://as/token",
                             .refresh_token = "/f" };
    struct conf_source b = a, file = a, server = a, none = a;
    unsigned char of_a[SHA256_SIZE], of_b[SHA256_SIZE], of_file[SHA256_SIZE];

    (void)state;
    b.scope = "more";
    file.refresh_token = "/g";
    server.token_endpoint = "https://as/toke";
    none.grant_type = OAUTH_CLIENT_CREDENTIALS;
    none.refresh_token = NULL;
    assert_true(lineage_is_shared(&a, &b));
    assert_false(lineage_is_shared(&a, &file) || lineage_is_shared(&a, &server) ||
                 lineage_is_shared(&a, &none) || lineage_is_shared(&none, &a));
    lineage_name(&a, of_a);
    lineage_name(&b, of_b);
    lineage_name(&file, of_file);
    assert_memory_equal(of_a, of_b, sizeof of_a);
    assert_memory_not_equal(of_a, of_file, sizeof of_a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_is_presented_until_the_file_holds_another),
        cmocka_unit_test(one_file_for_one_server_is_one_lineage_whatever_else_is_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
