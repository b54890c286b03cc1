/* Tasks that live on a roll, for tests in which a request is of one. */
#ifndef TESTS_UNIT_FILTERS_LIVES_H
#define TESTS_UNIT_FILTERS_LIVES_H

#include "authority.h"
#include "tasks/roll.h"

/* A task of this grant on the roll; given back to its maker with task_unref. */
static inline struct task *
live(struct roll *r, const struct authority_scene *a, const struct conf *conf,
     const struct conf_grant *grant)
{
    const struct task_terms terms = { .conf = conf,
                                      .grant = grant,
                                      .caller = grant->caller };
    struct task *k;

    assert_int_equal(task_new(a->key, &terms, &k), REASON_OK);
    (void)roll_begin(r, k);
    return k;
}

static inline void
die(struct roll *r, struct task *k)
{
    struct entry *e = roll_end(r, k);

    assert_non_null(e);
    entry_unref(e);
    task_unref(k);
}

#endif
