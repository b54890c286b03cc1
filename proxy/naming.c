#include "proxy/naming.h"

#include <string.h>

enum { HTTP_PORT = 80, HTTPS_PORT = 443 };

static uint16_t
port_of(struct text scheme)
{
    return text_equals(scheme, TEXT("http")) ? HTTP_PORT : HTTPS_PORT;
}

/* Letter for letter as we would print it: as nearly everybody says it. Whatever is not
 * is read with more care. */
static bool
is_canonical(struct text said, uint16_t port, const struct authority *a)
{
    const struct host *h = &a->host;
    uint64_t n;

    if (h->address.family != 0 || said.n < h->n || memcmp(said.at, h->name, h->n) != 0)
        return false;
    if (said.n == h->n)
        return a->port == port;
    said = text_of(said.at + h->n, said.n - h->n);
    return said.n > 1 && said.at[0] == ':' && said.at[1] != '0' &&
           text_to_u64(text_of(said.at + 1, said.n - 1), UINT16_MAX, &n) &&
           n == a->port;
}

/* Another spelling of a name that stands already. */
static enum reason
agree(struct text said, uint16_t port, const struct authority *with)
{
    struct authority named;
    enum reason why;

    if (is_canonical(said, port, with))
        return REASON_OK;
    why = authority_parse(said, port, &named);
    if (why != REASON_OK)
        return why;
    return authority_equals(&named, with) ? REASON_OK : REASON_NAMES_DISAGREE;
}

/* An absolute target says a scheme, and so does every request of HTTP/2 (RFC 9113
 * section 8.3.1). It is no wish: what the connection is was settled before. */
static bool
says_scheme(const struct request *r, struct text scheme)
{
    return text_equals_nocase(r->scheme, scheme);
}

/* Inside a tunnel everything was fixed by CONNECT. */
static enum reason
settle_in_tunnel(const struct naming *n, const struct request *r,
                 struct authority *target, struct text *scheme)
{
    uint16_t port;
    enum reason why;

    *scheme = n->is_tls ? TEXT("https") : TEXT("http");
    port = port_of(*scheme);
    authority_recall(n->tunnel, target);
    if (!text_is_empty(r->scheme) && !says_scheme(r, *scheme))
        return REASON_TARGET;
    if (r->form == TARGET_ABSOLUTE &&
        (why = agree(r->authority, port, target)) != REASON_OK)
        return why;
    if (text_is_empty(r->host))
        return REASON_OK; /* HTTP/1.0 alone */
    return agree(r->host, port, target);
}

/* The name is the one that TLS was begun for; in the clear each request has its own, or
 * none, and then it is for the address itself. The port is the kernel's word. A client
 * that speaks as if to a proxy means another one. */
static enum reason
settle_at_transparent(const struct naming *n, const struct request *r,
                      struct authority *target, struct text *scheme)
{
    struct authority said;
    enum reason why = REASON_OK;

    *scheme = n->is_tls ? TEXT("https") : TEXT("http");
    if (n->tunnel != NULL)
        authority_recall(n->tunnel, target);
    else
        why = authority_parse(text_z(n->original), 0, target);
    if (why != REASON_OK)
        return why;
    if (r->form == TARGET_ABSOLUTE ||
        (!text_is_empty(r->scheme) && !says_scheme(r, *scheme)))
        return REASON_TARGET;
    if (text_is_empty(r->host) || is_canonical(r->host, port_of(*scheme), target))
        return REASON_OK;
    if ((why = authority_parse(r->host, port_of(*scheme), &said)) != REASON_OK)
        return why;
    if (said.port != target->port)
        return REASON_PORT_DISAGREES;
    if (n->tunnel != NULL && !host_equals(&said.host, &target->host))
        return REASON_NAMES_DISAGREE;
    *target = said;
    return REASON_OK;
}

/* A plain proxy request: http://host/path, and the same in Host; in HTTP/2 :scheme and
 * :authority. https:// has to come by CONNECT. */
static enum reason
settle_at_forward(const struct request *r, struct authority *target,
                  struct text *scheme)
{
    bool absolute = r->form == TARGET_ABSOLUTE;
    enum reason why;

    if (!says_scheme(r, TEXT("http")))
        return REASON_TARGET;
    *scheme = TEXT("http");
    why = authority_parse(absolute ? r->authority : r->host, HTTP_PORT, target);
    if (why != REASON_OK || !absolute || text_is_empty(r->host))
        return why;
    return agree(r->host, HTTP_PORT, target);
}

/* One of the gate's own names, never what the client would like it to be called. */
static enum reason
settle_at_gate(const struct conf_door *door, const struct request *r,
               struct authority *target, struct text *scheme)
{
    enum reason why;

    *scheme = TEXT("https");
    if ((r->form != TARGET_ORIGIN && r->form != TARGET_ASTERISK) ||
        (!text_is_empty(r->scheme) && !says_scheme(r, *scheme)))
        return REASON_TARGET;
    if (text_is_empty(r->host))
        return REASON_HOST_MISSING;
    if ((why = authority_parse(r->host, HTTPS_PORT, target)) != REASON_OK)
        return why;
    for (size_t i = 0; i < door->names.n; i++) {
        const char *origin = door->names.at[i] + strlen("https://");

        if (agree(text_z(origin), HTTPS_PORT, target) == REASON_OK)
            return REASON_OK;
    }
    return REASON_NOT_OUR_NAME;
}

enum reason
naming_settle(const struct naming *n, const struct request *r, struct authority *target,
              struct text *scheme)
{
    if (n->door->kind == DOOR_GATE)
        return settle_at_gate(n->door, r, target, scheme);
    if (n->door->kind == DOOR_TRANSPARENT)
        return settle_at_transparent(n, r, target, scheme);
    if (n->tunnel != NULL)
        return settle_in_tunnel(n, r, target, scheme);
    return settle_at_forward(r, target, scheme);
}

/* Whoever shares a connection does not turn it into a tunnel, and none is opened within
 * one. */
enum reason
naming_settle_tunnel(const struct naming *n, const struct request *r,
                     struct authority *target)
{
    struct authority asked;
    enum reason why;

    if (!conf_door_takes_connect(n->door) || n->tunnel != NULL || n->is_shared)
        return REASON_TARGET;
    if ((why = authority_parse(r->authority, 0, &asked)) != REASON_OK)
        return why;
    *target = asked;
    return text_is_empty(r->host) ? REASON_OK : agree(r->host, target->port, target);
}

/* Whoever says that the name may be another's is not asked which one it is. */
enum reason
naming_settle_unopened(const struct request *r, const struct authority *target)
{
    struct host said;
    enum reason why;

    if (r->hides_host)
        return REASON_ECH;
    if (text_is_empty(r->host))
        return REASON_SERVER_NAME_MISSING;
    if ((why = host_parse(r->host, &said)) != REASON_OK)
        return why;
    return host_equals(&said, &target->host) ? REASON_OK : REASON_NAMES_DISAGREE;
}
