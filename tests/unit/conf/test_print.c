/* What the tables tell of themselves: the printed defaults load again and change
 * nothing, and the reference names every key. */
#include "folder.h"

#include "conf/tables.h"

static const char gate_alone[] =
    "doors = ( { kind = \"gate\"; listen = \"0.0.0.0:8443\"; certificate = \"/c\";\n"
    "key = \"/k\"; names = [\"https://a.example\"]; upstream = \"http://127.0.0.1\";\n"
    "trust = ( { domain = \"a\"; jwks_file = \"/j\"; subjects = [\"spiffe://a/b\"]; } "
    ");\n"
    "rules = ( { methods = \"any\"; paths = \"any\"; subjects = \"any\";\n"
    "grants = \"any\"; purposes = \"any\"; } ); } );\n";

/* The fields of a table that are plain numbers, compared one by one. */
static void
compare(const struct setting *table, const char *a, const char *b)
{
    for (const struct setting *row = table; row->name != NULL; row++) {
        const void *left = a + row->offset, *right = b + row->offset;

        if (row->type == SETTING_GROUP)
            compare(row->inner, left, right);
        else if (row->type == SETTING_INTEGER || row->type == SETTING_DURATION ||
                 row->type == SETTING_SIZE)
            assert_int_equal(*(const int64_t *)left, *(const int64_t *)right);
        else if (row->type == SETTING_CHOICE)
            assert_int_equal(*(const int *)left, *(const int *)right);
    }
}

static void
printed_defaults_load_and_are_the_defaults(void **state)
{
    struct buf printed = { 0 };
    struct conf *bare;
    struct arena *a = arena_new();

    (void)state;
    folder_write(&folder, "main.conf", gate_alone);
    assert_int_equal(folder_load(&folder), REASON_OK);
    bare = folder.conf;
    folder.conf = NULL;

    conf_print_defaults(fake_filters, N_FAKE, &printed);
    folder_write_bytes(&folder, "conf.d/defaults.conf", buf_text(&printed).at,
                       buf_length(&printed));
    if (folder_load(&folder) != REASON_OK)
        fail_msg("%s", folder_report(&folder));
    assert_int_equal(folder.conf->doors.n, 1);
    compare(tables_new(a, sizeof(struct conf), NULL, 0).root, (const char *)bare,
            (const char *)folder.conf);
    compare(fake_table, conf_filter(bare, "guard"), conf_filter(folder.conf, "guard"));

    arena_free(a);
    conf_free(bare);
    buf_free(&printed);
}

static void
expect_keys(const struct setting *table, const char *reference)
{
    char cell[128];

    for (const struct setting *row = table; row->name != NULL; row++) {
        snprintf(cell, sizeof cell, "| `%s` | ", row->name);
        if (strstr(reference, cell) == NULL)
            fail_msg("the reference has no %s", row->name);
        if (row->sentence != NULL && strstr(reference, row->sentence) == NULL)
            fail_msg("the reference lacks the sentence of %s", row->name);
        /* Row 0 of named groups is their name: no key. */
        if (row->inner != NULL)
            expect_keys(row->inner + (row->type == SETTING_NAMED_GROUPS), reference);
    }
}

static void
the_reference_names_every_key_and_its_sentence(void **state)
{
    struct arena *a = arena_new();
    struct buf out = { 0 };

    (void)state;
    conf_print_reference(fake_filters, N_FAKE, &out);
    buf_add_byte(&out, '\0');
    expect_keys(tables_new(a, sizeof(struct conf), fake_filters, N_FAKE).root,
                buf_text(&out).at);
    buf_free(&out);
    arena_free(a);
}

static void
every_key_of_ours_has_a_sentence(void **state)
{
    struct arena *a = arena_new();
    struct tables t = tables_new(a, sizeof(struct conf), NULL, 0);
    const struct setting *open[32];
    size_t n = 0;

    (void)state;
    open[n++] = t.root;
    while (n > 0)
        for (const struct setting *row = open[--n]; row->name != NULL; row++) {
            if (row->sentence == NULL || strlen(row->sentence) < 8)
                fail_msg("%s has no sentence", row->name);
            if (row->inner != NULL && row->inner->name != NULL)
                open[n++] = row->inner;
        }
    arena_free(a);
}

static void
a_section_of_the_reference_tells_type_range_and_default(void **state)
{
    static const char *const lines[] = {
        "## `limits`\n",
        "| `pool` | integer, 1 to 10000 | `16` | Upstream connections kept",
        "| `drain` | duration, 0ms to 1h | `\"30s\"` |",
        "| `head` | size, 1k to 1m | `\"32k\"` |",
        "## `grants[].rules[]`\n",
        "| `scheme` | `\"https\"`, `\"http\"` | `\"https\"` |",
        "| `methods` | list of strings, or `\"any\"` | required |",
        "## `credentials.NAME.source`\n",
        "## `filters.guard`\n",
        "| `window` | duration, 1s to 1h | `\"90s\"` | How long. |",
    };
    struct buf out = { 0 };

    (void)state;
    conf_print_reference(fake_filters, N_FAKE, &out);
    buf_add_byte(&out, '\0');
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (strstr(buf_text(&out).at, lines[i]) == NULL)
            fail_msg("no \"%s\"", lines[i]);
    buf_free(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(printed_defaults_load_and_are_the_defaults),
        cmocka_unit_test(the_reference_names_every_key_and_its_sentence),
        cmocka_unit_test(every_key_of_ours_has_a_sentence),
        cmocka_unit_test(a_section_of_the_reference_tells_type_range_and_default),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
