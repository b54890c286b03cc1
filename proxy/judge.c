/* HEAD and JUDGE: what is asked, of whom, and whether a grant allows it. */
#include "proxy/exchange.h"

#include "base/clock.h"
#include "base/path.h"
#include "proxy/ending.h"

#include <string.h>

/* ---- the names must agree (DESIGN.md G5) */

static uint16_t
port_of(struct text scheme)
{
    return text_equals(scheme, TEXT("http")) ? 80 : 443;
}

/* Inside a tunnel everything was fixed by CONNECT. */
static enum reason
name_in_tunnel(struct exchange *x)
{
    const struct conn *c = x->conn;
    struct view *v = &x->view;
    struct authority named;
    enum reason why;

    v->scheme = conn_is_tls(c) ? TEXT("https") : TEXT("http");
    authority_recall(c->target, &v->target);
    if (x->request.form == TARGET_ABSOLUTE) {
        if (!text_equals_nocase(x->request.scheme, v->scheme))
            return REASON_TARGET;
        if ((why = authority_parse(x->request.authority, port_of(v->scheme), &named)) !=
            REASON_OK)
            return why;
        if (!authority_equals(&named, &v->target))
            return REASON_NAMES_DISAGREE;
    }
    if (text_is_empty(x->request.host))
        return REASON_OK; /* HTTP/1.0 alone */
    if ((why = authority_parse(x->request.host, port_of(v->scheme), &named)) !=
        REASON_OK)
        return why;
    return authority_equals(&named, &v->target) ? REASON_OK : REASON_NAMES_DISAGREE;
}

/* A plain proxy request: http://host/path, and the same in Host. https:// has to come
 * by CONNECT. */
static enum reason
name_at_forward(struct exchange *x)
{
    struct view *v = &x->view;
    struct authority host;
    enum reason why;

    if (x->request.form != TARGET_ABSOLUTE ||
        !text_equals_nocase(x->request.scheme, TEXT("http")))
        return REASON_TARGET;
    v->scheme = TEXT("http");
    if ((why = authority_parse(x->request.authority, 80, &v->target)) != REASON_OK)
        return why;
    if (text_is_empty(x->request.host))
        return REASON_OK;
    if ((why = authority_parse(x->request.host, 80, &host)) != REASON_OK)
        return why;
    return authority_equals(&host, &v->target) ? REASON_OK : REASON_NAMES_DISAGREE;
}

/* One of the gate's own names, never what the client would like it to be called. */
static enum reason
name_at_gate(struct exchange *x)
{
    const struct conf_door *door = exchange_door(x);
    struct view *v = &x->view;
    struct authority own;
    enum reason why;

    v->scheme = TEXT("https");
    if (x->request.form != TARGET_ORIGIN && x->request.form != TARGET_ASTERISK)
        return REASON_TARGET;
    if (text_is_empty(x->request.host))
        return REASON_HOST_MISSING;
    if ((why = authority_parse(x->request.host, 443, &v->target)) != REASON_OK)
        return why;
    for (size_t i = 0; i < door->names.n; i++) {
        const char *origin = door->names.at[i] + strlen("https://");

        if (authority_parse(text_z(origin), 443, &own) == REASON_OK &&
            authority_equals(&own, &v->target))
            return REASON_OK;
    }
    return REASON_NOT_OUR_NAME;
}

static enum reason
name(struct exchange *x)
{
    if (exchange_door(x)->kind == DOOR_GATE)
        return name_at_gate(x);
    return x->conn->target != NULL ? name_in_tunnel(x) : name_at_forward(x);
}

/* ---- CONNECT */

/* A client whose grant names nothing here still gets its tunnel, so that the refusal
 * can be read inside TLS. */
