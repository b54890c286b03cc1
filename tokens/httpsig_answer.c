/* Answers. One that is not signed over the request it is given for could be an older
 * one, or another's. */
#include "base/log.h"
#include "tokens/carried.h"
#include "tokens/signature_judge.h"

static bool
covers(const struct signature *s, const char *name, bool of_request)
{
    return signature_covers_name(s, text_z(name), of_request);
}

/* What stands in the answer is covered, if it is one of these. */
static bool
covers_standing(const struct httpsig_answer *a, const struct signature *s,
                const char *name)
{
    return !component_stands(&a->scene, text_z(name)) || covers(s, name, false);
}

/* All of the request's signature, and so all that it covers. */
static bool
covers_its_signature(const struct httpsig_answer *a, const struct signature *s)
{
    const struct component member = {
        .name = TEXT("signature"), .of_request = true, .has_key = true, .key = a->label
    };

    return covers(s, "signature", true) || signature_covers(s, &member);
}

static bool
covers_target(const struct httpsig_answer *a, const struct signature *s)
{
    bool has_query = a->scene.request->query.at != NULL;

    if (covers(s, "@target-uri", true))
        return true;
    return covers(s, "@authority", true) &&
           (covers(s, "@request-target", true) ||
            (covers(s, "@path", true) && (!has_query || covers(s, "@query", true))));
}

static bool
covers_request(const struct httpsig_answer *a, const struct signature *s)
{
    if (a->is_wimse)
        return covers(s, "@method", true) && covers(s, "@request-target", true);
    return covers_its_signature(a, s) ||
           (covers(s, "@method", true) && covers_target(a, s));
}

static enum reason
coverage_judge(const struct httpsig_answer *a, const struct signature *s)
{
    if (!covers(s, "@status", false) || !covers_request(a, s) ||
        (a->has_body && !covers(s, "content-digest", false)))
        return REASON_SIGNATURE_COVERAGE;
    if (a->is_wimse && !(covers(s, "workload-identity-token", false) &&
                         covers_standing(a, s, "content-type") &&
                         covers_standing(a, s, "content-digest")))
        return REASON_SIGNATURE_COVERAGE;
    return REASON_OK;
}

static enum reason
says_judge(const struct httpsig_policy *p, const struct httpsig_answer *a,
           const struct signature *s, int64_t now_s)
{
    unsigned must = a->is_wimse ? 1U << PARAMETER_TAG | 1U << PARAMETER_REQUEST_NONCE
                                : 0;
    enum reason why = signature_judge_says(p, a->is_wimse, s, must);
    int64_t ends_s;

    if (why != REASON_OK)
        return why;
    if (parameters_say(&s->says, PARAMETER_REQUEST_NONCE) &&
        !text_equals(s->says.at[PARAMETER_REQUEST_NONCE].text, a->nonce))
        return REASON_SIGNATURE_PARAMETERS;
    return signature_judge_times(p, s, now_s, &ends_s);
}

/* *wit holds the key, and is cleared by the caller. */
static enum reason
signer_judge(const struct httpsig_policy *p, const struct httpsig_answer *a,
             const struct signature *s, int64_t now_s, struct wit *wit,
             struct signature_key *by)
{
    const struct headers *h = a->scene.answered.headers;
    size_t tokens = headers_count(h, FIELD_TOKEN);
    enum reason why;

    if (!a->is_wimse)
        return signature_judge_key(p, s, by);
    if (tokens != 1)
        return tokens == 0 ? REASON_TOKEN_MISSING : REASON_TOKEN_REPEATED;
    why = wit_verify(p->verifier, headers_get(h, FIELD_TOKEN)->value, now_s, wit);
    return why == REASON_OK ? signature_take_holder(wit, by) : why;
}

static enum reason
judge(const struct httpsig_policy *p, const struct httpsig_answer *a, int64_t now_s,
      struct arena *arena, struct wit *wit, struct content_digest *said)
{
    const struct headers *h = a->scene.answered.headers;
    struct signature_key by;
    struct signature s;
    struct text base;
    enum reason why = signature_find(h, a->is_wimse, p->tag, arena, &s);

    if (why == REASON_OK)
        why = says_judge(p, a, &s, now_s);
    if (why == REASON_OK)
        why = coverage_judge(a, &s);
    if (why == REASON_OK)
        why = signer_judge(p, a, &s, now_s, wit, &by);
    if (why == REASON_OK)
        why = signature_judge_bytes(&s, &a->scene, &by, arena, &base);
    if (why == REASON_OK && a->has_body && !content_digest_read(h, arena, said))
        why = REASON_CONTENT_DIGEST;
    return why;
}

enum reason
httpsig_judge_answer(const struct httpsig_policy *p,
                     const struct httpsig_answer *answer, int64_t now_s,
                     struct arena *arena, struct content_digest *said)
{
    struct wit wit = { .holder = NULL };
    enum reason why;

    *said = (struct content_digest){ .has_sha256 = false };
    why = judge(p, answer, now_s, arena, &wit, said);
    wit_clear(&wit);
    if (why == REASON_OK)
        return REASON_OK;
    *said = (struct content_digest){ .has_sha256 = false };
    return log_reason(why == REASON_SIGNATURE_MISSING ? REASON_ANSWER_UNSIGNED
                                                      : REASON_ANSWER_SIGNATURE,
                      "the signature of the service's answer: %s", reason_token(why));
}
