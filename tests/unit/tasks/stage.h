/* An authority in a directory of its own, and a config of three grants, one of each
 * kind, as values: what tasks are begun from. */
#ifndef TESTS_UNIT_TASKS_STAGE_H
#define TESTS_UNIT_TASKS_STAGE_H

#include "base/clock.h"
#include "conf/conf.h"
#include "tokens/authority.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { TTL_S = 900, STANDING = 0, REQUIRED = 1, POD = 2, GRANTS = 3 };

struct stage {
    char directory[40], keep[64];
    struct authority_key *authority;
    struct conf_rule rules[3];
    struct conf_credential credentials[2];
    struct conf_grant grants[GRANTS];
    struct conf conf;
    void *more; /* a test file's own */
};

/* This many seconds from the real time. */
static inline void
set_clock(int64_t seconds)
{
    static int64_t shifted;

    clock_wall_shift(seconds - shifted);
    shifted = seconds;
}

static inline void
stage_grant(struct stage *s, int kind, const char *name, const struct strings *purposes)
{
    s->grants[kind] = (struct conf_grant){
        .name = name,
        .owner = "owner@example",
        .approved_by = "approver@example",
        .ticket = "T-1",
        .approved_at = clock_wall_s() - 10,
        .expires_at = clock_wall_s() + 100 * TTL_S,
        .purposes = *purposes,
        .task = kind == STANDING ? TASK_STANDING
                                 : (kind == POD ? TASK_POD : TASK_REQUIRED),
        .ttl_ms = TTL_S * 1000,
        .caller = { .uid = 1000 },
        .rules = { .at = s->rules, .n = 3 },
    };
}

/* Rules: of the authority's credential, of a file's, of none. */
static inline void
stage_rules(struct stage *s)
{
    static const char *const wimse[] = { "wimse" }, *const bearer[] = { "bearer" };
    static const char *const get[] = { "GET" }, *const paths[] = { "/v1/**" };

    for (size_t i = 0; i < 3; i++)
        s->rules[i] = (struct conf_rule){ .host = "orders.example",
                                          .methods = { .at = get, .n = 1 },
                                          .paths = { .at = paths, .n = 1 } };
    s->rules[0].credential = "orders";
    s->rules[0].bind = (struct strings){ .at = wimse, .n = 1 };
    s->rules[1].host = "api.github.com";
    s->rules[1].credential = "github";
    s->rules[1].bind = (struct strings){ .at = bearer, .n = 1 };
    s->rules[2].host = "pypi.org";
    s->credentials[0] = (struct conf_credential){ .name = "orders" };
    s->credentials[1] = (struct conf_credential){ .name = "github",
                                                  .source.kind = SOURCE_FILE,
                                                  .handle.shape = "ghp_{36}" };
}

static inline int
stage_open(void **state)
{
    static const char *const export[] = { "export" };
    static const char *const several[] = { "export", "repair" };
    struct stage *s = calloc(1, sizeof *s);

    assert_non_null(s);
    strcpy(s->directory, "/tmp/holdfast-tasks-XXXXXX");
    assert_non_null(mkdtemp(s->directory));
    (void)snprintf(s->keep, sizeof s->keep, "%s/keep", s->directory);
    assert_int_equal(authority_open(s->keep, "prod.example", &s->authority), REASON_OK);
    stage_rules(s);
    stage_grant(s, STANDING, "standing", &(struct strings){ .at = export, .n = 1 });
    stage_grant(s, REQUIRED, "required", &(struct strings){ .at = several, .n = 2 });
    stage_grant(s, POD, "pod", &(struct strings){ .at = export, .n = 1 });
    s->conf.workload.id = "spiffe://prod.example/worker";
    s->conf.workload.pod = "0af5c1d2-7a10-4d5e-9f0e-2b6f9a7a1c11";
    s->conf.limits.tasks = 10000;
    s->conf.credentials = (struct groups){ .at = s->credentials, .n = 2 };
    s->conf.grants = (struct groups){ .at = s->grants, .n = GRANTS };
    *state = s;
    return 0;
}

static inline int
stage_close(void **state)
{
    struct stage *s = *state;
    char key[96];

    set_clock(0);
    authority_fail_issuing(false);
    authority_free(s->authority);
    (void)snprintf(key, sizeof key, "%s/authority.key", s->keep);
    (void)unlink(key);
    (void)rmdir(s->keep);
    (void)rmdir(s->directory);
    free(s);
    return 0;
}

#endif
