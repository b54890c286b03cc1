/* A gate's rules: whether one of them takes who was proved and what is asked. */
#include "filters/verify_parts.h"

#include "base/path.h"
#include "tasks/pattern.h"

static bool
names(const struct strings *list, struct text word)
{
    if (list->any)
        return true;
    for (size_t i = 0; i < list->n; i++) {
        if (text_equals(text_z(list->at[i]), word))
            return true;
    }
    return false;
}

bool
gate_is_workload(struct text id)
{
    return text_starts(id, TEXT("spiffe://")) || text_starts(id, TEXT("wimse://"));
}

bool
gate_names_subject(const struct strings *list, struct text id)
{
    if (list->any)
        return true;
    for (size_t i = 0; i < list->n; i++) {
        struct text subject = text_z(list->at[i]);

        if (text_equals(subject, id))
            return true;
        if (!text_ends(subject, TEXT("/*")))
            continue;
        subject.n--;
        if (id.n > subject.n && text_starts(id, subject))
            return true;
    }
    return false;
}

static bool
names_path(const struct strings *list, struct text path)
{
    if (list->any)
        return true;
    for (size_t i = 0; i < list->n; i++) {
        if (pattern_fits(text_z(list->at[i]), path))
            return true;
    }
    return false;
}

bool
verify_takes_method(const struct conf_gate_rule *r, struct text method)
{
    return names(&r->methods, method);
}

bool
verify_takes_path(const struct conf_gate_rule *r, struct text path)
{
    return names_path(&r->paths, path);
}

/* None named: all that the door accepts. */
static bool
takes_binding(const struct conf_gate_rule *r, enum binding b)
{
    return r->bindings.n == 0 || names(&r->bindings, text_z(binding_word(b)));
}

static bool
has_word(struct text words, struct text word)
{
    struct text one;

    while (text_split(&words, ' ', &one))
        if (text_equals(one, word))
            return true;
    return false;
}

static bool
has_scopes(const struct conf_gate_rule *r, struct text scope)
{
    for (size_t i = 0; i < r->scopes.n; i++)
        if (!has_word(scope, text_z(r->scopes.at[i])))
            return false;
    return true;
}

/* How far the request got with this rule. */
enum reach {
    REACH_NOTHING,
    REACH_CONTEXT,
    REACH_SCOPES,
    REACH_METHOD,
    REACH_PATH,
    REACH_ALL
};

static enum reach
reach(const struct conf_gate_rule *r, const struct view *v)
{
    const struct facts *f = &v->facts;

    if (!takes_binding(r, f->binding) ||
        !gate_names_subject(&r->subjects, f->subject) ||
        !names(&r->grants, f->context.grant) ||
        !names(&r->purposes, f->context.purpose))
        return REACH_NOTHING;
    if (!has_scopes(r, f->scope))
        return REACH_CONTEXT;
    if (!names(&r->methods, v->request->method))
        return REACH_SCOPES;
    if (!names_path(&r->paths, v->path))
        return REACH_METHOD;
    return r->require_body_digest && !v->facts.body_covered ? REACH_PATH : REACH_ALL;
}

enum reason
gate_rules_judge(struct view *v)
{
    static const enum reason missed[] = { REASON_CONTEXT_REFUSED, REASON_SCOPE_MISSING,
                                          REASON_METHOD_NOT_ALLOWED,
                                          REASON_PATH_NOT_ALLOWED, REASON_PROOF_BODY };
    const struct conf_gate_rule *rules = v->door->rules.at;
    enum reach furthest = REACH_NOTHING;

    for (size_t i = 0; i < v->door->rules.n; i++) {
        enum reach at = reach(&rules[i], v);

        if (at > furthest || v->rule_place.file == NULL)
            v->rule_place = rules[i].place;
        if (at > furthest)
            furthest = at;
        if (at != REACH_ALL)
            continue;
        if (rules[i].encoded_slashes == SLASHES_REFUSE &&
            path_has_encoded_slash(v->path))
            return REASON_ENCODED_SLASH;
        if (v->request->upgrade == UPGRADE_WEBSOCKET && !rules[i].websocket)
            return REASON_WEBSOCKET_NOT_ALLOWED;
        v->gate_rule = &rules[i];
        return REASON_OK;
    }
    return missed[furthest];
}
