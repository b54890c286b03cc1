/* tokens/vault.c: what is read, what is refused and why, and that nothing of a secret
 * is ever told. */
#include "tests/unit/certs/scratch.h"

#include "tokens/jws.h"
#include "tokens/vault.h"

#include <errno.h>

enum { CREDENTIALS = 3 };

static struct conf_credential credentials[CREDENTIALS];
static struct conf conf;

static int
begin(void **state)
{
    if (scratch_begin(state) != 0)
        return -1;
    memset(credentials, 0, sizeof credentials);
    credentials[0] = (struct conf_credential){ .name = "orders",
                                               .source.kind = SOURCE_AUTHORITY };
    credentials[1] = (struct conf_credential){ .place = { "main.conf", 12 },
                                               .name = "github",
                                               .source.kind = SOURCE_FILE };
    credentials[2] = (struct conf_credential){ .place = { "main.conf", 20 },
                                               .name = "crm",
                                               .source.kind = SOURCE_FILE };
    credentials[1].source.path = strdup(in_scratch("github"));
    credentials[2].source.path = strdup(in_scratch("crm"));
    conf.credentials = (struct groups){ .at = credentials, .n = CREDENTIALS };
    return 0;
}

static int
end(void **state)
{
    free((char *)(uintptr_t)credentials[1].source.path);
    free((char *)(uintptr_t)credentials[2].source.path);
    return scratch_end(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static void
put(const char *name, mode_t mode, const char *bytes, size_t n)
{
    assert_int_equal(file_write(in_scratch(name), mode, text_of(bytes, n)), REASON_OK);
}

static void
each_credential_has_the_secret_of_its_own_file(void **state)
{
    const struct secret *s;
    struct vault *v;

    (void)state;
    put("github", 0400, "ghp_real\n", 9);
    put("crm", 0440, "k 1", 3);
    v = vault_read(&conf);
    assert_int_equal(vault_find(v, &credentials[1], &s), REASON_OK);
    assert_true(text_equals(secret_reveal(s), TEXT("ghp_real")));
    assert_int_equal(vault_find(v, &credentials[2], &s), REASON_OK);
    assert_true(text_equals(secret_reveal(s), TEXT("k 1")));
    assert_int_equal(vault_find(v, &credentials[0], &s), REASON_CREDENTIAL_UNAVAILABLE);
    assert_null(s);
    vault_unref(v);
}

static const struct {
    const char *name;
    const char *bytes;
    size_t n;
    mode_t mode;
    const char *said;
} rows[] = {
    { "empty", "", 0, 0400, "is empty" },
    { "a newline alone", "\n", 1, 0400, "is empty" },
    { "two lines", "s3cr3t\nmore", 11, 0400, "cannot stand in a header field" },
    { "two newlines", "s3cr3t\n\n", 8, 0400, "cannot stand in a header field" },
    { "NUL", "s3cr3t\0x", 8, 0400, "cannot stand in a header field" },
    { "a tab", "s3cr3t\tx", 8, 0400, "cannot stand in a header field" },
    { "not ASCII", "s3cr3t\xc3\xa9", 8, 0400, "cannot stand in a header field" },
    { "a space before", " s3cr3t", 7, 0400, "cannot stand in a header field" },
    { "a space behind", "s3cr3t ", 7, 0400, "cannot stand in a header field" },
    { "others may read", "s3cr3t", 6, 0644, "chmod 0400" },
    { "group may write", "s3cr3t", 6, 0660, "chmod 0400" },
};

static void
a_file_that_cannot_be_used_refuses_and_says_what_to_do(void **state)
{
    const struct secret *s;
    struct vault *v;

    (void)state;
    put("crm", 0400, "other", 5);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(log_open(in_scratch("log"), LOG_JSON, LOG_DEBUG), REASON_OK);
        assert_int_equal(truncate(in_scratch("log"), 0), 0);
        put("github", rows[i].mode, rows[i].bytes, rows[i].n);
        v = vault_read(&conf);
        assert_non_null(vault_fault(v, &credentials[1]));
        assert_null(vault_fault(v, &credentials[2]));
        assert_false(log_says("credentials"));
        vault_tell(v);
        if (vault_find(v, &credentials[1], &s) != REASON_CREDENTIAL_UNAVAILABLE)
            fail_msg("%s: it was taken", rows[i].name);
        assert_null(s);
        if (!log_says(rows[i].said) || !log_says("credentials.github") ||
            !log_says("main.conf:12"))
            fail_msg("%s: the log does not tell", rows[i].name);
        assert_false(log_says("s3cr3t"));
        assert_int_equal(vault_find(v, &credentials[2], &s), REASON_OK);
        vault_unref(v);
    }
}

static void
a_secret_of_16_kib_is_taken_and_a_longer_one_is_not(void **state)
{
    char *bytes = malloc(16 * 1024 + 1);
    const struct secret *s;
    struct vault *v;

    (void)state;
    memset(bytes, 'a', 16 * 1024 + 1);
    put("github", 0400, bytes, 16 * 1024);
    put("crm", 0400, bytes, 16 * 1024 + 1);
    free(bytes);
    v = vault_read(&conf);
    assert_int_equal(vault_find(v, &credentials[1], &s), REASON_OK);
    assert_int_equal(secret_reveal(s).n, 16 * 1024);
    assert_int_equal(vault_find(v, &credentials[2], &s), REASON_CREDENTIAL_UNAVAILABLE);
    assert_non_null(strstr(vault_fault(v, &credentials[2]), "too long"));
    vault_unref(v);
}

static void
a_missing_file_refuses_and_the_next_vault_has_what_came(void **state)
{
    const struct secret *s;
    struct vault *v, *next;

    (void)state;
    v = vault_read(&conf);
    assert_int_equal(vault_find(v, &credentials[1], &s), REASON_CREDENTIAL_UNAVAILABLE);
    put("github", 0400, "back", 4);
    next = vault_read(&conf);
    assert_int_equal(vault_find(v, &credentials[1], &s), REASON_CREDENTIAL_UNAVAILABLE);
    assert_int_equal(vault_find(next, &credentials[1], &s), REASON_OK);
    vault_ref(next);
    vault_unref(next);
    assert_int_equal(vault_find(next, &credentials[1], &s), REASON_OK);
    vault_unref(next);
    vault_unref(v);
    vault_unref(NULL);
}

static void
an_operators_key_is_lent_or_said_what_is_wrong_with_it(void **state)
{
    struct key *made = key_new();
    char thumbprint[THUMBPRINT_SIZE];
    const struct key *k;
    struct text id;
    struct vault *v;

    (void)state;
    credentials[1].source.kind = SOURCE_KEY;
    credentials[2].source.kind = SOURCE_KEY;
    assert_int_equal(key_save(made, credentials[1].source.path), REASON_OK);
    put("crm", 0400, "no key", 6);
    v = vault_read(&conf);
    assert_int_equal(vault_key(v, credentials[1].source.path, &k, &id), REASON_OK);
    key_thumbprint(made, thumbprint);
    assert_true(text_equals(id, text_of(thumbprint, sizeof thumbprint)));
    assert_int_equal(key_kind_of(k), KEY_P256);
    assert_null(vault_fault(v, &credentials[1]));
    assert_int_equal(vault_key(v, credentials[2].source.path, &k, &id),
                     REASON_CREDENTIAL_UNAVAILABLE);
    assert_null(k);
    assert_non_null(strstr(vault_fault(v, &credentials[2]), "not a private key"));
    assert_int_equal(vault_key(v, "elsewhere", &k, &id), REASON_CREDENTIAL_UNAVAILABLE);
    vault_unref(v);
    key_free(made);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_credential_has_the_secret_of_its_own_file),
        TEST(a_file_that_cannot_be_used_refuses_and_says_what_to_do),
        TEST(a_secret_of_16_kib_is_taken_and_a_longer_one_is_not),
        TEST(a_missing_file_refuses_and_the_next_vault_has_what_came),
        TEST(an_operators_key_is_lent_or_said_what_is_wrong_with_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
