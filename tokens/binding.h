/* Bindings: how a credential is presented so that a copy is useless. Which one it is
 * follows from the config alone; above this header nobody knows how it is done. */
#ifndef TOKENS_BINDING_H
#define TOKENS_BINDING_H

#include "base/host.h"
#include "base/reason.h"
#include "base/secret.h"
#include "http/message.h"
#include "tokens/authority.h"
#include "tokens/context.h"
#include "tokens/token.h"

struct conf_credential;
struct conf_rule;
struct conf_signature;

/* The strongest first. */
enum binding {
    BINDING_NONE,
    BINDING_HTTPSIG, /* RFC 9421 */
    BINDING_DPOP,    /* RFC 9449 */
    BINDING_WIMSE,   /* WIT and WPT */
    BINDING_MTLS,    /* a client certificate, and what is bound to it (RFC 8705) */
    BINDING_HEADER,  /* the secret itself, in a field of its own … */
    BINDING_BEARER   /* … or in Authorization */
};

/* The strongest of the rule's list that this credential can do, from the config alone:
 * nothing that a service or an authorization server says makes it a weaker one. NONE:
 * nothing in the list can be done. */
enum binding binding_choose(const struct conf_rule *r, const struct conf_credential *c);
/* As in a rule's bind list, log and ledger; "none". */
const char *binding_word(enum binding b);
/* What an access token presented this way has to be bound to. */
enum token_form binding_form(enum binding b);
/* It says something of the body, so that a small one is worth waiting for. */
bool binding_covers_body(enum binding b, const struct conf_rule *r,
                         const struct conf_credential *c);
/* … and cannot be done without: a body that is not known whole is refused. */
bool binding_needs_body(enum binding b, const struct conf_rule *r,
                        const struct conf_credential *c);

/* What one task is known by: its key, its WIT and everything that is constant in its
 * proofs. Made at task start; immutable, so any thread; its key is wiped when the last
 * who shares it lets go. */
struct identity;

/* One reference is the caller's. REASON_MINT_TOKEN, REASON_SIGN. Texts of `context` are
 * copied. */
MUST_USE enum reason identity_new(struct authority_key *authority,
                                  const struct context *context, int64_t now_s,
                                  int64_t exp_s, struct identity **out);
/* The same key with another token, for the time that is left: the wall clock was set.
 */
MUST_USE enum reason identity_reissue(const struct identity *i,
                                      struct authority_key *authority,
                                      const struct context *context, int64_t now_s,
                                      int64_t exp_s, struct identity **out);
void identity_ref(struct identity *i);
void identity_unref(struct identity *i); /* NULL is fine */
/* RFC 7638 thumbprint of the task's key: joins our log to the service's. */
struct text identity_thumbprint(const struct identity *i);
int64_t identity_expires(const struct identity *i);
/* Tokens issued in this process: for metrics. */
uint64_t identity_issued(void);

/* Signs for an identity on one thread: a signing context and buffers of its own. NULL,
 * logged, when it cannot be made. Keeps a reference. */
struct presenter;
struct presenter *presenter_new(struct identity *i);
void presenter_free(struct presenter *p);
struct text presenter_thumbprint(const struct presenter *p);
int64_t presenter_expires(const struct presenter *p);

/* The request as it will be sent: what a proof covers. */
struct presented {
    struct authority authority;
    struct text scheme; /* "https" */
    struct text method;
    struct text path;  /* canonical */
    struct text query; /* at NULL: none */
    bool body_known;
    struct text body; /* when body_known: all of it (maybe empty) */
};

struct evidence {
    const char *binding;  /* "wimse", "bearer": for log and ledger */
    struct text proof_id; /* the jti, in the headers' arena; empty: no proof was made */
    struct text thumbprint; /* of the key or certificate that it was proved with, in the
                               same arena; empty: what was presented is good for whoever
                               copies it */
};

/* What there is to present with. A binding that lacks what it needs cannot be done. */
struct means {
    struct presenter *presenter; /* NULL: none */
    const struct secret *secret; /* NULL: none */
    const char *header;          /* the field a secret is put in; NULL: none */
    const char *prefix;          /* what stands before it there; NULL: nothing */
    const struct token *token;   /* an access token; NULL: none */
    struct dpop_signer *dpop;    /* of the token's key; NULL: none */
    struct key *signing_key;     /* of source "key", this thread's; NULL: none … */
    struct text signing_key_id;  /* … and its keyid */
    const struct conf_signature *signature; /* how the rule signs; NULL: it does not */
    struct text connection_x5t; /* of the certificate that the connection showed; empty:
                                   it showed none */
};

