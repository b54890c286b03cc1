/* DNS messages: what is taken for a question, and what the answers are, byte for byte.
 * Another's reader looks at them in the integration tests. */
#include "base/dns_message.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define NAME     "\7allowed\4test\0"
#define QUESTION NAME "\0\1\0\1"
#define HEAD     "\x12\x34\1\0\0\1\0\0\0\0\0\0"
#define L63                                                                            \
    "\x3f"                                                                             \
    "012345678901234567890123456789012345678901234567890123456789abc"
#define OPT "\0\0\x29\x10\0\0\0\x80\0\0\0"

struct row {
    const char *what;
    struct text message;
    enum dns_code code;
};

/* clang-format off */
static const struct row rows[] = {
    { "a question", { HEAD QUESTION, sizeof HEAD QUESTION - 1 }, DNS_NOERROR },
    { "of the root", { HEAD "\0\0\2\0\1", sizeof HEAD + 4 }, DNS_NOERROR },
    { "AD and CD", { "\0\0\1\x30\0\1\0\0\0\0\0\0" QUESTION, sizeof HEAD QUESTION - 1 }, DNS_NOERROR },
    { "the longest name", { HEAD L63 L63 L63 "\x3d" "0123456789012345678901234567890123456789012345678901234567890" "\0\0\1\0\1",
      12 + 3 * 64 + 62 + 5 }, DNS_NOERROR },
    { "one byte longer", { HEAD L63 L63 L63 "\x3e" "01234567890123456789012345678901234567890123456789012345678901" "\0\0\1\0\1",
      12 + 3 * 64 + 63 + 5 }, DNS_FORMERR },
    { "four labels", { HEAD L63 L63 L63 L63 "\0\0\1\0\1", 12 + 4 * 64 + 5 }, DNS_FORMERR },
    { "nothing", { "", 0 }, DNS_SILENCE },
    { "half a head", { HEAD, 11 }, DNS_SILENCE },
    { "an answer", { "\x12\x34\x81\0\0\1\0\0\0\0\0\0" QUESTION, sizeof HEAD QUESTION - 1 }, DNS_SILENCE },
    { "a head alone", { HEAD, 12 }, DNS_FORMERR },
    { "an inverse query", { "\x12\x34\x09\0\0\1\0\0\0\0\0\0" QUESTION, sizeof HEAD QUESTION - 1 }, DNS_NOTIMP },
    { "a notification", { "\x12\x34\x20\0\0\1\0\0\0\0\0\0" QUESTION, sizeof HEAD QUESTION - 1 }, DNS_NOTIMP },
    { "an authoritative one", { "\x12\x34\5\0\0\1\0\0\0\0\0\0" QUESTION, sizeof HEAD QUESTION - 1 }, DNS_FORMERR },
    { "a truncated one", { "\x12\x34\3\0\0\1\0\0\0\0\0\0" QUESTION, sizeof HEAD QUESTION - 1 }, DNS_FORMERR },
    { "one with RA", { "\x12\x34\1\x80\0\1\0\0\0\0\0\0" QUESTION, sizeof HEAD QUESTION - 1 }, DNS_FORMERR },
    { "one with Z", { "\x12\x34\1\x40\0\1\0\0\0\0\0\0" QUESTION, sizeof HEAD QUESTION - 1 }, DNS_FORMERR },
    { "one with a code", { "\x12\x34\1\3\0\1\0\0\0\0\0\0" QUESTION, sizeof HEAD QUESTION - 1 }, DNS_FORMERR },
    { "no question", { "\x12\x34\1\0\0\0\0\0\0\0\0\0", 12 }, DNS_FORMERR },
    { "two questions", { "\x12\x34\1\0\0\2\0\0\0\0\0\0" QUESTION QUESTION, sizeof HEAD QUESTION QUESTION - 1 }, DNS_FORMERR },
    { "an answer in it", { "\x12\x34\1\0\0\1\0\1\0\0\0\0" QUESTION, sizeof HEAD QUESTION - 1 }, DNS_FORMERR },
    { "an authority in it", { "\x12\x34\1\0\0\1\0\0\0\1\0\0" QUESTION, sizeof HEAD QUESTION - 1 }, DNS_FORMERR },
    { "a pointer to itself", { HEAD "\xc0\x0c\0\1\0\1", 12 + 6 }, DNS_FORMERR },
    { "a pointer behind a label", { HEAD "\1a\xc0\x0c\0\1\0\1", 12 + 8 }, DNS_FORMERR },
    { "a reserved label", { HEAD "\x41" "a\0\0\1\0\1", 12 + 7 }, DNS_FORMERR },
    { "a name without an end", { HEAD NAME, 12 + 13 }, DNS_FORMERR },
    { "half a class", { HEAD QUESTION, sizeof HEAD QUESTION - 2 }, DNS_FORMERR },
    { "a byte behind it", { HEAD QUESTION "x", sizeof HEAD QUESTION }, DNS_FORMERR },
    { "OPT", { "\x12\x34\1\0\0\1\0\0\0\0\0\1" QUESTION OPT, sizeof HEAD QUESTION OPT - 1 }, DNS_NOERROR },
    { "OPT uncounted", { HEAD QUESTION OPT, sizeof HEAD QUESTION OPT - 1 }, DNS_FORMERR },
    { "OPT counted twice", { "\x12\x34\1\0\0\1\0\0\0\0\0\2" QUESTION OPT OPT, sizeof HEAD QUESTION OPT OPT - 1 }, DNS_FORMERR },
    { "OPT not at the root", { "\x12\x34\1\0\0\1\0\0\0\0\0\1" QUESTION "\1a" OPT, sizeof HEAD QUESTION OPT + 1 }, DNS_FORMERR },
    { "OPT of version 1", { "\x12\x34\1\0\0\1\0\0\0\0\0\1" QUESTION "\0\0\x29\x10\0\0\1\0\0\0\0", sizeof HEAD QUESTION OPT - 1 }, DNS_BADVERS },
    { "OPT with half an option", { "\x12\x34\1\0\0\1\0\0\0\0\0\1" QUESTION "\0\0\x29\x10\0\0\0\0\0\0\3\0\1\0", sizeof HEAD QUESTION OPT + 2 }, DNS_FORMERR },
    { "OPT with less than it says", { "\x12\x34\1\0\0\1\0\0\0\0\0\1" QUESTION "\0\0\x29\x10\0\0\0\0\0\0\5\0\1\0\0", sizeof HEAD QUESTION OPT + 3 }, DNS_FORMERR },
    { "OPT with options", { "\x12\x34\1\0\0\1\0\0\0\0\0\1" QUESTION "\0\0\x29\x10\0\0\0\0\0\0\6\0\x0c\0\2\0\0", sizeof HEAD QUESTION OPT + 5 }, DNS_NOERROR },
    { "another record", { "\x12\x34\1\0\0\1\0\0\0\0\0\1" QUESTION "\0\0\1\0\1\0\0\0\0\0\0", sizeof HEAD QUESTION OPT - 1 }, DNS_FORMERR },
};
/* clang-format on */

