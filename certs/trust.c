/* Trust stores. Promises that the same bytes are parsed once however many generations
 * and rules ask (Debian's 144 roots take 32 ms and 0.9 MB), and that a file with a
 * fault in it gives no store at all. */
#include "certs/trust.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "certs/certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const char debian_roots[] = "/etc/ssl/certs/ca-certificates.crt";

struct trust {
    struct list member;
    size_t refs;
    unsigned char digest[SHA256_SIZE];
    X509_STORE *store;
};

static const char *system_roots = debian_roots;

/* All that is held, under the lock: a handful, one for each private CA a config names.
 */
static struct list held = { &held, &held };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

const char *
trust_system_roots(void)
{
    return system_roots;
}

void
trust_set_system_roots(const char *file)
{
    system_roots = file != NULL ? file : debian_roots;
}

/* PEM's way of saying that the file has been read to its end. Anything else is a fault:
 * half a trust store refuses services for a reason nobody will find. */
static bool
is_at_end(void)
{
    unsigned long e = ERR_peek_last_error();

    return ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
}

static size_t
add_certificates(X509_STORE *store, BIO *bio)
{
    size_t n = 0;
    X509 *x;
    bool ok = true;

    while (ok && (x = PEM_read_bio_X509(bio, NULL, certificate_no_passphrase, NULL)) !=
                     NULL) {
        ok = X509_STORE_add_cert(store, x) == 1;
        X509_free(x);
        n++;
    }
    if (!ok || !is_at_end())
        return 0;
    ERR_clear_error();
    return n;
}

static enum reason
parse(const char *file, struct text pem, X509_STORE **out)
{
    X509_STORE *store = X509_STORE_new();
    BIO *bio = BIO_new_mem_buf(pem.n > 0 ? pem.at : "", (int)pem.n);
    enum reason why = REASON_OK;

    if (store == NULL || bio == NULL)
        why = log_tls(REASON_INTERNAL, "%s: no memory for a trust store", file);
    else if (add_certificates(store, bio) == 0)
        why = log_tls(REASON_FILE_CONTENT, "%s: not a list of certificates in PEM",
                      file);
    BIO_free(bio);
    if (why != REASON_OK) {
        X509_STORE_free(store);
        store = NULL;
    }
    *out = store;
    return why;
}

static struct trust *
find(const unsigned char digest[SHA256_SIZE])
{
    for (struct list *l = held.next; l != &held; l = l->next) {
        struct trust *t = LIST_OWNER(l, struct trust, member);

        if (memcmp(t->digest, digest, SHA256_SIZE) == 0)
            return t;
    }
    return NULL;
}

/* Under the lock, parsing included: who asks for the same bytes meanwhile would only
 * parse them again. */
static enum reason
find_or_parse(const char *file, struct text pem, struct trust **out)
{
    unsigned char digest[SHA256_SIZE];
    X509_STORE *store;
    struct trust *t;
    enum reason why;

    digest_sha256(pem, digest);
    if ((t = find(digest)) == NULL) {
        if ((why = parse(file, pem, &store)) != REASON_OK)
            return why;
        t = memory_new(sizeof *t);
        t->store = store;
        memcpy(t->digest, digest, sizeof digest);
        list_add_last(&held, &t->member);
    }
    t->refs++;
    *out = t;
    return REASON_OK;
}

enum reason
trust_load(const char *file, struct trust **out)
{
    struct buf pem = { 0 };
    enum reason why;

    *out = NULL;
    if (file == NULL)
        file = system_roots;
    why = file_read(file, TRUST_FILE_MAX, &pem);
    if (why == REASON_OK) {
        pthread_mutex_lock(&lock);
        why = find_or_parse(file, buf_text(&pem), out);
        pthread_mutex_unlock(&lock);
    }
    buf_free(&pem);
    return why;
}

struct trust *
trust_ref(const struct trust *t)
{
    struct trust *same = (struct trust *)(uintptr_t)t;

    pthread_mutex_lock(&lock);
    same->refs++;
    pthread_mutex_unlock(&lock);
    return same;
}

void
trust_unref(struct trust *t)
{
    bool last;

    if (t == NULL)
        return;
    pthread_mutex_lock(&lock);
    last = --t->refs == 0;
    if (last)
        list_remove(&t->member);
    pthread_mutex_unlock(&lock);
    if (!last)
        return;
    X509_STORE_free(t->store);
    free(t);
}

size_t
trust_count(void)
{
    size_t n = 0;

    pthread_mutex_lock(&lock);
    for (struct list *l = held.next; l != &held; l = l->next)
        n++;
    pthread_mutex_unlock(&lock);
    return n;
}

X509_STORE *
trust_store(const struct trust *t)
{
    return t->store;
}

bool
trust_vouches(const struct trust *t, X509 *leaf, struct stack_st_X509 *chain)
{
    X509_STORE_CTX *c = X509_STORE_CTX_new();
    bool vouches = false;

    if (c != NULL && X509_STORE_CTX_init(c, t->store, leaf, chain) == 1) {
        X509_STORE_CTX_set_flags(c, X509_V_FLAG_NO_CHECK_TIME);
        vouches = X509_STORE_CTX_set_purpose(c, X509_PURPOSE_SSL_SERVER) == 1 &&
                  X509_verify_cert(c) == 1;
    }
    X509_STORE_CTX_free(c);
    return vouches;
}
