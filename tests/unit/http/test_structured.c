/* Structured fields are read and written as the HTTP working group's own cases say
 * (HOLDFAST_VECTORS, structured-fields/): of those in which a parser may choose, the
 * strict reading. The cases are read with jansson, since some of them hold NUL. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "http/structured.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { CASES_PARSED = 1580, CASES_WRITTEN = 544 };

static struct arena *arena;
static char trying[256]; /* told when it fails */

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

/* ---- what a case expects, as a field */

static struct text
text_in(const json_t *j)
{
    return text_of(json_string_value(j), json_string_length(j));
}

/* RFC 4648 section 6, as the cases spell bytes. */
static struct text
from_base32(struct text t)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    char *out = arena_alloc(arena, t.n);
    unsigned held = 0, bits = 0;
    size_t n = 0;

    for (size_t i = 0; i < t.n && t.at[i] != '='; i++) {
        held = held << 5 | (unsigned)(strchr(alphabet, t.at[i]) - alphabet);
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (char)(held >> bits);
        }
    }
    return text_of(out, n);
}

static struct sf_value
typed_value(const json_t *j)
{
    const char *type = json_string_value(json_object_get(j, "__type"));
    const json_t *value = json_object_get(j, "value");
    struct sf_value v = { .text = text_in(value) };

    if (strcmp(type, "date") == 0) {
        v = (struct sf_value){ .kind = SF_DATE, .number = json_integer_value(value) };
    } else if (strcmp(type, "binary") == 0) {
        v.kind = SF_BYTES;
        v.text = from_base32(v.text);
    } else {
        v.kind = strcmp(type, "token") == 0 ? SF_TOKEN : SF_DISPLAY;
    }
    return v;
}

static struct sf_value
value_in(const json_t *j)
{
    if (json_is_object(j))
        return typed_value(j);
    if (json_is_string(j))
        return (struct sf_value){ .kind = SF_STRING, .text = text_in(j) };
    if (json_is_boolean(j))
        return (struct sf_value){ .kind = SF_BOOLEAN, .number = json_is_true(j) };
    if (json_is_integer(j))
        return (struct sf_value){ .kind = SF_INTEGER, .number = json_integer_value(j) };
    return (struct sf_value){ .kind = SF_DECIMAL,
                              .number = llrint(json_real_value(j) * 1000) };
}

static struct sf_params
params_in(const json_t *j)
{
    struct sf_params p = { .n = json_array_size(j) };

    p.at = arena_alloc(arena, p.n * sizeof *p.at);
    for (size_t i = 0; i < p.n; i++) {
        const json_t *pair = json_array_get(j, i);

        p.at[i].key = text_in(json_array_get(pair, 0));
        p.at[i].value = value_in(json_array_get(pair, 1));
    }
    return p;
}

static struct sf_item
item_in(const json_t *j)
{
    return (struct sf_item){ .value = value_in(json_array_get(j, 0)),
                             .params = params_in(json_array_get(j, 1)) };
}

static struct sf_member
member_in(const json_t *j)
{
    const json_t *items = json_array_get(j, 0);
    struct sf_member m = { .n_inner = 0 };

    if (!json_is_array(items)) {
        m.item = item_in(j);
        return m;
    }
    m.is_inner = true;
    m.item.params = params_in(json_array_get(j, 1));
    m.n_inner = json_array_size(items);
    m.inner = arena_alloc(arena, m.n_inner * sizeof *m.inner);
    for (size_t i = 0; i < m.n_inner; i++)
        m.inner[i] = item_in(json_array_get(items, i));
    return m;
}

static enum sf_type
type_in(const json_t *one)
{
    const char *word = json_string_value(json_object_get(one, "header_type"));

    return *word == 'i' ? SF_ITEM : *word == 'l' ? SF_LIST : SF_DICTIONARY;
}

static struct sf_field
field_in(const json_t *one)
{
    const json_t *expected = json_object_get(one, "expected");
    enum sf_type type = type_in(one);
    struct sf_field f = { .n = type == SF_ITEM ? 1 : json_array_size(expected) };

    f.at = arena_alloc(arena, f.n * sizeof *f.at);
    for (size_t i = 0; i < f.n; i++) {
        const json_t *at = type == SF_ITEM ? expected : json_array_get(expected, i);

        f.at[i] = member_in(type == SF_DICTIONARY ? json_array_get(at, 1) : at);
        if (type == SF_DICTIONARY)
            f.at[i].key = text_in(json_array_get(at, 0));
    }
    return f;
}

