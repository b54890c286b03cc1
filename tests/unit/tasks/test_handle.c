/* tasks/handle.c: one handle for each credential and caller, kept while its config
 * stands, a tripwire afterwards, and published for those it is for. */
#include "tests/unit/certs/scratch.h"

#include "tasks/handle.h"

enum { CREDENTIALS = 3, GRANTS = 3 };

static struct conf_credential credentials[CREDENTIALS];
static struct conf_rule rules[GRANTS][2];
static struct conf_grant grants[GRANTS];
static struct conf conf;
static struct buf report;

static const struct caller one = { .has_uid = true, .uid = 1000 };
static const struct caller two = { .has_uid = true, .uid = 1001 };

static void
set_grant(size_t i, const char *credential, int64_t uid)
{
    rules[i][0] = (struct conf_rule){ .credential = credential };
    rules[i][1] = (struct conf_rule){ .credential = NULL };
    grants[i] = (struct conf_grant){
        .caller = { .any = uid < 0, .uid = uid },
        .rules = { .at = rules[i], .n = 2 },
    };
}

/* github for the workload, crm for another, orders of the authority for both. */
static int
begin(void **state)
{
    if (scratch_begin(state) != 0)
        return -1;
    credentials[0] = (struct conf_credential){
        .place = { "main.conf", 3 },
        .name = "github",
        .source.kind = SOURCE_FILE,
        .handle.shape = "ghp_{36}",
    };
    credentials[1] = (struct conf_credential){ .place = { "main.conf", 7 },
                                               .name = "crm-eu",
                                               .source.kind = SOURCE_FILE };
    credentials[2] = (struct conf_credential){ .name = "orders",
                                               .source.kind = SOURCE_AUTHORITY };
    set_grant(0, "github", 1000);
    set_grant(1, "crm-eu", 1001);
    set_grant(2, "orders", 1000);
    conf = (struct conf){ .workload.uid = 1000,
                          .credentials = { .at = credentials, .n = CREDENTIALS },
                          .grants = { .at = grants, .n = GRANTS } };
    return 0;
}

