/* What a server shows whoever asks: its certificates, looked at and believed by nobody.
 * For a person who wants to know why others do not believe them. */
#ifndef PROXY_TLS_SIGHT_H
#define PROXY_TLS_SIGHT_H

#include <openssl/types.h>
#include <stdbool.h>

struct stack_st_X509; /* OpenSSL's list of certificates */

struct tls_sight {
    X509 *leaf;
    struct stack_st_X509 *chain; /* with the leaf */
};

/* A handshake on a socket that does not wait; nothing is said in it. False: there was
 * none. tls_sight_clear in either case. */
bool tls_sight_take(int fd, const char *name, struct tls_sight *out);
void tls_sight_clear(struct tls_sight *s);

#endif
