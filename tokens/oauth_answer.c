/* What is answered. It comes from a server that the operator trusts with this one
 * credential, and is read as any stranger's: what is not exactly a token that can be
 * presented is none. */
#include "tokens/oauth.h"

#include "base/digest.h"
#include "base/json.h"

#include <string.h>

/* A word of the server's own choosing stands in no log. */
static const char *const errors[] = {
    "invalid_request",         "invalid_client",
    "invalid_grant",           "unauthorized_client",
    "unsupported_grant_type",  "invalid_scope",
    "invalid_target",          "invalid_dpop_proof",
    "use_dpop_nonce",          "invalid_authorization_details",
    "access_denied",           "interaction_required",
    "temporarily_unavailable", "server_error",
};

static bool
is_json(struct text content_type)
{
    struct text rest = content_type, type;

    return text_split(&rest, ';', &type) &&
           text_equals_nocase(text_trim(type), TEXT("application/json"));
}

/* ---- a refusal */

static const char *
known_error(const struct json *answer)
{
    struct text word = json_text_of(answer, "error");

    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (text_equals(word, text_z(errors[i])))
            return errors[i];
    return text_is_empty(word) ? NULL : "other";
}

/* A redirect is followed nowhere: what would be sent on is the client's own proof. */
static enum reason
read_refusal(const struct json *answer, int status, struct oauth_answer *out)
{
    out->error = known_error(answer);
    out->wants_nonce = out->error != NULL && strcmp(out->error, "use_dpop_nonce") == 0;
    if (status >= 500 || status == 429)
        return REASON_AS_UNREACHABLE;
    return status >= 400 ? REASON_AS_REFUSED : REASON_AS_MALFORMED;
}

/* ---- a token */

/* What may stand in Authorization behind the scheme, and be read as one thing there. */
static bool
may_be_presented(struct text token)
{
    for (size_t i = 0; i < token.n; i++) {
        char c = token.at[i];

        if (c <= ' ' || c > '~' || c == '"' || c == ',' || c == ';' || c == '\\')
            return false;
    }
    return token.n > 0 && token.n <= OAUTH_TOKEN_MAX;
}

/* Servers write it as a number, some as one in quotes. */
static bool
read_life(const struct json *answer, int64_t *out)
{
    const struct json *life = json_get(answer, "expires_in");
    struct text digits;
    int64_t told;
    uint64_t n;

    *out = OAUTH_LIFE_S;
    if (life == NULL)
        return true;
    if (json_string(life, &digits)) {
        if (!text_to_u64(digits, INT64_MAX, &n))
            return false;
        told = (int64_t)n;
    } else if (!json_number(life, &told)) {
        return false;
    }
    if (told <= 0)
        return false;
    *out = told < OAUTH_LIFE_MAX_S ? told : OAUTH_LIFE_MAX_S;
    return true;
}

/* What a token that can be read (a JWT) says it is bound to. NULL: it cannot. */
static struct json *
read_claims(struct text token)
{
    unsigned char bytes[OAUTH_TOKEN_MAX];
    struct text rest = token, header, payload, signature;
    struct json *claims = NULL;
    size_t n;

    if (text_split(&rest, '.', &header) && text_split(&rest, '.', &payload) &&
        text_split(&rest, '.', &signature) && rest.at == NULL &&
        base64url_decode(payload, bytes, &n))
        claims = json_parse(text_of((const char *)bytes, n), sizeof bytes);
    explicit_bzero(bytes, sizeof bytes);
    return claims;
}

/* token_type says it of DPoP; of a certificate nothing but the token does. Whoever can
 * read its token finds another's key there, or none. */
static bool
is_bound(const struct oauth_wish *wish, struct text token)
{
    const char *member = wish->form == FORM_DPOP ? "jkt" : "x5t#S256";
    struct json *claims;
    struct text told;
    bool bound;

    if (wish->form == FORM_BEARER || (claims = read_claims(token)) == NULL)
        return true;
    told = json_text_of(json_get(claims, "cnf"), member);
    bound = text_equals(told, wish->thumbprint) ||
            (wish->form == FORM_DPOP && text_is_empty(told));
    json_free(claims);
    return bound;
}

static enum reason
judge_type(const struct oauth_wish *wish, struct text type, struct text token)
{
    bool is_bearer = text_equals_nocase(type, TEXT("Bearer"));
    bool is_dpop = text_equals_nocase(type, TEXT("DPoP"));

    if (!is_bearer && !is_dpop)
        return REASON_AS_MALFORMED;
    if (wish->form == FORM_DPOP ? is_bearer : is_dpop)
        return is_bearer ? REASON_TOKEN_UNBOUND : REASON_AS_MALFORMED;
    return is_bound(wish, token) ? REASON_OK : REASON_TOKEN_UNBOUND;
}

static enum reason
read_token(const struct oauth_wish *wish, const struct json *answer,
           struct arena *arena, struct oauth_answer *out)
{
    struct text token = json_text_of(answer, "access_token");
    struct text refresh = json_text_of(answer, "refresh_token");

    /* Whatever else is wrong: the one before is spent, and this one is to be revoked.
     */
    if (refresh.n <= OAUTH_TOKEN_MAX)
        out->refresh = arena_copy(arena, refresh);
    if (!may_be_presented(token))
        return REASON_AS_MALFORMED;
    out->token = arena_copy(arena, token);
    if (!read_life(answer, &out->lives_s) || refresh.n > OAUTH_TOKEN_MAX)
        return REASON_AS_MALFORMED;
    return judge_type(wish, json_text_of(answer, "token_type"), token);
}

enum reason
oauth_answer(const struct oauth_wish *wish, const struct oauth_reply *reply,
             struct arena *arena, struct oauth_answer *out)
{
    struct json *answer = NULL;
    enum reason why;

    *out = (struct oauth_answer){ .lives_s = 0 };
    if (is_json(reply->content_type))
        answer = json_parse(reply->body, OAUTH_ANSWER_MAX);
    if (reply->status != 200)
        why = read_refusal(answer, reply->status, out);
    else if (!json_is_object(answer))
        why = REASON_AS_MALFORMED;
    else
        why = read_token(wish, answer, arena, out);
    json_free(answer);
    return why;
}
