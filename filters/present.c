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

/* A handle of our own on the operator's key, as a key signs on one thread at a time. */
static enum reason
gather_key(const struct view *v, const struct conf_credential *c, struct means *with)
{
    const struct key *key;
    enum reason why = vault_key(v->vault, c->source.path, &key, &with->signing_key_id);

    if (why != REASON_OK)
        return why;
    if (c->source.key_id != NULL)
        with->signing_key_id = text_z(c->source.key_id);
    with->signing_key = key_share(key);
    return with->signing_key != NULL ? REASON_OK : REASON_SIGN;
}

/* Of our authority's credential it is the task's own key; what an exchange had to get
 * first, or its connection showed, is in the view; files are in the vault. */
static enum reason
gather_means(const struct view *v, const struct conf_credential *c, struct means *with)
{
    *with = (struct means){ .header = c->header,
                            .prefix = c->prefix,
                            .token = v->token,
                            .dpop = v->dpop,
                            .signature = v->rule->signature,
                            .connection_x5t = v->connection_x5t };
    if (c->source.kind == SOURCE_AUTHORITY) {
        with->presenter = v->entry != NULL ? entry_presenter(v->entry) : NULL;
        return with->presenter != NULL ? REASON_OK : REASON_SIGN;
    }
    /* The certificate that it is bound to proves nothing of an oauth credential. */
    if (c->source.kind == SOURCE_OAUTH && v->token == NULL)
        return REASON_CREDENTIAL_UNAVAILABLE;
    if (c->source.kind != SOURCE_FILE && c->source.kind != SOURCE_KEY)
        return REASON_OK;
    if (v->vault == NULL)
        return REASON_CREDENTIAL_UNAVAILABLE;
    return c->source.kind == SOURCE_KEY ? gather_key(v, c, with)
                                        : vault_find(v->vault, c, &with->secret);
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
    key_free(with.signing_key);
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
