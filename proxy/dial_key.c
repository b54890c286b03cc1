/* Which connection an exchange asks for: where to, by whose word it is trusted, what is
 * spoken there, and who alone may ride on it. */
#include "proxy/dial_parts.h"

#include "filters/present.h"
#include "filters/show.h"

#include <assert.h>
#include <string.h>

/* Where to go: the judged target, or the one service a gate stands in front of. */
static void
find_destination(const struct exchange *x, struct authority *out,
                 const struct tls_client **client)
{
    const struct generation *g = x->epoch->generation;
    const struct conf_door *door = exchange_door(x);
    enum reason why;
    bool tls;

    *client = NULL;
    if (!dial_is_gate(x)) {
        *out = x->view.target;
        tls = text_equals(x->view.scheme, TEXT("https")) && !x->view.opaque;
        if (tls)
            *client = generation_client(g, x->view.rule->upstream_trust);
        assert(!tls || *client != NULL); /* without one the leg would be plain */
        return;
    }
    tls = strncmp(door->upstream, "https://", 8) == 0;
    /* The config was checked: this cannot fail. */
    why = authority_parse(text_z(strstr(door->upstream, "://") + 3), tls ? 443 : 80,
                          out);
    assert(why == REASON_OK);
    if (tls)
        *client = generation_client(g, door->upstream_trust);
    assert(!tls || *client != NULL);
}

bool
dial_wants_websocket(const struct exchange *x)
{
    return x->request.upgrade == UPGRADE_WEBSOCKET;
}

/* Few services take a WebSocket by HTTP/2: where it may be either it is HTTP/1.1. */
static enum conf_http
http_of(const struct exchange *x)
{
    enum conf_http http = dial_is_gate(x) ? exchange_door(x)->upstream_http
                                          : x->view.rule->http;

    if (http == CONF_HTTP_AUTO && dial_wants_websocket(x))
        return CONF_HTTP_1;
    return http;
}

enum reason
dial_take_pair(struct exchange *x)
{
    struct pair *now;
    enum reason why;

    x->view.vault = x->epoch->vault;
    why = show_find_pair(&x->view, &now);
    if (now != NULL)
        pair_ref(now);
    pair_unref(x->pair);
    x->pair = now;
    return why;
}

struct upstream_key
dial_key(const struct exchange *x)
{
    struct upstream_key key = { .grant = x->view.grant };
    struct text task;

    memset(key.task, 0, sizeof key.task);
    if (x->pair != NULL)
        strcpy(key.shows, pair_thumbprint(x->pair));
    find_destination(x, &key.target, &key.client);
    if (dial_is_gate(x))
        key.grant = exchange_door(x);
    key.http = http_of(x);
    key.opaque = x->view.opaque;
    if (x->entry != NULL) {
        key.presents = present_is_wanted(&x->view);
        task = task_id(x->entry->task);
        assert(task.n < sizeof key.task);
        memcpy(key.task, task.at, task.n);
    }
    return key;
}
