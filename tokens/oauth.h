/* OAuth, the client's side, as values: what an authorization server is asked for a
 * token (RFC 6749, 7521, 7523, 8693, 8705, 8707, 9396), and what its answer is worth.
 * No I/O and no clock; a proof of possession (RFC 9449) is the asker's to add. */
#ifndef TOKENS_OAUTH_H
#define TOKENS_OAUTH_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/reason.h"
#include "certs/key.h"
#include "conf/conf.h"
#include "http/headers.h"
#include "tokens/token.h"

enum {
    OAUTH_ANSWER_MAX = 64 * 1024, /* bytes of an answer's body */
    OAUTH_TOKEN_MAX = 16 * 1024,
    OAUTH_LIFE_S = 300,           /* of a token whose answer does not say */
    OAUTH_LIFE_MAX_S = 24 * 3600, /* longer ones are asked for again after that */
    OAUTH_DETAILS_MAX = 16 * 1024
};

/* What is asked with. Texts are what the source's files hold, empty where it names
 * none. */
struct oauth_ask {
    const struct conf_source *source;
    struct text client_secret, client_assertion; /* the latter: a JWT-SVID */
    struct text subject_token, actor_token, assertion, refresh_token;
    struct key *client_key; /* signs on this thread; NULL: none */
    struct text details;    /* authorization_details; empty: none */
    int64_t now_s;
};

enum { OAUTH_FIELDS = 4 };
struct oauth_request {
    struct field fields[OAUTH_FIELDS];
    size_t n_fields;
    struct text body; /* a form */
};

/* Of the token endpoint: a token. All of *out lives in the arena. REASON_SIGN. */
MUST_USE enum reason oauth_request(const struct oauth_ask *ask, struct arena *arena,
                                   struct oauth_request *out);
/* Of the revocation endpoint (RFC 7009): that this token be worth nothing. */
MUST_USE enum reason oauth_revocation(const struct oauth_ask *ask, struct text token,
                                      struct arena *arena, struct oauth_request *out);

/* Of an introspection endpoint (RFC 7662): what this token is worth. */
MUST_USE enum reason oauth_introspection(const char *client_id, struct text secret,
                                         struct text token, struct arena *arena,
                                         struct oauth_request *out);

/* authorization_details of a grant (RFC 9396): where its rules lead this credential,
 * with which methods, for what. Appended to `out`. False, and nothing appended, when
 * that is more than OAUTH_DETAILS_MAX. */
struct oauth_terms {
    const struct conf_grant *grant;
    const struct conf_credential *credential;
    const char *purpose;
    struct text task;
};
MUST_USE bool oauth_details(const struct oauth_terms *terms, struct buf *out);

/* A JWT that says who the client is, for this audience (RFC 7523 section 3). */
MUST_USE enum reason client_assertion_write(struct key *k, const struct conf_source *s,
                                            int64_t now_s, struct buf *out);

/* ---- what comes back */

/* What a token must be bound to, as it is asked for. */
struct oauth_wish {
    enum token_form form;
    struct text thumbprint; /* of the DPoP key, or x5t#S256 of the certificate */
};

struct oauth_reply {
    int status;
    struct text content_type, body;
};

struct oauth_answer {
    struct text token;   /* also of one that is not bound: to be revoked */
    struct text refresh; /* empty: there is none */
    int64_t lives_s;
    const char *error; /* what the server calls it; NULL: nothing that we know */
    bool wants_nonce;  /* it was refused for want of a newer DPoP nonce */
};

/* Texts live in the arena. REASON_AS_REFUSED: the server says no; _AS_UNREACHABLE: it
 * cannot now; _AS_MALFORMED: this is no token that could be presented; _TOKEN_UNBOUND:
 * it is one, but good for whoever copies it. */
MUST_USE enum reason oauth_answer(const struct oauth_wish *wish,
                                  const struct oauth_reply *reply, struct arena *arena,
                                  struct oauth_answer *out);

/* What a token is asked with, of the config alone: two credentials of equal digests are
 * asked for alike. Files count by their names. */
void oauth_digest(const struct conf *conf, const struct conf_credential *c,
                  unsigned char out[SHA256_SIZE]);

#endif
