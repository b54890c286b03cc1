/* A decision is told for every request, so it is written straight into one block: every
 * name is a constant here, and whatever is the same for all requests of a grant was
 * written when its generation was made. */
#include "proxy/testimony.h"

#include "base/escape.h"
#include "base/json_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct text
uid(const struct exchange *x)
{
    enum { PREFIX = 4, DIGITS = 10 };
    char *end = (char *)arena_alloc(x->arena, PREFIX + DIGITS) + PREFIX + DIGITS;
    char *at = end;
    uint32_t n = x->conn->caller.uid;

    do
        *--at = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    at -= PREFIX;
    memcpy(at, "uid:", PREFIX);
    return text_of(at, (size_t)(end - at));
}

struct text
testimony_who(const struct exchange *x)
{
    if (!text_is_empty(x->view.facts.context.workload))
        return x->view.facts.context.workload;
    if (x->conn->caller.has_uid)
        return uid(x);
    return TEXT("unknown");
}

struct text
testimony_to(const struct exchange *x)
{
    char *room;

    if (x->view.target.port == 0)
        return TEXT("-");
    room = arena_alloc(x->arena, AUTHORITY_PRINT_SIZE);
    return authority_print(&x->view.target, 0, room);
}

/* ---- what it was judged by */

struct authorisation {
    struct approval approval;
    bool has_rule; /* the rule is of approval.rule's file */
    struct text task, purpose;
};

/* What was refused by all rules was nobody's task; its grant is the one that came
 * nearest. */
static struct authorisation
of_forward(const struct exchange *x)
{
    const struct view *v = &x->view;
    const struct conf_grant *g = v->grant != NULL ? v->grant : v->nearest;
    struct authorisation a = { 0 };

    if (g != NULL) {
        a.approval = generation_approval(x->epoch->generation, g);
        a.has_rule = v->rule_place.file == g->place.file;
    }
    if (x->entry == NULL)
        return a;
    a.task = v->task;
    if (g == NULL || g->purposes.n != 1) /* else it stands in the approval */
        a.purpose = text_z(task_purpose(x->entry->task));
    return a;
}

/* At a gate the other side has said it, and proved it. */
static struct authorisation
of_gate(const struct exchange *x)
{
    const struct context *c = &x->view.facts.context;
    struct buf members = { 0 };
    struct authorisation a = { .task = c->task, .purpose = c->purpose };

    if (!text_is_empty(c->grant)) {
        json_put_text(&members, "grant", c->grant);
        json_put_text(&members, "owner", c->owner);
        a.approval.members = arena_copy(x->arena, buf_text(&members));
        buf_free(&members);
    }
    return a;
}

/* ---- writing */

/* Room for all that is written was reserved. */
struct pen {
    char *at;
};

static inline void
put(struct pen *p, struct text t)
{
    memcpy(p->at, t.at, t.n);
    p->at += t.n;
}

static void
put_escaped(struct pen *p, struct text t)
{
    for (;;) {
        size_t plain = escape_plain(t);

        put(p, text_of(t.at, plain));
        t = text_of(t.at + plain, t.n - plain);
        if (t.n == 0)
            return;
        p->at += escape_one(&t, p->at);
    }
}

static void
put_number(struct pen *p, uint64_t n, unsigned base)
{
    char digits[20];
    size_t i = sizeof digits;

    do {
        digits[--i] = "0123456789abcdef"[n % base];
        n /= base;
    } while (n > 0);
    put(p, text_of(digits + i, sizeof digits - i));
}

/* `name` with its comma, colon and opening quote. What is not known is not there. */
static inline void
put_known(struct pen *p, struct text name, struct text value)
{
    if (text_is_empty(value))
        return;
    put(p, name);
    put_escaped(p, value);
    *p->at++ = '"';
}

static void
put_known_z(struct pen *p, struct text name, const char *value)
{
    if (value != NULL)
        put_known(p, name, text_z(value));
}

/* The same of a value that has nothing to escape: a host, a word or an id of ours. */
static inline void
put_plain(struct pen *p, struct text name, struct text value)
{
    if (text_is_empty(value))
        return;
    put(p, name);
    put(p, value);
    *p->at++ = '"';
}

static void
put_number_of(struct pen *p, const struct exchange *x)
{
    put(p, TEXT("\"x\":\""));
    put_number(p, x->conn->id, 16);
    *p->at++ = '.';
    put_number(p, x->number, 10);
    *p->at++ = '"';
}

/* A rule stands in its grant's file, unless that includes another. */
static void
put_rule(struct pen *p, const struct place *at, const struct authorisation *a)
{
    const struct approval *known = &a->approval;

    if (known->members.n > 0) {
        *p->at++ = ',';
        put(p, text_of(known->members.at,
                       known->members.n + (a->has_rule ? known->rule.n : 0)));
    }
    if (at->file == NULL)
        return;
    if (!a->has_rule) {
        put(p, TEXT(",\"rule\":\""));
        put_escaped(p, text_z(at->file));
        *p->at++ = ':';
    }
    put_number(p, at->line, 10);
    *p->at++ = '"';
}

