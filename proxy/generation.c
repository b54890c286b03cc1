#include "proxy/generation.h"

#include "base/json_write.h"
#include "base/log.h"
#include "base/memory.h"
#include "proxy/reaper.h"
#include "tasks/record.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct client_of_trust {
    const char *file; /* NULL: the system's roots */
    struct tls_client *client;
};

struct generation {
    atomic_uint references;
    uint64_t number;
    struct conf *conf;
    struct chain *chain;
    struct handles *handles;
    struct tls_server *minted;
    struct tls_server **doors; /* a gate's own; NULL for the others */
    bool asks_where;
    struct client_of_trust *clients;
    size_t n_clients;
    struct sources *sources;
    uint16_t *series;     /* of each grant */
    struct buf approvals; /* of each grant, one behind the other; … */
    struct approval_at {
        size_t start, rule;
    } * approvals_at; /* … from here: one more than there are grants */
};

static atomic_uint alive;

unsigned
generations_alive(void)
{
    return atomic_load(&alive);
}

static bool
same_file(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

struct tls_client *
generation_client(const struct generation *g, const char *file)
{
    for (size_t i = 0; i < g->n_clients; i++)
        if (same_file(g->clients[i].file, file))
            return g->clients[i].client;
    return NULL;
}

static void
tell_no_certificates(const struct place *at, const char *key, const char *file,
                     struct buf *report)
{
    buf_printf(report, "%s:%u: %s: %s holds no certificates that can be read\n",
               at->file, at->line, key, file != NULL ? file : "the system's bundle");
}

static enum reason
add_client(struct generation *g, const struct place *at, const char *key,
           const char *file, struct buf *report)
{
    struct trust *trust;
    enum reason why;

    if (generation_client(g, file) != NULL)
        return REASON_OK;
    if ((why = trust_load(file, &trust)) != REASON_OK) {
        tell_no_certificates(at, key, file, report);
        return why;
    }
    g->clients = realloc(g->clients, (g->n_clients + 1) * sizeof *g->clients);
    assert(g->clients != NULL);
    g->clients[g->n_clients++] = (struct client_of_trust){ file,
                                                           tls_client_new(trust) };
    return REASON_OK;
}

static enum reason
load_trusts_of_grant(struct generation *g, const struct conf_grant *grant,
                     struct buf *report)
{
    const struct conf_rule *rules = grant->rules.at;
    enum reason why = REASON_OK;

    for (size_t i = 0; i < grant->rules.n && why == REASON_OK; i++)
        if (rules[i].scheme == SCHEME_HTTPS)
            why = add_client(g, &rules[i].place, "upstream_trust",
                             rules[i].upstream_trust, report);
    return why;
}

static enum reason
load_trusts_of_sources(struct generation *g, struct buf *report)
{
    const struct conf_credential *c = g->conf->credentials.at;
    enum reason why = REASON_OK;

    for (size_t i = 0; i < g->conf->credentials.n && why == REASON_OK; i++)
        if (c[i].source.kind == SOURCE_OAUTH)
            why = add_client(g, &c[i].source.place, "trust", c[i].source.trust, report);
    return why;
}

static enum reason
load_trusts_of_gate(struct generation *g, const struct conf_door *door,
                    struct buf *report)
{
    const struct conf_issuer *issuers = door->issuers.at;
    enum reason why = REASON_OK;

    if (strncmp(door->upstream, "https:", 6) == 0)
        why = add_client(g, &door->place, "upstream_trust", door->upstream_trust,
                         report);
    for (size_t i = 0; i < door->issuers.n && why == REASON_OK; i++)
        if (issuers[i].jwks_file == NULL)
            why = add_client(g, &issuers[i].place, "trust", issuers[i].trust, report);
    return why;
}

static enum reason
load_trusts(struct generation *g, struct buf *report)
{
    const struct conf_grant *grants = g->conf->grants.at;
    const struct conf_door *doors = g->conf->doors.at;
    const struct conf_witness *witness = &g->conf->ledger.witness;
    enum reason why = REASON_OK;

    for (size_t i = 0; i < g->conf->grants.n && why == REASON_OK; i++)
        why = load_trusts_of_grant(g, &grants[i], report);
    for (size_t i = 0; i < g->conf->doors.n && why == REASON_OK; i++)
        if (doors[i].kind == DOOR_GATE)
            why = load_trusts_of_gate(g, &doors[i], report);
    if (why == REASON_OK)
        why = load_trusts_of_sources(g, report);
    if (why == REASON_OK && witness->url != NULL)
        why = add_client(g, &witness->place, "ledger.witness.trust", witness->trust,
                         report);
    return why;
}

/* A gate that takes client certificates. */
static enum reason
ask_clients(struct generation *g, size_t i, struct buf *report)
{
    const struct conf_door *door = generation_door(g, i);
    struct trust *trust;
    enum reason why;

    if (door->clients_trust == NULL)
        return REASON_OK;
    if ((why = trust_load(door->clients_trust, &trust)) == REASON_OK)
        tls_server_ask_clients(g->doors[i], trust);
    else
        tell_no_certificates(&door->place, "clients_trust", door->clients_trust,
                             report);
    return why;
}

static enum reason
load_doors(struct generation *g, struct buf *report)
{
    const struct conf_door *doors = g->conf->doors.at;
    enum reason why = REASON_OK;

    g->doors = calloc(g->conf->doors.n + 1, sizeof *g->doors);
    assert(g->doors != NULL);
    g->minted = tls_server_new();
    for (size_t i = 0; i < g->conf->doors.n && why == REASON_OK; i++) {
        if (doors[i].kind != DOOR_GATE)
            continue;
        why = tls_server_load(doors[i].certificate, doors[i].key, &g->doors[i]);
        if (why != REASON_OK)
            buf_printf(report,
                       "%s:%u: doors: certificate %s and key %s cannot be used: %s\n",
                       doors[i].place.file, doors[i].place.line, doors[i].certificate,
                       doors[i].key, reason_sentence(why));
        else
            why = ask_clients(g, i, report);
    }
    return why;
}

static void
write_approvals(struct generation *g)
{
    const struct conf_grant *grants = g->conf->grants.at;
    size_t n = g->conf->grants.n;

    g->approvals_at = memory_new_array(n + 1, sizeof *g->approvals_at);
    for (size_t i = 0; i < n; i++) {
        struct buf one = { 0 };

        record_approval(&one, &grants[i]);
        g->approvals_at[i].rule = buf_length(&g->approvals) + buf_length(&one);
        buf_add_z(&one, ",\"rule\":");
        json_write_string(&one, text_z(grants[i].place.file));
        buf_truncate(&one, buf_length(&one) - 1); /* its line is to follow */
        buf_add_byte(&one, ':');
        buf_add(&g->approvals, buf_text(&one));
        buf_free(&one);
        g->approvals_at[i + 1].start = buf_length(&g->approvals);
    }
}

static void
destroy(void *owner)
{
    struct generation *g = owner;

    for (size_t i = 0; i < g->n_clients; i++)
        tls_client_free(g->clients[i].client);
    free(g->clients);
    for (size_t i = 0; g->doors != NULL && i < g->conf->doors.n; i++)
        tls_server_free(g->doors[i]);
    free(g->doors);
    tls_server_free(g->minted);
    free(g->series);
    sources_free(g->sources);
    buf_free(&g->approvals);
    free(g->approvals_at);
    chain_close(g->chain);
    handles_unref(g->handles);
    conf_free(g->conf);
    free(g);
    atomic_fetch_sub(&alive, 1);
}

static bool
any_asks_where(const struct conf *conf)
{
    const struct conf_grant *grants = conf->grants.at;

    for (size_t i = 0; i < conf->grants.n; i++)
        if (grants[i].caller.cgroup != NULL || grants[i].caller.container != NULL ||
            grants[i].caller.pod != NULL)
            return true;
    return false;
}

enum reason
generation_build_unless(const char *path, uint64_t number,
                        unsigned char tried[SHA256_SIZE], bool always,
                        struct buf *report, struct generation **out)
{
    unsigned char before[SHA256_SIZE];
    struct generation *g = calloc(1, sizeof *g);
    const struct conf_filter_table *tables;
    size_t n, said = buf_length(report);
    enum reason why;

    assert(g != NULL);
    *out = NULL;
    atomic_init(&g->references, 1);
    atomic_fetch_add(&alive, 1);
    g->number = number;
    tables = chain_tables(&n);
    memcpy(before, tried, SHA256_SIZE);
    why = conf_load_bytes(path, tables, n, report, tried, &g->conf);
    if (!always && memcmp(before, tried, SHA256_SIZE) == 0) {
        destroy(g);
        buf_truncate(report, said);
        return REASON_OK;
    }
    if (why == REASON_OK &&
        (why = chain_open(g->conf, report, &g->chain)) == REASON_OK &&
        (why = load_doors(g, report)) == REASON_OK)
        why = load_trusts(g, report);
    if (why != REASON_OK) {
        destroy(g);
        return why;
    }
    g->asks_where = any_asks_where(g->conf);
    write_approvals(g);
    g->sources = sources_new(g->conf);
    *out = g;
    return why;
}

enum reason
generation_build(const char *path, uint64_t number, struct buf *report,
                 struct generation **out)
{
    unsigned char tried[SHA256_SIZE] = { 0 };

    return generation_build_unless(path, number, tried, true, report, out);
}

bool
generation_asks_where(const struct generation *g)
{
    return g->asks_where;
}

const struct sources *
generation_sources(const struct generation *g)
{
    return g->sources;
}

void
generation_ref(struct generation *g)
{
    atomic_fetch_add(&g->references, 1);
}

void
generation_unref(struct generation *g)
{
    if (g != NULL && atomic_fetch_sub(&g->references, 1) == 1)
        reaper_take(destroy, g);
}

enum reason
generation_make_handles(struct generation *g, const struct generation *before,
                        struct buf *report)
{
    assert(g->handles == NULL);
    return handles_new(g->conf, before != NULL ? before->handles : NULL, report,
                       &g->handles);
}

const struct handles *
generation_handles(const struct generation *g)
{
    return g->handles;
}

void
generation_give_series(struct generation *g, uint16_t *slots)
{
    assert(g->series == NULL);
    g->series = slots;
}

unsigned
generation_series(const struct generation *g, const struct conf_grant *grant)
{
    const struct conf_grant *first = g->conf->grants.at;

    assert(grant >= first && grant < first + g->conf->grants.n);
    return g->series != NULL ? g->series[grant - first] : 0;
}

struct approval
generation_approval(const struct generation *g, const struct conf_grant *grant)
{
    const struct conf_grant *first = g->conf->grants.at;
    const char *all = buf_text(&g->approvals).at;
    const struct approval_at *at = &g->approvals_at[grant - first];

    assert(grant >= first && grant < first + g->conf->grants.n);
    return (struct approval){ text_of(all + at->start, at->rule - at->start),
                              text_of(all + at->rule, at[1].start - at->rule) };
}

uint64_t
generation_number(const struct generation *g)
{
    return g->number;
}

const struct conf *
generation_conf(const struct generation *g)
{
    return g->conf;
}

struct chain *
generation_chain(const struct generation *g)
{
    return g->chain;
}

const struct conf_door *
generation_door(const struct generation *g, size_t i)
{
    assert(i < g->conf->doors.n);
    return &((const struct conf_door *)g->conf->doors.at)[i];
}

struct tls_server *
generation_server(const struct generation *g, size_t i)
{
    assert(i < g->conf->doors.n);
    return g->doors[i] != NULL ? g->doors[i] : g->minted;
}

size_t
generation_ceiling(const struct generation *g)
{
    const struct conf_limits *l = &g->conf->limits;
    int64_t most = l->stream_buffer;

    if (most < l->head_bytes)
        most = l->head_bytes;
    if (most < l->body_digest)
        most = l->body_digest;
    return (size_t)most;
}

struct wire_limits
generation_wire_limits(const struct generation *g)
{
    const struct conf_limits *l = &g->conf->limits;

    return (struct wire_limits){ .head_bytes = (size_t)l->head_bytes,
                                 .fields = (size_t)l->fields,
                                 .target_bytes = (size_t)l->target_bytes,
                                 .ceiling = generation_ceiling(g),
                                 .streams = (size_t)l->streams };
}
