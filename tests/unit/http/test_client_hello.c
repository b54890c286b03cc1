/* The ClientHello that is read where TLS passes unopened: what real clients send,
 * however it is cut, and what nobody may send. */
#include "driver.h"

#include "base/buf.h"
#include "hellos.h"
#include "http/client_hello.h"

/* ---- making them */

static void
add_number(struct buf *out, size_t number, unsigned bytes)
{
    while (bytes-- > 0)
        buf_add_byte(out, (char)(number >> 8 * bytes & 0xff));
}

static void
add_vector(struct buf *out, unsigned bytes, struct text t)
{
    add_number(out, t.n, bytes);
    buf_add(out, t);
}

static void
add_extension(struct buf *out, unsigned type, struct text body)
{
    add_number(out, type, 2);
    add_vector(out, 2, body);
}

static void
add_name(struct buf *out, unsigned type, struct text name)
{
    struct buf entry = { 0 }, list = { 0 };

    add_number(&entry, type, 1);
    add_vector(&entry, 2, name);
    add_vector(&list, 2, buf_text(&entry));
    add_extension(out, 0, buf_text(&list));
    buf_free(&entry);
    buf_free(&list);
}

struct made {
    unsigned version;
    size_t session, suites, compression;
    struct text extensions;
    bool bare; /* without the length of extensions */
    struct text behind;
};

static const struct made usual = {
    .version = 0x0303, .session = 32, .suites = 4, .compression = 1
};

static void
add_zeros(struct buf *out, size_t n)
{
    while (n-- > 0)
        buf_add_byte(out, 0);
}

static void
add_hello(struct buf *out, const struct made *m)
{
    struct buf body = { 0 };

    add_number(&body, m->version, 2);
    add_zeros(&body, 32);
    add_number(&body, m->session, 1);
    add_zeros(&body, m->session);
    add_number(&body, m->suites, 2);
    add_zeros(&body, m->suites);
    add_number(&body, m->compression, 1);
    add_zeros(&body, m->compression);
    if (!m->bare)
        add_vector(&body, 2, m->extensions);
    buf_add(&body, m->behind);
    add_number(out, 1, 1);
    add_vector(out, 3, buf_text(&body));
    buf_free(&body);
}

static void
add_record(struct buf *out, struct text content)
{
    add_number(out, 22, 1);
    add_number(out, 0x0301, 2);
    add_vector(out, 2, content);
}

static void
add_records(struct buf *out, struct text message, size_t cut)
{
    while (message.n > 0) {
        size_t n = message.n < cut ? message.n : cut;

        add_record(out, text_of(message.at, n));
        message = text_of(message.at + n, message.n - n);
    }
}

/* ---- reading them */

/* From memory that ends where the input ends. */
static enum flow
read_exactly(struct text in, struct client_hello *out)
{
    char *copy = malloc(in.n > 0 ? in.n : 1);
    enum flow flow;

    assert_non_null(copy);
    if (in.n > 0)
        memcpy(copy, in.at, in.n);
    flow = client_hello_read(text_of(copy, in.n), out);
    free(copy);
    return flow;
}

static enum flow
read_made(const struct made *m, struct client_hello *out)
{
    struct buf message = { 0 }, stream = { 0 };
    enum flow flow;

    add_hello(&message, m);
    add_records(&stream, buf_text(&message), 1 << 14);
    flow = read_exactly(buf_text(&stream), out);
    buf_free(&message);
    buf_free(&stream);
    return flow;
}

static enum flow
read_extensions(const struct buf *extensions, struct client_hello *out)
{
    struct made m = usual;

    m.extensions = buf_text(extensions);
    return read_made(&m, out);
}

static void
from_hex(struct buf *out, const char *hex)
{
    const char *end = hex + strlen(hex);

    for (; hex < end; hex += 2)
        buf_add_byte(out, (char)text_hex_pair(hex, end));
}

