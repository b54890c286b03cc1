/* What is asked: a form, and who asks. */
#include "tokens/oauth.h"

#include "base/digest.h"

#include <string.h>

#define ASSERTION_JWT  "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define ASSERTION_SVID "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"

static const char *const grant_words[] = {
    [OAUTH_CLIENT_CREDENTIALS] = "client_credentials",
    [OAUTH_REFRESH_TOKEN] = "refresh_token",
    [OAUTH_JWT_BEARER] = "urn:ietf:params:oauth:grant-type:jwt-bearer",
    [OAUTH_TOKEN_EXCHANGE] = "urn:ietf:params:oauth:grant-type:token-exchange",
};

/* ---- a form (application/x-www-form-urlencoded) */

static bool
stands_as_it_is(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '*';
}

static void
encode(struct buf *out, struct text t)
{
    static const char hex[] = "0123456789ABCDEF";
    char *start = buf_reserve(out, 3 * t.n), *at = start;

    for (size_t i = 0; i < t.n; i++) {
        unsigned char c = (unsigned char)t.at[i];

        if (stands_as_it_is(t.at[i])) {
            *at++ = t.at[i];
        } else if (c == ' ') {
            *at++ = '+';
        } else {
            *at++ = '%';
            *at++ = hex[c >> 4];
            *at++ = hex[c & 15];
        }
    }
    buf_commit(out, (size_t)(at - start));
}

static void
put(struct buf *form, const char *name, struct text value)
{
    if (text_is_empty(value))
        return;
    if (buf_length(form) > 0)
        buf_add_byte(form, '&');
    buf_add_z(form, name);
    buf_add_byte(form, '=');
    encode(form, value);
}

static void
put_z(struct buf *form, const char *name, const char *value)
{
    put(form, name, text_z(value));
}

/* ---- who asks */

static void
add_field(struct oauth_request *out, struct text name, struct text value)
{
    out->fields[out->n_fields++] = (struct field){ .name = name, .value = value };
}

/* RFC 6749 section 2.3.1: both halves are form-encoded first. */
static void
add_basic(const struct oauth_ask *ask, struct arena *arena, struct oauth_request *out)
{
    struct buf pair = { 0 };
    struct text t;
    char *value;

    encode(&pair, text_z(ask->source->client_id));
    buf_add_byte(&pair, ':');
    encode(&pair, ask->client_secret);
    t = buf_text(&pair);
    value = arena_alloc(arena, strlen("Basic ") + BASE64_SIZE(t.n));
    memcpy(value, "Basic ", strlen("Basic "));
    base64_encode((const unsigned char *)t.at, t.n, value + strlen("Basic "));
    add_field(out, TEXT("Authorization"),
              text_of(value, strlen("Basic ") + BASE64_SIZE(t.n)));
    buf_wipe(&pair);
}

static enum reason
put_assertion(const struct oauth_ask *ask, struct buf *form)
{
    struct buf jwt = { 0 };
    enum reason why = client_assertion_write(ask->client_key, ask->source, ask->now_s,
                                             &jwt);

    put_z(form, "client_assertion_type", ASSERTION_JWT);
    put(form, "client_assertion", buf_text(&jwt));
    buf_wipe(&jwt);
    return why;
}

static enum reason
put_client(const struct oauth_ask *ask, struct buf *form, struct arena *arena,
           struct oauth_request *out)
{
    const struct conf_source *s = ask->source;

    if (s->client_auth == CLIENT_SECRET_BASIC) {
        add_basic(ask, arena, out);
        return REASON_OK;
    }
    put_z(form, "client_id", s->client_id);
    if (s->client_auth == CLIENT_PRIVATE_KEY_JWT)
        return put_assertion(ask, form);
    if (s->client_auth == CLIENT_SECRET_POST)
        put(form, "client_secret", ask->client_secret);
    if (s->client_auth == CLIENT_JWT_SVID) {
        put_z(form, "client_assertion_type", ASSERTION_SVID);
        put(form, "client_assertion", ask->client_assertion);
    }
    return REASON_OK;
}

/* ---- what is asked */

static void
put_exchange(const struct oauth_ask *ask, struct buf *form)
{
    const struct conf_source *s = ask->source;

    put(form, "subject_token", ask->subject_token);
    put_z(form, "subject_token_type", s->subject_token_type);
    if (s->actor_token != NULL) {
        put(form, "actor_token", ask->actor_token);
        put_z(form, "actor_token_type", s->actor_token_type);
    }
    put_z(form, "requested_token_type", s->requested_token_type);
}

static void
put_grant(const struct oauth_ask *ask, struct buf *form)
{
    const struct conf_source *s = ask->source;

    put_z(form, "grant_type", grant_words[s->grant_type]);
    if (s->grant_type == OAUTH_REFRESH_TOKEN)
        put(form, "refresh_token", ask->refresh_token);
    if (s->grant_type == OAUTH_JWT_BEARER)
        put(form, "assertion", ask->assertion);
    if (s->grant_type == OAUTH_TOKEN_EXCHANGE)
        put_exchange(ask, form);
    put_z(form, "scope", s->scope);
    put_z(form, "audience", s->audience);
    for (size_t i = 0; i < s->resource.n; i++)
        put_z(form, "resource", s->resource.at[i]);
    put(form, "authorization_details", ask->details);
}

static enum reason
finish(const struct oauth_ask *ask, struct buf *form, struct arena *arena,
       struct oauth_request *out)
{
    enum reason why;

    out->n_fields = 0;
    add_field(out, TEXT("Content-Type"), TEXT("application/x-www-form-urlencoded"));
    add_field(out, TEXT("Accept"), TEXT("application/json"));
    why = put_client(ask, form, arena, out);
    out->body = arena_copy(arena, buf_text(form));
    buf_wipe(form);
    return why;
}

enum reason
oauth_request(const struct oauth_ask *ask, struct arena *arena,
              struct oauth_request *out)
{
    struct buf form = { 0 };

    put_grant(ask, &form);
    return finish(ask, &form, arena, out);
}

enum reason
oauth_revocation(const struct oauth_ask *ask, struct text token, struct arena *arena,
                 struct oauth_request *out)
{
    struct buf form = { 0 };

    put(&form, "token", token);
    put_z(&form, "token_type_hint", "access_token");
    return finish(ask, &form, arena, out);
}

enum reason
oauth_introspection(const char *client_id, struct text secret, struct text token,
                    struct arena *arena, struct oauth_request *out)
{
    const struct conf_source client = { .client_id = client_id,
                                        .client_auth = CLIENT_SECRET_BASIC };
    const struct oauth_ask ask = { .source = &client, .client_secret = secret };

    return oauth_revocation(&ask, token, arena, out); /* the same form */
}
