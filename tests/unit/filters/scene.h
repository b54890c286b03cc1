/* A request as filters see it, of plain values, and the filter that judges it. */
#ifndef TESTS_UNIT_FILTERS_SCENE_H
#define TESTS_UNIT_FILTERS_SCENE_H

#include "filters/filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { NOW = 1000000 };

struct scene {
    struct arena *arena;
    struct conf conf;
    struct caller caller;
    struct conf_door door;
    struct conf_rule rule;
    struct conf_grant grant;
    struct request request;
    struct view view;
};

/* GET https://api.example/v1, by uid 1000, under a rule without a credential. */
static inline void
scene_set(struct scene *s)
{
    memset(s, 0, sizeof *s);
    s->arena = arena_new();
    s->caller = (struct caller){ .has_uid = true, .uid = 1000 };
    s->door.kind = DOOR_FORWARD;
    s->rule.place = (struct place){ "t.conf", 7 };
    s->rule.inject = INJECT_ALWAYS;
    s->grant.name = "grant";
    s->request.method = TEXT("GET");
    headers_init(&s->request.headers, s->arena);
    s->view = (struct view){ .arena = s->arena,
                             .conf = &s->conf,
                             .now_s = NOW,
                             .caller = &s->caller,
                             .door = &s->door,
                             .scheme = TEXT("https"),
                             .request = &s->request,
                             .path = TEXT("/v1"),
                             .rule = &s->rule,
                             .grant = &s->grant };
    assert_int_equal(authority_parse(TEXT("api.example:443"), 0, &s->view.target),
                     REASON_OK);
}

static inline void
scene_clear(struct scene *s)
{
    arena_free(s->arena);
}

static inline void
scene_target(struct scene *s, const char *authority)
{
    assert_int_equal(authority_parse(text_z(authority), 443, &s->view.target),
                     REASON_OK);
}

static inline bool
stripped(const struct view *v, const char *name)
{
    for (size_t i = 0; i < v->n_stripped; i++) {
        if (text_equals_nocase(v->stripped[i], text_z(name)))
            return true;
    }
    return false;
}

static inline void
assert_text(struct text have, const char *expected)
{
    if (!text_equals(have, text_z(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", TEXT_ARG(have), expected);
}

#endif
