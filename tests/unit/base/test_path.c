/* Paths: one spelling, or refused; beside a plain transcription of RFC 3986 and beside
 * readers who read differently. */
#include "base/path.h"
#include "rows.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
enum { ROUNDS = 20000 };

struct normalised {
    struct text target; /* ours, exact */
    enum reason why;
    struct text path;
    struct text query;
};

static struct normalised
normalise(struct arena *a, struct text target)
{
    struct normalised n = { .target = exact_new(target) };

    n.path = n.query = TEXT("left over");
    n.why = path_normalise(a, n.target, &n.path, &n.query);
    /* What comes back lives in the arena: the target may go. */
    exact_free(n.target);
    if (n.why != REASON_OK) {
        assert_int_equal(n.why, REASON_PATH_MALFORMED);
        assert_null(n.path.at);
        assert_null(n.query.at);
    }
    return n;
}

static void
a_target_comes_out_in_its_one_spelling(void **state)
{
    static const struct {
        struct text target;
        const char *path;
        const char *query; /* NULL: no '?' */
    } rows[] = {
        { TEXT("/"), "/", NULL },
        { TEXT("*"), "*", NULL },
        { TEXT("/v1/items"), "/v1/items", NULL },
        { TEXT("/v1/items/"), "/v1/items/", NULL },
        { TEXT("/V1/Items"), "/V1/Items", NULL },
        { TEXT("/*"), "/*", NULL },

        /* dot segments, RFC 3986 5.2.4 and 5.4 */
        { TEXT("/."), "/", NULL },
        { TEXT("/./"), "/", NULL },
        { TEXT("/a/."), "/a/", NULL },
        { TEXT("/a/./"), "/a/", NULL },
        { TEXT("/a/./b"), "/a/b", NULL },
        { TEXT("/././."), "/", NULL },
        { TEXT("/a/.."), "/", NULL },
        { TEXT("/a/../"), "/", NULL },
        { TEXT("/a/../b"), "/b", NULL },
        { TEXT("/a/b/.."), "/a/", NULL },
        { TEXT("/a/b/../"), "/a/", NULL },
        { TEXT("/a/b/c/./../../g"), "/a/g", NULL },
        { TEXT("/mid/content=5/../6"), "/mid/6", NULL },
        { TEXT("/a/b/../../c"), "/c", NULL },
        { TEXT("/a/./../b/./../c"), "/c", NULL },
        { TEXT("/..."), "/...", NULL },
        { TEXT("/.../a"), "/.../a", NULL },
        { TEXT("/.a"), "/.a", NULL },
        { TEXT("/..a"), "/..a", NULL },
        { TEXT("/a."), "/a.", NULL },
        { TEXT("/a.."), "/a..", NULL },
        { TEXT("/a/..b/c"), "/a/..b/c", NULL },
        { TEXT("/.well-known/x"), "/.well-known/x", NULL },

        /* escaped once, a dot segment is one all the same */
        { TEXT("/a/%2e"), "/a/", NULL },
        { TEXT("/a/%2E/b"), "/a/b", NULL },
        { TEXT("/a/%2e%2e/b"), "/b", NULL },
        { TEXT("/a/%2E%2e/b"), "/b", NULL },
        { TEXT("/a/.%2e/b"), "/b", NULL },
        { TEXT("/a/%2e./b"), "/b", NULL },
        { TEXT("/%2e"), "/", NULL },
        { TEXT("/a%2eb"), "/a.b", NULL },
        { TEXT("/%2e%2e%2e"), "/...", NULL },

        /* empty segments stay, and ".." takes one of them */
        { TEXT("//"), "//", NULL },
        { TEXT("//a"), "//a", NULL },
        { TEXT("/a//b"), "/a//b", NULL },
        { TEXT("/a//"), "/a//", NULL },
        { TEXT("/a//../b"), "/a/b", NULL },
        { TEXT("//.."), "/", NULL },
        { TEXT("//../a"), "/a", NULL },
        { TEXT("/a/..//b"), "//b", NULL },
        { TEXT("///./"), "///", NULL },

        /* escapes */
        { TEXT("/%7Ejoe"), "/~joe", NULL },
        { TEXT("/%7ejoe"), "/~joe", NULL },
        { TEXT("/%41%7a%30%2d%5F%2e%2D"), "/Az0-_.-", NULL },
        { TEXT("/a%20b"), "/a%20b", NULL },
        { TEXT("/a%3f%23%5b"), "/a%3F%23%5B", NULL },
        { TEXT("/caf%c3%a9"), "/caf%C3%A9", NULL },
        { TEXT("/%ff"), "/%FF", NULL },
        { TEXT("/%0a"), "/%0A", NULL },
        { TEXT("/%3a%40%21"), "/%3A%40%21", NULL },
        { TEXT("/100%25"), "/100%25", NULL },
        { TEXT("/a%2541"), "/a%2541", NULL },
        { TEXT("/a%252fb"), "/a%252fb", NULL },
        { TEXT("/@scope%2fname"), "/@scope%2Fname", NULL },
        { TEXT("/%2F"), "/%2F", NULL },
        { TEXT("/a%252eb"), "/a%252eb", NULL },
        { TEXT("/%252e%252e%252e"), "/%252e%252e%252e", NULL },
        { TEXT("/%25zz"), "/%25zz", NULL },
        { TEXT("/%2541%2"
               "5"),
          "/%2541%25", NULL },

        /* what RFC 3986 lets stand in a segment */
        { TEXT("/a;v=1/b"), "/a;v=1/b", NULL },
        { TEXT("/a;v=1.2"), "/a;v=1.2", NULL },
        { TEXT("/;"), "/;", NULL },
        { TEXT("/a%3bb"), "/a%3Bb", NULL },
        { TEXT("/!$&'()*+,=:@-._~"), "/!$&'()*+,=:@-._~", NULL },
        { TEXT("/@scope/name"), "/@scope/name", NULL },
        { TEXT("/http://x"), "/http://x", NULL },

        /* queries: bytes as given */
        { TEXT("/?"), "/", "" },
        { TEXT("/a?"), "/a", "" },
        { TEXT("/a?b=c&d"), "/a", "b=c&d" },
        { TEXT("/a?b?c"), "/a", "b?c" },
        { TEXT("/a??"), "/a", "?" },
        { TEXT("/a?/../b/./c"), "/a", "/../b/./c" },
        { TEXT("/a?%7e%2f%zz%"), "/a", "%7e%2f%zz%" },
        { TEXT("/a?q=[1]|{2}^`\"<>\\"), "/a", "q=[1]|{2}^`\"<>\\" },
        { TEXT("/a?http://x/y"), "/a", "http://x/y" },
        { TEXT("/a/../b?c"), "/b", "c" },
        { TEXT("/a/..?c"), "/", "c" },
        { TEXT("/a/.?c"), "/a/", "c" },
    };
    struct arena *a = arena_new();

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct normalised n = normalise(a, rows[i].target);

        if (n.why != REASON_OK || !text_equals(n.path, text_z(rows[i].path)))
            fail_msg("row %zu, %.*s: %.*s", i, TEXT_ARG(rows[i].target),
                     TEXT_ARG(n.path));
        if (rows[i].query == NULL) {
            assert_null(n.query.at);
            assert_int_equal(n.query.n, 0);
        } else {
            assert_non_null(n.query.at);
            assert_true(text_equals(n.query, text_z(rows[i].query)));
        }
    }
    arena_free(a);
}

