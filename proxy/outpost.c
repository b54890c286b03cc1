#include "proxy/outpost.h"

#include "base/clock.h"
#include "base/memory.h"
#include "certs/pair.h"
#include "proxy/reaper.h"
#include "proxy/resolve.h"

#include <assert.h>
#include <stdlib.h>

struct outpost *
outpost_new(struct loop *loop, struct generation *g, struct vault *v)
{
    struct outpost *o = memory_new(sizeof *o);

    generation_ref(g);
    if (v != NULL)
        vault_ref(v);
    *o = (struct outpost){ .references = 1, .generation = g, .vault = v, .loop = loop };
    return o;
}

void
outpost_ref(struct outpost *o)
{
    o->references++;
}

static void
forget_vault(void *vault)
{
    vault_unref(vault);
}

void
outpost_unref(struct outpost *o)
{
    if (o == NULL || --o->references > 0)
        return;
    resolver_free(o->resolver);
    if (o->vault != NULL)
        reaper_take(forget_vault, o->vault);
    generation_unref(o->generation);
    free(o);
}

struct resolver *
outpost_resolver(struct outpost *o)
{
    if (o->resolver == NULL)
        o->resolver = resolver_new(o->loop, &generation_conf(o->generation)->resolver);
    return o->resolver;
}

struct text
origin_of(const struct url *u, struct arena *arena)
{
    char printed[AUTHORITY_PRINT_SIZE];
    struct text to = authority_print(&u->to, 443, printed);

    return arena_printf(arena, "https://%.*s", TEXT_ARG(to));
}

/* What is wrong with the way there is the operator's to read in the log. */
enum reason
outpost_why(const struct errand *e)
{
    switch (errand_why(e)) {
    case REASON_OK:
        return REASON_OK;
    case REASON_DNS_TIMEOUT:
    case REASON_CONNECT_TIMEOUT:
    case REASON_UPSTREAM_TLS_TIMEOUT:
    case REASON_UPSTREAM_TIMEOUT:
        return REASON_AS_TIMEOUT;
    case REASON_UPSTREAM_MALFORMED:
    case REASON_UPSTREAM_HEAD_TOO_LARGE:
    case REASON_ANSWER_TOO_LARGE:
        return REASON_AS_MALFORMED;
    default:
        return REASON_AS_UNREACHABLE;
    }
}

/* ---- what it is asked with */

static enum reason
read_texts(const struct vault *v, const struct plea_terms *t, struct oauth_ask *ask)
{
    const struct conf_source *s = ask->source;
    bool mints = text_is_empty(t->revokes);
    const struct {
        const char *path;
        struct text *to;
    } texts[] = {
        { s->client_secret, &ask->client_secret },
        { s->client_assertion, &ask->client_assertion },
        { mints ? s->subject_token : NULL, &ask->subject_token },
        { mints ? s->actor_token : NULL, &ask->actor_token },
        { mints ? s->assertion : NULL, &ask->assertion },
        { mints && text_is_empty(t->refresh) ? s->refresh_token : NULL,
          &ask->refresh_token },
    };
    enum reason why = REASON_OK;

    for (size_t i = 0; i < sizeof texts / sizeof *texts && why == REASON_OK; i++)
        if (texts[i].path != NULL)
            why = vault_text(v, texts[i].path, texts[i].to);
    return why;
}

/* The vault's key is everybody's; a signature is made on a handle of one's own. */
static enum reason
borrow_key(const struct vault *v, struct oauth_ask *ask)
{
    const struct key *held;
    struct text key_id; /* the assertion names it itself */
    enum reason why;

    if (ask->source->client_key == NULL)
        return REASON_OK;
    if ((why = vault_key(v, ask->source->client_key, &held, &key_id)) != REASON_OK)
        return why;
    ask->client_key = key_share(held);
    return ask->client_key != NULL ? REASON_OK : REASON_SIGN;
}

