/* What a config is known by, and what can be found in one that is broken. */
#include "base/digest.h"

#include "folder.h"

static unsigned char digest[SHA256_SIZE];

static enum reason
load_bytes(void)
{
    enum reason why;

    conf_free(folder.conf);
    buf_free(&folder.report);
    why = conf_load_bytes(folder.main, fake_filters, N_FAKE, &folder.report, digest,
                          &folder.conf);
    return why;
}

static void
assert_digest_of(const char *text)
{
    unsigned char expected[SHA256_SIZE];

    digest_sha256(text_of(text, strlen(text)), expected);
    assert_memory_equal(digest, expected, sizeof expected);
}

static void
the_digest_is_of_the_files_one_behind_the_other(void **state)
{
    (void)state;
    folder_write(&folder, "main.conf", "a = 1;\n");
    folder_write(&folder, "conf.d/20.conf", "b = 2;\n");
    folder_write(&folder, "conf.d/10.conf", "c = 3;\n");
    folder_write(&folder, "conf.d/10.conf.swp", "d = 4;\n");
    assert_int_equal(load_bytes(), REASON_CONFIG);
    assert_digest_of("a = 1;\nc = 3;\nb = 2;\n");
}

static void
a_file_that_is_no_config_has_a_digest_too(void **state)
{
    (void)state;
    folder_write(&folder, "main.conf", "grants = ((\n");
    assert_int_equal(load_bytes(), REASON_CONFIG);
    assert_digest_of("grants = ((\n");
    unlink(folder.main);
    assert_int_equal(load_bytes(), REASON_CONFIG);
    assert_digest_of("");
}

/* ---- finding */

static void
assert_found(enum reason expected, const char *socket, const char *user)
{
    char *found_socket, *found_user;

    buf_free(&folder.report);
    assert_int_equal(
        conf_find_control(folder.main, &folder.report, &found_socket, &found_user),
        expected);
    assert_int_equal(found_socket == NULL, socket == NULL);
    assert_int_equal(found_user == NULL, user == NULL);
    if (socket != NULL)
        assert_string_equal(found_socket, socket);
    if (user != NULL)
        assert_string_equal(found_user, user);
    assert_int_equal(buf_length(&folder.report) > 0, expected != REASON_OK);
    free(found_socket);
    free(found_user);
}

static void
the_socket_is_found_whatever_else_is_wrong(void **state)
{
    (void)state;
    folder_write(&folder, "main.conf",
                 "user = \"holdfast\";\ncontrol = { socket = \"/run/h/s\"; };\n"
                 "grants = ( { methdos = 7; } );\n");
    assert_found(REASON_OK, "/run/h/s", "holdfast");
}

static void
it_may_stand_in_a_part(void **state)
{
    (void)state;
    folder_write(&folder, "main.conf", "user = \"holdfast\";\n");
    folder_write(&folder, "conf.d/control.conf", "control = { socket = \"/s\"; };\n");
    assert_found(REASON_OK, "/s", "holdfast");
}

static void
where_there_is_none_none_is_found(void **state)
{
    static const char *const texts[] = { "", "control = { };", "control = \"/s\";",
                                         "control = { socket = 7; };",
                                         "control = ( { socket = \"/s\"; } );" };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        folder_write(&folder, "main.conf", texts[i]);
        assert_found(REASON_OK, NULL, NULL);
    }
}

static void
a_part_that_is_no_config_does_not_hide_it(void **state)
{
    (void)state;
    folder_write(&folder, "main.conf",
                 "user = \"holdfast\";\ncontrol = { socket = \"/run/h/s\"; };\n");
    folder_write(&folder, "conf.d/agent.conf", "grants = ( {\n");
    assert_found(REASON_OK, "/run/h/s", "holdfast");
}

static void
without_it_such_a_part_is_told(void **state)
{
    (void)state;
    folder_write(&folder, "main.conf", "user = \"holdfast\";\n");
    folder_write(&folder, "conf.d/agent.conf", "grants = ( {\n");
    assert_found(REASON_CONFIG, NULL, NULL);
}

static void
a_file_that_cannot_be_read_as_one_is_told(void **state)
{
    (void)state;
    folder_write(&folder, "main.conf",
                 "control = { socket = \"/s\"; };\ngrants = ((\n");
    assert_found(REASON_CONFIG, NULL, NULL);
    unlink(folder.main);
    assert_found(REASON_CONFIG, NULL, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_digest_is_of_the_files_one_behind_the_other),
        TEST(a_file_that_is_no_config_has_a_digest_too),
        TEST(the_socket_is_found_whatever_else_is_wrong),
        TEST(it_may_stand_in_a_part),
        TEST(where_there_is_none_none_is_found),
        TEST(a_part_that_is_no_config_does_not_hide_it),
        TEST(without_it_such_a_part_is_told),
        TEST(a_file_that_cannot_be_read_as_one_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
