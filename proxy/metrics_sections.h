/* The page's families, a file for each part of it, in the order of the page. */
#ifndef PROXY_METRICS_SECTIONS_H
#define PROXY_METRICS_SECTIONS_H

#include "proxy/exposition.h"

struct section {
    const struct family *families;
    size_t n;
};

extern const struct section metrics_of_requests;    /* and what is presented by them */
extern const struct section metrics_of_connections; /* and the workers they are on */
extern const struct section metrics_of_dns;         /* what dns doors were asked */
extern const struct section metrics_of_tokens;      /* got for tasks, and taken back */
extern const struct section metrics_of_process;     /* and its log, ledger, config */

#endif
