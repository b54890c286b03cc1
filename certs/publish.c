/* What a workload is given to trust, in every shape that its programs read: PEM alone,
 * PEM beside the system's roots, a directory as OpenSSL looks names up in, a store for
 * Java. Promises that none of it holds a key. */
#include "certs/ca.h"

#include "base/file.h"
#include "base/log.h"
#include "certs/trust.h"
#include "certs/truststore.h"

#include <errno.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <unistd.h>

/* Without the system's roots (a minimal image) ours alone is right for everything that
 * goes through us. */
static enum reason
add_system_roots(struct buf *out)
{
    const char *file = trust_system_roots();
    enum reason why;

    if (access(file, F_OK) != 0 && errno == ENOENT) {
        log_warn("%s is not there: the published bundle holds our own CA alone", file);
        return REASON_OK;
    }
    if ((why = file_read(file, TRUST_FILE_MAX, out)) != REASON_OK)
        return why;
    if (!text_is_empty(buf_text(out)) && !text_ends(buf_text(out), TEXT("\n")))
        buf_add_byte(out, '\n');
    return REASON_OK;
}

static enum reason
add_pem(X509 *x, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes = NULL;
    bool ok = bio != NULL && PEM_write_bio_X509(bio, x) == 1;
    long n = ok ? BIO_get_mem_data(bio, &bytes) : 0;

    buf_add(out, text_of(bytes, (size_t)n));
    BIO_free(bio);
    return ok ? REASON_OK : REASON_INTERNAL;
}

static enum reason
publish(const char *directory, const char *name, struct text bytes)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", directory, name);

    if (n < 0 || (size_t)n >= sizeof path)
        return log_reason(REASON_FILE_UNREADABLE, "%s: the path is too long",
                          directory);
    return file_write(path, 0644, bytes);
}

/* c_rehash(1): a certificate is found there by a hash of its name. */
static enum reason
publish_directory(X509 *x, const char *directory, struct text pem)
{
    char path[PATH_MAX], name[32];
    int n = snprintf(path, sizeof path, "%s/certs", directory);
    int known = 0;
    unsigned long hash = X509_NAME_hash_ex(X509_get_subject_name(x), NULL, NULL,
                                           &known);
    enum reason why;

    if (n < 0 || (size_t)n >= sizeof path || known != 1)
        return REASON_INTERNAL;
    if ((why = file_make_directory(path, 0755)) != REASON_OK)
        return why;
    snprintf(name, sizeof name, "%08lx.0", hash);
    return publish(path, name, pem);
}

static enum reason
publish_all(X509 *x, const char *directory, struct text pem, struct text bundle,
            struct buf *store)
{
    enum reason why;

    if ((why = truststore_make(bundle, store)) != REASON_OK ||
        (why = publish(directory, "bundle.pem", bundle)) != REASON_OK ||
        (why = publish(directory, "truststore.p12", buf_text(store))) != REASON_OK ||
        (why = publish_directory(x, directory, pem)) != REASON_OK)
        return why;
    return publish(directory, "ca.pem", pem); /* the last: who finds it finds all */
}

enum reason
ca_publish(const struct ca *ca, const char *directory)
{
    X509 *x = ca_certificate(ca);
    struct buf pem = { 0 }, bundle = { 0 }, store = { 0 };
    enum reason why;

    if ((why = file_make_directory(directory, 0755)) == REASON_OK &&
        (why = add_pem(x, &pem)) == REASON_OK &&
        (why = add_system_roots(&bundle)) == REASON_OK) {
        buf_add(&bundle, buf_text(&pem));
        why = publish_all(x, directory, buf_text(&pem), buf_text(&bundle), &store);
    }
    if (why == REASON_INTERNAL)
        log_tls(why, "%s: the CA could not be published", directory);
    buf_free(&pem);
    buf_free(&bundle);
    buf_free(&store);
    return why;
}