static void
put_stripped(struct pen *p, const struct view *v)
{
    if (v->n_stripped == 0)
        return;
    put(p, TEXT(",\"stripped\":["));
    for (size_t i = 0; i < v->n_stripped; i++) {
        *p->at++ = '"';
        put_escaped(p, v->stripped[i]);
        put(p, TEXT("\","));
    }
    p->at[-1] = ']';
}

/* A credential that the rule has and the request did not ask for went nowhere. */
static void
put_evidence(struct pen *p, const struct view *v)
{
    const struct evidence *e = &v->evidence;

    if (e->binding != NULL && v->rule != NULL) {
        put_known_z(p, TEXT(",\"credential\":\""), v->rule->credential);
        put_plain(p, TEXT(",\"binding\":\""), text_z(e->binding));
        if (text_is_empty(e->proof_id))
            put_known_z(p, TEXT(",\"unbound_because\":\""), v->rule->unbound_because);
    }
    put_plain(p, TEXT(",\"proof\":\""), e->proof_id);
    if (text_is_empty(e->proof_id))
        put_known(p, TEXT(",\"proof\":\""), v->facts.proof_id);
    put_known(p, TEXT(",\"key\":\""), v->thumbprint);
}

static size_t
length_z(const char *z)
{
    return z != NULL ? strlen(z) : 0;
}

/* An upper bound: all that may be escaped, were it escaped throughout. */
static size_t
room_for(const struct exchange *x, const struct authorisation *a, struct text who)
{
    enum { CONSTANTS = 1024 };
    const struct view *v = &x->view;
    size_t n = a->task.n + a->purpose.n + who.n + AUTHORITY_PRINT_SIZE +
               x->request.method.n + v->path.n + v->thumbprint.n +
               v->evidence.proof_id.n + v->facts.proof_id.n +
               length_z(v->rule_place.file);

    if (v->rule != NULL)
        n += length_z(v->rule->credential) + length_z(v->rule->unbound_because);
    for (size_t i = 0; i < v->n_stripped; i++)
        n += v->stripped[i].n + 3;
    return CONSTANTS + a->approval.members.n + a->approval.rule.n + ESCAPE_MAX * n;
}

static void
put_verdict(struct pen *p, const struct exchange *x, enum reason why)
{
    if (why == REASON_OK) {
        put(p, TEXT(",\"verdict\":\"allow\""));
        return;
    }
    put(p, TEXT(",\"verdict\":\"refuse\""));
    put_known_z(p, TEXT(",\"reason\":\""), reason_token(why));
    put_known_z(p, TEXT(",\"step\":\""), step_name(x->refused_at));
}

void
testimony_decision(const struct exchange *x, enum reason why, struct buf *out)
{
    const struct view *v = &x->view;
    struct authorisation a = exchange_door(x)->kind == DOOR_GATE ? of_gate(x)
                                                                 : of_forward(x);
    struct text who = testimony_who(x);
    char *start = buf_reserve(out, room_for(x, &a, who));
    struct pen p = { start };

    put_number_of(&p, x);
    put_verdict(&p, x, why);
    put_rule(&p, &v->rule_place, &a);
    put_known(&p, TEXT(",\"task\":\""), a.task);
    put_known(&p, TEXT(",\"purpose\":\""), a.purpose);
    put_known(&p, TEXT(",\"who\":\""), who);
    put_plain(&p, TEXT(",\"to\":\""), testimony_to(x));
    put_known(&p, TEXT(",\"method\":\""), x->request.method);
    put_known(&p, TEXT(",\"path\":\""), v->path);
    put_stripped(&p, v);
    put_evidence(&p, v);
    buf_commit(out, (size_t)(p.at - start));
}

void
testimony_connection(const struct conn *c, enum reason why, struct buf *out)
{
    char x[24], who[24] = "unknown", to[AUTHORITY_PRINT_SIZE];
    struct authority target;

    snprintf(x, sizeof x, "%" PRIx64, c->id);
    if (c->caller.has_uid)
        snprintf(who, sizeof who, "uid:%u", c->caller.uid);
    json_put_z(out, "x", x);
    json_put_z(out, "verdict", "refuse");
    json_put_z(out, "reason", reason_token(why));
    json_put_z(out, "step", "tunnel");
    json_put_z(out, "who", who);
    if (c->target == NULL)
        return;
    authority_recall(c->target, &target);
    json_put_text(out, "to", authority_print(&target, 0, to));
}

void
testimony_alarm(const struct exchange *x, struct buf *out)
{
    json_put_z(out, "alarm", reason_token(x->why));
    json_put_z(out, "credential", x->view.alarmed);
    json_put_text(out, "who", testimony_who(x));
    json_put_text(out, "to", testimony_to(x));
}