static void
only_one_plain_question_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct dns_query q;
        enum dns_code code = dns_query_read(rows[i].message, &q);

        if (code != rows[i].code)
            fail_msg("%s: %d", rows[i].what, code);
    }
}

static struct dns_query
read_plain(struct text message)
{
    struct dns_query q;

    assert_int_equal(dns_query_read(message, &q), DNS_NOERROR);
    return q;
}

static void
what_is_asked_is_told(void **state)
{
    struct dns_query q = read_plain(rows[0].message);

    (void)state;
    assert_int_equal(q.id, 0x1234);
    assert_int_equal(q.type, DNS_A);
    assert_int_equal(q.class, DNS_IN);
    assert_true(text_equals(dns_query_name(&q), TEXT("allowed.test")));
    assert_true(q.is_text);
    assert_false(q.has_edns || q.wants_dnssec);
    assert_int_equal(dns_room(&q), DNS_UDP_LEAST);
    assert_int_equal(read_plain(rows[3].message).n_name, 253);
    assert_int_equal(read_plain(rows[1].message).n_name, 0);
}

/* "a.b" in one label is not "a" below "b". */
static void
a_label_with_a_dot_is_not_taken_for_two(void **state)
{
    struct dns_query q = read_plain(text_of(HEAD "\3a.b\0\0\1\0\1", 12 + 9));

    (void)state;
    assert_false(q.is_text);
    assert_true(text_equals(dns_query_name(&q), TEXT("a.b")));
}

