/* Our certificate authority. Promises that its key is written to one place only, with
 * mode 0600 in a directory of mode 0700; that what was kept is used again or reported,
 * never replaced, since every client that trusts the old certificate would be cut off
 * without a word. */
#include "certs/ca.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "certs/certificate.h"
#include "certs/key.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CERTIFICATE_MAX = 64 * 1024, BACKDATED_S = 60 * 60 };

struct ca {
    struct key *key;
    X509 *certificate;
};

/* Where the pair is kept. */
struct places {
    const char *directory;
    char key[PATH_MAX];
    char certificate[PATH_MAX];
};

static bool
join(char out[PATH_MAX], const char *directory, const char *name)
{
    int n = snprintf(out, PATH_MAX, "%s/%s", directory, name);

    return n > 0 && n < PATH_MAX;
}

static enum reason
find_places(const char *directory, struct places *p)
{
    p->directory = directory;
    if (join(p->key, directory, "ca.key") && join(p->certificate, directory, "ca.pem"))
        return REASON_OK;
    return log_reason(REASON_FILE_UNREADABLE, "%s: the path is too long", directory);
}

/* A dangling link is something too: lstat. */
static enum reason
is_there(const char *path, bool *there)
{
    struct stat st;

    *there = lstat(path, &st) == 0;
    if (*there || errno == ENOENT)
        return REASON_OK;
    return log_reason(REASON_FILE_UNREADABLE, "%s: %s", path, strerror(errno));
}

/* Two of us starting at once would each make a CA, and one would serve what the other
 * overwrote. The lock goes with the descriptor. */
static enum reason
lock(const char *directory, int *fd)
{
    *fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*fd >= 0 && flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return REASON_OK;
    if (errno == EWOULDBLOCK)
        return log_reason(REASON_FILE_UNREADABLE,
                          "%s: another Holdfast is starting with this directory; "
                          "give each its own, or start again when it has finished",
                          directory);
    return log_reason(REASON_FILE_UNREADABLE, "%s: %s", directory, strerror(errno));
}

/* ---- making */

/* A short random part tells one sidecar's CA from another's in a trust list. */
static bool
set_names(X509 *x)
{
    unsigned char random[4];
    char name[32];
    X509_NAME *subject = X509_get_subject_name(x);

    random_bytes(random, sizeof random);
    snprintf(name, sizeof name, "Holdfast CA %02x%02x%02x%02x", random[0], random[1],
             random[2], random[3]);
    return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                      (const unsigned char *)name, -1, -1, 0) == 1 &&
           X509_set_issuer_name(x, subject) == 1;
}

