/* What the files behind verify.h ask of each other. */
#ifndef FILTERS_VERIFY_PARTS_H
#define FILTERS_VERIFY_PARTS_H

#include "filters/verify.h"
#include "tokens/access_token.h"
#include "tokens/dpop_verify.h"
#include "tokens/httpsig_verify.h"

/* Whose access tokens the door believes. */
struct issuer {
    const struct conf_issuer *conf;
    struct access_policy policy; /* its keys aside */
    struct jwks *keys; /* of its file; NULL: they are fetched, or it is asked */
};

enum { DPOP_WORDS_SIZE = 64 };

/* A gate, as its generation opened it: immutable. */
struct gate {
    const struct conf_door *door; /* NULL: the door is none */
    struct trust_anchors *anchors;
    struct verifier verifier;
    struct issuer *issuers;
    size_t n_issuers;
    bool inquires; /* there is one whose keys are in no file */
    struct dpop_policy dpop;
    char dpop_words[DPOP_WORDS_SIZE]; /* the algorithms of proofs, for a challenge */
    struct jwks *signers; /* who signs without an identity token; NULL: nobody */
    struct httpsig_policy signature;
};

/* ---- verify_open.c */

/* Everything that is wrong with the door goes into the report, the number-th of its
 * config. gate_close in either case. */
MUST_USE enum reason gate_open(const struct conf_door *door, size_t number,
                               struct buf *report, struct gate *g);
void gate_close(struct gate *g);

/* ---- verify_rules.c */

/* The first rule of the door that takes what v->facts say and the request asks becomes
 * v->gate_rule. */
MUST_USE enum reason gate_rules_judge(struct view *v);
/* It has the form of a workload's identifier, which only its authority gives: whoever
 * chooses its own name (a token's subject, a key's id) must not choose one. */
bool gate_is_workload(struct text id);
/* A subject of a list; one that ends in a slash and a star names all below it. */
bool gate_names_subject(const struct strings *list, struct text id);

/* ---- verify_signature.c */

/* Part of gate_open. */
MUST_USE enum reason signature_open(struct gate *g, size_t number, struct buf *report);
bool tries_httpsig(const struct view *v);
MUST_USE enum reason judge_httpsig(const struct gate *g, struct view *v);

/* ---- verify_token.c */

/* Who has issued this token, as it says or as it must be; NULL: nobody we know. */
const struct issuer *gate_issuer(const struct gate *g, struct text token,
                                 struct arena *arena);
/* What the token says becomes v->facts; what it is bound to is the caller's to judge.
 */
MUST_USE enum reason gate_access_judge(const struct gate *g, struct text token,
                                       struct view *v, struct access *a);
/* The connection showed the certificate of this x5t#S256, which is not empty. */
bool gate_shows_certificate(const struct view *v, struct text x5t);
bool tries_dpop(const struct view *v);
bool token_dpop(const struct view *v, struct text *token);
/* Tells v->facts what was proved, and the client of a nonce. */
MUST_USE enum reason judge_dpop(const struct gate *g, struct view *v);
/* What the client could do about it. */
void challenge_dpop(const struct gate *g, enum reason why, struct view *v);

/* ---- verify_certificate.c, likewise */

bool tries_mtls(const struct view *v);
bool token_mtls(const struct view *v, struct text *token);
MUST_USE enum reason judge_mtls(const struct gate *g, struct view *v);
void challenge_mtls(const struct gate *g, enum reason why, struct view *v);

#endif
