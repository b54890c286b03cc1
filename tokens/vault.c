/* One slot a credential, in the config's order; and its files, each read once. */
#include "tokens/vault_parts.h"

#include "base/clock.h"
#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- its files */

static int
compare_named(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    int order = strcmp(x->path, y->path);

    return order != 0 ? order : (int)x->content - (int)y->content;
}

struct held *
vault_held(const struct vault *v, const struct named *named)
{
    return bsearch(named, v->files, v->n_files, sizeof *v->files, compare_named);
}

static struct named *
gather(const struct conf *conf, size_t *n)
{
    const struct conf_credential *credentials = conf->credentials.at;
    size_t own = conf->credentials.n * NAMED_MAX;
    struct named *all = memory_new_array(own + named_by_gates(conf, NULL), sizeof *all);

    *n = 0;
    for (size_t i = 0; i < conf->credentials.n; i++)
        *n += named_by(&credentials[i], all + *n);
    *n += named_by_gates(conf, all + *n);
    qsort(all, *n, sizeof *all, compare_named);
    return all;
}

/* A file that several name is read once: they shall not differ. */
static void
read_files(struct vault *v, const struct conf *conf)
{
    struct named *all;
    size_t n;

    all = gather(conf, &n);
    v->files = memory_new_array(n, sizeof *v->files);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && compare_named(&all[i - 1], &all[i]) == 0)
            continue;
        v->files[v->n_files].named = all[i];
        held_read(&v->files[v->n_files++]);
    }
    free(all);
}

/* ---- its slots */

static const struct slot *
slot_before(const struct vault *before, const struct slot *s)
{
    for (size_t i = 0; before != NULL && i < before->n; i++) {
        const struct slot *b = &before->slots[i];

        if (b->pair != NULL && strcmp(b->certificate, s->certificate) == 0 &&
            strcmp(b->key, s->key) == 0)
            return b;
    }
    return NULL;
}

/* Their files are being changed, one after the other. */
static void
keep_pair_before(struct slot *s, const struct vault *before, int64_t now_ms)
{
    const struct slot *b = slot_before(before, s);
    int64_t since_ms;

    if (b == NULL)
        return;
    since_ms = b->unsettled_ms != 0 ? b->unsettled_ms : now_ms;
    if (now_ms - since_ms >= VAULT_SETTLE_MS)
        return;
    s->pair = b->pair;
    pair_ref(s->pair);
    s->unsettled_ms = since_ms;
}

static void
read_pair(struct slot *s, const struct conf_source *source, const struct vault *before,
          int64_t now_ms)
{
    bool unsettled;

    s->certificate = memory_copy_z(source->certificate);
    s->key = memory_copy_z(source->key);
    s->pair = pair_read(source, &s->pair_fault, &unsettled);
    if (unsettled)
        keep_pair_before(s, before, now_ms);
    if (s->pair == NULL)
        s->fault = s->pair_fault;
}

static void
note_file(struct slot *s, const struct held *h)
{
    if (s->fault == NULL)
        s->fault = h->fault;
    if (h->named.content == CONTENT_FIELD)
        s->secret = h->secret;
    if (s->oldest != NULL && s->written_s <= h->written_s)
        return;
    s->oldest = h->named.path;
    s->written_s = h->written_s;
}

static void
fill_slot(struct vault *v, size_t i, const struct vault *before, int64_t now_ms)
{
    const struct conf_source *source = &v->credentials[i].source;
    struct slot *s = &v->slots[i];
    struct named named[NAMED_MAX];
    size_t n = named_by(&v->credentials[i], named);

    if (source->kind == SOURCE_CERTIFICATE)
        read_pair(s, source, before, now_ms);
    for (size_t k = 0; k < n; k++)
        note_file(s, vault_held(v, &named[k]));
    if (s->fault == NULL)
        return;
    s->oldest = NULL;
    s->written_s = 0;
}

struct vault *
vault_read_again(const struct conf *conf, const struct vault *before, int64_t now_ms)
{
    struct vault *v = memory_new(sizeof *v);

    atomic_init(&v->references, 1);
    v->credentials = conf->credentials.at;
    v->n = conf->credentials.n;
    v->doors = conf->doors.at;
    v->n_doors = conf->doors.n;
    v->slots = memory_new_array(v->n, sizeof *v->slots);
    read_files(v, conf);
    for (size_t i = 0; i < v->n; i++)
        fill_slot(v, i, before, now_ms);
    v->workload = &conf->workload;
    v->awaits_pod = conf_awaits_pod(v->workload);
    pod_read(v->workload, &v->pod);
    return v;
}