static X509 *
describe(EVP_PKEY *pkey, int64_t valid_ms)
{
    int64_t now_s = clock_wall_s();
    /* Backdated: the clock of a client in another VM may be behind ours. */
    X509 *x = certificate_new(
        (struct validity){ now_s - BACKDATED_S, now_s + valid_ms / 1000 });

    if (x != NULL && set_names(x) && X509_set_pubkey(x, pkey) == 1 &&
        certificate_extend(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        certificate_extend(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        certificate_extend(x, x, NID_subject_key_identifier, "hash") &&
        X509_sign(x, pkey, EVP_sha256()) != 0)
        return x;
    X509_free(x);
    return NULL;
}

/* The whole text is owned by the BIO. NULL when it cannot be made. */
static BIO *
to_pem(X509 *x, struct text *pem)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes = NULL;
    long n;

    if (bio != NULL && PEM_write_bio_X509(bio, x) == 1 &&
        (n = BIO_get_mem_data(bio, &bytes)) > 0) {
        *pem = text_of(bytes, (size_t)n);
        return bio;
    }
    BIO_free(bio);
    return NULL;
}

/* The key first: should we die in between, the next start finds a key alone and says
 * so. */
static enum reason
make(const struct places *p, int64_t valid_ms, struct ca *ca)
{
    enum reason why = REASON_INTERNAL;
    struct text pem;
    BIO *bio = NULL;

    ca->key = key_new();
    if (ca->key == NULL)
        goto done;
    ca->certificate = describe(key_pkey(ca->key), valid_ms);
    if (ca->certificate == NULL || (bio = to_pem(ca->certificate, &pem)) == NULL) {
        log_tls(why, "%s: a CA could not be made", p->directory);
        goto done;
    }
    if ((why = key_save(ca->key, p->key)) != REASON_OK ||
        (why = file_write(p->certificate, 0644, pem)) != REASON_OK)
        goto done;
    log_info("%s: made a new CA", p->directory);
done:
    BIO_free(bio);
    return why;
}

/* ---- loading */

static enum reason
advise(const struct places *p, const char *fault)
{
    return log_tls(
        REASON_FILE_CONTENT,
        "%s: %s; restore ca.key and ca.pem as they were, or delete both to have "
        "a new CA made, which every client must then be given",
        p->directory, fault);
}

static enum reason
read_certificate(const struct places *p, X509 **out)
{
    struct buf pem = { 0 };
    enum reason why = file_read(p->certificate, CERTIFICATE_MAX, &pem);
    BIO *bio = NULL;

    if (why != REASON_OK)
        goto done;
    bio = BIO_new_mem_buf(buf_text(&pem).at, (int)buf_length(&pem));
    if (bio == NULL ||
        (*out = PEM_read_bio_X509(bio, NULL, certificate_no_passphrase, NULL)) == NULL)
        why = advise(p, "ca.pem is not a certificate");
done:
    BIO_free(bio);
    buf_free(&pem);
    return why;
}

static bool
is_usable_root(X509 *x)
{
    return X509_check_ca(x) == 1 && X509_self_signed(x, 1) == 1 &&
           X509_get0_subject_key_id(x) != NULL;
}

static enum reason
judge(const struct places *p, const struct ca *ca)
{
    struct validity v;
    int64_t now_s = clock_wall_s();

    if (X509_check_private_key(ca->certificate, key_pkey(ca->key)) != 1)
        return advise(p, "ca.key is not the key of ca.pem");
    if (!is_usable_root(ca->certificate) || !certificate_validity(ca->certificate, &v))
        return advise(p,
                      "ca.pem is not a self-signed CA with a subject key identifier");
    if (now_s > v.until_s)
        return advise(p, "the CA has expired");
    if (now_s < v.from_s)
        return log_reason(
            REASON_FILE_CONTENT,
            "%s: the CA is not valid yet: set this machine's clock, or restore "
            "or delete ca.key and ca.pem",
            p->directory);
    return REASON_OK;
}

static enum reason
load(const struct places *p, struct ca *ca)
{
    enum reason why;

    if ((why = key_load(p->key, &ca->key)) != REASON_OK ||
        (why = read_certificate(p, &ca->certificate)) != REASON_OK)
        return why;
    return judge(p, ca);
}

static enum reason
load_or_make(const struct places *p, int64_t valid_ms, struct ca *ca)
{
    bool has_key, has_certificate;
    enum reason why;

    if ((why = is_there(p->key, &has_key)) != REASON_OK ||
        (why = is_there(p->certificate, &has_certificate)) != REASON_OK)
        return why;
    if (has_key && has_certificate)
        return load(p, ca);
    if (has_key)
        return advise(p, "ca.key is there but ca.pem is not");
    if (has_certificate)
        return advise(p, "ca.pem is there but ca.key is not");
    return make(p, valid_ms, ca);
}

enum reason
ca_open(const char *keep, int64_t valid_ms, struct ca **out)
{
    struct ca *ca = memory_new(sizeof *ca);
    struct places places;
    enum reason why;
    int fd = -1;

    *out = NULL;
    if ((why = find_places(keep, &places)) == REASON_OK &&
        (why = file_make_directory(keep, 0700)) == REASON_OK &&
        (why = lock(keep, &fd)) == REASON_OK &&
        (why = load_or_make(&places, valid_ms, ca)) == REASON_OK) {
        *out = ca;
        ca = NULL;
    }
    if (fd >= 0)
        close(fd);
    ca_free(ca);
    return why;
}

void
ca_free(struct ca *ca)
{
    if (ca == NULL)
        return;
    X509_free(ca->certificate);
    key_free(ca->key);
    free(ca);
}

X509 *
ca_certificate(const struct ca *ca)
{
    return ca->certificate;
}

EVP_PKEY *
ca_signing_key(const struct ca *ca)
{
    return key_pkey(ca->key);
}
