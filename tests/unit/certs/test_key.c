/* certs/key.c: private keys. */
#include "certs/key.h"

#include "tests/unit/certs/scalar.h"
#include "tests/unit/certs/scratch.h"

#include <openssl/pem.h>

/* The public half of a private key, for verifying. */
static struct public_key *
public_of(const struct key *k)
{
    unsigned char x[KEY_COORDINATE_SIZE], y[KEY_COORDINATE_SIZE];
    struct public_key *p;

    key_coordinates(k, x, y);
    p = public_key_new(KEY_P256, x, y);
    assert_non_null(p);
    return p;
}

static void
a_signature_verifies_and_covers_the_text(void **state)
{
    unsigned char signature[KEY_ES256_SIGNATURE_SIZE];
    struct key *k = key_new();
    struct public_key *p = public_of(k);

    (void)state;
    assert_int_equal(key_sign(k, TEXT("a proof"), signature), REASON_OK);
    assert_true(public_key_verify(p, TEXT("a proof"), signature, sizeof signature));
    assert_false(public_key_verify(p, TEXT("a proog"), signature, sizeof signature));
    assert_int_equal(key_sign(k, text_z(NULL), signature), REASON_OK);
    assert_true(public_key_verify(p, text_z(NULL), signature, sizeof signature));
    public_key_free(p);
    key_free(k);
}

/* One number in 256 is short; the chance that none of 5,000 signatures has one is
 * 1e-17. */
static void
a_short_number_in_a_signature_is_padded_to_its_full_length(void **state)
{
    unsigned char signature[KEY_ES256_SIGNATURE_SIZE];
    struct key *k = key_new();
    struct public_key *p = public_of(k);
    bool seen = false;

    (void)state;
    for (int i = 0; i < 5000 && !seen; i++) {
        assert_int_equal(key_sign(k, TEXT("x"), signature), REASON_OK);
        seen = signature[0] == 0 || signature[KEY_COORDINATE_SIZE] == 0;
    }
    assert_true(seen);
    assert_true(public_key_verify(p, TEXT("x"), signature, sizeof signature));
    public_key_free(p);
    key_free(k);
}

static void
two_keys_are_never_the_same(void **state)
{
    unsigned char x[2][KEY_COORDINATE_SIZE], y[2][KEY_COORDINATE_SIZE];
    struct key *a = key_new(), *b = key_new();

    (void)state;
    key_coordinates(a, x[0], y[0]);
    key_coordinates(b, x[1], y[1]);
    assert_memory_not_equal(x[0], x[1], KEY_COORDINATE_SIZE);
    assert_memory_not_equal(y[0], y[1], KEY_COORDINATE_SIZE);
    key_free(a);
    key_free(b);
}

static void
a_failed_signature_is_a_reason_and_leaves_no_bytes(void **state)
{
    unsigned char signature[KEY_ES256_SIGNATURE_SIZE];
    unsigned char zero[KEY_ES256_SIGNATURE_SIZE] = { 0 };
    struct key *k = key_new();

    (void)state;
    memset(signature, 0xaa, sizeof signature);
    key_fail_signing(true);
    assert_int_equal(key_sign(k, TEXT("x"), signature), REASON_SIGN);
    key_fail_signing(false);
    assert_memory_equal(signature, zero, sizeof zero);
    assert_true(log_says("\"reason\":\"sign\""));
    assert_int_equal(key_sign(k, TEXT("x"), signature), REASON_OK);
    key_free(k);
}

static void
a_saved_key_is_ours_alone_and_loads_as_the_same_key(void **state)
{
    const char *path = in_scratch("k.pem");
    unsigned char x[2][KEY_COORDINATE_SIZE], y[2][KEY_COORDINATE_SIZE];
    struct key *k = key_new(), *again;

    (void)state;
    assert_int_equal(key_save(k, path), REASON_OK);
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(key_load(path, &again), REASON_OK);
    key_coordinates(k, x[0], y[0]);
    key_coordinates(again, x[1], y[1]);
    assert_memory_equal(x[0], x[1], KEY_COORDINATE_SIZE);
    assert_memory_equal(y[0], y[1], KEY_COORDINATE_SIZE);
    key_free(k);
    key_free(again);
}

