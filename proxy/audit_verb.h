/* `holdfast audit`: what the ledger says, and whether it can be believed. Reads files
 * only; no running Holdfast is needed, nor asked. */
#ifndef PROXY_AUDIT_VERB_H
#define PROXY_AUDIT_VERB_H

#include <stdbool.h>

struct audit_wish {
    const char *config;           /* names the directory… */
    const char *ledger;           /* … unless this does */
    const char *key, *checkpoint; /* kept elsewhere; NULL: none */
    const char *task, *grant;     /* NULL: any */
    const char *since; /* a time, or how long ago; NULL: from the beginning */
    bool denied, json;
};

/* Exit codes: EXIT_OK, EXIT_RUNTIME (faults were found), EXIT_USAGE, EXIT_CONFIG (it
 * cannot be read). */
int audit_verb_verify(const struct audit_wish *w);
int audit_verb_show(const struct audit_wish *w);
int audit_verb_report(const struct audit_wish *w);

#endif
