/* One rule for what may stand in a context, on the side that issues and the side that
 * verifies. */
#include "tokens/context.h"

#include "tokens/identifier.h"

enum { CLAIM_MAX = 256 };

static enum reason
text_check(struct text t, size_t max)
{
    if (text_is_empty(t))
        return REASON_CONTEXT_MISSING;
    if (t.n > max)
        return REASON_CONTEXT_REFUSED;
    for (size_t i = 0; i < t.n; i++) {
        if ((unsigned char)t.at[i] < 0x20 || t.at[i] == 0x7f)
            return REASON_CONTEXT_REFUSED;
    }
    return REASON_OK;
}

enum reason
context_check(const struct context *c)
{
    const struct text claims[] = { c->task, c->grant, c->purpose, c->owner };
    enum reason why = text_check(c->workload, IDENTIFIER_MAX);

    for (size_t i = 0; i < sizeof claims / sizeof *claims && why == REASON_OK; i++)
        why = text_check(claims[i], CLAIM_MAX);
    if (why == REASON_OK && !text_is_empty(c->pod))
        why = text_check(c->pod, CLAIM_MAX);
    if (why == REASON_OK && !text_is_empty(c->container))
        why = text_check(c->container, CLAIM_MAX);
    return why;
}