static void
a_target_that_readers_could_read_differently_is_refused(void **state)
{
    static const struct text rows[] = {
        /* not origin-form */
        TEXT(""),
        TEXT("a"),
        TEXT("."),
        TEXT("?a"),
        TEXT("%2f"),
        TEXT("**"),
        TEXT("*?a"),
        TEXT("*/"),
        TEXT("http://example.com/"),
        TEXT("example.com:443"),
        TEXT("\\a"),
        TEXT("\0"),

        /* ".." above the root */
        TEXT("/.."),
        TEXT("/../"),
        TEXT("/../a"),
        TEXT("/a/../.."),
        TEXT("/a/../../b"),
        TEXT("/./.."),
        TEXT("/%2e%2e"),
        TEXT("/%2E%2E/a"),
        TEXT("/a/%2e%2e/.%2e"),
        TEXT("//../.."),

        /* a dot segment for whoever decodes more often */
        TEXT("/%252e"),
        TEXT("/a/%252e/b"),
        TEXT("/a/%252e%252e/b"),
        TEXT("/a/%252E%252e"),
        TEXT("/a/.%252e/b"),
        TEXT("/a/%252e./b"),
        TEXT("/a/%2e%252e/b"),
        TEXT("/a/%25%32%65/b"),
        TEXT("/a/%25%32%25%36%35/b"),
        TEXT("/a/%252%2565%252%2565/b"),
        TEXT("/a/%25252e%25252e/b"),
        TEXT("/a/%2525252e/b"),
        TEXT("/a/x%252f..%252fb"),
        TEXT("/a/..%252fb"),
        TEXT("/a/..%255cb"),
        TEXT("/a/b%252f%252e%252e"),
        TEXT("/a/%252e%252e%252fb"),
        TEXT("/a/%252e%252e%252e%252f.."
             "%252f"),

        /* a dot segment for whoever cuts path parameters off first */
        TEXT("/a/..;/b"),
        TEXT("/a/..;x=1/b"),
        TEXT("/a/.;/b"),
        TEXT("/a/..;"),
        TEXT("/a/%2e%2e;/b"),
        TEXT("/a/..%3b/b"),
        TEXT("/a/..%3Bx/b"),
        TEXT("/a/..%253b/b"),
        TEXT("/a/%252e%252e;x/b"),
        TEXT("/a/;../b"),

        /* slashes that are not written as one */
        TEXT("/a%5cb"),
        TEXT("/a%5Cb"),
        TEXT("/a\\b"),
        TEXT("/..%2f"),
        TEXT("/..\\"),
        TEXT("/a%2f..%2fb"),
        TEXT("/a%2F."),
        TEXT("/a/%2e%2e%2fb"),

        /* escapes that are none */
        TEXT("/%"),
        TEXT("/a%"),
        TEXT("/a%4"),
        TEXT("/a%4?1"),
        TEXT("/a%4/1"),
        TEXT("/a%zz"),
        TEXT("/a%4z"),
        TEXT("/a%z4"),
        TEXT("/a%%41"),
        TEXT("/a%2%65"),
        TEXT("/a% 41"),
        TEXT("/a%+4"),
        TEXT("/a%0x"),
        TEXT("/a%u002e"),
        TEXT("/%00"),
        TEXT("/a%00.png"),

        /* bytes that no path holds */
        TEXT("/a b"),
        TEXT("/a\tb"),
        TEXT("/a\rb"),
        TEXT("/a\nb"),
        TEXT("/a\r\nHost: b"),
        TEXT("/ HTTP/1.1\r\nHost: b\r\n\r\n"),
        TEXT("/a\0b"),
        TEXT("/a\0"),
        TEXT("/a\x01"),
        TEXT("/a\x7f"),
        TEXT("/a\x80"),
        TEXT("/caf\xc3\xa9"),
        TEXT("/\xff"),
        TEXT("/\xc0\xae\xc0\xae/"),
        TEXT("/a#b"),
        TEXT("/#"),
        TEXT("/a\"b"),
        TEXT("/a<b"),
        TEXT("/a>b"),
        TEXT("/a[b"),
        TEXT("/a]b"),
        TEXT("/a^b"),
        TEXT("/a`b"),
        TEXT("/a{b"),
        TEXT("/a|b"),
        TEXT("/a}b"),

        /* and no query */
        TEXT("/?a b"),
        TEXT("/?a\tb"),
        TEXT("/?a\r\nb"),
        TEXT("/?\0"),
        TEXT("/?a\x7f"),
        TEXT("/?a#b"),
        TEXT("/a#?b"),
        TEXT("/?caf\xc3\xa9"),
        TEXT("/?\x80"),
        TEXT("/?\xff"),
        TEXT("/a%zz?b"),
        TEXT("/..?b"),
    };
    struct arena *a = arena_new();

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct normalised n = normalise(a, rows[i]);

        if (n.why != REASON_PATH_MALFORMED)
            fail_msg("row %zu, %.*s: %.*s", i, TEXT_ARG(rows[i]), TEXT_ARG(n.path));
    }
    arena_free(a);
}

