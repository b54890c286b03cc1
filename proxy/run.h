/* `holdfast run`: the start sequence, and the main thread, which never blocks. */
#ifndef PROXY_RUN_H
#define PROXY_RUN_H

#include "conf/conf.h"

/* Exit codes (docs/OPERATING.md). */
enum {
    EXIT_OK = 0,
    EXIT_RUNTIME = 1,
    EXIT_USAGE = 2,
    EXIT_DENIED = 3,
    EXIT_NO_TASK = 69, /* `exec` has not run the command */
    EXIT_BIND = 75,
    EXIT_CONFIG = 78
};

int holdfast_run(const char *path); /* run.c */
struct check_wish {
    const char *path;
    bool lint;   /* what is legal but questionable as well */
    bool strict; /* … and its notes count against it */
    bool json;
};
int holdfast_check(const struct check_wish *wish); /* check.c */
int holdfast_version(void);                        /* check.c */
/* conf_print_defaults or conf_print_reference, to standard output. */
int holdfast_print(void (*print_tables)(const struct conf_filter_table *filters,
                                        size_t n, struct buf *out));

/* docs/REASONS.md, to standard output. */
int holdfast_print_reasons(void);

#endif
