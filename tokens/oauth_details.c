/* What a token is asked for, beyond its scope: the grant in the words of RFC 9396; and
 * what of a config a token depends on. */
#include "tokens/oauth.h"

#include "base/json_write.h"

#include <stdio.h>
#include <string.h>

enum { LOCATIONS_MAX = 256, ACTIONS_MAX = 32 };

/* ---- the grant */

struct found {
    const struct conf_rule *rules[LOCATIONS_MAX]; /* one for each origin */
    size_t n_rules;
    const char *actions[ACTIONS_MAX];
    size_t n_actions;
    bool any_action, too_many;
};

static bool
is_for(const struct conf_rule *r, const struct oauth_terms *t)
{
    bool purpose = r->purposes.n == 0;

    for (size_t i = 0; i < r->purposes.n; i++)
        purpose |= strcmp(r->purposes.at[i], t->purpose) == 0;
    return purpose && r->credential != NULL &&
           strcmp(r->credential, t->credential->name) == 0;
}

static bool
leads_alike(const struct conf_rule *a, const struct conf_rule *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* Rules of one host mostly stand together: the last one first. */
static void
take_location(struct found *f, const struct conf_rule *r)
{
    for (size_t i = f->n_rules; i > 0; i--)
        if (leads_alike(f->rules[i - 1], r))
            return;
    if (f->n_rules < LOCATIONS_MAX)
        f->rules[f->n_rules++] = r;
    else
        f->too_many = true;
}

static void
take_action(struct found *f, const char *method)
{
    for (size_t i = 0; i < f->n_actions; i++)
        if (strcmp(f->actions[i], method) == 0)
            return;
    if (f->n_actions < ACTIONS_MAX)
        f->actions[f->n_actions++] = method;
    else
        f->too_many = true;
}

static void
find(const struct oauth_terms *t, struct found *f)
{
    const struct conf_rule *rules = t->grant->rules.at;

    for (size_t i = 0; i < t->grant->rules.n && !f->too_many; i++) {
        const struct conf_rule *r = &rules[i];

        if (!is_for(r, t))
            continue;
        take_location(f, r);
        f->any_action |= r->methods.any;
        for (size_t j = 0; j < r->methods.n; j++)
            take_action(f, r->methods.at[j]);
    }
}

static void
put_location(struct buf *out, const struct conf_rule *r)
{
    char port[sizeof ":65535"] = "";
    struct buf origin = { 0 };

    if (r->port != 0 && r->port != 443)
        (void)snprintf(port, sizeof port, ":%u", (unsigned)(uint16_t)r->port);
    buf_add_z(&origin, "https://");
    buf_add_z(&origin, r->host);
    buf_add_z(&origin, port);
    json_put_text(out, NULL, buf_text(&origin));
    buf_free(&origin);
}

/* No actions at all: those of the rules are not limited. */
static void
put_found(struct buf *out, const struct found *f)
{
    json_open(out, "locations", '[');
    for (size_t i = 0; i < f->n_rules; i++)
        put_location(out, f->rules[i]);
    json_close(out, ']');
    if (f->any_action)
        return;
    json_open(out, "actions", '[');
    for (size_t i = 0; i < f->n_actions; i++)
        json_put_z(out, NULL, f->actions[i]);
    json_close(out, ']');
}

bool
oauth_details(const struct oauth_terms *t, struct buf *out)
{
    struct found f = { .n_rules = 0 };
    size_t before = buf_length(out);

    find(t, &f);
    json_open(out, NULL, '[');
    json_open(out, NULL, '{');
    json_put_z(out, "type", t->credential->source.authorization_details_type);
    json_put_z(out, "identifier", t->grant->name);
    put_found(out, &f);
    json_put_z(out, "purpose", t->purpose);
    json_put_text(out, "task", t->task);
    json_close(out, '}');
    json_close(out, ']');
    if (!f.too_many && buf_length(out) - before <= OAUTH_DETAILS_MAX)
        return true;
    buf_truncate(out, before);
    return false;
}

/* ---- the credential */

static void
put_list(struct buf *out, const char *key, const struct strings *list)
{
    json_open(out, key, '[');
    for (size_t i = 0; i < list->n; i++)
        json_put_z(out, NULL, list->at[i]);
    json_close(out, ']');
}

static void
put_client(struct buf *out, const struct conf_source *s)
{
    json_put_number(out, "client_auth", s->client_auth);
    json_put_z(out, "client_id", s->client_id);
    json_put_z(out, "client_secret", s->client_secret);
    json_put_z(out, "client_key", s->client_key);
    json_put_z(out, "client_key_id", s->client_key_id);
    json_put_z(out, "client_assertion", s->client_assertion);
    json_put_z(out, "client_certificate", s->client_certificate);
}

static void
put_wishes(struct buf *out, const struct conf_source *s)
{
    json_put_number(out, "grant_type", s->grant_type);
    json_put_z(out, "scope", s->scope);
    json_put_z(out, "audience", s->audience);
    put_list(out, "resource", &s->resource);
    json_put_number(out, "details", s->authorization_details);
    json_put_z(out, "details_type", s->authorization_details_type);
    json_put_z(out, "subject_token", s->subject_token);
    json_put_z(out, "subject_token_type", s->subject_token_type);
    json_put_z(out, "actor_token", s->actor_token);
    json_put_z(out, "actor_token_type", s->actor_token_type);
    json_put_z(out, "requested_token_type", s->requested_token_type);
    json_put_z(out, "refresh_token", s->refresh_token);
    json_put_z(out, "assertion", s->assertion);
}

static void
put_certificate(struct buf *out, const struct conf_credential *c)
{
    if (c == NULL)
        return;
    json_put_z(out, "certificate", c->source.certificate);
    json_put_z(out, "key", c->source.key);
}

void
oauth_digest(const struct conf *conf, const struct conf_credential *c,
             unsigned char out[SHA256_SIZE])
{
    const struct conf_source *s = &c->source;
    struct buf b = { 0 };

    json_open(&b, NULL, '{');
    json_put_z(&b, "name", c->name);
    json_put_number(&b, "kind", s->kind);
    json_put_z(&b, "token_endpoint", s->token_endpoint);
    json_put_z(&b, "revocation_endpoint", s->revocation_endpoint);
    json_put_z(&b, "issuer", s->issuer);
    json_put_z(&b, "trust", s->trust);
    put_client(&b, s);
    put_wishes(&b, s);
    put_certificate(&b, conf_client_certificate(conf, c));
    put_list(&b, "command", &s->command);
    json_close(&b, '}');
    digest_sha256(buf_text(&b), out);
    buf_free(&b);
}
