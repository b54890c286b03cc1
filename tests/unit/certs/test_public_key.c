/* certs/public_key.c: keys of strangers, against project Wycheproof's cases and our
 * own. */
#include "certs/key.h"

#include "base/json.h"
#include "tests/unit/certs/scratch.h"

#include <openssl/err.h>
#include <pthread.h>

enum { BYTES_MAX = 4096, FILE_MAX = 4 * 1024 * 1024 };

struct bytes {
    size_t n;
    unsigned char at[BYTES_MAX];
};

static unsigned
digit_of(char c)
{
    const char *digits = "0123456789abcdef", *at = strchr(digits, c);

    assert_true(at != NULL && c != '\0');
    return (unsigned)(at - digits);
}

static struct bytes
from_hex(struct text t)
{
    struct bytes b = { .n = t.n / 2 };

    assert_true(t.n % 2 == 0 && b.n <= BYTES_MAX);
    for (size_t i = 0; i < b.n; i++)
        b.at[i] = (unsigned char)(digit_of(t.at[2 * i]) << 4 |
                                  digit_of(t.at[2 * i + 1]));
    return b;
}

static struct bytes
hex_member(const struct json *object, const char *name)
{
    struct text t;

    assert_true(json_string(json_get(object, name), &t));
    return from_hex(t);
}

static struct text
text_of_bytes(const struct bytes *b)
{
    return text_of((const char *)b->at, b->n);
}

/* ---- Wycheproof */

typedef struct public_key *import(const struct json *group);

static struct public_key *
import_p256(const struct json *group)
{
    struct bytes point = hex_member(json_get(group, "publicKey"), "uncompressed");

    assert_int_equal(point.n, 65);
    return public_key_new(KEY_P256, point.at + 1, point.at + 33);
}

static struct public_key *
import_ed25519(const struct json *group)
{
    struct bytes x = hex_member(json_get(group, "publicKey"), "pk");

    assert_int_equal(x.n, KEY_COORDINATE_SIZE);
    return public_key_new(KEY_ED25519, x.at, NULL);
}

/* A key we refuse to import verifies nothing. */
static void
check_case(const struct public_key *k, const struct json *row)
{
    struct bytes message = hex_member(row, "msg"), signature = hex_member(row, "sig");
    struct text result;
    int64_t id;
    bool is_valid;

    assert_true(json_string(json_get(row, "result"), &result));
    assert_true(json_number(json_get(row, "tcId"), &id));
    is_valid = k != NULL &&
               public_key_verify(k, text_of_bytes(&message), signature.at, signature.n);
    if (is_valid != text_equals(result, TEXT("valid")))
        fail_msg("tcId %lld should be %.*s", (long long)id, TEXT_ARG(result));
    assert_int_equal(ERR_peek_error(), 0);
}

static size_t
check_group(const struct json *group, import *import_key)
{
    const struct json *rows = json_get(group, "tests");
    struct public_key *k = import_key(group);
    size_t n = json_count(rows);

    for (size_t i = 0; i < n; i++)
        check_case(k, json_at(rows, i));
    public_key_free(k);
    return n;
}

static void
check_file(const char *test, const char *name, import *import_key)
{
    const char *home = getenv("HOLDFAST_VECTORS");
    char path[PATH_MAX];
    struct buf text = { 0 };
    const struct json *groups;
    struct json *root;
    size_t n = 0;
    int64_t declared;

    snprintf(path, sizeof path, "%s/wycheproof/%s",
             home != NULL ? home : PUBLISHED_VECTORS, name);
    if (access(path, R_OK) != 0) {
        print_message("SKIPPED: %s: %s is not there\n", test, path);
        skip();
    }
    assert_int_equal(file_read(path, FILE_MAX, &text), REASON_OK);
    root = json_parse(buf_text(&text), FILE_MAX);
    assert_non_null(root);
    groups = json_get(root, "testGroups");
    for (size_t i = 0; i < json_count(groups); i++)
        n += check_group(json_at(groups, i), import_key);
    assert_true(json_number(json_get(root, "numberOfTests"), &declared));
    assert_int_equal(n, declared);
    assert_true(n > 100);
    json_free(root);
    buf_free(&text);
}

static void
every_p256_case_of_wycheproof_is_judged_as_published(void **state)
{
    (void)state;
    check_file(__func__, "ecdsa_secp256r1_sha256_p1363_test.json", import_p256);
}

static void
every_ed25519_case_of_wycheproof_is_judged_as_published(void **state)
{
    (void)state;
    check_file(__func__, "ed25519_test.json", import_ed25519);
}

/* ---- keys that are none */

#define G_X    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
#define G_Y    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
#define P256_P "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"
#define ZERO   "0000000000000000000000000000000000000000000000000000000000000000"
#define ONES   "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