/* What the message itself has to say so that it can be covered: Content-Digest. Before
 * binding_present; it stays when what that added is taken back for a retry. */
void binding_prepare(enum binding b, const struct presented *request,
                     struct headers *headers);

/* Adds to `headers` what the binding puts there (the values copied into their arena),
 * in place of what a stranger may have put there under the same names. A proof covers
 * the other tokens that still stand in `headers`: call this last. Nothing is added on
 * failure. REASON_NO_BINDING; REASON_PLAIN_CREDENTIAL when the scheme is not https;
 * REASON_SIGN (also when the presenter's time is over, or a token field stands there
 * twice); REASON_BODY_NOT_COVERED, REASON_SIGNATURE_COMPONENT when the message cannot
 * be signed as the rule wants it; REASON_CERTIFICATE_CHANGED when the connection did
 * not show the certificate that is needed. */
MUST_USE enum reason binding_present(const struct means *with, enum binding b,
                                     const struct presented *request, int64_t now_s,
                                     struct headers *headers,
                                     struct evidence *evidence);

/* ---- the gate's side */

/* A bounded memory of proofs already seen; fails closed. Any thread (striped locks). */
struct replay_cache;
/* entries: as many proofs as are remembered at a time (in large caches give or take a
 * few per cent, as they spread over the stripes). All of its memory is taken here. */
struct replay_cache *replay_cache_new(size_t entries);
void replay_cache_free(struct replay_cache *c);
/* REASON_OK once, then REASON_PROOF_REPLAYED until expires_s has passed;
 * REASON_REPLAY_CACHE_FULL when it cannot be remembered. REASON_PROOF_EXPIRED when
 * expires_s has passed, or when the clock was set back and it can no longer be told
 * whether it was seen. */
MUST_USE enum reason replay_cache_enter(struct replay_cache *c, struct text key,
                                        struct text id, int64_t expires_s,
                                        int64_t now_s);

/* Whom a gate trusts. Immutable after trust_anchors_add; any thread. */
struct trust_anchors;
struct trust_anchors *trust_anchors_new(void);
/* Keys of a trust domain from a JWKS file (kid required, ES256 or EdDSA; an empty set
 * trusts nobody). subjects: exact identifiers, or ending in slash star; none: nobody.
 * issuers: accepted iss values besides the domain's own. A domain may be added several
 * times, one file for each sidecar: each key then speaks for the subjects it came with.
 * A kid stands for one key of a domain. REASON_CONFIG, REASON_FILE_*. Logs the detail.
 */
MUST_USE enum reason trust_anchors_add(struct trust_anchors *t, const char *domain,
                                       const char *jwks_file,
                                       const char *const *subjects, size_t n_subjects,
                                       const char *const *issuers, size_t n_issuers);
void trust_anchors_free(struct trust_anchors *t);

/* What a verified request was proved to be. Texts are in the arena given. */
struct facts {
    enum binding binding; /* by which it was proved */
    struct text subject;  /* the workload; or as access token, certificate or keyid
                             name it */
    struct text issuer, client_id; /* of an access token; … */
    struct text scope;             /* … words between spaces */
    struct context context;        /* of a workload's identity token */
    struct text proof_id;
    struct text thumbprint;
    bool body_covered; /* the proof named the body's digest, and it was this body's */
};

struct verifier {
    const struct trust_anchors *anchors;
    struct replay_cache *replays;
    const char *const
        *origins; /* the gate's own names, canonical: "https://orders.example[:port]",
                     lower case, no :443, no slash */
    size_t n_origins;
    int64_t max_proof_s; /* how far ahead exp may lie: 60 */
    int64_t skew_s;      /* two clocks may differ by this much, either way: 5 */
};

/* Verifies the proof in request->headers against the request as received (path
 * canonical) with every check of STANDARDS.md section 3; each failure has its own
 * reason. The replay cache is entered last: a proof refused for another reason is not
 * used up. Our own claims (tokens/context.h) are demanded, so this is a verifier for a
 * closed deployment: a plain WIMSE peer, whose proof says nothing of method, query and
 * body, is refused. */
MUST_USE enum reason proof_verify(const struct verifier *v,
                                  const struct request *request,
                                  const struct presented *received, int64_t now_s,
                                  struct arena *arena, struct facts *out);
/* Removes the proof's fields. */
void proof_strip(struct headers *h);

#endif
