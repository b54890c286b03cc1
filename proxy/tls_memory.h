/* Where OpenSSL's memory comes from. A connection's record buffers live for one turn of
 * the loop and are the largest thing it takes; they come from shelves, and not from
 * among the small pieces that stay for its whole life. */
#ifndef PROXY_TLS_MEMORY_H
#define PROXY_TLS_MEMORY_H

/* Before OpenSSL has taken any memory; once in a process. */
void tls_memory_begin(void);

#endif
