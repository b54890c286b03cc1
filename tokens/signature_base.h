/* The signature base (RFC 9421 section 2): the bytes that a signature over a message is
 * made of, one line for each covered component. Maker and verifier write it by this one
 * code. Only what can be read in one way has a line; for anything else there is none.
 */
#ifndef TOKENS_SIGNATURE_BASE_H
#define TOKENS_SIGNATURE_BASE_H

#include "http/structured.h"
#include "tokens/binding.h"

/* A message's fields. What frames and routes it does not stand among its headers. */
struct signature_fields {
    const struct headers *headers;
    struct text host; /* the Host field; at NULL: none */
    bool has_length;  /* Content-Length */
    uint64_t length;
};

/* What is signed: a request; or an answer, and the request it answers. */
struct signature_scene {
    const struct presented *request; /* the derived components are of it */
    struct text target; /* @request-target: as on the request line, or :path; at NULL:
                           the presented path and query */
    struct signature_fields asked;
    int status; /* 0: the request is what is signed */
    struct signature_fields answered;
};

/* One covered component, its identifier taken apart. */
struct component {
    struct text name;
    bool of_request; /* req */
    bool in_order;   /* sf: a structured field in its canonical spelling */
    bool as_bytes;   /* bs: each value as bytes */
    bool of_trailer; /* tr */
    bool has_key, has_name;
    struct text key;       /* of one member of a dictionary */
    struct text parameter; /* @query-param's name */
};

/* False: no identifier, or one with parameters that are unknown or do not go together.
 */
MUST_USE bool component_read(const struct sf_item *i, struct component *out);
/* The same thing of the same message, in whatever order its parameters stand. */
bool component_equals(const struct component *a, const struct component *b);

/* A field that this scene's signed message has. */
bool component_stands(const struct signature_scene *s, struct text field);

/* Appends all lines; `input` is the member of Signature-Input, in the spelling it is
 * signed in: what it covers, and its parameters. REASON_SIGNATURE_COMPONENT, and
 * nothing that is worth anything is appended: a component is unknown, stands twice, is
 * not in the message, stands there more than once where it must not, is one that this
 * kind of message has not, is in a trailer (which comes when all was judged long ago),
 * or its value is not ASCII. */
MUST_USE enum reason signature_base_write(const struct signature_scene *s,
                                          const struct sf_member *input,
                                          struct arena *a, struct buf *out);

#endif
