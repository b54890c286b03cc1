/* From a path to a frozen conf: parse, fill, check; all or nothing, every error told.
 */
#include "conf/conf.h"

#include "conf/check.h"
#include "conf/fill.h"
#include "conf/parse.h"
#include "conf/tables.h"

#include <stdlib.h>
#include <string.h>

/* What is allocated: the filters' settings stand behind it in the same piece. */
struct frozen {
    struct conf conf;
    struct arena *arena;
};

static struct conf *
fill_conf(struct fill *f, const struct tables *tables, const struct node *root)
{
    struct frozen *z = arena_alloc(f->keep, tables->size);

    z->arena = f->keep;
    z->conf.workload.uid = -1;
    z->conf.path = root->place.file;
    fill_group(f, tables->root, NULL, root, root->place, z);
    return &z->conf;
}

static int
compare_credentials(const void *left, const void *right)
{
    const struct conf_credential *const *a = left, *const *b = right;

    return strcmp((*a)->name, (*b)->name);
}

/* Each request looks for one, and each rule that is checked. */
static void
order_credentials(struct conf *c, struct arena *a)
{
    const struct conf_credential *all = c->credentials.at;
    size_t n = c->credentials.n;

    c->by_name = arena_alloc(a, (n + 1) * sizeof(struct conf_credential *));
    for (size_t i = 0; i < n; i++)
        c->by_name[i] = &all[i];
    qsort(c->by_name, n, sizeof *c->by_name, compare_credentials);
}

static void
name_filters(struct conf *c, struct arena *a, const struct tables *tables,
             const struct conf_filter_table *filters, size_t n)
{
    c->filters = arena_alloc(a, n * sizeof *c->filters);
    c->n_filters = n;
    for (size_t i = 0; i < n; i++) {
        c->filters[i].filter = arena_copy_z(a, text_z(filters[i].name));
        if (filters[i].settings != NULL)
            c->filters[i].settings = (const char *)c + tables->offsets[i];
    }
}

/* A connection knows its door by its place. */
static void
find_doors_of_callers(struct conf *c)
{
    struct conf_grant *grants = (struct conf_grant *)(uintptr_t)c->grants.at;

    for (size_t i = 0; i < c->grants.n; i++)
        if (grants[i].caller.door != NULL)
            grants[i].caller.door_at = conf_door_named(c, grants[i].caller.door);
}

enum reason
conf_load_bytes(const char *path, const struct conf_filter_table *filters,
                size_t n_filters, struct buf *report, unsigned char digest[SHA256_SIZE],
                struct conf **out)
{
    struct arena *keep = arena_new(), *scratch = arena_new();
    struct tables tables = tables_new(scratch, sizeof(struct frozen), filters,
                                      n_filters);
    struct problems problems = { .arena = scratch };
    struct fill f = { .keep = keep, .scratch = scratch, .problems = &problems };
    struct digest *bytes = digest_new();
    const struct node *root = parse_files(path, tables.root, keep, scratch, &problems,
                                          bytes);
    enum reason why = REASON_CONFIG;
    struct conf *c;

    *out = NULL;
    digest_end(bytes, digest);
    if (root == NULL)
        goto done;
    c = fill_conf(&f, &tables, root);
    name_filters(c, keep, &tables, filters, n_filters);
    order_credentials(c, keep);
    find_doors_of_callers(c);
    check_conf(c, &f);
    if (problems.n > 0)
        goto done;
    memcpy(c->digest, digest, SHA256_SIZE);
    *out = c;
    keep = NULL; /* the conf's now */
    why = REASON_OK;
done:
    problems_print(&problems, report);
    arena_free(scratch);
    if (keep != NULL)
        arena_free(keep);
    return why;
}

enum reason
conf_load(const char *path, const struct conf_filter_table *filters, size_t n_filters,
          struct buf *report, struct conf **out)
{
    unsigned char digest[SHA256_SIZE];

    return conf_load_bytes(path, filters, n_filters, report, digest, out);
}

void
conf_free(struct conf *c)
{
    if (c != NULL)
        arena_free(((struct frozen *)c)->arena);
}

