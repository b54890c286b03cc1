/* HEAD and JUDGE: what is asked, of whom, and whether a grant allows it. */
#include "proxy/exchange.h"

#include "base/clock.h"
#include "base/path.h"
#include "proxy/ending.h"
#include "proxy/naming.h"

static struct naming
naming_of(const struct exchange *x)
{
    return (struct naming){ .door = exchange_door(x),
                            .tunnel = x->conn->target,
                            .original = x->conn->orig,
                            .is_tls = conn_is_tls(x->conn),
                            .is_shared = conn_is_shared(x->conn) };
}

/* ---- CONNECT */

/* A client whose grant names nothing here still gets its tunnel, so that the refusal
 * can be read inside TLS. */
static enum pace
open_tunnel(struct exchange *x)
{
    const struct grants *grants = chain_grants(generation_chain(x->epoch->generation));
    const struct authority *target = &x->view.target;
    struct naming naming = naming_of(x);
    struct verdict verdict;
    enum reason why;
    bool named;

    x->view.scheme = TEXT("https");
    why = naming_settle_tunnel(&naming, &x->request, &x->view.target);
    if (why != REASON_OK)
        return refuse(x, why);
    if (x->request.upgrade != UPGRADE_NONE)
        return refuse(x, REASON_UPGRADE_REFUSED);
    verdict = chain_run(generation_chain(x->epoch->generation), CHAIN_TUNNEL, &x->view,
                        &x->denied_by);
    if (verdict.answer != PASS) {
        ending_attribute(x);
        return refuse(x, verdict.reason);
    }
    named = grants_name_host(grants, &x->conn->caller, target, x->view.now_s);
    if (!named && !worker_may_refuse_inside(x->worker, &x->conn->caller))
        return refuse(x, REASON_LEAF_RATE);
    conn_begin_tunnel(x->conn, target, named, x->view.proven);
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
    v->tunnelled = x->conn->target != NULL || x->conn->orig != NULL;
    v->roll = x->worker->roll;
    v->proven = x->conn->proven;
    v->handles = generation_handles(x->epoch->generation);
    headers_init(&v->removed, x->arena);
    v->opaque = x->conn->opaque;
    if (v->opaque) {
        authority_recall(x->conn->target, &v->target);
        v->scheme = TEXT("https");
    }
}

/* One whose certificate is worth nothing any more may try with another. */
static enum reason
know_client(struct exchange *x)
{
    enum reason why = conn_know_client(x->conn, x->epoch->generation, x->view.now_s,
                                       x->arena, &x->view.client);

    if (why != REASON_OK)
        stream_close_after(x->down);
    return why;
}

/* Of TLS that passes unopened: method and path are nobody's to see. */
static enum pace
settle_unopened(struct exchange *x)
{
    enum reason why = naming_settle_unopened(&x->request, &x->view.target);

    return why == REASON_OK ? go(x, STEP_INQUIRE) : refuse(x, why);
}

enum pace
read_head(struct exchange *x)
{
    enum reason why = REASON_OK;
    struct naming naming;
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
    if (x->view.opaque)
        return settle_unopened(x);
    if (x->request.form == TARGET_AUTHORITY)
        return open_tunnel(x);
    naming = naming_of(x);
    if ((why = naming_settle(&naming, &x->request, &x->view.target, &x->view.scheme)) !=
            REASON_OK ||
        (why = path_normalise(x->arena, x->request.target, &x->view.path, &query)) !=
            REASON_OK) {
        stream_close_after(x->down);
        return refuse(x, why);
    }
    x->view.query = query;
    if ((why = know_client(x)) != REASON_OK)
        return refuse(x, why);
    return go(x, STEP_INQUIRE);
}

/* ---- the judgement */

enum pace
judge(struct exchange *x)
{
    struct verdict verdict;
    enum reason why;
    bool ready = true;

    /* What nobody here can read is not passed on; and a client that asks does not get
     * the answer of one that did not. */
    if (x->request.upgrade == UPGRADE_OTHER)
        return refuse(x, REASON_UPGRADE_REFUSED);
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
    if (verdict.answer != PASS && inquire_again(x, verdict.reason))
        return go(x, STEP_INQUIRE);
    if (verdict.answer != PASS) {
        ending_attribute(x);
        return refuse(x,
                      verdict.reason != REASON_OK ? verdict.reason : REASON_INTERNAL);
    }
    if ((why = ending_join(x)) != REASON_OK)
        return refuse(x, why);
    return go(x, STEP_COLLECT);
}
