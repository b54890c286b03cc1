/* verify: the proof first, then the door's rules on what it proved. */
#include "filters/verify.h"

#include "base/path.h"
#include "base/memory.h"
#include "filters/replays.h"
#include "tasks/pattern.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    PROOF_LIVES_S = 60, /* STANDARDS.md 11: minutes at most */
    SKEW_S = 5
};

/* One for each door of the config, in its order; empty for those that are no gate. */
struct verify {
    const struct conf_door *doors;
    size_t n;
    struct verifier *verifiers;
    struct trust_anchors **anchors;
};

/* ---- opening */

static void
verify_close(void *state)
{
    struct verify *s = state;

    for (size_t i = 0; i < s->n; i++)
        trust_anchors_free(s->anchors[i]);
    free(s->anchors);
    free(s->verifiers);
    free(s);
}

static enum reason
trust_open(const struct conf_door *door, size_t number, struct buf *report,
           struct trust_anchors *anchors)
{
    const struct conf_trust *trust = door->trust.at;
    enum reason why = REASON_OK;

    for (size_t i = 0; i < door->trust.n; i++) {
        const struct conf_trust *t = &trust[i];

        if (t->jwks_file == NULL) /* the door accepts nothing that it would prove */
            continue;
        if (trust_anchors_add(anchors, t->domain, t->jwks_file, t->subjects.at,
                              t->subjects.n, t->issuers.at, t->issuers.n) == REASON_OK)
            continue;
        buf_printf(report,
                   "%s:%u: doors[%zu].trust[%zu].jwks_file: \"%s\": no usable keys of "
                   "%s can be read from it\n",
                   t->place.file, t->place.line, number, i, t->jwks_file, t->domain);
        why = REASON_CONFIG;
    }
    return why;
}

static enum reason
rules_check(const struct conf_door *door, size_t number, struct buf *report)
{
    const struct conf_gate_rule *rules = door->rules.at;
    enum reason result = REASON_OK;

    for (size_t i = 0; i < door->rules.n; i++) {
        for (size_t p = 0; p < rules[i].paths.n; p++) {
            const char *why = pattern_fault(text_z(rules[i].paths.at[p]));

            if (why == NULL)
                continue;
            buf_printf(report, "%s:%u: doors[%zu].rules[%zu].paths: \"%s\": %s\n",
                       rules[i].place.file, rules[i].place.line, number, i,
                       rules[i].paths.at[p], why);
            result = REASON_CONFIG;
        }
    }
    return result;
}

static enum reason
door_open(struct verify *s, size_t i, struct buf *report)
{
    const struct conf_door *door = &s->doors[i];
    enum reason trusted, ruled;

    s->anchors[i] = trust_anchors_new();
    s->verifiers[i] = (struct verifier){ .anchors = s->anchors[i],
                                         .replays = replays_of(door),
                                         .origins = door->names.at,
                                         .n_origins = door->names.n,
                                         .max_proof_s = PROOF_LIVES_S,
                                         .skew_s = SKEW_S };
    trusted = trust_open(door, i, report, s->anchors[i]);
    ruled = rules_check(door, i, report);
    if (s->verifiers[i].replays == NULL) {
        buf_printf(report, "%s:%u: doors[%zu].names: a gate needs a name\n",
                   door->place.file, door->place.line, i);
        return REASON_CONFIG;
    }
    return trusted != REASON_OK ? trusted : ruled;
}

static enum reason
verify_open(const struct conf *conf, const void *settings, struct buf *report,
            void **state)
{
    struct verify *s = memory_new(sizeof *s);
    enum reason result = REASON_OK;

    (void)settings;
    *state = NULL;
    s->doors = conf->doors.at;
    s->n = conf->doors.n;
    s->verifiers = memory_new_array(s->n, sizeof *s->verifiers);
    s->anchors = memory_new_array(s->n, sizeof(struct trust_anchors *));
    for (size_t i = 0; i < s->n; i++) {
        enum reason why = REASON_OK;

        if (s->doors[i].kind == DOOR_GATE)
            why = door_open(s, i, report);
        if (why != REASON_OK)
            result = why;
    }
    if (result != REASON_OK) {
        verify_close(s);
        return result;
    }
    *state = s;
    return REASON_OK;
}

/* ---- the door's rules */

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

/* Identifiers; one that ends in a slash and a star names all below it. */
static bool
names_subject(const struct strings *list, struct text id)
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

/* How far the request got with this rule. */
enum reach { REACH_NOTHING, REACH_CONTEXT, REACH_METHOD, REACH_PATH, REACH_ALL };

static enum reach
reach(const struct conf_gate_rule *r, const struct view *v)
{
    const struct context *c = &v->facts.context;

    if (!names_subject(&r->subjects, c->workload) || !names(&r->grants, c->grant) ||
        !names(&r->purposes, c->purpose))
        return REACH_NOTHING;
    if (!names(&r->methods, v->request->method))
        return REACH_CONTEXT;
    if (!names_path(&r->paths, v->path))
        return REACH_METHOD;
    return r->require_body_digest && !v->facts.body_covered ? REACH_PATH : REACH_ALL;
}

static enum reason
rules_judge(struct view *v)
{
    static const enum reason missed[] = { REASON_CONTEXT_REFUSED,
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

/* ---- judging */

static const struct verifier *
verifier_of(const struct verify *s, const struct conf_door *door)
{
    size_t i = (size_t)(door - s->doors);

    assert(i < s->n && door->kind == DOOR_GATE);
    return &s->verifiers[i];
}

static struct verdict
verify_request(void *state, struct view *v)
{
    const struct presented received = view_presented(v);
    enum reason why = proof_verify(verifier_of(state, v->door), v->request, &received,
                                   v->now_s, v->arena, &v->facts);

    if (why != REASON_OK) {
        v->facts = (struct facts){ 0 };
        return deny(why);
    }
    v->thumbprint = v->facts.thumbprint;
    why = rules_judge(v);
    return why == REASON_OK ? pass() : deny(why);
}

const struct filter verify_filter = {
    .name = "verify",
    .open = verify_open,
    .on_request = verify_request,
    .close = verify_close,
};
