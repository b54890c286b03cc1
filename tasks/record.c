#include "tasks/record.h"

#include "base/clock.h"
#include "base/json_write.h"
#include "tasks/demand.h"

#include <stdio.h>
#include <string.h>

static const char *const task_words[] = {
    [TASK_STANDING] = "standing", [TASK_REQUIRED] = "required", [TASK_POD] = "pod"
};

/* What is not known is not there. */
static void
put_known(struct buf *out, const char *key, const char *value)
{
    if (value != NULL)
        json_put_z(out, key, value);
}

static void
put_date(struct buf *out, const char *key, int64_t at_s)
{
    char z[25];

    if (at_s <= 0)
        return;
    clock_format(at_s * 1000, z);
    json_put_z(out, key, z);
}

static void
put_list(struct buf *out, const char *key, const struct strings *list)
{
    if (list->any) {
        json_put_z(out, key, "any");
        return;
    }
    json_open(out, key, '[');
    for (size_t i = 0; i < list->n; i++)
        json_put_z(out, NULL, list->at[i]);
    json_close(out, ']');
}

static void
put_approval(struct buf *out, const char *owner, const char *approved_by,
             const char *ticket)
{
    put_known(out, "owner", owner);
    put_known(out, "approved_by", approved_by);
    put_known(out, "ticket", ticket);
}

