#include "proxy/control_session.h"

#include "base/memory.h"
#include "proxy/descriptors.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

const char *
session_refuses_hold(const struct session *s, bool is_lease)
{
    if (s->hold.let_go != NULL)
        return "this connection is another task's lease";
    if (!is_lease)
        return NULL;
    if (s->control->n_leases >= CONTROL_LEASES || !descriptors_allow_client(s->fd))
        return "too many leases here already";
    return NULL;
}

void
session_hold(struct session *s, bool is_lease,
             void (*let_go)(void *owner, struct text what), struct text what)
{
    assert(s->hold.let_go == NULL);
    s->hold.let_go = let_go;
    s->hold.what = memory_new_raw(what.n + 1);
    memcpy(s->hold.what, what.at, what.n);
    s->hold.what[what.n] = '\0';
    s->hold.is_lease = is_lease;
    if (is_lease)
        s->control->n_leases++;
}

void
session_forget_hold(struct session *s)
{
    if (s->hold.is_lease)
        s->control->n_leases--;
    free(s->hold.what);
    memset(&s->hold, 0, sizeof s->hold);
}

void
session_let_go(struct session *s)
{
    if (s->hold.let_go != NULL)
        s->hold.let_go(s->control->owner, text_z(s->hold.what));
    session_forget_hold(s);
}

void
session_hand_over(struct session *s)
{
    if (s->hold.let_go != NULL && !s->hold.is_lease && s->waits == WAIT_NONE &&
        !s->broken)
        session_forget_hold(s);
}
