/* certs/trust.c: what upstream certificates are verified against. */
#include "certs/trust.h"

#include "certs/ca.h"
#include "tests/unit/certs/scratch.h"

#include <openssl/x509.h>
#include <pthread.h>

#define YEAR_MS (INT64_C(365) * 86400 * 1000)

/* A root of its own in scratch/<name>/ca.pem. */
static const char *
make_root(const char *name)
{
    char file[64];
    struct ca *ca;

    assert_int_equal(ca_open(in_scratch(name), YEAR_MS, &ca), REASON_OK);
    ca_free(ca);
    snprintf(file, sizeof file, "%s/ca.pem", name);
    return in_scratch(file);
}

static int
count_roots(const struct trust *t)
{
    return sk_X509_OBJECT_num(X509_STORE_get0_objects(trust_store(t)));
}

static void
an_unchanged_file_gives_the_same_store_until_the_last_user_leaves(void **state)
{
    const char *file = make_root("a");
    struct trust *first, *second;

    (void)state;
    assert_int_equal(trust_count(), 0);
    assert_int_equal(trust_load(file, &first), REASON_OK);
    assert_int_equal(trust_load(file, &second), REASON_OK);
    assert_ptr_equal(first, second);
    assert_ptr_equal(trust_store(first), trust_store(second));
    trust_unref(first);
    assert_int_equal(trust_count(), 1);
    assert_int_equal(count_roots(second), 1);
    trust_unref(second);
    assert_int_equal(trust_count(), 0);
}

/* The hardest case: same path, inode, size and time. A root was exchanged, so trust
 * must change with it. */
static void
a_changed_file_gives_a_new_store_and_leaves_the_old_one_alone(void **state)
{
    const char *file = in_scratch("roots.pem");
    struct trust *old, *new;
    X509 *root;

    (void)state;
    make_root("a");
    make_root("b");
    assert_int_equal(
        run("cd %s && cp a/ca.pem roots.pem && touch -d @1000000 roots.pem", scratch),
        0);
    assert_int_equal(trust_load(file, &old), REASON_OK);
    root = X509_OBJECT_get0_X509(
        sk_X509_OBJECT_value(X509_STORE_get0_objects(trust_store(old)), 0));
    assert_int_equal(
        run("cd %s && cat b/ca.pem > roots.pem && touch -d @1000000 roots.pem",
            scratch),
        0);
    assert_int_equal(trust_load(file, &new), REASON_OK);
    assert_ptr_not_equal(old, new);
    assert_int_equal(count_roots(old), 1);
    assert_int_equal(count_roots(new), 1);
    assert_int_not_equal(
        X509_cmp(root, X509_OBJECT_get0_X509(sk_X509_OBJECT_value(
                           X509_STORE_get0_objects(trust_store(new)), 0))),
        0);
    trust_unref(old);
    trust_unref(new);
}

static const struct {
    const char *what;
    const char *made_by; /* in the directory that holds a/ and b/, each with a root */
    enum reason why;
    int roots;
} files[] = {
    { "one root", "cat a/ca.pem > f", REASON_OK, 1 },
    { "two, with text around them",
      "{ echo '# x'; cat a/ca.pem; echo; cat b/ca.pem; } > f", REASON_OK, 2 },
    { "the same twice", "cat a/ca.pem a/ca.pem > f", REASON_OK, 1 },
    { "no file", "rm -f f", REASON_FILE_UNREADABLE, 0 },
    { "a directory", "mkdir f", REASON_FILE_UNREADABLE, 0 },
    { "nothing", ": > f", REASON_FILE_CONTENT, 0 },
    { "garbage", "echo garbage > f", REASON_FILE_CONTENT, 0 },
    { "a key, no certificate", "cat a/ca.key > f", REASON_FILE_CONTENT, 0 },
    { "a broken one behind a good one", "{ cat a/ca.pem; sed '3s/./!/' b/ca.pem; } > f",
      REASON_FILE_CONTENT, 0 },
    { "one that breaks off", "{ cat a/ca.pem; head -4 b/ca.pem; } > f",
      REASON_FILE_CONTENT, 0 },
    { "too much", "head -c 9000000 /dev/zero > f", REASON_FILE_CONTENT, 0 },
};

static void
a_file_gives_all_its_roots_or_no_store_at_all(void **state)
{
    const char *file = in_scratch("f");

    (void)state;
    make_root("a");
    make_root("b");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct trust *t;

        assert_int_equal(run("cd %s && rm -rf f && { %s; }", scratch, files[i].made_by),
                         0);
        if (trust_load(file, &t) != files[i].why)
            fail_msg("%s: another reason than %s", files[i].what,
                     reason_token(files[i].why));
        assert_int_equal(t != NULL, files[i].why == REASON_OK);
        if (t != NULL)
            assert_int_equal(count_roots(t), files[i].roots);
        trust_unref(t);
        assert_int_equal(trust_count(), 0);
    }
}

static void
no_name_stands_for_the_roots_of_the_system(void **state)
{
    struct trust *named, *system;
    const char *file = make_root("a");

    (void)state;
    assert_string_equal(trust_system_roots(), "/etc/ssl/certs/ca-certificates.crt");
    trust_set_system_roots(file);
    assert_int_equal(trust_load(file, &named), REASON_OK);
    assert_int_equal(trust_load(NULL, &system), REASON_OK);
    trust_set_system_roots(NULL);
    assert_ptr_equal(named, system);
    trust_unref(named);
    trust_unref(system);
}

static void
the_roots_of_debian_are_loaded_whole(void **state)
{
    struct trust *t;
    char *text;
    int n = 0;

    (void)state;
    if (access(trust_system_roots(), R_OK) != 0) {
        print_message("SKIPPED: %s: %s is not there\n", __func__, trust_system_roots());
        skip();
    }
    text = read_text(trust_system_roots());
    for (const char *at = text; (at = strstr(at, "-----BEGIN CERTIFICATE-----")); at++)
        n++;
    free(text);
    assert_int_equal(trust_load(NULL, &t), REASON_OK);
    assert_int_equal(count_roots(t), n);
    trust_unref(t);
}

enum { THREADS = 4, ROUNDS = 200 };

static void *
load_many(void *arg)
{
    uintptr_t loaded = 0;

    for (int i = 0; i < ROUNDS; i++) {
        struct trust *t;

        loaded += trust_load(arg, &t) == REASON_OK && count_roots(t) == 1;
        trust_unref(t);
    }
    return (void *)loaded;
}

static void
many_threads_load_and_leave_at_once(void **state)
{
    char file[PATH_MAX];
    pthread_t threads[THREADS];
    void *loaded;

    (void)state;
    strcpy(file, make_root("a"));
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, load_many, file), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &loaded), 0);
        assert_int_equal((uintptr_t)loaded, ROUNDS);
    }
    assert_int_equal(trust_count(), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(an_unchanged_file_gives_the_same_store_until_the_last_user_leaves),
        SCRATCH_TEST(a_changed_file_gives_a_new_store_and_leaves_the_old_one_alone),
        SCRATCH_TEST(a_file_gives_all_its_roots_or_no_store_at_all),
        SCRATCH_TEST(no_name_stands_for_the_roots_of_the_system),
        SCRATCH_TEST(the_roots_of_debian_are_loaded_whole),
        SCRATCH_TEST(many_threads_load_and_leave_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