/* ---- comparing */

static void
same_text(struct text a, struct text b)
{
    assert_int_equal(a.n, b.n);
    if (a.n > 0)
        assert_memory_equal(a.at, b.at, a.n);
}

static void
same_value(const struct sf_value *a, const struct sf_value *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->number, b->number);
    same_text(a->text, b->text);
}

static void
same_params(const struct sf_params *a, const struct sf_params *b)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        same_text(a->at[i].key, b->at[i].key);
        same_value(&a->at[i].value, &b->at[i].value);
    }
}

static void
same_item(const struct sf_item *a, const struct sf_item *b)
{
    same_value(&a->value, &b->value);
    same_params(&a->params, &b->params);
}

static void
same_field(const struct sf_field *a, const struct sf_field *b)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        same_text(a->at[i].key, b->at[i].key);
        assert_int_equal(a->at[i].is_inner, b->at[i].is_inner);
        assert_int_equal(a->at[i].n_inner, b->at[i].n_inner);
        same_item(&a->at[i].item, &b->at[i].item);
        for (size_t k = 0; k < a->at[i].n_inner; k++)
            same_item(&a->at[i].inner[k], &b->at[i].inner[k]);
    }
}

/* ---- the cases */

/* As whoever received these lines would join them; in memory of its own, so that a
 * sanitizer sees a look behind it. */
static struct text
lines_joined(const json_t *lines)
{
    struct headers h;
    struct text t = { "", 0 };

    headers_init(&h, arena);
    for (size_t i = 0; i < json_array_size(lines); i++)
        headers_add(&h, TEXT("Example"), text_in(json_array_get(lines, i)));
    (void)sf_join(&h, TEXT("example"), arena, &t);
    return arena_copy(arena, t);
}

static bool
says(const json_t *one, const char *name)
{
    return json_is_true(json_object_get(one, name));
}

/* Written as `canonical` says, or as it was read. */
static void
written_right(const json_t *one, const struct sf_field *f)
{
    const json_t *canonical = json_object_get(one, "canonical");
    struct buf out = { 0 };

    if (canonical == NULL)
        canonical = json_object_get(one, "raw");
    assert_true(sf_write(type_in(one), f, &out));
    same_text(buf_text(&out), lines_joined(canonical));
    buf_free(&out);
}

static void
parse_case(const json_t *one)
{
    struct sf_field field, expected;

    if (!sf_parse(type_in(one), lines_joined(json_object_get(one, "raw")), arena,
                  &field)) {
        assert_true(says(one, "must_fail") || says(one, "can_fail"));
        assert_int_equal(field.n, 0);
        return;
    }
    assert_false(says(one, "must_fail"));
    expected = field_in(one);
    same_field(&field, &expected);
    written_right(one, &field);
}

static void
write_case(const json_t *one)
{
    struct sf_field field = field_in(one);
    struct buf out = { 0 };

    if (says(one, "must_fail"))
        assert_false(sf_write(type_in(one), &field, &out));
    else
        written_right(one, &field);
    buf_free(&out);
}

static json_t *
cases_of(const char *test, const char *file)
{
    const char *base = getenv("HOLDFAST_VECTORS");
    json_error_t error;
    char path[512];
    json_t *j;

    snprintf(path, sizeof path, "%s/structured-fields/%s.json",
             base != NULL ? base : PUBLISHED_VECTORS, file);
    j = json_load_file(path, JSON_ALLOW_NUL, &error);
    if (j == NULL) {
        printf("SKIPPED: %s: %s is not there\n", test, path);
        skip();
    }
    return j;
}

static size_t
try_file(const char *test, const char *file, void (*try)(const json_t *one))
{
    json_t *cases = cases_of(test, file);
    size_t n = json_array_size(cases);

    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(cases, i);

        snprintf(trying, sizeof trying, "%s: %s", file,
                 json_string_value(json_object_get(one, "name")));
        try(one);
        arena_reset(arena);
    }
    json_decref(cases);
    trying[0] = '\0';
    return n;
}

static int
tell_case(void **state)
{
    (void)state;
    if (trying[0] != '\0')
        print_message("%s\n", trying);
    return 0;
}

