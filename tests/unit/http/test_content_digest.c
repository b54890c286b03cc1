/* What a message says of its body is read by RFC 9530 and nothing weaker is believed;
 * its own published digests are found right, and are what we write. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "http/content_digest.h"

#include <stdio.h>

/* RFC 9530 appendix D. */
#define BODY   "{\"hello\": \"world\"}"
#define SHA256 "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"
#define SHA512                                                                         \
    "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdV" \
    "LvRwEmTHWXvJwew==:"
#define OTHER "sha-256=:d435Qo+nKZ+gLcUHn7GQtQ72hiBVAgqoLsZnZPiTGPk=:"
#define MD5   "md5=:Sd/dVLAcvNLSq16eXua5uQ==:"

static struct arena *arena;

static int
set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static void
say(struct headers *h, const char *value)
{
    headers_init(h, arena);
    headers_add(h, TEXT("content-digest"), text_z(value));
}

static void
a_body_is_judged_by_every_strong_digest_and_by_no_weak_one(void **state)
{
    static const struct {
        const char *said;
        bool is_read, fits;
    } rows[] = {
        { SHA256, true, true },
        { SHA512, true, true },
        { SHA256 ", " SHA512, true, true },
        { OTHER, true, false },
        { OTHER ", " SHA512, true, false }, /* one is right, one is not */
        { MD5 ", " SHA256, true, true },    /* what is beside it is passed over, … */
        { "md5=1, crc32c=(1 2), " SHA256, true, true },
        { MD5, false, false }, /* … and says nothing alone */
        { "sha-1=:07CavjDP4u3/TungoUHJO/Wzr4c=:", false, false },
        { "", false, false },
        { "sha-256=:AAAA:", false, false },
        { "sha-256=::", false, false },
        { SHA512 ", sha-256=:AAAA:", false, false },
        { "sha-256=\"X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=\"", false, false },
        { "sha-256=(:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:)", false, false },
        { "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE:", false, false },
        { OTHER ", " SHA256, false, false }, /* said twice: whom to believe? */
        { SHA256 ",", false, false },
        { "SHA-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:", false, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct content_digest d;
        struct headers h;

        say(&h, rows[i].said);
        assert_int_equal(content_digest_read(&h, arena, &d), rows[i].is_read);
        if (rows[i].is_read)
            assert_int_equal(content_digest_fits(&d, TEXT(BODY)), rows[i].fits);
    }
}

static void
two_fields_are_one(void **state)
{
    struct content_digest d;
    struct headers h;

    (void)state;
    say(&h, SHA256);
    headers_add(&h, FIELD_CONTENT_DIGEST, TEXT(SHA512));
    assert_true(content_digest_read(&h, arena, &d));
    assert_true(d.has_sha256 && d.has_sha512);
    headers_add(&h, FIELD_CONTENT_DIGEST, TEXT(SHA256));
    assert_false(content_digest_read(&h, arena, &d));
    headers_init(&h, arena);
    assert_false(content_digest_read(&h, arena, &d));
}

static void
a_body_in_pieces_is_the_body(void **state)
{
    struct content_digest d;
    struct headers h;

    (void)state;
    say(&h, SHA256 ", " SHA512);
    assert_true(content_digest_read(&h, arena, &d));
    for (size_t cut = 0; cut <= strlen(BODY); cut++) {
        struct content_check *c = content_check_new(&d);

        content_check_add(c, text_of(BODY, cut));
        content_check_add(c, text_z(&BODY[cut]));
        assert_true(content_check_end(c));
        c = content_check_new(&d);
        content_check_add(c, text_of(BODY, cut));
        assert_int_equal(content_check_end(c), cut == strlen(BODY));
    }
    content_check_free(content_check_new(&d));
    content_check_free(NULL);
}

static void
what_we_say_takes_the_place_of_what_was_said(void **state)
{
    static const struct {
        const char *body, *said;
    } rows[] = {
        { BODY, SHA256 },
        { "", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct headers h;

        say(&h, MD5);
        headers_add(&h, TEXT("Accept"), TEXT("*/*"));
        headers_add(&h, FIELD_CONTENT_DIGEST, TEXT(OTHER));
        content_digest_put(&h, text_z(rows[i].body));
        assert_int_equal(headers_count(&h, FIELD_CONTENT_DIGEST), 1);
        assert_int_equal(h.n, 2);
        assert_true(text_equals(headers_get(&h, FIELD_CONTENT_DIGEST)->value,
                                text_z(rows[i].said)));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_is_judged_by_every_strong_digest_and_by_no_weak_one),
        cmocka_unit_test(two_fields_are_one),
        cmocka_unit_test(a_body_in_pieces_is_the_body),
        cmocka_unit_test(what_we_say_takes_the_place_of_what_was_said),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
