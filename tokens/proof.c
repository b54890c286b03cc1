/* Verifying at the gate: the token first (wit.c), then the proof, then that this is the
 * first time it is seen. A copy of either is worth nothing: the token alone proves
 * nothing, and the proof is good for one request. */
#include "tokens/wit.h"

#include "tokens/carried.h"

#include <string.h>

struct proof {
    struct jws jws;
    struct text jti;
    int64_t exp_s;
};

static enum reason
fields_find(const struct headers *h, struct text *token, struct text *proof)
{
    size_t tokens = headers_count(h, FIELD_TOKEN),
           proofs = headers_count(h, FIELD_PROOF);

    if (tokens != 1)
        return tokens == 0 ? REASON_TOKEN_MISSING : REASON_TOKEN_REPEATED;
    if (proofs != 1)
        return proofs == 0 ? REASON_PROOF_MISSING : REASON_PROOF_REPEATED;
    *token = headers_get(h, FIELD_TOKEN)->value;
    *proof = headers_get(h, FIELD_PROOF)->value;
    return REASON_OK;
}

static enum reason
proof_read(const struct wit *wit, struct text compact, struct proof *p)
{
    enum jws_fault fault = jws_parse(compact, &p->jws);

    if (fault != JWS_FINE)
        return fault == JWS_ALGORITHM ? REASON_PROOF_ALGORITHM : REASON_PROOF_MALFORMED;
    if (!jws_typ_is(&p->jws, "wpt+jwt"))
        return REASON_PROOF_TYPE;
    /* String equality: "EdDSA" and "Ed25519" are one algorithm, but not one statement.
     */
    if (!text_equals(p->jws.alg_word, wit->holder_alg))
        return REASON_PROOF_ALGORITHM;
    if (!jws_verify(&p->jws, wit->holder))
        return REASON_PROOF_SIGNATURE;
    return claim_id(p->jws.claims, &p->jti) ? REASON_OK : REASON_PROOF_MALFORMED;
}

/* One string: one of our own names, and the path. The names are the operator's, never
 * what the request says of itself: a proof for another service must not pass by a
 * forged Host. Nor may a proof for one of our names be used at another of them: the
 * request has to have asked for the name it was made for. */
static enum reason
audience_judge(const struct verifier *v, const struct proof *p,
               const struct presented *received)
{
    char room[AUTHORITY_PRINT_SIZE];
    struct text asked = authority_print(&received->authority, 443, room);
    struct text said;

    if (!json_string(json_get(p->jws.claims, "aud"), &said))
        return REASON_PROOF_AUDIENCE;
    for (size_t i = 0; i < v->n_origins; i++) {
        struct text origin = text_z(v->origins[i]);

        if (said.n == origin.n + received->path.n && text_starts(said, origin) &&
            text_ends(said, received->path) && text_ends(origin, asked) &&
            origin.n == sizeof "https://" - 1 + asked.n)
            return REASON_OK;
    }
    return REASON_PROOF_AUDIENCE;
}

static enum reason
begin_judge(const struct verifier *v, const struct json *claims, const char *name,
            int64_t now_s)
{
    int64_t at;

    switch (claim_time(claims, name, &at)) {
    case CLAIM_BAD:
        return REASON_PROOF_MALFORMED;
    case CLAIM_GOOD:
        return at > now_s + v->skew_s ? REASON_PROOF_NOT_YET : REASON_OK;
    case CLAIM_ABSENT:
        break;
    }
    return REASON_OK;
}

static enum reason
times_judge(const struct verifier *v, struct proof *p, int64_t now_s)
{
    enum reason why;

    if (claim_time(p->jws.claims, "exp", &p->exp_s) != CLAIM_GOOD)
        return REASON_PROOF_MALFORMED;
    if (now_s >= p->exp_s + v->skew_s)
        return REASON_PROOF_EXPIRED;
    /* Else whoever may ask for proofs could hoard them, and we would have to remember
     * them. */
    if (p->exp_s > now_s + v->max_proof_s)
        return REASON_PROOF_TOO_LONG;
    if ((why = begin_judge(v, p->jws.claims, "iat", now_s)) != REASON_OK)
        return why;
    return begin_judge(v, p->jws.claims, "nbf", now_s);
}

/* A claim and the token it covers are both there and fit, or neither is there. */
static bool
is_covered(const struct json *claim, struct text token)
{
    if (token.at == NULL)
        return claim == NULL;
    return claim_is_digest(claim, token);
}

/* The entry of oth for a field we know, spelled in lower case; at most one, as names
 * are unique. Whatever else oth holds is something we do not understand. */