static const struct {
    const char *what;
    enum key_kind kind;
    const char *x, *y;
    bool is_key;
} keys[] = {
    { "the generator", KEY_P256, G_X, G_Y, true },
    { "the generator, mirrored: y is another number", KEY_P256, G_X, G_X, false },
    { "y off by one", KEY_P256, G_X,
      "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f4", false },
    { "infinity as JOSE might spell it", KEY_P256, ZERO, ZERO, false },
    { "beyond the field", KEY_P256, ONES, ONES, false },
    { "x is p, which is 0 modulo p; y a square root of b", KEY_P256, P256_P,
      "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4", false },
    { "x is 0; y a square root of b: on the curve", KEY_P256, ZERO,
      "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4", true },
    { "RFC 8032 test 1", KEY_ED25519,
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", NULL, true },
    { "no x for this y", KEY_ED25519,
      "0200000000000000000000000000000000000000000000000000000000000000", NULL, false },
    { "the neutral point", KEY_ED25519,
      "0100000000000000000000000000000000000000000000000000000000000000", NULL, false },
    { "the neutral point with the sign set", KEY_ED25519,
      "0100000000000000000000000000000000000000000000000000000000000080", NULL, false },
    { "order 2", KEY_ED25519,
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", NULL, false },
    { "order 4", KEY_ED25519, ZERO, NULL, false },
    { "order 8", KEY_ED25519,
      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", NULL, false },
    { "order 8, the other", KEY_ED25519,
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa", NULL, false },
    { "p, which is 0 modulo p", KEY_ED25519,
      "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", NULL, false },
    { "beyond the field", KEY_ED25519, ONES, NULL, false },
};

static void
only_a_point_of_large_order_on_the_curve_is_a_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct bytes x = from_hex(text_z(keys[i].x)), y = from_hex(text_z(keys[i].y));
        struct public_key *k = public_key_new(keys[i].kind, x.at, y.at);

        if ((k != NULL) != keys[i].is_key)
            fail_msg("%s: is %sa key", keys[i].what, keys[i].is_key ? "" : "not ");
        if (k != NULL)
            assert_int_equal(public_key_kind(k), keys[i].kind);
        assert_int_equal(ERR_peek_error(), 0);
        public_key_free(k);
    }
}

/* ---- signatures that are none */

#define ORDER "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"

static const char *const bad_signatures[] = {
    ZERO ZERO, ORDER ORDER, ONES ONES, ZERO ORDER, G_X ZERO,
    ZERO G_X,  G_X ORDER,   ORDER G_X, G_X G_Y,
};

static void
a_signature_outside_one_to_the_order_is_refused_under_any_key(void **state)
{
    struct bytes x = from_hex(TEXT(G_X)), y = from_hex(TEXT(G_Y));
    struct public_key *k = public_key_new(KEY_P256, x.at, y.at);

    (void)state;
    for (size_t i = 0; i < sizeof bad_signatures / sizeof *bad_signatures; i++) {
        struct bytes s = from_hex(text_z(bad_signatures[i]));

        assert_false(public_key_verify(k, TEXT("x"), s.at, s.n));
        assert_int_equal(ERR_peek_error(), 0);
    }
    public_key_free(k);
}

/* A key of ours with a signature of it. */
struct signed_text {
    struct key *key;
    struct public_key *public;
    unsigned char signature[KEY_ES256_SIGNATURE_SIZE];
};

static struct signed_text
sign_something(void)
{
    unsigned char x[KEY_COORDINATE_SIZE], y[KEY_COORDINATE_SIZE];
    struct signed_text s = { .key = key_new() };

    assert_non_null(s.key);
    key_coordinates(s.key, x, y);
    s.public = public_key_new(KEY_P256, x, y);
    assert_int_equal(key_sign(s.key, TEXT("x"), s.signature), REASON_OK);
    return s;
}

static void
a_signature_of_any_other_length_is_refused(void **state)
{
    struct signed_text s = sign_something();
    unsigned char longer[KEY_ES256_SIGNATURE_SIZE + 8] = { 0 };

    (void)state;
    memcpy(longer, s.signature, sizeof s.signature);
    for (size_t n = 0; n <= sizeof longer; n++)
        assert_int_equal(public_key_verify(s.public, TEXT("x"), longer, n),
                         n == KEY_ES256_SIGNATURE_SIZE);
    public_key_free(s.public);
    key_free(s.key);
}

static void
a_signature_with_any_bit_changed_is_refused(void **state)
{
    struct signed_text s = sign_something();

    (void)state;
    for (size_t i = 0; i < 8 * sizeof s.signature; i += 7) {
        s.signature[i / 8] ^= (unsigned char)(1u << i % 8);
        assert_false(
            public_key_verify(s.public, TEXT("x"), s.signature, sizeof s.signature));
        s.signature[i / 8] ^= (unsigned char)(1u << i % 8);
    }
    assert_true(
        public_key_verify(s.public, TEXT("x"), s.signature, sizeof s.signature));
    public_key_free(s.public);
    key_free(s.key);
}

/* ---- threads */

enum { THREADS = 4, ROUNDS = 50 };

static void *
verify_many(void *arg)
{
    const struct signed_text *s = arg;
    uintptr_t right = 0;

    for (int i = 0; i < ROUNDS; i++)
        right += public_key_verify(s->public, i % 2 ? TEXT("x") : TEXT("y"),
                                   s->signature, sizeof s->signature) == (i % 2 != 0);
    return (void *)right;
}

static void
one_public_key_serves_many_threads_at_once(void **state)
{
    struct signed_text s = sign_something();
    pthread_t threads[THREADS];
    void *right;

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_many, &s), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &right), 0);
        assert_int_equal((uintptr_t)right, ROUNDS);
    }
    public_key_free(s.public);
    key_free(s.key);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_p256_case_of_wycheproof_is_judged_as_published),
        cmocka_unit_test(every_ed25519_case_of_wycheproof_is_judged_as_published),
        cmocka_unit_test(only_a_point_of_large_order_on_the_curve_is_a_key),
        cmocka_unit_test(a_signature_outside_one_to_the_order_is_refused_under_any_key),
        cmocka_unit_test(a_signature_of_any_other_length_is_refused),
        cmocka_unit_test(a_signature_with_any_bit_changed_is_refused),
        cmocka_unit_test(one_public_key_serves_many_threads_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
