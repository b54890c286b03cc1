/* Minting leaves and remembering them. Promises that a hit costs one hash and one
 * comparison, that no more than `room` leaves are ever held whatever names are asked
 * for, and that a leaf is valid now by our clock and never outlives the CA. What all
 * leaves have in common is made once, in a model; a leaf adds its serial, its dates and
 * its name. */
#include "certs/leaf.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "certs/certificate.h"
#include "certs/key.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    HOUR_S = 60 * 60,
    BACKDATED_S = HOUR_S,
    LIFETIME_S = 24 * HOUR_S,
    RENEWED_BEFORE_S = HOUR_S,
    SAN_MAX = 2 * 4 + HOST_MAX,
    POINT_SIZE = 1 + 2 * KEY_COORDINATE_SIZE,
    DER_SEQUENCE = 0x30,
    SAN_DNS = 0x82, /* RFC 5280 section 4.2.1.6: [2] dNSName, [7] iPAddress */
    SAN_IP = 0x87
};

struct leaf {
    struct list recent; /* most recently used first */
    struct leaf *next;  /* in its bucket */
    X509 *certificate;
    struct validity fresh; /* shown while the clock is within */
    uint64_t hash;
    struct host host;
};

struct leaf_cache {
    struct ca *ca;
    struct validity ca_validity;
    struct key *key;
    EVP_PKEY *shown; /* the public half, as new_shown says */
    EVP_MD *sha256;  /* fetched once */
    X509 *model;
    X509_EXTENSION *san;
    ASN1_OCTET_STRING *san_bytes;
    uint64_t seed;
    size_t room;
    size_t count;
    uint64_t minted;
    size_t mask;
    struct leaf **buckets;
    struct list recent;
};

static atomic_bool minting_fails;

/* ---- the cache's life */

/* X509_set_pubkey encodes and decodes a key of OpenSSL 3's providers through its
 * decoders, 240 µs of the 300 a leaf would cost. A key of the older kind is encoded
 * directly, in 6: an empty one is made, takes over the curve and then the point. */
static EVP_PKEY *
new_shown(const struct key *key)
{
    unsigned char point[POINT_SIZE] = { POINT_CONVERSION_UNCOMPRESSED };
    EVP_PKEY *shown = EVP_PKEY_new();

    key_coordinates(key, point + 1, point + 1 + KEY_COORDINATE_SIZE);
    if (shown != NULL && EVP_PKEY_set_type(shown, EVP_PKEY_EC) == 1 &&
        EVP_PKEY_copy_parameters(shown, key_pkey(key)) == 1 &&
        EVP_PKEY_set1_encoded_public_key(shown, point, sizeof point) == 1)
        return shown;
    EVP_PKEY_free(shown);
    return NULL;
}

/* The subject says the same for all: a name may be longer than the 64 characters CN can
 * hold, and clients look at the SAN. It is there at all because a SAN beside an empty
 * subject must be critical, which some clients cannot read. */
static bool
set_names(X509 *x, X509 *issuer)
{
    static const unsigned char name[] = "Holdfast leaf";

    return X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                      name, -1, -1, 0) == 1 &&
           X509_set_issuer_name(x, X509_get_subject_name(issuer)) == 1;
}

static bool
make_model(struct leaf_cache *c)
{
    X509 *issuer = ca_certificate(c->ca);
    X509 *x = c->model = certificate_new(c->ca_validity);

    return x != NULL && set_names(x, issuer) && X509_set_pubkey(x, c->shown) == 1 &&
           certificate_extend(x, issuer, NID_key_usage, "critical,digitalSignature") &&
           certificate_extend(x, issuer, NID_ext_key_usage, "serverAuth") &&
           certificate_extend(x, issuer, NID_subject_key_identifier, "hash") &&
           certificate_extend(x, issuer, NID_authority_key_identifier, "keyid:always");
}

static bool
make_parts(struct leaf_cache *c)
{
    return (c->key = key_new()) != NULL && (c->shown = new_shown(c->key)) != NULL &&
           (c->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL)) != NULL &&
           (c->san_bytes = ASN1_OCTET_STRING_new()) != NULL &&
           (c->san = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0,
                                                  c->san_bytes)) != NULL &&
           certificate_validity(ca_certificate(c->ca), &c->ca_validity) &&
           make_model(c);
}

