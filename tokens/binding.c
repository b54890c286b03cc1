/* The list of the ways to present, and which of them it is. */
#include "tokens/presenter.h"

#include "conf/conf.h"

#include <string.h>

static const struct way {
    const char *word; /* as in a rule's bind list */
    enum token_form form;
    bool covers_body;
    enum reason (*present)(const struct means *with, const struct presented *request,
                           int64_t now_s, struct headers *headers,
                           struct evidence *evidence);
} ways[] = {
    [BINDING_NONE] = { .word = "none" },
    [BINDING_HTTPSIG] = { .word = "httpsig" },
    [BINDING_DPOP] = { .word = "dpop", .form = FORM_DPOP, .present = dpop_present },
    [BINDING_WIMSE] = { .word = "wimse", .covers_body = true, .present = wpt_present },
    [BINDING_MTLS] = { .word = "mtls", .form = FORM_MTLS, .present = mtls_present },
    [BINDING_HEADER] = { .word = "header", .present = header_present },
    [BINDING_BEARER] = { .word = "bearer", .present = bearer_present },
};

static bool
can_do(const struct conf_credential *c, enum binding b)
{
    switch ((enum conf_source_kind)c->source.kind) {
    case SOURCE_AUTHORITY:
        return b == BINDING_WIMSE;
    case SOURCE_FILE:
        return b == BINDING_BEARER || (b == BINDING_HEADER && c->header != NULL);
    }
    return false;
}

static bool
names(const struct strings *list, const char *word)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->at[i], word) == 0)
            return true;
    return false;
}

enum binding
binding_choose(const struct conf_rule *r, const struct conf_credential *c)
{
    for (enum binding b = BINDING_NONE + 1; b <= BINDING_BEARER; b++)
        if (can_do(c, b) && names(&r->bind, ways[b].word))
            return b;
    return BINDING_NONE;
}

const char *
binding_word(enum binding b)
{
    return ways[b].word;
}

enum token_form
binding_form(enum binding b)
{
    return ways[b].form;
}

bool
binding_covers_body(enum binding b, const struct conf_rule *r)
{
    return ways[b].covers_body || binding_needs_body(b, r);
}

bool
binding_needs_body(enum binding b, const struct conf_rule *r)
{
    (void)b;
    (void)r;
    return false;
}

enum reason
binding_present(const struct means *with, enum binding b,
                const struct presented *request, int64_t now_s, struct headers *headers,
                struct evidence *evidence)
{
    memset(evidence, 0, sizeof *evidence);
    if (ways[b].present == NULL)
        return REASON_NO_BINDING;
    /* Judged before; judged again here, where the credential would leave. */
    if (!text_equals(request->scheme, TEXT("https")))
        return REASON_PLAIN_CREDENTIAL;
    return ways[b].present(with, request, now_s, headers, evidence);
}
