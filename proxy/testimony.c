/* A decision is told for every request, so it is written straight into one block: every
 * name is a constant here, and whatever is the same for all requests of a grant was
 * written when its generation was made. */
#include "proxy/testimony.h"

#include "base/escape.h"
#include "base/json_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { UID_SIZE = 4 + 10 };

static char *
print_decimal(char *at, uint64_t n)
{
    char *end = at + 1;

    for (uint64_t more = n / 10; more > 0; more /= 10)
        end++;
    at = end;
    do
        *--at = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    return end;
}

static char *
print_uid(char *at, uint32_t uid)
{
    memcpy(at, "uid:", 4);
    return print_decimal(at + 4, uid);
}

struct text
testimony_who(const struct exchange *x)
{
    char *room;

    if (!text_is_empty(x->view.facts.subject))
        return x->view.facts.subject;
    if (x->conn->who != NULL)
        return text_z(x->conn->who);
    if (!x->conn->caller.has_uid)
        return TEXT("unknown");
    room = arena_alloc(x->arena, UID_SIZE);
    return text_of(room, (size_t)(print_uid(room, x->conn->caller.uid) - room));
}

struct text
testimony_to(struct exchange *x)
{
    if (x->view.target.port == 0)
        return TEXT("-");
    if (text_is_empty(x->to))
        x->to = authority_print(&x->view.target, 0,
                                arena_alloc(x->arena, AUTHORITY_PRINT_SIZE));
    return x->to;
}

/* ---- what it was judged by */

struct authorisation {
    struct approval approval;
    bool has_rule;       /* the rule is of approval.rule's file */
    struct text task;    /* an id of ours: nothing to escape */
    struct text purpose; /* empty where it stands in the approval */
};

/* What was refused by all rules has the grant that came nearest, and a task only where
 * the client had proved which. */
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
    a.task = v->task;
    if (x->entry == NULL)
        return a;
    if (g == NULL || g->purposes.n != 1)
        a.purpose = text_z(task_purpose(x->entry->task));
    return a;
}

static void
put_claim(struct buf *members, const char *name, struct text value)
{
    if (!text_is_empty(value))
        json_put_text(members, name, value);
}

/* At a gate the other side has said it, and proved it. */
static struct authorisation
of_gate(const struct exchange *x)
{
    const struct facts *f = &x->view.facts;
    const struct context *c = &f->context;
    struct buf members = { 0 };
    struct authorisation a = { 0 };

    if (f->binding != BINDING_NONE)
        json_put_z(&members, "binding", binding_word(f->binding));
    put_claim(&members, "issuer", f->issuer);
    put_claim(&members, "client", f->client_id);
    put_claim(&members, "grant", c->grant);
    put_claim(&members, "owner", c->owner);
    put_claim(&members, "task", c->task);
    put_claim(&members, "purpose", c->purpose);
    put_claim(&members, "pod", c->pod);
    a.approval.members = arena_copy(x->arena, buf_text(&members));
    buf_free(&members);
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

/* `name` with its comma, colon and opening quote. What is not known is not there. */
static inline void
put_known(struct pen *p, struct text name, struct text value)
{
    if (value.n == 0)
        return;
    put(p, name);
    p->at = escape_copy(value, p->at);
    *p->at++ = '"';
}

static inline void
put_known_z(struct pen *p, struct text name, const char *value)
{
    if (value != NULL)
        put_known(p, name, text_of(value, strlen(value)));
}

/* The same of a value that has nothing to escape: a host, a word or an id of ours. */
static inline void
put_plain(struct pen *p, struct text name, struct text value)
{
    if (value.n == 0)
        return;
    put(p, name);
    put(p, value);
    *p->at++ = '"';
}

static inline void
put_plain_z(struct pen *p, struct text name, const char *value)
{
    if (value != NULL)
        put_plain(p, name, text_of(value, strlen(value)));
}

/* The connection's in hex, and which of its exchanges it is. */
static void
put_number_of(struct pen *p, const struct exchange *x)
{
    uint64_t id = x->conn->id;
    int shift = 0;

    put(p, TEXT("\"x\":\""));
    while (id >> shift > 15)
        shift += 4;
    for (; shift >= 0; shift -= 4)
        *p->at++ = "0123456789abcdef"[id >> shift & 15];
    *p->at++ = '.';
    p->at = print_decimal(p->at, x->number);
    *p->at++ = '"';
}

static void
put_who(struct pen *p, const struct exchange *x)
{
    put(p, TEXT(",\"who\":\""));
    if (!text_is_empty(x->view.facts.subject))
        p->at = escape_copy(x->view.facts.subject, p->at);
    else if (x->conn->who != NULL)
        put(p, text_z(x->conn->who));
    else if (x->conn->caller.has_uid)
        p->at = print_uid(p->at, x->conn->caller.uid);
    else
        put(p, TEXT("unknown"));
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
        p->at = escape_copy(text_z(at->file), p->at);
        *p->at++ = ':';
    }
    p->at = print_decimal(p->at, at->line);
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
        p->at = escape_copy(v->stripped[i], p->at);
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
        put_plain_z(p, TEXT(",\"binding\":\""), e->binding);
        if (text_is_empty(e->thumbprint))
            put_known_z(p, TEXT(",\"unbound_because\":\""), v->rule->unbound_because);
    }
    put_plain(p, TEXT(",\"proof\":\""), e->proof_id);
    if (text_is_empty(e->proof_id))
        put_known(p, TEXT(",\"proof\":\""), v->facts.proof_id);
    put_plain(p, TEXT(",\"key\":\""), v->thumbprint);
}