static void
assert_pinned(const struct client_hello *h, size_t n)
{
    assert_int_equal(h->n, n);
    assert_true(text_equals(client_hello_name(h), TEXT("pinned.test")));
}

static void
assert_waits_before(struct text whole, size_t end)
{
    struct client_hello h;

    for (size_t n = 0; n < end; n++)
        if (read_exactly(text_of(whole.at, n), &h) != FLOW_WAIT)
            fail_msg("not waited for behind %zu of %zu bytes", n, end);
}

/* ---- the promises */

static void
what_clients_send_is_read_whole_and_no_byte_earlier(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(recorded); i++) {
        struct buf stream = { 0 };
        struct client_hello h;
        size_t n;

        from_hex(&stream, recorded[i].hex);
        n = buf_length(&stream);
        buf_add(&stream, TEXT("\x17\x03\x03\x00\x05"
                              "early"));
        assert_int_equal(read_exactly(buf_text(&stream), &h), FLOW_OK);
        assert_pinned(&h, n);
        assert_int_equal(h.hides_name, recorded[i].hides_name);
        assert_waits_before(buf_text(&stream), n);
        buf_free(&stream);
    }
}

static void
it_is_the_same_in_as_many_records_as_may_be(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(recorded); i++) {
        struct buf once = { 0 }, stream = { 0 };
        struct client_hello h;
        struct text message;

        from_hex(&once, recorded[i].hex);
        message = text_of(buf_text(&once).at + 5, buf_length(&once) - 5);
        add_records(&stream, message, (message.n + 7) / 8);
        assert_int_equal(read_exactly(buf_text(&stream), &h), FLOW_OK);
        assert_pinned(&h, buf_length(&stream));
        assert_waits_before(buf_text(&stream), buf_length(&stream));
        buf_drop(&stream, buf_length(&stream));
        add_records(&stream, message, message.n / 9);
        assert_int_equal(read_exactly(buf_text(&stream), &h), FLOW_BROKEN);
        buf_free(&once);
        buf_free(&stream);
    }
}

/* Of one byte each: the eighth record is the last, and it is known before a ninth. */
static void
records_without_end_are_not_waited_for(void **state)
{
    struct buf stream = { 0 };
    struct client_hello h;

    (void)state;
    add_records(&stream,
                TEXT("\x01\x00\x01\x00"
                     "xxxx"),
                1);
    assert_int_equal(read_exactly(buf_text(&stream), &h), FLOW_BROKEN);
    assert_waits_before(buf_text(&stream), buf_length(&stream) - 1);
    buf_free(&stream);
}

/* However its bytes come: all of the hello may be there before the rest of the record
 * is. */
static void
a_hello_that_ends_before_its_record_is_none_even_while_that_is_on_its_way(void **state)
{
    struct buf stream = { 0 };
    struct client_hello h;
    struct text in;

    (void)state;
    from_hex(&stream, recorded[0].hex);
    in = buf_text(&stream);
    ((char *)(uintptr_t)in.at)[4]++; /* the record is one byte longer than the hello */
    assert_waits_before(in, in.n - 1);
    assert_int_equal(read_exactly(in, &h), FLOW_BROKEN);
    buf_add_byte(&stream, 0);
    assert_int_equal(read_exactly(buf_text(&stream), &h), FLOW_BROKEN);
    buf_free(&stream);
}

static void
a_hello_has_a_length_that_it_may_have_and_no_more(void **state)
{
    static const char zeros[CLIENT_HELLO_MAX];
    enum { OTHERS = 4 + 2 + 32 + 33 + 6 + 2 + 2 + 4 };
    struct client_hello h;

    (void)state;
    for (size_t over = 0; over < 2; over++) {
        struct buf extensions = { 0 };

        add_extension(&extensions, 21,
                      text_of(zeros, CLIENT_HELLO_MAX - OTHERS + over));
        assert_int_equal(read_extensions(&extensions, &h),
                         over == 0 ? FLOW_OK : FLOW_BROKEN);
        buf_free(&extensions);
    }
    assert_int_equal(read_exactly(TEXT("\x16\x03\x01\x00\x04\x01\x00\x3f\xfd"), &h),
                     FLOW_BROKEN);
}

