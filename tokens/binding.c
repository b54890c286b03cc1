/* The list of the ways to present, and which of them it is. */
#include "tokens/presenter.h"

#include "conf/conf.h"
#include "tokens/httpsig.h"

#include <string.h>

/* After conf_bind_words, which has no word for none. */
static const struct way {
    enum token_form form;
    bool covers_body;
    enum reason (*present)(const struct means *with, const struct presented *request,
                           int64_t now_s, struct headers *headers,
                           struct evidence *evidence);
} ways[] = {
    [BINDING_NONE] = { .present = NULL },
    [BINDING_HTTPSIG] = { .present = httpsig_present },
    [BINDING_DPOP] = { .form = FORM_DPOP, .present = dpop_present },
    [BINDING_WIMSE] = { .covers_body = true, .present = wpt_present },
    [BINDING_MTLS] = { .form = FORM_MTLS, .present = mtls_present },
    [BINDING_HEADER] = { .present = header_present },
    [BINDING_BEARER] = { .present = bearer_present },
};

_Static_assert((int)BINDING_HTTPSIG == (int)BIND_HTTPSIG + 1 &&
                   (int)BINDING_BEARER == (int)BIND_BEARER + 1,
               "bindings stand in the order of their words");

static bool
can_do(const struct conf_credential *c, enum binding b)
{
    return conf_can_bind(c, (enum conf_bind)(b - 1)) &&
           (b != BINDING_HEADER || c->header != NULL);
}

enum binding
binding_choose(const struct conf_rule *r, const struct conf_credential *c)
{
    for (enum binding b = BINDING_HTTPSIG; b <= BINDING_BEARER; b++)
        if (can_do(c, b) && conf_names_bind(&r->bind, (enum conf_bind)(b - 1)))
            return b;
    return BINDING_NONE;
}

const char *
binding_word(enum binding b)
{
    return b == BINDING_NONE ? "none" : conf_bind_words[b - 1];
}

enum token_form
binding_form(enum binding b)
{
    return ways[b].form;
}

bool
binding_covers_body(enum binding b, const struct conf_rule *r,
                    const struct conf_credential *c)
{
    return ways[b].covers_body || binding_needs_body(b, r, c);
}

bool
binding_needs_body(enum binding b, const struct conf_rule *r,
                   const struct conf_credential *c)
{
    return b == BINDING_HTTPSIG &&
           httpsig_needs_body(r->signature, conf_profile(r, c) == PROFILE_WIMSE);
}

void
binding_prepare(enum binding b, const struct presented *request,
                struct headers *headers)
{
    if (b == BINDING_HTTPSIG)
        httpsig_prepare(request, headers);
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
