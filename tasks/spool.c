#include "tasks/spool.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* So much is never given back; and what a burst took is, after so many rounds that
 * needed less than a quarter of it. */
enum { KEEP = 256 * 1024, PATIENCE = 64 };

void
spool_free(struct spool *s)
{
    free(s->at);
    *s = (struct spool){ 0 };
}

static void
grow(struct spool *s, size_t n)
{
    size_t room = s->room == 0 ? 4096 : s->room;
    char *at;

    assert(n <= SIZE_MAX / 4 && s->n <= SIZE_MAX / 4);
    while (room < s->n + n)
        room *= 2;
    if ((at = realloc(s->at, room)) == NULL)
        memory_exhausted();
    s->at = at;
    s->room = room;
}

char *
spool_reserve(struct spool *s, size_t n)
{
    if (s->room - s->n < n)
        grow(s, n);
    return s->at + s->n;
}

void
spool_add(struct spool *s, struct text t)
{
    if (t.n == 0)
        return;
    memcpy(spool_reserve(s, t.n), t.at, t.n);
    s->n += t.n;
}

/* A round is over. True: it is the last of many that needed little. */
static bool
is_lavish(struct spool *s)
{
    if (s->n > s->most)
        s->most = s->n;
    if (s->room > KEEP && s->most <= s->room / 4)
        return ++s->lavish >= PATIENCE;
    s->lavish = 0;
    s->most = 0;
    return false;
}

void
spool_clear(struct spool *s)
{
    bool give_back = is_lavish(s);

    s->n = 0;
    if (give_back)
        spool_free(s);
}

void
spool_drop(struct spool *s, size_t n)
{
    struct text left = text_of(s->at + n, s->n - n);
    struct spool smaller = { 0 };

    assert(n <= s->n);
    if (left.n == 0) {
        spool_clear(s);
    } else if (is_lavish(s)) {
        spool_add(&smaller, left);
        free(s->at);
        *s = smaller;
    } else if (n > 0) {
        memmove(s->at, left.at, left.n);
        s->n = left.n;
    }
}
