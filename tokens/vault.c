/* One slot a credential, in the config's order. */
#include "tokens/vault.h"

#include "base/log.h"
#include "base/memory.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { SECRET_MAX = 16 * 1024 };

struct vault {
    atomic_uint references;
    const struct conf_credential *credentials; /* of the config it was read for */
    size_t n;
    struct secret **secrets; /* NULL: there is none to be had */
    char **faults;           /* … and what is wrong with its file */
    int64_t *written_s;      /* their files were */
};

/* What a field's value may hold and keeps: visible ASCII, and spaces that are not at an
 * end. Whatever else is in there, it was not meant as a secret for a header. */
static bool
may_stand_in_a_field(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.at[i] < ' ' || t.at[i] > '~')
            return false;
    return t.n > 0 && t.at[0] != ' ' && t.at[t.n - 1] != ' ';
}

static struct secret *
read_one(const struct conf_credential *c, char **fault)
{
    struct secret *s = NULL;
    struct buf told = { 0 };
    enum reason why = secret_read_mounted(c->source.path, SECRET_MAX, &told, &s);

    if (why == REASON_OK && !may_stand_in_a_field(secret_reveal(s))) {
        buf_printf(&told,
                   "%s: holds bytes that cannot stand in a header field: write the "
                   "secret alone, on one line",
                   c->source.path);
        secret_free(s);
        s = NULL;
    }
    buf_add_byte(&told, '\0');
    *fault = s == NULL ? memory_copy_z(buf_text(&told).at) : NULL;
    buf_free(&told);
    return s;
}

/* Of a link, what it leads to: that is what was rotated. */
static int64_t
time_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? st.st_mtime : 0;
}

struct vault *
vault_read(const struct conf *conf)
{
    struct vault *v = memory_new(sizeof *v);

    atomic_init(&v->references, 1);
    v->credentials = conf->credentials.at;
    v->n = conf->credentials.n;
    v->secrets = memory_new_array(v->n, sizeof *v->secrets);
    v->faults = memory_new_array(v->n, sizeof *v->faults);
    v->written_s = memory_new_array(v->n, sizeof *v->written_s);
    for (size_t i = 0; i < v->n; i++) {
        if (v->credentials[i].source.kind != SOURCE_FILE)
            continue;
        v->secrets[i] = read_one(&v->credentials[i], &v->faults[i]);
        if (v->secrets[i] != NULL)
            v->written_s[i] = time_of(v->credentials[i].source.path);
    }
    return v;
}

void
vault_ref(struct vault *v)
{
    atomic_fetch_add(&v->references, 1);
}

void
vault_unref(struct vault *v)
{
    if (v == NULL || atomic_fetch_sub(&v->references, 1) != 1)
        return;
    for (size_t i = 0; i < v->n; i++) {
        secret_free(v->secrets[i]);
        free(v->faults[i]);
    }
    free(v->secrets);
    free(v->faults);
    free(v->written_s);
    free(v);
}

static size_t
slot_of(const struct vault *v, const struct conf_credential *c)
{
    assert(c >= v->credentials && c < v->credentials + v->n);
    return (size_t)(c - v->credentials);
}

int64_t
vault_written_s(const struct vault *v, const struct conf_credential *c)
{
    return v->written_s[slot_of(v, c)];
}

const char *
vault_fault(const struct vault *v, const struct conf_credential *c)
{
    return v->faults[slot_of(v, c)];
}

void
vault_tell(const struct vault *v)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->faults[i] != NULL)
            log_reason(REASON_CREDENTIAL_UNAVAILABLE,
                       "%s:%u: credentials.%s: %s; requests that need it are refused "
                       "until then",
                       v->credentials[i].place.file, v->credentials[i].place.line,
                       v->credentials[i].name, v->faults[i]);
}

enum reason
vault_find(const struct vault *v, const struct conf_credential *c,
           const struct secret **out)
{
    size_t i = slot_of(v, c);

    *out = v->secrets[i];
    return *out != NULL ? REASON_OK : REASON_CREDENTIAL_UNAVAILABLE;
}

void
vault_count(const struct vault *v, size_t *held, size_t *missing)
{
    *held = *missing = 0;
    for (size_t i = 0; i < v->n; i++) {
        *held += v->secrets[i] != NULL;
        *missing += v->secrets[i] == NULL &&
                    v->credentials[i].source.kind == SOURCE_FILE;
    }
}
