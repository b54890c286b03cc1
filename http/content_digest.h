/* Content-Digest (RFC 9530): what a message says its body is, and whether it is that.
 * Of its algorithms only sha-256 and sha-512 say anything against somebody who means
 * harm; whatever stands beside them is passed over, and where neither stands nothing
 * was said. A digest proves nothing unless something that was signed covers it. */
#ifndef HTTP_CONTENT_DIGEST_H
#define HTTP_CONTENT_DIGEST_H

#include "base/digest.h"
#include "http/headers.h"

#define FIELD_CONTENT_DIGEST TEXT("Content-Digest")

/* The field that says what body this is takes the place of any that said it. */
void content_digest_put(struct headers *h, struct text body);

struct content_digest {
    bool has_sha256, has_sha512;
    unsigned char sha256[SHA256_SIZE];
    unsigned char sha512[SHA512_SIZE];
};

/* False: there is no such field, it is malformed, says a thing twice, or has neither
 * algorithm. */
MUST_USE bool content_digest_read(const struct headers *h, struct arena *a,
                                  struct content_digest *out);
/* Every digest that was said is this body's. */
MUST_USE bool content_digest_fits(const struct content_digest *said, struct text body);

/* A body that comes in pieces. */
struct content_check;
struct content_check *content_check_new(const struct content_digest *said);
void content_check_add(struct content_check *c, struct text piece);
/* The body is whole: it fits. */
MUST_USE bool content_check_end(struct content_check *c);
void content_check_free(struct content_check *c); /* NULL is fine */

#endif
