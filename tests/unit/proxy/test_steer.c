/* proxy/steer.h: the rules follow from the config alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proxy/steer.h"

static struct listen_at
at(const char *address, uint16_t port)
{
    struct listen_at l = { .port = port };

    assert_true(address_parse(text_z(address), &l.address));
    return l;
}

enum { DOORS_MAX = 8 };

struct scene {
    struct conf_door doors[DOORS_MAX];
    struct conf conf;
};

static struct scene *
scene_of(struct scene *s)
{
    s->conf.path = "holdfast.conf";
    s->conf.user = "1337";
    s->conf.workload.uid = 1000;
    s->conf.doors.at = s->doors;
    while (s->conf.doors.n < DOORS_MAX &&
           s->doors[s->conf.doors.n].listen.address.family != 0)
        s->conf.doors.n++;
    return s;
}

/* ---- scripts that stand beside this file */

static void
read_golden(const char *name, char *out, size_t size)
{
    char path[512];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s.nft", STEER_SCRIPTS, name);
    f = fopen(path, "r");
    assert_non_null(f);
    out[fread(out, 1, size - 1, f)] = '\0';
    fclose(f);
}

static void
assert_script(const struct steer_plan *plan, const char *name)
{
    static char golden[1 << 15];
    struct buf out = { 0 };

    steer_script_write(plan, &out);
    buf_add_byte(&out, '\0');
    read_golden(name, golden, sizeof golden);
    if (strcmp(buf_text(&out).at, golden) != 0) {
        printf("%s", buf_text(&out).at);
        fail_msg("this is not what %s.nft says", name);
    }
    buf_free(&out);
}

static void
assert_planned(const struct scene *s, enum steering mode, const char *name)
{
    struct buf report = { 0 };
    struct steer_plan plan;

    assert_true(steer_plan_make(&s->conf, mode, NULL, &plan, &report));
    assert_script(&plan, name);
    buf_free(&report);
}

static void
a_forward_door_is_the_only_way_out_in_drop(void **state)
{
    struct scene s = { .doors = {
                           { .kind = DOOR_FORWARD, .listen = at("127.0.0.1", 15001) },
                           { .kind = DOOR_DNS, .listen = at("127.0.0.1", 53) },
                           { .kind = DOOR_OPS, .listen = at("0.0.0.0", 15021) },
                       } };

    (void)state;
    assert_planned(scene_of(&s), STEER_DROP, "steer_drop");
}

static void
both_families_are_turned_to_their_doors_in_redirect(void **state)
{
    struct scene s = { .doors = {
                           { .kind = DOOR_FORWARD, .listen = at("127.0.0.1", 15001) },
                           { .kind = DOOR_TRANSPARENT,
                             .listen = at("127.0.0.1", 15006) },
                           { .kind = DOOR_TRANSPARENT, .listen = at("::1", 15007) },
                           { .kind = DOOR_DNS, .listen = at("127.0.0.1", 15053) },
                           { .kind = DOOR_DNS, .listen = at("::", 15054) },
                           { .kind = DOOR_OPS, .listen = at("::1", 15021) },
                       } };

    (void)state;
    assert_planned(scene_of(&s), STEER_REDIRECT, "steer_redirect");
}

/* No quiet fallback: what has no door is refused. */
static void
a_family_without_a_door_is_refused_and_not_let_through(void **state)
{
    struct scene s = { .doors = { { .kind = DOOR_TRANSPARENT,
                                    .listen = at("10.0.0.7", 15006) } } };

    (void)state;
    assert_planned(scene_of(&s), STEER_REDIRECT, "steer_redirect_v4");
}

static void
a_tproxy_door_is_led_to_by_a_mark(void **state)
{
    struct scene s = { .doors = { { .kind = DOOR_TRANSPARENT,
                                    .intercept = INTERCEPT_TPROXY,
                                    .listen = at("0.0.0.0", 15006) },
                                  { .kind = DOOR_TRANSPARENT,
                                    .intercept = INTERCEPT_TPROXY,
                                    .listen = at("::1", 15006) } } };

    (void)state;
    assert_planned(scene_of(&s), STEER_REDIRECT, "steer_tproxy");
}