static void
what_begins_otherwise_is_known_at_its_first_wrong_byte(void **state)
{
    static const struct {
        const char *id;
        struct text in;
    } table[] = {
        { "a request", { "G", 1 } },
        { "an alert", { "\x15", 1 } },
        { "application data", { "\x17", 1 } },
        { "TLS's forerunner", { "\x80", 1 } },
        { "another major", { "\x16\x02", 2 } },
        { "an empty record", { "\x16\x03\x01\x00\x00", 5 } },
        { "a record too long", { "\x16\x03\x01\x40\x01", 5 } },
        { "a ServerHello", { "\x16\x03\x01\x00\x04\x02", 6 } },
        { "more than the hello", { "\x16\x03\x01\x00\x05\x01\x00\x00\x00\x00", 10 } },
        { "a second record that is none", { "\x16\x03\x01\x00\x01\x01\x17", 7 } },
    };
    struct client_hello h;

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        if (read_exactly(table[i].in, &h) != FLOW_BROKEN)
            fail_msg("%s was taken", table[i].id);
        assert_waits_before(table[i].in, table[i].in.n - 1);
    }
}

static void
a_hello_of_a_tls_before_1_2_is_none(void **state)
{
    static const unsigned versions[] = { 0x0200, 0x0300, 0x0301, 0x0302, 0x0404 };
    struct buf stream = { 0 };
    struct client_hello h;

    (void)state;
    from_hex(&stream, recorded_tls11);
    assert_int_equal(read_exactly(buf_text(&stream), &h), FLOW_BROKEN);
    buf_free(&stream);
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct made m = usual;

        m.version = versions[i];
        assert_int_equal(read_made(&m, &h), FLOW_BROKEN);
    }
}

static void
lists_are_as_long_as_they_may_be(void **state)
{
    static const struct {
        const char *id;
        struct made made;
        enum flow flow;
    } table[] = {
        { "usual", { 0x0303, 32, 4, 1, { 0 }, false, { 0 } }, FLOW_OK },
        { "no extensions", { 0x0303, 0, 2, 2, { 0 }, true, { 0 } }, FLOW_OK },
        { "long session", { 0x0303, 33, 4, 1, { 0 }, false, { 0 } }, FLOW_BROKEN },
        { "no suites", { 0x0303, 32, 0, 1, { 0 }, false, { 0 } }, FLOW_BROKEN },
        { "odd suites", { 0x0303, 32, 3, 1, { 0 }, false, { 0 } }, FLOW_BROKEN },
        { "no compression", { 0x0303, 32, 4, 0, { 0 }, false, { 0 } }, FLOW_BROKEN },
        { "more behind", { 0x0303, 32, 4, 1, { 0 }, false, { "x", 1 } }, FLOW_BROKEN },
        { "half a length", { 0x0303, 32, 4, 1, { 0 }, true, { "", 1 } }, FLOW_BROKEN },
        { "half an extension",
          { 0x0303, 32, 4, 1, { "\0\x15\0\1", 4 }, false, { 0 } },
          FLOW_BROKEN },
        { "half a type", { 0x0303, 32, 4, 1, { "", 1 }, false, { 0 } }, FLOW_BROKEN },
    };
    struct client_hello h;

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++)
        if (read_made(&table[i].made, &h) != table[i].flow || h.name_n != 0)
            fail_msg("%s", table[i].id);
}