static int
end(void **state)
{
    buf_free(&report);
    return scratch_end(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static struct handles *
make(const struct handles *before)
{
    struct handles *h;

    assert_int_equal(handles_new(&conf, before, &report, &h), REASON_OK);
    assert_int_equal(buf_length(&report), 0);
    return h;
}

/* The value of NAME in a published file; the test's own copy in a turning place. */
static struct text
published(const char *file, const char *name)
{
    static char places[4][600];
    static unsigned turn;
    char *place = places[turn++ % 4], *text = read_text(in_scratch(file)), *at;
    char wanted[100];

    (void)snprintf(wanted, sizeof wanted, "%s=", name);
    at = strstr(text, wanted);
    if (at == NULL)
        fail_msg("%s has no %s", file, name);
    at += strlen(wanted);
    (void)snprintf(place, sizeof places[0], "%.*s", (int)strcspn(at, "\n"), at);
    free(text);
    return text_z(place);
}

static struct text
handle_of(const struct handles *h, const char *file, const char *name)
{
    assert_int_equal(handles_publish(h, &conf, scratch), REASON_OK);
    return published(file, name);
}

static bool
exists(const char *name)
{
    return access(in_scratch(name), F_OK) == 0;
}

static void
a_handle_has_the_shape_of_the_real_thing(void **state)
{
    struct handles *h = make(NULL);
    struct text github = handle_of(h, "handles.env", "HOLDFAST_GITHUB");
    struct text crm = handle_of(h, "handles.uid-1001.env", "HOLDFAST_CRM_EU");

    (void)state;
    assert_int_equal(github.n, 40);
    assert_true(text_starts(github, TEXT("ghp_")));
    for (size_t i = 4; i < github.n; i++)
        assert_true((github.at[i] >= '0' && github.at[i] <= '9') ||
                    (github.at[i] >= 'A' && github.at[i] <= 'Z') ||
                    (github.at[i] >= 'a' && github.at[i] <= 'z'));
    assert_int_equal(crm.n, 35);
    assert_true(text_starts(crm, TEXT("hf_")));
    handles_unref(h);
}

static void
a_source_has_a_handle_where_it_yields_a_secret(void **state)
{
    static const struct {
        enum conf_source_kind kind;
        bool has_handle;
    } rows[] = {
        { SOURCE_FILE, true },    { SOURCE_AUTHORITY, false },
        { SOURCE_OAUTH, true },   { SOURCE_KEY, false },
        { SOURCE_COMMAND, true }, { SOURCE_CERTIFICATE, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct handles *h;

        credentials[1].source.kind = rows[i].kind;
        h = make(NULL);
        assert_int_equal(handles_publish(h, &conf, scratch), REASON_OK);
        assert_int_equal(exists("handles.uid-1001.env"), rows[i].has_handle);
        handles_unref(h);
    }
}

static void
two_makings_have_nothing_in_common(void **state)
{
    struct handles *a = make(NULL), *b = make(NULL);
    struct text first = handle_of(a, "handles.env", "HOLDFAST_GITHUB");

    (void)state;
    assert_null(handles_find(b, first));
    assert_false(text_equals(first, handle_of(b, "handles.env", "HOLDFAST_GITHUB")));
    handles_unref(a);
    handles_unref(b);
}

static void
a_handle_is_for_its_caller_and_credential_alone(void **state)
{
    struct handles *h = make(NULL);
    const struct handle *github = handles_find(
        h, handle_of(h, "handles.env", "HOLDFAST_GITHUB"));
    static const struct caller nobody;

    (void)state;
    assert_non_null(github);
    assert_string_equal(github->credential, "github");
    assert_true(handle_is_for(github, &one, "github"));
    assert_false(handle_is_for(github, &two, "github"));
    assert_false(handle_is_for(github, &nobody, "github"));
    assert_false(handle_is_for(github, &one, "crm-eu"));
    assert_false(handle_is_for(NULL, &one, "github"));
    handles_unref(h);
}

static void
only_the_whole_value_is_a_handle(void **state)
{
    struct handles *h = make(NULL);
    struct text t = handle_of(h, "handles.env", "HOLDFAST_GITHUB");
    char other[64];

    (void)state;
    assert_non_null(handles_find(h, t));
    assert_null(handles_find(h, text_of(t.at, t.n - 1)));
    assert_null(handles_find(h, text_of(t.at + 1, t.n - 1)));
    assert_null(handles_find(h, text_of(t.at, 0)));
    assert_null(handles_find(h, text_of(NULL, 0)));
    memcpy(other, t.at, t.n);
    other[t.n - 1] = other[t.n - 1] == 'a' ? 'b' : 'a';
    assert_null(handles_find(h, text_of(other, t.n)));
    handles_unref(h);
}

static void
a_credential_that_two_callers_use_has_a_handle_for_each(void **state)
{
    struct handles *h;
    struct text a, b;

    (void)state;
    set_grant(1, "github", 1001);
    h = make(NULL);
    a = handle_of(h, "handles.env", "HOLDFAST_GITHUB");
    b = handle_of(h, "handles.uid-1001.env", "HOLDFAST_GITHUB");
    assert_false(text_equals(a, b));
    assert_true(handle_is_for(handles_find(h, b), &two, "github"));
    assert_false(handle_is_for(handles_find(h, b), &one, "github"));
    handles_unref(h);
}

static void
a_handle_of_any_caller_gives_way_to_the_workloads_own(void **state)
{
    struct handles *h;
    struct text own, anys;

    (void)state;
    set_grant(1, "github", -1);
    set_grant(2, "crm-eu", -1);
    h = make(NULL);
    own = handle_of(h, "handles.env", "HOLDFAST_GITHUB");
    anys = handle_of(h, "handles.env", "HOLDFAST_CRM_EU");
    assert_false(handle_is_for(handles_find(h, own), &two, "github"));
    assert_true(handle_is_for(handles_find(h, own), &one, "github"));
    assert_true(handle_is_for(handles_find(h, anys), &two, "crm-eu"));
    assert_false(exists("handles.uid-1001.env"));
    handles_unref(h);
}

static void
a_reload_keeps_the_values(void **state)
{
    struct handles *h = make(NULL), *next;
    struct text before = handle_of(h, "handles.env", "HOLDFAST_GITHUB");

    (void)state;
    next = make(h);
    handles_unref(h);
    assert_true(text_equals(before, handle_of(next, "handles.env", "HOLDFAST_GITHUB")));
    assert_true(handle_is_for(handles_find(next, before), &one, "github"));
    handles_unref(next);
}

/* Each of these ends the workload's github handle. */
static void
change(const char *what)
{
    if (strcmp(what, "no grant uses it") == 0)
        set_grant(0, "orders", 1000);
    else if (strcmp(what, "another caller") == 0)
        set_grant(0, "github", 1002);
    else if (strcmp(what, "another shape") == 0)
        credentials[0].handle.shape = "ghx_{36}";
    else if (strcmp(what, "fixed") == 0)
        credentials[0].handle.value = "ghp_fixed_by_the_operator";
    else
        credentials[0].source.kind = SOURCE_AUTHORITY;
}

static void
what_the_config_no_longer_has_is_remembered_as_ended(void **state)
{
    static const char *const changes[] = { "no grant uses it", "another caller",
                                           "another shape", "fixed", "no secret" };

    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct handles *h = make(NULL), *next, *third;
        struct text value = handle_of(h, "handles.env", "HOLDFAST_GITHUB");
        const struct handle *ended;

        change(changes[i]);
        next = make(h);
        third = make(next);
        ended = handles_find(third, value);
        if (ended == NULL || !ended->ended)
            fail_msg("%s: it is forgotten", changes[i]);
        assert_false(handle_is_for(ended, &one, "github"));
        assert_int_equal(handles_publish(third, &conf, scratch), REASON_OK);
        if (exists("handles.env"))
            assert_false(file_says(in_scratch("handles.env"), value.at));
        handles_unref(h);
        handles_unref(next);
        handles_unref(third);
        assert_int_equal(end(state), 0);
        assert_int_equal(begin(state), 0);
    }
}

static void
a_credential_that_comes_back_has_a_new_handle(void **state)
{
    struct handles *a = make(NULL), *b, *c;
    struct text first = handle_of(a, "handles.env", "HOLDFAST_GITHUB"), second;

    (void)state;
    set_grant(0, "orders", 1000);
    b = make(a);
    set_grant(0, "github", 1000);
    c = make(b);
    second = handle_of(c, "handles.env", "HOLDFAST_GITHUB");
    assert_false(text_equals(first, second));
    assert_true(handles_find(c, first)->ended);
    assert_false(handles_find(c, second)->ended);
    handles_unref(a);
    handles_unref(b);
    handles_unref(c);
}

static void
a_fixed_value_is_taken_as_it_is_and_may_come_back(void **state)
{
    static const char fixed[] = "ghp_fixed_by_the_operator";
    struct handles *a, *b, *c;

    (void)state;
    credentials[0].handle.value = fixed;
    a = make(NULL);
    assert_true(handle_is_for(handles_find(a, text_z(fixed)), &one, "github"));
    set_grant(0, "orders", 1000);
    b = make(a);
    assert_true(handles_find(b, text_z(fixed))->ended);
    set_grant(0, "github", 1000);
    c = make(b);
    assert_true(handle_is_for(handles_find(c, text_z(fixed)), &one, "github"));
    handles_unref(a);
    handles_unref(b);
    handles_unref(c);
}

static void
a_value_that_two_would_share_is_an_error_with_its_line(void **state)
{
    static const char fixed[] = "ghp_fixed_by_the_operator";
    struct handles *h;

    (void)state;
    credentials[0].handle.value = credentials[1].handle.value = fixed;
    assert_int_equal(handles_new(&conf, NULL, &report, &h), REASON_CONFIG);
    assert_null(h);
    buf_add_byte(&report, '\0');
    assert_non_null(strstr(buf_text(&report).at, "main.conf:7: credentials.crm-eu"));
    buf_free(&report);
    credentials[1].handle.value = NULL;
    set_grant(1, "github", 1001);
    assert_int_equal(handles_new(&conf, NULL, &report, &h), REASON_CONFIG);
    buf_add_byte(&report, '\0');
    assert_non_null(strstr(buf_text(&report).at, "main.conf:3: credentials.github"));
}

enum { MANY = 1100, REMEMBERED = 1024 };

static const char *
many_value(size_t i)
{
    static char value[32];

    (void)snprintf(value, sizeof value, "ghp_value_number_%zu", i);
    return value;
}

static void
set_many(struct conf_credential *many, struct conf_rule *uses, struct conf_grant *g)
{
    for (size_t i = 0; i < MANY; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "c%zu", i);
        many[i] = (struct conf_credential){ .name = strdup(name),
                                            .source.kind = SOURCE_FILE,
                                            .handle.value = strdup(many_value(i)) };
        uses[i] = (struct conf_rule){ .credential = many[i].name };
    }
    *g = (struct conf_grant){ .caller.any = true, .rules = { .at = uses, .n = MANY } };
    conf.credentials = (struct groups){ .at = many, .n = MANY };
    conf.grants = (struct groups){ .at = g, .n = 1 };
}

static size_t
count_ended(const struct handles *h)
{
    size_t n = 0;

    for (size_t i = 0; i < MANY; i++) {
        const struct handle *found = handles_find(h, text_z(many_value(i)));

        n += found != NULL && found->ended;
    }
    return n;
}

/* Those in force are not counted; the ones that ended last are remembered. */
static void
the_memory_of_ended_ones_has_a_bound(void **state)
{
    static struct conf_credential many[MANY];
    static struct conf_rule uses[MANY];
    struct conf_grant grant;
    struct handles *all, *single, *none;

    (void)state;
    set_many(many, uses, &grant);
    all = make(NULL);
    assert_int_equal(count_ended(all), 0);
    grant.rules.at = &uses[MANY - 1];
    grant.rules.n = 1;
    single = make(all);
    assert_int_equal(count_ended(single), REMEMBERED);
    assert_false(handles_find(single, text_z(many_value(MANY - 1)))->ended);
    grant.rules.n = 0;
    none = make(single);
    assert_int_equal(count_ended(none), REMEMBERED);
    assert_true(handles_find(none, text_z(many_value(MANY - 1)))->ended);
    handles_unref(all);
    handles_unref(single);
    handles_unref(none);
    for (size_t i = 0; i < MANY; i++) {
        free((char *)(uintptr_t)many[i].name);
        free((char *)(uintptr_t)many[i].handle.value);
    }
}

static void
the_variable_is_called_as_the_operator_says(void **state)
{
    struct handles *h;

    (void)state;
    credentials[0].handle.env = "GITHUB_TOKEN";
    h = make(NULL);
    assert_false(handles_is_empty(h));
    assert_int_equal(handle_of(h, "handles.env", "GITHUB_TOKEN").n, 40);
    handles_unref(h);
}

static void
files_of_those_who_have_none_any_more_go(void **state)
{
    struct handles *h = make(NULL), *next;

    (void)state;
    assert_int_equal(handles_publish(h, &conf, scratch), REASON_OK);
    assert_true(exists("handles.env") && exists("handles.uid-1001.env"));
    assert_int_equal(mode_of(in_scratch("handles.env")), 0644);
    write_text(in_scratch("handles.uid-1001.env.kept"), 0644, "not ours");
    set_grant(0, "orders", 1000);
    set_grant(1, "orders", 1001);
    next = make(h);
    assert_int_equal(handles_publish(next, &conf, scratch), REASON_OK);
    assert_false(exists("handles.env") || exists("handles.uid-1001.env"));
    assert_false(handles_is_empty(next)); /* the ended ones are tripwires */
    assert_true(exists("handles.uid-1001.env.kept"));
    handles_unref(h);
    handles_unref(next);
}

static void
a_directory_that_is_not_there_is_told(void **state)
{
    struct handles *h = make(NULL);

    (void)state;
    assert_int_equal(handles_publish(h, &conf, in_scratch("none")),
                     REASON_FILE_UNREADABLE);
    assert_true(log_says("handles.env"));
    handles_unref(h);
    handles_unref(NULL);
}

static void
a_shape_without_room_for_a_secret_is_an_error(void **state)
{
    struct handles *h;

    (void)state;
    credentials[0].handle.shape = "ghp_";
    assert_int_equal(handles_new(&conf, NULL, &report, &h), REASON_CONFIG);
    buf_free(&report);
    credentials[0].handle.shape = "ghp_{0}";
    set_grant(1, "github", 1001);
    assert_int_equal(handles_new(&conf, NULL, &report, &h), REASON_CONFIG);
}

/* Each of its tasks has its own. */
static void
a_grant_whose_tasks_are_started_one_by_one_has_none(void **state)
{
    struct handles *h;

    (void)state;
    grants[0].task = grants[1].task = TASK_REQUIRED;
    h = make(NULL);
    assert_true(handles_is_empty(h));
    handles_unref(h);
    grants[0].task = TASK_POD;
    h = make(NULL);
    assert_false(handles_is_empty(h));
    handles_unref(h);
}

static void
a_config_without_secrets_has_none(void **state)
{
    struct handles *h;

    (void)state;
    conf.grants.n = 0;
    h = make(NULL);
    assert_true(handles_is_empty(h));
    assert_null(handles_find(h, TEXT("hf_anything_at_all")));
    handles_unref(h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_handle_has_the_shape_of_the_real_thing),
        TEST(a_source_has_a_handle_where_it_yields_a_secret),
        TEST(two_makings_have_nothing_in_common),
        TEST(a_handle_is_for_its_caller_and_credential_alone),
        TEST(only_the_whole_value_is_a_handle),
        TEST(a_credential_that_two_callers_use_has_a_handle_for_each),
        TEST(a_handle_of_any_caller_gives_way_to_the_workloads_own),
        TEST(a_reload_keeps_the_values),
        TEST(what_the_config_no_longer_has_is_remembered_as_ended),
        TEST(a_credential_that_comes_back_has_a_new_handle),
        TEST(a_fixed_value_is_taken_as_it_is_and_may_come_back),
        TEST(a_value_that_two_would_share_is_an_error_with_its_line),
        TEST(the_memory_of_ended_ones_has_a_bound),
        TEST(the_variable_is_called_as_the_operator_says),
        TEST(files_of_those_who_have_none_any_more_go),
        TEST(a_directory_that_is_not_there_is_told),
        TEST(a_shape_without_room_for_a_secret_is_an_error),
        TEST(a_grant_whose_tasks_are_started_one_by_one_has_none),
        TEST(a_config_without_secrets_has_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