static enum reason
borrow_pair(struct plea *p, const struct plea_terms *t)
{
    const struct conf *conf = generation_conf(p->at->generation);
    bool is_shown = t->credential->source.client_auth == CLIENT_MTLS ||
                    (text_is_empty(t->revokes) && t->form == FORM_MTLS);
    const struct conf_credential *shown;
    enum reason why;

    if (!is_shown)
        return REASON_OK;
    shown = conf_client_certificate(conf, t->credential);
    if (shown == NULL)
        return REASON_CREDENTIAL_UNAVAILABLE;
    if ((why = vault_pair(p->at->vault, shown, &p->pair)) != REASON_OK)
        return why;
    pair_ref(p->pair);
    return REASON_OK;
}

static enum reason
prove(struct plea *p, const struct plea_terms *t, const struct url *url,
      struct oauth_request *r)
{
    struct dpop_ask ask = { .method = TEXT("POST"),
                            .origin = origin_of(url, p->memory),
                            .path = url->path,
                            .now_s = clock_wall_s() };
    struct field *f = &r->fields[r->n_fields];
    struct text jti;
    enum reason why;

    if (t->signer == NULL)
        return REASON_OK;
    assert(r->n_fields < OAUTH_FIELDS);
    f->name = TEXT("DPoP");
    why = dpop_prove(t->signer, &ask, p->memory, &f->value, &jti);
    r->n_fields += why == REASON_OK;
    p->nonce = arena_copy(p->memory, dpop_nonce(t->signer, ask.origin));
    return why;
}

static enum reason
write_request(struct plea *p, const struct plea_terms *t, const struct url *url,
              struct oauth_request *r)
{
    struct oauth_ask ask = { .source = &t->credential->source,
                             .details = t->details,
                             .refresh_token = t->refresh,
                             .now_s = clock_wall_s() };
    enum reason why;

    if (p->at->vault == NULL)
        return REASON_CREDENTIAL_UNAVAILABLE;
    if ((why = read_texts(p->at->vault, t, &ask)) != REASON_OK ||
        (why = borrow_pair(p, t)) != REASON_OK ||
        (why = borrow_key(p->at->vault, &ask)) != REASON_OK)
        return why;
    why = text_is_empty(t->revokes) ? oauth_request(&ask, p->memory, r)
                                    : oauth_revocation(&ask, t->revokes, p->memory, r);
    key_free(ask.client_key);
    return why == REASON_OK ? prove(p, t, url, r) : why;
}

/* ---- one request */

enum reason
plea_begin(struct plea *p, struct outpost *from, const struct plea_terms *t,
           struct wake *bell)
{
    const struct conf_source *s = &t->credential->source;
    struct errand_ask ask = { .method = TEXT("POST"),
                              .client = generation_client(from->generation, s->trust),
                              .answer_max = OAUTH_ANSWER_MAX,
                              .timeout_ms = t->timeout_ms,
                              .is_retry = t->is_retry };
    struct oauth_request r = { .n_fields = 0 };
    struct url url;
    enum reason why;

    outpost_ref(from);
    *p = (struct plea){ .at = from, .memory = arena_new() };
    why = url_split(
        text_is_empty(t->revokes) ? s->token_endpoint : s->revocation_endpoint, &url);
    assert(why == REASON_OK); /* the config was checked */
    if ((why = write_request(p, t, &url, &r)) != REASON_OK) {
        plea_end(p);
        return why;
    }
    ask.url = &url;
    ask.fields = r.fields;
    ask.n_fields = r.n_fields;
    ask.body = r.body;
    ask.pair = p->pair;
    p->errand = errand_new(from->loop, outpost_resolver(from), &ask, bell);
    return REASON_OK;
}

void
plea_end(struct plea *p)
{
    errand_free(p->errand);
    pair_unref(p->pair);
    if (p->memory != NULL)
        arena_free(p->memory);
    outpost_unref(p->at);
    *p = (struct plea){ .at = NULL };
}

enum reason
plea_why(const struct plea *p)
{
    return outpost_why(p->errand);
}

struct oauth_reply
plea_reply(const struct plea *p)
{
    return (struct oauth_reply){ .status = errand_status(p->errand),
                                 .content_type = errand_field(p->errand,
                                                              TEXT("Content-Type")),
                                 .body = errand_body(p->errand) };
}
