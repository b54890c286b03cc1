/* Why not: the one vocabulary of refusal. Every function that can fail returns an enum
 * reason, and every reason is one row of reason.def. REASON_OK is zero. */
#ifndef BASE_REASON_H
#define BASE_REASON_H

#define MUST_USE __attribute__((warn_unused_result))

enum reason {
    REASON_OK = 0,
#define REASON(name, token, status, error, sentence) REASON_##name,
#include "base/reason.def"
#undef REASON
    REASON_COUNT
};

/* The word in the log, in Proxy-Status and in problem+json: lower snake case, stable.
 * "ok" for REASON_OK. */
const char *reason_token(enum reason why);

/* The HTTP status that tells it to a client; 0 when it is never told (see reason.def).
 * 200 for REASON_OK. */
int reason_status(enum reason why);

/* RFC 9209 section 2.3 error type; "" when there is none. */
const char *reason_proxy_error(enum reason why);

/* One sentence for a human, without inner details. */
const char *reason_sentence(enum reason why);

#endif
