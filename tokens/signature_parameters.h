/* The parameters of a signature (RFC 9421 section 2.3), and those that the WIMSE
 * profile adds: one table of their names, since drafts rename them. */
#ifndef TOKENS_SIGNATURE_PARAMETERS_H
#define TOKENS_SIGNATURE_PARAMETERS_H

#include "http/structured.h"

enum parameter {
    PARAMETER_CREATED,
    PARAMETER_EXPIRES,
    PARAMETER_NONCE,
    PARAMETER_ALG,
    PARAMETER_KEYID,
    PARAMETER_TAG,
    /* draft-ietf-wimse-http-signature-07 */
    PARAMETER_AUDIENCE,
    PARAMETER_SIGN_RESPONSE,
    PARAMETER_REQUEST_NONCE,
    PARAMETERS
};

/* What a WIMSE signature is for, and what it is called beside others. */
#define WIMSE_TAG   TEXT("wimse-workload-to-workload")
#define WIMSE_LABEL TEXT("wimse")

struct signature_parameters {
    unsigned said;                  /* bits: 1 << enum parameter */
    struct sf_value at[PARAMETERS]; /* of those that were said */
};

static inline bool
parameters_say(const struct signature_parameters *p, enum parameter which)
{
    return (p->said & 1U << which) != 0;
}

/* The parameter of this name; false: there is none. */
bool parameter_find(struct text name, enum parameter *out);

/* False: one is unknown (it may narrow the signature in a way nobody here checks), or
 * of another kind than it should be. */
MUST_USE bool parameters_read(const struct sf_params *from,
                              struct signature_parameters *out);

void parameters_say_number(struct signature_parameters *p, enum parameter which,
                           int64_t number);
void parameters_say_text(struct signature_parameters *p, enum parameter which,
                         struct text text);
void parameters_say_flag(struct signature_parameters *p, enum parameter which);
/* All that were said, in the table's order. */
struct sf_params parameters_list(const struct signature_parameters *p, struct arena *a);

#endif
