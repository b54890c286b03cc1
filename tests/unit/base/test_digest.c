/* SHA-256, SHA-1, base64url and base64 against published values; random bytes that are
 * never drawn twice. */
#include "base/digest.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
sha256_gives_the_published_digests(void **state)
{
    static const struct {
        struct text in;
        const char *base64url;
    } rows[] = {
        { { NULL, 0 }, "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU" },
        { TEXT("abc"), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0" },
        /* RFC 7636 appendix B */
        { TEXT("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
          "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char out[SHA256_BASE64URL_SIZE];

        digest_sha256_base64url(rows[i].in, out);
        assert_memory_equal(out, rows[i].base64url, sizeof(out));
    }
}

/* FIPS 180-4's own "abc", and RFC 9530 appendix D. */
static void
sha512_gives_the_published_digests_however_the_bytes_come(void **state)
{
    static const struct {
        struct text in;
        const char *base64;
    } rows[] = {
        { TEXT("abc"), "3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/"
                       "uu9RU1EI2Q86A4qmslPpUyknw==" },
        { TEXT("{\"hello\": \"world\"}"),
          "WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwE"
          "mTHWXvJwew==" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct digest512 *d = digest512_new();
        unsigned char digest[SHA512_SIZE];
        char out[BASE64_SIZE(SHA512_SIZE)];

        digest512_add(d, text_of(rows[i].in.at, 1));
        digest512_add(d, text_of(rows[i].in.at + 1, rows[i].in.n - 1));
        digest512_end(d, digest);
        base64_encode(digest, sizeof(digest), out);
        assert_memory_equal(out, rows[i].base64, sizeof(out));
    }
}

static void
base64_is_read_in_one_spelling_alone(void **state)
{
    static const struct {
        const char *in, *out; /* NULL: refused */
    } rows[] = {
        { "", "" },        { "Zg==", "f" },        { "Zm8=", "fo" },
        { "Zm9v", "foo" }, { "Zm9vYg==", "foob" }, { "+/+/", "\xfb\xff\xbf" },
        { "Zg", NULL },    { "Zg=", NULL },        { "Zh==", NULL },
        { "Zm9=", NULL },  { "-_-_", NULL },       { "Zm 9", NULL },
        { "====", NULL },  { "Zg==Zg==", NULL },   { "Z===", NULL },
        { "Zm9v=", NULL }, { "\n", NULL },         { "Zg=a", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        unsigned char out[16];
        size_t n = 0;
        bool ok = base64_decode((struct text){ rows[i].in, strlen(rows[i].in) }, out,
                                &n);

        assert_int_equal(ok, rows[i].out != NULL);
        if (ok) {
            assert_int_equal(n, strlen(rows[i].out));
            assert_memory_equal(out, rows[i].out, n);
        }
    }
}

static void
one_digest_does_not_leak_into_the_next(void **state)
{
    unsigned char first[SHA256_SIZE], other[SHA256_SIZE], again[SHA256_SIZE];

    (void)state;
    digest_sha256(TEXT("abc"), first);
    digest_sha256(TEXT("something longer than one block of sixty-four bytes, so that "
                       "state is left"),
                  other);
    digest_sha256(TEXT("abc"), again);
    assert_memory_equal(first, again, sizeof(first));
    assert_memory_not_equal(first, other, sizeof(first));
}

static void *
digest_in_a_thread(void *out)
{
    digest_sha256(TEXT("abc"), out);
    return NULL;
}

static void
threads_digest_side_by_side(void **state)
{
    unsigned char here[SHA256_SIZE], there[4][SHA256_SIZE];
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, digest_in_a_thread, there[i]), 0);
    digest_sha256(TEXT("abc"), here);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_memory_equal(here, there[i], sizeof(here));
    }
}

/* RFC 6455 section 1.3 has the second. */
static void
sha1_and_base64_give_the_published_digests(void **state)
{
    static const struct {
        struct text in;
        const char *base64;
    } rows[] = {
        { TEXT("abc"), "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=" },
        { TEXT("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"),
          "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        unsigned char digest[SHA1_SIZE];
        char out[BASE64_SIZE(SHA1_SIZE)];

        digest_sha1(rows[i].in, digest);
        base64_encode(digest, sizeof(digest), out);
        assert_int_equal(sizeof(out), strlen(rows[i].base64));
        assert_memory_equal(out, rows[i].base64, sizeof(out));
    }
}

/* RFC 4648 section 10, and the two characters that base64url has others for. */
static void
base64_pads_every_length(void **state)
{
    static const struct {
        const char *plain, *spelled;
    } rows[] = {
        { "", "" },        { "f", "Zg==" },        { "fo", "Zm8=" },
        { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "\xfb\xff\xfe", "+//+" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t n = strlen(rows[i].plain);
        char out[8];

        assert_int_equal(BASE64_SIZE(n), strlen(rows[i].spelled));
        base64_encode((const unsigned char *)rows[i].plain, n, out);
        assert_memory_equal(out, rows[i].spelled, BASE64_SIZE(n));
    }
}

static void
base64url_spells_every_length_and_reads_it_back(void **state)
{
    static const struct {
        const char *plain, *spelled; /* RFC 4648 section 10, without the padding */
    } rows[] = {
        { "", "" },
        { "f", "Zg" },
        { "fo", "Zm8" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg" },
        { "fooba", "Zm9vYmE" },
        { "foobar", "Zm9vYmFy" },
        { "\xfb\xff\xbf", "-_-_" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t n = strlen(rows[i].plain), back;
        char out[16];
        unsigned char plain[16];

        assert_int_equal(base64url_encode((const unsigned char *)rows[i].plain, n, out),
                         strlen(rows[i].spelled));
        assert_int_equal(BASE64URL_SIZE(n), strlen(rows[i].spelled));
        assert_memory_equal(out, rows[i].spelled, strlen(rows[i].spelled));
        assert_true(base64url_decode(text_z(rows[i].spelled), plain, &back));
        assert_int_equal(back, n);
        assert_memory_equal(plain, rows[i].plain, n);
    }
}

static void
every_byte_survives_the_round_trip(void **state)
{
    unsigned char in[256], back[256];
    char spelled[BASE64URL_SIZE(256)];
    size_t n;

    (void)state;
    for (size_t i = 0; i < 256; i++)
        in[i] = (unsigned char)i;
    assert_int_equal(base64url_encode(in, 256, spelled), sizeof(spelled));
    assert_true(base64url_decode(text_of(spelled, sizeof(spelled)), back, &n));
    assert_int_equal(n, 256);
    assert_memory_equal(in, back, 256);
}

static void
a_second_spelling_of_the_same_bytes_is_refused(void **state)
{
    static const struct text rows[] = {
        TEXT("Zg=="),    TEXT("Zm8="),    TEXT("Z"),     TEXT("Zm9vY"),
        TEXT("Zh"),      TEXT("Zm9"),     TEXT("Zm9v "), TEXT(" Zm9v"),
        TEXT("Zm9v\n"),  TEXT("Zm\n9v"),  TEXT("+/+/"),  TEXT("Zm9v\0Zm"),
        TEXT("Zm9\x80"), TEXT("Zm9\xff"), TEXT("Zm.9"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        unsigned char out[16];
        size_t n;

        if (base64url_decode(rows[i], out, &n))
            fail_msg("row %zu was taken", i);
    }
}

static int
compare_words(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(uint64_t));
}

static void
random_bytes_of_every_size_are_never_drawn_twice(void **state)
{
    static const size_t sizes[] = { 8, 16, 24, 96, 128, 136, 512, 520, 1048 };
    enum { ROUNDS = 200 };
    size_t total = 0;
    unsigned char *all;

    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++)
        total += sizes[i] * ROUNDS;
    all = malloc(total);
    for (size_t round = 0, at = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < COUNT(sizes); at += sizes[i++])
            random_bytes(all + at, sizes[i]);
    qsort(all, total / 8, 8, compare_words);
    for (size_t i = 8; i < total; i += 8)
        assert_memory_not_equal(all + i - 8, all + i, 8);
    free(all);
}

static void
random_bytes_write_exactly_what_was_asked(void **state)
{
    unsigned char around[10] = { 0 };

    (void)state;
    random_bytes(around + 4, 0);
    for (int i = 0; i < 100; i++)
        random_bytes(around + 4, 2);
    for (int i = 0; i < 10; i++)
        if (i != 4 && i != 5)
            assert_int_equal(around[i], 0);
}

static void
a_forked_child_draws_other_bytes_than_its_parent(void **state)
{
    unsigned char ours[16], theirs[16];
    int pipe_fds[2], status;
    pid_t child;

    (void)state;
    random_bytes(ours, sizeof(ours)); /* the pool is filled before the fork */
    assert_int_equal(pipe(pipe_fds), 0);
    child = fork();
    if (child == 0) {
        random_bytes(theirs, sizeof(theirs));
        _exit(write(pipe_fds[1], theirs, sizeof(theirs)) == sizeof(theirs) ? 0 : 1);
    }
    random_bytes(ours, sizeof(ours));
    assert_int_equal(read(pipe_fds[0], theirs, sizeof(theirs)), sizeof(theirs));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_memory_not_equal(ours, theirs, sizeof(ours));
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_published_digests),
        cmocka_unit_test(sha512_gives_the_published_digests_however_the_bytes_come),
        cmocka_unit_test(base64_is_read_in_one_spelling_alone),
        cmocka_unit_test(one_digest_does_not_leak_into_the_next),
        cmocka_unit_test(threads_digest_side_by_side),
        cmocka_unit_test(sha1_and_base64_give_the_published_digests),
        cmocka_unit_test(base64_pads_every_length),
        cmocka_unit_test(base64url_spells_every_length_and_reads_it_back),
        cmocka_unit_test(every_byte_survives_the_round_trip),
        cmocka_unit_test(a_second_spelling_of_the_same_bytes_is_refused),
        cmocka_unit_test(random_bytes_of_every_size_are_never_drawn_twice),
        cmocka_unit_test(random_bytes_write_exactly_what_was_asked),
        cmocka_unit_test(a_forked_child_draws_other_bytes_than_its_parent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
