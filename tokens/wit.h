/* Inside tokens/: judging a workload identity token. */
#ifndef TOKENS_WIT_H
#define TOKENS_WIT_H

#include "tokens/binding.h"
#include "tokens/claims.h"
#include "tokens/jws.h"

/* What a verified token says. Texts live in jws. */
struct wit {
    struct jws jws;
    struct text subject;
    struct public_key *holder; /* cnf.jwk: may prove */
    struct text holder_alg;    /* its alg, as written */
    char thumbprint[THUMBPRINT_SIZE];
};

/* REASON_OK or a TOKEN_* reason. wit_clear in either case. */
MUST_USE enum reason wit_verify(const struct verifier *v, struct text compact,
                                int64_t now_s, struct wit *out);
void wit_clear(struct wit *w);
/* Our own claims; texts live in the token. REASON_CONTEXT_*. */
MUST_USE enum reason wit_context(const struct wit *w, struct context *out);

#endif