/* In hex, as `status` tells it. */
static void
put_digest(struct buf *out, const char *key, const unsigned char digest[SHA256_SIZE])
{
    char hex[2 * SHA256_SIZE + 1];

    for (size_t i = 0; i < SHA256_SIZE; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    json_put_z(out, key, hex);
}

static void
put_caller(struct buf *out, const struct conf_caller *c)
{
    struct buf said = { 0 };

    demand_print(c, '=', &said);
    if (buf_length(&said) > 0)
        json_put_text(out, "caller", buf_text(&said));
    buf_free(&said);
}

/* ---- the rules, as bytes that say the same for the same rules */

static void
put_cidrs(struct buf *out, const char *key, const struct cidrs *list)
{
    json_open(out, key, '[');
    for (size_t i = 0; i < list->n; i++) {
        char address[ADDRESS_PRINT_SIZE], range[ADDRESS_PRINT_SIZE + 8];

        address_print(&list->at[i].base, address);
        (void)snprintf(range, sizeof range, "%s/%u", address, list->at[i].bits);
        json_put_z(out, NULL, range);
    }
    json_close(out, ']');
}

static void
put_trust(struct buf *out, const char *key, const struct groups *list)
{
    const struct conf_trust *t = list->at;

    json_open(out, key, '[');
    for (size_t i = 0; i < list->n; i++) {
        json_open(out, NULL, '{');
        json_put_z(out, "domain", t[i].domain);
        json_put_z(out, "jwks_file", t[i].jwks_file);
        put_list(out, "subjects", &t[i].subjects);
        put_list(out, "issuers", &t[i].issuers);
        json_close(out, '}');
    }
    json_close(out, ']');
}

/* Of a rule that signs: the others all share what nobody wrote. */
static void
put_signature(struct buf *out, const struct conf_rule *r)
{
    const struct conf_signature *s = r->signature;

    if (s == NULL || !conf_names_bind(&r->bind, BIND_HTTPSIG))
        return;
    json_open(out, "signature", '{');
    json_put_number(out, "profile", s->profile);
    put_list(out, "components", &s->components);
    json_put_number(out, "expires_ms", s->expires_ms);
    json_put_number(out, "nonce", s->nonce);
    json_put_number(out, "created", s->created);
    json_put_number(out, "alg", s->alg);
    json_put_z(out, "tag", s->tag);
    json_put_z(out, "label", s->label);
    json_put_z(out, "audience", s->audience);
    json_put_number(out, "response", s->response);
    json_put_z(out, "response_jwks_file", s->response_jwks_file);
    put_trust(out, "response_trust", &s->response_trust);
    json_close(out, '}');
}

/* What rules of a grant say alike is written once, and copied while it stays the same.
 */
struct rest {
    const struct conf_rule *of; /* NULL: nothing is written yet */
    struct buf bytes;
};

/* But for what most rules differ in. As bytes, so that no key can be forgotten here;
 * what is the same and lies elsewhere is only written again. */
static bool
has_same_rest(const struct conf_rule *a, const struct conf_rule *b)
{
    struct conf_rule like = *a;

    like.place = b->place;
    like.host = b->host;
    like.paths = b->paths;
    return memcmp(&like, b, sizeof like) == 0;
}

static void
put_rest(struct buf *out, const struct conf_rule *r)
{
    json_put_number(out, "port", r->port);
    json_put_number(out, "scheme", r->scheme);
    json_put_number(out, "http", r->http);
    json_put_number(out, "opaque", r->opaque);
    put_list(out, "methods", &r->methods);
    json_put_z(out, "credential", r->credential);
    put_list(out, "bind", &r->bind);
    put_signature(out, r);
    json_put_z(out, "unbound_because", r->unbound_because);
    json_put_number(out, "inject", r->inject);
    json_put_number(out, "cookies", r->cookies);
    json_put_number(out, "own_proof", r->own_proof);
    json_put_number(out, "encoded_slashes", r->encoded_slashes);
    json_put_number(out, "signed_urls", r->signed_urls);
    json_put_number(out, "websocket", r->websocket);
    put_cidrs(out, "addresses", &r->addresses);
    json_put_z(out, "upstream_trust", r->upstream_trust);
    put_list(out, "purposes", &r->purposes);
}

/* Every key of a rule but its place: a rule that only moved in its file is the same. */
static void
put_rule(struct buf *out, const struct conf_rule *r, struct rest *rest)
{
    json_open(out, NULL, '{');
    json_put_z(out, "host", r->host);
    put_list(out, "paths", &r->paths);
    if (rest->of == NULL || !has_same_rest(rest->of, r)) {
        buf_truncate(&rest->bytes, 0);
        put_rest(&rest->bytes, r);
    }
    rest->of = r;
    buf_add_byte(out, ',');
    buf_add(out, buf_text(&rest->bytes));
    json_close(out, '}');
}

/* A few at a time: a grant of 100,000 is not written out in memory for its digest. */
static void
digest_rules(const struct groups *rules, unsigned char digest[SHA256_SIZE])
{
    enum { A_FEW = 12 << 10 };
    const struct conf_rule *r = rules->at;
    struct digest *d = digest_new();
    struct rest rest = { 0 };
    struct buf some = { 0 };

    for (size_t i = 0; i < rules->n; i++) {
        put_rule(&some, &r[i], &rest);
        buf_add_byte(&some, '\n');
        if (buf_length(&some) < A_FEW && i + 1 < rules->n)
            continue;
        digest_add(d, buf_text(&some));
        buf_truncate(&some, 0);
    }
    buf_free(&rest.bytes);
    buf_free(&some);
    digest_end(d, digest);
}

/* ---- the records */

void
record_approval(struct buf *out, const struct conf_grant *g)
{
    put_known(out, "grant", g->name);
    put_known(out, "owner", g->owner);
    put_known(out, "approved_by", g->approved_by);
    if (g->purposes.n == 1)
        put_known(out, "purpose", g->purposes.at[0]);
}

void
record_start(struct buf *out, const char *version, const struct conf *conf)
{
    put_known(out, "version", version);
    put_digest(out, "config", conf->digest);
    put_known(out, "workload", conf->workload.id);
}

void
record_grant(struct buf *out, uint64_t generation, const struct conf_grant *g)
{
    unsigned char digest[SHA256_SIZE];

    json_put_number(out, "generation", (int64_t)generation);
    put_known(out, "name", g->name);
    put_approval(out, g->owner, g->approved_by, g->ticket);
    put_date(out, "approved_at", g->approved_at);
    put_date(out, "expires_at", g->expires_at);
    put_list(out, "purposes", &g->purposes);
    json_put_z(out, "task", task_words[g->task]);
    json_put_number(out, "ttl_s", g->ttl_ms / 1000);
    put_caller(out, &g->caller);
    json_put_number(out, "rules", (int64_t)g->rules.n);
    digest_rules(&g->rules, digest);
    put_digest(out, "digest", digest);
}

/* Of most sources there is nobody to ask: a file's secret lives until it is rotated,
 * what the authority signs or a command tells, until it expires. */
static void
put_revocation(struct buf *out, const struct conf_source *s)
{
    struct buf path = { 0 };

    if (s->kind == SOURCE_OAUTH && s->revocation_endpoint != NULL) {
        buf_printf(&path, "rfc7009 %s", s->revocation_endpoint);
        json_put_text(out, "revocation", buf_text(&path));
    } else {
        json_put_z(out, "revocation", "none");
    }
    buf_free(&path);
}

void
record_credential(struct buf *out, uint64_t generation, const struct conf_credential *c)
{
    json_put_number(out, "generation", (int64_t)generation);
    put_known(out, "name", c->name);
    put_approval(out, c->owner, c->approved_by, c->ticket);
    json_put_number(out, "rotate_every_s", c->rotate_every_ms / 1000);
    put_known(out, "privileges", c->privileges);
    json_put_z(out, "source", conf_source_words[c->source.kind]);
    put_revocation(out, &c->source);
}

void
record_generation(struct buf *out, uint64_t generation, const struct conf *conf)
{
    json_put_number(out, "generation", (int64_t)generation);
    put_digest(out, "digest", conf->digest);
    json_put_number(out, "grants", (int64_t)conf->grants.n);
    json_put_number(out, "credentials", (int64_t)conf->credentials.n);
}

static void
put_asker(struct buf *out, int64_t uid)
{
    if (uid >= 0)
        json_put_number(out, "by", uid);
}

static void
put_task(struct buf *out, const struct task *k)
{
    json_put_text(out, "task", task_id(k));
    put_known(out, "grant", task_grant(k));
}

void
record_task_start(struct buf *out, const struct task *k)
{
    put_task(out, k);
    put_known(out, "owner", task_owner(k));
    put_known(out, "approved_by", task_approver(k));
    put_known(out, "purpose", task_purpose(k));
    json_put_z(out, "mode", task_words[task_kind(k)]);
    put_caller(out, task_caller(k));
    json_put_number(out, "ttl_s", task_ttl_ms(k) / 1000);
    if (task_max_requests(k) > 0)
        json_put_number(out, "max_requests", task_max_requests(k));
    json_put_text(out, "key", identity_thumbprint(task_identity(k)));
    put_asker(out, task_started_by(k));
}

void
record_revocation(struct buf *out, const struct task *k, const char *outcome)
{
    put_task(out, k);
    put_known(out, "outcome", outcome);
}

static void
put_token(struct buf *out, const struct task *k, const char *credential,
          const struct token *t)
{
    put_task(out, k);
    put_known(out, "credential", credential);
    json_put_text(out, "token", token_id(t));
    put_date(out, "expires_at", token_expires(t));
}

void
record_token(struct buf *out, const struct task *k, const char *credential,
             const struct token *t)
{
    put_token(out, k, credential, t);
    json_put_z(out, "form", token_form_word(token_form(t)));
}

void
record_token_end(struct buf *out, const struct task *k, const char *credential,
                 const struct token *t, const char *outcome)
{
    put_token(out, k, credential, t);
    json_put_z(out, "outcome", outcome);
}

void
record_task_end(struct buf *out, const struct task *k, enum task_cause cause,
                int64_t took_ms, const char *revocation)
{
    struct task_counts counts;

    task_counts(k, &counts);
    put_task(out, k);
    put_known(out, "cause", task_cause_word(cause));
    json_put_number(out, "allowed", (int64_t)counts.allowed);
    json_put_number(out, "refused", (int64_t)counts.refused);
    json_put_number(out, "cut", (int64_t)counts.cut);
    json_put_number(out, "ms", took_ms);
    put_known(out, "revocation", revocation);
    put_asker(out, task_ended_by(k));
}
