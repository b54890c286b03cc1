/* `holdfast explain METHOD URL`: what would be said of this request, by whom, and by
 * which line of the config. Resolves and dials nothing; checks no proof. */
#ifndef PROXY_EXPLAIN_H
#define PROXY_EXPLAIN_H

#include "filters/chain.h"

enum { EXPLAIN_FIELDS = 32, EXPLAIN_STEPS = 16 };

struct explain {
    const char *config;
    const char *door; /* "forward", "transparent", "unix", "gate"; NULL: the way out */
    long uid;         /* -1: the workload's */
    const char *as;   /* instead: all that is known of the caller (explain_as.h) */
    bool json;
    const char *method, *url;
    const char *fields[EXPLAIN_FIELDS]; /* "Name: value", or a name alone */
    size_t n_fields;
};

/* An exit code: EXIT_OK, EXIT_DENIED, EXIT_USAGE, EXIT_CONFIG. */
int holdfast_explain(const struct explain *e);

/* ---- between explain.c and explain_print.c */

/* What one filter said, with what it left behind. */
struct explain_step {
    const char *phase; /* "tunnel", "judge", "present" */
    const char *filter;
    struct verdict verdict;
    const struct note *notes, *until; /* newest first, up to those of the step before */
    size_t stripped_from, stripped_to;
    bool presents; /* not asked: the rule says what would be presented */
};

/* What came of it: REASON_OK, or why not and by which filter. */
struct explained {
    const struct view *view;
    struct explain_step steps[EXPLAIN_STEPS];
    size_t n_steps;
    enum reason why;
    const char *by;
};

void explain_print_text(const struct explained *e);
void explain_print_json(const struct explained *e);

#endif
