/* One way past Holdfast, and how trying it ends. bypass.c has the table of them and
 * tells; bypass_tries.c tries. */
#ifndef PROXY_BYPASS_PARTS_H
#define PROXY_BYPASS_PARTS_H

#include <stdint.h>

enum { DNS_PORT = 53 };

enum end {
    END_REFUSED, /* the error says by what */
    END_NO_ROUTE,
    END_NO_SOCKET, /* this process may not have one, or nobody may */
    END_UNTRIED,   /* for want of something else */
    END_TURNED,    /* Holdfast answers in its place */
    END_OPEN
};

struct way {
    const char *name, *what;
    int family, kind, protocol;
    uint16_t port;
    enum end (*go)(const struct way *w, int *error);
};

/* TCP, and what connects as it does. */
enum end bypass_connect(const struct way *w, int *error);
/* What needs nothing but to be sent. */
enum end bypass_send(const struct way *w, int *error);
enum end bypass_ping(const struct way *w, int *error);
enum end bypass_dns(const struct way *w, int *error);
enum end bypass_dns_tcp(const struct way *w, int *error);
/* A socket of that kind is all that is wanted. */
enum end bypass_open(const struct way *w, int *error);

#endif
