/* Caller blocks as values: which are the same, which one caller could meet both of, and
 * which is within another. */
#include "tasks/demand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ID  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define POD "7d9c1a52-0f3e-4b1d-8f43-6f2d1f0b9c11"

typedef struct conf_caller demand;

static const demand any = { .any = true, .uid = -1 };
static const demand nothing = { .uid = -1 };
static const demand uid = { .uid = 1000 };
static const demand other = { .uid = 1001 };
static const demand gid = { .uid = -1, .has_gid = true };
static const demand agent = { .uid = -1, .door = "agent", .door_at = 1 };
static const demand reviewer = { .uid = -1, .door = "reviewer", .door_at = 2 };
static const demand both = { .uid = 1000, .door = "agent", .door_at = 1 };
static const demand group = { .uid = -1, .cgroup = "/a" };
static const demand below = { .uid = -1, .cgroup = "/a/b" };
static const demand beside = { .uid = -1, .cgroup = "/ab" };
static const demand pod = { .uid = -1, .pod = POD };
static const demand container = { .uid = -1, .pod = POD, .container = ID };

static const struct {
    const demand *a, *b;
    bool overlap, a_in_b, b_in_a;
} rows[] = {
    { &any, &any, true, true, true },
    { &any, &uid, true, false, true },
    { &uid, &uid, true, true, true },
    { &uid, &other, false, false, false },
    { &uid, &gid, true, false, false },
    { &uid, &agent, true, false, false },
    { &uid, &both, true, false, true },
    { &agent, &both, true, false, true },
    { &reviewer, &both, false, false, false },
    { &other, &both, false, false, false },
    { &agent, &reviewer, false, false, false },
    { &group, &group, true, true, true },
    { &group, &below, true, false, true },
    { &group, &beside, false, false, false },
    { &pod, &container, true, false, true },
    { &pod, &group, true, false, false },
    { &nothing, &any, true, false, false },
    { &nothing, &uid, true, false, false },
};

static void
one_is_held_against_the_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const demand *a = rows[i].a, *b = rows[i].b;

        if (demand_equals(a, b) != (a == b) || !demand_equals(a, a) ||
            demand_overlaps(a, b) != rows[i].overlap ||
            demand_overlaps(b, a) != rows[i].overlap ||
            demand_is_within(a, b) != rows[i].a_in_b ||
            (b != &any && demand_is_within(b, a) != rows[i].b_in_a))
            fail_msg("row %zu", i);
    }
}

static void
a_copy_is_the_same_and_its_own(void **state)
{
    demand all = { .uid = 7,
                   .has_gid = true,
                   .gid = 8,
                   .cgroup = "/a",
                   .pod = POD,
                   .container = ID,
                   .door = "agent",
                   .door_at = 3 };
    demand copy = demand_copy(&all);

    (void)state;
    assert_true(demand_equals(&copy, &all));
    assert_int_equal(copy.door_at, 3);
    assert_ptr_not_equal(copy.cgroup, all.cgroup);
    demand_clear(&copy);
    assert_null(copy.cgroup);
}

static void
says(const demand *d, const char *printed, const char *file)
{
    struct buf out = { 0 };

    demand_print(d, ':', &out);
    if (!text_equals(buf_text(&out), text_z(printed)))
        fail_msg("%.*s", TEXT_ARG(buf_text(&out)));
    buf_free(&out);
    if (file == NULL)
        return;
    demand_print_file(d, &out);
    if (!text_equals(buf_text(&out), text_z(file)))
        fail_msg("%.*s", TEXT_ARG(buf_text(&out)));
    buf_free(&out);
}

static void
it_is_printed_for_people_and_as_a_files_name(void **state)
{
    demand all = { .uid = 7,
                   .has_gid = true,
                   .gid = 8,
                   .cgroup = "/a",
                   .pod = POD,
                   .container = ID,
                   .door = "agent",
                   .door_at = 3 };

    (void)state;
    says(&any, "any", NULL);
    says(&nothing, "", NULL);
    says(&uid, "uid:1000", "uid-1000");
    says(&both, "uid:1000,door:agent", "uid-1000.door-agent");
    /* printf %s /a | sha256sum | cut -c1-16 */
    says(&group, "cgroup:/a", "cgroup-6a50dc8584134c7d");
    says(&all, "uid:7,gid:8,cgroup:/a,pod:" POD ",container:" ID ",door:agent", NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_is_held_against_the_other),
        cmocka_unit_test(a_copy_is_the_same_and_its_own),
        cmocka_unit_test(it_is_printed_for_people_and_as_a_files_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
