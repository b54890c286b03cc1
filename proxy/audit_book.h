/* What audit_report.c gathers and audit_report_print.c says. */
#ifndef PROXY_AUDIT_BOOK_H
#define PROXY_AUDIT_BOOK_H

#include "proxy/tally.h"

/* Members of its records, as JSON; NULL: there was none. */
struct task_page {
    char *start, *end, *revocation; /* the last: what was told of it after its end */
};

/* An access token of a task; an authorization server may give the same one twice. */
struct token_page {
    char *got; /* members of its record, or of that of its end, if it has no other */
    char *outcome; /* the last; NULL: it is in use, or was when a crash came */
    char expires[25];
    uint64_t left; /* so often it was got, and neither taken back nor over */
};

/* Keys are JSON objects, but for names of credentials and ids of tasks. */
struct page {
    struct tally approvals;   /* more than one: it was approved anew */
    struct tally credentials; /* that it used, by name */
    struct tally purposes, reached, refusals, bindings, alarms;
    struct tally tasks;  /* of: struct task_page */
    struct tally tokens; /* by task and token; of: struct token_page */
    uint64_t allowed, refused;
    char first[25], last[25];
};

struct audit_book {
    const char *only;         /* NULL: every grant */
    struct tally grants;      /* by name, "" what none allowed; of: struct page */
    struct tally credentials; /* by name; of: struct tally of descriptions */
};

#endif
