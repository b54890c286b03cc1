/* The newest nonce of each origin, of a few origins: a server chooses what it sends us,
 * so neither its length nor the number of servers may grow us. */
#include "tokens/dpop_nonce.h"

#include "base/memory.h"
#include "tokens/dpop.h"

#include <stdlib.h>

/* NQCHAR (RFC 9449 section 8.1, RFC 6749 appendix A): visible ASCII without the double
 * quote and the backslash, so it stands in JSON as it is. */
static bool
is_nonce(struct text t)
{
    if (t.n == 0 || t.n > DPOP_NONCE_MAX)
        return false;
    for (size_t i = 0; i < t.n; i++)
        if (t.at[i] <= ' ' || t.at[i] >= 0x7f || t.at[i] == '"' || t.at[i] == '\\')
            return false;
    return true;
}

static char *
copy(struct text t)
{
    char *z = memory_new_raw(t.n + 1);

    memcpy(z, t.at, t.n);
    z[t.n] = '\0';
    return z;
}

static struct nonce_slot *
slot_of(struct nonce_memory *m, struct text origin)
{
    for (size_t i = 0; i < NONCE_ORIGINS; i++) {
        struct nonce_slot *s = &m->slots[i];

        if (s->origin != NULL && text_equals(text_z(s->origin), origin)) {
            s->used = ++m->uses;
            return s;
        }
    }
    return NULL;
}

static void
slot_clear(struct nonce_slot *s)
{
    free(s->origin);
    free(s->nonce);
    *s = (struct nonce_slot){ .origin = NULL };
}

/* A free one was used least of all. */
static struct nonce_slot *
slot_take(struct nonce_memory *m, struct text origin)
{
    struct nonce_slot *oldest = &m->slots[0];

    for (size_t i = 1; i < NONCE_ORIGINS; i++)
        if (m->slots[i].used < oldest->used)
            oldest = &m->slots[i];
    slot_clear(oldest);
    oldest->origin = copy(origin);
    oldest->used = ++m->uses;
    return oldest;
}

bool
nonce_learn(struct nonce_memory *m, struct text origin, struct text nonce)
{
    struct nonce_slot *s;

    if (!is_nonce(nonce))
        return false;
    if ((s = slot_of(m, origin)) == NULL)
        s = slot_take(m, origin);
    else if (text_equals(text_z(s->nonce), nonce))
        return false;
    free(s->nonce);
    s->nonce = copy(nonce);
    return true;
}

struct text
nonce_newest(struct nonce_memory *m, struct text origin)
{
    const struct nonce_slot *s = m->uses == 0 ? NULL : slot_of(m, origin);

    return text_z(s == NULL ? NULL : s->nonce);
}

void
nonce_forget_all(struct nonce_memory *m)
{
    for (size_t i = 0; i < NONCE_ORIGINS; i++)
        slot_clear(&m->slots[i]);
    m->uses = 0;
}