struct leaf_cache *
leaf_cache_new(struct ca *ca, size_t room)
{
    struct leaf_cache *c = memory_new(sizeof *c);
    size_t n_buckets = 1;

    assert(room > 0);
    while (n_buckets < room)
        n_buckets *= 2;
    c->ca = ca;
    c->room = room;
    c->mask = n_buckets - 1;
    c->buckets = memory_new_array(n_buckets, sizeof *c->buckets);
    list_init(&c->recent);
    random_bytes(&c->seed, sizeof c->seed);
    if (make_parts(c))
        return c;
    log_tls(REASON_INTERNAL, "what all leaves share could not be made");
    leaf_cache_free(c);
    return NULL;
}

static void
leaf_free(struct leaf *l)
{
    X509_free(l->certificate);
    free(l);
}

void
leaf_cache_free(struct leaf_cache *c)
{
    if (c == NULL)
        return;
    while (!list_is_empty(&c->recent)) {
        struct leaf *l = LIST_OWNER(c->recent.next, struct leaf, recent);

        list_remove(&l->recent);
        leaf_free(l);
    }
    X509_EXTENSION_free(c->san);
    ASN1_OCTET_STRING_free(c->san_bytes);
    X509_free(c->model);
    EVP_MD_free(c->sha256);
    EVP_PKEY_free(c->shown);
    key_free(c->key);
    free(c->buckets);
    free(c);
}

/* ---- minting */

static unsigned char *
put_header(unsigned char *p, unsigned char tag, size_t n)
{
    *p++ = tag;
    if (n > 0xff) {
        *p++ = 0x82;
        *p++ = (unsigned char)(n >> 8);
    } else if (n > 0x7f) {
        *p++ = 0x81;
    }
    *p++ = (unsigned char)n;
    return p;
}

/* SEQUENCE of one GeneralName. */
static bool
set_san(struct leaf_cache *c, const struct host *host)
{
    unsigned char name[SAN_MAX], all[SAN_MAX + 4], *end;
    const void *bytes = host->name;
    size_t n = host->n;

    if (host->address.family != 0) {
        bytes = host->address.bytes;
        n = host->address.family == AF_INET ? 4 : 16;
    }
    end = put_header(name, host->address.family != 0 ? SAN_IP : SAN_DNS, n);
    memcpy(end, bytes, n);
    n += (size_t)(end - name);
    end = put_header(all, DER_SEQUENCE, n);
    memcpy(end, name, n);
    n += (size_t)(end - all);
    return ASN1_OCTET_STRING_set(c->san_bytes, all, (int)n) == 1 &&
           X509_EXTENSION_set_data(c->san, c->san_bytes) == 1;
}

static bool
add_extensions(const struct leaf_cache *c, X509 *x)
{
    int n = X509_get_ext_count(c->model);

    for (int i = 0; i < n; i++)
        if (X509_add_ext(x, X509_get_ext(c->model, i), -1) != 1)
            return false;
    return X509_add_ext(x, c->san, -1) == 1;
}

static X509 *
describe(struct leaf_cache *c, const struct host *host, struct validity v)
{
    X509 *x = certificate_new(v);

    if (x != NULL && X509_set_subject_name(x, X509_get_subject_name(c->model)) == 1 &&
        X509_set_issuer_name(x, X509_get_issuer_name(c->model)) == 1 &&
        X509_set_pubkey(x, c->shown) == 1 && set_san(c, host) && add_extensions(c, x))
        return x;
    X509_free(x);
    return NULL;
}

static X509 *
mint(struct leaf_cache *c, const struct host *host, struct validity v)
{
    X509 *x = NULL;

    if (!atomic_load_explicit(&minting_fails, memory_order_relaxed) &&
        (x = describe(c, host, v)) != NULL &&
        X509_sign(x, ca_signing_key(c->ca), c->sha256) != 0)
        return x;
    X509_free(x);
    return NULL;
}

