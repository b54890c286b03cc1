/* Is a grant narrower than it was? Rules are compared as values, whatever their order:
 * a rule of the old grant that has no equal in the new one takes something away. */
#ifndef TASKS_NARROW_H
#define TASKS_NARROW_H

#include "conf/conf.h"

/* A request that both allow leaves in the same way, to the same places. */
bool rules_treat_alike(const struct conf_rule *a, const struct conf_rule *b);

enum narrowing {
    GRANT_SAME,    /* in all that counts */
    GRANT_CHANGED, /* wider, or otherwise approved: what runs may go on */
    GRANT_NARROWER /* a purpose or rule less, another caller, kind, owner or workload */
};

/* Not told here: a ttl or end below what some task was given. Thousands of rules take
 * a millisecond: for the builder's thread. */
enum narrowing grant_compare(const struct conf *before, const struct conf_grant *was,
                             const struct conf *after, const struct conf_grant *is);

#endif
