/* What the command line asks for: its options, each in its place. Which of them a verb
 * takes is main.c's to say, and what is allowed is the running one's. */
#ifndef PROXY_WISH_H
#define PROXY_WISH_H

#include "proxy/audit_verb.h"
#include "proxy/ctl.h"
#include "proxy/explain.h"

struct wish {
    struct ctl ctl;
    struct audit_wish audit;
    struct ctl_terms terms;
    const char *grant, *host, *format, *door, *user, *mode, *as;
    const char *fields[EXPLAIN_FIELDS];
    size_t n_fields;
    long uid;
    bool lint, strict, defaults, reference, reasons, help, wait, denied, json;
    bool all, version, has_dashes, load, remove, check;
    const char *bad;    /* after false: the value that is none; NULL: getopt has told */
    const char *wanted; /* … and what its option takes */
    char given[32];     /* the options that were, by their letter */
};

/* False: an option that is none of ours, or whose value is no good. Words that are no
 * options stand behind `optind` then (getopt(3)). */
bool wish_read(int argc, char **argv, struct wish *w);

#endif