/* ---- key files made by openssl, and what becomes of them */

static const struct {
    const char *made_by; /* "%s" is the file; a umask of 077 stands before it */
    enum reason why;
} files[] = {
    { "openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out %s",
      REASON_OK },
    { "openssl ecparam -name prime256v1 -genkey -out %s", REASON_OK },
    { "openssl ecparam -name prime256v1 -genkey -noout -conv_form compressed -out %s",
      REASON_OK },
    { "openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out %s",
      REASON_FILE_CONTENT },
    { "openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 -out "
      "%s",
      REASON_FILE_CONTENT },
    { "openssl genpkey -quiet -algorithm ED25519 -out %s", REASON_FILE_CONTENT },
    { "openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out %s",
      REASON_FILE_CONTENT },
    { "openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes128 "
      "-pass pass:x -out %s",
      REASON_FILE_CONTENT },
    { "openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 | "
      "openssl pkey -pubout -out %s",
      REASON_FILE_CONTENT },
    { "openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -outform "
      "DER "
      "-out %s",
      REASON_FILE_CONTENT },
    { "openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 | head -3 "
      "> %s",
      REASON_FILE_CONTENT },
    { "head -c 20000 /dev/zero > %s", REASON_FILE_CONTENT },
    { ": > %s", REASON_FILE_CONTENT },
    { "echo garbage > %s", REASON_FILE_CONTENT },
    { "mkdir %s", REASON_FILE_UNSAFE },
    { "mkfifo %s", REASON_FILE_UNSAFE },
    { "openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out %1$s "
      "&& "
      "chmod 0644 %1$s",
      REASON_FILE_UNSAFE },
    { "openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out %1$s "
      "&& "
      "chmod 0640 %1$s",
      REASON_FILE_UNSAFE },
    { "openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "
      "%1$s.real && "
      "ln -s %1$s.real %1$s",
      REASON_FILE_UNSAFE },
    { "true %s", REASON_FILE_UNREADABLE },
};

