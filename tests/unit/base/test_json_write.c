/* What is written reads as what was meant. */
#include "base/json_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
commas_stand_between_and_nowhere_else(void **state)
{
    struct buf out = { 0 };

    (void)state;
    json_open(&out, NULL, '{');
    json_put_bool(&out, "ok", true);
    json_open(&out, "list", '[');
    json_open(&out, NULL, '{');
    json_close(&out, '}');
    json_put_number(&out, NULL, -7);
    json_put_z(&out, NULL, NULL);
    json_close(&out, ']');
    json_open(&out, "empty", '[');
    json_close(&out, ']');
    json_put_z(&out, "end", "{");
    json_put_z(&out, "more", "\n");
    json_put_bool(&out, "last", false);
    json_close(&out, '}');
    assert_true(text_equals(
        buf_text(&out), TEXT("{\"ok\":true,\"list\":[{},-7,null],\"empty\":[],"
                             "\"end\":\"{\",\"more\":\"\\u000a\",\"last\":false}")));
    buf_free(&out);
}

static void
a_strangers_text_stays_one_text(void **state)
{
    const struct text evil = TEXT("\"},{\"ok\":true,\n\xff\x1b[2J");
    struct buf out = { 0 };
    struct json *j;
    struct text t;

    (void)state;
    json_open(&out, NULL, '{');
    json_put_text(&out, "said", evil);
    json_close(&out, '}');
    assert_ptr_equal(memchr(buf_text(&out).at, '\n', buf_length(&out)), NULL);
    j = json_parse(buf_text(&out), 4096);
    assert_non_null(j);
    assert_int_equal(json_count(j), 1);
    assert_true(json_string(json_get(j, "said"), &t));
    json_free(j);
    buf_free(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_stand_between_and_nowhere_else),
        cmocka_unit_test(a_strangers_text_stays_one_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
