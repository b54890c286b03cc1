/* FINISH: the refusal, when there was one, recorded; and the one log line. */
#include "proxy/exchange.h"

#include "base/clock.h"
#include "base/log.h"
#include "proxy/doors.h"
#include "proxy/testimony.h"

#include <inttypes.h>
#include <string.h>

static void
add_rule(struct log_line *l, const struct exchange *x)
{
    const struct place *at = &x->view.rule_place;

    if (at->file != NULL)
        log_line_text(l, "rule", arena_printf(x->arena, "%s:%u", at->file, at->line));
    if (x->view.grant != NULL)
        log_line_z(l, "grant", x->view.grant->name);
    if (!text_is_empty(x->view.task))
        log_line_text(l, "task", x->view.task);
}

static const char *
version(bool is_http2)
{
    return is_http2 ? "2" : "1.1";
}

static void
add_upstream(struct log_line *l, const struct exchange *x)
{
    char address[ADDRESS_PRINT_SIZE];

    if (!text_is_empty(x->view.prohibited))
        log_line_text(l, "prohibited", x->view.prohibited);
    if (x->up == NULL)
        return;
    address_print(&x->up->address, address);
    log_line_text(l, "up",
                  arena_printf(x->arena,
                               strchr(address, ':') != NULL ? "[%s]:%u" : "%s:%u",
                               address, x->up->port));
    if (x->up->wire != NULL && !x->view.opaque)
        log_line_z(l, "up_http", version(upstream_is_shared(x->up)));
}

static void
add_evidence(struct log_line *l, const struct exchange *x)
{
    const struct view *v = &x->view;

    if (v->n_stripped > 0)
        log_line_list(l, "stripped", v->stripped, v->n_stripped);
    if (v->evidence.binding != NULL)
        log_line_z(l, "binding", v->evidence.binding);
    else if (v->facts.binding != BINDING_NONE)
        log_line_z(l, "binding", binding_word(v->facts.binding));
    if (!text_is_empty(v->evidence.proof_id))
        log_line_text(l, "proof", v->evidence.proof_id);
    else if (!text_is_empty(v->facts.proof_id))
        log_line_text(l, "proof", v->facts.proof_id);
    if (!text_is_empty(v->thumbprint))
        log_line_text(l, "key", v->thumbprint);
    if (!text_is_empty(v->facts.issuer))
        log_line_text(l, "issuer", v->facts.issuer);
    if (!text_is_empty(v->facts.client_id))
        log_line_text(l, "client", v->facts.client_id);
}

/* Never the query: it may hold what the path may not. */
static void
write_line(struct exchange *x, int64_t us)
{
    struct log_line *l = log_line_begin(LOG_INFO, "request");

    if (l == NULL)
        return;
    log_line_text(
        l, "x", arena_printf(x->arena, "%" PRIx64 ".%" PRIu64, x->conn->id, x->number));
    log_line_text(l, "who", testimony_who(x));
    log_line_z(l, "door", door_kind_word(exchange_door(x)));
    log_line_text(l, "to", testimony_to(x));
    log_line_z(l, "orig", x->conn->orig);
    if (x->view.opaque)
        log_line_bool(l, "opaque", true);
    else
        log_line_z(l, "http", version(conn_is_shared(x->conn)));
    if (!text_is_empty(x->request.method))
        log_line_text(l, "method", x->request.method);
    if (x->view.path.at != NULL)
        log_line_text(l, "path", x->view.path);
    add_rule(l, x);
    log_line_number(l, "status", x->status);
    if (x->grpc_status != 0)
        log_line_number(l, "grpc_status", x->grpc_status);
    log_line_z(l, "reason", reason_token(x->why));
    log_line_z(l, "step", step_name(x->why == REASON_OK ? STEP_FINISH : x->refused_at));
    if (x->denied_by != NULL)
        log_line_z(l, "by", x->denied_by);
    add_upstream(l, x);
    add_evidence(l, x);
    log_line_number(l, "ms", us / 1000);
    log_line_number(l, "in", (int64_t)x->body_in);
    log_line_number(l, "out", (int64_t)x->body_out);
    log_line_number(l, "gen", (int64_t)generation_number(x->epoch->generation));
    log_line_end(l);
}

static void
count(const struct exchange *x, int64_t us)
{
    struct metrics *m = x->worker->metrics;
    const struct view *v = &x->view;

    if (!v->opaque)
        metrics_spoken(m, SIDE_CLIENT, conn_is_shared(x->conn),
                       stream_is_gone(x->down));
    if (x->up_stream != NULL && !v->opaque)
        metrics_spoken(m, SIDE_UPSTREAM, upstream_is_shared(x->up),
                       stream_is_gone(x->up_stream));
    metrics_request(m, x->why, x->refused_at == STEP_DIAL, us);
    if (v->grant != NULL)
        metrics_grant(m, generation_series(x->epoch->generation, v->grant), x->why);
    for (size_t i = 0; i < v->n_stripped; i++)
        metrics_stripped(m, v->stripped[i].at, v->stripped[i].n);
}

static bool
may_answer(const struct exchange *x)
{
    return x->why != REASON_OK && !x->responding && reason_status(x->why) != 0;
}

enum pace
finish(struct exchange *x)
{
    int64_t us;

    if (may_answer(x)) {
        refusal_write(x);
        conn_move(x->conn);
    } else if (x->why != REASON_OK) {
        x->cut = true;
    }
    if (x->why == REASON_OK)
        x->worker->served++;
    else
        x->worker->refused++;
    us = clock_monotonic_us() - x->began_us;
    count(x, us);
    write_line(x, us);
    enter_refusal(x);
    return DONE;
}