/* What RFC 3986 says of each byte, written out. */
static bool
is_in(int c, const char *set)
{
    return c != 0 && strchr(set, c) != NULL;
}

static void
each_byte_stands_where_the_rfc_lets_it(void **state)
{
    static const char unreserved[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    static const char rest[] = "!$&'()*+,;=:@/?";
    struct arena *a = arena_new();

    (void)state;
    for (int c = 0; c < 256; c++) {
        char in_path[] = { '/', 'a', (char)c, 'b' };
        char in_query[] = { '/', '?', (char)c };
        char escaped[8];
        struct normalised n = normalise(a, text_of(in_path, 4));

        assert_int_equal(n.why == REASON_OK, is_in(c, unreserved) || is_in(c, rest));
        n = normalise(a, text_of(in_query, 3));
        assert_int_equal(n.why == REASON_OK, c > 0x20 && c < 0x7f && c != '#');
        if (n.why == REASON_OK)
            assert_true(text_equals(n.query, text_of(in_query + 2, 1)));

        snprintf(escaped, sizeof(escaped), "/a%%%02x", (unsigned)c);
        n = normalise(a, text_z(escaped));
        assert_int_equal(n.why == REASON_OK, c != 0 && c != '\\');
        if (n.why == REASON_OK)
            assert_int_equal(n.path.n, is_in(c, unreserved) ? 3 : 5);
    }
    arena_free(a);
}

/* RFC 3986 section 5.2.4, letter by letter (2A to 2E): the input buffer shrinks, the
 * output buffer grows. */
static size_t
rfc_remove_dot_segments(const char *in, char *out)
{
    size_t n = 0;

    while (*in != '\0') {
        if (strncmp(in, "/./", 3) == 0) {
            in += 2;
        } else if (strcmp(in, "/.") == 0) {
            in = "/";
        } else if (strncmp(in, "/../", 4) == 0 || strcmp(in, "/..") == 0) {
            in = in[3] == '/' ? in + 3 : "/";
            while (n > 0 && out[--n] != '/')
                ;
        } else {
            do
                out[n++] = *in++;
            while (*in != '\0' && *in != '/');
        }
    }
    return n;
}

/* How deep the path is after each segment; false when it ever leaves the root. */
static bool
stays_below_root(const char *z)
{
    struct text rest = text_z(z + 1);
    struct text segment;
    int depth = 0;

    while (text_split(&rest, '/', &segment)) {
        if (text_equals(segment, TEXT("..")))
            depth--;
        else if (!text_equals(segment, TEXT(".")))
            depth++;
        if (depth < 0)
            return false;
    }
    return true;
}

static void
dot_segments_go_as_the_rfc_says_or_the_path_is_refused(void **state)
{
    static const char *const pieces[] = { "/",  "/",   "/a",   "/bc",
                                          "/.", "/..", "/...", "/.d" };
    struct arena *a = arena_new();
    int refused = 0;

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        char z[128] = "";
        char expected[128];
        struct normalised n;

        for (size_t k = 1 + random_below(9); k > 0; k--)
            strcat(z, pieces[random_below(COUNT(pieces))]);
        n = normalise(a, text_z(z));
        if (!stays_below_root(z)) {
            if (n.why == REASON_OK)
                fail_msg("%s leaves the root", z);
            refused++;
        } else if (!text_equals(n.path, text_of(expected, rfc_remove_dot_segments(
                                                              z, expected)))) {
            fail_msg("%s became %.*s", z, TEXT_ARG(n.path));
        }
        arena_reset(a);
    }
    assert_in_range(refused, 1, ROUNDS - 1);
    arena_free(a);
}