struct vault *
vault_read(const struct conf *conf)
{
    return vault_read_again(conf, NULL, clock_monotonic_ms());
}

int64_t
vault_settles_ms(const struct vault *v)
{
    int64_t first_ms = 0;

    for (size_t i = 0; i < v->n; i++) {
        int64_t at_ms = v->slots[i].unsettled_ms;

        if (at_ms != 0 && (first_ms == 0 || at_ms < first_ms))
            first_ms = at_ms;
    }
    return first_ms != 0 ? first_ms + VAULT_SETTLE_MS : 0;
}

void
vault_ref(struct vault *v)
{
    atomic_fetch_add(&v->references, 1);
}

static void
empty_slot(struct slot *s)
{
    pair_unref(s->pair);
    free(s->certificate);
    free(s->key);
    free(s->pair_fault);
}

void
vault_unref(struct vault *v)
{
    if (v == NULL || atomic_fetch_sub(&v->references, 1) != 1)
        return;
    for (size_t i = 0; i < v->n; i++)
        empty_slot(&v->slots[i]);
    for (size_t i = 0; i < v->n_files; i++)
        held_forget(&v->files[i]);
    pod_forget(&v->pod);
    free(v->slots);
    free(v->files);
    free(v);
}

/* ---- what it lends */

static const struct slot *
slot_of(const struct vault *v, const struct conf_credential *c)
{
    assert(c >= v->credentials && c < v->credentials + v->n);
    return &v->slots[c - v->credentials];
}

enum reason
vault_find(const struct vault *v, const struct conf_credential *c,
           const struct secret **out)
{
    *out = slot_of(v, c)->secret;
    return *out != NULL ? REASON_OK : REASON_CREDENTIAL_UNAVAILABLE;
}

enum reason
vault_text(const struct vault *v, const char *path, struct text *out)
{
    const struct held *h = vault_held(v, &(struct named){ path, CONTENT_TEXT });

    *out = text_of(NULL, 0);
    if (h == NULL || h->secret == NULL)
        return REASON_CREDENTIAL_UNAVAILABLE;
    *out = secret_reveal(h->secret);
    return REASON_OK;
}

enum reason
vault_key(const struct vault *v, const char *path, const struct key **out,
          struct text *key_id)
{
    const struct held *h = vault_held(v, &(struct named){ path, CONTENT_KEY });

    *out = NULL;
    if (h == NULL || h->key == NULL)
        return REASON_CREDENTIAL_UNAVAILABLE;
    *out = h->key;
    *key_id = text_of(h->key_id, THUMBPRINT_SIZE);
    return REASON_OK;
}

enum reason
vault_pair(const struct vault *v, const struct conf_credential *certificate,
           struct pair **out)
{
    *out = slot_of(v, certificate)->pair;
    return *out != NULL ? REASON_OK : REASON_CREDENTIAL_UNAVAILABLE;
}

struct text
vault_pod(const struct vault *v)
{
    return text_z(v->pod.uid);
}

bool
vault_lacks_pod(const struct vault *v)
{
    return v->awaits_pod && v->pod.uid[0] == '\0';
}

/* ---- what is told of it */

bool
vault_has_files(const struct conf_credential *c)
{
    struct named named[NAMED_MAX];

    return named_by(c, named) > 0;
}

int64_t
vault_written_s(const struct vault *v, const struct conf_credential *c)
{
    return slot_of(v, c)->written_s;
}

const char *
vault_oldest(const struct vault *v, const struct conf_credential *c)
{
    return slot_of(v, c)->oldest;
}

const char *
vault_fault(const struct vault *v, const struct conf_credential *c)
{
    return slot_of(v, c)->fault;
}

int64_t
vault_expires_s(const struct vault *v, const struct conf_credential *c)
{
    const struct pair *p = slot_of(v, c)->pair;

    return p != NULL ? pair_expires_s(p) : 0;
}

void
vault_count(const struct vault *v, size_t *held, size_t *missing)
{
    *held = *missing = 0;
    for (size_t i = 0; i < v->n; i++) {
        if (!vault_has_files(&v->credentials[i]))
            continue;
        *held += v->slots[i].fault == NULL;
        *missing += v->slots[i].fault != NULL;
    }
}

void
vault_each_path(const struct conf *conf, void (*on_path)(void *owner, const char *path),
                void *owner)
{
    size_t n;
    struct named *all = gather(conf, &n);

    for (size_t i = 0; i < n; i++)
        on_path(owner, all[i].path);
    if (conf->workload.pod_file != NULL)
        on_path(owner, conf->workload.pod_file);
    if (conf->workload.claim_file != NULL)
        on_path(owner, conf->workload.claim_file);
    free(all);
}
