/* What a task is known by, and who signs in its name: one identity for all threads, a
 * presenter for each. Promises that nothing in an identity changes once it is made, and
 * that its key is gone when it and its presenters are. */
#include "tokens/presenter.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static atomic_uint_fast64_t issued;

/* A buffer holds more than it needs, and there is an identity for each of thousands of
 * tasks. */
static struct text
settle(struct buf *b)
{
    struct text have = buf_text(b);
    char *exact = memory_new_raw(have.n);

    memcpy(exact, have.at, have.n);
    buf_wipe(b);
    return text_of(exact, have.n);
}

static void
wipe(struct text t)
{
    char *own = (char *)(uintptr_t)t.at;

    if (own != NULL)
        explicit_bzero(own, t.n);
    free(own);
}

static void
identity_wipe(struct identity *i)
{
    key_free(i->key);
    wipe(i->wit);
    wipe(i->wpt_front);
    free(i);
}

/* The key becomes the identity's. */
static enum reason
identify(struct key *key, struct authority_key *authority,
         const struct context *context, int64_t now_s, int64_t exp_s,
         struct identity **out)
{
    struct identity *i = memory_new(sizeof *i);
    struct buf wit = { 0 }, front = { 0 };
    enum reason why = REASON_SIGN;

    *out = NULL;
    atomic_init(&i->references, 1);
    if ((i->key = key) == NULL)
        goto done;
    why = authority_issue(authority, context, i->key, now_s, exp_s, &wit);
    if (why != REASON_OK)
        goto done;
    key_thumbprint(i->key, i->thumbprint);
    i->expires_s = exp_s;
    wpt_prepare(buf_text(&wit), &front);
    i->wit = settle(&wit);
    i->wpt_front = settle(&front);
    atomic_fetch_add_explicit(&issued, 1, memory_order_relaxed);
    *out = i;
    i = NULL;
done:
    buf_wipe(&wit);
    if (i != NULL)
        identity_wipe(i);
    return why;
}

enum reason
identity_new(struct authority_key *authority, const struct context *context,
             int64_t now_s, int64_t exp_s, struct identity **out)
{
    return identify(key_new(), authority, context, now_s, exp_s, out);
}

enum reason
identity_reissue(const struct identity *i, struct authority_key *authority,
                 const struct context *context, int64_t now_s, int64_t exp_s,
                 struct identity **out)
{
    return identify(key_share(i->key), authority, context, now_s, exp_s, out);
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
