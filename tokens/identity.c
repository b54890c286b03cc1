/* What a task is known by, and who signs in its name: one identity for all threads, a
 * presenter for each. Promises that nothing in an identity changes once it is made, and
 * that its key is gone when it and its presenters are. */
#include "tokens/presenter.h"

#include "base/memory.h"

#include <stdlib.h>

static atomic_uint_fast64_t issued;

static void
identity_wipe(struct identity *i)
{
    key_free(i->key);
    buf_wipe(&i->wit);
    buf_wipe(&i->wpt_front);
    free(i);
}

enum reason
identity_new(struct authority_key *authority, const struct context *context,
             int64_t now_s, int64_t exp_s, struct identity **out)
{
    struct identity *i = memory_new(sizeof *i);
    enum reason why = REASON_SIGN;

    *out = NULL;
    atomic_init(&i->references, 1);
    if ((i->key = key_new()) == NULL)
        goto done;
    why = authority_issue(authority, context, i->key, now_s, exp_s, &i->wit);
    if (why != REASON_OK)
        goto done;
    key_thumbprint(i->key, i->thumbprint);
    i->expires_s = exp_s;
    wpt_prepare(i);
    atomic_fetch_add_explicit(&issued, 1, memory_order_relaxed);
    *out = i;
    i = NULL;
done:
    if (i != NULL)
        identity_wipe(i);
    return why;
}

void
identity_ref(struct identity *i)
{
    atomic_fetch_add(&i->references, 1);
}

void
identity_unref(struct identity *i)
{
    if (i != NULL && atomic_fetch_sub(&i->references, 1) == 1)
        identity_wipe(i);
}

struct text
identity_thumbprint(const struct identity *i)
{
    return text_of(i->thumbprint, sizeof i->thumbprint);
}

int64_t
identity_expires(const struct identity *i)
{
    return i->expires_s;
}

uint64_t
identity_issued(void)
{
    return atomic_load_explicit(&issued, memory_order_relaxed);
}

struct presenter *
presenter_new(struct identity *i)
{
    struct key *key = key_share(i->key);
    struct presenter *p;

    if (key == NULL)
        return NULL;
    p = memory_new(sizeof *p);
    identity_ref(i);
    p->identity = i;
    p->key = key;
    return p;
}

void
presenter_free(struct presenter *p)
{
    if (p == NULL)
        return;
    key_free(p->key);
    identity_unref(p->identity);
    buf_wipe(&p->claims);
    buf_wipe(&p->proof);
    free(p);
}

struct text
presenter_thumbprint(const struct presenter *p)
{
    return identity_thumbprint(p->identity);
}

int64_t
presenter_expires(const struct presenter *p)
{
    return p->identity->expires_s;
}
