/* tokens/vault.c: certificates with their keys, and what an `oauth` credential's files
 * hold; what happens while they are being changed. */
#include "tests/unit/certs/scratch.h"

#include "tokens/vault.h"

#include <unistd.h>

enum { SHOP, LEDGER, AS, CREDENTIALS };

static struct conf_credential credentials[CREDENTIALS];
static struct conf conf;
static char paths[8][PATH_MAX];
static size_t n_paths;

static const char *
path_of(const char *name)
{
    strcpy(paths[n_paths], in_scratch(name));
    return paths[n_paths++];
}

static int
begin(void **state)
{
    if (scratch_begin(state) != 0)
        return -1;
    n_paths = 0;
    credentials[SHOP] = (struct conf_credential){
        .place = { "main.conf", 12 },
        .name = "shop",
        .source = { .kind = SOURCE_CERTIFICATE,
                    .certificate = path_of("shop.pem"),
                    .key = path_of("shop.key") },
    };
    credentials[LEDGER] = (struct conf_credential){
        .name = "ledger",
        .source = { .kind = SOURCE_CERTIFICATE,
                    .certificate = path_of("ledger.pem"),
                    .key = path_of("ledger.key") },
    };
    credentials[AS] = (struct conf_credential){
        .name = "as",
        .source = { .kind = SOURCE_OAUTH,
                    .client_secret = path_of("secret"),
                    .subject_token = path_of("subject") },
    };
    conf.credentials = (struct groups){ .at = credentials, .n = CREDENTIALS };
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, scratch_end)

/* A self-signed one, whose files are written in place. */
static void
make_pair(const char *name)
{
    assert_int_equal(run("cd %s && umask 077 && openssl req -x509 -nodes -subj /CN=%s "
                         "-days 30 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
                         "-keyout %s.key -out %s.pem 2>openssl.log",
                         scratch, name, name, name),
                     0);
}

static void
put(const char *name, mode_t mode, const char *bytes)
{
    assert_int_equal(file_write(in_scratch(name), mode, text_z(bytes)), REASON_OK);
}

static struct pair *
pair_in(const struct vault *v, size_t credential)
{
    struct pair *p;
    enum reason why = vault_pair(v, &credentials[credential], &p);

    assert_int_equal(why, p != NULL ? REASON_OK : REASON_CREDENTIAL_UNAVAILABLE);
    return p;
}

static void
each_certificate_is_held_with_the_key_of_its_own(void **state)
{
    struct vault *v;
    size_t held, missing;

    (void)state;
    make_pair("shop");
    make_pair("ledger");
    assert_int_equal(chmod(in_scratch("shop.pem"), 0644), 0);
    v = vault_read(&conf);
    assert_non_null(pair_in(v, SHOP));
    assert_non_null(pair_in(v, LEDGER));
    assert_string_not_equal(pair_thumbprint(pair_in(v, SHOP)),
                            pair_thumbprint(pair_in(v, LEDGER)));
    assert_null(vault_fault(v, &credentials[SHOP]));
    assert_true(vault_written_s(v, &credentials[SHOP]) > 0);
    assert_int_equal(vault_settles_ms(v), 0);
    vault_count(v, &held, &missing);
    assert_int_equal(held, 2);
    assert_int_equal(missing, 1);
    vault_unref(v);
}

static const struct {
    const char *change; /* in the scratch directory */
    const char *said;
} rows[] = {
    { "rm shop.key", "shop.key: No such file" },
    { "rm shop.pem", "shop.pem: No such file" },
    { "chmod 0644 shop.key", "chmod 0400" },
    { "chmod 0666 shop.pem", "chmod 0644" },
    { "cp ledger.key shop.key", "not the certificate's" },
    { "cp shop.key shop.pem", "not one in PEM" },
    { ": >shop.key", "is empty" },
};

static void
a_pair_that_cannot_be_used_is_not_lent_and_it_is_said_why(void **state)
{
    struct vault *v;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(truncate(in_scratch("log"), 0), 0);
        make_pair("shop");
        make_pair("ledger");
        assert_int_equal(run("cd %s && %s", scratch, rows[i].change), 0);
        v = vault_read(&conf);
        if (pair_in(v, SHOP) != NULL)
            fail_msg("%s: it is lent", rows[i].change);
        assert_int_equal(vault_written_s(v, &credentials[SHOP]), 0);
        vault_tell(v);
        if (!log_says(rows[i].said) || !log_says("credentials.shop"))
            fail_msg("%s: the log does not tell", rows[i].change);
        assert_false(log_says("BEGIN"));
        assert_non_null(pair_in(v, LEDGER));
        vault_unref(v);
        assert_int_equal(run("cd %s && chmod 0600 shop.*; rm shop.*", scratch), 0);
    }
}

