/* Who is at the other end: asked once, before a byte is read. */
#include "proxy/conn_parts.h"

#include "base/memory.h"

/* A uid alone is printed wherever it is told. */
static void
print(struct conn *c)
{
    const char *door = conn_door(c)->name;
    struct buf said = { 0 };

    if (door == NULL && !c->caller.has_gid && c->caller.cgroup == NULL)
        return;
    caller_print(&c->caller, door, &said);
    buf_add_byte(&said, '\0');
    c->who = memory_copy_z(buf_text(&said).at);
    buf_free(&said);
}

void
conn_identify(struct conn *c, int fd, const struct sockaddr *client,
              const struct sockaddr *server)
{
    struct caller_lookup *lookup = c->worker->callers;

    if (conn_door(c)->kind == DOOR_UNIX)
        caller_identify_peer(lookup, fd, &c->caller);
    else
        caller_identify(lookup, client, server, &c->caller);
    c->caller.door = c->door + 1;
    print(c);
}
