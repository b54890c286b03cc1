/* certs/ca.c: the authority that is made once, kept and published. */
#include "certs/ca.h"

#include "base/clock.h"
#include "certs/key.h"
#include "certs/trust.h"
#include "tests/unit/certs/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/file.h>

#define DAY_S   INT64_C(86400)
#define YEAR_MS (365 * DAY_S * 1000)

static struct ca *
open_ca(const char *keep)
{
    struct ca *ca;

    assert_int_equal(ca_open(keep, YEAR_MS, &ca), REASON_OK);
    assert_non_null(ca);
    return ca;
}

static void
expect_refusal(const char *keep, enum reason why, const char *words)
{
    struct ca *ca;

    assert_int_equal(ca_open(keep, YEAR_MS, &ca), why);
    assert_null(ca);
    if (!log_says(words))
        fail_msg("the log does not say: %s", words);
}

static void
the_first_start_makes_a_ca_that_only_we_can_read(void **state)
{
    const char *keep = in_scratch("a/b/keep");
    struct ca *ca = open_ca(keep);

    (void)state;
    assert_int_equal(mode_of(keep), 0700);
    assert_int_equal(mode_of(in_scratch("a/b/keep/ca.key")), 0600);
    assert_int_equal(mode_of(in_scratch("a/b/keep/ca.pem")), 0644);
    ca_free(ca);
}

static void
a_restart_keeps_the_same_ca(void **state)
{
    struct ca *first = open_ca(in_scratch("keep")),
              *second = open_ca(in_scratch("keep"));

    (void)state;
    assert_int_equal(X509_cmp(ca_certificate(first), ca_certificate(second)), 0);
    assert_int_equal(EVP_PKEY_eq(ca_signing_key(first), ca_signing_key(second)), 1);
    ca_free(first);
    ca_free(second);
}

static void
two_cas_differ_in_name_serial_and_key(void **state)
{
    struct ca *a = open_ca(in_scratch("a")), *b = open_ca(in_scratch("b"));
    X509 *x = ca_certificate(a), *y = ca_certificate(b);

    (void)state;
    assert_int_not_equal(
        X509_NAME_cmp(X509_get_subject_name(x), X509_get_subject_name(y)), 0);
    assert_int_not_equal(
        ASN1_INTEGER_cmp(X509_get0_serialNumber(x), X509_get0_serialNumber(y)), 0);
    assert_int_equal(ASN1_STRING_length(X509_get0_serialNumber(x)), 16);
    assert_int_equal(EVP_PKEY_eq(ca_signing_key(a), ca_signing_key(b)), 0);
    ca_free(a);
    ca_free(b);
}

static const char *const traits[] = {
    "CA:TRUE, pathlen:0",
    "X509v3 Basic Constraints: critical",
    "X509v3 Key Usage: critical",
    "Certificate Sign, CRL Sign",
    "X509v3 Subject Key Identifier",
    "ASN1 OID: prime256v1",
    "Signature Algorithm: ecdsa-with-SHA256",
    "CN = Holdfast CA ",
};

static void
the_certificate_is_that_of_a_root_which_signs_leaves_alone(void **state)
{
    struct ca *ca = open_ca(in_scratch("keep"));

    (void)state;
    assert_int_equal(run("openssl x509 -text -noout -in %s > %s",
                         in_scratch("keep/ca.pem"), in_scratch("text")),
                     0);
    for (size_t i = 0; i < sizeof traits / sizeof *traits; i++)
        if (!file_says(in_scratch("text"), traits[i]))
            fail_msg("the certificate lacks: %s", traits[i]);
    assert_int_equal(run("openssl verify -x509_strict -CAfile %s %s >/dev/null",
                         in_scratch("keep/ca.pem"), in_scratch("keep/ca.pem")),
                     0);
    ca_free(ca);
}

/* ---- what is kept and cannot be used */