/* The key is written some time after its certificate. */
static void
between_the_two_halves_of_a_change_the_pair_before_is_lent(void **state)
{
    struct vault *first, *between, *still, *last;
    const int64_t begun_ms = 1000;

    (void)state;
    make_pair("shop");
    make_pair("ledger");
    first = vault_read_again(&conf, NULL, begun_ms);
    assert_int_equal(run("cp %s/ledger.pem %s/shop.pem", scratch, scratch), 0);
    between = vault_read_again(&conf, first, begun_ms);
    assert_ptr_equal(pair_in(between, SHOP), pair_in(first, SHOP));
    assert_null(vault_fault(between, &credentials[SHOP]));
    assert_int_equal(vault_settles_ms(between), begun_ms + VAULT_SETTLE_MS);
    vault_tell(between);
    assert_true(log_says("the certificate before is shown"));
    vault_unref(first);
    still = vault_read_again(&conf, between, begun_ms + VAULT_SETTLE_MS - 1);
    assert_ptr_equal(pair_in(still, SHOP), pair_in(between, SHOP));
    assert_int_equal(vault_settles_ms(still), begun_ms + VAULT_SETTLE_MS);
    assert_int_equal(run("cp %s/ledger.key %s/shop.key", scratch, scratch), 0);
    last = vault_read_again(&conf, still, begun_ms + VAULT_SETTLE_MS - 1);
    assert_string_equal(pair_thumbprint(pair_in(last, SHOP)),
                        pair_thumbprint(pair_in(last, LEDGER)));
    assert_int_equal(vault_settles_ms(last), 0);
    vault_unref(between);
    vault_unref(still);
    vault_unref(last);
}

static void
halves_that_never_come_to_fit_end_the_pair_before(void **state)
{
    struct vault *first, *between, *after;

    (void)state;
    make_pair("shop");
    make_pair("ledger");
    first = vault_read_again(&conf, NULL, 1);
    assert_int_equal(run("cp %s/ledger.pem %s/shop.pem", scratch, scratch), 0);
    between = vault_read_again(&conf, first, 1);
    after = vault_read_again(&conf, between, 1 + VAULT_SETTLE_MS);
    assert_null(pair_in(after, SHOP));
    assert_non_null(strstr(vault_fault(after, &credentials[SHOP]), "shop.pem"));
    assert_int_equal(vault_settles_ms(after), 0);
    vault_unref(first);
    vault_unref(between);
    vault_unref(after);
}

static void
a_key_that_is_taken_away_takes_its_pair_away_at_once(void **state)
{
    struct vault *first, *after;

    (void)state;
    make_pair("shop");
    first = vault_read_again(&conf, NULL, 1);
    assert_non_null(pair_in(first, SHOP));
    assert_int_equal(unlink(in_scratch("shop.key")), 0);
    after = vault_read_again(&conf, first, 2);
    assert_null(pair_in(after, SHOP));
    vault_unref(first);
    vault_unref(after);
}

static void
what_an_oauth_credential_names_is_lent_by_its_path(void **state)
{
    struct vault *v;
    struct text t;

    (void)state;
    put("secret", 0400, "p\xc3\xa4ss word\n");
    put("subject", 0440, "a.b.c");
    v = vault_read(&conf);
    assert_int_equal(vault_text(v, credentials[AS].source.client_secret, &t),
                     REASON_OK);
    assert_true(text_equals(t, TEXT("p\xc3\xa4ss word")));
    assert_int_equal(vault_text(v, in_scratch("subject"), &t), REASON_OK);
    assert_true(text_equals(t, TEXT("a.b.c")));
    assert_int_equal(vault_text(v, in_scratch("shop.key"), &t),
                     REASON_CREDENTIAL_UNAVAILABLE);
    assert_null(t.at);
    assert_null(vault_fault(v, &credentials[AS]));
    vault_unref(v);
}

static void
one_bad_file_of_several_is_its_credential_s_fault_and_the_others_are_lent(void **state)
{
    struct vault *v;
    struct text t;

    (void)state;
    put("secret", 0400, "one\ntwo");
    put("subject", 0440, "a.b.c");
    v = vault_read(&conf);
    assert_int_equal(vault_text(v, credentials[AS].source.client_secret, &t),
                     REASON_CREDENTIAL_UNAVAILABLE);
    assert_int_equal(vault_text(v, credentials[AS].source.subject_token, &t),
                     REASON_OK);
    assert_non_null(strstr(vault_fault(v, &credentials[AS]), "control bytes"));
    vault_unref(v);
}

static void
count_path(void *owner, const char *path)
{
    size_t *n = owner;

    assert_true(text_starts(text_z(path), text_z(scratch)));
    ++*n;
}

static void
every_file_that_is_read_is_told_to_who_watches(void **state)
{
    size_t n = 0;

    (void)state;
    vault_each_path(&conf, count_path, &n);
    assert_int_equal(n, 6);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_certificate_is_held_with_the_key_of_its_own),
        TEST(a_pair_that_cannot_be_used_is_not_lent_and_it_is_said_why),
        TEST(between_the_two_halves_of_a_change_the_pair_before_is_lent),
        TEST(halves_that_never_come_to_fit_end_the_pair_before),
        TEST(a_key_that_is_taken_away_takes_its_pair_away_at_once),
        TEST(what_an_oauth_credential_names_is_lent_by_its_path),
        TEST(one_bad_file_of_several_is_its_credential_s_fault_and_the_others_are_lent),
        TEST(every_file_that_is_read_is_told_to_who_watches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