static void
a_datagram_is_as_long_as_its_client_and_we_take(void **state)
{
    static const struct {
        unsigned char size[2];
        size_t room;
    } sizes[] = { { { 0, 0 }, 512 },
                  { { 1, 255 }, 512 },
                  { { 2, 1 }, 513 },
                  { { 4, 0xd0 }, 1232 },
                  { { 0xff, 0xff }, 1232 } };
    char message[] = "\x12\x34\1\0\0\1\0\0\0\0\0\1" QUESTION OPT;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct dns_query q;

        memcpy(message + sizeof HEAD QUESTION - 1 + 3, sizes[i].size, 2);
        q = read_plain(text_of(message, sizeof message - 1));
        assert_true(q.has_edns && q.wants_dnssec);
        assert_int_equal(dns_room(&q), sizes[i].room);
    }
}

/* ---- answers */

static const struct address found[] = {
    { AF_INET, { 20, 0, 0, 10 } },
    { AF_INET6, { 0x26, 0, 0, 1, [15] = 0x10 } },
    { AF_INET, { 20, 0, 0, 20 } },
};

static void
assert_answer(struct text question, const struct dns_answer *a, struct text expected)
{
    struct dns_query q;
    char out[DNS_UDP_MOST];
    size_t n;

    (void)!dns_query_read(question, &q);
    n = dns_answer_write(&q, a, out, dns_room(&q));
    assert_int_equal(n, expected.n);
    assert_memory_equal(out, expected.at, n);
}

static void
an_answer_has_the_addresses_of_the_type_that_was_asked_for(void **state)
{
    static const char aaaa[] = HEAD NAME "\0\x1c\0\1";
    const struct dns_answer a = { .addresses = found, .n = 3, .ttl_s = 0x01020304 };

    (void)state;
    assert_answer(rows[0].message, &a,
                  TEXT("\x12\x34\x81\x80\0\1\0\2\0\0\0\0" QUESTION
                       "\xc0\x0c\0\1\0\1\1\2\3\4\0\4\x14\0\0\x0a"
                       "\xc0\x0c\0\1\0\1\1\2\3\4\0\4\x14\0\0\x14"));
    assert_answer(
        text_of(aaaa, sizeof aaaa - 1), &a,
        TEXT("\x12\x34\x81\x80\0\1\0\1\0\0\0\0" NAME "\0\x1c\0\1"
             "\xc0\x0c\0\x1c\0\1\1\2\3\4\0\x10\x26\0\0\1\0\0\0\0\0\0\0\0\0\0\0\x10"));
}

static void
another_type_and_a_refusal_have_none(void **state)
{
    static const char https[] = HEAD NAME "\0\x41\0\1";
    const struct dns_answer a = { .addresses = found, .n = 3 };
    const struct dns_answer no = { .code = DNS_REFUSED, .addresses = found, .n = 3 };

    (void)state;
    assert_answer(text_of(https, sizeof https - 1), &a,
                  TEXT("\x12\x34\x81\x80\0\1\0\0\0\0\0\0" NAME "\0\x41\0\1"));
    assert_answer(rows[0].message, &no,
                  TEXT("\x12\x34\x81\x85\0\1\0\0\0\0\0\0" QUESTION));
}

