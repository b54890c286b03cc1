/* prove: who says a task's id and password, and is its caller, is of that task; who
 * says them wrongly is refused and alarmed. */
#include "filters/prove.h"

#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/certs/scratch.h"

#include "lives.h"

static const char *const purposes[] = { "export" };

struct stage {
    struct scene s;
    struct authority_scene a;
    struct roll *roll;
    struct task *one, *two;
};

static int
stage_open(void **state)
{
    struct stage *g = calloc(1, sizeof *g);

    assert_non_null(g);
    if (scratch_begin(state) != 0)
        return -1;
    scene_set(&g->s);
    authority_set(&g->a);
    g->s.conf.workload.id = WORKLOAD;
    g->s.grant.owner = "owner@example";
    g->s.grant.purposes = (struct strings){ .at = purposes, .n = 1 };
    g->s.grant.expires_at = clock_wall_s() + 3600;
    g->s.grant.ttl_ms = 900000;
    g->s.grant.task = TASK_REQUIRED;
    g->s.grant.caller.uid = 1000;
    g->roll = roll_new();
    g->one = live(g->roll, &g->a, &g->s.conf, &g->s.grant);
    g->two = live(g->roll, &g->a, &g->s.conf, &g->s.grant);
    g->s.view.roll = g->roll;
    g->s.view.now_ms = clock_monotonic_ms();
    *state = g;
    return 0;
}

static int
stage_close(void **state)
{
    struct stage *g = *state;

    roll_free(g->roll);
    task_unref(g->one);
    task_unref(g->two);
    authority_clear(&g->a);
    scene_clear(&g->s);
    free(g);
    return scratch_end(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

static enum reason
prove(struct stage *g)
{
    struct verdict verdict = prove_filter.on_request(NULL, &g->s.view);

    assert_int_equal(verdict.answer == PASS, verdict.reason == REASON_OK);
    return verdict.reason;
}

static struct text
encode(struct stage *g, const char *scheme, struct text user, const char *mark,
       struct text password)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct text t = arena_printf(g->s.arena, "%.*s%s%.*s", TEXT_ARG(user), mark,
                                 TEXT_ARG(password));
    struct buf b = { 0 };
    unsigned held = 0, bits = 0;
    struct text out;

    buf_add_z(&b, scheme);
    for (size_t i = 0; i < t.n; i++) {
        held = held << 8 | (unsigned char)t.at[i];
        for (bits += 8; bits >= 6; bits -= 6)
            buf_add_byte(&b, letters[held >> (bits - 6) & 63]);
    }
    if (bits > 0)
        buf_add_byte(&b, letters[held << (6 - bits) & 63]);
    out = arena_copy(g->s.arena, buf_text(&b));
    buf_free(&b);
    return out;
}

static void
say(struct stage *g, struct text value)
{
    headers_init(&g->s.request.headers, g->s.arena);
    headers_add(&g->s.request.headers, TEXT("proxy-authorization"), value);
    g->s.view.proven = NULL;
}

static void
a_task_is_proven_by_its_password(void **state)
{
    struct stage *g = *state;

    say(g, encode(g, "Basic ", task_id(g->two), ":", task_password(g->two)));
    assert_int_equal(prove(g), REASON_OK);
    assert_ptr_equal(g->s.view.proven, g->two);
    say(g, encode(g, "bAsIc\t", task_id(g->one), ":", task_password(g->one)));
    assert_int_equal(prove(g), REASON_OK);
    assert_ptr_equal(g->s.view.proven, g->one);
}

static void
what_is_no_tasks_proves_nothing_and_passes(void **state)
{
    struct stage *g = *state;
    const struct text rows[] = {
        TEXT("Bearer t-abc"), TEXT("Basic"), TEXT("Basic !!!!"),
        encode(g, "Basic ", TEXT("anna"), ":", TEXT("secret")),
        encode(g, "Basic ", TEXT("t-no-colon"), "", TEXT(""))
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        say(g, rows[i]);
        assert_int_equal(prove(g), REASON_OK);
        assert_null(g->s.view.proven);
    }
}

static void
a_wrong_one_is_refused_and_alarmed(void **state)
{
    struct stage *g = *state;
    const struct text rows[] = {
        encode(g, "Basic ", task_id(g->one), ":", task_password(g->two)),
        encode(g, "Basic ", task_id(g->one), ":", TEXT("")),
        encode(g, "Basic ", TEXT("t-nobody"), ":", task_password(g->one)),
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        say(g, rows[i]);
        assert_int_equal(prove(g), REASON_PROXY_CREDENTIAL);
        assert_null(g->s.view.proven);
    }
    assert_true(log_says("\"proxy_credential\""));
}

static void
in_anothers_hands_it_is_worth_nothing(void **state)
{
    struct stage *g = *state;

    say(g, encode(g, "Basic ", task_id(g->one), ":", task_password(g->one)));
    g->s.caller.uid = 1001;
    assert_int_equal(prove(g), REASON_PROXY_CREDENTIAL);
    assert_null(g->s.view.proven);
}

static void
two_proofs_that_differ_are_refused(void **state)
{
    struct stage *g = *state;

    say(g, encode(g, "Basic ", task_id(g->one), ":", task_password(g->one)));
    headers_add(&g->s.request.headers, TEXT("Proxy-Authorization"),
                encode(g, "Basic ", task_id(g->two), ":", task_password(g->two)));
    assert_int_equal(prove(g), REASON_PROXY_CREDENTIAL);
}

/* CONNECT has said it; what stands inside is for the service, and is stripped. */
static void
inside_a_tunnel_it_says_nothing(void **state)
{
    struct stage *g = *state;

    say(g, encode(g, "Basic ", task_id(g->one), ":", task_password(g->one)));
    g->s.view.tunnelled = true;
    g->s.view.proven = g->two;
    assert_int_equal(prove(g), REASON_OK);
    assert_ptr_equal(g->s.view.proven, g->two);
}

static void
a_handle_of_another_task_was_copied(void **state)
{
    struct stage *g = *state;

    say(g, encode(g, "Basic ", task_id(g->one), ":", task_password(g->one)));
    g->s.view.handle_task = g->two;
    assert_int_equal(prove(g), REASON_FOREIGN_HANDLE);
    g->s.view.handle_task = g->one;
    assert_int_equal(prove(g), REASON_OK);
}

static void
the_password_of_a_task_that_has_ended_opens_nothing(void **state)
{
    struct stage *g = *state;

    say(g, encode(g, "Basic ", task_id(g->one), ":", task_password(g->one)));
    task_ref(g->one);
    die(g->roll, g->one);
    assert_int_equal(prove(g), REASON_PROXY_CREDENTIAL);
}

static void
without_a_roll_nothing_is_asked(void **state)
{
    struct stage *g = *state;

    say(g, encode(g, "Basic ", TEXT("t-x"), ":", TEXT("y")));
    g->s.view.roll = NULL;
    assert_int_equal(prove(g), REASON_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_task_is_proven_by_its_password),
        TEST(what_is_no_tasks_proves_nothing_and_passes),
        TEST(a_wrong_one_is_refused_and_alarmed),
        TEST(in_anothers_hands_it_is_worth_nothing),
        TEST(two_proofs_that_differ_are_refused),
        TEST(inside_a_tunnel_it_says_nothing),
        TEST(a_handle_of_another_task_was_copied),
        TEST(the_password_of_a_task_that_has_ended_opens_nothing),
        TEST(without_a_roll_nothing_is_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
