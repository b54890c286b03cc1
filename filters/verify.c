/* verify: which proof it is first, then that proof, then the door's rules on what it
 * proved. */
#include "filters/verify_parts.h"

#include "base/memory.h"
#include "tokens/carried.h"

#include <assert.h>
#include <stdlib.h>

/* One for each door of the config, in its order; empty for those that are no gate. */
struct verify {
    const struct conf_door *doors;
    size_t n;
    struct gate *gates;
};

/* ---- opening */

static void
verify_close(void *state)
{
    struct verify *s = state;

    for (size_t i = 0; i < s->n; i++)
        gate_close(&s->gates[i]);
    free(s->gates);
    free(s);
}

static enum reason
verify_open(const struct conf *conf, const void *settings, struct buf *report,
            void **state)
{
    struct verify *s = memory_new(sizeof *s);
    enum reason result = REASON_OK;

    (void)settings;
    *state = NULL;
    s->doors = conf->doors.at;
    s->n = conf->doors.n;
    s->gates = memory_new_array(s->n, sizeof *s->gates);
    for (size_t i = 0; i < s->n; i++) {
        enum reason why = REASON_OK;

        if (s->doors[i].kind == DOOR_GATE)
            why = gate_open(&s->doors[i], i, report, &s->gates[i]);
        if (why != REASON_OK)
            result = why;
    }
    if (result != REASON_OK) {
        verify_close(s);
        return result;
    }
    *state = s;
    return REASON_OK;
}

/* ---- the proofs, each with how it is known that a request tries it */

static bool
tries_wimse(const struct view *v)
{
    return headers_has(&v->request->headers, FIELD_PROOF);
}

static enum reason
judge_wimse(const struct gate *g, struct view *v)
{
    const struct presented received = view_presented(v);
    enum reason why = proof_verify(&g->verifier, v->request, &received, v->now_s,
                                   v->arena, &v->facts);

    v->facts.subject = v->facts.context.workload;
    return why;
}

/* In the order in which a request that tries none is told what it lacks. */
static const struct kind {
    enum conf_bind word;
    enum binding binding;
    bool (*is_tried)(const struct view *v);
    enum reason (*judge)(const struct gate *g, struct view *v);
    /* NULL: nobody is told by WWW-Authenticate. */
    void (*challenge)(const struct gate *g, enum reason why, struct view *v);
    /* The access token beside it; NULL: there never is one. */
    bool (*token)(const struct view *v, struct text *token);
} kinds[] = {
    { BIND_DPOP, BINDING_DPOP, tries_dpop, judge_dpop, challenge_dpop, token_dpop },
    { BIND_WIMSE, BINDING_WIMSE, tries_wimse, judge_wimse, NULL, NULL },
    { BIND_HTTPSIG, BINDING_HTTPSIG, tries_httpsig, judge_httpsig, NULL, NULL },
    { BIND_MTLS, BINDING_MTLS, tries_mtls, judge_mtls, challenge_mtls, token_mtls },
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* What the door does not accept is not looked at. Of two proofs that it does the
 * request would be as good as the better one: none is taken. A certificate is the
 * connection's, and stands back behind any proof of the request's own. */
static enum reason
kind_find(const struct gate *g, const struct view *v, const struct kind **out)
{
    const struct kind *tried = NULL, *first = NULL;

    for (size_t i = 0; i < KINDS; i++) {
        if (!conf_names_bind(&g->door->accept, kinds[i].word))
            continue;
        if (first == NULL)
            first = &kinds[i];
        if (!kinds[i].is_tried(v) ||
            (kinds[i].binding == BINDING_MTLS && tried != NULL))
            continue;
        if (tried != NULL)
            return REASON_PROOF_SEVERAL;
        tried = &kinds[i];
    }
    *out = tried != NULL ? tried : first;
    return *out != NULL ? REASON_OK : REASON_TOKEN_MISSING;
}

/* ---- judging */

static const struct gate *
gate_of(const struct verify *s, const struct conf_door *door)
{
    size_t i = (size_t)(door - s->doors);

    assert(i < s->n && door->kind == DOOR_GATE);
    return &s->gates[i];
}

/* Nothing that was not proved is told to anybody. */
static enum reason
proof_judge(const struct gate *g, const struct kind *kind, struct view *v)
{
    enum reason why = kind->judge(g, v);

    if (why != REASON_OK) {
        v->facts = (struct facts){ .binding = BINDING_NONE };
        return why;
    }
    v->facts.binding = kind->binding;
    v->thumbprint = v->facts.thumbprint;
    return gate_rules_judge(v);
}

static struct verdict
verify_request(void *state, struct view *v)
{
    const struct gate *g = gate_of(state, v->door);
    const struct kind *kind;
    enum reason why = kind_find(g, v, &kind);

    v->facts = (struct facts){ .binding = BINDING_NONE };
    v->challenge = v->offered_nonce = text_z(NULL);
    if (why != REASON_OK)
        return deny(why);
    if ((why = proof_judge(g, kind, v)) == REASON_OK)
        return pass();
    if (kind->challenge != NULL)
        kind->challenge(g, why, v);
    return deny(why);
}

/* What is wrong with the request otherwise is judged later, and in any case. */
const struct conf_issuer *
verify_inquires(const void *state, struct view *v, struct text *token)
{
    const struct gate *g = gate_of(state, v->door);
    const struct issuer *by = NULL;
    const struct kind *kind;

    if (g->inquires && kind_find(g, v, &kind) == REASON_OK && kind->token != NULL &&
        kind->token(v, token))
        by = gate_issuer(g, *token, v->arena);
    return by != NULL && by->keys == NULL ? by->conf : NULL;
}

const struct filter verify_filter = {
    .name = "verify",
    .open = verify_open,
    .on_request = verify_request,
    .close = verify_close,
};
