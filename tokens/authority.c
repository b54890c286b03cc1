/* Our authority: says, under its own key, which workload holds which key, for which
 * task. That key signs identity tokens and nothing else. */
#include "tokens/authority.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "tokens/identifier.h"
#include "tokens/jws.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { JTI_BYTES = 16 };

struct authority_key {
    struct key *key;
    char kid[THUMBPRINT_SIZE + 1];
    char *name;
    struct buf header;       /* base64url: the same for every token */
    pthread_mutex_t signing; /* a key signs for one thread at a time; once per task */
};

static atomic_bool issuing_fails;

void
authority_fail_issuing(bool fail)
{
    atomic_store(&issuing_fails, fail);
}

static void
header_spell(struct authority_key *a)
{
    struct buf json = { 0 };
    struct text t;

    buf_printf(&json, "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"wit+jwt\"}", a->kid);
    t = buf_text(&json);
    buf_commit(&a->header,
               base64url_encode((const unsigned char *)t.at, t.n,
                                buf_reserve(&a->header, BASE64URL_SIZE(t.n))));
    buf_free(&json);
}

enum reason
authority_open(const char *keep, const char *name, struct authority_key **out)
{
    struct authority_key *a = NULL;
    struct buf path = { 0 };
    enum reason why;

    *out = NULL;
    if (!trust_domain_is_valid(text_z(name)))
        return log_reason(REASON_CONFIG, "authority: \"%s\" is no trust domain", name);
    if ((why = file_make_directory(keep, 0700)) != REASON_OK)
        return why;
    a = memory_new(sizeof *a);
    a->name = memory_copy_z(name);
    pthread_mutex_init(&a->signing, NULL);
    buf_printf(&path, "%s/authority.key%c", keep, '\0');
    if ((why = key_keep(buf_text(&path).at, &a->key)) != REASON_OK)
        goto done;
    key_thumbprint(a->key, a->kid);
    header_spell(a);
    *out = a;
    a = NULL;
done:
    buf_free(&path);
    authority_free(a);
    return why;
}

void
authority_free(struct authority_key *a)
{
    if (a == NULL)
        return;
    key_free(a->key);
    buf_free(&a->header);
    pthread_mutex_destroy(&a->signing);
    free(a->name);
    free(a);
}

enum reason
authority_publish(const struct authority_key *a, const char *directory)
{
    struct buf path = { 0 }, json = { 0 };
    enum reason why;

    buf_printf(&path, "%s/jwks.json%c", directory, '\0');
    buf_add_z(&json, "{\"keys\":[");
    jwk_print(a->key, a->kid, &json);
    buf_add_z(&json, "]}\n");
    why = file_write(buf_text(&path).at, 0644, buf_text(&json));
    buf_free(&path);
    buf_free(&json);
    return why;
}

static void
write_member(struct buf *out, const char *name_and_colon, struct text value)
{
    buf_add_z(out, name_and_colon);
    json_write_string(out, value);
}

static void
write_context(struct buf *out, const struct context *c)
{
    write_member(out, ",\"" CLAIM_CONTEXT "\":{\"grant\":", c->grant);
    write_member(out, ",\"owner\":", c->owner);
    if (!text_is_empty(c->pod))
        write_member(out, ",\"pod\":", c->pod);
    if (!text_is_empty(c->container))
        write_member(out, ",\"container\":", c->container);
    write_member(out, ",\"purpose\":", c->purpose);
    write_member(out, ",\"task\":", c->task);
    buf_add_byte(out, '}');
}

static void
write_claims(struct buf *out, const struct authority_key *a, struct text scheme,
             const struct context *c, const struct key *holder, int64_t now_s,
             int64_t exp_s)
{
    unsigned char random[JTI_BYTES];
    char jti[BASE64URL_SIZE(JTI_BYTES)];

    random_bytes(random, sizeof random);
    base64url_encode(random, sizeof random, jti);
    buf_printf(out, "{\"iss\":\"%.*s://%s\"", TEXT_ARG(scheme), a->name);
    write_member(out, ",\"sub\":", c->workload);
    buf_printf(out, ",\"iat\":%lld,\"exp\":%lld,\"jti\":\"%.*s\",\"cnf\":{\"jwk\":",
               (long long)now_s, (long long)exp_s, (int)sizeof jti, jti);
    jwk_print(holder, NULL, out);
    buf_add_byte(out, '}');
    write_context(out, c);
    buf_add_byte(out, '}');
}

enum reason
authority_issue(struct authority_key *a, const struct context *context,
                const struct key *holder, int64_t now_s, int64_t exp_s, struct buf *out)
{
    struct identifier subject;
    struct buf claims = { 0 };
    enum reason why;

    if (atomic_load(&issuing_fails))
        return log_reason(REASON_MINT_TOKEN, "issuing was made to fail");
    if (!identifier_parse(context->workload, &subject))
        return log_reason(REASON_MINT_TOKEN, "\"%.*s\" is no workload identifier",
                          TEXT_ARG(context->workload));
    if (context_check(context) != REASON_OK || exp_s <= now_s)
        return log_reason(REASON_MINT_TOKEN,
                          "no token for grant \"%.*s\": a context claim is missing, "
                          "too long or malformed, or its time is over",
                          TEXT_ARG(context->grant));
    write_claims(&claims, a, subject.scheme, context, holder, now_s, exp_s);
    pthread_mutex_lock(&a->signing);
    why = jws_sign(a->key, buf_text(&a->header), buf_text(&claims), out);
    pthread_mutex_unlock(&a->signing);
    buf_free(&claims);
    return why == REASON_OK ? REASON_OK
                            : log_reason(REASON_MINT_TOKEN, "a token was not signed");
}
