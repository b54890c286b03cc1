/* What explain.c found, as text and as JSON. */
#include "proxy/explain.h"

#include "base/json_write.h"
#include "proxy/ctl_print.h"
#include "tasks/caller.h"

#include <stdio.h>

static const char *
word_of(const struct explain_step *s)
{
    if (s->presents)
        return "present";
    return s->verdict.answer == PASS ? "pass" : "deny";
}

static const char *
binding_of(const struct view *v)
{
    const struct conf_credential *c = conf_credential(v->conf, v->rule->credential);

    return binding_word(c == NULL ? BINDING_NONE : binding_choose(v->rule, c));
}

/* ---- text */

static void
say_notes(const struct note *n, const struct note *until)
{
    if (n == until)
        return;
    say_notes(n->next, until);
    fputs("          ", stdout);
    print_text(stdout, n->text);
    putchar('\n');
}

static void
say_stripped(const struct view *v, const struct explain_step *s)
{
    if (s->stripped_from == s->stripped_to)
        return;
    fputs("          takes away: ", stdout);
    for (size_t i = s->stripped_from; i < s->stripped_to; i++) {
        fputs(i > s->stripped_from ? ", " : "", stdout);
        print_text(stdout, v->stripped[i]);
    }
    putchar('\n');
}

static void
say_presented(const struct view *v)
{
    const struct conf_rule *r = v->rule;

    if (r == NULL || r->credential == NULL) {
        printf("nothing\n");
        return;
    }
    printf("credential %s, bound as %s%s\n", r->credential, binding_of(v),
           r->inject == INJECT_ALWAYS ? "" : ", where its handle stands");
    if (r->unbound_because != NULL)
        printf("          a bearer exception: %s\n", r->unbound_because);
}

static void
say_step(const struct view *v, const struct explain_step *s)
{
    printf("step      %-8s %-8s ", s->phase, s->filter);
    if (s->presents)
        say_presented(v);
    else if (s->verdict.answer == PASS)
        printf("pass\n");
    else
        printf("deny %s\n", reason_token(s->verdict.reason));
    say_notes(s->notes, s->until);
    say_stripped(v, s);
}

static bool
is_more_than_a_uid(const struct caller *c)
{
    return c->has_gid || c->cgroup != NULL || c->door > 0;
}

static void
say_asked(const struct view *v)
{
    const struct conf_door *doors = v->conf->doors.at;
    struct buf who = { 0 };

    if (v->caller->has_uid && !is_more_than_a_uid(v->caller))
        printf("caller    uid %u\n", v->caller->uid);
    else {
        caller_print(v->caller,
                     v->caller->door > 0 ? doors[v->caller->door - 1].name : NULL,
                     &who);
        printf("caller    %.*s\n", TEXT_ARG(buf_text(&who)));
        buf_free(&who);
    }
    printf("target    %s port %u, %.*s\n", v->target.host.name, v->target.port,
           TEXT_ARG(v->scheme));
    fputs("request   ", stdout);
    print_text(stdout, v->request->method);
    putchar(' ');
    print_text(stdout, v->path);
    putchar('\n');
}

static void
say_list(const char *what, const struct strings *list)
{
    printf("          %s ", what);
    for (size_t i = 0; i < list->n; i++)
        printf("%s%s", i > 0 ? ", " : "", list->at[i]);
    printf("%s\n", list->any ? "any" : "");
}

/* Nobody is asked whether one lives. */
static void
say_task(const struct conf_grant *g, const struct conf_rule *r)
{
    static const char *const words[] = {
        [TASK_STANDING] = "standing: Holdfast keeps one alive",
        [TASK_REQUIRED] = "required: one must have been started, and not have ended",
        [TASK_POD] = "pod: it lives as long as Holdfast does",
    };

    printf("task      %s\n", words[g->task]);
    say_list("for    ", r != NULL && r->purposes.n > 0 ? &r->purposes : &g->purposes);
}

static void
say_rule(const struct view *v)
{
    if (v->rule_place.file != NULL)
        printf("rule      %s:%u\n", v->rule_place.file, v->rule_place.line);
    if (v->grant != NULL)
        printf("grant     %s (owner %s, approved by %s, %s)\n", v->grant->name,
               v->grant->owner, v->grant->approved_by, v->grant->ticket);
    if (v->grant != NULL)
        say_task(v->grant, v->rule);
    if (v->rule != NULL)
        printf("address   %s\n", v->rule->addresses.n > 0
                                     ? "public, or in the rule's addresses"
                                     : "public only");
    if (v->rule != NULL && v->rule->opaque)
        printf("opaque    TLS passes unopened: nothing is seen, stripped or presented; "
               "its server name must be this one\n");
    if (v->gate_rule == NULL)
        return;
    printf("asks for  a proof with\n");
    say_list("subject", &v->gate_rule->subjects);
    say_list("grant  ", &v->gate_rule->grants);
    say_list("purpose", &v->gate_rule->purposes);
}

