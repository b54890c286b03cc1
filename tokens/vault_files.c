/* Which files a credential names, and how each is read. */
#include "tokens/vault_parts.h"

#include "base/memory.h"
#include "tokens/presenter.h"

#include <stdlib.h>
#include <sys/stat.h>

enum { SECRET_MAX = 16 * 1024, CHAIN_FILE_MAX = 256 * 1024 };

static const struct {
    enum conf_source_kind kind;
    enum content content;
    size_t offset; /* of the path in struct conf_source */
} rows[] = {
    { SOURCE_FILE, CONTENT_FIELD, offsetof(struct conf_source, path) },
    { SOURCE_KEY, CONTENT_KEY, offsetof(struct conf_source, path) },
    { SOURCE_CERTIFICATE, CONTENT_CHAIN, offsetof(struct conf_source, certificate) },
    { SOURCE_CERTIFICATE, CONTENT_KEY_OF_CHAIN, offsetof(struct conf_source, key) },
    { SOURCE_OAUTH, CONTENT_TEXT, offsetof(struct conf_source, client_secret) },
    { SOURCE_OAUTH, CONTENT_KEY, offsetof(struct conf_source, client_key) },
    { SOURCE_OAUTH, CONTENT_TEXT, offsetof(struct conf_source, client_assertion) },
    { SOURCE_OAUTH, CONTENT_TEXT, offsetof(struct conf_source, subject_token) },
    { SOURCE_OAUTH, CONTENT_TEXT, offsetof(struct conf_source, actor_token) },
    { SOURCE_OAUTH, CONTENT_TEXT, offsetof(struct conf_source, refresh_token) },
    { SOURCE_OAUTH, CONTENT_TEXT, offsetof(struct conf_source, assertion) },
};

size_t
named_by(const struct conf_credential *c, struct named out[NAMED_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *path = *(const char *const *)((const char *)&c->source +
                                                  rows[i].offset);

        if (rows[i].kind == c->source.kind && path != NULL)
            out[n++] = (struct named){ path, rows[i].content };
    }
    return n;
}

static size_t
named_by_door(const struct conf_door *door, struct named *out)
{
    const struct conf_issuer *issuers = door->issuers.at;
    size_t n = 0;

    for (size_t i = 0; i < door->issuers.n; i++) {
        if (issuers[i].introspection.url == NULL)
            continue;
        if (out != NULL)
            out[n] = (struct named){ issuers[i].introspection.client_secret,
                                     CONTENT_TEXT };
        n++;
    }
    return n;
}

size_t
named_by_gates(const struct conf *conf, struct named *out)
{
    const struct conf_door *doors = conf->doors.at;
    size_t n = 0;

    for (size_t i = 0; i < conf->doors.n; i++)
        n += named_by_door(&doors[i], out != NULL ? out + n : NULL);
    return n;
}

/* ---- a secret on one line */

static bool
is_one_line(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if ((unsigned char)t.at[i] < ' ' || t.at[i] == '\x7f')
            return false;
    return t.n > 0;
}

static const char *
fault_of(enum content content, struct text t)
{
    if (content == CONTENT_FIELD && !secret_may_be_put(t))
        return "holds bytes that cannot stand in a header field: write the secret "
               "alone, on one line";
    if (content == CONTENT_TEXT && !is_one_line(t))
        return "holds control bytes: write the secret or token alone, on one line";
    return NULL;
}

/* Of a link, what it leads to: that is what was rotated. */
static int64_t
time_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? st.st_mtime : 0;
}

static char *
take_fault(struct buf *told)
{
    char *fault;

    buf_add_byte(told, '\0');
    fault = memory_copy_z(buf_text(told).at);
    buf_free(told);
    return fault;
}

static void
read_secret(struct held *h)
{
    struct buf told = { 0 };
    enum reason why = secret_read_mounted(h->named.path, SECRET_MAX, &told, &h->secret);
    const char *fault = why == REASON_OK
                            ? fault_of(h->named.content, secret_reveal(h->secret))
                            : NULL;

    if (fault != NULL) {
        buf_printf(&told, "%s: %s", h->named.path, fault);
        secret_free(h->secret);
        h->secret = NULL;
    }
    if (h->secret == NULL)
        h->fault = take_fault(&told);
    else
        h->written_s = time_of(h->named.path);
}

static void
read_key(struct held *h)
{
    struct buf told = { 0 }, unfit = { 0 };
    struct secret *pem = NULL;
    enum reason why = secret_read_mounted(h->named.path, SECRET_MAX, &told, &pem);

    if (why == REASON_OK &&
        (why = key_from_pem(secret_reveal(pem), &unfit, &h->key)) != REASON_OK)
        buf_printf(&told, "%s: %.*s", h->named.path, TEXT_ARG(buf_text(&unfit)));
    if (why == REASON_OK) {
        key_thumbprint(h->key, h->key_id);
        h->written_s = time_of(h->named.path);
    } else {
        h->fault = take_fault(&told);
    }
    secret_free(pem);
    buf_free(&unfit);
}

void
held_read(struct held *h)
{
    if (h->named.content == CONTENT_KEY)
        read_key(h);
    else if (h->named.content == CONTENT_FIELD || h->named.content == CONTENT_TEXT)
        read_secret(h);
    else
        h->written_s = time_of(h->named.path);
}

void
held_forget(struct held *h)
{
    secret_free(h->secret);
    key_free(h->key);
    free(h->fault);
}

/* ---- a pair */

struct pair *
pair_read(const struct conf_source *s, char **fault, bool *unsettled)
{
    struct secret *chain = NULL, *key = NULL;
    struct pair *pair = NULL;
    struct buf told = { 0 }, misfit = { 0 };
    enum reason why;

    *unsettled = false;
    if ((why = secret_read_shown(s->certificate, CHAIN_FILE_MAX, &told, &chain)) ==
            REASON_OK &&
        (why = secret_read_mounted(s->key, SECRET_MAX, &told, &key)) == REASON_OK &&
        (why = pair_from_pem(secret_reveal(chain), secret_reveal(key), &misfit,
                             &pair)) != REASON_OK)
        buf_printf(&told, "%s with %s: %.*s", s->certificate, s->key,
                   TEXT_ARG(buf_text(&misfit)));
    *unsettled = why == REASON_FILE_CONTENT;
    if (why != REASON_OK)
        *fault = take_fault(&told);
    buf_free(&told);
    buf_free(&misfit);
    secret_free(chain);
    secret_free(key);
    return pair;
}