/* Decodes every escape once; what is no escape stays. */
static struct text
decode(struct text t, char *out)
{
    size_t n = 0;

    for (size_t i = 0; i < t.n; i++) {
        unsigned c;
        char digits[3] = "";

        if (t.at[i] == '%' && i + 2 < t.n) {
            memcpy(digits, t.at + i + 1, 2);
            if (strspn(digits, "0123456789abcdefABCDEF") == 2) {
                assert_int_equal(sscanf(digits, "%x", &c), 1);
                out[n++] = (char)c;
                i += 2;
                continue;
            }
        }
        out[n++] = t.at[i];
    }
    return text_of(out, n);
}

/* As a reader takes it who knows '\' for a slash and cuts path parameters off. */
static bool
has_dot_segment(struct text path)
{
    size_t start = 0;

    for (size_t i = 0; i <= path.n; i++) {
        bool ends = i == path.n || memchr("/\\;", path.at[i], 3) != NULL;

        if (!ends)
            continue;
        if (i - start == 1 && path.at[start] == '.')
            return true;
        if (i - start == 2 && path.at[start] == '.' && path.at[start + 1] == '.')
            return true;
        start = i + 1;
    }
    return false;
}

static void
assert_no_reader_finds_a_dot_segment(struct text path)
{
    char one[512];
    char other[512];
    struct text t = path;

    assert_true(path.n < sizeof(one));
    for (int times = 0; times < 4; times++) {
        if (has_dot_segment(t))
            fail_msg("%.*s holds a dot segment, decoded %d times", TEXT_ARG(path),
                     times);
        t = decode(t, times % 2 == 0 ? one : other);
    }
}

