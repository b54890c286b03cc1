/* Requests at a gate. The order is that of proof.c: what costs little first, the token
 * before the signature that stands on it, the memory of what was seen last. */
#include "tokens/httpsig_verify.h"

#include "base/digest.h"
#include "tokens/carried.h"
#include "tokens/signature_judge.h"

/* One request being judged. */
struct judging {
    const struct httpsig_policy *p;
    const struct request *request;
    struct signature_scene scene;
    struct arena *arena;
    int64_t now_s;
    bool is_wimse;
    struct signature signature;
    struct wit wit;
    struct signature_key by;
    struct text base;
    int64_t ends_s;
    struct facts facts;
};

static bool
has_body(const struct request *r)
{
    return r->body.kind == BODY_STREAM ||
           (r->body.kind == BODY_LENGTH && r->body.length > 0);
}

/* ---- coverage */

static bool
covers_carried(const struct judging *j, struct text name)
{
    return !component_stands(&j->scene, name) ||
           signature_covers_name(&j->signature, name, false);
}

/* A token that is copied from elsewhere must not ride along under a signature that says
 * nothing of it. */
static bool
covers_all_carried(const struct judging *j)
{
    for (size_t i = 0; i < CARRIED_OTHERS; i++)
        if (!covers_carried(j, carried_names[i]))
            return false;
    return covers_carried(j, TEXT("authorization")) &&
           covers_carried(j, TEXT("txn-token"));
}

static bool
demands_digest(const struct judging *j)
{
    return j->is_wimse || j->p->n_components == 0;
}

/* Whom it was made for, or it would be good at every service that trusts this key. */
static bool
covers_authority(const struct judging *j)
{
    return signature_covers_name(&j->signature, TEXT("@authority"), false) ||
           signature_covers_name(&j->signature, TEXT("@target-uri"), false) ||
           signature_covers_name(&j->signature, TEXT("host"), false);
}

static bool
covers_profile(const struct judging *j)
{
    const struct signature *s = &j->signature;

    if (j->is_wimse)
        return signature_covers_name(s, TEXT("@method"), false) &&
               signature_covers_name(s, TEXT("@request-target"), false) &&
               signature_covers_name(s, TEXT("workload-identity-token"), false) &&
               covers_carried(j, TEXT("content-type"));
    return covers_authority(j) &&
           (j->p->n_components > 0 ||
            (signature_covers_name(s, TEXT("@method"), false) &&
             signature_covers_name(s, TEXT("@target-uri"), false)));
}

static enum reason
coverage_judge(const struct judging *j)
{
    for (size_t i = 0; i < j->p->n_components; i++)
        if (!signature_covers_name(&j->signature, text_z(j->p->components[i]), false))
            return REASON_SIGNATURE_COVERAGE;
    if (demands_digest(j) && has_body(j->request) &&
        !signature_covers_name(&j->signature, TEXT("content-digest"), false))
        return REASON_SIGNATURE_COVERAGE;
    return covers_profile(j) && covers_all_carried(j) ? REASON_OK
                                                      : REASON_SIGNATURE_COVERAGE;
}

/* A signature says what the digest is; that it is this body's is ours to see. */
static enum reason
body_judge(struct judging *j)
{
    const struct presented *received = j->scene.request;
    struct content_digest said;

    if (!signature_covers_name(&j->signature, TEXT("content-digest"), false)) {
        j->facts.body_covered = demands_digest(j) && !has_body(j->request);
        return REASON_OK;
    }
    if (!content_digest_read(&j->request->headers, j->arena, &said))
        return REASON_CONTENT_DIGEST;
    if (!received->body_known || !content_digest_fits(&said, received->body))
        return REASON_PROOF_BODY;
    j->facts.body_covered = true;
    return REASON_OK;
}

/* ---- whom it is for, and who made it */

/* Which of our own names the request asks for: one that was signed for another service
 * says so in its own Host, and fits its signature there as well as here. at NULL: none.
 */
static struct text
name_asked(const struct judging *j)
{
    char room[AUTHORITY_PRINT_SIZE];
    struct text asked = authority_print(&j->scene.request->authority, 443, room);

    for (size_t i = 0; i < j->p->verifier->n_origins; i++) {
        struct text origin = text_z(j->p->verifier->origins[i]);

        if (origin.n == sizeof "https://" - 1 + asked.n && text_ends(origin, asked))
            return origin;
    }
    return text_of(NULL, 0);
}

/* As a proof's (proof.c): the name that the request asked for; and, where it says more,
 * its path. */
static enum reason
audience_judge(const struct judging *j)
{
    struct text said = j->signature.says.at[PARAMETER_AUDIENCE].text;
    struct text path = j->scene.request->path, name = name_asked(j);

    if (name.at == NULL)
        return REASON_PROOF_AUDIENCE;
    if (!parameters_say(&j->signature.says, PARAMETER_AUDIENCE) ||
        text_equals(said, name))
        return REASON_OK;
    return text_starts(said, name) &&
                   text_equals(text_of(said.at + name.n, said.n - name.n), path)
               ? REASON_OK
               : REASON_PROOF_AUDIENCE;
}

