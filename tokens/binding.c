/* What a task presents with, and the list of the ways to present. */
#include "tokens/presenter.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static const struct binding {
    const char *word; /* as in a rule's bind list */
    enum reason (*present)(struct presenter *p, const struct presented *request,
                           int64_t now_s, struct headers *headers,
                           struct evidence *evidence);
} bindings[] = {
    { "wimse", wpt_present },
};

enum reason
presenter_new(struct authority_key *authority, const struct context *context,
              int64_t now_s, int64_t exp_s, struct presenter **out)
{
    struct presenter *p = memory_new(sizeof *p);
    enum reason why = REASON_SIGN;

    *out = NULL;
    if ((p->key = key_new()) == NULL)
        goto done;
    why = authority_issue(authority, context, p->key, now_s, exp_s, &p->wit);
    if (why != REASON_OK)
        goto done;
    key_thumbprint(p->key, p->thumbprint);
    p->expires_s = exp_s;
    wpt_prepare(p);
    *out = p;
    p = NULL;
done:
    presenter_free(p);
    return why;
}

void
presenter_free(struct presenter *p)
{
    if (p == NULL)
        return;
    key_free(p->key);
    buf_wipe(&p->wit);
    buf_wipe(&p->wpt_front);
    buf_wipe(&p->claims);
    buf_wipe(&p->proof);
    free(p);
}

struct text
presenter_thumbprint(const struct presenter *p)
{
    return text_of(p->thumbprint, sizeof p->thumbprint);
}

int64_t
presenter_expires(const struct presenter *p)
{
    return p->expires_s;
}

static const struct binding *
binding_find(const char *const *words, size_t n_words)
{
    for (size_t i = 0; i < n_words; i++) {
        for (size_t k = 0; k < sizeof bindings / sizeof *bindings; k++) {
            if (strcmp(words[i], bindings[k].word) == 0)
                return &bindings[k];
        }
    }
    return NULL;
}

enum reason
binding_present(struct presenter *p, const char *const *words, size_t n_words,
                const struct presented *request, int64_t now_s, struct headers *headers,
                struct evidence *evidence)
{
    const struct binding *b = binding_find(words, n_words);

    memset(evidence, 0, sizeof *evidence);
    if (b == NULL)
        return REASON_NO_BINDING;
    /* Judged before; judged again here, where the credential would leave. */
    if (!text_equals(request->scheme, TEXT("https")))
        return REASON_PLAIN_CREDENTIAL;
    return b->present(p, request, now_s, headers, evidence);
}
