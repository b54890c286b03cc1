/* show: which certificate a request's connection shows, and when it may not be made. */
#include "filters/show.h"

#include "base/clock.h"
#include "scene.h"
#include "tests/unit/certs/clients.h"

static const char *const mtls[] = { "mtls" };

static struct scene scene;
static struct conf_credential credential;
static struct vault *vault;
static char certificate[PATH_MAX], key[PATH_MAX];

static int
begin(void **state)
{
    if (scratch_begin(state) != 0)
        return -1;
    scene_set(&scene);
    make_authority("ca", NULL);
    make_client("ca", "shop", NULL);
    strcpy(certificate, in_scratch("shop.pem"));
    strcpy(key, in_scratch("shop.key"));
    credential = (struct conf_credential){
        .name = "shop",
        .source = { .kind = SOURCE_CERTIFICATE, .certificate = certificate, .key = key }
    };
    scene.conf.credentials = (struct groups){ .at = &credential, .n = 1 };
    scene.rule.credential = "shop";
    scene.rule.bind = (struct strings){ .at = mtls, .n = 1 };
    scene.view.now_s = clock_wall_s();
    scene.view.vault = vault = vault_read(&scene.conf);
    return 0;
}

static int
end(void **state)
{
    vault_unref(vault);
    scene_clear(&scene);
    return scratch_end(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static void
a_rule_bound_by_its_certificate_shows_it(void **state)
{
    struct pair *held, *shown;

    (void)state;
    assert_int_equal(vault_pair(vault, &credential, &held), REASON_OK);
    assert_int_equal(show_find_pair(&scene.view, &shown), REASON_OK);
    assert_ptr_equal(shown, held);
}

static void
a_rule_without_a_credential_shows_none(void **state)
{
    struct pair *shown;

    (void)state;
    scene.rule.credential = NULL;
    assert_int_equal(show_find_pair(&scene.view, &shown), REASON_OK);
    assert_null(shown);
}

static void
a_rule_whose_credential_is_no_certificate_shows_none(void **state)
{
    static const char *const wimse[] = { "wimse" };
    struct pair *shown;

    (void)state;
    credential.source = (struct conf_source){ .kind = SOURCE_AUTHORITY };
    scene.rule.bind = (struct strings){ .at = wimse, .n = 1 };
    assert_int_equal(show_find_pair(&scene.view, &shown), REASON_OK);
    assert_null(shown);
}

static void
a_certificate_that_cannot_be_had_is_not_done_without(void **state)
{
    struct pair *shown;

    (void)state;
    scene.view.vault = NULL;
    assert_int_equal(show_find_pair(&scene.view, &shown),
                     REASON_CREDENTIAL_UNAVAILABLE);
    assert_int_equal(unlink(key), 0);
    vault_unref(vault);
    scene.view.vault = vault = vault_read(&scene.conf);
    assert_int_equal(show_find_pair(&scene.view, &shown),
                     REASON_CREDENTIAL_UNAVAILABLE);
    assert_null(shown);
}

static void
a_certificate_that_has_expired_is_shown_to_nobody(void **state)
{
    struct pair *held, *shown;

    (void)state;
    assert_int_equal(vault_pair(vault, &credential, &held), REASON_OK);
    scene.view.now_s = pair_expires_s(held);
    assert_int_equal(show_find_pair(&scene.view, &shown), REASON_OK);
    scene.view.now_s++;
    assert_int_equal(show_find_pair(&scene.view, &shown),
                     REASON_CLIENT_CERTIFICATE_EXPIRED);
    assert_null(shown);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_rule_bound_by_its_certificate_shows_it),
        TEST(a_rule_without_a_credential_shows_none),
        TEST(a_rule_whose_credential_is_no_certificate_shows_none),
        TEST(a_certificate_that_cannot_be_had_is_not_done_without),
        TEST(a_certificate_that_has_expired_is_shown_to_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