static enum reason
says_judge(struct judging *j)
{
    const struct signature_parameters *says = &j->signature.says;
    enum reason why = signature_judge_says(
        j->p, j->is_wimse, &j->signature,
        j->is_wimse ? 1U << PARAMETER_TAG | 1U << PARAMETER_AUDIENCE : 0);

    if (why != REASON_OK)
        return why;
    if (parameters_say(says, PARAMETER_REQUEST_NONCE))
        return REASON_SIGNATURE_PARAMETERS; /* an answer's */
    if ((why = audience_judge(j)) != REASON_OK)
        return why;
    return signature_judge_times(j->p, &j->signature, j->now_s, &j->ends_s);
}

static enum reason
token_judge(struct judging *j)
{
    const struct field *token = headers_get(&j->request->headers, FIELD_TOKEN);
    enum reason why = wit_verify(j->p->verifier, token->value, j->now_s, &j->wit);

    if (why != REASON_OK)
        return why;
    j->facts.thumbprint = text_of(j->wit.thumbprint, THUMBPRINT_SIZE);
    if ((why = signature_take_holder(&j->wit, &j->by)) != REASON_OK)
        return why;
    return wit_context(&j->wit, &j->facts.context);
}

static enum reason
signer_judge(struct judging *j)
{
    if (j->is_wimse)
        return token_judge(j);
    j->facts.thumbprint = j->signature.says.at[PARAMETER_KEYID].text;
    return signature_judge_key(j->p, &j->signature, &j->by);
}

/* ---- all of it */

/* Without a nonce, what was signed is what must not come twice: the signature's own
 * bytes have a second spelling (ECDSA's other s). */
static enum reason
replay_judge(struct judging *j)
{
    char digest[SHA256_BASE64URL_SIZE];

    j->facts.proof_id = j->signature.says.at[PARAMETER_NONCE].text;
    if (!parameters_say(&j->signature.says, PARAMETER_NONCE)) {
        digest_sha256_base64url(j->base, digest);
        j->facts.proof_id = arena_copy(j->arena, text_of(digest, sizeof digest));
    }
    return replay_cache_enter(j->p->verifier->replays, j->facts.thumbprint,
                              j->facts.proof_id, j->ends_s, j->now_s);
}

static enum reason
judge(struct judging *j)
{
    enum reason why = signature_find(&j->request->headers, j->is_wimse, j->p->tag,
                                     j->arena, &j->signature);

    if (why == REASON_OK)
        why = says_judge(j);
    if (why == REASON_OK)
        why = coverage_judge(j);
    if (why == REASON_OK)
        why = signer_judge(j);
    if (why == REASON_OK)
        why = signature_judge_bytes(&j->signature, &j->scene, &j->by, j->arena,
                                    &j->base);
    if (why == REASON_OK)
        why = body_judge(j);
    return why == REASON_OK ? replay_judge(j) : why;
}

static void
facts_keep(struct facts *out, const struct facts *f, struct arena *arena)
{
    *out = (struct facts){
        .context = { .workload = arena_copy(arena, f->context.workload),
                     .task = arena_copy(arena, f->context.task),
                     .grant = arena_copy(arena, f->context.grant),
                     .purpose = arena_copy(arena, f->context.purpose),
                     .owner = arena_copy(arena, f->context.owner) },
        .proof_id = arena_copy(arena, f->proof_id),
        .thumbprint = arena_copy(arena, f->thumbprint),
        .body_covered = f->body_covered,
    };
}

enum reason
httpsig_verify(const struct httpsig_policy *p, const struct request *request,
               const struct presented *received, int64_t now_s, struct arena *arena,
               struct facts *out)
{
    size_t tokens = headers_count(&request->headers, FIELD_TOKEN);
    struct judging j = {
        .p = p,
        .request = request,
        .scene = { .request = received,
                   .target = request->target,
                   .asked = { .headers = &request->headers,
                              .host = request->host,
                              .has_length = request->body.kind == BODY_LENGTH,
                              .length = request->body.length } },
        .arena = arena,
        .now_s = now_s,
        .is_wimse = tokens > 0,
    };
    enum reason why;

    *out = (struct facts){ .body_covered = false };
    if (tokens > 1)
        return REASON_TOKEN_REPEATED;
    if (tokens == 0 && p->keys == NULL)
        return REASON_TOKEN_MISSING;
    if ((why = judge(&j)) == REASON_OK)
        facts_keep(out, &j.facts, arena);
    wit_clear(&j.wit);
    return why;
}

void
httpsig_strip(struct headers *h)
{
    headers_remove(h, FIELD_SIGNATURE_INPUT);
    headers_remove(h, FIELD_SIGNATURE);
    headers_remove(h, FIELD_TOKEN);
}
