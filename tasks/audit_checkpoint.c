#include "tasks/audit_checkpoint.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "tasks/audit_files.h"

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

/* The record's one spelling: nothing beside the JWS, nothing behind it. */
static bool
read_record(struct text line, struct audit_line *record, struct text *compact)
{
    static const struct text before = { ",\"jws\":\"", 8 }, after = { "\"}", 2 };
    struct text rest;

    if (!audit_take_apart(line, record) ||
        !text_equals(audit_kind(record), TEXT("checkpoint")))
        return false;
    rest.at = audit_kind(record).at + record->kind_length + 1;
    rest.n = line.n - (size_t)(rest.at - line.at);
    if (rest.n < before.n + after.n || !text_starts(rest, before) ||
        !text_ends(rest, after))
        return false;
    *compact = text_of(rest.at + before.n, rest.n - before.n - after.n);
    return true;
}

static enum checkpoint_sort
read_claims(const struct checkpoint_key *k, const struct json *claims,
            const struct audit_line *record, struct checkpoint *out)
{
    struct text hash;
    int64_t seq;

    if (!says(claims, "ledger", text_of(k->thumbprint, sizeof k->thumbprint)) ||
        !json_number(json_get(claims, "seq"), &seq) || seq <= 0 ||
        record->seq != (uint64_t)seq + 1 ||
        !json_string(json_get(claims, "hash"), &hash) || hash.n != sizeof out->hash)
        return CHECKPOINT_UNSIGNED;
    if (!says(claims, "ts", audit_ts(record)))
        return CHECKPOINT_OTHER_TIME;
    out->own_seq = record->seq;
    out->seq = (uint64_t)seq;
    memcpy(out->hash, hash.at, hash.n);
    digest_sha256_base64url(record->text, out->own_hash);
    return CHECKPOINT_GOOD;
}

enum checkpoint_sort
checkpoint_read(const struct checkpoint_key *k, struct text line,
                struct checkpoint *out)
{
    enum checkpoint_sort sort = CHECKPOINT_UNSIGNED;
    struct text bare = text_ends(line, TEXT("\n")) ? text_of(line.at, line.n - 1)
                                                   : line;
    struct jws jws = { 0 };
    struct audit_line record;
    struct text compact;

    *out = (struct checkpoint){ 0 };
    if (!read_record(bare, &record, &compact))
        return CHECKPOINT_NONE;
    if (jws_parse(compact, &jws) == JWS_FINE && jws.alg == KEY_ES256 &&
        jws_typ_is(&jws, "ledger+jws") && jws_verify(&jws, k->key))
        sort = read_claims(k, jws.claims, &record, out);
    jws_clear(&jws);
    return sort;
}
