/* An access token: what a source yielded for one task and one credential, and what it
 * is bound to. Immutable and counted, so any thread; wiped when the last who holds it
 * lets go. */
#ifndef TOKENS_TOKEN_H
#define TOKENS_TOKEN_H

#include "tokens/dpop.h"

enum token_form {
    FORM_BEARER, /* to nothing: whoever copies it has it */
    FORM_DPOP,   /* to a key that signs each request (RFC 9449) */
    FORM_MTLS    /* to the client certificate of the connection (RFC 8705) */
};

enum {
    X5T_SIZE = 43,     /* x5t#S256: base64url of a certificate's SHA-256 */
    TOKEN_ID_SIZE = 16 /* the beginning of base64url of a token's SHA-256 */
};

struct token;

/* value is copied. key: of FORM_DPOP, which keeps a reference, else NULL. x5t: X5T_SIZE
 * characters, of FORM_MTLS, else NULL. expires_s: by the wall clock. One reference is
 * the caller's. */
struct token *token_new(struct text value, enum token_form form, struct dpop_key *key,
                        const char *x5t, int64_t expires_s);
struct token *token_ref(struct token *t); /* t itself */
void token_unref(struct token *t);        /* NULL is fine */

/* On loan while the token is held. */
struct text token_value(const struct token *t);
/* What it is called where it must not stand itself: TOKEN_ID_SIZE characters, with
 * which the `ath` of its proofs begins. */
struct text token_id(const struct token *t);
enum token_form token_form(const struct token *t);
const char *token_form_word(enum token_form form);
struct dpop_key *token_key(const struct token *t); /* NULL: it is not bound to one */
struct text token_ath(const struct token *t); /* what a proof says of it; FORM_DPOP */
struct text token_x5t(const struct token *t); /* empty: it is not FORM_MTLS */
int64_t token_expires(const struct token *t);

#endif
