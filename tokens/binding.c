/* The list of the ways to present. */
#include "tokens/presenter.h"

#include <string.h>

static const struct binding {
    const char *word; /* as in a rule's bind list */
    bool needs_presenter, needs_secret, needs_header;
    bool covers_body;
    enum reason (*present)(const struct means *with, const struct presented *request,
                           int64_t now_s, struct headers *headers,
                           struct evidence *evidence);
} bindings[] = {
    { .word = "wimse",
      .needs_presenter = true,
      .covers_body = true,
      .present = wpt_present },
    { .word = "header",
      .needs_secret = true,
      .needs_header = true,
      .present = header_present },
    { .word = "bearer", .needs_secret = true, .present = bearer_present },
};

static const struct binding *
binding_of(const char *word)
{
    for (size_t i = 0; i < sizeof bindings / sizeof *bindings; i++)
        if (strcmp(word, bindings[i].word) == 0)
            return &bindings[i];
    return NULL;
}

static bool
can_be_done(const struct binding *b, const struct means *with)
{
    return (!b->needs_presenter || with->presenter != NULL) &&
           (!b->needs_secret || with->secret != NULL) &&
           (!b->needs_header || with->header != NULL);
}

static const struct binding *
binding_find(const char *const *words, size_t n_words, const struct means *with)
{
    for (size_t i = 0; i < n_words; i++) {
        const struct binding *b = binding_of(words[i]);

        if (b != NULL && can_be_done(b, with))
            return b;
    }
    return NULL;
}

bool
binding_covers_body(const char *const *words, size_t n_words)
{
    for (size_t i = 0; i < n_words; i++) {
        const struct binding *b = binding_of(words[i]);

        if (b != NULL && b->covers_body)
            return true;
    }
    return false;
}

enum reason
binding_present(const struct means *with, const char *const *words, size_t n_words,
                const struct presented *request, int64_t now_s, struct headers *headers,
                struct evidence *evidence)
{
    const struct binding *b = binding_find(words, n_words, with);

    memset(evidence, 0, sizeof *evidence);
    if (b == NULL)
        return REASON_NO_BINDING;
    /* Judged before; judged again here, where the credential would leave. */
    if (!text_equals(request->scheme, TEXT("https")))
        return REASON_PLAIN_CREDENTIAL;
    return b->present(with, request, now_s, headers, evidence);
}