/* A day around now, inside the CA's life: a leaf that outlived its CA would be shown
 * and refused. */
static bool
choose_validity(const struct leaf_cache *c, int64_t now_s, struct validity *v)
{
    *v = (struct validity){ now_s - BACKDATED_S, now_s + LIFETIME_S };
    if (v->from_s < c->ca_validity.from_s)
        v->from_s = c->ca_validity.from_s;
    if (v->until_s > c->ca_validity.until_s)
        v->until_s = c->ca_validity.until_s;
    return v->from_s <= now_s && now_s <= v->until_s;
}

/* ---- finding */

/* Seeded, so that a workload which may choose names under "*.x" cannot choose its
 * bucket. */
static uint64_t
hash_of(const struct leaf_cache *c, const struct host *host)
{
    uint64_t h = c->seed;

    for (size_t i = 0; i < host->n; i++)
        h = (h ^ (unsigned char)host->name[i]) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 32;
}

static struct leaf **
find(struct leaf_cache *c, const struct host *host, uint64_t hash)
{
    struct leaf **at = &c->buckets[hash & c->mask];

    while (*at != NULL && ((*at)->hash != hash || !host_equals(&(*at)->host, host)))
        at = &(*at)->next;
    return at;
}

static void
drop_oldest(struct leaf_cache *c)
{
    struct leaf *l = LIST_OWNER(c->recent.prev, struct leaf, recent);
    struct leaf **at = find(c, &l->host, l->hash);

    assert(*at == l);
    *at = l->next;
    list_remove(&l->recent);
    leaf_free(l);
    c->count--;
}

static struct leaf *
add(struct leaf_cache *c, const struct host *host, uint64_t hash)
{
    struct leaf *l = memory_new(sizeof *l);
    struct leaf **bucket = &c->buckets[hash & c->mask];

    if (c->count == c->room)
        drop_oldest(c);
    l->host = *host;
    l->hash = hash;
    l->next = *bucket;
    *bucket = l;
    list_add_first(&c->recent, &l->recent);
    c->count++;
    return l;
}

static void
keep(struct leaf *l, X509 *x, struct validity v, const struct leaf_cache *c)
{
    X509_free(l->certificate);
    l->certificate = x;
    l->fresh = v;
    /* Where the CA ends first, another leaf would end no later: this one serves to its
     * last second. */
    if (v.until_s < c->ca_validity.until_s)
        l->fresh.until_s -= RENEWED_BEFORE_S;
}

/* False as well when the clock was set back before the leaf began, or far ahead. */
static bool
is_fresh(const struct leaf *l, int64_t now_s)
{
    return l != NULL && l->fresh.from_s <= now_s && now_s < l->fresh.until_s;
}

enum reason
leaf_get(struct leaf_cache *c, const struct host *host, X509 **leaf)
{
    uint64_t hash = hash_of(c, host);
    struct leaf *l = *find(c, host, hash);
    int64_t now_s = clock_wall_s();
    struct validity v;
    X509 *x;

    *leaf = NULL;
    if (!is_fresh(l, now_s)) {
        if (!choose_validity(c, now_s, &v))
            return log_reason(REASON_MINT_LEAF,
                              "%s: the CA has expired or is not valid yet", host->name);
        if ((x = mint(c, host, v)) == NULL)
            return log_tls(REASON_MINT_LEAF, "%s: no leaf could be minted", host->name);
        if (l == NULL)
            l = add(c, host, hash);
        keep(l, x, v, c);
        c->minted++;
    }
    list_remove(&l->recent);
    list_add_first(&c->recent, &l->recent);
    *leaf = l->certificate;
    return REASON_OK;
}

EVP_PKEY *
leaf_cache_key(const struct leaf_cache *c)
{
    return key_pkey(c->key);
}

size_t
leaf_cache_count(const struct leaf_cache *c)
{
    return c->count;
}

uint64_t
leaf_cache_minted(const struct leaf_cache *c)
{
    return c->minted;
}

void
leaf_fail_minting(bool fail)
{
    atomic_store(&minting_fails, fail);
}
