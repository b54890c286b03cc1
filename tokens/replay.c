/* The memory of proofs already seen.
 *
 * Fixed in size from the start: an attacker who sends valid proofs can fill it, and is
 * then refused together with everyone else, but cannot grow us or make us forget.
 * Proofs are kept as 128 bits of SHA-256 under a secret of this process, so that nobody
 * can aim at one stripe or make two ids meet. */
#include "tokens/binding.h"

#include "base/digest.h"
#include "base/memory.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    STRIPES = 16,
    STRIPED_FROM = 4096, /* smaller caches are one stripe: as many as asked, exactly */
    ALIGNMENT = 64       /* of a stripe: two threads' locks share no cache line */
};
#define NONE UINT32_MAX

struct fingerprint {
    uint64_t a, b;
};

struct seen {
    struct fingerprint print;
    int64_t expires_s;
    uint32_t next; /* in its chain, or in the free list */
};

struct stripe {
    _Alignas(ALIGNMENT) pthread_mutex_t lock;
    struct seen *entries;
    uint32_t *chains; /* by fingerprint; n_chains is a power of two */
    uint32_t n_chains;
    uint32_t free;
    uint32_t hand;      /* the chain where reclaiming goes on */
    int64_t earliest_s; /* nothing held expires before this */
    int64_t horizon_s;  /* the latest expiry that was ever forgotten */
};

struct replay_cache {
    struct stripe stripes[STRIPES];
    uint32_t n_stripes;
    unsigned char secret[SHA256_SIZE];
};

static void
stripe_open(struct stripe *s, uint32_t n_entries)
{
    int failed = pthread_mutex_init(&s->lock, NULL);

    assert(failed == 0);
    s->n_chains = 1;
    while (s->n_chains < n_entries)
        s->n_chains *= 2;
    s->entries = memory_new_array(n_entries, sizeof *s->entries);
    s->chains = memory_new_array(s->n_chains, sizeof *s->chains);
    memset(s->chains, 0xff, s->n_chains * sizeof *s->chains); /* all NONE */
    for (uint32_t i = 0; i < n_entries; i++)
        s->entries[i].next = i + 1 < n_entries ? i + 1 : NONE;
    s->earliest_s = INT64_MAX;
    s->horizon_s = INT64_MIN;
}

struct replay_cache *
replay_cache_new(size_t entries)
{
    struct replay_cache *c = aligned_alloc(ALIGNMENT, sizeof *c);

    assert(c != NULL && entries > 0 && entries <= UINT32_MAX / 4);
    memset(c, 0, sizeof *c);
    random_bytes(c->secret, sizeof c->secret);
    c->n_stripes = entries < STRIPED_FROM ? 1 : STRIPES;
    for (uint32_t i = 0; i < c->n_stripes; i++)
        stripe_open(&c->stripes[i],
                    (uint32_t)((entries + c->n_stripes - 1) / c->n_stripes));
    return c;
}

void
replay_cache_free(struct replay_cache *c)
{
    if (c == NULL)
        return;
    for (uint32_t i = 0; i < c->n_stripes; i++) {
        pthread_mutex_destroy(&c->stripes[i].lock);
        free(c->stripes[i].entries);
        free(c->stripes[i].chains);
    }
    free(c);
}

/* Key and id are hashed first: so no choice of their lengths makes two pairs one. */
static struct fingerprint
fingerprint_of(const struct replay_cache *c, struct text key, struct text id)
{
    unsigned char mix[3 * SHA256_SIZE], digest[SHA256_SIZE];
    struct fingerprint print;

    memcpy(mix, c->secret, SHA256_SIZE);
    digest_sha256(key, mix + SHA256_SIZE);
    digest_sha256(id, mix + 2 * SHA256_SIZE);
    digest_sha256(text_of((const char *)mix, sizeof mix), digest);
    memcpy(&print, digest, sizeof print);
    return print;
}

static uint32_t
chain_of(const struct stripe *s, struct fingerprint print)
{
    return (uint32_t)(print.b & (s->n_chains - 1));
}

static void
forget(struct stripe *s, uint32_t *link)
{
    uint32_t i = *link;

    if (s->entries[i].expires_s > s->horizon_s)
        s->horizon_s = s->entries[i].expires_s;
    *link = s->entries[i].next;
    s->entries[i].next = s->free;
    s->free = i;
}

/* Forgets what has expired in one chain; returns the earliest expiry among the rest. */
static int64_t
chain_reclaim(struct stripe *s, uint32_t chain, int64_t now_s)
{
    uint32_t *link = &s->chains[chain];
    int64_t earliest = INT64_MAX;

    while (*link != NONE) {
        struct seen *e = &s->entries[*link];

        if (e->expires_s < now_s) {
            forget(s, link);
            continue;
        }
        if (e->expires_s < earliest)
            earliest = e->expires_s;
        link = &e->next;
    }
    return earliest;
}

/* Goes round until something was freed. A round in vain tells when the next can pay: so
 * a full stripe is walked through once a second at most, however hard it is pressed. */
static void
reclaim(struct stripe *s, int64_t now_s)
{
    int64_t earliest = INT64_MAX;

    if (s->earliest_s >= now_s)
        return;
    for (uint32_t i = 0; i < s->n_chains && s->free == NONE; i++) {
        int64_t left_s = chain_reclaim(s, s->hand, now_s);

        if (left_s < earliest)
            earliest = left_s;
        s->hand = (s->hand + 1) & (s->n_chains - 1);
    }
    if (s->free == NONE)
        s->earliest_s = earliest;
}

static bool
is_seen(const struct stripe *s, uint32_t chain, struct fingerprint print)
{
    for (uint32_t i = s->chains[chain]; i != NONE; i = s->entries[i].next) {
        if (s->entries[i].print.a == print.a && s->entries[i].print.b == print.b)
            return true;
    }
    return false;
}

static void
remember(struct stripe *s, uint32_t chain, struct fingerprint print, int64_t expires_s)
{
    uint32_t i = s->free;

    s->free = s->entries[i].next;
    s->entries[i] = (struct seen){ print, expires_s, s->chains[chain] };
    s->chains[chain] = i;
    if (expires_s < s->earliest_s)
        s->earliest_s = expires_s;
}

static enum reason
stripe_enter(struct stripe *s, struct fingerprint print, int64_t expires_s,
             int64_t now_s)
{
    uint32_t chain = chain_of(s, print);

    (void)chain_reclaim(s, chain, now_s);
    if (is_seen(s, chain, print))
        return REASON_PROOF_REPLAYED;
    /* After the clock was set back, a proof may be valid again that was forgotten. */
    if (expires_s < now_s || expires_s <= s->horizon_s)
        return REASON_PROOF_EXPIRED;
    if (s->free == NONE)
        reclaim(s, now_s);
    if (s->free == NONE)
        return REASON_REPLAY_CACHE_FULL;
    remember(s, chain, print, expires_s);
    return REASON_OK;
}

enum reason
replay_cache_enter(struct replay_cache *c, struct text key, struct text id,
                   int64_t expires_s, int64_t now_s)
{
    struct fingerprint print = fingerprint_of(c, key, id);
    struct stripe *s = &c->stripes[print.a % c->n_stripes];
    enum reason why;

    pthread_mutex_lock(&s->lock);
    why = stripe_enter(s, print, expires_s, now_s);
    pthread_mutex_unlock(&s->lock);
    return why;
}