static enum reason
others_judge(const struct json *oth, const struct carried *carried)
{
    size_t known = 0;

    if (oth != NULL && !json_is_object(oth))
        return REASON_PROOF_OTHER_TOKEN;
    for (size_t i = 0; i < CARRIED_OTHERS; i++) {
        const struct json *entry = json_get(oth, carried_names[i].at);

        if (!is_covered(entry, carried->others[i]))
            return REASON_PROOF_OTHER_TOKEN;
        known += entry != NULL;
    }
    return json_count(oth) == known ? REASON_OK : REASON_PROOF_OTHER_TOKEN;
}

static enum reason
carried_judge(const struct json *claims, const struct headers *h)
{
    struct carried carried;

    carried_find(h, &carried);
    if (carried.access_repeated || !is_covered(json_get(claims, "ath"), carried.access))
        return REASON_PROOF_AUTHORIZATION;
    if (carried.other_repeated ||
        !is_covered(json_get(claims, "tth"), carried.transaction))
        return REASON_PROOF_OTHER_TOKEN;
    return others_judge(json_get(claims, "oth"), &carried);
}

static bool
body_is_covered(const struct json *body, const struct presented *received)
{
    return received->body_known && claim_is_digest(body, received->body);
}

/* The draft covers neither method nor query nor body: our own claim does. A member we
 * do not know may narrow the proof in a way we cannot check, so it refuses. */
static enum reason
request_judge(const struct json *claims, const struct presented *received,
              bool *body_covered)
{
    const struct json *req = json_get(claims, CLAIM_REQUEST);
    const struct json *query = json_get(req, "query"), *body = json_get(req, "body");
    struct text method;

    if (!json_string(json_get(req, "method"), &method) ||
        json_count(req) != 1u + (query != NULL) + (body != NULL))
        return REASON_PROOF_REQUEST;
    if (!text_equals(method, received->method))
        return REASON_PROOF_METHOD;
    if (!is_covered(query, received->query))
        return REASON_PROOF_QUERY;
    if (body != NULL && !body_is_covered(body, received))
        return REASON_PROOF_BODY;
    *body_covered = body != NULL;
    return REASON_OK;
}

static enum reason
proof_judge(const struct verifier *v, const struct wit *wit, struct text token,
            const struct request *request, const struct presented *received,
            int64_t now_s, struct proof *p, struct facts *facts)
{
    const struct json *claims = p->jws.claims;
    enum reason why;

    if ((why = audience_judge(v, p, received)) != REASON_OK ||
        (why = times_judge(v, p, now_s)) != REASON_OK)
        return why;
    if (!claim_is_digest(json_get(claims, "wth"), token))
        return REASON_PROOF_TOKEN;
    if ((why = carried_judge(claims, &request->headers)) != REASON_OK ||
        (why = request_judge(claims, received, &facts->body_covered)) != REASON_OK ||
        (why = wit_context(wit, &facts->context)) != REASON_OK)
        return why;
    /* Last: a proof refused for another reason is not used up. The key is part of what
     * is remembered, so that nobody can use up another's ids. */
    return replay_cache_enter(v->replays, text_of(wit->thumbprint, THUMBPRINT_SIZE),
                              p->jti, p->exp_s + v->skew_s, now_s);
}

static void
facts_keep(struct facts *f, const struct wit *wit, const struct proof *p,
           struct arena *arena)
{
    f->context = (struct context){
        .workload = arena_copy(arena, f->context.workload),
        .task = arena_copy(arena, f->context.task),
        .grant = arena_copy(arena, f->context.grant),
        .purpose = arena_copy(arena, f->context.purpose),
        .owner = arena_copy(arena, f->context.owner),
    };
    f->proof_id = arena_copy(arena, p->jti);
    f->thumbprint = arena_copy(arena, text_of(wit->thumbprint, THUMBPRINT_SIZE));
}

enum reason
proof_verify(const struct verifier *v, const struct request *request,
             const struct presented *received, int64_t now_s, struct arena *arena,
             struct facts *out)
{
    struct proof proof = { 0 };
    struct wit wit = { 0 };
    struct facts facts = { 0 };
    struct text token, compact;
    enum reason why;

    memset(out, 0, sizeof *out);
    if ((why = fields_find(&request->headers, &token, &compact)) != REASON_OK)
        return why;
    if ((why = wit_verify(v, token, now_s, &wit)) != REASON_OK ||
        (why = proof_read(&wit, compact, &proof)) != REASON_OK)
        goto done;
    why = proof_judge(v, &wit, token, request, received, now_s, &proof, &facts);
    if (why != REASON_OK)
        goto done;
    facts_keep(&facts, &wit, &proof, arena);
    *out = facts;
done:
    jws_clear(&proof.jws);
    wit_clear(&wit);
    return why;
}

void
proof_strip(struct headers *h)
{
    headers_remove(h, FIELD_TOKEN);
    headers_remove(h, FIELD_PROOF);
}
