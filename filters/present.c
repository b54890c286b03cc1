/* present: the proof is made over what strip left, and shown to nobody but the service.
 */
#include "filters/present.h"

#include "filters/handle.h"

void
present_forget(struct view *v)
{
    struct headers *h = &v->request->headers;

    if (v->presented && h->n > v->presented_at)
        h->n = v->presented_at;
    v->presented = false;
}

bool
present_is_wanted(const struct view *v)
{
    const struct conf_rule *r = v->rule;

    if (r == NULL || r->credential == NULL)
        return false;
    return r->inject == INJECT_ALWAYS || handle_stands_for(v, r->credential);
}

/* Our authority's credential is the task's own key; of any other there is a secret. */
static enum reason
gather_means(const struct view *v, struct means *with)
{
    const struct conf_credential *c = conf_credential(v->conf, v->rule->credential);

    *with = (struct means){ .presenter = NULL };
    if (c == NULL)
        return REASON_CREDENTIAL_UNAVAILABLE;
    if (c->source.kind == SOURCE_AUTHORITY) {
        with->presenter = v->entry != NULL ? entry_presenter(v->entry) : NULL;
        return with->presenter != NULL ? REASON_OK : REASON_SIGN;
    }
    with->header = c->header;
    with->prefix = c->prefix;
    if (v->vault == NULL)
        return REASON_CREDENTIAL_UNAVAILABLE;
    return vault_find(v->vault, c, &with->secret);
}

static struct verdict
present_request(void *state, struct view *v)
{
    const struct conf_rule *r = v->rule;
    struct presented request = view_presented(v);
    struct means with;
    enum reason why;

    (void)state;
    if (r == NULL)
        return deny(REASON_HOST_NOT_ALLOWED);
    if (!present_is_wanted(v))
        return pass();
    if (!v->verified_tls)
        return deny(REASON_PLAIN_CREDENTIAL);
    if ((why = gather_means(v, &with)) != REASON_OK)
        return deny(why);
    v->presented = true;
    v->presented_at = v->request->headers.n;
    why = binding_present(&with, r->bind.at, r->bind.n, &request, v->now_s,
                          &v->request->headers, &v->evidence);
    if (why != REASON_OK)
        return deny(why);
    /* The presenter may end before its exchange has. */
    if (!text_is_empty(v->evidence.proof_id))
        v->thumbprint = arena_copy(v->arena, presenter_thumbprint(with.presenter));
    return pass();
}

const struct filter present_filter = {
    .name = "present",
    .on_request = present_request,
};
