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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_is_presented_until_the_file_holds_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
