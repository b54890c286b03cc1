#include "tasks/audit_checkpoint.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "tasks/audit.h"

#include <stdlib.h>
#include <string.h>

enum { JWK_MAX = 16 * 1024 };

struct checkpoint_key {
    struct public_key *key;
    char thumbprint[THUMBPRINT_SIZE];
};

enum reason
checkpoint_key_load(const char *path, struct checkpoint_key **out)
{
    struct checkpoint_key *k = memory_new(sizeof *k);
    struct buf bytes = { 0 };
    struct json *jwk = NULL;
    struct text alg;
    enum reason why = file_read(path, JWK_MAX, &bytes);

    *out = NULL;
    if (why != REASON_OK)
        goto done;
    why = REASON_FILE_CONTENT;
    jwk = json_parse(buf_text(&bytes), JWK_MAX);
    k->key = jwk_import(jwk, &alg);
    if (k->key == NULL || public_key_kind(k->key) != KEY_P256 ||
        !jwk_thumbprint(jwk, k->thumbprint)) {
        log_reason(why, "%s: not the JWK of a public ES256 key", path);
        goto done;
    }
    *out = k;
    k = NULL;
    why = REASON_OK;
done:
    checkpoint_key_free(k);
    json_free(jwk);
    buf_free(&bytes);
    return why;
}

void
checkpoint_key_free(struct checkpoint_key *k)
{
    if (k == NULL)
        return;
    public_key_free(k->key);
    free(k);
}

const char *
checkpoint_thumbprint(const struct checkpoint_key *k)
{
    return k->thumbprint;
}

static bool
says(const struct json *object, const char *name, struct text what)
{
    struct text said;

    return json_string(json_get(object, name), &said) && text_equals(said, what);
}

static bool
read_claims(const struct checkpoint_key *k, const struct json *claims,
            const struct json *record, struct checkpoint *out)
{
    struct text hash;
    int64_t seq, own_seq;

    if (!says(claims, "ledger", text_of(k->thumbprint, sizeof k->thumbprint)) ||
        !json_number(json_get(claims, "seq"), &seq) || seq <= 0 ||
        !json_number(json_get(record, "seq"), &own_seq) || own_seq != seq + 1 ||
        !json_string(json_get(claims, "hash"), &hash) || hash.n != sizeof out->hash)
        return false;
    out->own_seq = (uint64_t)own_seq;
    out->seq = (uint64_t)seq;
    memcpy(out->hash, hash.at, hash.n);
    return true;
}

enum checkpoint_sort
checkpoint_read(const struct checkpoint_key *k, struct text line,
                struct checkpoint *out)
{
    enum checkpoint_sort sort = CHECKPOINT_NONE;
    struct text bare = text_ends(line, TEXT("\n")) ? text_of(line.at, line.n - 1)
                                                   : line;
    struct json *record = json_parse(bare, AUDIT_LINE_MAX);
    struct jws jws = { 0 };
    struct text compact;

    *out = (struct checkpoint){ 0 };
    if (!says(record, "kind", TEXT("checkpoint")) ||
        !json_string(json_get(record, "jws"), &compact))
        goto done;
    sort = CHECKPOINT_UNSIGNED;
    if (jws_parse(compact, &jws) == JWS_FINE && jws.alg == JWS_ES256 &&
        jws_typ_is(&jws, "ledger+jws") && jws_verify(&jws, k->key) &&
        read_claims(k, jws.claims, record, out)) {
        digest_sha256_base64url(bare, out->own_hash);
        sort = CHECKPOINT_GOOD;
    }
done:
    jws_clear(&jws);
    json_free(record);
    return sort;
}