static void
explicit_is_a_comment_that_says_what_it_does_not_hold(void **state)
{
    struct scene s = { .conf.user = NULL };

    (void)state;
    assert_planned(&s, STEER_EXPLICIT, "steer_explicit");
}

/* ---- configs that cannot be steered by */

static const struct refused {
    const char *config_user, *user;
    struct conf_door door;
    const char *address;
    uint16_t port;
    enum steering mode;
    const char *says; /* NULL: it can */
} refused[] = {
    { "1337", NULL, { .kind = DOOR_FORWARD }, "127.0.0.1", 1, STEER_DROP, NULL },
    { NULL, "1337", { .kind = DOOR_FORWARD }, "127.0.0.1", 1, STEER_DROP, NULL },
    { "1337", "1337", { .kind = DOOR_FORWARD }, "127.0.0.1", 1, STEER_DROP, NULL },
    { "1337", "1338", { .kind = DOOR_FORWARD }, "127.0.0.1", 1, STEER_DROP, "--user" },
    { NULL, NULL, { .kind = DOOR_FORWARD }, "127.0.0.1", 1, STEER_DROP, "is missing" },
    { "0", NULL, { .kind = DOOR_FORWARD }, "127.0.0.1", 1, STEER_DROP, "root" },
    { "1000", NULL, { .kind = DOOR_FORWARD }, "127.0.0.1", 1, STEER_DROP, "own" },
    { "no-such-user",
      NULL,
      { .kind = DOOR_FORWARD },
      "127.0.0.1",
      1,
      STEER_DROP,
      "no user" },
    { "1337",
      NULL,
      { .kind = DOOR_GATE },
      "127.0.0.1",
      1,
      STEER_DROP,
      "nothing could leave" },
    { "1337",
      NULL,
      { .kind = DOOR_FORWARD },
      "127.0.0.1",
      1,
      STEER_REDIRECT,
      "\"transparent\"" },
    { "1337",
      NULL,
      { .kind = DOOR_TRANSPARENT },
      "127.0.0.1",
      0,
      STEER_REDIRECT,
      "write one" },
};

static void
a_config_by_which_nothing_could_be_steered_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const struct refused *r = &refused[i];
        struct scene s = { .doors = { r->door } };
        struct buf report = { 0 };
        struct steer_plan plan;
        bool made;

        s.doors[0].listen = at(r->address, r->port);
        s.doors[0].place.file = "holdfast.conf";
        scene_of(&s)->conf.user = r->config_user;
        made = steer_plan_make(&s.conf, r->mode, r->user, &plan, &report);
        buf_add_byte(&report, '\0');
        if (made != (r->says == NULL) ||
            (r->says != NULL && strstr(buf_text(&report).at, r->says) == NULL))
            fail_msg("row %zu: %d \"%s\"", i, made, buf_text(&report).at);
        buf_free(&report);
    }
}

static void
the_doors_say_which_mode_is_meant(void **state)
{
    struct scene s = {
        .doors = { { .kind = DOOR_FORWARD, .listen = at("127.0.0.1", 15001) },
                   { .kind = DOOR_TRANSPARENT, .listen = at("127.0.0.1", 15006) } }
    };
    enum steering mode = STEER_EXPLICIT;

    (void)state;
    assert_int_equal(steer_mode_of(&scene_of(&s)->conf), STEER_REDIRECT);
    s.conf.doors.n = 1;
    assert_int_equal(steer_mode_of(&s.conf), STEER_DROP);
    assert_true(steer_mode_read("redirect", &mode));
    assert_int_equal(mode, STEER_REDIRECT);
    assert_false(steer_mode_read("Redirect", &mode));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forward_door_is_the_only_way_out_in_drop),
        cmocka_unit_test(both_families_are_turned_to_their_doors_in_redirect),
        cmocka_unit_test(a_family_without_a_door_is_refused_and_not_let_through),
        cmocka_unit_test(a_tproxy_door_is_led_to_by_a_mark),
        cmocka_unit_test(explicit_is_a_comment_that_says_what_it_does_not_hold),
        cmocka_unit_test(a_config_by_which_nothing_could_be_steered_is_refused),
        cmocka_unit_test(the_doors_say_which_mode_is_meant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