static void
only_a_p256_key_in_a_file_of_ours_alone_is_loaded(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[PATH_MAX], command[4 * PATH_MAX];
        struct key *k = NULL;

        snprintf(path, sizeof path, "%.200s/key-%zu", scratch, i);
        /* Each command is a literal of the table above. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(command, sizeof command, files[i].made_by, path);
#pragma GCC diagnostic pop
        assert_int_equal(run("umask 077; { %s; } 2>/dev/null", command), 0);
        if (key_load(path, &k) != files[i].why)
            fail_msg("another reason than %s for: %s", reason_token(files[i].why),
                     command);
        assert_int_equal(k != NULL, files[i].why == REASON_OK);
        if (files[i].why != REASON_OK)
            assert_true(log_says(path));
        key_free(k);
    }
}

/* The scalar of one key and the public point of another: what we signed would not
 * verify with what we publish. */
static void
a_key_file_whose_halves_differ_is_refused(void **state)
{
    unsigned char point[65] = { 4 }, scalar[SCALAR_SIZE];
    const char *path = in_scratch("k.pem");
    struct key *a = key_new(), *b = key_new(), *out;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *mixed = NULL;
    BIGNUM *d = NULL;
    char group[] = "P-256";
    OSSL_PARAM params[4];
    FILE *f;

    (void)state;
    assert_int_equal(EVP_PKEY_get_bn_param(key_pkey(a), OSSL_PKEY_PARAM_PRIV_KEY, &d),
                     1);
    assert_int_equal(BN_bn2nativepad(d, scalar, sizeof scalar), sizeof scalar);
    key_coordinates(b, point + 1, point + 33);
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
    params[1] = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, scalar,
                                        sizeof scalar);
    params[2] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point,
                                                  sizeof point);
    params[3] = OSSL_PARAM_construct_end();
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &mixed, EVP_PKEY_KEYPAIR, params), 1);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fchmod(fileno(f), 0600), 0);
    assert_int_equal(PEM_write_PrivateKey(f, mixed, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
    assert_int_equal(key_load(path, &out), REASON_FILE_CONTENT);
    assert_true(log_says("not a sound key"));
    BN_free(d);
    EVP_PKEY_free(mixed);
    EVP_PKEY_CTX_free(ctx);
    key_free(a);
    key_free(b);
}

static void
a_key_file_of_another_user_is_refused(void **state)
{
    const char *path = in_scratch("k.pem");
    struct key *k = key_new(), *out;

    (void)state;
    if (geteuid() != 0) {
        key_free(k);
        print_message("SKIPPED: a_key_file_of_another_user_is_refused: not root\n");
        skip();
    }
    assert_int_equal(key_save(k, path), REASON_OK);
    assert_int_equal(chown(path, 0, 0), 0);
    assert_int_equal(key_load(path, &out), REASON_OK);
    key_free(out);
    assert_int_equal(chown(path, 65534, 65534), 0);
    assert_int_equal(key_load(path, &out), REASON_FILE_UNSAFE);
    key_free(k);
}

/* ---- wiping */

static void
a_freed_key_stands_nowhere_in_memory(void **state)
{
    unsigned char signature[KEY_ES256_SIGNATURE_SIZE];
    unsigned char big_endian[SCALAR_SIZE], native[SCALAR_SIZE];
    struct key *k = key_new();

    (void)state;
    assert_int_equal(key_sign(k, TEXT("x"), signature), REASON_OK);
    scalar_of(k, big_endian, false);
    scalar_of(k, native, true);
    assert_true(count_in_memory(native) > 0); /* we look where it is */
    key_free(k);
    assert_int_equal(count_in_memory(native), 0);
    assert_int_equal(count_in_memory(big_endian), 0);
}

static void
a_shared_key_signs_when_the_first_handle_is_gone_and_goes_with_the_last(void **state)
{
    unsigned char signature[KEY_ES256_SIGNATURE_SIZE];
    unsigned char x[2][KEY_COORDINATE_SIZE], y[2][KEY_COORDINATE_SIZE];
    unsigned char native[SCALAR_SIZE];
    struct key *k = key_new(), *other = key_share(k);
    struct public_key *public;

    (void)state;
    key_coordinates(k, x[0], y[0]);
    key_coordinates(other, x[1], y[1]);
    assert_memory_equal(x[0], x[1], sizeof x[0]);
    assert_memory_equal(y[0], y[1], sizeof y[0]);
    scalar_of(k, native, true);
    key_free(k);
    assert_true(count_in_memory(native) > 0);
    assert_int_equal(key_sign(other, TEXT("x"), signature), REASON_OK);
    public = public_key_new(KEY_P256, x[0], y[0]);
    assert_true(public_key_verify(public, TEXT("x"), signature, sizeof signature));
    public_key_free(public);
    key_free(other);
    assert_int_equal(count_in_memory(native), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signature_verifies_and_covers_the_text),
        cmocka_unit_test(a_short_number_in_a_signature_is_padded_to_its_full_length),
        cmocka_unit_test(two_keys_are_never_the_same),
        SCRATCH_TEST(a_failed_signature_is_a_reason_and_leaves_no_bytes),
        SCRATCH_TEST(a_saved_key_is_ours_alone_and_loads_as_the_same_key),
        SCRATCH_TEST(only_a_p256_key_in_a_file_of_ours_alone_is_loaded),
        SCRATCH_TEST(a_key_file_whose_halves_differ_is_refused),
        SCRATCH_TEST(a_key_file_of_another_user_is_refused),
        cmocka_unit_test(a_freed_key_stands_nowhere_in_memory),
        cmocka_unit_test(
            a_shared_key_signs_when_the_first_handle_is_gone_and_goes_with_the_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
