/* Whom a gate can be told to trust. */
#include "forge.h"

#define X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define EC(kid)                                                                        \
    "{" kid "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\"}"
#define ED                                                                             \
    "{\"kid\":\"ed\",\"kty\":\"OKP\",\"crv\":\"Ed25519\","                             \
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"
#define OCT "{\"kid\":\"oct\",\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":\"AAAA\"}"
#define RSA "{\"kid\":\"rsa\",\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}"
#define A   EC("\"kid\":\"a\",")
#define B   EC("\"kid\":\"b\",")

static char directory[] = "/tmp/holdfast-anchors-XXXXXX";
static char path[64];

static enum reason
add(struct trust_anchors *t, const char *domain, const char *jwks, const char *subject)
{
    assert_int_equal(file_write(path, 0644, text_z(jwks)), REASON_OK);
    return trust_anchors_add(t, domain, path, &subject, subject == NULL ? 0 : 1, NULL,
                             0);
}

static const struct {
    const char *name, *jwks;
    enum reason why;
} files[] = {
    { "one key", "{\"keys\":[" A "]}", REASON_OK },
    { "two keys of two kinds", "{\"keys\":[" A "," ED "]}", REASON_OK },
    { "nobody", "{\"keys\":[]}", REASON_OK },
    { "no kid", "{\"keys\":[" EC("") "]}", REASON_FILE_CONTENT },
    { "kid empty", "{\"keys\":[" EC("\"kid\":\"\",") "]}", REASON_FILE_CONTENT },
    { "kid no string", "{\"keys\":[" EC("\"kid\":1,") "]}", REASON_FILE_CONTENT },
    { "one kid, two keys", "{\"keys\":[" A "," A "]}", REASON_FILE_CONTENT },
    { "a symmetric key among them", "{\"keys\":[" A "," OCT "]}", REASON_FILE_CONTENT },
    { "an RSA key among them", "{\"keys\":[" A "," RSA "]}", REASON_FILE_CONTENT },
    { "a private key", "{\"keys\":[" EC("\"kid\":\"a\",\"d\":\"AA\",") "]}",
      REASON_FILE_CONTENT },
    { "no list", "{\"keys\":{}}", REASON_FILE_CONTENT },
    { "no keys", "{}", REASON_FILE_CONTENT },
    { "a list", "[" A "]", REASON_FILE_CONTENT },
    { "a bare key", A, REASON_FILE_CONTENT },
    { "keys of nothing", "{\"keys\":[null]}", REASON_FILE_CONTENT },
    { "two lists", "{\"keys\":[],\"keys\":[" A "]}", REASON_FILE_CONTENT },
    { "no JSON", "-----BEGIN PUBLIC KEY-----", REASON_FILE_CONTENT },
    { "empty", "", REASON_FILE_CONTENT },
};

static void
a_file_of_keys_is_taken_whole_or_not_at_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct trust_anchors *t = trust_anchors_new();
        enum reason why = add(t, "prod.example", files[i].jwks,
                              "spiffe://prod.example/*");

        if (why != files[i].why)
            fail_msg("%s: %s", files[i].name, reason_token(why));
        trust_anchors_free(t);
    }
}

static const struct {
    const char *domain, *subject;
    enum reason why;
} names[] = {
    { "prod.example", "spiffe://prod.example/*", REASON_OK },
    { "prod.example", "wimse://prod.example/a", REASON_OK },
    { "prod.example", "spiffe://prod.example/a/b/*", REASON_OK },
    { "prod.example", NULL, REASON_OK },
    { "Prod.example", NULL, REASON_CONFIG },
    { "spiffe://prod.example", NULL, REASON_CONFIG },
    { "", NULL, REASON_CONFIG },
    { "prod.example", "spiffe://other.example/*", REASON_CONFIG },
    { "prod.example", "spiffe://prod.example", REASON_CONFIG },
    { "prod.example", "spiffe://prod.example/a*", REASON_CONFIG },
    { "prod.example", "wimse://prod.example/*/b", REASON_CONFIG },
    { "prod.example", "wimse://prod.example/a*/*", REASON_CONFIG },
    { "prod.example", "*", REASON_CONFIG },
    { "prod.example", "", REASON_CONFIG },
};

static void
a_subject_that_could_never_match_is_an_error_at_start(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct trust_anchors *t = trust_anchors_new();
        enum reason why = add(t, names[i].domain, "{\"keys\":[" A "]}",
                              names[i].subject);

        if (why != names[i].why)
            fail_msg("%s, %s: %s", names[i].domain,
                     names[i].subject == NULL ? "-" : names[i].subject,
                     reason_token(why));
        trust_anchors_free(t);
    }
}

static void
a_kid_stands_for_one_key_of_a_domain_but_may_recur_in_another(void **state)
{
    struct trust_anchors *t = trust_anchors_new();

    (void)state;
    assert_int_equal(add(t, "prod.example", "{\"keys\":[" A "]}", NULL), REASON_OK);
    assert_int_equal(add(t, "prod.example", "{\"keys\":[" B "]}", NULL), REASON_OK);
    assert_int_equal(add(t, "other.example", "{\"keys\":[" A "]}", NULL), REASON_OK);
    assert_int_equal(add(t, "prod.example", "{\"keys\":[" A "]}", NULL),
                     REASON_FILE_CONTENT);
    trust_anchors_free(t);
}

static void
a_file_that_is_not_there_is_an_error(void **state)
{
    struct trust_anchors *t = trust_anchors_new();

    (void)state;
    assert_int_equal(
        trust_anchors_add(t, "prod.example", "/nowhere/jwks.json", NULL, 0, NULL, 0),
        REASON_FILE_UNREADABLE);
    trust_anchors_free(t);
}

static int
open_directory(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/jwks.json", directory);
    return 0;
}

static int
close_directory(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_of_keys_is_taken_whole_or_not_at_all),
        cmocka_unit_test(a_subject_that_could_never_match_is_an_error_at_start),
        cmocka_unit_test(a_kid_stands_for_one_key_of_a_domain_but_may_recur_in_another),
        cmocka_unit_test(a_file_that_is_not_there_is_an_error),
    };

    return cmocka_run_group_tests(tests, open_directory, close_directory);
}
