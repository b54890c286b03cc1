/* Opening a gate: whom it trusts, by which keys, and rules that can be met. */
#include "filters/verify_parts.h"

#include "filters/replays.h"
#include "tasks/pattern.h"

enum {
    PROOF_LIVES_S = 60, /* STANDARDS.md 11: minutes at most */
    SKEW_S = 5
};

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

void
gate_close(struct gate *g)
{
    trust_anchors_free(g->anchors);
}

enum reason
gate_open(const struct conf_door *door, size_t number, struct buf *report,
          struct gate *g)
{
    enum reason trusted, ruled;

    g->door = door;
    g->anchors = trust_anchors_new();
    g->verifier = (struct verifier){ .anchors = g->anchors,
                                     .replays = replays_of(door),
                                     .origins = door->names.at,
                                     .n_origins = door->names.n,
                                     .max_proof_s = PROOF_LIVES_S,
                                     .skew_s = SKEW_S };
    trusted = trust_open(door, number, report, g->anchors);
    ruled = rules_check(door, number, report);
    if (g->verifier.replays == NULL) {
        buf_printf(report, "%s:%u: doors[%zu].names: a gate needs a name\n",
                   door->place.file, door->place.line, number);
        return REASON_CONFIG;
    }
    return trusted != REASON_OK ? trusted : ruled;
}
