/* Grants, compiled: host rules in a reversed-label trie, paths in a segment trie, so
 * that 100,000 rules cost what ten do. Built from a conf and borrowing from it;
 * immutable; any thread. */
#ifndef TASKS_GRANT_H
#define TASKS_GRANT_H

#include "base/buf.h"
#include "conf/conf.h"
#include "tasks/caller.h"
#include "tasks/roll.h"

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
    bool opaque;      /* of TLS that nobody opens: method and path say nothing */
    int64_t now_s;
    /* Who is live; NULL: not asked, as if every grant had a task for every purpose. */
    struct roll *roll;
    const struct task *proven; /* roll.h; its grant's rules go before all others */
    int64_t now_ms;            /* monotonic */
};

/* What came of it. grant and rule are set when allowed; otherwise the nearest miss, or
 * NULL where nothing came near. entry, on loan: the task it is allowed under; NULL when
 * refused, or without a roll. */
struct decision {
    const struct conf_grant *grant;
    const struct conf_rule *rule;
    struct entry *entry;
};

/* REASON_OK, or the reason of the rule that came nearest: host, then caller, whether it
 * is opaque, scheme, expiry, a live task, method, purpose, path. Before them, that of a
 * rule that lacks a task, or its purpose, and nothing else. */
MUST_USE enum reason grants_judge(const struct grants *g, const struct ask *ask,
                                  struct decision *out);

/* Would any live grant of this caller ever allow something at this host and port?
 * (Whether to show a leaf at once.) */
bool grants_name_host(const struct grants *g, const struct caller *caller,
                      const struct authority *target, int64_t now_s);
/* Is TLS of this caller to this host and port to pass unopened? Where it is, nothing
 * else goes there. The most specific rules of a live grant decide. */
bool grants_pass_unopened(const struct grants *g, const struct caller *caller,
                          const struct authority *target, int64_t now_s);
/* There is a rule that could say so. */
bool grants_have_opaque(const struct grants *g);

/* Who wants to know a name's addresses, and what of it is not the name's own. */
struct name_ask {
    const struct host *host;
    const struct caller *caller; /* one of whom no uid is known may be anybody's */
    int64_t now_s;
    struct roll *roll; /* NULL: not asked, as in struct ask */
    int64_t now_ms;    /* monotonic */
};

/* Asks `judge` of each rule that names this host, whatever its port, in a live grant
 * that has a live task and may be this caller's; the most specific first, until it
 * says REASON_OK. If it never does: its last word; if it was never asked, what was
 * missed most nearly. An address is no name. */
MUST_USE enum reason grants_ask_name(const struct grants *g, const struct name_ask *ask,
                                     enum reason (*judge)(void *of,
                                                          const struct conf_grant *g,
                                                          const struct conf_rule *r),
                                     void *of);

#endif