static size_t
length_z(const char *z)
{
    return z != NULL ? strlen(z) : 0;
}

/* An upper bound: all that may be escaped, were it escaped throughout. */
static size_t
room_for(const struct exchange *x, const struct authorisation *a)
{
    enum { CONSTANTS = 1024 };
    const struct view *v = &x->view;
    size_t n = a->task.n + a->purpose.n + v->facts.subject.n + x->to.n +
               x->request.method.n + v->path.n + v->thumbprint.n +
               v->evidence.proof_id.n + v->facts.proof_id.n +
               length_z(v->rule_place.file) + length_z(x->conn->who);

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
    put_plain_z(p, TEXT(",\"reason\":\""), reason_token(why));
    put_plain_z(p, TEXT(",\"step\":\""), step_name(x->refused_at));
}

void
testimony_decision(struct exchange *x, enum reason why, struct spool *out)
{
    const struct view *v = &x->view;
    struct authorisation a = exchange_door(x)->kind == DOOR_GATE ? of_gate(x)
                                                                 : of_forward(x);
    struct text to = testimony_to(x);
    struct pen p = { spool_reserve(out, room_for(x, &a)) };

    put_number_of(&p, x);
    put_verdict(&p, x, why);
    put_rule(&p, &v->rule_place, &a);
    put_plain(&p, TEXT(",\"task\":\""), a.task);
    put_known(&p, TEXT(",\"purpose\":\""), a.purpose);
    put_who(&p, x);
    put_plain(&p, TEXT(",\"to\":\""), to);
    put_plain_z(&p, TEXT(",\"door\":\"transparent\",\"orig\":\""), x->conn->orig);
    if (v->opaque)
        put(&p, TEXT(",\"opaque\":true"));
    put_known(&p, TEXT(",\"method\":\""), x->request.method);
    put_known(&p, TEXT(",\"path\":\""), v->path);
    put_stripped(&p, v);
    put_evidence(&p, v);
    out->n = (size_t)(p.at - out->at);
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
    json_put_z(out, "who", c->who != NULL ? c->who : who);
    if (c->target != NULL) {
        authority_recall(c->target, &target);
        json_put_text(out, "to", authority_print(&target, 0, to));
    }
    if (c->orig == NULL)
        return;
    json_put_z(out, "door", "transparent");
    json_put_z(out, "orig", c->orig);
}

void
testimony_alarm(struct exchange *x, struct buf *out)
{
    json_put_z(out, "alarm", reason_token(x->why));
    json_put_z(out, "credential", x->view.alarmed);
    json_put_text(out, "who", testimony_who(x));
    json_put_text(out, "to", testimony_to(x));
}