static const struct {
    const char *what;
    const char *done; /* in the directory that holds keep/ and other/, each with a CA */
    enum reason why;
    const char *words;
} damages[] = {
    { "a lost certificate", "rm keep/ca.pem", REASON_FILE_CONTENT, "delete both" },
    { "a lost key", "rm keep/ca.key", REASON_FILE_CONTENT, "delete both" },
    { "another's key", "cp -p other/ca.key keep/", REASON_FILE_CONTENT,
      "not the key of" },
    { "another's certificate", "cp -p other/ca.pem keep/", REASON_FILE_CONTENT,
      "not the key of" },
    { "half a certificate", "head -3 other/ca.pem > keep/ca.pem", REASON_FILE_CONTENT,
      "not a certificate" },
    { "an empty certificate", ": > keep/ca.pem", REASON_FILE_CONTENT,
      "not a certificate" },
    { "half a key", "head -c 60 other/ca.key > keep/ca.key", REASON_FILE_CONTENT,
      "ca.key" },
    { "a key others can read", "chmod 0644 keep/ca.key", REASON_FILE_UNSAFE, "ca.key" },
    { "a key behind a link", "mv keep/ca.key k && ln -s ../k keep/ca.key",
      REASON_FILE_UNSAFE, "ca.key" },
    { "a link to nowhere", "rm keep/ca.key && ln -s nowhere keep/ca.key",
      REASON_FILE_UNSAFE, "ca.key" },
    { "a directory others may enter", "chmod 0755 keep", REASON_FILE_UNSAFE, "keep" },
    { "a certificate that is no CA's",
      "openssl req -x509 -key keep/ca.key -subj /CN=x -addext "
      "basicConstraints=CA:FALSE "
      "-out keep/ca.pem",
      REASON_FILE_CONTENT, "not a self-signed CA" },
};

/* The bytes of both files, to see that nobody replaced them. */
static char *
kept_bytes(void)
{
    assert_int_equal(run("cd %s && cat keep/* > bytes 2>&1; true", scratch), 0);
    return read_text(in_scratch("bytes"));
}

static void
a_kept_pair_that_cannot_be_used_is_reported_and_never_replaced(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        char *before, *after;

        ca_free(open_ca(in_scratch("keep")));
        ca_free(open_ca(in_scratch("other")));
        assert_int_equal(run("cd %s && { %s; } 2>/dev/null", scratch, damages[i].done),
                         0);
        before = kept_bytes();
        expect_refusal(in_scratch("keep"), damages[i].why, damages[i].words);
        after = kept_bytes();
        if (strcmp(before, after) != 0)
            fail_msg("%s: what was kept has changed", damages[i].what);
        free(before);
        free(after);
        assert_int_equal(run("cd %s && rm -rf keep other k && : > log", scratch), 0);
    }
}

static void
an_expired_ca_is_reported_with_what_to_do(void **state)
{
    (void)state;
    ca_free(open_ca(in_scratch("keep")));
    clock_wall_shift(366 * DAY_S);
    expect_refusal(in_scratch("keep"), REASON_FILE_CONTENT, "has expired; restore");
    clock_wall_shift(-366 * DAY_S);
    ca_free(open_ca(in_scratch("keep")));
}

static void
a_ca_from_the_future_is_taken_for_a_wrong_clock(void **state)
{
    (void)state;
    ca_free(open_ca(in_scratch("keep")));
    clock_wall_shift(-DAY_S);
    expect_refusal(in_scratch("keep"), REASON_FILE_CONTENT, "clock");
    clock_wall_shift(DAY_S);
}

