/* What a caller block demands, as a value: grants, tasks and handles are told apart by
 * it. Whether a caller meets it: caller.h. */
#ifndef TASKS_DEMAND_H
#define TASKS_DEMAND_H

#include "base/buf.h"
#include "conf/conf.h"

/* Everything in it, with texts of its own, until demand_clear. */
struct conf_caller demand_copy(const struct conf_caller *d);
void demand_clear(struct conf_caller *d);

bool demand_equals(const struct conf_caller *a, const struct conf_caller *b);
/* One caller could meet both. */
bool demand_overlaps(const struct conf_caller *a, const struct conf_caller *b);
/* Whoever meets `asked` meets `granted`. */
bool demand_is_within(const struct conf_caller *asked,
                      const struct conf_caller *granted);

/* This path is that group, or below it. */
bool demand_has_below(const char *cgroup, const char *path);

/* Appends "uid:1000,door:agent", with `mark` for the colon; "any"; what is demanded
 * stands in one order. */
void demand_print(const struct conf_caller *d, char mark, struct buf *out);
/* Appends "uid-1000.door-agent": part of a file's name. For a control group, whose path
 * is none, the first 16 digits of the SHA-256 of it. */
void demand_print_file(const struct conf_caller *d, struct buf *out);

#endif
