#include "proxy/turn.h"

/* Two fast peers must not keep the loop to themselves. */
enum { ROUNDS_MAX = 16 };

bool
turn_send(struct wire *w, struct link *l)
{
    for (unsigned i = 0; i < ROUNDS_MAX; i++) {
        wire_send(w);
        if (buf_length(&l->out) == 0) {
            link_move(l);
            return false;
        }
        link_move(l);
        if (l->state != LINK_OPEN || buf_length(&l->out) > 0)
            return false; /* the socket rings when it takes more */
    }
    return true;
}