static void
every_published_case_is_read_as_it_says_and_written_in_its_canonical_form(void **state)
{
    static const char *const files[] = {
        "binary",
        "boolean",
        "date",
        "dictionary",
        "display-string",
        "examples",
        "item",
        "key-generated",
        "list",
        "listlist",
        "number-generated",
        "number",
        "param-dict",
        "param-list",
        "param-listlist",
        "string-generated",
        "string",
        "token-generated",
        "token",
    };
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        n += try_file(__func__, files[i], parse_case);
    assert_true(n >= CASES_PARSED);
}

static void
every_published_value_is_written_or_has_no_spelling(void **state)
{
    static const char *const files[] = { "key-generated", "number", "string-generated",
                                         "token-generated" };
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char file[64];

        snprintf(file, sizeof file, "serialisation-tests/%s", files[i]);
        n += try_file(__func__, file, write_case);
    }
    assert_true(n >= CASES_WRITTEN);
}

/* ---- what the cases leave open */

static void
base64_has_one_spelling(void **state)
{
    static const char *const refused[] = { ":aGVsbG8:",   ":iZ==:",     ":aGVsbG8=",
                                           ":aGVs bG8=:", ":aGVsbG8_:", ":=:",
                                           ":a:",         ":====:" };
    struct sf_field f;

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_false(sf_parse(SF_ITEM, text_z(refused[i]), arena, &f));
    assert_true(sf_parse(SF_ITEM, TEXT("::"), arena, &f));
    assert_int_equal(f.at[0].item.value.text.n, 0);
}

static void
a_key_that_stands_twice_is_told_wherever_it_stands(void **state)
{
    static const struct {
        const char *field;
        bool repeated;
    } rows[] = {
        { "a=1, b=2", false },     { "a=1, b=2, a=3", true },
        { "a;x=1;y=2", false },    { "a;x=1;x=2", true },
        { "a=(1;x;x 2)", true },   { "a=(1;x 2;x);x", false },
        { "a=(1 2);y;x;y", true },
    };
    struct sf_field f;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(sf_parse(SF_DICTIONARY, text_z(rows[i].field), arena, &f));
        assert_int_equal(f.repeated, rows[i].repeated);
    }
}

/* So many times the piece, then one more. */
static void
there_is_room_for(enum sf_type type, const char *front, const char *piece, size_t most,
                  const char *back)
{
    struct buf t = { 0 };
    struct sf_field f;

    for (size_t n = most; n <= most + 1; n++) {
        buf_add_z(&t, front);
        for (size_t i = 0; i < n; i++)
            buf_add_z(&t, piece);
        buf_add_z(&t, back);
        assert_int_equal(sf_parse(type, buf_text(&t), arena, &f), n == most);
        buf_free(&t);
    }
}

static void
a_field_holds_as_much_as_the_standard_demands_and_no_more(void **state)
{
    (void)state;
    there_is_room_for(SF_LIST, "", "1,", SF_MEMBERS_MAX - 1, "1");
    there_is_room_for(SF_DICTIONARY, "", "a,", SF_MEMBERS_MAX - 1, "b");
    there_is_room_for(SF_LIST, "(", "1 ", SF_INNER_MAX, ")");
    there_is_room_for(SF_ITEM, "1", ";a", SF_PARAMS_MAX, "");
}

static void
lines_of_one_field_are_joined_in_their_order(void **state)
{
    struct headers h;
    struct text t;

    (void)state;
    headers_init(&h, arena);
    headers_add(&h, TEXT("A"), TEXT("1"));
    headers_add(&h, TEXT("b"), TEXT("2"));
    headers_add(&h, TEXT("a"), text_of(NULL, 0));
    headers_add(&h, TEXT("a"), TEXT("3"));
    assert_true(sf_join(&h, TEXT("a"), arena, &t));
    same_text(t, TEXT("1, , 3"));
    assert_true(sf_join(&h, TEXT("B"), arena, &t));
    same_text(t, TEXT("2"));
    assert_false(sf_join(&h, TEXT("c"), arena, &t));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(
            every_published_case_is_read_as_it_says_and_written_in_its_canonical_form,
            tell_case),
        cmocka_unit_test_teardown(every_published_value_is_written_or_has_no_spelling,
                                  tell_case),
        cmocka_unit_test(base64_has_one_spelling),
        cmocka_unit_test(a_key_that_stands_twice_is_told_wherever_it_stands),
        cmocka_unit_test(a_field_holds_as_much_as_the_standard_demands_and_no_more),
        cmocka_unit_test(lines_of_one_field_are_joined_in_their_order),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
