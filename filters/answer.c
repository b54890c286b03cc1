/* answer: one policy for each rule that wants answers signed. */
#include "filters/answer.h"

#include "base/file.h"
#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

enum {
    ANSWER_LIVES_S = 60, /* STANDARDS.md 11 */
    SKEW_S = 5
};

/* Of one rule's `signature`. */
struct judged {
    const struct conf_signature *how;
    struct trust_anchors *anchors; /* in the WIMSE profile */
    struct jwks *keys;             /* in the plain one; NULL: it is not */
    struct verifier verifier;
    struct httpsig_policy policy;
};

/* In the order of their addresses: found by halves. */
struct answers {
    struct judged *at;
    size_t n;
};

/* ---- opening */

static void
answer_close(void *state)
{
    struct answers *s = state;

    for (size_t i = 0; i < s->n; i++) {
        trust_anchors_free(s->at[i].anchors);
        jwks_unref(s->at[i].keys);
    }
    free(s->at);
    free(s);
}

static enum reason
keys_open(const struct conf_signature *how, struct buf *report, struct jwks **out)
{
    struct buf bytes = { 0 };
    enum reason why = file_read(how->response_jwks_file, JWKS_TEXT_MAX, &bytes);

    if (why == REASON_OK)
        why = jwks_parse(buf_text(&bytes), out);
    if (why == REASON_OK && jwks_count(*out) == 0)
        why = REASON_FILE_CONTENT;
    buf_free(&bytes);
    if (why == REASON_OK)
        return why;
    buf_printf(report,
               "%s:%u: signature.response_jwks_file: \"%s\": no usable keys can be "
               "read from it\n",
               how->place.file, how->place.line, how->response_jwks_file);
    return REASON_CONFIG;
}

static enum reason
trust_open(const struct conf_signature *how, struct buf *report,
           struct trust_anchors *anchors)
{
    const struct conf_trust *trust = how->response_trust.at;
    enum reason result = REASON_OK;

    for (size_t i = 0; i < how->response_trust.n; i++) {
        const struct conf_trust *t = &trust[i];

        if (trust_anchors_add(anchors, t->domain, t->jwks_file, t->subjects.at,
                              t->subjects.n, t->issuers.at, t->issuers.n) == REASON_OK)
            continue;
        buf_printf(report,
                   "%s:%u: signature.response_trust[%zu].jwks_file: \"%s\": no usable "
                   "keys of %s can be read from it\n",
                   t->place.file, t->place.line, i, t->jwks_file, t->domain);
        result = REASON_CONFIG;
    }
    return result;
}

static enum reason
judged_open(struct judged *j, const struct conf_signature *how, struct buf *report)
{
    j->how = how;
    j->anchors = trust_anchors_new();
    j->verifier = (struct verifier){ .anchors = j->anchors, .skew_s = SKEW_S };
    j->policy = (struct httpsig_policy){ .verifier = &j->verifier,
                                         .max_age_s = ANSWER_LIVES_S };
    if (how->response_jwks_file == NULL)
        return trust_open(how, report, j->anchors);
    if (keys_open(how, report, &j->keys) != REASON_OK)
        return REASON_CONFIG;
    j->policy.keys = j->keys;
    return REASON_OK;
}

static bool
wants_signed(const struct conf_rule *r)
{
    return r->signature != NULL && r->signature->response == RESPONSE_VERIFY;
}

/* All rules of a config, one by one; NULL when there is no other. */
struct walk {
    const struct conf *conf;
    size_t grant, rule;
};

static const struct conf_rule *
next_rule(struct walk *w)
{
    const struct conf_grant *grants = w->conf->grants.at;

    for (; w->grant < w->conf->grants.n; w->grant++, w->rule = 0) {
        const struct conf_rule *rules = grants[w->grant].rules.at;

        if (w->rule < grants[w->grant].rules.n)
            return &rules[w->rule++];
    }
    return NULL;
}

static size_t
count_signed(const struct conf *conf)
{
    struct walk w = { .conf = conf };
    size_t n = 0;

    for (const struct conf_rule *r; (r = next_rule(&w)) != NULL;)
        n += wants_signed(r);
    return n;
}

static int
by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)((const struct judged *)a)->how;
    uintptr_t y = (uintptr_t)((const struct judged *)b)->how;

    return (x > y) - (x < y);
}

/* What points into an element points where it is now. */
static void
settle(struct answers *s)
{
    if (s->n > 1)
        qsort(s->at, s->n, sizeof *s->at, by_address);
    for (size_t i = 0; i < s->n; i++)
        s->at[i].policy.verifier = &s->at[i].verifier;
}

static enum reason
answer_open(const struct conf *conf, const void *settings, struct buf *report,
            void **state)
{
    struct answers *s = memory_new(sizeof *s);
    struct walk w = { .conf = conf };
    enum reason result = REASON_OK;

    (void)settings;
    *state = NULL;
    s->at = memory_new_array(count_signed(conf), sizeof *s->at);
    for (const struct conf_rule *r; (r = next_rule(&w)) != NULL;) {
        if (wants_signed(r) &&
            judged_open(&s->at[s->n++], r->signature, report) != REASON_OK)
            result = REASON_CONFIG;
    }
    settle(s);
    if (result == REASON_OK)
        *state = s;
    else
        answer_close(s);
    return result;
}

/* ---- finding */

const struct httpsig_policy *
answer_policy(const void *state, const struct view *v)
{
    const struct answers *s = state;
    struct judged asked = { .how = v->rule == NULL ? NULL : v->rule->signature };
    const struct judged *found;

    if (v->rule == NULL || !wants_signed(v->rule) || v->evidence.binding == NULL ||
        strcmp(v->evidence.binding, "httpsig") != 0)
        return NULL;
    found = bsearch(&asked, s->at, s->n, sizeof *s->at, by_address);
    assert(found != NULL); /* the rule is of the config that was opened */
    return &found->policy;
}

const struct filter answer_filter = {
    .name = "answer",
    .open = answer_open,
    .close = answer_close,
};