static void
the_server_name_is_exactly_one_host_name(void **state)
{
    static const struct {
        const char *id;
        struct text body;
    } table[] = {
        { "empty", { "", 0 } },
        { "empty list", { "\0\0", 2 } },
        { "empty name", { "\0\3\0\0\0", 5 } },
        { "another type", { "\0\4\1\0\1a", 6 } },
        { "two names", { "\0\x8\0\0\1a\0\0\1b", 10 } },
        { "a byte behind the list", { "\0\4\0\0\1a\0", 7 } },
        { "a list too short", { "\0\3\0\0\1a", 6 } },
        { "a list too long", { "\0\5\0\0\1a", 6 } },
        { "a name too long", { "\0\4\0\0\2a", 6 } },
        { "half a list", { "\0", 1 } },
    };
    struct client_hello h;

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct buf extensions = { 0 };

        add_extension(&extensions, 0, table[i].body);
        if (read_extensions(&extensions, &h) != FLOW_BROKEN)
            fail_msg("%s was taken", table[i].id);
        buf_free(&extensions);
    }
}

static void
two_server_names_are_none(void **state)
{
    struct buf extensions = { 0 };
    struct client_hello h;

    (void)state;
    add_name(&extensions, 0, TEXT("a.test"));
    assert_int_equal(read_extensions(&extensions, &h), FLOW_OK);
    assert_true(text_equals(client_hello_name(&h), TEXT("a.test")));
    add_extension(&extensions, 10, TEXT("\0\2\0\x1d"));
    add_name(&extensions, 0, TEXT("a.test"));
    assert_int_equal(read_extensions(&extensions, &h), FLOW_BROKEN);
    buf_free(&extensions);
}

/* A name is told as it stands: what it is worth is base/host's to say. */
static void
a_name_is_told_byte_for_byte_up_to_the_longest_there_is(void **state)
{
    char longest[HOST_MAX + 2];
    struct client_hello h;

    (void)state;
    memset(longest, 'x', sizeof longest);
    longest[3] = '\0';
    for (size_t n = 1; n <= sizeof longest; n++) {
        struct buf extensions = { 0 };
        bool fits = n <= HOST_MAX + 1;

        add_name(&extensions, 0, text_of(longest, n));
        assert_int_equal(read_extensions(&extensions, &h),
                         fits ? FLOW_OK : FLOW_BROKEN);
        if (fits)
            assert_true(text_equals(client_hello_name(&h), text_of(longest, n)));
        buf_free(&extensions);
    }
}

static void
a_hello_that_may_hide_its_name_says_so(void **state)
{
    static const struct {
        unsigned type;
        bool hides;
    } table[] = {
        { 0xfe0d, true },  { 0xfe08, true },  { 0xfe0a, true },  { 0xffce, true },
        { 0xfe07, false }, { 0xfe0e, false }, { 0x0a0a, false }, { 0xfafa, false },
        { 41, false },     { 42, false },
    };
    struct client_hello h;

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct buf extensions = { 0 };

        add_name(&extensions, 0, TEXT("pinned.test"));
        add_extension(&extensions, table[i].type, TEXT("anything"));
        assert_int_equal(read_extensions(&extensions, &h), FLOW_OK);
        if (h.hides_name != table[i].hides)
            fail_msg("extension %04x", table[i].type);
        buf_free(&extensions);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_clients_send_is_read_whole_and_no_byte_earlier),
        cmocka_unit_test(it_is_the_same_in_as_many_records_as_may_be),
        cmocka_unit_test(records_without_end_are_not_waited_for),
        cmocka_unit_test(
            a_hello_that_ends_before_its_record_is_none_even_while_that_is_on_its_way),
        cmocka_unit_test(a_hello_has_a_length_that_it_may_have_and_no_more),
        cmocka_unit_test(what_begins_otherwise_is_known_at_its_first_wrong_byte),
        cmocka_unit_test(a_hello_of_a_tls_before_1_2_is_none),
        cmocka_unit_test(lists_are_as_long_as_they_may_be),
        cmocka_unit_test(the_server_name_is_exactly_one_host_name),
        cmocka_unit_test(two_server_names_are_none),
        cmocka_unit_test(a_name_is_told_byte_for_byte_up_to_the_longest_there_is),
        cmocka_unit_test(a_hello_that_may_hide_its_name_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