static void
what_comes_out_is_stable_and_holds_no_dot_segment_for_any_reader(void **state)
{
    static const char *const pieces[] = {
        "/",   "/",   "/",     "a",  "B",     ".",   ".",   "..",  "%2e", "%2E",
        "%25", "%25", "2e",    "2f", "%252e", "%3b", ";",   "%7e", "%c3", "%ff",
        "5c",  "3B",  "%255c", "=",  "@",     "?",   "%20", "25",
    };
    struct arena *a = arena_new();
    int accepted = 0, plain = 0;

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        char z[128] = "/";
        struct normalised once;
        struct normalised twice;

        for (size_t k = random_below(14); k > 0; k--)
            strcat(z, pieces[random_below(COUNT(pieces))]);
        once = normalise(a, text_z(z));
        if (path_is_plain(text_z(z))) {
            assert_int_equal(once.why, REASON_OK);
            assert_true(text_equals(once.path, text_z(z)));
            plain++;
        }
        if (once.why == REASON_OK) {
            assert_no_reader_finds_a_dot_segment(once.path);
            twice = normalise(a, once.path);
            if (twice.why != REASON_OK || !text_equals(once.path, twice.path))
                fail_msg("%s became %.*s, and that %.*s", z, TEXT_ARG(once.path),
                         TEXT_ARG(twice.path));
            accepted++;
        }
        arena_reset(a);
    }
    assert_in_range(accepted, 1, ROUNDS - 1);
    assert_in_range(plain, 1, accepted);
    arena_free(a);
}

static void
random_bytes_give_a_clean_path_or_none(void **state)
{
    struct arena *a = arena_new();
    char mem[64];

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct text t = random_text(mem, 40, TEXT("/////....%%%22eE5fFcC;?a*"));
        struct normalised n;

        if (t.n > 0 && random_below(8) != 0)
            mem[0] = '/';
        n = normalise(a, t);
        if (n.why == REASON_OK && !text_equals(n.path, TEXT("*"))) {
            assert_true(n.path.n > 0 && n.path.n <= t.n);
            assert_int_equal(n.path.at[0], '/');
            assert_no_reader_finds_a_dot_segment(n.path);
            for (size_t k = 0; k < n.path.n; k++)
                assert_in_range(n.path.at[k], '!', '~');
        }
        arena_reset(a);
    }
    arena_free(a);
}

static void
a_long_path_of_dot_segments_is_read_in_one_pass(void **state)
{
    enum { TIMES = 1000 };
    struct arena *a = arena_new();
    char *z = malloc(TIMES * 5 + 2);
    struct normalised n;

    (void)state;
    assert_non_null(z);
    for (int i = 0; i < TIMES; i++)
        memcpy(z + i * 2, "/a", 2);
    for (int i = 0; i < TIMES; i++)
        memcpy(z + TIMES * 2 + i * 3, "/..", 3);
    n = normalise(a, text_of(z, TIMES * 5));
    assert_int_equal(n.why, REASON_OK);
    assert_true(text_equals(n.path, TEXT("/")));
    memcpy(z + TIMES * 5, "/a", 2);
    n = normalise(a, text_of(z, TIMES * 5 + 2));
    assert_true(text_equals(n.path, TEXT("/a")));
    n = normalise(a, text_of(z + 2, TIMES * 5));
    assert_int_equal(n.why, REASON_PATH_MALFORMED);
    free(z);
    arena_free(a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_target_comes_out_in_its_one_spelling),
        cmocka_unit_test(a_target_that_readers_could_read_differently_is_refused),
        cmocka_unit_test(each_byte_stands_where_the_rfc_lets_it),
        cmocka_unit_test(dot_segments_go_as_the_rfc_says_or_the_path_is_refused),
        cmocka_unit_test(
            what_comes_out_is_stable_and_holds_no_dot_segment_for_any_reader),
        cmocka_unit_test(random_bytes_give_a_clean_path_or_none),
        cmocka_unit_test(a_long_path_of_dot_segments_is_read_in_one_pass),
    };

    return cmocka_run_group_tests_name("base/path", tests, random_begin, NULL);
}