static void
a_second_starter_in_the_same_directory_waits_its_turn(void **state)
{
    int fd;

    (void)state;
    assert_int_equal(mkdir(in_scratch("keep"), 0700), 0);
    fd = open(in_scratch("keep"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    expect_refusal(in_scratch("keep"), REASON_FILE_UNREADABLE, "another Holdfast");
    assert_int_not_equal(access(in_scratch("keep/ca.key"), F_OK), 0);
    close(fd);
    ca_free(open_ca(in_scratch("keep")));
}

/* ---- publishing */

static unsigned
count_certificates(const char *path)
{
    FILE *f = fopen(path, "r");
    unsigned n = 0;
    X509 *x;

    assert_non_null(f);
    while ((x = PEM_read_X509(f, NULL, NULL, NULL)) != NULL) {
        X509_free(x);
        n++;
    }
    fclose(f);
    return n;
}

static void
what_is_published_is_readable_by_all_and_holds_no_key(void **state)
{
    struct ca *ca = open_ca(in_scratch("keep")), *other = open_ca(in_scratch("other"));
    struct dirent *entry;
    unsigned n = 0;
    DIR *d;

    (void)state;
    trust_set_system_roots(in_scratch("other/ca.pem"));
    assert_int_equal(ca_publish(ca, in_scratch("public")), REASON_OK);
    trust_set_system_roots(NULL);
    assert_int_equal(mode_of(in_scratch("public")), 0755);
    d = opendir(in_scratch("public"));
    while ((entry = readdir(d)) != NULL) {
        char path[PATH_MAX];

        if (entry->d_name[0] == '.' && strlen(entry->d_name) <= 2)
            continue;
        if (strcmp(entry->d_name, "certs") == 0)
            continue;
        snprintf(path, sizeof path, "%.200s/public/%s", scratch, entry->d_name);
        assert_int_equal(mode_of(path), 0644);
        assert_false(file_says(path, "PRIVATE"));
        n++;
    }
    closedir(d);
    assert_int_equal(n, 3); /* nothing half-written is left behind */
    assert_int_equal(count_certificates(in_scratch("public/ca.pem")), 1);
    assert_int_equal(count_certificates(in_scratch("public/bundle.pem")), 2);
    assert_int_equal(
        run("cd %s && cat other/ca.pem keep/ca.pem | cmp - public/bundle.pem && "
            "cmp keep/ca.pem public/ca.pem && "
            "cmp keep/ca.pem public/certs/$(openssl x509 -hash -noout < keep/ca.pem).0 "
            "&& "
            "openssl verify -no-CAfile -CApath public/certs keep/ca.pem > verified",
            scratch),
        0);
    ca_free(ca);
    ca_free(other);
}

static void
roots_without_a_last_newline_still_make_a_readable_bundle(void **state)
{
    struct ca *ca = open_ca(in_scratch("keep"));

    (void)state;
    assert_int_equal(
        run("cd %s && printf '%%s' \"$(cat keep/ca.pem)\" > roots", scratch), 0);
    trust_set_system_roots(in_scratch("roots"));
    assert_int_equal(ca_publish(ca, in_scratch("public")), REASON_OK);
    trust_set_system_roots(NULL);
    assert_int_equal(count_certificates(in_scratch("public/bundle.pem")), 2);
    ca_free(ca);
}

static void
without_system_roots_the_bundle_is_ours_alone_and_the_log_says_so(void **state)
{
    struct ca *ca = open_ca(in_scratch("keep"));

    (void)state;
    trust_set_system_roots(in_scratch("nothing-here"));
    assert_int_equal(ca_publish(ca, in_scratch("public")), REASON_OK);
    trust_set_system_roots(NULL);
    assert_int_equal(count_certificates(in_scratch("public/bundle.pem")), 1);
    assert_true(log_says("\"level\":\"warn\""));
    assert_true(log_says("our own CA alone"));
    ca_free(ca);
}

/* A reader that opened the old file keeps the old bytes: the new ones come under the
 * name by rename, never into the file. */
static void
publishing_again_replaces_the_files_whole(void **state)
{
    struct ca *old = open_ca(in_scratch("old")), *new = open_ca(in_scratch("new"));
    char before[64] = "", during[64] = "";
    int fd;

    (void)state;
    trust_set_system_roots(in_scratch("nothing-here"));
    assert_int_equal(ca_publish(old, in_scratch("public")), REASON_OK);
    fd = open(in_scratch("public/ca.pem"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, before, sizeof before - 1, 100), sizeof before - 1);
    assert_int_equal(ca_publish(new, in_scratch("public")), REASON_OK);
    trust_set_system_roots(NULL);
    assert_int_equal(pread(fd, during, sizeof during - 1, 100), sizeof during - 1);
    assert_string_equal(before, during);
    assert_int_equal(run("cd %s && cmp new/ca.pem public/ca.pem", scratch), 0);
    close(fd);
    ca_free(old);
    ca_free(new);
}

static void
a_place_that_cannot_be_written_is_a_reason(void **state)
{
    struct ca *ca = open_ca(in_scratch("keep"));

    (void)state;
    write_text(in_scratch("file"), 0644, "x");
    assert_int_equal(ca_publish(ca, in_scratch("file/public")), REASON_FILE_UNREADABLE);
    ca_free(ca);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(the_first_start_makes_a_ca_that_only_we_can_read),
        SCRATCH_TEST(a_restart_keeps_the_same_ca),
        SCRATCH_TEST(two_cas_differ_in_name_serial_and_key),
        SCRATCH_TEST(the_certificate_is_that_of_a_root_which_signs_leaves_alone),
        SCRATCH_TEST(a_kept_pair_that_cannot_be_used_is_reported_and_never_replaced),
        SCRATCH_TEST(an_expired_ca_is_reported_with_what_to_do),
        SCRATCH_TEST(a_ca_from_the_future_is_taken_for_a_wrong_clock),
        SCRATCH_TEST(a_second_starter_in_the_same_directory_waits_its_turn),
        SCRATCH_TEST(what_is_published_is_readable_by_all_and_holds_no_key),
        SCRATCH_TEST(roots_without_a_last_newline_still_make_a_readable_bundle),
        SCRATCH_TEST(without_system_roots_the_bundle_is_ours_alone_and_the_log_says_so),
        SCRATCH_TEST(publishing_again_replaces_the_files_whole),
        SCRATCH_TEST(a_place_that_cannot_be_written_is_a_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
