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

enum binding
present_binding(const struct view *v)
{
    const struct conf_credential *c;

    if (!present_is_wanted(v) ||
        (c = conf_credential(v->conf, v->rule->credential)) == NULL)
        return BINDING_NONE;
    return binding_choose(v->rule, c);
}

/* Of our authority's credential it is the task's own key; what an exchange had to get
 * first, or its connection showed, is in the view; of a file there is a secret. */
static enum reason
gather_means(const struct view *v, const struct conf_credential *c, struct means *with)
{
    *with = (struct means){ .header = c->header,
                            .prefix = c->prefix,
                            .token = v->token,
                            .dpop = v->dpop,
                            .signing_key = v->signing_key,
                            .signing_key_id = v->signing_key_id,
                            .signature = v->rule->signature,
                            .connection_x5t = v->connection_x5t };
    if (c->source.kind == SOURCE_AUTHORITY) {
        with->presenter = v->entry != NULL ? entry_presenter(v->entry) : NULL;
        return with->presenter != NULL ? REASON_OK : REASON_SIGN;
    }
    if (c->source.kind != SOURCE_FILE)
        return REASON_OK;
    if (v->vault == NULL)
        return REASON_CREDENTIAL_UNAVAILABLE;
    return vault_find(v->vault, c, &with->secret);
}

static enum reason
present_credential(struct view *v, const struct conf_credential *c)
{
    struct presented request = view_presented(v);
    enum binding b = binding_choose(v->rule, c);
    struct means with;
    enum reason why = gather_means(v, c, &with);

    if (why != REASON_OK)
        return why;
    binding_prepare(b, &request, &v->request->headers);
    v->presented = true;
    v->presented_at = v->request->headers.n;
    why = binding_present(&with, b, &request, v->now_s, &v->request->headers,
                          &v->evidence);
    v->thumbprint = v->evidence.thumbprint;
    return why;
}

static struct verdict
present_request(void *state, struct view *v)
{
    const struct conf_credential *c;
    enum reason why;

    (void)state;
    if (v->rule == NULL)
        return deny(REASON_HOST_NOT_ALLOWED);
    if (!present_is_wanted(v))
        return pass();
    if (!v->verified_tls)
        return deny(REASON_PLAIN_CREDENTIAL);
    if ((c = conf_credential(v->conf, v->rule->credential)) == NULL)
        return deny(REASON_CREDENTIAL_UNAVAILABLE);
    why = present_credential(v, c);
    return why == REASON_OK ? pass() : deny(why);
}

const struct filter present_filter = {
    .name = "present",
    .on_request = present_request,
};
