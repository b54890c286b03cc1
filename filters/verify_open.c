/* Opening a gate: whom it trusts, by which keys, and rules that can be met. */
#include "filters/verify_parts.h"

#include "base/file.h"
#include "base/memory.h"
#include "filters/replays.h"
#include "tasks/pattern.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    PROOF_LIVES_S = 60, /* STANDARDS.md 11: minutes at most */
    SKEW_S = 5
};

/* ---- trust domains */

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

/* ---- issuers of access tokens */

static enum reason
keys_read(const struct conf_issuer *c, struct jwks **out)
{
    struct buf bytes = { 0 };
    enum reason why = file_read(c->jwks_file, JWKS_TEXT_MAX, &bytes);

    if (why == REASON_OK)
        why = jwks_parse(buf_text(&bytes), out);
    buf_free(&bytes);
    return why;
}

static unsigned
algorithms_of(const struct conf_issuer *c)
{
    enum key_algorithm alg;
    unsigned algs = 0;

    for (size_t i = 0; i < c->algorithms.n; i++)
        if (jws_alg_find(text_z(c->algorithms.at[i]), &alg))
            algs |= JWS_ALGS(alg);
    return algs;
}

static enum reason
issuers_open(const struct conf_door *door, size_t number, struct buf *report,
             struct gate *g)
{
    const struct conf_issuer *all = door->issuers.at;
    enum reason why = REASON_OK;

    g->n_issuers = door->issuers.n;
    g->issuers = memory_new_array(g->n_issuers, sizeof *g->issuers);
    for (size_t i = 0; i < g->n_issuers; i++) {
        const struct conf_issuer *c = &all[i];

        g->issuers[i] = (struct issuer){ .conf = c,
                                         .policy = { .issuer = text_z(c->issuer),
                                                     .audience = text_z(c->audience),
                                                     .algs = algorithms_of(c) } };
        g->inquires |= c->jwks_file == NULL;
        if (c->jwks_file == NULL || keys_read(c, &g->issuers[i].keys) == REASON_OK)
            continue;
        buf_printf(report,
                   "%s:%u: doors[%zu].issuers[%zu].jwks_file: \"%s\": no keys of %s "
                   "can be read from it\n",
                   c->place.file, c->place.line, number, i, c->jwks_file, c->issuer);
        why = REASON_CONFIG;
    }
    return why;
}

static void
dpop_open(struct gate *g)
{
    static const enum key_algorithm taken[] = { KEY_ES256, KEY_ES384, KEY_EDDSA,
                                                KEY_PS256, KEY_RS256 };
    const struct conf_door *door = g->door;
    size_t n = 0;

    g->dpop = (struct dpop_policy){ .origins = door->names.at,
                                    .n_origins = door->names.n,
                                    .replays = g->verifier.replays,
                                    .nonces = door->nonce == NONCE_DEMAND
                                                  ? nonces_of_gates()
                                                  : NULL };
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        g->dpop.algs |= JWS_ALGS(taken[i]);
        n += (size_t)snprintf(g->dpop_words + n, sizeof g->dpop_words - n, "%s%s",
                              i > 0 ? " " : "", jws_alg_word(taken[i]));
    }
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
    for (size_t i = 0; i < g->n_issuers; i++)
        jwks_unref(g->issuers[i].keys);
    free(g->issuers);
    jwks_unref(g->signers);
    trust_anchors_free(g->anchors);
}

enum reason
gate_open(const struct conf_door *door, size_t number, struct buf *report,
          struct gate *g)
{
    enum reason trusted, issued, ruled, signed_by;

    g->door = door;
    g->anchors = trust_anchors_new();
    g->verifier = (struct verifier){ .anchors = g->anchors,
                                     .replays = replays_of(door),
                                     .origins = door->names.at,
                                     .n_origins = door->names.n,
                                     .max_proof_s = PROOF_LIVES_S,
                                     .skew_s = SKEW_S };
    trusted = trust_open(door, number, report, g->anchors);
    issued = issuers_open(door, number, report, g);
    ruled = rules_check(door, number, report);
    dpop_open(g);
    signed_by = signature_open(g, number, report);
    if (g->verifier.replays == NULL) {
        buf_printf(report, "%s:%u: doors[%zu].names: a gate needs a name\n",
                   door->place.file, door->place.line, number);
        return REASON_CONFIG;
    }
    if (trusted != REASON_OK)
        return trusted;
    if (signed_by != REASON_OK)
        return signed_by;
    return issued != REASON_OK ? issued : ruled;
}
