/* A secret: bytes that no formatter of ours prints, wiped when freed, compared in
 * constant time, kept out of core dumps. The log has no call that takes one. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/buf.h"
#include "base/reason.h"
#include "base/text.h"

struct secret;

/* Copies n bytes. */
struct secret *secret_new(const void *bytes, size_t n);
/* Reads a file whole, opened without following a link, of at most `max` bytes.
 * owner_only: it must be a regular file of ours (or root's) that group and others
 * cannot read, else REASON_FILE_UNSAFE. One trailing newline is dropped; what is empty
 * then is REASON_FILE_CONTENT. Logs the detail. */
MUST_USE enum reason secret_read(const char *path, size_t max, bool owner_only,
                                 struct secret **out);
/* The same for a file that an orchestrator mounts: links are followed, for a Secret
 * volume is made of them, and group may read what it may not write (fsGroup). Others
 * may do neither. What is wrong with it, and what to do, is added to `fault`; nothing
 * is logged. */
MUST_USE enum reason secret_read_mounted(const char *path, size_t max,
                                         struct buf *fault, struct secret **out);
/* The same for what is shown to others but stands beside a secret, a certificate: all
 * may read it. */
MUST_USE enum reason secret_read_shown(const char *path, size_t max, struct buf *fault,
                                       struct secret **out);
void secret_free(struct secret *s);

/* A loan for as long as the secret lives. A forked child finds zeros there. */
struct text secret_reveal(const struct secret *s);
/* An empty secret equals nothing. */
bool secret_equals(const struct secret *s, struct text t);

#endif
