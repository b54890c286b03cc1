/* What a service says of proofs (RFC 9449 sections 8 and 9): a nonce, with any answer,
 * for those to come; or a 401 that wants this very one made anew. Once, and only with
 * another nonce than the one it has refused. */
#include "proxy/relay_parts.h"

#include "tokens/jws.h"

#define NONCE TEXT("DPoP-Nonce")

enum { REST_MAX = 64 * 1024 }; /* of a 401 that is read for its connection's sake */

static struct text
origin_of_target(const struct exchange *x)
{
    char printed[AUTHORITY_PRINT_SIZE];
    struct text to = authority_print(&x->view.target, 443, printed);

    return arena_printf(x->arena, "https://%.*s", TEXT_ARG(to));
}

static bool
is_challenge(const struct response *r)
{
    for (size_t i = 0; i < r->headers.n; i++)
        if (text_equals_nocase(r->headers.at[i].name, TEXT("WWW-Authenticate")) &&
            dpop_challenges(r->headers.at[i].value))
            return true;
    return false;
}

/* Read from the proof itself: another exchange may have learned this nonce already. */
static bool
was_used(const struct exchange *x, struct text nonce)
{
    const struct field *proof = headers_get(&x->request.headers, TEXT("DPoP"));
    struct jws j;
    bool same;

    if (proof == NULL || jws_parse(proof->value, &j) != JWS_FINE)
        return true;
    same = text_equals(json_text_of(j.claims, "nonce"), nonce);
    jws_clear(&j);
    return same;
}

static bool
wants_another(const struct exchange *x, struct text nonce, struct text learned)
{
    return x->response.status == 401 && !x->challenged && again_can_send(x) &&
           text_equals(nonce, learned) && is_challenge(&x->response) &&
           !was_used(x, nonce);
}

/* What passes is a workload's that makes proofs of its own; at a gate, anybody's. */
static bool
may_pass(const struct exchange *x)
{
    return x->view.rule == NULL || x->view.rule->own_proof == CONF_PASS;
}

bool
challenge_hear(struct exchange *x)
{
    const struct field *given = headers_get(&x->response.headers, NONCE);
    struct dpop_signer *signer;
    struct text nonce, origin;

    if (given == NULL || may_pass(x))
        return false;
    nonce = given->value;
    headers_remove(&x->response.headers, NONCE);
    if (text_is_empty(x->view.thumbprint) || (signer = obtain_signer(x)) == NULL)
        return false;
    origin = origin_of_target(x);
    (void)dpop_learn(signer, origin, nonce);
    return wants_another(x, nonce, dpop_nonce(signer, origin));
}

/* A short answer that is here already is read to its end: its connection may be used
 * again. */
static void
read_rest(struct exchange *x)
{
    enum reason why = REASON_OK;
    enum flow flow = FLOW_OK;
    struct text piece;
    size_t n = 0;

    while (flow == FLOW_OK && n < REST_MAX) {
        flow = stream_read_body(x->up_stream, x->arena, &piece, &why);
        n += flow == FLOW_OK ? piece.n : 0;
    }
}

enum pace
challenge_take(struct exchange *x)
{
    x->challenged = true;
    read_rest(x);
    x->response = (struct response){ .status = 0 };
    return again(x, STEP_OBTAIN, false);
}
