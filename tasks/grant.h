/* Grants, compiled: host rules in a reversed-label trie, paths in a segment trie, so
 * that 100,000 rules cost what ten do. Built from a conf and borrowing from it;
 * immutable; any thread. */
#ifndef TASKS_GRANT_H
#define TASKS_GRANT_H

#include "base/buf.h"
#include "conf/conf.h"
#include "tasks/caller.h"

struct grants;

/* Errors that only show when compiled (two grants naming different credentials for one
 * request where it can be seen, a bad host or path pattern) are appended to `report` as
 * "file:line: key: message". REASON_CONFIG then. */
MUST_USE enum reason grants_new(const struct conf *conf, struct buf *report,
                                struct grants **out);
void grants_free(struct grants *g);

/* What is asked. */
struct ask {
    const struct caller *caller;
    const struct authority *target;
    struct text scheme; /* "https", "http" */
    struct text method;
    struct text path; /* canonical */
    int64_t now_s;
};

/* What came of it. grant and rule are set when allowed; otherwise the nearest miss, or
 * NULL where nothing came near. */
struct decision {
    const struct conf_grant *grant;
    const struct conf_rule *rule;
};

/* REASON_OK, or the reason of the rule that came nearest: host, then caller, scheme,
 * expiry, method, path. */
MUST_USE enum reason grants_judge(const struct grants *g, const struct ask *ask,
                                  struct decision *out);

/* Would any live grant of this caller ever allow something at this host and port?
 * (Whether to show a leaf at once.) */
bool grants_name_host(const struct grants *g, const struct caller *caller,
                      const struct authority *target, int64_t now_s);

#endif