static enum pace
open_tunnel(struct exchange *x)
{
    const struct grants *grants = chain_grants(generation_chain(x->epoch->generation));
    struct authority target, host;
    struct verdict verdict;
    enum reason why;
    bool named;

    if (exchange_door(x)->kind != DOOR_FORWARD || x->conn->target != NULL)
        return refuse(x, REASON_TARGET);
    if ((why = authority_parse(x->request.authority, 0, &target)) != REASON_OK)
        return refuse(x, why);
    x->view.target = target;
    x->view.scheme = TEXT("https");
    if (!text_is_empty(x->request.host)) {
        if ((why = authority_parse(x->request.host, target.port, &host)) != REASON_OK)
            return refuse(x, why);
        if (!authority_equals(&host, &target))
            return refuse(x, REASON_NAMES_DISAGREE);
    }
    verdict = chain_run(generation_chain(x->epoch->generation), CHAIN_TUNNEL, &x->view,
                        &x->denied_by);
    if (verdict.answer != PASS) {
        ending_attribute(x);
        return refuse(x, verdict.reason);
    }
    named = grants_name_host(grants, &x->conn->caller, &target, x->view.now_s);
    if (!named && !worker_may_refuse_inside(x->worker, &x->conn->caller))
        return refuse(x, REASON_LEAF_RATE);
    conn_begin_tunnel(x->conn, &target, named, x->view.proven);
    return DONE; /* the tunnel's requests have a log line each; without one, conn.c */
}

/* ---- the head */

static void
begin_view(struct exchange *x)
{
    struct view *v = &x->view;

    v->arena = x->arena;
    v->conf = generation_conf(x->epoch->generation);
    v->now_s = clock_wall_s();
    v->now_ms = clock_monotonic_ms();
    v->caller = &x->conn->caller;
    v->door = exchange_door(x);
    v->request = &x->request;
    v->tunnelled = x->conn->target != NULL;
    v->roll = x->worker->roll;
    v->proven = x->conn->proven;
    v->handles = generation_handles(x->epoch->generation);
    headers_init(&v->removed, x->arena);
}

enum pace
read_head(struct exchange *x)
{
    enum reason why = REASON_OK;
    struct text query;

    epoch_move(x);
    begin_view(x);
    switch (stream_read_request(x->down, x->arena, &x->request, &why)) {
    case FLOW_OK:
        break;
    case FLOW_WAIT:
        if (x->conn->link.state == LINK_DEAD || x->conn->link.read_ended)
            return refuse(x, REASON_CLIENT_GONE);
        return wait_once(x, exchange_limits(x)->head_timeout_ms, REASON_HEAD_TIMEOUT);
    case FLOW_END:
    case FLOW_BROKEN:
    default:
        stream_close_after(x->down);
        return refuse(x, why != REASON_OK ? why : REASON_CLIENT_GONE);
    }
    alarm_clear(&x->alarm);
    if (x->request.form == TARGET_AUTHORITY)
        return open_tunnel(x);
    if ((why = name(x)) != REASON_OK ||
        (why = path_normalise(x->arena, x->request.target, &x->view.path, &query)) !=
            REASON_OK) {
        stream_close_after(x->down);
        return refuse(x, why);
    }
    x->view.query = query;
    return go(x, STEP_JUDGE);
}

/* ---- the judgement */

enum pace
judge(struct exchange *x)
{
    struct verdict verdict;
    enum reason why;
    bool ready = true;

    /* At a gate the body is part of what was proved. */
    if (exchange_door(x)->kind == DOOR_GATE) {
        if ((why = hold_body(x, &ready)) != REASON_OK)
            return refuse(x, why);
        if (!ready)
            return wait_once(x, exchange_limits(x)->head_timeout_ms,
                             REASON_BODY_TIMEOUT);
        x->view.now_s = clock_wall_s(); /* the body may have taken its time */
    }
    verdict = chain_run(generation_chain(x->epoch->generation), CHAIN_JUDGE, &x->view,
                        &x->denied_by);
    if (verdict.answer != PASS) {
        ending_attribute(x);
        return refuse(x,
                      verdict.reason != REASON_OK ? verdict.reason : REASON_INTERNAL);
    }
    if ((why = ending_join(x)) != REASON_OK)
        return refuse(x, why);
    return go(x, STEP_COLLECT);
}