const void *
conf_filter(const struct conf *c, const char *filter)
{
    for (size_t i = 0; i < c->n_filters; i++)
        if (strcmp(c->filters[i].filter, filter) == 0)
            return c->filters[i].settings;
    return NULL;
}

/* Of a config that was made by hand. */
static const struct conf_credential *
credential_as_they_stand(const struct conf *c, const char *name)
{
    const struct conf_credential *at = c->credentials.at;

    for (size_t i = 0; i < c->credentials.n; i++)
        if (strcmp(at[i].name, name) == 0)
            return &at[i];
    return NULL;
}

const struct conf_credential *
conf_credential(const struct conf *c, const char *name)
{
    size_t low = 0, high = c->credentials.n;

    if (c->by_name == NULL)
        return credential_as_they_stand(c, name);
    while (low < high) {
        size_t middle = (low + high) / 2;
        int to = strcmp(name, c->by_name[middle]->name);

        if (to == 0)
            return c->by_name[middle];
        if (to < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

bool
conf_has_handle(const struct conf_credential *c)
{
    switch (c->source.kind) {
    case SOURCE_FILE:
    case SOURCE_OAUTH:
    case SOURCE_COMMAND:
        return true;
    case SOURCE_AUTHORITY:
    case SOURCE_KEY:
    case SOURCE_CERTIFICATE:
        break;
    }
    return false;
}

bool
conf_can_bind(const struct conf_credential *c, enum conf_bind bind)
{
    switch (c->source.kind) {
    case SOURCE_AUTHORITY:
        return bind == BIND_HTTPSIG || bind == BIND_WIMSE;
    case SOURCE_KEY:
        return bind == BIND_HTTPSIG;
    case SOURCE_CERTIFICATE:
        return bind == BIND_MTLS;
    case SOURCE_OAUTH:
        return bind == BIND_DPOP || bind == BIND_BEARER ||
               (bind == BIND_MTLS && c->source.client_certificate != NULL);
    case SOURCE_FILE:
    case SOURCE_COMMAND:
        return bind == BIND_HEADER || bind == BIND_BEARER;
    }
    return false;
}

enum conf_profile
conf_profile(const struct conf_rule *r, const struct conf_credential *c)
{
    if (r->signature != NULL && r->signature->profile != PROFILE_AUTO)
        return r->signature->profile;
    return c->source.kind == SOURCE_AUTHORITY ? PROFILE_WIMSE : PROFILE_PLAIN;
}

const struct conf_credential *
conf_client_certificate(const struct conf *c, const struct conf_credential *oauth)
{
    const char *name = oauth->source.client_certificate;

    return name == NULL ? NULL : conf_credential(c, name);
}

bool
conf_names_bind(const struct strings *words, enum conf_bind bind)
{
    for (size_t i = 0; i < words->n; i++)
        if (strcmp(words->at[i], conf_bind_words[bind]) == 0)
            return true;
    return false;
}

bool
conf_awaits_pod(const struct conf_workload *w)
{
    return w->pod_file != NULL || w->claim_file != NULL;
}

bool
conf_has_door(const struct conf *c, enum conf_door_kind kind)
{
    const struct conf_door *doors = c->doors.at;

    for (size_t i = 0; i < c->doors.n; i++)
        if (doors[i].kind == (int)kind)
            return true;
    return false;
}

bool
conf_door_takes_connect(const struct conf_door *door)
{
    return door->kind == DOOR_FORWARD || door->kind == DOOR_UNIX;
}

bool
conf_door_is_egress(const struct conf_door *door)
{
    return conf_door_takes_connect(door) || door->kind == DOOR_TRANSPARENT;
}

unsigned
conf_door_mode(const struct conf_door *door)
{
    return (unsigned)strtoul(door->mode, NULL, 8);
}

size_t
conf_door_named(const struct conf *c, const char *name)
{
    const struct conf_door *doors = c->doors.at;

    for (size_t i = 0; i < c->doors.n; i++)
        if (doors[i].name != NULL && strcmp(doors[i].name, name) == 0)
            return i + 1;
    return 0;
}

bool
conf_has_egress(const struct conf *c)
{
    return conf_has_door(c, DOOR_FORWARD) || conf_has_door(c, DOOR_TRANSPARENT) ||
           conf_has_door(c, DOOR_UNIX);
}
