/* Answers that have to be signed. The signature is judged at the head, before the
 * client hears anything; the body, by the digest that was signed, as it passes. Its
 * last byte is kept back until all of it has fitted: whatever frames the body for the
 * client, what does not fit cannot be taken for whole. Nothing that no signature covers
 * is passed on: no interim answer but 100, no trailers. */
#include "proxy/relay_parts.h"

#include "base/clock.h"
#include "conf/conf.h"

static bool
has_body(const struct response *r)
{
    return r->body.kind == BODY_STREAM ||
           (r->body.kind == BODY_LENGTH && r->body.length > 0);
}

static void
describe(const struct exchange *x, const struct presented *sent,
         struct httpsig_answer *answer)
{
    const struct conf_rule *rule = x->view.rule;
    const struct conf_credential *c = conf_credential(x->view.conf, rule->credential);
    char *room = arena_alloc(x->arena, AUTHORITY_PRINT_SIZE);

    answer->scene = (struct signature_scene){
        .request = sent,
        .asked = { .headers = &x->request.headers,
                   .host = authority_print(&sent->authority, 443, room),
                   .has_length = x->request.body.kind == BODY_LENGTH,
                   .length = x->request.body.length },
        .status = x->response.status,
        .answered = { .headers = &x->response.headers,
                      .has_length = x->response.body.kind == BODY_LENGTH,
                      .length = x->response.body.length },
    };
    answer->is_wimse = conf_profile(rule, c) == PROFILE_WIMSE;
    answer->label = answer->is_wimse ? TEXT("wimse") : text_z(rule->signature->label);
    answer->nonce = x->view.evidence.proof_id;
    answer->has_body = has_body(&x->response);
}

static const struct httpsig_policy *
policy_of(const struct exchange *x)
{
    return chain_answer_policy(generation_chain(x->epoch->generation), &x->view);
}

bool
answer_must_be_signed(const struct exchange *x)
{
    return policy_of(x) != NULL;
}

enum reason
answer_judge(struct exchange *x)
{
    const struct httpsig_policy *policy = policy_of(x);
    struct httpsig_answer answer;
    struct presented sent;
    struct content_digest said;
    enum reason why;

    if (policy == NULL)
        return REASON_OK;
    sent = view_presented(&x->view);
    describe(x, &sent, &answer);
    why = httpsig_judge_answer(policy, &answer, clock_wall_s(), x->arena, &said);
    if (why == REASON_OK && answer.has_body)
        x->answer.check = content_check_new(&said);
    return why;
}

static void
let_go(struct exchange *x)
{
    if (x->answer.has_last)
        stream_write_body(x->down, text_of(&x->answer.last, 1));
    x->answer.has_last = false;
}

void
answer_pass(struct exchange *x, struct text piece)
{
    if (x->answer.check == NULL) {
        relay_pass(x->down, &x->conn->link, piece);
        return;
    }
    if (piece.n == 0)
        return;
    content_check_add(x->answer.check, piece);
    let_go(x);
    x->answer.last = piece.at[piece.n - 1];
    x->answer.has_last = true;
    relay_pass(x->down, &x->conn->link, text_of(piece.at, piece.n - 1));
}

enum reason
answer_end(struct exchange *x)
{
    struct content_check *check = x->answer.check;

    if (check == NULL)
        return REASON_OK;
    x->answer.check = NULL;
    if (!content_check_end(check))
        return REASON_ANSWER_DIGEST;
    let_go(x);
    return REASON_OK;
}