static void
what_could_not_be_read_is_not_repeated(void **state)
{
    const struct dns_answer no = { .code = DNS_FORMERR };
    const struct dns_answer what = { .code = DNS_NOTIMP };

    (void)state;
    assert_answer(TEXT(HEAD "\xc0\x0c\0\1\0\1"), &no,
                  TEXT("\x12\x34\x81\x81\0\0\0\0\0\0\0\0"));
    assert_answer(TEXT("\x12\x34\x28\0\0\1\0\0\0\0\0\0" QUESTION), &what,
                  TEXT("\x12\x34\xa8\x84\0\0\0\0\0\0\0\0"));
}

static void
edns_is_answered_with_our_size_and_a_version_we_do_not_know_with_a_code(void **state)
{
    const struct dns_answer a = { .code = DNS_NXDOMAIN };
    const struct dns_answer bad = { .code = DNS_BADVERS };
    static const char opt[] = "\x12\x34\1\0\0\1\0\0\0\0\0\1" QUESTION OPT;
    static const char one[] = "\x12\x34\1\0\0\1\0\0\0\0\0\1" QUESTION
                              "\0\0\x29\x10\0\0\1\0\0\0\0";

    (void)state;
    assert_answer(text_of(opt, sizeof opt - 1), &a,
                  TEXT("\x12\x34\x81\x83\0\1\0\0\0\0\0\1" QUESTION
                       "\0\0\x29\4\xd0\0\0\x80\0\0\0"));
    assert_answer(
        text_of(one, sizeof one - 1), &bad,
        TEXT("\x12\x34\x81\x80\0\1\0\0\0\0\0\1" QUESTION "\0\0\x29\4\xd0\1\0\0\0\0\0"));
}

static void
what_does_not_fit_is_to_be_asked_for_over_tcp(void **state)
{
    static struct address many[64];
    struct dns_answer a = { .addresses = many };
    struct dns_query q = read_plain(rows[0].message);
    char out[2048];
    size_t fits = (DNS_UDP_LEAST - DNS_HEAD - 18 - 11) / 16;

    (void)state;
    for (size_t i = 0; i < 64; i++)
        many[i] = found[0];
    a.n = fits;
    assert_int_equal(dns_answer_write(&q, &a, out, DNS_UDP_LEAST), 12 + 18 + fits * 16);
    assert_int_equal(out[2] & 2, 0);
    a.n = fits + 1;
    assert_int_equal(dns_answer_write(&q, &a, out, DNS_UDP_LEAST), 12 + 18);
    assert_int_equal(out[2] & 2, 2);
    assert_int_equal(out[7], 0);
    assert_int_equal(dns_answer_write(&q, &a, out, sizeof out), 12 + 18 + a.n * 16);
}

static void
types_and_codes_have_their_words(void **state)
{
    char out[DNS_TYPE_PRINT_SIZE];

    (void)state;
    assert_string_equal(dns_type_print(DNS_AAAA, out), "AAAA");
    assert_string_equal(dns_type_print(65, out), "HTTPS");
    assert_string_equal(dns_type_print(65535, out), "TYPE65535");
    assert_string_equal(dns_code_word(DNS_REFUSED), "REFUSED");
    assert_string_equal(dns_code_word(DNS_BADVERS), "BADVERS");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_one_plain_question_is_taken),
        cmocka_unit_test(what_is_asked_is_told),
        cmocka_unit_test(a_label_with_a_dot_is_not_taken_for_two),
        cmocka_unit_test(a_datagram_is_as_long_as_its_client_and_we_take),
        cmocka_unit_test(an_answer_has_the_addresses_of_the_type_that_was_asked_for),
        cmocka_unit_test(another_type_and_a_refusal_have_none),
        cmocka_unit_test(what_could_not_be_read_is_not_repeated),
        cmocka_unit_test(
            edns_is_answered_with_our_size_and_a_version_we_do_not_know_with_a_code),
        cmocka_unit_test(what_does_not_fit_is_to_be_asked_for_over_tcp),
        cmocka_unit_test(types_and_codes_have_their_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