static const char *
condition(const struct view *v)
{
    if (v->gate_rule != NULL)
        return ", if it is proved to be one of those";
    return v->target.host.address.family == 0
               ? ", if every address it resolves to is one of those"
               : "";
}

void
explain_print_text(const struct explained *e)
{
    say_asked(e->view);
    say_rule(e->view);
    for (size_t i = 0; i < e->n_steps; i++)
        say_step(e->view, &e->steps[i]);
    if (e->why == REASON_OK)
        printf("verdict   allowed%s\n", condition(e->view));
    else
        printf("verdict   refused with %d %s by %s: %s\n", reason_status(e->why),
               reason_token(e->why), e->by, reason_sentence(e->why));
}

/* ---- JSON */

static void
write_notes(struct buf *out, const struct note *n, const struct note *until)
{
    if (n == until)
        return;
    write_notes(out, n->next, until);
    json_put_text(out, NULL, n->text);
}

static void
write_presented(struct buf *out, const struct view *v)
{
    const struct conf_rule *r = v->rule;

    if (r == NULL || r->credential == NULL) {
        json_put_z(out, "credential", NULL);
        return;
    }
    json_put_z(out, "credential", r->credential);
    json_put_z(out, "binding", binding_of(v));
    json_put_z(out, "inject", r->inject == INJECT_ALWAYS ? "always" : "on_handle");
    if (r->unbound_because != NULL)
        json_put_z(out, "unbound_because", r->unbound_because);
}

static void
write_step(struct buf *out, const struct view *v, const struct explain_step *s)
{
    json_open(out, NULL, '{');
    json_put_z(out, "phase", s->phase);
    json_put_z(out, "filter", s->filter);
    json_put_z(out, "answer", word_of(s));
    if (s->verdict.answer == DENY)
        json_put_z(out, "reason", reason_token(s->verdict.reason));
    if (s->presents)
        write_presented(out, v);
    json_open(out, "notes", '[');
    write_notes(out, s->notes, s->until);
    json_close(out, ']');
    json_open(out, "stripped", '[');
    for (size_t i = s->stripped_from; i < s->stripped_to; i++)
        json_put_text(out, NULL, v->stripped[i]);
    json_close(out, ']');
    json_close(out, '}');
}

static void
write_asked(struct buf *out, const struct view *v)
{
    const struct conf_door *doors = v->conf->doors.at;
    struct buf who = { 0 };

    if (v->caller->has_uid)
        json_put_number(out, "uid", v->caller->uid);
    caller_print(v->caller,
                 v->caller->door > 0 ? doors[v->caller->door - 1].name : NULL, &who);
    json_put_text(out, "who", buf_text(&who));
    buf_free(&who);
    json_put_z(out, "host", v->target.host.name);
    json_put_number(out, "port", v->target.port);
    json_put_text(out, "scheme", v->scheme);
    json_put_text(out, "method", v->request->method);
    json_put_text(out, "path", v->path);
}

static void
write_task(struct buf *out, const struct conf_grant *g, const struct conf_rule *r)
{
    static const char *const words[] = {
        [TASK_STANDING] = "standing", [TASK_REQUIRED] = "required", [TASK_POD] = "pod"
    };
    const struct strings *purposes = r != NULL && r->purposes.n > 0 ? &r->purposes
                                                                    : &g->purposes;

    json_put_z(out, "grant", g->name);
    json_put_z(out, "task", words[g->task]);
    json_open(out, "purposes", '[');
    for (size_t i = 0; i < purposes->n; i++)
        json_put_z(out, NULL, purposes->at[i]);
    json_close(out, ']');
}

static void
write_rule(struct buf *out, const struct view *v)
{
    struct buf place = { 0 };

    if (v->rule_place.file != NULL) {
        buf_printf(&place, "%s:%u", v->rule_place.file, v->rule_place.line);
        json_put_text(out, "rule", buf_text(&place));
    }
    buf_free(&place);
    if (v->grant != NULL)
        write_task(out, v->grant, v->rule);
    if (v->rule != NULL && v->rule->opaque)
        json_put_bool(out, "opaque", true);
    if (v->gate_rule != NULL)
        json_put_bool(out, "proof_checked", false);
}

void
explain_print_json(const struct explained *e)
{
    struct buf out = { 0 };

    json_open(&out, NULL, '{');
    json_put_z(&out, "verdict", e->why == REASON_OK ? "allow" : "deny");
    if (e->why != REASON_OK) {
        json_put_number(&out, "status", reason_status(e->why));
        json_put_z(&out, "reason", reason_token(e->why));
        json_put_z(&out, "by", e->by);
    }
    write_asked(&out, e->view);
    write_rule(&out, e->view);
    json_open(&out, "steps", '[');
    for (size_t i = 0; i < e->n_steps; i++)
        write_step(&out, e->view, &e->steps[i]);
    json_close(&out, ']');
    json_close(&out, '}');
    printf("%.*s\n", TEXT_ARG(buf_text(&out)));
    buf_free(&out);
}
