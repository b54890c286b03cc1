/* A gate's judgement on HTTP message signatures (tokens/httpsig_verify.h): what the
 * door's `signature` demands, and whose keys sign without an identity token. */
#include "filters/verify_parts.h"

#include "base/file.h"

static enum reason
keys_open(const struct conf_door *door, size_t number, struct buf *report,
          struct jwks **out)
{
    const struct conf_gate_signature *s = &door->signature;
    struct buf bytes = { 0 };
    enum reason why = file_read(s->jwks_file, JWKS_TEXT_MAX, &bytes);

    if (why == REASON_OK)
        why = jwks_parse(buf_text(&bytes), out);
    buf_free(&bytes);
    if (why == REASON_OK)
        return why;
    buf_printf(report,
               "%s:%u: doors[%zu].signature.jwks_file: \"%s\": no keys can be read "
               "from it\n",
               door->place.file, door->place.line, number, s->jwks_file);
    return REASON_CONFIG;
}

enum reason
signature_open(struct gate *g, size_t number, struct buf *report)
{
    const struct conf_gate_signature *s = &g->door->signature;
    enum reason why = REASON_OK;

    if (s->jwks_file != NULL)
        why = keys_open(g->door, number, report, &g->signers);
    g->signature = (struct httpsig_policy){
        .verifier = &g->verifier,
        .keys = g->signers,
        .components = s->components.at,
        .n_components = s->components.n,
        .max_age_s = s->max_age_ms / 1000,
        .tag = s->tag == NULL ? text_of(NULL, 0) : text_z(s->tag),
    };
    for (size_t i = 0; i < s->parameters.n; i++)
        g->signature.said |= httpsig_parameter(s->parameters.at[i]);
    return why;
}

bool
tries_httpsig(const struct view *v)
{
    return headers_has(&v->request->headers, FIELD_SIGNATURE) ||
           headers_has(&v->request->headers, FIELD_SIGNATURE_INPUT);
}

enum reason
judge_httpsig(const struct gate *g, struct view *v)
{
    const struct presented received = view_presented(v);
    enum reason why = httpsig_verify(&g->signature, v->request, &received, v->now_s,
                                     v->arena, &v->facts);

    if (why != REASON_OK)
        return why;
    v->facts.subject = v->facts.context.workload;
    if (!text_is_empty(v->facts.subject))
        return REASON_OK;
    /* Who has no identity is called by its key's id: which a partner chose, and which
     * must not be a workload's. */
    v->facts.subject = v->facts.thumbprint;
    return gate_is_workload(v->facts.subject) ? REASON_SIGNATURE_KEY : REASON_OK;
}
